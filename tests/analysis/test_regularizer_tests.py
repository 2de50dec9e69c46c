"""The rules for campaigns that overfit, on made-up campaigns whose truth is known: levels, coverage, power."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from overfit_campaigns import (
    BROKEN,
    GAINS,
    LAYERS,
    MEASURE,
    MEASURES,
    RUNS,
    campaign,
    nothing,
    planted,
    unit_shapes,
)

from weightspace.analysis.regularizer_effects import acting, effects, learned, outcomes
from weightspace.analysis.regularizer_tests import (
    AS_THEY_ARE,
    CLOSER,
    LIKE,
    MATCHES,
    between_seeds,
    cases,
    closeness,
    controls,
    interpolation,
    matched,
    passed,
    products,
    randomization_p,
    seed_weights,
    similarities,
)
from weightspace.claims.verdicts import decided
from weightspace.experiments.diversity import scratch_settings

# --- products between seeds


def test_products_between_seeds_have_no_bias():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 5))
    found = []
    for _ in range(4_000):
        noise = rng.standard_normal((3, 5))  # of a shared baseline: a plain product would be off by 1
        found.append(between_seeds(products(np.stack([a + noise, b + noise])), np.ones((1, 3)))[0, 0, 1])
    assert np.mean(found) == pytest.approx((a * b).mean(), abs=4 * np.std(found) / np.sqrt(len(found)))


def test_products_between_seeds_by_hand():
    values = np.random.default_rng(0).standard_normal((2, 4, 3))
    weights = np.array([[1, 1, 1, 1], [2, 0, 1, 1]])
    for row, found in zip(weights, between_seeds(products(values), weights.astype(float))):
        drawn = np.repeat(np.arange(4), row)
        pairs = [values[0, s] @ values[1, t] / 3 for s in drawn for t in drawn if s != t]
        assert found[0, 1] == pytest.approx(np.mean(pairs))
    with pytest.raises(ValueError, match="two seeds"):
        between_seeds(products(values[:, :1]), np.ones((1, 1)))


def test_every_draw_has_a_pair_of_seeds():
    drawn = seed_weights(3, 500)
    assert drawn.shape == (501, 3) and (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 3).all() and ((drawn > 0).sum(axis=1) > 1).all()


# --- effects, outcomes, who acts


def test_effects_are_against_the_mean_baseline_in_units_of_baselines():
    frame = campaign(planted(0.5, size=3.0))
    found = effects(frame, MEASURE)
    assert found.values.shape == (24, 10, LAYERS) and found.baselines.shape == (10, 3, LAYERS)
    np.testing.assert_allclose(found.baselines.mean(axis=1), 0, atol=1e-12)
    one = frame[(frame["layer"] == 4) & (frame["seed"] == 2)].set_index(["setting", "replicate"])["value"]
    base = frame[(frame["layer"] == 4) & (frame["setting"] == "baseline")]
    by_hand = (one["noise50", 0] - one["baseline"].mean()) / base["value"].std()
    position = found.settings.index[found.settings["setting"] == "noise50"][0]
    assert found.values[position, 2, 3] == pytest.approx(by_hand)
    doses = found.settings.loc[found.settings["category"] == "weight_decay", "setting"]
    assert doses.tolist() == [f"weight_decay_{d:g}" for d in sorted(scratch_settings.WEIGHT_DECAYS)]


def test_campaigns_must_be_whole():
    frame = campaign(nothing, seeds=2)
    with pytest.raises(ValueError, match="noise50.*1"):
        effects(frame[(frame["setting"] != "noise50") | (frame["seed"] == 0)], MEASURE)
    with pytest.raises(ValueError, match="two or more"):
        effects(frame[frame["replicate"] == 0], MEASURE)


def test_settings_near_chance_have_not_learned():
    frame = campaign(nothing)
    assert set(frame["setting"]) - learned(frame) == {"baseline", *BROKEN}
    outcome = outcomes(frame, "test accuracy")
    assert outcome.loc["rand_augment"].mean() == pytest.approx(6, abs=0.8)
    assert outcome.loc["baseline"].mean() == pytest.approx(44, abs=0.5)


def test_who_acts_is_told_by_accuracy():
    frame = campaign(nothing, gain=lambda setting, category: 2.0 if setting == "rand_augment" else 0.0)
    acts = acting(frame).groupby("setting")["acts"].any()
    assert set(acts.index[acts]) == {"rand_augment", *BROKEN}


# --- controls


def test_a_setting_like_the_baseline_is_seen_in_one_case_of_twenty():
    """The randomization test keeps its level with 3 seeds as with 10."""
    rng = np.random.default_rng(2)
    for seeds in (3, 10):
        p = []
        for _ in range(400):
            runs = rng.standard_normal((seeds, 4, 6)) * [1, 2, 1, 1, 3, 1]
            middle = runs[:, 1:].mean(axis=1, keepdims=True)
            p.append(randomization_p(runs[:, 1:] - middle, runs[:, 0] - middle[:, 0], draws=200))
        assert np.mean(np.array(p) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
        assert np.mean(p) == pytest.approx(0.5, abs=0.06)


def test_the_randomization_takes_any_run_of_a_seed_for_the_setting():
    rng = np.random.default_rng(4)
    for seeds in (2, 5):  # of two seeds, one draw in nine takes the setting in both and is as large as itself
        baselines, setting = rng.standard_normal((seeds, 2, 3)), rng.standard_normal((seeds, 3))
        runs = np.concatenate([setting[:, None], baselines], axis=1)

        def size(chosen, runs=runs, seeds=seeds):
            others = [np.delete(own, k, axis=0).mean(axis=0) for own, k in zip(runs, chosen)]
            effects = [own[k] - other for own, k, other in zip(runs, chosen, others)]
            return sum(effects[s] @ effects[t] for s in range(seeds) for t in range(seeds) if s != t)

        drawn = np.random.default_rng(0).integers(0, 3, (300, seeds))
        as_large = [not chosen.any() or size(chosen) >= size([0] * seeds) for chosen in drawn]
        assert randomization_p(baselines, setting, draws=300) == (1 + sum(as_large)) / 301


def test_a_measure_that_sees_nothing_is_not_judged():
    frame = campaign(nothing)
    table = controls(frame, [MEASURE])
    assert table["acts"].sum() > 15 and table["seen"].sum() == 0 and not passed(table)
    assert set(similarities(cases(frame, MEASURES, draws=100), set())["outcome"]) == {"not judged"}
    (placebo,) = table[table["setting"] == "baseline"].to_dict("records")
    assert placebo["p"] > 0.05 and not placebo["acts"]
    assert not set(BROKEN) & set(table["setting"])


def test_a_measure_that_sees_dropout_alone_passes_for_dropout_alone():
    frame = campaign(lambda setting, category: np.full(LAYERS, float(category == "dropout")))
    assert passed(controls(frame, [MEASURE])) == {(MEASURE, "dropout")}


# --- the two questions

EVERYTHING = {(MEASURE, category) for category in ("augmentation", "dropout", "weight_decay")}


def verdicts_of(effect, campaigns, seeds=10, **options):
    """Rows of augmentation against dropout, and of the two distances, of many campaigns with the same truth."""
    rows = []
    for k in range(campaigns):
        frame = campaign(effect, random_seed=k, seeds=seeds)
        found = cases(frame, MEASURES, (AS_THEY_ARE,), draws=300, **options)
        like = similarities(found, EVERYTHING).iloc[0]
        rows.append((like, closeness(found, EVERYTHING, "weight_decay").iloc[0]))
    return [pd.DataFrame(part) for part in zip(*rows)]


def test_intervals_cover_a_planted_similarity():
    similar, _ = verdicts_of(planted(0.8, size=0.6), 60)
    inside = (similar["low"] <= 0.8) & (0.8 <= similar["high"])
    assert inside.mean() > 0.86  # of 95 %: less in one case of a hundred
    assert similar["similarity"].mean() == pytest.approx(0.8, abs=0.05)


def test_a_similarity_at_the_threshold_is_decided_in_one_case_of_twenty():
    similar, _ = verdicts_of(planted(LIKE, size=0.6), 60)
    assert (similar["outcome"] != "undecided").mean() < 0.12


def test_what_is_called_detectable_is_found_with_the_power_that_it_has():
    """At the similarity that the design says it can see, four of five campaigns see it."""
    reach = verdicts_of(planted(0.8, size=0.6), 20)[0]["detectable"].median()
    assert LIKE < reach < 1
    similar, _ = verdicts_of(planted(reach, size=0.6), 60)
    assert 0.62 < (similar["outcome"] == "for").mean() <= 0.95


def test_unlike_and_opposite_effects_are_decided_against():
    for cosine in (0.0, -0.9):
        similar, _ = verdicts_of(planted(cosine), 5)
        assert set(similar["outcome"]) == {"against"}


def test_three_seeds_leave_much_undecided():
    similar, closer = verdicts_of(planted(0.8, size=0.35), 10, seeds=3)
    assert (similar["outcome"] == "undecided").mean() > 0.5 and (closer["outcome"] == "undecided").mean() > 0.5


def test_a_distance_at_the_margin_is_decided_in_one_case_of_twenty():
    """Weight decay where augmentation is just a tenth closer to dropout."""
    dropout, augmentation = unit_shapes(0.6)
    decay = augmentation + (dropout - augmentation) / CLOSER
    _, closer = verdicts_of(planted(0.6, decay=decay), 60)
    assert (closer["outcome"] != "undecided").mean() < 0.12
    ratio = (closer["distance_dropout"] / closer["distance_other"]).median()
    assert ratio == pytest.approx(CLOSER, abs=0.05)


def test_distances_that_differ_are_decided_and_equal_ones_are_against():
    dropout, augmentation = unit_shapes(0.6)
    for decay, expected in ((-dropout, "for"), (augmentation, "against"), (dropout, "against")):
        _, closer = verdicts_of(planted(0.6, size=2.0, decay=decay), 4)
        assert set(closer["outcome"]) == {expected}


def test_settings_that_do_not_learn_are_left_out_unless_asked_for():
    huge = 50 * unit_shapes(0, 9)[0]

    def effect(setting, category):
        return huge if setting in BROKEN else planted(0.9)(setting, category)

    frame = campaign(effect)
    without, with_them = (
        similarities(cases(frame, MEASURES, (AS_THEY_ARE,), draws=100, settings_that_do_not_learn=flag), EVERYTHING)
        for flag in (False, True)
    )
    assert without["similarity"].iloc[0] == pytest.approx(0.9, abs=0.05)
    assert abs(with_them["similarity"].iloc[0]) < 0.3


# --- equal strength


@settings(max_examples=50, deadline=None)
@example([5e-324], 1.0)
@given(st.lists(st.floats(-1, 5), min_size=1, max_size=6), st.floats(0.01, 6))
def test_interpolation(levels, strength):
    levels = np.array(levels)
    weights, again = interpolation(np.full(2, strength), np.stack([levels, levels]))
    assert (weights == again).all()
    assert (weights >= 0).all() and weights.sum() <= 1 + 1e-9 and (weights > 0).sum() <= 2
    assert not weights[levels <= 0].any()
    assert weights @ levels == pytest.approx(min(strength, levels.max(initial=0, where=levels > 0)), abs=1e-9)


def test_only_the_rising_part_of_a_dose_curve_counts():
    (weights,) = interpolation(np.array([4.0]), np.array([[3.0, 6.0, 4.0, -9.0]]))
    assert weights.tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])


def gain_by_dose(setting, category):
    """Levels of all categories from nothing to 4 points."""
    order = [s for s, c, _ in RUNS if c == category].index(setting)
    count = sum(c == category for _, c, _ in RUNS)
    return 4.0 * (order + 1) / count if category in ("augmentation", "weight_decay") else GAINS[category] / 2


def test_the_uncertainty_of_matching_is_in_the_intervals():
    """Effects that grow with strength: where strengths are uncertain, so is what is matched by them."""
    shape = unit_shapes(0)[0]

    def effect(setting, category):
        return (
            shape
            * gain_by_dose(setting, category)
            * {"augmentation": 1, "dropout": 1.5, "weight_decay": 3}.get(category, 0)
        )

    widths = []
    for spread in (0.05, 2.0):
        frame = campaign(effect, gain_by_dose, spread=spread, broken=())
        found = cases(frame, MEASURES, ("equal test accuracy",), draws=400)
        assert found[0].comparisons >= 3
        row = closeness(found, EVERYTHING, "weight_decay").iloc[0]
        widths.append(row["high"] - row["low"])
        if spread < 1:
            assert row["outcome"] == "for"
    assert widths[1] > 2 * widths[0]


def test_profiles_of_equal_strength_have_it():
    frame = campaign(nothing, gain_by_dose, spread=0.3, broken=())
    own = effects(frame, MEASURE)
    weights = seed_weights(10, 20)
    able = learned(frame)
    for match in MATCHES[1:]:
        profile = matched(own.settings, frame, match, weights, able)
        name = {"equal training loss": "training loss", "equal test accuracy": "test accuracy"}[match]
        table = outcomes(frame, name).loc[list(own.settings["setting"])].to_numpy()
        strength = weights @ table.T / 10
        got = {c: np.einsum("dcs,ds->dc", p, strength) for c, p in profile.items()}
        np.testing.assert_allclose(got["dropout"][0], got["augmentation"][0], atol=1e-9)
        np.testing.assert_allclose(got["weight_decay"][0], got["augmentation"][0], atol=1e-9)
    # Nobody is as strong as the augmentation levels: nothing to compare.
    strong = campaign(nothing, lambda setting, category: 9.0 * (category == "augmentation"), spread=0.0, broken=())
    assert {case.match for case in cases(strong, MEASURES, draws=20)} == {AS_THEY_ARE}


# --- verdicts


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0), "undecided"),
        ((0, 0, 5), "undecided"),
        ((3, 0, 2), "undecided"),
        ((4, 0, 2), "supported"),
        ((4, 1, 1), "supported"),
        ((0, 4, 2), "not supported"),
        ((3, 3, 0), "mixed"),
        ((2, 3, 1), "mixed"),
    ],
)
def test_four_verdicts(counts, expected):
    assert decided(*counts) == expected


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_verdicts_are_symmetric_and_more_undecided_never_decides(in_favour, against, undecided):
    opposite = {"supported": "not supported", "not supported": "supported"}
    one, other = decided(in_favour, against, undecided), decided(against, in_favour, undecided)
    assert other == opposite.get(one, one)
    if one == "undecided":
        assert decided(in_favour, against, undecided + 1) == "undecided"
