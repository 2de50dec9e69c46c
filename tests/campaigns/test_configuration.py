"""Configurations: the same key for the same settings, and no value that may not be."""

import dataclasses
import json
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightspace.campaigns.configuration import (
    IDENTITY,
    LATER,
    STRICT,
    Configuration,
    Count,
    Fraction,
    FrozenDict,
    Positive,
    common,
    dataclass,
    fields_marked,
    identity_fields,
    key_of,
    unread,
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


# --- fields that came later, settings by name, settings that nothing reads


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Grown(Example):
    """The same experiment after one of its constants became a field."""

    units: Annotated[Count, LATER] = 10
    rates: FrozenDict[str, tuple[float, ...]] = dataclasses.field(default_factory=lambda: {"sgd": (0.1, 0.2)})
    noise: Annotated[float, unread(0.3)] = 0.3


GROWN = Grown(experiment="example", protocol=1, seed=0)


def test_a_field_that_came_later_is_in_the_key_once_it_is_changed():
    assert "units" not in GROWN.settings() and fields_marked(Grown, LATER) == {"units"}
    changed = with_changes(GROWN, {"units": 3})
    assert changed.settings() == GROWN.settings() | {"units": 3} and changed.run_key != GROWN.run_key
    assert with_changes(changed, {"units": 10}).run_key == GROWN.run_key
    with pytest.raises(ValueError, match="units: input should be greater than or equal to 1, got 0"):
        with_changes(GROWN, {"units": 0})


def test_settings_by_name_cannot_be_changed_and_have_a_hash():
    assert GROWN.settings()["rates"] == {"sgd": [0.1, 0.2]}
    assert with_changes(GROWN, json.loads(GROWN.to_json())) == GROWN and hash(GROWN) == hash(with_changes(GROWN, {}))
    assert with_changes(GROWN, {"rates": {"adam": [0.1]}}).rates == {"adam": (0.1,)}
    for change in (
        lambda rates: rates.__setitem__("sgd", ()),
        lambda rates: rates.update(adam=()),
        lambda rates: rates.pop("sgd"),
        lambda rates: rates.__delitem__("sgd"),
        lambda rates: rates.clear(),
        lambda rates: rates.setdefault("adam", ()),
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(GROWN.rates)
    assert GROWN.rates == {"sgd": (0.1, 0.2)}


def test_a_setting_that_nothing_reads_has_one_value():
    with pytest.raises(ValueError, match="noise: no run of this experiment reads it, so it has to stay 0.3, got 0.0"):
        with_changes(GROWN, {"noise": 0.0})


def test_runs_that_are_computed_together_share_their_settings():
    group = [with_changes(GROWN, {"seed": seed}) for seed in range(3)]
    assert common(group, "seed") is group[0]
    with pytest.raises(ValueError, match="runs of example that are computed together differ in seed"):
        common(group)
    with pytest.raises(ValueError, match="together differ in lr, units"):
        common([*group, with_changes(GROWN, {"lr": 1.0, "units": 1})], "seed")
