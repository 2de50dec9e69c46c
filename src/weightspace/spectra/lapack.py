"""BLAS and LAPACK as SciPy brings them, called without the lock of Python.

SciPy's own wrappers of these hold the lock: neither would threads run beside each other, nor would an interrupt be
heard before the routine ends, which for a large matrix takes minutes.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address


def add_gram(matrix: np.ndarray, gram: np.ndarray) -> None:
    """Add W W^T to the lower half of ``gram``, [rows, rows] in C order; both of float64."""
    if not (matrix.flags.c_contiguous or matrix.flags.f_contiguous):
        matrix = np.ascontiguousarray(matrix)
    rows, columns = matrix.shape
    # Fortran sees the transposes: W^T as its A, and the upper half of the Gram matrix.
    way, leading = (b"T", columns) if matrix.flags.c_contiguous else (b"N", rows)
    _call("dsyrk", b"U", way, rows, columns, 1.0, matrix, leading, 1.0, gram, rows)


def product(symmetric: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """S B from the lower half of S, which may be a part of a larger array in C order; B: [M, few]."""
    factor = np.ascontiguousarray(factor)
    M, few = factor.shape
    found = np.empty((M, few))
    leading = symmetric.strides[0] // symmetric.itemsize
    _call("dsymm", b"R", b"U", few, M, 1.0, symmetric, leading, factor, few, 0.0, found, few)
    return found


def subtract_both(symmetric: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """S - A B^T - B A^T, in the lower half of S as in ``product``; A, B: [M, few]."""
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    M, few = left.shape
    leading = symmetric.strides[0] // symmetric.itemsize
    _call("dsyr2k", b"U", b"T", M, few, -1.0, left, few, right, few, 1.0, symmetric, leading)


def eigenvalues(symmetric: np.ndarray) -> np.ndarray:
    """Ascending, of an [M, M] in C order of which the lower half is given; it is overwritten.

    ``LinAlgError`` where the iteration does not converge.
    """
    M = len(symmetric)
    diagonal, beside, tau, work = np.empty(M), np.empty(M), np.empty(M), np.empty(M * _COLUMNS)
    _call("dsytrd", b"U", M, symmetric, M, diagonal, beside, tau, work, len(work), _INFO)
    return eigenvalues_of_tridiagonal(diagonal, beside)


def eigenvalues_of_tridiagonal(diagonal: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """As ``eigenvalues``, of the main diagonal [M] and the one beside it."""
    diagonal, beside = np.array(diagonal), np.array(beside)
    if _call("dsterf", len(diagonal), diagonal, beside, _INFO):
        raise np.linalg.LinAlgError("the eigenvalues do not converge")
    return diagonal


def singular_values(matrix: np.ndarray) -> np.ndarray:
    """Descending, of a matrix of float64 in C order, which is overwritten. ``LinAlgError`` as for ``eigenvalues``."""
    rows, columns = matrix.shape
    found = np.empty(min(rows, columns))
    counts = np.empty(8 * len(found), np.intc)
    work = np.empty(1)
    for size in (-1, 0):  # first it is asked how much memory it would like
        work = work if size else np.empty(int(work[0]))
        vectors = (found, 1, found, 1)  # of which there are none
        sides = (columns, rows, matrix, columns)
        if _call("dgesdd", b"N", *sides, found, *vectors, work, size or len(work), counts, _INFO):
            raise np.linalg.LinAlgError("the singular values do not converge")
    return found


_INFO = 0
_COLUMNS = 64  # of a block of the reduction: the memory for as many lets LAPACK choose


# Names and numbers of arguments.
_LIBRARIES = {
    "scipy.linalg.cython_blas": {"dsyrk": 10, "dsymm": 12, "dsyr2k": 12},
    "scipy.linalg.cython_lapack": {"dsytrd": 10, "dsterf": 4, "dgesdd": 14},
}
# Calls through ctypes give the lock away until they return.
_ROUTINES = {
    name: ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * number)(get_cython_function_address(library, name))
    for library, arguments in _LIBRARIES.items()
    for name, number in arguments.items()
}


def _call(name: str, *arguments: Any) -> int:
    """Everything by its address, as Fortran has it; returns the last argument, which LAPACK uses to say how it went."""
    kinds: dict[type, Any] = {bytes: ctypes.c_char, int: ctypes.c_int, float: ctypes.c_double}
    held = [each if isinstance(each, np.ndarray) else kinds[type(each)](each) for each in arguments]
    places = (each.ctypes.data if isinstance(each, np.ndarray) else ctypes.addressof(each) for each in held)
    _ROUTINES[name](*places)
    last = held[-1]
    return last.value if isinstance(last, ctypes.c_int) else 0
