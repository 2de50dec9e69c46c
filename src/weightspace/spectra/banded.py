"""All eigenvalues of a large symmetric matrix in its own memory: first to a band, then to the eigenvalues.

LAPACK's one-step reduction reads the whole matrix anew for each of its columns, half of its work; a reduction to a band
of width b (Bischof, Lang & Sun 2000, ACM TOMS 26) reads it once for b columns, in products of matrices. What is left,
6 M^2 b operations on the band, is little for large M. NumPy and SciPy have no such solver. PyTorch (MKL) may have,
but works on a copy.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from weightspace.spectra import lapack

_WIDTH = 64


def eigenvalues_in_place(matrix: np.ndarray, width: int = _WIDTH) -> np.ndarray:
    """Ascending eigenvalues of a symmetric [M, M] of which the lower half is given; the matrix is overwritten.

    Exact to a few M eps max|lambda|, as all solvers that use orthogonal transformations. width: of the band.
    """
    M = len(matrix)
    for k in range(0, M - width - 1, width):
        panel, rest = matrix[k + width :, k : k + width], matrix[k + width :, k + width :]
        # panel = Q R with Q = I - V T V^T (Schreiber & Van Loan 1989); T^-1 is a triangle of V^T V and the 1 / tau.
        (reflectors, tau), R = linalg.qr(panel, mode="raw", check_finite=False)
        number = len(tau)
        panel[:number] = R[:number]
        V = np.tril(reflectors[:, :number], -1)
        np.fill_diagonal(V, 1)
        inverse = np.triu(V.T @ V, 1) + np.diag(1 / np.maximum(tau, 1e-300))  # a tau of 0 stands for no reflection
        T = linalg.solve_triangular(inverse, np.eye(number))
        # Q^T S Q = S - X V^T - V X^T with X = S V T - V (T^T V^T S V T) / 2.
        VT = V @ T
        X = lapack.product(rest, VT)
        X -= V @ (T.T @ (V.T @ X)) / 2
        lapack.subtract_both(rest, X, V)
    band = np.stack([np.pad(np.diagonal(matrix, -d), (0, d)) for d in range(min(width + 1, M))])
    return lapack.eigenvalues_of_band(band)
