"""How many different things a set of feature vectors holds: the Vendi score, and paper A's weighted form of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import entr

from weightspace import extras
from weightspace.spectra.eigen import as_float64, eigenvalues
from weightspace.spectra.metrics import nonzero

_NEAR_ONE = 1e-3


def vendi_score(X: Any, q: float = 1) -> float:
    """The effective number of different rows of X, between 1 (all point the same way) and n (all orthogonal).

    With p_i the eigenvalues of K / n, K_ij = x_i . x_j / (|x_i| |x_j|):

        VS_1 = exp(- sum p ln p),    VS_q = (sum p^q)^(1 / (1 - q)),    VS_0 = rank of K,    VS_inf = 1 / max p

    (Friedman & Dieng 2023, definition 3.1; order q: Pasarkar & Dieng 2024). Small q counts rare directions in full,
    large q hardly. The eigenvalues are those of the smaller of X X^T and X^T X.

    X: [n, d], rows are samples, of any scale; a sparse array or matrix of SciPy with any number of columns will do.
    ``ValueError`` for a row of zeros, which has no direction, for q < 0, and for what is not a matrix of finite real
    numbers: an empty one, or a masked array with masked entries.
    """
    if not q >= 0:
        raise ValueError(f"the order q must be 0 or more, got {q}")
    p = _sparse_shares(X) if sparse.issparse(X) else _dense_shares(X)
    if q == 0:
        return float(len(p))
    if q == 1:
        return float(np.exp(entr(p).sum()))
    if np.isinf(q):
        return float(1 / p.max())
    if abs(q - 1) < _NEAR_ONE:  # ln sum p^q is nearly 0 there: as a deviation from sum p = 1 it keeps its digits
        p = p / p.sum()
        return float(np.exp(np.log1p((p * np.expm1((q - 1) * np.log(p))).sum()) / (1 - q)))
    # p / max p keeps large powers from vanishing together.
    log_sum = q * np.log(p.max()) + np.log(((p / p.max()) ** q).sum())
    return float(np.exp(log_sum / (1 - q)))


def _dense_shares(X: Any) -> np.ndarray:
    """The p_i that are not zero: what rounding leaves of zeros would count at orders near 0."""
    X = as_float64(X, "X")
    X = _near_one(X, np.abs(X).max(axis=1, keepdims=True))
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    _check_lengths(lengths)
    return nonzero(eigenvalues(X / lengths), max(X.shape)) / len(X)


def _sparse_shares(X: Any) -> np.ndarray:
    """The same by way of K itself, ``[n, n]``: columns are many here, and most entries 0."""
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must have two dimensions, none of them 0, got shape {X.shape}")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must hold real numbers, got {X.dtype}")
    # Small integers would overflow in the products, and matrices of the older kind multiply otherwise than arrays.
    X = sparse.csr_array(X, dtype=np.float64, copy=True)
    X.sum_duplicates()
    if not np.isfinite(X.data).all():
        raise ValueError("X holds values that are not finite")
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    X.data = _near_one(X.data, abs(X).max(axis=1).toarray().ravel()[rows])
    lengths = np.sqrt(X.multiply(X).sum(axis=1))
    _check_lengths(lengths)
    unit = sparse.diags_array(1 / lengths) @ X
    values: NDArray[np.float64] = np.linalg.eigvalsh((unit @ unit.T).toarray())
    kept: NDArray[np.bool] = values > len(values) * np.finfo(np.float64).eps * values[-1]
    return values[kept] / len(values)


def _near_one(X: np.ndarray, largest: Any) -> np.ndarray:
    """X times the power of 2 that brings ``largest`` to between 1/2 and 1.

    Squares of what is below 1e-154 would lose digits or vanish. A power of 2 changes no digit of the result.
    """
    scaled: NDArray[np.float64] = np.ldexp(X, -np.frexp(largest)[1])
    return scaled


def _check_lengths(lengths: np.ndarray) -> None:
    if not lengths.all():
        raise ValueError(f"row {int(np.argmin(lengths))} of X is zero: it has no direction to compare")


def ngram_features(texts: Sequence[str], orders: Sequence[int] = (1, 2, 3, 4)) -> sparse.csr_array:
    """Counts of n-grams, scaled so that their inner product is the n-gram kernel: ``[n, n-grams]``, sparse.

    The kernel is the mean over the orders of the cosine between two texts' counts of n-grams (Friedman & Dieng 2023,
    section 5, for text; there too of n = 1 to 4): each order's counts have length 1 and stand side by side. A text with
    fewer words than n has no n-grams of that order and is compared by the shorter ones; ``vendi_score`` scales its row
    to the length of the others. Words are in lower case, punctuation marks are words of their own. ``ValueError`` where
    no text has a word. Needs scikit-learn (extra ``experiments``).
    """
    extras.need("experiments", "sklearn")
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    counter = CountVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(min(orders), max(orders)), dtype=np.float64)
    counts = sparse.csc_array(counter.fit_transform(texts))
    words = np.char.count(counter.get_feature_names_out().astype(str), " ") + 1
    return sparse.csr_array(sparse.hstack([normalize(counts[:, words == order]) for order in orders if order in words]))


def weighted_vendi_score(X: Any, baseline: Any) -> float:
    """VS_1(X) rho, with rho the ``resemblance`` of X to the baseline: paper A's score.

    Diversity counts only as far as the samples still resemble those that they stand for. Negative where rho is. Source:
    paper A (arXiv 2410.14602), as read from its released code; likely the one printed.

    X: [n, d] embeddings of the augmented or synthetic set; baseline: [m, d] those of the original one. ``ValueError``
    as for ``resemblance`` and ``vendi_score``.
    """
    rho = resemblance(X, baseline)
    return vendi_score(X) * rho


def resemblance(X: Any, baseline: Any) -> float:
    """rho = <B, X>_F / (|B|_F |X|_F), the cosine between X and the baseline B, from -1 to 1.

    The rows are paired in their order, up to the length of the shorter set.

    X: [n, d], baseline: [m, d]. ``ValueError`` if they differ in d, or if one is zero over the paired rows.
    """
    X, baseline = as_float64(X, "X"), as_float64(baseline, "baseline")
    if X.shape[1] != baseline.shape[1]:
        raise ValueError(f"X and baseline must have equally many columns, got {X.shape} and {baseline.shape}")
    paired = min(len(X), len(baseline))
    X, baseline = (_near_one(each[:paired], np.abs(each[:paired]).max()) for each in (X, baseline))
    lengths = np.linalg.norm(X) * np.linalg.norm(baseline)
    if lengths == 0:
        raise ValueError(f"X or baseline is zero over the {paired} paired rows: there is no angle between them")
    return float(np.vdot(baseline, X) / lengths)
