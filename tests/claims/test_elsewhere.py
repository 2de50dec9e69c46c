"""Does it hold elsewhere: on made-up campaigns whose truth is known, and the rule by which campaigns are counted."""

import numpy as np
import pandas as pd
import pytest

from weightspace.analysis import regularizer_effects, regularizer_tests
from weightspace.analysis.regularizer_effects import (
    MATRIX,
    MEASURES,
    SLICES,
    WITHOUT_BATCH_NORM,
    Measure,
    as_augmentation,
    effects,
    learned,
    measures_of,
)
from weightspace.claims import elsewhere
from weightspace.claims.elsewhere import DOES_NOT_HOLD, HOLDS, NOTHING_TO_HOLD, UNDECIDED, holds, overall, verdicts_of
from weightspace.experiments.diversity import scratch_controls, scratch_spectra, text_fitted_settings
from weightspace.spectra.report import layer_spectra, report_of

LAYERS = 12


def runs_of(settings):
    """Setting, category and replicate of the runs of a seed, from their configurations."""
    return [(c.setting, c.category, c.replicate) for c in settings]


def text_runs(name):
    return runs_of(text_fitted_settings.configurations(name, "laptop", 1))


def image_runs():
    return runs_of(scratch_controls.sizes("quick", 1)[:10])


def campaign(runs, effect, sets, seeds=6, gain=None, dataset="cifar10", train=100.0, random_seed=0):
    """Records like those of the derived spectra, of every measure in ``sets``; effect(category): [layers]."""
    rng = np.random.default_rng(random_seed)
    rows = []
    measures = {m for members in sets.values() for m in members}
    for seed in range(seeds):
        start = {m: rng.standard_normal(LAYERS) for m in sorted(measures)}
        for setting, category, replicate in runs:
            who = {"seed": seed, "setting": setting, "category": category, "replicate": replicate, "dataset": dataset}
            who["epoch"] = 16 + len(setting) % 3  # passes differ by the training set
            for m in sorted(measures):
                values = start[m] + rng.standard_normal(LAYERS) + effect(category)
                rows += [who | vars(m) | {"layer": k + 1, "inputs": "", "value": v} for k, v in enumerate(values)]
                rows.append(who | vars(m) | {"layer": LAYERS + 1, "inputs": "", "value": 0.0})
            better = (gain or {}).get(category, 3.0 * (category != "baseline"))
            for inputs, metric, value in (
                ("test", "accuracy_percent", 80 + better + 0.3 * rng.standard_normal()),
                ("train_clean", "accuracy_percent", train),
                ("train_clean", "loss", 10 ** (-3 + better / 6 + 0.1 * rng.standard_normal())),
            ):
                score = {"layer": 0, "inputs": inputs, "metric": metric, "value": value}
                rows.append(who | {"batch_norm": "", "unfolding": ""} | score)
    return pd.DataFrame(rows)


DIRECTIONS = 20 * np.linalg.qr(np.random.default_rng(1).standard_normal((LAYERS, 3)))[0].T


def all_alike(category):
    return DIRECTIONS[0] * (category != "baseline")


def all_different(category):
    places = {"dropout": 0, "weight_decay": 1, "baseline": None}
    place = places.get(category, 2)
    return np.zeros(LAYERS) if place is None else DIRECTIONS[place]


# --- measures


def test_a_network_without_batch_norm_has_no_folded_measures():
    """Each set is made of what the spectra have: one form, and in the raw set the metrics of the paper."""
    assert measures_of(pd.DataFrame({"batch_norm": ["", "apart", "folded"]})) is MEASURES
    assert measures_of(pd.DataFrame({"batch_norm": ["", "apart"]})) is WITHOUT_BATCH_NORM
    forms = {(m.batch_norm, m.unfolding) for members in WITHOUT_BATCH_NORM.values() for m in members}
    assert forms == {("apart", MATRIX)} and forms < set(scratch_spectra.FORMS)
    assert [m.metric for m in WITHOUT_BATCH_NORM["raw"]] == [m.metric for m in MEASURES["raw"]]
    assert {m.unfolding for m in MEASURES["raw"]} == {SLICES}


def test_scale_free_measures_do_not_see_a_factor():
    weight = np.random.default_rng(0).standard_normal((40, 20)).astype(np.float32)
    one, ten = (report_of(layer_spectra({"a": factor * weight}), withhold=False).iloc[0] for factor in (1.0, 10.0))
    free = {m.metric for m in WITHOUT_BATCH_NORM["scale-free"]}
    for metric in free:
        assert one[metric] == pytest.approx(ten[metric], rel=1e-4)
    for metric in ("log_norm", "log_spectral_norm"):
        assert metric not in free and ten[metric] == pytest.approx(one[metric] + 2, rel=1e-4)


# --- kinds of training sets


def test_one_kind_of_set_takes_the_place_of_augmentation():
    frame = campaign(text_runs("diversity_complaints"), all_alike, WITHOUT_BATCH_NORM, seeds=2, dataset="complaints")
    own = as_augmentation(frame, "added")
    assert set(own["category"]) == {"baseline", "dropout", "weight_decay", "augmentation"}
    assert set(own.loc[own["category"] == "augmentation", "setting"]) == {"added_0.5", "added_1"}
    found = effects(own, WITHOUT_BATCH_NORM["raw"][2])  # of the last epoch of every run, whichever that is
    assert found.values.shape == (6, 2, LAYERS)
    with pytest.raises(ValueError, match="has no training sets 'mixup': use one of added, augmentation, synthetic"):
        as_augmentation(frame, "mixup")
    assert elsewhere.matches_of("added") != elsewhere.matches_of("synthetic")


def test_chance_is_that_of_the_task():
    """65 % are more than half of the way from 10 to 80, and less than half of that from 50."""
    gain = {"dropout": -17.0, "baseline": 0.0}
    runs = image_runs()
    for dataset, expected in (("cifar10", True), ("complaints", False)):
        frame = campaign(runs, all_alike, {"raw": MEASURES["raw"][:1]}, seeds=3, gain=gain, dataset=dataset)
        assert ("dropout_0.1" in learned(frame)) == expected


# --- verdicts

FEW = {"raw": (Measure("log_norm", "apart", MATRIX),), "scale-free": (Measure("stable_rank", "apart", MATRIX),)}


@pytest.fixture
def few_measures(monkeypatch):
    """One measure for each set, and few draws: what is tested is how verdicts are put together."""
    monkeypatch.setattr(regularizer_effects, "WITHOUT_BATCH_NORM", FEW)
    monkeypatch.setattr(regularizer_tests.randomization_p, "__defaults__", (200, 0))
    monkeypatch.setattr(regularizer_tests.seed_weights, "__defaults__", (200, 0))


def test_a_campaign_in_which_all_are_alike_and_one_in_which_none_are(few_measures):
    runs = image_runs()
    alike = verdicts_of(campaign(runs, all_alike, FEW, random_seed=1))
    apart = verdicts_of(campaign(runs, all_different, FEW, random_seed=2))
    assert (
        set(alike)
        == set(apart)
        == {
            (question, name)
            for question in (
                "like dropout",
                "like weight decay",
                "closer than to weight decay",
                "closer than to baseline",
            )
            for name in FEW
        }
    )
    for name in FEW:
        assert alike["like dropout", name] == alike["like weight decay", name] == "supported"
        assert apart["like dropout", name] == apart["like weight decay", name] == "not supported"
    table = elsewhere.held(alike, {"same": alike, "other": apart, "unfitted": {}}).set_index(["question", "set"])
    row = table.loc[("like dropout", "raw")]
    assert (row["same"], row["other"], row["unfitted"]) == (HOLDS, DOES_NOT_HOLD, "") and row["overall"] == "mixed"


def test_texts_are_asked_for_each_kind_of_set(few_measures):
    frame = campaign(
        text_runs("diversity_titles"),
        lambda category: all_different(category) if category == "synthetic" else all_alike(category),
        FEW,
        dataset="titles",
    )
    assert verdicts_of(frame)["like dropout", "raw"] == "supported"
    assert verdicts_of(frame, "synthetic")["like dropout", "raw"] == "not supported"


def test_baselines_that_have_not_fitted_are_not_judged():
    frame = campaign(image_runs(), all_alike, {"raw": MEASURES["raw"][:1]}, seeds=2, train=98.9)
    assert verdicts_of(frame) == {}


@pytest.mark.parametrize(
    ("main", "other", "expected"),
    [
        ("supported", "supported", HOLDS),
        ("not supported", "not supported", HOLDS),
        ("supported", "not supported", DOES_NOT_HOLD),
        ("not supported", "mixed", DOES_NOT_HOLD),
        ("supported", "undecided", UNDECIDED),
        ("mixed", "supported", NOTHING_TO_HOLD),
        ("undecided", "undecided", NOTHING_TO_HOLD),
    ],
)
def test_what_holds(main, other, expected):
    assert holds(main, other) == expected


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([HOLDS] * 4 + [DOES_NOT_HOLD, UNDECIDED], "supported"),
        ([HOLDS, HOLDS, UNDECIDED, UNDECIDED], "undecided"),
        ([DOES_NOT_HOLD] * 4 + [HOLDS], "not supported"),
        ([HOLDS, DOES_NOT_HOLD, "", ""], "mixed"),
        (["", ""], "undecided"),
        ([NOTHING_TO_HOLD] * 3, NOTHING_TO_HOLD),
    ],
)
def test_campaigns_are_counted(places, expected):
    assert overall(places) == expected


def test_all_campaigns_but_the_main_one_are_counted():
    others = set(scratch_spectra.PARENTS) - {elsewhere.MAIN, "diversity_controls_spectra", "diversity_map_spectra"}
    assert others == {*elsewhere.IMAGES, *elsewhere.TEXTS}


def test_what_contradicts_the_main_campaign():
    main = {("q", "raw"): "supported", ("q", "folded"): "mixed", ("r", "raw"): "not supported"}
    assert elsewhere.contradicts(main, main) == "met"
    assert elsewhere.contradicts(main, {("q", "raw"): "not supported", ("r", "raw"): "not supported"}) == "not met"
    assert elsewhere.contradicts(main, {("q", "raw"): "mixed", ("q", "folded"): "supported"}) == "undecided"


def test_whether_every_kind_is_seen(few_measures):
    runs = image_runs()
    seen = campaign(runs, all_alike, FEW, seeds=4)
    unseen = campaign(runs, lambda category: DIRECTIONS[0] * (category == "dropout"), FEW, seeds=4)
    assert elsewhere.every_kind_is_seen([seen]) == "met"
    assert elsewhere.every_kind_is_seen([seen, unseen]) == "not met"
