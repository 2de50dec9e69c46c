"""The rules of judgement, on made-up records whose truth is known, and the comparison with reported values."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from weightspace import claims, experiments
from weightspace.analysis import frames
from weightspace.campaigns import records
from weightspace.claims import dual_weights as claims_dual_weight
from weightspace.claims import history, verdicts
from weightspace.display import tables


def made_up(effect, methods=("dual", "gradient_descent"), seeds=12, spread=0.05, sizes=(100, 1000)):
    """Errors of 100 with noise shared within a seed; ``effect(dataset, layers, size)`` multiplies those of dual."""
    rng = np.random.default_rng(0)
    rows = []
    for dataset in ("a", "b"):
        for layers in (2, 3):
            for size in sizes:
                for seed in range(seeds):
                    shared = rng.lognormal(4.6, 0.5)
                    for method in methods:
                        factor = effect(dataset, layers, size) if method.startswith("dual") else 1.0
                        rows.append(
                            dict(
                                dataset=dataset,
                                layers=layers,
                                train_size=size,
                                seed=seed,
                                method=method,
                                turn=6,
                                test_inputs="clean",
                                metric="mse_x1e4",
                                value=shared * factor * rng.lognormal(0, spread),
                            )
                        )
    return pd.DataFrame(rows)


def test_pairing_sees_an_effect_that_the_spread_over_seeds_hides():
    tests = frames.paired_tests(made_up(lambda *_: 0.8), ["dual"], ["gradient_descent"])
    assert len(tests) == 8 and (tests["p_holm"] < 0.001).all()
    assert tests["ratio"].between(0.75, 0.85).all()
    assert [verdicts.outcome(r, p) for r, p in zip(tests["ratio"], tests["p_holm"])] == ["win"] * 8


def test_no_effect_gives_no_wins():
    tests = frames.paired_tests(made_up(lambda *_: 1.0), ["dual"], ["gradient_descent"])
    assert {verdicts.outcome(r, p) for r, p in zip(tests["ratio"], tests["p_holm"])} == {"tie"}


def test_significant_but_small_is_a_tie():
    assert verdicts.outcome(0.97, 1e-9) == "tie" and verdicts.outcome(0.5, 0.06) == "tie"
    assert (
        verdicts.outcome(0.95, 0.04) == "win"
        and verdicts.outcome(1.06, 0.04) == "loss"
        and verdicts.outcome(1.04, 1e-9) == "tie"
    )


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((8, 2, 0), "supported"),
        ((7, 3, 0), "mixed"),
        ((19, 0, 1), "supported"),
        ((18, 0, 2), "mixed"),
        ((5, 5, 0), "mixed"),
        ((4, 6, 0), "not supported"),
        ((0, 0, 9), "not supported"),
        ((0, 0, 0), "open"),
    ],
)
def test_verdicts_follow_the_rule(counts, expected):
    assert verdicts.verdict(*counts) == expected


def test_sparsity_contrast_compares_gains():
    frame = made_up(lambda _d, _l, size: 0.5 if size == 100 else 0.9, ("dual", "dual_stabilized", "gradient_descent"))
    contrasts = claims_dual_weight.sparsity_contrasts(frame)
    assert len(contrasts) == 8
    assert contrasts["ratio"].between(0.5, 0.62).all() and (contrasts["p_holm"] < 0.001).all()


@pytest.mark.parametrize(("robust", "comparisons"), [(0.7, 4 * 3), (1.0, 4 * 2)])
def test_a_baseline_that_does_not_help_against_wrong_labels_is_left_out(robust, comparisons):
    """Squared L2 and early stopping help by a fifth; dual weights are a tenth better than these."""
    factors = {"tuned_l2_squared": 0.8, "tuned_early_stopping": 0.8, "tuned_robust": robust}
    factors |= dict.fromkeys(
        ("dual", "dual_stabilized", "tuned_dual", "tuned_dual_stabilized"), 0.72 * min(robust, 0.9)
    )
    methods = (*factors, "gradient_descent", "tuned_minibatch")
    frame = made_up(lambda *_: 1.0, methods)
    frame["value"] *= frame["method"].map(factors).fillna(1.0)
    frame = frame[(frame["layers"] == 3)].assign(label_noise=frame["train_size"].map({100: 0.2, 1000: 0.4}))
    found = claims_dual_weight._tuned_label_noise(frame)
    assert [finding.wins + finding.ties + finding.losses for finding in found] == [comparisons] * 4
    assert {finding.verdict for finding in found} == {"supported"}
    assert claims_dual_weight._tuned_label_noise(frame.assign(value=1.0 + frame["seed"])) == []


def test_balanced_updates_are_held_against_the_records_without(results):
    rows = made_up(lambda *_: 0.8, ("dual_weighted", "dual", "gradient_descent_weighted"))
    rows = rows.assign(metric="balanced_accuracy_percent", imbalance_ratio=rows["train_size"].map({100: 10, 1000: 50}))
    rows["value"] = 100 - 50 * rows["value"] / rows["value"].max()
    frame = rows[rows["layers"] == 2]
    new = frame["method"] == "dual_weighted"
    (finding,) = claims_dual_weight._balanced("gradient_descent_weighted")(frame[new], frame[~new])
    assert (finding.method, finding.verdict, finding.wins) == ("dual_weighted", "supported", 4)


def test_unequal_seeds_are_an_error():
    frame = made_up(lambda *_: 0.8)
    with pytest.raises(ValueError, match="same configurations and seeds"):
        frames.paired(frame.drop(frame.index[0]), "dual", "gradient_descent")
    with pytest.raises(ValueError, match="same configurations and seeds"):
        frames.paired(frame, "dual", "l2_0.1")


def test_claims_stay_open_until_the_campaign_is_whole(results):
    assert all(claim.findings() == [] for claim in claims.CLAIMS)
    assert len({claim.id for claim in claims.CLAIMS}) == len(claims.CLAIMS)


def rule(*read):
    """Made up: won if every frame is handed over at the reduced scale, and in the order of the claim."""
    scales = [(frame.attrs["experiment"], frame.attrs["scale"]) for frame in read]
    won = scales == [("diversity_sets", "laptop"), ("diversity_hessian", "laptop")]
    return [verdicts.Finding("", 1.0, 1.0, 1.0, int(won), 0, int(not won), 3, "supported" if won else "mixed")]


def on_record(name, scale, runs=None):
    plan = dict(list(experiments.planned(name, scale).items())[:runs])
    rows = pd.DataFrame({"seed": 0, "value": 1.0, "data_digest": "", "data_variant": "", "run_key": list(plan)})
    experiments.record(name, scale, list(plan.values()), rows)


def test_a_claim_on_two_experiments_rests_on_the_scale_that_is_committed(results):
    names = ("diversity_sets", "diversity_hessian")
    claim = verdicts.Claim("X", "", "", "", names[0], rule, besides=names[1:])
    on_record(names[0], "laptop")
    on_record(names[1], "laptop", runs=-1)
    assert claim.findings() == [] and "at scale" not in tables.common.findings([claim])["verdict"].iloc[0]
    on_record(names[1], "laptop")
    assert claim.scales() == dict.fromkeys(names, "laptop")
    shown = tables.common.findings([claim])["verdict"].iloc[0]
    assert ">supported<" in shown and shown.endswith("<small>at scale laptop</small>")
    for name in names:
        on_record(name, "paper")
    assert "at scale" not in tables.common.findings([claim])["verdict"].iloc[0]
    assert claim.findings()[0].verdict == "mixed"  # the frames are now those of the other scale


def test_reported_values_are_complete():
    reported = frames.reported_dual_weight()
    regression = reported[reported["task"] == "regression"]
    assert len(regression) == 12 * 5 * 7
    cell = regression[
        (regression["dataset"] == "wine_quality_white")
        & (regression["layers"] == 3)
        & (regression["turn"] == 6)
        & (regression["train_size"] == 100)
        & (regression["test_inputs"] == "clean")
    ]
    assert cell.set_index("method")["value"].to_dict() == {
        "dual": 117.6541,
        "dual_stabilized": 102.7134,
        "gradient_descent": 653.354,
        "l2_0.01": 232.8943,
        "l2_0.1": 100.124,
    }


def test_against_reported_marks_what_a_single_run_would_hardly_give(results):
    reported = frames.reported_dual_weight()
    reported = reported[reported["task"] == "regression"].reset_index(drop=True)
    rng = np.random.default_rng(3)
    parts = []
    for seed in range(20):
        far = np.where(reported["method"] == "dual", 2.0, 1.0)  # ours is twice theirs for one method
        parts.append(
            reported.assign(
                seed=seed,
                value=reported["value"] * far * rng.lognormal(0, 0.05, len(reported)),
                run_key=[f"{seed}-{k}" for k in range(len(reported))],
            )
        )
    rows = (
        pd.concat(parts)
        .drop(columns="run")
        .assign(device="cpu", versions="v", data_digest="d", data_variant="canonical", seconds=0.1, time="2026-01-01")
    )
    table = frames.against_reported(rows)
    assert len(table) == 420 and (table["n"] == 20).all()
    inside = table.groupby("method")["inside"].mean()
    assert inside["dual"] == 0 and (inside.drop("dual") > 0.95).all()


def test_committed_records_are_whole(root):
    """What the book is built from: complete, finite, one row per run, turn and test, and the known fixed facts.

    A campaign that no chapter shows yet may be in progress; what is on record of it is sound all the same. Its claims
    are open, so that their rules can be committed before the results.
    """
    text = "".join(source.read_text() for source in (root / "notebooks").glob("*.py"))
    for name in experiments.registry():
        scale = experiments.committed_scale(name)
        if f'"{name}"' in text:
            assert not experiments.missing_runs(name, scale), name
        if records.exists(name, scale):
            assert np.isfinite(records.load(name, scale)["value"]).all(), name
    frame = records.load("dual_regression")
    assert not frame.duplicated(["run_key", "turn", "test_inputs"]).any() and len(frame) == 12 * 5 * 20 * 7
    final = frames.last_turn(frame)
    # L2 0.1 collapses: predicting the mean scores about 100, as in the paper.
    assert final[final["method"] == "l2_0.1"]["value"].between(98, 102).all()


def test_every_claim_says_which_was_first_its_rule_or_its_records():
    assert history.HISTORY.keys() == {claim.id for claim in claims.CLAIMS}
    # The rule on inference came after its measurement; those on runs from scratch when the first seed had been run.
    late = {id_ for id_, order in history.HISTORY.items() if not order.rule_first}
    assert late == {"B6", "A1", "A2", "A2c", "A3", "A3b", "A1o", "A2o", "A2co", "A5o", "A3o"}
    assert all(history.HISTORY[id_].note for id_ in late - {"B6"})


def test_the_times_of_rules_and_records_are_those_of_the_history():
    """Held against git where the history is at hand; an archive of the source has none."""
    commits = {commit for order in history.HISTORY.values() for commit in (order.rule, order.records) if commit}
    root = Path(__file__).parents[2]
    for commit in commits:
        asked = ["git", "-C", str(root), "show", "-s", "--format=%ct", commit.digest]
        answer = subprocess.run(asked, capture_output=True, text=True)
        if answer.returncode:
            pytest.skip(f"no commit {commit.digest} here")
        assert pd.Timestamp(int(answer.stdout), unit="s") == pd.Timestamp(commit.time)


def test_what_could_not_be_reproduced_is_listed_and_nothing_else():
    line = {"claim": "B5a", "method": "dual", "wins": 80, "losses": 4, "verdict": "supported"}
    judged = pd.DataFrame([line, line | {"claim": "B1a"}, line | {"method": "l2_0.1", "losses": 0}])
    released = pd.DataFrame(
        {
            "statistic": "pearson",
            "metric": ["alpha", "entropy"],
            "model": "bert",
            "a": "div",
            "b": "dp",
            "value": ["0.63", "-0.78"],
            "ours": ["0.63", "-0.77"],
            "agrees": [True, False],
        }
    )
    table = tables.common.not_reproduced(judged, released)
    assert list(table["not reproduced"]) == ["4 of 84", "1 of 2"]
    assert "reported -0.78, ours -0.77" in table["in what way"].iloc[1]
    assert tables.common.not_reproduced(judged[1:], released[:1]).empty


def test_the_smallest_detectable_effect_of_a_range_is_the_median_over_its_comparisons():
    table = pd.DataFrame({"n": [3, 3, 3], "detectable": [0.6, np.nan, 0.8]})  # one that no effect would have decided

    def least(comparisons: pd.DataFrame) -> float:
        return verdicts.finding("some", comparisons, 0, 0, 0, (0, 3, 0)).detectable

    assert least(table) == 0.8
    assert np.isinf(least(table.assign(detectable=np.nan)))
    assert np.isnan(least(table[["n"]]))
