"""How diverse the training sets of ``diversity_from_scratch`` are to a network that was trained on other images.

Paper A takes embeddings of images from CLIP. Those of ``diversity_scratch_sets`` come from a network that has fitted
the very images that are scored. Here they come from ImageNet.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from weightspace.campaigns.configuration import STRICT, common, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.data import augmentations
from weightspace.experiments.diversity.protocol import load_images
from weightspace.experiments.diversity.scratch_sets import SCORED_LEVELS, diversity_scores
from weightspace.experiments.diversity.scratch_settings import SCALES, added_level
from weightspace.experiments.diversity.set_settings import SetConfiguration, score_rows

EXPERIMENT = "diversity_imagenet_sets"
RESOLUTIONS = {"quick": 32, "laptop": 64}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ImagenetSetConfiguration(SetConfiguration):
    """A training set, and the network whose features describe it.

    model: the network, with the weights that others trained; resolution: side in pixels that images are resized to.
    """

    model: Literal["efficientnet_lite0"]
    resolution: Annotated[int, Field(ge=32)]


def configurations(scale: str, seeds: int) -> list[ImagenetSetConfiguration]:
    shared: dict[str, Any] = {
        "experiment": EXPERIMENT,
        "protocol": 1,
        "dataset": SCALES[scale].get("dataset", "cifar10"),
        "train_size": SCALES[scale]["train_size"],
        "precision": "float32",
        "model": "efficientnet_lite0",
        "resolution": RESOLUTIONS[scale],
    }
    return [
        ImagenetSetConfiguration(**shared, seed=seed, augmentation=level)
        for seed in range(seeds)
        for level in SCORED_LEVELS[scale]
    ]


def compute(group: list[ImagenetSetConfiguration], device: str) -> pd.DataFrame:
    """Scores of the sets of one seed, as a network sees them in the first epoch."""
    from weightspace.experiments.diversity.compute.image_runs import pretrained_features  # PyTorch: takes seconds

    first = common(group, "augmentation")
    images = load_images(first.dataset)
    clean, labels = images.x[: first.train_size], images.y[: first.train_size]
    features = pretrained_features(first.model, first.resolution, device, first.precision)
    originals = features(clean)
    rows = []
    for c in group:
        X = features(augmentations.augment(clean, c.augmentation, c.seed, 1)) if c.augmentation else originals
        rows += score_rows(c, "imagenet", diversity_scores(X, originals, labels))
    return pd.DataFrame(rows).assign(**images.origin)


EXPERIMENTS = [
    Experiment(
        EXPERIMENT,
        "Diversity of the training sets of networks that overfit, to a network trained on ImageNet",
        {"quick": 2, "laptop": 10},
        configurations,
        ("seed",),
        compute,
        ("cpu", "cuda"),
        extra=added_level,
    )
]
