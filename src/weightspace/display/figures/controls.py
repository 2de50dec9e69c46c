"""Figures of the controls of the campaigns that overfit (paper A): why do regularizers mark the spectra?"""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_controls import QUESTIONS
from weightspace.display.figures.regularizers import LOOKS, measure_rows, name_settings, outcome_face, setting_points
from weightspace.display.style import INK, MUTED, signed
from weightspace.names import CONTROL_LABELS

NUMBERS = {
    "kept": "fraction of the effect that is kept",
    "place": "place between gain (0) and delay (1)",
    "cosine": "similarity with augmentation",
}
_COLUMNS = 3
_TITLES = CONTROL_LABELS | {
    "equal_loss": "stopped at equal\ntraining loss",
    "fixed_norm": "kernels at their\ninitial norm",
}


def answers(table: pd.DataFrame) -> Figure:
    """The number of every control, a panel each: a row per measure, a marker per category, filled where decided.

    What is not judged is not drawn. The words above a panel say what a number on either side of the dotted threshold
    speaks for. Numbers beyond the panel stand at its edge as arrows. table: ``regularizer_controls.answers``.
    """
    controls = list(dict.fromkeys(table["control"]))
    rows = -(-len(controls) // _COLUMNS)
    figure, grid = plt.subplots(rows, _COLUMNS, figsize=(9.0, 4.3 * rows), sharey=True, squeeze=False)
    for axis in grid.flat[len(controls) :]:
        axis.set_visible(False)
    place = measure_rows(grid[0, 0], table)
    for axis in grid[1:, 0]:
        measure_rows(axis, table)
    for axis, control in zip(grid.flat, controls):
        question, own = QUESTIONS[control], _drawn(table, control)
        low, high = _limits(own, question.threshold)
        axis.axvline(question.threshold, color=MUTED, linewidth=1.1, linestyle=":")
        categories = [name for name in LOOKS if name in set(own["category"])]
        for row in own.itertuples():
            look = LOOKS[row.category]
            at = place[row.set, row.measure] + 0.25 * (categories.index(row.category) - (len(categories) - 1) / 2)
            axis.plot(np.clip([row.low, row.high], low, high), [at, at], color=look.colour, linewidth=1.1)
            marker = "<" if row.number < low else ">" if row.number > high else look.marker
            axis.plot(
                np.clip(row.number, low, high), at, marker, color=look.colour,
                markerfacecolor=outcome_face(row.outcome, look.colour), clip_on=False,
            )  # fmt: skip
        axis.set_xlim(low, high)
        axis.set_title(_TITLES[control], pad=18)
        axis.grid(axis="y", visible=False)
        for x, side, explanation in ((0, "left", question.below), (1, "right", question.above)):
            arrow = "\N{LEFTWARDS ARROW} {}" if side == "left" else "{} \N{RIGHTWARDS ARROW}"
            axis.text(
                x, 1.01, arrow.format(explanation or ("less than half", "half or more")[x]), ha=side, va="bottom",
                fontsize=8, color=INK, transform=axis.transAxes,
            )  # fmt: skip
        axis.set_xlabel(NUMBERS[question.number])
    handles = [
        plt.Line2D([], [], marker=look.marker, linestyle="", color=look.colour, label=look.label)
        for name, look in LOOKS.items()
        if name in set(table["category"])
    ]
    open_marker = plt.Line2D(
        [], [], marker="o", linestyle="", color=MUTED, markerfacecolor="none", label="open: not decided"
    )
    figure.legend(handles=[*handles, open_marker], loc="outside lower center", ncols=4)
    return figure


def _drawn(table: pd.DataFrame, control: str) -> pd.DataFrame:
    own = select(table, control=control)
    return own[own["number"].notna() & (own["outcome"] != "not judged")]


def _limits(own: pd.DataFrame, threshold: float) -> tuple[float, float]:
    """From a little below 0 to a little beyond the numbers, without those that are far off."""
    numbers = [0.0, 1.0, *own["number"]]
    return max(min(numbers), threshold - 2) - 0.15, min(max(numbers), threshold + 2) + 0.15


def sizes(table: pd.DataFrame, named: Iterable[str]) -> Figure:
    """How large the effect of a setting is, against its gain and against its delay, a point per setting that learns.

    table: ``regularizer_facts.sizes``; named: settings whose names stand beside their points.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.6), sharey=True)
    x_labels = {"gain": "gain of test accuracy (points)", "delay": "interpolation is put off by (epochs)"}
    for axis, (column, label) in zip(axes, x_labels.items(), strict=True):
        axis.axvline(0, color=MUTED, linewidth=0.8)
        setting_points(axis, table, column, "size")
        axis.set_yscale("symlog", linthresh=1)
        axis.yaxis.set_major_formatter(signed)
        axis.set_xlabel(label)
        axis.margins(x=0.12)
    axes[0].set_ylabel("size of the effect\n(standard deviations between baselines)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    for axis, column in zip(axes, x_labels, strict=True):
        name_settings(axis, table, column, "size", named)
    return figure
