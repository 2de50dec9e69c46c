"""The fair question for classification: does the gain survive baselines that were tuned?

Test rows are the official test split. Every network sees as many training samples as in the paper, one by one or in
mini-batches. How a method is tuned: ``weightspace.experiments.dual_weights.tuning``.
"""

from __future__ import annotations

from itertools import product
from typing import ClassVar

import numpy as np
import pandas as pd
from pydantic import model_validator

from weightspace.campaigns.configuration import STRICT, Count, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.dual_weights import tuning
from weightspace.experiments.dual_weights.protocol import (
    LR,
    ORDER_STREAM,
    Images,
    base_settings,
    identity,
    load_problem,
)
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


def candidates(dataset: str) -> dict[str, list[tuning.Candidate]]:
    if dataset != "cifar10":
        return TUNED
    return TUNED | {"tuned_sam": [("sam", lr, rho) for lr, rho in product(CIFAR10_SAM_RATES, CIFAR10_SAM_RADII)]}


# SAM needs two gradients per step: in a stack of its own, so that the others do not pay for it.
_STACKS = (("sgd", "adam"), ("sam",))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TunedClassificationConfiguration(tuning.TunedConfiguration):
    """All tuned methods of one seed in classification; candidates are online methods and sgd, adam and sam.

    batch_size: samples of one step of these, at most all updates.
    """

    dataset: Images
    batch_size: Count = BATCH_SIZE

    OPTIMIZERS: ClassVar[tuple[str, ...]] = sum(_STACKS, ())

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


def compute(group: list[TunedClassificationConfiguration], device: str) -> pd.DataFrame:
    return pd.concat([_compute_seed(configuration) for configuration in group], ignore_index=True)


def _compute_seed(configuration: TunedClassificationConfiguration) -> pd.DataFrame:
    # Here: reading records does not have to wait for PyTorch.
    from weightspace.training.minibatch import MinibatchNetworks, Optimizer, batch_order

    seed, updates = configuration.seed, configuration.updates
    problem = load_problem(configuration.dataset)

    def train(indices: np.ndarray, due: list[tuning.Candidate], sets: list[tuning.Rows]) -> dict:
        """(error, cross entropy, accuracy): the last does not judge, but goes on record."""
        found = {}

        def score(names: list[tuning.Candidate], networks: OnlineNetworks | MinibatchNetworks) -> None:
            for x, y in sets:
                for candidate, z in zip(names, networks.predict(x)):
                    accuracy = 100 * float((z.argmax(axis=1) == y).mean())
                    found.setdefault(candidate, []).append((*tuning.score_outputs(z, y), accuracy))

        if online := [c for c in due if c[0] not in configuration.OPTIMIZERS]:
            for stopped, networks in tuning.train_online(configuration, problem, indices, online):
                score(stopped, networks)
        for optimizers in _STACKS:
            if part := [c for c in due if c[0] in optimizers]:
                sizes = (problem.x.shape[1], *configuration.hidden, problem.outputs)
                stack = MinibatchNetworks(sizes, [Optimizer(*c) for c in part], seed)
                order = batch_order(seed, ORDER_STREAM, len(indices), updates, configuration.batch_size)
                stack.train(problem.x[indices], problem.y[indices], order)
                score(part, stack)
        return found

    rows = []
    for choice in tuning.choose(configuration, problem, train):
        for test_inputs, (_, _, accuracy) in (("clean", choice.clean), ("noisy", choice.noisy)):
            rows.append(
                identity(configuration)
                | {
                    "method": choice.method,
                    "turn": configuration.turns,
                    "test_inputs": test_inputs,
                    "metric": problem.metric,
                    "value": accuracy,
                    "train_value": choice.train[2],
                    "validation_value": 100 - choice.validation[0],
                    "chosen": choice.candidate[0],
                    "chosen_lr": choice.candidate[1],
                    "chosen_third": choice.candidate[2],  # share of the updates, or rho of SAM
                }
                | problem.origin
            )
    return pd.DataFrame(rows)


EXPERIMENTS = [
    Experiment(
        "dual_classification_tuned",
        "Dual weights against tuned baselines, classification",
        {"quick": 3, "paper": 8},
        configurations,
        ("dataset", "layers", "train_size", "seed"),
        compute,
    )
]
