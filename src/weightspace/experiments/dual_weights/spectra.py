"""What dual weights do to the spectra of the weights, beside weight decay, dropout and early stopping.

The networks of paper B under the lens of paper A. Every seed draws a training subset, initial weights and an order of
its own, so that nothing is shared between seeds; within a seed all runs start from the same weights, and gradient
descent is run several times with another order of the samples. Early stopping needs no run: it is gradient descent at
an earlier checkpoint.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import product
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import (
    IDENTITY,
    STRICT,
    Count,
    Fraction,
    Positive,
    Seed,
    common,
    dataclass,
    unread,
)
from weightspace.campaigns.registry import Experiment
from weightspace.data import sampling
from weightspace.experiments.dual_weights.protocol import (
    FRESH_SUBSETS,
    HIDDEN,
    LR,
    NOISE_STD,
    SPLIT_STREAM,
    TRAIN_SIZES,
    Method,
    NetworkConfiguration,
    Problem,
    base_settings,
    identity,
    load_problem,
    sample_order,
    untrained,
    wrong_labels,
)
from weightspace.spectra import eigenvalues_of
from weightspace.training.online.gradients import gradients
from weightspace.training.online.networks import OnlineNetworks

DATASETS = {
    "paper": ("california_housing", "wine_quality_white", "mnist", "fashion_mnist", "cifar10"),
    "quick": ("diabetes", "digits"),
}
IMAGES = ("mnist", "fashion_mnist", "cifar10", "digits")
NOISY = {"paper": (500, 0.4), "quick": (100, 0.4)}
"""Training size and fraction of wrong labels of the noisy cells; images only."""

BASELINE = "gradient_descent"
REPLICATES = 3
"""Baselines of a seed: gradient descent with another order of the samples each."""
DUAL = ("dual", "dual_stabilized")
L2_STRENGTHS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
DROPOUT_RATES = (0.1, 0.2, 0.3, 0.4, 0.5)
SETTINGS = (
    *DUAL,
    *(f"l2_squared_{strength:g}" for strength in L2_STRENGTHS),
    *(f"dropout_{rate:g}" for rate in DROPOUT_RATES),
)
CHECKPOINTS = (1 / 24, 1 / 6, 1 / 2, 1.0)
TEST_ROWS = {"paper": 3000, "quick": 200}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SpectraConfiguration(NetworkConfiguration):
    """A network of paper B whose spectra are kept along its training.

    method: an online method. replicate: which order of the samples a seed trains on. subset_seed: draws the training
    rows, with RandomState. label_noise: fraction of the distinct training rows with a wrong label, images only. lr:
    learning rate. checkpoints: after which fractions of all updates the network is looked at, ascending; training ends
    with the last. test_rows: unseen rows, half of them to choose strengths on and half to test on, at least 2.
    """

    protocol: Annotated[Count, IDENTITY] = 1
    method: Method
    replicate: Annotated[int, Field(ge=0)] = 0
    subset_seed: Seed
    label_noise: Fraction = 0.0
    lr: Positive = LR
    noise_std: Annotated[float, unread(NOISE_STD)] = NOISE_STD
    checkpoints: tuple[Annotated[float, Field(gt=0, le=1)], ...] = CHECKPOINTS
    test_rows: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _can_be_looked_at(self) -> SpectraConfiguration:
        if self.label_noise and self.task == "regression":
            raise ValueError(f"label_noise: 0 in regression, which has no labels, got {self.label_noise:g}")
        if (
            not self.looks
            or self.looks[0] < 1
            or len(set(self.looks)) < len(self.looks)
            or sorted(self.looks) != self.looks
        ):
            raise ValueError(
                f"checkpoints: ascending fractions of the {self.updates:,} updates (turns x updates_per_turn), at "
                f"least one, each another number of updates, got {self.checkpoints}"
            )
        return self

    @property
    def looks(self) -> list[int]:
        """The checkpoints in updates."""
        return [round(fraction * self.updates) for fraction in self.checkpoints]


def configurations(scale: str, seeds: int) -> list[SpectraConfiguration]:
    size, noise = NOISY[scale]
    cells = [(*cell, 0.0) for cell in product(DATASETS[scale], HIDDEN, TRAIN_SIZES[scale])]
    cells += [
        (dataset, layers, size, noise) for dataset, layers in product(DATASETS[scale], HIDDEN) if dataset in IMAGES
    ]
    runs = [(BASELINE, replicate) for replicate in range(REPLICATES)] + [(setting, 0) for setting in SETTINGS]
    return [
        SpectraConfiguration(
            **base_settings("dual_spectra", scale, dataset, layers, train_size),
            method=method,
            replicate=replicate,
            seed=seed,
            subset_seed=FRESH_SUBSETS + seed,
            label_noise=label_noise,
            test_rows=TEST_ROWS[scale],
        )
        for seed in range(seeds)  # outermost: a campaign that is cut short has whole seeds
        for dataset, layers, train_size, label_noise in cells
        for method, replicate in runs
    ]


def parts(first: SpectraConfiguration, problem: Problem) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(x, y) of the rows to train on, with their wrong labels, to choose strengths on, and to test on."""
    indices = sampling.paper_training_indices(len(problem.x), first.train_size, first.subset_seed)
    noise = first.label_noise
    y = wrong_labels(problem, indices, noise, first.seed) if noise else problem.y[indices]
    unseen_x, unseen_y = problem.unseen(indices)
    if first.test_rows > len(unseen_x):
        raise ValueError(f"test_rows: {first.dataset} has {len(unseen_x):,} unseen rows, got {first.test_rows:,}")
    chosen = np.random.default_rng([first.seed, SPLIT_STREAM]).permutation(len(unseen_x))[: first.test_rows]
    validation, test = np.array_split(chosen, 2)
    return {
        "train": (problem.x[indices], y),
        "validation": (unseen_x[validation], unseen_y[validation]),
        "test": (unseen_x[test], unseen_y[test]),
    }


def outcomes(z: np.ndarray, y: np.ndarray, task: str) -> dict[str, float]:
    """Mean loss (squared error x 10^4, or cross entropy in nats) and, of a classifier, accuracy in percent."""
    z = z.astype(np.float64)
    if task == "regression":
        return {"loss": 1e4 * float(((z[:, 0] - y) ** 2).mean())}
    z = z - z.max(axis=1, keepdims=True)
    loss = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]
    return {"loss": float(loss.mean()), "accuracy_percent": 100 * float((z.argmax(axis=1) == y).mean())}


LARGEST = 1e15
"""A network with a weight that is larger or no number has diverged: the squares of its singular values would not fit
into a record."""


def _diverged(networks: OnlineNetworks, run: int) -> bool:
    return not all((np.abs(part) < LARGEST).all() for layer in networks.layers(run) for part in layer)


def _rows(networks: OnlineNetworks, run: int, train: tuple[np.ndarray, np.ndarray], start: bool) -> Iterator[dict]:
    """Spectra of one run, and but at the start how strongly and how often its units are driven."""
    layers, dual = networks.layers(run), networks.methods[run].dual
    matrices = {(depth, "W"): w1 - w2 for depth, (w1, w2, _) in enumerate(layers, 1)}
    if dual:
        matrices |= {(depth, f"W{k + 1}"): layer[k] for depth, layer in enumerate(layers, 1) for k in range(2)}
    for (layer, part), values in zip(matrices, eigenvalues_of(list(matrices.values()))):
        content = values.astype("<f4").tobytes()
        yield {"layer": layer, "part": part, "metric": "eigenvalues", "eigenvalues": content, "value": values.sum()}
    if not start:
        for layer, g in enumerate(gradients(layers, *train, networks.task)[1], 1):
            size = np.abs(g)
            for metric, value in (("mean_abs_g", size.mean()), ("driven", (size > 0).mean())):
                yield {"layer": layer, "part": "", "metric": metric, "eigenvalues": b"", "value": float(value)}


def compute(group: list[SpectraConfiguration], device: str) -> pd.DataFrame:
    """Rows of layer 0: ``outcomes`` of the rows that ``inputs`` names. Rows of a layer, from 1: metric ``eigenvalues``
    of its W and, with dual weights, of W1 and W2 (little-endian float32, ascending; value: their sum); ``mean_abs_g``
    and ``driven``, the mean of |g| and the fraction of g that is not 0 over training rows and units. update: how many
    there have been; at 0 there are the spectra of gradient descent alone, because all runs start from these weights. A
    run that has diverged has one row instead: metric ``diverged``, of layer 0, value 1.
    """
    first = common(group, "method", "replicate")
    problem = load_problem(first.dataset)
    sets = parts(first, problem)
    x, y = sets["train"]
    networks = untrained(first, problem, [c.method for c in group], [c.seed for c in group], first.lr)
    order = np.stack([sample_order(c.seed, c.replicate, np.arange(len(x)), first.updates) for c in group])
    rows: list[dict] = []
    for look in (0, *first.looks):
        if look:
            networks.train(x, y, order[:, networks.updates : look])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of networks that have diverged
            outputs = {name: networks.predict(own) for name, (own, _) in sets.items()} if look else {}
        for run, configuration in enumerate(group):
            if not look and configuration.method != BASELINE:
                continue
            place = identity(configuration) | {"replicate": configuration.replicate, "update": look}
            place |= {"label_noise": first.label_noise}
            blank = {"layer": 0, "part": "", "inputs": "", "eigenvalues": b""}
            if _diverged(networks, run):
                rows.append(place | blank | {"metric": "diverged", "value": 1.0})
                continue
            rows += [place | {"inputs": "", **row} for row in _rows(networks, run, sets["train"], start=not look)]
            for name, z in outputs.items():
                for metric, value in outcomes(z[run], sets[name][1], problem.task).items():
                    rows.append(place | blank | {"inputs": name, "metric": metric, "value": value})
    return pd.DataFrame(rows).assign(**problem.origin)


EXPERIMENTS = [
    Experiment(
        "dual_spectra",
        "Spectra of dual weights beside those of weight decay, dropout and early stopping",
        {"quick": 3, "paper": 20},
        configurations,
        ("dataset", "layers", "train_size", "label_noise", "seed"),
        compute,
    )
]
