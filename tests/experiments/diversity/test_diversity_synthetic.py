"""The experiment with synthetic images: plan, training sets, the generator and its cache, what is said of the sets."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from plans import one, planned

from weightspace import experiments
from weightspace.campaigns.configuration import with_changes
from weightspace.campaigns.records import RecordError
from weightspace.experiments.diversity import cifar10 as diversity_cifar10
from weightspace.experiments.diversity import synthetic as synthetic_experiment
from weightspace.experiments.diversity import synthetic_settings
from weightspace.experiments.diversity.compute import image_generator, synthetic_runs
from weightspace.experiments.diversity.protocol import load_images
from weightspace.experiments.diversity.synthetic_settings import GeneratorConfiguration
from weightspace.training.trainer import loss_and_accuracy

NAME = "diversity_synthetic"


def plan(name=NAME, scale="quick", **chosen):
    return planned(name, scale, **chosen)


@pytest.fixture(scope="module")
def generator():
    return GeneratorConfiguration(**synthetic_settings.generator_settings("quick", 0))


@pytest.fixture(scope="module")
def made(generator_cache, generator):
    return image_generator.synthetic(generator, "cpu")


@pytest.mark.parametrize(("scale", "seeds"), [("laptop", 3), ("paper", 5)])
def test_the_plan(scale, seeds):
    table = pd.DataFrame(experiments.planned(NAME, scale).values())
    number = table.groupby(["arm", "category"])["seed"].agg(["size", "nunique"])
    expected = {"augmentation": 3, "baseline": 1, "dropout": 1, "synthetic": 4, "weight_decay": 1}
    assert number.loc["main", "size"].to_dict() == {name: k * seeds for name, k in expected.items()}
    assert number.loc[("independent", "baseline")].tolist() == [4 * seeds, 4 * seeds]
    # Equal steps, and one thing changed at a time.
    assert table["epochs"].nunique() == table["train_size"].nunique() == 1
    changed = table[["dropout", "weight_decay", "synthetic_share"]].gt(0).assign(a=table["augmentation"] != "")
    assert (changed.sum(axis=1) == (table["category"] != "baseline")).all()
    assert (table["generator"].map(bool) == (table["category"] == "synthetic")).all()


def test_all_experiments_of_a_seed_name_the_same_generator(generator):
    keys = {c.made_by.run_key for name in (NAME, f"{NAME}_sets") for c in plan(name, category="synthetic")}
    assert keys == {generator.run_key}
    (own,) = plan(f"{NAME}_generator")
    assert own.settings() == generator.settings() | {"grid": synthetic_settings.GRID_ROWS}
    assert own.generator == generator


def test_neither_generator_nor_judge_needs_more_images_than_there_are():
    rows = {"cifar10": (50_000, 10_000), "fashion_mnist": (60_000, 10_000), "digits": (1297, 500)}
    for scale in ("quick", "laptop", "paper"):
        c = plan(f"{NAME}_sets", scale)[0]
        train, test = rows[c.dataset]
        assert c.train_size + c.judge_size <= train and c.set_size <= c.train_size
        assert 2 * c.set_size <= test  # the reference and the held-out images
        assert c.epochs in synthetic_settings.TESTS[scale]["spectra_epochs"]


def test_bytes_become_values_and_bytes_again():
    x = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    values = image_generator.to_values(x, 3, 0)
    assert values.shape == (5, 3, 32, 32) and values.min() == -1 and values.max() == 1
    np.testing.assert_array_equal(image_generator.to_bytes(values, 0), x)
    grey = np.zeros((5, 32, 32, 3), np.uint8)
    grey[:, 2:-2, 2:-2] = x[:, 2:-2, 2:-2, :1]
    values = image_generator.to_values(grey, 1, 2)
    assert values.shape == (5, 1, 28, 28)
    np.testing.assert_array_equal(image_generator.to_bytes(values, 2), grey)
    assert image_generator.to_bytes(3 * values, 2).max() == 255  # beyond the range: clipped, not wrapped
    np.testing.assert_array_equal(image_generator.to_bytes(0 * values + 1.5, 0), 255)


def test_grey_images_get_a_border_and_three_colours(monkeypatch):
    from weightspace import data
    from weightspace.experiments.diversity import protocol

    grey = np.random.default_rng(0).integers(1, 256, (4, 28, 28), dtype=np.uint8)
    y = np.arange(4)
    found = data.Dataset("small", "classification", grey, y, grey[:2], y[:2], (), "d", "v", "s")
    monkeypatch.setattr(data, "load", lambda name: found)
    images = protocol.load_images.__wrapped__("fashion_mnist")
    assert images.x.shape == (4, 32, 32, 3) and images.test_x.shape == (2, 32, 32, 3)
    for colour in range(3):
        np.testing.assert_array_equal(images.x[:, 2:-2, 2:-2, colour], grey)
    assert images.x.astype(int).sum() == 3 * grey.astype(int).sum()  # nothing in the border


def test_a_share_of_the_images_gives_way_to_others_of_its_class(monkeypatch):
    real = load_images("digits").x[:64]
    copies = np.stack([np.full_like(real, 201), np.full_like(real, 202)])
    copies[:, np.arange(64), 0, 0, 0] = np.arange(64)  # so that the place that an image was made for can be read
    monkeypatch.setattr(
        synthetic_runs, "synthetic", lambda *_: image_generator.Synthetic(copies, *[np.zeros(1)] * 4, 1, 0, 0)
    )
    replaced = {}
    for c in [*plan(category="synthetic"), *plan(arm="main", category="baseline")]:
        for epoch in (1, 2, 3):
            x = synthetic_runs.training_set(c, epoch, "cpu")
            synthetic = (x[:, 5, 5, 0] == 200 + (2 if epoch == 2 else 1)) & (x[:, 6, 6, 1] > 200)
            np.testing.assert_array_equal(x[~synthetic], real[~synthetic])
            np.testing.assert_array_equal(x[synthetic, 0, 0, 0], np.flatnonzero(synthetic))
            replaced[c.synthetic_share, epoch] = synthetic
    assert [int(replaced[share, 1].sum()) for share in (0, 0.25, 0.5, 0.75, 1)] == [0, 16, 32, 48, 64]
    assert (replaced[0.25, 1] <= replaced[0.5, 1]).all()
    assert (replaced[0.5, 1] != replaced[0.5, 2]).any() and (replaced[0.5, 1] != replaced[0.5, 3]).any()
    np.testing.assert_array_equal(load_images("digits").x[:64], real)  # the images themselves are left alone


def test_the_loss_starts_where_no_velocity_leaves_it(generator):
    """The untrained network says 0: the loss is E (x_1 - x_0)^2 = 1 + mean x_1^2."""
    _, losses = image_generator.trained_generator(
        with_changes(generator, {"generator_lr": 1e-12, "generator_epochs": 1}), "cpu"
    )
    for inputs, x in (("train_clean", load_images("digits").x[:32]), ("test", load_images("digits").test_x[:32])):
        expected = 1 + (image_generator.to_values(x, 1, 0) ** 2).mean().item()
        assert losses[inputs] == pytest.approx(expected, rel=0.02)


def test_training_lowers_the_loss_and_repeats(made, generator):
    assert made.test[-1] < made.test[0] and made.train_clean[-1] < made.train_clean[0]
    assert made.epochs.tolist() == [1, 2] and made.images.shape == (2, 64, 32, 32, 3)
    model, losses = image_generator.trained_generator(generator, "cpu")
    np.testing.assert_array_equal(losses["train"], made.train)
    labels = load_images("digits").y[:64]
    again = image_generator.generated(model, np.tile(labels, 2), generator, "cpu")
    np.testing.assert_array_equal(again.reshape(made.images.shape), made.images)
    assert (made.images[0] != made.images[1]).any()  # the second copy is drawn anew
    other, _ = image_generator.trained_generator(with_changes(generator, {"seed": 1}), "cpu")
    assert (image_generator.generated(other, labels, generator, "cpu") != made.images[0]).any()


def test_the_images_are_made_once(made, generator, monkeypatch):
    monkeypatch.setattr(image_generator, "_made", lambda *_: pytest.fail("made again"))
    image_generator._kept.cache_clear()
    kept = image_generator.synthetic(generator, "cpu")
    np.testing.assert_array_equal(kept.images, made.images)
    np.testing.assert_array_equal(kept.test, made.test)
    assert (kept.parameters, kept.train_seconds) == (made.parameters, made.train_seconds)


def test_damaged_images_are_named(generator_cache, generator):
    c = with_changes(generator, {"seed": 77})
    file = image_generator.synthetic_file(c)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(RecordError, match=f"{file.name} are damaged .*: delete the file"):
        image_generator.synthetic(c, "cpu")


def test_nearest_images():
    rng = np.random.default_rng(1)
    others = rng.integers(0, 200, (6, 32, 32, 3), dtype=np.uint8)
    distances, places = synthetic_runs.nearest_images(others[[4, 2]] + np.uint8(51), others)
    assert places[:, 0].tolist() == [4, 2]
    np.testing.assert_allclose(distances[:, 0], 0.2 * np.sqrt(32 * 32 * 3), rtol=1e-5)
    second = np.sort(np.linalg.norm((others[4] + 51.0 - others).reshape(6, -1) / 255, axis=1))[1]
    assert distances[0, 1] == pytest.approx(second)


def test_the_record_of_a_generator(made):
    (c,) = plan(f"{NAME}_generator")
    frame = synthetic_experiment.compute_generator([c], "cpu")
    losses = frame[frame["metric"] == "loss"].pivot(index="epoch", columns="inputs", values="value")
    np.testing.assert_allclose(losses["test"], made.test)
    assert frame.set_index("metric")["value"]["parameters"] == made.parameters
    pictures = frame[frame["metric"] == "picture"]
    real, labels = load_images("digits").x[:64], load_images("digits").y[:64]
    number = np.minimum(np.bincount(labels), synthetic_settings.GRID_ROWS)
    assert pictures.groupby(["inputs", "label"]).size().unstack().loc["synthetic"].tolist() == number.tolist()
    row, near = (pictures[(pictures["label"] == 3) & (pictures["position"] == 3)].set_index("inputs").loc[name]
                 for name in ("synthetic", "nearest"))  # fmt: skip
    picture, nearest = (np.asarray(Image.open(io.BytesIO(found["image"]))) for found in (row, near))
    np.testing.assert_array_equal(picture, made.images[0, np.flatnonzero(labels == 3)[3]])
    distances = np.linalg.norm((real.astype(float) - picture).reshape(64, -1) / 255, axis=1)
    np.testing.assert_array_equal(nearest, real[distances.argmin()])
    assert row["value"] == near["value"] == pytest.approx(distances.min())


def test_the_record_of_another_seed_has_no_pictures(made, generator):
    frame = synthetic_experiment.compute_generator([with_changes(plan(f"{NAME}_generator")[0], {"grid": 0})], "cpu")
    assert set(frame["metric"]) == {"loss", "parameters", "train_seconds", "sample_seconds"}
    assert frame["label"].eq(-1).all() and frame["label"].dtype == int and frame["image"].eq(b"").all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_generator_on_a_gpu_finds_what_one_on_a_cpu_finds(made, generator):
    model, losses = image_generator.trained_generator(generator, "cuda")
    assert losses["test"][-1] < losses["test"][0]
    np.testing.assert_allclose(losses["test"], made.test, rtol=0.1)  # other draws
    images = image_generator.generated(model, load_images("digits").y[:64], generator, "cuda")
    assert images.shape == made.images[0].shape and images.dtype == np.uint8


def test_what_is_said_of_sets_whose_truth_is_known(made):
    chosen = [c for c in plan(f"{NAME}_sets") if c.setting in ("baseline", "held_out", "random", "synthetic_1")]
    frame = synthetic_experiment.compute_sets(chosen, "cpu")
    table = frame.pivot(index="setting", columns=["of", "metric"], values="value")
    plain = table[""]
    assert (
        plain.loc["baseline", ["nearest", "nearest_5_percent"]].lt(1e-5).all()
    )  # training images are their own copies
    assert plain.loc["baseline", "copies_percent"] == 100 and plain.loc["random", "copies_percent"] == 0
    assert 0 < plain.loc["held_out", "nearest"] < plain.loc["random", "nearest"]
    frechet, scores = table["embeddings"]["frechet"], table["pixels"]
    assert frechet["held_out"] < frechet["random"] and frechet["baseline"] < frechet["synthetic_1"]
    assert scores["weighted_vendi"]["baseline"] == pytest.approx(scores["vendi"]["baseline"])
    assert scores["vendi"]["random"] > 0.9 * scores["vendi"]["baseline"] > 1


def test_the_judge_has_learned_from_images_of_its_own(monkeypatch):
    c = plan(f"{NAME}_sets")[0]
    seen = []
    monkeypatch.setattr(
        synthetic_runs.Trainer, "train_epoch", lambda self, x, y, epoch: seen.append((x, y)) or (0.0, 0.0)
    )
    run = synthetic_runs.reference_classifier(c, "cpu")
    images = load_images("digits")
    np.testing.assert_array_equal(seen[0][0], images.x[64:192])
    np.testing.assert_array_equal(seen[0][1], images.y[64:192])
    assert run.seed == c.judge_seeds and len(seen) == c.judge_epochs
    assert loss_and_accuracy(run.logits(images.x[:8]), images.y[:8])[0] > 0


def test_records_have_the_columns_of_the_campaign_on_cifar10(made):
    (c,) = plan(arm="main", setting="synthetic_1")
    frame = synthetic_experiment.compute([c], "cpu")
    baseline = one("diversity_cifar10", arm="main", category="baseline")
    assert list(frame) == list(diversity_cifar10.compute([baseline], "cpu"))
    assert set(frame["category"]) == {"synthetic"} and frame["eigenvalues"].notna().any()
    assert len(set(frame.loc[frame["inputs"] == "test", "metric"])) == 3
