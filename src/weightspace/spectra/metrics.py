"""Numbers that sum up a spectrum. All take the eigenvalues of W^T W, lambda = s^2, [n], in any order.

For a matrix of zeros the ratios have no value: NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr


def norm(eigenvalues: ArrayLike) -> float:
    """||W||_F^2 = sum lambda: the Frobenius norm squared, as in WeightWatcher's column of this name."""
    return float(_checked(eigenvalues).sum())


def spectral_norm(eigenvalues: ArrayLike) -> float:
    """||W||_2^2 = max lambda: the spectral norm squared, as in WeightWatcher's column of this name."""
    return float(_checked(eigenvalues).max())


def stable_rank(eigenvalues: ArrayLike) -> float:
    """sum lambda / max lambda, between 1 and the rank (Rudelson & Vershynin 2007)."""
    values = _checked(eigenvalues)
    return float(values.sum() / values.max()) if values.max() > 0 else float("nan")


def nonzero(eigenvalues: ArrayLike, N: int, eps: float = np.finfo(np.float64).eps) -> np.ndarray:
    """The eigenvalues whose singular value exceeds s_max N eps64 and eps / 2 ||W||_F, ascending.

    N: the larger side of the matrix; the first bound, with the eps of float64, is the usual one of the decomposition.
    eps: that of the type in which the weights were stored. Rounding moved each entry by at most eps / 2 of itself,
    hence no singular value by more than eps / 2 ||W||_F (Weyl's inequality), and hides what is smaller. (N eps would
    exceed 1 for a layer of 128 in bfloat16.)
    """
    values: NDArray[np.float64] = np.sort(_checked(eigenvalues))
    error = max(np.sqrt(values[-1]) * N * np.finfo(np.float64).eps, eps / 2 * np.sqrt(values.sum()))
    kept: NDArray[np.bool] = np.sqrt(values) > error
    return values[kept]


def matrix_rank(eigenvalues: ArrayLike, N: int, eps: float = np.finfo(np.float64).eps) -> int:
    """How many eigenvalues are ``nonzero``."""
    return len(nonzero(eigenvalues, N, eps))


def entropy(eigenvalues: ArrayLike, rank: int | None = None) -> float:
    """- sum p ln p / ln n, p = lambda / sum lambda: 1 for equal eigenvalues, 0 for one alone.

    rank: divide by ln(rank) instead of by that of the number n of eigenvalues, as WeightWatcher does with
    ``matrix_rank``. NaN where the logarithm is 0.
    """
    values = _checked(eigenvalues)
    most = len(values) if rank is None else rank
    return _shannon(values) / float(np.log(most)) if most > 1 else float("nan")


def effective_rank(eigenvalues: ArrayLike) -> float:
    """exp(- sum p ln p), p = lambda / sum lambda: how many equal eigenvalues would have this entropy."""
    return float(np.exp(_shannon(_checked(eigenvalues))))


def effective_rank_singular(eigenvalues: ArrayLike) -> float:
    """exp(- sum p ln p), p = s / sum s with s = sqrt lambda: the effective rank of Roy & Vetterli 2007, eq. 4."""
    return float(np.exp(_shannon(np.sqrt(_checked(eigenvalues)))))


def alpha_weighted(alpha: float, eigenvalues: ArrayLike) -> float:
    """alpha log10(max lambda) (Martin, Peng & Mahoney 2021); depends on the scale of the weights."""
    top = spectral_norm(eigenvalues)
    return float(alpha * np.log10(top)) if top > 0 else float("nan")


def log_alpha_norm(alpha: float, eigenvalues: ArrayLike) -> float:
    """log10 sum lambda^alpha (Martin, Peng & Mahoney 2021), also where the sum itself would overflow."""
    values = _checked(eigenvalues)
    top = values.max()
    return float(alpha * np.log10(top) + np.log10(((values / top) ** alpha).sum())) if top > 0 else float("nan")


def _shannon(weights: np.ndarray) -> float:
    total = weights.sum()
    return float(entr(weights / total).sum()) if total > 0 else float("nan")


def _checked(eigenvalues: ArrayLike) -> np.ndarray:
    values = np.asarray(eigenvalues, dtype=np.float64).ravel()
    if not len(values) or not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("need eigenvalues that are finite and not negative, at least one")
    return values
