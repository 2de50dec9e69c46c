"""How diverse the training sets are: Vendi scores of what each augmentation level makes of the same images.

Scores are of pixels and of embeddings, the features before the last layer of a baseline network of its own seed,
trained with the recipe of the campaign and used for nothing else. The weighted score compares a set with the images as
they are, row by row (paper A's proposed metric, there of embeddings).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import model_validator

from weightspace.campaigns.configuration import LATER, STRICT, Count, Seed, common, dataclass, with_changes
from weightspace.campaigns.registry import Experiment
from weightspace.data.augmentations import LEVELS
from weightspace.experiments.diversity.cifar10_settings import RECIPE
from weightspace.experiments.diversity.protocol import Dropout, Level, ResNetConfiguration, load_images, shared_settings
from weightspace.measures.vendi import vendi_score, weighted_vendi_score

SET_SIZE = {"paper": 5_000, "laptop": 1_000, "quick": 32}
"""Number of images, the first of the training set; a score can be no larger."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SetsConfiguration(ResNetConfiguration):
    """A training set, and the network whose features describe it.

    augmentation: a level of ``augmentations.LEVELS``, or ``""`` for the images as they are; arm: ``single``, or
    ``cumulative`` for the level on top of those before it. set_size: number of images, the first of the training set.
    All else is of the network; dropout: fraction of outputs set to 0 after every block; embedding_seeds: the network
    of seed s has seed embedding_seeds + s.
    """

    arm: Literal["single", "cumulative"]
    augmentation: Level
    set_size: Count
    dropout: Dropout
    embedding_seeds: Annotated[Seed, LATER] = 9000

    @model_validator(mode="after")
    def _is_a_set(self) -> SetsConfiguration:
        if self.set_size > self.train_size:
            raise ValueError(f"set_size must be at most train_size, {self.train_size}, got {self.set_size}")
        if self.arm == "cumulative" and self.augmentation not in LEVELS[1:]:
            raise ValueError(f"arm cumulative is of augmentation levels above the first, got {self.augmentation!r}")
        return self


def configurations(scale: str, seeds: int) -> list[SetsConfiguration]:
    sets = [("single", ""), *(("single", level) for level in LEVELS), *(("cumulative", level) for level in LEVELS[1:])]
    shared: dict[str, Any] = shared_settings("diversity_sets", scale) | RECIPE[scale]
    shared |= {"set_size": SET_SIZE[scale], "dropout": 0.0, "weight_decay": 0.0}
    return [
        SetsConfiguration(**shared | {"arm": arm, "augmentation": level}, seed=seed)
        for seed in range(seeds)
        for arm, level in sets
    ]


def compute(group: list[SetsConfiguration], device: str) -> pd.DataFrame:
    """Scores of the sets of one seed, as the network sees them in the first epoch."""
    from weightspace.experiments.diversity.compute.image_runs import (  # PyTorch: takes seconds
        trainer,
        training_images,
        vectors,
    )

    first = common(group, "arm", "augmentation")
    images, size = load_images(first.dataset), first.train_size
    run = trainer(with_changes(first, {"seed": first.embedding_seeds + first.seed}), device)
    for epoch in range(1, first.epochs + 1):
        run.train_epoch(images.x[:size], images.y[:size], epoch)
    number = first.set_size
    originals = vectors(run, images.x[:number])
    rows = []
    for c in group:
        x = training_images(c.dataset, number, c.augmentation, c.arm == "cumulative", c.seed, 1)
        identity = {name: getattr(c, name) for name in ("dataset", "arm", "augmentation", "seed")}
        for of, X in vectors(run, x).items():
            scores = {"vendi": vendi_score(X), "weighted_vendi": weighted_vendi_score(X, originals[of])}
            for metric, value in scores.items():
                found = {"of": of, "metric": metric, "value": value, "run_key": c.run_key}
                rows.append(identity | found | images.origin)
    return pd.DataFrame(rows)


EXPERIMENTS = [
    Experiment(
        "diversity_sets",
        "Vendi scores of the training sets",
        {"quick": 1, "laptop": 3, "paper": 5},
        configurations,
        ("seed",),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
