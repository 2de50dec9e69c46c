"""Optimizer and learning rate of the campaign, which paper A does not give: tuned once, on the baseline.

Every candidate trains the baseline on four fifths of the training images and is judged by its loss on the rest after
the last epoch; test images are not touched. ``cifar10_settings.RECIPE`` states what was chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import STRICT, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.protocol import (
    ResNetConfiguration,
    TrainingConfiguration,
    load_images,
    shared_settings,
)

if TYPE_CHECKING:
    from weightspace.training.trainer import Trainer

CANDIDATES = (
    ("adam", 1e-2),
    ("adam", 1e-3),
    ("adam", 3e-3),
    ("adam", 3e-4),
    ("sgd", 0.03),
    ("sgd", 0.1),
    ("sgd", 0.01),
)
BATCH_SIZE = 32
"""As in the part of paper A's training code that is released."""
VALIDATION_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ValidatedConfiguration(TrainingConfiguration):
    """A baseline trained on a part of the training images.

    validation_share: fraction of them, between 0 and 1, that is held out, the last ones.
    """

    validation_share: Annotated[float, Field(gt=0, lt=1)]
    dropout: ClassVar[float] = 0.0

    @model_validator(mode="after")
    def _both_parts_have_images(self) -> ValidatedConfiguration:
        if not self.batch_size <= self.trained_on < self.train_size:
            raise ValueError(
                f"validation_share must leave a batch of {self.batch_size} of {self.train_size} images to train on and "
                f"one to hold out, got {self.validation_share}"
            )
        return self

    @property
    def trained_on(self) -> int:
        """Number of images that are not held out."""
        return round(self.train_size * (1 - self.validation_share))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TuningConfiguration(ValidatedConfiguration, ResNetConfiguration):
    """One candidate for the recipe of the campaign from scratch."""


def configurations(scale: str, seeds: int) -> list[TuningConfiguration]:
    shared: dict[str, Any] = shared_settings("diversity_tuning", scale) | {
        "validation_share": VALIDATION_SHARE,
        "batch_size": BATCH_SIZE,
        "weight_decay": 0.0,
    }
    return [
        TuningConfiguration(**shared | {"optimizer": optimizer}, lr=lr, seed=seed)
        for seed in range(seeds)
        for optimizer, lr in CANDIDATES
    ]


def compute(group: list[ValidatedConfiguration], device: str) -> pd.DataFrame:
    """Loss and accuracy on the held-out images after each epoch."""
    from weightspace.experiments.diversity.compute.image_runs import trainer  # PyTorch takes seconds to import

    (c,) = group
    images, size = load_images(c.dataset), c.train_size
    held_out = np.arange(size) >= c.trained_on
    return judged_run(c, trainer(c, device), images.x[:size], images.y[:size], held_out).assign(**images.origin)


def judged_run(
    configuration: Any, run: Trainer, samples: NDArray, labels: NDArray[np.int64], held_out: NDArray[np.bool_]
) -> pd.DataFrame:
    """Loss and accuracy of every epoch: of what is trained on as it is trained on, and of what is held out."""
    from weightspace.training.trainer import loss_and_accuracy

    c, rows = configuration, []
    for epoch in range(1, c.epochs + 1):
        trained = run.train_epoch(samples[~held_out], labels[~held_out], epoch)
        judged = loss_and_accuracy(run.logits(samples[held_out]), labels[held_out])
        for inputs, (loss, accuracy) in (("train", trained), ("validation", judged)):
            rows += [(epoch, inputs, "loss", loss), (epoch, inputs, "accuracy_percent", 100 * accuracy)]
    frame = pd.DataFrame(rows, columns=["epoch", "inputs", "metric", "value"])
    identity = {name: [getattr(c, name)] * len(frame) for name in ("dataset", "optimizer", "lr", "batch_size", "seed")}
    return pd.DataFrame(identity).join(frame).assign(run_key=c.run_key)


EXPERIMENTS = [
    Experiment(
        "diversity_tuning",
        "Optimizer and learning rate of the training campaign",
        {"quick": 1, "laptop": 2, "paper": 2},
        configurations,
        ("optimizer", "lr", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
