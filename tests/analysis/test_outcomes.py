"""What the training campaign of paper A is read for, on made-up records whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from weightspace import claims, experiments
from weightspace.analysis import diversity_outcomes
from weightspace.data.augmentations import LEVELS
from weightspace.data.corruptions import CORRUPTIONS, SEVERITIES

SETS = ["", *LEVELS]


def run_rows(arm, category, setting, seed, clean, corrupted=lambda kind, severity: 20.0, ece=0.1, part=None):
    """The records of one run: accuracies in percent, ECE a share. The first epoch is far off and must not count."""
    identity = {"arm": arm, "category": category, "setting": setting, "seed": seed}
    found = {("test", 0): clean, ("test_part", 0): clean if part is None else part, ("train", 0): 50.0}
    found |= {(kind, severity): corrupted(kind, severity) for kind in CORRUPTIONS for severity in SEVERITIES}
    rows = [
        identity | {"epoch": 3, "inputs": inputs, "severity": severity, "metric": metric, "value": value}
        for (inputs, severity), accuracy in found.items()
        for metric, value in (("accuracy_percent", accuracy), ("loss", 2.0), ("ece", ece))
    ]
    spectrum = identity | {"epoch": 3, "inputs": "", "severity": 0, "metric": "norm", "value": 1e6}
    return [*rows, *(row | {"epoch": 1, "value": -1e3} for row in rows), spectrum]


def made_up(accuracy, seeds=3, settings=(("dropout", "dropout_0.1"),)):
    """Runs whose clean accuracy is ``accuracy(arm, setting, seed)``; the baseline is always there."""
    rows = []
    for seed in range(seeds):
        for category, setting in (("baseline", "baseline"), *settings):
            rows += run_rows("main", category, setting, seed, accuracy("main", setting, seed))
    return pd.DataFrame(rows)


def test_outcomes_are_those_of_the_last_epoch():
    steps = {kind: k for k, kind in enumerate(CORRUPTIONS)}
    rows = run_rows("main", "baseline", "baseline", 0, 60.0, lambda k, s: steps[k] + 2.0 * s, ece=0.25, part=64.0)
    rows += run_rows("main", "dropout", "dropout_0.1", 0, 50.0, ece=0.05)
    table = diversity_outcomes.outcomes(pd.DataFrame(rows)).set_index("setting")
    assert len(table) == 2
    one = table.loc["baseline"]
    assert (one["clean_accuracy"], one["part_accuracy"], one["ece"], one["corruption_ece"]) == (60, 64, 25, 25)
    assert one["corruption_accuracy"] == pytest.approx(7 + 2 * 3)  # means of 0 to 14, and of twice 1 to 5


def test_a_run_without_an_outcome_is_an_error():
    frame = made_up(lambda arm, setting, seed: 50.0 + seed)
    cut = frame[~((frame["seed"] == 1) & (frame["inputs"] == "test_part"))]
    with pytest.raises(ValueError, match="no value of part_accuracy"):
        diversity_outcomes.outcomes(cut)


def test_differences_pair_by_seed():
    """Seeds that are far apart, an effect that is not: only paired differences can see it."""
    shift = [-1.0, -2.0, -3.0]
    frame = made_up(lambda arm, setting, seed: 20.0 * (seed + 1) + (shift[seed] if setting != "baseline" else 0))
    found = diversity_outcomes.differences(diversity_outcomes.outcomes(frame), ["clean_accuracy", "ece"])
    row = found[found["outcome"] == "clean_accuracy"].iloc[0]
    half = stats.t.ppf(0.975, 2) * 1 / np.sqrt(3)
    assert (row["n"], row["mean"]) == (3, pytest.approx(-2))
    assert (row["low"], row["high"]) == (pytest.approx(-2 - half), pytest.approx(-2 + half))
    assert row["p_holm"] == row["p"] == pytest.approx(stats.ttest_1samp(shift, 0).pvalue)
    same = found[found["outcome"] == "ece"].iloc[0]
    assert same["mean"] == 0 and np.isnan(same["p"])  # no spread, no test, and not counted by Holm


def test_a_setting_without_its_baseline_is_an_error():
    table = diversity_outcomes.outcomes(made_up(lambda arm, setting, seed: 50.0 + seed))
    with pytest.raises(ValueError, match=r"no baseline for the seeds \[2\]"):
        diversity_outcomes.differences(table[~((table["seed"] == 2) & (table["category"] == "baseline"))])


def test_effective_robustness_is_the_distance_from_the_line_of_plain_runs():
    rows = []
    for seed, clean in enumerate((30.0, 40.0, 60.0)):
        line = 5 + 0.5 * clean
        rows += run_rows("main", "baseline", "baseline", seed, 0.0, lambda *_: line, part=clean)
        rows += run_rows("main", "augmentation", "noise50", seed, 0.0, lambda *_: line + 7, part=clean)
    table = diversity_outcomes.outcomes(pd.DataFrame(rows))
    assert diversity_outcomes.accuracy_line(table) == (pytest.approx(0.5), pytest.approx(5))
    means = table.groupby("setting")["effective_robustness"].agg(["min", "max"])
    np.testing.assert_allclose(means.loc["baseline"], 0, atol=1e-9)
    np.testing.assert_allclose(means.loc["noise50"], 7)


def test_corruption_differences_are_means_over_severities():
    rows = []
    for seed in range(3):
        rows += run_rows("main", "baseline", "baseline", seed, 50.0, lambda k, s: 30.0 + seed - s)
        gain = lambda k, s: 30.0 + seed - s + (6.0 if k == "fog" else -1.0) * s  # noqa: E731
        rows += run_rows("main", "augmentation", "noise50", seed, 40.0, gain)
        rows += run_rows("independent", "baseline", "baseline", 1000 + seed, 0.0, lambda *_: 0.0)
    found = diversity_outcomes.corruption_differences(pd.DataFrame(rows))
    assert set(found["setting"]) == {"noise50"} and (found["n"] == 3).all()
    found = found.set_index("kind")["mean"]
    assert found["fog"] == pytest.approx(18) and found.drop("fog").to_numpy() == pytest.approx(-3)


def test_seed_noise_is_that_of_two_groups_of_baselines():
    """Of many pairs of groups of three, 95 % differ by less: the half-width for normal values, up to its own noise."""
    rng = np.random.default_rng(0)
    values = rng.normal(50, 4, 4003)
    arms = ["main"] * 3 + ["independent"] * 4000
    table = pd.DataFrame({"arm": arms, "setting": "baseline", "seed": range(4003), "clean_accuracy": values})
    half = diversity_outcomes.seed_noise(table, ["clean_accuracy"])["clean_accuracy"]
    groups = rng.normal(50, 4, (20_000, 2, 3)).mean(axis=2)
    assert np.mean(np.abs(groups[:, 0] - groups[:, 1]) < half) == pytest.approx(0.95, abs=0.01)
    more = pd.concat([table, table.assign(setting="dropout_0.1", clean_accuracy=0.0)])
    assert diversity_outcomes.seed_noise(more, ["clean_accuracy"])["clean_accuracy"] == half


def campaign(outcome, score, seeds=3):
    """Runs and sets of both designs; outcome(place) and score(metric, place) of the place of a set in SETS."""
    rng = np.random.default_rng(1)
    rows, sets = [], []
    for seed in range(seeds):
        for design in ("single", "cumulative"):
            for place, level in enumerate(SETS):
                if design == "cumulative" and place < 2:
                    continue
                arm = "main" if design == "single" else design
                value = outcome(place) + 0.01 * rng.standard_normal()
                kind = ("augmentation", level) if level else ("baseline", "baseline")
                rows += run_rows(arm, *kind, seed, value, lambda *_: value / 2, ece=value / 1000)
                for of in ("pixels", "embeddings"):
                    for metric in ("vendi", "weighted_vendi"):
                        made = score(metric, place) * (2 if of == "embeddings" else 1)
                        sets.append(
                            {"arm": design, "augmentation": level, "seed": seed, "of": of, "metric": metric}
                            | {"value": made * (1 + 0.001 * rng.standard_normal())}
                        )
    for seed in range(1000, 1003):  # independent baselines are no training set of their own
        rows += run_rows("independent", "baseline", "baseline", seed, 99.0)
    return pd.DataFrame(rows), pd.DataFrame(sets)


@pytest.fixture(scope="module")
def planted():
    """The weighted score falls with accuracy, exactly; the plain one has nothing to do with it."""
    shuffled = np.random.default_rng(3).permutation(len(SETS))
    return campaign(
        lambda place: 60.0 - 2 * place,
        lambda metric, place: 20.0 - place if metric == "weighted_vendi" else 30.0 + shuffled[place],
    )


def test_training_sets_belong_to_both_designs_where_they_are_the_same(planted):
    runs, sets = planted
    both = diversity_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)
    assert len(both) == 2 * 11 * 3
    for design in ("single", "cumulative"):
        own = both[both["design"] == design]
        assert own["level"].unique().tolist() == SETS
        assert own.groupby("level").size().eq(3).all()
    first = both[both["level"] == LEVELS[0]].drop(columns="design")
    assert first.duplicated(keep=False).all()
    row = both.iloc[0]
    assert row["resemblance_pixels"] == row["weighted_vendi_pixels"] / row["vendi_pixels"]
    assert row["calibration"] == pytest.approx(-row["clean_accuracy"] / 10)


def test_planted_rank_correlations_are_found(planted):
    runs, sets = planted
    both = diversity_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)
    found = diversity_outcomes.rank_correlations(both, draws=500)
    assert len(found) == 2 * 2 * 2 * 3 and (found["n"] == 11).all()
    weighted = found[found["score"] == "weighted_vendi"]
    expected = np.where(weighted["outcome"] == "calibration", -1.0, 1.0)
    np.testing.assert_allclose(weighted["rho"], expected)
    assert (weighted["p_holm"] < 0.001).all()
    np.testing.assert_allclose(weighted[["low", "high"]].to_numpy(), np.c_[expected, expected], atol=1e-9)
    plain = found[found["score"] == "vendi"]
    means = both[both["design"] == "single"].groupby("level")[["vendi_pixels", "clean_accuracy"]].mean()
    assert plain.query("design == 'single' and of == 'pixels'")["rho"].iloc[0] == pytest.approx(
        stats.spearmanr(*means.to_numpy().T).statistic
    )
    assert (plain["p_holm"] > 0.05).all() and (plain["low"] < 0).all() and (plain["high"] > 0).all()
    seeds = diversity_outcomes.seed_correlations(both)
    assert len(seeds) == 24 * 3 and seeds[seeds["score"] == "weighted_vendi"]["rho"].abs().min() == 1


def test_the_interval_is_that_of_an_independent_bootstrap():
    """One seed and values without ties: the percentile interval of scipy's bootstrap of pairs."""
    rng = np.random.default_rng(0)
    x = rng.permutation(11) + 1.0
    y = x + rng.normal(0, 3, 11)
    runs, sets = campaign(lambda place: 10 + y[place], lambda metric, place: x[place], seeds=1)
    both = diversity_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)
    found = diversity_outcomes.rank_correlations(both).iloc[0]
    means = both[both["design"] == found["design"]]
    theirs = stats.bootstrap(
        (means["vendi_pixels"].to_numpy(), means["clean_accuracy"].to_numpy()),
        lambda a, b, axis: (
            stats.pearsonr(stats.rankdata(a, axis=axis), stats.rankdata(b, axis=axis), axis=axis).statistic
        ),
        paired=True,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert found["low"] == pytest.approx(theirs.low, abs=0.05) and found["high"] == pytest.approx(theirs.high, abs=0.05)


def test_the_weighted_score_is_held_against_the_plain_one(planted):
    runs, sets = planted
    both = diversity_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)
    found = diversity_outcomes.weighted_against_plain(both, draws=500)
    rho = (
        diversity_outcomes.rank_correlations(both, draws=1)
        .set_index(["design", "of", "outcome", "score"])["rho"]
        .sort_index()
    )
    for row in found.itertuples():
        pair = rho.loc[(row.design, row.of, row.outcome)]
        assert row.difference == pytest.approx(pair["weighted_vendi"] - pair["vendi"])
    better = found[found["outcome"] != "calibration"]
    assert (better["low"] > 0).all() and (found[found["outcome"] == "calibration"]["high"] < 0).all()
    same = both.assign(**{f"weighted_vendi_{of}": 3 * both[f"vendi_{of}"] for of in ("pixels", "embeddings")})
    equal = diversity_outcomes.weighted_against_plain(same, draws=50)
    assert (equal[["difference", "low", "high"]] == 0).all(axis=None)


def test_what_cannot_be_correlated_is_nan(planted):
    runs, sets = planted
    both = diversity_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)
    few = both[both["level"].isin(["", "noise50"])]
    level = both.assign(vendi_pixels=1.0, vendi_embeddings=1.0)
    for frame, undefined in ((few, 24), (level, 12)):
        found = diversity_outcomes.rank_correlations(frame, draws=50)
        assert found[["rho", "low", "high", "p", "p_holm"]].isna().sum().eq(undefined).all()
        assert (
            diversity_outcomes.weighted_against_plain(frame, draws=50)[["difference", "low", "high"]]
            .isna()
            .all(axis=None)
        )
        assert diversity_outcomes.seed_correlations(frame)["rho"].isna().sum() == 3 * undefined


def test_the_rule_of_the_claim_on_scores(planted):
    by_id = {claim.id: claim for claim in claims.CLAIMS}
    found = {finding.method: finding for finding in by_id["A3"].assess(*planted)}
    assert len(found) == 4
    weighted = found["weighted Vendi score, embeddings"]
    assert (weighted.wins, weighted.ties, weighted.losses, weighted.n_seeds) == (4, 0, 2, 11)
    assert (weighted.low, weighted.high, weighted.verdict) == (-1, 1, "mixed")
    assert (found["Vendi score, pixels"].wins, found["Vendi score, pixels"].verdict) == (0, "undecided")
    assert [(f.method, f.wins, f.losses) for f in by_id["A3b"].assess(*planted)] == [
        ("of pixels", 4, 2),
        ("of embeddings", 4, 2),
    ]


def test_traces_over_seeds():
    rows = [
        {"category": "baseline", "setting": "baseline", "epoch": epoch, "seed": seed}
        | {"value": 10.0 * epoch + seed, "standard_error": error}
        for epoch in (0, 1)
        for seed, error in enumerate((3.0, 4.0))
    ]
    found = diversity_outcomes.trace_summary(pd.DataFrame(rows)).set_index("epoch")
    assert found["mean"].to_dict() == {0: 0.5, 1: 10.5} and (found["n"] == 2).all()
    assert found.loc[0, "standard_error"] == pytest.approx(np.sqrt(12.5))


def test_the_verdicts_rest_on_the_committed_records():
    found = {claim.id: claim.findings() for claim in claims.CLAIMS if claim.id in ("A3", "A3b")}
    assert {f.method: f.verdict for f in found["A3"]} == {
        "Vendi score, pixels": "undecided",
        "weighted Vendi score, pixels": "undecided",
        "Vendi score, embeddings": "mixed",
        "weighted Vendi score, embeddings": "mixed",
    }
    assert [(f.wins, f.verdict) for f in found["A3b"]] == [(0, "undecided")] * 2


def test_the_names_are_those_of_the_experiment():
    plan = pd.DataFrame(experiments.planned("diversity_sets", "laptop").values())
    assert set(plan["arm"]) == set(diversity_outcomes.DESIGNS)
