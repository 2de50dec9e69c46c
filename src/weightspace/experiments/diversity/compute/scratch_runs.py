"""How a classifier of images is trained until it fits them, and what is measured of it along the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from weightspace.data.augmentations import augment
from weightspace.data.corruptions import CORRUPTIONS
from weightspace.data.sampling import flip_labels
from weightspace.experiments.diversity.compute.image_runs import (
    corrupted_images,
    eigenvalue_rows,
    unfoldings,
    weight_layers,
    with_rounded,
)
from weightspace.experiments.diversity.compute.measurements import Measurements, scores
from weightspace.experiments.diversity.protocol import MATRIX, Images, load_images
from weightspace.experiments.diversity.scratch_settings import (
    FineTunedConfiguration,
    FittedConfiguration,
    ScratchConfiguration,
    VisionTransformerConfiguration,
)
from weightspace.models import ResNet18, VisionTransformer, image_inputs, pretrained
from weightspace.models.batch_norms import batch_norms
from weightspace.training.trainer import LABEL_STREAM, Recipe, Trainer, initialized, to_inputs

NAMES = ("dataset", "model", "width", "train_size", "lr", "category", "setting", "seed", "replicate")
"""Settings that are columns of the records of a run, where it has them."""


def trainer(configuration: FittedConfiguration, device: str) -> Trainer:
    """The network of a configuration at its initial weights, ready to be trained."""
    c = configuration
    classes = int(load_images(c.dataset).y.max()) + 1
    model = initialized(lambda: network(c, classes), c.seed)
    prepare = image_inputs(c.model, c.resolution) if isinstance(c, FineTunedConfiguration) else to_inputs
    cosine_epochs = c.epochs if c.schedule == "cosine" else None
    recipe = Recipe(c.optimizer, c.lr, c.batch_size, c.weight_decay, cosine_epochs)
    run = Trainer(model, recipe, c.seed, device, prepare, c.precision, c.replicate)
    run.after_step = norm_keeper(run.model) if c.kernel_norm == "fixed" else None
    return run


def network(configuration: FittedConfiguration, classes: int) -> nn.Module:
    """The network of a configuration; what is not pretrained is drawn from PyTorch's generator."""
    match configuration:
        case ScratchConfiguration() as c:
            return ResNet18(c.dropout, c.width, classes)
        case VisionTransformerConfiguration() as c:
            return VisionTransformer(c.dropout, c.width, c.blocks, c.heads, c.patch, classes)
        case FineTunedConfiguration() as c:
            return pretrained(c.model, classes, c.dropout)
        case other:
            raise TypeError(f"no network is known for {type(other).__name__}")


def norm_keeper(model: nn.Module) -> Callable[[], None]:
    """A function that scales every convolution kernel back to the Frobenius norm that it has now.

    In front of a batch norm this leaves what the network computes as it is; what changes is how far the next update,
    of the same length, turns the kernel.
    """
    kernels = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    norms = [kernel.detach().norm() for kernel in kernels]

    @torch.no_grad()
    def keep() -> None:
        for kernel, norm in zip(kernels, norms, strict=True):
            kernel.mul_(norm / kernel.norm())

    return keep


def training_labels(configuration: FittedConfiguration) -> NDArray[np.int64]:
    """Labels of the training images, some of them wrong if there is label noise."""
    c = configuration
    y = load_images(c.dataset).y
    rng = np.random.default_rng([c.seed, LABEL_STREAM])
    return flip_labels(y[: c.train_size], c.label_noise, int(y.max()) + 1, rng)


def train_and_measure(
    configuration: FittedConfiguration,
    device: str,
    training_set: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None,
) -> pd.DataFrame:
    """The records of one run. training_set: images and labels in the place of the real training images.

    Rows of scores have inputs: ``train``, the batches as the network trained on them (augmented, with dropout; mean
    loss and accuracy of every epoch); ``train_clean``, the training images as they are with the labels trained on;
    ``test``; the name of another set, all of its images; or a corruption, with its severity (0 elsewhere), of the test
    images that are in ``test_part`` as they are. metric: loss (nats), accuracy_percent, ece (not for ``train``).

    Rows of spectra have layer, batch_norm, unfolding, N, M, eigenvalues and, as metric ``norm``, their sum: see
    ``spectra``. Those of the initial weights are kept for replicate 0 of the baseline: all runs of a seed start there.
    """
    c = configuration
    images, labels = load_images(c.dataset), training_labels(c)
    clean = images.x[: c.train_size]
    seen, targets = training_set or (clean, labels)
    found = Measurements(trainer(c, device), spectra)
    if 0 in c.spectra_epochs and c.setting == "baseline" and c.replicate == 0:
        found.spectra(0)
    for epoch in range(1, c.epochs + 1):
        x = augment(seen, c.augmentation, c.seed, epoch) if c.augmentation else seen
        last = found.train(epoch, x, targets) <= c.stop_loss or epoch == c.epochs
        if last or epoch in c.score_epochs:
            found.score(epoch, "train_clean", clean, labels)
        if last or epoch in c.spectra_epochs:
            _score_first(found, epoch, "test", images, c.test_size if last else c.checkpoint_test_size)
            found.spectra(epoch)
        if last:
            break
    _score_shifted_and_corrupted(found, epoch, c)
    return found.records(c, images.origin, NAMES)


def _score_first(found: Measurements, epoch: int, inputs: str, images: Images, size: int) -> None:
    """The scores of the first test images; a size of 0 asks for none."""
    if size:
        found.score(epoch, inputs, images.test_x[:size], images.test_y[:size])


def _score_shifted_and_corrupted(found: Measurements, epoch: int, configuration: FittedConfiguration) -> None:
    c, images = configuration, load_images(configuration.dataset)
    for name in c.shifted:
        found.add(epoch, name, scores(*_shifted(found.run, c.dataset, name)))
    _score_first(found, epoch, "test_part", images, c.corruption_size)
    for kind in CORRUPTIONS if c.corruption_size else ():
        for severity in c.severities:
            logits = found.run.logits(corrupted_images(c.dataset, c.corruption_size, kind, severity))
            found.add(epoch, kind, scores(logits, images.test_y[: c.corruption_size]), severity)


def _shifted(run: Trainer, dataset: str, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits and labels of all images of a set, of its test images alone if the network was trained on the others."""
    other = load_images(name)
    if name == dataset:
        return run.logits(other.test_x), other.test_y
    return run.logits(np.concatenate([other.x, other.test_x])), np.concatenate([other.y, other.test_y])


def spectra(model: nn.Module, device: str = "cpu") -> list[dict[str, Any]]:
    """Eigenvalues of every convolution and linear layer, a row per layer, batch_norm and unfolding.

    Depthwise convolutions are left out (each of their matrices has one row and one eigenvalue), and so is what
    multiplies nothing: tables of embeddings and positions.

    unfolding ``(out, in k)`` is the matrix that maps a patch to the output channels; ``slices`` has one matrix per
    place of the kernel with all eigenvalues pooled, the convention of WeightWatcher and paper A, without
    WeightWatcher's factor of 1/2. batch_norm ``apart``: the kernel as it is. ``folded``, of the first unfolding and of
    layers in front of a batch norm: each row times gamma / sqrt(variance + eps) of the norm behind it, the matrix that
    acts on a patch in evaluation. The scale of a kernel in front of a batch norm does not change the network; that of
    the folded one does.

    N and M: larger and smaller side. eigenvalues: of W^T W, ascending, float32 rounded to 16 significant bits. value:
    their sum before rounding, the squared Frobenius norm.
    """
    norms, places = batch_norms(model), []
    for name, module in weight_layers(model, nn.Conv2d, nn.Linear):
        forms = [("apart", unfolding, parts) for unfolding, parts in unfoldings(module).items()]
        if (norm := norms.get(name)) is not None:
            variance = norm.get_buffer("running_var").double()
            factor = norm.weight.detach().double() / (variance + norm.eps).sqrt()
            kernel = module.get_parameter("weight").detach().flatten(1).double()
            forms.append(("folded", MATRIX, [kernel * factor[:, None]]))
        places += [
            ({"layer": name, "batch_norm": batch_norm, "unfolding": unfolding}, parts)
            for batch_norm, unfolding, parts in forms
        ]
    return with_rounded(eigenvalue_rows(places, device))
