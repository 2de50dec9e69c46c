"""The table of WeightWatcher 0.7.7, ``analyze(mp_fit=True)``: the same layers, columns and numbers.

What each column means, in the terms of that tool (Martin & Mahoney 2021, arXiv 1810.01075; Martin, Peng & Mahoney
2021). Eigenvalues are squared singular values, not divided by N. A convolution of shape (O, I, kh, kw) is the pool of
its kh kw slices (O, I), each eigenvalue halved. N, M: larger and smaller side; rf: number of slices; norm = sum and
spectral_norm = lambda_max = largest eigenvalue; stable_rank = sum / largest; entropy = -sum p ln p / ln rank with
p = lambda / sum + 1e-10; matrix_rank = number of s > s_max N eps, eps that of float64; rank_loss the same per slice,
counted from the other side; weak_rank_loss: eigenvalues below 1e-6; alpha, D, sigma, xmin: power law
over eigenvalues above 1e-5, num_pl_spikes of them from xmin up; alpha_weighted = alpha log10(largest);
log_alpha_norm = log10 sum lambda^alpha; sigma_mp, num_spikes, mp_softrank, bulk_min, bulk_max, W_scale: ``bulk_fit``.

Skipped, as there: modules whose class (its full name with the module path) contains none of linear, conv1d, conv2d
and embedding, so recurrent and transposed layers and ``in_proj_weight``; layers with M rf below 8 or above 15,000;
N above 50,000. Of a state_dict the entries called weight with two or four axes.

Where it is wrong or breaks off (each was tried), and what we give:

| case | WeightWatcher | here |
| --- | --- | --- |
| a weight that is NaN or infinite | the whole run ends | a row of NaN, the reason in ``warning`` |
| three axes: Conv1d with a kernel from 8 up, Bilinear | ends, or keeps M values (by SciPy's version) | the same |
| complex weights | the imaginary part is dropped | the same |
| weight = None (norms without weights), a weight without axes | the whole run ends | left out |
| a mapping in which no name ends in .weight | the whole run ends | every array is a weight |
| no power law (no value above 1e-5) | -1 in five columns, which enter averages; over-trained | NaN, no warning |
| all eigenvalues equal | alpha infinite, or 0 for fewer than 20 | NaN |
| no bulk can be fitted | -1 in six columns | NaN |
| a matrix of zeros | -inf, NaN and -1 | NaN |
| lambda^alpha over- or underflows | log_alpha_norm infinite | finite, by logarithms |
| a GPU is present | half precision, another zero cut: other numbers | always those of the CPU |
| a prefix "module." before every name of a state_dict | kept | taken off |

Wrong as well, but kept, since the numbers would not be its own: the absolute cut of 1e-5, below which weight decay can
push a layer; sides that stay unsorted, N < M, for an even number of slices with O < I (and where O + I < kh + kw),
with what follows for Q, the rank and the bulk; grouped kernels and patch embeddings read as if they were plain;
sv_min, which is the largest of the slices' smallest; an entropy above 1 for pooled slices; a weight shared by two
layers counted twice; the two faults of ``bulk_fit``. The default convention of ``spectral_report`` has none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from scipy import optimize
from torch import Tensor, nn

from weightspace.spectra import metrics, power_law
from weightspace.spectra.checkpoints import Source, named_weights
from weightspace.spectra.weights import NOT_INITIALIZED, Weight, of_tensor

_FEWEST, _MOST, _LONGEST = 8, 15_000, 50_000  # eigenvalues, and N
_ZERO = 1e-5  # eigenvalues up to here are not fitted
_SMALL_SAMPLE, _SMALL_TAIL = 20, 8
_BANDWIDTH, _GRID, _DENSE = 0.1, 1000, 0.01  # of the density estimate: kernel, points, and what counts as density
_EPS = np.finfo(np.float64).eps

COLUMNS = (
    "layer_id", "name", "D", "M", "N", "Q", "W_scale", "alpha", "alpha_weighted", "bulk_max", "bulk_min", "entropy",
    "has_esd", "lambda_max", "layer_type", "log_alpha_norm", "log_norm", "log_spectral_norm", "longname", "matrix_rank",
    "mp_softrank", "norm", "num_evals", "num_pl_spikes", "num_spikes", "rank_loss", "rf", "sigma", "sigma_mp",
    "spectral_norm", "stable_rank", "status", "sv_max", "sv_min", "warning", "weak_rank_loss", "xmax", "xmin",
)  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A layer that WeightWatcher treats: its slices (one matrix unless it is a convolution), or why it has none."""

    layer_id: int
    name: str
    longname: str
    layer_type: str
    N: int
    M: int
    rf: int
    matrices: list[Weight] = field(repr=False)
    reason: str = ""


def layers(source: Source, *, base: Source | None = None, download: bool = False) -> list[Layer]:
    """The layers that WeightWatcher treats, in its order and with its numbers and names."""
    if isinstance(source, nn.Module) and base is None:
        found = _modules(source)
    else:
        found = _entries(named_weights(source, base=base, download=download))
    kept = (_layer(*each) for each in found)
    return [layer for layer in kept if _FEWEST <= layer.M * layer.rf <= _MOST and layer.N <= _LONGEST]


def table(layers: list[Layer], spectra: list[list[np.ndarray]]) -> pd.DataFrame:
    """One row per layer; ``spectra``: for each layer the eigenvalues of each of its matrices, ascending."""
    return pd.DataFrame([row(*pair) for pair in zip(layers, spectra, strict=True)], columns=COLUMNS)


def row(layer: Layer, slices: list[np.ndarray]) -> dict[str, Any]:
    """All columns of one layer from the eigenvalues of its matrices."""
    N, M = layer.N, layer.M
    values: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan) | {
        "layer_id": layer.layer_id,
        "name": layer.name,
        "longname": layer.longname,
        "layer_type": layer.layer_type,
        "N": N,
        "M": M,
        "Q": N / M,
        "rf": layer.rf,
        "has_esd": not layer.reason,
        "status": "failed",
        "warning": layer.reason,
    }
    if layer.reason:
        return values
    eigenvalues = pooled(layer, slices)
    singular = [np.sqrt(each * _factor(layer)) for each in slices]
    values |= {
        "num_evals": len(eigenvalues),
        "lambda_max": eigenvalues[-1],
        "sv_max": max(each[-1] for each in singular),
        "sv_min": max(each[0] for each in singular),
        "rank_loss": sum(len(each) - _rank(each, N) for each in singular),
        "weak_rank_loss": int((eigenvalues < 1e-6).sum()),
        "norm": metrics.norm(eigenvalues),
        "spectral_norm": metrics.spectral_norm(eigenvalues),
        "stable_rank": metrics.stable_rank(eigenvalues),
        "matrix_rank": _rank(np.sqrt(eigenvalues), N),
        "entropy": _entropy(eigenvalues, N),
    }
    if eigenvalues[-1] > 0:
        values["log_norm"], values["log_spectral_norm"] = np.log10([values["norm"], values["spectral_norm"]])
    values |= tail_fit(eigenvalues) | bulk_fit(eigenvalues, N, M)
    if np.isfinite(alpha := values["alpha"]):
        values["alpha_weighted"] = metrics.alpha_weighted(alpha, eigenvalues)
        values["log_alpha_norm"] = metrics.log_alpha_norm(alpha, eigenvalues)
        values["num_pl_spikes"] = int((eigenvalues >= values["xmin"]).sum())
        values["status"] = "success"
        values["warning"] = "over-trained" if alpha < 2 else "under-trained" if alpha > 6 else ""
    return values


def pooled(layer: Layer, slices: list[np.ndarray]) -> np.ndarray:
    """Its eigenvalues as WeightWatcher sees them, ascending, from those of its matrices."""
    return _factor(layer) * np.sort(np.concatenate([np.empty(0), *slices]))


def _factor(layer: Layer) -> float:
    return 0.5 if layer.layer_type == "conv2d" else 1.0


def _rank(singular: np.ndarray, N: int) -> int:
    return int((singular > singular.max() * N * _EPS).sum())


def _entropy(eigenvalues: np.ndarray, N: int) -> float:
    if not eigenvalues[-1] > 0:
        return float("nan")
    p = eigenvalues / eigenvalues.sum() + 1e-10
    return float(-(p * np.log(p)).sum() / np.log(_rank(np.sqrt(eigenvalues), N) + 1e-10))


# The layers


def _modules(model: nn.Module) -> Iterator[tuple[int, str, str, str, Weight]]:
    for layer_id, (longname, module) in enumerate(model.named_modules()):
        layer_type = _type(module)
        weight = getattr(module, "weight", None)
        if layer_type and isinstance(weight, Tensor):
            own = type(module).__name__  # the name of a model that is itself a layer
            yield layer_id, longname.rpartition(".")[2] or own, longname or own, layer_type, of_tensor(weight)


def _type(module: nn.Module) -> str:
    # The class may be called after what it is, and so may the file that it is in.
    name = str(type(module)).lower()
    for word, layer_type in (("linear", "dense"), ("conv1d",) * 2, ("conv2d",) * 2, ("embedding",) * 2):
        if word in name:
            return layer_type
    return ""


def _entries(weights: Mapping[str, Weight]) -> Iterator[tuple[int, str, str, str, Weight]]:
    named = {name.removesuffix(".weight"): weight for name, weight in weights.items() if name.endswith(".weight")}
    for layer_id, (name, weight) in enumerate((named or weights).items(), start=1):
        layer_type = {2: "dense", 4: "conv2d"}.get(len(weight.shape))
        if layer_type and weight.shape[0] > 1:
            yield layer_id, name, name, layer_type, weight


def _layer(layer_id: int, name: str, longname: str, layer_type: str, weight: Weight) -> Layer:
    if weight.reason == NOT_INITIALIZED:
        return Layer(layer_id, name, longname, layer_type, 0, 0, 0, [])
    shape = weight.shape
    N, M, rf = max(shape, default=0), min(shape, default=0), 1
    if layer_type == "conv2d" and len(shape) == 4:
        N, M, rf = shape[0], shape[1], shape[2] * shape[3]
        if N < M and N + M >= shape[2] + shape[3] and rf % 2:
            N, M = M, N  # the sides are exchanged at every slice, so an even number of slices undoes it
    common = (layer_id, name, longname, layer_type, N, M, rf)
    if len(shape) != (4 if layer_type == "conv2d" else 2):
        return Layer(*common, [], f"a weight of shape {shape} is no matrix")
    if weight.reason:
        return Layer(*common, [], weight.reason)
    if layer_type != "conv2d":
        return Layer(*common, [replace(weight, read=lambda rows: weight.read(rows).float())])
    return Layer(*common, [_slice(weight, k) for k in range(rf)])


def _slice(weight: Weight, k: int) -> Weight:
    return replace(weight, shape=weight.shape[:2], read=lambda rows: weight.read(rows).flatten(2)[..., k].float())


# The power law


def tail_fit(eigenvalues: np.ndarray) -> dict[str, float]:
    """alpha, D, sigma, xmin, xmax of the values above 1e-5; NaN where there are too few or they are all alike.

    From 20 values on: ``power_law.fit`` without correction. Below, alpha = 1 + (n - 1) / sum ln(x / xmin) over tails
    of at least 8 values (over all, if there are fewer), and D with that alpha.
    """
    values = eigenvalues[eigenvalues > _ZERO]
    failed = dict.fromkeys(("alpha", "D", "sigma", "xmin", "xmax"), np.nan)
    if len(values) < 2 or values[0] == values[-1]:
        return failed
    if len(values) >= _SMALL_SAMPLE:
        fit = power_law.fit(values, corrected=False)
        return {"alpha": fit.alpha, "D": fit.D, "sigma": fit.sigma, "xmin": fit.xmin, "xmax": fit.xmax}
    return min(_small_fits(values), key=lambda fit: fit["D"], default=failed)


def _small_fits(values: np.ndarray) -> Iterator[dict[str, float]]:
    for start in range(max(1, len(values) - _SMALL_TAIL + 1)):
        tail = values[start:]
        n, logs = len(tail), np.log(tail / tail[0])
        if logs.sum() > 1e-12:
            alpha = 1 + (n - 1) / logs.sum()
            D = np.abs(1 - np.exp((1 - alpha) * logs) - np.arange(n) / n).max()
            yield {"alpha": alpha, "D": D, "sigma": (alpha - 1) / np.sqrt(n), "xmin": tail[0], "xmax": tail[-1]}


# The Marchenko-Pastur bulk


def bulk_fit(eigenvalues: np.ndarray, N: int, M: int) -> dict[str, float]:
    """sigma_mp and what follows from it, by least squares between a density estimate and the Marchenko-Pastur law.

    The eigenvalues are divided by their mean (W_scale is the square root of the factor). Their density is estimated
    with a triangular kernel of half-width 0.1 on 1000 points; where it exceeds 0.01 it is compared with the density

        Q / (2 pi sigma^2 x) sqrt((b - x)(x - a)),   a, b = sigma^2 (1 -+ 1/sqrt Q)^2,

    for 195 values of sigma in proportion to the largest eigenvalue, and from the best of them by the simplex method.
    A sigma whose law does not reach over the peak of the estimate, or reaches beyond its end, counts as 1000 off at
    every point. num_spikes: eigenvalues above b + Delta, Delta^2 = (b / M)^(2/3) / sqrt Q; mp_softrank: b divided by
    the largest. bulk_min and bulk_max are a and b in the units of the given eigenvalues, sigma_mp is in those of the
    divided ones.

    WeightWatcher fits the density estimate anew for each sigma, though it does not depend on it. Here it is computed
    once, from cumulative sums of the sorted values.

    Two faults are kept. Delta should be proportional to M^(-2/3), as the fluctuation of the edge is, and not to its
    root: weak spikes are missed. And for Q = 1 the singular values x are compared with sqrt(4 - x^2) / (pi sigma^2),
    a quarter circle that sigma makes lower but not wider.
    """
    names = ("sigma_mp", "num_spikes", "mp_softrank", "bulk_min", "bulk_max", "W_scale")
    if not eigenvalues.sum() > 0:
        return dict.fromkeys(names, np.nan)
    Q = N / M
    scale = np.sqrt(len(eigenvalues)) / np.sqrt(eigenvalues.sum())
    rescaled = scale**2 * eigenvalues
    points, density = _density(np.sqrt(rescaled) if Q == 1 else rescaled)
    if not len(points):
        return dict.fromkeys(names, np.nan)
    data = points, density, points[np.argmax(density)], Q
    unit = np.sqrt(rescaled[-1] / (1 + Q**-0.5) ** 2)
    sigmas = 0.05 * unit + 0.01 * unit * np.arange(195)
    start = sigmas[np.argmin([_misfit(sigma, *data) for sigma in sigmas])]
    sigma = float(optimize.fmin(lambda s: _misfit(s[0], *data), start, disp=False)[0])
    a, b = _edges(sigma, Q)
    margin = np.sqrt((b / M) ** (2 / 3) / np.sqrt(Q))
    found = (sigma, int((rescaled > b + margin).sum()), b / rescaled[-1], a / scale**2, b / scale**2, scale)
    return dict(zip(names, found))


def _density(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangular kernel estimate: sum (1 - |x - x_i| / h) / (n h) over |x - x_i| < h, where it exceeds 0.01."""
    n, h = len(values), _BANDWIDTH
    x = np.linspace(0, values[-1] + 0.5, _GRID)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    low, middle, high = (np.searchsorted(values, x + shift) for shift in (-h, 0.0, h))
    below = (middle - low) * (h - x) + (sums[middle] - sums[low])
    above = (high - middle) * (h + x) - (sums[high] - sums[middle])
    density = (below + above) / (n * h * h)
    dense = density > _DENSE
    return x[dense], density[dense]


@njit(cache=True)
def _edges(sigma: float, Q: float) -> tuple[float, float]:
    return (sigma * (1 - Q**-0.5)) ** 2, (sigma * (1 + Q**-0.5)) ** 2


@njit(cache=True)
def _misfit(sigma: float, x: np.ndarray, density: np.ndarray, peak: float, Q: float) -> float:
    """Sum of squares between the estimate and the law of this sigma; ``bulk_fit`` gives both."""
    a, b = _edges(sigma, Q)
    if Q != 1 and (b < peak or b > x[-1] or a > peak):
        return 1000.0**2 * len(x)
    total = 0.0
    for i in range(len(x)):
        law = 0.0
        if Q == 1:
            law = np.sqrt(max(4 - x[i] ** 2, 0.0)) / (np.pi * sigma**2)
        elif a < x[i] < b:
            law = Q / (2 * np.pi * sigma**2 * x[i]) * np.sqrt((b - x[i]) * (x[i] - a))
        total += (law - density[i]) ** 2
    return total
