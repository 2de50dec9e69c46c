"""Figures of the shifts of spectra (paper A). Each function draws and returns a matplotlib figure; none shows it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.analysis.frames import select
from weightspace.display.figures.curves import plain_ticks
from weightspace.display.style import CATEGORY_ORDER, INK, METHODS, MUTED, pair_label, row_heading, signed
from weightspace.experiments.diversity.released_measurements import BASELINE, METRICS, MODELS, TASKS
from weightspace.names import METRIC_LABELS


def category_bars(means: pd.DataFrame) -> Figure:
    """Mean shift per category with its interval: a row per metric, a column per model, every bar with its value."""
    models = [name for name in MODELS if name in set(means["model"])]
    figure, axes = plt.subplots(len(METRICS), len(models), figsize=(2.3 * len(models), 7.0), squeeze=False)
    for line, metric in zip(axes, METRICS):
        for axis, model in zip(line, models):
            for place, category in enumerate(CATEGORY_ORDER):
                row = select(means, model=model, metric=metric, category=category).iloc[0]
                axis.barh(place, row["mean"], color=METHODS[category].colour, height=0.36, alpha=0.65)
                if np.isfinite(row["low"]):
                    axis.plot([row["low"], row["high"]], [place, place], color=INK, linewidth=1.2)
                axis.annotate(
                    signed(row["mean"], form=".2g"),
                    (0.99, place + 0.42),
                    xycoords=("axes fraction", "data"),
                    fontsize=7,
                    color=INK,
                    ha="right",
                    va="center",
                )
            axis.axvline(0, color=MUTED, linewidth=0.8)
            axis.set_ylim(2.75, -0.4)
            axis.set_yticks(range(3), [METHODS[name].label for name in CATEGORY_ORDER] if axis is line[0] else [])
            axis.ticklabel_format(axis="x", scilimits=(-2, 2))
            axis.xaxis.get_offset_text().set_size(7)
            axis.xaxis.set_major_locator(plt.MaxNLocator(3))
            if metric == METRICS[0]:
                axis.set_title(MODELS[model])
            if axis is line[0]:
                axis.set_ylabel(METRIC_LABELS[metric], fontweight="bold")
    return figure


def quadrants(means: pd.DataFrame, x: str, y: str, linear: float) -> Figure:
    """Mean shifts of two metrics against each other, a point per data set and category; symmetric log axes."""
    models = [name for name in MODELS if name in set(means["model"])]
    figure, axes = plt.subplots(
        1, len(models), figsize=(2.4 * len(models), 2.9), sharex=True, sharey=True, squeeze=False
    )
    for axis, model in zip(axes[0], models):
        for category in CATEGORY_ORDER:
            own = select(means, model=model, category=category).pivot(index="task", columns="metric", values="mean")
            look = METHODS[category]
            axis.plot(own[x], own[y], look.marker, color=look.colour, linestyle="none", markersize=6, label=look.label)
        for line in (axis.axhline, axis.axvline):
            line(0, color=MUTED, linewidth=0.8)
        for scale in (axis.set_xscale, axis.set_yscale):
            scale("symlog", linthresh=linear)
        for side in (axis.xaxis, axis.yaxis):
            plain_ticks(side, [-0.01, -0.0001, 0, 0.0001, 0.01])
        axis.tick_params(axis="x", rotation=40)
        axis.set_title(MODELS[model])
        axis.set_xlabel(f"shift of {METRIC_LABELS[x]}")
    axes[0, 0].set_ylabel(f"shift of {METRIC_LABELS[y]}")
    axes[0, 0].legend(loc="upper left", handletextpad=0.2)
    return figure


def level_curves(levels: pd.DataFrame, metric: str, linear: float) -> Figure:
    """Mean shift over layers at every level, weakest first; dropout, weight decay and diversity side by side."""
    models = [name for name in MODELS if name in set(levels["model"])]
    figure, axes = plt.subplots(1, len(models), figsize=(2.5 * len(models), 3.1), sharey=True, squeeze=False)
    for axis, model in zip(axes[0], models):
        start, middles = 0, []
        for category in CATEGORY_ORDER:
            own = select(levels, model=model, metric=metric, category=category).sort_values("order")
            look, at = METHODS[category], start + own["order"]
            axis.vlines(at, own["low"], own["high"], color=look.colour, linewidth=1.1)
            axis.plot(at, own["mean"], look.marker, color=look.colour, linestyle=look.dash, linewidth=0.8)
            middles.append((float(at.mean()), look))
            start += len(own) + 1
        axis.axhline(0, color=MUTED, linewidth=0.8)
        axis.set_yscale("symlog", linthresh=linear)
        axis.set_xticks([place for place, _ in middles], [look.label for _, look in middles], rotation=25, ha="right")
        for tick, (_, look) in zip(axis.get_xticklabels(), middles):
            tick.set_color(look.colour)
        axis.yaxis.set_minor_locator(plt.NullLocator())
        axis.yaxis.set_major_formatter(signed)
        axis.set_title(MODELS[model])
    axes[0, 0].set_ylabel(f"mean shift of {METRIC_LABELS[metric]}")
    return figure


def scores_by_setting(scores: pd.DataFrame, model: str = "clip_rn50") -> Figure:
    """Test accuracy of every setting and, for the training sets, the Vendi score of embeddings, a column per task."""
    own = select(scores, model=model)
    tasks = [name for name in TASKS if name in set(select(own, metric="accuracy_percent")["task"])]
    figure, axes = plt.subplots(2, len(tasks), figsize=(3.0 * len(tasks), 4.6), squeeze=False, sharex=True)
    labels = {"accuracy_percent": "test accuracy (%)", "vendi_embeddings": "Vendi score, embeddings"}
    for number, task in enumerate(tasks):
        for axis, (metric, label) in zip(axes[:, number], labels.items()):
            rows = select(own, task=task, metric=metric)
            base = select(rows, category=BASELINE)["value"].iloc[0]
            axis.axhline(base, color=MUTED, linewidth=0.9)
            axis.annotate("baseline", (0.5, 0.96 * base), color=MUTED, fontsize=7, va="top")
            start, ticks = 0, {}
            for category in CATEGORY_ORDER:
                line = select(rows, category=category).sort_values("order")
                names = select(own, task=task, metric="accuracy_percent", category=category).sort_values("order")
                at = start + np.arange(1, len(names) + 1)
                look = METHODS[category]
                if len(line):
                    axis.plot(at, line["value"], look.marker, color=look.colour, linestyle=look.dash, linewidth=0.8)
                ticks |= dict(zip(at, names["level"]))
                start += len(names) + 1
            axis.set_ylim(0, 1.15 * max(base, rows["value"].max()))
            axis.set_xticks(list(ticks), list(ticks.values()), rotation=90, fontsize=6.5)
            axis.set_ylabel("" if number else label)
        axes[0, number].set_title(TASKS[task])
    handles = [
        plt.Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.dash, linewidth=0.8, label=look.label)
        for look in (METHODS[name] for name in CATEGORY_ORDER)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


TEXT_SETS = {
    "div": "word edits (EDA)",
    "gen": "synthetic in place of real",
    "gen_vf": "the same, verified",
    "gen_add": "synthetic added, verified",
}
"""How the text sets were made, by category."""


def baseline_among_runs(changes: pd.DataFrame, model: str, metric: str, linear: float = 1e-4) -> Figure:
    """What training changed in every layer: each run of diversity and dropout a thin line, the baseline a thick one."""
    own = select(changes, model=model, metric=metric)
    own = own[own["task"] == own["task"].iloc[0]]
    figure, axis = plt.subplots(figsize=(6.6, 3.3))
    place = {layer: number for number, layer in enumerate(sorted(own["layer"].unique()), 1)}
    for category in ("dp", "div"):
        for number, (_, line) in enumerate(select(own, category=category).groupby("level")):
            line = line.sort_values("layer")
            look = METHODS[category]
            label = f"{look.label}, {own[own['category'] == category]['level'].nunique()} runs" if number == 0 else None
            axis.plot(line["layer"].map(place), line["value"], color=look.colour, linewidth=0.8, label=label)
    line = select(own, category=BASELINE).sort_values("layer")
    axis.plot(line["layer"].map(place), line["value"], "o-", color=INK, linewidth=1.8, label="the baseline run")
    axis.set_yscale("symlog", linthresh=linear)
    axis.yaxis.set_minor_locator(plt.NullLocator())
    axis.yaxis.set_major_formatter(signed)
    axis.axhline(0, color=MUTED, linewidth=0.8)
    axis.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
    axis.set_xlabel("layer, in order")
    axis.set_ylabel(f"change of {METRIC_LABELS[metric]}\nin training")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


# --- one row per model and metric


def _rows(axis: Axes, table: pd.DataFrame, labels: bool) -> dict[tuple[str, str], float]:
    """Heights of the rows, models apart, with the metrics as tick labels and the models as headings."""
    models = [name for name in MODELS if name in set(table["model"])]
    place, height = {}, 0.0
    for model in models:
        if labels:
            row_heading(axis, MODELS[model], height)
        for metric in METRICS:
            height += 1
            place[model, metric] = height
        height += 1.3
    axis.set_yticks(
        list(place.values()), [METRIC_LABELS[metric] for _, metric in place] if labels else [""] * len(place)
    )
    axis.set_ylim(height - 0.6, -0.7)
    return place


def _panels(number: int, width: float = 2.5, rows: int = 16) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(1, number, figsize=(width * number + 1.5, 0.24 * rows + 1.4), squeeze=False)
    return figure, axes[0]


def shared_baseline(whole: pd.DataFrame, without: pd.DataFrame) -> Figure:
    """Pearson correlations beside what one shared baseline makes of noise, from ``shift_checks.expected_correlations``.

    whole: with all layers; without: without the last layer.
    """
    pairs = list(whole[["a", "b"]].drop_duplicates().itertuples(index=False))
    figure, axes = _panels(len(pairs))
    for number, (axis, (a, b)) in enumerate(zip(axes, pairs)):
        place = _rows(axis, whole, number == 0)
        for row in select(whole, a=a, b=b).itertuples():
            at = place[row.model, row.metric]
            axis.plot([row.low, row.high], [at, at], color=MUTED, alpha=0.35, linewidth=7, solid_capstyle="butt")
            axis.plot([row.expected] * 2, [at - 0.35, at + 0.35], color=MUTED, linewidth=1.2)
            axis.plot(row.observed, at, "o", color=METHODS["div"].colour, markersize=5)
        for row in select(without, a=a, b=b).itertuples():
            at = place[row.model, row.metric]
            axis.plot(row.observed, at, "D", color=METHODS["dp"].colour, markersize=4.5, markerfacecolor="none")
        axis.axvline(0, color=MUTED, linewidth=0.8)
        axis.set_xlim(-1.05, 1.05)
        axis.set_xlabel("Pearson correlation")
        axis.set_title(pair_label(a, b), fontsize=8.5)
    handles = [
        plt.Line2D([], [], marker="o", linestyle="", color=METHODS["div"].colour, label="released, all layers"),
        plt.Line2D(
            [],
            [],
            marker="D",
            linestyle="",
            color=METHODS["dp"].colour,
            markerfacecolor="none",
            label="released, without the last layer",
        ),
        plt.Line2D([], [], color=MUTED, alpha=0.35, linewidth=7, label="noise with a shared baseline, 95 %"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def without_sharing(tasks: pd.DataFrame, doses: pd.DataFrame) -> Figure:
    """Rank correlations over layers where a baseline is shared (same task) and where no run is shared."""
    pairs = [("div", "dp"), ("div", "wd")]
    figure, axes = _panels(len(pairs), width=3.2)
    looks = {
        "same": ("o", INK, "same task: the baseline is shared"),
        "other": ("D", METHODS["div"].colour, "another task: nothing shared"),
        "rho": ("x", METHODS["dp"].colour, "strong minus weak levels: nothing shared"),
    }
    for number, (axis, (a, b)) in enumerate(zip(axes, pairs)):
        place = _rows(axis, doses, number == 0)
        for row in select(tasks, a=a, b=b).itertuples():
            at = place[row.model, row.metric]
            axis.plot([row.same, row.other], [at, at], color=MUTED, linewidth=0.9)
            for name in ("same", "other"):
                marker, colour, _ = looks[name]
                axis.plot(getattr(row, name), at, marker, color=colour, markersize=5)
        for row in select(doses, a=a, b=b).itertuples():
            marker, colour, _ = looks["rho"]
            axis.plot(row.rho, place[row.model, row.metric], marker, color=colour, markersize=5.5, markeredgewidth=1.6)
        axis.axvline(0, color=MUTED, linewidth=0.8)
        axis.set_xlim(-1.05, 1.05)
        axis.set_xlabel("Spearman correlation over layers")
        axis.set_title(pair_label(a, b), fontsize=9)
    handles = [plt.Line2D([], [], marker=m, linestyle="", color=c, label=text) for m, c, text in looks.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def equivalence_intervals(table: pd.DataFrame) -> Figure:
    """Mean differences over layers in units of the margin with 90 % intervals, from ``shift_checks.equivalence``."""
    pairs = [("div", "dp"), ("div", "0"), ("dp", "0"), ("wd", "0")]
    figure, axes = _panels(len(pairs), width=2.0)
    for number, (axis, (a, b)) in enumerate(zip(axes, pairs)):
        place = _rows(axis, table, number == 0)
        axis.axvspan(-1, 1, color=MUTED, alpha=0.18, linewidth=0)
        for row in select(table, a=a, b=b).itertuples():
            at = place[row.model, row.metric]
            colour = METHODS["div"].colour if row.equivalent else INK
            axis.plot([row.low / row.margin, row.high / row.margin], [at, at], color=colour, linewidth=1.3)
            axis.plot(row.mean / row.margin, at, "o" if row.equivalent else "s", color=colour, markersize=4)
        axis.set_xscale("symlog", linthresh=1, linscale=0.7)
        axis.set_xlim(-2000, 2000)
        plain_ticks(axis.xaxis, [-1000, -10, -1, 1, 10, 1000])
        axis.tick_params(axis="x", labelsize=6.5)
        axis.axvline(0, color=MUTED, linewidth=0.8)
        axis.set_title(pair_label(a, b, "\nand "), fontsize=8.5)
    figure.supxlabel("mean difference over layers / margin", fontsize=9, color=INK)
    return figure


def distance_ratios(table: pd.DataFrame) -> Figure:
    """Distance of diversity to dropout relative to that to the baseline and to weight decay, with intervals."""
    figure, axes = _panels(2, width=3.2)
    place = _rows(axes[0], table, True)
    _rows(axes[1], table, False)
    for row in table.itertuples():
        at = place[row.model, row.metric]
        below, above = row.ratio_high < row.expected, row.ratio_low > row.expected
        colour = METHODS["div"].colour if below else METHODS["wd"].colour if above else MUTED
        axes[0].plot([row.expected] * 2, [at - 0.4, at + 0.4], color=METHODS["dp"].colour, linewidth=1.6)
        axes[0].plot([row.ratio_low, row.ratio_high], [at, at], color=colour, linewidth=1.3)
        axes[0].plot(row.ratio, at, "s" if above else "o", color=colour, markersize=4.5)
        relative = np.array([row.nearer_low, row.nearer, row.nearer_high]) / row.to_zero
        colour = METHODS["div"].colour if relative[0] > 0 else METHODS["wd"].colour if relative[2] < 0 else MUTED
        axes[1].plot(relative[[0, 2]], [at, at], color=colour, linewidth=1.3)
        axes[1].plot(relative[1], at, "o", color=colour, markersize=4.5)
    axes[0].axvline(1, color=MUTED, linewidth=0.8)
    axes[0].set_xscale("log")
    plain_ticks(axes[0].xaxis, [0.1, 0.3, 1, 3])
    axes[0].set_xlabel("distance to dropout / distance to baseline")
    axes[1].axvline(0, color=MUTED, linewidth=0.8)
    axes[1].set_xscale("symlog", linthresh=1, linscale=0.7)
    plain_ticks(axes[1].xaxis, [-10, -1, 0, 1, 10, 100, 1000])
    axes[1].set_xlabel("extra distance to weight decay\n/ distance to baseline")
    return figure


def sensitivity(tables: dict[str, pd.DataFrame]) -> Figure:
    """Pearson correlation of diversity and dropout with one unit left out at a time: whole, range, extreme unit.

    tables: from ``shift_checks.leave_one_out``, by what is left out.
    """
    figure, axes = _panels(len(tables), width=2.7)
    for number, (axis, (over, table)) in enumerate(zip(axes, tables.items())):
        table = select(table, a="div", b="dp")
        place = _rows(axis, table, number == 0)
        for (model, metric), own in table.groupby(["model", "metric"]):
            at = place[model, metric]
            whole = select(own, left_out="")["pearson"].iloc[0]
            rest = own[own["left_out"] != ""]
            axis.plot(whole, at, "o", color=INK, markersize=5)
            if rest.empty:
                continue
            low, high = rest["pearson"].min(), rest["pearson"].max()
            axis.plot([low, high], [at, at], color=METHODS["div"].colour, linewidth=3, alpha=0.55)
            far = rest.loc[(rest["pearson"] - whole).abs().idxmax()]
            if abs(far["pearson"] - whole) > 0.25:
                axis.annotate(
                    _unit_name(far["left_out"], over, own["left_out"]),
                    (far["pearson"], at),
                    xytext=(0, 5),
                    textcoords="offset points",
                    fontsize=6.5,
                    color=INK,
                    va="center",
                    ha="left" if far["pearson"] < 0.3 else "right",
                )
        axis.axvline(0, color=MUTED, linewidth=0.8)
        axis.set_xlim(-1.05, 1.05)
        axis.set_xlabel("Pearson correlation")
        axis.set_title(f"one {_OVER[over]} left out", fontsize=9)
    return figure


_OVER = {"layer": "layer", "task": "data set", "level": "level"}


def _unit_name(unit: str, over: str, units: pd.Series) -> str:
    if over == "layer":
        layers = sorted({int(one) for one in units if one})
        return "last layer" if int(unit) == layers[-1] else f"layer {layers.index(int(unit)) + 1}"
    if over == "task":
        return TASKS[unit]
    category, level = unit.split(" ")
    return f"{METHODS[category].label} {level}"
