"""Contrastive learning beside dual weights (paper B, appendix A), at equal budget.

A dual neuron averages the inputs that should raise it and those that should lower it; supervised contrastive learning
(Khosla et al. 2020) draws samples of one class together and pushes the others away. The baseline: the paper's hidden
layers as an encoder, trained with the supervised contrastive loss for half of the samples that the other methods see,
then a linear classifier on the frozen features for the other half.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from weightspace import tuning
from weightspace.experiments import Configuration, Experiment
from weightspace.minibatch import MinibatchNetworks, Optimizer, batch_order
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


def supervised_contrastive(features: Tensor, labels: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Mean over anchors i with a partner of -1/|P(i)| sum_{p in P(i)} log softmax_{a != i}(u_i.u_a / T)_p.

    features: ``[networks, batch, width]``, scaled to unit length here (u); labels: ``[batch]``; P(i): the other samples
    of the label of i. Returns ``[networks]``. Source: Khosla et al. 2020, equation 2.
    """
    u = torch.nn.functional.normalize(features, dim=2)
    alike = u @ u.transpose(1, 2) / temperature
    itself = torch.eye(len(labels), dtype=torch.bool)
    log_share = alike - alike.masked_fill(itself, -torch.inf).logsumexp(dim=2, keepdim=True)
    partner = (labels[:, None] == labels[None, :]) & ~itself
    number = partner.sum(dim=1)
    per_anchor = (log_share * partner).sum(dim=2) / number.clamp_min(1)
    return -per_anchor.sum(dim=1) / (number > 0).sum().clamp_min(1)


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


class _Contrastive:
    """Encoders trained with the contrastive loss, then a linear classifier on each one's frozen features."""

    def __init__(self, sizes: tuple[int, ...], rates: list[float], seed: int) -> None:
        self.encoders = _sgd(sizes[:-1], rates, seed)
        self.heads = [MinibatchNetworks(sizes[-2:], [Optimizer("adam", HEAD_LR)], seed) for _ in rates]

    def features(self, x: np.ndarray) -> np.ndarray:
        h = np.maximum(self.encoders.predict(x), 0)
        return h / np.maximum(np.linalg.norm(h, axis=2, keepdims=True), 1e-12)

    def train(self, x: np.ndarray, y: np.ndarray, batches: np.ndarray) -> None:
        half = len(batches) // 2
        self.encoders.train(
            x, y, batches[:half], lambda outputs, labels: supervised_contrastive(outputs.relu(), labels)
        )
        for head, own in zip(self.heads, self.features(x)):
            head.train(own, y, batches[half:])

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([head.predict(own) for head, own in zip(self.heads, self.features(x))])


def _sgd(sizes: tuple[int, ...], rates: list[float], seed: int) -> MinibatchNetworks:
    return MinibatchNetworks(sizes, [Optimizer("sgd", lr) for lr in rates], seed)


_BATCHED = {"tuned_minibatch": _sgd, "tuned_contrastive": _Contrastive}


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    """Accuracy on the official test part, clean and noisy, after the last update."""
    first = group[0]
    seed, updates = first["seed"], first["turns"] * first["updates_per_turn"]
    problem = load_problem(first["dataset"])
    sizes = (problem.x.shape[1], *first["hidden"], problem.outputs)
    subset, fit, validation = tuning.split(first, problem)
    x, y = problem.unseen(subset)
    tests = {"clean": x, "noisy": problem.noisy(x, seed)}
    rows = []
    for configuration in group:
        method, lr = configuration["method"], np.nan
        if method in _BATCHED:
            trial = _BATCHED[method](sizes, list(RATES), seed)
            trial.train(problem.x[fit], problem.y[fit], batch_order(seed, ORDER_STREAM, len(fit), updates, BATCH_SIZE))
            outputs = trial.predict(problem.x[validation])
            scores = [tuning.score_outputs(z, problem.y[validation]) for z in outputs]
            lr = RATES[scores.index(min(scores))]
            networks = _BATCHED[method](sizes, [lr], seed)
            order = batch_order(seed, ORDER_STREAM, len(subset), updates, BATCH_SIZE)
            networks.train(problem.x[subset], problem.y[subset], order)
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
