"""The predictions for the campaigns elsewhere, on made-up campaigns in which they are true, or false."""

import numpy as np
import pandas as pd
import pytest

from weightspace.analysis import elsewhere_predictions as predictions
from weightspace.analysis.regularizer_effects import MATRIX, MEASURES, Measure
from weightspace.experiments.diversity import scratch_controls, text_fitted_settings

LAYERS = 12
FOLDED, RAW = (Measure("log_norm", form, MATRIX) for form in ("folded", "apart"))
DIRECTIONS = np.linalg.qr(np.random.default_rng(1).standard_normal((LAYERS, 3)))[0].T
IMAGES = [(c.setting, c.category, c.replicate) for c in scratch_controls.sizes("quick", 1)[:10]]
TITLES = [
    (c.setting, c.category, c.replicate) for c in text_fitted_settings.configurations("diversity_titles", "laptop", 1)
]


def campaign(effect, measure=FOLDED, runs=IMAGES, gain=lambda _: 3.0, delay=lambda _: 3.0, seeds=6, random_seed=0):
    """Spectra of one measure with noise 1 per layer, test accuracy 60 and a gain, and a training error by its delay."""
    rng = np.random.default_rng(random_seed)
    rows = []
    for seed in range(seeds):
        start = rng.standard_normal(LAYERS)
        for setting, category, replicate in runs:
            who = {"seed": seed, "setting": setting, "category": category, "replicate": replicate, "epoch": 40}
            values = start + rng.standard_normal(LAYERS) + (effect(setting, category) if category != "baseline" else 0)
            rows += [who | vars(measure) | {"layer": k + 1, "inputs": "", "value": v} for k, v in enumerate(values)]
            rows.append(who | vars(measure) | {"layer": LAYERS + 1, "inputs": "", "value": 0.0})
            own = category != "baseline"
            scores = {"test": 60 + own * gain(setting), "train": 99 - own * delay(setting), "train_clean": 100.0}
            for inputs, value in scores.items():
                noise = 0.1 * rng.standard_normal()
                score = {"layer": 0, "inputs": inputs, "metric": "accuracy_percent", "value": value + noise}
                rows.append(who | {"batch_norm": "", "unfolding": ""} | score)
    return pd.DataFrame(rows).assign(dataset="cifar10")


@pytest.fixture(autouse=True)
def one_measure(monkeypatch):
    """Each network by one measure: the others are averaged over."""
    assert FOLDED in MEASURES["folded"]
    raw = {"raw": (RAW,)}
    sets = {"folded": (FOLDED,)}
    monkeypatch.setattr(predictions, "measures_of", lambda f: sets if (f["batch_norm"] == "folded").any() else raw)


def along(size):
    return lambda setting, category: size * DIRECTIONS[0]


def test_relative_size():
    found = predictions.relative_size(campaign(along(10)), campaign(along(20), random_seed=1), draws=300)
    assert found.value == pytest.approx(0.5, abs=0.1) and found.p(1.0) < 0.01 and found.degrees == 5
    same = predictions.relative_size(campaign(along(20)), campaign(along(20), random_seed=1), draws=300)
    assert same.p(1.0) > 0.05


def test_what_is_less_alike():
    apart = campaign(lambda s, c: 40 * DIRECTIONS[1 if c == "weight_decay" else 0], RAW)
    found = predictions.less_like(apart, campaign(along(40), random_seed=1), draws=300)
    assert found.value < -0.5 and found.p(0.0) < 0.01


def test_generated_and_edited_texts():
    frame = campaign(lambda s, c: 40 * DIRECTIONS[1 if c == "synthetic" else 0], RAW, TITLES)
    found = predictions.generated_and_edited(frame, draws=300)
    assert found.value < -0.5 and found.p(0.0) < 0.01


def place(setting):
    return sorted({name for name, *_ in IMAGES} - {"baseline"} | {""}).index(setting.replace("baseline", ""))


@pytest.mark.parametrize("follows", ["delay", "gain"])
def test_what_marks_follow(follows):
    """Sizes are in the order of one of the two; the other has an order of its own."""
    other = {"delay": "gain", "gain": "delay"}[follows]
    orders = {follows: lambda s: 0.5 * place(s), other: lambda s: 0.5 * ((5 * place(s)) % 8)}
    frames = [campaign(lambda s, c: 5 * place(s) * DIRECTIONS[0], **orders, random_seed=k) for k in range(2)]
    with_delay, lead = predictions.what_marks_follow(frames, draws=300)
    if follows == "delay":
        assert with_delay.value > 0.9 and lead.value > 0.5 and with_delay.p(0.0) < 0.01 and lead.p(0.0) < 0.01
    else:
        assert lead.value < -0.5 and lead.p(0.0) < 0.01


def digits(further):
    """Runs with tests on their own set and on digits, where augmentation gains so many points more."""
    rng = np.random.default_rng(3)
    rows = []
    for seed in range(5):
        for setting, category, replicate in IMAGES:
            who = {"seed": seed, "setting": setting, "category": category, "replicate": replicate, "dataset": "mnist"}
            for inputs, value in (("test", 95.0), ("digits", 70.0 + further * (category == "augmentation"))):
                value += rng.standard_normal()
                score = {"epoch": 40, "inputs": inputs, "severity": 0, "metric": "accuracy_percent", "value": value}
                rows += [who | score, who | score | {"epoch": 1, "value": 5.0}]
    return pd.DataFrame(rows)


def test_gain_elsewhere():
    found = predictions.gain_elsewhere(digits(4.0))
    assert found.value == pytest.approx(4.0, abs=1.5) and found.p(0.0) < 0.01


def test_the_table_of_answers():
    frames = {
        "main": campaign(along(20)),
        "mnist": campaign(along(8), random_seed=1),
        "vit": campaign(along(20), RAW, random_seed=2),
    }
    table = predictions.answers(frames, digits(-4.0), draws=300).set_index("prediction")
    assert table.loc[predictions.SMALLER, "answer"] == "met"
    assert table.loc[predictions.OTHER_WRITERS, "answer"] == "not met"
    assert table.loc[predictions.UNLIKE, "answer"] == "undecided"
    assert len(table) == 5 and (table["p_holm"] >= 0).all() and predictions.GENERATED not in table.index
