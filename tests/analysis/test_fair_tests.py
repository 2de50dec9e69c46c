"""Shifts of the campaign and the fair tests of similarity, on made-up campaigns whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightspace import experiments
from weightspace.analysis import diversity_shifts, fair_tests, shift_checks, spectral_shifts
from weightspace.analysis.diversity_shifts import LEVELS
from weightspace.analysis.frames import select
from weightspace.campaigns import records
from weightspace.experiments.diversity import cifar10, cifar10_settings, spectra
from weightspace.experiments.diversity.cifar10_settings import INDEPENDENT_SEEDS
from weightspace.models import ResNet18
from weightspace.spectra.report import layer_spectra, report_of
from weightspace.training.trainer import initialized

LAYERS = 40
SETTINGS = [setting["setting"] for setting in cifar10_settings.settings("laptop")]


def campaign(effects, noise=1.0, seeds=3, layers=LAYERS, strength=None, metrics=("log_norm",), random_seed=0):
    """Records like those of ``diversity_spectra``; effects(category, order): the true shift of a setting, [layers]."""
    rng = np.random.default_rng(random_seed)
    rows = []

    def run(arm, setting, seed, effect):
        _, _, order = LEVELS[setting]
        category = LEVELS[setting][0]
        loss = 1.0 if strength is None else 1.0 + strength(category, order)
        for inputs, metric, value in (("train_clean", "loss", loss), ("test", "accuracy_percent", 60 - 10 * loss)):
            rows.append((arm, setting, seed, 3, inputs, 0, "", "", metric, value))
        for metric in metrics:
            after = 5 + effect + noise * rng.standard_normal(layers)
            for layer in range(layers):
                place = (layer + 1, f"layer{layer}", "slices", metric)
                if setting == "baseline":
                    rows.append((arm, setting, seed, 0, "", *place, 2.0 + layer))
                rows.append((arm, setting, seed, 3, "", *place, 2.0 + layer + after[layer]))

    for seed in range(seeds):
        for setting in SETTINGS:
            category, _, order = LEVELS[setting]
            run("main", setting, seed, np.zeros(layers) if category == "bs" else effects(category, order))
        for k in (1, 2, 3):
            run("independent", "baseline", k * INDEPENDENT_SEEDS + seed, np.zeros(layers))
    columns = ["arm", "setting", "seed", "epoch", "inputs", "layer", "name", "unfolding", "metric", "value"]
    return pd.DataFrame(rows, columns=columns).assign(category="as the campaign calls it", dataset="made up")


def nothing(category, order):
    return np.zeros(LAYERS)


def layer_names(frame):
    """Number -> name of every layer."""
    named = frame[frame["layer"] > 0].drop_duplicates("layer")
    return dict(sorted(zip(named["layer"], named["name"])))


def test_changes_are_after_minus_before():
    frame = campaign(lambda category, order: np.full(LAYERS, {"div": 1.0, "dp": 2.0, "wd": 3.0}[category] * order), 0)
    table = diversity_shifts.changes(frame)
    assert len(table) == 21 * 3 * LAYERS
    expected = {"bs": 0.0, "div": 1.0, "dp": 2.0, "wd": 3.0}
    np.testing.assert_allclose(table["value"], 5 + table["category"].map(expected) * table["order"])
    shifted = spectral_shifts.shifts(table)
    np.testing.assert_allclose(shifted["value"], shifted["category"].map(expected) * shifted["order"])
    own = diversity_shifts.shifts_with_own_baselines(frame)
    np.testing.assert_allclose(own["value"], own["category"].map(expected) * own["order"])


def test_noise_correlates_through_one_baseline_only():
    found = diversity_shifts.correlations(campaign(nothing, seeds=6, layers=LAYERS))
    mean = found.groupby(["baseline", "a", "b"])["pearson"].mean()
    for a, b, counts in (("div", "dp", (10, 4)), ("div", "wd", (10, 6)), ("dp", "wd", (4, 6))):
        assert mean["one", a, b] == pytest.approx(shift_checks.shared_baseline_correlation(*counts), abs=0.08)
        assert abs(mean["own", a, b]) < 0.15 and abs(mean["other seed", a, b]) < 0.15
    placebo = shift_checks.shared_baseline_correlation(10, 3)
    assert mean["none", "div", "placebo"] == pytest.approx(placebo, abs=0.08)


def test_products_across_seeds_have_no_bias():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 5))
    noise = rng.standard_normal((20_000, 3, 5))
    # The same noise on both sides, as a shared baseline makes it: a plain product would be off by 1.
    found = fair_tests.product(a + noise, b + noise)
    assert found.mean() == pytest.approx((a * b).mean(), abs=4 * found.std() / np.sqrt(len(found)))
    seeds = np.array([[1.0, 0], [0, 2], [3, 1]])
    by_hand = sum(seeds[s] @ seeds[t] for s in range(3) for t in range(3) if s != t) / (6 * 2)
    assert fair_tests.product(seeds, seeds) == pytest.approx(by_hand)
    with pytest.raises(ValueError, match="two seeds"):
        fair_tests.product(seeds[:1], seeds[:1])


def shapes(rng_seed=1):
    rng = np.random.default_rng(rng_seed)
    return {name: rng.standard_normal(LAYERS) for name in ("div", "dp", "wd")}


@pytest.mark.parametrize("like", ["dp", "wd"])
def test_planted_likeness_is_found(like):
    shape = shapes() | {"div": shapes()[like]}
    frame = campaign(lambda category, order: (3 if category == "div" else 1) * order * shape[category], noise=0.5)
    other = {"dp": "wd", "wd": "dp"}[like]
    table = fair_tests.similarities(fair_tests.cases(frame, ("as they are",), ("log_norm",)))
    near, far = (select(table, a="div", b=name).iloc[0] for name in (like, other))
    assert near["similarity"] == pytest.approx(1, abs=0.05) and near["outcome"] == "win"
    assert near["low"] <= near["similarity"] <= near["high"]
    assert abs(far["similarity"]) < 0.4 and far["outcome"] != "win"
    distance = fair_tests.distances(fair_tests.cases(frame, ("as they are",), ("log_norm",))).set_index("against")
    assert distance.loc["wd", "outcome"] == {"dp": "win", "wd": "loss"}[like]
    if like == "dp":
        assert distance.loc["0", "outcome"] == "win"


def test_opposite_shifts_are_a_loss():
    shape = shapes()["dp"]
    frame = campaign(lambda category, order: order * shape * (-1 if category == "div" else 1), noise=0.5)
    table = fair_tests.similarities(fair_tests.cases(frame, ("as they are",), ("log_norm",)))
    assert (table["similarity"] < 0).tolist() == [True, True, False]
    assert table["outcome"].tolist() == ["loss", "loss", "tie"]


def test_noise_alone_is_a_tie():
    outcomes = []
    for seed in range(4):
        frame = campaign(nothing, random_seed=seed)
        outcomes += fair_tests.similarities(fair_tests.cases(frame, ("as they are",), ("log_norm",)))[
            "outcome"
        ].tolist()
        found = fair_tests.distances(fair_tests.cases(frame, ("as they are",), ("log_norm",)))
        outcomes += found["outcome"].tolist()
        # A plain squared distance would be 2/3 of the variance of the baseline's mean over seeds, and more.
        assert (found["to_other"].abs() < 0.25).all()
    assert outcomes.count("tie") >= len(outcomes) - 1  # of 20


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1, 5), min_size=1, max_size=6), st.floats(-1, 6))
def test_interpolation(levels, strength):
    levels = np.array(levels)
    weights = fair_tests.interpolation(strength, levels)
    if not 0 < strength <= levels.max(initial=0):
        assert weights is None
        return
    assert (weights >= 0).all() and weights.sum() <= 1 + 1e-9 and (weights > 0).sum() <= 2
    assert not weights[levels <= 0].any()
    assert weights @ levels == pytest.approx(strength)


def test_equal_strength_removes_a_difference_of_strength():
    """Three regularizers that do the same per strength, at very different strengths: alike where these are equal."""
    shape = shapes()["dp"]
    scale = {"bs": 0.0, "div": 0.2, "dp": 1.0, "wd": 2.0}
    frame = campaign(
        lambda category, order: 4 * scale[category] * order * shape,
        noise=0.3,
        strength=lambda category, order: scale[category] * order,
    )
    table = fair_tests.distances(fair_tests.cases(frame, metrics=("log_norm",))).set_index(["against", "match"])
    to_wd = table.loc["wd", "to_other"]
    assert to_wd["as they are"] > 10 * to_wd["equal training loss"]
    for match in fair_tests.STRENGTHS:
        row = table.loc["0", match]
        assert row["levels"] == 10 and abs(row["to_dp"]) < 0.05 * row["to_other"] and row["outcome"] == "win"
    # Nobody is as strong as the augmentation levels: nothing to compare.
    weak = campaign(lambda category, order: np.zeros(LAYERS), strength=lambda category, order: float(category == "div"))
    assert set(fair_tests.distances(fair_tests.cases(weak, metrics=("log_norm",)))["match"]) == {"as they are"}


def test_equivalence():
    shift = {"div": 0.5, "dp": 0.5, "wd": 3.0}
    frame = campaign(lambda category, order: np.full(LAYERS, shift[category]), noise=0.3)
    table = fair_tests.equivalence(fair_tests.cases(frame, ("as they are",), ("log_norm",))).set_index(["a", "b"])
    # Training adds 5, so the margin is 1.
    np.testing.assert_allclose(table["margin"], 1, rtol=0.02)
    assert table["equivalent"].to_dict() == {
        ("div", "dp"): True,
        ("div", "wd"): False,
        ("div", "0"): True,
        ("dp", "0"): True,
        ("wd", "0"): False,
    }
    assert table.loc[("div", "wd"), "mean"] == pytest.approx(-2.5, abs=0.1)
    assert (table["low"] < table["mean"]).all() and (table["mean"] < table["high"]).all()


def test_layers_without_a_value_are_left_out():
    frame = campaign(nothing)
    frame.loc[(frame["layer"] == 7) & (frame["seed"] == 1), "value"] = np.nan
    frame.loc[frame["layer"] == 9, "value"] = 4.0
    shifts = fair_tests.shifts_of(frame, ("log_norm",))["log_norm"]
    assert shifts.values.shape == (20, 3, LAYERS - 3)  # these two, and the last
    assert np.isfinite(shifts.values).all()


def test_the_last_layer_is_left_out_of_every_metric():
    """Where the classifier has no value, the layer before it is not the last one."""
    frame = campaign(nothing)
    missing = frame[frame["layer"] != LAYERS]
    missing = pd.concat([missing, frame[frame["layer"] == LAYERS].assign(metric="entropy")])
    assert fair_tests.shifts_of(missing, ("log_norm",))["log_norm"].values.shape[2] == LAYERS - 1
    assert fair_tests.shifts_of(frame, ("log_norm",))["log_norm"].values.shape[2] == LAYERS - 1


def test_metrics_are_those_of_the_spectral_report(results):
    """The derived records against a report of the same network, and the outcomes against their source."""
    plan = experiments.planned("diversity_cifar10", "quick", 1)
    (first,) = [c for c in plan.values() if c.arm == "main" and c.setting == "baseline"]
    derived = [c for c in experiments.planned("diversity_spectra", "quick", 1).values() if c.run == first.run_key]
    with pytest.raises(records.RecordError, match="weightspace run diversity_cifar10 --scale quick"):
        spectra.compute("diversity_cifar10", derived, "cpu")
    source = cifar10.compute([first], "cpu")
    experiments.record("diversity_cifar10", "quick", [first], source)
    frame = spectra.compute("diversity_cifar10", derived, "cpu")
    model = initialized(lambda: ResNet18(width=8), first.seed)
    report = report_of(layer_spectra(model), withhold=False).set_index("name")
    start = frame[(frame["epoch"] == 0) & (frame["unfolding"] == "(out, in k)")]
    names = layer_names(frame)
    assert names[1] == "conv1" and names[2] == "layer1.0.conv1" and names[21] == "fc" and len(names) == 21
    for metric in ("log_norm", "stable_rank", "entropy", "alpha"):
        ours = select(start, metric=metric).set_index("name")["value"]
        np.testing.assert_allclose(ours, report[metric].loc[ours.index], rtol=1e-3)
    loss = select(frame, metric="loss", inputs="train_clean")["value"].item()
    assert loss == select(source, metric="loss", inputs="train_clean", epoch=1)["value"].item()


@pytest.mark.parametrize("name", ["diversity_transfer_spectra", "diversity_text_spectra"])
def test_metrics_of_pretrained_networks(results, name):
    """Convolutions have two unfoldings, networks without them one; every layer is there, in the order of the model."""
    parent = spectra.PARENTS[name]
    plan = experiments.planned(parent, "quick", 1)
    (first,) = [c for c in plan.values() if c.arm == "main" and c.setting == "baseline"]
    source = experiments.get(parent).compute([first], "cpu")
    experiments.record(parent, "quick", [first], source)
    (derived,) = [c for c in experiments.planned(name, "quick", 1).values() if c.run == first.run_key]
    frame = spectra.compute(parent, [derived], "cpu")
    assert set(frame["dataset"]) == {first.dataset} and set(frame["model"]) == {first.model}
    names, stored = layer_names(frame), source[source["unfolding"] != ""]
    assert set(names.values()) == set(stored["layer"]) and names[len(names)] == "fc"
    slices = select(frame, unfolding="slices", epoch=0, metric="log_norm")
    assert len(slices) == len(names)
    has_convolutions = "slices" in set(stored["unfolding"])
    assert len(select(frame, unfolding="(out, in k)", epoch=0, metric="log_norm")) == has_convolutions * len(names)
    for row in slices.itertuples():
        own = select(stored, layer=row.name, epoch=0)
        norm = own[(own["unfolding"] == "slices") | (own["layer"].map(own["layer"].value_counts()) == 1)]["value"]
        assert row.value == pytest.approx(np.log10(norm.item()), rel=1e-3)
    changes = diversity_shifts.changes(frame)
    # A layer with a handful of eigenvalues has no power law.
    without = changes.groupby("metric")["layer"].nunique().rsub(len(names))
    assert without.drop("alpha").eq(0).all() and without["alpha"] < 4 and set(changes["category"]) == {"bs"}
    assert np.isfinite(changes["value"]).all() and (changes["value"] != 0).all()


def test_layers_are_in_the_order_of_their_numbers():
    names = ["layer.10.query", "fc", "embeddings.word", "layer.9.value", "layer.9.key"]
    rows = spectra.in_order(pd.DataFrame({"layer": names}))
    assert rows["layer"].tolist() == ["embeddings.word", "layer.9.key", "layer.9.value", "layer.10.query", "fc"]


def test_one_category_of_data_alone_is_diversity():
    """Of three kinds of changed data, each is compared with dropout by itself."""
    sizes = {"augmentation": 1.0, "dropout": 2.0, "synthetic": 3.0}
    frame = campaign(nothing, noise=0, seeds=1)
    categories = {s["setting"]: s["category"] for s in cifar10_settings.settings("laptop")}
    frame = frame.assign(category=frame["setting"].map(categories))
    generated = frame[frame["setting"] == "noise10"].assign(setting="synthetic_0.5", category="synthetic")
    frame = pd.concat([frame, generated])
    frame["value"] += frame["category"].map(sizes).fillna(0) * (frame["layer"] > 0) * (frame["epoch"] > 0)
    for category, expected in (("augmentation", 1.0), ("synthetic", 3.0)):
        own = diversity_shifts.with_diversity(frame, category)
        shifted = spectral_shifts.shifts(diversity_shifts.changes(own))
        means = shifted.groupby("category")["value"].mean()
        assert means["div"] == pytest.approx(expected) and means["dp"] == pytest.approx(2.0)
    with pytest.raises(ValueError, match="no category 'verified'"):
        diversity_shifts.with_diversity(frame, "verified")
    with pytest.raises(ValueError, match="of one data set are needed, these are of made up, other"):
        diversity_shifts.changes(pd.concat([frame, frame.assign(dataset="other")]))


def test_head_and_body_are_told_apart():
    """Diversity halves the squared norm of the body and doubles that of the head, dropout halves both."""
    body = -np.log10(2) * np.linspace(0.5, 1.5, LAYERS - 1)
    heads = {"div": np.log10(2), "dp": -np.log10(2), "wd": 1.0}
    frame = campaign(lambda category, order: np.append(body * (category != "wd"), heads[category]), noise=0)
    found = diversity_shifts.norm_changes(frame).set_index(["part", "category"])["percent"]
    assert found["head", "div"] == pytest.approx(100) and found["head", "dp"] == pytest.approx(-50)
    assert found["body", "div"] == pytest.approx(-50) and found["body", "dp"] == pytest.approx(-50)
    assert found["body", "wd"] == pytest.approx(0) and found["head", "training"] == pytest.approx(100 * (10**5 - 1))
    # All layers together: the geometric mean of LAYERS - 1 layers of the body and one head.
    logs = np.log10([0.5] * (LAYERS - 1) + [2.0])
    assert found["whole", "div"] == pytest.approx(100 * (10 ** logs.mean() - 1))
    shifts = spectral_shifts.shifts(diversity_shifts.changes(frame, metrics=("log_norm",)))
    whole = diversity_shifts.seed_comparisons(shifts)
    of_body = diversity_shifts.seed_comparisons(shifts[~spectral_shifts.last_layer(shifts)])
    assert whole["seed"].nunique() == shifts["seed"].nunique()
    assert select(of_body, a="div", b="dp")["pearson"].to_numpy() == pytest.approx(1)
    assert (select(whole, a="div", b="dp")["pearson"] < 0.9).all()


def test_levels_beyond_what_seeds_do_are_counted():
    sizes = pd.DataFrame(
        [("div", "a", 0.5), ("div", "b", 1.5), ("div", "c", np.nan), ("dp", "0.1", 3.0)],
        columns=["category", "level", "size"],
    )
    found = fair_tests.beyond_seeds(sizes.assign(metric="alpha")).set_index("category")
    assert found[["levels", "beyond"]].to_numpy().tolist() == [[3, 1], [1, 1]]
