"""Random matrices with known spectra: noise, noise with one planted direction, heavy-tailed entries.

Matrices are N x M with N >= M; every function draws from the generator that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weightspace.spectra import eigenvalues_of, marchenko_pastur


def gaussian(N: int, M: int, rng: np.random.Generator, sigma: float = 1.0) -> NDArray[np.float64]:
    """N x M independent normal entries of mean 0 and standard deviation ``sigma``."""
    return rng.normal(scale=sigma, size=(N, M))


def spiked(N: int, M: int, strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Normal noise of variance 1 plus planted directions: X + sum_k s_k u_k v_k^T, the u and the v random orthonormal.

    strengths: of the directions, s_k^2 / N as a multiple of the threshold 1 / sqrt Q; above 1 an eigenvalue leaves the
    bulk (Baik, Ben Arous & Peche 2005; for this additive model Benaych-Georges & Nadakuditi 2012, section 3.1).
    """
    multiples = np.asarray(strengths, dtype=float)
    if (multiples < 0).any():
        raise ValueError(f"strengths must not be negative, got {multiples.min()}")
    noise = gaussian(N, M, rng)
    u, v = (np.linalg.qr(rng.normal(size=(side, len(strengths))))[0] for side in (N, M))
    s = np.sqrt(N * multiples * marchenko_pastur.bbp_threshold(N / M))
    planted: NDArray[np.float64] = (u * s) @ v.T
    return noise + planted


def heavy_tailed(N: int, M: int, tail_index: float, rng: np.random.Generator) -> np.ndarray:
    """N x M independent entries of random sign with P(|x| > t) = t^-mu for t >= 1; ``tail_index`` is mu > 0.

    The variance is infinite for mu <= 2, the fourth moment for mu <= 4.
    """
    if tail_index <= 0:
        raise ValueError(f"the tail index must be positive, got {tail_index}")
    size = (N, M)
    return rng.choice([-1.0, 1.0], size=size) * (1 - rng.random(size)) ** (-1 / tail_index)


def power_law_sample(number: int, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """Independent values with the density (alpha - 1) x^-alpha for x >= 1, by inversion."""
    if alpha <= 1:
        raise ValueError(f"alpha must be above 1, got {alpha}")
    return (1 - rng.random(number)) ** (-1 / (alpha - 1))


def noise_spectra(Q: int, M: int, number: int, seed: int = 0) -> np.ndarray:
    """Eigenvalues of W^T W / N of ``number`` Gaussian matrices of Q M x M entries of variance 1: [number, M]."""
    rng = np.random.default_rng([seed, Q, M])
    return np.stack(eigenvalues_of([gaussian(Q * M, M, rng) for _ in range(number)])) / (Q * M)
