"""What the theory of dual weights predicts for one neuron, beside what training gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from weightspace.dual import theory
from weightspace.training.online.networks import OnlineNetworks


def norms(targets: Sequence[float]) -> pd.DataFrame:
    """Norm of the weights that a neuron learns from targets W'.x without noise, ten inputs N(0, 1).

    Columns: target (|W'|), predicted (``theory.resting_norm``), dual, squared L2 at the strength that takes the largest
    of the targets to the largest norm of dual weights, and predicted for it, |W'| / (1 + strength).
    """
    x = np.random.default_rng(1).normal(size=(20_000, 10))
    order = np.random.default_rng([1, 1]).integers(0, len(x), (1, 40_000)).repeat(2, 0)
    strength = max(targets) / theory.LARGEST_NORM - 1
    if strength < 0:
        raise ValueError(f"targets: one of at least {theory.LARGEST_NORM:.3f}, or there is nothing to shrink")
    rows = []
    for target in targets:
        methods = ["dual", f"l2_squared_{strength}"]
        networks = OnlineNetworks((10, 1), methods, [1, 1], task="regression", dtype=np.float64)
        networks.train(x, x[:, 0] * target, order)
        dual, decay = (float(np.linalg.norm(w1 - w2)) for run in range(2) for w1, w2, _ in networks.layers(run))
        rows.append((target, theory.resting_norm(target), dual, target / (1 + strength), decay))
    return pd.DataFrame(rows, columns=["target", "dual, predicted", "dual", "squared L2, predicted", "squared L2"])


def directions(variances: Sequence[float]) -> pd.DataFrame:
    """Weights of a neuron on inputs of mean 1 and unequal variance, targets of slope 0.7 with noise N(0, 1).

    Columns: variance (of the input), predicted (``theory.resting_weights``), dual, squared L2 of the matched strength,
    gradient descent.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, len(variances))) * np.sqrt(variances) + 1
    y = 0.7 * (x - 1).sum(axis=1) + rng.normal(size=len(x))
    predicted, strength = theory.resting_weights(x, y)
    methods = ["dual", f"l2_squared_{strength}", "gradient_descent"]
    networks = OnlineNetworks((len(variances), 1), methods, [0] * 3, task="regression", lr=2e-4, dtype=np.float64)
    networks.train(x, y, rng.integers(0, len(x), (1, 100_000)).repeat(3, 0))
    found = [(w1 - w2)[0] for run in range(3) for w1, w2, _ in networks.layers(run)]
    columns = ["variance", "predicted", "dual", "squared L2, matched", "gradient descent"]
    return pd.DataFrame(np.column_stack([variances, predicted, *found]), columns=columns)
