"""Paper A's training campaign: a ResNet-18 from scratch with every level of every regularizer, over several seeds.

Settings: the baseline, dropout, weight decay, and the ten augmentation levels. All settings of a seed share initial
weights and data order, so that they differ by the regularizer alone. Two arms stand beside the main one:
``independent``, baselines of other seeds, one for each category and seed, so that no two categories need to be compared
with the same baseline; and ``cumulative``, augmentation level k applied on top of levels 1 to k-1, as the released
measurements seem to have it. (Level 1 is the same in both arms and is run once.)
"""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn

from weightspace import augmentations
from weightspace.calibration import expected_calibration_error
from weightspace.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from weightspace.diversity_protocol import PRECISION, SIZES, load_images, recipe
from weightspace.experiments import Configuration, Experiment
from weightspace.models import ResNet18
from weightspace.records import run_key
from weightspace.spectra import eigenvalues_of
from weightspace.training import Trainer, initialized, loss_and_accuracy

DROPOUTS = (0.1, 0.3, 0.5, 0.7)
WEIGHT_DECAYS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3)
CATEGORIES = ("dropout", "weight_decay", "augmentation")
INDEPENDENT_SEEDS = 1000
"""The independent baselines of category c and seed s have seed 1000 (c + 1) + s."""

RECIPE: dict[str, Configuration] = {
    "paper": {"optimizer": "adam", "lr": 1e-3, "batch_size": 32},
    "laptop": {"optimizer": "adam", "lr": 1e-3, "batch_size": 32},
    "quick": {"optimizer": "adam", "lr": 1e-3, "batch_size": 32},
}
"""The best of ``diversity_tuning`` at scale laptop."""

TESTS: dict[str, Configuration] = {
    "paper": {"test_size": 10_000, "corruption_size": 10_000, "spectra_epochs": [1, 3, 10]},
    "laptop": {"test_size": 2_000, "corruption_size": 250, "spectra_epochs": [1, 2, 3]},
    "quick": {"test_size": 64, "corruption_size": 8, "spectra_epochs": [1]},
}
"""Number of test images (the first of the file), clean and corrupted, and the epochs after which spectra are taken."""

QUICK_SETTINGS = ("baseline", "dropout_0.5", "weight_decay_0.005", "noise50")


def settings(scale: str) -> list[Configuration]:
    """The settings of the main arm, each with its category, dropout, weight decay and augmentation level."""
    baseline = {"setting": "baseline", "category": "baseline", "dropout": 0.0, "weight_decay": 0.0, "augmentation": ""}
    everything = [
        baseline,
        *(baseline | {"setting": f"dropout_{p}", "category": "dropout", "dropout": p} for p in DROPOUTS),
        *(
            baseline | {"setting": f"weight_decay_{decay}", "category": "weight_decay", "weight_decay": decay}
            for decay in WEIGHT_DECAYS
        ),
        *(
            baseline | {"setting": level, "category": "augmentation", "augmentation": level}
            for level in augmentations.LEVELS
        ),
    ]
    return [setting for setting in everything if scale != "quick" or setting["setting"] in QUICK_SETTINGS]


def configurations(scale: str, seeds: int) -> list[Configuration]:
    """The most informative runs first: an interrupted campaign has whole seeds of the main arm."""
    main = settings(scale)
    chains = [s for s in main if s["augmentation"] not in ("", augmentations.LEVELS[0])]
    arms = (
        [("main", setting, seed) for seed in range(seeds) for setting in main]
        + [
            ("independent", main[0], INDEPENDENT_SEEDS * (k + 1) + seed)
            for seed in range(seeds)
            for k in range(len(CATEGORIES))
        ]
        + [("cumulative", setting, seed) for seed in range(seeds) for setting in chains]
    )
    shared = {
        "experiment": "diversity_cifar10",
        "protocol": 1,
        **SIZES[scale],
        **RECIPE[scale],
        **TESTS[scale],
        "precision": PRECISION[scale],
    }
    return [shared | setting | {"arm": arm, "seed": seed} for arm, setting, seed in arms]


@lru_cache(maxsize=32)
def training_images(
    dataset: str, train_size: int, level: str, cumulative: bool, seed: int, epoch: int
) -> NDArray[np.uint8]:
    """What the network sees in one epoch, ``[train_size, 32, 32, 3]``; the images as they are for level ``""``.

    Kept in memory for a while, because a cumulative level goes on from the images of the one before it.
    """
    x = load_images(dataset).x[:train_size]
    if not level:
        return x
    position = augmentations.LEVELS.index(level)
    if cumulative and position:
        x = training_images(dataset, train_size, augmentations.LEVELS[position - 1], True, seed, epoch)
    workers = 1 if train_size <= 10_000 else len(os.sched_getaffinity(0))
    return augmentations.augment(x, level, seed, epoch, workers)


@lru_cache(maxsize=len(CORRUPTIONS) * len(SEVERITIES))
def corrupted_images(dataset: str, size: int, kind: str, severity: int) -> NDArray[np.uint8]:
    """The first test images, corrupted: the same for all runs."""
    return corrupt(load_images(dataset).test_x[:size], kind, severity)


def spectra(model: nn.Module, device: str = "cpu") -> list[dict[str, object]]:
    """Eigenvalues of every convolution and linear layer, a row per layer and unfolding.

    unfolding: ``(out, in k)``, the matrix that maps a patch to the output channels; for convolutions also ``slices``,
    one matrix per place of the kernel with all eigenvalues pooled, the convention of WeightWatcher and paper A, without
    WeightWatcher's factor of 1/2. N and M: larger and smaller side. eigenvalues: of W^T W, ascending, float32. value:
    their sum, the squared Frobenius norm of the layer.
    """
    matrices, rows = [], []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight.detach()
            unfoldings = {"(out, in k)": [weight.flatten(1)]}
            if weight.dim() == 4:
                unfoldings["slices"] = list(weight.flatten(2).unbind(2))
            for unfolding, parts in unfoldings.items():
                N, M = max(parts[0].shape), min(parts[0].shape)
                rows.append({"layer": name, "unfolding": unfolding, "N": N, "M": M, "matrices": len(parts)})
                matrices.extend(parts)
    values = iter(eigenvalues_of(matrices, device=device))
    for row in rows:
        pooled = np.sort(np.concatenate([next(values) for _ in range(row.pop("matrices"))]))
        row |= {"metric": "norm", "value": float(pooled.sum()), "eigenvalues": pooled.astype(np.float32)}
    return rows


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    """One run: losses, accuracies and ECE per epoch, spectra along training, corrupted test images at the end.

    inputs: ``train``, the batches as the network trained on them (augmented, with dropout); ``train_clean`` and
    ``test``, images as they are, in evaluation mode; or a corruption with its severity (0 elsewhere). Initial spectra
    are kept for the baselines only: all settings of a seed start from the same weights.
    """
    (c,) = group
    images, seed, size, tests = load_images(c["dataset"]), c["seed"], c["train_size"], c["test_size"]
    model = initialized(lambda: ResNet18(c["dropout"], c["width"]), seed)
    trainer = Trainer(model, recipe(c), seed, device)
    labels = images.y[:size]
    rows: list[dict[str, object]] = []

    def record(epoch: int, inputs: str, severity: int = 0, **values: float) -> None:
        rows.extend(
            {"epoch": epoch, "inputs": inputs, "severity": severity, "metric": metric, "value": value}
            for metric, value in values.items()
        )

    def evaluate(epoch: int, inputs: str, x: NDArray[np.uint8], y: NDArray[np.int64], severity: int = 0) -> None:
        logits = trainer.logits(x)
        loss, accuracy = loss_and_accuracy(logits, y)
        ece = expected_calibration_error(softmax(logits.astype(np.float64), axis=1), y)
        record(epoch, inputs, severity, loss=loss, accuracy_percent=100 * accuracy, ece=ece)

    if c["setting"] == "baseline":
        rows += [{"epoch": 0} | row for row in spectra(model, device)]
    for epoch in range(1, c["epochs"] + 1):
        x = training_images(c["dataset"], size, c["augmentation"], c["arm"] == "cumulative", seed, epoch)
        loss, accuracy = trainer.train_epoch(x, labels, epoch)
        record(epoch, "train", loss=loss, accuracy_percent=100 * accuracy)
        evaluate(epoch, "train_clean", images.x[:tests], images.y[:tests])
        evaluate(epoch, "test", images.test_x[:tests], images.test_y[:tests])
        if epoch in c["spectra_epochs"]:
            rows += [{"epoch": epoch} | row for row in spectra(model, device)]
    number = c["corruption_size"]
    evaluate(c["epochs"], "test_part", images.test_x[:number], images.test_y[:number])
    for kind in CORRUPTIONS:
        for severity in SEVERITIES:
            x = corrupted_images(c["dataset"], number, kind, severity)
            evaluate(c["epochs"], kind, x, images.test_y[:number], severity)
    frame = pd.DataFrame(rows).fillna({"inputs": "", "severity": 0, "layer": "", "unfolding": "", "N": 0, "M": 0})
    frame = frame.astype({"severity": int, "N": int, "M": int})
    identity = {name: c[name] for name in ("dataset", "arm", "category", "setting", "seed")}
    return frame.assign(**identity, run_key=run_key(c), **images.origin)


EXPERIMENTS = [
    Experiment(
        "diversity_cifar10",
        "ResNet-18 from scratch on CIFAR-10: augmentation, dropout and weight decay",
        {"quick": 2, "laptop": 3, "paper": 5},
        configurations,
        ("arm", "setting", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
