"""The training sets of ``diversity_amounts``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weightspace.experiments.diversity.amount_settings import AmountConfiguration
from weightspace.experiments.diversity.compute.image_generator import synthetic
from weightspace.experiments.diversity.compute.scratch_runs import training_labels
from weightspace.experiments.diversity.compute.synthetic_runs import SHARE_STREAM
from weightspace.experiments.diversity.protocol import load_images


def training_set(configuration: AmountConfiguration, device: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images and labels. A larger fraction has the synthetic images of a smaller one and more."""
    c = configuration
    x, labels = load_images(c.dataset).x[: c.train_size], training_labels(c)
    if not c.uses_synthetic:
        return x, labels
    copies = synthetic(c.made_by, device).images[: max(c.added, 1)]
    if c.added:
        return np.concatenate([x, *copies]), np.tile(labels, 1 + c.added)
    places = np.random.default_rng([c.seed, SHARE_STREAM]).permutation(len(x))[: round(c.synthetic_fraction * len(x))]
    x = x.copy()
    x[places] = copies[0, places]
    return x, labels
