"""Elastic transforms of many images at once against torchvision's, image by image."""

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import Compose, ElasticTransform, RandomHorizontalFlip

from weightspace.data import augmentations, elastic
from weightspace.data.augmentations import augment


def test_the_level_is_torchvisions(monkeypatch):
    """Displacements are blurred many at a time. On some processors their last bits differ, and a rounding of a byte."""
    monkeypatch.setattr(elastic, "AT_ONCE", 8)  # a whole part and the rest
    rng = np.random.default_rng(0)
    images = np.kron(rng.integers(0, 256, (12, 8, 10, 3), dtype=np.uint8), np.ones((4, 4, 1), np.uint8))
    seeds = np.random.SeedSequence([0, 1, augmentations.ALL.index("auto3")]).generate_state(len(images))
    expected = []
    for image, seed in zip(images, seeds.tolist(), strict=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            expected.append(np.asarray(augmentations.transform("auto3")(Image.fromarray(image))))
    difference = np.abs(augment(images, "auto3", 0, 1).astype(int) - np.array(expected))
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_parts():
    flip, transform = RandomHorizontalFlip(), ElasticTransform()
    assert elastic.parts(Compose([flip, transform])) == ([flip], transform, [])
    assert elastic.parts(transform) == ([], transform, [])
    assert elastic.parts(Compose([flip])) is None and elastic.parts(flip) is None
