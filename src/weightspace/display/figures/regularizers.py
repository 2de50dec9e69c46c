"""Figures of the campaigns that overfit (paper A). Each function draws and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.analysis.frames import select
from weightspace.display.style import BULK, EDGE, INK, METHODS, MUTED
from weightspace.spectra import marchenko_pastur

LOOKS = {"augmentation": METHODS["div"], "dropout": METHODS["dp"], "weight_decay": METHODS["wd"]}
_BINS = 40


def pooled(spectra: pd.DataFrame) -> tuple[np.ndarray, int, int]:
    """All eigenvalues above 0 of like matrices, their larger side N and the number of matrices.

    spectra: rows of one layer with N, M and ``eigenvalues``, a row for every matrix. Values below the rounding of
    float32 next to the largest one of their matrix count as 0. ``ValueError`` for matrices of different shapes.
    """
    if spectra[["N", "M"]].drop_duplicates().shape[0] != 1:
        raise ValueError("pooled eigenvalues must be of matrices of one shape")
    kept = [values[values > np.finfo(np.float32).eps * values.max()] for values in spectra["eigenvalues"]]
    return np.concatenate(kept), int(spectra["N"].iloc[0]), len(spectra)


def eigenvalue_densities(
    spectra: pd.DataFrame, settings: Mapping[str, str], layers: Sequence[str], start: str = "baseline"
) -> Figure:
    """Eigenvalues of several layers under several regularizers, each with the Marchenko-Pastur law of its bulk.

    A row for every layer, a column for every setting. Density per decade of the eigenvalues of all seeds together, the
    setting ``start`` as an outline behind every other one. The line is the law fitted to the bulk, ticks are what lies
    beyond its edge; the number is how many of these a matrix has on average.

    spectra: setting, category, layer, N, M, ``eigenvalues``, a row for every run and layer, all of one form of the
    weights; settings: those to draw, by name, with what stands above their column.
    """
    figure, axes = plt.subplots(
        len(layers), len(settings), figsize=(2.3 * len(settings), 1.75 * len(layers)), sharex="row", sharey="row",
        squeeze=False,
    )  # fmt: skip
    for layer, row in zip(layers, axes, strict=True):
        own = select(spectra, layer=layer)
        drawn = {name: pooled(select(own, setting=name)) for name in settings}
        every = np.concatenate([values for values, *_ in drawn.values()])
        edges = np.geomspace(np.quantile(every, 0.002), 1.1 * every.max(), _BINS + 1)
        outline = _heights(drawn[start][0], edges)
        for axis, name in zip(row, settings, strict=True):
            category = select(own, setting=name)["category"].iloc[0]
            colour = LOOKS[category].colour if category in LOOKS else INK
            axis.stairs(_heights(drawn[name][0], edges), edges, fill=True, color=colour, alpha=0.3)
            if name != start:
                axis.stairs(outline, edges, color=MUTED, linewidth=0.9)
            _law(axis, *drawn[name], edges)
            axis.set_xscale("log")
        row[0].set_ylim(top=1.25 * row[0].get_ylim()[1])  # room for the number
        row[0].set_ylabel(f"{layer}\ndensity per decade")
    for axis, title in zip(axes[0], settings.values(), strict=True):
        axis.set_title(title)
    for axis in axes[-1]:
        axis.set_xlabel("eigenvalue")
    return figure


def _heights(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Density per decade; what lies below the first edge is in the first bin."""
    counts = np.histogram(np.maximum(values, edges[0]), edges)[0]
    return counts / len(values) / np.diff(np.log10(edges))


def _law(axis: Axes, values: np.ndarray, N: int, matrices: int, edges: np.ndarray) -> None:
    law = marchenko_pastur.fit(values, N, matrices=matrices)
    x = np.geomspace(edges[0], edges[-1], 600)
    axis.plot(x, law.density(x) * x * np.log(10), color=BULK, linewidth=1.1)
    beyond = values[values > law.edge]
    axis.plot(beyond, np.full(len(beyond), 0.03), "|", color=EDGE, ms=5, mew=0.6, transform=axis.get_xaxis_transform())
    axis.text(
        0.03, 0.93, f"{len(beyond) / matrices:.1f} beyond the edge", color=EDGE, fontsize=7.5, va="top",
        transform=axis.transAxes,
    )  # fmt: skip
