"""ResNet-18 on CIFAR-10, the main campaign of paper A; the settings are in ``cifar10_settings``."""

from __future__ import annotations

import pandas as pd

from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.cifar10_settings import configurations
from weightspace.experiments.diversity.protocol import CampaignConfiguration


def compute(group: list[CampaignConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.diversity.compute.image_runs import train_and_measure  # PyTorch: takes seconds

    (configuration,) = group
    return train_and_measure(configuration, device)


EXPERIMENTS = [
    Experiment(
        "diversity_cifar10",
        "ResNet-18 from scratch on CIFAR-10: augmentation, dropout and weight decay",
        {"quick": 2, "laptop": 3, "paper": 5},
        configurations,
        ("arm", "setting", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
