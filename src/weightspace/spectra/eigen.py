"""Eigenvalues of W^T W for many weight matrices at once.

The Gram matrix of the smaller side costs N M^2 operations instead of the 4 N M^2 and more of a singular value
decomposition, but it squares the condition number: in double precision (eps = 2e-16) eigenvalues below about
M eps lambda_max are noise. Where the smallest one comes near to that, the matrix is done again by its singular
values, which are exact to eps s_max.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from typing import Any

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from weightspace import devices
from weightspace.devices import Device

_BATCH_ENTRIES = 2**20  # of float64: 8 MB of matrices at a time
_TOO_LARGE = 1e150  # to be squared and summed
_EPS = np.finfo(np.float64).eps


def eigenvalues(matrix: Any, *, device: Device = "cpu") -> np.ndarray:
    """All min(N, M) eigenvalues of W^T W (or of W W^T if that is smaller), the squared singular values of W.

    matrix: two-dimensional array or tensor, of any real type; device: where to compute. Apple's ``"mps"`` has no
    double precision, so the CPU computes for it.
    Returns float64, ascending, none negative, in squared units of W: not divided by N. ``ValueError`` for an array
    that has not two dimensions, is empty, is not real, has masked entries, or holds values that are not finite or
    above 1e150.
    """
    return eigenvalues_of([matrix], device=device)[0]


def eigenvalues_of(
    matrices: Sequence[Any], *, device: Device = "cpu", progress: Callable[[int], object] | None = None
) -> list[np.ndarray]:
    """``eigenvalues`` of every matrix, in order. Matrices of one shape are solved in batches.

    On the CPU the batches are spread over threads with one BLAS thread each; on a GPU each is one call.
    progress: called with the number of matrices just done, such as ``tqdm.update``.
    ``ValueError`` as for ``eigenvalues``, naming the position of the matrix.
    """
    matrices = [matrix if hasattr(matrix, "shape") else np.asarray(matrix) for matrix in matrices]
    for position, matrix in enumerate(matrices):
        _check_shape(matrix, f"matrix {position}")
    found: list[np.ndarray] = [np.empty(0)] * len(matrices)
    batches = sorted(_batches(matrices), key=lambda batch: -_cost(matrices, batch))
    on_cpu = devices.kind(device) != "cuda"

    def solve(batch: list[int]) -> list[int]:
        checked = [as_float64(matrices[position], f"matrix {position}") for position in batch]
        solved = _solve_numpy(checked) if on_cpu else solve_torch(np.stack(checked), device)
        for position, values in zip(batch, solved):
            found[position] = values
        return batch

    # A lone batch keeps the threads that BLAS would use; many do better with a thread each, the largest first.
    alone = not on_cpu or len(batches) < 2
    with nullcontext() if alone else threadpool_limits(1, user_api="blas"):
        with ThreadPoolExecutor(1 if alone else get_num_threads()) as pool:
            try:
                for solved in as_completed([pool.submit(solve, batch) for batch in batches]):
                    count = len(solved.result())
                    if progress is not None:
                        progress(count)
            except BaseException:
                pool.shutdown(cancel_futures=True)  # an error or an interrupt need not wait for the rest
                raise
    return found


def solve_torch(stack: np.ndarray, device: Device) -> np.ndarray:
    """Eigenvalues of a batch of matrices of one shape, [batch, rows, columns] -> [batch, min side], by PyTorch."""
    import torch

    batch = torch.as_tensor(stack, device=device)
    batch = batch.mT if batch.shape[1] > batch.shape[2] else batch
    values = torch.linalg.eigvalsh(batch @ batch.mT)
    again = _too_small(values)
    if again.any():
        values[again] = torch.linalg.svdvals(batch[again]).square().flip(-1)
    found: NDArray[np.float64] = values.cpu().numpy()
    return found


def _solve_numpy(batch: list[np.ndarray]) -> np.ndarray:
    batch = [matrix.T if matrix.shape[0] > matrix.shape[1] else matrix for matrix in batch]
    # One by one numpy sees the symmetry of W W^T, which halves the work.
    values = np.linalg.eigvalsh(np.stack([matrix @ matrix.T for matrix in batch]))
    for position in np.flatnonzero(_too_small(values)):
        values[position] = np.square(np.linalg.svd(batch[position], compute_uv=False))[::-1]
    return values


def _too_small(values: Any) -> Any:
    return values[:, 0] < 1e3 * values.shape[1] * _EPS * values[:, -1]


def _batches(matrices: Sequence[Any]) -> Iterator[list[int]]:
    by_shape: dict[tuple[int, int], list[int]] = {}
    for position, matrix in enumerate(matrices):
        by_shape.setdefault(tuple(matrix.shape), []).append(position)
    for (rows, columns), positions in by_shape.items():
        size = max(1, _BATCH_ENTRIES // (rows * columns))
        yield from (positions[first : first + size] for first in range(0, len(positions), size))


def _cost(matrices: Sequence[Any], batch: list[int]) -> int:
    small, large = sorted(int(side) for side in matrices[batch[0]].shape)
    return len(batch) * small**2 * (small + large)


def _check_shape(matrix: Any, name: str) -> None:
    if len(matrix.shape) != 2 or 0 in matrix.shape:
        raise ValueError(f"{name} must have two dimensions, none of them 0, got shape {tuple(matrix.shape)}")


def as_float64(matrix: Any, name: str = "the matrix") -> np.ndarray:
    """A matrix, tensor or nested list as a float64 array. ``ValueError`` as for ``eigenvalues``, with this name."""
    if hasattr(matrix, "detach"):  # a tensor; numpy has no bfloat16
        matrix = matrix.detach().cpu()
        matrix = matrix.numpy() if matrix.is_complex() else matrix.double().numpy()
    if np.ma.is_masked(matrix):
        raise ValueError(
            f"{name} has {np.ma.count_masked(matrix)} masked entries: fill them, or leave out their rows or columns"
        )
    matrix = np.asarray(matrix)
    _check_shape(matrix, name)
    if matrix.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers, got {matrix.dtype}")
    found: NDArray[np.float64] = matrix.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        sum_of_squares = np.vdot(found, found)
    if not np.isfinite(sum_of_squares):
        bad = found.size - int((np.abs(found) < _TOO_LARGE).sum())
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite (or above 1e150), among {found.size}")
    return found
