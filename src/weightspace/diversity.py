"""How many different things a set of feature vectors holds: the Vendi score, and paper A's weighted form of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr

from weightspace.spectra.eigen import as_float64, eigenvalues
from weightspace.spectra.metrics import nonzero


def vendi_score(X: Any, q: float = 1) -> float:
    """The effective number of different rows of X, between 1 (all point the same way) and n (all orthogonal).

    With p_i the eigenvalues of K / n, K_ij = x_i . x_j / (|x_i| |x_j|):

        VS_1 = exp(- sum p ln p),    VS_q = (sum p^q)^(1 / (1 - q)),    VS_0 = rank of K,    VS_inf = 1 / max p

    (Friedman & Dieng 2023, definition 3.1; order q: Pasarkar & Dieng 2024). Small q counts rare directions in full,
    large q hardly. The eigenvalues are those of the smaller of X X^T and X^T X.

    X: [n, d], rows are samples. ``ValueError`` for a row of zeros, which has no direction, for q < 0, and for what
    is not a matrix of finite numbers.
    """
    X = as_float64(X, "X")
    if not q >= 0:
        raise ValueError(f"the order q must be 0 or more, got {q}")
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(f"row {int(np.argmin(lengths))} of X is zero: it has no direction to compare")
    # What rounding leaves of eigenvalues 0 would count at orders near 0.
    p = nonzero(eigenvalues(X / lengths), max(X.shape)) / len(X)
    if q == 0:
        return float(len(p))
    if q == 1:
        return float(np.exp(entr(p).sum()))
    if np.isinf(q):
        return float(1 / p.max())
    # p / max p keeps large powers from vanishing together.
    log_sum = q * np.log(p.max()) + np.log(((p / p.max()) ** q).sum())
    return float(np.exp(log_sum / (1 - q)))


def weighted_vendi_score(X: Any, baseline: Any) -> float:
    """VS_1(X) rho, with rho = <B, X>_F / (|B|_F |X|_F) the cosine between X and the baseline B: paper A's score.

    Diversity counts only as far as the samples still resemble those that they stand for. For rho the rows are
    paired, up to the length of the shorter set; VS is of all of X. Negative where rho is. Source: paper A (arXiv
    2410.14602), as read from its released code; likely the one printed.

    X: [n, d] embeddings of the augmented or synthetic set; baseline: [m, d] those of the original one.
    ``ValueError`` if they differ in d, if one is zero over the paired rows, and as for ``vendi_score``.
    """
    X, baseline = as_float64(X, "X"), as_float64(baseline, "baseline")
    if X.shape[1] != baseline.shape[1]:
        raise ValueError(f"X and baseline must have equally many columns, got {X.shape} and {baseline.shape}")
    paired = min(len(X), len(baseline))
    lengths = np.linalg.norm(X[:paired]) * np.linalg.norm(baseline[:paired])
    if lengths == 0:
        raise ValueError(f"X or baseline is zero over the {paired} paired rows: there is no angle between them")
    rho = np.vdot(baseline[:paired], X[:paired]) / lengths
    return vendi_score(X) * float(rho)
