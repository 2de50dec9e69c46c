"""How much one set of features resembles another: fractions of rows in the neighbourhoods of the other's rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from weightspace.spectra.eigen import as_float64


def precision(X: Any, reference: Any, k: int = 5) -> float:
    """The fraction of rows of X that lie in the neighbourhood of some row of the reference, from 0 to 1.

    The neighbourhood of a row is the ball around it whose radius is the distance to its k-th nearest other row of the
    reference (Kynkaanniemi et al. 2019, equation 2). High if what is in X could be in the reference. Neither the order
    of the rows nor a pairing between the sets matters.

    X: ``[n, d]``, reference: ``[m, d]`` with m > k. ``ValueError`` if they differ in d, if the reference has k rows or
    fewer, or if they are no matrices of finite numbers.
    """
    return float(_inside(X, reference, k).any(axis=1).mean())


def coverage(X: Any, reference: Any, k: int = 5) -> float:
    """The fraction of rows of the reference whose neighbourhood, as in ``precision``, holds a row of X, from 0 to 1.

    High if X has something like all that is in the reference (Naeem et al. 2020, equation 8). As ``precision``.
    """
    return float(_inside(X, reference, k).any(axis=0).mean())


def _inside(X: Any, reference: Any, k: int) -> NDArray[np.bool_]:
    """Whether row i of X lies in the neighbourhood of row j of the reference, ``[n, m]``."""
    X, reference = as_float64(X, "X"), as_float64(reference, "reference")
    if X.shape[1] != reference.shape[1]:
        raise ValueError(f"X and reference must have equally many columns, got {X.shape} and {reference.shape}")
    if not 1 <= k < len(reference):
        raise ValueError(f"k must be from 1 to {len(reference) - 1}, one less than the rows of reference, got {k}")
    among = cdist(reference, reference)
    radii = np.partition(among, k, axis=1)[:, k]  # the nearest of all, at distance 0, is the row itself
    inside: NDArray[np.bool_] = cdist(X, reference) <= radii
    return inside
