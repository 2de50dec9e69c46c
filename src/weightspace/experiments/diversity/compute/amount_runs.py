"""The training sets of ``diversity_amounts``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weightspace.experiments.diversity.amount_settings import AmountConfiguration, AmountSetsConfiguration
from weightspace.experiments.diversity.compute.image_generator import synthetic
from weightspace.experiments.diversity.compute.scratch_runs import training_labels
from weightspace.experiments.diversity.compute.synthetic_runs import SHARE_STREAM
from weightspace.experiments.diversity.protocol import load_images


def training_set(configuration: AmountConfiguration, device: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and labels of a run, before augmentation."""
    c = configuration
    if c.uses_synthetic:
        return synthetic_set(c, device)
    return load_images(c.dataset).x[: c.train_size], training_labels(c)


def synthetic_set(
    configuration: AmountConfiguration | AmountSetsConfiguration, device: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images, some of them synthetic, and labels. A larger fraction has the synthetic images of a smaller one."""
    c, images = configuration, load_images(configuration.dataset)
    x, labels = images.x[: c.train_size], images.y[: c.train_size]
    copies = synthetic(c.made_by, device).images[: max(c.added, 1)]
    if c.added:
        return np.concatenate([x, *copies]), np.tile(labels, 1 + c.added)
    places = np.random.default_rng([c.seed, SHARE_STREAM]).permutation(len(x))[: round(c.synthetic_fraction * len(x))]
    x = x.copy()
    x[places] = copies[0, places]
    return x, labels
