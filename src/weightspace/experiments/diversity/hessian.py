"""Curvature along training: the trace of the Hessian for the baseline and one setting of each regularizer.

The runs repeat those of ``diversity_cifar10``, with the same weights and order, and stop to look. The network is looked
at as it trains: in training mode, with dropout masks and batch statistics, on augmented batches of the same size.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import STRICT, Count, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.cifar10_settings import RECIPE, settings
from weightspace.experiments.diversity.protocol import (
    RegularizedConfiguration,
    ResNetConfiguration,
    load_images,
    shared_settings,
)

SETTINGS = ("baseline", "dropout_0.3", "weight_decay_0.001", "auto_augment")
BATCHES = {"paper": 32, "laptop": 32, "quick": 2}
PROBES = 2
"""Per batch. Batches differ more than probes, so many batches with few probes each cost least for the same error."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HessianConfiguration(RegularizedConfiguration, ResNetConfiguration):
    """A run that stops to look at its curvature.

    batches: number of batches on which the trace is estimated, the first of the epoch's images, at least 2. probes:
    random vectors per batch. The trace is computed in float32 whatever the precision of the training.
    """

    batches: Annotated[int, Field(ge=2)]
    probes: Count

    @model_validator(mode="after")
    def _enough_batches(self) -> HessianConfiguration:
        if self.batches > self.train_size // self.batch_size:
            raise ValueError(
                f"batches: {self.train_size} training images are {self.train_size // self.batch_size} batches of "
                f"{self.batch_size}, got {self.batches}"
            )
        return self


def configurations(scale: str, seeds: int) -> list[HessianConfiguration]:
    shared = shared_settings("diversity_hessian", scale) | RECIPE[scale]
    return [
        HessianConfiguration(**shared | setting, batches=BATCHES[scale], probes=PROBES, seed=seed)
        for seed in range(seeds)
        for setting in settings("paper")
        if setting["setting"] in SETTINGS
    ]


def compute(group: list[HessianConfiguration], device: str) -> pd.DataFrame:
    """Trace at the start and after each epoch, with its standard error over the batches, and the training loss.

    The standard error is the spread of the batches' estimates, so it holds the chance of batches, masks and probes.
    """
    from weightspace.experiments.diversity.compute.image_runs import (  # PyTorch: takes seconds
        batch_traces,
        trainer,
        training_images,
    )

    (c,) = group
    images, size = load_images(c.dataset), c.train_size
    run = trainer(c, device)
    rows = []
    for epoch in range(c.epochs + 1):
        # At the start the images of the first epoch, which the network is about to see.
        x = training_images(c.dataset, size, c.augmentation, False, c.seed, max(epoch, 1))
        loss = np.nan
        if epoch:
            loss, _ = run.train_epoch(x, images.y[:size], epoch)
        traces = batch_traces(run, x, images.y[:size], c.batches, c.probes, epoch)
        error = traces.std(ddof=1) / np.sqrt(len(traces))
        found = {"value": traces.mean(), "standard_error": error, "train_loss": loss}
        rows.append({"epoch": epoch, "metric": "hessian_trace"} | found)
    identity = {name: getattr(c, name) for name in ("dataset", "category", "setting", "seed")}
    return pd.DataFrame([identity | row | {"run_key": c.run_key} | images.origin for row in rows])


EXPERIMENTS = [
    Experiment(
        "diversity_hessian",
        "Trace of the Hessian along training",
        {"quick": 2, "laptop": 3, "paper": 5},
        configurations,
        ("setting", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
