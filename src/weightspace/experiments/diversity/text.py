"""MiniLM fine-tuned on texts; the settings are in ``text_settings``."""

from __future__ import annotations

import pandas as pd

from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.text_settings import TextRunConfiguration, configurations


def compute(group: list[TextRunConfiguration], device: str) -> pd.DataFrame:
    from weightspace.experiments.diversity.compute.text_runs import train_and_measure  # PyTorch takes seconds to import

    (configuration,) = group
    return train_and_measure(configuration, device)


EXPERIMENTS = [
    Experiment(
        "diversity_text",
        "MiniLM fine-tuned on texts: augmentation, synthetic texts, dropout and weight decay",
        {"quick": 2, "laptop": 3, "paper": 5},
        configurations,
        ("dataset", "arm", "setting", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
