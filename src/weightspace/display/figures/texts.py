"""Figures of the text experiments (paper A). Each function draws and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from weightspace.analysis.frames import select
from weightspace.display.labels import setting_label
from weightspace.display.style import INK, METHODS, MUTED
from weightspace.measures.statistics import mean_interval
from weightspace.names import OUTCOME_LABELS, TEXT_SET_LABELS, dataset_label, score_label

_LOOKS = {
    "augmentation": {"color": METHODS["div"].colour, "marker": "o"},
    "synthetic": {"color": INK, "marker": "s"},
    "verified": {"color": INK, "marker": "^", "markerfacecolor": "none"},
    "added": {"color": INK, "marker": "D", "markerfacecolor": "none"},
    "baseline": {"color": MUTED, "marker": "*", "markersize": 9},
}


def beside_reported(table: pd.DataFrame) -> Figure:
    """Accuracy minus that of the baseline on every training set: theirs above, ours below, each with its interval.

    table: from ``text_outcomes.against_reported``; ours are paired by seed. Grey: the interval of their baseline.
    """
    figure, axes = plt.subplots(2, 1, figsize=(8.4, 5.2), sharex=True)
    base = table.set_index("setting").loc["baseline"]
    sets = table[table["category"] != "baseline"]
    start, ticks = 0, {}
    for category, label in TEXT_SET_LABELS.items():
        own = select(sets, category=category)
        at = start + np.arange(1, len(own) + 1)
        look = _LOOKS[category]
        theirs = base["reported"]
        for axis, gain, low, high in (
            (axes[0], own["reported_gain"], own["reported_low"] - theirs, own["reported_high"] - theirs),
            (axes[1], own["gain"], own["gain_low"], own["gain_high"]),
        ):
            axis.vlines(at, low, high, color=look["color"], linewidth=1.1)
            axis.plot(at, gain, linestyle="", **look)
        axes[0].annotate(
            label, (at.mean(), 1.02), xycoords=("data", "axes fraction"), ha="center", fontsize=8, color=look["color"]
        )
        ticks |= dict(zip(at, own["setting"].map(_short)))
        start += len(own) + 1
    axes[0].axhspan(base["reported_low"] - theirs, base["reported_high"] - theirs, color=MUTED, alpha=0.18, linewidth=0)
    for axis, who in zip(axes, ("BERT, as reported", "MiniLM, ours")):
        axis.axhline(0, color=MUTED, linewidth=0.9)
        axis.set_ylabel(f"{who}\naccuracy \N{MINUS SIGN} baseline (points)", fontsize=8.5)
    axes[1].set_xticks(list(ticks), list(ticks.values()), rotation=90, fontsize=7.5)
    return figure


def _short(setting: str) -> str:
    """Under a heading of its category: the share, or kind and strength of the edit."""
    if setting in ("gen", "verified_gen"):
        return "all"
    name, _, value = setting.rpartition("_")
    return setting_label(setting) if name in ("sr", "ri", "rs", "rd") else value


def scores_against(both: pd.DataFrame, outcome: str, scores: Sequence[tuple[str, str]]) -> Figure:
    """An outcome against each score, a point per training set with its 95 % interval over seeds, a row per data set.

    both: from ``text_outcomes.training_sets``; scores: pairs of score and features.
    """
    designs = both["design"].unique()
    figure, axes = plt.subplots(len(designs), len(scores), figsize=(8.8, 2.7 * len(designs)), squeeze=False)
    for line, design in zip(axes, designs):
        own = select(both, design=design)
        for axis, (score, of) in zip(line, scores):
            for (_, category), group in own.groupby(["level", "category"], sort=False):
                mean, low, high = mean_interval(group[outcome])
                look, x = _LOOKS[category], group[f"{score}_{of}"].mean()
                axis.vlines(x, low, high, color=look["color"], linewidth=0.7, alpha=0.6)
                label = "as they are" if category == "baseline" else TEXT_SET_LABELS[category]
                axis.plot(x, mean, linestyle="", **{"markersize": 5} | look, label=label)
            axis.set_xlabel(score_label(score, of))
            # Intervals of three seeds may be wider than all that there is to see.
            means = own.groupby("level")[outcome].mean()
            axis.set_ylim(means.min() - 0.6 * np.ptp(means), means.max() + 0.6 * np.ptp(means))
        line[0].set_ylabel(f"{dataset_label(design)}\n{OUTCOME_LABELS[outcome]} (%)")
    handles = {label: handle for handle, label in zip(*axes[0][0].get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=5)
    return figure
