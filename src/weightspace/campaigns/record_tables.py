"""What a table of records means: its columns, what may be missing, whole runs, and a fixed order of rows.

A file is a table of one experiment at one scale; a run is known by its key, which is the digest of its configuration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from weightspace.campaigns.configuration import key_of
from weightspace.campaigns.record_files import About

PROVENANCE = (
    "run_key",
    "configuration",
    "changed",
    "device",
    "precision",
    "threads",
    "versions",
    "revision",
    "data_digest",
    "data_variant",
    "rows",
    "seconds",
    "time",
)
"""Columns of every record. run_key: digest of configuration, the settings of the run as JSON. changed: those that were
set by hand, as JSON, ``{}`` for a planned run. device and versions of packages as text; precision of the computation;
threads; revision of the source (commit, with a digest where files differ from it; empty where unknown); sha256 of the
data files and whether they are the canonical ones; rows of the run; seconds of computing per run; time of writing (UTC,
ISO 8601)."""

REPEATED = ("configuration", "changed", "precision", "revision")
"""Long texts that repeat in every row of a run: kept as categories."""

MEASURED = ("value", "eigenvalues")
"""What a run found, of all columns that are no provenance; rows are kept in the order of the others."""

MAY_BE_MISSING = ("eigenvalues", "train_loss", "chosen_lr")
"""Columns that have no value in some rows; a missing value in any other is an error. eigenvalues: rows of scores.
train_loss: settings whose loss is not that of training. chosen_lr: methods without a choice."""

_TEXT = ("run_key", "device", "versions", "data_digest", "data_variant", "time", *REPEATED)
_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(_TEXT, pa.string()),
    **dict.fromkeys(("seed", "threads", "rows"), pa.int64()),
    **dict.fromkeys(("value", "seconds"), pa.float64()),
}
"""Columns that every table has."""


class NotARecord(ValueError):
    """A table is not one of whole runs of its experiment."""


def from_frame(frame: pd.DataFrame) -> pa.Table:
    """A frame as a table: texts, 64-bit numbers, bytes and lists; provenance in its order behind the other columns.

    ``NotARecord`` names a column that cannot be stored.
    """
    names = [name for name in frame.columns if name not in PROVENANCE]
    names += [name for name in PROVENANCE if name in frame.columns]
    columns = {}
    for name in names:
        try:
            column = pa.Array.from_pandas(frame[name])
        except (pa.ArrowException, TypeError) as error:
            raise NotARecord(f"column {name} cannot be stored: {error}") from error
        columns[name] = _plain(column)
    return pa.table(columns)


def _plain(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_large_string(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_floating(kind):
        return column.cast(pa.float64())
    return column


def about(table: pa.Table, experiment: str, scale: str) -> About:
    """What the file of a table says of itself."""
    types = {field.name: _type_name(field.type) for field in table.schema}
    return {"form": 1, "experiment": experiment, "scale": scale, "columns": types}


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {kind.value_type}"
    return str(kind.value_type if pa.types.is_dictionary(kind) else kind)


def check_about(table: pa.Table, said: About, experiment: str, scale: str) -> None:
    """Raise ``NotARecord`` unless a file says that it is of this experiment and scale, with these columns."""
    if not isinstance(said, dict) or said.get("form") != 1:
        raise NotARecord("it says nothing of its form that is known here")
    if (said.get("experiment"), said.get("scale")) != (experiment, scale):
        raise NotARecord(f"it holds {said.get('experiment')} at scale {said.get('scale')}")
    found = about(table, experiment, scale)["columns"]
    stated = said.get("columns", {})
    if any(stated.get(name) != kind for name, kind in found.items()):
        raise NotARecord("its columns are not of the types that it states")


def check(table: pa.Table, experiment: str) -> None:
    """Raise ``NotARecord`` unless the table consists of whole runs of the experiment, each row once."""
    if absent := [name for name in _TYPES if name not in table.schema.names]:
        raise NotARecord(f"it lacks the columns {', '.join(absent)}")
    if not len(table):
        raise NotARecord("it holds no rows")
    if len(set(table.schema.names)) < len(table.schema.names):
        raise NotARecord("it has two columns of one name")
    for name, kind in _TYPES.items():
        if (found := _type_name(table.schema.field(name).type)) != str(kind):
            raise NotARecord(f"column {name} holds {found} instead of {kind}")
    for field, column in zip(table.schema, table.columns):
        if field.name not in MAY_BE_MISSING and (row := _first_missing(column)) is not None:
            key = table["run_key"][row].as_py()
            raise NotARecord(f"column {field.name} has a row without a value, of run {key}")
    runs = table.group_by(["run_key", "rows", "configuration"]).aggregate([([], "count_all")]).to_pandas()
    for key, stated, text, found in runs[["run_key", "rows", "configuration", "count_all"]].itertuples(index=False):
        if key_of(text) != key:
            raise NotARecord(f"{key} is not the key of its configuration")
        if f'"experiment":"{experiment}"' not in text:
            raise NotARecord(f"run {key} is not of {experiment}")
        if found != stated:
            raise NotARecord(f"run {key} has {found} rows of {stated}")
    order = _numbered(table, ["run_key", *identity(table)])
    if order.duplicated().any():
        key = table["run_key"][int(np.flatnonzero(order.duplicated())[0])].as_py()
        raise NotARecord(f"run {key} has a row twice")


def _first_missing(column: pa.ChunkedArray) -> int | None:
    missing = pc.is_null(column, nan_is_null=True)
    if not pc.any(missing, min_count=0).as_py():
        return None
    return int(np.flatnonzero(missing.to_numpy())[0])


def identity(table: pa.Table) -> list[str]:
    """Columns that say what a row is about: neither provenance nor a result."""
    return [name for name in table.schema.names if name not in (*PROVENANCE, *MEASURED)]


def _numbered(table: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    """Columns with each value replaced by its rank; a missing value comes last."""
    return pd.DataFrame({name: _ranks(table[name]) for name in names})


def _ranks(column: pa.ChunkedArray) -> np.ndarray:
    column = column.combine_chunks() if len(column) else pa.array([], column.type)
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    values = encoded.dictionary.to_pandas().to_numpy()
    ranks = np.empty(len(values) + 1, np.int32)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    ranks[-1] = len(values)  # of missing values
    places: NDArray[np.int64] = encoded.indices.fill_null(len(values)).to_numpy()
    return ranks[places]


def in_order(table: pa.Table) -> pa.Table:
    """The rows in an order that does not depend on when they were computed.

    By the columns that say what a row is about, then by key; rows that agree in all of that stay as they came.
    """
    ranks = _numbered(table, [*identity(table), "run_key"])
    return table.take(np.lexsort([ranks[name].to_numpy() for name in reversed(ranks.columns)]))


def unite(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables one below the other, columns in the order of the first.

    A column of whole numbers in some and of fractions in others is one of fractions. ``NotARecord`` for other types.
    """
    try:
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    except pa.ArrowException as error:
        raise NotARecord(f"its columns are of other types than those of the other files: {error}") from error
