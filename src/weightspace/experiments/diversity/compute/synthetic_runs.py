"""How the runs of ``diversity_synthetic`` are computed: training sets, and what is measured of images."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from weightspace.campaigns.configuration import common
from weightspace.experiments.diversity.compute.image_generator import synthetic
from weightspace.experiments.diversity.compute.image_runs import augmented, trainer, vectors
from weightspace.experiments.diversity.protocol import load_images
from weightspace.experiments.diversity.synthetic_settings import (
    PicturedConfiguration,
    SyntheticConfiguration,
    SyntheticSetsConfiguration,
)
from weightspace.measures.frechet import frechet_distance
from weightspace.measures.vendi import vendi_score, weighted_vendi_score
from weightspace.training.trainer import Trainer, loss_and_accuracy

# Beside those of ``trainer`` and ``image_generator``.
SHARE_STREAM, RANDOM_STREAM = 13, 14


def training_set(configuration: SyntheticConfiguration, epoch: int, device: str) -> NDArray[np.uint8]:
    """The images of an epoch, ``[train_size, 32, 32, 3]``, for the labels of the data set.

    A share of them, other ones in every epoch, gives way to synthetic images of the same class. A larger share has the
    places of a smaller one and more.
    """
    c = configuration
    x = augmented(c, epoch)
    if not c.synthetic_share:
        return x
    copies = synthetic(c.made_by, device).images
    order = np.random.default_rng([c.seed, SHARE_STREAM, epoch]).permutation(len(x))
    places = order[: round(c.synthetic_share * len(x))]
    x = x.copy()
    x[places] = copies[(epoch - 1) % len(copies), places]
    return x


def describe_generator(configuration: PicturedConfiguration, device: str) -> pd.DataFrame:
    """Losses along training, time and size, and for ``grid`` images per class the picture and its nearest one.

    Rows of pictures have ``image``, a PNG: ``inputs`` synthetic, or nearest, the training image nearest to it, with
    their distance as value.
    """
    c = configuration
    images, found = load_images(c.dataset), synthetic(c.generator, device)
    rows: list[dict[str, object]] = [
        {"epoch": int(epoch), "inputs": inputs, "metric": "loss", "value": value}
        for inputs in ("train", "train_clean", "test")
        for epoch, value in zip(found.epochs, getattr(found, inputs))
    ]
    for metric in ("parameters", "train_seconds", "sample_seconds"):
        rows.append({"epoch": c.generator_epochs, "metric": metric, "value": float(getattr(found, metric))})
    x, labels = images.x[: c.train_size], images.y[: c.train_size]
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)[: c.grid]
        if not len(places):
            continue
        made = found.images[0, places]
        distances, nearest = nearest_images(made, x)
        for k in range(len(places)):
            shared = {"epoch": c.generator_epochs, "metric": "picture", "label": int(label), "position": k}
            for inputs, image in (("synthetic", made[k]), ("nearest", x[nearest[k, 0]])):
                rows.append(shared | {"inputs": inputs, "image": png(image), "value": distances[k, 0]})
    blank = {"inputs": "", "label": -1, "position": -1, "image": b""}
    identity = {"dataset": c.dataset, "seed": c.seed}
    frame = pd.DataFrame([identity | blank | row for row in rows])
    return frame.assign(run_key=c.run_key, **images.origin)


def png(image: NDArray[np.uint8]) -> bytes:
    """A picture as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def nearest_images(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
    """Euclidean distances of each image to the two nearest of the others, and their positions, ``[n, 2]`` both.

    The unit is the whole range of a value: sqrt(sum of ((x - y) / 255)^2 over pixels and colours).
    """
    flat, search = (x.reshape(len(x), -1).astype(np.float32) / 255 for x in (images, others))
    return NearestNeighbors(n_neighbors=2, algorithm="brute").fit(search).kneighbors(flat)


def reference_classifier(configuration: SyntheticSetsConfiguration, device: str) -> Trainer:
    """A network trained on the real images behind those of the training set."""
    c = configuration
    images = load_images(c.dataset)
    part = slice(c.train_size, c.train_size + c.judge_size)
    run = trainer(c.reference_classifier, device)
    for epoch in range(1, c.judge_epochs + 1):
        run.train_epoch(images.x[part], images.y[part], epoch)
    return run


def described_images(
    configuration: SyntheticSetsConfiguration, device: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The first images of a set as a network sees them in the first epoch, with labels; or of a reference.

    ``held_out``: test images behind those that are the reference of all distances. ``random``: bytes drawn uniformly.
    """
    c, number = configuration, configuration.set_size
    images = load_images(c.dataset)
    if c.setting == "held_out":
        return images.test_x[number : 2 * number], images.test_y[number : 2 * number]
    x, labels = training_set(c, 1, device)[:number], images.y[:number]
    if c.setting == "random":
        x = np.random.default_rng([c.seed, RANDOM_STREAM]).integers(0, 256, x.shape, np.uint8)
    return x, labels


def describe_sets(group: list[SyntheticSetsConfiguration], device: str) -> pd.DataFrame:
    """What the sets of one seed are like: a row per set and metric.

    accuracy_percent, loss: of the judge. frechet: between the judge's features of the set and those of the first test
    images. nearest, nearest_5_percent: median and 5 % quantile of the distance to the nearest training image;
    copies_percent: share of images that are copies by copy_ratio. vendi, weighted_vendi: of pixels and of the
    judge's features, the weighted score against the training images as they are, as in ``diversity_sets``.
    """
    first = common(group, "setting", "category", "augmentation", "synthetic_share", "generator")
    images, number = load_images(first.dataset), first.set_size
    run = reference_classifier(first, device)
    real = images.x[: first.train_size]
    reference = run.features(images.test_x[:number])
    originals = vectors(run, real[:number])
    rows = []
    for c in group:
        x, labels = described_images(c, device)
        loss, accuracy = loss_and_accuracy(run.logits(x), labels)
        distances, _ = nearest_images(x, real)
        X = vectors(run, x)
        found = [
            ("", "loss", loss),
            ("", "accuracy_percent", 100 * accuracy),
            ("", "nearest", np.median(distances[:, 0])),
            ("", "nearest_5_percent", np.quantile(distances[:, 0], 0.05)),
            ("", "copies_percent", 100 * np.mean(distances[:, 0] < c.copy_ratio * distances[:, 1])),
            ("embeddings", "frechet", frechet_distance(X["embeddings"], reference)),
        ]
        for of in X:
            found += [
                (of, "vendi", vendi_score(X[of])),
                (of, "weighted_vendi", weighted_vendi_score(X[of], originals[of])),
            ]
        identity = {name: getattr(c, name) for name in ("dataset", "arm", "category", "setting", "seed")} | {
            "run_key": c.run_key
        }
        rows += [identity | {"of": of, "metric": metric, "value": float(value)} for of, metric, value in found]
    return pd.DataFrame(rows).assign(**images.origin)
