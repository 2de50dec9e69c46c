"""How a network of today is trained, plain or dual, and what is measured of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weightspace.data.augmentations import augment
from weightspace.data.sampling import flip_labels
from weightspace.dual.convert import dualize
from weightspace.dual.optimizers import DualOptimizer
from weightspace.experiments.diversity.compute.text_runs import CLASSES, as_they_are
from weightspace.experiments.diversity.protocol import load_images
from weightspace.experiments.diversity.text_sets import evaluation_set, training_set
from weightspace.experiments.dual_weights.today_settings import (
    ImagesTodayConfiguration,
    TextsTodayConfiguration,
    TodayConfiguration,
)
from weightspace.models import ResNet18, VisionTransformer, pretrained, tokenize
from weightspace.training.trainer import LABEL_STREAM, Recipe, Trainer, initialized, loss_and_accuracy, to_inputs

_NETWORKS = {"resnet18": ResNet18, "vision_transformer": VisionTransformer}


@dataclass(frozen=True, eq=False)
class Task:
    """seen(epoch): what is trained on in an epoch. sets: name -> (inputs, labels) to score on; labels of ``train`` are
    those trained on. build: makes the network; prepare: its input of the inputs."""

    seen: Callable[[int], NDArray[Any]]
    sets: dict[str, tuple[NDArray[Any], NDArray[np.int64]]]
    build: Callable[[], nn.Module]
    prepare: Callable[[Tensor], Tensor]
    origin: dict[str, str]


def task(configuration: TodayConfiguration) -> Task:
    """The data of a run, some of the labels wrong if there is label noise, and its network."""
    match configuration:
        case ImagesTodayConfiguration() as c:
            found = load_images(c.dataset)
            x = found.x[: c.train_size + c.held_out]
            sets = _sets(c, x, found.y, found.test_x, found.test_y)
            first = x[: c.train_size]

            def seen(epoch: int) -> NDArray[Any]:
                return augment(first, c.augmentation, c.seed, epoch) if c.augmentation else first

            build = partial(_NETWORKS[c.network], c.dropout, classes=int(found.y.max()) + 1, **c.shape)
            return Task(seen, sets, build, to_inputs, found.origin)
        case TextsTodayConfiguration() as c:
            texts, test = training_set(c.dataset), evaluation_set(c.dataset)
            tokens = tokenize(texts.texts[: c.train_size + c.held_out], c.length)
            own = training_set(c.dataset, c.augmentation, c.seed)
            edited = tokenize(own.texts[: c.train_size], c.length)
            sets = _sets(c, tokens, texts.labels, tokenize(test.texts[: c.test_size], c.length), test.labels)
            network = partial(pretrained, c.network, CLASSES, c.dropout, config=dict(c.encoder) or None)
            return Task(lambda epoch: edited, sets, network, as_they_are, texts.origin)
        case other:
            raise TypeError(f"no task is known for {type(other).__name__}")


def _sets(
    c: TodayConfiguration, x: NDArray[Any], y: NDArray[np.int64], test_x: NDArray[Any], test_y: NDArray[np.int64]
) -> dict[str, tuple[NDArray[Any], NDArray[np.int64]]]:
    rng = np.random.default_rng([c.seed, LABEL_STREAM])
    labels = flip_labels(y[: len(x)], c.label_noise, int(y.max()) + 1, rng)
    n = c.train_size
    return {
        "train": (x[:n], labels[:n]),
        "validation": (x[n:], labels[n:]),
        "test": (test_x[: c.test_size], test_y[: c.test_size]),
    }


def trainer(configuration: TodayConfiguration, of: Task, device: str) -> Trainer:
    """The network of a configuration at its initial weights: those of a dual network are those of the plain one."""
    c = configuration
    model = initialized(of.build, c.seed)
    if c.weights != "plain":
        model = dualize(model, stabilizer=c.weights == "dual_stabilized")
    recipe = Recipe(c.optimizer, c.lr, c.batch_size, c.weight_decay, cosine_epochs=c.epochs)
    run = Trainer(model, recipe, c.seed, device, of.prepare)
    if c.weights != "plain":
        inner = partial(torch.optim.SGD, momentum=0.9) if c.optimizer == "sgd" else torch.optim.Adam
        run.optimizer = DualOptimizer(run.model, partial(inner, lr=c.lr), decoupled=c.optimizer == "adamw")
    return run


def train_and_measure(configuration: TodayConfiguration, device: str) -> pd.DataFrame:
    """After the last epoch the loss (nats) and accuracy (percent) on the training, held-out and test samples.

    A network that has diverged counts as one that finds all classes equally likely.
    """
    c = configuration
    of = task(c)
    run = trainer(c, of, device)
    for epoch in range(1, c.epochs + 1):
        run.train_epoch(of.seen(epoch), of.sets["train"][1], epoch)
    rows = []
    place = {name: getattr(c, name) for name in ("network", "optimizer", "train_size", "label_noise", "dataset")}
    place |= {"method": c.method, "strength": c.strength, "seed": c.seed, "run_key": c.run_key}
    for inputs, (x, y) in of.sets.items():
        logits = run.logits(x)
        loss, accuracy = loss_and_accuracy(logits if np.isfinite(logits).all() else 0 * np.nan_to_num(logits), y)
        for metric, value in (("loss", loss), ("accuracy_percent", 100 * accuracy)):
            rows.append(place | {"inputs": inputs, "metric": metric, "value": value})
    return pd.DataFrame(rows).assign(**of.origin)
