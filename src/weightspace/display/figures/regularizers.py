"""Figures of the campaigns that overfit (paper A). Each function draws and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.analysis.diversity_shifts import LEVELS
from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_effects import BASELINE, MEASURES, Measure
from weightspace.analysis.regularizer_tests import CLOSER, LIKE, MATCHES
from weightspace.display.figures.outcomes import setting_rows
from weightspace.display.labels import setting_label
from weightspace.display.style import BULK, EDGE, INK, METHODS, MUTED, MethodStyle, name_points, row_heading, signed
from weightspace.names import METRIC_LABELS
from weightspace.spectra import marchenko_pastur

LOOKS = {
    "augmentation": replace(METHODS["div"], label="augmentation"),
    "dropout": METHODS["dp"],
    "weight_decay": METHODS["wd"],
    "combined": METHODS["combined"],
}
_MATCH_MARKERS = dict(zip(MATCHES, ("o", "s", "D")))
_BINS = 40


def _in_order(settings: Iterable[str]) -> list[str]:
    """Dropout, weight decay, both together, augmentation; the weakest first."""
    return sorted(settings, key=list(LEVELS).index)


def _look(category: str) -> MethodStyle | None:
    return LOOKS.get(category)


def _colour(category: str) -> str:
    look = _look(category)
    return INK if look is None else look.colour


def learning_curves(table: pd.DataFrame, settings: Mapping[str, str]) -> Figure:
    """Accuracy on training and on test images along training; table: ``regularizer_facts.learning_curves``.

    settings: those to draw, with their category.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.0))
    panels = {"train_clean": "training images, as they are", "test": "test images"}
    for axis, (inputs, title) in zip(axes, panels.items(), strict=True):
        for setting, category in settings.items():
            own, look = select(table, setting=setting, inputs=inputs).sort_values("epoch"), _look(category)
            colour, marker, dash = (INK, "D", "-") if look is None else (look.colour, look.marker, look.dash)
            label = titles([setting])[setting]
            axis.fill_between(own["epoch"], own["low"], own["high"], color=colour, alpha=0.15, linewidth=0)
            axis.plot(own["epoch"], own["mean"], marker, color=colour, linestyle=dash, label=label)
        axis.set_title(title)
        axis.set_xlabel("epoch")
    axes[0].set_ylabel("accuracy (%)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def gains_and_delays(table: pd.DataFrame, named: Iterable[str]) -> Figure:
    """Gain of test accuracy against the delay of interpolation, a point per setting that learns.

    table: ``regularizer_facts.gains``; named: settings whose names stand beside their points.
    """
    figure, axis = plt.subplots(figsize=(7.0, 4.0))
    axis.axhline(0, color=MUTED, linewidth=0.8)
    axis.axvline(0, color=MUTED, linewidth=0.8)
    table = table[table["learns"]]
    setting_points(axis, table, "delay", "gain")
    axis.plot(0, 0, "*", color=INK, markersize=10, linestyle="", label="no regularizer")
    name_settings(axis, table, "delay", "gain", named)
    axis.set_xlabel("interpolation is put off by (epochs)")
    axis.set_ylabel("gain of test accuracy (points)")
    figure.legend(loc="outside lower center", ncols=5)
    return figure


def setting_points(axis: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """A point per setting in the look of its category, with the 95 % intervals that the table has of either column."""
    for category, own in table.groupby("category", sort=False):
        look = LOOKS[str(category)]
        if f"{x}_low" in own:
            axis.hlines(own[y], own[f"{x}_low"], own[f"{x}_high"], color=look.colour, linewidth=0.9, alpha=0.7)
        if f"{y}_low" in own:
            axis.vlines(own[x], own[f"{y}_low"], own[f"{y}_high"], color=look.colour, linewidth=0.9, alpha=0.7)
        axis.plot(own[x], own[y], look.marker, color=look.colour, linestyle="", label=look.label)


def name_settings(axis: Axes, table: pd.DataFrame, x: str, y: str, named: Iterable[str]) -> None:
    """The names of some settings beside their points; see ``name_points``."""
    rows = table[table["setting"].isin(list(named))].to_dict("records")
    name_points(axis, [(setting_label(row["setting"]), row[x], row[y], _colour(row["category"])) for row in rows])


def mean_effects(table: pd.DataFrame) -> Figure:
    """Mean effect of every setting over layers, a panel per measure; table: ``regularizer_facts.mean_effects``."""
    measures = list(dict.fromkeys(table["measure"]))
    size = (2.0 * len(measures) + 2.0, 0.21 * table["setting"].nunique() + 1.6)
    figure, grid = plt.subplots(1, len(measures), figsize=size, sharey=True, squeeze=False)
    axes = grid[0]
    place = setting_rows(axes[0], table["setting"])
    for axis, measure in zip(axes, measures, strict=True):
        axis.axvspan(-1, 1, color=MUTED, alpha=0.15, linewidth=0)
        axis.axvline(0, color=MUTED, linewidth=0.8)
        for row in select(table, measure=measure).itertuples():
            look, at = LOOKS[row.category], place[row.setting]
            axis.plot([row.low, row.high], [at, at], color=look.colour, linewidth=1.1)
            axis.plot(row.mean, at, look.marker, color=look.colour)
        axis.set_title(measure_label(measure).replace(", ", ",\n"), fontsize=8.5)
        axis.set_xscale("symlog", linthresh=1)
        axis.xaxis.set_major_formatter(signed)
        axis.xaxis.set_major_locator(plt.FixedLocator(_ticks(select(table, measure=measure))))
        axis.grid(axis="y", visible=False)
    figure.supxlabel("mean effect over layers (standard deviations between baselines)", fontsize=9, color=INK)
    return figure


def _ticks(table: pd.DataFrame) -> list[float]:
    """Zero, and on either side the largest power of ten, from 10 on, that the intervals reach."""

    def last(reach: float) -> list[int]:
        return [10**k for k in (2, 1) if reach > 10**k][:1]

    return [*(-value for value in last(-table["low"].min())), 0, *last(table["high"].max())]


def measure_label(measure: Measure) -> str:
    """A metric and of what it is taken: "log norm, folded"."""
    form = "slices" if measure.unfolding == "slices" else "folded" if measure.batch_norm == "folded" else "kernel"
    return f"{METRIC_LABELS[measure.metric]}, {form}"


def layer_effects(table: pd.DataFrame) -> Figure:
    """Mean effect of the settings of a category by layer; table: ``regularizer_facts.layer_effects``."""
    measures = list(dict.fromkeys(table["measure"]))
    figure, axes = plt.subplots(len(measures), 1, figsize=(7.4, 1.75 * len(measures) + 0.5), sharex=True, squeeze=False)
    for axis, measure in zip(axes[:, 0], measures, strict=True):
        axis.axhspan(-1, 1, color=MUTED, alpha=0.15, linewidth=0)
        axis.axhline(0, color=MUTED, linewidth=0.8)
        for category, own in select(table, measure=measure).groupby("category", sort=False):
            look = LOOKS[str(category)]
            axis.fill_between(own["layer"], own["low"], own["high"], color=look.colour, alpha=0.15, linewidth=0)
            axis.plot(own["layer"], own["mean"], look.marker, color=look.colour, linestyle=look.dash, label=look.label)
        axis.set_ylabel(measure_label(measure).replace(", ", "\n"))
        axis.set_yscale("symlog", linthresh=1)
        axis.yaxis.set_major_formatter(signed)
        axis.yaxis.set_major_locator(plt.FixedLocator(_ticks(select(table, measure=measure))))
        axis.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
    axes[-1, 0].set_xlabel("layer, in the order of the network")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


# --- the questions


def measure_rows(axis: Axes, table: pd.DataFrame) -> dict[tuple[str, Measure], float]:
    """Heights of the measures, sets apart and with their name above."""
    place, height = {}, 0.0
    for name, members in MEASURES.items():
        members = tuple(measure for measure in members if measure in set(select(table, set=name)["measure"]))
        if not members:
            continue
        row_heading(axis, name, height)
        for measure in members:
            height += 1
            place[name, measure] = height
        height += 1.3
    axis.set_yticks(list(place.values()), [METRIC_LABELS[measure.metric] for _, measure in place])
    axis.set_ylim(max(height, 1.0) - 0.6, -0.6)
    axis.grid(axis="y", visible=False)
    return place


def outcome_colour(outcome: str) -> str:
    return {"for": METHODS["div"].colour, "against": METHODS["gradient_descent"].colour, "undecided": INK}.get(
        outcome, MUTED
    )


def outcome_face(outcome: str, colour: str) -> str:
    """The inside of a marker: filled where decided."""
    return colour if outcome in ("for", "against") else "none"


def _shift(match: str, matches: Sequence[str]) -> float:
    return 0.24 * (matches.index(match) - (len(matches) - 1) / 2)


def outcome_lines() -> list[plt.Line2D]:
    """What the colours of decided and undecided comparisons mean, for a legend."""
    words = {"for": "decided for", "against": "decided against", "undecided": "undecided", "not judged": "not judged"}
    return [plt.Line2D([], [], color=outcome_colour(name), linewidth=2, label=label) for name, label in words.items()]


def _legend_of_outcomes(figure: Figure, matches: Sequence[str]) -> None:
    marks = [
        plt.Line2D([], [], marker=_MATCH_MARKERS[match], linestyle="", color=MUTED, markerfacecolor="none", label=match)
        for match in matches
    ]
    figure.legend(handles=[*marks, *outcome_lines()], loc="outside lower center", ncols=4)


def similarities(table: pd.DataFrame) -> Figure:
    """How alike augmentation is to dropout and to weight decay, a row per measure, a marker per way of matching.

    Filled where decided. table: ``regularizer_tests.similarities``.
    """
    matches = [match for match in MATCHES if match in set(table["match"])]
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 5.2), sharey=True, sharex=True)
    place = measure_rows(axes[0], table)
    for axis, to in zip(axes, ("dropout", "weight_decay"), strict=True):
        axis.axvline(0, color=MUTED, linewidth=0.8)
        axis.axvline(LIKE, color=MUTED, linewidth=1.1, linestyle=":")
        for row in select(table, to=to).itertuples():
            at, colour = place[row.set, row.measure] + _shift(row.match, matches), outcome_colour(row.outcome)
            face = outcome_face(row.outcome, colour)
            axis.plot([row.low, row.high], [at, at], color=colour, linewidth=1.1)
            axis.plot(row.similarity, at, _MATCH_MARKERS[row.match], color=colour, markerfacecolor=face)
        axis.set_title(f"augmentation and {LOOKS[to].label}")
        axis.set_xlim(-1.3, 1.3)
        axis.set_xlabel("similarity (cosine over layers)")
        axis.grid(axis="y", visible=False)
    _legend_of_outcomes(figure, matches)
    return figure


def closeness(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Distance of augmentation to dropout over that to something else: a panel each, a marker per way of matching.

    Filled where decided; there is no marker where one of the distances is estimated as none. tables: title -> from
    ``regularizer_tests.closeness``.
    """
    first = next(iter(tables.values()))
    matches = [match for match in MATCHES if match in set(first["match"])]
    figure, axes = plt.subplots(1, len(tables), figsize=(8.6, 5.2), sharey=True, squeeze=False)
    place = measure_rows(axes[0, 0], first)
    for axis, (title, table) in zip(axes[0], tables.items(), strict=True):
        axis.axvline(1, color=MUTED, linewidth=0.8)
        axis.axvline(CLOSER, color=MUTED, linewidth=1.1, linestyle=":")
        for row in table.itertuples():
            if not min(row.distance_dropout, row.distance_other) > 0:
                continue
            at, colour = place[row.set, row.measure] + _shift(row.match, matches), outcome_colour(row.outcome)
            face = outcome_face(row.outcome, colour)
            ratio = row.distance_dropout / row.distance_other
            axis.plot(ratio, at, _MATCH_MARKERS[row.match], color=colour, markerfacecolor=face)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(plt.LogLocator(10, (1, 2, 5)))
        axis.xaxis.set_major_formatter(signed)
        axis.xaxis.set_minor_formatter(plt.NullFormatter())
        axis.set_title(title)
        axis.set_xlabel("ratio of the distances")
        axis.grid(axis="y", visible=False)
    _legend_of_outcomes(figure, matches)
    return figure


def settings_map(table: pd.DataFrame, fractions: tuple[float, float], named: Iterable[str]) -> Figure:
    """The settings in the plane in which their effects differ most, from ``regularizer_facts.settings_map``.

    named: augmentation levels whose names stand beside their points; those of the others always do.
    """
    figure, axis = plt.subplots(figsize=(7.4, 4.8))
    axis.axhline(0, color=MUTED, linewidth=0.6)
    axis.axvline(0, color=MUTED, linewidth=0.6)
    named, words = set(named), []
    for category, own in table.groupby("category", sort=False):
        look = LOOKS[str(category)]
        own = own.set_index("setting").loc[_in_order(own["setting"])]
        axis.plot(own["x"], own["y"], look.marker, color=look.colour, markersize=6, linestyle="", label=look.label)
        if category in ("dropout", "weight_decay"):
            axis.plot([0, *own["x"]], [0, *own["y"]], look.dash, color=look.colour, linewidth=0.8)
        shown = own if category != "augmentation" else own[own.index.isin(named)]
        words += [(_short(str(row.Index)), row.x, row.y, look.colour) for row in shown.itertuples()]
    axis.plot(0, 0, "*", color=INK, markersize=11, linestyle="", label="no regularizer")
    axis.set_xscale("symlog", linthresh=1)
    axis.set_yscale("symlog", linthresh=1)
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_formatter(signed)
    name_points(axis, words)
    axis.set_xlabel(f"first direction ({100 * fractions[0]:.0f} % of the squared effects)")
    axis.set_ylabel(f"second direction ({100 * fractions[1]:.0f} %)")
    figure.legend(loc="outside lower center", ncols=5)
    return figure


def _short(setting: str) -> str:
    """The level alone, where the colour says of what."""
    label = setting_label(setting)
    return label if "+" in setting else label.removeprefix("dropout ").removeprefix("weight decay ")


def titles(settings: Iterable[str]) -> dict[str, str]:
    """What stands above the column of a setting."""
    return {name: "no regularizer" if name == BASELINE else setting_label(name) for name in settings}


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
            colour = _colour(select(own, setting=name)["category"].iloc[0])
            axis.stairs(_heights(drawn[name][0], edges), edges, fill=True, color=colour, alpha=0.3)
            if name != start:
                axis.stairs(outline, edges, color=MUTED, linewidth=0.9)
            _law(axis, *drawn[name], edges)
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(plt.LogLocator(10, numticks=5))
            axis.xaxis.set_minor_formatter(plt.NullFormatter())
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
