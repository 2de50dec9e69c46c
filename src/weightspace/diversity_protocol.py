"""What the training experiments of paper A share: images and sizes per scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from weightspace import data, image_folders
from weightspace.experiments import Configuration

SIZES: dict[str, Configuration] = {
    "paper": {"dataset": "cifar10", "width": 64, "train_size": 50_000, "epochs": 10},
    "laptop": {"dataset": "cifar10", "width": 16, "train_size": 10_000, "epochs": 3},
    "quick": {"dataset": "digits", "width": 8, "train_size": 128, "epochs": 1},
}
"""Per scale: channels of the first stage of the network, number of training images (the first of the file), epochs."""

PRECISION = {"paper": "bfloat16 autocast", "laptop": "float32", "quick": "float32"}


def base_configuration(experiment: str, scale: str, sizes: Mapping[str, Configuration] = SIZES) -> Configuration:
    """What every run of an experiment at one scale has in common: its name, the sizes, the precision."""
    # The protocol is raised when a change of the code changes what a run measures.
    return {"experiment": experiment, "protocol": 1, **sizes[scale], "precision": PRECISION[scale]}


DIGITS_TEST_SIZE = 500
"""The digits have no test part of their own: the last ones are for tests."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images ``[n, side, side, 3]`` of bytes with labels, and the test part. origin: where the data are from."""

    x: NDArray[np.uint8]
    y: NDArray[np.int64]
    test_x: NDArray[np.uint8]
    test_y: NDArray[np.int64]
    origin: dict[str, str]


@lru_cache(maxsize=2)
def load_images(dataset: str) -> Images:
    """CIFAR-10 as it is; grey sets in three equal colours: 28x28 in a black border, the 8x8 digits magnified.

    A name that the registry of data sets has not is that of a folder of images.
    """
    raw = data.load(dataset) if dataset in data.REGISTRY else image_folders.load(dataset)
    origin = {"data_digest": raw.digest, "data_variant": raw.variant}
    if dataset == "digits":
        x = _three_colours(np.kron((raw.x * (255 / 16)).astype(np.uint8), np.ones((4, 4), np.uint8)))
        first = len(x) - DIGITS_TEST_SIZE
        return Images(x[:first], raw.y[:first], x[first:], raw.y[first:], origin)
    x, test_x = raw.x, raw.test_x
    if x.ndim == 3:
        x, test_x = (_three_colours(np.pad(grey, ((0, 0), (2, 2), (2, 2)))) for grey in (x, test_x))
    return Images(x, raw.y, test_x, raw.test_y, origin)


def _three_colours(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=3)
