"""Claims on training sets where networks overfit: scores that rank them, and synthetic images (book/rules)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from weightspace.analysis import score_ranks
from weightspace.claims.regularizers import findings_by
from weightspace.claims.verdicts import Claim, Finding
from weightspace.names import score_label

RUNS, SETS = "diversity_from_scratch", "diversity_scratch_sets"
IMAGENET_SETS = "diversity_imagenet_sets"
AMOUNTS, AMOUNT_SETS = "diversity_amounts", "diversity_amount_sets"


def _augmented(sets: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The sets of the main campaign of which networks learn."""
    return score_ranks.that_learn(score_ranks.training_sets(runs, sets), runs)


def rank(sets: pd.DataFrame, runs: pd.DataFrame) -> list[Finding]:
    """A3o: every score against every outcome."""
    return _ranks(sets, runs, score_ranks.SCORES)


def rank_by_imagenet(sets: pd.DataFrame, runs: pd.DataFrame) -> list[Finding]:
    """A3e: the same, of the features of a network that was trained on other images."""
    return _ranks(sets, runs, score_ranks.IMAGENET_SCORES)


def _ranks(sets: pd.DataFrame, runs: pd.DataFrame, scores: Sequence[score_ranks.Score]) -> list[Finding]:
    table = score_ranks.ranks(_augmented(sets, runs), scores)
    return findings_by(table, ["score", "of"], "correlation", score_label)


def better(amount_sets: pd.DataFrame, amounts: pd.DataFrame, sets: pd.DataFrame, runs: pd.DataFrame) -> list[Finding]:
    """A3d: the candidate that augmentation chose against the weighted score, on sets with synthetic images."""
    candidate = score_ranks.chosen(_augmented(sets, runs))
    table = score_ranks.training_sets(amounts, amount_sets)
    found = score_ranks.better(table, candidate, ("weighted_vendi", "embeddings"))
    return findings_by(found.assign(score=candidate[0]), ["score"], "difference", str)


def improve(amounts: pd.DataFrame, amount_sets: pd.DataFrame) -> list[Finding]:
    """A4o: every amount of synthetic images against none; augmentation beside it."""
    table = score_ranks.gains(score_ranks.training_sets(amounts, amount_sets))
    kind = table["to"].str.partition("_")[0].map({"synthetic": "in the place of real images", "added": "beside them"})
    return findings_by(table.assign(kind=kind.fillna("augmentation")), ["kind"], "difference", str)


def harm(amounts: pd.DataFrame, amount_sets: pd.DataFrame) -> list[Finding]:
    """A4h: much against little."""
    table = score_ranks.losses(score_ranks.training_sets(amounts, amount_sets))
    kind = table["from"].map({"synthetic_1": "in the place of real images", "added_7": "beside them"})
    return findings_by(table.assign(kind=kind), ["kind"], "difference", str)


CLAIMS = (
    Claim(
        "A3o",
        "paper A, abstract",
        "A diversity metric explains and compares the benefit of augmented data (where a ResNet-18 from scratch "
        "overfits).",
        "Spearman correlation of a score of the training set with test accuracy, accuracy under corruption and "
        "calibration, over the augmentation levels that learn, mean over seeds. In favour where it lies significantly "
        "above 0.5, against where below.",
        SETS,
        rank,
        (RUNS,),
        spread="range",
    ),
    Claim(
        "A3e",
        "paper A, abstract",
        "A diversity metric explains and compares the benefit of augmented data, in the eyes of a network that was "
        "trained on other images (where a ResNet-18 from scratch overfits).",
        "As A3o, with embeddings of EfficientNet-Lite0, trained on ImageNet, in the place of pixels and of embeddings "
        "of a network that has fitted the images.",
        IMAGENET_SETS,
        rank_by_imagenet,
        (RUNS,),
        spread="range",
    ),
    Claim(
        "A3d",
        "our question",
        "The Vendi score times a resemblance that pairs no rows ranks training sets better than paper A's weighted "
        "score (images with synthetic ones).",
        "The rank correlation of the one minus that of the other, mean over seeds, on sets that did not choose the "
        "resemblance. In favour where significantly above 0, against where below.",
        AMOUNT_SETS,
        better,
        (AMOUNTS, SETS, RUNS),
        spread="range",
    ),
    Claim(
        "A4o",
        "paper A, v1",
        "Synthetic data improve accuracy (where a ResNet-18 from scratch overfits).",
        "Test accuracy with synthetic images minus that of the baseline of the seed, for four fractions in the place "
        "of real images and three amounts beside them. In favour where significantly above 0, against where below.",
        AMOUNTS,
        improve,
        (AMOUNT_SETS,),
        spread="range",
    ),
    Claim(
        "A4h",
        "our question",
        "Too much synthetic data does harm (where a ResNet-18 from scratch overfits).",
        "Test accuracy with little minus that with much of it. In favour where the loss is significantly larger than "
        "one point, against where smaller.",
        AMOUNTS,
        harm,
        (AMOUNT_SETS,),
        spread="range",
    ),
)
