"""The tables and the numbers in the text of the chapter on the text experiments (paper A)."""

from __future__ import annotations

import pandas as pd

from weightspace.analysis import diversity_shifts, fair_tests, text_outcomes
from weightspace.analysis.diversity_outcomes import differences
from weightspace.analysis.frames import select
from weightspace.display.labels import setting_label
from weightspace.display.tables import diversity as tables_diversity
from weightspace.display.tables.columns import DATA, between, named, shown
from weightspace.names import TEXT_SET_LABELS

_TASKS = {"complaints": "complaints", "sst2": "SST-2"}
JUDGED = "augmentation"
"""The category that is diversity in A1w and A2w, as in the release."""


def reported(table: pd.DataFrame) -> pd.DataFrame:
    """Ours beside reported for every training set, from ``text_outcomes.against_reported``."""
    columns = {
        "training set": named("setting", setting_label),
        "kind": lambda table: table["category"].map(TEXT_SET_LABELS).fillna(""),
        "reported, BERT (%)": "reported",
        "95 % of 345 texts": between("reported_low", "reported_high", 1),
        "ours, MiniLM (%)": "ours",
        "95 % over seeds": between(decimals=1),
        "reported, minus baseline": "reported_gain",
        "ours, minus baseline": "gain",
    }
    return shown(table, columns)


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
    found = wide.groupby(["dataset", "kind"], sort=False).agg(
        number=("augmentation", "nunique"),
        mean=("resemblance_embeddings", "mean"),
        min=("resemblance_embeddings", "min"),
        max=("resemblance_embeddings", "max"),
    )
    columns = {
        "data": DATA,
        "training sets": named("kind", TEXT_SET_LABELS | {"control": "baseline in another order"}),
        "number": "number",
        "resemblance, mean": "mean",
        "smallest": "min",
        "largest": "max",
    }
    return shown(found.reset_index(), columns)


def as_they_are(table: pd.DataFrame) -> pd.DataFrame:
    """Of ``shift_tests`` those of category means, without the comparisons at equal strength."""
    return table[~table["match"].str.contains("equal")]
