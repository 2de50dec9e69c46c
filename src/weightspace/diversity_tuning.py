"""Optimizer and learning rate of the campaign, which paper A does not give: tuned once, on the baseline.

Every candidate trains the baseline on four fifths of the training images and is judged by its loss on the rest after
the last epoch; test images are not touched. ``diversity_cifar10.RECIPE`` states what was chosen.
"""

from __future__ import annotations

import pandas as pd

from weightspace.diversity_protocol import base_configuration, load_images
from weightspace.experiments import Configuration, Experiment
from weightspace.records import run_key

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


def configurations(scale: str, seeds: int) -> list[Configuration]:
    return [
        {
            **base_configuration("diversity_tuning", scale),
            "validation_share": VALIDATION_SHARE,
            "batch_size": BATCH_SIZE,
            "weight_decay": 0.0,
            "optimizer": optimizer,
            "lr": lr,
            "seed": seed,
        }
        for seed in range(seeds)
        for optimizer, lr in CANDIDATES
    ]


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    """Loss and accuracy on the held-out images after each epoch."""
    from weightspace.diversity_runs import trainer  # PyTorch takes seconds to import
    from weightspace.training import loss_and_accuracy

    (configuration,) = group
    images = load_images(configuration["dataset"])
    size = configuration["train_size"]
    fit = round(size * (1 - configuration["validation_share"]))
    run = trainer(configuration | {"dropout": 0.0}, device)
    rows = []
    for epoch in range(1, configuration["epochs"] + 1):
        train_loss, train_accuracy = run.train_epoch(images.x[:fit], images.y[:fit], epoch)
        loss, accuracy = loss_and_accuracy(run.logits(images.x[fit:size]), images.y[fit:size])
        for inputs, metric, value in (
            ("train", "loss", train_loss),
            ("train", "accuracy_percent", 100 * train_accuracy),
            ("validation", "loss", loss),
            ("validation", "accuracy_percent", 100 * accuracy),
        ):
            rows.append(
                {name: configuration[name] for name in ("dataset", "optimizer", "lr", "batch_size", "seed")}
                | {"epoch": epoch, "inputs": inputs, "metric": metric, "value": value}
                | {"run_key": run_key(configuration)}
                | images.origin
            )
    return pd.DataFrame(rows)


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
