"""EfficientNet-Lite0 fine-tuned until it fits its training images, with the spectra of ``diversity_from_scratch``.

``diversity_transfer`` makes 62 updates, in which no regularizer has anything to hold back. Here the pretrained network
sees 1,000 images for 8 epochs. Kernels are also measured with their batch norm folded in, and the baseline is run
several times per seed, as from scratch. All runs start from the published weights; the head is drawn for the seed.
"""

from __future__ import annotations

import itertools

from weightspace.campaigns.configuration import Settings
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.protocol import by_scale
from weightspace.experiments.diversity.scratch import compute
from weightspace.experiments.diversity.scratch_settings import FineTunedConfiguration, with_baselines
from weightspace.experiments.diversity.transfer import OPTIMIZER, RATES, SIZES

EXPERIMENT = "diversity_transfer_fitted"

SETTINGS: tuple[Settings, ...] = (
    {},
    {"augmentation": "auto_augment"},
    {"augmentation": "rand_augment"},
    {"augmentation": "trivial_augment_wide"},
    {"augmentation": "noise50"},
    {"augmentation": "flip_crop"},
    {"dropout": 0.1},
    {"dropout": 0.3},
    {"dropout": 0.5},
    {"weight_decay": 1e-4},
    {"weight_decay": 5e-4},
    {"weight_decay": 5e-3},
)
QUICK_SETTINGS: tuple[Settings, ...] = ({}, {"augmentation": "noise50"}, {"dropout": 0.5}, {"weight_decay": 5e-3})

SCALES = by_scale(
    ("quick", "laptop"),
    {
        "epochs": (2, 8),
        "spectra_epochs": ((0, 2), (0, 2, 8)),
        "score_epochs": ((1, 2), (1, 2, 3, 4, 5, 6, 8)),
        "checkpoint_test_size": (8, 500),
        "test_size": (16, 2_000),
        "corruption_size": (2, 30),
        "severities": ((5,), None),
    },
)
"""Image sizes, numbers of training images, optimizer and learning rate are those of ``diversity_transfer``; the rate
falls along a cosine."""


def configurations(scale: str, seeds: int) -> list[FineTunedConfiguration]:
    """Seed by seed, the baselines of a seed first."""
    shared: Settings = SIZES[scale] | OPTIMIZER | SCALES[scale]
    shared |= {"experiment": EXPERIMENT, "protocol": 1, "lr": RATES[scale]}
    settings = QUICK_SETTINGS if scale == "quick" else SETTINGS
    return [
        FineTunedConfiguration(**shared | run, seed=seed)
        for seed, run in itertools.product(range(seeds), with_baselines(settings))
    ]


EXPERIMENTS = [
    Experiment(
        EXPERIMENT,
        "A pretrained network fine-tuned until it fits: augmentation, dropout and weight decay",
        {"quick": 1, "laptop": 5},
        configurations,
        ("setting", "seed", "replicate"),
        compute,
        ("cpu", "cuda"),
    )
]
