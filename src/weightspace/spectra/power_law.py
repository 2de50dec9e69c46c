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
from typing import Any, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import erfc, erfcx, log_ndtr
from scipy.stats import norm

from weightspace.spectra.eigen import as_float64, eigenvalues_of
from weightspace.spectra.metrics import nonzero


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
    The search for xmin adds a little: for 50 values of a power law the median of the corrected alpha is right, the
    mean of alpha - 1 still 3 to 4 % high, and sigma three quarters of the standard deviation or less.
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
    excess = (logs[-k:] - logs[-k - 1]).sum()
    return float(1 + k / excess) if excess > 0 else float("nan")


def interval(values: ArrayLike, *, replicates: int = 200, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of alpha: percentiles of the corrected alpha over bootstrap samples, each with its own xmin.

    ``Fit.sigma`` takes xmin as known, but the search for it is most of the uncertainty. NaN where fewer than half of
    the samples have an alpha. ``ValueError`` as for ``fit``.
    """
    x, _ = _sorted(values)
    rng = np.random.default_rng(seed)
    samples = (rng.choice(x, len(x)) for _ in range(replicates))
    alphas = np.array([fit(sample).alpha for sample in samples if np.ptp(sample) > 0])
    alphas = alphas[np.isfinite(alphas)]
    if len(alphas) < replicates / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(alphas, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def goodness_of_fit(values: ArrayLike, *, replicates: int = 200, seed: int = 0) -> float:
    """p value of the hypothesis that the tail is a power law (Clauset, Shalizi & Newman 2009, section 4.1).

    Samples of the same size are drawn, above xmin from the fitted law and below it from the data, and fitted in the
    same way, xmin included; p = (1 + number with a D at least as large) / (1 + replicates). Small p: no power law.
    Large p says little, because the search for xmin retreats to a tail short enough to pass: of samples of 500 values
    of an exponential law about 40 % have p < 0.1. Read it beside ``Fit.n_tail``. ``ValueError`` as for ``fit``.
    """
    x, _ = _sorted(values)
    fitted = fit(x, corrected=False)
    rng = np.random.default_rng(seed)
    body = x[: len(x) - fitted.n_tail]
    larger = 0
    for _ in range(replicates):
        n = rng.binomial(len(x), fitted.n_tail / len(x))
        drawn = fitted.xmin * (1 + rng.pareto(fitted.alpha - 1, n))
        if n < len(x):
            drawn = np.concatenate([rng.choice(body, len(x) - n), drawn])
        larger += fit(drawn, corrected=False).D >= fitted.D
    return (1 + larger) / (1 + replicates)


def likelihood_ratio(
    values: ArrayLike, alternative: Literal["lognormal", "exponential"], xmin: float | None = None
) -> tuple[float, float]:
    """(R, p): power law against another law, both by maximum likelihood for the values from xmin upwards.

    R = sum(l) / (sqrt(n) std(l)), l the log-likelihood ratio of each of the n values; positive where the power law is
    the more likely one. p = erfc(|R| / sqrt 2) is the chance of an |R| as large if both are equally far from the
    truth (Vuong 1989; Clauset, Shalizi & Newman 2009, appendix C), as in powerlaw 1.5 with ``normalized_ratio``.
    The lognormal law, cut off below xmin, comes as close as one likes to a power law. For data spread out more than
    one, that limit is its best: R = 0 and p = 1.

    xmin: that of ``fit`` if not given. ``ValueError`` for an unknown law, xmin <= 0, and as for ``fit``.
    """
    if alternative not in _LAWS:
        raise ValueError(f"alternative must be one of {sorted(_LAWS)}, got {alternative!r}")
    x, _ = _sorted(values)
    xmin = fit(x).xmin if xmin is None else xmin
    if not xmin > 0:
        raise ValueError(f"xmin must be above 0, got {xmin}")
    x, _ = _sorted(x[x >= xmin])
    logs = np.log(x / xmin)
    ratio = _pareto(logs) - _LAWS[alternative](logs)
    spread = ratio.std() * np.sqrt(len(x))
    R = float(ratio.sum() / spread) if spread > 0 else 0.0
    return R, float(erfc(abs(R) / np.sqrt(2)))


def fixed_aspect_alpha(matrix: Any, *, aspect_ratio: float = 1.0, seed: int = 0) -> float:
    """``hill`` of the eigenvalues of submatrices that all have the same ratio of sides, whatever the shape of W.

    The aspect ratio alone moves alpha: for noise, ``hill`` is 2.1 at Q = 1 and 4.5 at Q = 8. The submatrices are as
    large as W allows, as few as cover it, taken from a random order of rows and columns; their eigenvalues are
    pooled. After FARMS (Hu et al. 2025, section 3), which slides a window over W in its own order.

    matrix: [rows, columns]; aspect_ratio: larger over smaller side of the parts, at least 1. ``ValueError`` for one
    below 1, or so large that no part has two columns, and as for ``eigenvalues``.
    """
    W = as_float64(matrix)
    W = W if W.shape[0] >= W.shape[1] else W.T
    N, M = W.shape
    if not aspect_ratio >= 1 or N / aspect_ratio < 2 or M < 2:
        raise ValueError(f"a {N} x {M} matrix has no part of aspect ratio {aspect_ratio} with two columns or more")
    rows, columns = min(N, round(M * aspect_ratio)), min(M, round(N / aspect_ratio))
    rng = np.random.default_rng(seed)
    W = W[rng.permutation(N)][:, rng.permutation(M)]
    parts = [
        W[row : row + rows, column : column + columns] for row in _starts(N, rows) for column in _starts(M, columns)
    ]
    return hill(nonzero(np.concatenate(eigenvalues_of(parts)), rows))


def _starts(length: int, part: int) -> np.ndarray:
    return np.linspace(0, length - part, -(-length // part)).astype(int)


def _pareto(logs: np.ndarray) -> np.ndarray:
    """Log-density of each value of the best power law, as a density of x / xmin; logs = ln(x / xmin)."""
    rate = float(1 / logs.mean())
    density: NDArray[np.float64] = np.log(rate) - (rate + 1) * logs
    return density


def _exponential(logs: np.ndarray) -> np.ndarray:
    excess = np.expm1(logs)
    density: NDArray[np.float64] = -np.log(excess.mean()) - excess / excess.mean()
    return density


def _lognormal(logs: np.ndarray) -> np.ndarray:
    # With a = mu / sigma and b = 1 / sigma, -ln(likelihood) / n = ln Phi(a) - ln b + mean((b logs - a)^2) / 2 is convex
    # (Orme & Ruud 2002) and has its best b for each a in closed form, which leaves one root to find.
    first, second = logs.mean(), np.square(logs).mean()

    def best_b(a: float) -> float:
        return float(2 / (np.sqrt((a * first) ** 2 + 4 * second) - a * first))

    def slope(a: float) -> float:
        return float(a - best_b(a) * first + np.sqrt(2 / np.pi) / erfcx(-a / np.sqrt(2)))

    lowest = -1e3
    if slope(lowest) >= 0:  # the best is in the limit a -> -infinity, a power law
        return _pareto(logs)
    a = brentq(slope, lowest, first / logs.std())
    b = best_b(a)
    density: NDArray[np.float64] = np.log(b) + norm.logpdf(b * logs - a) - log_ndtr(a) - logs
    return density


_LAWS = {"exponential": _exponential, "lognormal": _lognormal}


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
    return float(abs(1.0 - np.exp(slope * (logs[at] - logs[start])) - (at - start) / (len(logs) - start)))


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
