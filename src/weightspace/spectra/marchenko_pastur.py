"""The Marchenko-Pastur law: the spectrum of a matrix of noise, its edge, and what sticks out of it.

W has N rows and M <= N columns of independent entries of mean 0 and variance sigma^2; Q = N / M >= 1. As the sides
grow, the eigenvalues of W^T W / N fill the interval between lambda_- and lambda_+ with the density of ``density``
(Marchenko & Pastur 1967). ``edges``, ``density``, ``cdf``, ``quantiles``, ``bbp_threshold`` and ``spike_location`` are
in these units. ``tracy_widom_edge`` and ``fit`` are in the units of the eigenvalues of W^T W, not divided by N.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import vectorize
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import airy

_FEWEST = 3  # eigenvalues, below which no bulk can be told from its spikes


def edges(Q: float, sigma: float = 1.0) -> tuple[float, float]:
    """(lambda_-, lambda_+) = sigma^2 (1 -+ 1/sqrt Q)^2. ``ValueError`` unless Q >= 1 and sigma > 0."""
    _check(Q, sigma)
    return sigma**2 * (1 - Q**-0.5) ** 2, sigma**2 * (1 + Q**-0.5) ** 2


def density(x: ArrayLike, Q: float, sigma: float = 1.0) -> np.ndarray:
    """Q / (2 pi sigma^2 x) sqrt((lambda_+ - x)(x - lambda_-)) between the edges, 0 outside."""
    x = np.asarray(x, dtype=np.float64)
    low, high = edges(Q, sigma)
    inside = (x > low) & (x < high)
    at = np.where(inside, x, high)
    return np.where(inside, Q / (2 * np.pi * sigma**2 * at) * np.sqrt((high - at) * (at - low)), 0.0)


def cdf(x: ArrayLike, Q: float, sigma: float = 1.0) -> np.ndarray:
    """Probability of an eigenvalue up to x, the integral of ``density`` in closed form."""
    _check(Q, sigma)
    y = 1 / Q
    cosine = (np.asarray(x, dtype=np.float64) / sigma**2 - 1 - y) / (2 * np.sqrt(y))
    above: NDArray[np.float64] = _survival(np.arccos(np.clip(cosine, -1, 1)), y)
    return 1 - above


def quantiles(p: ArrayLike, Q: float, sigma: float = 1.0) -> np.ndarray:
    """The x with cdf(x) = p, to 1e-10 in p. ``ValueError`` for p outside 0 .. 1."""
    _check(Q, sigma)
    p = np.asarray(p, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p must lie between 0 and 1")
    y = 1 / Q
    found: np.ndarray = sigma**2 * (1 + y + 2 * np.sqrt(y) * np.cos(_angle(1 - p, y)))
    return found


def tracy_widom_edge(N: float, M: float, sigma: float = 1.0, level: float = 0.95) -> float:
    """The value that the largest eigenvalue of W^T W of pure noise stays below with probability ``level``.

    sigma^2 (mu + tau t), mu = (sqrt(N-1) + sqrt M)^2, tau = (sqrt(N-1) + sqrt M)(1/sqrt(N-1) + 1/sqrt M)^(1/3)
    (Johnstone 2001, theorem 1.1), t the quantile of the Tracy-Widom law: 0.9793 at 95 %, 2.0234 at 99 %.
    """
    _check(N / M, sigma)
    if N < 2 or not 0 < level < 1:
        raise ValueError(f"need N >= 2 and a level between 0 and 1, got N = {N}, level = {level}")
    roots = np.sqrt(N - 1) + np.sqrt(M)
    tau = roots * (1 / np.sqrt(N - 1) + 1 / np.sqrt(M)) ** (1 / 3)
    return float(sigma**2 * (roots**2 + tau * tracy_widom_quantile(level)))


def tracy_widom_cdf(s: float) -> float:
    """The Tracy-Widom law of order 1 (real matrices): det(1 - A) with A(x, y) = Ai(x + y + s) on x, y > 0.

    Formula: Ferrari & Spohn 2005; the determinant by Gauss-Legendre quadrature (Bornemann 2010), good to 1e-12 for
    s from -8 upwards.
    """
    x, weights = np.polynomial.legendre.leggauss(40)
    x, root = 10 * (x + 1), np.sqrt(10 * weights)  # on 0 .. 20, where Ai is below 1e-26
    kernel = airy(x[:, None] + x + s)[0]
    return float(np.linalg.det(np.eye(len(x)) - root[:, None] * kernel * root))


@lru_cache
def tracy_widom_quantile(level: float) -> float:
    """The s with ``tracy_widom_cdf(s)`` = level, for levels from 1e-6 to 1 - 1e-9."""
    return float(brentq(lambda s: tracy_widom_cdf(s) - level, -8.0, 12.0))


def bbp_threshold(Q: float, sigma: float = 1.0) -> float:
    """The strength above which a direction leaves the bulk: sigma^2 / sqrt Q.

    For W = s u v^T + noise, with unit vectors u and v, the strength is s^2 / N. In singular values the threshold is
    s = sigma (N M)^(1/4). Named after Baik, Ben Arous & Peche 2005; for rectangular matrices see Benaych-Georges &
    Nadakuditi 2012, section 3.1.
    """
    _check(Q, sigma)
    return float(sigma**2 / np.sqrt(Q))


def spike_location(strength: ArrayLike, Q: float, sigma: float = 1.0) -> np.ndarray:
    """Where the eigenvalue of a direction of some strength d = s^2 / N comes to lie.

    (d + sigma^2)(d + sigma^2 / Q) / d above the threshold, lambda_+ at and below it (Benaych-Georges & Nadakuditi
    2012, section 3.1).
    """
    d = np.maximum(np.asarray(strength, dtype=np.float64), bbp_threshold(Q, sigma))
    return (d + sigma**2) * (d + sigma**2 / Q) / d


@dataclass(frozen=True)
class Fit:
    """A Marchenko-Pastur bulk with spikes above it, in the units of the eigenvalues that were fitted.

    sigma: standard deviation of the entries of the noise; Q = N / M; lambda_minus, lambda_plus: edges of the bulk;
    edge: the Tracy-Widom edge, above which ``num_spikes`` eigenvalues lie, half of all at most; D:
    Kolmogorov-Smirnov distance between the bulk and its law, to judge whether there is such a bulk at all;
    matrices: how many of N x M were pooled; saturated: half of the eigenvalues have been taken for spikes, and others
    still lie above the edge: there is no bulk of noise, and the rest describes a remainder.
    """

    sigma: float
    Q: float
    N: int
    M: float
    lambda_minus: float
    lambda_plus: float
    edge: float
    num_spikes: int
    D: float
    matrices: int = 1
    saturated: bool = False

    def density(self, x: ArrayLike) -> np.ndarray:
        """Density of the bulk times its share of the eigenvalues, to lie on a histogram of all of them."""
        N, M = self._bulk_sides
        return M / self.M * density(np.asarray(x) / N, N / M, self.sigma) / N

    def cdf(self, x: ArrayLike) -> np.ndarray:
        """Share of all eigenvalues that lie in the bulk up to x; it ends at the share of the bulk, below 1."""
        N, M = self._bulk_sides
        return M / self.M * cdf(np.asarray(x) / N, N / M, self.sigma)

    @property
    def _bulk_sides(self) -> tuple[float, float]:
        return _without(self.N, self.M, self.num_spikes / self.matrices)


def fit(eigenvalues: ArrayLike, N: int, *, matrices: int = 1, level: float = 0.95) -> Fit:
    """Bulk and spikes of the eigenvalues of W^T W, of one N x M matrix or pooled from several.

    sigma^2 is the slope, through the origin, of the line of the quantiles of the bulk against those of the law, over
    the middle 80 % of the bulk, where spikes hardly reach. Spikes are the eigenvalues above the Tracy-Widom edge;
    k of them leave noise of (N - k) x (M - k) entries, which is fitted again until no more are found (the sequential
    test of Kritchman & Nadler 2009, with sigma from the bulk). The search ends at half of the eigenvalues: such a
    spectrum has no bulk to stick out of, which D shows too.

    eigenvalues: [n], each above 0. Zero ones stem from rows without weights, not from noise, and are to be left out:
    M is n / ``matrices``. level: probability that pure noise shows no spike. ``ValueError`` for fewer than 3
    eigenvalues of a matrix, values not finite or not positive, N < M.
    """
    values = np.sort(np.asarray(eigenvalues, dtype=np.float64).ravel())
    M = len(values) / matrices
    if M < _FEWEST:
        raise ValueError(f"need at least {_FEWEST} eigenvalues of every matrix, got {len(values)} of {matrices}")
    if not (np.isfinite(values).all() and values[0] > 0):
        raise ValueError("need eigenvalues that are finite and above 0: leave out those of value 0")
    if N < M:
        raise ValueError(f"N is the larger side and cannot be below the {M:g} eigenvalues of a matrix, got {N}")
    spikes = 0
    while True:
        bulk = values[: len(values) - spikes]
        sides = _without(N, M, spikes / matrices)
        sigma = _sigma(bulk, *sides)
        # The largest eigenvalue of several matrices stays below the edge where that of each one does.
        edge = tracy_widom_edge(*sides, sigma, level ** (1 / matrices))
        found = min(spikes + int((bulk > edge).sum()), len(values) // 2)
        if found == spikes:
            break
        spikes = found
    Q = sides[0] / sides[1]
    low, high = (sides[0] * side for side in edges(Q, sigma))
    below, ranks = cdf(bulk / sides[0], Q, sigma), np.arange(len(bulk) + 1) / len(bulk)
    D = max(float((ranks[1:] - below).max()), float((below - ranks[:-1]).max()))
    return Fit(sigma, N / M, N, M, low, high, edge, spikes, D, matrices, bool(bulk[-1] > edge))


def _without(N: float, M: float, spikes: float) -> tuple[float, float]:
    # A spike takes one direction from either side.
    return N - spikes, M - spikes


def _sigma(bulk: np.ndarray, N: float, M: float) -> float:
    n = len(bulk)
    middle = slice(int(np.ceil(0.1 * n)), int(np.floor(0.9 * n)) or None)
    law = N * quantiles((np.arange(n)[middle] + 0.5) / n, N / M)
    return float(np.sqrt(law @ bulk[middle] / (law @ law)))


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def _survival(angle: float, y: float) -> float:
    """Probability of more than x = sigma^2 (1 + y + 2 sqrt y cos(angle)), y = 1 / Q.

    With x in this form the density is 2 sin^2 / (pi (1 + y + 2 sqrt y cos)) of the angle, which has an elementary
    integral; unlike the form in x it needs no case for y = 1.
    """
    root = np.sqrt(y)
    half = np.arctan2((1 - root) * np.sin(angle / 2), (1 + root) * np.cos(angle / 2))
    return float((2 / np.pi) * ((1 + y) / (4 * y) * angle - np.sin(angle) / (2 * root) - (1 - y) / (2 * y) * half))


@vectorize(cache=True)  # type: ignore[untyped-decorator]
def _angle(p: float, y: float) -> float:
    """The angle with ``_survival`` = p, by Newton steps, halving the bracket where one would leave it."""
    low, high = 0.0, np.pi
    angle = np.pi / 2
    for _ in range(100):
        error = _survival(angle, y) - p
        if error > 0:
            high = angle
        else:
            low = angle
        sine, cosine = np.sin(angle / 2) ** 2, np.cos(angle / 2) ** 2
        slope = 8 * sine * cosine / (np.pi * ((1 - np.sqrt(y)) ** 2 + 4 * np.sqrt(y) * cosine))
        following = angle - error / max(slope, 1e-30)
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - angle) < 1e-15:
            break
        angle = following
    return angle


def _check(Q: float, sigma: float) -> None:
    if not (Q >= 1 and np.isfinite(Q) and sigma > 0 and np.isfinite(sigma)):
        raise ValueError(f"need Q = N / M >= 1 and sigma > 0, got Q = {Q}, sigma = {sigma}")
