"""All eigenvalues of a large symmetric matrix in its own memory: first to a band, then to three diagonals.

LAPACK's one-step reduction reads the whole matrix anew for each of its columns, half of its work; a reduction to a band
of width b (Bischof, Lang & Sun 2000, ACM TOMS 26) reads it once for b columns, in products of matrices. What is left,
6 M^2 b operations on the band, is little for large M. NumPy and SciPy have no such solver.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import linalg

from weightspace.spectra import lapack

_WIDTH = 64
_SWEEPS = 4  # that go over the band one behind the other, so that it is read once for all of them
_FAST = {"reassoc", "contract"}  # sums in any order, as BLAS has them


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
    width = min(width, M)
    columns = np.zeros((M, 2 * width))
    for d in range(min(width + 1, M)):
        columns[: M - d, d] = np.diagonal(matrix, -d)
    scale = float(np.abs(columns).max()) or 1.0  # squares must neither overflow nor vanish
    columns /= scale
    _chase(columns, width)
    values: np.ndarray = scale * lapack.eigenvalues_of_tridiagonal(columns[:, 0], columns[:-1, 1])
    return values


@njit(cache=True, nogil=True, fastmath=_FAST)
def _chase(columns: np.ndarray, width: int) -> None:
    """From a band to three diagonals; columns[j, d] = S[j + d, j], with room for twice the width.

    A sweep clears one column by a reflection, which fills a block below the band; the first column of that block is
    cleared by the next reflection, and so on to the end (Lang 1993, SIAM J. Sci. Comput. 14; Murata & Horikoshi 1975).
    The rest of a block stays for the next sweep, which may follow two blocks behind.
    """
    M = len(columns)
    v, tau = np.zeros((_SWEEPS, width)), np.zeros(_SWEEPS)
    for first in range(0, M - 2, _SWEEPS):
        sweeps = min(_SWEEPS, M - 2 - first)
        for turn in range((M - 2 - first) // width + 2 * sweeps - 1):
            for each in range(sweeps):
                start = first + each + 1 + (turn - 2 * each) * width
                if turn == 2 * each:
                    column = columns[start - 1, 1 : 1 + min(width, M - start)]
                    tau[each] = _reflection(column, v[each])
                if turn >= 2 * each and start < M:
                    tau[each] = _step(columns, width, start, v[each], tau[each])


@njit(cache=True, nogil=True, fastmath=_FAST)
def _reflection(x: np.ndarray, v: np.ndarray) -> float:
    """v and tau of I - tau v v^T, which brings x to a multiple of the first axis; x becomes that."""
    below = 0.0
    for i in range(1, len(x)):
        below += x[i] * x[i]
    if below == 0.0:
        v[: len(x)] = 0.0
        return 0.0
    length = -np.copysign(np.sqrt(x[0] * x[0] + below), x[0])
    for i in range(1, len(x)):
        v[i] = x[i] / (x[0] - length)
        x[i] = 0.0
    v[0] = 1.0
    tau = (length - x[0]) / length
    x[0] = length
    return float(tau)


@njit(cache=True, nogil=True, fastmath=_FAST)
def _step(columns: np.ndarray, width: int, start: int, v: np.ndarray, tau: float) -> float:
    """Reflects the rows and columns from ``start`` on; v and the tau returned: of the next reflection."""
    M = len(columns)
    n = min(width, M - start)
    m = min(width, M - start - n)
    # The block on the diagonal: D - v w^T - w v^T with w = p - tau (p v) v / 2, p = tau D v.
    w = np.zeros(n)
    for j in range(n):
        column, at = columns[start + j], v[j]
        total = column[0] * at
        for i in range(1, n - j):
            w[j + i] += column[i] * at
            total += column[i] * v[j + i]
        w[j] += total
    product = 0.0
    for j in range(n):
        w[j] *= tau
        product += w[j] * v[j]
    for j in range(n):
        w[j] -= tau * product / 2 * v[j]
    for j in range(n):
        column, one, other = columns[start + j], v[j], w[j]
        for i in range(n - j):
            column[i] -= v[j + i] * other + w[j + i] * one
    if m == 0:
        return 0.0
    # The block below it: from the right with this reflection, from the left with the one that clears its first column.
    moved = np.zeros(m)
    for j in range(n):
        column, at = columns[start + j, n - j : n - j + m], tau * v[j]
        for i in range(m):
            moved[i] += column[i] * at
    column = columns[start, n : n + m]
    for i in range(m):
        column[i] -= moved[i] * v[0]
    following = np.empty(m)
    after = _reflection(column, following)
    for j in range(1, n):
        column, at = columns[start + j, n - j : n - j + m], v[j]
        total = 0.0
        for i in range(m):
            column[i] -= moved[i] * at
            total += column[i] * following[i]
        total *= after
        for i in range(m):
            column[i] -= total * following[i]
    v[:m] = following
    return float(after)
