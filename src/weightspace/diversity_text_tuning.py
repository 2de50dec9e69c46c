"""The learning rate of the text experiments where paper A's leaves the network untrained: tuned once, on the baseline.

Every candidate trains the baseline on four of five training texts and is judged by its loss on the rest after the last
epoch; test texts are not touched. ``diversity_text.RATES`` states what was chosen.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from weightspace.diversity_text import PAPER_RATE, TASKS, task_configuration
from weightspace.experiments import Configuration, Experiment
from weightspace.records import run_key
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
    from weightspace.training import loss_and_accuracy

    (c,) = group
    texts = training_set(c["dataset"], every=c["every"])
    tokens, run = tokenize(texts.texts, c["length"]), trainer(c, device)
    held_out = np.arange(len(tokens)) % c["held_out_every"] == 0
    rows = []
    for epoch in range(1, c["epochs"] + 1):
        trained = run.train_epoch(tokens[~held_out], texts.labels[~held_out], epoch)
        judged = loss_and_accuracy(run.logits(tokens[held_out]), texts.labels[held_out])
        for inputs, (loss, accuracy) in (("train", trained), ("validation", judged)):
            for metric, value in (("loss", loss), ("accuracy_percent", 100 * accuracy)):
                rows.append(
                    {name: c[name] for name in ("dataset", "optimizer", "lr", "batch_size", "seed")}
                    | {"epoch": epoch, "inputs": inputs, "metric": metric, "value": value}
                    | {"run_key": run_key(c)}
                    | texts.origin
                )
    return pd.DataFrame(rows)


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
