"""One line for a model: averages over its layers, and what they leave out."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

AVERAGED = (
    "log_norm", "alpha", "alpha_weighted", "log_alpha_norm", "log_spectral_norm", "stable_rank", "mp_softrank",
)  # fmt: skip
"""The columns that are averaged: those of ``get_summary`` of WeightWatcher 0.7.7, under its names."""


def summary(reports: pd.DataFrame | Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each report: the mean of every column of ``AVERAGED`` over the layers that have a number there.

    reports: from ``spectral_report``, of either convention; one, or several under the names of their models, which
    become the index. ``layers``: rows of the report; ``left_out``: for each mean that is not over all of them, over how
    many it is, and the reasons of the others with their numbers. WeightWatcher takes the -1 of failed fits into its
    means and says nothing; here they are NaN and are left out.
    """
    if isinstance(reports, pd.DataFrame):
        return pd.DataFrame([_line(reports)])
    return pd.DataFrame([_line(report) for report in reports.values()], index=pd.Index(reports, name="model"))


def _line(report: pd.DataFrame) -> dict[str, object]:
    columns = [column for column in AVERAGED if column in report]
    # Means that leave out the same layers are named together.
    together: dict[tuple[bool, ...], list[str]] = {}
    for column in columns:
        if report[column].isna().any():
            together.setdefault(tuple(report[column].isna()), []).append(column)
    left_out = [
        f"{', '.join(names)}: {len(report) - sum(missing)} of {len(report)} layers ({_reasons(report[list(missing)])})"
        for missing, names in together.items()
    ]
    means = {column: report[column].mean() for column in columns}
    return {"layers": len(report)} | means | {"left_out": "; ".join(left_out)}


def _reasons(rows: pd.DataFrame) -> str:
    """Reasons with how often each is given; one reason may end in numbers that differ from layer to layer."""
    reasons = rows["reason"] if "reason" in rows else rows.get("warning", pd.Series("", rows.index))
    kinds = reasons.str.replace(r"\d+", "...", regex=True).replace("", "no reason given")
    return ", ".join(f"{count} x {kind}" for kind, count in kinds.value_counts(sort=True).items())
