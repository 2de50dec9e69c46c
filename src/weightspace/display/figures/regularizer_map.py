"""Figures of the map from underfitting to interpolation (paper A). Each function draws and returns a figure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_tests import LIKE
from weightspace.display.figures.regularizers import LOOKS, measure_label, outcome_face
from weightspace.display.style import INK, MUTED, at_end

KINDS = {
    "like dropout": LOOKS["dropout"].colour,
    "like weight decay": LOOKS["weight_decay"].colour,
    "like both": LOOKS["combined"].colour,
    "like neither": LOOKS["augmentation"].colour,
    "like nothing": MUTED,
    "undecided": None,
}
"""What augmentation can be like in a cell of the map, and its colour: its own where it is like neither."""
_MARKERS = ("o", "s", "D", "^")


def kinds(table: pd.DataFrame) -> Figure:
    """A tile per number of training images and epoch: what augmentation is like, and what the baseline has fitted.

    table: ``claims.regularizers.kinds``.
    """
    sizes, epochs = sorted(table["train_size"].unique()), sorted(table["epoch"].unique())
    figure, axis = plt.subplots(figsize=(1.35 * len(epochs) + 1.2, 0.62 * len(sizes) + 0.9))
    for row in table.itertuples():
        x, y = epochs.index(row.epoch), sizes.index(row.train_size)
        colour = KINDS[row.kind]
        # Pale, so that the map serves light and dark pages; empty where nothing is decided.
        face = {"facecolor": "none"} if colour is None else {"facecolor": colour, "alpha": 0.25}
        axis.add_patch(plt.Rectangle((x, y), 0.96, 0.94, edgecolor=MUTED, linewidth=0.6, **face))
        weight = "normal" if colour is None else "bold"
        axis.text(x + 0.48, y + 0.34, row.kind, ha="center", va="center", fontsize=8, color=INK, fontweight=weight)
        fitted = f"fits {row.train_accuracy:.0f} %" if np.isfinite(row.train_accuracy) else ""
        axis.text(x + 0.48, y + 0.68, fitted, ha="center", va="center", fontsize=7.5, color=INK)
    axis.set_xlim(-0.04, len(epochs))
    axis.set_ylim(len(sizes), -0.06)
    axis.set_xticks(np.arange(len(epochs)) + 0.48, [str(epoch) for epoch in epochs])
    axis.set_yticks(np.arange(len(sizes)) + 0.47, [f"{size:,}" for size in sizes])
    axis.set_xlabel("epoch")
    axis.set_ylabel("training images")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    return figure


def along_the_fit(similarities: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """How alike augmentation is to dropout and to weight decay by how much of its images the baseline has fitted.

    A mark per cell of the map and measure, filled where decided. similarities, cells: the tables of
    ``regularizer_map.cells``.
    """
    table = similarities.merge(cells, on=["train_size", "epoch"])
    measures = list(dict.fromkeys(table["measure"]))
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.4), sharex=True, sharey=True)
    for axis, to in zip(axes, ("dropout", "weight_decay"), strict=True):
        axis.axhline(0, color=MUTED, linewidth=0.8)
        axis.axhline(LIKE, color=MUTED, linewidth=1.1, linestyle=":")
        colour = LOOKS[to].colour
        for (measure, outcome), own in select(table, to=to).groupby(["measure", "outcome"]):
            look = {"color": colour, "markerfacecolor": outcome_face(outcome, colour), "markersize": 5}
            axis.plot(own["train_accuracy"], own["similarity"], _MARKERS[measures.index(measure)], **look)
        axis.set_title(f"augmentation and {LOOKS[to].label}")
        axis.set_xlabel("training images that the baseline has fitted (%)")
    axes[0].set_ylabel("similarity (cosine over layers)")
    # Estimates of a cosine can lie beyond 1, and none may be out of view.
    axes[0].set_ylim(min(-1.1, table["similarity"].min() - 0.1), max(1.1, table["similarity"].max() + 0.1))
    at_end(axes[1], "alike", LIKE)
    marks = [
        plt.Line2D([], [], marker=marker, linestyle="", color=INK, markerfacecolor="none", label=measure_label(measure))
        for measure, marker in zip(measures, _MARKERS, strict=False)
    ]
    marks.append(plt.Line2D([], [], marker="o", linestyle="", color=INK, label="filled: decided"))
    figure.legend(handles=marks, loc="outside lower center", ncols=5)
    return figure
