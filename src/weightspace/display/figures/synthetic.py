"""Figures of the experiment with synthetic images. Each function draws and returns a matplotlib figure."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from weightspace.analysis.frames import select
from weightspace.display.labels import setting_label
from weightspace.display.style import INK, METHODS, MUTED
from weightspace.experiments.diversity.synthetic_settings import AUGMENTATIONS, SHARES, SYNTHETIC
from weightspace.measures.statistics import mean_interval
from weightspace.names import OUTCOME_LABELS

CLASSES = {
    "fashion_mnist": "T-shirt trouser pullover dress coat sandal shirt sneaker bag boot".split(),
    "cifar10": "airplane car bird cat deer dog frog horse ship truck".split(),
}
"""Names of the classes by data set; others are numbered."""
_SETS = {"baseline": "training images", "held_out": "other test images", "random": "random bytes"}
"""Sets without a setting of their own."""
FIDELITY = {
    "accuracy_percent": "judge is right (%)",
    "frechet": "Frechet distance of features",
    "nearest": "nearest training image",
}
"""What says how real the images of a set are: metric -> words."""
SHOWN = ("clean_accuracy", "corruption_accuracy", "ece")


def samples(generator: pd.DataFrame, rows: int = 4) -> Figure:
    """Synthetic images of every class, and under each the training image nearest to it.

    generator: records of ``diversity_synthetic_generator``.
    """
    names = CLASSES.get(generator["dataset"].iloc[0], range(100))
    pictures = select(generator, metric="picture").set_index(["label", "position", "inputs"])["image"].sort_index()
    labels = sorted(set(pictures.index.get_level_values("label")))
    rows = min(rows, 1 + max(pictures.index.get_level_values("position")))
    figure, axes = plt.subplots(
        2 * rows, len(labels), figsize=(0.82 * len(labels) + 0.6, 1.62 * rows), squeeze=False, layout="none"
    )
    for column, label in enumerate(labels):
        for row in range(rows):
            for inputs, axis in zip(("synthetic", "nearest"), axes[2 * row : 2 * row + 2, column]):
                axis.set_xticks([])
                axis.set_yticks([])
                axis.grid(visible=False)
                for spine in axis.spines.values():
                    spine.set(visible=True, color=INK if inputs == "synthetic" else MUTED, linewidth=0.8)
                if (label, row, inputs) in pictures.index:
                    axis.imshow(np.asarray(Image.open(io.BytesIO(pictures[label, row, inputs]))))
                if column == 0:
                    axis.set_ylabel("made" if inputs == "synthetic" else "nearest", fontsize=7, rotation=90)
        axes[0, column].set_title(names[label], fontsize=7.5)
    figure.subplots_adjust(0.04, 0.01, 0.995, 0.95, wspace=0.06, hspace=0.06)
    return figure


def generator_losses(generator: pd.DataFrame) -> Figure:
    """Flow matching loss along training, of training and of held-out images, every seed a line."""
    figure, axis = plt.subplots(figsize=(5.6, 3.0))
    looks = {
        "train_clean": ("training images", INK, "-", -6),
        "test": ("held-out images", METHODS["div"].colour, "--", 6),
    }
    losses = select(generator, metric="loss")
    for inputs, (label, colour, dash, above) in looks.items():
        lines = [own.sort_values("epoch") for _, own in select(losses, inputs=inputs).groupby("seed")]
        for own in lines:
            axis.plot(own["epoch"], own["value"], color=colour, linestyle=dash, linewidth=1.1)
        end = (losses["epoch"].max(), np.mean([own["value"].iloc[-1] for own in lines]))
        axis.annotate(label, end, (6, above), textcoords="offset points", color=colour, va="center")
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:.1g}")
    axis.set_xlabel("epoch of the generator")
    axis.set_ylabel("loss (mean squared error)")
    axis.margins(x=0.02)
    axis.set_xlim(right=1.35 * losses["epoch"].max())
    return figure


def set_label(setting: str) -> str:
    """A training set or a set to compare with, in words."""
    return _SETS.get(setting) or setting_label(setting)


def fidelity(sets: pd.DataFrame) -> Figure:
    """How real the images of every set are: three panels, a row per set, means with 95 % t intervals over seeds.

    sets: records of ``diversity_synthetic_sets``.
    """
    order = ["baseline", "held_out", *SYNTHETIC, *AUGMENTATIONS, "random"]
    names = [name for name in order if name in set(sets["setting"])]
    figure, axes = plt.subplots(1, len(FIDELITY), figsize=(9.4, 0.24 * len(names) + 1.1), sharey=True)
    for axis, (metric, title) in zip(axes, FIDELITY.items()):
        for place, setting in enumerate(names):
            mean, low, high = mean_interval(select(sets, metric=metric, setting=setting)["value"])
            colour = MUTED if setting in ("held_out", "random") else INK
            if setting in AUGMENTATIONS:
                colour = METHODS["div"].colour
            axis.plot([low, high], [place, place], color=colour, linewidth=1)
            axis.plot(mean, place, "o", color=colour, markersize=4)
        axis.set_title(title, fontsize=9)
        axis.set_xlim(left=0)
    axes[1].set_xscale("log")  # noise is a hundred times as far as all else
    axes[1].set_xlim(left=0.1)
    axes[0].set_yticks(range(len(names)), [set_label(name) for name in names])
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def by_fraction(outcomes: pd.DataFrame) -> Figure:
    """Outcomes against the share of synthetic images with 95 % t intervals; augmentations beside them.

    outcomes: from ``diversity_outcomes.outcomes``. Grey: real images alone, every seed.
    """
    figure, axes = plt.subplots(1, len(SHOWN), figsize=(9.4, 3.1))
    settings = ["baseline", *SYNTHETIC]
    for axis, name in zip(axes, SHOWN):
        main = select(outcomes, arm="main")
        points = [mean_interval(select(main, setting=setting)[name]) for setting in settings]
        mean, low, high = np.array(points).T
        every = mean_interval(select(outcomes, setting="baseline")[name])
        axis.axhspan(every[1], every[2], color=MUTED, alpha=0.18, linewidth=0)
        axis.vlines([0, *SHARES], low, high, color=INK, linewidth=1.1)
        axis.plot([0, *SHARES], mean, "o-", color=INK, markersize=4)
        for place, augmentation in enumerate(AUGMENTATIONS, 1):
            mean, low, high = mean_interval(select(main, setting=augmentation)[name])
            at = 1.04 + 0.14 * place
            axis.vlines(at, low, high, color=METHODS["div"].colour, linewidth=1.1)
            axis.plot(at, mean, "o", color=METHODS["div"].colour, markersize=4)
        ticks = [0, *SHARES] + [1.04 + 0.14 * place for place in range(1, len(AUGMENTATIONS) + 1)]
        axis.set_xticks(
            ticks, [f"{share:g}" for share in (0, *SHARES)] + [setting_label(a) for a in AUGMENTATIONS], fontsize=7
        )
        for tick in axis.get_xticklabels()[-len(AUGMENTATIONS) :]:
            tick.set(rotation=90, color=METHODS["div"].colour)
        axis.set_title(f"{OUTCOME_LABELS[name]} (%)")
        axis.set_xlabel("share of synthetic images")
    return figure
