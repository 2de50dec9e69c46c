"""MiniLM fine-tuned on texts until it fits them; the settings are in ``text_fitted_settings``."""

from __future__ import annotations

from functools import partial

import pandas as pd

from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.text_fitted_settings import (
    COMPLAINTS,
    TITLES,
    FittedTextConfiguration,
    configurations,
)


def compute(group: list[FittedTextConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.diversity.compute.text_fitted_runs import train_and_measure  # PyTorch takes seconds

    (configuration,) = group
    return train_and_measure(configuration, device)


EXPERIMENTS = [
    Experiment(
        name,
        f"MiniLM fine-tuned on {what} until it fits them: every kind of training text, dropout and weight decay",
        {"quick": 1, "laptop": 5},
        partial(configurations, name),
        ("setting", "seed", "replicate"),
        compute,
        ("cpu", "cuda"),
    )
    for name, what in ((COMPLAINTS, "complaints"), (TITLES, "titles of papers"))
]
