"""How much data, how much noise: the settings of paper B as curves instead of points.

``dual_sparse``: accuracy against the number of training samples. ``dual_noise``: accuracy against the share of wrong
training labels and against the noise on test inputs. The design is ours: every seed draws a training subset of its
own, and the test is the official test split. Networks, learning rate and number of updates are the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

import pandas as pd

from weightspace.campaigns.configuration import (
    LATER,
    STRICT,
    Fraction,
    NotNegative,
    Positive,
    Seed,
    common,
    dataclass,
    unread,
)
from weightspace.campaigns.registry import Experiment
from weightspace.data import sampling
from weightspace.experiments.dual_weights.protocol import (
    FRESH_SUBSETS,
    LR,
    NOISE_STD,
    Images,
    Method,
    NetworkConfiguration,
    base_settings,
    load_problem,
    record,
    train_seed,
    wrong_labels,
)

DATASETS = {"paper": ("mnist", "fashion_mnist"), "quick": ("digits",)}
METHODS = ("dual", "dual_stabilized", "gradient_descent", "l2_0.1")
LAYERS = 3
SPARSE_SIZES = {"paper": (50, 100, 200, 500, 1000, 2000, 5000), "quick": (50, 100)}
NOISE_SIZE = {"paper": 500, "quick": 100}
LABEL_NOISE = {"paper": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), "quick": (0.0, 0.4)}
INPUT_NOISE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Standard deviations on test inputs, in units of the pixel range; clipped to [0, 1] as in the paper."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SparseConfiguration(NetworkConfiguration):
    """A network trained on a training subset of its own and tested on other images.

    method: an online method. subset_seed: draws the training rows, with RandomState. label_noise: fraction of the
    distinct training rows with a wrong label. lr: learning rate. input_noise: standard deviations of the noise on the
    test inputs, one test each, where no label is wrong; in units of the pixel range.
    """

    dataset: Images
    method: Method
    subset_seed: Seed
    label_noise: Fraction
    noise_std: Annotated[float, unread(NOISE_STD)] = NOISE_STD
    lr: Annotated[Positive, LATER] = LR
    input_noise: Annotated[tuple[NotNegative, ...], LATER] = (0.0,)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NoiseConfiguration(SparseConfiguration):
    """The same, and input_noise has always been one of the settings."""

    input_noise: tuple[NotNegative, ...] = INPUT_NOISE


Kind = TypeVar("Kind", bound=SparseConfiguration)


def _configurations(
    kind: type[Kind], experiment: str, scale: str, seeds: int, train_sizes: Sequence[int], label_noises: Sequence[float]
) -> list[Kind]:
    return [
        kind(
            **base_settings(experiment, scale, dataset, LAYERS, train_size),
            method=method,
            seed=seed,
            subset_seed=FRESH_SUBSETS + seed,
            label_noise=label_noise,
        )
        for dataset in DATASETS[scale]
        for train_size in train_sizes
        for label_noise in label_noises
        for seed in range(seeds)
        for method in METHODS
    ]


def sparse_configurations(scale: str, seeds: int) -> list[SparseConfiguration]:
    return _configurations(SparseConfiguration, "dual_sparse", scale, seeds, SPARSE_SIZES[scale], (0.0,))


def noise_configurations(scale: str, seeds: int) -> list[NoiseConfiguration]:
    return _configurations(NoiseConfiguration, "dual_noise", scale, seeds, (NOISE_SIZE[scale],), LABEL_NOISE[scale])


def compute(group: list[SparseConfiguration], device: str) -> pd.DataFrame:
    """After the last update: accuracy on the official test part, also with noisy inputs if no label is wrong."""
    first = common(group, "method")
    problem = load_problem(first.dataset)
    indices = sampling.paper_training_indices(len(problem.x), first.train_size, first.subset_seed)
    labels = wrong_labels(problem, indices, first.label_noise, first.seed)
    networks = train_seed(first, problem, indices, [c.method for c in group], lr=first.lr, labels=labels)
    x, y = problem.unseen(indices)
    train_values = problem.values(networks.score(problem.x[indices], labels))
    rows: list[dict[str, object]] = []
    for std in first.input_noise if first.label_noise == 0 else (0.0,):
        values = problem.values(networks.score(x if std == 0 else problem.noisy(x, first.seed, std), y))
        place: dict[str, object] = {"label_noise": first.label_noise, "input_noise": std, "turn": first.turns}
        place |= {"test_inputs": "noisy" if std else "clean", "metric": problem.metric}
        for c, value, train_value in zip(group, values, train_values):
            rows.append(record(c, problem, **place, value=value, train_value=train_value))
    return pd.DataFrame(rows)


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
