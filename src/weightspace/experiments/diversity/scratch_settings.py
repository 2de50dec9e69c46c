"""Paper A in the regime in which networks overfit: classifiers from scratch on few images, trained until they fit them.

A network that has not fitted its training images has nothing that a regularizer could hold back. So the networks here
see 2,000 images for 40 epochs: without a regularizer they answer right on every training image and on fewer than half
of the test images. The settings are paper A's 21 (the baseline, dropout, weight decay, ten augmentation levels), and
ours: weaker dropout, our augmentation levels (flip and crop, which nearly everybody uses), and dropout with weight
decay.

All settings of a seed share initial weights and data order. The baseline is run several times per seed (``replicate``:
another order of the same images), because a single baseline would be most of the noise of every comparison with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from weightspace.campaigns.configuration import (
    LATER,
    STRICT,
    Configuration,
    Count,
    Fraction,
    NotNegative,
    Positive,
    Settings,
    dataclass,
)
from weightspace.data import augmentations
from weightspace.experiments.diversity.protocol import by_scale, image_counts

DROPOUTS = (0.1, 0.3, 0.5, 0.7)
OUR_DROPOUTS = (0.05, 0.2)
WEIGHT_DECAYS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3)
BASELINES = 3
"""Replicates of the baseline per seed."""

DIGITS = ("mnist", "digits")
"""Sets of images with the ten digits as classes."""

Epochs = tuple[Annotated[int, Field(ge=0)], ...]
Size = Annotated[int, Field(ge=0)]


def setting_of(dropout: float, weight_decay: float, augmentation: str) -> str:
    """The regularizers of a run in one name, ``baseline`` where there is none."""
    parts = [f"dropout_{dropout:g}"] if dropout else []
    parts += [f"weight_decay_{weight_decay:g}"] if weight_decay else []
    parts += [augmentation] if augmentation else []
    return "+".join(parts) or "baseline"


def category_of(names: Sequence[str]) -> str:
    """The one kind of regularizer that acts, ``baseline`` for none, ``combined`` for several."""
    return "combined" if len(names) > 1 else names[0] if names else "baseline"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FittedConfiguration(Configuration):
    """A classifier of images that is trained until it fits them.

    dataset: name of a set of images. train_size: number of training images, the first of the file;
    label_noise: fraction of them whose label is replaced by another one, drawn for the seed. epochs, batch_size,
    optimizer (SGD has momentum 0.9), lr, schedule of the learning rate (``cosine``: falls to 0 over the epochs, update
    by update), precision of the forward and backward pass.

    The regularizers: dropout, the fraction of outputs set to 0 after every block; weight_decay, coupled L2, added to
    every gradient; augmentation, a level of ``augmentations.ALL`` or ``""``. Controls: kernel_norm ``fixed`` scales
    every convolution kernel back to its initial Frobenius norm after each update; stop_loss ends training after the
    first epoch whose mean training loss (nats) is at most this, 0 never.

    replicate: other data order and dropout masks from the same initial weights.

    What is measured: spectra after spectra_epochs (0 is the start) and scores of the training images after
    score_epochs, both also after the last epoch; scores of the first checkpoint_test_size test images along training
    and of the first test_size at the end; of the first corruption_size under fifteen corruptions at the given
    severities. shifted: other sets with the same classes, of which all images that are no training images of
    ``dataset`` are tested at the end.
    """

    dataset: Literal["cifar10", "fashion_mnist", "mnist", "digits"] = "cifar10"
    train_size: Count
    label_noise: Fraction = 0.0
    epochs: Count
    batch_size: Count
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: Positive
    schedule: Literal["constant", "cosine"] = "cosine"
    precision: Literal["float32", "bfloat16 autocast"] = "float32"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: NotNegative = 0.0
    augmentation: Literal[("", *augmentations.ALL)] = ""  # type: ignore[valid-type]
    kernel_norm: Literal["free", "fixed"] = "free"
    stop_loss: NotNegative = 0.0
    replicate: Annotated[int, Field(ge=0)] = 0
    spectra_epochs: Epochs
    score_epochs: Epochs
    checkpoint_test_size: Size
    test_size: Count
    corruption_size: Size
    severities: tuple[Annotated[int, Field(ge=1, le=5)], ...] = (1, 3, 5)
    shifted: Annotated[tuple[Literal[DIGITS], ...], LATER] = ()  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _fits_the_data(self) -> FittedConfiguration:
        rows, _ = image_counts(self.dataset)
        if self.train_size > rows:
            raise ValueError(f"train_size: {self.dataset} has {rows:,} training images, got {self.train_size:,}")
        if self.batch_size > self.train_size:
            raise ValueError(f"batch_size must be at most train_size, {self.train_size}, got {self.batch_size}")
        for name in ("spectra_epochs", "score_epochs"):
            if max(getattr(self, name), default=0) > self.epochs:
                raise ValueError(f"{name} must not lie beyond epochs, {self.epochs}, got {getattr(self, name)}")
        if self.shifted and self.dataset not in DIGITS:
            raise ValueError(f"shifted: {self.dataset} has other classes than {' and '.join(self.shifted)}")
        return self

    @property
    def setting(self) -> str:
        """The regularizers in one name, ``baseline`` where there is none."""
        return setting_of(self.dropout, self.weight_decay, self.augmentation)

    @property
    def category(self) -> str:
        """``baseline``, ``dropout``, ``weight_decay``, ``augmentation``, or ``combined`` for more than one of them."""
        present = {name: getattr(self, name) for name in ("dropout", "weight_decay", "augmentation")}
        names = [name for name, value in present.items() if value]
        return category_of(names)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ScratchConfiguration(FittedConfiguration):
    """A ResNet-18 from scratch. width: channels of its first stage."""

    model: Literal["resnet18"] = "resnet18"
    width: Count


@dataclass(frozen=True, kw_only=True, config=STRICT)
class VisionTransformerConfiguration(FittedConfiguration):
    """A ``VisionTransformer`` from scratch: side of a patch in pixels, width, blocks, heads.

    Dropout acts on what every block adds to the residual stream and before the last layer. Without convolutions there
    are no kernels to hold at a norm.
    """

    model: Literal["vision_transformer"] = "vision_transformer"
    kernel_norm: Literal["free"] = "free"
    patch: Literal[2, 4, 8, 16]
    width: Count
    blocks: Count
    heads: Count

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> VisionTransformerConfiguration:
        if self.width % self.heads:
            raise ValueError(f"heads must divide the width, {self.width}, got {self.heads}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FineTunedConfiguration(FittedConfiguration):
    """A pretrained network with a new head. resolution: side in pixels that images are resized to."""

    model: Literal["efficientnet_lite0", "resnet18"] = "efficientnet_lite0"
    resolution: Annotated[int, Field(ge=32)]


def settings() -> list[Settings]:
    """The regularizers of all settings, the baseline first."""
    return [
        {},
        *({"dropout": p} for p in DROPOUTS),
        *({"weight_decay": decay} for decay in WEIGHT_DECAYS),
        *({"augmentation": level} for level in augmentations.LEVELS),
        *({"augmentation": level} for level in augmentations.OURS),
        *({"dropout": p} for p in OUR_DROPOUTS),
        {"dropout": 0.1, "weight_decay": 5e-4},
    ]


def with_baselines(settings: Sequence[Settings]) -> list[Settings]:
    """The runs of a seed: the baseline, which is the first of the settings, ``BASELINES`` times, then the others."""
    return [*({"replicate": k} for k in range(BASELINES)), *settings[1:]]


QUICK_SETTINGS: tuple[Settings, ...] = ({}, {"dropout": 0.5}, {"weight_decay": 5e-3}, {"augmentation": "noise50"})

SCALES = by_scale(
    ("quick", "laptop", "paper"),
    {
        "dataset": ("digits", None, None),
        "train_size": (128, 2_000, 50_000),
        "width": (8, 16, 64),
        "epochs": (2, 40, 10),
        "batch_size": (32, 64, 32),
        "lr": (3e-3, 3e-3, None),  # at the scale of the paper: PAPER_RATES
        "schedule": (None, None, "constant"),
        "precision": (None, None, "bfloat16 autocast"),
        "spectra_epochs": ((0, 1, 2), (0, 1, 3, 10, 20, 40), (0, 1, 3, 10)),
        "score_epochs": ((1, 2), (1, 2, 3, 5, 7, 10, 13, 16, 20, 25, 30, 35, 40), (1, 3, 10)),
        "checkpoint_test_size": (32, 2_000, 10_000),
        "test_size": (64, 10_000, 10_000),
        "corruption_size": (8, 1_000, 10_000),
        "severities": ((5,), None, (1, 2, 3, 4, 5)),
    },
)
"""What all runs of a scale share. ``laptop`` is the regime of this experiment, measured on a processor; ``paper`` has
the size, batches and epochs of paper A's released code, for a GPU."""

PAPER_RATES = (3e-3, 1e-5)
"""At the scale of the paper: a rate that trains the network, and that of the released code, which hardly does."""

EXPERIMENT = "diversity_from_scratch"


def added_level(run: Any) -> str:
    """The augmentation level of a run, or of the run that it describes, if it is one of ours; else ``""``.

    Pages show the campaign without a level of ours that is not on record yet.
    """
    return run.setting if run.setting in augmentations.OURS else ""


def configurations(scale: str, seeds: int) -> list[ScratchConfiguration]:
    """Seed by seed, the baselines of a seed first: an interrupted campaign has whole seeds."""
    shared: dict[str, Any] = {"experiment": EXPERIMENT, "protocol": 1} | SCALES[scale]
    chosen = QUICK_SETTINGS if scale == "quick" else settings()
    rates: list[Settings] = [{"lr": lr} for lr in PAPER_RATES] if scale == "paper" else [{}]
    return [
        ScratchConfiguration(**shared | rate | run, seed=seed)
        for rate, seed, run in itertools.product(rates, range(seeds), with_baselines(chosen))
    ]
