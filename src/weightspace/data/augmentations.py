"""The augmentation levels: the ten of paper A and ours, drawn anew for every image of every epoch.

Each level maps images of unsigned bytes to such images; all but the noise is torchvision's. The random numbers of an
image depend on seed, epoch, level and the position of the image alone, so that neither the order of computing nor the
number of processes changes what a network sees. A level is one entry of ``REGISTRY``.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weightspace import extras

NOISE_STD = 0.1

Transform = Callable[[Image.Image], Image.Image]


def add_noise(image: Image.Image, ratio: float) -> Image.Image:
    """x + ratio e, e ~ N(0, 0.1^2) for each value, clipped to [0, 1] (paper A); here rounded to bytes again."""
    import torch  # here and below: it takes seconds, and records are read without it

    x = np.asarray(image, dtype=np.float32) / 255
    noisy = x + ratio * NOISE_STD * torch.randn(x.shape).numpy()
    return Image.fromarray(np.rint(255 * noisy.clip(0, 1)).astype(np.uint8))


def _noise(percent: int) -> Callable[[ModuleType], Transform]:
    return lambda transforms: partial(add_noise, ratio=percent / 100)


def _auto(*between: Callable[[ModuleType], Transform]) -> Callable[[ModuleType], Transform]:
    """AutoAugment, what stands between, and the strongest noise."""
    return lambda t: t.Compose([t.AutoAugment(), *(make(t) for make in between), partial(add_noise, ratio=0.5)])


def _flip_and_crop(transforms: ModuleType) -> Transform:
    flip = transforms.RandomHorizontalFlip(0.5)
    return lambda image: transforms.RandomCrop(image.size[::-1], padding=4)(flip(image))


@dataclass(frozen=True)
class Level:
    """An augmentation level.

    name: in configurations and records. label: what readers see; short: the same where there is little room. make: is
    given ``torchvision.transforms`` and returns the level as a function of one image, random by PyTorch's global
    generator. paper: whether it is one of paper A's, which every campaign on images has; ours are in
    ``diversity_from_scratch``.
    """

    name: str
    label: str
    make: Callable[[ModuleType], Transform]
    short: str = ""
    paper: bool = False


REGISTRY = (
    Level("auto_augment", "AutoAugment", lambda t: t.AutoAugment(), "auto", paper=True),
    Level("rand_augment", "RandAugment", lambda t: t.RandAugment(), "rand", paper=True),
    Level("aug_mix", "AugMix", lambda t: t.AugMix(), "augmix", paper=True),
    Level("trivial_augment_wide", "TrivialAugment", lambda t: t.TrivialAugmentWide(), "trivial", paper=True),
    # x + ratio e with the ratio in percent.
    Level("noise10", "noise 10", _noise(10), paper=True),
    Level("noise30", "noise 30", _noise(30), paper=True),
    Level("noise50", "noise 50", _noise(50), paper=True),
    # AutoAugment with the strongest noise; with flips besides; with a horizontal flip and an elastic transform.
    Level("auto1", "Auto1", _auto(), paper=True),
    Level(
        "auto2",
        "Auto2",
        _auto(lambda t: t.RandomHorizontalFlip(0.5), lambda t: t.RandomVerticalFlip(0.3)),
        paper=True,
    ),
    Level(
        "auto3",
        "Auto3",
        _auto(lambda t: t.RandomHorizontalFlip(0.5), lambda t: t.ElasticTransform(alpha=40.0, sigma=6.0)),
        paper=True,
    ),
    # What nearly everybody uses, and paper A does not: a horizontal flip with chance 1/2, and a crop of the image's
    # size at a random place of the image with a black border of 4 pixels.
    Level("flip_crop", "flip and crop", _flip_and_crop),
)
"""Every level, paper A's in the order of its released measurements. Another one is added at the end: its place seeds
its random numbers."""
LEVELS = tuple(level.name for level in REGISTRY if level.paper)
OURS = tuple(level.name for level in REGISTRY if not level.paper)
ALL = tuple(level.name for level in REGISTRY)


@lru_cache
def transform(level: str) -> Transform:
    """The level as a function of one PIL image, random by PyTorch's global generator. ``ValueError`` if unknown."""
    extras.need("experiments", "torchvision")  # reading records does without
    from torchvision import transforms

    if level not in ALL:
        raise ValueError(f"unknown augmentation {level!r}: use one of {', '.join(ALL)}")
    return REGISTRY[ALL.index(level)].make(transforms)


def augment(images: NDArray[np.uint8], level: str, seed: int, epoch: int, workers: int = 1) -> NDArray[np.uint8]:
    """Each image of ``[n, height, width, 3]`` passed through the level once, with draws of its own.

    workers: number of processes; the result does not depend on it. PyTorch's generator is left as it was.
    ``ValueError`` for an unknown level or images of another type or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"images must be uint8 [n, height, width, 3], got {images.dtype} {images.shape}")
    transform(level)  # an unknown level is an error here, not in a process
    seeds = np.random.SeedSequence([seed, epoch, ALL.index(level)]).generate_state(len(images)).astype(np.uint32)
    if workers == 1:
        return _augment_part(images, level, seeds)
    parts = 4 * workers
    return np.concatenate(
        list(
            _pool(workers).map(
                _augment_part, np.array_split(images, parts), [level] * parts, np.array_split(seeds, parts)
            )
        )
    )


def _augment_part(images: NDArray[np.uint8], level: str, seeds: NDArray[np.uint32]) -> NDArray[np.uint8]:
    import torch

    from weightspace.data import elastic

    change = transform(level)
    generator = torch.default_generator  # of the CPU alone: torch.manual_seed would seed every GPU once per image
    state = generator.get_state()
    result = np.empty_like(images)
    try:
        if parts := elastic.parts(change):
            for k, image in enumerate(elastic.changed(images, seeds.tolist(), *parts, generator)):
                result[k] = np.asarray(image)
        else:
            for k, seed in enumerate(seeds.tolist()):
                generator.manual_seed(seed)
                result[k] = np.asarray(change(Image.fromarray(images[k])))
    finally:
        generator.set_state(state)
    return result


@lru_cache(maxsize=1)
def _pool(workers: int) -> ProcessPoolExecutor:
    import torch

    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    )
