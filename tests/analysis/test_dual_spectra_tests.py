"""The rule for the spectra of dual weights, on made-up campaigns whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from dual_campaigns import DECAY, DROPOUT, OTHER, SCALE, campaign

from weightspace.analysis import dual_spectra_tests as rule
from weightspace.experiments.dual_weights.spectra import SETTINGS


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
    predicted = rule.predicted_strength(frame, 1, "dual")
    np.testing.assert_allclose(predicted, 0.01)
    settings, losses = list(SETTINGS), rule.losses(frame)
    profiles = rule.profiles(losses, settings, "dual", rule.PREDICTED, np.ones((1, 3)), predicted)
    weights = profiles["weight_decay"][0]
    assert weights[settings.index("l2_squared_0.01")] == pytest.approx(1) and weights.sum() == pytest.approx(1)
    tuned = rule.profiles(losses, settings, "dual", "tuned", np.ones((1, 3)), predicted)
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
