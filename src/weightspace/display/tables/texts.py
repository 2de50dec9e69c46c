"""The tables and the numbers in the text of the chapter on the text experiments (paper A)."""

from __future__ import annotations

import pandas as pd

from weightspace.analysis import diversity_shifts, fair_tests, text_outcomes
from weightspace.analysis.diversity_outcomes import differences
from weightspace.analysis.frames import select
from weightspace.display.labels import setting_label
from weightspace.display.style import interval
from weightspace.display.tables import diversity as tables_diversity
from weightspace.names import TEXT_SET_LABELS, dataset_label

_TASKS = {"complaints": "complaints", "sst2": "SST-2"}
JUDGED = "augmentation"
"""The category that is diversity in A1w and A2w, as in the release."""


def reported(table: pd.DataFrame) -> pd.DataFrame:
    """Ours beside reported for every training set, from ``text_outcomes.against_reported``."""
    return pd.DataFrame(
        {
            "training set": table["setting"].map(setting_label),
            "kind": table["category"].map(TEXT_SET_LABELS).fillna(""),
            "reported, BERT (%)": table["reported"],
            "95 % of 345 texts": [interval(a, b, 1) for a, b in zip(table["reported_low"], table["reported_high"])],
            "ours, MiniLM (%)": table["ours"],
            "95 % over seeds": [interval(a, b, 1) for a, b in zip(table["low"], table["high"])],
            "reported, minus baseline": table["reported_gain"],
            "ours, minus baseline": table["gain"],
        }
    )


def tasks(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the first and of the last data set: complaints and SST-2, or the only one of the quick scale."""
    names = table["dataset"].unique()
    return select(table, dataset=names[0]), select(table, dataset=names[-1])


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """Every setting of one task minus the baseline of the same seed."""
    return differences(table, text_outcomes.OUTCOMES)


def shift_tests(spectra: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``fair_tests.similarities`` and ``distances`` of every task and kind of training set; match names them.

    At equal strength for the judged kind only.
    """
    cases = {}
    for task in spectra["dataset"].unique():
        own = select(spectra, dataset=task)
        for category in (name for name in TEXT_SET_LABELS if name in set(own["category"])):
            matches = fair_tests.MATCHES if category == JUDGED else fair_tests.MATCHES[:1]
            name = f"{_TASKS.get(task, task)} {TEXT_SET_LABELS[category]}"
            cases[name] = fair_tests.cases(diversity_shifts.with_diversity(own, category), matches)
    return tables_diversity.shift_tests(cases)


def pairing(sets: pd.DataFrame) -> pd.DataFrame:
    """What the pairing of rows is worth: resemblance to the baseline's texts of each kind of set, and of the control.

    The control is the baseline itself in another order: the same texts, so that only the pairing is lost.
    """
    wide = text_outcomes.resemblances(sets)
    rows = [
        {
            "data": dataset_label(task),
            "training sets": "baseline in another order" if kind == "control" else TEXT_SET_LABELS[kind],
            "number": own["augmentation"].nunique(),
            "resemblance, mean": own["resemblance_embeddings"].mean(),
            "smallest": own["resemblance_embeddings"].min(),
            "largest": own["resemblance_embeddings"].max(),
        }
        for (task, kind), own in wide.groupby(["dataset", "kind"], sort=False)
    ]
    return pd.DataFrame(rows)


def as_they_are(table: pd.DataFrame) -> pd.DataFrame:
    """Of ``shift_tests`` those of category means, without the comparisons at equal strength."""
    return table[~table["match"].str.contains("equal")]
