"""Augmentation levels: torchvision's transforms, drawn per image, the same for a seed whatever computes them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from weightspace.data import augmentations
from weightspace.data.augmentations import ALL, LEVELS, REGISTRY, add_noise, augment


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return np.kron(rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), np.ones((4, 4, 1), np.uint8))


@pytest.mark.parametrize("level", ALL)
def test_each_image_has_draws_of_its_own(level, images):
    same = np.repeat(images[:1], 12, axis=0)
    changed = augment(same, level, seed=0, epoch=1)
    assert changed.shape == same.shape and changed.dtype == np.uint8
    assert len({image.tobytes() for image in changed}) > 6  # a draw per batch would make them equal
    assert not np.array_equal(changed, same)


@pytest.mark.parametrize("level", ["auto_augment", "aug_mix", "auto3"])
def test_draws_depend_on_seed_epoch_and_position_alone(level, images):
    first = augment(images, level, seed=0, epoch=1)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    np.testing.assert_array_equal(augment(images, level, 0, 1), first)
    assert torch.equal(torch.get_rng_state(), state)  # whoever else draws numbers is left alone
    np.testing.assert_array_equal(augment(images[:5], level, 0, 1), first[:5])
    assert not np.array_equal(augment(images, level, 1, 1), first)
    assert not np.array_equal(augment(images, level, 0, 2), first)


def test_parts_computed_elsewhere_do_not_change_the_result(images, monkeypatch):
    """The parts go through a thread here: a process would take seconds to start, and gets no more than they do."""
    alone = augment(images, "auto2", 0, 1)
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(augmentations, "_pool", lambda workers: pool)
        np.testing.assert_array_equal(augment(images, "auto2", 0, 1, workers=2), alone)


def test_noise_has_the_strength_of_the_paper():
    """ratio x N(0, 0.1^2) on values from 0 to 1: sd .01, .03, .05, and bytes round with sd 1/255/sqrt(12)."""
    grey = np.full((40, 32, 32, 3), 128, np.uint8)
    for level, ratio in (("noise10", 0.1), ("noise30", 0.3), ("noise50", 0.5)):
        noisy = augment(grey, level, 0, 0) / 255
        assert noisy.std() == pytest.approx(np.hypot(0.1 * ratio, 1 / 255 / 12**0.5), rel=0.02)
        assert noisy.mean() == pytest.approx(128 / 255, abs=1e-3)


def test_noise_is_clipped():
    white = Image.fromarray(np.full((32, 32, 3), 255, np.uint8))
    noisy = np.asarray(add_noise(white, 0.5))
    assert (noisy == 255).mean() == pytest.approx(0.5, abs=0.05) and noisy.min() > 180


@pytest.mark.parametrize(
    ("level", "other"),
    [
        ("auto_augment", transforms.AutoAugment(transforms.AutoAugmentPolicy.IMAGENET)),
        ("rand_augment", transforms.RandAugment()),
        ("aug_mix", transforms.AugMix()),
        ("trivial_augment_wide", transforms.TrivialAugmentWide()),
    ],
)
def test_the_policies_are_torchvisions(level, other, images):
    """One image at a time, from the seed of its position."""
    ours = augment(images, level, seed=5, epoch=2)
    seeds = np.random.SeedSequence([5, 2, LEVELS.index(level)]).generate_state(len(images))
    for k in (0, 7):
        with torch.random.fork_rng():
            torch.manual_seed(int(seeds[k]))
            np.testing.assert_array_equal(ours[k], np.asarray(other(Image.fromarray(images[k]))))


def test_flips_come_as_often_as_stated(monkeypatch):
    """auto2 flips left and right with .5, up and down with .3; AutoAugment is taken out to see it."""
    monkeypatch.setattr(transforms, "AutoAugment", lambda: transforms.Lambda(lambda image: image))
    augmentations.transform.cache_clear()
    try:
        corner = np.zeros((600, 8, 8, 3), np.uint8)
        corner[:, :4, :4] = 255
        flipped = augment(corner, "auto2", 0, 0)
    finally:
        augmentations.transform.cache_clear()
    left, top = (
        flipped[:, :, :4].mean(axis=(1, 2, 3)) > flipped[:, :, 4:].mean(axis=(1, 2, 3)),
        (flipped[:, :4].mean(axis=(1, 2, 3)) > flipped[:, 4:].mean(axis=(1, 2, 3))),
    )
    assert (~left).mean() == pytest.approx(0.5, abs=0.07) and (~top).mean() == pytest.approx(0.3, abs=0.07)


def test_bad_input(images):
    with pytest.raises(ValueError, match="unknown augmentation 'cutout': use one of auto_augment"):
        augment(images, "cutout", 0, 0)
    with pytest.raises(ValueError, match="got float64"):
        augment(images / 255, "noise10", 0, 0)
    with pytest.raises(ValueError, match=r"got uint8 \(12, 32, 32\)"):
        augment(images[..., 0], "noise10", 0, 0)


def test_papers_levels_keep_their_places_which_seed_their_draws():
    assert LEVELS == ALL[:10] and ALL[10] == "flip_crop"


def test_every_level_is_registered_once_and_has_a_label():
    assert len(set(ALL)) == len(ALL)
    assert all(level.label and "_" not in level.label for level in REGISTRY)
