"""The controls and the map, on made-up campaigns in which one explanation is true."""

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

from weightspace.analysis import regularizer_controls, regularizer_map
from weightspace.analysis.regularizer_controls import FIRST, NOISE, QUESTIONS, answers
from weightspace.analysis.regularizer_effects import MATRIX, Measure, delays, effects, units_of
from weightspace.claims import regularizers
from weightspace.experiments.diversity import scratch_controls, scratch_settings
from weightspace.names import CONTROL_LABELS

LAYERS, EPOCHS = 8, 4
MEASURE = Measure("log_norm", "folded", MATRIX)
SEEN = {(MEASURE, category) for category in ("augmentation", "dropout", "weight_decay")}
SHAPES = np.linalg.qr(np.random.default_rng(0).standard_normal((LAYERS, 4)))[0].T * np.sqrt(LAYERS)
DIRECTION = dict(zip(("augmentation", "dropout", "weight_decay", "label_noise"), SHAPES))


@pytest.fixture(autouse=True)
def one_measure(monkeypatch):
    for module in (regularizer_controls, regularizer_map):
        monkeypatch.setattr(module, "MEASURES", {"folded": (MEASURE,)})
    monkeypatch.setattr(regularizers, "measures_of", lambda frame: {"folded": (MEASURE,)})
    monkeypatch.setattr(regularizer_map, "FOLDED", {"folded": (MEASURE,)})


LAYER_ROWS = pd.DataFrame({"layer": range(1, LAYERS + 2), "inputs": "", "epoch": EPOCHS}).assign(**vars(MEASURE))
SCORE_ROWS = pd.DataFrame(
    {"inputs": [*["train"] * EPOCHS, "test", "train_clean"], "epoch": [*range(1, EPOCHS + 1), EPOCHS, EPOCHS]}
).assign(layer=0, metric="accuracy_percent", batch_norm="", unfolding="")
ROWS = pd.concat([LAYER_ROWS, SCORE_ROWS], ignore_index=True)


def run(rng, effect, gain, delay):
    """Values of one run: layers and the classifier, training accuracy epoch by epoch, scores at the end."""
    errors = np.clip((1 + delay) / EPOCHS + 0.002 * rng.standard_normal(EPOCHS), 0, 1)
    layers = rng.standard_normal(LAYERS + 1) + np.append(effect, 0)
    return np.concatenate([layers, 100 * (1 - errors), [44 + gain + 0.1 * rng.standard_normal(), 99 - rng.random()]])


def records(plan, values):
    names = ("category", "setting", "seed", "replicate")
    runs = pd.DataFrame([{name: getattr(c, name) for name in names} for c in plan])
    runs["control"] = [getattr(c, "control", "") for c in plan]
    return runs.merge(ROWS, how="cross").assign(value=np.concatenate(values), dataset="cifar10")


def size_of(c, truth):
    """Gain, delay and the size of the effect of a run: effects follow the gain or the delay."""
    if c.setting == "baseline" and not c.label_noise:
        return 0.0, 0.0, 0.0
    noise = c.augmentation.startswith("noise")
    gain = 1.0 if noise else 5.0
    delay = 1.5 if noise or c.category != "weight_decay" else 1.0
    if c.label_noise:
        gain, delay = -5.0, 1.5
    if c.lr < 3e-3:  # helps less, and interpolation is put off as before
        gain = gain / 5
    return gain, delay, (gain / 5 if truth == "regularization" else delay / 1.5) * 4


def campaign(truth, plan, seed=0):
    rng = np.random.default_rng(seed)
    values = []
    for c in plan:
        gain, delay, size = size_of(c, truth)
        direction = DIRECTION.get(c.category, np.zeros(LAYERS))
        control = getattr(c, "control", "")
        if c.label_noise:
            direction = DIRECTION["augmentation" if truth == "postponement" else "label_noise"]
        if truth == "postponement":
            size *= {"equal_loss": 0.2, "twice_the_epochs": 1.6}.get(control, 1)
        values.append(run(rng, size * direction, gain, delay))
    return records(plan, values)


@lru_cache
def both(truth, seeds=5):
    whole = campaign(truth, scratch_settings.configurations("laptop", seeds))
    return whole, campaign(truth, scratch_controls.controls("laptop", seeds), seed=1)


@pytest.mark.parametrize("truth", ["regularization", "postponement"])
def test_the_true_explanation_is_found(truth):
    frame, controls = both(truth)
    table = answers(frame, controls, SEEN, draws=400)
    says = table[table["explanation"] != ""].groupby("control")["explanation"].agg(set)
    assert all(found == {truth} for found in says) and set(FIRST) <= set(says.index)
    assert set(table.loc[table["control"] == "fixed_norm", "explanation"]) == {""}
    (kept,) = table[(table["control"] == "fixed_norm") & (table["category"] == "dropout")].to_dict("records")
    assert kept["number"] == pytest.approx(1, abs=0.25) and kept["outcome"] == "for"
    findings = regularizers.postponement(controls, frame)
    expected = {"regularization": "not supported", "postponement": "supported"}[truth]
    assert findings[-1].verdict == expected and findings[-1].n_seeds == 5
    assert [finding.method for finding in findings[:3]] == [CONTROL_LABELS[name] for name in FIRST]


def test_where_gain_and_delay_are_alike_nothing_is_judged():
    """The gain of noise is as small as its delay: both explanations predict the same size."""
    frame, controls = both("regularization")
    frame = frame.copy()
    same = (frame["setting"] == NOISE) & (frame["inputs"] == "test")
    frame.loc[same, "value"] = 49 + 1.5 * (frame.loc[same, "seed"] - 2)
    table = answers(frame, controls, SEEN, draws=400)
    assert table.loc[table["control"] == NOISE, "outcome"].tolist() == ["not judged"]


def test_measures_that_failed_their_positive_control_are_not_judged():
    table = answers(*both("postponement", seeds=3), set(), draws=100)
    assert set(table["outcome"]) == {"not judged"} and set(table["explanation"]) == {""}


def test_delays_are_epochs_until_the_training_images_are_fitted():
    """Nothing right until epoch 3 of a run with delay 2, and until epoch 1 of the baseline."""
    rows = [
        (setting, seed, 0, epoch, 100.0 * (epoch > until))
        for setting, until in (("baseline", 1), ("rand_augment", 3))
        for seed in range(2)
        for epoch in range(1, 6)
    ]
    frame = pd.DataFrame(rows, columns=["setting", "seed", "replicate", "epoch", "value"])
    found = delays(frame.assign(layer=0, inputs="train", metric="accuracy_percent"))
    assert found.loc["rand_augment"].tolist() == [2, 2] and found.loc["baseline"].tolist() == [1, 1]


def test_effects_under_a_control_are_in_units_of_the_campaign():
    frame, controls = both("regularization", seeds=3)
    own = controls[controls["control"] == "half_lr"].copy()
    own.loc[own["layer"] > 0, "value"] *= 10  # its own baselines differ ten times as much
    units = units_of(frame, MEASURE)
    assert effects(own, MEASURE, units=units).values.std() > 5 * effects(own, MEASURE).values.std()


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (("supported", "supported", "undecided"), "supported"),
        (("supported", "supported", "not supported"), "undecided"),
        (("not supported", "mixed", "not supported"), "not supported"),
        (("supported", "undecided", "undecided"), "undecided"),
    ],
)
def test_two_of_the_first_three_decide_if_none_is_against(first, expected):
    assert regularizers.explained(dict(zip(FIRST, first, strict=True))) == expected


def test_the_map_tells_what_augmentation_is_like():
    plan = [c for c in scratch_controls.sizes("laptop", 5) if c.train_size == 500]
    shapes = {
        500: {"augmentation": SHAPES[0], "dropout": SHAPES[0], "weight_decay": SHAPES[1]},
        1_000: {"augmentation": SHAPES[1], "dropout": SHAPES[0], "weight_decay": SHAPES[1]},
        2_000: {"augmentation": SHAPES[2], "dropout": SHAPES[0], "weight_decay": SHAPES[1]},
        5_000: {"augmentation": 0 * SHAPES[2], "dropout": SHAPES[0], "weight_decay": SHAPES[1]},
    }
    frames = {}
    for number, (size, shape) in enumerate(shapes.items()):
        rng = np.random.default_rng(10 + number)
        effects_of = [4 * shape.get(c.category, np.zeros(LAYERS)) for c in plan]
        acts = [float(c.setting != "baseline") for c in plan]
        values = [run(rng, effect, 5 * a, a) for effect, a in zip(effects_of, acts, strict=True)]
        frames[size] = records(plan, values)
    table = regularizers.kinds(*regularizer_map.cells(frames))
    assert table["kind"].tolist() == ["like dropout", "like weight decay", "like neither", "like nothing"]
    assert table["train_size"].tolist() == list(shapes) and set(table["epoch"]) == {EPOCHS}
    assert table["train_accuracy"].between(98, 99).all()


def test_every_control_has_its_question():
    assert set(QUESTIONS) == {*scratch_controls.CHANGES, NOISE}
