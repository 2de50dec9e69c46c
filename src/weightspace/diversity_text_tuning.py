"""The learning rate of the text experiments where paper A's leaves the network untrained: tuned once, on the baseline.

Every candidate trains the baseline on four of five training texts and is judged by its loss on the rest after the last
epoch; test texts are not touched. ``diversity_text.RATES`` states what was chosen.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from weightspace.diversity_text import PAPER_RATE, TASKS, task_configuration
from weightspace.diversity_tuning import judged_run
from weightspace.experiments import Configuration, Experiment
from weightspace.text_sets import training_set

CANDIDATES = (PAPER_RATE, 3e-5, 1e-4, 3e-4)
HELD_OUT_EVERY = 5


def configurations(scale: str, seeds: int) -> list[Configuration]:
    return [
        task_configuration("diversity_text_tuning", scale, dataset)
        | {"held_out_every": HELD_OUT_EVERY, "dropout": 0.0, "weight_decay": 0.0, "lr": lr, "seed": seed}
        for seed in range(seeds)
        for dataset in TASKS[scale]
        for lr in CANDIDATES
    ]


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    """Loss and accuracy on the held-out texts after each epoch."""
    from weightspace.diversity_text_runs import trainer  # PyTorch takes seconds to import
    from weightspace.models import tokenize

    (c,) = group
    texts = training_set(c["dataset"], every=c["every"])
    held_out = np.arange(len(texts.texts)) % c["held_out_every"] == 0
    tokens = tokenize(texts.texts, c["length"])
    return judged_run(c, trainer(c, device), tokens, texts.labels, held_out).assign(**texts.origin)


EXPERIMENTS = [
    Experiment(
        "diversity_text_tuning",
        "Learning rate of the text experiments",
        {"quick": 1, "laptop": 2, "paper": 2},
        configurations,
        ("dataset", "lr", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
