"""LAPACK without Python's lock, against NumPy, which calls it in its own way."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightspace.spectra import lapack
from weightspace.spectra.banded import eigenvalues_in_place

LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "backwards": lambda matrix: matrix[::-1, ::-1].copy()[::-1, ::-1],
    "every second": lambda matrix: np.repeat(matrix, 2, axis=1)[:, ::2],
}


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 60),
    layout=st.sampled_from(list(LAYOUTS)),
    scale=st.sampled_from([1e-140, 1.0, 1e140]),
    seed=st.integers(0, 999),
)
def test_any_shape_layout_and_scale(rows, columns, layout, scale, seed):
    matrix = np.random.default_rng(seed).standard_normal((rows, columns)) * scale
    gram = np.full((rows, rows), np.nan)  # the upper half is never read or written
    gram[np.tril_indices(rows)] = 0
    given_ = LAYOUTS[layout](matrix)
    kept = given_.copy()
    lapack.add_gram(given_, gram)
    assert np.array_equal(given_, kept) and np.isnan(gram[np.triu_indices(rows, 1)]).all()
    expected = matrix @ matrix.T
    np.testing.assert_allclose(np.tril(gram), np.tril(expected), atol=1e-13 * expected.max(), rtol=0)
    found = lapack.eigenvalues(gram)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(expected), atol=1e-13 * max(found[-1], 1e-290), rtol=0)
    singular = lapack.singular_values(matrix.copy())
    np.testing.assert_allclose(singular, np.linalg.svd(matrix, compute_uv=False), atol=1e-14 * singular[0], rtol=1e-9)


def test_products_with_the_lower_half_of_a_part():
    rng = np.random.default_rng(0)
    whole, B, C = rng.standard_normal((30, 30)), rng.standard_normal((22, 5)), rng.standard_normal((5, 22)).T
    part = np.tril(whole[8:, 8:])
    symmetric = part + np.tril(part, -1).T
    np.testing.assert_allclose(lapack.product(whole[8:, 8:], C), symmetric @ C, atol=1e-12)
    kept = whole.copy()
    lapack.subtract_both(whole[8:, 8:], B, C)
    changed = np.zeros_like(whole)
    changed[8:, 8:] = np.tril(B @ C.T + C @ B.T)
    np.testing.assert_allclose(whole, kept - changed, atol=1e-12)


@pytest.mark.parametrize("name", ["gram", "eigenvalues", "band", "singular values"])
def test_others_run_meanwhile(name):
    """With the lock held nothing else of Python would run until LAPACK returns, and Ctrl-C would not be heard."""
    matrix = np.random.default_rng(0).standard_normal((900, 900))
    gram = matrix @ matrix.T
    calls = {
        "gram": lambda: lapack.add_gram(np.tile(matrix, 8), np.zeros((900, 900))),
        "eigenvalues": lambda: lapack.eigenvalues(gram),
        "band": lambda: eigenvalues_in_place(gram, 24),
        "singular values": lambda: lapack.singular_values(matrix),
    }
    thread = threading.Thread(target=calls[name])
    turns = 0
    thread.start()
    while thread.is_alive():
        time.sleep(1e-4)
        turns += 1
    assert turns > 5
