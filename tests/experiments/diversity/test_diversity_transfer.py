"""Fine-tuning: its plan, what its settings share, one run from end to end, other networks and other data."""

from functools import partial

import numpy as np
import pandas as pd
import plans
import pytest
import torch
from PIL import Image

from weightspace import experiments
from weightspace.data import DataError, image_folders
from weightspace.data.corruptions import CORRUPTIONS
from weightspace.experiments.diversity import batch_norm, cifar10_settings, transfer
from weightspace.experiments.diversity.compute import image_runs
from weightspace.models import pretrained

NAME = "diversity_transfer"
planned = partial(plans.planned, NAME)


@pytest.mark.parametrize(("scale", "seeds"), [("laptop", 3), ("paper", 5)])
def test_the_plan_has_the_21_settings_and_what_the_rate_of_the_paper_does(scale, seeds):
    plan = pd.DataFrame(planned(scale, seeds))
    number = plan.groupby(["arm", "category"])["seed"].agg(["size", "nunique"])
    whole = {"augmentation": 10 * seeds, "baseline": seeds, "dropout": 4 * seeds, "weight_decay": 6 * seeds}
    assert number.loc["main", "size"].to_dict() == whole
    assert number.loc["paper_rate", "size"].to_dict() == (whole if scale == "paper" else {"baseline": seeds})
    assert number.loc[("independent", "baseline")].tolist() == [3 * seeds, 3 * seeds]
    assert set(plan["model"]) == {"efficientnet_lite0"} and set(plan["batch_size"]) == {32}
    assert set(plan[plan["arm"] == "paper_rate"]["lr"]) == {1e-5}
    assert set(plan[plan["arm"] != "paper_rate"]["lr"]) == {transfer.RATES[scale]}
    first = plan.head(21)
    assert set(first["seed"]) == {0} and set(first["arm"]) == {"main"}
    assert first["setting"].tolist() == [setting["setting"] for setting in cifar10_settings.settings(scale)]


def test_settings_of_a_seed_share_the_start_and_seeds_the_pretrained_weights():
    runs = [
        image_runs.trainer(c, "cpu").model.state_dict()
        for c in (
            *planned(arm="main", setting="baseline"),
            *planned(arm="main", setting="dropout_0.5"),
            *planned(arm="paper_rate", setting="baseline"),
            planned(arm="independent")[0],
        )
    ]
    for other in runs[1:3]:
        assert all(torch.equal(value, other[name]) for name, value in runs[0].items())
    differ = {name for name, value in runs[0].items() if not torch.equal(value, runs[3][name])}
    assert differ == {"fc.weight", "fc.bias"}


def test_the_two_rates_are_the_sizes_of_the_first_step():
    """Adam's first step moves a weight by lr g / (|g| + 1e-8): by the rate wherever the gradient is not tiny."""
    for arm, rate in (("paper_rate", 1e-5), ("main", transfer.RATES["quick"])):
        run = image_runs.trainer(planned(arm=arm, setting="baseline")[0], "cpu")
        images = image_runs.load_images("digits")
        before = run.model.fc.weight.detach().clone()
        run.train_epoch(images.x[:32], images.y[:32], epoch=1)
        steps = (run.model.fc.weight.detach() - before).abs()
        assert steps.max().item() == pytest.approx(rate, rel=0.01) and steps.median().item() > 0.9 * rate


@pytest.fixture(scope="module")
def frames():
    """The baseline of both rates."""
    return {arm: transfer.compute(planned(arm=arm, setting="baseline"), "cpu") for arm in ("main", "paper_rate")}


def test_a_run_fills_the_contract(frames):
    frame = frames["main"]
    assert np.isfinite(frame["value"]).all() and frame["run_key"].nunique() == 1
    assert set(frame["model"]) == {"efficientnet_lite0"}
    scores = frame[frame["layer"] == ""]
    assert not scores.duplicated(["epoch", "inputs", "severity", "metric"]).any()
    own = {"linear_probe": 1, "train": 2, "train_clean": 3, "test": 3, "test_part": 3}
    assert scores.groupby("inputs").size().to_dict() == own | {kind: 15 for kind in CORRUPTIONS}
    found = frame[frame["layer"] != ""]
    assert set(found["epoch"]) == {0, 1} and (found["M"] > 1).all()
    assert set(frames["paper_rate"]["epoch"]) == {1}  # it starts from the weights that the main arm has on record


def test_spectra_are_of_every_layer_that_is_not_depthwise(frames):
    """Against singular values of the pretrained weights; a 1x1 convolution has one place, so both unfoldings agree."""
    model = pretrained("efficientnet_lite0")
    start = frames["main"][(frames["main"]["layer"] != "") & (frames["main"]["epoch"] == 0)]
    modules = dict(model.named_modules())
    convolutions = {n for n, m in modules.items() if isinstance(m, torch.nn.Conv2d) and m.in_channels != m.groups}
    assert set(start["layer"]) == convolutions | {"fc"} and len(convolutions) == 33
    for row in start[start["layer"].isin(["encoder.blocks.3.0.conv_pwl", "encoder.conv_head"])].itertuples():
        values = torch.linalg.svdvals(modules[row.layer].weight.detach().flatten(1).double()).square()
        np.testing.assert_allclose(row.eigenvalues, values.sort().values, rtol=1e-4, atol=1e-6)
        assert row.value == pytest.approx(values.sum().item(), rel=1e-5)
    assert start.groupby("layer").size().drop("fc").eq(2).all()


def test_the_probe_tells_features_from_noise():
    """A few digits at 32 pixels, where features are poor; against labels that have nothing to do with the images."""
    run = image_runs.trainer(planned(arm="main", setting="baseline")[0], "cpu")
    images = image_runs.load_images("digits")
    x, y = images.x[:160], images.y[:160]
    right = image_runs.probe(run, x[:120], y[:120], x[120:], y[120:])
    wrong = image_runs.probe(run, x[:120], np.random.default_rng(0).permutation(y[:120]), x[120:], y[120:])
    assert right > 0.3 and wrong < 0.25


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two classes of flat images: red and blue, one of them wider than high; grey rims are cut away."""
    monkeypatch.setenv("WEIGHTSPACE_DATA", str(tmp_path))
    for part, number in (("train", 20), ("test", 4)):
        for name, colour in (("blue", (0, 0, 200)), ("red", (200, 0, 0))):
            (tmp_path / "mine" / part / name).mkdir(parents=True)
            for k in range(number):
                image = Image.new("RGB", (64, 32), (90, 90, 90))
                image.paste((*colour[:2], colour[2] + k), (16, 0, 48, 32))
                image.save(tmp_path / "mine" / part / name / f"{k}.png")
    return tmp_path / "mine"


def test_a_folder_of_images_is_a_data_set(folder):
    raw = image_folders.load("mine")
    assert raw.x.shape == (40, 224, 224, 3) and raw.test_x.shape == (8, 224, 224, 3)
    assert set(raw.y[:20]) == {0, 1}  # shuffled: the first are a sample of both
    colour = raw.x[:, 112, 112].astype(int)
    np.testing.assert_array_equal(raw.y, (colour[:, 0] > 100).astype(int))  # blue is the first name
    assert len({tuple(c) for c in colour}) == 40 and (raw.x[:, 10, 10] != 90).all()
    again = image_folders.load("mine")
    np.testing.assert_array_equal(raw.x, again.x)
    assert raw.digest == again.digest


def test_other_networks_and_data_are_the_same_command(folder, monkeypatch):
    """CLIP in a small size on a folder of images: 224 pixels, two classes, all the same rows."""
    vit = {"image_size": 224, "patch_size": 56, "width": 16, "layers": 1, "head_width": 8}
    text = {"context_length": 4, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}
    config = {"embed_dim": 12, "vision_cfg": vit, "text_cfg": text}
    monkeypatch.setattr(
        image_runs, "pretrained", lambda name, classes, dropout: pretrained(name, classes, dropout, config=config)
    )
    monkeypatch.setattr(image_runs, "CORRUPTIONS", {"brightness": CORRUPTIONS["brightness"]})
    changes = {"model": "clip_vit_b32", "dataset": "mine", "resolution": 224}
    with pytest.raises(ValueError, match="train_size: mine has 40 training images, got 48"):
        experiments.planned(NAME, "quick", 1, changes)
    changes |= {"train_size": 40, "test_size": 8}
    plan = experiments.planned(NAME, "quick", 1, changes)
    frame = transfer.compute([next(iter(plan.values()))], "cpu")
    assert set(frame["model"]) == {"clip_vit_b32"} and set(frame["dataset"]) == {"mine"}
    fc = frame[(frame["layer"] == "fc") & (frame["epoch"] == 1)].iloc[0]
    assert (fc["N"], fc["M"]) == (12, 2) and set(frame["run_key"]) == {next(iter(plan))}


def test_damaged_folders_are_named(folder):
    with pytest.raises(DataError, match="no data set 'yours': known are .*put images into train/CLASS and test/CLASS"):
        image_folders.load("yours")
    (folder / "test" / "red" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="0.png is no readable image"):
        image_folders.load("mine")
    (folder / "test" / "red" / "0.png").unlink()
    (folder / "test" / "red").rename(folder / "test" / "green")
    with pytest.raises(DataError, match="must have the same classes; in one of them only: green, red"):
        image_folders.load("mine")
    for file in (folder / "train" / "red").glob("*"):
        file.unlink()
    with pytest.raises(DataError, match="train must hold a folder of images for each class"):
        image_folders.load("mine")


def test_statistics_of_batch_norm_are_told_from_the_weights():
    """The network is that of the campaign, and new statistics change what it says and nothing else."""
    (c,) = plans.planned("diversity_batch_norm", setting="noise50")
    found = batch_norm.compute([c], "cpu").pivot(index="inputs", columns="metric", values="value")
    assert found.index.tolist() == ["test", "test_changed", "test_new_statistics"]
    campaign = transfer.compute(planned(arm="main", setting="noise50"), "cpu")
    last = campaign[(campaign["inputs"] == "test") & (campaign["metric"] == "loss")]["value"].item()
    assert found["loss"]["test"] == last
    assert found["loss"].nunique() == 3
