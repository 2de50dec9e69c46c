"""Online training of many small networks at once: the experiments of paper B, compiled.

One update is one sample. A ReLU network of a few thousand weights takes about a microsecond per update, so the
cost of a framework's dispatch would be several hundred times the arithmetic. Here a stack of runs (every run a
network of the same shape, with its own method, weights and sample order) is trained by one compiled loop per run,
runs spread over the cores. ``weightspace.reference`` does the same with plain PyTorch; tests hold both together.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numba import carray, njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from weightspace.methods import STABILIZER_GAIN, Method, parse_method

# Reordering of sums and fused multiply-add let the compiler use the vector units. NaN and infinity keep their
# meaning, so that a diverged run is seen as such.
_FAST = {"reassoc", "contract", "nsz", "arcp"}

_BLOCK = 64
_FLUSH_EVERY = 256
_TINY = 1e-30


class OnlineNetworks:
    """A stack of ReLU networks of one shape, trained one sample at a time.

    Layer l of a run: z = (w1 - w2) h + b, h the raw input or the ReLU outputs below. Loss of a sample: (z - y)^2
    for ``task="regression"`` (one output), cross entropy of softmax(z) for ``task="classification"``. With
    g = dL/dz of one backward pass at the old weights, every layer is updated (lr the learning rate):

    - dual: r1 = lr max(0, -g), w1 <- (1 - r1) w1 + r1 h; r2 = lr max(0, g), w2 <- (1 - r2) w2 + r2 h;
    - dual with stabilizer: r1 = lr min(1, 0.1 max(0, -g) / m), r2 likewise with +g, then m <- (1 - lr) m + lr |g|
      where g != 0, m starting at 1;
    - otherwise w1 <- w1 - lr (g h + gradient of the penalty), w2 = 0; the penalty is l2 ||W||_F or l2 ||W||_F^2,
      summed over the weight matrices; dropout zeroes hidden activations and scales the rest by 1 / (1 - rate);
    - all: b <- b - lr g.

    Source: paper B (arXiv 2503.11965) and its released code; squared penalty and dropout are ours.

    Parameters
    ----------
    sizes : layer widths, input first, e.g. ``(8, 20, 1)``.
    methods : one method name or ``Method`` per run.
    seeds : one seed per run. Runs of equal seed start from the same weights: w1 ~ N(0, 2 / fan_in), all else 0.
    lr : learning rate per run, or one for all.
    dtype : ``numpy.float32`` (as in the released code) or ``numpy.float64``.

    Raises ``ValueError`` for shapes, indices or labels that do not fit, and for inputs that are not finite.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        methods: Sequence[str | Method],
        seeds: Sequence[int],
        *,
        task: str,
        lr: float | Sequence[float] = 1e-3,
        dtype: type = np.float32,
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must hold at least two positive widths, got {tuple(sizes)}")
        if task not in ("regression", "classification"):
            raise ValueError(f"task must be 'regression' or 'classification', got {task!r}")
        if task == "regression" and sizes[-1] != 1:
            raise ValueError(f"regression needs one output, got sizes {tuple(sizes)}")
        if len(methods) != len(seeds) or not methods:
            raise ValueError(f"one method and one seed per run: got {len(methods)} methods and {len(seeds)} seeds")
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.methods = [parse_method(m) if isinstance(m, str) else m for m in methods]
        self.seeds = np.asarray(seeds, dtype=np.int64)
        self.task = task
        self.dtype = np.dtype(dtype)
        self.updates = 0
        runs = len(self.methods)
        n_weights = int((self.sizes[:-1] * self.sizes[1:]).sum())
        n_units = int(self.sizes[1:].sum())
        self.w1 = np.empty((runs, n_weights), self.dtype)
        self.w2 = np.zeros((runs, n_weights), self.dtype)
        self.bias = np.zeros((runs, n_units), self.dtype)
        self.m = np.ones((runs, n_units), self.dtype)
        draws = {seed: _he_draw(self.sizes, seed) for seed in set(self.seeds.tolist())}
        for run, seed in enumerate(self.seeds.tolist()):
            self.w1[run] = draws[seed]
        self._dual = np.array([m.dual for m in self.methods])
        self._stabilizer = np.array([m.stabilizer for m in self.methods])
        self._squared = np.array([m.squared for m in self.methods])
        self._l2 = np.array([m.l2 for m in self.methods], self.dtype)
        self._dropout = np.array([m.dropout for m in self.methods], self.dtype)
        self._lr = np.broadcast_to(np.asarray(lr, self.dtype), (runs,)).copy()

    def __len__(self) -> int:
        return len(self.methods)

    def select(self, runs: np.ndarray) -> OnlineNetworks:
        """A stack of copies of some runs, given by index or mask."""
        runs = np.arange(len(self))[runs]
        part = copy.copy(self)
        part.methods = [self.methods[run] for run in runs]
        for name in ("seeds", "w1", "w2", "bias", "m", "_dual", "_stabilizer", "_squared", "_l2", "_dropout", "_lr"):
            setattr(part, name, getattr(self, name)[runs].copy())
        return part

    def train(self, x: np.ndarray, y: np.ndarray, order: np.ndarray) -> None:
        """One update per column of ``order``: run k sees rows ``order[k, 0], order[k, 1], ...`` of ``x``.

        x: ``[samples, sizes[0]]``; y: ``[samples]`` float targets or integer labels; order: ``[runs, updates]``.
        """
        x, y = self._check(x, y)
        order = np.ascontiguousarray(order, dtype=np.int64)
        if order.ndim != 2 or order.shape[0] != len(self):
            raise ValueError(f"order must have shape [{len(self)}, updates], got {order.shape}")
        if order.size and (order.min() < 0 or order.max() >= len(x)):
            raise ValueError(f"order holds indices outside 0..{len(x) - 1}")
        target, label = self._targets(y)
        _train(
            x,
            target,
            label,
            order,
            self.sizes,
            self.w1,
            self.w2,
            self.bias,
            self.m,
            self._dual,
            self._stabilizer,
            self._l2,
            self._squared,
            self._dropout,
            self._lr,
            self.seeds.astype(np.uint64),
            self.updates,
            self.task == "regression",
        )
        self.updates += order.shape[1]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Outputs z of every run, ``[runs, samples, outputs]``; dropout is off."""
        x, _ = self._check(x, None)
        z = np.empty((len(self), len(x), int(self.sizes[-1])), self.dtype)
        _predict(x, self.sizes, self.w1, self.w2, self.bias, z)
        return z

    def score(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Per run, in float64: the mean squared error, or the share of samples classified rightly."""
        return self.sample_scores(x, y).mean(axis=1, dtype=np.float64)

    def sample_scores(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """``[runs, samples]``: the squared error of each sample, or 1 where the largest output is the label."""
        z = self.predict(x)
        _, y = self._check(x, y)
        if self.task == "regression":
            with np.errstate(over="ignore", invalid="ignore"):  # a diverged run scores infinity or NaN
                return (z[..., 0] - y) ** 2
        return (z.argmax(axis=2) == y).astype(self.dtype)

    def layers(self, run: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Views (w1, w2, bias) of every layer of one run, shapes ``[out, in]``, ``[out, in]``, ``[out]``."""
        views, weight, unit = [], 0, 0
        for fan_in, fan_out in zip(self.sizes[:-1].tolist(), self.sizes[1:].tolist()):
            block = slice(weight, weight + fan_in * fan_out)
            views.append(
                (
                    self.w1[run, block].reshape(fan_out, fan_in),
                    self.w2[run, block].reshape(fan_out, fan_in),
                    self.bias[run, unit : unit + fan_out],
                )
            )
            weight, unit = block.stop, unit + fan_out
        return views

    def _check(self, x: np.ndarray, y: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        x = np.ascontiguousarray(x, dtype=self.dtype)
        if x.ndim != 2 or x.shape[1] != self.sizes[0]:
            raise ValueError(f"x must have shape [samples, {self.sizes[0]}], got {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError("x holds NaN or infinite values")
        if y is None:
            return x, None
        y = np.asarray(y)
        if y.shape != (len(x),):
            raise ValueError(f"y must have shape [{len(x)}], got {y.shape}")
        if self.task == "regression":
            if not np.isfinite(y).all():
                raise ValueError("y holds NaN or infinite values")
            return x, y.astype(self.dtype)
        if not np.issubdtype(y.dtype, np.integer) or y.size and (y.min() < 0 or y.max() >= self.sizes[-1]):
            raise ValueError(f"y must hold integer labels from 0 to {self.sizes[-1] - 1}")
        return x, y.astype(np.int64)

    def _targets(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # One of the two is a stand-in that the kernel does not read.
        if self.task == "regression":
            return y, np.zeros(1, np.int64)
        return np.zeros(1, self.dtype), y


def _he_draw(sizes: np.ndarray, seed: int) -> np.ndarray:
    """All weights of one network, layer after layer, rows [out, in]: N(0, 2 / fan_in)."""
    rng = np.random.default_rng([seed, 0])
    return np.concatenate(
        [
            rng.normal(0.0, np.sqrt(2.0 / fan_in), fan_in * fan_out)
            for fan_in, fan_out in zip(sizes[:-1].tolist(), sizes[1:].tolist())
        ]
    )


@njit(cache=True, inline="always")
def uniform(seed, counter):
    """A number in [0, 1) from a counter (SplitMix64), so that any draw can be had without the ones before it."""
    z = seed * np.uint64(0xD1342543DE82EF95) + (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


@intrinsic
def _data_pointer(typing_context, array):
    def codegen(context, builder, signature, arguments):
        return cgutils.create_struct_proxy(array)(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), codegen


@njit(cache=True, inline="always")
def _borrow(array):
    """The same memory without ownership: views of it have no reference counts for threads to fight over."""
    return carray(_data_pointer(array), array.shape)


@njit(cache=True, fastmath=_FAST, parallel=True)
def _train(
    x,
    target,
    label,
    order,
    sizes,
    w1,
    w2,
    bias,
    m,
    dual,
    stabilizer,
    l2,
    squared,
    dropout,
    lr,
    seeds,
    updates,
    regression,
):
    for run in prange(order.shape[0]):
        _train_run(
            x,
            target,
            label,
            order[run],
            sizes,
            w1[run],
            w2[run],
            bias[run],
            m[run],
            dual[run],
            stabilizer[run],
            l2[run],
            squared[run],
            dropout[run],
            lr[run],
            seeds[run],
            updates,
            regression,
        )


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _train_run(
    x,
    target,
    label,
    order,
    sizes,
    w1,
    w2,
    bias,
    m,
    dual,
    stabilizer,
    l2,
    squared,
    dropout,
    lr,
    seed,
    updates,
    regression,
):
    x, w1, w2, bias, m = _borrow(x), _borrow(w1), _borrow(w2), _borrow(bias), _borrow(m)
    n_layers = sizes.size - 1
    n_hidden = bias.size - sizes[n_layers]
    h_memory, g_memory = np.empty_like(bias), np.empty_like(bias)
    h = _borrow(h_memory)  # outputs of every layer, after ReLU and dropout for the hidden ones
    g = _borrow(g_memory)  # dL/dz of every layer
    # Typed constants: a Python number would turn float32 arithmetic into float64.
    one = w1.dtype.type(1)
    zero = w1.dtype.type(0)
    two = w1.dtype.type(2)
    keep_scale = one / (one - dropout)
    top = g[n_hidden:]
    z = h[n_hidden:]
    for step in range(order.size):
        sample = order[step]
        if (updates + step) % _FLUSH_EVERY == 0:
            _flush(w1)
            _flush(w2)
        # Forward.
        below = x[sample]
        weight = 0
        unit = 0
        for layer in range(n_layers):
            fan_in = sizes[layer]
            fan_out = sizes[layer + 1]
            here = h[unit : unit + fan_out]
            block1 = w1[weight : weight + fan_in * fan_out].reshape(fan_out, fan_in)
            block2 = w2[weight : weight + fan_in * fan_out].reshape(fan_out, fan_in)
            _forward(below, block1, block2, bias[unit : unit + fan_out], here, dual)
            if layer < n_layers - 1:
                for k in range(fan_out):
                    here[k] = max(here[k], zero)
                if dropout > zero:
                    for k in range(fan_out):
                        counter = np.uint64(updates + step) * np.uint64(n_hidden) + np.uint64(unit + k)
                        if uniform(seed, counter) < dropout:
                            here[k] = zero
                        else:
                            here[k] *= keep_scale
            below = here
            weight += fan_in * fan_out
            unit += fan_out
        # dL/dz of the output layer.
        if regression:
            top[0] = two * (z[0] - target[sample])
        else:
            largest = z.max()
            total = zero
            for k in range(z.size):
                top[k] = np.exp(z[k] - largest)
                total += top[k]
            for k in range(z.size):
                top[k] /= total
            top[label[sample]] -= one
        # Backward: hand the gradient down through the old weights, then update the layer.
        for layer in range(n_layers - 1, -1, -1):
            fan_in = sizes[layer]
            fan_out = sizes[layer + 1]
            weight -= fan_in * fan_out
            unit -= fan_out
            g_here = g[unit : unit + fan_out]
            bias_here = bias[unit : unit + fan_out]
            block1 = w1[weight : weight + fan_in * fan_out].reshape(fan_out, fan_in)
            block2 = w2[weight : weight + fan_in * fan_out].reshape(fan_out, fan_in)
            below = x[sample]
            if layer > 0:
                below = h[unit - fan_in : unit]
                g_below = g[unit - fan_in : unit]
                _backward(g_here, block1, block2, g_below, dual)
                for k in range(fan_in):
                    if below[k] > zero:
                        g_below[k] *= keep_scale
                    else:
                        g_below[k] = zero
            if dual:
                _update_dual(below, block1, block2, g_here, m[unit : unit + fan_out], stabilizer, lr)
            else:
                _update_plain(below, block1, g_here, l2, squared, lr)
            for k in range(fan_out):
                bias_here[k] -= lr * g_here[k]


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


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _update_dual(below, w1, w2, g, m, stabilizer, lr):
    one = w1.dtype.type(1)
    gain = w1.dtype.type(STABILIZER_GAIN)
    for k in range(w1.shape[0]):
        size = abs(g[k])
        if size > 0:  # a unit without gradient keeps its weights and its m
            rate = lr * size
            if stabilizer:
                rate = lr * min(one, gain * size / m[k])
                m[k] = (one - lr) * m[k] + lr * size
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


@njit(cache=True, fastmath=_FAST, parallel=True)
def _predict(x, sizes, w1, w2, bias, z):
    # Tasks are runs times parts of the samples, so that a single run also uses every core.
    parts = 1 + x.shape[0] // 4096
    for task in prange(w1.shape[0] * parts):
        run = task // parts
        first = (task % parts) * x.shape[0] // parts
        last = (task % parts + 1) * x.shape[0] // parts
        _predict_run(x[first:last], sizes, w1[run] - w2[run], bias[run], z[run, first:last])


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _predict_run(x, sizes, w, bias, z):
    n_layers = sizes.size - 1
    zero = w.dtype.type(0)
    # Samples in blocks of constant length as the innermost axis: every weight is used for a whole block of them.
    block_in = np.zeros((sizes[0], _BLOCK), w.dtype)
    h = np.zeros((bias.size, _BLOCK), w.dtype)
    for first in range(0, x.shape[0], _BLOCK):
        length = min(_BLOCK, x.shape[0] - first)
        for s in range(length):
            for i in range(sizes[0]):
                block_in[i, s] = x[first + s, i]
        below = block_in
        weight = 0
        unit = 0
        for layer in range(n_layers):
            fan_in = sizes[layer]
            fan_out = sizes[layer + 1]
            here = h[unit : unit + fan_out]
            _forward_block(
                below, w[weight : weight + fan_in * fan_out].reshape(fan_out, fan_in), bias[unit : unit + fan_out], here
            )
            if layer < n_layers - 1:
                for k in range(fan_out):
                    for s in range(_BLOCK):
                        here[k, s] = max(here[k, s], zero)
            below = here
            weight += fan_in * fan_out
            unit += fan_out
        for s in range(length):
            for k in range(z.shape[1]):
                z[first + s, k] = below[k, s]


@njit(cache=True, fastmath=_FAST, error_model="numpy")
def _forward_block(below, w, bias, out):
    for k in range(w.shape[0]):
        for s in range(_BLOCK):
            out[k, s] = bias[k]
        for i in range(w.shape[1]):
            weight = w[k, i]
            for s in range(_BLOCK):
                out[k, s] += weight * below[i, s]
