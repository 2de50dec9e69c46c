r"""Dual weights under momentum and adaptive steps: what the decay means there. The definitions are ours.

The paper's rule is plain gradient descent on "gradients" of two vectors (``DualLinear``). In the coordinates of
``dual.theory``, W = w1 - w2 and c = (w1 + w2) / 2, these are, summed over the batch,

    grad W = sum g (x - c) + |g| / 2 W,        grad c = - 1/2 sum |g| (x - c) + g / 2 W:

a gradient step on centred inputs with a decay of W, and a running mean of the inputs.

**Momentum.** A step is a sum of earlier gradients, linear in them, so it does not matter which coordinates it is taken
in. Gradient and decay are amplified alike, by 1 / (1 - momentum), and the weights rest where they did: the ratio of
decay to gradient, hence the matched squared L2 of strength E|g| / 4, is that of plain SGD.

**Adam, a vector each.** Adam divides every coordinate by its size, and that of w1 and w2 apart. Where inputs are
positive, as behind a ReLU, and samples push a neuron both ways, the first gradients of w1 and of w2, that is of
vectors near 0, have the same signs: both vectors move by lr everywhere, and W does not move at all.

**Adam, in W and c** (``DualOptimizer``). The decay goes into the gradient of W, as coupled L2 does. The first step
is that of Adam on W. Where the mean gradient is 0 the weights rest, as under SGD. What changes is the way: on inputs
that are always 0 the gradient is decay alone, of which Adam keeps the sign, so that W falls to 0 by about lr per
update, however small the errors are.

**Adam, decoupled** (``decoupled=True``). As in AdamW (Loshchilov and Hutter 2019) the decay stays outside: Adam sees
sum g (x - c), and W is multiplied by 1 - lr sum |g| / 2 before. This is AdamW whose weight decay is, for every neuron
and step, half of the error, 2 E|g| / 4. The weights rest elsewhere than under SGD, as those of AdamW do.

The stabilizer's ``m`` is a running mean and no weight: it is always updated by plain SGD at the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from weightspace.dual.layers import DualConv2d, DualLinear, _negative_activities

Build = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
"""Makes an optimizer of parameters, such as ``partial(torch.optim.Adam, lr=1e-3)``."""


class DualOptimizer:
    """An optimizer of a model with dual layers that acts on W = w1 - w2 and c = (w1 + w2) / 2 instead of w1 and w2.

    build: makes the optimizer of W and c of every dual layer and of all other trainable parameters but ``m``; all in
    one group. decoupled: the decay of W stays out of the gradient and is made before the step, which multiplies W by
    1 - lr sum |g| / 2, the sum over the batch (with the stabilizer: of its rates).

    Used like an optimizer: ``zero_grad``, ``step``, ``param_groups``. With plain SGD and with momentum the steps are
    those on w1 and w2 themselves. ``ValueError`` for a model without dual layers.
    """

    def __init__(self, model: nn.Module, build: Build, *, decoupled: bool = False) -> None:
        self.layers = [layer for layer in model.modules() if isinstance(layer, DualLinear | DualConv2d)]
        if not self.layers:
            raise ValueError("the model has no dual layer: use its optimizer without DualOptimizer")
        self.decoupled = decoupled
        self._model = model
        self._weights = [nn.Parameter(layer.weight.detach()) for layer in self.layers]
        self._centres = [nn.Parameter((layer.w1 + layer.w2).detach() / 2) for layer in self.layers]
        own = {id(p) for layer in self.layers for p in (layer.w1, layer.w2, layer.m)}
        others = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
        self.optimizer = build([*self._weights, *self._centres, *others])
        self._rates: list[Tensor | None] = [None] * len(self.layers)
        if decoupled:
            for place, layer in enumerate(self.layers):
                layer.register_forward_hook(partial(self._watch, place))

    def _watch(self, place: int, layer: nn.Module, _: Any, output: Tensor) -> None:
        # A hook of the output and not of the module: what follows may change the output in place.
        if output.requires_grad:
            output.register_hook(partial(self._keep_rates, place, layer))

    def _keep_rates(self, place: int, layer: nn.Module, g: Tensor) -> None:
        g = g if isinstance(layer, DualConv2d) else g.reshape(-1, g.shape[-1])
        first, second = _negative_activities(g, layer.m)  # type: ignore[arg-type] # a parameter or None
        rates = -(first + second).sum([axis for axis in range(g.dim()) if axis != 1])
        before = self._rates[place]
        self._rates[place] = rates if before is None else before + rates

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of the optimizer, to change its learning rate."""
        return self.optimizer.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the last step."""
        self._model.zero_grad(set_to_none)
        self.optimizer.zero_grad(set_to_none)
        self._rates = [None] * len(self.layers)

    @torch.no_grad()
    def step(self) -> None:
        """One step on the gradients that ``backward`` has left; layers that it did not reach stay as they are."""
        lr = float(self.param_groups[0]["lr"])
        for layer, weight, centre, rates in zip(self.layers, self._weights, self._centres, self._rates, strict=True):
            if layer.w1.grad is None or layer.w2.grad is None:
                continue
            weight.grad = layer.w1.grad - layer.w2.grad
            centre.grad = (layer.w1.grad + layer.w2.grad) / 2
            if rates is not None:
                decay = (rates / 2).view(-1, *(1 for _ in weight.shape[1:]))
                weight.grad -= decay * weight
                weight.mul_(1 - lr * decay)
            if layer.m is not None and layer.m.grad is not None:
                layer.m.sub_(layer.m.grad, alpha=lr)
        self.optimizer.step()
        for layer, weight, centre in zip(self.layers, self._weights, self._centres, strict=True):
            layer.w1.copy_(centre + weight / 2)
            layer.w2.copy_(centre - weight / 2)
