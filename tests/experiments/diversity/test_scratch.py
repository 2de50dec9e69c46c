"""The from-scratch experiment: what its settings are, that each acts, that what is recorded is what was trained."""

from collections import Counter

import numpy as np
import pytest
import torch
from plans import planned
from torch import nn

from weightspace import experiments
from weightspace.campaigns.configuration import with_changes
from weightspace.data import augmentations
from weightspace.experiments.diversity import scratch_controls, scratch_settings
from weightspace.experiments.diversity.compute.image_runs import rounded
from weightspace.experiments.diversity.compute.scratch_runs import (
    MATRIX,
    norm_keeper,
    spectra,
    train_and_measure,
    trainer,
    training_labels,
)
from weightspace.experiments.diversity.protocol import load_images
from weightspace.training.trainer import Recipe


@pytest.fixture(scope="module")
def plain():
    """The baseline at the quick scale, without the corrupted images."""
    first = scratch_settings.configurations("quick", 1)[0]
    return with_changes(first, {"corruption_size": 0, "test_size": 16, "spectra_epochs": [0, 2], "score_epochs": [1]})


def test_the_plan_is_papers_settings_and_ours_with_several_baselines():
    plan = scratch_settings.configurations("laptop", 10)
    names = Counter(c.setting for c in plan)
    ours = len(augmentations.OURS)
    assert (
        len(names) == 24 + ours
        and names.pop("baseline") == 10 * scratch_settings.BASELINES
        and set(names.values()) == {10}
    )
    categories = Counter(c.category for c in plan if c.seed == 0)
    assert categories == {"baseline": 3, "dropout": 6, "weight_decay": 6, "augmentation": 10 + ours, "combined": 1}
    assert len({c.run_key for c in plan}) == len(plan)
    assert [c.seed for c in plan] == sorted(c.seed for c in plan)  # whole seeds first


def test_a_control_changes_what_it_says_and_nothing_else():
    main = {(c.setting, c.seed, c.replicate): c.settings() for c in scratch_settings.configurations("laptop", 5)}
    plan = scratch_controls.controls("laptop", 5)
    assert len({c.run_key for c in plan}) == len(plan) == 5 * (1 + 4 * 7)
    for c in plan:
        same = main[c.setting, c.seed, c.replicate]
        found = {name for name, value in c.settings().items() if same.get(name) != value}
        assert found == {"experiment", "control", *scratch_controls.CHANGES[c.control]}


def test_the_map_is_the_main_campaign_at_other_sizes():
    main = {(c.setting, c.seed, c.replicate): c.settings() for c in scratch_settings.configurations("laptop", 5)}
    plan = scratch_controls.sizes("laptop", 5)
    assert len({c.run_key for c in plan}) == len(plan) == 5 * 3 * 10
    for c in plan:
        same = main[c.setting, c.seed, c.replicate]
        assert {name for name, value in c.settings().items() if same[name] != value} == {"experiment", "train_size"}


def test_the_paper_scale_has_both_rates():
    assert {c.lr for c in experiments.planned("diversity_from_scratch").values()} == {3e-3, 1e-5}


def test_replicates_start_from_the_same_weights_and_see_another_order(plain):
    runs = [trainer(with_changes(plain, {"replicate": k}), "cpu") for k in (0, 1)]
    for ours, theirs in zip(runs[0].model.parameters(), runs[1].model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    x, y = load_images("digits").x[:64], load_images("digits").y[:64]
    seen = []
    for run in runs:
        run.model.conv1.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
        run.train_epoch(x, y, 1)
    assert not torch.equal(seen[0], seen[2])
    assert torch.equal(*(torch.cat(seen[k : k + 2]).flatten(1).sum(1).sort().values for k in (0, 2)))


def test_training_stops_at_the_loss_that_was_asked_for(plain):
    first = (
        train_and_measure(plain, "cpu").query("inputs == 'train' and metric == 'loss' and epoch == 1")["value"].item()
    )
    stopped = train_and_measure(with_changes(plain, {"stop_loss": first}), "cpu")
    assert stopped["epoch"].max() == 1
    assert {"train_clean", "test", ""} <= set(stopped.query("epoch == 1")["inputs"])  # the end is measured
    assert train_and_measure(with_changes(plain, {"stop_loss": 0.9 * first, "epochs": 2}), "cpu")["epoch"].max() == 2


def test_the_rate_falls_along_half_a_cosine():
    recipe = Recipe("adam", 0.2, 8, cosine_epochs=4)
    assert [recipe.lr_after(t) for t in (0, 2, 4, 5)] == pytest.approx([0.2, 0.1, 0, 0])
    assert recipe.lr_after(1) == pytest.approx(0.1 * (1 + 2**-0.5))
    assert Recipe("adam", 0.2, 8).lr_after(3) == 0.2


def test_kernels_keep_their_norm_and_the_network_what_it_computes(plain):
    """Batch norm undoes a factor of the kernel in front of it, but for its eps."""
    run = trainer(plain, "cpu")
    kernels = [m.weight for m in run.model.modules() if isinstance(m, nn.Conv2d)]
    before = [k.detach().norm().item() for k in kernels]
    keep = norm_keeper(run.model)
    x = torch.randn(16, 3, 32, 32)
    expected = run.model.train()(x)
    with torch.no_grad():
        for kernel in kernels:
            kernel.mul_(3.0)
    tripled = run.model(x)
    keep()
    assert [k.detach().norm().item() for k in kernels] == pytest.approx(before)
    torch.testing.assert_close(run.model(x), expected)
    torch.testing.assert_close(tripled, expected, atol=2e-3, rtol=2e-3)


def test_label_noise_is_of_the_seed_and_of_the_stated_fraction(plain):
    clean = training_labels(plain)
    noisy = training_labels(with_changes(plain, {"label_noise": 0.25}))
    assert (noisy != clean).sum() == 32
    assert np.array_equal(noisy, training_labels(with_changes(plain, {"label_noise": 0.25, "dropout": 0.5})))
    assert not np.array_equal(noisy, training_labels(with_changes(plain, {"label_noise": 0.25, "seed": 1})))


def test_folded_kernels_act_as_convolution_and_batch_norm_do(plain):
    """A folded row, applied to a patch, changes as the output of the batch norm does (in evaluation)."""
    run = trainer(plain, "cpu")
    images = load_images("digits")
    run.train_epoch(images.x[:128], images.y[:128], 1)
    model = run.model.eval()
    rows = {(r["layer"], r["batch_norm"], r["unfolding"]): r for r in spectra(model)}
    block = model.layer2[0]
    x = torch.randn(64, 8, 8, 8)
    for name, conv, norm in (
        ("layer2.0.conv1", block.conv1, block.bn1),
        ("layer2.0.downsample.0", block.downsample[0], block.downsample[1]),
    ):
        with torch.no_grad():
            response = norm(conv(x)) - norm(conv(torch.zeros_like(x)))
            patches = nn.functional.unfold(x, conv.kernel_size, padding=conv.padding, stride=conv.stride)
            outputs = response.flatten(2).transpose(1, 2).reshape(-1, 16)
            inputs = patches.transpose(1, 2).reshape(outputs.shape[0], -1)
            matrix = torch.linalg.lstsq(inputs.double(), outputs.double()).solution.T
        expected = torch.linalg.svdvals(matrix).square().sort().values
        row = rows[name, "folded", MATRIX]
        np.testing.assert_allclose(row["eigenvalues"], expected, rtol=2e-4, atol=1e-5)
    assert ("fc", "folded", MATRIX) not in rows and ("fc", "apart", MATRIX) in rows


def test_scaling_a_kernel_leaves_the_folded_spectrum():
    """With the statistics that belong to it: the raw spectrum says nothing about the function."""
    run = trainer(scratch_settings.configurations("quick", 1)[0], "cpu")
    conv, norm = run.model.layer1[0].conv1, run.model.layer1[0].bn1
    key = ("layer1.0.conv1", "folded", MATRIX)
    before = {(r["layer"], r["batch_norm"], r["unfolding"]): r["value"] for r in spectra(run.model)}
    with torch.no_grad():
        conv.weight.mul_(2.0)
        norm.running_var.mul_(4.0)
    after = {(r["layer"], r["batch_norm"], r["unfolding"]): r["value"] for r in spectra(run.model)}
    assert after[key] == pytest.approx(before[key], rel=1e-4)
    raw = ("layer1.0.conv1", "apart", MATRIX)
    assert after[raw] == pytest.approx(4 * before[raw], rel=1e-5)


def test_stored_eigenvalues_are_rounded_to_sixteen_bits():
    values = np.random.default_rng(0).lognormal(0, 3, 1000).astype(np.float32)
    assert np.abs(rounded(values) / values - 1).max() <= 2**-16
    assert (rounded(values).view(np.uint32) & 0xFF == 0).all()


def test_metrics_of_every_form_are_those_of_the_stored_spectra(results):
    """Through the derived experiment: every epoch and form has all layers in order, with the norms on record."""
    first = scratch_settings.configurations("quick", 1)[0]
    source = train_and_measure(first, "cpu")
    experiments.record("diversity_from_scratch", "quick", [first], source)
    (derived,) = planned("diversity_from_scratch_spectra", run=first.run_key)
    frame = experiments.get("diversity_from_scratch_spectra").compute([derived], "cpu")
    assert set(frame["run_key"]) == {derived.run_key}
    norms = frame[frame["metric"] == "log_norm"]
    stored = source[source["unfolding"] != ""].set_index(["epoch", "layer", "batch_norm", "unfolding"])["value"]
    assert len(norms) == len(first.spectra_epochs) * 3 * 21
    for row in norms.itertuples():  # the classifier is the same matrix in every form
        form = ("apart", MATRIX) if row.name == "fc" else (row.batch_norm, row.unfolding)
        assert row.value == pytest.approx(np.log10(stored[row.epoch, row.name, *form]), rel=1e-4)
    for _, own in norms.groupby(["epoch", "batch_norm", "unfolding"]):
        assert own["layer"].tolist() == list(range(1, 22)) and own["name"].iloc[-1] == "fc"
    assert set(frame.loc[frame["layer"] == 0, "inputs"]) == {"train", "train_clean", "test"}


def test_spectra_of_controls_and_of_the_map_name_their_runs():
    for parent, column in (("diversity_controls", "control"), ("diversity_map", "train_size")):
        plan = list(experiments.planned(parent, "laptop").values())
        derived = list(experiments.planned(f"{parent}_spectra", "laptop").values())
        assert [c.run for c in derived] == [c.run_key for c in plan]
        assert [getattr(c, column) for c in derived] == [getattr(c, column) for c in plan]
