"""ResNet-18 trained from scratch until it overfits; the settings are in ``scratch_settings``."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.scratch_settings import (
    EXPERIMENT,
    FittedConfiguration,
    added_level,
    configurations,
)


def compute(group: Sequence[FittedConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.diversity.compute.scratch_runs import train_and_measure  # PyTorch: takes seconds

    (configuration,) = group
    return train_and_measure(configuration, device)


EXPERIMENTS = [
    Experiment(
        EXPERIMENT,
        "ResNet-18 from scratch until it overfits: augmentation, dropout and weight decay",
        {"quick": 2, "laptop": 10, "paper": 5},
        configurations,
        ("setting", "lr", "seed", "replicate"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
        extra=added_level,
    )
]
