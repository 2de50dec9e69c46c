"""The regression experiments of paper B, and the fair question that it leaves open.

``dual_regression``: the released protocol, exactly, over many seeds. ``dual_regression_losses``: how the loss is
spread over the samples of the wine data. ``dual_regression_tuned``: the same networks against baselines whose
strength is tuned on held-out training data, on a fresh training subset for every seed.
"""

from __future__ import annotations

from itertools import product
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from weightspace.campaigns.configuration import IDENTITY, STRICT, Count, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.dual_weights import tuning
from weightspace.experiments.dual_weights.protocol import (
    CELL,
    DEVICES,
    HIDDEN,
    LR,
    TRAIN_SIZES,
    ProtocolConfiguration,
    ProtocolRuns,
    Table,
    base_settings,
    compute_protocol,
    load_problem,
    protocol_configurations,
    record,
)

DATASETS = {"paper": ("california_housing", "wine_quality_white"), "quick": ("diabetes",)}

# --- loss per sample -------------------------------------------------------------------------------------------

LOSS_EDGES = 23
"""Edges of the bins of the squared error x 10^4: 0, quarter decades from 0.1 to 10,000, infinity."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LossesConfiguration(ProtocolConfiguration):
    """A network of the released protocol whose losses are counted. loss_edges: number of edges of the bins."""

    dataset: Table
    loss_edges: Annotated[int, Field(ge=3, le=100)] = LOSS_EDGES


def edges_of_losses(number: int) -> np.ndarray:
    """0, ``number`` - 2 quarter decades from 0.1 upwards, infinity."""
    return np.array([0.0, *10.0 ** (0.25 * np.arange(number - 2) - 1), np.inf])


def losses_configurations(scale: str, seeds: int) -> list[LossesConfiguration]:
    wanted = "wine_quality_white" if scale == "paper" else DATASETS[scale][0]
    return protocol_configurations("dual_regression_losses", scale, (wanted,), seeds, kind=LossesConfiguration)


def compute_losses(group: list[LossesConfiguration], device: str) -> pd.DataFrame:
    """After the last turn, the share of left-out samples whose squared error x 10^4 falls in each bin."""
    runs = ProtocolRuns(group, device)
    edges = edges_of_losses(runs.common.loss_edges)
    for _ in range(runs.common.turns):
        runs.train_turn()
    rows = []
    for test_inputs in ("clean", "noisy"):
        errors = 1e4 * runs.test_sample_scores(noisy=test_inputs == "noisy").astype(np.float64)
        for configuration, sample in zip(group, errors):
            counts = np.histogram(sample, bins=edges)[0]
            place = {"turn": runs.turn, "test_inputs": test_inputs, "metric": "share_of_samples"}
            for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts):
                found = {"loss_low": low, "loss_high": high, "value": count / len(sample)}
                rows.append(record(configuration, runs.problem, **place, **found))
    return pd.DataFrame(rows)


# --- tuned baselines -------------------------------------------------------------------------------------------

L2_STRENGTHS = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2, 1e-1)
L2_SQUARED_STRENGTHS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)

TUNED: dict[str, list[tuning.Candidate]] = tuning.TUNED | {
    "tuned_l2": [(f"l2_{strength:g}", LR, 1.0) for strength in L2_STRENGTHS],
    "tuned_l2_squared": [(f"l2_squared_{strength:g}", LR, 1.0) for strength in L2_SQUARED_STRENGTHS],
}
"""Candidates per tuned method: the same number for each."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TunedRegressionConfiguration(tuning.TunedConfiguration):
    """All tuned methods of one seed in regression; candidates are online methods."""

    protocol: Annotated[Count, IDENTITY] = 2  # 1 kept a choice that diverged when trained again
    dataset: Table


def tuned_configurations(scale: str, seeds: int) -> list[TunedRegressionConfiguration]:
    return [
        TunedRegressionConfiguration(
            **base_settings("dual_regression_tuned", scale, dataset, layers, train_size), **tuning.settings(seed, TUNED)
        )
        for dataset, layers, train_size in product(DATASETS[scale], HIDDEN, TRAIN_SIZES[scale])
        for seed in range(seeds)
    ]


def compute_tuned(group: list[TunedRegressionConfiguration], device: str) -> pd.DataFrame:
    return pd.concat([_compute_tuned_seed(configuration) for configuration in group], ignore_index=True)


def _compute_tuned_seed(configuration: TunedRegressionConfiguration) -> pd.DataFrame:
    problem = load_problem(configuration.dataset)

    def train(indices: np.ndarray, candidates: list[tuning.Candidate], sets: list[tuning.Rows]) -> tuning.Scores:
        """Mean squared errors."""
        found: tuning.Scores = {}
        for due, networks in tuning.train_online(configuration, problem, indices, candidates):
            errors = np.nan_to_num([networks.score(x, y) for x, y in sets], nan=np.inf, posinf=np.inf)
            found |= {candidate: [(error,) for error in own] for candidate, own in zip(due, errors.T)}
        return found

    rows = []
    for choice in tuning.choose(configuration, problem, train):
        method, lr, share = choice.candidate
        place = {"method": choice.method, "turn": configuration.turns}
        chosen = {"validation_value": 1e4 * choice.validation[0], "chosen": method, "chosen_lr": lr}
        chosen |= {"chosen_updates": round(share * configuration.updates)}
        for test_inputs, (value,) in (("clean", choice.clean), ("noisy", choice.noisy)):
            found = {"test_inputs": test_inputs, "metric": problem.metric, "value": 1e4 * value}
            rows.append(record(configuration, problem, **place, **found, **chosen))
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
