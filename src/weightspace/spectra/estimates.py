"""What can be said about the spectrum of a very large matrix without its eigenvalues, and with what error.

All eigenvalues of an N x M matrix take N M^2 + 4/3 M^3 operations. The estimates here see the matrix through products
with a few vectors only, which takes about 4 N M operations for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import linalg
from scipy.special import entr

from weightspace.spectra import marchenko_pastur
from weightspace.spectra.eigen import as_float64, check_shape


@dataclass(frozen=True)
class Estimate:
    """Numbers of the eigenvalues lambda of W^T W, as in the report, not divided by N.

    ``norm`` = sum lambda is exact. ``spectral_norm``: the largest eigenvalue, from below; an eigenvalue lies within
    ``spectral_norm_error`` of it. ``stable_rank`` = norm / spectral_norm. ``effective_rank`` = exp entropy, and
    ``sigma_mp`` and ``edge`` of the Marchenko-Pastur law: means over the probes; their errors are standard errors of
    these means. The edge is that of noise alone: large spikes pull it up only as far as they move the middle 80 %.
    """

    N: int
    M: int
    norm: float
    spectral_norm: float
    spectral_norm_error: float
    stable_rank: float
    effective_rank: float
    effective_rank_error: float
    sigma_mp: float
    edge: float
    edge_error: float


def estimate(matrix: Any, *, probes: int = 8, steps: int = 50, seed: int = 0, tolerance: float = 1e-3) -> Estimate:
    """Norms, ranks and the edge of the noise of a large matrix, from products with ``probes`` random vectors.

    The largest eigenvalue is that of ARPACK's Lanczos iteration. Sums over the spectrum, sum f(lambda), are estimated
    by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017): a random vector of signs weighs all eigenvectors alike
    on average, and ``steps`` Lanczos steps from it give the nodes and weights of a Gauss quadrature of its spectrum.
    sigma_mp is the slope of the quantiles of that quadrature against those of the law, as in ``marchenko_pastur.fit``.

    matrix: [N, M] or [M, N], two-dimensional, real; products are taken in float32 unless it holds float64, which adds
    a relative error of about 1e-6. probes: at least 2; steps: at least 10; seed: of the random vectors; tolerance:
    relative residual at which the search for the largest eigenvalue ends. ``ValueError`` as for ``eigenvalues``, for a
    matrix of zeros, for smaller sides than ``steps``, and for too few probes or steps.
    """
    if hasattr(matrix, "detach"):  # a tensor; numpy has no bfloat16
        matrix = matrix.detach().cpu()
        matrix = (matrix if matrix.element_size() == 8 else matrix.float()).numpy()
    check_shape(matrix := np.asanyarray(matrix), "the matrix")
    W = matrix if matrix.dtype == np.float64 else matrix.astype(np.float32, copy=False)
    norm = sum(float(np.square(as_float64(part)).sum()) for part in np.array_split(matrix, -(-W.size // 2**23)))
    W = W if W.shape[0] <= W.shape[1] else W.T
    M, N = W.shape
    if probes < 2 or steps < 10 or steps > M:
        raise ValueError(
            f"need 2 probes or more and 10 steps or more, at most {M} (the smaller side): got {probes}, {steps}"
        )
    if not norm:
        raise ValueError("all entries are zero: there is no spectrum to estimate")
    rng = np.random.default_rng(seed)
    gram = linalg.LinearOperator((M, M), matvec=lambda v: W @ (W.T @ v), dtype=W.dtype)
    (top,), vector = linalg.eigsh(gram, 1, which="LA", v0=rng.standard_normal(M).astype(W.dtype), tol=tolerance)
    residual = np.linalg.norm(gram @ vector[:, 0] - top * vector[:, 0])
    ranks, sigmas = [], []
    law = N * marchenko_pastur.quantiles(np.linspace(0.1, 0.9, 17), N / M)
    for nodes, weights in _quadratures(W, probes, steps, rng):
        # The trace of the quadrature differs from the norm, which is known: without its part in the error.
        p = nodes / (nodes @ weights) / M
        ranks.append(np.exp(M * weights @ entr(p)))
        below = np.cumsum(weights) - weights / 2
        quantiles = np.interp(np.linspace(0.1, 0.9, 17), below, nodes)
        sigmas.append(np.sqrt(law @ quantiles / (law @ law)))
    edges = [marchenko_pastur.tracy_widom_edge(N, M, float(sigma), 0.95) for sigma in sigmas]
    top = float(top)
    return Estimate(
        N=N,
        M=M,
        norm=norm,
        spectral_norm=top,
        spectral_norm_error=float(residual),
        stable_rank=norm / top,
        effective_rank=float(np.mean(ranks)),
        effective_rank_error=_standard_error(ranks),
        sigma_mp=float(np.mean(sigmas)),
        edge=float(np.mean(edges)),
        edge_error=_standard_error(edges),
    )


def _standard_error(values: list[float]) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _quadratures(
    W: np.ndarray, probes: int, steps: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Nodes and weights of the spectrum of W W^T as each random vector of signs sees it, by Lanczos for all at once."""
    M = len(W)
    basis = np.zeros((steps, M, probes), dtype=W.dtype)
    basis[0] = rng.choice([-1, 1], (M, probes)) / np.sqrt(M)
    diagonal, beside = np.zeros((steps, probes)), np.zeros((steps, probes))
    for step in range(steps):
        after = W @ (W.T @ basis[step])
        diagonal[step] = np.einsum("mp,mp->p", basis[step], after)
        for _ in range(2):  # against all before: rounding would bring back what was found already
            seen = np.einsum("smp,mp->sp", basis[: step + 1], after)
            after -= np.einsum("smp,sp->mp", basis[: step + 1], seen)
        beside[step] = np.linalg.norm(after, axis=0)
        if step + 1 < steps:
            basis[step + 1] = after / np.maximum(beside[step], np.finfo(W.dtype).tiny)
    found = []
    for probe in range(probes):
        # Where a vector has met all of its directions, the rest is rounding.
        end = np.flatnonzero(beside[:, probe] <= 1e2 * np.finfo(W.dtype).eps * diagonal[:, probe].max())
        n = end[0] + 1 if len(end) else steps
        tridiagonal = np.diag(diagonal[:n, probe]) + np.diag(beside[: n - 1, probe], -1)
        nodes, vectors = np.linalg.eigh(tridiagonal)
        found.append((np.maximum(nodes, 0), vectors[0] ** 2))
    return found
