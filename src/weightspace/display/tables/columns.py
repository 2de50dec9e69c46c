"""Tables as specifications: for every heading the column that stands below it, or how that is made of the table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from weightspace.analysis import frames
from weightspace.display.style import interval, method_label, p_value, pair_label
from weightspace.measures.statistics import mean_interval
from weightspace.names import METRIC_LABELS, dataset_label

Made = Callable[[pd.DataFrame], Iterable[Any]]
"""Makes a column of a table."""
Source = Hashable | Made
"""The name of a column that is shown as it is, or what makes one."""


def shown(table: pd.DataFrame, columns: Mapping[str, Source]) -> pd.DataFrame:
    """A table of the book from a specification: heading -> source."""
    sources = {heading: source(table) if callable(source) else table[source] for heading, source in columns.items()}
    return pd.DataFrame({heading: list(values) for heading, values in sources.items()})


def named(column: str, names: Mapping[Any, str] | Callable[[Any], str]) -> Made:
    """The values of a column under the names that readers know."""
    return lambda table: table[column].map(names)


def between(low: str = "low", high: str = "high", decimals: int = 2) -> Made:
    """Two columns as an interval."""
    return lambda table: [interval(a, b, decimals) for a, b in zip(table[low], table[high])]


def pairs(word: str = " and ") -> Made:
    """The columns ``a`` and ``b``, categories of paper A, as a pair."""
    return lambda table: [pair_label(a, b, word) for a, b in zip(table["a"], table["b"])]


DATA, METHOD, METRIC = named("dataset", dataset_label), named("method", method_label), named("metric", METRIC_LABELS)
INTERVAL, P_HOLM = between(), named("p_holm", p_value)


def strong(text: str, when: bool = True) -> str:
    """The text, in bold letters where it stands out."""
    return f"<strong>{text}</strong>" if when else text


def plus_minus(mean: float, low: float, high: float, decimals: int) -> str:
    """The mean ± half its interval."""
    return f"{mean:.{decimals}f}\u00a0±\u00a0{(high - low) / 2:.{decimals}f}"


def mean_of(values: pd.Series, decimals: int) -> str:
    """The mean of some values ± half its 95 % interval."""
    return plus_minus(*mean_interval(values), decimals)


def spread(table: pd.DataFrame, rows: Sequence[str], columns: str) -> pd.DataFrame:
    """The column ``cell`` spread out: a row per combination of ``rows``, a column per value of ``columns``."""
    wide = table.pivot_table(index=list(rows), columns=columns, values="cell", aggfunc="first", sort=False)
    return wide.rename_axis(columns=None).reset_index()


def means(frame: pd.DataFrame, rows: Sequence[str], columns: str, decimals: int = 1) -> pd.DataFrame:
    """The mean value ± half its 95 % interval: a row per combination of ``rows``, a column per value of ``columns``."""
    summary = frames.summarize(frame, [*rows, columns])
    cells = [plus_minus(row.mean, row.low, row.high, decimals) for row in summary.itertuples()]
    return spread(summary.assign(cell=cells), rows, columns)
