"""Figures of the chapter where the two papers meet. Each function draws and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.analysis.frames import select
from weightspace.display.figures.curves import plain_ticks
from weightspace.display.style import INK, METHODS, MUTED, method_label
from weightspace.names import dataset_label, in_order

_PARTS = {"W1": ("W1", "--"), "W2": ("W2", ":"), "W": ("W = W1 - W2", "-")}
_ANSWERS = {
    "weight decay": METHODS["wd"].colour,
    "dropout": METHODS["dp"].colour,
    "both": METHODS["tuned_contrastive"].colour,
    "neither": METHODS["gradient_descent"].colour,
    "undecided": MUTED,
    "not judged": MUTED,
}
_OPEN = ("undecided", "not judged")
"""Answers whose markers are open."""
_MARKERS = "osD^v"


def two_vectors(
    spectra: pd.DataFrame, images: Mapping[str, Mapping[str, np.ndarray]], shape: tuple[int, int]
) -> Figure:
    """W1, W2 and W of one layer beside each other, as spectra on the left and as images of some neurons on the right.

    A row per dual method. spectra: from ``dual_spectra_facts.mean_spectra``, of a cell's first layer; images: method ->
    part (W1, W2, W) -> [units, pixels], a colour scale for each part: blue negative, white zero, red positive.
    """
    figure = plt.figure(figsize=(9.4, 2.9 * len(images)))
    rows = figure.subfigures(len(images), 2, width_ratios=(1, 1.55), squeeze=False)
    last = spectra["update"].max()
    for (left, right), (method, parts) in zip(rows, images.items(), strict=True):
        axis = left.subplots()
        baseline = select(spectra, method="gradient_descent", part="W")
        for update, words, dash in ((0, "start", (0, (1, 3))), (last, "gradient descent", (0, (6, 2)))):
            line = select(baseline, update=update)
            axis.plot(line["rank"], line["mean"], color=MUTED, linestyle=dash, linewidth=1.1, label=words)
        for part, (words, dash) in _PARTS.items():
            line = select(spectra, method=method, part=part, update=last)
            axis.fill_between(line["rank"], line["low"], line["high"], color=METHODS[method].colour, alpha=0.15, lw=0)
            axis.plot(line["rank"], line["mean"], color=METHODS[method].colour, linestyle=dash, label=words)
        axis.set_yscale("log")
        axis.set_title(method_label(method))
        axis.set_xlabel("rank")
        axis.set_ylabel("singular value")
        axis.legend()
        _images(right, parts, shape)
    return figure


def _images(figure, parts: Mapping[str, np.ndarray], shape: tuple[int, int]) -> None:
    units = len(next(iter(parts.values())))
    axes = figure.subplots(len(parts), units, squeeze=False)
    for row, (part, weights) in zip(axes, parts.items(), strict=True):
        limit = float(np.quantile(np.abs(weights), 0.995))
        for axis, weight in zip(row, weights, strict=True):
            axis.imshow(weight.reshape(shape), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(part, rotation=0, ha="right", va="center")


_SHOWN = 0.1, 10.0
"""The ratios of distances on the axes of ``between``."""


def between(positions: pd.DataFrame) -> Figure:
    """Dual weights between weight decay and dropout: their distances to both, in units of that to the baseline.

    A row per method, a column per form, a point per place and match, from ``dual_spectra_facts.positions``. Colour:
    answer; marker: data set. Above the diagonal dual weights are nearer to weight decay, below it nearer to dropout;
    beyond 1 nearer to the baseline than to either. Logarithmic axes; what lies beyond them is drawn at the edge.
    """
    methods, forms = (list(dict.fromkeys(positions[name])) for name in ("method", "form"))
    datasets = in_order(positions["dataset"].unique())
    figure, axes = plt.subplots(
        len(methods), len(forms), figsize=(3.3 * len(forms) + 1.9, 3.1 * len(methods)), sharex=True, sharey=True,
        squeeze=False,
    )  # fmt: skip
    near, far = _SHOWN
    positions = positions.assign(**{name: positions[name].clip(near, far) for name in ("weight_decay", "dropout")})
    for method, row in zip(methods, axes, strict=True):
        for form, axis in zip(forms, row, strict=True):
            own = select(positions, method=method, form=form)
            _references(axis)
            for dataset, marker in zip(datasets, _MARKERS):
                points = select(own, dataset=dataset)
                colours = points["answer"].map(_ANSWERS)
                open_ones = points["answer"].isin(_OPEN)
                axis.scatter(
                    points["weight_decay"], points["dropout"], s=16, marker=marker, linewidths=0.8, edgecolors=colours,
                    facecolors=np.where(open_ones, "none", colours),
                )  # fmt: skip
            axis.set_title(f"{method_label(method)}, {form}")
    for axis in axes[-1]:
        axis.set_xlabel("distance to weight decay / to baseline")
    for axis in axes[:, 0]:
        axis.set_ylabel("distance to dropout / to baseline")
    for dataset, marker in zip(datasets, _MARKERS):
        axes[0, 0].plot([], [], marker, color=INK, label=dataset_label(dataset))
    for answer in [name for name in _ANSWERS if name in set(positions["answer"])]:
        face = "none" if answer in _OPEN else _ANSWERS[answer]
        axes[0, 0].plot([], [], "s", color=_ANSWERS[answer], markerfacecolor=face, label=answer)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure


def _references(axis: Axes) -> None:
    near, far = _SHOWN
    limits = near / 1.15, far * 1.15  # points at the edge are whole
    axis.set(xscale="log", yscale="log", xlim=limits, ylim=limits, aspect="equal")
    for each in (axis.xaxis, axis.yaxis):
        plain_ticks(each, [0.1, 0.2, 0.5, 1, 2, 5, 10])
    axis.plot(limits, limits, color=MUTED, linewidth=0.8)
    axis.axvline(1, color=MUTED, linewidth=0.8, linestyle=":")
    axis.axhline(1, color=MUTED, linewidth=0.8, linestyle=":")
