"""Contrastive learning beside dual weights (paper B, appendix A), at equal budget.

A dual neuron averages the inputs that should raise it and those that should lower it; supervised contrastive learning
(Khosla et al. 2020) draws samples of one class together and pushes the others away. The baseline: the paper's hidden
layers as an encoder, trained with the supervised contrastive loss for half of the samples that the other methods see,
then a linear classifier on the frozen features for the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import LATER, STRICT, Positive, common, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.dual_weights import tuning
from weightspace.experiments.dual_weights.protocol import (
    FRESH_SUBSETS,
    LR,
    ORDER_STREAM,
    Images,
    Problem,
    base_settings,
    load_problem,
    record,
    train_seed,
)

Indices = NDArray[np.int64]

DATASETS = {"paper": ("mnist", "fashion_mnist"), "quick": ("digits",)}
TRAIN_SIZES = {"paper": (100, 500), "quick": (100,)}
LAYERS = 3
BATCH_SIZE = 50
TEMPERATURE = 0.1
HEAD_LR = 1e-2
RATES = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1)
"""Learning rates that the two mini-batch methods may try, judged on held-out training rows."""
METHODS = ("dual", "dual_stabilized", "gradient_descent", "tuned_minibatch", "tuned_contrastive")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ContrastiveConfiguration(tuning.SplitConfiguration):
    """One method at equal budget.

    method: an online method, mini-batch descent or contrastive learning. batch_size: samples of one mini-batch, at
    most half of all updates. temperature, head_lr: of the contrastive loss, and of its linear classifier. rates:
    learning rates that the two mini-batch methods may try. lr: learning rate of the online methods.
    """

    dataset: Images
    method: Literal[METHODS]  # type: ignore[valid-type]
    batch_size: Annotated[int, Field(ge=2)] = BATCH_SIZE
    temperature: Positive = TEMPERATURE
    head_lr: Positive = HEAD_LR
    rates: Annotated[tuple[Positive, ...], Field(min_length=1)] = RATES
    lr: Annotated[Positive, LATER] = LR

    @model_validator(mode="after")
    def _has_two_batches(self) -> ContrastiveConfiguration:
        if 2 * self.batch_size > self.updates:
            raise ValueError(
                f"batch_size: at most half of turns x updates_per_turn, {self.updates // 2:,} samples, "
                f"got {self.batch_size:,}"
            )
        if not self.hidden:
            raise ValueError("layers: an encoder and a classifier are at least 2, got 1")
        return self


class Stack(Protocol):
    """Networks that can be asked."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """``[networks, samples, outputs]``"""


def configurations(scale: str, seeds: int) -> list[ContrastiveConfiguration]:
    return [
        ContrastiveConfiguration(
            **base_settings("dual_contrastive", scale, dataset, LAYERS, train_size),
            method=method,
            seed=seed,
            subset_seed=FRESH_SUBSETS + seed,
        )
        for dataset in DATASETS[scale]
        for train_size in TRAIN_SIZES[scale]
        for seed in range(seeds)
        for method in METHODS
    ]


def compute(group: list[ContrastiveConfiguration], device: str) -> pd.DataFrame:
    """Accuracy on the official test part, clean and noisy, after the last update."""
    first = common(group, "method")
    problem = load_problem(first.dataset)
    rows_of = tuning.split(first, problem)
    x, y = problem.unseen(rows_of[0])
    tests = {"clean": x, "noisy": problem.noisy(x, first.seed, first.noise_std)}
    rows = []
    for c in group:
        networks, lr = _trained(c, problem, *rows_of)
        for test_inputs, inputs in tests.items():
            accuracy = 100 * float((networks.predict(inputs)[0].argmax(axis=1) == y).mean())
            found = {"turn": c.turns, "test_inputs": test_inputs, "metric": problem.metric, "value": accuracy}
            rows.append(record(c, problem, **found, chosen_lr=lr))
    return pd.DataFrame(rows)


def _trained(
    configuration: ContrastiveConfiguration, problem: Problem, subset: Indices, fit: Indices, validation: Indices
) -> tuple[Stack, float]:
    """One network trained on the subset, and the learning rate that was chosen for it, NaN where none was."""
    c = configuration
    if not c.method.startswith("tuned_"):
        return train_seed(c, problem, subset, [c.method], lr=c.lr), np.nan
    outputs = _in_minibatches(c, problem, fit, c.rates).predict(problem.x[validation])
    scores = [tuning.score_outputs(z, problem.y[validation]) for z in outputs]
    lr = c.rates[scores.index(min(scores))]
    return _in_minibatches(c, problem, subset, [lr]), lr


def _in_minibatches(
    configuration: ContrastiveConfiguration, problem: Problem, indices: Indices, rates: Sequence[float]
) -> Stack:
    """One network for each rate, trained on these rows."""
    # Here: reading records does not have to wait for PyTorch.
    from weightspace.training.contrastive import ContrastiveNetworks
    from weightspace.training.minibatch import MinibatchNetworks, Optimizer, batch_order

    c = configuration
    sizes = (problem.x.shape[1], *c.hidden, problem.outputs)
    stack: ContrastiveNetworks | MinibatchNetworks
    if c.method == "tuned_contrastive":
        stack = ContrastiveNetworks(sizes, rates, c.seed, temperature=c.temperature, head_lr=c.head_lr)
    else:
        stack = MinibatchNetworks(sizes, [Optimizer("sgd", lr) for lr in rates], c.seed)
    order = batch_order(c.seed, ORDER_STREAM, len(indices), c.updates, c.batch_size)
    stack.train(problem.x[indices], problem.y[indices], order)
    return stack


EXPERIMENTS = [
    Experiment(
        "dual_contrastive",
        "Supervised contrastive learning at equal budget",
        {"quick": 3, "paper": 6},
        configurations,
        ("dataset", "train_size", "seed"),
        compute,
    )
]
