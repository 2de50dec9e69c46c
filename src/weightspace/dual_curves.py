"""How much data, how much noise: the settings of paper B as curves instead of points.

``dual_sparse``: accuracy against the number of training samples. ``dual_noise``: accuracy against the share of wrong
training labels and against the noise on test inputs. The design is ours: every seed draws a training subset of its
own, and the test is the official test split. Networks, learning rate and number of updates are the paper's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from weightspace import sampling
from weightspace.experiments import Configuration, Experiment
from weightspace.protocol import (
    FRESH_SUBSETS,
    LABEL_STREAM,
    base_configuration,
    identity,
    load_problem,
    train_seed,
)

DATASETS = {"paper": ("mnist", "fashion_mnist"), "quick": ("digits",)}
METHODS = ("dual", "dual_stabilized", "gradient_descent", "l2_0.1")
LAYERS = 3
SPARSE_SIZES = {"paper": (50, 100, 200, 500, 1000, 2000, 5000), "quick": (50, 100)}
NOISE_SIZE = {"paper": 500, "quick": 100}
LABEL_NOISE = {"paper": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), "quick": (0.0, 0.4)}
INPUT_NOISE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Standard deviations on test inputs, in units of the pixel range; clipped to [0, 1] as in the paper."""


def _configurations(experiment: str, scale: str, seeds: int, train_sizes, label_noises) -> list[Configuration]:
    return [
        base_configuration(experiment, scale, dataset, LAYERS, train_size)
        | {"method": method, "seed": seed, "subset_seed": FRESH_SUBSETS + seed, "label_noise": label_noise}
        for dataset in DATASETS[scale]
        for train_size in train_sizes
        for label_noise in label_noises
        for seed in range(seeds)
        for method in METHODS
    ]


def sparse_configurations(scale: str, seeds: int) -> list[Configuration]:
    return _configurations("dual_sparse", scale, seeds, SPARSE_SIZES[scale], (0.0,))


def noise_configurations(scale: str, seeds: int) -> list[Configuration]:
    plan = _configurations("dual_noise", scale, seeds, (NOISE_SIZE[scale],), LABEL_NOISE[scale])
    return [c | {"input_noise": list(INPUT_NOISE)} for c in plan]


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    """After the last update: accuracy on the official test part, also with noisy inputs if no label is wrong."""
    first = group[0]
    problem = load_problem(first["dataset"])
    indices = sampling.paper_training_indices(len(problem.x), first["train_size"], first["subset_seed"])
    # Copies of a row get the same wrong label: noise sits on the images, not on the draws.
    rows, copies = np.unique(indices, return_inverse=True)
    rng = np.random.default_rng([first["seed"], LABEL_STREAM])
    labels = sampling.flip_labels(problem.y[rows], first["label_noise"], problem.outputs, rng)[copies]
    networks = train_seed(first, problem, indices, [c["method"] for c in group], labels=labels)
    x, y = problem.unseen(indices)
    train_values = problem.values(networks.score(problem.x[indices], labels))
    records = []
    for std in first.get("input_noise", [0.0]) if first["label_noise"] == 0 else [0.0]:
        values = problem.values(networks.score(x if std == 0 else problem.noisy(x, first["seed"], std), y))
        for configuration, value, train_value in zip(group, values, train_values):
            records.append(
                identity(configuration)
                | {
                    "label_noise": first["label_noise"],
                    "input_noise": std,
                    "turn": first["turns"],
                    "test_inputs": "noisy" if std else "clean",
                    "metric": problem.metric,
                    "value": value,
                    "train_value": train_value,
                }
                | problem.origin
            )
    return pd.DataFrame(records)


_GROUP = ("dataset", "train_size", "label_noise", "seed")

EXPERIMENTS = [
    Experiment(
        "dual_sparse",
        "Accuracy against the number of training samples",
        {"quick": 3, "paper": 20},
        sparse_configurations,
        _GROUP,
        compute,
    ),
    Experiment(
        "dual_noise",
        "Accuracy against label noise and input noise",
        {"quick": 3, "paper": 10},
        noise_configurations,
        _GROUP,
        compute,
    ),
]
