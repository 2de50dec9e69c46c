"""How much synthetic data; the settings are in ``amount_settings``."""

from __future__ import annotations

import pandas as pd

from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.amount_settings import EXPERIMENT, AmountConfiguration, configurations


def compute(group: list[AmountConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.diversity.compute.amount_runs import training_set  # PyTorch: takes seconds
    from weightspace.experiments.diversity.compute.scratch_runs import train_and_measure

    (configuration,) = group
    return train_and_measure(configuration, device, training_set(configuration, device))


EXPERIMENTS = [
    Experiment(
        EXPERIMENT,
        "How much synthetic data: in the place of real images, and beside them",
        {"quick": 1, "laptop": 5},
        configurations,
        ("setting", "seed", "replicate"),
        compute,
        ("cpu", "cuda"),
    )
]
