"""Class imbalance: the abstract of paper B claims robustness, the released code has no such experiment.

This design is ours. Training sets are long tailed: class sizes fall exponentially by the imbalance ratio from the most
frequent to the rarest class, the total stays the same, so that only the balance changes. Which class is rare is drawn
per seed. The test is the balanced official test split.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from weightspace.campaigns.configuration import LATER, STRICT, Count, Positive, common, dataclass, unread
from weightspace.campaigns.registry import Experiment
from weightspace.data import sampling
from weightspace.experiments.dual_weights.protocol import (
    LR,
    NOISE_STD,
    SPLIT_STREAM,
    Images,
    NetworkConfiguration,
    Problem,
    base_settings,
    load_problem,
    record,
    train_seed,
)

DATASETS = {"paper": ("mnist", "fashion_mnist", "cifar10"), "quick": ("digits",)}
RATIOS = {"paper": (1, 10, 50, 100), "quick": (1, 10)}
TOTAL = {"paper": 500, "quick": 100}
LAYERS = 2
MINORITY_CLASSES = 3
"""The recall of the minority is the mean over this many rarest classes."""

METHODS = {
    "dual": ("dual", "plain"),
    "dual_stabilized": ("dual_stabilized", "plain"),
    "gradient_descent": ("gradient_descent", "plain"),
    "l2_0.1": ("l2_0.1", "plain"),
    "gradient_descent_weighted": ("gradient_descent", "weighted"),
    "gradient_descent_adjusted": ("gradient_descent", "adjusted"),
    "dual_stabilized_weighted": ("dual_stabilized", "weighted"),
    "dual_stabilized_adjusted": ("dual_stabilized", "adjusted"),
}
"""Name in the records: (update rule, loss). weighted: class weights n / (K n_k), of mean 1 over the samples; adjusted:
logits shifted by log(n_k / n) while training (logit adjustment, Menon et al. 2021, with tau = 1)."""
BALANCED = {"dual_weighted": ("dual", "weighted"), "dual_adjusted": ("dual", "adjusted")}
"""The same, of ``dual_imbalance_balanced``. With class weights the rates r1 and r2 are those of the plain rule times
the weight of the sample's class: without stabilizer they are linear in the loss."""
_RULES = METHODS | BALANCED


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ImbalanceConfiguration(NetworkConfiguration):
    """A network trained on a long-tailed training set, without replacement.

    method: a key of ``METHODS`` or ``BALANCED``. imbalance_ratio: size of the most frequent class by that of the
    rarest. lr: learning rate. minority_classes: number of rarest, and of most frequent, classes whose mean recall is
    taken.
    """

    dataset: Images
    method: Literal[tuple(_RULES)]  # type: ignore[valid-type]
    imbalance_ratio: Count
    noise_std: Annotated[float, unread(NOISE_STD)] = NOISE_STD
    lr: Annotated[Positive, LATER] = LR
    minority_classes: Annotated[int, Field(ge=1, le=10), LATER] = MINORITY_CLASSES


def configurations(
    scale: str, seeds: int, experiment: str = "dual_imbalance", methods: Iterable[str] = METHODS
) -> list[ImbalanceConfiguration]:
    return [
        ImbalanceConfiguration(
            **base_settings(experiment, scale, dataset, LAYERS, TOTAL[scale]),
            method=method,
            seed=seed,
            imbalance_ratio=ratio,
        )
        for dataset in DATASETS[scale]
        for ratio in RATIOS[scale]
        for seed in range(seeds)
        for method in methods
    ]


def long_tail(problem: Problem, total: int, ratio: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(training indices, classes from the most frequent to the rarest).

    The largest class has the size for which the sizes add up to ``total``, but for rounding.
    """
    classes = rng.permutation(problem.outputs)
    rank = np.argsort(classes)[problem.y]  # 0 for the most frequent class
    shares = float(ratio) ** (-np.arange(problem.outputs) / (problem.outputs - 1))
    return sampling.long_tailed_indices(rank, ratio, rng, round(total / shares.sum())), classes


def drawn(configuration: ImbalanceConfiguration, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """``long_tail`` for a configuration."""
    c, rng = configuration, np.random.default_rng([configuration.seed, SPLIT_STREAM])
    try:
        return long_tail(problem, c.train_size, c.imbalance_ratio, rng)
    except ValueError as error:
        raise ValueError(
            f"train_size: {c.train_size:,} samples at imbalance_ratio {c.imbalance_ratio} are too many for the "
            f"classes of {c.dataset}: {error}"
        ) from error


def weights_and_shifts(losses: Sequence[str], counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class weights and logit shifts of each loss, ``[losses, classes]``, where the classes have so many samples."""
    share, plain = counts / counts.sum(), (np.ones(len(counts)), np.zeros(len(counts)))
    known = {
        "plain": plain,
        "weighted": (1 / (len(counts) * share), plain[1]),
        "adjusted": (plain[0], np.log(share)),
    }
    weights, shifts = (np.stack(part) for part in zip(*(known[loss] for loss in losses)))
    return weights, shifts


def compute(group: list[ImbalanceConfiguration], device: str) -> pd.DataFrame:
    """Balanced accuracy and mean recall of the rarest classes, in percent, after the last update."""
    first = common(group, "method")
    problem = load_problem(first.dataset)
    indices, classes = drawn(first, problem)
    counts = np.bincount(problem.y[indices], minlength=problem.outputs)
    rules, losses = zip(*(_RULES[c.method] for c in group))
    weights, shifts = weights_and_shifts(losses, counts)
    networks = train_seed(first, problem, indices, rules, lr=first.lr, class_weights=weights, logit_shifts=shifts)
    x, y = problem.unseen(indices)
    right = networks.sample_scores(x, y)
    recall = 100 * np.stack([right[:, y == k].mean(axis=1, dtype=np.float64) for k in range(problem.outputs)], axis=1)
    place = {"imbalance_ratio": first.imbalance_ratio, "turn": first.turns, "test_inputs": "clean"}
    sizes = {"smallest_class": int(counts.min()), "largest_class": int(counts.max())}
    rows = []
    for c, own in zip(group, recall):
        values = {
            "balanced_accuracy_percent": own.mean(),
            "minority_recall_percent": own[classes[-c.minority_classes :]].mean(),
            "majority_recall_percent": own[classes[: c.minority_classes]].mean(),
        }
        rows += [record(c, problem, **place, metric=metric, value=value, **sizes) for metric, value in values.items()]
    return pd.DataFrame(rows)


EXPERIMENTS = [
    Experiment(
        "dual_imbalance",
        "Long-tailed training sets",
        {"quick": 3, "paper": 20},
        configurations,
        ("dataset", "imbalance_ratio", "seed"),
        compute,
    ),
    Experiment(
        "dual_imbalance_balanced",
        "Long-tailed training sets, dual weights whose updates are balanced by class",
        {"quick": 3, "paper": 20},
        lambda scale, seeds: configurations(scale, seeds, "dual_imbalance_balanced", BALANCED),
        ("dataset", "imbalance_ratio", "seed"),
        compute,
    ),
]
