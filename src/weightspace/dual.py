"""The dual-weight layer: every neuron keeps w1 (target) and w2 (non-target features), w = w1 - w2.

Source: paper B (arXiv 2503.11965), section on the update rule; the stabilizer is its appendix B. The exact
rule was read from the authors' released code; the formulation as a gradient, and for batches, is ours.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from weightspace.methods import STABILIZER_GAIN


class _DualLinearFunction(torch.autograd.Function):
    """z = x (w1 - w2)^T + b, with "gradients" whose SGD step is the paper's moving average."""

    @staticmethod
    def forward(x: Tensor, w1: Tensor, w2: Tensor, bias: Tensor | None, m: Tensor | None) -> Tensor:
        return F.linear(x, w1 - w2, bias)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        x, w1, w2, bias, m = inputs
        ctx.save_for_backward(x, w1, w2, bias, m)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor):
        x, w1, w2, bias, m = ctx.saved_tensors
        needs_x, needs_w1, needs_w2, needs_bias, needs_m = ctx.needs_input_grad
        g = grad_output.reshape(-1, grad_output.shape[-1])  # [batch, out]
        grad_x = grad_w1 = grad_w2 = grad_bias = grad_m = None
        if needs_x:
            grad_x = (grad_output @ (w1 - w2).to(g.dtype)).to(x.dtype)
        if needs_bias and bias is not None:
            grad_bias = g.sum(0, dtype=bias.dtype)
        inputs = x.reshape(-1, x.shape[-1]).to(g.dtype)  # [batch, in]; autocast may have lowered g
        if needs_w1:
            grad_w1 = _moving_average_gradient(-g, inputs, w1, m)
        if needs_w2:
            grad_w2 = _moving_average_gradient(g, inputs, w2, m)
        if needs_m and m is not None:
            # SGD on this gradient is m <- (1 - lr) m + lr |g|, for the samples where g != 0.
            grad_m = torch.where(g != 0, m - g.abs(), 0).sum(0, dtype=m.dtype)
        return grad_x, grad_w1, grad_w2, grad_bias, grad_m


def _moving_average_gradient(push: Tensor, inputs: Tensor, w: Tensor, m: Tensor | None) -> Tensor:
    """sum_n a_n (w - x_n), a = max(0, push), so that w - lr * grad = (1 - lr a) w + lr a x."""
    activity = push.clamp_min(0)
    if m is not None:
        # m stays positive under SGD; the floor guards optimizers that could carry it below zero.
        floor = torch.finfo(m.dtype).tiny
        activity = (STABILIZER_GAIN * activity / m.clamp_min(floor)).clamp_max(1).to(inputs.dtype)
    total = activity.sum(0, dtype=w.dtype)
    return total[:, None] * w - (activity.T @ inputs).to(w.dtype)


class DualLinear(nn.Module):
    r"""Linear layer whose neurons keep two weight vectors, each a moving average of inputs.

    Forward, for x of shape ``[*, in_features]``:  z = x (w1 - w2)^T + bias, shape ``[*, out_features]``.

    Backward: with g = dL/dz, per neuron and sample,

        grad w1 = max(0, -g) (w1 - x),     grad w2 = max(0, g) (w2 - x),     grad bias = g,

    summed over the batch. ``torch.optim.SGD(lr)`` without momentum and a loss that sums over the batch then do
    the paper's update, r1 = lr max(0, -g), w1 <- (1 - r1) w1 + r1 x, and the same for w2 with +g. These are not
    the gradients of a loss: on w = w1 - w2 the step is that of SGD, -lr g x, plus a decay -r w_active of the one
    component that the sample addresses. The gradient with respect to x is the ordinary one, g (w1 - w2).

    With ``stabilizer=True`` the rates are r1 = lr min(1, 0.1 max(0, -g) / m), r2 likewise with +g, where the
    parameter ``m`` (one value per neuron, starting at 1) is a running mean of |g|: its gradient is m - |g| where
    g != 0, so that SGD gives m <- (1 - lr) m + lr |g|, as in the paper, at whatever learning rate is in force.
    The stabilized rates do not scale with the loss: train in bfloat16 or float32 rather than with a loss scaler.

    Parameters ``w1``, ``w2``: ``[out_features, in_features]``; ``bias``: ``[out_features]``. Initial values as in
    the released code: w1 ~ N(0, 2 / in_features) (He et al., 2015), w2 = 0, bias = 0.

    Raises ``ValueError`` for sizes below 1. A wrong input width raises the usual ``RuntimeError`` of a matrix
    product. The layer can be differentiated once: its backward pass is not the derivative of anything.

    Source: paper B (arXiv 2503.11965), update rule; stabilizer: appendix B.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        stabilizer: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ValueError(f"in_features and out_features must be at least 1, got {in_features} and {out_features}")
        self.in_features = in_features
        self.out_features = out_features
        shape = (out_features, in_features)
        self.w1 = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.w2 = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        self.m = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if stabilizer else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        self.w1.normal_(0.0, math.sqrt(2.0 / self.in_features))
        self.w2.zero_()
        if self.bias is not None:
            self.bias.zero_()
        if self.m is not None:
            self.m.fill_(1.0)

    @property
    def weight(self) -> Tensor:
        """w1 - w2, shape ``[out_features, in_features]``: what the neuron computes with."""
        return self.w1 - self.w2

    def forward(self, x: Tensor) -> Tensor:
        return _DualLinearFunction.apply(x, self.w1, self.w2, self.bias, self.m)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, stabilizer={self.m is not None}"
        )

    @torch.no_grad()
    def fold(self) -> nn.Linear:
        """The ``nn.Linear`` with weight w1 - w2 and the same bias: same outputs, half the weights."""
        linear = nn.Linear(
            self.in_features,
            self.out_features,
            bias=self.bias is not None,
            device=self.w1.device,
            dtype=self.w1.dtype,
        )
        linear.weight.copy_(self.weight)
        if self.bias is not None:
            linear.bias.copy_(self.bias)
        return linear.train(self.training)

    @classmethod
    @torch.no_grad()
    def from_linear(cls, layer: nn.Linear, *, stabilizer: bool = False) -> DualLinear:
        """The dual layer that computes what ``layer`` computes: w1 = weight, w2 = 0 (the paper's start)."""
        dual = cls(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            stabilizer=stabilizer,
            device=layer.weight.device,
            dtype=layer.weight.dtype,
        )
        dual.w1.copy_(layer.weight)
        if layer.bias is not None:
            dual.bias.copy_(layer.bias)
        return dual.train(layer.training)


def fold(model: nn.Module) -> nn.Module:
    """A copy of ``model`` in which every dual layer is replaced by the plain layer of equal output.

    ``model`` itself is left as it is. A dual layer that stands in several places becomes one shared plain layer.
    """
    folded: dict[int, nn.Module] = {}

    def replace(module: nn.Module) -> nn.Module:
        if isinstance(module, DualLinear):
            return folded.setdefault(id(module), module.fold())
        for name, child in module._modules.items():
            if child is not None:
                module._modules[name] = replace(child)
        return module

    return replace(copy.deepcopy(model))
