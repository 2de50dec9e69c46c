"""The ten augmentation levels of paper A, drawn anew for every image of every epoch.

Each level maps images of unsigned bytes to such images; all but the noise is torchvision's. The random numbers of an
image depend on seed, epoch, level and the position of the image alone, so that neither the order of computing nor the
number of processes changes what a network sees.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LEVELS = (
    "auto_augment",
    "rand_augment",
    "aug_mix",
    "trivial_augment_wide",
    "noise10",
    "noise30",
    "noise50",
    "auto1",
    "auto2",
    "auto3",
)
"""In the order of paper A's released measurements. noise<r> is ``add_noise`` with ratio r/100; auto1 is AutoAugment
with noise50, auto2 has flips besides, auto3 a horizontal flip and an elastic transform."""
OURS = ("flip_crop",)
"""What nearly everybody uses, and paper A does not: a horizontal flip with chance 1/2, and a crop of the image's size
at a random place of the image with a black border of 4 pixels."""
ALL = LEVELS + OURS

NOISE_STD = 0.1

Transform = Callable[[Image.Image], Image.Image]


def add_noise(image: Image.Image, ratio: float) -> Image.Image:
    """x + ratio e, e ~ N(0, 0.1^2) for each value, clipped to [0, 1] (paper A); here rounded to bytes again."""
    import torch  # here and below: it takes seconds, and records are read without it

    x = np.asarray(image, dtype=np.float32) / 255
    noisy = x + ratio * NOISE_STD * torch.randn(x.shape).numpy()
    return Image.fromarray(np.rint(255 * noisy.clip(0, 1)).astype(np.uint8))


@lru_cache
def transform(level: str) -> Transform:
    """The level as a function of one PIL image, random by PyTorch's global generator. ``ValueError`` if unknown."""
    from torchvision import transforms

    if level not in ALL:
        raise ValueError(f"unknown augmentation {level!r}: use one of {', '.join(ALL)}")
    noise = {f"noise{percent}": partial(add_noise, ratio=percent / 100) for percent in (10, 30, 50)}
    auto, flip = transforms.AutoAugment(), transforms.RandomHorizontalFlip(0.5)
    elastic = transforms.ElasticTransform(alpha=40.0, sigma=6.0)
    strongest = noise["noise50"]
    return {
        "auto_augment": auto,
        "rand_augment": transforms.RandAugment(),
        "aug_mix": transforms.AugMix(),
        "trivial_augment_wide": transforms.TrivialAugmentWide(),
        **noise,
        "auto1": transforms.Compose([auto, strongest]),
        "auto2": transforms.Compose([auto, flip, transforms.RandomVerticalFlip(0.3), strongest]),
        "flip_crop": lambda image: transforms.RandomCrop(image.size[::-1], padding=4)(flip(image)),
        "auto3": transforms.Compose([auto, flip, elastic, strongest]),
    }[level]


def augment(images: NDArray[np.uint8], level: str, seed: int, epoch: int, workers: int = 1) -> NDArray[np.uint8]:
    """Each image of ``[n, height, width, 3]`` passed through the level once, with draws of its own.

    workers: number of processes; the result does not depend on it. PyTorch's generator is left as it was.
    ``ValueError`` for an unknown level or images of another type or shape.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"images must be uint8 [n, height, width, 3], got {images.dtype} {images.shape}")
    transform(level)  # an unknown level is an error here, not in a process
    seeds = np.random.SeedSequence([seed, epoch, ALL.index(level)]).generate_state(len(images))
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

    change = transform(level)
    generator = torch.default_generator  # of the CPU alone: torch.manual_seed would seed every GPU once per image
    state = generator.get_state()
    result = np.empty_like(images)
    try:
        for k, seed in enumerate(seeds.tolist()):
            generator.manual_seed(seed)
            result[k] = change(Image.fromarray(images[k]))
    finally:
        generator.set_state(state)
    return result


@lru_cache(maxsize=1)
def _pool(workers: int) -> ProcessPoolExecutor:
    import torch

    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    )
