"""The compiled loop of ``networks``: one update after the other of one run, the runs spread over the cores.

Passes over a network are inlined into the loop; functions with a loop over weights are compiled by themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import carray, njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from weightspace.dual.methods import STABILIZER_GAIN

# Reordering of sums and fused multiply-add let the compiler use the vector units. NaN and infinity keep their
# meaning, so that a diverged run is seen as such.
_FAST = {"reassoc", "contract", "nsz", "arcp"}

_FLUSH_EVERY = 256
_TINY = 1e-30
_SMALLEST_SCALE = 1e-100

SETTINGS = np.dtype(
    [
        ("dual", np.bool_),
        ("stabilizer", np.bool_),
        ("squared", np.bool_),
        ("l2", np.float64),
        ("dropout", np.float64),
        ("lr", np.float64),
        ("seed", np.uint64),
    ]
)
"""How one run is trained."""


class Samples(NamedTuple):
    """What all runs read: x ``[n, inputs]``, target ``[n]`` in regression, label ``[n]`` in classification.

    in_span: whether the first layer is kept in the span of the samples; then gram ``[n, n]`` holds their products.
    What does not apply is a stand-in of any size, which is not read.
    """

    x: np.ndarray
    target: np.ndarray
    label: np.ndarray
    gram: np.ndarray
    regression: bool
    in_span: bool


class Parameters(NamedTuple):
    """What an update changes in place: w1, w2 ``[runs, weights]`` and bias, m ``[runs, units]``, layer after layer."""

    w1: np.ndarray
    w2: np.ndarray
    bias: np.ndarray
    m: np.ndarray


class Span(NamedTuple):
    """w1 and w2 of the first layer in the span of the samples, see ``networks``; the second axis is w1 and w2.

    start, the products of the weights with the samples at the start, and coefficients: ``[runs, 2, units, samples]``;
    kept, scale: ``[runs, 2, units]``.
    """

    start: np.ndarray
    coefficients: np.ndarray
    kept: np.ndarray
    scale: np.ndarray


class Classes(NamedTuple):
    """Of the loss in classification: weights and shifts ``[runs, classes]``."""

    weights: np.ndarray
    shifts: np.ndarray


class Shape(NamedTuple):
    """Layer widths, input first; where the weights and the units of each layer begin."""

    sizes: np.ndarray
    weights: np.ndarray
    units: np.ndarray


class _Memory(NamedTuple):
    """h: outputs of every layer, after ReLU and dropout for the hidden ones; g: dL/dz of every layer.

    products: w.x of the first layer, where that is kept in the span of the samples.
    """

    h: np.ndarray
    g: np.ndarray
    products: np.ndarray


class _Rule(NamedTuple):
    """``SETTINGS`` in the type of the weights: a Python number would turn float32 arithmetic into float64.

    gain: by which dropout scales the activations that it leaves.
    """

    dual: bool
    stabilizer: bool
    squared: bool
    l2: float
    dropout: float
    gain: float
    lr: float
    seed: int


class _Layer(NamedTuple):
    """Views of one layer of one run: w1, w2 ``[out, in]``, all else ``[out]``."""

    w1: np.ndarray
    w2: np.ndarray
    bias: np.ndarray
    m: np.ndarray
    h: np.ndarray
    g: np.ndarray


@njit(cache=True, inline="always")
def uniform(seed, counter):
    """A number in [0, 1) from a counter (SplitMix64), so that any draw can be had without the ones before it."""
    z = seed * np.uint64(0xD1342543DE82EF95) + (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


def shape(sizes: np.ndarray) -> Shape:
    """Where everything lies in networks of these layer widths."""
    weights = np.cumsum(sizes[:-1] * sizes[1:])
    units = np.cumsum(sizes[1:])
    return Shape(sizes, np.concatenate([[0], weights]), np.concatenate([[0], units]))


@njit(cache=True, fastmath=_FAST, parallel=True)
def train(samples, order, shape, parameters, settings, classes, span, updates):
    """Update k of a run is of sample ``order[run, k]``; ``updates`` have been made before, which dropout counts."""
    for run in prange(order.shape[0]):
        # Allocated here, because the arguments of a call live until it returns: `_borrow` keeps nothing alive.
        layer_memory = np.empty((2, parameters.bias.shape[1]), parameters.bias.dtype)
        _train_run(
            samples,
            order[run],
            shape,
            Parameters(parameters.w1[run], parameters.w2[run], parameters.bias[run], parameters.m[run]),
            settings[run],
            Classes(classes.weights[run], classes.shifts[run]),
            Span(span.start[run], span.coefficients[run], span.kept[run], span.scale[run]),
            _Memory(layer_memory[0], layer_memory[1], np.empty(shape.sizes[1])),
            updates,
        )


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _train_run(samples, order, shape, parameters, settings, classes, span, memory, updates):
    x, target, label, gram, regression, in_span = samples
    samples = Samples(_borrow(x), _borrow(target), _borrow(label), _borrow(gram), regression, in_span)
    w1, w2, bias, m = parameters
    parameters = Parameters(_borrow(w1), _borrow(w2), _borrow(bias), _borrow(m))
    start, coefficients, kept, scale = span
    span = Span(_borrow(start), _borrow(coefficients), _borrow(kept), _borrow(scale))
    shape = Shape(_borrow(shape.sizes), _borrow(shape.weights), _borrow(shape.units))
    # Not the classes: borrowed, their weights are multiplied in another order, and records change in the last bit.
    memory = _Memory(_borrow(memory.h), _borrow(memory.g), _borrow(memory.products))
    rule = _rule(settings, parameters.w1.dtype.type)
    n_first = shape.weights[1]
    norm_squared = 0.0  # of w1 of the first layer
    if samples.in_span and rule.l2 > 0 and not rule.squared:
        for i in range(n_first):
            norm_squared += np.float64(parameters.w1[i]) ** 2
    for step in range(order.size):
        if (updates + step) % _FLUSH_EVERY == 0:
            _flush(parameters.w1[n_first if samples.in_span else 0 :])
            _flush(parameters.w2[n_first if samples.in_span else 0 :])
        sample = order[step]
        _forward_pass(samples, sample, shape, parameters, rule, span, memory, updates + step)
        _output_gradient(samples, sample, classes, shape, memory)
        norm_squared = _backward_pass(samples, sample, shape, parameters, rule, span, memory, norm_squared)


@intrinsic
def _data_pointer(typing_context, array):
    def codegen(context, builder, signature, arguments):
        return cgutils.create_struct_proxy(array)(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), codegen


@njit(cache=True, inline="always")
def _borrow(array):
    """The same memory without ownership: views of it have no reference counts for threads to fight over."""
    return carray(_data_pointer(array), array.shape)


@njit(cache=True, inline="always")
def _matrix(array, begin, rows, columns):
    """Numbers of a borrowed array, from ``begin`` on, as a matrix: ``reshape`` would cost a call and checks."""
    return carray(_data_pointer(array[begin:]), (rows, columns))


@njit(cache=True, fastmath=_FAST, error_model="numpy", inline="always")
def _rule(settings, number):
    dropout = number(settings.dropout)
    return _Rule(
        settings.dual,
        settings.stabilizer,
        settings.squared,
        number(settings.l2),
        dropout,
        number(1) / (number(1) - dropout),
        number(settings.lr),
        settings.seed,
    )


@njit(cache=True, inline="always")
def _layer(index, shape, parameters, memory):
    fan_in, fan_out = shape.sizes[index], shape.sizes[index + 1]
    first, last = shape.units[index], shape.units[index + 1]
    return _Layer(
        _matrix(parameters.w1, shape.weights[index], fan_out, fan_in),
        _matrix(parameters.w2, shape.weights[index], fan_out, fan_in),
        parameters.bias[first:last],
        parameters.m[first:last],
        memory.h[first:last],
        memory.g[first:last],
    )


@njit(cache=True, fastmath=_FAST, error_model="numpy", inline="always")
def _forward_pass(samples, sample, shape, parameters, rule, span, memory, update):
    n_layers = shape.sizes.size - 1
    n_hidden = shape.units[n_layers - 1]
    below = samples.x[sample]
    for index in range(n_layers):
        layer = _layer(index, shape, parameters, memory)
        if index == 0 and samples.in_span:
            _forward_span(samples.gram[sample], sample, span, memory.products, rule.dual)
            for k in range(layer.h.size):
                layer.h[k] = layer.bias[k] + memory.products[k]
        else:
            _forward(below, layer.w1, layer.w2, layer.bias, layer.h, rule.dual)
        if index < n_layers - 1:
            _relu_and_dropout(layer.h, rule, update, n_hidden, shape.units[index])
        below = layer.h


@njit(cache=True, fastmath=_FAST, error_model="numpy", inline="always")
def _relu_and_dropout(h, rule, update, n_hidden, first_unit):
    zero = h.dtype.type(0)
    for k in range(h.size):
        h[k] = max(h[k], zero)
    if rule.dropout > zero:
        for k in range(h.size):
            counter = np.uint64(update) * np.uint64(n_hidden) + np.uint64(first_unit + k)
            if uniform(rule.seed, counter) < rule.dropout:
                h[k] = zero
            else:
                h[k] *= rule.gain


@njit(cache=True, fastmath=_FAST, error_model="numpy", inline="always")
def _output_gradient(samples, sample, classes, shape, memory):
    """dL/dz of the output layer."""
    z = memory.h[shape.units[shape.sizes.size - 2] :]
    g = memory.g[shape.units[shape.sizes.size - 2] :]
    if samples.regression:
        g[0] = g.dtype.type(2) * (z[0] - samples.target[sample])
    else:
        correct = samples.label[sample]
        largest = z[0] + classes.shifts[0]
        for k in range(z.size):
            g[k] = z[k] + classes.shifts[k]
            largest = max(largest, g[k])
        total = g.dtype.type(0)
        for k in range(z.size):
            g[k] = np.exp(g[k] - largest)
            total += g[k]
        for k in range(z.size):
            g[k] *= classes.weights[correct] / total
        g[correct] -= classes.weights[correct]


@njit(cache=True, fastmath=_FAST, error_model="numpy", inline="always")
def _backward_pass(samples, sample, shape, parameters, rule, span, memory, norm_squared):
    """Layer by layer: hand the gradient down through the old weights, then update. Returns the new norm_squared."""
    for index in range(shape.sizes.size - 2, -1, -1):
        layer = _layer(index, shape, parameters, memory)
        if index == 0 and samples.in_span:
            if rule.dual:
                _update_dual_span(sample, span, layer.g, layer.m, rule.stabilizer, rule.lr)
            else:
                length_squared = samples.gram[sample, sample]
                norm_squared = _update_plain_span(
                    sample, span, layer.g, memory.products, length_squared, rule, norm_squared
                )
        else:
            below = samples.x[sample]
            if index > 0:
                lower = _layer(index - 1, shape, parameters, memory)
                below = lower.h
                _backward(layer.g, layer.w1, layer.w2, lower.g, rule.dual)
                _through_relu(lower.h, lower.g, rule.gain)
            if rule.dual:
                _update_dual(below, layer.w1, layer.w2, layer.g, layer.m, rule.stabilizer, rule.lr)
            else:
                _update_plain(below, layer.w1, layer.g, rule.l2, rule.squared, rule.lr)
        for k in range(layer.g.size):
            layer.bias[k] -= rule.lr * layer.g[k]
    return norm_squared


@njit(cache=True, fastmath=_FAST, error_model="numpy", inline="always")
def _through_relu(h, g, gain):
    zero = h.dtype.type(0)
    for k in range(h.size):
        if h[k] > zero:
            g[k] *= gain
        else:
            g[k] = zero


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _flush(w):
    """Weights under decay end as subnormal numbers, on which a processor is a hundred times slower: make them zero."""
    tiny = w.dtype.type(_TINY)
    for i in range(w.size):
        if abs(w[i]) < tiny:
            w[i] = 0


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _forward(below, w1, w2, bias, out, dual):
    for k in range(w1.shape[0]):
        total = bias[k]
        if dual:
            for i in range(w1.shape[1]):
                total += (w1[k, i] - w2[k, i]) * below[i]
        else:
            for i in range(w1.shape[1]):
                total += w1[k, i] * below[i]
        out[k] = total


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _backward(g, w1, w2, g_below, dual):
    g_below[:] = 0
    for k in range(w1.shape[0]):
        g_k = g[k]
        if g_k != 0:
            if dual:
                for i in range(w1.shape[1]):
                    g_below[i] += g_k * (w1[k, i] - w2[k, i])
            else:
                for i in range(w1.shape[1]):
                    g_below[i] += g_k * w1[k, i]


@njit(cache=True, fastmath=_FAST, error_model="numpy", inline="always")
def _rate(k, size, m, stabilizer, lr):
    """The share by which unit k moves towards the input, size = |g| > 0; keeps the running mean m."""
    if not stabilizer:
        return lr * size
    one = m.dtype.type(1)
    rate = lr * min(one, m.dtype.type(STABILIZER_GAIN) * size / m[k])
    m[k] = (one - lr) * m[k] + lr * size
    return rate


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _update_dual(below, w1, w2, g, m, stabilizer, lr):
    for k in range(w1.shape[0]):
        size = abs(g[k])
        if size > 0:  # a unit without gradient keeps its weights and its m
            rate = _rate(k, size, m, stabilizer, lr)
            # Only the component that the sample addresses moves.
            if g[k] < 0:
                for i in range(w1.shape[1]):
                    w1[k, i] += rate * (below[i] - w1[k, i])
            else:
                for i in range(w1.shape[1]):
                    w2[k, i] += rate * (below[i] - w2[k, i])


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _update_plain(below, w, g, l2, squared, lr):
    one = w.dtype.type(1)
    shrink = one
    if l2 > 0:
        if squared:
            shrink = one - (l2 + l2) * lr
        else:
            total = w.dtype.type(0)
            for k in range(w.shape[0]):
                for i in range(w.shape[1]):
                    total += w[k, i] * w[k, i]
            if total > 0:  # the gradient of ||W|| at W = 0 is taken as 0, as PyTorch does
                shrink = one - lr * l2 / np.sqrt(total)
    for k in range(w.shape[0]):
        step = lr * g[k]
        if shrink != one:
            for i in range(w.shape[1]):
                w[k, i] = shrink * w[k, i] - step * below[i]
        elif step != 0:
            for i in range(w.shape[1]):
                w[k, i] -= step * below[i]


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _forward_span(gram_row, sample, span, products, dual):
    start, coefficients, kept, scale = span
    for k in range(products.size):
        new1 = 0.0
        new2 = 0.0
        if dual:
            for j in range(gram_row.size):
                new1 += coefficients[0, k, j] * gram_row[j]
                new2 += coefficients[1, k, j] * gram_row[j]
            new2 = kept[1, k] * start[1, k, sample] + scale[1, k] * new2
        else:
            for j in range(gram_row.size):
                new1 += coefficients[0, k, j] * gram_row[j]
        products[k] = kept[0, k] * start[0, k, sample] + scale[0, k] * new1 - new2


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _move(component, k, shrink, sample, step, span):
    """w <- shrink * w + step * x_sample for one unit, in the coordinates of the span."""
    _, coefficients, kept, scale = span
    kept[component, k] *= shrink
    scale[component, k] *= shrink
    if abs(kept[component, k]) < _SMALLEST_SCALE:
        kept[component, k] = 0.0
    if abs(scale[component, k]) < _SMALLEST_SCALE:
        for j in range(coefficients.shape[2]):
            coefficients[component, k, j] *= scale[component, k]
            if abs(coefficients[component, k, j]) < _SMALLEST_SCALE:
                coefficients[component, k, j] = 0.0
        scale[component, k] = 1.0
    coefficients[component, k, sample] += step / scale[component, k]


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _update_dual_span(sample, span, g, m, stabilizer, lr):
    for k in range(g.size):
        size = abs(g[k])
        if size > 0:
            rate = np.float64(_rate(k, size, m, stabilizer, lr))
            _move(0 if g[k] < 0 else 1, k, 1.0 - rate, sample, rate, span)


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _update_plain_span(sample, span, g, products, length_squared, rule, norm_squared):
    """Returns ||W||_F^2 after the update, kept up to date for the unsquared penalty; length_squared = ||x||^2."""
    lr, l2 = np.float64(rule.lr), np.float64(rule.l2)
    shrink = 1.0
    if l2 > 0:
        if rule.squared:
            shrink = 1.0 - 2.0 * l2 * lr
        elif norm_squared > 0:
            shrink = 1.0 - lr * l2 / np.sqrt(norm_squared)
            norm_squared *= shrink * shrink
    for k in range(g.size):
        step = -lr * np.float64(g[k])
        if l2 > 0 and not rule.squared and step != 0:
            # ||v + step x||^2 = ||v||^2 + 2 step v.x + step^2 ||x||^2, v the weights after shrinking.
            norm_squared += step * (2.0 * shrink * products[k] + step * length_squared)
        if step != 0 or shrink != 1.0:
            _move(0, k, shrink, sample, step, span)
    return norm_squared
