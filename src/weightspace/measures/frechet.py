"""How far two sets of features are from each other: the Frechet distance between Gaussians fitted to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weightspace.spectra.eigen import as_float64


def frechet_distance(X: Any, Y: Any) -> float:
    """d^2 = |m_X - m_Y|^2 + tr(S_X + S_Y - 2 (S_X S_Y)^(1/2)), m and S the mean and covariance (divided by n - 1).

    The squared distance, as in the Frechet inception distance (Heusel et al. 2017, equation 6), in the squared unit of
    the features, whatever network they come from. It falls with the number of rows even between samples of one
    distribution: compare only values of equally many.

    X, Y: ``[n, d]`` and ``[m, d]``. ``ValueError`` if they differ in d, have less than two rows, or are no matrices of
    finite numbers.
    """
    X, Y = as_float64(X, "X"), as_float64(Y, "Y")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"X and Y must have equally many columns, got {X.shape} and {Y.shape}")
    if min(len(X), len(Y)) < 2:
        raise ValueError(f"a covariance needs two rows or more, got {len(X)} and {len(Y)}")
    # With S = R^T R, the trace of the root is the nuclear norm of R_X R_Y^T: no root of a product that is singular.
    R_X, R_Y = _factor(X), _factor(Y)
    spread = np.sum(R_X**2) + np.sum(R_Y**2) - 2 * np.linalg.norm(R_X @ R_Y.T, "nuc")
    return float(np.sum((X.mean(axis=0) - Y.mean(axis=0)) ** 2) + max(spread, 0.0))


def _factor(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """R with R^T R the covariance of the rows."""
    R: NDArray[np.float64] = np.asarray(np.linalg.qr((X - X.mean(axis=0)) / np.sqrt(len(X) - 1), mode="r"))
    return R
