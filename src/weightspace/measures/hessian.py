"""The trace of the Hessian of a loss, without the Hessian: a measure of how sharply the loss bends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Trace(NamedTuple):
    """An estimate with its standard error, over the probes: the loss of other data would give another trace."""

    value: float
    standard_error: float


def hutchinson_trace(loss: Tensor, parameters: Sequence[Tensor], probes: int, generator: torch.Generator) -> Trace:
    """tr H = E[v^T H v] for v of independent signs (Rademacher), estimated by the mean over ``probes`` draws of v.

    loss: a scalar that was computed from the parameters with gradients recorded; H: its matrix of second derivatives.
    The model is as it was when the loss was computed, in training mode, say, with the dropout masks of that moment: all
    probes see the same H. The variance of a draw is 2 sum_{i != j} H_ij^2, so a diagonal H is exact. Hutchinson 1990.
    ``ValueError`` for fewer than two probes or a loss that is no scalar.
    """
    if probes < 2:
        raise ValueError(f"probes must be at least 2 to have a standard error, got {probes}")
    if loss.numel() != 1:
        raise ValueError(f"loss must be a scalar, got shape {tuple(loss.shape)}")
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    draws = []
    for _ in range(probes):
        signs = [
            torch.randint(0, 2, p.shape, generator=generator, device=p.device).to(p.dtype) * 2 - 1 for p in parameters
        ]
        products = torch.autograd.grad(gradients, parameters, signs, retain_graph=True)
        zero = torch.zeros((), dtype=torch.float64, device=loss.device)
        draws.append(sum(((v * Hv).sum().double() for v, Hv in zip(signs, products)), start=zero))
    values = torch.stack(draws)
    return Trace(values.mean().item(), (values.std() / probes**0.5).item())
