"""The two figures of the landing page, one per question, and the picture that a link to the book shows."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.analysis import frames
from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_effects import BASELINE, MATRIX
from weightspace.display.figures.curves import label_lines, plain_ticks
from weightspace.display.figures.regularizers import LOOKS, pooled
from weightspace.display.labels import setting_label
from weightspace.display.style import HTML, METHODS, MUTED, show
from weightspace.names import dataset_label

SHOWN = ("gradient_descent", "dual", "dual_stabilized")
REGRESSION = {"dataset": "california_housing", "layers": 3, "train_size": 100}
CLASSIFICATION = {"dataset": "fashion_mnist", "layers": 3, "train_size": 100}
LAYER = "layer4.1.conv2"
LEVELS = ("dropout_0.3", "rand_augment", "weight_decay_0.005")
"""A level of each regularizer; the chapter shows the others."""
SIZE = (4.4, 2.1)
"""Inches. The letters can be read where a telephone shows the whole drawing."""


def _curves(axis: Axes, frame: pd.DataFrame, title: str) -> None:
    own = select(frame, test_inputs="clean")
    for method in SHOWN:
        look, line = METHODS[method], frames.summarize(select(own, method=method), ["turn"])
        axis.fill_between(line["turn"], line["low"], line["high"], color=look.colour, alpha=0.2, linewidth=0)
        axis.plot(line["turn"], line["mean"], color=look.colour, linestyle=look.dash)
    axis.set_xticks(sorted(own["turn"].unique()))
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("turn of 10,000 updates")


def _ends(frame: pd.DataFrame) -> np.ndarray:
    last = frames.last_turn(frame)
    return np.array([frames.mean_of(last, method=method) for method in SHOWN])


def draw_dual(error: Axes, accuracy: Axes, regression: pd.DataFrame, classification: pd.DataFrame) -> None:
    """The learning curves of one setting of each kind: test error, and test accuracy; means with 95 % bands."""
    regression, classification = select(regression, **REGRESSION), select(classification, **CLASSIFICATION)
    _curves(error, regression, f"{dataset_label(REGRESSION['dataset'])}\ntest error")
    error.set_yscale("log")
    plain_ticks(error.yaxis, [30, 40, 50, 60, 80, 100, 150, 200, 300])
    _curves(accuracy, classification, f"{dataset_label(CLASSIFICATION['dataset'])}\ntest accuracy (%)")
    ends = _ends(classification)
    accuracy.set_ylim(ends.mean() - 5, ends.mean() + 5)  # differences of less than a point should look like it
    label_lines(accuracy, SHOWN, ends, gap=0.11)


def draw_densities(axis: Axes, runs: pd.DataFrame) -> None:
    """Densities of the eigenvalues of one layer with its batch norm, without a regularizer and under three of them."""
    own = select(runs, layer=LAYER, batch_norm="folded", unfolding=MATRIX)
    own = select(own, epoch=own["epoch"].max())
    decades = {name: np.log10(pooled(select(own, setting=name))[0]) for name in (BASELINE, *LEVELS)}
    every = np.concatenate(list(decades.values()))
    edges = np.linspace(every.min(), every.max(), 60)
    heights = {name: np.histogram(values, edges, density=True)[0] for name, values in decades.items()}
    axis.stairs(heights[BASELINE], edges, color=MUTED, alpha=0.35, fill=True, label="no regularizer")
    for name in LEVELS:
        look = LOOKS[select(own, setting=name)["category"].iloc[0]]
        axis.stairs(heights[name], edges, color=look.colour, linestyle=look.dash, label=setting_label(name))
    axis.set_title("Eigenvalues of a late layer, with its batch norm", fontsize=9)
    axis.set_xlabel("eigenvalue")
    axis.set_ylabel("density per decade")
    axis.xaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
    axis.xaxis.set_major_locator(plt.MaxNLocator(6, integer=True))
    axis.legend(loc="upper left", handlelength=1.2)


def dual_weights(regression: pd.DataFrame, classification: pd.DataFrame) -> HTML:
    """The figure under the question on dual weights."""
    figure, axes = plt.subplots(1, 2, figsize=SIZE)
    draw_dual(*axes, regression, classification)
    return show(
        figure,
        "hero-dual",
        alt="Two panels of curves over six turns. In regression both dual methods end at a lower test error than "
        "gradient descent. In classification the three curves end at nearly the same accuracy.",
        frame=regression,
    )


def densities(runs: pd.DataFrame) -> HTML:
    """The figure under the question on data diversity."""
    figure, axis = plt.subplots(figsize=SIZE)
    draw_densities(axis, runs)
    return show(
        figure,
        "hero-densities",
        alt="Four densities of eigenvalues on a logarithmic axis. Under dropout and RandAugment the bulk moves to "
        "smaller values by about the same amount; under weight decay it spreads over three powers of ten.",
        frame=runs,
    )


def preview(title: str, regression: pd.DataFrame, classification: pd.DataFrame, runs: pd.DataFrame) -> bytes:
    """The picture for links, 1,200 x 630 pixels, as PNG: the title and both figures."""
    figure: Figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    with plt.rc_context({"font.size": 12}):
        figure.suptitle(title, fontsize=25, fontweight="bold", x=0.02, ha="left")
        axes = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
        draw_dual(axes[0], axes[1], regression, classification)
        draw_densities(axes[2], runs)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", facecolor="white")
    plt.close(figure)
    return stream.getvalue()
