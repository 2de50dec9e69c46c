"""What the chapters tell of campaigns that overfit, on made-up campaigns whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from overfit_campaigns import LAYERS, MEASURE, RUNS, campaign, planted

from weightspace.analysis import regularizer_facts as facts
from weightspace.analysis.regularizer_effects import MATRIX, Measure
from weightspace.analysis.regularizer_tests import controls


@pytest.fixture(scope="module")
def frame():
    return campaign(planted(0.5, size=3.0))


def with_training(frame, errors):
    """The records with the accuracy of the batches trained on: errors(category) epochs of nothing right."""
    run = ["seed", "setting", "category", "replicate"]
    runs = frame.drop_duplicates(run)[run]
    blank = {"layer": 0, "inputs": "train", "metric": "accuracy_percent", "batch_norm": "", "unfolding": ""}
    parts = [
        runs.assign(**blank, epoch=epoch, value=[0.0 if epoch <= errors(c) else 100.0 for c in runs["category"]])
        for epoch in range(1, 41)
    ]
    return pd.concat([frame, *parts], ignore_index=True)


def test_gains_and_delays_are_those_that_were_planted(frame):
    late = {"baseline": 5, "augmentation": 9, "dropout": 7, "weight_decay": 5, "combined": 7}
    table = facts.gains(with_training(frame, late.__getitem__)).set_index("setting")
    assert table.loc["rand_augment", "gain"] == pytest.approx(6, abs=1)
    assert table.loc["rand_augment", "delay"] == pytest.approx(4)
    assert table.loc["weight_decay_0.005", "delay"] == pytest.approx(0)
    assert table.loc["rand_augment", "learns"] and not table.loc["dropout_0.7", "learns"]
    assert (table["gain_low"] < table["gain"]).all() and (table["n"] == 10).all()


def test_effects_are_told_in_the_units_in_which_they_were_planted(frame):
    table = facts.mean_effects(frame, [MEASURE]).set_index("setting")
    expected = planted(0.5, size=3.0)("dropout_0.1", "dropout").mean()
    assert table.loc["dropout_0.1", "mean"] * frame_spread(frame) == pytest.approx(expected, abs=0.3)
    layers = facts.layer_effects(frame, [MEASURE])
    assert set(layers["layer"]) == set(range(1, LAYERS + 1)) and set(layers["category"]) == {
        "augmentation",
        "dropout",
        "weight_decay",
    }
    by_layer = layers[layers["category"] == "dropout"].set_index("layer")["mean"]
    assert np.corrcoef(by_layer, planted(0.5)("dropout_0.1", "dropout"))[0, 1] > 0.95


def frame_spread(frame):
    base = frame[(frame["setting"] == "baseline") & (frame["layer"] > 0) & (frame["layer"] <= LAYERS)]
    return base.groupby("layer")["value"].std().mean()


def test_norms_change_by_the_factor_that_was_planted():
    measure = Measure("log_norm", "folded", MATRIX)
    frame = campaign(lambda setting, category: np.full(LAYERS, -3.0 if category == "weight_decay" else 0.0))
    table = facts.norm_changes(
        frame.assign(value=frame["value"].where(frame["layer"] == 0, frame["value"] / 10)), measure
    )
    decay = table[table["category"] == "weight_decay"].set_index("setting")
    assert decay.loc["", "percent"] == pytest.approx(100 * (10**-0.3 - 1), abs=4)
    assert decay.loc["", "low"] < decay.loc["", "percent"] < decay.loc["", "high"]


def test_the_map_keeps_distances_and_leaves_out_noise_and_what_does_not_learn(frame):
    table, fractions = facts.settings_map(frame, [MEASURE])
    place = table.set_index("setting")[["x", "y"]]
    assert not {"dropout_0.5", "dropout_0.7"} & set(place.index) and sum(fractions) <= 1 + 1e-9
    near = np.linalg.norm(place.loc["dropout_0.1"] - place.loc["dropout_0.3"])
    far = np.linalg.norm(place.loc["dropout_0.1"] - place.loc["weight_decay_0.005"])
    assert near < 0.5 < far


def test_a_measure_sees_what_acts_and_not_one_more_baseline(frame):
    table = facts.seen(controls(frame, [MEASURE]), {"folded": (MEASURE,)}).set_index("category")
    assert table["passed"].all() and (table["seen"] == table["acting"]).all()
    assert table.loc["augmentation", "placebo_p"] > 0.01


def scored(frame):
    """Runs with the outcomes that ``baseline_noise`` needs, all with the spread of the test accuracy."""
    last = frame[(frame["layer"] == 0) & (frame["inputs"] == "test")].assign(severity=0, epoch=40)
    loss = last.assign(metric="loss", inputs="train")
    part = last.assign(inputs="test_part")
    return pd.concat(
        [
            last,
            loss,
            part,
            last.assign(metric="loss"),
            last.assign(metric="ece"),
            last.assign(inputs="fog", severity=1),
            last.assign(inputs="fog", severity=1, metric="ece"),
        ],
        ignore_index=True,
    )


def test_the_noise_of_baselines_is_that_of_a_setting_without_effect():
    frame = campaign(lambda setting, category: np.zeros(LAYERS), seeds=40, spread=0.7)
    noise = facts.baseline_noise(scored(frame), ["clean_accuracy"])
    replicates = sum(setting == "baseline" for setting, *_ in RUNS)
    expected = 1.99 * 0.7 * np.sqrt((1 + 1 / replicates) / 40)
    assert noise["clean_accuracy"] == pytest.approx(expected, rel=0.25)


def test_learning_curves_take_the_baselines_of_a_seed_together():
    frame = campaign(lambda setting, category: np.zeros(LAYERS))
    table = facts.learning_curves(frame, ["baseline", "rand_augment"])
    assert (table["n"] == 10).all() and set(table["setting"]) == {"baseline", "rand_augment"}
