"""How diverse the training sets of campaigns that overfit are, and how much they resemble images not trained on.

Scores are of pixels and of embeddings, the features before the last layer of a baseline network of its own seed.
Beside the Vendi score and paper A's weighted form of it, both also class by class, stand two measures that compare a
set with real images without pairing their rows: precision and coverage.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weightspace.campaigns.configuration import common, with_changes
from weightspace.campaigns.registry import Experiment
from weightspace.data import augmentations
from weightspace.experiments.diversity import amount_settings
from weightspace.experiments.diversity.amount_settings import AmountSetsConfiguration
from weightspace.experiments.diversity.protocol import load_images
from weightspace.experiments.diversity.scratch_settings import added_level
from weightspace.experiments.diversity.set_settings import DescribedConfiguration, described_settings, score_rows
from weightspace.measures.resemblance import coverage, precision
from weightspace.measures.vendi import vendi_score, weighted_vendi_score

EXPERIMENT = "diversity_scratch_sets"
SCORED_LEVELS = {"quick": ("", "noise50", "rand_augment"), "laptop": ("", *augmentations.ALL)}
"""Augmentation levels whose training sets are scored; ``""`` for the images as they are."""


def configurations(scale: str, seeds: int) -> list[DescribedConfiguration]:
    shared = described_settings(EXPERIMENT, scale)
    return [
        DescribedConfiguration(**shared, seed=seed, augmentation=level)
        for seed in range(seeds)
        for level in SCORED_LEVELS[scale]
    ]


def compute(group: list[DescribedConfiguration], device: str) -> pd.DataFrame:
    """Scores of the sets of one seed, as the network sees them in the first epoch."""
    from weightspace.experiments.diversity.compute.amount_runs import synthetic_set  # PyTorch: takes seconds
    from weightspace.experiments.diversity.compute.image_runs import trainer, vectors

    first = common(group, "augmentation", "synthetic_fraction", "added", "generator")
    images, size = load_images(first.dataset), first.train_size
    clean, labels = images.x[:size], images.y[:size]
    run = trainer(with_changes(first, {"seed": first.embedding_seeds + first.seed}), device)
    for epoch in range(1, first.epochs + 1):
        run.train_epoch(clean, labels, epoch)
    originals = vectors(run, clean)
    references = vectors(run, images.x[size : size + first.reference_size])
    rows = []
    for c in group:
        x, y = clean, labels
        if isinstance(c, AmountSetsConfiguration) and c.uses_synthetic:
            x, y = synthetic_set(c, device)
        elif c.augmentation:
            x = augmentations.augment(clean, c.augmentation, c.seed, 1)
        for of, X in vectors(run, x).items():
            found = set_scores(X, originals[of], references[of], y, c.neighbours)
            rows += score_rows(c, of, found)
    return pd.DataFrame(rows).assign(**images.origin)


def set_scores(
    X: NDArray, originals: NDArray, references: NDArray, labels: NDArray[np.int64], k: int
) -> dict[str, float]:
    """Scores of a set of features X with these labels.

    originals: features of the unchanged samples, row by row, for the weighted score; where X has several sets of
    them, each is held against the same originals. references: features of real samples that nothing was made from.
    The per-class scores are means over classes, each with the rows of its label.
    """
    near = {"precision": precision(X, references, k), "coverage": coverage(X, references, k)}
    return diversity_scores(X, originals, labels) | near


def diversity_scores(X: NDArray, originals: NDArray, labels: NDArray[np.int64]) -> dict[str, float]:
    """The Vendi score and the weighted one, over all rows and as means over classes; arguments as above."""
    pairs = np.tile(originals, (len(X) // len(originals), 1))
    classes = [labels == label for label in np.unique(labels)]
    return {
        "vendi": vendi_score(X),
        "weighted_vendi": weighted_vendi_score(X, pairs),
        "vendi_per_class": float(np.mean([vendi_score(X[own]) for own in classes])),
        "weighted_vendi_per_class": float(np.mean([weighted_vendi_score(X[own], pairs[own]) for own in classes])),
    }


EXPERIMENTS = [
    Experiment(
        EXPERIMENT,
        "Diversity and resemblance of the training sets of networks that overfit",
        {"quick": 2, "laptop": 10},
        configurations,
        ("seed",),
        compute,
        ("cpu", "cuda"),
        extra=added_level,
    ),
    Experiment(
        amount_settings.SETS,
        "Diversity and resemblance of training sets with synthetic images",
        {"quick": 1, "laptop": 5},
        amount_settings.set_configurations,
        ("seed",),
        compute,
        ("cpu", "cuda"),
    ),
]
