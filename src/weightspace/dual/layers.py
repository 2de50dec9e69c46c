"""The dual-weight layers: every neuron keeps w1 (target) and w2 (non-target features), w = w1 - w2.

Source: paper B (arXiv 2503.11965), section on the update rule; the stabilizer is its appendix B. The exact
rule was read from the authors' released code; the formulation as a gradient, for batches and for convolutions,
is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn

from weightspace.dual.methods import STABILIZER_GAIN

_ONCE = (
    "a dual layer can be differentiated once: its backward pass is the rule of the paper and not the derivative of a "
    "loss, so that gradient penalties, Hessians and the like do not exist; take them of fold(model), whose layers are "
    "ordinary ones"
)
_NO_EXPORT = (
    "torch.export would keep the outputs of a dual layer and lose its rule, so that training the program would move "
    "biases alone: export fold(model), which has the same outputs, or train first"
)


_Gradients = Callable[..., tuple[Tensor, ...]]


class _Rule(torch.autograd.Function):
    """The rule of a backward pass, as an operation that refuses to be differentiated.

    The decorator ``once_differentiable`` does not refuse where torch.func differentiates, nor where the gradient of
    the output does not depend on what is differentiated: the result there is a derivative of zero.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(rule: _Gradients, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        return rule(*tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Any) -> None:
        raise RuntimeError(_ONCE)


def _gradients(rule: _Gradients, needs: Sequence[bool], tensors: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """What ``rule`` gives, a tensor for each True of ``needs``, at the places of these; None at the others."""
    # A compiler sees no derivatives of derivatives and refuses them itself.
    found = iter(rule(*tensors) if torch.compiler.is_compiling() else _Rule.apply(rule, *tensors))  # type: ignore[no-untyped-call]
    return tuple(next(found) if needed else None for needed in needs)


class _LinearFunction(torch.autograd.Function):
    """z = x w^T + b with w = w1 - w2, and "gradients" whose SGD step is the paper's moving average."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, w: Tensor, w1: Tensor, w2: Tensor, bias: Tensor | None, m: Tensor | None) -> Tensor:
        return F.linear(x, w, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        needs = ctx.needs_input_grad
        return _gradients(partial(_linear_rule, needs), needs, (grad_output, *ctx.saved_tensors))


def _linear_rule(
    needs: Sequence[bool],
    grad_output: Tensor,
    x: Tensor,
    w: Tensor,
    w1: Tensor,
    w2: Tensor,
    bias: Tensor | None,
    m: Tensor | None,
) -> tuple[Tensor, ...]:
    """The gradients that are needed of x, w1, w2, bias and m, in this order."""
    needs_x, _, needs_w1, needs_w2, needs_bias, needs_m = needs
    found = []
    g = grad_output.reshape(-1, grad_output.shape[-1])  # [batch, out]
    if needs_x:
        found.append((grad_output @ w.to(g.dtype)).to(x.dtype))
    if needs_w1 or needs_w2:
        inputs = x.reshape(-1, x.shape[-1]).to(g.dtype)  # [batch, in]; autocast may have lowered g
        first, second = _negative_activities(g, m)
        if needs_w1:
            found.append(_moving_average_gradient(first, w1, first.T @ inputs))
        if needs_w2:
            found.append(_moving_average_gradient(second, w2, second.T @ inputs))
    if needs_bias and bias is not None:
        found.append(g.sum(0, dtype=bias.dtype))
    if needs_m and m is not None:
        found.append(_mean_size_gradient(g, m))
    return tuple(found)


class _Conv2dFunction(torch.autograd.Function):
    """The same for a convolution, where the input of a neuron is the patch under the kernel."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, w: Tensor, w1: Tensor, w2: Tensor, bias: Tensor | None, m: Tensor | None, *geometry: Any
    ) -> Tensor:
        return F.conv2d(x, w, bias, *geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:6])
        ctx.geometry = inputs[6:]

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        needs = ctx.needs_input_grad
        rule = partial(_conv2d_rule, needs, ctx.geometry)
        return _gradients(rule, needs, (grad_output, *ctx.saved_tensors))


def _conv2d_rule(
    needs: Sequence[bool],
    geometry: tuple[Any, ...],
    g: Tensor,
    x: Tensor,
    w: Tensor,
    w1: Tensor,
    w2: Tensor,
    bias: Tensor | None,
    m: Tensor | None,
) -> tuple[Tensor, ...]:
    """As ``_linear_rule``; g: [batch, out, height, width]."""
    needs_x, _, needs_w1, needs_w2, needs_bias, needs_m, *_ = needs
    stride, padding, dilation, groups = geometry
    found = []
    inputs, weight = x.to(g.dtype), w.to(g.dtype)  # autocast may have lowered g

    def gradients(upper: Tensor, wanted: tuple[bool, bool, bool]) -> tuple[Tensor, Tensor, Tensor]:
        three: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
            upper, inputs, weight, None, stride, padding, dilation, False, (0, 0), groups, wanted
        )
        return three

    def product(activity: Tensor) -> Tensor:
        return gradients(activity, (False, True, False))[1]

    if needs_x:
        found.append(gradients(g, (True, False, False))[0].to(x.dtype))
    if needs_w1 or needs_w2:
        # Two convolutions are faster than one with twice the channels, and need half the memory.
        first, second = _negative_activities(g, m)
        if needs_w1:
            found.append(_moving_average_gradient(first, w1, product(first)))
        if needs_w2:
            found.append(_moving_average_gradient(second, w2, product(second)))
    if needs_bias and bias is not None:
        found.append(g.sum((0, 2, 3), dtype=bias.dtype))
    if needs_m and m is not None:
        found.append(_mean_size_gradient(g, m))
    return tuple(found)


# torch.fx records the two as they are, and with them the rule; step by step it would record the outputs alone.


@torch.fx.wrap
def _dual_linear(x: Tensor, w1: Tensor, w2: Tensor, bias: Tensor | None, m: Tensor | None) -> Tensor:
    if torch.compiler.is_exporting():
        raise RuntimeError(_NO_EXPORT)
    # The difference is kept for the backward pass: one more matrix in memory until then, a few per cent less time.
    z: Tensor = _LinearFunction.apply(x, (w1 - w2).detach(), w1, w2, bias, m)  # type: ignore[no-untyped-call]
    return z


@torch.fx.wrap
def _dual_conv2d(
    x: Tensor,
    w1: Tensor,
    w2: Tensor,
    bias: Tensor | None,
    m: Tensor | None,
    margins: Sequence[tuple[int, int]],
    mode: str,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Tensor:
    """margins: rows above and below, columns left and right, by which the input is padded."""
    if torch.compiler.is_exporting():
        raise RuntimeError(_NO_EXPORT)
    if x.dim() == 3:
        return _dual_conv2d(x.unsqueeze(0), w1, w2, bias, m, margins, mode, stride, dilation, groups).squeeze(0)
    padding = tuple(before for before, _ in margins)
    if mode != "zeros" or any(before != after for before, after in margins):
        mode = "constant" if mode == "zeros" else mode
        x, padding = F.pad(x, (*margins[1], *margins[0]), mode=mode), (0, 0)
    how = stride, padding, dilation, groups
    z: Tensor = _Conv2dFunction.apply(x, (w1 - w2).detach(), w1, w2, bias, m, *how)  # type: ignore[no-untyped-call]
    return z


def _negative_activities(g: Tensor, m: Tensor | None) -> tuple[Tensor, Tensor]:
    """-max(0, -g) and -max(0, g), for g of shape [batch, out] or [batch, out, height, width].

    With the statistic m: -min(1, 0.1 max(0, +-g) / m), divided in a convolution by the number of positions of the
    sample at which g != 0. The sign spares a pass over the weights in ``_moving_average_gradient``.
    """
    if m is not None:
        # m stays positive under SGD; the floor guards optimizers that could carry it below zero.
        scale = STABILIZER_GAIN / m.clamp_min(torch.finfo(m.dtype).tiny)
        if g.dim() == 2:
            rates = (g * scale).clamp(-1, 1)
        else:
            rates = (g * scale[:, None, None]).clamp(-1, 1) / _addressed(g, m.dtype)[:, :, None, None]
        g = rates.to(g.dtype)
    first = g.clamp_max(0)
    return first, first - g


def _mean_size_gradient(g: Tensor, m: Tensor) -> Tensor:
    """SGD on this gradient is m <- (1 - lr) m + lr |g|, for the samples where g != 0.

    Of the positions of a sample the mean of |g| is taken, as in the rates, so that m stays between its old value
    and that mean however many positions there are.
    """
    size = g.abs() if g.dim() == 2 else g.abs().sum((2, 3), dtype=m.dtype) / _addressed(g, m.dtype)
    return torch.where(size != 0, m - size, 0).sum(0, dtype=m.dtype)


def _addressed(g: Tensor, dtype: torch.dtype) -> Tensor:
    """[batch, out]: at how many positions a sample addresses a neuron (g != 0), at least 1."""
    count: Tensor = torch.linalg.vector_norm(g, 0, (2, 3), dtype=dtype)
    return count.clamp_min(1)


def _moving_average_gradient(activity: Tensor, w: Tensor, product: Tensor) -> Tensor:
    """sum_n a_n (w - x_n), so that w - lr * grad = (1 - lr a) w + lr a x.

    activity: -a, [batch, out, ...]; product: -sum_n a_n x_n in the shape of w, which the result may overwrite.
    """
    total = activity.sum([axis for axis in range(activity.dim()) if axis != 1], dtype=w.dtype)
    total = total.view(-1, *(1 for _ in w.shape[1:]))
    product = product.to(w.dtype)
    # A step is bound by memory here. In place it is faster, but vmap has no rule for that, and a compiler needs none.
    if torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(product):
        return torch.addcmul(product, total, w, value=-1)
    return product.addcmul_(total, w, value=-1)


P = TypeVar("P", nn.Linear, nn.Conv2d)


class _DualLayer(nn.Module):
    """What the dual layers share: the parameters w1, w2, bias and m, and the ways from and to a plain layer."""

    def _set_parameters(
        self,
        shape: tuple[int, ...],
        bias: bool,
        stabilizer: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        def parameter(*size: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(size, device=device, dtype=dtype))

        self.w1 = parameter(*shape)
        self.w2 = parameter(*shape)
        self.bias = parameter(shape[0]) if bias else None
        self.m = parameter(shape[0]) if stabilizer else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        self.w1.normal_(0.0, math.sqrt(2.0 / self.w1[0].numel()))
        self.w2.zero_()
        if self.bias is not None:
            self.bias.zero_()
        if self.m is not None:
            self.m.fill_(1.0)

    @property
    def weight(self) -> Tensor:
        """w1 - w2, in the shape of w1: what the neuron computes with."""
        return self.w1 - self.w2

    def _folded_into(self, plain: P) -> P:
        """``plain``, made on the device "meta" (so that no random numbers are drawn), with our parameters."""
        trainable = self.w1.requires_grad or self.w2.requires_grad
        plain.weight = nn.Parameter(self.weight.detach(), requires_grad=trainable)
        plain.bias = None if self.bias is None else _copied(self.bias)  # type: ignore[assignment] # PyTorch: Parameter, though it may be None
        return plain.train(self.training)

    def _started_from(self, plain: nn.Linear | nn.Conv2d) -> Self:
        """This layer, made on the device "meta", with w1 = weight, w2 = 0, the same bias and m = 1."""
        self.w1 = _copied(plain.weight)
        self.w2 = nn.Parameter(torch.zeros_like(plain.weight), requires_grad=plain.weight.requires_grad)
        self.bias = None if plain.bias is None else _copied(plain.bias)
        if self.m is not None:
            ones = plain.weight.new_ones(len(plain.weight))
            self.m = nn.Parameter(ones, requires_grad=plain.weight.requires_grad)
        return self.train(plain.training)


def _copied(parameter: Tensor) -> nn.Parameter:
    return nn.Parameter(parameter.detach().clone(), requires_grad=parameter.requires_grad)


class DualLinear(_DualLayer):
    r"""Linear layer whose neurons keep two weight vectors, each a moving average of inputs.

    Forward, for x of shape ``[*, in_features]``:  z = x (w1 - w2)^T + bias, shape ``[*, out_features]``.

    Backward: with g = dL/dz, per neuron and sample,

        grad w1 = max(0, -g) (w1 - x),     grad w2 = max(0, g) (w2 - x),     grad bias = g,

    summed over the batch. ``torch.optim.SGD(lr)`` without momentum and a loss that sums over the batch then do
    the paper's update, r1 = lr max(0, -g), w1 <- (1 - r1) w1 + r1 x, and the same for w2 with +g. These are not
    the gradients of a loss: on w = w1 - w2 the step is that of SGD, -lr g x, plus a decay -r w_active of the one
    component that the sample addresses. The gradient with respect to x is the ordinary one, g (w1 - w2).

    The rates of a step add up over the batch. Where lr * sum max(0, -g) exceeds 1 the step goes beyond the mean of
    the inputs, above 2 it diverges; a smaller learning rate or the mean of the loss mends it.

    Standardise the inputs: weights are drawn towards them, and a network on inputs that are far smaller or larger than
    useful weights hardly learns (the page "Use it in your own model" measures it).

    With ``stabilizer=True`` the rates are r1 = lr min(1, 0.1 max(0, -g) / m), r2 likewise with +g, where the
    parameter ``m`` (one value per neuron, starting at 1) is a running mean of |g|: its gradient is m - |g| where
    g != 0, so that SGD gives m <- (1 - lr) m + lr |g|, as in the paper, at whatever learning rate is in force.
    The stabilized rates do not scale with the loss: train in bfloat16 or float32 rather than with a loss scaler.

    Parameters ``w1``, ``w2``: ``[out_features, in_features]``; ``bias``: ``[out_features]``. Initial values as in
    the released code: w1 ~ N(0, 2 / in_features) (He et al., 2015), w2 = 0, bias = 0.

    Raises ``ValueError`` for sizes below 1. A wrong input width raises the usual ``RuntimeError`` of a matrix
    product. The layer can be differentiated once: its backward pass is not the derivative of anything, and
    differentiating it raises a ``RuntimeError``, by ``create_graph`` as by ``torch.func``. Forward-mode derivatives are
    not defined either. ``torch.fx`` and ``torch.jit.trace`` keep the rule; ``torch.export`` would lose it, and is
    refused with a ``RuntimeError``: export the folded model.

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
        self._set_parameters((out_features, in_features), bias, stabilizer, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        return _dual_linear(x, self.w1, self.w2, self.bias, self.m)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, stabilizer={self.m is not None}"
        )

    def fold(self) -> nn.Linear:
        """The ``nn.Linear`` with weight w1 - w2 and the same bias: same outputs, half the weights."""
        return self._folded_into(
            nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        )

    @classmethod
    def from_linear(cls, layer: nn.Linear, *, stabilizer: bool = False) -> DualLinear:
        """The dual layer that computes what ``layer`` computes: w1 = weight, w2 = 0 (the paper's start)."""
        dual = cls(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            stabilizer=stabilizer,
            device="meta",
        )
        return dual._started_from(layer)


class DualConv2d(_DualLayer):
    r"""Convolution over images whose kernels are dual: an output channel is a neuron, the patch under it its input.

    Forward, for x of shape ``[N, in_channels, H, W]`` (or without N): what ``nn.Conv2d`` computes with weight
    w1 - w2. The arguments are those of ``nn.Conv2d``, all padding modes and ``padding="same"`` included.

    Backward: with g = dL/dz at every position s of every sample and the patch x_s (of the padded input) there,

        grad w1 = sum max(0, -g_s) (w1 - x_s),     grad w2 = sum max(0, g_s) (w2 - x_s),     grad bias = sum g_s,

    summed over samples and positions, as SGD sums over the places where one weight is used. This is ``DualLinear``
    on the unfolded patches. The gradient with respect to x is the ordinary one. The sum over positions is part of
    the rates: where lr * sum max(0, -g_s) exceeds 1 the step goes beyond the mean patch, above 2 it diverges.

    With ``stabilizer=True``, unlike above, a sample counts once however many positions it has: its contribution to
    w1, w2 and m is the *mean* over the positions where g_s != 0 (r1 = lr mean of min(1, 0.1 max(0, -g_s) / m), and
    grad m = m - mean of |g_s|). The paper's promise that one sample moves a weight vector by no more than the share
    lr of its distance to the inputs, and m to no more than lr, would be lost in a sum over thousands of positions.
    For an output of one position this is the rule of ``DualLinear``.

    Parameters ``w1``, ``w2``: ``[out_channels, in_channels / groups, *kernel_size]``; ``bias``, ``m``:
    ``[out_channels]``. Initial values: w1 ~ N(0, 2 / fan_in), fan_in = in_channels / groups * kernel area; w2 = 0,
    bias = 0, m = 1.

    Raises ``ValueError`` for what ``nn.Conv2d`` refuses, and for sizes below 1. Differentiable once, as ``DualLinear``.

    Source: paper B (arXiv 2503.11965) for the rule of a neuron; its use in a convolution is ours.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        stabilizer: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if in_channels < 1 or out_channels < 1:
            raise ValueError(f"in_channels and out_channels must be at least 1, got {in_channels} and {out_channels}")
        geometry: tuple[Any, ...] = (
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
        )
        like = nn.Conv2d(*geometry, device="meta")  # type: ignore[misc] # checks the arguments and makes pairs of them
        self.in_channels, self.out_channels = like.in_channels, like.out_channels
        self.kernel_size, self.stride, self.padding = like.kernel_size, like.stride, like.padding
        self.dilation, self.groups, self.padding_mode = like.dilation, like.groups, like.padding_mode
        self._set_parameters(tuple(like.weight.shape), bias, stabilizer, device, dtype)

    def _margins(self) -> list[tuple[int, int]]:
        """Rows above and below, columns left and right, by which the input is padded."""
        if self.padding == "valid":
            return [(0, 0), (0, 0)]
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(int(p), int(p)) for p in self.padding]

    def forward(self, x: Tensor) -> Tensor:
        how = self._margins(), self.padding_mode, self.stride, self.dilation, self.groups
        return _dual_conv2d(x, self.w1, self.w2, self.bias, self.m, *how)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding!r}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={self.bias is not None}, padding_mode={self.padding_mode!r}, stabilizer={self.m is not None}"
        )

    def fold(self) -> nn.Conv2d:
        """The ``nn.Conv2d`` with weight w1 - w2 and the same bias: same outputs, half the weights."""
        return self._folded_into(nn.Conv2d(**_geometry(self)))

    @classmethod
    def from_conv2d(cls, layer: nn.Conv2d, *, stabilizer: bool = False) -> DualConv2d:
        """The dual layer that computes what ``layer`` computes: w1 = weight, w2 = 0 (the paper's start)."""
        return cls(**_geometry(layer), stabilizer=stabilizer)._started_from(layer)


def _geometry(layer: nn.Conv2d | DualConv2d) -> dict[str, Any]:
    """The arguments that make a convolution like ``layer``, on the device "meta"."""
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    return {name: getattr(layer, name) for name in names} | {"bias": layer.bias is not None, "device": "meta"}
