"""What random matrices say about the tools that read spectra: edges, planted spikes, power laws with and without tails.

A run is one random matrix (or one power-law sample), drawn anew for every seed, and what the estimators of
``weightspace.spectra`` make of its eigenvalues. The truth is known in every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import IDENTITY, LATER, STRICT, Configuration, Count, NotNegative, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.spectra import marchenko_pastur, metrics, power_law, random_matrices
from weightspace.spectra.eigen import eigenvalues

ALPHA_TRUE = 3.0
INTERVAL_REPLICATES = 200
GOODNESS_REPLICATES = 100
P_PASSES = 0.1
"""From this p on a power law is not rejected (Clauset, Shalizi & Newman 2009, section 4.2)."""
_SIDES = {"paper": (25, 50, 100, 200, 400), "quick": (25, 50)}
_STRENGTHS = {"paper": (0.0, 0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0), "quick": (0.0, 1.0, 3.0)}
_TAIL_INDICES = {"paper": (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0), "quick": (1.0, 3.0)}
_ASPECT_RATIOS = {"paper": (1, 2, 4, 8, 16), "quick": (1, 4)}
_SAMPLE_SIZES = {"paper": (20, 50, 100, 200, 500, 1000), "quick": (20, 50)}
_SMALL_SIDE = {"paper": 200, "quick": 40}
_CHANNELS = {"paper": 64, "quick": 16}
HEAVY_INDEX = 1.5
"""Tail index of the heavy-tailed entries that are held against others; alpha of their spectrum is 1 + 1.5 / 2."""
PLANTED = tuple(np.linspace(2.0, 12.0, 10).tolist())
"""Strengths of ten planted directions, in multiples of the threshold."""


ENSEMBLES = {
    "edge": ("gaussian",),
    "spike": ("spiked",),
    "entries": ("heavy_tailed",),
    "sample": ("power_law",),
    "kinds": ("power_law", "heavy_tailed", "spiked", "gaussian"),
    "aspect": ("gaussian",),
    "unfolding": ("gaussian",),
}
"""What each study draws from: ``edge`` (pure noise of many sizes), ``spike`` (one planted direction), ``entries``
(heavy-tailed entries of many tail indices), ``sample`` (power-law samples of many sizes), ``kinds`` (four kinds of
spectra of one size), ``aspect`` (noise of many aspect ratios), ``unfolding`` (a kernel of noise, unfolded in two
ways)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PrimerConfiguration(Configuration):
    """One random matrix N x M, N >= M, or one power-law sample of M = N values; M is at least 2.

    study, ensemble: see ``ENSEMBLES``. strength: of the planted direction in study ``spike``, 1 is the threshold;
    tail_index: of heavy-tailed entries, above 0. Both are 0 where they do not apply. alpha: of power-law samples, above
    1. planted: strengths of the planted directions in study ``kinds``. interval_replicates (study ``sample``),
    goodness_replicates (``kinds``): bootstrap samples. What a study does not read has its default.
    """

    protocol: Annotated[Count, IDENTITY] = 1  # raised when a change of the code changes what a run measures
    study: Literal[tuple(ENSEMBLES)]  # type: ignore[valid-type]
    ensemble: Literal[ENSEMBLES["kinds"]]  # type: ignore[valid-type, name-defined]
    N: Count
    M: Annotated[int, Field(ge=2)]
    strength: NotNegative
    tail_index: NotNegative
    alpha: Annotated[float, Field(gt=1), LATER] = ALPHA_TRUE
    planted: Annotated[tuple[NotNegative, ...], Field(min_length=1), LATER] = PLANTED
    interval_replicates: Annotated[Count, LATER] = INTERVAL_REPLICATES
    goodness_replicates: Annotated[Count, LATER] = GOODNESS_REPLICATES

    @model_validator(mode="after")
    def _holds_what_the_study_reads(self) -> PrimerConfiguration:
        if self.ensemble not in ENSEMBLES[self.study]:
            allowed = " or ".join(ENSEMBLES[self.study])
            raise ValueError(f"study {self.study} has ensemble {allowed}, got {self.ensemble}")
        if (self.study == "sample" and self.N != self.M) or self.N < self.M:
            raise ValueError(
                f"N: equal to M in study sample, at least M elsewhere, got N {self.N}, M {self.M}, study {self.study}"
            )
        if (self.ensemble == "heavy_tailed") != (self.tail_index > 0):
            raise ValueError(
                f"tail_index: positive for heavy_tailed entries, else 0, got {self.tail_index:g} for {self.ensemble}"
            )
        read: dict[str, tuple[bool, Any]] = {
            "strength": (self.study == "spike", 0.0),
            "alpha": (self.ensemble == "power_law", ALPHA_TRUE),
            "planted": (self.study == "kinds" and self.ensemble == "spiked", PLANTED),
            "interval_replicates": (self.study == "sample", INTERVAL_REPLICATES),
            "goodness_replicates": (self.study == "kinds", GOODNESS_REPLICATES),
        }
        for name, (is_read, default) in read.items():
            if not is_read and getattr(self, name) != default:
                raise ValueError(
                    f"{name}: study {self.study} with ensemble {self.ensemble} does not read it, so it has to stay "
                    f"{default}, got {getattr(self, name)}"
                )
        if self.study == "kinds" and len(self.planted) > self.M:
            raise ValueError(f"planted: at most M = {self.M} directions, got {len(self.planted)}")
        return self


def configurations(scale: str, seeds: int) -> list[PrimerConfiguration]:
    """Study by study, cell by cell; see ``ENSEMBLES``."""
    small = _SMALL_SIDE[scale]
    cells = [("edge", "gaussian", 2 * M, M, 0.0, 0.0) for M in _SIDES[scale]]
    cells += [
        ("spike", "spiked", 2 * M, M, strength, 0.0) for M in _SIDES[scale][1::2] for strength in _STRENGTHS[scale]
    ]
    cells += [("entries", "heavy_tailed", 2 * small, small, 0.0, index) for index in _TAIL_INDICES[scale]]
    cells += [("sample", "power_law", n, n, 0.0, 0.0) for n in _SAMPLE_SIZES[scale]]
    cells += [
        ("kinds", kind, 2 * small, small, 0.0, HEAVY_INDEX if kind == "heavy_tailed" else 0.0)
        for kind in ("power_law", "heavy_tailed", "spiked", "gaussian")
    ]
    cells += [("aspect", "gaussian", Q * small, small, 0.0, 0.0) for Q in _ASPECT_RATIOS[scale]]
    cells += [("unfolding", "gaussian", _CHANNELS[scale], _CHANNELS[scale], 0.0, 0.0)]
    return [
        PrimerConfiguration(
            experiment="spectra_primer",
            study=study,
            ensemble=ensemble,
            N=N,
            M=M,
            strength=strength,
            tail_index=tail_index,
            seed=seed,
        )
        for study, ensemble, N, M, strength, tail_index in cells
        for seed in range(seeds)
    ]


def compute(group: list[PrimerConfiguration], device: str) -> pd.DataFrame:
    """A row per run and metric; the metrics of a study are those of its function below."""
    rows = []
    for configuration in group:
        identity = {
            name: getattr(configuration, name)
            for name in ("study", "ensemble", "N", "M", "strength", "tail_index", "seed")
        }
        identity |= {"run_key": configuration.run_key, "data_digest": "none", "data_variant": "none"}
        found = _STUDIES[configuration.study](configuration)
        rows += [identity | {"metric": metric, "value": float(value)} for metric, value in found.items()]
    return pd.DataFrame(rows)


def _generator(configuration: PrimerConfiguration) -> np.random.Generator:
    """The same noise for every strength and tail index of a seed."""
    return np.random.default_rng([configuration.seed, configuration.N, configuration.M])


def _matrix(configuration: PrimerConfiguration, strengths: Sequence[float] = ()) -> np.ndarray:
    N, M, rng = configuration.N, configuration.M, _generator(configuration)
    if configuration.ensemble == "spiked":
        return random_matrices.spiked(N, M, strengths or configuration.planted, rng)
    if configuration.ensemble == "heavy_tailed":
        return random_matrices.heavy_tailed(N, M, configuration.tail_index, rng)
    return random_matrices.gaussian(N, M, rng)


def _edge(configuration: PrimerConfiguration) -> dict[str, float]:
    """largest: of the eigenvalues of W^T W / N; above_edge: whether it lies above the 95 % Tracy-Widom edge of the
    true sigma; num_spikes: what the fit reports, all of them false."""
    N, M = configuration.N, configuration.M
    values = eigenvalues(_matrix(configuration))
    return {
        "largest": values[-1] / N,
        "above_edge": values[-1] > marchenko_pastur.tracy_widom_edge(N, M),
        "num_spikes": marchenko_pastur.fit(values, N).num_spikes,
    }


def _spike(configuration: PrimerConfiguration) -> dict[str, float]:
    """largest: of the eigenvalues of W^T W / N; num_spikes: as the fit reports them."""
    N = configuration.N
    values = eigenvalues(_matrix(configuration, [configuration.strength]))
    return {"largest": values[-1] / N, "num_spikes": marchenko_pastur.fit(values, N).num_spikes}


def _entries(configuration: PrimerConfiguration) -> dict[str, float]:
    return _alphas(eigenvalues(_matrix(configuration)))


def _sample(configuration: PrimerConfiguration) -> dict[str, float]:
    """A power-law sample of M values of the given alpha; covered: whether the bootstrap interval holds it."""
    values = random_matrices.power_law_sample(configuration.M, configuration.alpha, _generator(configuration))
    low, high = power_law.interval(values, replicates=configuration.interval_replicates, seed=configuration.seed)
    return _alphas(values) | {"covered": low <= configuration.alpha <= high}


def _kinds(configuration: PrimerConfiguration) -> dict[str, float]:
    """alpha with what is offered to judge it: p of the goodness of fit, the likelihood ratio against a lognormal
    (positive where the power law is the likelier, with its p), spikes and D of the Marchenko-Pastur fit."""
    if configuration.ensemble == "power_law":
        values = random_matrices.power_law_sample(configuration.M, configuration.alpha, _generator(configuration))
    else:
        values = eigenvalues(_matrix(configuration))
    bulk = marchenko_pastur.fit(values, configuration.N)
    ratio, ratio_p = power_law.likelihood_ratio(values, "lognormal")
    return _alphas(values) | {
        "p": power_law.goodness_of_fit(values, replicates=configuration.goodness_replicates, seed=configuration.seed),
        "ratio_lognormal": ratio,
        "ratio_lognormal_p": ratio_p,
        "num_spikes": bulk.num_spikes,
        "D_mp": bulk.D,
    }


def _aspect(configuration: PrimerConfiguration) -> dict[str, float]:
    """alpha of pure noise: with searched xmin, of the upper half, and of submatrices of a fixed aspect ratio."""
    matrix = _matrix(configuration)
    values = eigenvalues(matrix)
    return _alphas(values) | {
        "alpha_upper_half": power_law.hill(values),
        "alpha_fixed_aspect": power_law.fixed_aspect_alpha(matrix, seed=configuration.seed),
    }


def _unfolding(configuration: PrimerConfiguration) -> dict[str, float]:
    """stable_rank and alpha of one 3 x 3 kernel of noise in the conventions of WeightWatcher (nine slices, pooled) and
    of this package (one matrix, reshaped). Neither depends on the factor that WeightWatcher applies."""
    from weightspace.spectra.report import layer_spectra  # here: reading records does not have to wait for PyTorch

    kernel = _generator(configuration).normal(size=(configuration.N, configuration.M, 3, 3))
    found = {}
    conventions: dict[str, Literal["weightspace", "weightwatcher"]]
    conventions = {"slices": "weightwatcher", "reshaped": "weightspace"}
    for unfolding, convention in conventions.items():
        (layer,) = layer_spectra({"conv.weight": kernel}, convention=convention, progress=False)
        found[f"stable_rank_{unfolding}"] = metrics.stable_rank(layer.eigenvalues)
        found[f"alpha_{unfolding}"] = power_law.fit(layer.eigenvalues).alpha
    return found


def _alphas(values: np.ndarray) -> dict[str, float]:
    """alpha with its bias taken off, alpha as the maximum of the likelihood has it, and the size of the tail."""
    corrected, plain = power_law.fit(values), power_law.fit(values, corrected=False)
    return {"alpha": corrected.alpha, "alpha_uncorrected": plain.alpha, "n_tail": corrected.n_tail}


_STUDIES = {
    "edge": _edge,
    "spike": _spike,
    "entries": _entries,
    "sample": _sample,
    "kinds": _kinds,
    "aspect": _aspect,
    "unfolding": _unfolding,
}


EXPERIMENTS = [
    Experiment(
        "spectra_primer",
        "Random matrices with known spectra, and what the estimators make of them",
        {"quick": 4, "paper": 200},
        configurations,
        ("study", "ensemble", "N", "M", "strength", "tail_index"),
        compute,
    )
]
