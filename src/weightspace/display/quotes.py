"""The numbers in a chapter's sentences: each is one cell of a table, looked up where the chapter needs it.

A chapter names what its sentences quote and where it stands::

    quote = quotes.at(scale)
    quotes.glue(noise=quote(differences, "mean", outcome="clean_accuracy", setting="noise50"))

and writes ``{glue:text}`noise:.1f` ``; how many digits a sentence shows is the sentence's own affair.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from weightspace.analysis.frames import select


def quote(table: pd.DataFrame, column: str, **where: object) -> object:
    """The value of ``column`` in the one row of a table in which the columns ``where`` have the given values.

    ``KeyError`` for a column that the table lacks, ``LookupError`` if no row matches, or more than one; both say
    which table was asked for what.
    """
    return _cell(table, column, where)


def at(scale: str) -> Callable[..., object]:
    """``quote`` for a chapter at one scale: NaN stands for rows that the quick scale, with few settings, lacks."""

    def quote_at_scale(table: pd.DataFrame, column: str, **where: object) -> object:
        return _cell(table, column, where, may_lack=scale == "quick")

    return quote_at_scale


def with_interval(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    """A mean and the ends of its interval, named for the page: ``name``, ``name_low`` and ``name_high``."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def glue(**values: object) -> None:
    """Hand numbers to the sentences of the page by name, as numbers of Python: a page formats nothing else."""
    from myst_nb import glue as hand_over  # only the book needs it

    for name, value in values.items():
        hand_over(name, _plain(value), display=False)


def _cell(table: pd.DataFrame, column: str, where: dict[str, object], may_lack: bool = False) -> object:
    conditions = ", ".join(f"{name}={value!r}" for name, value in where.items()) or "no conditions"
    known = table.attrs.get("experiment") or f"with the columns {', '.join(map(str, table.columns))}"
    asked = f"{column!r} where {conditions}, of the table {known}"
    if unknown := [name for name in (column, *where) if name not in table]:
        raise KeyError(f"{asked} has no column {', '.join(unknown)}")
    found = select(table, **where)[column]
    if may_lack and found.empty:
        return float("nan")
    if len(found) != 1:
        raise LookupError(f"{asked}: {len(found)} rows match, not one")
    return _plain(found.iloc[0])


def _plain(value: object) -> object:
    """A number of NumPy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value
