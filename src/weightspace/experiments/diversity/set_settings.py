"""A training set that is described, and the network whose features describe it: where networks overfit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from weightspace.campaigns.configuration import LATER, STRICT, Count, Seed, Settings, dataclass
from weightspace.data import augmentations
from weightspace.experiments.diversity.protocol import ImageConfiguration, ResNetConfiguration, image_counts
from weightspace.experiments.diversity.scratch_settings import SCALES

REFERENCES = {"laptop": 2_000, "quick": 64}
"""Number of real images that a set is compared with."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SetConfiguration(ImageConfiguration):
    """A training set of ``diversity_from_scratch``.

    augmentation: a level of ``augmentations.ALL``, or ``""`` for the images as they are.
    """

    augmentation: Literal[("", *augmentations.ALL)]  # type: ignore[valid-type]

    @property
    def setting(self) -> str:
        """As in ``diversity_from_scratch``: the level, ``baseline`` for the images as they are."""
        return self.augmentation or "baseline"


def score_rows(configuration: SetConfiguration, of: str, scores: Mapping[str, float]) -> list[dict[str, object]]:
    """The rows of a set on record; of: what was scored, such as ``pixels``."""
    c = configuration
    identity = {"dataset": c.dataset, "setting": c.setting, "seed": c.seed, "run_key": c.run_key, "of": of}
    return [identity | {"metric": metric, "value": value} for metric, value in scores.items()]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DescribedConfiguration(ResNetConfiguration, SetConfiguration):
    """A training set, and the network whose features describe it.

    reference_size: number of real
    images that the set is compared with, those behind the training images. neighbours: the k of ``precision`` and
    ``coverage``. All else is of the network, which is trained without a regularizer; embedding_seeds: that of seed s
    has seed embedding_seeds + s.
    """

    reference_size: Count
    neighbours: Count
    dropout: ClassVar[float] = 0.0
    embedding_seeds: Annotated[Seed, LATER] = 9000

    @model_validator(mode="after")
    def _has_references(self) -> DescribedConfiguration:
        left = image_counts(self.dataset)[0] - self.train_size
        if self.reference_size > left:
            raise ValueError(
                f"reference_size: behind the training images {self.dataset} has {left:,}, got {self.reference_size:,}"
            )
        if self.neighbours >= self.reference_size:
            raise ValueError(f"neighbours must be below reference_size, {self.reference_size}, got {self.neighbours}")
        return self


def described_settings(experiment: str, scale: str, dataset: str | None = None) -> Settings:
    """What the sets of an experiment at one scale share: the network is a baseline of ``diversity_from_scratch``."""
    names = ("train_size", "width", "epochs", "batch_size", "lr")
    return {
        **{name: SCALES[scale][name] for name in names},
        "experiment": experiment,
        "protocol": 1,
        "dataset": dataset or SCALES[scale].get("dataset", "cifar10"),
        "precision": "float32",
        "optimizer": "adam",
        "weight_decay": 0.0,
        "reference_size": REFERENCES[scale],
        "neighbours": 5,
    }
