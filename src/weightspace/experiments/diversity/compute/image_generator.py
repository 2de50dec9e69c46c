"""A generator of small images: trained on a training set, and what it makes of it, kept for all runs that use it.

The images cost more than all else, and every training set of a seed needs the same ones: they are kept in the user's
cache, under the key of the generator's configuration, and made again where they are missing.
"""

from __future__ import annotations

import os
import time
import zipfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from weightspace.campaigns.records import RecordError
from weightspace.data.files import cache_folder
from weightspace.devices import kind
from weightspace.experiments.diversity.protocol import load_images
from weightspace.experiments.diversity.synthetic_settings import GeneratorConfiguration
from weightspace.models.flow_matching import VelocityNetwork, flow_matching_loss, sample
from weightspace.training.trainer import ORDER_STREAM, derived_seed, initialized

# Beside those of ``trainer``.
FLOW_STREAM, JUDGED_STREAM, SAMPLE_STREAM = range(10, 13)

_SAMPLE_BATCH = 500


@dataclass(frozen=True, eq=False)
class Synthetic:
    """images: bytes ``[copies, n, 32, 32, 3]``, [:, i] made for the class of training image i.

    epochs, train, train_clean, test: the loss along training, ``[records]`` each: as the network trained; and of the
    averaged weights, on training images and on test images. parameters: their number. train_seconds, sample_seconds.
    """

    images: NDArray[np.uint8]
    epochs: NDArray[np.int64]
    train: NDArray[np.float64]
    train_clean: NDArray[np.float64]
    test: NDArray[np.float64]
    parameters: int
    train_seconds: float
    sample_seconds: float


def to_values(images: NDArray[np.uint8], colours: int, border: int) -> Tensor:
    """Bytes ``[n, side, side, 3]`` as values from -1 to 1, ``[n, colours, side - 2 border, side - 2 border]``."""
    inner = images[:, border : images.shape[1] - border, border : images.shape[2] - border, :colours]
    return torch.from_numpy(np.ascontiguousarray(inner.transpose(0, 3, 1, 2))).float() / 127.5 - 1


def to_bytes(values: Tensor, border: int) -> NDArray[np.uint8]:
    """The inverse of ``to_values``, rounded and clipped: one colour becomes three, the border black."""
    grey_levels = ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy().transpose(0, 2, 3, 1)
    grey_levels = np.broadcast_to(grey_levels, (*grey_levels.shape[:3], 3))
    return np.pad(grey_levels, ((0, 0), (border, border), (border, border), (0, 0)))


def trained_generator(configuration: GeneratorConfiguration, device: str) -> tuple[nn.Module, dict[str, NDArray]]:
    """The velocity network with averaged weights, and the losses of ``Synthetic``.

    Adam with a learning rate that rises over the fraction warm_up of the steps and falls to zero on a cosine; an
    exponential moving average of the weights is what is kept.
    """
    c, seed = configuration, configuration.seed
    images, size, batch = load_images(c.dataset), c.train_size, c.generator_batch_size
    model = initialized(lambda: VelocityNetwork(c.colours, c.channels, c.blocks, dropout=c.generator_dropout), seed).to(
        device
    )
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(c.ema_decay))
    on_gpu = kind(device) == "cuda"
    run = torch.compile(model) if on_gpu else model
    optimizer = torch.optim.Adam(model.parameters(), fused=on_gpu)
    epochs, steps = c.generator_epochs, size // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, c.generator_lr, total_steps=epochs * steps, pct_start=c.warm_up, cycle_momentum=False
    )
    values = to_values(images.x[:size], c.colours, c.border).to(device)
    held_out = to_values(images.test_x[: c.loss_size], c.colours, c.border).to(device)
    labels, held_out_labels = (torch.from_numpy(y).to(device) for y in (images.y[:size], images.test_y))
    generator = torch.Generator(device).manual_seed(derived_seed(seed, FLOW_STREAM))
    losses: dict[str, list[float]] = {"epochs": [], "train": [], "train_clean": [], "test": []}
    with torch.random.fork_rng(), torch.backends.cudnn.flags(benchmark=False, deterministic=True):
        torch.manual_seed(derived_seed(seed, FLOW_STREAM))  # of the dropout masks
        for epoch in range(1, epochs + 1):
            order = np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(size)[: steps * batch]
            total = torch.zeros((), device=device, dtype=torch.float64)
            for rows in torch.from_numpy(order.reshape(-1, batch)).to(device):
                optimizer.zero_grad(set_to_none=True)
                with _autocast(c, device):
                    loss = flow_matching_loss(run, values[rows], labels[rows], generator)
                loss.backward()
                optimizer.step()
                schedule.step()
                averaged.update_parameters(model)
                total += loss.detach()
            if epoch % c.loss_every == 0 or epoch == epochs:
                judged = averaged.module.eval()
                losses["epochs"].append(epoch)
                losses["train"].append(total.item() / steps)
                losses["train_clean"].append(_judged_loss(judged, values[: c.loss_size], labels, seed))
                losses["test"].append(_judged_loss(judged, held_out, held_out_labels, seed))
    return averaged.module.eval(), {name: np.array(found) for name, found in losses.items()}


def _autocast(configuration: GeneratorConfiguration, device: str) -> torch.autocast:
    bf16 = configuration.precision != "float32"
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16)


@torch.no_grad()
def _judged_loss(model: nn.Module, values: Tensor, labels: Tensor, seed: int) -> float:
    """The loss with the same draws of time and noise for every set and epoch."""
    generator = torch.Generator(values.device).manual_seed(derived_seed(seed, JUDGED_STREAM))
    parts = zip(values.split(_SAMPLE_BATCH), labels[: len(values)].split(_SAMPLE_BATCH))
    return sum(flow_matching_loss(model, x, y, generator).item() * len(x) for x, y in parts) / len(values)


def generated(
    model: nn.Module, labels: NDArray[np.int64], configuration: GeneratorConfiguration, device: str
) -> NDArray[np.uint8]:
    """One image for each label, bytes ``[n, 32, 32, 3]``. Its noise depends on the seed alone, not on the device."""
    c = configuration
    generator = torch.Generator().manual_seed(derived_seed(c.seed, SAMPLE_STREAM))
    side = load_images(c.dataset).x.shape[1] - 2 * c.border
    parts = []
    for y in torch.from_numpy(labels).split(_SAMPLE_BATCH):
        noise = torch.randn(len(y), c.colours, side, side, generator=generator).to(device)
        with _autocast(c, device):
            values = sample(model, noise, y.to(device), c.steps)
        parts.append(to_bytes(values.float(), c.border))
    return np.concatenate(parts)


def synthetic_file(configuration: GeneratorConfiguration) -> Path:
    """Where the images of a generator are kept."""
    return cache_folder() / "synthetic" / f"{configuration.run_key}.npz"


def synthetic(configuration: GeneratorConfiguration, device: str) -> Synthetic:
    """The images of a generator: from the cache, or made and kept there. ``RecordError`` for a damaged file."""
    file = synthetic_file(configuration)
    if not file.exists():
        _keep(file, _made(configuration, device))
    return _kept(file)


def _made(configuration: GeneratorConfiguration, device: str) -> Synthetic:
    c = configuration
    start = time.perf_counter()
    model, losses = trained_generator(c, device)
    trained = time.perf_counter()
    labels = np.tile(load_images(c.dataset).y[: c.train_size], c.copies)
    images = generated(model, labels, c, device)
    return Synthetic(
        images.reshape(c.copies, -1, *images.shape[1:]),
        **losses,
        parameters=sum(p.numel() for p in model.parameters()),
        train_seconds=trained - start,
        sample_seconds=time.perf_counter() - trained,
    )


@lru_cache(maxsize=1)
def _kept(file: Path) -> Synthetic:
    try:
        with np.load(file) as arrays:
            return Synthetic(**{name: value if value.ndim else value.item() for name, value in arrays.items()})
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise RecordError(
            f"the synthetic images in {file} are damaged ({error}): delete the file and run again"
        ) from error


def _keep(file: Path, images: Synthetic) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.draft")
    with draft.open("wb") as stream:
        np.savez_compressed(stream, **asdict(images))
    draft.replace(file)
