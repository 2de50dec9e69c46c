"""The tables of the chapters on networks that overfit."""

from __future__ import annotations

import math

import pandas as pd

from weightspace.analysis.regularizer_effects import CATEGORIES
from weightspace.display.labels import setting_label
from weightspace.display.style import p_value
from weightspace.display.tables.columns import INTERVAL, P_HOLM, Made, named, plus_minus, shown, spread, strong
from weightspace.names import CONTROL_LABELS, METRIC_LABELS

_TO = {"dropout": "dropout", "weight_decay": "weight decay", "baseline": "no regularizer"}
_METRIC = named("measure", lambda measure: METRIC_LABELS[measure.metric])
_REACH = named("detectable", lambda value: f"{value:.2f}" if math.isfinite(value) else "none")
_SIMILARITY = {
    "similarity": "similarity",
    "95 % interval": INTERVAL,
    "p (Holm)": P_HOLM,
    "outcome": "outcome",
    "detectable": _REACH,
}


def similarities(table: pd.DataFrame) -> pd.DataFrame:
    """Every similarity with its interval, its test and the smallest one that would have been found."""
    columns = {
        "metrics": "set",
        "metric": _METRIC,
        "compared": "match",
        "augmentation and": named("to", _TO),
        "levels": "levels",
    }
    return shown(table, columns | _SIMILARITY)


def mapped(table: pd.DataFrame) -> pd.DataFrame:
    """The comparisons of the map, cell by cell; table: the first one of ``regularizer_map.cells``."""
    columns = {
        "images": named("train_size", "{:,}".format),
        "epoch": "epoch",
        "metric": _METRIC,
        "augmentation and": named("to", _TO),
    }
    return shown(table, columns | _SIMILARITY)


def closeness(table: pd.DataFrame) -> pd.DataFrame:
    """Every pair of distances with the test of which is the smaller, and the largest ratio that would be found."""
    columns = {
        "metrics": "set",
        "metric": _METRIC,
        "compared": "match",
        "levels": "levels",
        "to dropout": "distance_dropout",
        "than to": named("than", _TO),
        "to that": "distance_other",
        "p (Holm)": P_HOLM,
        "outcome": "outcome",
        "detectable": _REACH,
    }
    return shown(table, columns)


def controls(table: pd.DataFrame) -> pd.DataFrame:
    """Every number of every control with its interval, its test, and the explanation that it speaks for."""
    columns = {
        "control": named("control", CONTROL_LABELS),
        "metrics": "set",
        "metric": _METRIC,
        "of": named("category", _TO | {"augmentation": "augmentation"}),
        "number": "number",
        "95 % interval": INTERVAL,
        "threshold": named("threshold", "{:g}".format),
        "p (Holm)": P_HOLM,
        "outcome": lambda table: table["explanation"].where(table["explanation"] != "", table["outcome"]),
        "detectable": _REACH,
    }
    return shown(table, columns)


def gains_under_controls(table: pd.DataFrame) -> pd.DataFrame:
    """What the settings gain and by how much they put off interpolation, from ``regularizer_facts``."""
    columns = {
        "control": named("control", {"none": "none: the main campaign"} | CONTROL_LABELS),
        "baseline, training accuracy (%)": "train",
        "baseline, test accuracy (%)": "test",
        "setting": named("setting", setting_label),
        "gain (points)": _with_half_interval("gain"),
        "delay (epochs)": _with_half_interval("delay"),
    }
    return shown(table, columns)


def _with_half_interval(name: str) -> Made:
    columns = [name, f"{name}_low", f"{name}_high"]
    return lambda table: [plus_minus(mean, low, high, 1) for mean, low, high in table[columns].to_numpy()]


def seen(table: pd.DataFrame) -> pd.DataFrame:
    """How many of the acting settings every measure sees, from ``regularizer_facts.seen``: a column per category."""
    cells = [
        f"{row.seen} of {row.acting}" if row.passed else strong(f"{row.seen} of {row.acting}, not judged")
        for row in table.itertuples()
    ]
    table = table.assign(cell=cells, p=table["placebo_p"].map(p_value))
    wide = spread(table, ["set", "measure", "p"], "category")
    counts = {name.replace("_", " "): name for name in CATEGORIES if name in wide}
    return shown(wide, {"metrics": "set", "metric": _METRIC} | counts | {"one more baseline, p": "p"})


def sensitivity(kept: pd.DataFrame, without: pd.DataFrame, number: str) -> pd.DataFrame:
    """A number with and without the settings that do not learn, as they are: a row per comparison.

    kept, without: tables of ``regularizer_tests`` with these settings in the means of their categories, and without.
    """
    other = "to" if "to" in kept else "than"
    columns = {
        "metrics": "set",
        "metric": _METRIC,
        "against": named(other, _TO),
        f"{number}, those that learn": f"{number}_without",
        "outcome": "outcome_without",
        f"{number}, all": f"{number}_kept",
        "outcome ": "outcome_kept",
    }
    return shown(kept.merge(without, on=["set", "measure", other, "match"], suffixes=("_kept", "_without")), columns)
