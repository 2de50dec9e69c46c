"""Paper A's fine-tuning: a pretrained network with every level of every regularizer, over several seeds.

The settings are those of ``diversity_cifar10``, the network is EfficientNet-Lite0 with weights of ImageNet, which come
with a package; the head is new. Arms: ``main`` with a learning rate tuned for the few steps there are,
``independent``, baselines of other seeds as in ``diversity_cifar10``, and ``paper_rate`` with paper A's own rate: all
settings at the scale of the paper, else the baseline, which so few steps of it hardly change. All settings of a seed
share head, data order and pretrained weights; of another seed they share the pretrained weights.
"""

from __future__ import annotations

from typing import Any, Literal

from weightspace.campaigns.configuration import STRICT, Settings, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity import tuning as diversity_tuning
from weightspace.experiments.diversity.cifar10 import compute
from weightspace.experiments.diversity.cifar10_settings import independent_seeds, settings
from weightspace.experiments.diversity.protocol import CampaignConfiguration, PretrainedConfiguration, shared_settings
from weightspace.experiments.diversity.tuning import ValidatedConfiguration

SIZES: dict[str, Settings] = {
    "paper": {"dataset": "cifar10", "resolution": 224, "train_size": 50_000, "epochs": 5},
    "laptop": {"dataset": "cifar10", "resolution": 64, "train_size": 1_000, "epochs": 2},
    "quick": {"dataset": "digits", "resolution": 32, "train_size": 48, "epochs": 1},
}
"""Per scale: side that images are resized to, number of training images (the first of the file), epochs."""

PAPER_RATE = 1e-5
OPTIMIZER: Settings = {"optimizer": "adam", "batch_size": 32}
"""Paper A's: Adam, 1e-5, batches of 32, 5 epochs."""
RATES = {"paper": 1e-3, "laptop": 1e-3, "quick": 1e-3}
"""The best of ``diversity_transfer_tuning`` at scale laptop; tune again before the scale of the paper is run."""
CANDIDATES = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3)

TESTS: dict[str, Settings] = {
    "paper": {"test_size": 10_000, "corruption_size": 10_000, "spectra_epochs": (1, 5)},
    "laptop": {"test_size": 400, "corruption_size": 30, "spectra_epochs": (2,)},
    "quick": {"test_size": 16, "corruption_size": 2, "spectra_epochs": (1,)},
}
"""Number of test images (the first of the file), clean and corrupted, and the epochs after which spectra are taken."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TransferConfiguration(CampaignConfiguration, PretrainedConfiguration):
    """A run of this campaign. arm: ``main``, ``independent`` or ``paper_rate``, as above."""

    arm: Literal["main", "independent", "paper_rate"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TransferTuningConfiguration(ValidatedConfiguration, PretrainedConfiguration):
    """One candidate for the learning rate of the campaign."""


def _shared(experiment: str, scale: str) -> Settings:
    return shared_settings(experiment, scale, SIZES) | {"model": "efficientnet_lite0"} | OPTIMIZER


def configurations(scale: str, seeds: int) -> list[TransferConfiguration]:
    """The most informative runs first: an interrupted campaign has whole seeds of the main arm."""
    chosen = settings(scale)
    at_paper_rate = chosen if scale == "paper" else chosen[:1]
    plan = (
        [("main", setting, seed) for seed in range(seeds) for setting in chosen]
        + [("independent", chosen[0], other) for seed in range(seeds) for other in independent_seeds(seed)]
        + [("paper_rate", setting, seed) for seed in range(seeds) for setting in at_paper_rate]
    )
    shared = _shared("diversity_transfer", scale) | TESTS[scale]
    return [
        TransferConfiguration(
            **shared | setting | {"arm": arm}, seed=seed, lr=PAPER_RATE if arm == "paper_rate" else RATES[scale]
        )
        for arm, setting, seed in plan
    ]


def tuning_configurations(scale: str, seeds: int) -> list[TransferTuningConfiguration]:
    shared: dict[str, Any] = _shared("diversity_transfer_tuning", scale)
    shared |= {"validation_share": diversity_tuning.VALIDATION_SHARE, "weight_decay": 0.0}
    return [TransferTuningConfiguration(**shared, lr=lr, seed=seed) for seed in range(seeds) for lr in CANDIDATES]


EXPERIMENTS = [
    Experiment(
        "diversity_transfer_tuning",
        "Learning rate of the fine-tuning campaign",
        {"quick": 1, "laptop": 2, "paper": 2},
        tuning_configurations,
        ("lr", "seed"),
        diversity_tuning.compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    ),
    Experiment(
        "diversity_transfer",
        "A pretrained network fine-tuned on CIFAR-10: augmentation, dropout and weight decay",
        {"quick": 2, "laptop": 3, "paper": 5},
        configurations,
        ("arm", "setting", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    ),
]
