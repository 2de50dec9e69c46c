"""The figures of the dual-weight chapters. Each function draws and returns a matplotlib figure; none shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from weightspace import names
from weightspace.analysis import frames
from weightspace.analysis.frames import select
from weightspace.claims import verdicts
from weightspace.display import style
from weightspace.display.style import INK, METHODS, MUTED, signed
from weightspace.measures.statistics import mean_interval
from weightspace.names import DATASETS, dataset_label

CHANCE = {"mse_x1e4": 100.0, "accuracy_percent": 10.0}
"""What knows nothing scores: the mean prediction, or one of ten classes at random."""
_LABELS = {"mse_x1e4": r"test MSE $\times\,10^4$", "accuracy_percent": "test accuracy (%)"}


def _value_axis(axis: Axes, metric: str, label: bool) -> None:
    """Errors on a logarithmic axis with round ticks, accuracies on a linear one."""
    if metric == "mse_x1e4":
        axis.set_yscale("log")
        plain_ticks(axis.yaxis, [20, 30, 40, 60, 80, 100, 150, 200, 300, 500, 800, 1000, 2000, 4000])
    if label:
        axis.set_ylabel(_LABELS[metric])


def plain_ticks(axis, ticks: Sequence[float]) -> None:
    """Ticks at round numbers, written out, as on a logarithmic axis."""
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(signed)


def _spread_labels(positions: np.ndarray, gap: float) -> np.ndarray:
    """The positions moved apart to at least ``gap``, in order, as little as need be."""
    order = np.argsort(positions)
    spread = positions[order].astype(float)
    for _ in range(100):
        overlap = gap - np.diff(spread)
        if (overlap <= 1e-9).all():
            break
        push = np.maximum(overlap, 0) / 2
        spread[:-1] -= push
        spread[1:] += push
    result = np.empty_like(spread)
    result[order] = spread
    return result


def test_curves(frame: pd.DataFrame, dataset: str, reported: pd.DataFrame) -> Figure:
    """Clean test value over the turns, a panel per depth and training size: mean, 95 % band, reported single runs."""
    frame = select(frame, dataset=dataset, test_inputs="clean")
    metric = frame["metric"].iloc[0]
    reported = select(reported, dataset=dataset, test_inputs="clean")
    depths, sizes = sorted(frame["layers"].unique()), sorted(frame["train_size"].unique())
    figure, axes = plt.subplots(
        len(depths),
        len(sizes),
        figsize=(2.2 * len(sizes) + 1.1, 2.4 * len(depths)),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    summary = frames.summarize(frame, ["layers", "train_size", "method", "turn"])
    for row, layers in enumerate(depths):
        for column, train_size in enumerate(sizes):
            axis = axes[row, column]
            panel = select(summary, layers=layers, train_size=train_size)
            for method, line in panel.groupby("method"):
                look = METHODS[method]
                axis.fill_between(line["turn"], line["low"], line["high"], color=look.colour, alpha=0.2, linewidth=0)
                axis.plot(line["turn"], line["mean"], color=look.colour, linestyle=look.dash)
                theirs = select(reported, layers=layers, train_size=train_size, method=method)
                axis.plot(theirs["turn"], theirs["value"], look.marker, color=look.colour, mfc="none", mew=1.1, ms=4.5)
            _value_axis(axis, metric, label=column == 0)
            axis.set_title(f"{layers} layers, n = {train_size}")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            if row == len(depths) - 1:
                axis.set_xlabel("turn")
            if column == len(sizes) - 1:
                ends = select(panel, turn=panel["turn"].max())
                label_lines(axis, ends["method"].tolist(), ends["mean"].to_numpy())
    return figure


def label_lines(axis: Axes, methods: Sequence[str], values: np.ndarray, gap: float = 0.085) -> None:
    """Names of the methods at the right ends of their lines, moved apart where lines meet."""
    points = axis.transData.transform(np.column_stack([np.full(len(values), axis.get_xlim()[1]), values]))
    heights = _spread_labels(axis.transAxes.inverted().transform(points)[:, 1], gap)
    for method, height in zip(methods, heights):
        axis.annotate(
            METHODS[method].label,
            (1.0, height),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            color=METHODS[method].colour,
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def clean_and_noisy(frame: pd.DataFrame, reported: pd.DataFrame) -> Figure:
    """Value after the last turn, clean (left of a pair) and noisy: mean, 95 % interval, reported runs as dashes."""
    metric = frame["metric"].iloc[0]
    frame, reported = (select(rows, turn=frame["turn"].max()) for rows in (frame, reported))
    summary = frames.summarize(frame, ["dataset", "layers", "train_size", "method", "test_inputs"])
    datasets, depths = names.in_order(frame["dataset"].unique()), sorted(frame["layers"].unique())
    figure, axes = plt.subplots(
        len(datasets), len(depths), figsize=(3.8 * len(depths), 2.9 * len(datasets)), sharey="row", squeeze=False
    )
    methods = [name for name in METHODS if name in set(frame["method"])]
    for row, dataset in enumerate(datasets):
        for column, layers in enumerate(depths):
            axis = axes[row, column]
            panel = select(summary, dataset=dataset, layers=layers)
            sizes = sorted(panel["train_size"].unique())
            for k, method in enumerate(methods):
                look = METHODS[method]
                for position, train_size in enumerate(sizes):
                    setting = {"train_size": train_size, "method": method}
                    x = position + 0.16 * (k - (len(methods) - 1) / 2) + np.array([-0.03, 0.03])
                    pair = select(panel, **setting).set_index("test_inputs").loc[["clean", "noisy"]]
                    theirs = select(reported, dataset=dataset, layers=layers, **setting)
                    axis.plot(x, pair["mean"], color=look.colour, linewidth=1)
                    at = x[theirs["test_inputs"].eq("noisy").astype(int)]
                    axis.plot(at, theirs["value"], "_", color=INK, ms=7, mew=1.4)
                    for x_one, (kind, one) in zip(x, pair.iterrows()):
                        axis.plot([x_one, x_one], [one["low"], one["high"]], color=look.colour, linewidth=1)
                        face = look.colour if kind == "clean" else "none"
                        axis.plot(
                            x_one,
                            one["mean"],
                            look.marker,
                            color=look.colour,
                            mfc=face,
                            ms=5,
                            label=look.label if position == 0 and kind == "clean" else None,
                        )
            if metric == "mse_x1e4":
                axis.axhline(CHANCE[metric], color=MUTED, linewidth=0.8, linestyle=":")
            _value_axis(axis, metric, label=column == 0)
            axis.set_xticks(range(len(sizes)), [f"n = {size}" for size in sizes])
            axis.set_title(f"{dataset_label(dataset)}, {layers} layers")
            axis.grid(axis="x", visible=False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(methods))
    return figure


def loss_distribution(frame: pd.DataFrame, layers: int) -> Figure:
    """Fraction of test samples per class of squared error, clean and noisy; bars: means, whiskers: 95 % intervals."""
    frame = select(frame, layers=layers)
    sizes = sorted(frame["train_size"].unique())
    methods = [name for name in METHODS if name in set(frame["method"])]
    classes = [(0, 1), (1, 10), (10, 100), (100, 1000), (1000, np.inf)]
    names = ["< 1", "1-10", "10-100", "100-1000", "> 1000"]
    figure, axes = plt.subplots(
        2, len(sizes), figsize=(2.55 * len(sizes), 5.2), sharex=True, sharey=True, squeeze=False
    )
    for row, test_inputs in enumerate(("clean", "noisy")):
        for column, train_size in enumerate(sizes):
            axis = axes[row, column]
            panel = select(frame, train_size=train_size, test_inputs=test_inputs)
            for k, method in enumerate(methods):
                look = METHODS[method]
                rows = select(panel, method=method)
                for position, (low, high) in enumerate(classes):
                    inside = rows[(rows["loss_low"] >= low * 0.999) & (rows["loss_high"] <= high * 1.001)]
                    shares = 100 * inside.groupby("seed")["value"].sum()
                    mean, below, above = mean_interval(shares)
                    x = position + 0.16 * (k - (len(methods) - 1) / 2)
                    axis.bar(x, mean, 0.14, color=look.colour, alpha=0.75, label=look.label if position == 0 else None)
                    axis.plot([x, x], [max(below, 0), above], color=INK, linewidth=0.9)
            axis.set_xticks(range(len(classes)), names, rotation=30, ha="right")
            axis.grid(axis="x", visible=False)
            axis.set_title(f"{test_inputs} inputs, n = {train_size}")
            if column == 0:
                axis.set_ylabel("fraction of test samples (%)")
            if row == 1:
                axis.set_xlabel(r"squared error $\times\,10^4$")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(methods))
    return figure


def setting_label(setting: Mapping[str, object]) -> str:
    """A configuration in words, such as "MNIST, 3 layers, n = 100"."""
    words = {
        "dataset": lambda v: dataset_label(str(v)),
        "layers": lambda v: f"{v} layers",
        "train_size": lambda v: f"n = {v}",
        "imbalance_ratio": lambda v: f"ratio {v:g}",
        "label_noise": lambda v: f"{100 * v:.0f} % wrong labels",
    }
    return ", ".join(words[name](value) for name, value in setting.items())


def ratio_forest(
    tests: pd.DataFrame,
    xlabel: str,
    by: Sequence[str] = frames.CONFIGURATION,
    *,
    margin: float = verdicts.MARGIN,
    shared: bool = True,
) -> Figure:
    """Error ratios of one or two methods to each baseline, a panel per baseline, with 95 % intervals; left is better.

    tests: from ``frames.paired_tests``, with the columns ``by`` for the settings, a row of the figure each. shared: all
    panels have one horizontal axis; without it small differences can be seen beside large ones.
    """
    methods, baselines = ([name for name in METHODS if name in set(tests[side])] for side in ("method", "baseline"))
    cells = tests[list(by)].drop_duplicates()
    place = list(DATASETS).index
    cells = cells.sort_values(list(by), key=lambda values: values.map(place) if values.name == "dataset" else values)
    cells = cells.reset_index(drop=True)
    columns = min(len(baselines), 3)
    rows = -(-len(baselines) // columns)
    height = (0.27 * len(cells) + 0.55) * rows + 0.6
    figure, axes = plt.subplots(rows, columns, figsize=(7.6, height), sharex=shared, sharey=True, squeeze=False)
    for axis in axes.flat[len(baselines) :]:
        axis.set_visible(False)
    for position, (axis, baseline) in enumerate(zip(axes.flat, baselines)):
        axis.axvspan(margin, 1 / margin, color=MUTED, alpha=0.15, linewidth=0)
        axis.axvline(1, color=MUTED, linewidth=0.8)
        for k, method in enumerate(methods):
            look = METHODS[method]
            own = cells.merge(select(tests, method=method, baseline=baseline), on=list(by))
            y = np.arange(len(cells)) + 0.36 * (k - (len(methods) - 1) / 2)
            axis.hlines(y, own["low"], own["high"], color=look.colour, linewidth=1.2)
            for y_one, ratio, significant in zip(y, own["ratio"], own["p_holm"] < 0.05):
                face = look.colour if significant else "none"
                axis.plot(ratio, y_one, look.marker, color=look.colour, mfc=face, ms=4.5)
            axis.plot([], [], look.marker, color=look.colour, label=look.label)
        axis.set_xscale("log")
        drawn = tests if shared else select(tests, baseline=baseline)
        wide, narrow = [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3], [0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5]
        plain_ticks(axis.xaxis, wide if drawn["high"].max() > 3 * drawn["low"].min() else narrow)
        axis.grid(axis="y", visible=False)
        axis.set_title(fill(METHODS[baseline].label, 22), fontsize=8.5)
        axis.tick_params(labelbottom=not shared or position + columns >= len(baselines))
    axes[0, 0].set_yticks(range(len(cells)), [setting_label(row) for row in cells.to_dict("records")])
    axes[0, 0].invert_yaxis()
    figure.supxlabel(xlabel, fontsize=9)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(methods))
    return figure


def fixed_point(stream: pd.DataFrame, fixed: np.ndarray, plain_mean: np.ndarray) -> Figure:
    """One weight vector over the updates, a line per component, with E[r x] / E[r] and the plain mean E[x]."""
    figure, axis = plt.subplots(figsize=(7.2, 3.3))
    colours = [METHODS[name].colour for name in ("dual", "gradient_descent", "dual_stabilized")]
    for k, (component, colour) in enumerate(zip(stream.columns[1:], colours)):
        axis.plot(stream["update"], stream[component], color=colour, linewidth=0.9)
        axis.axhline(fixed[k], color=colour, linewidth=1.6, linestyle="-", alpha=0.45)
        axis.axhline(plain_mean[k], color=colour, linewidth=1.2, linestyle=":")
        style.at_end(axis, f"component {k + 1}", fixed[k], colour)
    axis.set_xlabel("update")
    axis.set_ylabel(r"component of $w_1$ (units of $x$)")
    return figure


def plane(samples: pd.DataFrame, path: pd.DataFrame) -> Figure:
    """Two-dimensional inputs of one neuron with its W1, W2 and W = W1 - W2, and the paths of W1 and W2."""
    figure, axis = plt.subplots(figsize=(6.0, 5.2))
    target, other = METHODS["dual"].colour, METHODS["gradient_descent"].colour
    for kind, colour, marker in (("target", target, "o"), ("non-target", other, "x")):
        points = samples[samples["kind"] == kind]
        axis.scatter(points["x1"], points["x2"], s=16, color=colour, marker=marker, alpha=0.45, linewidth=1)
    end = path.iloc[-1]
    for name, colour in (("w1", target), ("w2", other)):
        axis.plot(path[f"{name}_1"], path[f"{name}_2"], color=colour, linewidth=1)
    w = np.array([end["w1_1"] - end["w2_1"], end["w1_2"] - end["w2_2"]])
    arrows = {
        "W1": ((end["w1_1"], end["w1_2"]), target),
        "W2": ((end["w2_1"], end["w2_2"]), other),
        "W = W1 - W2": (tuple(w), INK),
    }
    for label, (tip, colour) in arrows.items():
        axis.annotate(
            "",
            tip,
            (0, 0),
            arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkA": 0, "shrinkB": 0},
        )
        axis.annotate(label, tip, xytext=(6, 6), textcoords="offset points", color=colour, fontweight="bold")
    # The line w.x + b = 0 on which the neuron changes its mind.
    left, right = samples["x1"].min() - 0.5, samples["x1"].max() + 0.5
    x = np.array([left, right])
    axis.plot(x, -(w[0] * x + end["b"]) / w[1], color=MUTED, linestyle="--", linewidth=1.2)
    axis.set_xlim(left, right)
    axis.set_ylim(min(samples["x2"].min(), w[1], 0) - 0.5, max(samples["x2"].max(), w[1]) + 0.6)
    axis.set_aspect("equal")
    axis.set_xlabel(r"$x_1$ (no unit)")
    axis.set_ylabel(r"$x_2$ (no unit)")
    return figure
