"""Paper A's claims on weight space where networks overfit, by the rules of ``regularizer_tests`` (book/rules)."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from weightspace.analysis.regularizer_tests import MEASURES, cases, closeness, controls, passed, similarities
from weightspace.claims.verdicts import Claim, Finding, decided

SPECTRA = "diversity_from_scratch_spectra"


def _findings(table: pd.DataFrame, by: list[str], effect: str, label: Callable[..., str]) -> list[Finding]:
    """A finding for each group: the mean and the range of the effect over its judged comparisons, and the verdict."""
    found = []
    for key, own in table.groupby(by, sort=False):
        judged = own[own["judged"]]
        in_favour, against, undecided = ((judged["outcome"] == name).sum() for name in ("for", "against", "undecided"))
        values = judged[effect]
        found.append(
            Finding(
                label(*key),
                float(values.min()),
                float(values.mean()),
                float(values.max()),
                int(in_favour),
                int(undecided),
                int(against),
                int(own["n"].min()),
                decided(in_favour, against, undecided),
                float(judged["detectable"].median()),
            )
        )
    return found


def _passed(frame: pd.DataFrame) -> set:
    return passed(controls(frame, [measure for members in MEASURES.values() for measure in members]))


def alike(frame: pd.DataFrame) -> list[Finding]:
    """A1: augmentation with dropout and with weight decay, for each set of metrics."""
    table = similarities(cases(frame), _passed(frame))
    return _findings(table, ["to", "set"], "similarity", lambda to, name: f"like {to.replace('_', ' ')}, {name}")


def closer_to_dropout(than: str | None) -> Callable[[pd.DataFrame], list[Finding]]:
    """A2 and A2c: the distance to dropout over that to ``than`` (the baseline, if None), for each set of metrics."""

    def assess(frame: pd.DataFrame) -> list[Finding]:
        table = closeness(cases(frame), _passed(frame), than)
        # Where the other distance is estimated as none, there is no ratio to it.
        other = table["distance_other"].where(table["distance_other"] > 0)
        return _findings(table.assign(ratio=table["distance_dropout"] / other), ["set"], "ratio", str)

    return assess


CLAIMS = (
    Claim(
        "A1o",
        "paper A, abstract",
        "More diverse data change the weight spectra in the way that dropout and weight decay do (where a ResNet-18 "
        "from scratch overfits).",
        "Similarity (cosine over layers) of the effects of augmentation with those of dropout and of weight decay, as "
        "they are and at equal training loss and test accuracy, for raw, folded and scale-free metrics. In favour "
        "where it lies significantly above 0.5, against where below.",
        SPECTRA,
        alike,
        spread="range",
    ),
    Claim(
        "A2o",
        "paper A, abstract",
        "The pattern is closer to that of dropout than to that of weight decay (where a ResNet-18 from scratch "
        "overfits).",
        "Distance to dropout over distance to weight decay, measured as in A1o. In favour where it lies significantly "
        "below 0.9, against where above.",
        SPECTRA,
        closer_to_dropout("weight_decay"),
        spread="range",
    ),
    Claim(
        "A2co",
        "our question",
        "Diversity is closer to dropout than to no regularizer at all (where a ResNet-18 from scratch overfits).",
        "As A2o, with the baseline in the place of weight decay.",
        SPECTRA,
        closer_to_dropout(None),
        spread="range",
    ),
)
