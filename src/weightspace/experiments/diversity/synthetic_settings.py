"""Synthetic images in paper A's training experiment: a generator that has seen the same training images and no others.

Three experiments. ``diversity_synthetic_generator``: class-conditional flow matching on the training images, once per
seed. ``diversity_synthetic_sets``: what it makes, beside augmented, real and random images: does a judge recognise the
classes, how far are the features from those of real images, are training images copied, how diverse is each training
set. ``diversity_synthetic``: the networks trained on real images of which a share, another one in every epoch, is
replaced by synthetic ones of the same class, against augmentation, dropout and weight decay, all with equally many
steps. Augmentation draws anew in every epoch; synthetic images come from a few copies of the training set.

The generator knows nothing that the training images do not hold: what synthetic images can bring is what its prior,
a smooth and local function, makes of them. Its guidance towards the classes is plain conditioning (no classifier-free
guidance, which would trade diversity for typical images).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from weightspace.campaigns.configuration import (
    IDENTITY,
    LATER,
    STRICT,
    Configuration,
    Count,
    Fraction,
    Frozen,
    FrozenDict,
    Positive,
    Seed,
    Settings,
    dataclass,
    explain,
    unread,
)
from weightspace.experiments.diversity import cifar10_settings
from weightspace.experiments.diversity.cifar10_settings import independent_seeds
from weightspace.experiments.diversity.protocol import (
    CampaignConfiguration,
    Dropout,
    ImageConfiguration,
    RegularizedConfiguration,
    ResNetConfiguration,
    by_scale,
    image_counts,
    image_side,
    shared_settings,
)

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the training images of an epoch, those that are synthetic."""
SYNTHETIC = tuple(f"synthetic_{share:g}" for share in SHARES)
"""The settings with these shares."""
AUGMENTATIONS = ("noise50", "aug_mix", "trivial_augment_wide")
"""From weak to strong."""
EXPLICIT = ("dropout_0.1", "weight_decay_0.0005")
"""One level each, at which the network of ``diversity_cifar10`` still trains well."""
CATEGORIES = (*cifar10_settings.CATEGORIES, "synthetic")
"""As there, the independent baseline of category c and seed s has seed 1000 (c + 1) + s."""

REFERENCES = ("held_out", "random")
"""Settings of the sets that are there for comparison."""

SIZES: dict[str, Settings] = {
    "paper": {"dataset": "cifar10", "width": 64, "train_size": 10_000, "epochs": 50},
    "laptop": {"dataset": "fashion_mnist", "width": 16, "train_size": 2_000, "epochs": 15},
    "quick": {"dataset": "digits", "width": 8, "train_size": 64, "epochs": 1},
}
"""As in ``protocol``, with so few training images (the first of the file) that more could help."""

TESTS: dict[str, Settings] = {
    "paper": {"test_size": 10_000, "corruption_size": 10_000, "spectra_epochs": (10, 50)},
    "laptop": {"test_size": 1_000, "corruption_size": 200, "spectra_epochs": (15,)},
    "quick": {"test_size": 64, "corruption_size": 8, "spectra_epochs": (1,)},
}

GENERATOR = by_scale(
    ("paper", "laptop", "quick"),
    {
        "colours": (3, 1, 1),
        "border": (0, 2, 0),
        "channels": ((128, 256, 256), (16, 32, 64), (8, 16)),
        "blocks": (2, 1, 1),
        "generator_dropout": (0.1, 0.0, 0.0),
        "generator_lr": (3e-4, 3e-3, 3e-3),
        "generator_batch_size": (256, 64, 32),
        "generator_epochs": (500, 60, 2),
        "ema_decay": (0.9995, 0.99, 0.9),
        "loss_every": (25, 5, 1),
        "loss_size": (2_000, 500, 32),
        "steps": (20, 8, 2),
        "copies": (10, 4, 2),
    },
)
"""The network sees images without their black border, in one colour where all three are equal. steps: of the solver.
copies: of the training set in synthetic images; epoch e is given copy (e - 1) modulo copies."""

REFERENCE_CLASSIFIER: dict[str, Settings] = {
    "paper": {"judge_size": 40_000, "judge_epochs": 20, "set_size": 5_000},
    "laptop": {"judge_size": 10_000, "judge_epochs": 4, "set_size": 2_000},
    "quick": {"judge_size": 128, "judge_epochs": 1, "set_size": 64},
}
"""The judge is the same kind of network, trained on the real images behind those of the training set, which neither the
generator nor the networks have seen. set_size: number of images of every set that it sees."""

GRID_SEED, GRID_ROWS = 0, 8
"""Of this seed so many images per class are on record, each with the training image nearest to it."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GeneratorConfiguration(ImageConfiguration):
    """A generator of images by flow matching, trained on the training images, and the images it makes of their labels.

    colours: 1 where all three are equal, else 3. border: width in pixels of the black border that is left out. channels
    and blocks per stage of the network; generator_dropout in its blocks. generator_epochs, generator_batch_size: of the
    training, what is left of an epoch is left out; generator_lr: the highest learning rate of Adam, reached after the
    fraction warm_up of the updates. ema_decay: of the moving average of the weights. loss_every: epochs between records
    of the loss, of the first loss_size training and test images. steps: of the solver. copies: images for each label.
    """

    colours: Literal[1, 3]
    border: Annotated[int, Field(ge=0, le=15)]
    channels: Annotated[tuple[Annotated[int, Field(ge=8, multiple_of=8)], ...], Field(min_length=1)]
    blocks: Count
    generator_dropout: Dropout
    generator_lr: Positive
    generator_batch_size: Count
    generator_epochs: Count
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    loss_every: Count
    loss_size: Count
    steps: Count
    copies: Count
    warm_up: Annotated[float, Field(gt=0, lt=1), LATER] = 0.1

    @model_validator(mode="after")
    def _fits_the_images(self) -> GeneratorConfiguration:
        if self.generator_batch_size > self.train_size:
            raise ValueError(
                f"generator_batch_size must be at most train_size, {self.train_size}, got {self.generator_batch_size}"
            )
        self._check_size("loss_size", image_counts(self.dataset)[1], "test")
        updates = self.generator_epochs * (self.train_size // self.generator_batch_size)
        if self.warm_up * updates == 1:
            raise ValueError(f"warm_up must not end with the first of all {updates} updates, got {self.warm_up}")
        if (side := image_side(self.dataset) - 2 * self.border) % 2 ** (len(self.channels) - 1):
            raise ValueError(f"border, channels: a side of {side} cannot be halved {len(self.channels) - 1} times")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PicturedConfiguration(GeneratorConfiguration):
    """A generator of which pictures are on record, of the first copy. grid: their number per class."""

    copies: Annotated[Count, IDENTITY]
    grid: Annotated[int, Field(ge=0)]

    @property
    def generator(self) -> GeneratorConfiguration:
        """The generator by itself: its images are the same with and without pictures."""
        names = [field.name for field in dataclasses.fields(GeneratorConfiguration)]
        return GeneratorConfiguration(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True, kw_only=True, config=STRICT)
class WithGenerator(Configuration):
    """A run that may use images of a generator.

    generator: the settings of ``GeneratorConfiguration`` of the generator that makes them, of the own images, seed
    and precision; empty where none is synthetic.
    """

    generator: FrozenDict[str, Any]

    @property
    def uses_synthetic(self) -> bool:
        """Whether any of the images is synthetic."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _has_its_own_generator(self) -> Self:
        if bool(self.generator) != self.uses_synthetic:
            raise ValueError("generator must be given where images are synthetic, and only there")
        if self.generator:
            made = self.made_by
            if differ := [name for name in _OF_BOTH if getattr(made, name) != getattr(self, name)]:
                raise ValueError(f"generator must have the run's own {', '.join(differ)}")
            # Equal generators have equal settings: numbers of the declared types, and no defaults that came later.
            said = {name: getattr(made, name) for name in made.settings()}
            object.__setattr__(self, "generator", Frozen(said))
        return self

    @property
    def made_by(self) -> GeneratorConfiguration:
        """The generator of the synthetic images. ``ValueError`` where there are none."""
        try:
            return GeneratorConfiguration(**self.generator)
        except ValidationError as error:
            raise ValueError(f"generator: {explain(error)}") from error

    def following(self, changes: Mapping[str, Any]) -> Settings:
        """What the generator shares with the run changes with it, and settings of the generator are found there."""
        own = {field.name for field in dataclasses.fields(self)}
        names = {field.name for field in dataclasses.fields(GeneratorConfiguration)} - own
        rest = {name: value for name, value in changes.items() if name not in names}
        if "generator" in changes or not self.generator:
            return rest
        moved = {name: value for name, value in changes.items() if name in names or name in _OF_BOTH}
        return rest | {"generator": {**self.generator, **moved}} if moved else rest


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SyntheticConfiguration(WithGenerator, RegularizedConfiguration, ResNetConfiguration):
    """Images of which some are synthetic.

    synthetic_share: fraction of the training images of an epoch that gives way to synthetic ones, from 0 to 1.
    """

    synthetic_share: Fraction

    @property
    def uses_synthetic(self) -> bool:
        return self.synthetic_share > 0

    def regularizers(self) -> list[tuple[str, str]]:
        found = [(f"synthetic_{self.synthetic_share:g}", "synthetic")] if self.synthetic_share else []
        return [*super().regularizers(), *found]


_OF_BOTH = ("dataset", "train_size", "precision", "seed")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SyntheticRunConfiguration(SyntheticConfiguration, CampaignConfiguration):
    """A run of the training experiment. arm: ``main`` or ``independent``; it decides nothing."""

    arm: Annotated[Literal["main", "independent"], IDENTITY]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReferenceConfiguration(ResNetConfiguration):
    """A judge, a network without a regularizer. train_size: number of its images, those behind the training set."""

    dropout: ClassVar[float] = 0.0


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SyntheticSetsConfiguration(SyntheticConfiguration):
    """A set of images that is described, and the judge that describes it.

    setting ``held_out``, category ``reference``: test images; ``random``: bytes drawn uniformly. set_size: number of
    images of every set, the first. judge_size: number of training images of the judge, those behind the training set;
    judge_epochs: passes over them; the judge of seed s has seed judge_seeds + s, and neither dropout nor weight decay.
    copy_ratio: an image is a copy if its nearest training image is less than this times as far as the second nearest
    (Yoon et al. 2023). The other settings of a training are those of the judge. arm and epochs decide nothing.
    """

    arm: Annotated[Literal["main"], IDENTITY]
    epochs: Annotated[Count, IDENTITY]
    dropout: Annotated[float, unread(0.0)]
    weight_decay: Annotated[float, unread(0.0)]
    judge_size: Count
    judge_epochs: Count
    set_size: Count
    judge_seeds: Annotated[Seed, LATER] = 9000
    copy_ratio: Annotated[Fraction, LATER] = 1 / 3

    @model_validator(mode="after")
    def _has_images_for_all(self) -> SyntheticSetsConfiguration:
        train, test = image_counts(self.dataset)
        if self.judge_size > train - self.train_size:
            raise ValueError(
                f"judge_size: behind the training set {self.dataset} has {train - self.train_size:,} images, "
                f"got {self.judge_size:,}"
            )
        if self.batch_size > self.judge_size:
            raise ValueError(f"batch_size must be at most judge_size, {self.judge_size}, got {self.batch_size}")
        if self.set_size > (most := min(self.train_size, test // 2)):
            raise ValueError(f"set_size: there are {most:,} training images and held-out ones, got {self.set_size:,}")
        return self

    @property
    def reference_classifier(self) -> ReferenceConfiguration:
        """The training of the judge."""
        names = [field.name for field in dataclasses.fields(ResNetConfiguration)]
        own = {"epochs": self.judge_epochs, "train_size": self.judge_size, "seed": self.judge_seeds + self.seed}
        return ReferenceConfiguration(**{name: getattr(self, name) for name in names} | own)

    def regularizers(self) -> list[tuple[str, str]]:
        references = [(self.setting, "reference")] if self.setting in REFERENCES else []
        return [*super().regularizers(), *references]


def generator_settings(scale: str, seed: int) -> Settings:
    """The settings of ``GeneratorConfiguration`` for a seed."""
    sizes = {scale: {name: SIZES[scale][name] for name in ("dataset", "train_size")}}
    return shared_settings("diversity_synthetic_generator", scale, sizes) | GENERATOR[scale] | {"seed": seed}


def settings() -> list[Settings]:
    """As in ``diversity_cifar10``, with the share of synthetic images."""
    known = {setting["setting"]: setting | {"synthetic_share": 0.0} for setting in cifar10_settings.settings("paper")}
    synthetic = [
        known["baseline"] | {"setting": name, "category": "synthetic", "synthetic_share": share}
        for name, share in zip(SYNTHETIC, SHARES)
    ]
    return [known["baseline"], *synthetic, *(known[name] for name in (*AUGMENTATIONS, *EXPLICIT))]


def _shared(experiment: str, scale: str) -> Settings:
    return shared_settings(experiment, scale, SIZES) | cifar10_settings.RECIPE[scale]


def _with_generator(settings: Settings, scale: str) -> Settings:
    """The settings of the generator are part of those of every run that uses its images, and of no other."""
    used = settings["synthetic_share"] > 0
    return settings | {"generator": generator_settings(scale, settings["seed"]) if used else {}}


def configurations(scale: str, seeds: int) -> list[SyntheticRunConfiguration]:
    """The main arm seed by seed, then the independent baselines."""
    chosen = settings()
    plan = [("main", setting, seed) for seed in range(seeds) for setting in chosen] + [
        ("independent", chosen[0], other) for seed in range(seeds) for other in independent_seeds(seed, CATEGORIES)
    ]
    shared = _shared("diversity_synthetic", scale) | TESTS[scale]
    return [
        SyntheticRunConfiguration(**_with_generator(shared | setting | {"arm": arm, "seed": seed}, scale))
        for arm, setting, seed in plan
    ]


def set_configurations(scale: str, seeds: int) -> list[SyntheticSetsConfiguration]:
    """A set for every setting that changes the images, and the references ``held_out`` and ``random``."""
    real, *others = (setting for setting in settings() if not setting["dropout"] and not setting["weight_decay"])
    references = [real | {"setting": name, "category": "reference"} for name in REFERENCES]
    shared = _shared("diversity_synthetic_sets", scale) | REFERENCE_CLASSIFIER[scale] | {"arm": "main"}
    return [
        SyntheticSetsConfiguration(**_with_generator(shared | setting | {"seed": seed}, scale))
        for seed in range(seeds)
        for setting in (real, *others, *references)
    ]


def generator_configurations(scale: str, seeds: int) -> list[PicturedConfiguration]:
    return [
        PicturedConfiguration(**generator_settings(scale, seed), grid=GRID_ROWS if seed == GRID_SEED else 0)
        for seed in range(seeds)
    ]
