"""The tables of the chapters on networks that overfit, and their verdicts as counts for the sentences of a page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_effects import Measure
from weightspace.display.style import interval, p_value
from weightspace.display.tables.common import spread
from weightspace.names import METRIC_LABELS

_TO = {"dropout": "dropout", "weight_decay": "weight decay", "baseline": "no regularizer"}


def _labels(measures: Sequence[Measure]) -> list[str]:
    return [METRIC_LABELS[measure.metric] for measure in measures]


def _reach(values: pd.Series) -> list[str]:
    return [f"{value:.2f}" if math.isfinite(value) else "none" for value in values]


def similarities(table: pd.DataFrame) -> pd.DataFrame:
    """Every similarity with its interval, its test and the smallest one that would have been found."""
    return pd.DataFrame(
        {
            "metrics": table["set"],
            "metric": _labels(table["measure"]),
            "compared": table["match"],
            "augmentation and": table["to"].map(_TO),
            "levels": table["levels"],
            "similarity": table["similarity"],
            "95 % interval": [interval(low, high) for low, high in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(p_value),
            "outcome": table["outcome"],
            "detectable": _reach(table["detectable"]),
        }
    )


def closeness(table: pd.DataFrame) -> pd.DataFrame:
    """Every pair of distances with the test of which is the smaller, and the largest ratio that would be found."""
    return pd.DataFrame(
        {
            "metrics": table["set"],
            "metric": _labels(table["measure"]),
            "compared": table["match"],
            "levels": table["levels"],
            "to dropout": table["distance_dropout"],
            "than to": table["than"].map(_TO),
            "to that": table["distance_other"],
            "p (Holm)": table["p_holm"].map(p_value),
            "outcome": table["outcome"],
            "detectable": _reach(table["detectable"]),
        }
    )


def seen(table: pd.DataFrame) -> pd.DataFrame:
    """How many of the acting settings every measure sees, from ``regularizer_facts.seen``: a column per category."""
    cells = [
        f"{row.seen} of {row.acting}" if row.passed else f"<strong>{row.seen} of {row.acting}, not judged</strong>"
        for row in table.itertuples()
    ]
    wide = table.assign(cell=cells, metrics=table["set"], metric=_labels(table["measure"]))
    wide["one more baseline, p"] = wide["placebo_p"].map(p_value)
    rows = ["metrics", "metric", "one more baseline, p"]
    wide = spread(wide, rows, "category")
    order = [*rows[:2], *(name for name in ("augmentation", "dropout", "weight_decay") if name in wide), rows[2]]
    return wide[order].rename(columns={"weight_decay": "weight decay"})


def sensitivity(kept: pd.DataFrame, without: pd.DataFrame, number: str) -> pd.DataFrame:
    """A number with and without the settings that do not learn, as they are: a row per comparison.

    kept, without: tables of ``regularizer_tests`` with these settings in the means of their categories, and without.
    """
    other = "to" if "to" in kept else "than"
    keys = ["set", "measure", other]
    both = kept.merge(without, on=[*keys, "match"], suffixes=("_kept", "_without"))
    return pd.DataFrame(
        {
            "metrics": both["set"],
            "metric": _labels(both["measure"]),
            "against": both[other].map(_TO),
            f"{number}, those that learn": both[f"{number}_without"],
            "outcome": both["outcome_without"],
            f"{number}, all": both[f"{number}_kept"],
            "outcome ": both["outcome_kept"],
        }
    )


def comparisons(judged: pd.DataFrame, claim: str, beginning: str = "") -> dict[str, int]:
    """How many comparisons of a claim there were, over all sets of metrics, and how many were decided which way."""
    own = select(judged, claim=claim)
    own = own[own["method"].str.startswith(beginning)]
    counts = {name: int(own[name].sum()) for name in ("wins", "ties", "losses")}
    return counts | {"all": sum(counts.values())}
