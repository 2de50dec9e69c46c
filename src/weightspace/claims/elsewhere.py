"""Does what the main campaign found hold elsewhere? Its questions, asked of the other campaigns (book/rules)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from weightspace.analysis.regularizer_effects import BASELINE, CATEGORIES, as_augmentation, measures_of, outcomes
from weightspace.analysis.regularizer_tests import AS_THEY_ARE, MATCHES, controls, passed
from weightspace.claims.regularizers import SPECTRA, alike, closer_to_dropout
from weightspace.claims.verdicts import decided

MAIN = SPECTRA
IMAGES = (
    "diversity_wide_spectra",
    "diversity_fashion_spectra",
    "diversity_mnist_spectra",
    "diversity_vit_spectra",
    "diversity_transfer_fitted_spectra",
)
TEXTS = ("diversity_complaints_spectra", "diversity_titles_spectra")
"""The other campaigns. Whether the answers hold is decided on augmentation, which all of them have."""

FITTED = 99.0
"""Percent of its training samples that a baseline must answer right, on average, for its campaign to be judged."""
REPLACED = ("synthetic", "verified")
"""Kinds of training sets in which the baseline's texts are replaced: their loss on these is no training loss."""

Verdicts = dict[tuple[str, str], str]
"""Question and set of metrics -> verdict."""

HOLDS, DOES_NOT_HOLD, UNDECIDED, NOTHING_TO_HOLD = "holds", "does not hold", "undecided", "nothing to hold"
_OPEN = ("undecided", "mixed")


def fitted(frame: pd.DataFrame) -> bool:
    """Whether the baselines of a campaign have fitted their training samples."""
    return bool(outcomes(frame, "training accuracy").loc[BASELINE].mean() >= FITTED)


def matches_of(category: str) -> Sequence[str]:
    """The ways of matching for a kind of training set: all, but that by training loss where texts were replaced."""
    return (AS_THEY_ARE, "equal test accuracy") if category in REPLACED else MATCHES


def verdicts_of(frame: pd.DataFrame, category: str = "augmentation") -> Verdicts:
    """The verdicts of a campaign for each question and set of metrics; none if its baselines have not fitted.

    Questions: ``like dropout``, ``like weight decay``, ``closer than to weight decay``, ``closer than to baseline``.
    category: which kind of training set the questions are asked of, for texts.
    """
    if not fitted(frame):
        return {}
    own = frame if category == "augmentation" and not _has_sets(frame) else as_augmentation(frame, category)
    matches = matches_of(category)
    found: Verdicts = {}
    for finding in alike(own, matches):
        question, _, name = finding.method.rpartition(", ")
        found[question, name] = finding.verdict
    for than in ("weight_decay", None):
        question = f"closer than to {(than or BASELINE).replace('_', ' ')}"
        found |= {(question, finding.method): finding.verdict for finding in closer_to_dropout(than, matches)(own)}
    return found


def _has_sets(frame: pd.DataFrame) -> bool:
    return bool({"synthetic", "verified", "added"} & set(frame["category"]))


def holds(main: str, other: str) -> str:
    """Whether the verdict of the main campaign holds in another one.

    ``nothing to hold`` if the main campaign has none; ``undecided`` if the other one is undecided; ``holds`` if they
    are the same; ``does not hold`` if the other one is the opposite, or mixed.
    """
    if main in _OPEN:
        return NOTHING_TO_HOLD
    if other == "undecided":
        return UNDECIDED
    return HOLDS if other == main else DOES_NOT_HOLD


def held(main: Verdicts, others: Mapping[str, Verdicts]) -> pd.DataFrame:
    """For each question and set of metrics, where the main campaign's verdict holds.

    others: campaign -> verdicts, none where it was not judged. Columns: question, set, main, a column for each campaign
    (``holds``; empty where it has no such metrics or was not judged), overall (``overall``).
    """
    rows = []
    for (question, name), verdict in main.items():
        places = {
            campaign: holds(verdict, found[question, name]) if (question, name) in found else ""
            for campaign, found in others.items()
        }
        row = {"question": question, "set": name, "main": verdict} | places
        rows.append(row | {"overall": overall(places.values())})
    return pd.DataFrame(rows)


def contradicts(main: Verdicts, other: Verdicts) -> str:
    """The prediction that another campaign gives the main one's answers: ``met`` if no decided verdict contradicts a
    decided one, ``not met`` if one does, ``undecided`` if there are no two decided ones to compare."""
    decided_ones = {"supported", "not supported"}
    both = [(verdict, other[key]) for key, verdict in main.items() if key in other]
    both = [pair for pair in both if set(pair) <= decided_ones]
    if not both:
        return "undecided"
    return "met" if all(a == b for a, b in both) else "not met"


def every_kind_is_seen(frames: Iterable[pd.DataFrame]) -> str:
    """The prediction that in each campaign every kind of regularizer passes its control in a scale-free metric."""
    for frame in frames:
        scale_free = measures_of(frame)["scale-free"]
        kinds = {category for _, category in passed(controls(frame, scale_free))}
        if not set(CATEGORIES) <= kinds:
            return "not met"
    return "met"


def overall(places: Iterable[str]) -> str:
    """The verdict on "it holds elsewhere": each campaign in which there is an answer to hold is one comparison."""
    found = list(places)
    if NOTHING_TO_HOLD in found:
        return NOTHING_TO_HOLD
    return decided(found.count(HOLDS), found.count(DOES_NOT_HOLD), found.count(UNDECIDED))
