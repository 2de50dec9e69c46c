"""A generator of images, its sets and networks trained on them; the settings are in ``synthetic_settings``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.synthetic_settings import (
    PicturedConfiguration,
    SyntheticRunConfiguration,
    SyntheticSetsConfiguration,
    configurations,
    generator_configurations,
    set_configurations,
)


def compute(group: list[SyntheticRunConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.diversity.compute.image_runs import train_and_measure  # PyTorch: takes seconds
    from weightspace.experiments.diversity.compute.synthetic_runs import training_set

    (configuration,) = group
    return train_and_measure(configuration, device, lambda c, epoch: training_set(c, epoch, device))


def compute_generator(group: list[PicturedConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.diversity.compute.synthetic_runs import describe_generator

    (configuration,) = group
    return describe_generator(configuration, device)


def compute_sets(group: list[SyntheticSetsConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.diversity.compute.synthetic_runs import describe_sets

    return describe_sets(group, device)


_SEEDS = {"quick": 2, "laptop": 3, "paper": 5}
_PLACES: dict[str, Any] = {"devices": ("cpu", "cuda"), "needs_gpu": ("paper",)}

EXPERIMENTS = [
    Experiment(
        "diversity_synthetic_generator",
        "A generator of images, by flow matching on the training images",
        _SEEDS,
        generator_configurations,
        ("seed",),
        compute_generator,
        **_PLACES,
    ),
    Experiment(
        "diversity_synthetic_sets",
        "Synthetic, augmented and real training sets: fidelity, copies, diversity",
        _SEEDS,
        set_configurations,
        ("seed",),
        compute_sets,
        **_PLACES,
    ),
    Experiment(
        "diversity_synthetic",
        "ResNet-18 on real and synthetic images: against augmentation, dropout and weight decay",
        _SEEDS,
        configurations,
        ("arm", "setting", "seed"),
        compute,
        **_PLACES,
    ),
]
