"""The learning rate of the text experiments where paper A's leaves the network untrained: tuned once, on the baseline.

Every candidate trains the baseline on four of five training texts and is judged by its loss on the rest after the last
epoch; test texts are not touched. ``text_settings.RATES`` states what was chosen.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import STRICT, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.text_sets import training_set
from weightspace.experiments.diversity.text_settings import (
    PAPER_RATE,
    TASKS,
    TextTrainingConfiguration,
    shared_task_settings,
)
from weightspace.experiments.diversity.tuning import judged_run

CANDIDATES = (PAPER_RATE, 3e-5, 1e-4, 3e-4)
HELD_OUT_EVERY = 5


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TextTuningConfiguration(TextTrainingConfiguration):
    """One candidate for the learning rate of a task. held_out_every: so many-th texts are held out, from the first."""

    held_out_every: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _whole_batch_to_train_on(self) -> TextTuningConfiguration:
        held_out = -(-self.number // self.held_out_every)
        if self.number - held_out < self.batch_size:
            raise ValueError(
                f"held_out_every must leave a batch of {self.batch_size} of {self.number} texts to train on, got "
                f"{self.held_out_every}"
            )
        return self


def configurations(scale: str, seeds: int) -> list[TextTuningConfiguration]:
    plain = {"held_out_every": HELD_OUT_EVERY, "dropout": 0.0, "weight_decay": 0.0}
    return [
        TextTuningConfiguration(
            **shared_task_settings("diversity_text_tuning", scale, dataset) | plain, lr=lr, seed=seed
        )
        for seed in range(seeds)
        for dataset in TASKS[scale]
        for lr in CANDIDATES
    ]


def compute(group: list[TextTuningConfiguration], device: str) -> pd.DataFrame:
    """Loss and accuracy on the held-out texts after each epoch."""
    from weightspace.experiments.diversity.compute.text_runs import trainer  # PyTorch takes seconds to import
    from weightspace.models import tokenize

    (c,) = group
    texts = training_set(c.dataset, every=c.every)
    held_out = np.arange(len(texts.texts)) % c.held_out_every == 0
    tokens = tokenize(texts.texts, c.length)
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
