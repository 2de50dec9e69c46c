"""Why fine-tuning on noisy images costs accuracy on clean ones: the weights, or the statistics of batch norm?

In evaluation batch norm uses running means and variances of what the network saw in training. A network that was
fine-tuned on changed images is tested on images as they are, on images changed in the same way, and on images as they
are after these statistics, and nothing else, have been taken anew from training images as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pandas as pd

from weightspace.campaigns.configuration import IDENTITY, LATER, STRICT, Count, dataclass
from weightspace.campaigns.planning import planned
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.protocol import Epochs, Severities, load_images
from weightspace.experiments.diversity.transfer import TransferConfiguration

PARENT = "diversity_transfer"

SETTINGS = ("baseline", "aug_mix", "noise50", "auto1")
TEST_EPOCH = 0
"""Of the random numbers that change the test images: no epoch of training has it."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BatchNormConfiguration(TransferConfiguration):
    """A run of the main arm of ``diversity_transfer``. Corruptions and spectra are not looked at again."""

    arm: Literal["main"]
    corruption_size: Annotated[Count, IDENTITY]
    spectra_epochs: Annotated[Epochs, IDENTITY]
    severities: Annotated[Severities, LATER, IDENTITY] = (1, 2, 3, 4, 5)


def derived(parents: Sequence[Any], scale: str) -> list[BatchNormConfiguration]:
    """The runs that repeat some of the parents' and look at their batch norm."""
    return [
        BatchNormConfiguration(
            **{field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
            | {"experiment": "diversity_batch_norm"}
        )
        for run in parents
        if run.arm == "main" and (run.setting in SETTINGS or scale == "quick")
    ]


def configurations(scale: str, seeds: int) -> list[BatchNormConfiguration]:
    return derived(list(planned(PARENT, scale, seeds).values()), scale)


def compute(group: list[BatchNormConfiguration], device: str) -> pd.DataFrame:
    """inputs: ``test``, ``test_changed`` (as the training images were), ``test_new_statistics``."""
    from weightspace.data import augmentations  # these and PyTorch take seconds to import
    from weightspace.experiments.diversity.compute.image_runs import augmented, trainer
    from weightspace.experiments.diversity.compute.measurements import scores
    from weightspace.training.trainer import reset_batch_norm

    (c,) = group
    images, size, tests = load_images(c.dataset), c.train_size, c.test_size
    run = trainer(c, device)
    for epoch in range(1, c.epochs + 1):
        run.train_epoch(augmented(c, epoch), images.y[:size], epoch)
    x, y = images.test_x[:tests], images.test_y[:tests]
    changed = augmentations.augment(x, c.augmentation, c.seed, TEST_EPOCH) if c.augmentation else x
    found = {"test": run.logits(x), "test_changed": run.logits(changed)}
    reset_batch_norm(run, images.x[:size])
    found["test_new_statistics"] = run.logits(x)
    identity = {name: getattr(c, name) for name in ("dataset", "model", "arm", "category", "setting", "seed")}
    rows = [
        identity | {"epoch": c.epochs, "inputs": inputs, "metric": metric, "value": value}
        for inputs, logits in found.items()
        for metric, value in scores(logits, y).items()
    ]
    return pd.DataFrame(rows).assign(run_key=c.run_key, **images.origin)


EXPERIMENTS = [
    Experiment(
        "diversity_batch_norm",
        "Fine-tuned on changed images: weights or statistics of batch norm",
        {"quick": 1, "laptop": 3, "paper": 5},
        configurations,
        ("arm", "setting", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
