"""Whether scores rank training sets: on made-up campaigns whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from weightspace.analysis import score_ranks
from weightspace.analysis.regularizer_tests import Estimate
from weightspace.analysis.score_ranks import CANDIDATES, RANKS, SCORES

SETTINGS = ["baseline", "broken", *(f"level_{k}" for k in range(9))]


def campaign(spread, seeds=6, random_seed=0, follows=0.0):
    """Runs and scores of sets: accuracy is 40 for the baseline and 41 to 49 for the levels, with noise of runs.

    All scores are noise of their own, but that each has follows times the accuracy in it.
    """
    rng = np.random.default_rng(random_seed)
    runs, sets = [], []
    truth = {setting: 40.0 + place for place, setting in enumerate(SETTINGS)} | {"broken": 12.0}
    for seed in range(seeds):
        for setting in SETTINGS:
            for replicate in range(3 if setting == "baseline" else 1):
                value = truth[setting] + spread * rng.standard_normal()
                identity = {"setting": setting, "seed": seed, "replicate": replicate, "dataset": "cifar10"}
                for epoch, metric, found in ((1, "accuracy_percent", 0.0), (40, "accuracy_percent", value)):
                    runs.append(identity | {"epoch": epoch, "inputs": "test", "severity": 0, "metric": metric})
                    runs[-1]["value"] = found
                runs.append(identity | {"epoch": 40, "inputs": "fog", "severity": 3, "metric": "accuracy_percent"})
                runs[-1]["value"] = value / 2
            for metric, of in (*SCORES, ("coverage", "embeddings"), ("precision", "embeddings")):
                score = follows * truth[setting] + rng.standard_normal() + 100
                sets.append({"setting": setting, "seed": seed, "metric": metric, "of": of, "value": score})
    return pd.DataFrame(runs), pd.DataFrame(sets)


def table(*args, **kwargs):
    runs, sets = campaign(*args, **kwargs)
    return score_ranks.that_learn(score_ranks.training_sets(runs, sets), runs)


def test_outcomes_are_means_over_replicates_at_the_end_and_what_did_not_learn_is_left_out():
    runs, sets = campaign(1.0, follows=1.0)
    found = score_ranks.training_sets(runs, sets)
    assert set(found.index.unique("setting")) == {*SETTINGS}
    assert set(score_ranks.that_learn(found, runs).index.unique("setting")) == {*SETTINGS} - {"broken"}
    own = runs[(runs["setting"] == "baseline") & (runs["seed"] == 2) & (runs["epoch"] == 40)]
    test = own[own["inputs"] == "test"]["value"]
    assert len(test) == 3 and found.loc[("baseline", 2), "test accuracy"] == pytest.approx(test.mean())
    assert found.loc[("baseline", 2), "corruption accuracy"] == pytest.approx(test.mean() / 2)
    assert "calibration" not in found  # not measured
    product = found["coverage", "embeddings"] * found["vendi", "embeddings"]
    assert np.array_equal(found[CANDIDATES[0]], product) and CANDIDATES[0][0] == "coverage x vendi"


def test_a_score_that_follows_accuracy_ranks_the_sets_and_noise_does_not():
    followed = score_ranks.ranks(table(0.5, follows=3.0))
    assert set(followed["outcome"]) == {"for"} and (followed["correlation"] > 0.95).all()
    noise = score_ranks.ranks(table(0.5))
    assert "for" not in set(noise["outcome"]) and (noise["outcome"] == "against").mean() > 0.5
    assert (noise["low_set"] <= noise["correlation"]).all() and (noise["correlation"] <= noise["high_set"]).all()


def test_correlations_and_intervals_of_one_score_by_hand():
    found = table(1.0, follows=0.5)
    r = np.array(
        [stats.spearmanr(*found.xs(seed, level="seed")[[SCORES[0], "test accuracy"]].T.values)[0] for seed in range(6)]
    )
    row = score_ranks.ranks(found, SCORES[:1]).iloc[0]
    low, high = stats.t.interval(0.95, 5, r.mean(), r.std(ddof=1) / np.sqrt(6))
    assert row[["correlation", "low", "high"]].to_list() == pytest.approx([r.mean(), low, high])
    assert row["sets"] == 10 and row["n"] == 6


def test_sets_that_gain_are_those_above_the_baseline_by_more():
    found = score_ranks.that_gain(table(0.1), 5.0)
    assert set(found.index.unique("setting")) == {f"level_{k}" for k in range(4, 9)}
    means = score_ranks.mean_correlations(found, "test accuracy")
    by_hand = score_ranks.rank_correlations(found, SCORES[2], "test accuracy").mean()
    assert list(means.index) == list(SCORES) and means[SCORES[2]] == pytest.approx(by_hand)
    assert score_ranks.mean_correlations(found[:0], "test accuracy").isna().all()


def test_where_accuracies_of_seeds_disagree_no_score_is_judged():
    found = score_ranks.ranks(table(200.0, follows=3.0), SCORES[:1])
    assert set(found["outcome"]) == {"not judged"} and (found["reliability"] < RANKS).all()


def test_the_level_is_held_at_the_threshold():
    """Scores whose true mean correlation is the threshold are decided in 5 % of campaigns, in either direction."""
    rng = np.random.default_rng(5)
    decided = 0
    for _ in range(400):
        estimate = Estimate.over_seeds(RANKS + 0.2 * rng.standard_normal(8))
        decided += estimate.p(RANKS) < 0.05
    assert 8 <= decided <= 33  # binomial, 99.9 %


def test_the_candidate_that_ranks_best_is_chosen_and_compared():
    found = table(0.5, follows=0.0)
    name, other = CANDIDATES
    for score in CANDIDATES:
        better = found.copy()
        better[score] = better["test accuracy"]
        assert score_ranks.chosen(better) == score
    good = found.assign(**{"x": 0}).copy()
    good[name] = good["test accuracy"]
    compared = score_ranks.better(good, name, other)
    assert set(compared["outcome"]) == {"for"}
    assert set(score_ranks.better(good, other, name)["outcome"]) == {"against"}


def amounts(change):
    """Accuracy 80 of the baseline and of every setting, but for the changes in points; noise of 0.2."""
    rng = np.random.default_rng(1)
    names = ["baseline", "synthetic_0.25", "synthetic_1", "added_1", "added_7", "flip_crop"]
    rows = [(name, seed, 80 + change.get(name, 0) + 0.2 * rng.standard_normal()) for name in names for seed in range(5)]
    return pd.DataFrame(rows, columns=["setting", "seed", "test accuracy"]).set_index(["setting", "seed"])


def test_gains_and_losses():
    found = amounts({"flip_crop": 5, "synthetic_1": -6, "synthetic_0.25": -1, "added_1": 1, "added_7": 1.2})
    gains = score_ranks.gains(found).set_index("to")["outcome"]
    assert gains.to_dict() == {
        "flip_crop": "for",
        "synthetic_1": "against",
        "synthetic_0.25": "against",
        "added_1": "for",
        "added_7": "for",
    }
    losses = score_ranks.losses(found).set_index("from")
    assert losses["outcome"].to_dict() == {"synthetic_1": "for", "added_7": "against"}
    wide = found["test accuracy"].unstack("seed")
    assert losses.loc["added_7", "difference"] == pytest.approx((wide.loc["added_1"] - wide.loc["added_7"]).mean())
    assert (losses["detectable"] > score_ranks.HARM).all()


def test_a_mean_over_one_seed_is_refused():
    with pytest.raises(ValueError, match="two of them or more, got 1"):
        Estimate.over_seeds(np.array([0.3]))
