"""Supervised contrastive learning (Khosla et al. 2020) for stacks of small networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from weightspace.training.minibatch import MinibatchNetworks, Optimizer


def supervised_contrastive(features: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean over anchors i with a partner of -1/|P(i)| sum_{p in P(i)} log softmax_{a != i}(u_i.u_a / T)_p.

    features: ``[networks, batch, width]``, scaled to unit length here (u); labels: ``[batch]``; P(i): the other samples
    of the label of i. Returns ``[networks]``. Source: Khosla et al. 2020, equation 2.
    """
    u = torch.nn.functional.normalize(features, dim=2)
    alike = u @ u.transpose(1, 2) / temperature
    itself = torch.eye(len(labels), dtype=torch.bool)
    log_share = alike - alike.masked_fill(itself, -torch.inf).logsumexp(dim=2, keepdim=True)
    partner = (labels[:, None] == labels[None, :]) & ~itself
    number = partner.sum(dim=1)
    per_anchor = (log_share * partner).sum(dim=2) / number.clamp_min(1)
    return -per_anchor.sum(dim=1) / (number > 0).sum().clamp_min(1)


class ContrastiveNetworks:
    """Encoders trained with the contrastive loss, then a linear classifier on each one's frozen features.

    sizes: layer widths, input first; all but the last layer are the encoder. rates: learning rate of every encoder
    (SGD with momentum). head_lr: learning rate of the classifiers (Adam).
    """

    def __init__(
        self, sizes: Sequence[int], rates: Sequence[float], seed: int, *, temperature: float, head_lr: float
    ) -> None:
        self.temperature = temperature
        self.encoders = MinibatchNetworks(sizes[:-1], [Optimizer("sgd", lr) for lr in rates], seed)
        self.heads = [MinibatchNetworks(sizes[-2:], [Optimizer("adam", head_lr)], seed) for _ in rates]

    def features(self, x: np.ndarray) -> np.ndarray:
        """Outputs of the encoders after ReLU, scaled to unit length, ``[networks, samples, width]``."""
        h = np.maximum(self.encoders.predict(x), 0)
        return h / np.maximum(np.linalg.norm(h, axis=2, keepdims=True), 1e-12)

    def train(self, x: np.ndarray, y: np.ndarray, batches: np.ndarray) -> None:
        """The first half of the batches goes to the encoders, the second to the classifiers."""
        half = len(batches) // 2
        self.encoders.train(
            x, y, batches[:half], lambda z, labels: supervised_contrastive(z.relu(), labels, self.temperature)
        )
        for head, own in zip(self.heads, self.features(x)):
            head.train(own, y, batches[half:])

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every network, ``[networks, samples, outputs]``."""
        return np.concatenate([head.predict(own) for head, own in zip(self.heads, self.features(x))])
