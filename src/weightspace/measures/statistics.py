"""Intervals, paired comparisons and correction, all on top of scipy and statsmodels.

Errors such as a mean squared error are positive and differ by factors, so comparisons are made on logarithms: the
effect is a ratio of geometric means.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from weightspace import extras

extras.need("experiments", "statsmodels")
from statsmodels.stats.proportion import proportion_confint

ALPHA = 0.05
"""Corrected p-values below this count as significant, everywhere."""


def mean_interval(values: ArrayLike) -> tuple[float, float, float]:
    """Mean with its 95 % t interval, (mean, low, high); the interval is NaN for fewer than two values."""
    x = _finite(values)
    mean = float(x.mean())
    if len(x) < 2:
        return mean, float("nan"), float("nan")
    half = t_quantile(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return mean, mean - float(half), mean + float(half)


POWER = 0.8
"""The power for which smallest detectable effects are told, everywhere."""


def reach(low: float, high: float, df: float = np.inf, level: float = 0.95) -> float:
    """How far from none an effect has to lie to be found with the power ``POWER``, by a two-sided test at 5 %.

    low, high: the interval, at ``level``, of the effect that was found, by which its standard error is known (Bloom
    1995). df: degrees of freedom of the t distribution behind it; without a bound for bootstrap intervals.
    """
    t = stats.t(df)
    error = (high - low) / 2 / t.ppf((1 + level) / 2)
    return float((t.ppf(1 - ALPHA / 2) + t.ppf(POWER)) * error)


def rank_reach(n: int) -> float:
    """The smallest rank correlation of n values that a two-sided test at 5 % finds with the power ``POWER``.

    By the normal approximation of Fieller, Hartley and Pearson (1957) on Fisher's scale; NaN for fewer than four.
    """
    if n < 4:
        return float("nan")
    return float(np.tanh((stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(POWER)) * np.sqrt(1.06 / (n - 3))))


def fraction_interval(happened: ArrayLike) -> tuple[float, float, float]:
    """Share of trials in which something happened with Wilson's binomial 95 % interval, (share, low, high)."""
    trials = np.asarray(happened, dtype=bool).ravel()
    if not len(trials):
        raise ValueError("need at least one trial")
    low, high = proportion_confint(int(trials.sum()), len(trials), method="wilson")
    return float(trials.mean()), float(low), float(high)


def cluster_interval(values: ArrayLike, clusters: ArrayLike) -> tuple[float, float]:
    """Bootstrap 95 % interval of the mean of values that come in clusters, (low, high): whole clusters are drawn.

    NaN for fewer than two clusters.
    """
    x = _finite(values)
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums, sizes = np.bincount(index, x), np.bincount(index)
    if len(sizes) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(0).integers(0, len(sizes), (4_000, len(sizes)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def prediction_interval(values: ArrayLike, log: bool = True) -> tuple[float, float]:
    """Where one more run of the same kind falls with a probability of 95 % under a (log-)normal model.

    mean +- t_(n-1) s sqrt(1 + 1/n), on logarithms unless ``log`` is False. This, not the interval of the mean, is
    what a single reported run has to be held against.
    """
    x = _finite(values)
    if len(x) < 2:
        return float("nan"), float("nan")
    if log:
        x = np.log(_positive(x))
    half = t_quantile(0.975, len(x) - 1) * x.std(ddof=1) * np.sqrt(1 + 1 / len(x))
    low, high = x.mean() - half, x.mean() + half
    return (float(np.exp(low)), float(np.exp(high))) if log else (float(low), float(high))


@dataclass(frozen=True)
class PairedComparison:
    """a against b, pair by pair. ratio: geometric mean of a/b with its 95 % interval; p: two-sided paired t-test
    on log(a/b); effect_size: Cohen's d of the paired differences, mean / standard deviation of log(a/b)."""

    n: int
    ratio: float
    low: float
    high: float
    p: float
    effect_size: float


def compare_paired(a: ArrayLike, b: ArrayLike) -> PairedComparison:
    """Compare two sets of positive values that belong together pair by pair.

    Raises ``ValueError`` for unequal lengths, fewer than three pairs, values that are not positive and finite.
    """
    x, y = np.log(_positive(_finite(a))), np.log(_positive(_finite(b)))
    if x.shape != y.shape or len(x) < 3:
        raise ValueError(f"need at least three pairs of equal number, got {len(x)} and {len(y)}")
    difference = x - y
    mean, low, high = mean_interval(difference)
    deviation = difference.std(ddof=1)
    if deviation < 1e-12:  # all pairs differ by the same factor, up to rounding: no spread to test against
        p, effect = (1.0, 0.0) if abs(mean) < 1e-12 else (0.0, float(np.copysign(np.inf, mean)))
    else:
        p, effect = float(stats.ttest_1samp(difference, 0.0).pvalue), float(mean / deviation)
    return PairedComparison(len(x), float(np.exp(mean)), float(np.exp(low)), float(np.exp(high)), p, effect)


def holm(p_values: ArrayLike) -> np.ndarray:
    """p values adjusted for the family that they form (Holm, 1979): controls the chance of any false positive.

    NaN stands for what was not tested: it stays NaN and is none of the family.
    """
    p = np.asarray(p_values, dtype=float)
    # statsmodels' multipletests does the same, and collects garbage at each of the hundreds of calls of a chapter.
    tested = p.argsort()[: p.size - int(np.isnan(p).sum())]
    adjusted = np.full_like(p, np.nan)
    adjusted[tested] = np.minimum(np.maximum.accumulate(p[tested] * np.arange(tested.size, 0, -1)), 1)
    return adjusted


def row_correlations(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson correlation of each row of a with that of b; NaN where a row is constant."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    found: NDArray[np.float64] = np.divide((a * b).sum(axis=1), scale, out=np.full(len(a), np.nan), where=scale > 0)
    return found


@cache
def t_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t: a chapter asks thousands of times for a few of them."""
    return float(stats.t.ppf(probability, degrees))


def _finite(values: ArrayLike) -> np.ndarray:
    x = np.asarray(values, dtype=float).ravel()
    if not len(x) or not np.isfinite(x).all():
        raise ValueError(f"need finite values, got {len(x) - int(np.isfinite(x).sum())} others among {len(x)}")
    return x


def _positive(x: np.ndarray) -> np.ndarray:
    if (x <= 0).any():
        raise ValueError(f"need positive values, the smallest is {x.min()}")
    return x
