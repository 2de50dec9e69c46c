"""How diverse the training sets of ``diversity_from_scratch`` are, and how much they resemble images not trained on.

Scores are of pixels and of embeddings, the features before the last layer of a baseline network of its own seed.
Beside the Vendi score and paper A's weighted form of it, both also class by class, stand two measures that compare a
set with real images without pairing their rows: precision and coverage.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import model_validator

from weightspace.campaigns.configuration import LATER, STRICT, Count, Seed, common, dataclass, with_changes
from weightspace.campaigns.registry import Experiment
from weightspace.data import augmentations
from weightspace.experiments.diversity.protocol import ResNetConfiguration, image_counts, load_images
from weightspace.experiments.diversity.scratch_settings import SCALES, added_level
from weightspace.measures.resemblance import coverage, precision
from weightspace.measures.vendi import vendi_score, weighted_vendi_score

EXPERIMENT = "diversity_scratch_sets"
REFERENCES = {"laptop": 2_000, "quick": 64}
"""Number of real images that a set is compared with."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FittedSetsConfiguration(ResNetConfiguration):
    """A training set, and the network whose features describe it.

    augmentation: a level of ``augmentations.ALL``, or ``""`` for the images as they are. reference_size: number of real
    images that the set is compared with, those behind the training images. neighbours: the k of ``precision`` and
    ``coverage``. All else is of the network, which is trained without a regularizer; embedding_seeds: that of seed s
    has seed embedding_seeds + s.
    """

    dropout: ClassVar[float] = 0.0
    augmentation: Literal[("", *augmentations.ALL)]  # type: ignore[valid-type]
    reference_size: Count
    neighbours: Count
    embedding_seeds: Annotated[Seed, LATER] = 9000

    @model_validator(mode="after")
    def _has_references(self) -> FittedSetsConfiguration:
        left = image_counts(self.dataset)[0] - self.train_size
        if self.reference_size > left:
            raise ValueError(
                f"reference_size: behind the training images {self.dataset} has {left:,}, got {self.reference_size:,}"
            )
        if self.neighbours >= self.reference_size:
            raise ValueError(f"neighbours must be below reference_size, {self.reference_size}, got {self.neighbours}")
        return self

    @property
    def setting(self) -> str:
        """As in ``diversity_from_scratch``: the level, ``baseline`` for the images as they are."""
        return self.augmentation or "baseline"


def configurations(scale: str, seeds: int) -> list[FittedSetsConfiguration]:
    sizes = {name: SCALES[scale][name] for name in ("train_size", "width", "epochs", "batch_size", "lr")}
    shared: dict[str, Any] = {"experiment": EXPERIMENT, "protocol": 1, "precision": "float32"} | sizes
    shared |= {"dataset": SCALES[scale].get("dataset", "cifar10"), "optimizer": "adam", "weight_decay": 0.0}
    shared |= {"reference_size": REFERENCES[scale], "neighbours": 5}
    levels = ("", "noise50", "rand_augment") if scale == "quick" else ("", *augmentations.ALL)
    return [
        FittedSetsConfiguration(**shared, seed=seed, augmentation=level) for seed in range(seeds) for level in levels
    ]


def compute(group: list[FittedSetsConfiguration], device: str) -> pd.DataFrame:
    """Scores of the sets of one seed, as the network sees them in the first epoch."""
    from weightspace.experiments.diversity.compute.image_runs import trainer, vectors  # PyTorch: takes seconds

    first = common(group, "augmentation")
    images, size = load_images(first.dataset), first.train_size
    clean, labels = images.x[:size], images.y[:size]
    run = trainer(with_changes(first, {"seed": first.embedding_seeds + first.seed}), device)
    for epoch in range(1, first.epochs + 1):
        run.train_epoch(clean, labels, epoch)
    originals = vectors(run, clean)
    references = vectors(run, images.x[size : size + first.reference_size])
    rows = []
    for c in group:
        x = augmentations.augment(clean, c.augmentation, c.seed, 1) if c.augmentation else clean
        identity = {"dataset": c.dataset, "setting": c.setting, "seed": c.seed, "run_key": c.run_key}
        for of, X in vectors(run, x).items():
            found = set_scores(X, originals[of], references[of], labels, c.neighbours)
            rows += [identity | {"of": of, "metric": metric, "value": value} for metric, value in found.items()]
    return pd.DataFrame(rows).assign(**images.origin)


def set_scores(
    X: NDArray, originals: NDArray, references: NDArray, labels: NDArray[np.int64], k: int
) -> dict[str, float]:
    """Scores of a set of features X; originals: of the unchanged samples, row by row; references: of real samples.

    The per-class scores are means over classes, each with the rows of its label.
    """
    classes = [labels == label for label in np.unique(labels)]
    return {
        "vendi": vendi_score(X),
        "weighted_vendi": weighted_vendi_score(X, originals),
        "vendi_per_class": float(np.mean([vendi_score(X[own]) for own in classes])),
        "weighted_vendi_per_class": float(np.mean([weighted_vendi_score(X[own], originals[own]) for own in classes])),
        "precision": precision(X, references, k),
        "coverage": coverage(X, references, k),
    }


EXPERIMENTS = [
    Experiment(
        EXPERIMENT,
        "Diversity and resemblance of the training sets of networks that overfit",
        {"quick": 1, "laptop": 10},
        configurations,
        ("seed",),
        compute,
        ("cpu", "cuda"),
        extra=added_level,
    )
]
