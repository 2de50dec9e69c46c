"""How diverse the training texts are: Vendi scores of every training set of the text experiments.

Scores are of n-grams (``vendi.ngram_features``) and of embeddings, the features of MiniLM as it was published. The
weighted score (paper A's proposed metric, of embeddings) compares a set with the baseline, row by row: augmented texts
with their originals, but generated ones with whatever text stands in the same row, and of a set that is added to the
baseline the added rows. What the pairing is worth shows the control ``shuffled``: the baseline in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weightspace.campaigns.configuration import common, with_changes
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.text_sets import TextSet, sets_of, training_set
from weightspace.experiments.diversity.text_settings import SHUFFLED, TASKS, TextSetsConfiguration, shared_task_settings
from weightspace.measures.vendi import ngram_features, resemblance, vendi_score

SHUFFLE_STREAM = 1


def configurations(scale: str, seeds: int) -> list[TextSetsConfiguration]:
    plain: dict[str, Any] = {"dropout": 0.0, "weight_decay": 0.0, "lr": 0.0, "arm": "single"}
    return [
        TextSetsConfiguration(
            **shared_task_settings("diversity_text_sets", scale, dataset) | plain, augmentation=name, seed=seed
        )
        for dataset in TASKS[scale]
        for seed in range(seeds)
        for name in ("", SHUFFLED, *sum(sets_of(dataset).values(), ()))
    ]


def compute(group: list[TextSetsConfiguration], device: str) -> pd.DataFrame:
    """Scores of all sets of one task; equal sets of several seeds are embedded once.

    An encoder without published weights has those of seed 0 for all of them.
    """
    from weightspace.experiments.diversity.compute.text_runs import trainer  # PyTorch takes seconds to import
    from weightspace.models import tokenize

    run = trainer(with_changes(common(group, "augmentation", "seed"), {"seed": 0}), device)
    known: dict[tuple[str, ...], tuple[NDArray[np.float32], dict[str, float]]] = {}

    def described(texts: Sequence[str], length: int) -> tuple[NDArray[np.float32], dict[str, float]]:
        key = tuple(texts)
        if key not in known:
            X = run.features(tokenize(texts, length))
            known[key] = X, {"ngrams": vendi_score(ngram_features(texts)), "embeddings": vendi_score(X)}
        return known[key]

    rows = []
    for c in group:
        baseline = training_set(c.dataset, every=c.every)
        found = texts_of(c)
        X, vendi = described(found.texts, c.length)
        rho = resemblance(X[found.first :], described(baseline.texts, c.length)[0])
        scores = [(of, "vendi", value) for of, value in vendi.items()]
        for of, metric, value in [*scores, ("embeddings", "weighted_vendi", rho * vendi["embeddings"])]:
            identity = {name: getattr(c, name) for name in ("dataset", "arm", "augmentation", "seed")}
            measured = {
                "of": of,
                "metric": metric,
                "value": value,
                "texts": len(found.texts),
                "synonyms": found.synonyms,
            }
            rows.append(identity | measured | {"run_key": c.run_key} | found.origin)
    return pd.DataFrame(rows)


def texts_of(configuration: TextSetsConfiguration) -> TextSet:
    """The set of a configuration; the control is the baseline in the order of the seed."""
    c = configuration
    if c.augmentation != SHUFFLED:
        return training_set(c.dataset, c.augmentation, c.seed, c.every)
    found = training_set(c.dataset, every=c.every)
    order = np.random.default_rng([c.seed, SHUFFLE_STREAM]).permutation(len(found.texts))
    return replace(found, texts=[found.texts[row] for row in order], labels=found.labels[order])


EXPERIMENTS = [
    Experiment(
        "diversity_text_sets",
        "Vendi scores of the training texts",
        {"quick": 1, "laptop": 3, "paper": 5},
        configurations,
        ("dataset",),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
