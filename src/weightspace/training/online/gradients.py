"""What drives the updates: the gradients at the units of a network, for many samples at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Layers = Sequence[tuple[NDArray, NDArray, NDArray]]
"""(w1, w2, bias) of every layer, as ``OnlineNetworks.layers`` has them."""


def gradients(layers: Layers, x: NDArray, y: NDArray, task: str) -> tuple[list[NDArray], list[NDArray]]:
    """Inputs of every layer, [samples, in], and g = dL/dz of every layer, [samples, units], in float64.

    L is the loss of one sample as in ``OnlineNetworks``: (z - y)^2 for ``task="regression"``, else the cross entropy
    of softmax(z). Dropout is off. x: [samples, features]; y: [samples], targets or labels.
    """
    weights = [(np.float64(w1) - w2, np.float64(bias)) for w1, w2, bias in layers]
    inputs, z = [np.asarray(x, np.float64)], np.empty(0)
    for depth, (w, bias) in enumerate(weights):
        z = inputs[-1] @ w.T + bias
        if depth < len(weights) - 1:
            inputs.append(np.maximum(z, 0))
    if task == "regression":
        g = 2 * (z - np.asarray(y, np.float64)[:, None])
    else:
        g = np.exp(z - z.max(axis=1, keepdims=True))
        g /= g.sum(axis=1, keepdims=True)
        g[np.arange(len(y)), y] -= 1
    found = [g]
    for (w, _), h in zip(weights[:0:-1], inputs[:0:-1]):
        found.append((found[-1] @ w) * (h > 0))
    return inputs, found[::-1]
