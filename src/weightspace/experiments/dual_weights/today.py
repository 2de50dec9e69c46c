"""Dual weights in networks of today; the plan is in ``today_settings``."""

from __future__ import annotations

import pandas as pd

from weightspace.campaigns.registry import Experiment
from weightspace.experiments.dual_weights.today_settings import NAME, TodayConfiguration, configurations


def compute(group: list[TodayConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.dual_weights.compute.today_runs import train_and_measure  # PyTorch: takes seconds

    (configuration,) = group
    return train_and_measure(configuration, device)


EXPERIMENTS = [
    Experiment(
        NAME,
        "Dual weights in networks of today, against tuned weight decay, dropout and augmentation",
        {"quick": 1, "laptop": 5},
        configurations,
        ("network", "optimizer", "train_size", "label_noise", "method", "strength", "seed"),
        compute,
        ("cpu", "cuda"),
    )
]
