"""Figures of accuracy, calibration, robustness and diversity scores. Each function returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.analysis import diversity_outcomes
from weightspace.analysis.diversity_outcomes import (
    DESIGNS,
    FEATURES,
    JUDGED,
)
from weightspace.analysis.diversity_shifts import CATEGORIES
from weightspace.analysis.diversity_shifts import LEVELS as SETTINGS
from weightspace.analysis.frames import select
from weightspace.data.corruptions import CORRUPTIONS
from weightspace.display.labels import setting_label
from weightspace.display.style import BETTER, INK, METHODS, MUTED, WORSE, signed
from weightspace.measures.statistics import mean_interval
from weightspace.names import DESIGN_LABELS, OUTCOME_LABELS, SCORE_LABELS, score_label


def _look(category: str):
    return METHODS[CATEGORIES[category]]


def setting_rows(axis: Axes, settings: Iterable[str], labels: bool = True) -> dict[str, float]:
    """Heights of the settings, categories apart, named in the colour of their category."""
    place, height, names, colours = {}, 0.0, [], []
    last = None
    for setting in (name for name in SETTINGS if name in set(settings)):
        category = SETTINGS[setting][0]
        height += 1.0 if category == last or last is None else 1.7
        last, place[setting] = category, height
        names.append(setting_label(setting))
        colours.append(METHODS[category].colour)
    axis.set_yticks(list(place.values()), names if labels else [""] * len(place))
    for tick, colour in zip(axis.get_yticklabels(), colours):
        tick.set_color(colour)
    axis.set_ylim(height + 0.7, 0.3)
    axis.grid(axis="y", visible=False)
    return place


def _designs(table: pd.DataFrame) -> list[str]:
    return [design for design in DESIGN_LABELS if design in set(table["design"])]


def _legend_of_designs(figure: Figure, designs: Sequence[str], more: Sequence[plt.Artist] = ()) -> None:
    """Filled markers for the first design, open ones for the second; nothing to say of one alone."""
    colour = METHODS["div"].colour
    handles = [
        plt.Line2D([], [], marker="o", linestyle="", color=colour, markerfacecolor=face, label=DESIGN_LABELS[design])
        for design, face in zip(designs, (colour, "none"))
        if len(designs) > 1
    ]
    if handles or more:
        figure.legend(handles=[*handles, *more], loc="outside upper center", ncols=3)


def effects(
    differences: pd.DataFrame,
    baseline: Mapping[str, float],
    noise: Mapping[str, float],
    band: str = "another seed alone, 95 %",
) -> Figure:
    """Every setting minus the baseline of its seed with 95 % intervals, a panel per outcome.

    baseline: mean of the baseline per outcome; noise: half the width of a grey band, from
    ``diversity_outcomes.seed_noise`` or ``regularizer_facts.baseline_noise``; band: what the legend says of it.
    """
    names, settings = differences["outcome"].unique(), differences["setting"].unique()
    figure, axes = plt.subplots(
        1, len(names), figsize=(1.75 * len(names) + 1.3, 0.24 * len(settings) + 1.6), squeeze=False
    )
    for number, (axis, name) in enumerate(zip(axes[0], names)):
        place = setting_rows(axis, settings, number == 0)
        axis.axvspan(-noise[name], noise[name], color=MUTED, alpha=0.18, linewidth=0)
        axis.axvline(0, color=MUTED, linewidth=0.8)
        for row in select(differences, outcome=name).itertuples():
            look, cumulative = _look(row.category), row.arm == "cumulative"
            at = place[row.setting] + (0.22 if cumulative else -0.12)
            axis.plot([row.low, row.high], [at, at], color=look.colour, linewidth=1.0, alpha=0.6 if cumulative else 1)
            face = "none" if cumulative else look.colour
            axis.plot(row.mean, at, look.marker, color=look.colour, markerfacecolor=face, markersize=4)
        label = "\n".join(OUTCOME_LABELS[name].split(" ", 1))
        axis.set_title(f"{label}\nbaseline {signed(baseline[name], form='.1f')}", fontsize=8.5)
        axis.set_xlim(*_reach(select(differences, outcome=name)))
        axis.xaxis.set_major_locator(plt.MaxNLocator(3, integer=True))
    figure.supxlabel("difference to the baseline (points)", fontsize=9, color=INK)
    designs = differences["arm"].replace("main", "single").unique()
    grey = plt.Line2D([], [], color=MUTED, alpha=0.35, linewidth=7, label=band)
    _legend_of_designs(figure, designs, [grey])
    return figure


def _reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Limits that hold all means; intervals may leave the panel where they are much wider than all else."""
    width = np.ptp([*rows["mean"], 0.0])
    return min(rows["mean"].min(), 0) - 0.25 * width - 1, max(rows["mean"].max(), 0) + 0.25 * width + 1


def corruption_map(differences: pd.DataFrame, limit: float = 20) -> Figure:
    """Accuracy minus that of the baseline, a row per kind of corruption, a column per setting of the main arm.

    Bold: the 95 % interval over seeds leaves out 0. Colours end at ``limit`` points.
    """
    own = select(differences, arm="main")
    settings = [name for name in SETTINGS if name in set(own["setting"])]
    kinds = [kind for kind in CORRUPTIONS if kind in set(own["kind"])]
    figure, axis = plt.subplots(figsize=(0.42 * len(settings) + 1.9, 0.27 * len(kinds) + 1.6))
    for row in own.itertuples():
        x, y = settings.index(row.setting), kinds.index(row.kind)
        # Transparent where nothing changes, so that the map serves light and dark pages.
        alpha = 0.7 * min(abs(row.mean) / limit, 1)
        axis.add_patch(plt.Rectangle((x, y), 1, 1, color=BETTER if row.mean > 0 else WORSE, alpha=alpha, linewidth=0))
        sure = row.low > 0 or row.high < 0
        axis.text(
            x + 0.5,
            y + 0.53,
            signed(round(row.mean)),
            ha="center",
            va="center",
            fontsize=7,
            color=INK,
            fontweight="bold" if sure else "normal",
        )
    axis.set_xlim(0, len(settings))
    axis.set_ylim(len(kinds), 0)
    axis.set_xticks(np.arange(len(settings)) + 0.5, [setting_label(name) for name in settings], rotation=90)
    for tick, name in zip(axis.get_xticklabels(), settings):
        tick.set_color(METHODS[SETTINGS[name][0]].colour)
    axis.set_yticks(np.arange(len(kinds)) + 0.5, [kind.replace("_", " ") for kind in kinds])
    axis.grid(visible=False)
    axis.tick_params(length=0)
    return figure


def accuracy_line(table: pd.DataFrame) -> Figure:
    """Accuracy on corrupted images against accuracy on the same images without corruption; the line of plain runs."""
    figure, axis = plt.subplots(figsize=(6.6, 4.2))
    slope, intercept = diversity_outcomes.accuracy_line(table)
    ends = np.array([table["part_accuracy"].min() - 1, table["part_accuracy"].max() + 1])
    axis.plot(ends, intercept + slope * ends, color=MUTED, linewidth=1)
    for category in (*[name for name in CATEGORIES if name != "baseline"], "baseline"):
        for arm, face in (("main", True), ("cumulative", False), ("independent", True)):
            own = select(table, category=category, arm=arm)
            colour, marker = (INK, "D") if category == "baseline" else (_look(category).colour, _look(category).marker)
            label = None
            if len(own) and arm != "independent":
                label = "baseline" if category == "baseline" else _look(category).label
                label += ", cumulative" if arm == "cumulative" else ""
            axis.plot(
                own["part_accuracy"],
                own["corruption_accuracy"],
                marker,
                color=colour,
                markerfacecolor=colour if face else "none",
                markersize=4,
                alpha=0.85,
                linestyle="",
                label=label,
            )
    axis.set_xlabel("accuracy on the images without corruption (%)")
    axis.set_ylabel("accuracy, mean over corruptions\nand severities (%)")
    figure.legend(loc="outside lower center", ncols=5, columnspacing=1.2, handletextpad=0.3)
    return figure


def scores_of_sets(both: pd.DataFrame) -> Figure:
    """Vendi score, resemblance and their product for every training set, a row of panels per kind of features."""
    names = ("vendi", "resemblance", "weighted_vendi")
    levels = [level for level in ("", *SETTINGS) if level in set(both["level"])]
    features = [of for of in FEATURES if f"vendi_{of}" in both]
    figure, axes = plt.subplots(
        len(features), 3, figsize=(8.4, (0.19 * len(levels) + 1.2) * len(features)), sharey=True, squeeze=False
    )
    designs = _designs(both)
    for line, of in zip(axes, features):
        for axis, name in zip(line, names):
            for design, shift, filled in zip(designs, (-0.14, 0.18), (True, False)):
                own = select(both, design=design)
                for place, level in enumerate(levels):
                    values = select(own, level=level)[f"{name}_{of}"]
                    if values.empty or (design == "cumulative" and place < 2):  # the same sets
                        continue
                    mean, low, high = mean_interval(values)
                    colour = METHODS["div"].colour if level else INK
                    axis.plot([low, high], [place + shift] * 2, color=colour, linewidth=1)
                    axis.plot(mean, place + shift, "o", color=colour, markerfacecolor=colour if filled else "none")
            axis.axvline(select(both, level="")[f"{name}_{of}"].mean(), color=MUTED, linewidth=0.8)
            axis.set_title(score_label(name, of), fontsize=8)
    axes[0, 0].set_yticks(range(len(levels)), [setting_label(level) for level in levels])
    axes[0, 0].set_ylim(len(levels) - 0.4, -0.6)
    _legend_of_designs(figure, designs)
    return figure


def scores_against_outcomes(both: pd.DataFrame, of: str) -> Figure:
    """Each judged outcome against the plain and the weighted score, a point per training set, means over seeds."""
    names = ("vendi", "weighted_vendi")
    figure, axes = plt.subplots(len(names), len(JUDGED), figsize=(8.8, 5.2), sharey="col", sharex="row")
    colour = METHODS["div"].colour
    for line, name in zip(axes, names):
        for axis, outcome in zip(line, JUDGED):
            for design, face, dash in zip(DESIGNS, (colour, "none"), ("", ":")):
                own = select(both, design=design).groupby("level", sort=False)[[f"{name}_{of}", outcome]].mean()
                x, y = own[f"{name}_{of}"], own[outcome]
                axis.plot(x, y, "o", color=colour, markerfacecolor=face, linestyle=dash, linewidth=0.7)
                axis.plot(x.loc[""], y.loc[""], "D", color=INK, markersize=5)
                if design == "cumulative":
                    end = {"xytext": (4, 4), "textcoords": "offset points", "fontsize": 7, "color": colour}
                    axis.annotate(setting_label(own.index[-1]), (x.iloc[-1], y.iloc[-1]), **end)
            if name == names[0]:
                axis.set_title(OUTCOME_LABELS[outcome] + " (%)", fontsize=9)
            axis.set_xlabel(score_label(name, of) if axis is line[1] else "")
    baseline = plt.Line2D([], [], marker="D", linestyle="", color=INK, label="images as they are")
    _legend_of_designs(figure, DESIGNS, [baseline])
    return figure


def correlations(table: pd.DataFrame, seeds: pd.DataFrame) -> Figure:
    """Rank correlations with bootstrap intervals, a panel per outcome, a row per score; small ticks: single seeds.

    table, seeds: from ``diversity_outcomes.rank_correlations`` and ``seed_correlations``.
    """
    known = set(zip(table["of"], table["score"]))
    rows = [(of, score) for of in FEATURES for score in SCORE_LABELS if (of, score) in known]
    designs, outcomes = _designs(table), table["outcome"].unique()
    figure, axes = plt.subplots(1, len(outcomes), figsize=(8.8, 0.5 * len(rows) + 1.7), sharey=True, sharex=True)
    for axis, outcome in zip(axes, outcomes):
        axis.axvline(0, color=MUTED, linewidth=0.8)
        for place, (of, score) in enumerate(rows):
            for design, shift, filled in zip(designs, (-0.17, 0.17), (True, False)):
                where = {"design": design, "of": of, "score": score, "outcome": outcome}
                row, at = select(table, **where).iloc[0], place + shift
                colour = METHODS["div"].colour
                axis.plot(
                    select(seeds, **where)["rho"], [at] * len(select(seeds, **where)), "|", color=INK, markersize=7
                )
                axis.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=1.2)
                axis.plot(row["rho"], at, "o", color=colour, markerfacecolor=colour if filled else "none", markersize=5)
        axis.set_title(OUTCOME_LABELS[outcome], fontsize=9)
    axes[0].set_xlim(-1.08, 1.08)
    axes[0].set_yticks(range(len(rows)), [score_label(score, of) for of, score in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    figure.supxlabel("Spearman correlation over training sets", fontsize=9, color=INK)
    seed = plt.Line2D([], [], marker="|", linestyle="", color=INK, markersize=7, label="one seed")
    _legend_of_designs(figure, designs, [seed])
    return figure


def traces(frame: pd.DataFrame) -> Figure:
    """Hessian trace along training, and against the training loss. frame: records of ``diversity_hessian``.

    The start is left out: there the trace is negative and several times as large.
    Thick: mean over seeds with its 95 % interval; thin: single seeds with two standard errors of the estimate.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.5), sharey=True)
    frame = frame[frame["epoch"] > 0]
    summary = diversity_outcomes.trace_summary(frame)
    settings = [name for name in SETTINGS if name in set(frame["setting"])]
    for number, setting in enumerate(settings):
        category = SETTINGS[setting][0]
        colour, dash = (INK, "-") if category == "bs" else (METHODS[category].colour, METHODS[category].dash)
        marker = "D" if category == "bs" else METHODS[category].marker
        line, shift = select(summary, setting=setting), 0.06 * (number - (len(settings) - 1) / 2)
        left.plot(line["epoch"] + shift, line["mean"], color=colour, linestyle=dash, label=setting_label(setting))
        left.vlines(line["epoch"] + shift, line["low"], line["high"], color=colour, linewidth=1)
        left.plot(line["epoch"] + shift, line["mean"], marker, color=colour)
        for _, own in select(frame, setting=setting).groupby("seed"):
            error = 2 * own["standard_error"]
            right.vlines(own["train_loss"], own["value"] - error, own["value"] + error, color=colour, linewidth=0.9)
            right.plot(own["train_loss"], own["value"], marker, color=colour, linestyle=dash, linewidth=0.7)
    left.set_xticks(sorted(frame["epoch"].unique()))
    reach = frame["value"] + 2 * frame["standard_error"]
    left.set_ylim(min(0, frame["value"].min()), 1.25 * reach.max())
    left.set_xlabel("epoch")
    left.set_ylabel("trace of the Hessian")
    right.set_xlabel("training loss of the epoch (nats)")
    right.invert_xaxis()
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
