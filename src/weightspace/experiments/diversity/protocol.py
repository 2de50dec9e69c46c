"""What the training experiments of paper A share: images, sizes per scale, and the settings of a training run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from weightspace import data
from weightspace.campaigns.configuration import (
    LATER,
    STRICT,
    Configuration,
    Count,
    NotNegative,
    Positive,
    Settings,
    dataclass,
)
from weightspace.data import augmentations, image_folders

SIZES: dict[str, Settings] = {
    "paper": {"dataset": "cifar10", "width": 64, "train_size": 50_000, "epochs": 10},
    "laptop": {"dataset": "cifar10", "width": 16, "train_size": 10_000, "epochs": 3},
    "quick": {"dataset": "digits", "width": 8, "train_size": 128, "epochs": 1},
}
"""Per scale: channels of the first stage of the network, number of training images (the first of the file), epochs."""

PRECISION = {"paper": "bfloat16 autocast", "laptop": "float32", "quick": "float32"}


def shared_settings(experiment: str, scale: str, sizes: dict[str, Settings] = SIZES) -> Settings:
    """What every run of an experiment at one scale has in common: its name, the sizes, the precision."""
    # The protocol is raised when a change of the code changes what a run measures.
    return {"experiment": experiment, "protocol": 1, **sizes[scale], "precision": PRECISION[scale]}


def by_scale(scales: Sequence[str], table: Mapping[str, Sequence[Any]]) -> dict[str, Settings]:
    """The settings of each scale, from a table with a row per setting; None stands for the default of a setting."""
    columns = (zip(table, column) for column in zip(*table.values(), strict=True))
    return {scale: {n: value for n, value in own if value is not None} for scale, own in zip(scales, columns)}


SLICES, MATRIX = "slices", "(out, in k)"
"""Unfoldings of a convolution, see ``compute.image_runs.spectra``."""

DIGITS_TEST_SIZE = 500
"""The digits have no test part of their own: the last ones are for tests."""

TEST_SIZES = {"cifar10": 10_000, "fashion_mnist": 10_000, "mnist": 10_000, "digits": DIGITS_TEST_SIZE}
"""Test images of the sets that come with the package."""


def image_counts(dataset: str) -> tuple[int, int]:
    """Number of training and of test images. ``ValueError`` for what is neither a known set nor a folder of images."""
    if dataset in TEST_SIZES:
        rows = data.REGISTRY[dataset].rows - (DIGITS_TEST_SIZE if dataset == "digits" else 0)
        return rows, TEST_SIZES[dataset]
    if dataset not in data.REGISTRY and (found := image_folders.counts(dataset)):
        return found
    raise ValueError(
        f"dataset must be one of {', '.join(TEST_SIZES)} or a folder of images in the folder that {data.VARIABLE} "
        f"names, got {dataset!r}"
    )


def image_side(dataset: str) -> int:
    """Width and height of the images of a set, in pixels."""
    return 32 if dataset in TEST_SIZES else image_folders.SIDE


Precision = Literal["float32", "bfloat16 autocast"]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Level = Literal[("", *augmentations.LEVELS)]  # type: ignore[valid-type]
Epochs = Annotated[tuple[Count, ...], Field(min_length=1)]
Severities = Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ImageConfiguration(Configuration):
    """Images that something is trained on.

    dataset: ``cifar10``, ``fashion_mnist``, ``mnist``, ``digits``, or the name of a folder of images in the folder of
    data sets. train_size: number of training images, the first of the file. precision: of the forward and the backward
    pass; weights, gradients and the optimizer are float32.
    """

    dataset: str
    train_size: Count
    precision: Precision

    @model_validator(mode="after")
    def _enough_images(self) -> ImageConfiguration:
        self._check_size("train_size", image_counts(self.dataset)[0], "training")
        return self

    def _check_size(self, name: str, number: int, kind: str) -> None:
        """``ValueError`` if a size is larger than the number of images there are."""
        if (size := getattr(self, name)) > number:
            raise ValueError(f"{name}: {self.dataset} has {number:,} {kind} images, got {size:,}")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrainingConfiguration(ImageConfiguration):
    """A classifier trained by mini-batches.

    epochs: passes over the training images; batch_size: images per update, what is left of an epoch is left out.
    optimizer: ``adam`` or ``sgd`` (momentum 0.9); lr: its learning rate, constant. weight_decay: coupled L2, added to
    every gradient.
    """

    epochs: Count
    batch_size: Count
    optimizer: Literal["adam", "sgd"]
    lr: Positive
    weight_decay: NotNegative

    @model_validator(mode="after")
    def _whole_batch(self) -> TrainingConfiguration:
        if self.batch_size > self.train_size:
            raise ValueError(f"batch_size must be at most train_size, {self.train_size}, got {self.batch_size}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ResNetConfiguration(TrainingConfiguration):
    """A ResNet-18 from scratch. width: channels of its first stage."""

    width: Count


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PretrainedConfiguration(TrainingConfiguration):
    """A pretrained network with a new head. resolution: side in pixels that images are resized to (CLIP: 224)."""

    model: Literal["efficientnet_lite0", "resnet18", "clip_rn50", "clip_vit_b32"]
    resolution: Annotated[int, Field(ge=32)]

    @model_validator(mode="after")
    def _resolution_fits(self) -> PretrainedConfiguration:
        if self.model.startswith("clip") and self.resolution != 224:
            raise ValueError(f"resolution: {self.model} takes 224 only, got {self.resolution}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RegularizedConfiguration(TrainingConfiguration):
    """A training run with at most one regularizer.

    dropout: fraction of the outputs set to 0 after every block. augmentation: a level of ``augmentations.LEVELS``, or
    ``""`` for images as they are. setting, category: which regularizer that is, in words: ``baseline``,
    ``dropout_0.1``, ``weight_decay_0.001`` or the level; they must be those of the values.
    """

    dropout: Dropout
    augmentation: Level
    setting: str
    category: str

    @model_validator(mode="after")
    def _is_called_what_it_is(self) -> RegularizedConfiguration:
        check_names(self)
        return self

    def regularizers(self) -> list[tuple[str, str]]:
        """Setting and category of every regularizer that is on."""
        return explicit_regularizers(self) + ([(self.augmentation, "augmentation")] if self.augmentation else [])


def explicit_regularizers(configuration: Any) -> list[tuple[str, str]]:
    """Setting and category of dropout and of weight decay, as far as they are on."""
    found = [(name, getattr(configuration, name)) for name in ("dropout", "weight_decay")]
    return [(f"{name}_{value}", name) for name, value in found if value]


def check_names(configuration: Any) -> None:
    """``ValueError`` if setting and category are not those of the regularizers, or more than one of these is on."""
    c, found = configuration, configuration.regularizers()
    if len(found) > 1:
        raise ValueError(f"setting has one regularizer at most, got {' and '.join(name for name, _ in found)}")
    setting, category = found[0] if found else ("baseline", "baseline")
    if (c.setting, c.category) != (setting, category):
        names = ("dropout", "weight_decay", "augmentation", "synthetic_share")
        values = ", ".join(f"{name} {getattr(c, name)!r}" for name in names if hasattr(c, name))
        raise ValueError(
            f"setting and category must be {setting} and {category} for {values}, got {c.setting} and {c.category}"
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CampaignConfiguration(RegularizedConfiguration):
    """A run of a training campaign, with what is measured of it.

    arm: the part of the campaign; ``cumulative`` has augmentation levels on top of one another, and initial spectra are
    those of baselines in the arms ``main`` and ``independent``. test_size: number of test images (the first of the
    file), after every epoch; and of training images, where there are as many. corruption_size: of test images under
    fifteen corruptions at the severities (1 to 5), at the end. spectra_epochs: epochs after which spectra are taken.
    """

    arm: str
    test_size: Count
    corruption_size: Count
    spectra_epochs: Epochs
    severities: Annotated[Severities, LATER] = (1, 2, 3, 4, 5)

    @model_validator(mode="after")
    def _can_be_measured(self) -> CampaignConfiguration:
        for name in ("test_size", "corruption_size"):
            self._check_size(name, image_counts(self.dataset)[1], "test")
        if max(self.spectra_epochs) > self.epochs:
            raise ValueError(f"spectra_epochs must not lie beyond epochs, {self.epochs}, got {self.spectra_epochs}")
        if self.arm == "independent" and self.setting != "baseline":
            raise ValueError(f"arm independent is of baselines only, got setting {self.setting}")
        return self


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
    """Images ``[n, side, side, 3]`` of bytes with labels, and the test part. origin: where the data are from."""

    x: NDArray[np.uint8]
    y: NDArray[np.int64]
    test_x: NDArray[np.uint8]
    test_y: NDArray[np.int64]
    origin: dict[str, str]


@lru_cache(maxsize=2)
def load_images(dataset: str) -> Images:
    """CIFAR-10 as it is; grey sets in three equal colours: 28x28 in a black border, the 8x8 digits magnified.

    A name that the registry of data sets has not is that of a folder of images.
    """
    raw: Any = data.load(dataset) if dataset in data.REGISTRY else image_folders.load(dataset)
    origin = {"data_digest": raw.digest, "data_variant": raw.variant}
    if dataset == "digits":
        x = _three_colours(np.kron((raw.x * (255 / 16)).astype(np.uint8), np.ones((4, 4), np.uint8)))
        first = len(x) - DIGITS_TEST_SIZE
        return Images(x[:first], raw.y[:first], x[first:], raw.y[first:], origin)
    x, test_x = raw.x, raw.test_x
    if x.ndim == 3:
        x, test_x = (_three_colours(np.pad(grey, ((0, 0), (2, 2), (2, 2)))) for grey in (x, test_x))
    return Images(x, raw.y, test_x, raw.test_y, origin)


def _three_colours(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=3)
