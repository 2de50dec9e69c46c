"""The fair question for classification: does the gain survive baselines that were tuned?

Test rows are the official test split. Every network sees as many training samples as in the paper, one by one or in
mini-batches. How a method is tuned: ``weightspace.experiments.dual_weights.tuning``.

``dual_classification_deep`` asks the same of the 3-layer network, with right and with wrong training labels. Wrong
labels are among the rows that candidates are judged on as well: nobody would know which ones they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import chain, product
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import pandas as pd
from pydantic import model_validator

from weightspace.campaigns.configuration import LATER, STRICT, Count, Fraction, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.data import sampling
from weightspace.experiments.dual_weights import tuning
from weightspace.experiments.dual_weights.protocol import (
    LR,
    ORDER_STREAM,
    Images,
    Problem,
    base_settings,
    load_problem,
    record,
    wrong_labels,
)

if TYPE_CHECKING:
    from weightspace.training.minibatch import MinibatchNetworks
    from weightspace.training.online.networks import OnlineNetworks

DATASETS = {"paper": ("mnist", "fashion_mnist", "cifar10"), "quick": ("digits",)}
TRAIN_SIZES = {"paper": (100, 500), "quick": (100,)}
LAYERS = 2
BATCH_SIZE = 50

L2_SQUARED_STRENGTHS = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
MINIBATCH_RATES = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1)
ADAM_RATES = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2)
SAM_RATES, SAM_RADII = (5e-3, 1e-2, 2e-2, 5e-2), (0.05, 0.2)
CIFAR10_SAM_RATES, CIFAR10_SAM_RADII = (1e-3, 2e-3, 5e-3, 1e-2), (0.005, 0.02)
"""Ten times smaller radii: with the others every network falls to chance on CIFAR-10, whose inputs are longer."""

TUNED: dict[str, list[tuning.Candidate]] = tuning.TUNED | {
    "tuned_l2_squared": [(f"l2_squared_{strength:g}", LR, 1.0) for strength in L2_SQUARED_STRENGTHS],
    "tuned_minibatch": [("sgd", lr, 0.0) for lr in MINIBATCH_RATES],
    "tuned_adam": [("adam", lr, 0.0) for lr in ADAM_RATES],
    "tuned_sam": [("sam", lr, rho) for lr, rho in product(SAM_RATES, SAM_RADII)],
}
"""Candidates per tuned method: the same number for each. ``candidates`` has those of a data set."""


DEEP_SIZES = {"paper": (100, 500), "quick": (100,)}
NOISY = {"paper": (("mnist", "fashion_mnist"), 500, (0.2, 0.4)), "quick": (("digits",), 100, (0.4,))}
"""Data sets, training size and fractions of wrong labels."""
ROBUST_RATES, ROBUST_EXPONENTS = (5e-3, 1e-2, 2e-2, 5e-2), (0.4, 0.7)
DEEP_METHODS = (
    "tuned_lr",
    "tuned_l2_squared",
    "tuned_early_stopping",
    "tuned_dropout",
    "tuned_dual",
    "tuned_dual_stabilized",
)
DEEP = {name: TUNED[name] for name in DEEP_METHODS}
NOISY_DEEP = {name: own for name, own in DEEP.items() if name not in ("tuned_lr", "tuned_dropout")} | {
    "tuned_minibatch": [("sgd", lr, 0.0) for lr in MINIBATCH_RATES],
    "tuned_robust": [("robust", lr, q) for lr, q in product(ROBUST_RATES, ROBUST_EXPONENTS)],
}
"""Candidates of the 3-layer network with right and with wrong labels; mini-batches, as control of the robust loss."""


def candidates(dataset: str) -> dict[str, list[tuning.Candidate]]:
    if dataset != "cifar10":
        return TUNED
    return TUNED | {"tuned_sam": [("sam", lr, rho) for lr, rho in product(CIFAR10_SAM_RATES, CIFAR10_SAM_RADII)]}


# SAM needs two gradients per step: in a stack of its own, so that the others do not pay for it.
_STACKS = (("sgd", "adam"), ("sam",))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TunedClassificationConfiguration(tuning.TunedConfiguration):
    """All tuned methods of one seed in classification; candidates are online methods and sgd, adam, sam and robust,
    which is sgd with a robust loss.

    batch_size: samples of one step of these, at most all updates. label_noise: fraction of the distinct training rows,
    held-out ones included, with a wrong label.
    """

    dataset: Images
    batch_size: Count = BATCH_SIZE
    label_noise: Annotated[Fraction, LATER] = 0.0

    OPTIMIZERS: ClassVar[tuple[str, ...]] = (*sum(_STACKS, ()), "robust")

    @model_validator(mode="after")
    def _has_a_batch(self) -> TunedClassificationConfiguration:
        if self.batch_size > self.updates:
            raise ValueError(
                f"batch_size: at most turns x updates_per_turn, {self.updates:,} samples, got {self.batch_size:,}"
            )
        return self


def configurations(scale: str, seeds: int) -> list[TunedClassificationConfiguration]:
    return [
        TunedClassificationConfiguration(
            **base_settings("dual_classification_tuned", scale, dataset, LAYERS, train_size),
            **tuning.settings(seed, candidates(dataset)),
        )
        for seed in range(seeds)  # outermost: a campaign that is cut short has whole seeds
        for dataset, train_size in product(DATASETS[scale], TRAIN_SIZES[scale])
    ]


def deep_configurations(scale: str, seeds: int) -> list[TunedClassificationConfiguration]:
    noisy_sets, noisy_size, fractions = NOISY[scale]
    cells = [(*cell, 0.0, DEEP) for cell in product(DATASETS[scale], DEEP_SIZES[scale])]
    cells += [(dataset, noisy_size, noise, NOISY_DEEP) for dataset, noise in product(noisy_sets, fractions)]
    return [
        TunedClassificationConfiguration(
            **base_settings("dual_classification_deep", scale, dataset, 3, train_size),
            **tuning.settings(seed, tuned),
            label_noise=label_noise,
        )
        for seed in range(seeds)
        for dataset, train_size, label_noise, tuned in cells
    ]


def with_wrong_labels(configuration: TunedClassificationConfiguration, problem: Problem) -> Problem:
    """The problem with wrong labels on a fraction of the training rows; other rows keep theirs."""
    c, y = configuration, problem.y.copy()
    indices = sampling.paper_training_indices(len(problem.x), c.train_size, c.subset_seed)
    y[indices] = wrong_labels(problem, indices, c.label_noise, c.seed)
    return dataclasses.replace(problem, y=y)


def compute(group: list[TunedClassificationConfiguration], device: str) -> pd.DataFrame:
    return pd.concat([_compute_seed(configuration) for configuration in group], ignore_index=True)


def _train_minibatches(
    configuration: TunedClassificationConfiguration,
    problem: Problem,
    indices: np.ndarray,
    candidates: list[tuning.Candidate],
) -> Iterator[tuple[list[tuning.Candidate], MinibatchNetworks]]:
    """Train mini-batch candidates; yields those that were trained as one stack with their networks."""
    # Here: reading records does not have to wait for PyTorch.
    from weightspace.training.minibatch import (
        MinibatchNetworks,
        Optimizer,
        batch_order,
        cross_entropy,
        robust_cross_entropy,
    )

    seed = configuration.seed
    # A stack has one loss: one for each q of the robust losses.
    stacks = [[c for c in candidates if c[0] in names] for names in _STACKS]
    stacks += [[c for c in candidates if c[0] == "robust" and c[2] == q] for q in sorted({c[2] for c in candidates})]
    for part in filter(None, stacks):
        robust = part[0][0] == "robust"
        optimizers = [Optimizer("sgd", lr) if robust else Optimizer(name, lr, third) for name, lr, third in part]
        networks = MinibatchNetworks((problem.x.shape[1], *configuration.hidden, problem.outputs), optimizers, seed)
        order = batch_order(seed, ORDER_STREAM, len(indices), configuration.updates, configuration.batch_size)
        loss = robust_cross_entropy(part[0][2]) if robust else cross_entropy
        networks.train(problem.x[indices], problem.y[indices], order, loss)
        yield part, networks


def _compute_seed(configuration: TunedClassificationConfiguration) -> pd.DataFrame:
    problem = load_problem(configuration.dataset)
    if configuration.label_noise:
        problem = with_wrong_labels(configuration, problem)

    def train(indices: np.ndarray, candidates: list[tuning.Candidate], sets: list[tuning.Rows]) -> tuning.Scores:
        """(error, cross entropy, accuracy): the last does not judge, but goes on record."""
        online = [c for c in candidates if c[0] not in configuration.OPTIMIZERS]
        trained: Iterator[tuple[list[tuning.Candidate], OnlineNetworks | MinibatchNetworks]] = chain(
            tuning.train_online(configuration, problem, indices, online) if online else (),
            _train_minibatches(configuration, problem, indices, candidates),
        )
        found: tuning.Scores = {}
        for names, networks in trained:
            for x, y in sets:
                for candidate, z in zip(names, networks.predict(x)):
                    accuracy = 100 * float((z.argmax(axis=1) == y).mean())
                    found.setdefault(candidate, []).append((*tuning.score_outputs(z, y), accuracy))
        return found

    rows = []
    for choice in tuning.choose(configuration, problem, train):
        place = {"method": choice.method, "turn": configuration.turns}
        method, lr, third = choice.candidate  # third: share of the updates, rho of SAM, q of the robust loss
        chosen = {"train_value": choice.train[2], "validation_value": 100 - choice.validation[0], "chosen": method}
        chosen |= {"chosen_lr": lr, "chosen_third": third, "label_noise": configuration.label_noise}
        for test_inputs, (_, _, accuracy) in (("clean", choice.clean), ("noisy", choice.noisy)):
            found = {"test_inputs": test_inputs, "metric": problem.metric, "value": accuracy}
            rows.append(record(configuration, problem, **place, **found, **chosen))
    return pd.DataFrame(rows)


EXPERIMENTS = [
    Experiment(
        "dual_classification_tuned",
        "Dual weights against tuned baselines, classification",
        {"quick": 3, "paper": 8},
        configurations,
        ("dataset", "layers", "train_size", "seed"),
        compute,
    ),
    Experiment(
        "dual_classification_deep",
        "The 3-layer network against tuned baselines, with right and with wrong labels",
        {"quick": 3, "paper": 8},
        deep_configurations,
        ("dataset", "layers", "train_size", "label_noise", "seed"),
        compute,
    ),
]
