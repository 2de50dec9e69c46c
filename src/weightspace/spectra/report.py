"""The table of a model's spectra: ``spectral_report``, a row per weight matrix."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from weightspace import devices
from weightspace.spectra import marchenko_pastur, metrics, power_law, weightwatcher
from weightspace.spectra.checkpoints import Source
from weightspace.spectra.choice import Patterns, chosen
from weightspace.spectra.columns import COLUMNS
from weightspace.spectra.eigen import cost, solved
from weightspace.spectra.matrices import LayerMatrix, layer_matrices
from weightspace.spectra.resume import Kept

Convention = Literal["weightspace", "weightwatcher"]

_EPS = np.finfo(np.float64).eps

FEWEST = 10
"""Eigenvalues above zero from which on a power law is fitted to a layer: of fewer, alpha says nothing."""

FEWEST_IN_TAIL = 20
"""``n_tail`` from which on alpha is given: the data then tell an alpha of 2 from one of 4.

Found by simulation: samples of 6 to 100 values of a power law of alpha 2 or 4, alone or above a body of uniform values,
fitted with the search for xmin; an answer is wrong where the estimate lies on the other side of 3. Of tails of 4 values
27 % are wrong, of 10 values 10 to 13 %; from 20 on less than 5 %, where the tail is half of the eigenvalues or more.
Where it is a fifth of them 10 % are still wrong at 20, and 5 % at 35. A test repeats it.
"""


@dataclass(frozen=True)
class LayerSpectrum:
    """The eigenvalues of one row of a report: all that it takes to compute the row, now or later.

    ``eigenvalues``: [n], ascending, of all ``matrices`` of N x M together, not divided by N; empty where ``reason``
    says what is wrong. ``eps``: relative precision of the weights as they were stored.
    """

    layer_id: int
    name: str
    layer_type: str
    unfolding: str
    N: int
    M: int
    matrices: int
    eps: float
    eigenvalues: np.ndarray = field(repr=False)
    reason: str = ""


def spectral_report(
    source: Source,
    *,
    base: Source | None = None,
    download: bool = False,
    convention: Convention = "weightspace",
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    device: str = "cpu",
    intervals: int = 0,
    goodness: int = 0,
    seed: int = 0,
    progress: bool | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """The spectra of all weight matrices of a model, a row per matrix.

    source: a module (also compiled, wrapped, sharded or quantized), a state_dict, a mapping of names to arrays, a file,
    a folder, or ``"hf://organization/model"``: ``weightspace.spectra.checkpoints.named_weights`` lists the forms. base:
    where the source is an adapter of LoRA, the model that it changes; without it the report is of the changes B A.
    download: fetch a model of the hub that is not in the cache. Weights are read from a file one by one: memory is
    that of the matrices that are being solved, not of the model.

    convention: ``"weightspace"`` takes the matrices as ``weightspace.spectra.matrices`` describes and the columns
    below. ``"weightwatcher"`` gives the layers, columns and numbers of WeightWatcher 0.7.7 with ``mp_fit=True``; see
    ``weightspace.spectra.weightwatcher``.

    include, exclude: patterns on the names of the rows, as in a shell (``fnmatch``): ``include=["layer4.*", "fc"]``,
    ``exclude="*downsample*"``. The rows keep their ``layer_id``; the others are not computed.

    intervals: replicates of the bootstrap for ``alpha_low`` and ``alpha_high`` (95 %; 200 is enough); goodness:
    replicates for ``p``; 0 leaves these columns out. seed: of both. device: for the eigenvalues, such as ``"cuda:1"``;
    with ``"mps"``, which has no double precision, the CPU computes them. progress: a bar with the time left; by default
    in a terminal and in Jupyter with ipywidgets, where it takes longer than a second. resume: a file (JSON lines) to
    which every row's eigenvalues are written as soon as they are computed, and from which the same call goes on after
    an interrupt; the digests of the weights in it are checked.

    The columns are those of ``weightspace.spectra.columns.COLUMNS``, which says what each of them means; the fits are
    those of ``power_law.fit`` (with its ``interval`` and ``goodness_of_fit``) and of ``marchenko_pastur.fit``. Where a
    number would say nothing it is NaN, and ``reason`` says why. Unlike ours, WeightWatcher's entropy is divided by ln
    matrix_rank, and its sigma_mp belongs to eigenvalues divided by their mean.

    Raises ``ValueError`` for an unknown convention or device, a file that cannot be read, a source without a weight
    matrix, a pattern that matches no name (the error says which are like it), for ``intervals`` or ``goodness`` with
    the convention "weightwatcher", and for a file to resume from that holds other things or the spectra of other
    weights; ``FileNotFoundError``. A layer with NaN or any other fault does not end the report: its row says why it is
    empty.
    """
    if convention == "weightwatcher":
        if intervals or goodness:
            raise ValueError("WeightWatcher has no intervals and no goodness of fit: leave out intervals and goodness")
        theirs = _chosen(weightwatcher.layers(source, base=base, download=download), include, exclude)
        return weightwatcher.table(*_solved(theirs, device, progress, _kept(resume, convention)))
    spectra = layer_spectra(
        source,
        base=base,
        download=download,
        convention=convention,
        include=include,
        exclude=exclude,
        device=device,
        progress=progress,
        resume=resume,
    )
    return report_of(spectra, intervals=intervals, goodness=goodness, seed=seed)


def layer_spectra(
    source: Source,
    *,
    base: Source | None = None,
    download: bool = False,
    convention: Convention = "weightspace",
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    device: str = "cpu",
    progress: bool | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> list[LayerSpectrum]:
    """The eigenvalues of every row of ``spectral_report``; arguments and errors as there.

    To keep along a training run: a few numbers per neuron, from which ``report_of`` makes the table at any time.
    """
    if convention == "weightwatcher":
        theirs = _chosen(weightwatcher.layers(source, base=base, download=download), include, exclude)
        theirs, spectra = _solved(theirs, device, progress, _kept(resume, convention))
        return [_slices(layer, found) for layer, found in zip(theirs, spectra)]
    if convention != "weightspace":
        raise ValueError(f"unknown convention {convention!r}: use weightspace or weightwatcher")
    layers = _chosen(layer_matrices(source, base=base, download=download), include, exclude)
    return spectra_of(layers, device=device, progress=progress, kept=_kept(resume, convention))


def spectra_of(
    matrices: Sequence[LayerMatrix], *, device: str = "cpu", progress: bool | None = None, kept: Kept | None = None
) -> list[LayerSpectrum]:
    """``layer_spectra`` of layers that are known already; see ``matrices.layer_matrices``."""
    layers, spectra = _solved(list(matrices), device, progress, kept)
    return [
        LayerSpectrum(
            **{name: getattr(layer, name) for name in ("layer_id", "name", "layer_type", "unfolding", "N", "M", "eps")},
            matrices=len(found),
            eigenvalues=np.sort(np.concatenate([np.empty(0), *found])),
            reason=layer.reason,
        )
        for layer, found in zip(layers, spectra)
    ]


def report_of(
    spectra: Sequence[LayerSpectrum], *, intervals: int = 0, goodness: int = 0, seed: int = 0, withhold: bool = True
) -> pd.DataFrame:
    """The table of ``spectral_report`` (convention "weightspace") from eigenvalues; arguments as there.

    withhold: give no alpha and no bulk where a fit can be had but means nothing (see the columns there); False gives
    whatever the fits say, as it stands in the records of experiments.
    """
    rows = [_row(spectrum, intervals, goodness, seed, withhold) for spectrum in spectra]
    columns = [column for column in COLUMNS if column in rows[0] or column not in _OPTIONAL] if rows else list(COLUMNS)
    return pd.DataFrame(rows, columns=columns)


_OPTIONAL = ("alpha_low", "alpha_high", "p")


def _row(spectrum: LayerSpectrum, intervals: int, goodness: int, seed: int, withhold: bool) -> dict[str, Any]:
    N, M, values = spectrum.N, spectrum.M, spectrum.eigenvalues
    row = {
        "layer_id": spectrum.layer_id,
        "name": spectrum.name,
        "layer_type": spectrum.layer_type,
        "unfolding": spectrum.unfolding,
        "N": N,
        "M": M,
        "Q": N / M if M else np.nan,
        "num_evals": len(values),
        "reason": spectrum.reason,
    }
    if spectrum.reason:
        return row
    norm, spectral_norm = metrics.norm(values), metrics.spectral_norm(values)
    nonzero = metrics.nonzero(values, N, spectrum.eps)
    row |= {
        "norm": norm,
        "spectral_norm": spectral_norm,
        "log_norm": np.log10(norm) if norm else np.nan,
        "log_spectral_norm": np.log10(spectral_norm) if spectral_norm else np.nan,
        "stable_rank": metrics.stable_rank(values),
        "entropy": metrics.entropy(values),
        "effective_rank": metrics.effective_rank(values),
        "effective_rank_singular": metrics.effective_rank_singular(values),
        "matrix_rank": len(nonzero),
    }
    if not norm:
        return row | {"reason": "all entries are zero"}
    tail, bulk = _tail(nonzero, intervals, goodness, seed), _bulk(nonzero, N, spectrum.matrices)
    if withhold:
        tail, bulk = _tail_that_means_something(tail, nonzero, spectrum), _bulk_of_noise(bulk)
    reasons: list[str] = []
    for columns in (tail, bulk):
        columns.pop("saturated", None)
        reasons += filter(None, [columns.pop("reason", "")])
        row |= columns
    return row | {"reason": "; ".join(reasons)}


def _tail(values: np.ndarray, intervals: int, goodness: int, seed: int) -> dict[str, Any]:
    if len(values) < FEWEST:
        fit, reason = None, f"no power law: {len(values)} eigenvalues above zero, fewer than {FEWEST}"
    else:
        try:
            fit, reason = power_law.fit(values), ""
        except ValueError as error:
            fit, reason = None, f"no power law: {error}"
    if fit is None:
        optional = _OPTIONAL[: 2 * bool(intervals)] + _OPTIONAL[2:] * bool(goodness)
        return dict.fromkeys(optional, np.nan) | {"reason": reason}
    found = {name: getattr(fit, name) for name in ("alpha", "D", "xmin", "sigma", "n_tail")} | {
        "alpha_weighted": metrics.alpha_weighted(fit.alpha, values),
        "log_alpha_norm": metrics.log_alpha_norm(fit.alpha, values),
    }
    if intervals:
        found["alpha_low"], found["alpha_high"] = power_law.interval(values, replicates=intervals, seed=seed)
    if goodness:
        found["p"] = power_law.goodness_of_fit(values, replicates=goodness, seed=seed)
    return found


def _tail_that_means_something(tail: dict[str, Any], values: np.ndarray, spectrum: LayerSpectrum) -> dict[str, Any]:
    """``tail`` without the numbers that say nothing, and with the reason."""
    if tail.get("reason"):
        return tail
    N, M = spectrum.N, spectrum.M
    if spectrum.matrices > 1 and M == 1:
        return dict.fromkeys(tail, np.nan) | {
            "reason": "no power law: depthwise, the eigenvalues are the norms of the kernels"
        }
    # Rounding moves entries at random by up to eps / 2 of themselves, hence singular values by about eps / 2 |W|_F /
    # sqrt(M); a decomposition in that precision, from which orthogonal weights come, by a few times that.
    moved = max(8 * spectrum.eps * np.sqrt(values.sum() / len(values)), N * _EPS * np.sqrt(values[-1]))
    if np.sqrt(values[-1]) - np.sqrt(tail["xmin"]) <= moved:
        return dict.fromkeys(tail, np.nan) | {
            "reason": f"no power law: the {tail['n_tail']} largest eigenvalues are equal but for rounding"
        }
    if tail["n_tail"] < FEWEST_IN_TAIL:
        follows = [name for name in tail if name not in ("D", "xmin", "n_tail")]
        reason = f"no alpha: the tail has {tail['n_tail']} values, fewer than {FEWEST_IN_TAIL}"
        return tail | dict.fromkeys(follows, np.nan) | {"reason": reason}
    return tail


def _bulk(values: np.ndarray, N: int, matrices: int) -> dict[str, Any]:
    try:
        fit = marchenko_pastur.fit(values, N, matrices=matrices)
    except ValueError as error:
        return {"reason": f"no bulk: {error}"}
    found = {name: getattr(fit, name) for name in ("lambda_plus", "edge", "num_spikes", "saturated")}
    return found | {"sigma_mp": fit.sigma, "mp_softrank": fit.lambda_plus / values[-1], "D_mp": fit.D}


def _bulk_of_noise(bulk: dict[str, Any]) -> dict[str, Any]:
    if not bulk.get("saturated"):
        return bulk
    return {"reason": "no bulk of noise: more than half of the eigenvalues lie beyond its edge"}


def _slices(layer: weightwatcher.Layer, found: list[np.ndarray]) -> LayerSpectrum:
    return LayerSpectrum(
        layer.layer_id,
        layer.longname,
        layer.layer_type,
        "slices (out, in), halved" if layer.layer_type == "conv2d" else "as stored",
        max(layer.N, layer.M),
        min(layer.N, layer.M),
        len(found),
        float(np.finfo(np.float32).eps),
        weightwatcher.pooled(layer, found),
        layer.reason,
    )


def _kept(resume: str | os.PathLike[str] | None, convention: Convention) -> Kept | None:
    return None if resume is None else Kept(resume, convention)


_Layer = TypeVar("_Layer", LayerMatrix, weightwatcher.Layer)


def _chosen(layers: list[_Layer], include: Patterns | None, exclude: Patterns | None) -> list[_Layer]:
    names = [layer.name if isinstance(layer, LayerMatrix) else layer.longname for layer in layers]
    return [layer for layer, taken in zip(layers, chosen(names, include, exclude)) if taken]


def _solved(
    layers: list[_Layer], device: str, progress: bool | None, kept: Kept | None
) -> tuple[list[_Layer], list[list[np.ndarray]]]:
    """The eigenvalues of each matrix of each layer; a layer for which they cannot be had gets none and a reason."""
    devices.device_name(device)  # its error says what to do where there is no GPU
    names = [getattr(layer, "longname", layer.name) for layer in layers]
    spectra: list[list[Any]] = [[None] * len(layer.matrices) for layer in layers]
    for row, layer in enumerate(layers):
        known = kept.spectra(layer.layer_id, names[row], layer.matrices) if kept and layer.matrices else None
        spectra[row] = spectra[row] if known is None else known
    places = [(row, k) for row, found in enumerate(spectra) for k, values in enumerate(found) if values is None]
    matrices = [layers[row].matrices[k] for row, k in places]
    with _bar(sum(cost(matrix.shape) for matrix in matrices), progress) as bar:
        for position, values in solved(matrices, device=device):
            row, k = places[position]
            if isinstance(values, Exception):
                reason = str(values).removeprefix(f"matrix {position} ") or type(values).__name__
                layers[row] = replace(layers[row], matrices=[], reason=reason)
            else:
                spectra[row][k] = values
                if kept and not any(found is None for found in spectra[row]):
                    kept.add(layers[row].layer_id, names[row], layers[row].matrices, spectra[row])
            bar.update(cost(matrices[position].shape))
    return layers, [found if layer.matrices else [] for layer, found in zip(layers, spectra)]


def _bar(total: int, progress: bool | None) -> tqdm:
    """A bar of the time that is left, which goes with the operations and not with the number of matrices."""
    # Without its widgets a notebook has no place for a bar, and tqdm says so on stderr.
    shows = sys.stderr.isatty() or ("ipykernel" in sys.modules and find_spec("ipywidgets") is not None)
    hidden = not (shows if progress is None else progress)
    if hidden:
        return tqdm(disable=True)
    from tqdm.auto import tqdm as bar  # which looks for Jupyter when it is imported

    # What is over in a second needs no bar.
    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} (left: {remaining})"
    return bar(total=total, desc="Spectra", delay=1, bar_format=form)
