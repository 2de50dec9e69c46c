"""How the runs of paper A's training experiments are computed: trained, looked at along the way, tested."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from weightspace.data import augmentations
from weightspace.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from weightspace.experiments.diversity.compute.measurements import Measurements, scores
from weightspace.experiments.diversity.protocol import (
    MATRIX,
    SLICES,
    CampaignConfiguration,
    PretrainedConfiguration,
    TrainingConfiguration,
    load_images,
)
from weightspace.measures.hessian import hutchinson_trace
from weightspace.models import ResNet18, image_inputs, pretrained
from weightspace.spectra import eigenvalues_of
from weightspace.spectra.report import LayerSpectrum
from weightspace.training.trainer import (
    PROBE_STREAM,
    Recipe,
    Trainer,
    derived_seed,
    evaluated,
    initialized,
    to_inputs,
)

_FEW_IMAGES = 10_000
"""Up to so many are augmented in this process: others take seconds to start."""


def trainer(configuration: TrainingConfiguration, device: str) -> Trainer:
    """The network of a configuration at its initial weights, ready to be trained.

    A ResNet-18 of some ``width``, or the pretrained network that ``model`` names, on images of some ``resolution``.
    """
    c: Any = configuration  # dropout is a setting of some kinds and a constant of others
    recipe = Recipe(c.optimizer, c.lr, c.batch_size, c.weight_decay)
    classes = int(load_images(c.dataset).y.max()) + 1
    if isinstance(configuration, PretrainedConfiguration):
        model = initialized(lambda: pretrained(c.model, classes, c.dropout), c.seed)
        prepare = image_inputs(c.model, c.resolution)
    else:
        model = initialized(lambda: ResNet18(c.dropout, c.width, classes), c.seed)
        prepare = to_inputs
    return Trainer(model, recipe, c.seed, device, prepare, c.precision)


@lru_cache(maxsize=32)
def training_images(
    dataset: str, train_size: int, level: str, cumulative: bool, seed: int, epoch: int
) -> NDArray[np.uint8]:
    """What the network sees in one epoch, ``[train_size, 32, 32, 3]``; the images as they are for level ``""``.

    Kept in memory for a while, because a cumulative level goes on from the images of the one before it.
    """
    x = load_images(dataset).x[:train_size]
    if not level:
        return x
    position = augmentations.LEVELS.index(level)
    if cumulative and position:
        x = training_images(dataset, train_size, augmentations.LEVELS[position - 1], True, seed, epoch)
    workers = 1 if train_size <= _FEW_IMAGES else len(os.sched_getaffinity(0))
    return augmentations.augment(x, level, seed, epoch, workers)


@lru_cache(maxsize=len(CORRUPTIONS) * len(SEVERITIES))
def corrupted_images(dataset: str, size: int, kind: str, severity: int) -> NDArray[np.uint8]:
    """The first test images, corrupted: the same for all runs."""
    return corrupt(load_images(dataset).test_x[:size], kind, severity)


def spectra(model: nn.Module, device: str = "cpu") -> list[dict[str, Any]]:
    """Eigenvalues of every convolution, linear layer and table of embeddings, a row per layer and unfolding.

    unfolding: ``(out, in k)``, the matrix that maps a patch to the output channels; for convolutions also ``slices``,
    one matrix per place of the kernel with all eigenvalues pooled, the convention of WeightWatcher and paper A, without
    WeightWatcher's factor of 1/2. N and M: larger and smaller side. eigenvalues: of W^T W, ascending, float32. value:
    their sum, the squared Frobenius norm of the layer. Depthwise convolutions are left out: each of their matrices is
    one row and has one eigenvalue, its squared length.
    """
    places = []
    for name, module in weight_layers(model, nn.Conv2d, nn.Linear, nn.Embedding):
        places += [({"layer": name, "unfolding": form}, parts) for form, parts in unfoldings(module).items()]
    return eigenvalue_rows(places, device)


def weight_layers(model: nn.Module, *kinds: type[nn.Module]) -> list[tuple[str, nn.Module]]:
    """The layers of these kinds by name, but for grouped convolutions."""
    layers = model.named_modules()
    return [(name, layer) for name, layer in layers if isinstance(layer, kinds) and getattr(layer, "groups", 1) == 1]


def unfoldings(layer: nn.Module) -> dict[str, list[Tensor]]:
    """The weights of a layer as matrices: ``MATRIX``, and ``SLICES`` of a convolution."""
    weight = layer.get_parameter("weight").detach()
    found = {MATRIX: [weight.flatten(1)]}
    return found | {SLICES: list(weight.flatten(2).unbind(2))} if weight.dim() == 4 else found


def eigenvalue_rows(places: Sequence[tuple[dict[str, str], list[Tensor]]], device: str) -> list[dict[str, Any]]:
    """A row for every place, with the eigenvalues of its matrices, pooled. Columns: see ``spectra``."""
    values = iter(eigenvalues_of([matrix for _, parts in places for matrix in parts], device=device))
    rows = []
    for place, parts in places:
        pooled = np.sort(np.concatenate([next(values) for _ in parts]))
        shape = {"N": max(parts[0].shape), "M": min(parts[0].shape)}
        found = {"metric": "norm", "value": float(pooled.sum()), "eigenvalues": pooled.astype(np.float32)}
        rows.append(place | shape | found)
    return rows


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """To 16 significant bits, a relative error of at most 2^-17: the last byte is 0 and costs nothing on record."""
    return ((values.view(np.uint32) + np.uint32(0x80)) & np.uint32(0xFFFFFF00)).view(np.float32)


def with_rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spectra with rounded eigenvalues."""
    return [row | {"eigenvalues": rounded(row["eigenvalues"])} for row in rows]


def stored_spectra(rows: pd.DataFrame) -> list[LayerSpectrum]:
    """The spectra of one run, epoch and unfolding, from its records: ``report_of`` makes the table of all metrics.

    rows: those of the records that have eigenvalues, one per layer. Layers other than convolutions have one unfolding,
    ``(out, in k)``: add them to the slices for a report of all layers. ``ValueError`` if a layer occurs twice.
    """
    if rows["layer"].duplicated().any():
        raise ValueError("rows must be of one run, epoch and unfolding: a layer occurs twice")
    return [
        LayerSpectrum(
            layer_id=layer_id,
            name=row.layer,
            layer_type="conv2d" if row.unfolding == SLICES else "linear",
            unfolding=row.unfolding,
            N=row.N,
            M=row.M,
            matrices=len(row.eigenvalues) // row.M,
            eps=float(np.finfo(np.float32).eps),
            eigenvalues=np.asarray(row.eigenvalues, dtype=np.float64),
        )
        for layer_id, row in enumerate(rows.itertuples())
    ]


def augmented(configuration: Any, epoch: int) -> NDArray[np.uint8]:
    """The training images of an epoch by the augmentation of a configuration."""
    c = configuration
    return training_images(c.dataset, c.train_size, c.augmentation, c.arm == "cumulative", c.seed, epoch)


def train_and_measure(
    configuration: CampaignConfiguration, device: str, training_set: Callable[[Any, int], NDArray[np.uint8]] = augmented
) -> pd.DataFrame:
    """Losses, accuracies and ECE per epoch, spectra along training, corrupted test images at the end.

    inputs: ``train``, the batches as the network trained on them (augmented, with dropout); ``train_clean`` and
    ``test``, the first images as they are, in evaluation mode; or a corruption with its severity (0 elsewhere), of the
    test images that are in ``test_part`` as they are. Initial spectra are kept for the baselines of the arms ``main``
    and ``independent`` only: all other runs of a seed start from the same weights. For pretrained networks
    ``linear_probe`` says there what the features were worth before any training: see ``probe``. training_set: the
    images of an epoch, ``[train_size, 32, 32, 3]``, for the labels of the data set.
    """
    c = configuration
    images, size, tests = load_images(c.dataset), c.train_size, c.test_size
    seen, labels = min(size, tests), images.y[:size]
    found = Measurements(trainer(c, device), spectra)
    if c.setting == "baseline" and c.arm in ("main", "independent"):
        found.spectra(0)
        if isinstance(c, PretrainedConfiguration):
            right = probe(found.run, images.x[:size], labels, images.test_x[:tests], images.test_y[:tests])
            found.add(0, "linear_probe", {"accuracy_percent": 100 * right})
    for epoch in range(1, c.epochs + 1):
        found.train(epoch, training_set(c, epoch), labels)
        found.score(epoch, "train_clean", images.x[:seen], images.y[:seen])
        found.score(epoch, "test", images.test_x[:tests], images.test_y[:tests])
        if epoch in c.spectra_epochs:
            found.spectra(epoch)
    score_corrupted(found, c)
    return found.records(c, images.origin)


def score_corrupted(found: Measurements, configuration: CampaignConfiguration) -> None:
    """The scores at the end on corrupted test images, and on the same ones as they are."""
    c, number = configuration, configuration.corruption_size
    images = load_images(c.dataset)
    y = images.test_y[:number]
    found.score(c.epochs, "test_part", images.test_x[:number], y)
    for kind in CORRUPTIONS:
        x = np.concatenate([corrupted_images(c.dataset, number, kind, severity) for severity in c.severities])
        for severity, logits in zip(c.severities, np.split(found.run.logits(x), len(c.severities))):
            found.add(c.epochs, kind, scores(logits, y), severity)


def probe(
    run: Trainer, x: NDArray[np.uint8], y: NDArray[np.int64], test_x: NDArray[np.uint8], test_y: NDArray[np.int64]
) -> float:
    """Share of right answers of logistic regression on the features of the network as it is, trained on x and y.

    Features are z-scored; the penalty is |w|^2 / 2 against 0.01 times the sum of the losses.
    """
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    return float(regression.fit(run.features(x), y).score(run.features(test_x), test_y))


def batch_traces(
    run: Trainer, images: NDArray[np.uint8], labels: NDArray[np.int64], batches: int, probes: int, epoch: int
) -> NDArray[np.float64]:
    """Estimates of the Hessian's trace on the first ``batches`` batches, ``[batches]``, in training mode.

    The run is left as it was: a pass in training mode moves the running means, so a copy of its model is looked at.
    """
    model = copy.deepcopy(run.model).train()
    seed = derived_seed(run.seed, PROBE_STREAM, epoch)
    generator = torch.Generator(run.device).manual_seed(seed)
    size = run.recipe.batch_size
    x, y = (torch.from_numpy(part[: batches * size]).to(run.device) for part in (images, labels))
    values = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # of the dropout masks
        for inputs, targets in zip(x.split(size), y.split(size)):
            loss = F.cross_entropy(model(run.prepare(inputs)), targets)
            values.append(hutchinson_trace(loss, list(model.parameters()), probes, generator).value)
    return np.array(values)


def vectors(run: Trainer, x: NDArray[np.uint8]) -> dict[str, NDArray]:
    """Pixels and embeddings, ``[n, d]`` each.

    Half a grey level is added to the pixels: translations can leave an image black, which had no direction without it.
    """
    return {"pixels": x.reshape(len(x), -1) + 0.5, "embeddings": run.features(x)}


def pretrained_features(
    model: str, resolution: int, device: str, precision: str
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A function of images to what the last layer of a network sees that others trained, ``[n, d]``."""
    network: Any = pretrained(model, 1, 0.0).to(device).eval()
    return partial(evaluated, network.features, image_inputs(model, resolution), device, precision)
