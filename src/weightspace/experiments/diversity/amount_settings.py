"""How much synthetic data: images of a generator in the place of real ones, or beside them, until networks overfit.

The recipe is that of ``diversity_from_scratch``. The generator has seen the same training images and no others. All
runs make equally many updates: where images are added, there are fewer passes over more images. Two levels of
augmentation stand beside them.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from weightspace.campaigns.configuration import STRICT, Fraction, Settings, dataclass
from weightspace.experiments.diversity.scratch_settings import SCALES, ScratchConfiguration, with_baselines
from weightspace.experiments.diversity.set_settings import DescribedConfiguration, described_settings
from weightspace.experiments.diversity.synthetic_settings import WithGenerator, generator_settings

EXPERIMENT = "diversity_amounts"
SETS = "diversity_amount_sets"

FRACTIONS = (0.25, 0.5, 0.75, 1.0)
"""Of the training images, those that give way to synthetic ones."""
ADDED = {"laptop": (1, 3, 7), "quick": (1,)}
"""Synthetic images that are added, in training sets."""
AUGMENTATIONS = ("rand_augment", "flip_crop")
SETTINGS: tuple[Settings, ...] = (
    {},
    *({"synthetic_fraction": fraction} for fraction in FRACTIONS),
    *({"augmentation": level} for level in AUGMENTATIONS),
)

SIZES: dict[str, Settings] = {
    "laptop": {"dataset": "fashion_mnist", "spectra_epochs": (), "corruption_size": 0},
    "quick": {"spectra_epochs": (), "corruption_size": 0},
}
"""What differs from ``diversity_from_scratch``."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Amount(WithGenerator):
    """Training images of which some are synthetic, the same ones in every epoch.

    synthetic_fraction: of the training images, those that give way to synthetic ones of the same class, from 0 to 1.
    added: training sets of synthetic images that join the real one. The generator has at least as many copies as are
    used. For configurations that have an augmentation and are called after it.
    """

    synthetic_fraction: Fraction = 0.0
    added: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if self.synthetic_fraction and self.added:
            raise ValueError(f"added: 0 where images are replaced, synthetic_fraction > 0, got {self.added}")
        if self.uses_synthetic and (self.augmentation or getattr(self, "label_noise", 0)):  # type: ignore[attr-defined]
            raise ValueError("augmentation, label_noise: none where images are synthetic")
        if self.generator and self.made_by.copies < self.added:
            raise ValueError(f"added: at most the {self.made_by.copies} copies of the generator, got {self.added}")
        return self

    @property
    def uses_synthetic(self) -> bool:
        return self.synthetic_fraction > 0 or self.added > 0

    @property
    def setting(self) -> str:
        """As in ``diversity_from_scratch``, or ``synthetic_0.5``, or ``added_3``."""
        if self.synthetic_fraction:
            return f"synthetic_{self.synthetic_fraction:g}"
        return f"added_{self.added}" if self.added else super().setting  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AmountConfiguration(Amount, ScratchConfiguration):
    """A ResNet-18 on such images. epochs: passes over all of them, added ones included."""

    @property
    def category(self) -> str:
        if self.uses_synthetic:
            return "added" if self.added else "synthetic"
        return super().category


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AmountSetsConfiguration(Amount, DescribedConfiguration):
    """Such images, described by the features of a network that has seen the real ones alone."""


def configurations(scale: str, seeds: int) -> list[AmountConfiguration]:
    """Seed by seed, the baselines of a seed first."""
    shared: dict[str, Any] = SCALES[scale] | SIZES[scale] | {"experiment": EXPERIMENT, "protocol": 1}
    runs = [*with_baselines(SETTINGS), *_added(scale)]
    for run in (run for run in runs if "added" in run):
        run["epochs"] = shared["epochs"] // (1 + run["added"])
        run["score_epochs"] = tuple(epoch for epoch in shared["score_epochs"] if epoch <= run["epochs"])
    return [
        AmountConfiguration(**shared | run, generator=_generator(scale, run, seed), seed=seed)
        for seed, run in itertools.product(range(seeds), runs)
    ]


def set_configurations(scale: str, seeds: int) -> list[AmountSetsConfiguration]:
    """The training set of every setting."""
    shared = described_settings(SETS, scale, SIZES[scale].get("dataset"))
    return [
        AmountSetsConfiguration(
            **shared | {"augmentation": ""} | run, generator=_generator(scale, run, seed), seed=seed
        )
        for seed, run in itertools.product(range(seeds), [*SETTINGS, *_added(scale)])
    ]


def _added(scale: str) -> list[dict[str, Any]]:
    return [{"added": times} for times in ADDED[scale]]


def _generator(scale: str, run: Settings, seed: int) -> Settings:
    """One generator per seed makes the images of all its runs."""
    if not {"synthetic_fraction", "added"} & set(run):
        return {}
    shared = SCALES[scale] | SIZES[scale]
    images = {name: shared[name] for name in ("dataset", "train_size")}
    return generator_settings(scale, seed) | images | {"copies": max(ADDED[scale])}
