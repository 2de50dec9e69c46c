"""Online training of many small networks at once: the experiments of paper B, compiled.

One update is one sample. A ReLU network of a few thousand weights takes about a microsecond per update, so the
cost of a framework's dispatch would be several hundred times the arithmetic. Here a stack of runs (every run a
network of the same shape, with its own method, weights and sample order) is trained by one compiled loop per run,
runs spread over the cores. ``reference`` does the same with plain PyTorch; tests hold both together.

Images have thousands of inputs and the training sets of the paper a few hundred samples. Every update of the first
layer adds a multiple of one training input to a weight vector or scales it, so the vector stays in the span of its
start and of the n training inputs:

    w = kept * w(0) + scale * sum_j coefficient_j x_j,      w.x_t = kept * w(0).x_t + scale * sum_j coefficient_j G_tj,

with the Gram matrix G_tj = x_t.x_j. In these coordinates a decay by (1 - r) is two products and a step one sum, and
the forward pass costs n operations instead of one per input. It is the same computation, not an approximation; it is
used where there are fewer distinct samples than inputs, and done in float64, because the sums cancel.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numba import get_num_threads
from numpy.typing import ArrayLike
from threadpoolctl import ThreadpoolController

from weightspace.dual.methods import Method, parse_method
from weightspace.training.online import compiled
from weightspace.training.online.compiled import Classes, Parameters, Samples, Span

Item = TypeVar("Item")
Result = TypeVar("Result")
_TEST_CHUNK = 512
_RUNS_AT_ONCE = 32


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

    For classes of unequal frequency the loss of a sample with label y can be weighted, v_y * cross entropy, or its
    logits shifted while training, cross entropy of softmax(z + a) (logit adjustment, Menon et al. 2021).

    Source: paper B (arXiv 2503.11965) and its released code; squared penalty, dropout, weights and shifts are ours.

    Parameters
    ----------
    sizes : layer widths, input first, e.g. ``(8, 20, 1)``.
    methods : one method name or ``Method`` per run.
    seeds : one seed per run. Runs of equal seed start from the same weights: w1 ~ N(0, 2 / fan_in), all else 0.
    lr : learning rate per run, or one for all.
    class_weights : v, one row per run, ``[runs, classes]``; 1 where not given.
    logit_shifts : a, one row per run, ``[runs, classes]``; 0 where not given. Predictions are made without it.
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
        class_weights: ArrayLike | None = None,
        logit_shifts: ArrayLike | None = None,
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
        self.settings = np.empty(runs, compiled.SETTINGS)
        for name in ("dual", "stabilizer", "squared", "l2", "dropout"):
            self.settings[name] = [getattr(method, name) for method in self.methods]
        self.settings["lr"] = lr
        self.settings["seed"] = self.seeds
        self.class_weights = self._per_class("class_weights", class_weights, 1.0)
        self.logit_shifts = self._per_class("logit_shifts", logit_shifts, 0.0)

    def __len__(self) -> int:
        return len(self.methods)

    def select(self, runs: np.ndarray) -> OnlineNetworks:
        """A stack of copies of some runs, given by index or mask."""
        runs = np.arange(len(self))[runs]
        part = copy.copy(self)
        part.methods = [self.methods[run] for run in runs]
        for name in ("seeds", "w1", "w2", "bias", "m", "settings", "class_weights", "logit_shifts"):
            setattr(part, name, getattr(self, name)[runs].copy())
        return part

    def train(self, x: np.ndarray, y: np.ndarray, order: np.ndarray) -> None:
        """One update per column of ``order``: run k sees rows ``order[k, 0], order[k, 1], ...`` of ``x``.

        x: ``[samples, sizes[0]]``; y: ``[samples]`` float targets or integer labels; order: ``[runs, updates]``.
        """
        x, y, order = self._seen(x, y, order)
        in_span = len(x) < self.sizes[0]
        wide = x.astype(np.float64) if in_span else np.zeros((1, 1))
        regression = self.task == "regression"
        # One of targets and labels is a stand-in.
        target, label = (y, np.zeros(1, np.int64)) if regression else (np.zeros(1, self.dtype), y)
        samples = Samples(x, target, label, wide @ wide.T, regression, in_span)
        shape = compiled.shape(self.sizes)
        for first in range(0, len(self), _RUNS_AT_ONCE if in_span else len(self)):
            part = slice(first, first + _RUNS_AT_ONCE if in_span else len(self))
            parameters = Parameters(self.w1[part], self.w2[part], self.bias[part], self.m[part])
            classes = Classes(self.class_weights[part], self.logit_shifts[part])
            span = self._enter_span(part, wide) if in_span else _no_span(len(self))
            compiled.train(samples, order[part], shape, parameters, self.settings[part], classes, span, self.updates)
            if in_span:
                self._leave_span(part, wide, span)
        self.updates += order.shape[1]

    def _seen(self, x: np.ndarray, y: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The arguments of ``train``, checked, with only the rows that occur, so that they lie close together."""
        x, y = self._check(x, y)
        order = np.ascontiguousarray(order, dtype=np.int64)
        if order.ndim != 2 or order.shape[0] != len(self):
            raise ValueError(f"order must have shape [{len(self)}, updates], got {order.shape}")
        if order.size and (order.min() < 0 or order.max() >= len(x)):
            raise ValueError(f"order holds indices outside 0..{len(x) - 1}")
        rows, order = np.unique(order, return_inverse=True)
        return np.ascontiguousarray(x[rows]), y[rows], order.reshape(len(self), -1)

    def _first_layer(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """Views of w1 and w2 of the first layer, ``[runs, units, inputs]``."""
        fan_in, fan_out = self.sizes[:2].tolist()
        w1, w2 = (w[part, : fan_in * fan_out].reshape(-1, fan_out, fan_in) for w in (self.w1, self.w2))
        return w1, w2

    def _enter_span(self, part: slice, x: np.ndarray) -> Span:
        first = self._first_layer(part)
        runs, units, _ = first[0].shape
        start = np.zeros((runs, 2, units, len(x)))
        dual = self.settings["dual"][part]
        # As matrices of two axes: numpy would make a small product of every run.
        start[:, 0] = (first[0].reshape(-1, x.shape[1]) @ x.T).reshape(runs, units, len(x))
        start[dual, 1] = (first[1][dual].reshape(-1, x.shape[1]) @ x.T).reshape(dual.sum(), units, len(x))
        return Span(start, np.zeros_like(start), np.ones((runs, 2, units)), np.ones((runs, 2, units)))

    def _leave_span(self, part: slice, x: np.ndarray, span: Span) -> None:
        dual = self.settings["dual"][part]
        for component, weights in enumerate(self._first_layer(part)):
            runs = slice(None) if component == 0 else dual
            change = span.scale[runs, component, :, None] * span.coefficients[runs, component]
            change = (change.reshape(-1, len(x)) @ x).reshape(*change.shape[:2], x.shape[1])
            weights[runs] = span.kept[runs, component, :, None] * weights[runs] + change

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Outputs z of every run, ``[runs, samples, outputs]``; dropout is off."""
        return self._outputs(self._check(x, None)[0])

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        z = np.empty((len(self), len(x), int(self.sizes[-1])), self.dtype)
        for first in range(0, len(self), _RUNS_AT_ONCE):
            runs = range(first, min(first + _RUNS_AT_ONCE, len(self)))
            # The first layers of many runs make one wide matrix product: they read the same inputs.
            layers = [[(np.ascontiguousarray((w1 - w2).T), b) for w1, w2, b in self.layers(run)] for run in runs]
            weight = np.concatenate([own[0][0] for own in layers], axis=1)
            bias = np.concatenate([own[0][1] for own in layers])

            def fill(start: int) -> None:
                chunk = slice(start, start + _TEST_CHUNK)
                wide = x[chunk] @ weight
                wide += bias
                for run, own, h in zip(runs, layers, np.split(wide, len(layers), axis=1)):
                    for w, b in own[1:]:
                        h = np.maximum(h, 0) @ w
                        h += b
                    z[run, chunk] = h

            # Products this small gain nothing from threads inside BLAS and wait for them where a core is busy.
            with _blas().limit(limits=1, user_api="blas"):
                on_threads(fill, range(0, len(x), _TEST_CHUNK))
        return z

    def score(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Per run, in float64: the mean squared error, or the share of samples classified rightly."""
        return self.sample_scores(x, y).mean(axis=1, dtype=np.float64)

    def sample_scores(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """``[runs, samples]``: the squared error of each sample, or 1 where the largest output is the label."""
        x, y = self._check(x, y)
        z = self._outputs(x)
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

    def _check(self, x: np.ndarray, y: np.ndarray | None) -> tuple[np.ndarray, Any]:
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
        if not np.issubdtype(y.dtype, np.integer) or (y.size and (y.min() < 0 or y.max() >= self.sizes[-1])):
            raise ValueError(f"y must hold integer labels from 0 to {self.sizes[-1] - 1}")
        return x, y.astype(np.int64)

    def _per_class(self, name: str, values: ArrayLike | None, default: float) -> np.ndarray:
        shape = (len(self), int(self.sizes[-1]))
        if values is None:
            return np.full(shape, default, self.dtype)
        values = np.array(values, dtype=self.dtype)
        if self.task != "classification" or values.shape != shape or not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, for classification, of shape {shape}; got shape {values.shape}")
        return values


def on_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """What a function returns for each item, computed on as many threads as the compiled loops may use.

    With one thread nothing is handed over: it would wait for a core, and workers side by side have none to spare.
    """
    if get_num_threads() == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(get_num_threads()) as pool:
        return list(pool.map(function, items))


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _no_span(runs: int) -> Span:
    # Stand-ins that the loop does not read.
    return Span(np.zeros((runs, 1, 1, 1)), np.zeros((runs, 1, 1, 1)), np.zeros((runs, 1, 1)), np.zeros((runs, 1, 1)))


def _he_draw(sizes: np.ndarray, seed: int) -> np.ndarray:
    """All weights of one network, layer after layer, rows [out, in]: N(0, 2 / fan_in)."""
    rng = np.random.default_rng([seed, 0])
    return np.concatenate(
        [
            rng.normal(0.0, np.sqrt(2.0 / fan_in), fan_in * fan_out)
            for fan_in, fan_out in zip(sizes[:-1].tolist(), sizes[1:].tolist())
        ]
    )
