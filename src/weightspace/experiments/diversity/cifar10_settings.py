"""Paper A's training campaign: a ResNet-18 from scratch with every level of every regularizer, over several seeds.

Settings: the baseline, dropout, weight decay, and the ten augmentation levels. All settings of a seed share initial
weights and data order, so that they differ by the regularizer alone. Two arms stand beside the main one:
``independent``, baselines of other seeds, one for each category and seed, so that no two categories need to be compared
with the same baseline; and ``cumulative``, augmentation level k applied on top of levels 1 to k-1, as the released
measurements seem to have it. (Level 1 is the same in both arms and is run once.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import model_validator

from weightspace.campaigns.configuration import STRICT, Settings, dataclass
from weightspace.data import augmentations
from weightspace.experiments.diversity.protocol import CampaignConfiguration, ResNetConfiguration, shared_settings

BASELINE: Settings = {
    "setting": "baseline",
    "category": "baseline",
    "dropout": 0.0,
    "weight_decay": 0.0,
    "augmentation": "",
}
DROPOUTS = (0.1, 0.3, 0.5, 0.7)
WEIGHT_DECAYS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3)
CATEGORIES = ("dropout", "weight_decay", "augmentation")
INDEPENDENT_SEEDS = 1000
"""The independent baselines of category c and seed s have seed 1000 (c + 1) + s."""


def independent_seeds(seed: int, categories: Sequence[str] = CATEGORIES) -> list[int]:
    """Seeds of the independent baselines that go with a seed, one for each category."""
    return [INDEPENDENT_SEEDS * (k + 1) + seed for k in range(len(categories))]


RECIPE: dict[str, Settings] = {
    "paper": {"optimizer": "adam", "lr": 3e-3, "batch_size": 32},
    "laptop": {"optimizer": "adam", "lr": 3e-3, "batch_size": 32},
    "quick": {"optimizer": "adam", "lr": 3e-3, "batch_size": 32},
}
"""The best of ``diversity_tuning`` at scale laptop; tune again before the scale of the paper is run on a GPU."""

TESTS: dict[str, Settings] = {
    "paper": {"test_size": 10_000, "corruption_size": 10_000, "spectra_epochs": (1, 3, 10)},
    "laptop": {"test_size": 2_000, "corruption_size": 250, "spectra_epochs": (1, 2, 3)},
    "quick": {"test_size": 64, "corruption_size": 8, "spectra_epochs": (1,)},
}
"""Number of test images (the first of the file), clean and corrupted, and the epochs after which spectra are taken."""

QUICK_SETTINGS = ("baseline", "dropout_0.5", "weight_decay_0.005", "noise50")


def explicit_settings() -> list[Settings]:
    """The baseline, and every level of dropout and of weight decay."""
    return [
        BASELINE,
        *(BASELINE | {"setting": f"dropout_{p}", "category": "dropout", "dropout": p} for p in DROPOUTS),
        *(
            BASELINE | {"setting": f"weight_decay_{decay}", "category": "weight_decay", "weight_decay": decay}
            for decay in WEIGHT_DECAYS
        ),
    ]


def settings(scale: str) -> list[Settings]:
    """The settings of the main arm, each with its category, dropout, weight decay and augmentation level."""
    everything = explicit_settings() + [
        BASELINE | {"setting": level, "category": "augmentation", "augmentation": level}
        for level in augmentations.LEVELS
    ]
    return [setting for setting in everything if scale != "quick" or setting["setting"] in QUICK_SETTINGS]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Cifar10Configuration(CampaignConfiguration, ResNetConfiguration):
    """A run of this campaign. arm: ``main``, ``independent`` or ``cumulative``, as above."""

    arm: Literal["main", "independent", "cumulative"]

    @model_validator(mode="after")
    def _has_a_level_below(self) -> Cifar10Configuration:
        if self.arm == "cumulative" and self.augmentation not in augmentations.LEVELS[1:]:
            raise ValueError(f"arm cumulative is of augmentation levels above the first, got {self.augmentation!r}")
        return self


def configurations(scale: str, seeds: int) -> list[Cifar10Configuration]:
    """The most informative runs first: an interrupted campaign has whole seeds of the main arm."""
    main = settings(scale)
    chains = [s for s in main if s["augmentation"] not in ("", augmentations.LEVELS[0])]
    arms = (
        [("main", setting, seed) for seed in range(seeds) for setting in main]
        + [("independent", main[0], other) for seed in range(seeds) for other in independent_seeds(seed)]
        + [("cumulative", setting, seed) for seed in range(seeds) for setting in chains]
    )
    shared = shared_settings("diversity_cifar10", scale) | RECIPE[scale] | TESTS[scale]
    return [Cifar10Configuration(**shared | setting | {"arm": arm}, seed=seed) for arm, setting, seed in arms]
