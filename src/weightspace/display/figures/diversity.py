"""Figures of the training campaign (paper A, from scratch). Each function draws and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.analysis.diversity_shifts import LEVELS
from weightspace.analysis.frames import select
from weightspace.analysis.shift_checks import ZERO
from weightspace.analysis.spectral_shifts import PAIRS
from weightspace.data import augmentations
from weightspace.display.style import CATEGORY_ORDER, INK, METHODS, MUTED, at_end, pair_label, row_heading, signed
from weightspace.experiments.diversity.released_measurements import METRICS
from weightspace.measures.statistics import ALPHA
from weightspace.names import METRIC_LABELS

SHORT = {level.name: level.short for level in augmentations.REGISTRY if level.short}


def _places(table: pd.DataFrame) -> dict[tuple[str, int], int]:
    """Where each setting stands on the axis: categories and levels in their order, gaps between categories."""
    place, at = {}, 0
    for category in CATEGORY_ORDER:
        for order in sorted(set(select(table, category=category)["order"])):
            at += 1
            place[category, order] = at
        at += 1
    return place


def _ticks(axis: Axes, place: Mapping[tuple[str, int], int]) -> None:
    names = {(category, order): SHORT.get(level, level) for category, level, order in LEVELS.values()}
    axis.set_xticks(list(place.values()), [names[key] for key in place], rotation=90, fontsize=6.5)
    for tick, (category, _) in zip(axis.get_xticklabels(), place):
        tick.set_color(METHODS[category].colour)
    axis.set_xlim(0.2, max(place.values()) + 0.8)
    axis.grid(axis="x", visible=False)


def _by_level(axis: Axes, table: pd.DataFrame, place: Mapping[tuple[str, int], int]) -> None:
    """Mean with interval of every level, weakest first, in the look of its category."""
    for category in CATEGORY_ORDER:
        own = select(table, category=category).sort_values("order")
        at = [place[category, order] for order in own["order"]]
        look = METHODS[category]
        axis.vlines(at, own["low"], own["high"], color=look.colour, linewidth=1.1)
        axis.plot(at, own["mean"], look.marker, color=look.colour, linestyle=look.dash, linewidth=0.8)


def nothing(shared: np.ndarray, own: np.ndarray, expected: float) -> Figure:
    """Histograms of correlations that settings without any effect give, with one baseline for both or one for each.

    shared, own: from ``shift_checks.noise_correlations``; expected: from ``shift_checks.shared_baseline_correlation``.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.7), sharex=True, sharey=True)
    for axis, values, formula, title in zip(axes, (shared, own), (expected, 0.0), ("one for both", "one for each")):
        axis.hist(values, np.linspace(-1, 1, 41), color=METHODS["div"].colour, alpha=0.35)
        axis.axvline(formula, color=INK, linestyle="--", linewidth=1.2)
        axis.set_title(f"baseline: {title}")
        axis.set_xlabel("correlation over layers")
    axes[0].annotate(
        "formula",
        (expected, 0.9),
        xycoords=("data", "axes fraction"),
        xytext=(-4, 0),
        ha="right",
        textcoords="offset points",
    )
    axes[0].set_ylabel(f"of {len(shared):,} draws")
    return figure


def dose_response(table: pd.DataFrame, metrics: Iterable[str]) -> Figure:
    """Mean shift over layers at every level with its interval over seeds, a panel per metric."""
    metrics, columns = list(metrics), 2
    rows = -(-len(metrics) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(8.4, 1.9 * rows), sharex=True)
    place = _places(table)
    for axis, metric in zip(axes.flat, metrics):
        axis.axhline(0, color=MUTED, linewidth=0.8)
        _by_level(axis, select(table, metric=metric), place)
        axis.set_title(METRIC_LABELS[metric], fontsize=9)
        _ticks(axis, place)
    for above, empty in zip(axes.flat[len(metrics) - columns :], axes.flat[len(metrics) :]):
        above.tick_params(labelbottom=True)
        empty.set_axis_off()
    handles = [
        plt.Line2D(
            [], [], color=METHODS[c].colour, marker=METHODS[c].marker, linestyle=METHODS[c].dash, label=METHODS[c].label
        )
        for c in CATEGORY_ORDER
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    figure.supylabel("mean shift over layers", fontsize=9, color=INK)
    return figure


def beside_theirs(ours: pd.DataFrame, theirs: Mapping[tuple[str, str], float]) -> Figure:
    """Category means, theirs above (one run per setting) and ours below (interval over seeds), a row per metric.

    ours: metric, category, mean, low, high; theirs: (metric, category) -> value.
    """
    figure, axes = plt.subplots(len(METRICS), 2, figsize=(8.2, 1.35 * len(METRICS) + 0.4), sharey=True)
    for line, metric in zip(axes, METRICS):
        for axis, title in zip(line, ("paper's release", "ours")):
            for height, category in enumerate(reversed(CATEGORY_ORDER)):
                look = METHODS[category]
                if title == "ours":
                    row = select(ours, metric=metric, category=category).iloc[0]
                    value = row["mean"]
                    axis.plot([row["low"], row["high"]], [height, height], color=INK, linewidth=1.2)
                else:
                    value = theirs[metric, category]
                axis.barh(height, value, color=look.colour, height=0.62, alpha=0.65)
                at_end(axis, signed(value, form=".2g"), height)
            axis.axvline(0, color=MUTED, linewidth=0.8)
            axis.xaxis.set_major_locator(plt.MaxNLocator(4))
            axis.margins(x=0.12)
            axis.set_title(title if metric == METRICS[0] else "")
        line[0].set_yticks(range(len(CATEGORY_ORDER)), [METHODS[name].label for name in reversed(CATEGORY_ORDER)])
        line[0].set_ylabel(METRIC_LABELS[metric], fontweight="bold")
    return figure


# --- the fair test

BASELINE_KINDS = {
    "one": ("one baseline\nper seed", "o"),
    "own": ("a baseline for\neach category", "s"),
    "other seed": ("another seed for\neach category", "D"),
}


def correlations(table: pd.DataFrame, theirs: Mapping[tuple[str, str, str], float]) -> Figure:
    """Correlations over layers by what two categories have in common, every seed a dot, the mean a bar.

    table: ``diversity_shifts.correlations``; theirs: (metric, a, b) -> value that the release reports.
    """
    figure, axes = plt.subplots(1, len(PAIRS), figsize=(9.4, 4.6), sharey=True)
    kinds = [*BASELINE_KINDS, "none"]
    step = len(kinds) + 1.2
    for axis, (a, b) in zip(axes, PAIRS):
        axis.axvline(0, color=MUTED, linewidth=0.8)
        for row, metric in enumerate(METRICS):
            for number, kind in enumerate(kinds):
                pair = {"a": a, "b": b} if kind != "none" else {"a": "div"}
                own = select(table, metric=metric, baseline=kind, **pair)["pearson"]
                if kind == "none" and (a, b) != ("div", "dp"):
                    continue
                height = row * step + number
                colour = {"one": METHODS["div"].colour, "none": MUTED}.get(kind, INK)
                axis.plot(own, [height] * len(own), ".", color=colour, alpha=0.55, markersize=5)
                axis.plot([own.mean()] * 2, [height - 0.35, height + 0.35], color=colour, linewidth=2.2)
            axis.plot(
                theirs[metric, a, b], row * step, "x", color=METHODS["dp"].colour, markersize=6, markeredgewidth=1.6
            )
        axis.set_xlim(-1.05, 1.05)
        axis.set_title(pair_label(a, b))
        axis.set_xlabel("Pearson correlation")
        axis.grid(axis="y", visible=False)
    names = ["one baseline per seed", "a baseline each", "another seed each", "diversity and placebo"]
    heights = [row * step + number for row in range(len(METRICS)) for number in range(len(kinds))]
    axes[0].set_yticks(heights, names * len(METRICS), fontsize=7)
    axes[0].set_ylim(len(METRICS) * step - 1.2, -1.4)
    for row, metric in enumerate(METRICS):
        row_heading(axes[0], METRIC_LABELS[metric], row * step - 0.9)
    return figure


def sizes(table: pd.DataFrame) -> Figure:
    """Size of the shift of every setting in units of the spread between baselines, a panel per metric, logarithmic.

    table: category, order, metric, size (0 or NaN: not seen above the noise, drawn at the bottom as an open marker).
    """
    figure, grid = plt.subplots(2, -(-len(METRICS) // 2), figsize=(8.4, 4.8), sharex=True, sharey=True)
    axes = list(grid.flat)
    place = _places(table)
    seen = table["size"][table["size"] > 0]
    floor = 10 ** np.floor(np.log10(seen.min()) - 0.15)
    for axis, metric in zip(axes, METRICS):
        for category in CATEGORY_ORDER:
            own, look = select(table, metric=metric, category=category).sort_values("order"), METHODS[category]
            at = np.array([place[category, order] for order in own["order"]])
            shown = (own["size"] > 0).to_numpy()
            axis.plot(at[shown], own["size"][shown], look.marker, color=look.colour)
            axis.plot(
                at[~shown],
                np.full((~shown).sum(), 1.15 * floor),
                look.marker,
                color=look.colour,
                markerfacecolor="none",
            )
        axis.axhline(1, color=MUTED, linewidth=0.9)
        axis.set_yscale("log")
        axis.set_ylim(floor, 2 * seen.max())
        axis.yaxis.set_major_formatter(signed)
        axis.set_title(METRIC_LABELS[metric])
        _ticks(axis, place)
    figure.supylabel("shift / spread between baselines (rms over layers)", fontsize=9, color=INK)
    return figure


OUTCOME_COLOURS = {"win": METHODS["div"].colour, "loss": METHODS["gradient_descent"].colour, "tie": INK}


def _intervals(axis: Axes, table: pd.DataFrame, value: str, heights: Mapping[str, float]) -> None:
    for row in table.itertuples():
        height, colour = heights[row.metric], OUTCOME_COLOURS[row.outcome]
        axis.plot([row.low, row.high], [height, height], color=colour, linewidth=1.3)
        face = colour if row.p_holm < ALPHA else "none"
        axis.plot(getattr(row, value), height, "o", color=colour, markersize=5, markerfacecolor=face)


def _metric_rows(axis: Axes, first: bool) -> dict[str, float]:
    heights = {metric: float(number) for number, metric in enumerate(METRICS)}
    axis.set_yticks(list(heights.values()), [METRIC_LABELS[metric] if first else "" for metric in heights])
    axis.set_ylim(len(METRICS) - 0.5, -0.5)
    return heights


def similarities(table: pd.DataFrame, like: float) -> Figure:
    """Similarity with its interval: a column per pair, a row of panels per match.

    Filled where significant, green for a win and red for a loss.
    """
    matches = list(dict.fromkeys(table["match"]))
    pairs = list(table[["a", "b"]].drop_duplicates().itertuples(index=False))
    figure, axes = plt.subplots(
        len(matches), len(pairs), figsize=(9.0, 1.5 * len(matches) + 0.5), sharex=True, squeeze=False
    )
    for line, match in zip(axes, matches):
        for number, (axis, (a, b)) in enumerate(zip(line, pairs)):
            heights = _metric_rows(axis, number == 0)
            axis.axvline(0, color=MUTED, linewidth=0.9)
            axis.axvline(like, color=MUTED, linewidth=0.9, linestyle=":")
            _intervals(axis, select(table, match=match, a=a, b=b), "similarity", heights)
            axis.set_xlim(-1.6, 1.6)
            if match == matches[0]:
                axis.set_title(pair_label(a, b))
        line[0].set_ylabel(match.replace(" ", "\n", 1), fontsize=8.5, fontweight="bold")
    axes[-1][1].set_xlabel("similarity of the shifts (cosine)")
    return figure


def distances(table: pd.DataFrame) -> Figure:
    """Left: distances of diversity to the others; then how much farther weight decay and the baseline are, squared."""
    matches = list(dict.fromkeys(table["match"]))
    figure, axes = plt.subplots(len(matches), 3, figsize=(10.2, 1.5 * len(matches) + 0.5), sharex="col", squeeze=False)
    for line, match in zip(axes, matches):
        own = select(table, match=match)
        heights = _metric_rows(line[0], True)
        for row in own.itertuples():
            place, other = heights[row.metric], np.sqrt(max(row.to_other, 0))
            if row.against == ZERO:
                line[0].plot(other, place, "|", color=MUTED, markersize=11, markeredgewidth=2, label="baseline")
                continue
            for value, name in ((np.sqrt(max(row.to_dp, 0)), "dp"), (other, "wd")):
                look = METHODS[name]
                line[0].plot(value, place, look.marker, color=look.colour, label=look.label)
        for axis, against in zip(line[1:], ("wd", ZERO)):
            _intervals(axis, select(own, against=against), "difference", _metric_rows(axis, False))
            axis.axvline(0, color=MUTED, linewidth=0.9)
            axis.set_xscale("symlog", linthresh=1)
        line[0].set_ylabel(match.replace(" ", "\n", 1), fontsize=8.5, fontweight="bold")
        line[0].set_xscale("symlog", linthresh=1)
        line[0].set_xlim(left=-0.05)
        line[0].xaxis.set_major_formatter(signed)
    axes[0][0].set_title("distance of diversity to \N{HORIZONTAL ELLIPSIS}")
    axes[0][1].set_title("weight decay is farther by")
    axes[0][2].set_title("the baseline is farther by")
    axes[-1][0].set_xlabel("units of the spread between baselines")
    for axis in axes[-1][1:]:
        axis.set_xlabel("difference of squared distances")
    handles, labels = axes[0][0].get_legend_handles_labels()
    unique = dict(zip(labels, handles))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=3)
    return figure
