"""The regression experiments of paper B, and the fair question that it leaves open.

``dual_regression``: the released protocol, exactly, over many seeds. ``dual_regression_losses``: how the loss is
spread over the samples of the wine data. ``dual_regression_tuned``: the same networks against baselines whose
strength is tuned on held-out training data, on a fresh training subset for every seed.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
import pandas as pd

from weightspace import data, sampling
from weightspace.experiments import Configuration, Experiment
from weightspace.methods import PAPER_METHODS
from weightspace.online import OnlineNetworks
from weightspace.records import run_key

DATASETS = {"paper": ("california_housing", "wine_quality_white"), "quick": ("diabetes",)}
HIDDEN = {2: (20,), 3: (64, 32)}
"""Hidden widths of the "2 layer" and the "3 layer" network (paper B, released code)."""
TRAIN_SIZES = {"paper": (100, 500, 1000), "quick": (100,)}
UPDATES_PER_TURN = {"paper": 10_000, "quick": 500}
TURNS = 6
LR = 1e-3
NOISE_STD = 0.3
PAPER_SUBSET_SEED = 5

# Random streams of a seed, so that weights, sample order and test noise are drawn independently of each other and
# are the same for every method of a seed: comparisons are paired.
_ORDER_STREAM, _NOISE_STREAM, _SPLIT_STREAM = 1, 2, 3


@lru_cache(maxsize=2)
def load_scaled(dataset: str) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """(x, y, origin): columns z-scored over the whole file (ddof 1), y = 0.1 z(target) (paper B, released code)."""
    raw = data.load(dataset)
    origin = {"data_digest": raw.digest, "data_variant": raw.variant}
    return sampling.standardize(raw.x), 0.1 * sampling.standardize(raw.y), origin


def sample_order(seed: int, part: int, indices: np.ndarray, updates: int) -> np.ndarray:
    """``updates`` draws, uniform and with replacement, from the training indices."""
    return indices[np.random.default_rng([seed, _ORDER_STREAM, part]).integers(0, len(indices), updates)]


def noisy_inputs(x: np.ndarray, seed: int) -> np.ndarray:
    """x + N(0, 0.3^2): the noise test of the released code (regression is not clipped)."""
    return sampling.add_input_noise(x, NOISE_STD, np.random.default_rng([seed, _NOISE_STREAM]))


def _base(experiment: str, scale: str, dataset: str, layers: int, train_size: int) -> Configuration:
    return {
        "experiment": experiment,
        "protocol": 1,  # raised when a change of the code changes what a run computes
        "dataset": dataset,
        "task": "regression",
        "layers": layers,
        "hidden": list(HIDDEN[layers]),
        "train_size": train_size,
        "turns": TURNS,
        "updates_per_turn": UPDATES_PER_TURN[scale],
        "noise_std": NOISE_STD,
        "dtype": "float32",
    }


def _cells(scale: str) -> product:
    return product(DATASETS[scale], HIDDEN, TRAIN_SIZES[scale])


def _identity(configuration: Configuration) -> dict[str, object]:
    columns = ("dataset", "task", "layers", "train_size", "method", "seed")
    return {name: configuration[name] for name in columns if name in configuration}


# --- the released protocol -------------------------------------------------------------------------------------


def protocol_configurations(experiment: str, scale: str, seeds: int) -> list[Configuration]:
    return [
        _base(experiment, scale, dataset, layers, train_size)
        | {"method": method, "seed": seed, "lr": LR, "subset_seed": PAPER_SUBSET_SEED}
        for dataset, layers, train_size in _cells(scale)
        for method in PAPER_METHODS
        for seed in range(seeds)
    ]


class ProtocolRuns:
    """Runs of one data set, depth and training size, trained turn by turn as in the released code."""

    def __init__(self, group: list[Configuration]) -> None:
        first = group[0]
        self.group = group
        self.x, self.y, self.origin = load_scaled(first["dataset"])
        self.train_indices = sampling.paper_training_indices(len(self.x), first["train_size"], first["subset_seed"])
        self.test_indices = sampling.left_out(len(self.x), self.train_indices)
        self.seeds = [c["seed"] for c in group]
        self.networks = OnlineNetworks(
            (self.x.shape[1], *first["hidden"], 1),
            [c["method"] for c in group],
            self.seeds,
            task="regression",
            lr=[c["lr"] for c in group],
            dtype=np.dtype(first["dtype"]).type,
        )
        self.turn = 0

    def train_turn(self) -> None:
        updates = self.group[0]["updates_per_turn"]
        orders = {seed: sample_order(seed, self.turn, self.train_indices, updates) for seed in set(self.seeds)}
        self.networks.train(self.x, self.y, np.stack([orders[seed] for seed in self.seeds]))
        self.turn += 1

    def test_sample_errors(self, noisy: bool) -> np.ndarray:
        """Squared error of every left-out sample, ``[runs, samples]``."""
        x, y = self.x[self.test_indices], self.y[self.test_indices]
        if not noisy:
            return self.networks.sample_scores(x, y)
        errors = np.empty((len(self.seeds), len(x)), self.networks.dtype)
        for seed in set(self.seeds):
            runs = np.array(self.seeds) == seed
            errors[runs] = self.networks.select(runs).sample_scores(noisy_inputs(x, seed), y)
        return errors


def compute_protocol(group: list[Configuration], device: str) -> pd.DataFrame:
    """Test error after each turn, clean; after the last turn also with noisy inputs. Unit: MSE x 10^4."""
    runs = ProtocolRuns(group)
    rows = []

    def record(test_inputs: str) -> None:
        test = runs.test_sample_errors(noisy=test_inputs == "noisy").mean(axis=1, dtype=np.float64)
        fit = runs.networks.score(runs.x[runs.train_indices], runs.y[runs.train_indices])
        for configuration, value, train_value in zip(group, test, fit):
            rows.append(
                _identity(configuration)
                | {
                    "turn": runs.turn,
                    "test_inputs": test_inputs,
                    "metric": "mse_x1e4",
                    "value": 1e4 * value,
                    "train_value": 1e4 * train_value,  # on the clean training samples, to see overfitting
                    "run_key": run_key(configuration),
                }
                | runs.origin
            )

    for _ in range(TURNS):
        runs.train_turn()
        record("clean")
    record("noisy")
    return pd.DataFrame(rows)


# --- loss per sample -------------------------------------------------------------------------------------------

LOSS_EDGES = (0.0, *(float(10.0**k) for k in np.arange(-1.0, 4.01, 0.25)), float("inf"))
"""Bins of the squared error x 10^4: quarter decades from 0.1 to 10,000, and what lies outside."""


def losses_configurations(scale: str, seeds: int) -> list[Configuration]:
    wanted = "wine_quality_white" if scale == "paper" else DATASETS[scale][0]
    everything = protocol_configurations("dual_regression_losses", scale, seeds)
    return [c | {"loss_edges": len(LOSS_EDGES)} for c in everything if c["dataset"] == wanted]


def compute_losses(group: list[Configuration], device: str) -> pd.DataFrame:
    """After the last turn, the share of left-out samples whose squared error x 10^4 falls in each bin."""
    runs = ProtocolRuns(group)
    for _ in range(TURNS):
        runs.train_turn()
    rows = []
    for test_inputs in ("clean", "noisy"):
        errors = 1e4 * runs.test_sample_errors(noisy=test_inputs == "noisy").astype(np.float64)
        for configuration, sample in zip(group, errors):
            counts = np.histogram(sample, bins=LOSS_EDGES)[0]
            for low, high, count in zip(LOSS_EDGES[:-1], LOSS_EDGES[1:], counts):
                rows.append(
                    _identity(configuration)
                    | {
                        "turn": runs.turn,
                        "test_inputs": test_inputs,
                        "metric": "share_of_samples",
                        "loss_low": low,
                        "loss_high": high,
                        "value": count / len(sample),
                        "run_key": run_key(configuration),
                    }
                    | runs.origin
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
_FRESH_SUBSETS = 1000  # the training subset of seed s is RandomState(1000 + s), not the paper's RandomState(5)


def tuned_configurations(scale: str, seeds: int) -> list[Configuration]:
    return [
        _base("dual_regression_tuned", scale, dataset, layers, train_size)
        | {
            "protocol": 2,  # 1 kept a choice that diverged when trained again
            "seed": seed,
            "subset_seed": _FRESH_SUBSETS + seed,
            "validation_share": VALIDATION_SHARE,
            "candidates": {name: [list(c) for c in candidates] for name, candidates in TUNED.items()},
        }
        for dataset, layers, train_size in _cells(scale)
        for seed in range(seeds)
    ]


def compute_tuned(group: list[Configuration], device: str) -> pd.DataFrame:
    return pd.concat([_compute_tuned_seed(configuration) for configuration in group], ignore_index=True)


def _compute_tuned_seed(configuration: Configuration) -> pd.DataFrame:
    """Tune on a held-out part of the training subset, train again on all of it, test on what was left out."""
    seed, train_size = configuration["seed"], configuration["train_size"]
    updates = configuration["turns"] * configuration["updates_per_turn"]
    x, y, origin = load_scaled(configuration["dataset"])
    subset = sampling.paper_training_indices(len(x), train_size, configuration["subset_seed"])
    test = sampling.left_out(len(x), subset)
    rng = np.random.default_rng([seed, _SPLIT_STREAM])
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
    unseen = (x[test], y[test]), (noisy_inputs(x[test], seed), y[test])
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
                _identity(configuration)
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
                    "run_key": run_key(configuration),
                }
                | origin
            )
    return pd.DataFrame(rows)


_CELL = ("dataset", "layers", "train_size")

EXPERIMENTS = [
    Experiment(
        "dual_regression",
        "Dual weights in regression, the released protocol",
        {"quick": 3, "paper": 20},
        lambda scale, seeds: protocol_configurations("dual_regression", scale, seeds),
        _CELL,
        compute_protocol,
    ),
    Experiment(
        "dual_regression_losses",
        "Loss per sample on the wine data",
        {"quick": 3, "paper": 20},
        losses_configurations,
        _CELL,
        compute_losses,
    ),
    Experiment(
        "dual_regression_tuned",
        "Dual weights against tuned baselines",
        {"quick": 3, "paper": 20},
        tuned_configurations,
        (*_CELL, "seed"),
        compute_tuned,
    ),
]
