"""Do scores of training sets rank them by what becomes of networks trained on them? And how much synthetic data helps?

Rules in book/rules. In every seed, r_s is Spearman's correlation between a score and an outcome over the training sets
(the images as they are, and what replaces or joins them). Intervals are Student's t over seeds: they are about other
weights, orders and draws on these sets. What hangs on one set is told by leaving each of them out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_effects import BASELINE, last_epoch, learned
from weightspace.analysis.regularizer_tests import Estimate, decide

RANKS = 0.5
"""The rank correlation from which a score counts as ranking the sets."""
HARM = 1.0
"""The loss of test accuracy, in points, from which more synthetic images count as too many."""
MORE_OR_LESS = (("synthetic_0.25", "synthetic_1"), ("added_1", "added_7"))
"""Little and much: in the place of real images, and beside them."""
RESEMBLANCES = ("coverage", "precision")
SCORES = tuple(
    (metric, of)
    for metric in ("vendi", "weighted_vendi", "vendi_per_class", "weighted_vendi_per_class")
    for of in ("pixels", "embeddings")
)
"""Diversity scores, plain and in paper A's weighted form, over all images and class by class."""
IMAGENET_SCORES = tuple((metric, "imagenet") for metric, of in SCORES if of == "embeddings")
"""The same scores of what a network sees in the images that was trained on ImageNet."""
CANDIDATES = tuple((f"{name} x vendi", "embeddings") for name in RESEMBLANCES)
"""Ours: resemblance to images not trained on, times diversity. No row is paired with another."""
OUTCOMES = ("test accuracy", "corruption accuracy", "calibration")

Score = tuple[str, str]


def training_sets(runs: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """A row per setting and seed with the outcomes of its runs (means over replicates) and the scores of its set.

    Accuracies in percent; calibration: minus the expected calibration error in percent. Outcomes that were not
    measured are left out. Columns of scores: (metric, of).
    """
    last = last_epoch(runs)
    corrupted = last[last["severity"] > 0]
    measured = {
        "test accuracy": select(last, inputs="test", metric="accuracy_percent"),
        "corruption accuracy": select(corrupted, metric="accuracy_percent"),
        "calibration": select(last, inputs="test", metric="ece").assign(value=lambda own: -100 * own["value"]),
    }
    table = pd.DataFrame(
        {name: own.groupby(["setting", "seed"])["value"].mean() for name, own in measured.items() if len(own)}
    )
    scores = sets.pivot_table(index=["setting", "seed"], columns=["metric", "of"], values="value")
    scores.columns = list(scores.columns)
    for name, score in zip(RESEMBLANCES, CANDIDATES, strict=True):
        if (name, "embeddings") in scores:  # ImageNet's network has plain scores only
            scores[score] = scores[name, "embeddings"] * scores["vendi", "embeddings"]
    return table.join(scores, how="inner")


def that_learn(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``training_sets`` whose settings learn (``regularizer_effects.learned``), and the baseline's."""
    return table[table.index.get_level_values("setting").isin(learned(runs.assign(layer=0)) | {BASELINE})]


def that_gain(table: pd.DataFrame, points: float) -> pd.DataFrame:
    """The rows of sets whose mean test accuracy over seeds lies more than so many points above the baseline's."""
    means = table["test accuracy"].groupby("setting").mean()
    return table[table.index.get_level_values("setting").isin(means.index[means - means[BASELINE] > points])]


def rank_correlations(table: pd.DataFrame, a: object, b: object) -> NDArray[np.float64]:
    """r_s between two columns of ``training_sets``, a value per seed; NaN where one of them does not vary."""
    ranks = [table[name].unstack("seed").rank() for name in (a, b)]
    return ranks[0].corrwith(ranks[1]).to_numpy()


def mean_correlations(table: pd.DataFrame, outcome: str) -> pd.Series:
    """r_s of every score with an outcome, mean over seeds; NaN where there are no sets."""
    return pd.Series({score: pd.Series(rank_correlations(table, score, outcome)).mean() for score in SCORES})


def reliability(table: pd.DataFrame, outcome: str) -> float:
    """Mean rank correlation of an outcome between two seeds: what the best score could reach about."""
    between = table[outcome].unstack("seed").rank().corr().to_numpy()
    return float(between[np.triu_indices_from(between, 1)].mean())


def ranks(table: pd.DataFrame, scores: Sequence[Score] = SCORES) -> pd.DataFrame:
    """A row per score and outcome, by ``decide`` with the threshold ``RANKS``.

    Columns besides: score, of, measured (the outcome), sets, n (seeds), reliability, low_set and high_set (range of the
    mean correlation when each set is left out in turn). Judged where the reliability is at least ``RANKS``: else no
    score could rank the sets. detectable: the smallest correlation decided for with a power of 80 %.
    """
    settings = table.index.unique("setting")
    rows = []
    for score in scores:
        for outcome in _outcomes(table):
            found = Estimate.over_seeds(rank_correlations(table, score, outcome))
            left_out = [
                rank_correlations(table.drop(setting, level="setting"), score, outcome).mean() for setting in settings
            ]
            repeats = reliability(table, outcome)
            place = (*score, outcome, len(settings), found.degrees + 1, repeats, min(left_out), max(left_out))
            rows.append((*place, found, RANKS, repeats >= RANKS))
    columns = ["score", "of", "measured", "sets", "n", "reliability", "low_set", "high_set"]
    decided = decide(rows, columns, "correlation")
    return decided.assign(detectable=RANKS + decided.pop("reach"))


def chosen(table: pd.DataFrame) -> Score:
    """Our candidate: the one that ranks the sets of the campaign it is chosen on best by test accuracy."""
    return max(CANDIDATES, key=lambda score: rank_correlations(table, score, "test accuracy").mean())


def better(table: pd.DataFrame, score: Score, other: Score) -> pd.DataFrame:
    """By how much a score's rank correlation is larger than another's: a row per outcome, against a threshold of 0."""
    rows = []
    for outcome in _outcomes(table):
        found = Estimate.over_seeds(rank_correlations(table, score, outcome) - rank_correlations(table, other, outcome))
        rows.append((outcome, found.degrees + 1, found, 0.0, reliability(table, outcome) >= RANKS))
    decided = decide(rows, ["measured", "n"], "difference")
    return decided.assign(detectable=decided.pop("reach"))


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy of every setting minus the baselines' of its seed, in points, against a threshold of 0."""
    settings = table.index.unique("setting").drop(BASELINE)
    return _differences(table, [(BASELINE, setting) for setting in settings], 0.0)


def losses(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy with little minus that with much synthetic data, in points, against the threshold ``HARM``."""
    return _differences(table, [(much, little) for little, much in MORE_OR_LESS], HARM)


def _differences(table: pd.DataFrame, pairs: Sequence[tuple[str, str]], threshold: float) -> pd.DataFrame:
    wide = table["test accuracy"].unstack("seed")
    rows = []
    for a, b in pairs:
        found = Estimate.over_seeds((wide.loc[b] - wide.loc[a]).to_numpy())
        rows.append((a, b, found.degrees + 1, found, threshold, True))
    decided = decide(rows, ["from", "to", "n"], "difference")
    return decided.assign(detectable=threshold + decided.pop("reach"))


def _outcomes(table: pd.DataFrame) -> list[str]:
    return [name for name in OUTCOMES if name in table]
