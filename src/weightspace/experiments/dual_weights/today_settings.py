"""Dual weights in networks of today: with batch norm, layer norm, mini-batches, momentum and adaptive steps.

A ResNet-18 and a small vision transformer from scratch on few images of CIFAR-10, and MiniLM on few texts; right
labels, wrong ones, and very few samples. Dual weights are ``dualize`` of the whole network, with the steps that
``dual.optimizers`` defines. They are held against tuned weight decay, dropout and augmentation.

Every method has the same number of strengths, ``STRENGTHS``, and every strength a run in every seed. Which one is a
method's is for the analysis to say: the one of the smallest error on held-out samples, the same for all seeds.

From the times per sample, taken on one core of a busy machine, a plain run takes about 20 seconds, a dual one about
twice as long, and the 1,260 runs of scale laptop about 8 core-hours.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from weightspace.campaigns.configuration import (
    IDENTITY,
    STRICT,
    Configuration,
    Count,
    Fraction,
    FrozenDict,
    NotNegative,
    Positive,
    Settings,
    dataclass,
)
from weightspace.data import augmentations
from weightspace.experiments.diversity import text_sets
from weightspace.experiments.diversity.protocol import image_counts

NAME = "dual_today"
STRENGTHS = 3
"""Of every method: what its tuning may try."""
DROPOUTS = (0.1, 0.3, 0.5)
DECAYS = {"sgd": (5e-4, 2e-3, 1e-2), "adam": (1e-4, 5e-4, 2e-3), "adamw": (0.03, 0.1, 0.3)}
"""Weight decay: coupled L2 of SGD and Adam, decoupled in AdamW."""
RATE_FACTORS = (1 / 3, 1.0, 3.0)
"""Learning rates that plain networks without a regularizer and dual ones may try, in units of that of the others."""
IMAGE_LEVELS = ("noise50", "flip_crop", "trivial_augment_wide")
TEXT_SETS = ("sr_0.5", "rs_0.5", "rd_0.5")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TodayConfiguration(Configuration):
    """A classifier, plain or dual, with one regularizer at most.

    train_size: samples trained on, the first of the file; held_out: those after them, on which strengths are chosen;
    label_noise: fraction of both with a wrong label, drawn for the seed. test_size: the first test samples.

    epochs; batch_size; lr, which falls to 0 along half a cosine; optimizer: SGD with momentum 0.9, Adam or AdamW.
    weights: ``plain``, or all layers ``dual`` or ``dual_stabilized``, trained by ``DualOptimizer``, decoupled in AdamW.
    weight_decay: coupled in SGD and Adam, decoupled in AdamW; plain weights only. dropout: after every block.
    augmentation: a level for images, an edited training set for texts, or ``""``.
    """

    protocol: Annotated[Count, IDENTITY] = 1
    train_size: Count
    held_out: Count
    label_noise: Fraction = 0.0
    test_size: Count
    epochs: Count
    batch_size: Count
    optimizer: Literal["sgd", "adam", "adamw"]
    lr: Positive
    weights: Literal["plain", "dual", "dual_stabilized"] = "plain"
    weight_decay: NotNegative = 0.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augmentation: str = ""

    @model_validator(mode="after")
    def _can_be_trained(self) -> TodayConfiguration:
        if self.batch_size > self.train_size:
            raise ValueError(f"batch_size: at most train_size, {self.train_size}, got {self.batch_size}")
        if self.weight_decay and self.weights != "plain":
            raise ValueError(f"weight_decay: 0 with dual weights, whose decay is their own, got {self.weight_decay:g}")
        return self

    @property
    def method(self) -> str:
        """Which kind of weights or regularizer: the name in the records."""
        if self.weights != "plain":
            return self.weights
        present = ("weight_decay", "dropout", "augmentation")
        return "+".join(name for name in present if getattr(self, name)) or "baseline"

    @property
    def strength(self) -> str:
        """What a method tunes, as text."""
        return str(getattr(self, self.method, self.lr))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ImagesTodayConfiguration(TodayConfiguration):
    """network, with its sizes in ``shape``: the arguments of ``ResNet18`` or of ``VisionTransformer``."""

    dataset: Literal["cifar10", "digits"] = "cifar10"
    network: Literal["resnet18", "vision_transformer"]
    shape: FrozenDict[str, int]

    @model_validator(mode="after")
    def _fits_the_images(self) -> ImagesTodayConfiguration:
        if self.augmentation and self.augmentation not in augmentations.ALL:
            raise ValueError(f"augmentation: a level of images or none, got {self.augmentation!r}")
        rows, tests = image_counts(self.dataset)
        for name, most in (("train_size", rows - self.held_out), ("test_size", tests)):
            if getattr(self, name) > most:
                raise ValueError(f"{name}: at most {most:,} images of {self.dataset}, got {getattr(self, name):,}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TextsTodayConfiguration(TodayConfiguration):
    """MiniLM. encoder: sizes other than MiniLM's, with random weights; length: tokens of a text."""

    dataset: Literal["complaints", "made_up"] = "complaints"
    network: Literal["minilm_l6"] = "minilm_l6"
    encoder: FrozenDict[str, int]
    length: Count

    @model_validator(mode="after")
    def _fits_the_texts(self) -> TextsTodayConfiguration:
        known = text_sets.sets_of(self.dataset)["augmentation"]
        if self.augmentation and self.augmentation not in known:
            raise ValueError(f"augmentation: one of {', '.join(known)} or none, got {self.augmentation!r}")
        most = text_sets.TRAINING_TEXTS[self.dataset] - self.held_out
        if self.train_size > most:
            raise ValueError(f"train_size: at most {most:,} texts of {self.dataset}, got {self.train_size:,}")
        return self


RESNET: Settings = {"network": "resnet18", "shape": {"width": 16}, "batch_size": 64}
TRANSFORMER: Settings = {
    "network": "vision_transformer",
    "shape": {"patch": 4, "width": 48, "blocks": 3, "heads": 3},
    "batch_size": 64,
}
IMAGES: Settings = {"held_out": 500, "test_size": 2_000}
TEXTS: Settings = {"encoder": {}, "length": 32, "batch_size": 16, "held_out": 200, "test_size": 500}
CLEAN: Settings = {"train_size": 1_000, "epochs": 15}
NOISY: Settings = CLEAN | {"label_noise": 0.4}
FEW: Settings = {"train_size": 250, "epochs": 30}
TEXT_CONDITIONS: tuple[Settings, ...] = (
    {"train_size": 200, "epochs": 5},
    {"train_size": 200, "epochs": 5, "label_noise": 0.3},
    {"train_size": 80, "epochs": 10},
)
SGD: Settings = {"optimizer": "sgd", "lr": 0.05}
ADAM: Settings = {"optimizer": "adam", "lr": 3e-3}
ADAMW: Settings = {"optimizer": "adamw", "lr": 3e-3}
TRANSFORMER_ADAM, TRANSFORMER_ADAMW = ADAM | {"lr": 1e-3}, ADAMW | {"lr": 1e-3}
TEXT_ADAMW = ADAMW | {"lr": 1e-4}

CELLS: dict[str, list[Settings]] = {
    "laptop": [
        *(RESNET | IMAGES | optimizer | condition for optimizer in (SGD, ADAM) for condition in (CLEAN, NOISY, FEW)),
        RESNET | IMAGES | ADAMW | CLEAN,
        *(TRANSFORMER | IMAGES | TRANSFORMER_ADAMW | condition for condition in (CLEAN, NOISY, FEW)),
        TRANSFORMER | IMAGES | TRANSFORMER_ADAM | CLEAN,
        *(TEXTS | TEXT_ADAMW | condition for condition in TEXT_CONDITIONS),
    ],
    "quick": [
        RESNET
        | {"dataset": "digits", "shape": {"width": 8}, "train_size": 64, "batch_size": 32, "epochs": 1}
        | {"held_out": 32, "test_size": 32, "label_noise": 0.2}
        | SGD,
        TRANSFORMER
        | {"dataset": "digits", "shape": {"patch": 8, "width": 12, "blocks": 1, "heads": 3}, "train_size": 64}
        | {"batch_size": 32, "epochs": 1, "held_out": 32, "test_size": 32}
        | ADAMW,
        {"dataset": "made_up", "length": 16, "train_size": 64, "batch_size": 16, "epochs": 1, "held_out": 32}
        | {"encoder": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}}
        | {"test_size": 32}
        | ADAM,
    ],
}


def methods(cell: Settings) -> list[Settings]:
    """What each run of a cell adds to it: ``STRENGTHS`` of every method, the baseline first."""
    rates = [{"lr": cell["lr"] * factor} for factor in RATE_FACTORS]
    levels = TEXT_SETS if "encoder" in cell else IMAGE_LEVELS
    return [
        *rates,
        *({"weight_decay": decay} for decay in DECAYS[cell["optimizer"]]),
        *({"dropout": rate} for rate in DROPOUTS),
        *({"augmentation": level} for level in levels),
        *(rate | {"weights": weights} for weights in ("dual", "dual_stabilized") for rate in rates),
    ]


def configurations(scale: str, seeds: int) -> list[TodayConfiguration]:
    """Seed by seed: a campaign that is cut short has whole seeds."""
    return [
        (TextsTodayConfiguration if "encoder" in cell else ImagesTodayConfiguration)(
            experiment=NAME, seed=seed, **cell | own
        )
        for seed, cell in itertools.product(range(seeds), CELLS[scale])
        for own in methods(cell)
    ]
