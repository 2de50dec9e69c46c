"""The regression experiments of paper B, and the fair question that it leaves open.

``dual_regression``: the released protocol, exactly, over many seeds. ``dual_regression_losses``: how the loss is
spread over the samples of the wine data. ``dual_regression_tuned``: the same networks against baselines whose
strength is tuned on held-out training data, on a fresh training subset for every seed.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from weightspace import sampling
from weightspace.experiments import Configuration, Experiment
from weightspace.online import OnlineNetworks
from weightspace.protocol import (
    CELL,
    DEVICES,
    FRESH_SUBSETS,
    HIDDEN,
    LR,
    SPLIT_STREAM,
    TRAIN_SIZES,
    TURNS,
    ProtocolRuns,
    base_configuration,
    compute_protocol,
    identity,
    load_problem,
    protocol_configurations,
    sample_order,
)

DATASETS = {"paper": ("california_housing", "wine_quality_white"), "quick": ("diabetes",)}

# --- loss per sample -------------------------------------------------------------------------------------------

LOSS_EDGES = (0.0, *(float(10.0**k) for k in np.arange(-1.0, 4.01, 0.25)), float("inf"))
"""Bins of the squared error x 10^4: quarter decades from 0.1 to 10,000, and what lies outside."""


def losses_configurations(scale: str, seeds: int) -> list[Configuration]:
    wanted = "wine_quality_white" if scale == "paper" else DATASETS[scale][0]
    everything = protocol_configurations("dual_regression_losses", scale, (wanted,), seeds)
    return [c | {"loss_edges": len(LOSS_EDGES)} for c in everything]


def compute_losses(group: list[Configuration], device: str) -> pd.DataFrame:
    """After the last turn, the share of left-out samples whose squared error x 10^4 falls in each bin."""
    runs = ProtocolRuns(group, device)
    for _ in range(TURNS):
        runs.train_turn()
    rows = []
    for test_inputs in ("clean", "noisy"):
        errors = 1e4 * runs.test_sample_scores(noisy=test_inputs == "noisy").astype(np.float64)
        for configuration, sample in zip(group, errors):
            counts = np.histogram(sample, bins=LOSS_EDGES)[0]
            for low, high, count in zip(LOSS_EDGES[:-1], LOSS_EDGES[1:], counts):
                rows.append(
                    identity(configuration)
                    | {
                        "turn": runs.turn,
                        "test_inputs": test_inputs,
                        "metric": "share_of_samples",
                        "loss_low": low,
                        "loss_high": high,
                        "value": count / len(sample),
                    }
                    | runs.problem.origin
                )
    return pd.DataFrame(rows)


# --- tuned baselines -------------------------------------------------------------------------------------------

TUNING_BUDGET = 8
"""Candidates that every tuned method may try, each trained once and judged on held-out training samples."""

LEARNING_RATES = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2)
L2_STRENGTHS = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2, 1e-1)
L2_SQUARED_STRENGTHS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
DROPOUT_RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
STOPPING_SHARES = (1 / 48, 1 / 24, 1 / 12, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 1.0)
"""Early stopping: after which share of all updates to stop."""

Candidate = tuple[str, float, float]  # method, learning rate, share of the updates

UNTUNED: dict[str, Candidate] = {
    "gradient_descent": ("gradient_descent", LR, 1.0),
    "dual": ("dual", LR, 1.0),
    "dual_stabilized": ("dual_stabilized", LR, 1.0),
}
"""As the paper sets them."""

TUNED: dict[str, list[Candidate]] = {
    "tuned_lr": [("gradient_descent", lr, 1.0) for lr in LEARNING_RATES],
    "tuned_l2": [(f"l2_{strength:g}", LR, 1.0) for strength in L2_STRENGTHS],
    "tuned_l2_squared": [(f"l2_squared_{strength:g}", LR, 1.0) for strength in L2_SQUARED_STRENGTHS],
    "tuned_early_stopping": [("gradient_descent", LR, share) for share in STOPPING_SHARES],
    "tuned_dropout": [(f"dropout_{rate:g}", LR, 1.0) for rate in DROPOUT_RATES],
    "tuned_dual": [("dual", lr, 1.0) for lr in LEARNING_RATES],
    "tuned_dual_stabilized": [("dual_stabilized", lr, 1.0) for lr in LEARNING_RATES],
}
"""Candidates per tuned method: the same number for each."""

VALIDATION_SHARE = 0.25


def tuned_configurations(scale: str, seeds: int) -> list[Configuration]:
    return [
        base_configuration("dual_regression_tuned", scale, dataset, layers, train_size)
        | {
            "protocol": 2,  # 1 kept a choice that diverged when trained again
            "seed": seed,
            "subset_seed": FRESH_SUBSETS + seed,
            "validation_share": VALIDATION_SHARE,
            "candidates": {name: [list(c) for c in candidates] for name, candidates in TUNED.items()},
        }
        for dataset, layers, train_size in product(DATASETS[scale], HIDDEN, TRAIN_SIZES[scale])
        for seed in range(seeds)
    ]


def compute_tuned(group: list[Configuration], device: str) -> pd.DataFrame:
    return pd.concat([_compute_tuned_seed(configuration) for configuration in group], ignore_index=True)


def _compute_tuned_seed(configuration: Configuration) -> pd.DataFrame:
    """Tune on a held-out part of the training subset, train again on all of it, test on what was left out."""
    seed, train_size = configuration["seed"], configuration["train_size"]
    updates = configuration["turns"] * configuration["updates_per_turn"]
    problem = load_problem(configuration["dataset"])
    x, y = problem.x, problem.y
    subset = sampling.paper_training_indices(len(x), train_size, configuration["subset_seed"])
    test = sampling.left_out(len(x), subset)
    rng = np.random.default_rng([seed, SPLIT_STREAM])
    fit, validation = sampling.split_validation(subset, configuration["validation_share"], rng)

    def scores(candidates: list[Candidate], indices: np.ndarray, *tests: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Mean squared error of every candidate at its own number of updates, ``[tests, candidates]``."""
        networks = OnlineNetworks(
            (x.shape[1], *configuration["hidden"], 1),
            [method for method, _, _ in candidates],
            [seed] * len(candidates),
            task="regression",
            lr=[lr for _, lr, _ in candidates],
            dtype=np.dtype(configuration["dtype"]).type,
        )
        order = np.broadcast_to(sample_order(seed, 0, indices, updates), (len(candidates), updates))
        stops = np.array([round(share * updates) for _, _, share in candidates])
        result = np.empty((len(tests), len(candidates)))
        for start, stop in zip([0, *sorted(set(stops))[:-1]], sorted(set(stops))):
            networks.train(x, y, order[:, start:stop])
            due = stops == stop
            for row, (inputs, targets) in enumerate(tests):
                result[row, due] = networks.select(due).score(inputs, targets)
        return result

    # Early stopping and the learning rates share one candidate, trained once. A diverged candidate is never chosen.
    candidates = sorted({c for group in TUNED.values() for c in group})
    errors = dict(
        zip(candidates, np.nan_to_num(scores(candidates, fit, (x[validation], y[validation]))[0], nan=np.inf))
    )
    choices = {name: [candidate] for name, candidate in UNTUNED.items()}
    choices |= {name: sorted(group, key=errors.__getitem__) for name, group in TUNED.items()}
    # The best candidate is trained again on all training rows. If it diverges there (seen on the training rows, not
    # on the test rows), the next best takes its place.
    known = x[subset], y[subset]
    unseen = (x[test], y[test]), (problem.noisy(x[test], seed), y[test])
    final: dict[Candidate, np.ndarray] = {}  # errors on the training rows, clean and noisy test rows
    while waiting := sorted({ranking[0] for ranking in choices.values()} - final.keys()):
        final |= zip(waiting, scores(waiting, subset, known, *unseen).T)
        for ranking in choices.values():
            while len(ranking) > 1 and not np.isfinite(final.get(ranking[0], [0])[0]):
                del ranking[0]
    chosen = {name: ranking[0] for name, ranking in choices.items()}
    rows = []
    for name, candidate in chosen.items():
        for test_inputs, value in zip(("clean", "noisy"), final[candidate][1:]):
            rows.append(
                identity(configuration)
                | {
                    "method": name,
                    "turn": configuration["turns"],
                    "test_inputs": test_inputs,
                    "metric": "mse_x1e4",
                    "value": 1e4 * value,
                    "validation_value": 1e4 * errors.get(candidate, np.nan),
                    "chosen": candidate[0],
                    "chosen_lr": candidate[1],
                    "chosen_updates": round(candidate[2] * updates),
                }
                | problem.origin
            )
    return pd.DataFrame(rows)


EXPERIMENTS = [
    Experiment(
        "dual_regression",
        "Dual weights in regression, the released protocol",
        {"quick": 3, "paper": 20},
        lambda scale, seeds: protocol_configurations("dual_regression", scale, DATASETS[scale], seeds),
        CELL,
        compute_protocol,
        DEVICES,
    ),
    Experiment(
        "dual_regression_losses",
        "Loss per sample on the wine data",
        {"quick": 3, "paper": 20},
        losses_configurations,
        CELL,
        compute_losses,
        DEVICES,
    ),
    Experiment(
        "dual_regression_tuned",
        "Dual weights against tuned baselines",
        {"quick": 3, "paper": 20},
        tuned_configurations,
        (*CELL, "seed"),
        compute_tuned,
    ),
]
