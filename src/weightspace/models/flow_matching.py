"""Flow matching: a generative model that learns the velocity of a straight path from noise to data.

Notation: x_1 is data, x_0 ~ N(0, I) noise, t in [0, 1] the time and x_t = (1 - t) x_0 + t x_1 the path between them
(Lipman et al. 2023, example II with sigma_min = 0; the rectified flow of Liu et al. 2023). A velocity is a function of
x ``[n, ...]``, t ``[n]`` and the classes ``[n]`` that returns what x has the shape of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]

_GROUP_CHANNELS = 8
_LONGEST_PERIOD = 1e4
_TIME_SCALE = 1e3


def flow_matching_loss(velocity: Velocity, x1: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Mean over t ~ U(0, 1), x_0 and the values of |v(x_t, t, label) - (x_1 - x_0)|^2 (Lipman et al. 2023, equation 9).

    The least value is reached by v = E[x_1 - x_0 | x_t, label], the velocity that carries noise to the data of a class.
    generator: source of t and x_0, on the device of x1.
    """
    x0 = torch.randn(x1.shape, generator=generator, device=x1.device)
    t = torch.rand(len(x1), generator=generator, device=x1.device)
    share = t.view(-1, *[1] * (x1.dim() - 1))
    return F.mse_loss(velocity((1 - share) * x0 + share * x1, t, labels).float(), x1 - x0)


@torch.no_grad()
def sample(velocity: Velocity, noise: Tensor, labels: Tensor, steps: int) -> Tensor:
    """The solution at t = 1 of dx/dt = v(x, t, label) from the noise at t = 0, by equal steps of Heun's method.

    Two evaluations of v a step; the error falls with the square of ``steps``. ``ValueError`` for less than one step.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    x = noise
    for k in range(steps):
        start, end = (torch.full((len(x),), (k + i) / steps, device=x.device) for i in (0, 1))
        first = velocity(x, start, labels)
        second = velocity(x + first / steps, end, labels)
        x = x + (first + second) / (2 * steps)
    return x


class VelocityNetwork(nn.Module):
    """A U-Net for square images: the velocity ``[n, colours, side, side]`` at x of that shape, t and labels ``[n]``.

    channels: one number for each resolution, from the finest, each half as fine as the one before; multiples of 8. At
    each there are ``blocks`` residual blocks on the way down and as many on the way up, which also see what the way
    down had made. At the coarsest resolution every place attends to all others. Time and class enter every block as a
    scale and a shift of its channels. The network is zero before it is trained. After Ho et al. 2020 and Dhariwal and
    Nichol 2021, smaller. ``ValueError`` for channels that are no multiples of 8, at the call for a side that cannot be
    halved often enough.
    """

    def __init__(
        self, colours: int, channels: Sequence[int], blocks: int = 1, classes: int = 10, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if not channels or any(width % _GROUP_CHANNELS for width in channels):
            raise ValueError(f"channels must be multiples of {_GROUP_CHANNELS}, got {list(channels)}")
        self.channels = tuple(channels)
        embedding = 4 * channels[0]
        self.classes = nn.Embedding(classes, embedding)
        self.times = nn.Sequential(nn.Linear(channels[0], embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.stem = nn.Conv2d(colours, channels[0], 3, padding=1)

        def stack(inputs: int, outputs: int) -> nn.ModuleList:
            widths = [inputs, *[outputs] * blocks]
            return nn.ModuleList(_Block(a, b, embedding, dropout) for a, b in pairwise(widths))

        self.down = nn.ModuleList(stack(width, width) for width in channels)
        self.halving = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels))
        self.attention = _Attention(channels[-1])
        self.middle = _Block(channels[-1], channels[-1], embedding, dropout)
        self.doubling = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairwise(channels))
        self.up = nn.ModuleList(stack(2 * width, width) for width in channels)
        self.head = nn.Sequential(
            _normalization(channels[0]), nn.SiLU(), _zero(nn.Conv2d(channels[0], colours, 3, 1, 1))
        )

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        if x.shape[-1] % 2 ** (len(self.channels) - 1):
            raise ValueError(f"a side of {x.shape[-1]} cannot be halved {len(self.channels) - 1} times")
        condition = F.silu(self.times(_waves(t, self.channels[0])) + self.classes(labels))
        x = self.stem(x)
        seen = []
        for level, blocks in enumerate(self.down):
            for block in blocks:  # type: ignore[attr-defined] # a list of modules
                x = block(x, condition)
            seen.append(x)
            if level < len(self.halving):
                x = self.halving[level](x)
        x = self.middle(self.attention(x), condition)
        for level in reversed(range(len(self.up))):
            x = torch.cat([x, seen[level]], dim=1)
            for block in self.up[level]:  # type: ignore[attr-defined] # likewise
                x = block(x, condition)
            if level:
                x = self.doubling[level - 1](F.interpolate(x, scale_factor=2.0))
        return self.head(x)


class _Block(nn.Module):
    """x + F(x), F = two 3x3 convolutions, scaled and shifted by the condition between them; F is zero at first."""

    def __init__(self, inputs: int, outputs: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = _normalization(inputs), _normalization(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = _zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulation(condition)[..., None, None].chunk(2, dim=1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = F.silu(self.norm2(h) * (1 + scale) + shift)
        return self.shortcut(x) + self.conv2(self.dropout(h))


class _Attention(nn.Module):
    """x + A(x), A = self-attention over the places of an image, zero at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _normalization(width)
        self.queries_keys_values = nn.Conv2d(width, 3 * width, 1)
        self.out = _zero(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.queries_keys_values(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=2)
        found = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(found.transpose(1, 2).unflatten(2, x.shape[2:]))


def _normalization(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(width // _GROUP_CHANNELS, width)


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _waves(t: Tensor, width: int) -> Tensor:
    """Sines and cosines of t at periods that grow geometrically, ``[n, width]`` (Vaswani et al. 2017, section 3.5)."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=t.device) * (-math.log(_LONGEST_PERIOD) / half))
    angles = _TIME_SCALE * t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
