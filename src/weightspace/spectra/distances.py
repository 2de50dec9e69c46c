"""How far two spectra are apart: [n] against [m] eigenvalues, of any number and order.

``scale_free`` divides each spectrum by its mean first, so that what is left is a difference of shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def wasserstein1(a: ArrayLike, b: ArrayLike, *, scale_free: bool = False) -> float:
    """int |F_a(x) - F_b(x)| dx: how far mass has to move on average, in the units of the eigenvalues."""
    return float(stats.wasserstein_distance(*_pair(a, b, scale_free)))


def ks(a: ArrayLike, b: ArrayLike, *, scale_free: bool = False) -> float:
    """max_x |F_a(x) - F_b(x)|, the Kolmogorov-Smirnov distance, between 0 and 1."""
    pair = [np.sort(values) for values in _pair(a, b, scale_free)]
    jumps = np.concatenate(pair)
    below = [np.searchsorted(values, jumps, side="right") / len(values) for values in pair]
    return float(np.abs(below[0] - below[1]).max())


def kl(a: ArrayLike, b: ArrayLike, *, bins: int = 20, scale_free: bool = False) -> float:
    """sum_k p_k ln(p_k / q_k) over common bins, in nats: the Kullback-Leibler divergence of b from a.

    The bins are the ``bins`` quantile intervals of both spectra together, so that none is empty, and the result does
    not depend on whether the axis is linear or logarithmic. Half an eigenvalue is added to each count, since one
    bin without any of b would make the sum infinite; the sum stays a coarse one and grows with the numbers of
    eigenvalues. Not symmetric; prefer the other two.
    """
    a, b = _pair(a, b, scale_free)
    if bins < 2:
        raise ValueError(f"need at least two bins, got {bins}")
    inner = np.unique(np.quantile(np.concatenate([a, b]), np.arange(1, bins) / bins))
    p, q = (_shares(values, inner) for values in (a, b))
    return float(stats.entropy(p, q))


def _shares(values: np.ndarray, inner: np.ndarray) -> np.ndarray:
    counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1) + 0.5
    shares: np.ndarray = counts / counts.sum()
    return shares


def _pair(a: ArrayLike, b: ArrayLike, scale_free: bool) -> list[np.ndarray]:
    pair = []
    for name, values in (("a", a), ("b", b)):
        values = np.asarray(values, dtype=np.float64).ravel()
        if not len(values) or not np.isfinite(values).all():
            raise ValueError(f"{name} must hold finite eigenvalues, at least one")
        if scale_free and values.mean() <= 0:
            raise ValueError(f"{name} has no scale to divide by: its mean is {values.mean()}")
        pair.append(values / values.mean() if scale_free else values)
    return pair
