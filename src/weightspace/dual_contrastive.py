"""Contrastive learning beside dual weights (paper B, appendix A), at equal budget.

A dual neuron averages the inputs that should raise it and those that should lower it; supervised contrastive learning
(Khosla et al. 2020) draws samples of one class together and pushes the others away. The baseline: the paper's hidden
layers as an encoder, trained with the supervised contrastive loss for half of the samples that the other methods see,
then a linear classifier on the frozen features for the other half.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from weightspace import tuning
from weightspace.experiments import Configuration, Experiment
from weightspace.protocol import (
    FRESH_SUBSETS,
    ORDER_STREAM,
    base_configuration,
    identity,
    load_problem,
    train_seed,
)

DATASETS = {"paper": ("mnist", "fashion_mnist"), "quick": ("digits",)}
TRAIN_SIZES = {"paper": (100, 500), "quick": (100,)}
LAYERS = 3
BATCH_SIZE = 50
TEMPERATURE = 0.1
HEAD_LR = 1e-2
RATES = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1)
"""Learning rates that the two mini-batch methods may try, judged on held-out training rows."""
METHODS = ("dual", "dual_stabilized", "gradient_descent", "tuned_minibatch", "tuned_contrastive")


def configurations(scale: str, seeds: int) -> list[Configuration]:
    return [
        base_configuration("dual_contrastive", scale, dataset, LAYERS, train_size)
        | {
            "method": method,
            "seed": seed,
            "subset_seed": FRESH_SUBSETS + seed,
            "validation_share": tuning.VALIDATION_SHARE,
            "batch_size": BATCH_SIZE,
            "temperature": TEMPERATURE,
            "head_lr": HEAD_LR,
            "rates": list(RATES),
        }
        for dataset in DATASETS[scale]
        for train_size in TRAIN_SIZES[scale]
        for seed in range(seeds)
        for method in METHODS
    ]


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    """Accuracy on the official test part, clean and noisy, after the last update."""
    # Here: reading records does not have to wait for PyTorch.
    from weightspace.contrastive import ContrastiveNetworks
    from weightspace.minibatch import MinibatchNetworks, Optimizer, batch_order

    first = group[0]
    seed, updates = first["seed"], first["turns"] * first["updates_per_turn"]
    problem = load_problem(first["dataset"])
    sizes = (problem.x.shape[1], *first["hidden"], problem.outputs)
    subset, fit, validation = tuning.split(first, problem)
    x, y = problem.unseen(subset)
    tests = {"clean": x, "noisy": problem.noisy(x, seed)}

    def train(method: str, indices: np.ndarray, rates: Sequence[float]) -> MinibatchNetworks | ContrastiveNetworks:
        if method == "tuned_contrastive":
            stack = ContrastiveNetworks(sizes, rates, seed, temperature=TEMPERATURE, head_lr=HEAD_LR)
        else:
            stack = MinibatchNetworks(sizes, [Optimizer("sgd", lr) for lr in rates], seed)
        order = batch_order(seed, ORDER_STREAM, len(indices), updates, BATCH_SIZE)
        stack.train(problem.x[indices], problem.y[indices], order)
        return stack

    rows = []
    for configuration in group:
        method, lr = configuration["method"], np.nan
        if method.startswith("tuned_"):
            outputs = train(method, fit, RATES).predict(problem.x[validation])
            scores = [tuning.score_outputs(z, problem.y[validation]) for z in outputs]
            lr = RATES[scores.index(min(scores))]
            networks = train(method, subset, [lr])
        else:
            networks = train_seed(configuration, problem, subset, [method])
        for test_inputs, inputs in tests.items():
            rows.append(
                identity(configuration)
                | {
                    "turn": first["turns"],
                    "test_inputs": test_inputs,
                    "metric": problem.metric,
                    "value": 100 * float((networks.predict(inputs)[0].argmax(axis=1) == y).mean()),
                    "chosen_lr": lr,
                }
                | problem.origin
            )
    return pd.DataFrame(rows)


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
