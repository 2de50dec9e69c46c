"""The two-step solver against LAPACK's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightspace.spectra import banded


@settings(max_examples=60, deadline=None)
@given(
    M=st.integers(1, 40),
    width=st.integers(1, 9),
    rank=st.integers(0, 40),
    scale=st.sampled_from([1e-290, 1e-60, 1.0, 1e60, 1e290]),
    seed=st.integers(0, 999),
)
def test_the_same_as_lapack_for_any_size_width_rank_and_scale(M, width, rank, scale, seed):
    rng = np.random.default_rng(seed)
    S = np.diag(rng.choice([0, 1, 2], M)).astype(float)
    if rank <= M:  # else a diagonal matrix, where there is nothing to reflect
        half = rng.standard_normal((M, rank))
        S = half @ np.diag(rng.choice([-1, 1], rank)) @ half.T
    lower = np.tril(scale * S)
    lower[np.triu_indices(M, 1)] = np.nan  # never read
    values = banded.eigenvalues_in_place(lower, width)
    expected = np.linalg.eigvalsh(scale * S)
    np.testing.assert_allclose(values, expected, atol=1e-13 * max(np.abs(expected).max(), 1e-300))


def test_the_default_band():
    half = np.random.default_rng(1).standard_normal((300, 300))
    values = banded.eigenvalues_in_place(half @ half.T)
    assert values == pytest.approx(np.linalg.eigvalsh(half @ half.T), abs=1e-12 * values[-1])
