"""Every setting of every experiment decides a result, is refused, or is declared to name a run only."""

import dataclasses
import functools
import hashlib
import itertools
import typing
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from weightspace import data, experiments
from weightspace.campaigns.configuration import Configuration, Frozen, identity_fields, with_changes
from weightspace.experiments.dual_weights import inference_cost, protocol
from weightspace.experiments.dual_weights import regression as dual_regression
from weightspace.training.online.networks import OnlineNetworks

ELSEWHERE = ("diversity_", "dual_today")
"""Experiments whose names begin like this have tests of their own."""
NAMES = [name for name in experiments.registry() if not name.startswith(ELSEWHERE)]

PAPER_B = {"turns": 2, "updates_per_turn": 200}
REGRESSION = {"tuned_lr": (("gradient_descent", 1e-3, 1.0), ("gradient_descent", 1e-2, 1.0))}
CLASSIFICATION = REGRESSION | {"tuned_adam": (("adam", 1e-3, 0.0), ("adam", 1e-2, 0.0))}
SMALLER: dict[str, dict] = {name: PAPER_B for name in NAMES if name.startswith("dual_")} | {
    "dual_regression_tuned": PAPER_B | {"candidates": REGRESSION},
    "dual_classification_tuned": PAPER_B | {"candidates": CLASSIFICATION},
    "dual_classification_deep": PAPER_B
    | {"candidates": REGRESSION | {"tuned_robust": (("robust", 1e-2, 0.4), ("robust", 1e-2, 0.7))}},
    "dual_contrastive": PAPER_B | {"rates": (1e-2, 1e-1)},
    "dual_inference_cost": {"rounds": 3},
    "training_spectra": {"hidden": (24, 12), "updates": 6, "looks": 2},
}
"""Changes of the quick plan that keep the walk short."""


LEARNED: list[str] = []
"""Digests of the weights of all online networks that the last run has trained."""
COARSE = {"dtype"}
"""Fields that change the weights by a rounding: accuracies of some hundred images need not show it, weights do."""


# --- what a field could be instead


def alternatives(hint: object, value: object) -> list:
    """Other values for a field of this type, the likeliest to be allowed first; none for a type without any."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return alternatives(arguments[0], value)
    if origin is typing.Literal:
        return [member for member in arguments if member != value] or [f"not {value}"]
    if arguments and origin is not tuple and isinstance(value, str) and not isinstance(value, dict):  # a union
        return [other for part in arguments for other in alternatives(part, value)]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value * 2, value - 1, value // 2, 1]
    if isinstance(value, float):
        return [value / 2, value * 1.5, value + 0.25, value * 30]
    if isinstance(value, dict):
        inner = arguments[1] if arguments else object
        altered = [dict(value) | {name: other} for name in value for other in alternatives(inner, value[name])[:2]]
        return [{name: own for name, own in value.items() if name != left_out} for left_out in value] + altered
    if isinstance(value, tuple):
        types = arguments[:1] * len(value) if arguments[1:] == (...,) else arguments
        shorter = [value[:-1], value[1:], value[-1:]]
        altered = [
            (*value[:place], other, *value[place + 1 :])
            for place in range(len(value))
            for other in alternatives(types[place], value[place])[:2]
        ]
        return [new for new in (*shorter, *altered) if new != value]
    if isinstance(value, str):
        return [f"not {value}"]
    raise TypeError(f"no alternatives are known for {hint}: {value!r}")


def measured(frame: pd.DataFrame) -> list[tuple]:
    """What was found, row by row, without the columns that a setting could have been copied into."""
    names = [
        name
        for name in ("metric", "value", "train_value", "validation_value", "w1", "w2", "eigenvalues", "loss_high")
        if name in frame
    ]
    return list(frame[names].astype(object).where(frame[names].notna(), None).itertuples(index=False, name=None))


class Walk:
    """Changes the fields of one experiment, one at a time, and computes what comes of it."""

    def __init__(self, name: str, compute=None) -> None:
        self.compute = compute or experiments.get(name).compute
        changes = SMALLER.get(name, {})
        plan = [with_changes(c, changes) for c in experiments.planned(name, "quick", 1).values()]
        self.plan: list[Configuration] = list({c.run_key: c for c in plan}.values())
        self.kind = type(self.plan[0])
        self.result = functools.cache(self._result)

    def _result(self, configuration: Configuration) -> tuple[list[tuple], list[str]]:
        LEARNED.clear()
        return measured(self.compute([configuration], "cpu")), list(LEARNED)

    def fields(self) -> list[str]:
        names = [field.name for field in dataclasses.fields(self.kind)]
        return [name for name in names if name not in identity_fields(self.kind)]

    def fault(self, name: str) -> str:
        """What is wrong with a field; empty where it acts, or where every other value is refused by its name."""
        hint = typing.get_type_hints(self.kind, include_extras=True)[name]
        planned = list(dict.fromkeys(getattr(c, name) for c in self.plan))
        accepted, refused, vague = [], [], []
        for configuration in self.plan:
            old = getattr(configuration, name)
            for new in (*(v for v in planned if v != old), *alternatives(hint, old)):
                try:
                    changed = with_changes(configuration, {name: new})
                    rows, learned = self.result(changed)
                except ValueError as error:
                    (refused if name in str(error) and "\n" not in str(error) else vague).append(f"{new!r}: {error}")
                    continue
                old_rows, old_learned = self.result(configuration)
                if rows != old_rows or (name in COARSE and learned != old_learned):
                    return ""
                accepted.append(f"{old!r} -> {new!r}")
                if len(accepted) == 12:
                    break
        if accepted:
            return f"{name} decides nothing: {'; '.join(accepted[:3])}"
        if vague:
            return f"{name} is refused without its name: {vague[0]}"
        return "" if refused else f"{name} has no other value to try"


@pytest.fixture(autouse=True)
def other_data_sets(monkeypatch, fresh_problems):
    """In place of the data sets that would have to be downloaded: the shipped one of the same task, in reverse."""
    original = data.load

    def load(name):
        if name in ("digits", "diabetes"):
            return original(name)
        shipped = original("digits" if data.REGISTRY[name].task == "classification" else "diabetes")
        return replace(shipped, name=name, x=shipped.x[::-1].copy(), y=shipped.y[::-1].copy())

    monkeypatch.setattr(data, "load", load)


@pytest.fixture(autouse=True)
def weights_that_are_seen(monkeypatch):
    original = OnlineNetworks.train

    def train(self, x, y, order):
        original(self, x, y, order)
        LEARNED.append(hashlib.sha256(self.w1.astype(np.float64).tobytes()).hexdigest())

    monkeypatch.setattr(OnlineNetworks, "train", train)


@pytest.fixture(autouse=True)
def a_clock_that_tells_what_was_timed(monkeypatch):
    """Times are different every time; this one depends on what is timed only."""
    import torch

    def seconds(calls, repeat, rounds):
        threads = torch.get_num_threads()
        return {
            name: [float(call().abs().double().mean()) + threads + repeat + turn for turn in range(rounds)]
            for name, call in calls.items()
        }

    monkeypatch.setattr(inference_cost, "seconds_in_turns", seconds)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_acts_or_is_refused(name):
    walk = Walk(name)
    assert [fault for field in walk.fields() if (fault := walk.fault(field))] == []


def test_a_setting_that_is_read_from_a_constant_is_caught():
    """Computing with the noise of the plan whatever the configuration says, as records once were."""

    def deaf(group, device):
        return protocol.compute_protocol([with_changes(c, {"noise_std": 0.3}) for c in group], device)

    assert Walk("dual_regression", deaf).fault("noise_std").startswith("noise_std decides nothing: 0.3 -> 0.15")
    assert Walk("dual_regression").fault("noise_std") == ""


def test_a_setting_that_is_only_copied_into_a_column_is_caught():
    def copying(group, device):
        frame = dual_regression.compute_protocol([with_changes(c, {"train_size": 100}) for c in group], device)
        return frame.assign(train_size=[c.train_size for c in group for _ in range(len(frame) // len(group))])

    assert Walk("dual_regression", copying).fault("train_size").startswith("train_size decides nothing")


def test_a_refusal_that_does_not_name_the_setting_is_caught():
    def rude(group, device):
        if group[0].lr != 1e-3:
            raise ValueError("something is wrong")
        return protocol.compute_protocol(group, device)

    assert "without its name" in Walk("dual_regression", rude).fault("lr")


def test_a_dictionary_and_a_tuple_have_alternatives():
    assert alternatives(tuple[int, ...], (3, 4))[:2] == [(3,), (4,)] and (4, 4) in alternatives(tuple[int, ...], (3, 4))
    both = alternatives(dict[str, int], Frozen({"a": 1, "b": 2}))
    assert both[:2] == [{"b": 2}, {"a": 1}] and {"a": 1, "b": 3} in both
    assert alternatives(typing.Literal["x", "y"], "x") == ["y"]
    with pytest.raises(TypeError, match="no alternatives"):
        alternatives(object, None)


# --- keys


NOT_YET: set[str] = set()
"""Experiments whose rule is committed and whose campaign has not been run."""


def committed() -> list[tuple[str, str]]:
    found = itertools.product(NAMES, ("paper", "laptop"))
    return [(name, scale) for name, scale in found if name not in NOT_YET and scale in experiments.get(name).seeds]


@pytest.mark.parametrize(("name", "scale"), committed())
def test_the_keys_of_committed_records_are_those_of_the_plan(root, name, scale):
    """No planned run is missing from the committed file: a changed key would make its records worthless."""
    file = root / "results" / scale / f"{name}.parquet"
    on_record = set(pq.read_table(file, columns=["run_key"])["run_key"].to_pylist())
    assert on_record and experiments.planned(name, scale).keys() <= on_record


# --- what cannot run


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("dual_regression_tuned", {"train_size": 1}, "validation_share 0.25 of train_size 1 leaves no rows"),
        ("dual_imbalance", {"train_size": 1797}, "train_size: 1,797 samples at imbalance_ratio 1 are too many"),
    ],
)
def test_what_the_draw_of_the_rows_does_not_allow_is_refused_when_computing(name, changes, message):
    (configuration, *_) = experiments.planned(name, "quick", 1).values()
    with pytest.raises(ValueError, match=message):
        experiments.get(name).compute([with_changes(configuration, changes)], "cpu")


def test_runs_of_different_settings_are_not_computed_together():
    first, second, *_ = experiments.planned("dual_regression", "quick", 2).values()
    with pytest.raises(ValueError, match="computed together differ in turns"):
        protocol.compute_protocol([first, with_changes(second, {"turns": 5})], "cpu")
