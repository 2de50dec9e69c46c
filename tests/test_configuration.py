"""Configurations: the same key for the same settings, and no value that may not be."""

import dataclasses
import json
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightspace.configuration import (
    IDENTITY,
    STRICT,
    Configuration,
    Count,
    Fraction,
    Positive,
    dataclass,
    identity_fields,
    key_of,
    with_changes,
)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Example(Configuration):
    """One field of each kind."""

    lr: Positive = 0.1
    dropout: Fraction = 0.0
    epochs: Count = 1
    optimizer: Literal["adam", "sgd"] = "adam"
    hidden: tuple[int, ...] = (3, 2)
    label: Annotated[str, IDENTITY] = ""


EXAMPLE = Example(experiment="example", protocol=1, seed=0)


def test_the_key_is_that_of_the_plain_settings():
    """Records were keyed by such dictionaries before there were classes: the keys are the same."""
    plain = {"experiment": "example", "protocol": 1, "seed": 0, "lr": 0.1, "dropout": 0.0, "epochs": 1}
    plain |= {"optimizer": "adam", "hidden": [3, 2], "label": ""}
    assert EXAMPLE.settings() == plain
    assert EXAMPLE.run_key == key_of(json.dumps(plain, sort_keys=True, separators=(",", ":")))


def test_equal_numbers_have_one_key():
    assert with_changes(EXAMPLE, {"lr": 1}).run_key == with_changes(EXAMPLE, {"lr": 1.0}).run_key


@given(st.floats(min_value=1e-6, max_value=10), st.integers(1, 99), st.lists(st.integers(1, 99), max_size=4))
def test_settings_survive_json(lr, epochs, hidden):
    changed = with_changes(EXAMPLE, {"lr": lr, "epochs": epochs, "hidden": hidden})
    assert with_changes(EXAMPLE, json.loads(changed.to_json())) == changed
    assert (changed.run_key == EXAMPLE.run_key) == (changed == EXAMPLE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": "fast"}, "lr: input should be a valid number, got 'fast'"),
        ({"lr": -1.0}, "lr: input should be greater than 0, got -1.0"),
        ({"lr": float("nan")}, "lr: input should be a finite number, got nan"),
        ({"epochs": 1.5}, "epochs: input should be a valid integer, got 1.5"),
        ({"epochs": True}, "epochs: input should be a valid integer, got True"),
        ({"optimizer": "lion"}, "optimizer: input should be 'adam' or 'sgd', got 'lion'"),
        ({"dropout": 2.0, "epochs": 0}, "dropout: .* got 2.0; epochs: .* got 0"),
        ({"momentum": 0.9}, "example has no setting momentum: use experiment, protocol, seed, lr"),
    ],
)
def test_what_may_not_be_is_one_clear_line(changes, message):
    with pytest.raises(ValueError, match=message) as found:
        with_changes(EXAMPLE, changes)
    assert "\n" not in str(found.value)


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXAMPLE.lr = 1.0
    with pytest.raises(TypeError):
        EXAMPLE.hidden[0] = 9


def test_fields_that_name_and_decide_nothing():
    assert identity_fields(Example) == {"experiment", "protocol", "label"}
