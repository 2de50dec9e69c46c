"""Figures of diversity scores against what becomes of networks that overfit. Each function draws one and returns it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_effects import BASELINE
from weightspace.analysis.score_ranks import OUTCOMES, RANKS, Score
from weightspace.display.figures.regularizers import outcome_colour, outcome_face, outcome_lines
from weightspace.display.labels import setting_label
from weightspace.display.style import INK, METHODS, MUTED, name_points
from weightspace.names import score_label

_AXES = {
    "test accuracy": "test accuracy (%)",
    "corruption accuracy": "accuracy under corruption (%)",
    "calibration": "calibration (minus ECE, %)",
}


def against(table: pd.DataFrame, scores: Sequence[Score], named: Iterable[str]) -> Figure:
    """A row per outcome and a column per score: a point per training set, means over seeds.

    table: ``score_ranks.training_sets``; named: the settings whose names stand in the first row.
    """
    own = table.groupby("setting").mean()
    outcomes = [name for name in OUTCOMES if name in own]
    figure, axes = plt.subplots(
        len(outcomes), len(scores), figsize=(8.8, 2.3 * len(outcomes)), sharex="col", sharey="row", squeeze=False
    )
    colour = METHODS["div"].colour
    levels = own.drop(index=BASELINE)
    for line, outcome in zip(axes, outcomes, strict=True):
        for axis, score in zip(line, scores, strict=True):
            axis.plot(levels[score], levels[outcome], "o", color=colour)
            axis.plot(*own.loc[[BASELINE], [score, outcome]].to_numpy().T, "D", color=INK)
            axis.margins(0.12)
        line[0].set_ylabel(_AXES[outcome])
    for axis, score in zip(axes[-1], scores, strict=True):
        axis.set_xlabel(score_label(*score))
    for axis, score in zip(axes[0], scores, strict=True):
        shown = own.loc[own.index.isin([*named])]
        name_points(
            axis, [(setting_label(name), row[score], row[outcomes[0]], colour) for name, row in shown.iterrows()]
        )
    marks = [
        plt.Line2D([], [], marker="D", linestyle="", color=INK, label="images as they are"),
        plt.Line2D([], [], marker="o", linestyle="", color=colour, label="augmentation"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=2)
    return figure


def ranks(table: pd.DataFrame) -> Figure:
    """Rank correlations of scores with outcomes: a panel per outcome, a row per score, filled where decided.

    Dark lines: intervals over seeds; pale ones: from the smallest to the largest mean when one set is left out.
    table: ``score_ranks.ranks``.
    """
    outcomes = [name for name in OUTCOMES if name in set(table["measured"])]
    rows = list(dict.fromkeys(zip(table["score"], table["of"], strict=True)))
    size = (8.8, 0.32 * len(rows) + 1.5)
    figure, [axes] = plt.subplots(1, len(outcomes), figsize=size, sharey=True, sharex=True, squeeze=False)
    for axis, outcome in zip(axes, outcomes, strict=True):
        axis.axvline(0, color=MUTED, linewidth=0.8)
        axis.axvline(RANKS, color=MUTED, linewidth=1.1, linestyle=":")
        for row in select(table, measured=outcome).itertuples():
            at, colour = rows.index((row.score, row.of)), outcome_colour(row.outcome)
            axis.plot([row.low_set, row.high_set], [at, at], color=MUTED, linewidth=5, alpha=0.3, solid_capstyle="butt")
            axis.plot([row.low, row.high], [at, at], color=colour, linewidth=1.3)
            axis.plot(row.correlation, at, "o", color=colour, markerfacecolor=outcome_face(row.outcome, colour))
        axis.set_title(outcome)
        axis.grid(axis="y", visible=False)
    axes[0].set_xlim(-1.08, 1.08)
    axes[0].set_yticks(range(len(rows)), [score_label(*score) for score in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    axes[len(axes) // 2].set_xlabel("rank correlation over training sets (Spearman)")
    left_out = plt.Line2D([], [], color=MUTED, linewidth=5, alpha=0.3, label="one set left out")
    figure.legend(handles=[*outcome_lines(), left_out], loc="outside lower center", ncols=5)
    return figure
