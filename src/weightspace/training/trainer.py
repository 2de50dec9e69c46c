"""Training classifiers by mini-batches: one recipe, the same initial weights and data order for a seed.

Data on the device, channels_last, fused optimizer; on a GPU compiled. The precision is the caller's choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

CHANNEL_MEAN = (0.4914, 0.4822, 0.4465)
CHANNEL_STD = (0.2470, 0.2435, 0.2616)
"""Of the pixels / 255 of the CIFAR-10 training images, per colour."""

# Random streams of a seed: one does not shift another, so that a regularizer that draws numbers leaves the rest alone.
WEIGHTS_STREAM, ORDER_STREAM, DROPOUT_STREAM, PROBE_STREAM, LABEL_STREAM, STATISTICS_STREAM = range(6)

PRECISIONS = ("float32", "bfloat16 autocast")
"""What the network computes in; weights, gradients and the optimizer are float32 in both."""

_PREDICT_BATCH = 250


@dataclass(frozen=True)
class Recipe:
    """optimizer: ``sgd`` (momentum 0.9), ``adam`` or ``adamw``; lr: its learning rate. weight_decay: coupled L2, added
    to the gradient of every parameter, as PyTorch's SGD and Adam and paper A's released code have it; decoupled in
    AdamW. Parameters that require no gradient are left out. cosine_epochs: the epochs over which the rate falls to zero
    along half a cosine, or None for a constant rate."""

    optimizer: str
    lr: float
    batch_size: int
    weight_decay: float = 0.0
    cosine_epochs: int | None = None

    def lr_after(self, epochs: float) -> float:
        """The learning rate after so many epochs, a whole number or not (Loshchilov and Hutter 2017, equation 5)."""
        if self.cosine_epochs is None:
            return self.lr
        return self.lr * (1 + math.cos(math.pi * min(epochs / self.cosine_epochs, 1))) / 2

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        trained = [p for p in model.parameters() if p.requires_grad]
        options: dict[str, Any] = {"lr": self.lr, "weight_decay": self.weight_decay, "fused": True}
        if self.optimizer == "sgd":
            return torch.optim.SGD(trained, momentum=0.9, **options)
        if self.optimizer == "adam":
            return torch.optim.Adam(trained, **options)
        if self.optimizer == "adamw":
            return torch.optim.AdamW(trained, **options)
        raise ValueError(f"unknown optimizer {self.optimizer!r}: use sgd, adam or adamw")


def derived_seed(*entropy: int) -> int:
    """A seed for PyTorch from a seed and a stream."""
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def initialized(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The model with initial weights that depend on the seed alone, not on the device or on earlier draws."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derived_seed(seed, WEIGHTS_STREAM))
        return build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def to_inputs(
    images: Tensor,
    mean: Sequence[float] = CHANNEL_MEAN,
    std: Sequence[float] = CHANNEL_STD,
    resolution: int | None = None,
) -> Tensor:
    """Bytes ``[n, side, side, 3]`` to z-scored float32 ``[n, 3, side, side]``, channels last in memory.

    resolution: the side that they are resized to, by linear interpolation; with a filter where they become smaller.
    """
    x = images.float() / 255
    if resolution is not None and resolution != x.shape[1]:
        smaller = resolution < x.shape[1]
        x = F.interpolate(x.permute(0, 3, 1, 2), resolution, mode="bilinear", antialias=smaller).permute(0, 2, 3, 1)
    centre, scale = (torch.tensor(values, device=images.device) for values in (mean, std))
    return ((x - centre) / scale).permute(0, 3, 1, 2)


class Trainer:
    """A model in training on one device.

    ``model`` holds the weights; what runs is a compiled form of it on a GPU. Draws of dropout depend on the seed alone.
    prepare: makes the model's input of rows of the data, on the device, batch by batch: by default of images. The data
    are arrays of any shape ``[n, ...]``, texts for one: ``[n, length]`` token numbers with padding. precision: one of
    ``PRECISIONS``. replicate: runs of one seed with other replicates start from the same weights, see the batches in
    another order and draw other dropout masks. after_step: called after every update, to project the weights, say.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        seed: int,
        device: str = "cpu",
        prepare: Callable[[Tensor], Tensor] = to_inputs,
        precision: str = "float32",
        replicate: int = 0,
        after_step: Callable[[], None] | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"unknown precision {precision!r}: use one of {', '.join(PRECISIONS)}")
        self.model: Any = model.to(device)
        self.recipe, self.seed, self.device, self.prepare = recipe, seed, device, prepare
        self.precision, self.replicate, self.after_step = precision, replicate, after_step
        self.optimizer: Any = recipe.build(self.model)  # or what steps in its place, such as a ``DualOptimizer``
        self._kind = torch.device(device).type
        self._run = torch.compile(self.model) if self._kind == "cuda" else self.model
        state = torch.Generator(device).manual_seed(derived_seed(*self._stream(DROPOUT_STREAM)))
        self._dropout_state = state.get_state()

    def _stream(self, *stream: int) -> list[int]:
        """Entropy of a random stream of this run. Replicate 0 has the streams that runs had before there were any."""
        return [self.seed, *stream, *([self.replicate] if self.replicate else [])]

    def train_epoch(self, samples: NDArray, labels: NDArray[np.int64], epoch: int) -> tuple[float, float]:
        """One pass over whole batches in an order of its own; mean loss and share of right answers as it trained.

        samples: what ``prepare`` takes, ``[n, ...]``. What is left of the last batch is left out; other samples in
        every epoch. ``ValueError`` if n is smaller than a batch.
        """
        size = self.recipe.batch_size
        if len(samples) < size:
            raise ValueError(f"{len(samples)} samples are less than one batch of {size}")
        order = np.random.default_rng(self._stream(ORDER_STREAM, epoch)).permutation(len(samples))
        batches = torch.from_numpy(order[: len(samples) // size * size].reshape(-1, size)).to(self.device)
        x, y = torch.from_numpy(samples).to(self.device), torch.from_numpy(labels).to(self.device)
        total, right = (torch.zeros((), device=self.device, dtype=torch.float64) for _ in range(2))
        self.model.train()
        # Dropout goes on from where the last epoch stopped, whoever drew in between. On a GPU the fastest algorithm of
        # a convolution is not always the same one, and some add up in random order: both would change the record.
        with torch.random.fork_rng(), torch.backends.cudnn.flags(benchmark=False, deterministic=True):
            self._set_dropout_state(self._dropout_state)
            for step, rows in enumerate(batches):
                for group in self.optimizer.param_groups:
                    group["lr"] = self.recipe.lr_after(epoch - 1 + step / len(batches))
                self.optimizer.zero_grad(set_to_none=True)
                with autocast(self.device, self.precision):
                    logits = self._run(self.prepare(x[rows]))
                loss = F.cross_entropy(logits.float(), y[rows])
                loss.backward()
                self.optimizer.step()
                if self.after_step is not None:
                    self.after_step()
                total += loss.detach()
                right += (logits.argmax(dim=1) == y[rows]).sum()
            self._dropout_state = self._get_dropout_state()
        return total.item() / len(batches), right.item() / batches.numel()

    def _get_dropout_state(self) -> Tensor:
        return torch.cuda.get_rng_state(self.device) if self._kind == "cuda" else torch.get_rng_state()

    def _set_dropout_state(self, state: Tensor) -> None:
        if self._kind == "cuda":
            torch.cuda.set_rng_state(state, self.device)
        else:
            torch.set_rng_state(state)

    def logits(self, samples: NDArray) -> NDArray[np.float32]:
        """``[n, classes]`` in evaluation mode: no dropout, running means in batch norm."""
        return self._evaluated(self.model, samples)

    def features(self, samples: NDArray) -> NDArray[np.float32]:
        """What the last layer sees, in evaluation mode."""
        return self._evaluated(self.model.features, samples)

    def _evaluated(self, function: Callable[[Tensor], Tensor], samples: NDArray) -> NDArray[np.float32]:
        self.model.eval()
        return evaluated(function, self.prepare, self.device, self.precision, samples)


@torch.no_grad()
def evaluated(
    function: Callable[[Tensor], Tensor],
    prepare: Callable[[Tensor], Tensor],
    device: str,
    precision: str,
    samples: NDArray,
) -> NDArray[np.float32]:
    """``function(prepare(samples))`` batch by batch; the model that the function belongs to is in evaluation mode."""
    parts = []
    for part in torch.from_numpy(samples).to(device).split(_PREDICT_BATCH):
        with autocast(device, precision):
            parts.append(function(prepare(part)).float())
    return torch.cat(parts).cpu().numpy()


def autocast(device: str, precision: str) -> torch.autocast:
    """Where a network computes in one of ``PRECISIONS``."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision != "float32")


def reset_batch_norm(run: Trainer, samples: NDArray) -> None:
    """Take means and variances of every batch norm anew from ``samples``, batch by batch with equal weights.

    The weights stay as they are; dropout acts as in training, with masks that depend on the seed alone. What is left of
    the last batch counts too.
    """
    parts = torch.from_numpy(samples).to(run.device).split(_PREDICT_BATCH)
    run.model.eval()  # as it is left
    with torch.random.fork_rng(), autocast(run.device, run.precision):
        torch.manual_seed(derived_seed(run.seed, STATISTICS_STREAM))
        update_bn((run.prepare(part) for part in parts), run.model)


def loss_and_accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross entropy in nats and share of right answers."""
    loss = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    return loss, float((logits.argmax(axis=1) == labels).mean())
