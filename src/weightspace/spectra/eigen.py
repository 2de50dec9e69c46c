"""Eigenvalues of W^T W for many weight matrices at once.

The Gram matrix of the smaller side costs N M^2 operations instead of the 4 N M^2 and more of a singular value
decomposition, but it squares the condition number: in double precision (eps = 2e-16) every eigenvalue has an error of
about eps lambda_max (measured on square noise of 512 to 2,048: the lower tenth is off by at most 0.5 eps lambda_max;
the bound is M times that), so a singular value below 1e-8 s_max is noise. Where the smallest eigenvalue comes near to
that, the matrix is done again by its singular values, which are exact to eps s_max.

Up to a smaller side of some 1,500 LAPACK, as SciPy brings it, is at least as quick as PyTorch with the eigenvalues of a
Gram matrix; at 2,048 PyTorch takes less than half of the time on an Intel, at 3,072 two thirds on an AMD. It works on a
copy, though: the largest are done in place, see ``banded``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from weightspace import devices
from weightspace.devices import Device
from weightspace.spectra import lapack
from weightspace.spectra.banded import eigenvalues_in_place

_BATCH_ENTRIES = 2**20  # of float64: 8 MB of matrices at a time
_BY_TORCH, _IN_PLACE = 2048, 8193  # smaller sides from which on another solver is the better one
_BLOCK = 2**21  # entries that are made float64 at a time: 16 MB
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
    progress: called with 1 for each matrix that is done, such as ``tqdm.update``.
    ``ValueError`` as for ``eigenvalues``, naming the position of the matrix.
    """
    matrices = [matrix if hasattr(matrix, "shape") else np.asarray(matrix) for matrix in matrices]
    found: list[np.ndarray] = [np.empty(0)] * len(matrices)
    for position, values in solved(matrices, device=device):
        if isinstance(values, Exception):
            raise values
        found[position] = values
        if progress is not None:
            progress(1)
    return found


def solved(matrices: Sequence[Any], *, device: Device = "cpu") -> Iterator[tuple[int, np.ndarray | Exception]]:
    """The position of every matrix with its ``eigenvalues``, or with what is wrong with it, in the order they are done.

    matrices: arrays, tensors, or anything with a ``shape`` that ``numpy.asarray`` reads; each is read when its turn
    comes, and then forgotten, so that memory is that of the matrices that are being solved. An interrupt does not wait
    for them. ``ValueError`` for a matrix that has not two dimensions or is empty.
    """
    for position, matrix in enumerate(matrices):
        check_shape(matrix, f"matrix {position}")
    batches = sorted(_batches(matrices), key=lambda batch: -sum(cost(matrices[each].shape) for each in batch))
    on_cpu = devices.kind(device) != "cuda"
    todo, done = deque(batches), SimpleQueue[list[tuple[int, np.ndarray | Exception]]]()

    def solve(batch: list[int]) -> list[tuple[int, np.ndarray | Exception]]:
        try:
            if not on_cpu:
                checked = [as_float64(matrices[position], f"matrix {position}") for position in batch]
                return list(zip(batch, solve_torch(np.stack(checked), device)))
            if len(batch) == 1:
                return [(batch[0], solve_on_cpu(matrices[batch[0]], f"matrix {batch[0]}"))]
        except Exception as error:
            if len(batch) == 1:
                return [(batch[0], error)]
        # One of them has NaN or does not converge: each by itself tells which.
        return [pair for each in batch for pair in solve([each])]

    def work() -> None:
        with suppress(IndexError):
            while True:
                done.put(solve(todo.popleft()))

    # A lone batch keeps the threads that BLAS would use; many do better with a thread each, the largest first.
    alone = not on_cpu or len(batches) < 2
    by_torch = any(min(matrix.shape) >= _BY_TORCH for matrix in matrices)
    with nullcontext() if alone else _one_thread_each(by_torch):
        for _ in range(1 if alone else min(get_num_threads(), len(batches))):
            # Daemons: LAPACK cannot be stopped, and neither an interrupt nor the end of the program is to wait for it.
            Thread(target=work, daemon=True).start()
        try:
            for _ in batches:
                yield from done.get()
        finally:
            todo.clear()


def cost(shape: Sequence[int]) -> int:
    """Operations that the eigenvalues of a matrix take, but for a factor."""
    small, large = sorted(shape)
    return small * small * (small + large)


@contextmanager
def _one_thread_each(by_torch: bool) -> Iterator[None]:
    """One BLAS thread for every thread of ours; PyTorch has a BLAS of its own, and is imported only where it solves."""
    with threadpool_limits(1, user_api="blas"):
        if not by_torch:
            yield
            return
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


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


def solve_on_cpu(matrix: Any, name: str) -> np.ndarray:
    """Eigenvalues of one matrix, without a copy of it in float64; ``name`` is that of the errors."""
    if not (isinstance(matrix, np.ndarray) or hasattr(matrix, "detach")):
        matrix = np.asarray(matrix)  # read now
    gram = _gram(matrix, name)
    if len(gram) >= _IN_PLACE:
        values = eigenvalues_in_place(gram)
    elif len(gram) >= _BY_TORCH:
        import torch  # only here: importing it takes seconds

        values = torch.linalg.eigvalsh(torch.from_numpy(gram), UPLO="L").numpy()
    else:
        values = lapack.eigenvalues(gram)
    del gram
    if _too_small(values[None]).any():
        copy = np.array(as_float64(matrix, name), order="C")  # the weights themselves must stay
        values = np.square(lapack.singular_values(copy))[::-1]
    return values


def _gram(matrix: Any, name: str) -> np.ndarray:
    """The lower half of W W^T, W with the smaller side first, from blocks of columns."""
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    rows, columns = matrix.shape
    gram = np.zeros((rows, rows))
    for first in range(0, columns, step := max(1, _BLOCK // rows)):
        try:
            block = as_float64(matrix[:, first : first + step], name)
        except ValueError:
            as_float64(matrix, name)  # for an error that counts what is wrong in all of it
            raise
        lapack.add_gram(block, gram)
    return gram


def _too_small(values: Any) -> Any:
    return values[:, 0] < 1e3 * min(values.shape[1], 1000) * _EPS * values[:, -1]


def _batches(matrices: Sequence[Any]) -> Iterator[list[int]]:
    by_shape: dict[tuple[int, int], list[int]] = {}
    for position, matrix in enumerate(matrices):
        by_shape.setdefault(tuple(matrix.shape), []).append(position)
    for (rows, columns), positions in by_shape.items():
        size = max(1, _BATCH_ENTRIES // (rows * columns))
        yield from (positions[first : first + size] for first in range(0, len(positions), size))


def check_shape(matrix: Any, name: str) -> None:
    """``ValueError`` with this name for what is no matrix, or has an empty side."""
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
    check_shape(matrix, name)
    if matrix.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers, got {matrix.dtype}")
    found: NDArray[np.float64] = matrix.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        sum_of_squares = np.vdot(found, found)
    if not np.isfinite(sum_of_squares):
        bad = found.size - int((np.abs(found) < _TOO_LARGE).sum())
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite (or above 1e150), among {found.size}")
    return found
