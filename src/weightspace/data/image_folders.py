"""Data sets of one's own: a folder of images per class, for those of paper A that cannot be fetched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weightspace import extras
from weightspace.data import files as data_files
from weightspace.data.files import DataError
from weightspace.data.registry import REGISTRY, Dataset

SIDE = 224
"""Images are cut to a square and resized to it: what the pretrained networks were trained with."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Of the files that are taken for images, as torchvision has them."""


def counts(name: str) -> tuple[int, int] | None:
    """Number of training and of test images of the folder ``name``, or None where there is no such folder."""
    root = data_files.data_folder()
    if not name or root is None or not (root / name).is_dir():
        return None
    train, test = (
        sum(file.suffix.lower() in SUFFIXES for file in (root / name / part).rglob("*")) for part in ("train", "test")
    )
    return train, test


def load(name: str) -> Dataset:
    """The images ``train/CLASS/*`` and ``test/CLASS/*`` of the folder ``name`` in ``WEIGHTSPACE_DATA``.

    Classes are numbered in the order of their names, images ``[n, 224, 224, 3]`` are shuffled, the same way always, so
    that the first ones are a sample of all. ``DataError`` for a missing or empty folder, or classes that differ.
    """
    root = data_files.data_folder()
    folder = None if root is None else root / name
    if folder is None or not folder.is_dir():
        raise DataError(
            f"no data set {name!r}: known are {', '.join(REGISTRY)}; for one of your own, put images into "
            f"train/CLASS and test/CLASS of a folder {name} in the folder that {data_files.VARIABLE} names",
            folder,
        )
    (x, y, classes), (test_x, test_y, test_classes) = (_part(folder / part) for part in ("train", "test"))
    if classes != test_classes:
        differ = ", ".join(sorted(set(classes) ^ set(test_classes)))
        raise DataError(f"train and test of {folder} must have the same classes; in one of them only: {differ}", folder)
    digest = hashlib.sha256()
    for array in (x, y, test_x, test_y):
        digest.update(array.tobytes())
    return Dataset(
        name, "classification", x, y, test_x, test_y, (), digest.hexdigest(), "folder", f"the folder {folder}"
    )


def _part(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    extras.need("experiments", "torchvision")  # reading records does without
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    try:
        images = ImageFolder(folder, transforms.Compose([transforms.Resize(SIDE), transforms.CenterCrop(SIDE)]))
    except FileNotFoundError as error:
        raise DataError(f"{folder} must hold a folder of images for each class: {error}", folder) from error
    order = np.random.default_rng(0).permutation(len(images))
    x = np.empty((len(order), SIDE, SIDE, 3), np.uint8)
    for position, index in enumerate(order):
        try:
            x[position] = np.asarray(images[index][0])
        except OSError as error:
            raise DataError(f"{images.imgs[index][0]} is no readable image: {error}", folder) from error
    return x, np.array(images.targets)[order], images.classes
