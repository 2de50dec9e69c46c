"""One kernel per block of updates: ``block.train_block`` for a GPU, one program per run.

A program keeps the whole state of its run in registers (coefficients of the first layer, weights of the layers above,
biases) from the first update of a block to the last, and reads per update only the products of the present sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from weightspace.dual.methods import STABILIZER_GAIN
from weightspace.training.online.block import BLOCK, Block, Rules, State

_GAIN = tl.constexpr(STABILIZER_GAIN)
_PER_WARP = 2048
_MOST = 16 * _PER_WARP


class Shape(NamedTuple):
    """What the kernel is compiled for: the units of its layers, and their numbers padded to powers of two.

    Without a middle layer that has one unit, which nothing reads.
    """

    depth: int
    classes: bool
    first: int
    middle: int
    last: int
    first_width: int
    middle_width: int
    last_width: int
    block: int


class Weights(NamedTuple):
    """``block.State`` in one level: w1 and w2 of the layers above the first, biases and m of all."""

    middle: Tensor
    last: Tensor
    bias: Tensor
    m: Tensor


def _numbers(widths: Sequence[int]) -> int:
    """How many numbers a program keeps: every axis is padded to a power of two."""
    padded = [triton.next_power_of_2(int(width)) for width in widths]
    return 2 * (BLOCK * padded[0] + sum(a * b for a, b in pairwise(padded)))


def fits(sizes: Sequence[int]) -> bool:
    """Whether the kernel takes networks of these layer widths: at most three layers, small enough for the registers."""
    return len(sizes) <= 4 and _numbers(sizes[1:]) <= _MOST


def compiled_for(widths: Sequence[int], classes: bool) -> tuple[Shape, int]:
    """What the kernel is compiled for and how many warps run it; widths without that of the inputs."""
    units = (widths[0], widths[1] if len(widths) == 3 else 1, widths[-1])
    shape = Shape(len(widths), classes, *units, *(triton.next_power_of_2(number) for number in units), BLOCK)
    return shape, max(1, triton.next_power_of_2(_numbers(widths) // _PER_WARP))


def train_block(state: State, rules: Rules, block: Block) -> tuple[Tensor, Tensor]:
    """As ``block.train_block``, for networks that ``fits`` allows."""
    runs, updates, _, n_first = block.start.shape
    widths = [n_first, *(weight.shape[2] for weight in state.upper)]
    shape, warps = compiled_for(widths, not block.answer.is_floating_point())
    kept = torch.empty_like(block.start[:, 0])
    coefficients = block.start.new_empty(runs, 2, n_first, updates)
    middle = state.upper[0] if len(widths) == 3 else state.bias  # not read in other depths
    weights = Weights(middle, state.upper[-1] if len(widths) > 1 else state.bias, state.bias, state.m)
    block = Block(*(tensor.contiguous() for tensor in block))
    _train_block[(runs,)](block, rules, weights, kept, coefficients, updates, shape, num_warps=warps)
    return kept, coefficients


@triton.jit
def _rules_of(rules, run):
    """The settings of one run, in the order of ``block.Rules``."""
    dual, stabilizer = tl.load(rules.dual + run) != 0, tl.load(rules.stabilizer + run) != 0
    return (
        tl.load(rules.lr + run),
        dual,
        stabilizer,
        tl.load(rules.constant_share + run),
        tl.load(rules.norm_share + run),
    )


@triton.jit
def _moves(g, m, rules, share):
    """(step1, decay1, step2, new m) of the units of a layer; decay2 = step2. See ``block._moves``."""
    lr, dual, stabilizer, _constant_share, _norm_share = rules
    size = tl.abs(g)
    rate = lr * tl.where(stabilizer, tl.minimum(size * _GAIN / m, 1.0), size)
    m += tl.where(stabilizer & (size > 0), lr * (size - m), 0.0)
    step1 = tl.where(dual, tl.where(g < 0, rate, 0.0), -lr * g)
    step2 = tl.where(dual & (g > 0), rate, 0.0)
    decay1 = tl.where(dual, step1, share)
    return step1, decay1, step2, m


@triton.jit
def _share(rules, norm_squared):
    _lr, _dual, _stabilizer, constant_share, norm_share = rules
    safe = tl.where(norm_squared > 0, norm_squared, 1.0)
    return constant_share + tl.where(norm_squared > 0, norm_share / tl.sqrt(safe), 0.0)


@triton.jit
def _matrix(row, rows: tl.constexpr, column, columns: tl.constexpr):
    """Offsets and mask of a matrix ``[rows, columns]`` whose axes are padded."""
    return row[:, None] * columns + column[None, :], (row < rows)[:, None] & (column < columns)[None, :]


@triton.jit
def _units(weights, first, unit, number: tl.constexpr):
    """Biases and m of a layer; units that only pad have m = 1, and zero weights and products throughout."""
    inside = unit < number
    bias = tl.load(weights.bias + first + unit, mask=inside, other=0.0)
    return bias, tl.load(weights.m + first + unit, mask=inside, other=1.0)


@triton.jit
def _keep_units(weights, first, unit, number: tl.constexpr, bias, m):
    inside = unit < number
    tl.store(weights.bias + first + unit, bias, mask=inside)
    tl.store(weights.m + first + unit, m, mask=inside)


@triton.jit
def _pair(start, size, at, inside):
    """w1 and w2, or two other arrays of ``size`` numbers that lie one behind the other."""
    return tl.load(start + at, mask=inside, other=0.0), tl.load(start + size + at, mask=inside, other=0.0)


@triton.jit
def _keep_pair(start, size, at, inside, first, second):
    tl.store(start + at, first, mask=inside)
    tl.store(start + size + at, second, mask=inside)


@triton.jit
def _output_gradient(z, block, row, run, unit, shape: tl.constexpr):
    """dL/dz of the output layer."""
    inside = unit < shape.last
    correct = tl.load(block.answer + row)
    if shape.classes:
        shifts = tl.load(block.shifts + run * shape.last + unit, mask=inside, other=0.0)
        z = tl.where(inside, z + shifts, float("-inf"))
        e = tl.exp(z - tl.max(z, 0))
        g = tl.load(block.weight + row) * (e / tl.sum(e, 0) - (unit == correct).to(z.dtype))
    else:
        g = tl.where(inside, 2 * (z - correct), 0.0)
    return g


@triton.jit
def _layer_updated(w1, w2, bias, m, below, g, rules):
    """dL/d(below) of a layer above the first through its old weights; then w1, w2 ``[out, in]``, bias, m, updated."""
    g_below = tl.sum((w1 - w2) * g[:, None], 0)
    share = _share(rules, tl.sum(tl.sum(w1 * w1, 1), 0))
    step1, decay1, step2, m = _moves(g, m, rules, share)
    w1 += step1[:, None] * below[None, :] - decay1[:, None] * w1
    w2 += step2[:, None] * (below[None, :] - w2)
    return g_below, w1, w2, bias - rules[0] * g, m


@triton.jit
def _norm_updated(norm_squared, share, step1, product1, length_squared):
    """||w1||_F^2 of the first layer after an update, in float64."""
    growth = tl.sum(step1 * (2 * (1 - share) * product1 + step1 * length_squared), 0)
    shrink = 1 - share.to(tl.float64)
    return shrink * shrink * norm_squared + growth.to(tl.float64)


@triton.jit
def _train_block(block, rules, weights, kept, coefficients, updates, shape: tl.constexpr):
    run = tl.program_id(0).to(tl.int64)
    hidden: tl.constexpr = (shape.first if shape.depth > 1 else 0) + (shape.middle if shape.depth == 3 else 0)
    below_last: tl.constexpr = shape.middle if shape.depth == 3 else shape.first
    kind: tl.constexpr = block.start.dtype.element_ty
    width: tl.constexpr = shape.first_width
    samples: tl.constexpr = shape.block
    rules = _rules_of(rules, run)
    norm_squared = tl.load(block.norm_squared + run)

    i = tl.arange(0, width)  # units of the first layer
    j = tl.arange(0, shape.middle_width)  # units of the middle one of three layers
    o = tl.arange(0, shape.last_width)  # outputs
    s = tl.arange(0, samples)  # samples of the block
    first_unit = run * (hidden + shape.last)
    first_bias, first_m = _units(weights, first_unit, i, shape.first)
    if shape.depth > 1:
        last_bias, last_m = _units(weights, first_unit + hidden, o, shape.last)
        last = weights.last + run * 2 * shape.last * below_last
        last_at, in_last = _matrix(o, shape.last, j if shape.depth == 3 else i, below_last)
        v1, v2 = _pair(last, shape.last * below_last, last_at, in_last)
    if shape.depth == 3:
        middle_bias, middle_m = _units(weights, first_unit + shape.first, j, shape.middle)
        middle = weights.middle + run * 2 * shape.middle * shape.first
        middle_at, in_middle = _matrix(j, shape.middle, i, shape.first)
        u1, u2 = _pair(middle, shape.middle * shape.first, middle_at, in_middle)
    kept1 = tl.full((width,), 1.0, kind)
    kept2 = tl.full((width,), 1.0, kind)
    c1 = tl.zeros((width, samples), kind)
    c2 = tl.zeros((width, samples), kind)

    for k in range(updates):
        row = run * updates + k
        # Forward.
        products = tl.load(block.gram + row * updates + s, mask=s < updates, other=0.0)
        start1, start2 = _pair(block.start + row * 2 * shape.first, shape.first, i, i < shape.first)
        product1 = kept1 * start1 + tl.sum(c1 * products[None, :], 1)
        product2 = kept2 * start2 + tl.sum(c2 * products[None, :], 1)
        z = product1 - product2 + first_bias
        if shape.depth > 1:
            gain = tl.load(block.gain + row * hidden + i, mask=i < shape.first, other=0.0)
            first_slope = gain * (z > 0).to(kind)
            first_h = z * first_slope
            below = first_h
            if shape.depth == 3:
                z = tl.sum((u1 - u2) * first_h[None, :], 1) + middle_bias
                gain = tl.load(block.gain + row * hidden + shape.first + j, mask=j < shape.middle, other=0.0)
                middle_slope = gain * (z > 0).to(kind)
                below = z * middle_slope
            z = tl.sum((v1 - v2) * below[None, :], 1) + last_bias
        # Backward: hand the gradient down through the old weights, then update the layer.
        g = _output_gradient(z, block, row, run, o, shape)
        if shape.depth > 1:
            g, v1, v2, last_bias, last_m = _layer_updated(v1, v2, last_bias, last_m, below, g, rules)
            if shape.depth == 3:
                g *= middle_slope
                g, u1, u2, middle_bias, middle_m = _layer_updated(u1, u2, middle_bias, middle_m, first_h, g, rules)
            g *= first_slope
        share = _share(rules, norm_squared.to(kind))
        step1, decay1, step2, first_m = _moves(g, first_m, rules, share)
        length_squared = tl.load(block.gram + row * updates + k)
        norm_squared = _norm_updated(norm_squared, share, step1, product1, length_squared)
        kept1 -= decay1 * kept1
        kept2 -= step2 * kept2
        now = s[None, :] == k
        c1 = tl.where(now, step1[:, None], c1 - decay1[:, None] * c1)
        c2 = tl.where(now, step2[:, None], c2 - step2[:, None] * c2)
        first_bias -= rules[0] * g

    _keep_units(weights, first_unit, i, shape.first, first_bias, first_m)
    if shape.depth == 3:
        _keep_units(weights, first_unit + shape.first, j, shape.middle, middle_bias, middle_m)
        _keep_pair(middle, shape.middle * shape.first, middle_at, in_middle, u1, u2)
    if shape.depth > 1:
        _keep_units(weights, first_unit + hidden, o, shape.last, last_bias, last_m)
        _keep_pair(last, shape.last * below_last, last_at, in_last, v1, v2)
    _keep_pair(kept + run * 2 * shape.first, shape.first, i, i < shape.first, kept1, kept2)
    at = i[:, None] * updates + s[None, :]
    inside = (i < shape.first)[:, None] & (s < updates)[None, :]
    _keep_pair(coefficients + run * 2 * shape.first * updates, shape.first * updates, at, inside, c1, c2)
