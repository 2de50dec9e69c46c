"""A block of updates of many small networks, in plain PyTorch: what ``torch_backend`` does many updates at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from weightspace.dual.methods import STABILIZER_GAIN

BLOCK = 64
"""Updates per block: more make the matrix products cheaper per update and the updates themselves dearer."""


class Rules(NamedTuple):
    """How each run is trained; every field is a tensor ``[runs]``.

    A penalty makes all weights of a layer shrink by the share lr * gradient / w of an update: constant_share for the
    squared norm, norm_share / ||W|| for the unsquared one.
    """

    lr: Tensor
    dual: Tensor
    stabilizer: Tensor
    constant_share: Tensor
    norm_share: Tensor


@dataclass
class State:
    """What a block of updates changes in place.

    upper: w1 and w2 of the layers above the first, each ``[runs, 2, out, in]``; bias, m: ``[runs, units]``, the units
    of all layers one after the other.
    """

    upper: list[Tensor]
    bias: Tensor
    m: Tensor


class Block(NamedTuple):
    """What a block of updates reads; the samples are those of the block, in their order, for every run its own.

    start: products of w1 and w2 of the first layer with the samples, ``[runs, samples, 2, units]``.
    gram: products of the samples with each other, ``[runs, samples, samples]``.
    gain: 0 for a hidden unit that dropout silences, 1 / (1 - rate) for the others, ``[runs, samples, hidden units]``.
    answer: targets (float) or labels (int64) of the samples, ``[runs, samples]``.
    weight: weights of the samples in the loss, ``[runs, samples]``; shifts: of the logits, ``[runs, outputs]``; neither
    is read in regression.
    norm_squared: ||w1||_F^2 of the first layer at the start, ``[runs]``, float64.
    """

    start: Tensor
    gram: Tensor
    gain: Tensor
    answer: Tensor
    weight: Tensor
    shifts: Tensor
    norm_squared: Tensor


def train_block(state: State, rules: Rules, block: Block) -> tuple[Tensor, Tensor]:
    """A block of updates of every run: changes ``state``, returns what has become of the first layer.

    Returns kept ``[runs, 2, units]`` and coefficients ``[runs, 2, units, samples]`` (see the top of ``torch_backend``).
    """
    runs, updates, _, n_first = block.start.shape
    widths = [n_first, *(weight.shape[2] for weight in state.upper)]
    biases = state.bias.split(widths, dim=1)  # views
    gains = block.gain.split(widths[:-1], dim=2)
    lr = rules.lr[:, None]
    kept = torch.ones_like(block.start[:, 0])
    coefficients = block.start.new_zeros(runs, 2, n_first, updates)
    norm_squared = block.norm_squared.clone()
    for k in range(updates):
        # Forward: below and slopes are the outputs of the hidden layers and their derivatives.
        product = kept * block.start[:, k] + (coefficients * block.gram[:, k, None, None]).sum(3)
        z = product[:, 0] - product[:, 1] + biases[0]
        weights = [weight[:, 0] - weight[:, 1] for weight in state.upper]
        below, slopes = [], []
        for weight, bias, gain in zip(weights, biases[1:], gains):
            slopes.append((z > 0) * gain[:, k])
            below.append(z * slopes[-1])
            z = (weight @ below[-1][..., None])[..., 0] + bias
        # dL/dz of the output layer, then of those below through the old weights.
        if block.answer.is_floating_point():
            g = [2 * (z - block.answer[:, k, None])]
        else:
            correct = (torch.arange(z.shape[1], device=z.device) == block.answer[:, k, None]).to(z.dtype)
            g = [block.weight[:, k, None] * ((z + block.shifts).softmax(1) - correct)]
        for weight, slope in zip(reversed(weights), reversed(slopes)):
            g.insert(0, (g[0][:, None] @ weight)[:, 0] * slope)
        # Update.
        squares = [norm_squared, *(weight[:, 0].square().sum((1, 2)) for weight in state.upper)]
        shares = [_share(rules, square.to(lr.dtype)) for square in squares]
        spread = torch.cat([share[:, None].expand(-1, width) for share, width in zip(shares, widths)], dim=1)
        moves = _moves(torch.cat(g, dim=1), state.m, rules, spread)
        (step, decay), *others = zip(*(move.split(widths, dim=2) for move in moves))
        length_squared = block.gram[:, k, k, None]
        growth = step[:, 0] * (2 * (1 - shares[0][:, None]) * product[:, 0] + step[:, 0] * length_squared)
        norm_squared = (1 - shares[0].double()) ** 2 * norm_squared + growth.sum(1)
        kept -= decay * kept
        coefficients -= decay[..., None] * coefficients
        coefficients[..., k] = step
        for weight, h, (step, decay) in zip(state.upper, below, others):
            weight += step[..., None] * h[:, None, None] - decay[..., None] * weight
        state.bias -= lr * torch.cat(g, dim=1)
    return kept, coefficients


def _share(rules: Rules, norm_squared: Tensor) -> Tensor:
    """Share by which the penalty shrinks a layer. The gradient of ||W|| at W = 0 is taken as 0, as PyTorch does."""
    by_norm = rules.norm_share / norm_squared.sqrt()
    return rules.constant_share + torch.where((rules.norm_share > 0) & (norm_squared > 0), by_norm, 0)


def _moves(g: Tensor, m: Tensor, rules: Rules, share: Tensor) -> tuple[Tensor, Tensor]:
    """(step, decay), each ``[runs, 2, units]``: w <- w + step * input - decay * w; keeps m, the running mean of |g|."""
    lr, dual, stabilizer = rules.lr[:, None], rules.dual[:, None], rules.stabilizer[:, None]
    size = g.abs()
    rate = lr * torch.where(stabilizer, (STABILIZER_GAIN * size / m).clamp_max(1), size)
    m += torch.where(stabilizer & (size > 0), lr * (size - m), 0)
    # Of a dual unit only the component that the sample addresses moves.
    step1 = torch.where(dual, torch.where(g < 0, rate, 0), -lr * g)
    step2 = torch.where(dual & (g > 0), rate, 0)
    decay1 = torch.where(dual, step1, share)
    return torch.stack([step1, step2], dim=1), torch.stack([decay1, step2], dim=1)
