"""The rule for the spectra of dual weights, on made-up campaigns whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from weightspace.analysis import dual_spectra_tests as rule
from weightspace.experiments.dual_weights.spectra import BASELINE, DUAL, SETTINGS

VALUES = 16
RUNS = [(BASELINE, k) for k in range(3)] + [(setting, 0) for setting in SETTINGS]
_DIRECTIONS = np.column_stack([np.ones(VALUES), np.random.default_rng(5).standard_normal((VALUES, 3))])
SCALE, DECAY, DROPOUT, OTHER = np.linalg.qr(_DIRECTIONS)[0].T * np.sqrt(VALUES)
"""Directions at right angles; the first one is a factor of the whole matrix, which its shape does not see."""


def campaign(dual, seeds=10, size=3.0, random_seed=0):
    """Records with one layer; weight decay and dropout in directions of their own, growing with their strength.

    dual: direction of the effect of both dual methods, in units of a run's noise, at the middle strength.
    """
    rng = np.random.default_rng(random_seed)
    rows = []
    for seed in range(seeds):
        start = rng.standard_normal(VALUES)
        for method, replicate in RUNS:
            kind = "dual" if method in DUAL else method.rpartition("_")[0]
            among = [name for name in SETTINGS if name.startswith(kind)] if kind != "dual" else []
            dose = 0.0 if method == BASELINE else 0.5 if kind == "dual" else (1 + among.index(method)) / len(among)
            shape = {"dual": dual, "l2_squared": DECAY, "dropout": DROPOUT}.get(kind, np.zeros(VALUES))
            logs = (
                -1 + np.linspace(0, 1, VALUES) + 0.01 * (start + rng.standard_normal(VALUES) + 2 * dose * size * shape)
            )
            place = {"dataset": "digits", "layers": 2, "train_size": 100, "label_noise": 0.0, "seed": seed}
            place |= {"method": method, "replicate": replicate, "update": 100}
            # The validation loss is smallest at the third strength, the test loss falls, the training loss rises.
            found = {"train": dose, "test": -dose, "validation": (dose - 0.55) ** 2}
            for inputs, value in found.items():
                value = 10 ** (value + 0.01 * rng.standard_normal())
                rows.append(place | {"layer": 0, "part": "", "inputs": inputs, "metric": "loss", "value": value})
            spectrum = (10 ** (2 * logs)).astype("<f4").tobytes()
            rows.append(
                place | {"layer": 1, "part": "W", "metric": "eigenvalues", "eigenvalues": spectrum, "value": 1.0}
            )
            rows.append(place | {"layer": 1, "part": "", "metric": "mean_abs_g", "value": 0.04})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("dual", "expected"),
    [
        (DECAY, "weight decay"),
        (DROPOUT, "dropout"),
        (OTHER, "neither"),
        (-DECAY, "neither"),
    ],
    ids=["decay", "dropout", "other", "opposite"],
)
def test_planted_effects_are_found(dual, expected):
    near, like = rule.judge(campaign(dual, size=10.0), draws=300)
    found = rule.answers(near)
    assert len(found) == 2 * 2 * 3 and set(found["answer"]) == {expected}
    assert rule.verdict(found["answer"]) == expected
    cosine = like[like["match"] != rule.PREDICTED].groupby("to")["similarity"].mean()
    for to, direction in (("weight_decay", DECAY), ("dropout", DROPOUT)):
        truth = dual @ direction / np.linalg.norm(dual) / np.linalg.norm(direction)
        assert cosine[to] == pytest.approx(truth, abs=0.2)


def test_a_factor_of_the_matrix_is_seen_as_scale_and_not_as_shape():
    near, _ = rule.judge(campaign(SCALE, size=10.0, random_seed=1), draws=200)
    found = rule.answers(near).groupby("form")["answer"].agg(set)
    assert found["scale"] == {"neither"} and found["shape"] == {"not judged"}


def test_without_effects_nothing_is_judged():
    near, like = rule.judge(campaign(DECAY, size=0.0), draws=200)
    assert set(near["outcome"]) == set(like["outcome"]) == {"not judged"}
    assert rule.verdict(rule.answers(near)["answer"]) == "undecided"


def test_small_campaigns_end_undecided_and_not_refuted():
    near, _ = rule.judge(campaign(DECAY, seeds=4, size=1.5), draws=200)
    assert near["judged"].all() and set(rule.answers(near)["answer"]) == {"undecided"}


def test_the_predicted_strength_is_a_quarter_of_the_error():
    frame = campaign(DECAY, seeds=3)
    np.testing.assert_allclose(rule.predicted_strength(frame, 1, "dual"), 0.01)
    settings = list(SETTINGS)
    weights = rule.profiles(frame, settings, 1, "dual", rule.PREDICTED, np.ones((1, 3)))["weight_decay"][0]
    assert weights[settings.index("l2_squared_0.01")] == pytest.approx(1) and weights.sum() == pytest.approx(1)
    tuned = rule.profiles(frame, settings, 1, "dual", "tuned", np.ones((1, 3)))
    assert tuned["weight_decay"][0, settings.index("l2_squared_0.003")] == 1


def test_a_campaign_must_be_whole():
    frame = campaign(DECAY, seeds=3)
    with pytest.raises(ValueError, match="every setting once"):
        rule.effects(frame[(frame["method"] != "dual") | (frame["seed"] > 0)], 1, "scale")


def test_verdicts_of_many_places():
    one = pd.Series(["neither"] * 8 + ["both"] * 2)
    assert rule.verdict(one) == "neither" and rule.verdict(one[1:]) == "mixed"
    assert rule.verdict(pd.Series(["neither"] * 2 + ["undecided"] * 2)) == "undecided"


def test_both_needs_each_to_be_nearer_than_the_baseline_and_neither_than_the_other():
    against = dict.fromkeys(rule.QUESTIONS[:2], "against")
    near = dict.fromkeys(rule.QUESTIONS[2:], "for")
    assert rule.answer(against | near) == "both"
    assert rule.answer(against | near | {rule.QUESTIONS[0]: "undecided"}) == "undecided"
    assert rule.answer(against | near | {rule.QUESTIONS[0]: "not judged"}) == "not judged"
