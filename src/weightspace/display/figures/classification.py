"""Figures of the classification chapters. Each function draws and returns a matplotlib figure; none shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.analysis import frames
from weightspace.analysis.frames import select
from weightspace.claims import verdicts
from weightspace.display.figures.curves import label_lines, plain_ticks
from weightspace.display.style import INK, METHODS, MUTED, method_label
from weightspace.names import dataset_label, in_order


def _panels(
    datasets: Sequence[str], xlabel: str, ylabel: str, height: float, **options
) -> tuple[Figure, Sequence[Axes]]:
    """A panel per data set, and room on the right for the names of the lines."""
    figure, axes = plt.subplots(1, len(datasets), figsize=(2.9 * len(datasets) + 1.8, height), squeeze=False, **options)
    for axis, dataset in zip(axes[0], datasets):
        axis.set_title(dataset_label(dataset))
        axis.set_xlabel(xlabel)
    axes[0, 0].set_ylabel(ylabel)
    return figure, axes[0]


def _curve(axis: Axes, method: str, at: pd.Series, middle: pd.Series, low: pd.Series, high: pd.Series) -> None:
    look = METHODS[method]
    axis.fill_between(at, low, high, color=look.colour, alpha=0.2, linewidth=0)
    axis.plot(at, middle, look.marker, color=look.colour, linestyle=look.dash)


def _log_axis(axis: Axes, values: Iterable[float]) -> None:
    axis.set_xscale("log")
    plain_ticks(axis.xaxis, sorted(values))
    axis.tick_params(axis="x", rotation=30)


def value_curves(
    frame: pd.DataFrame,
    x: str,
    xlabel: str,
    ylabel: str = "test accuracy (%)",
    *,
    methods: Sequence[str] | None = None,
    log: bool = False,
    percent: bool = False,
    shared: bool = False,
) -> Figure:
    """Mean and 95 % band over a varied setting, a panel per data set, a line per method.

    log: the horizontal axis is logarithmic; percent: it shows fractions in percent; shared: the panels have one
    vertical axis, as data sets of about the same difficulty can.
    """
    methods = [name for name in METHODS if name in set(frame["method"])] if methods is None else list(methods)
    datasets = in_order(frame["dataset"].unique())
    figure, axes = _panels(datasets, xlabel, ylabel, 3.2, sharey=shared)
    summary = frames.summarize(frame, ["dataset", x, "method"])
    for axis, dataset in zip(axes, datasets):
        lines = [select(summary, dataset=dataset, method=method).sort_values(x) for method in methods]
        for method, line in zip(methods, lines):
            _curve(axis, method, line[x] * (100 if percent else 1), line["mean"], line["low"], line["high"])
        if log:
            _log_axis(axis, frame[x].unique())
    label_lines(axes[-1], methods, np.array([line["mean"].iloc[-1] for line in lines]))
    return figure


def gain_curves(gains: pd.DataFrame, x: str, xlabel: str, margin: float = verdicts.MARGIN) -> Figure:
    """Error ratio of the dual methods to a baseline over a varied setting, from ``frames.paired_tests``."""
    datasets = in_order(gains["dataset"].unique())
    figure, axes = _panels(datasets, xlabel, "error ratio to gradient descent", 3.0, sharey=True)
    for axis, dataset in zip(axes, datasets):
        axis.axhspan(margin, 1 / margin, color=MUTED, alpha=0.15, linewidth=0)
        axis.axhline(1, color=MUTED, linewidth=0.8)
        lines = {str(name): line for name, line in select(gains, dataset=dataset).groupby("method", sort=False)}
        for method, line in lines.items():
            _curve(axis, method, line[x], line["ratio"], line["low"], line["high"])
        _log_axis(axis, gains[x].unique())
    label_lines(axes[-1], list(lines), np.array([line["ratio"].iloc[-1] for line in lines.values()]))
    return figure


def single_runs(frame: pd.DataFrame, reported: pd.DataFrame, drop: Mapping[tuple[str, int], float]) -> Figure:
    """Accuracy of every run over the updates, a panel per method; the runs that fall most and the paper's stand out.

    frame: rows of metric accuracy_percent; drop: (method, seed) -> points lost, from
    ``instability_facts.drawdowns``.
    """
    methods = [name for name in METHODS if name in set(frame["method"])]
    figure, axes = plt.subplots(1, len(methods), figsize=(3.1 * len(methods), 3.4), sharey=True, squeeze=False)
    per_turn = frame["updates"].max() / 6
    for axis, method in zip(axes[0], methods):
        look, own = METHODS[method], select(frame, method=method)
        worst = max((seed for name, seed in drop if name == method), key=lambda seed: drop[method, seed])
        for _, line in own.groupby("seed"):
            axis.plot(line["updates"] / per_turn, line["value"], color=look.colour, linewidth=0.6, alpha=0.3)
        mean = own.groupby("updates")["value"].mean()
        axis.plot(
            mean.index / per_turn, mean, color=look.colour, linewidth=2.4, label=f"mean of {own['seed'].nunique()}"
        )
        line = select(own, seed=worst)
        axis.plot(line["updates"] / per_turn, line["value"], color=INK, linewidth=1.2, label="our run that falls most")
        theirs = select(reported, method=method)
        axis.plot(
            theirs["turn"],
            theirs["value"],
            "--",
            marker=look.marker,
            color=INK,
            mfc="none",
            lw=0.9,
            label="paper's run",
        )
        axis.set_title(look.label)
        axis.set_xlabel("turn of 10,000 updates")
    axes[0, 0].set_ylabel("test accuracy (%)")
    axes[0, -1].legend(loc="lower right")
    return figure


def over_updates(frame: pd.DataFrame, panels: Sequence[tuple[str, str, bool]]) -> Figure:
    """Mean and 95 % band of several metrics over the turns, full line: as published, dotted: centred inputs.

    panels: (metric, label of the axis, whether it is logarithmic).
    """
    methods = [name for name in METHODS if name in set(frame["method"])]
    figure, axes = plt.subplots(1, len(panels), figsize=(3.1 * len(panels) + 0.6, 3.2), squeeze=False)
    per_turn = frame["updates"].max() / 6
    for axis, (metric, label, log) in zip(axes[0], panels):
        summary = frames.summarize(select(frame, metric=metric), ["inputs", "method", "updates"])
        for method in methods:
            look = METHODS[method]
            for inputs, dash in (("as published", "-"), ("centred", ":")):
                line = select(summary, method=method, inputs=inputs)
                at = line["updates"] / per_turn
                axis.fill_between(at, line["low"], line["high"], color=look.colour, alpha=0.15, linewidth=0)
                axis.plot(at, line["mean"], color=look.colour, linestyle=dash)
        if log:
            axis.set_yscale("log")
        axis.set_ylabel(label)
        axis.set_xlabel("turn of 10,000 updates")
    for method in methods:
        axes[0, 0].plot([], [], color=METHODS[method].colour, label=METHODS[method].label)
    axes[0, 0].plot([], [], color=MUTED, linestyle=":", label="centred inputs")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(methods) + 1)
    return figure


def units_over_turns(frame: pd.DataFrame, seeds: Mapping[str, int], metric: str, ylabel: str) -> Figure:
    """One metric of every hidden unit over the turns, a panel per method, one run each (``seeds``: method -> seed)."""
    figure, axes = plt.subplots(1, len(seeds), figsize=(3.1 * len(seeds), 3.0), sharey=True, squeeze=False)
    per_turn = frame["updates"].max() / 6
    rows = select(frame, metric=metric, layer=1, inputs="as published")
    for axis, (method, seed) in zip(axes[0], seeds.items()):
        own = select(rows, method=method, seed=seed)
        last = select(own, updates=own["updates"].max())
        strongest = int(last.loc[last["value"].idxmax(), "unit"])
        for unit, line in own.groupby("unit"):
            bold = unit == strongest
            colour = INK if bold else METHODS[method].colour
            axis.plot(line["updates"] / per_turn, line["value"], color=colour, linewidth=1.8 if bold else 0.9)
        axis.set_title(f"{method_label(method)}, seed {seed}")
        axis.set_xlabel("turn of 10,000 updates")
    axes[0, 0].set_ylabel(ylabel)
    return figure


def weight_images(images: Mapping[str, np.ndarray], shape: tuple[int, int], columns: int = 10) -> Figure:
    """First-layer weights as images, a row per name, one colour scale for all: blue negative, white zero, red positive.

    images: name -> ``[units, pixels]``.
    """
    limit = float(np.quantile(np.abs(np.concatenate(list(images.values()))), 0.995))
    height = 0.78 * len(images) + 0.7
    figure, axes = plt.subplots(len(images), columns, figsize=(8.4, height), squeeze=False)
    for row, (name, weights) in zip(axes, images.items()):
        for axis, weight in zip(row, weights):
            picture = axis.imshow(
                weight.reshape(shape), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
            )
        for axis in row:
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(visible=False)
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    bar = figure.colorbar(picture, ax=axes, orientation="horizontal", shrink=0.5, aspect=40, pad=0.02)
    bar.set_label("weight (no unit)", fontsize=8)
    bar.outline.set_visible(False)
    return figure


def noisy_images(images: np.ndarray, stds: Sequence[float]) -> Figure:
    """The same pictures, a row each, under noise that grows from left to right; images: [stds, number, side, side]."""
    columns, rows = images.shape[:2]
    figure, axes = plt.subplots(rows, columns, figsize=(1.1 * columns, 1.15 * rows), squeeze=False)
    for (row, column), axis in np.ndenumerate(axes):
        axis.imshow(images[column, row], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_axis_off()
        if row == 0:
            axis.set_title(f"{stds[column]:g}")
    figure.suptitle("standard deviation of the noise")
    return figure
