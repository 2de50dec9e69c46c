"""What synthetic images bring, on made-up records; tests against independent implementations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multicomp import pairwise_tukeyhsd

from weightspace import claims
from weightspace.analysis import diversity_outcomes, synthetic_outcomes
from weightspace.analysis.synthetic_outcomes import SYNTHETIC
from weightspace.experiments.diversity.synthetic_settings import AUGMENTATIONS

EVERY = ("baseline", *SYNTHETIC, *AUGMENTATIONS)


def values(effect=lambda setting: 0.0, n=3, control=15, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = [
        (setting, number, 50 + effect(setting) + noise * rng.standard_normal())
        for setting in EVERY
        for number in range(control if setting == "baseline" else n)
    ]
    return pd.DataFrame(rows, columns=["setting", "seed", "corruption_accuracy"])


def test_one_setting_against_the_baseline_is_the_t_test_of_pooled_variance():
    table = values(lambda setting: 2.0 * (setting == "synthetic_0.5"))
    (row,) = synthetic_outcomes.against_real(table, "corruption_accuracy", ("synthetic_0.5",)).itertuples()
    groups = [table[table["setting"] == s]["corruption_accuracy"] for s in ("synthetic_0.5", "baseline")]
    theirs = stats.ttest_ind(*groups)
    interval = theirs.confidence_interval()
    assert (row.n, row.control) == (3, 15)
    assert row.difference == pytest.approx(groups[0].mean() - groups[1].mean())
    assert row.ratio == pytest.approx(groups[0].mean() / groups[1].mean())
    assert (row.p, row.low, row.high) == pytest.approx((theirs.pvalue, interval.low, interval.high), abs=2e-3)
    several = synthetic_outcomes.against_real(table, "corruption_accuracy").set_index("setting")
    assert several["p"]["synthetic_0.5"] > 0 and several["high"].gt(several["low"]).all()


def test_shares_against_augmentations_is_tukeys_test():
    table = values(lambda setting: 3.0 * setting.startswith("synthetic"), seed=1)
    ours = synthetic_outcomes.against_augmentation(table)
    assert len(ours) == len(SYNTHETIC) * len(AUGMENTATIONS)
    kept = table[table["setting"] != "baseline"]
    theirs = pairwise_tukeyhsd(kept["corruption_accuracy"], kept["setting"])
    frame = theirs.summary_frame()
    pairs = {(row.group_t, row.group_c): row for row in frame.rename(columns={"p-adj": "p"}).itertuples()}
    for row in ours.itertuples():
        other = pairs[row.setting, row.other] if (row.setting, row.other) in pairs else pairs[row.other, row.setting]
        sign = 1 if other.group_t == row.setting else -1
        assert row.difference == pytest.approx(sign * other.meandiff, abs=1e-6)
        assert row.p == pytest.approx(other.p, abs=1e-3)


def sets_and_runs(accuracy, vendi):
    rng = np.random.default_rng(3)
    runs = []
    for setting in (*EVERY, "dropout_0.1"):
        category = "synthetic" if setting in SYNTHETIC else "augmentation" if setting in AUGMENTATIONS else setting
        for arm, seed in [("main", s) for s in range(3)] + [("independent", 1000 + s) for s in range(3)]:
            if arm == "independent" and setting != "baseline":
                continue
            right = accuracy(setting) + rng.normal(0, 0.2)
            for inputs, severity, value in (("test", 0, 80), ("test_part", 0, 80 + rng.normal()), ("fog", 3, right)):
                key = (arm, category, setting, seed, 15, inputs, severity)
                runs += [(*key, "accuracy_percent", value), (*key, "loss", 0.5), (*key, "ece", 0.1)]
            runs.append((arm, category, setting, seed, 15, "train", 0, "loss", 0.5))
    columns = ["arm", "category", "setting", "seed", "epoch", "inputs", "severity", "metric", "value"]
    sets = [
        (setting, seed, of, metric, vendi(setting) * (1 + rng.normal(0, 0.01)))
        for setting in (*EVERY, "held_out", "random")
        for seed in range(3)
        for of in ("pixels", "embeddings")
        for metric in ("vendi", "weighted_vendi")
    ] + [("baseline", 0, "", "accuracy_percent", 90.0)]
    return pd.DataFrame(runs, columns=columns), pd.DataFrame(sets, columns=["setting", "seed", "of", "metric", "value"])


def test_the_rules_of_the_claims_on_synthetic_images():
    by_id = {claim.id: claim for claim in claims.CLAIMS}
    runs, sets = sets_and_runs(
        lambda setting: 60.0 + 5 * (setting in SYNTHETIC), lambda setting: 10.0 - 2 * (setting in SYNTHETIC)
    )
    found = {finding.method: finding for finding in by_id["A4"].assess(runs, sets)}
    robust = found["accuracy under corruption"]
    assert (robust.wins, robust.verdict, robust.mean) == (4, "supported", pytest.approx(65 / 60, rel=0.01))
    for of in ("pixels", "embeddings"):
        less = found[f"Vendi score, {of}"]
        assert (less.losses, less.verdict, less.mean) == (4, "not supported", pytest.approx(0.8, abs=0.03))
    (better,) = by_id["A4b"].assess(runs)
    assert (better.wins, better.verdict, better.mean) == (12, "supported", pytest.approx(5, abs=0.3))
    (nothing,) = by_id["A4b"].assess(sets_and_runs(lambda setting: 60.0, lambda setting: 1.0)[0])
    assert (nothing.ties, nothing.verdict) == (12, "undecided")
    explained = {finding.method: finding for finding in by_id["A3s"].assess(runs, sets)}
    assert len(explained) == 4 and all(finding.n_seeds == len(EVERY) for finding in explained.values())


def test_training_sets_are_those_that_a_network_was_trained_on():
    runs, sets = sets_and_runs(lambda setting: 60.0, lambda setting: 10.0)
    both = synthetic_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)
    assert both[both["seed"] == 0]["level"].tolist() == ["", *EVERY[1:]]
    assert set(both["design"]) == {"single"} and len(both) == 3 * len(EVERY)
