"""The tables of the chapter where the two papers meet: the answers on ``dual_spectra``, as the book shows them."""

from __future__ import annotations

import math

import pandas as pd

from weightspace.display.style import interval, method_label
from weightspace.display.tables.columns import spread
from weightspace.names import dataset_label

_PARTS = {
    "all": "all places",
    "dataset": "data",
    "position": "layer",
    "layers": "depth",
    "train_size": "n train",
    "label_noise": "wrong labels",
}


def _by_method_and_form(table: pd.DataFrame, rows: list[str]) -> pd.DataFrame:
    """The column ``cell`` with a column per method and form."""
    columns = [f"{method_label(m)}, {form}" for m, form in zip(table["method"], table["form"])]
    return spread(table.assign(column=columns), rows, "column").fillna("")


def by_part(parts: pd.DataFrame) -> pd.DataFrame:
    """The answer over all places and over each part, with the number of decided places and of judged ones."""
    cells = [
        f"{row.answer}<br><small>{row.decided} of {row.places} decided</small>" if row.places else "not judged"
        for row in parts.itertuples()
    ]
    values = [dataset_label(v) if p == "dataset" else v for p, v in zip(parts["part"], parts["value"])]
    return _by_method_and_form(
        parts.assign(cell=cells, value=values, part=parts["part"].map(_PARTS)), ["part", "value"]
    )


def by_layer(layers: pd.DataFrame) -> pd.DataFrame:
    """The answer of every layer, how many places gave which, and what ratio of distances would have been found."""
    cells = [
        f"{row.answer}<br><small>{row.counts}{_reach(row.detectable)}</small>" for row in layers.itertuples(index=False)
    ]
    table = layers.assign(cell=cells, data=layers["dataset"].map(dataset_label), depth=layers["layers"])
    return _by_method_and_form(table, ["data", "depth", "layer"])


def _reach(detectable: float) -> str:
    return f"; detectable {detectable:.2f}" if math.isfinite(detectable) else "; none detectable"


def described(cosines: pd.DataFrame) -> pd.DataFrame:
    """How similar the effect of early stopping is: mean cosine and its range over layers."""
    cells = [f"{row.mean:.2f}<br><small>{interval(row.min, row.max)}</small>" for row in cosines.itertuples()]
    return _by_method_and_form(cosines.assign(cell=cells, data=cosines["dataset"].map(dataset_label)), ["data"])


def ranks(changes: pd.DataFrame) -> pd.DataFrame:
    """Ranks relative to gradient descent: a row per data set and method, a column per rank."""
    names = [name.replace("l2_squared_", "squared L2 ").replace("dropout_", "dropout ") for name in changes["method"]]
    cells = [f"{row.mean:.2f} <small>({interval(row.low, row.high)})</small>" for row in changes.itertuples()]
    table = changes.assign(cell=cells, data=changes["dataset"].map(dataset_label), method=[*map(method_label, names)])
    return spread(table, ["data", "method"], "metric")
