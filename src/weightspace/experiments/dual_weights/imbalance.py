"""Class imbalance: the abstract of paper B claims robustness, the released code has no such experiment.

This design is ours. Training sets are long tailed: class sizes fall exponentially by the imbalance ratio from the most
frequent to the rarest class, the total stays the same, so that only the balance changes. Which class is rare is drawn
per seed. The test is the balanced official test split.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    identity,
    load_problem,
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


def compute(group: list[ImbalanceConfiguration], device: str) -> pd.DataFrame:
    """Balanced accuracy and mean recall of the rarest classes, in percent, after the last update."""
    first = common(group, "method")
    problem = load_problem(first.dataset)
    rng = np.random.default_rng([first.seed, SPLIT_STREAM])
    try:
        indices, classes = long_tail(problem, first.train_size, first.imbalance_ratio, rng)
    except ValueError as error:
        raise ValueError(
            f"train_size: {first.train_size:,} samples at imbalance_ratio {first.imbalance_ratio} are too many for the "
            f"classes of {first.dataset}: {error}"
        ) from error
    counts = np.bincount(problem.y[indices], minlength=problem.outputs)
    share = counts / counts.sum()
    plain = np.ones(problem.outputs), np.zeros(problem.outputs)
    losses = {
        "plain": plain,
        "weighted": (1 / (problem.outputs * share), plain[1]),
        "adjusted": (plain[0], np.log(share)),
    }
    rules = [_RULES[c.method] for c in group]
    weights, shifts = (np.stack([losses[loss][part] for _, loss in rules]) for part in (0, 1))
    networks = train_seed(
        first, problem, indices, [rule for rule, _ in rules], lr=first.lr, class_weights=weights, logit_shifts=shifts
    )
    x, y = problem.unseen(indices)
    right = networks.sample_scores(x, y)
    recall = 100 * np.stack([right[:, y == k].mean(axis=1, dtype=np.float64) for k in range(problem.outputs)], axis=1)
    rows = []
    for configuration, own in zip(group, recall):
        values = {
            "balanced_accuracy_percent": own.mean(),
            "minority_recall_percent": own[classes[-first.minority_classes :]].mean(),
            "majority_recall_percent": own[classes[: first.minority_classes]].mean(),
        }
        for metric, value in values.items():
            rows.append(
                identity(configuration)
                | {
                    "imbalance_ratio": first.imbalance_ratio,
                    "turn": first.turns,
                    "test_inputs": "clean",
                    "metric": metric,
                    "value": value,
                    "smallest_class": int(counts.min()),
                    "largest_class": int(counts.max()),
                }
                | problem.origin
            )
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
