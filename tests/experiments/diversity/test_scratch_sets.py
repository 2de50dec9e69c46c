"""Scores of the training sets of networks that overfit: the plan, closed forms, and a run from end to end."""

import numpy as np
import pytest

from weightspace import experiments
from weightspace.data import augmentations
from weightspace.experiments.diversity import imagenet_sets, scratch_sets, scratch_settings
from weightspace.experiments.diversity.compute import image_runs
from weightspace.measures.vendi import vendi_score


def test_every_level_of_the_campaign_has_its_set():
    plan = list(experiments.planned(scratch_sets.EXPERIMENT, "laptop").values())
    campaign = list(experiments.planned(scratch_settings.EXPERIMENT, "laptop").values())
    sets = {(c.setting, c.seed) for c in campaign if c.category in ("baseline", "augmentation")}
    assert {(c.setting, c.seed) for c in plan} == sets and len(plan) == len(sets)
    for field in ("dataset", "train_size", "width", "epochs", "batch_size", "lr"):
        assert {getattr(c, field) for c in plan} == {getattr(c, field) for c in campaign}
    extra = experiments.get(scratch_sets.EXPERIMENT).extra
    assert {extra(c) for c in plan} - {""} == set(augmentations.OURS)
    others = list(experiments.planned(imagenet_sets.EXPERIMENT, "laptop").values())
    assert {(c.setting, c.seed) for c in others} == sets and len(others) == len(sets)
    assert {(c.dataset, c.train_size) for c in others} == {(c.dataset, c.train_size) for c in plan}


def test_scores_in_closed_form():
    """Two classes: three rows at right angles to each other, and three of one direction at right angles to them."""
    X = np.eye(4)[[0, 1, 2, 3, 3, 3]]
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = scratch_sets.set_scores(X, X, X, labels, 2)
    p = np.array([1, 1, 1, 3]) / 6
    assert found["vendi"] == pytest.approx(np.exp(-(p * np.log(p)).sum())) == pytest.approx(found["weighted_vendi"])
    assert found["vendi_per_class"] == pytest.approx((3 + 1) / 2) == pytest.approx(found["weighted_vendi_per_class"])
    assert found["precision"] == found["coverage"] == 1
    turned = scratch_sets.set_scores(X, X, -X - 9, labels, 2)
    assert turned["precision"] == turned["coverage"] == 0


def test_another_order_of_the_rows_changes_only_the_weighted_scores():
    rng = np.random.default_rng(0)
    originals, references = rng.standard_normal((2, 40, 6)) + 1
    X, labels = originals + 0.1 * rng.standard_normal((40, 6)), np.repeat([0, 1], 20)
    order = rng.permutation(40)
    before = scratch_sets.set_scores(X, originals, references, labels, 3)
    after = scratch_sets.set_scores(X[order], originals, references, labels[order], 3)
    same = {name for name, value in before.items() if after[name] == pytest.approx(value, rel=1e-9)}
    assert set(before) - same == {"weighted_vendi", "weighted_vendi_per_class"}


def test_a_run_has_every_score_of_pixels_and_embeddings():
    plan = list(experiments.planned(scratch_sets.EXPERIMENT, "quick", 1).values())
    frame = scratch_sets.compute(plan, "cpu")
    table = frame.set_index(["setting", "of", "metric"])["value"]
    assert len(table) == 3 * 2 * 6 and np.isfinite(table).all()
    # Pixels need no network: the unchanged images by themselves.
    images = scratch_sets.load_images("digits").x[:128].reshape(128, -1)
    assert table["baseline", "pixels", "vendi"] == pytest.approx(vendi_score(images + 0.5))
    for of in ("pixels", "embeddings"):
        assert table["baseline", of, "weighted_vendi"] == pytest.approx(table["baseline", of, "vendi"])
        assert table["rand_augment", of, "weighted_vendi"] < table["rand_augment", of, "vendi"]
    assert table["rand_augment", "pixels", "precision"] < table["baseline", "pixels", "precision"]


def test_a_network_from_imagenet_sees_the_images_of_the_first_epoch():
    plan = list(experiments.planned(imagenet_sets.EXPERIMENT, "quick", 2).values())
    own = [c for c in plan if c.seed == 1]
    table = imagenet_sets.compute(own, "cpu").set_index(["setting", "metric"])["value"]
    assert len(table) == 3 * 4 and np.isfinite(table).all()
    assert table["baseline", "weighted_vendi"] == pytest.approx(table["baseline", "vendi"])
    assert table["rand_augment", "weighted_vendi"] < table["rand_augment", "vendi"]
    images = scratch_sets.load_images("digits").x[:128]
    features = image_runs.pretrained_features("efficientnet_lite0", 32, "cpu", "float32")
    assert table["baseline", "vendi"] == pytest.approx(vendi_score(features(images)))
    changed = augmentations.augment(images, "noise50", 1, 1)
    assert table["noise50", "vendi"] == pytest.approx(vendi_score(features(changed)))
