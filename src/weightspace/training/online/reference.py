"""The online protocol in plain PyTorch, one sample and one optimizer step at a time: slow and easy to check.

``OnlineNetworks`` is the compiled form of this loop. Tests compare the two step by step, benchmarks time them.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from weightspace.dual.layers import DualLinear
from weightspace.dual.methods import Method
from weightspace.training.online.compiled import uniform
from weightspace.training.online.networks import OnlineNetworks


class CounterDropout(nn.Module):
    """Inverted dropout whose masks come from the counter generator of ``weightspace.training.online.compiled``."""

    def __init__(self, rate: float, seed: int, first_unit: int, n_hidden: int) -> None:
        super().__init__()
        self.rate, self.seed, self.first_unit, self.n_hidden = rate, seed, first_unit, n_hidden
        self.step = 0

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return h
        counters = [self.step * self.n_hidden + self.first_unit + k for k in range(h.shape[-1])]
        draws = [uniform(np.uint64(self.seed), np.uint64(c)) for c in counters]
        self.step += 1
        mask = torch.tensor([draw >= self.rate for draw in draws], dtype=h.dtype)
        return h * mask / (1 - self.rate)


def network(networks: OnlineNetworks, run: int) -> nn.Sequential:
    """One run of a stack as a torch model with the same weights, at their present values."""
    method = networks.methods[run]
    layers = networks.layers(run)
    n_hidden = int(networks.sizes[1:-1].sum())
    modules: list[nn.Module] = []
    first_unit = 0
    for depth, (w1, w2, bias) in enumerate(layers):
        fan_out, fan_in = w1.shape
        dtype = torch.from_numpy(w1).dtype
        layer: nn.Module
        if method.dual:
            layer = DualLinear(fan_in, fan_out, stabilizer=method.stabilizer, dtype=dtype)
            values = {"w1": w1, "w2": w2, "bias": bias}
            if method.stabilizer:
                values["m"] = networks.m[run, first_unit : first_unit + fan_out]
        else:
            layer = nn.Linear(fan_in, fan_out, dtype=dtype)
            values = {"weight": w1, "bias": bias}
        layer.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in values.items()})
        modules.append(layer)
        if depth < len(layers) - 1:
            modules.append(nn.ReLU())
            if method.dropout:
                modules.append(CounterDropout(method.dropout, int(networks.seeds[run]), first_unit, n_hidden))
        first_unit += fan_out
    return nn.Sequential(*modules)


def penalty(model: nn.Sequential, method: Method) -> torch.Tensor | float:
    """l2 * sum of the Frobenius norms (or their squares) of the weight matrices, biases left out."""
    if not method.l2:
        return 0.0
    norms = [torch.linalg.matrix_norm(layer.weight) for layer in model if isinstance(layer, nn.Linear)]
    return method.l2 * sum(norm**2 if method.squared else norm for norm in norms)


def train_reference(
    model: nn.Sequential, method: Method, task: str, x: torch.Tensor, y: torch.Tensor, order: np.ndarray, lr: float
) -> None:
    """Update ``model`` once per index in ``order`` with plain SGD, batch size 1.

    x: ``[samples, features]``; y: ``[samples]`` float targets or integer labels; order: ``[updates]``.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for index in order.tolist():
        optimizer.zero_grad()
        output = model(x[index : index + 1])
        if task == "regression":
            loss = F.mse_loss(output[:, 0], y[index : index + 1], reduction="sum")
        else:
            loss = F.cross_entropy(output, y[index : index + 1], reduction="sum")
        (loss + penalty(model, method)).backward()
        optimizer.step()
