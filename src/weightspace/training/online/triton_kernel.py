"""One kernel per block of updates: ``block.train_block`` for a GPU, one program per run.

A program keeps the whole state of its run in registers (coefficients of the first layer, weights of the layers above,
biases) from the first update of a block to the last, and reads per update only the products of the present sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import triton
import triton.language as tl
from torch import Tensor

from weightspace.dual.methods import STABILIZER_GAIN
from weightspace.training.online.block import BLOCK, Block, Rules, State

_GAIN = tl.constexpr(STABILIZER_GAIN)
_PER_WARP = 2048
_MOST = 16 * _PER_WARP


def _numbers(widths: Sequence[int]) -> int:
    """How many numbers a program keeps: every axis is padded to a power of two."""
    padded = [triton.next_power_of_2(int(width)) for width in widths]
    return 2 * (BLOCK * padded[0] + sum(a * b for a, b in pairwise(padded)))


def fits(sizes: Sequence[int]) -> bool:
    """Whether the kernel takes networks of these layer widths: at most three layers, small enough for the registers."""
    return len(sizes) <= 4 and _numbers(sizes[1:]) <= _MOST


def compiled_for(widths: Sequence[int], classes: bool) -> tuple[dict[str, int], int]:
    """What the kernel is compiled for and how many warps run it; widths without that of the inputs."""
    middle = widths[1] if len(widths) == 3 else 1
    constants = {
        "depth": len(widths),
        "classes": classes,
        "n_first": widths[0],
        "n_middle": middle,
        "n_last": widths[-1],
        "first_width": triton.next_power_of_2(widths[0]),
        "middle_width": triton.next_power_of_2(middle),
        "last_width": triton.next_power_of_2(widths[-1]),
        "block": BLOCK,
    }
    return constants, max(1, triton.next_power_of_2(_numbers(widths) // _PER_WARP))


def train_block(state: State, rules: Rules, block: Block) -> tuple[Tensor, Tensor]:
    """As ``block.train_block``, for networks that ``fits`` allows."""
    runs, updates, _, n_first = block.start.shape
    widths = [n_first, *(weight.shape[2] for weight in state.upper)]
    constants, warps = compiled_for(widths, not block.answer.is_floating_point())
    kept = torch.empty_like(block.start[:, 0])
    coefficients = block.start.new_empty(runs, 2, n_first, updates)
    _train_block[(runs,)](
        block.start.contiguous(),
        block.gram.contiguous(),
        block.gain.contiguous(),
        block.answer.contiguous(),
        block.weight.contiguous(),
        block.shifts,
        block.norm_squared,
        rules.lr,
        rules.dual,
        rules.stabilizer,
        rules.constant_share,
        rules.norm_share,
        state.upper[0] if len(widths) == 3 else state.bias,  # not read in other depths
        state.upper[-1] if len(widths) > 1 else state.bias,
        state.bias,
        state.m,
        kept,
        coefficients,
        updates,
        **constants,
        num_warps=warps,
    )
    return kept, coefficients


@triton.jit
def _moves(g, m, lr, dual, stabilizer, share):
    """(step1, decay1, step2, new m) of the units of a layer; decay2 = step2. See ``block._moves``."""
    size = tl.abs(g)
    rate = lr * tl.where(stabilizer, tl.minimum(size * _GAIN / m, 1.0), size)
    m += tl.where(stabilizer & (size > 0), lr * (size - m), 0.0)
    step1 = tl.where(dual, tl.where(g < 0, rate, 0.0), -lr * g)
    step2 = tl.where(dual & (g > 0), rate, 0.0)
    decay1 = tl.where(dual, step1, share)
    return step1, decay1, step2, m


@triton.jit
def _share(constant_share, norm_share, norm_squared):
    safe = tl.where(norm_squared > 0, norm_squared, 1.0)
    return constant_share + tl.where(norm_squared > 0, norm_share / tl.sqrt(safe), 0.0)


@triton.jit
def _updated(w1, w2, below, g, m, lr, dual, stabilizer, constant_share, norm_share):
    """w1, w2 ``[out, in]`` and m of a layer above the first, after the update."""
    share = _share(constant_share, norm_share, tl.sum(tl.sum(w1 * w1, 1), 0))
    step1, decay1, step2, m = _moves(g, m, lr, dual, stabilizer, share)
    w1 += step1[:, None] * below[None, :] - decay1[:, None] * w1
    w2 += step2[:, None] * (below[None, :] - w2)
    return w1, w2, m


@triton.jit
def _train_block(
    start,
    gram,
    gain,
    answer,
    weight,
    shifts,
    norm_squared,
    lr,
    dual,
    stabilizer,
    constant_share,
    norm_share,
    middle,
    last,
    bias,
    m,
    kept,
    coefficients,
    updates,
    depth: tl.constexpr,
    classes: tl.constexpr,
    n_first: tl.constexpr,
    n_middle: tl.constexpr,
    n_last: tl.constexpr,
    first_width: tl.constexpr,
    middle_width: tl.constexpr,
    last_width: tl.constexpr,
    block: tl.constexpr,
):
    run = tl.program_id(0).to(tl.int64)
    units: tl.constexpr = n_last + (n_first if depth > 1 else 0) + (n_middle if depth == 3 else 0)
    n_hidden: tl.constexpr = units - n_last
    kind: tl.constexpr = start.dtype.element_ty
    lr = tl.load(lr + run)
    dual = tl.load(dual + run) != 0
    stabilizer = tl.load(stabilizer + run) != 0
    constant_share = tl.load(constant_share + run)
    norm_share = tl.load(norm_share + run)
    norm_squared = tl.load(norm_squared + run)

    i = tl.arange(0, first_width)  # units of the first layer
    j = tl.arange(0, middle_width)  # units of the middle one of three layers
    o = tl.arange(0, last_width)  # outputs
    s = tl.arange(0, block)  # samples of the block
    in_first = i < n_first
    in_middle = j < n_middle
    in_last = o < n_last
    # Units that only pad have zero weights and zero products throughout, and m = 1.
    bias += run * units
    m += run * units
    first_bias = tl.load(bias + i, mask=in_first, other=0.0)
    first_m = tl.load(m + i, mask=in_first, other=1.0)
    if depth > 1:
        last_bias = tl.load(bias + n_hidden + o, mask=in_last, other=0.0)
        last_m = tl.load(m + n_hidden + o, mask=in_last, other=1.0)
        if depth == 3:
            n_below: tl.constexpr = n_middle
            last_at = o[:, None] * n_middle + j[None, :]
            last_mask = in_last[:, None] & in_middle[None, :]
        else:
            n_below: tl.constexpr = n_first
            last_at = o[:, None] * n_first + i[None, :]
            last_mask = in_last[:, None] & in_first[None, :]
        last += run * 2 * n_last * n_below
        v1 = tl.load(last + last_at, mask=last_mask, other=0.0)
        v2 = tl.load(last + n_last * n_below + last_at, mask=last_mask, other=0.0)
    if depth == 3:
        middle_bias = tl.load(bias + n_first + j, mask=in_middle, other=0.0)
        middle_m = tl.load(m + n_first + j, mask=in_middle, other=1.0)
        middle += run * 2 * n_middle * n_first
        middle_at = j[:, None] * n_first + i[None, :]
        middle_mask = in_middle[:, None] & in_first[None, :]
        u1 = tl.load(middle + middle_at, mask=middle_mask, other=0.0)
        u2 = tl.load(middle + n_middle * n_first + middle_at, mask=middle_mask, other=0.0)
    kept1 = tl.full((first_width,), 1.0, kind)
    kept2 = tl.full((first_width,), 1.0, kind)
    c1 = tl.zeros((first_width, block), kind)
    c2 = tl.zeros((first_width, block), kind)

    for k in range(updates):
        row = run * updates + k
        # Forward.
        products = tl.load(gram + row * updates + s, mask=s < updates, other=0.0)
        start1 = tl.load(start + row * 2 * n_first + i, mask=in_first, other=0.0)
        start2 = tl.load(start + (row * 2 + 1) * n_first + i, mask=in_first, other=0.0)
        product1 = kept1 * start1 + tl.sum(c1 * products[None, :], 1)
        product2 = kept2 * start2 + tl.sum(c2 * products[None, :], 1)
        z = product1 - product2 + first_bias
        if depth > 1:
            first_slope = tl.load(gain + row * n_hidden + i, mask=in_first, other=0.0) * (z > 0).to(kind)
            first_h = z * first_slope
            if depth == 3:
                middle_z = tl.sum((u1 - u2) * first_h[None, :], 1) + middle_bias
                middle_slope = tl.load(gain + row * n_hidden + n_first + j, mask=in_middle, other=0.0)
                middle_slope *= (middle_z > 0).to(kind)
                below = middle_z * middle_slope
            else:
                below = first_h
            z = tl.sum((v1 - v2) * below[None, :], 1) + last_bias
        # dL/dz of the output layer.
        correct = tl.load(answer + row)
        if classes:
            z = tl.where(in_last, z + tl.load(shifts + run * n_last + o, mask=in_last, other=0.0), float("-inf"))
            e = tl.exp(z - tl.max(z, 0))
            g = tl.load(weight + row) * (e / tl.sum(e, 0) - (o == correct).to(kind))
        else:
            g = tl.where(in_last, 2 * (z - correct), 0.0)
        # Backward: hand the gradient down through the old weights, then update the layer.
        if depth > 1:
            g_below = tl.sum((v1 - v2) * g[:, None], 0)
            v1, v2, last_m = _updated(v1, v2, below, g, last_m, lr, dual, stabilizer, constant_share, norm_share)
            last_bias -= lr * g
            if depth == 3:
                g = g_below * middle_slope
                g_below = tl.sum((u1 - u2) * g[:, None], 0)
                u1, u2, middle_m = _updated(
                    u1, u2, first_h, g, middle_m, lr, dual, stabilizer, constant_share, norm_share
                )
                middle_bias -= lr * g
            g = g_below * first_slope
        share = _share(constant_share, norm_share, norm_squared.to(kind))
        step1, decay1, step2, first_m = _moves(g, first_m, lr, dual, stabilizer, share)
        length_squared = tl.load(gram + row * updates + k)
        growth = tl.sum(step1 * (2 * (1 - share) * product1 + step1 * length_squared), 0)
        shrink = 1 - share.to(tl.float64)
        norm_squared = shrink * shrink * norm_squared + growth.to(tl.float64)
        kept1 -= decay1 * kept1
        kept2 -= step2 * kept2
        now = s[None, :] == k
        c1 = tl.where(now, step1[:, None], c1 - decay1[:, None] * c1)
        c2 = tl.where(now, step2[:, None], c2 - step2[:, None] * c2)
        first_bias -= lr * g

    tl.store(bias + i, first_bias, mask=in_first)
    tl.store(m + i, first_m, mask=in_first)
    if depth == 3:
        tl.store(bias + n_first + j, middle_bias, mask=in_middle)
        tl.store(m + n_first + j, middle_m, mask=in_middle)
        tl.store(middle + middle_at, u1, mask=middle_mask)
        tl.store(middle + n_middle * n_first + middle_at, u2, mask=middle_mask)
    if depth > 1:
        tl.store(bias + n_hidden + o, last_bias, mask=in_last)
        tl.store(m + n_hidden + o, last_m, mask=in_last)
        tl.store(last + last_at, v1, mask=last_mask)
        tl.store(last + n_last * n_below + last_at, v2, mask=last_mask)
    kept += run * 2 * n_first
    tl.store(kept + i, kept1, mask=in_first)
    tl.store(kept + n_first + i, kept2, mask=in_first)
    coefficients += run * 2 * n_first * updates
    at = i[:, None] * updates + s[None, :]
    mask = in_first[:, None] & (s < updates)[None, :]
    tl.store(coefficients + at, c1, mask=mask)
    tl.store(coefficients + n_first * updates + at, c2, mask=mask)
