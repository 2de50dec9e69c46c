"""Figures that can be touched: each function gives the numbers that one kind of ``book/_static/touch.js`` draws.

``style.show(figure, ..., live=interactive.plane(points, path))`` puts them beside the still drawing of a figure. Paper
and readers without scripts have the drawing alone. Everything that needs a law, a fit or a spectrum is computed here;
the script draws, and repeats what can be written in a line: the dual-weight rule, and correlations of random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from weightspace.analysis.diversity_shifts import CATEGORIES, LEVELS
from weightspace.analysis.frames import select
from weightspace.display.labels import setting_label
from weightspace.display.style import METHODS, Live
from weightspace.spectra import eigenvalues_of, marchenko_pastur
from weightspace.spectra.random_matrices import spiked


def plane(points: pd.DataFrame, path: pd.DataFrame, rate: float = 0.01) -> Live:
    """The neuron of ``illustrations.neuron_in_the_plane``: its points, and the order in which it saw them.

    rate: its learning rate, with which the live figure starts.
    """
    target = (points["kind"] == "target").astype(int)
    rows = [[x, y, kind] for x, y, kind in zip(points["x1"], points["x2"], target.tolist())]
    return Live("plane", {"points": rows, "order": path["sample"].tolist(), "rate": rate, "updates": len(path)})


def spike(M: int, aspects: Sequence[int], strengths: Sequence[float], seed: int = 0) -> Live:
    """Noise plus one planted direction at several aspect ratios and strengths, the same noise at all strengths.

    M: the smaller side; strengths: multiples of the threshold. Eigenvalues are those of W^T W / N.
    """
    return Live(
        "spike",
        {
            "sides": M,
            "strengths": list(strengths),
            "aspects": [_spiked_spectra(Q, M, strengths, seed) for Q in aspects],
        },
        beside=True,
    )


def _spiked_spectra(Q: int, M: int, strengths: Sequence[float], seed: int) -> dict[str, object]:
    N, threshold = Q * M, marchenko_pastur.bbp_threshold(Q)
    low, high = marchenko_pastur.edges(Q)
    matrices = [spiked(N, M, [strength], np.random.default_rng([seed, Q])) for strength in strengths]
    spectra = eigenvalues_of(matrices)
    x = low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, 80))) / 2  # close where the law is steep
    at = np.linspace(0, max(strengths), 60)
    return {
        "Q": Q,
        "edge": _rounded(high),
        "law": _pairs(x, marchenko_pastur.density(x, Q)),
        "limit": _pairs(at, marchenko_pastur.spike_location(at * threshold, Q)),
        "expected": _rounded(marchenko_pastur.spike_location(np.asarray(strengths) * threshold, Q)),
        "eigenvalues": [_rounded(values / N) for values in spectra],
        "spikes": [marchenko_pastur.fit(values, N).num_spikes for values in spectra],
    }


def baseline(noise: Mapping[str, ArrayLike], levels: tuple[int, int]) -> Live:
    """Settings without any effect, drawn anew by the script as ``shift_checks.noise_correlations`` draws them.

    noise: name -> standard deviation of every layer, to choose from; levels: settings of the two categories at first.
    """
    scales = {name: np.asarray(values, dtype=float) for name, values in noise.items()}
    relative = {name: _rounded(values / values.mean()) for name, values in scales.items()}
    return Live("baseline", {"noise": relative, "levels": list(levels)})


def densities(runs: pd.DataFrame, layer: str, *, bins: int = 40, unfolding: str = "slices") -> Live:
    """Densities of log10 eigenvalues of one layer, for every setting and epoch on record, all seeds of the main arm.

    runs: records with ``eigenvalues``, such as those of ``diversity_cifar10``. ``ValueError`` without a baseline.
    """
    own = select(runs, arm="main", layer=layer, unfolding=unfolding)
    if "baseline" not in set(own["setting"]):
        raise ValueError(f"no baseline of the layer {layer!r} is on record")
    logs = own.assign(eigenvalues=[np.log10(values[values > 0]) for values in own["eigenvalues"]])
    lowest, highest = np.quantile(np.concatenate(list(logs["eigenvalues"])), [0.005, 1])
    limits = np.linspace(lowest, highest, bins + 1)

    def pooled(rows: pd.DataFrame) -> np.ndarray:
        return np.maximum(np.concatenate(list(rows["eigenvalues"])), lowest)  # the first bin holds what lies below

    def heights(values: np.ndarray) -> list[float]:
        return _rounded(np.histogram(values, limits, density=True)[0])

    start, after = logs[logs["epoch"] == 0], logs[logs["epoch"] > 0]
    epochs = sorted(after["epoch"].unique().tolist())
    found = dict(zip(after["setting"], after["category"].map(CATEGORIES)))
    settings = []
    for setting in sorted(found, key=lambda name: _place(name, found[name])):
        by_epoch = [pooled(select(after, setting=setting, epoch=epoch)) for epoch in epochs]
        category = found[setting]
        settings.append(
            {
                "name": setting_label(setting),
                "colour": METHODS[category].variable if category in METHODS else "--ws-ink",
                "heights": [heights(values) for values in by_epoch],
                "medians": [float(f"{10 ** np.median(values):.3g}") for values in by_epoch],
            }
        )
    numbers = {"limits": _rounded(limits), "epochs": epochs, "settings": settings, "start": heights(pooled(start))}
    return Live("densities", {"layer": layer, **numbers}, beside=True)


def _place(setting: str, category: str) -> tuple[int, float, str]:
    """The baseline first, then dropout and weight decay, both together, what changes the data; unknown levels last."""
    order = (CATEGORIES["baseline"], "dp", "wd", "combined", "div")
    first = order.index(category) if category in order else len(order)
    return first, LEVELS[setting][2] if setting in LEVELS else float("inf"), setting


def _rounded(values: ArrayLike) -> list:
    """Three decimals: what a drawing can show, in a page that is small."""
    return np.round(np.asarray(values, dtype=float), 3).tolist()


def _pairs(x: np.ndarray, y: np.ndarray) -> list[list[float]]:
    return _rounded(np.column_stack([x, y]))
