"""Mini-batch training of many small networks at once: the ordinary baselines that paper B leaves out.

A stack of ReLU networks of one shape, one batched matrix product per layer for all of them. Every network has its own
optimizer settings; all see the same samples in the same order. The start is the He draw of the online networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from weightspace.training.online.networks import OnlineNetworks

MOMENTUM = 0.9
BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass(frozen=True)
class Optimizer:
    """name: "sgd" (momentum 0.9), "adam" (Kingma & Ba 2015) or "sam" (Foret et al. 2021, on top of sgd).

    rho: radius of the ascent step of sam, (rho / ||g||) g over all weights and biases of the network.
    """

    name: str
    lr: float
    rho: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in ("sgd", "adam", "sam"):
            raise ValueError(f"unknown optimizer {self.name!r}: use sgd, adam or sam")


Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs [networks, batch, outputs], labels [batch]) -> loss of every network, [networks]."""


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch, one value per network."""
    picked = outputs.log_softmax(dim=2).gather(2, labels.expand(len(outputs), -1)[..., None])
    return -picked[..., 0].mean(dim=1)


def robust_cross_entropy(q: float) -> Loss:
    """Generalized cross entropy, mean of (1 - p^q) / q, p the probability of the label (Zhang & Sabuncu 2018).

    Its gradient is that of the cross entropy times p^q: samples whose label the network holds for unlikely count less.
    q in (0, 1]: towards 0 it is the cross entropy, at 1 the mean absolute error.
    """

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        picked = outputs.log_softmax(dim=2).gather(2, labels.expand(len(outputs), -1)[..., None])
        return ((1 - (q * picked[..., 0]).exp()) / q).mean(dim=1)

    return loss


class MinibatchNetworks:
    """Networks of equal shape and start that differ in how they are optimized.

    sizes: layer widths, input first. optimizers: one per network. Parameters: weights ``[networks, in, out]`` and
    biases ``[networks, 1, out]``, layer after layer.
    """

    def __init__(self, sizes: Sequence[int], optimizers: Sequence[Optimizer], seed: int) -> None:
        self.optimizers = list(optimizers)
        start = OnlineNetworks(sizes, ["gradient_descent"], [seed], task="classification").layers(0)
        self.parameters: list[Tensor] = []
        for w1, _, bias in start:
            self.parameters.append(torch.from_numpy(w1.T.copy()).repeat(len(self.optimizers), 1, 1))
            self.parameters.append(torch.from_numpy(bias.copy()).repeat(len(self.optimizers), 1, 1))
        self._first = [torch.zeros_like(p) for p in self.parameters]  # momentum, or Adam's first moment
        self._second = [torch.zeros_like(p) for p in self.parameters]
        self._steps = 0

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=self.parameters[0].dtype)[:, None, None]

        adam = [o.name == "adam" for o in self.optimizers]
        self._adam = torch.tensor(adam)[:, None, None] if any(adam) else None
        self._rho = column([o.rho for o in self.optimizers]) if any(o.rho for o in self.optimizers) else None
        self._lr = column([o.lr for o in self.optimizers])
        self._keep = column([BETAS[0] if own else MOMENTUM for own in adam])
        self._add = column([1 - BETAS[0] if own else 1.0 for own in adam])

    def forward(self, x: Tensor, parameters: list[Tensor] | None = None) -> Tensor:
        """Outputs ``[networks, batch, outputs]`` for x ``[batch, inputs]``."""
        parameters = self.parameters if parameters is None else parameters
        h = x.expand(len(self.optimizers), -1, -1)
        for layer in range(0, len(parameters), 2):
            if layer:
                h = h.relu()
            h = torch.baddbmm(parameters[layer + 1], h, parameters[layer])
        return h

    def train(self, x: np.ndarray, y: np.ndarray, batches: np.ndarray, loss: Loss = cross_entropy) -> None:
        """One optimizer step per row of ``batches`` ``[steps, batch]``, which holds indices into x and y."""
        inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
        for batch in torch.from_numpy(np.ascontiguousarray(batches)):
            self._step(inputs[batch], labels[batch], loss)

    def _gradients(self, x: Tensor, y: Tensor, loss: Loss, parameters: list[Tensor]) -> list[Tensor]:
        leaves = [p.detach().requires_grad_() for p in parameters]
        # The networks share nothing, so the gradient of the sum holds that of each loss.
        return list(torch.autograd.grad(loss(self.forward(x, leaves), y).sum(), leaves))

    def _step(self, x: Tensor, y: Tensor, loss: Loss) -> None:
        gradients = self._gradients(x, y, loss, self.parameters)
        if self._rho is not None:
            norm = sum((g.square().sum(dim=(1, 2), keepdim=True) for g in gradients), torch.zeros(())).sqrt()
            scale = self._rho / norm.clamp_min(1e-12)
            gradients = self._gradients(x, y, loss, [p + scale * g for p, g in zip(self.parameters, gradients)])
        self._steps += 1
        for p, g, first, second in zip(self.parameters, gradients, self._first, self._second):
            first.mul_(self._keep).addcmul_(self._add, g)
            step = first
            if self._adam is not None:
                second.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
                size = (second / (1 - BETAS[1] ** self._steps)).sqrt_().add_(EPSILON)
                step = torch.where(self._adam, first / (1 - BETAS[0] ** self._steps) / size, first)
            p.addcmul_(self._lr, step, value=-1)

    @torch.no_grad()
    def predict(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every network, ``[networks, samples, outputs]``."""
        parts = [self.forward(part) for part in torch.from_numpy(x).split(1000)]
        return torch.cat(parts, dim=1).numpy()


def batch_order(seed: int, stream: int, samples: int, updates: int, batch_size: int) -> np.ndarray:
    """``[updates // batch_size, batch_size]`` indices below ``samples``, uniform and with replacement."""
    steps = updates // batch_size
    return np.random.default_rng([seed, stream]).integers(0, samples, (steps, batch_size))
