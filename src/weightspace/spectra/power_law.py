"""Power laws in the tail of a spectrum: p(x) ~ x^-alpha for x >= xmin.

The start of the tail is the value that brings data and law closest (Clauset, Shalizi & Newman 2009, section 3.3), with
the same candidates and the same distance as WeightWatcher and powerlaw: for every value but the largest as xmin,
with the n values from it upwards,

    alpha = 1 + n / sum ln(x / xmin),    D = max_i |1 - (x_i / xmin)^(1 - alpha) - i / n|,   i = 0 .. n - 1,

and the first xmin of the smallest D. D compares with the empirical distribution from below only, which is a little
less than the Kolmogorov-Smirnov distance; it is kept so that the numbers agree.

Values are eigenvalues, all above 0: what counts as zero has to be cut off before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike


class Scan(NamedTuple):
    """Every candidate, ascending: xmin [n - 1], alpha [n - 1] (inf where the tail is one value), D [n - 1]."""

    xmin: np.ndarray
    alpha: np.ndarray
    D: np.ndarray


@dataclass(frozen=True)
class Fit:
    """p(x) ~ x^-alpha over the ``n_tail`` values from xmin to xmax; sigma: standard error of alpha at fixed xmin;
    D: distance between data and law."""

    alpha: float
    sigma: float
    D: float
    xmin: float
    xmax: float
    n_tail: int


def scan(values: ArrayLike) -> Scan:
    """alpha and D of every candidate for xmin, for values [n]. ``ValueError`` as for ``fit``."""
    x, logs = _sorted(values)
    alphas = _alphas(logs)
    return Scan(x[:-1], alphas, _distances(logs, alphas))


def fit(values: ArrayLike, *, corrected: bool = True) -> Fit:
    """The power law whose xmin has the smallest D, the same as in ``scan`` but found without the whole of it.

    values: [n], any order. With ``corrected``, alpha - 1 is multiplied by (n - 2) / n, n the size of the tail: the
    estimate above exceeds it by the inverse on average (the sum has the law of n - 1 exponential variables, as
    xmin is itself a value); sigma is then (alpha - 1) / sqrt(n - 3). Without, alpha is that of the law with distance
    D, as WeightWatcher and powerlaw report it, and sigma = (alpha - 1) / sqrt n. NaN where n is too small for these.
    ``ValueError`` for fewer than two different values, and for values not finite or not positive.
    """
    x, logs = _sorted(values)
    alphas = _alphas(logs)
    start, D = _best(logs, alphas)
    n = len(x) - start
    alpha, sigma = float(alphas[start]), float((alphas[start] - 1) / np.sqrt(n))
    if corrected:
        alpha = 1 + (alpha - 1) * (n - 2) / n if n > 2 else float("nan")
        sigma = (alpha - 1) / np.sqrt(n - 3) if n > 3 else float("nan")
    return Fit(alpha, float(sigma), float(D), float(x[start]), float(x[-1]), n)


def hill(values: ArrayLike) -> float:
    """alpha of the upper half: 1 + k / sum ln(x / xmin) over the k = n // 2 values above the one before them.

    The estimator of Hill 1975 with k fixed instead of searched, as in FARMS (Hu et al. 2025, section 3).
    ``ValueError`` as for ``fit``.
    """
    _, logs = _sorted(values)
    k = len(logs) // 2
    excess = (logs[-k:] - logs[-k - 1]).sum() if k < len(logs) else 0.0
    return float(1 + k / excess) if excess > 0 else float("nan")


def _sorted(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The values, ascending, and the logarithms of their ratios to the largest."""
    x = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not np.isfinite(x).all():
        raise ValueError(f"need finite values, got {int((~np.isfinite(x)).sum())} others among {len(x)}")
    if len(x) and x[0] <= 0:
        raise ValueError("need values above 0: leave out eigenvalues that count as zero")
    if len(x) < 2 or x[0] == x[-1]:
        raise ValueError(f"a power law needs at least two different values, got {len(np.unique(x))}")
    return x, np.log(x / x[-1])


@njit(cache=True, error_model="numpy")
def _alphas(logs: np.ndarray) -> np.ndarray:
    n = len(logs)
    alphas = np.empty(n - 1)
    total = 0.0  # sum ln(x / xmin): a sum of what is not negative, so nothing cancels and ties give exactly 0
    for start in range(n - 2, -1, -1):
        tail = n - start
        total += (tail - 1) * (logs[start + 1] - logs[start])
        alphas[start] = 1.0 + tail / total
    return alphas


@njit(cache=True, inline="always")
def _gap(logs: np.ndarray, start: int, at: int, slope: float) -> float:
    """|law - empirical distribution| at one value of the tail that begins at ``start``; slope = 1 - alpha."""
    return abs(1.0 - np.exp(slope * (logs[at] - logs[start])) - (at - start) / (len(logs) - start))


@njit(cache=True)
def _distances(logs: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    n = len(logs)
    distances = np.ones(n - 1)
    for start in range(n - 1):
        if alphas[start] < np.inf:
            distances[start] = 0.0
            for at in range(start, n):
                distances[start] = max(distances[start], _gap(logs, start, at, 1.0 - alphas[start]))
    return distances


@njit(cache=True)
def _best(logs: np.ndarray, alphas: np.ndarray) -> tuple[int, float]:
    """First index of the smallest D, and that D.

    Every single gap is a lower bound of D, so a candidate is dropped at the first gap that is not below the best D.
    A few candidates spread over all give a good D to begin with.
    """
    best, best_D = 0, np.inf
    suspect = 0
    for step in (max(1, len(alphas) // 64), 1):
        for start in range(0, len(alphas), step):
            if alphas[start] == np.inf:
                continue
            limit = best_D if start >= best else np.nextafter(best_D, np.inf)  # the first of equals wins
            D, suspect = _distance_below(limit, logs, start, 1.0 - alphas[start], suspect)
            if D < limit:
                best, best_D = start, D
    return best, best_D


@njit(cache=True)
def _distance_below(limit: float, logs: np.ndarray, start: int, slope: float, suspect: int) -> tuple[float, int]:
    """D, or the first gap found that is not below ``limit``, and where.

    Neighbouring candidates fail at the same values, so the one where the last failed comes first; then every 16th
    part of the tail, and so on until all have been seen.
    """
    n = len(logs)
    if suspect >= start:
        gap = _gap(logs, start, suspect, slope)
        if gap >= limit:
            return gap, suspect
    D = 0.0
    stride = max(1, (n - start) // 16)
    for first in range(stride):
        for at in range(start + first, n, stride):
            gap = _gap(logs, start, at, slope)
            if gap >= limit:
                return gap, at
            D = max(D, gap)
    return D, suspect
