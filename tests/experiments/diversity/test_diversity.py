"""The training campaign of paper A: its plan, one run of it from end to end, its stored spectra, resuming."""

import numpy as np
import pandas as pd
import pytest
import torch
from plans import planned

from weightspace import experiments
from weightspace.__main__ import main
from weightspace.campaigns import reading, records
from weightspace.data.augmentations import LEVELS, augment
from weightspace.data.corruptions import CORRUPTIONS
from weightspace.experiments.diversity import cifar10, cifar10_settings, hessian, set_scores
from weightspace.experiments.diversity.compute import image_runs
from weightspace.models import ResNet18
from weightspace.spectra.report import report_of, spectral_report
from weightspace.training.trainer import initialized

NAME = "diversity_cifar10"


@pytest.mark.parametrize(("scale", "seeds"), [("laptop", 3), ("paper", 5)])
def test_the_plan_has_every_setting_seed_and_arm(scale, seeds):
    plan = pd.DataFrame(experiments.planned(NAME, scale).values())
    number = plan.groupby(["arm", "category"])["seed"].agg(["size", "nunique"])
    assert number.loc["main", "size"].to_dict() == {
        "augmentation": 10 * seeds,
        "baseline": seeds,
        "dropout": 4 * seeds,
        "weight_decay": 6 * seeds,
    }
    assert number.loc[("cumulative", "augmentation"), "size"] == 9 * seeds
    # One baseline per category and seed, none of them shared, and none of them that of the main arm.
    assert number.loc[("independent", "baseline")].tolist() == [3 * seeds, 3 * seeds]
    assert not set(plan[plan["arm"] == "independent"]["seed"]) & set(plan[plan["arm"] == "main"]["seed"])
    # An interrupted campaign has whole seeds of the main arm, the baseline first.
    first = plan.head(21)
    assert set(first["seed"]) == {0} and first["setting"].iloc[0] == "baseline" and first["setting"].is_unique


def test_each_setting_has_one_regularizer():
    for setting in cifar10_settings.settings("paper"):
        active = {name for name in ("dropout", "weight_decay", "augmentation") if setting[name]}
        assert active == ({setting["category"]} - {"baseline"})


@pytest.fixture(scope="module")
def quick():
    """The quick scale's plan by arm and setting, seed 0, and a function that computes one of it."""
    plan = {(c.arm, c.setting): c for c in experiments.planned(NAME, "quick", 1).values()}
    return lambda arm, setting: cifar10.compute([plan[arm, setting]], "cpu")


@pytest.fixture(scope="module")
def baseline(quick):
    return quick("main", "baseline")


def test_a_run_fills_the_contract(baseline):
    assert np.isfinite(baseline["value"]).all() and baseline["run_key"].nunique() == 1
    scores = baseline[baseline["layer"] == ""]
    assert not scores.duplicated(["epoch", "inputs", "severity", "metric"]).any()
    by_inputs = scores.groupby("inputs").size().to_dict()
    assert by_inputs == {"train": 2, "train_clean": 3, "test": 3, "test_part": 3} | {kind: 15 for kind in CORRUPTIONS}
    accuracy = scores[scores["metric"] == "accuracy_percent"]["value"]
    assert accuracy.between(0, 100).all() and scores[scores["metric"] == "ece"]["value"].between(0, 1).all()
    spectra = baseline[baseline["layer"] != ""]
    assert spectra.groupby("epoch").size().to_dict() == {0: 41, 1: 41}  # 20 convolutions twice and fc, start and end
    assert scores["eigenvalues"].isna().all() and spectra["eigenvalues"].notna().all()


def test_the_same_seed_gives_the_same_record(quick, baseline):
    pd.testing.assert_frame_equal(quick("main", "baseline"), baseline)


def test_settings_share_the_start_and_differ_in_the_end(quick, baseline):
    noisy = quick("main", "noise50")
    assert set(noisy[noisy["layer"] != ""]["epoch"]) == {1}  # the start is that of the baseline, which stores it
    final = [frame[(frame["epoch"] == 1) & (frame["layer"] == "layer4.1.conv2")] for frame in (baseline, noisy)]
    assert (final[0]["value"].to_numpy() != final[1]["value"].to_numpy()).all()
    assert not np.array_equal(final[0]["eigenvalues"].iloc[0], final[1]["eigenvalues"].iloc[0])


def test_stored_spectra_are_those_of_the_weights(baseline):
    """Against singular values, and for the start against the initial weights of the seed."""
    model = initialized(lambda: ResNet18(width=8), 0)
    rows = {(row["layer"], row["unfolding"]): row for row in image_runs.spectra(model)}
    weight = model.layer2[0].conv1.weight.detach().double()
    whole = torch.linalg.svdvals(weight.reshape(16, 72)).square().sort().values
    slices = torch.cat([torch.linalg.svdvals(weight[:, :, i, j]) for i in range(3) for j in range(3)])
    for unfolding, expected, sides in (
        ("(out, in k)", whole, (72, 16)),
        ("slices", slices.square().sort().values, (16, 8)),
    ):
        row = rows["layer2.0.conv1", unfolding]
        np.testing.assert_allclose(row["eigenvalues"], expected, rtol=1e-4, atol=1e-6)
        assert (row["N"], row["M"]) == sides and row["eigenvalues"].dtype == np.float32
        assert row["value"] == pytest.approx(weight.square().sum().item())  # the trace, in either unfolding
        stored = baseline.query("epoch == 0 and layer == 'layer2.0.conv1' and unfolding == @unfolding")
        np.testing.assert_array_equal(stored["eigenvalues"].item(), row["eigenvalues"])


def test_every_metric_can_be_computed_from_the_records():
    """The report from stored eigenvalues is that of the network, but for the rounding to single precision."""
    model = initialized(lambda: ResNet18(width=24), 0)
    rows = pd.DataFrame(image_runs.spectra(model))
    whole = rows[rows["unfolding"] == "(out, in k)"]
    ours = report_of(image_runs.stored_spectra(whole)).set_index("name")
    theirs = spectral_report(model, progress=False).set_index("name").loc[ours.index]
    numbers = [name for name in theirs if name != "layer_id" and pd.api.types.is_numeric_dtype(theirs[name])]
    assert len(numbers) > 20 and ours["D"].notna().sum() > 10
    pd.testing.assert_frame_equal(ours[numbers], theirs[numbers], rtol=1e-4, check_dtype=False)
    slices = image_runs.stored_spectra(rows[rows["unfolding"] == "slices"])
    assert {spectrum.matrices for spectrum in slices} == {1, 9}
    with pytest.raises(ValueError, match="a layer occurs twice"):
        image_runs.stored_spectra(rows)


def test_cumulative_levels_stand_on_the_one_before():
    x = image_runs.load_images("digits").x[:6]
    seen = {
        (level, chain): image_runs.training_images("digits", 6, level, chain, 3, 1)
        for level in LEVELS[:3]
        for chain in (False, True)
    }
    np.testing.assert_array_equal(seen["auto_augment", True], seen["auto_augment", False])
    np.testing.assert_array_equal(seen["rand_augment", False], augment(x, "rand_augment", 3, 1))
    np.testing.assert_array_equal(
        seen["aug_mix", True], augment(augment(seen["auto_augment", False], "rand_augment", 3, 1), "aug_mix", 3, 1)
    )
    assert image_runs.training_images("digits", 6, "", False, 3, 1) is not None
    np.testing.assert_array_equal(image_runs.training_images("digits", 6, "", False, 3, 1), x)


def test_looking_at_the_curvature_does_not_change_the_training(baseline):
    """The losses are, to the last digit, those of the campaign, which does not look; the start is shared."""
    looked, decayed, dropped = (
        hessian.compute(planned("diversity_hessian", setting=setting), "cpu")
        for setting in ("baseline", "weight_decay_0.001", "dropout_0.3")
    )
    campaign = baseline[(baseline["inputs"] == "train") & (baseline["metric"] == "loss")]["value"]
    assert looked["train_loss"].dropna().tolist() == campaign.tolist()
    start, end = (np.array([f["value"].iloc[k] for f in (looked, decayed, dropped)]) for k in (0, 1))
    assert start[0] == start[1] != start[2]  # weight decay is no part of the loss, dropout is
    assert len(set(end)) == 3 and np.isfinite(end).all() and (looked["standard_error"] > 0).all()


def test_each_trace_is_of_its_own_batch_and_leaves_the_network_alone():
    (c,) = planned("diversity_hessian", setting="baseline")
    run, images = image_runs.trainer(c, "cpu"), image_runs.load_images("digits")
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    other = images.x[:64].copy()
    other[32:] = 255 - other[32:]
    first, second = (image_runs.batch_traces(run, x, images.y, 2, 2, 0) for x in (images.x, other))
    assert first.shape == (2,) and first[0] == second[0] and first[1] != second[1]
    assert all(torch.equal(before[name], value) for name, value in run.model.state_dict().items())


def test_the_images_as_they_are_keep_their_whole_score():
    """rho of a set with itself is 1; other images have less of it, and other numbers of things in them."""
    chosen = planned("diversity_sets", arm="single")
    chosen = [c for c in chosen if c.augmentation in ("", "noise50", "trivial_augment_wide")]
    frame = set_scores.compute(chosen, "cpu").pivot_table(
        index="augmentation", columns=["of", "metric"], values="value"
    )
    for of in ("pixels", "embeddings"):
        plain, weighted = frame[of, "vendi"], frame[of, "weighted_vendi"]
        assert weighted[""] == pytest.approx(plain[""])
        assert (weighted.drop("") < 0.9999 * plain.drop("")).all() and plain.between(1, 32).all()
    assert frame["pixels", "vendi"]["trivial_augment_wide"] > frame["pixels", "vendi"][""]


def test_every_level_and_chain_has_a_score():
    plan = pd.DataFrame(experiments.planned("diversity_sets", "laptop").values())
    assert (plan.groupby("seed").size() == 1 + 10 + 9).all() and plan["seed"].nunique() == 3


def test_a_run_that_is_deleted_is_computed_again_alone(results, monkeypatch, baseline):
    """The machinery of all experiments, with rows that hold eigenvalues; training itself is replaced."""
    trained = []

    def short(configuration, device):
        trained.append((configuration.arm, configuration.setting, configuration.seed))
        identity = {name: getattr(configuration, name) for name in ("arm", "category", "setting", "seed")}
        return baseline.assign(**identity, run_key=configuration.run_key)

    monkeypatch.setattr(image_runs, "train_and_measure", short)
    assert experiments.run(NAME, "quick", progress=False) == len(trained) == 16
    before = records.load(NAME, "quick")
    lost = before[(before["setting"] == "noise50") & (before["arm"] == "cumulative")]["run_key"].iloc[0]
    records.merge(NAME, "quick", lambda runs: set(runs["run_key"]) - {lost})
    trained.clear()
    assert experiments.run(NAME, "quick", progress=False) == 1
    assert len(trained) == 1 and trained[0][:2] == ("cumulative", "noise50")
    compared = ["arm", "setting", "seed", "epoch", "metric", "value", "run_key"]
    pd.testing.assert_frame_equal(records.load(NAME, "quick")[compared], before[compared])


def test_the_scale_of_the_paper_is_refused_without_a_gpu(results, capsys):
    assert main(["run", NAME]) == 1
    assert "needs a GPU at scale paper: run it with --device cuda, or with --scale laptop" in capsys.readouterr().err


def test_running_all_takes_the_laptop_scale_where_a_gpu_would_be_needed(monkeypatch, capsys):
    called = {}
    monkeypatch.setattr(experiments, "run", lambda name, scale, *_, **__: called.update({name: scale}) or 0)
    assert main(["run", "all"]) == 0
    assert called[NAME] == "laptop" and called["dual_regression"] == "paper"
    assert f"{NAME} (laptop): 0 runs" in capsys.readouterr().out


def test_the_book_shows_the_laptop_scale_until_the_papers_is_whole(results, monkeypatch):
    assert experiments.committed_scale(NAME) == "laptop"
    assert experiments.committed_scale("dual_regression") == "paper"
    monkeypatch.setattr(reading, "missing_runs", lambda name, scale: set())
    assert experiments.committed_scale(NAME) == "paper"
