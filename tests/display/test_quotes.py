"""Numbers in sentences: one cell of a table, or an error that says what was asked for."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightspace.display import quotes

TABLE = pd.DataFrame({"setting": ["noise", "noise", "dropout"], "epoch": [0, 1, 1], "mean": [1.5, 2.5, np.nan]})
COLUMNS = "with the columns setting, epoch, mean"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=9, unique=True), st.data())
def test_a_quote_is_the_value_of_its_row(values, data):
    row = data.draw(st.integers(0, len(values) - 1))
    table = pd.DataFrame({"place": range(len(values)), "value": values})
    assert quotes.quote(table, "value", place=row) == values[row]
    assert quotes.at("paper")(table, "place", value=values[row]) == row


def test_a_page_gets_numbers_of_python(monkeypatch):
    assert type(quotes.quote(TABLE, "mean", setting="noise", epoch=1)) is float
    assert type(quotes.quote(TABLE, "epoch", setting="dropout")) is int
    assert quotes.quote(TABLE, "setting", mean=1.5) == "noise"
    assert math.isnan(quotes.quote(TABLE, "mean", setting="dropout"))  # a value on record that is not a number
    handed = {}
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display: handed.update({name: (type(value), display)}))
    quotes.glue(count=np.int64(3), size=np.float32(0.5), words="9 of 12")
    assert handed == {"count": (int, False), "size": (float, False), "words": (str, False)}


@pytest.mark.parametrize("quote", [quotes.quote, quotes.at("laptop")])
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"setting": "noise"}, f"'mean' where setting='noise', of the table {COLUMNS}: 2 rows match, not one"),
        ({"setting": "x", "epoch": 1}, f"'mean' where setting='x', epoch=1, of the table {COLUMNS}: 0 rows"),
        ({}, f"'mean' where no conditions, of the table {COLUMNS}: 3 rows"),
        ({"arm": "main"}, f"of the table {COLUMNS} has no column arm"),
    ],
)
def test_anything_but_one_row_is_an_error_that_says_what_was_asked(quote, where, message):
    with pytest.raises(LookupError, match=message):
        quote(TABLE, "mean", **where)


def test_an_interval_is_named_by_its_mean():
    assert quotes.with_interval("gain", (6.0, 5.0, 7.0)) == {"gain": 6.0, "gain_low": 5.0, "gain_high": 7.0}


def test_records_are_named_by_their_experiment():
    records = TABLE.copy()
    records.attrs["experiment"] = "diversity_cifar10"
    with pytest.raises(KeyError, match="of the table diversity_cifar10 has no column accuracy"):
        quotes.quote(records, "accuracy")


def test_only_the_quick_scale_may_lack_a_row():
    quick = quotes.at("quick")
    assert math.isnan(quick(TABLE, "mean", setting="x")) and quick(TABLE, "mean", epoch=0) == 1.5
    with pytest.raises(LookupError, match="2 rows match"):
        quick(TABLE, "mean", setting="noise")
    with pytest.raises(KeyError, match="has no column kind"):
        quick(TABLE, "mean", kind="x")
