"""Precision and coverage: closed forms, an independent implementation, what moves them and what does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from weightspace.measures.resemblance import coverage, precision

LINE = np.array([[0.0], [1.0], [3.0], [10.0]])
"""Distances to the nearest other row: 1, 1, 2, 7."""


def test_on_a_line():
    # Neighbourhoods for k = 1: [-1, 1], [0, 2], [1, 5], [3, 17].
    X = np.array([[-0.5], [0.5], [30.0], [-2.0]])
    assert precision(X, LINE, k=1) == 2 / 4
    assert coverage(X, LINE, k=1) == 2 / 4
    assert precision([[4.0]], LINE, k=1) == 1 and coverage([[4.0]], LINE, k=1) == 2 / 4
    # For k = 3 the radii are 10, 9, 7 and 10.
    assert coverage([[10.0]], LINE, k=3) == 1 and coverage([[10.5]], LINE, k=3) == 1 / 4


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(5, 30), st.integers(1, 30), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_against_a_search_of_neighbours_in_any_order(seed, d, m, n, k):
    rng = np.random.default_rng(seed)
    reference, X = rng.standard_normal((m, d)), rng.exponential(size=(n, d))
    radii = NearestNeighbors(n_neighbors=k).fit(reference).kneighbors()[0][:, -1]
    inside = np.array([[np.linalg.norm(x - y) <= r for y, r in zip(reference, radii)] for x in X])
    shuffled, other = rng.permutation(X), rng.permutation(reference)
    assert precision(shuffled, other, k) == pytest.approx(inside.any(axis=1).mean())
    assert coverage(shuffled, other, k) == pytest.approx(inside.any(axis=0).mean())


def test_one_mode_of_two_is_precise_and_covers_half_and_noise_is_neither():
    rng = np.random.default_rng(0)
    modes = np.repeat([[0.0, 0.0], [100.0, 0.0]], 200, axis=0)
    reference = modes + rng.standard_normal((400, 2))
    X = rng.standard_normal((400, 2))
    far = np.array([0.0, 50.0])
    assert precision(X, reference) > 0.95 and 0.45 < coverage(X, reference) <= 0.5
    assert precision(X + far, reference) == coverage(X + far, reference) == 0
    assert precision(reference, reference) == coverage(reference, reference) == 1


@pytest.mark.parametrize("measure", [precision, coverage])
@pytest.mark.parametrize(
    ("X", "reference", "k", "message"),
    [
        (np.ones((3, 2)), np.ones((9, 4)), 5, "equally many columns"),
        (np.ones((3, 2)), np.ones((5, 2)), 5, "k must be from 1 to 4"),
        (np.ones((3, 2)), np.ones((5, 2)), 0, "k must be from 1 to 4"),
        (np.full((3, 2), np.nan), np.ones((9, 2)), 5, "X"),
        (np.ones((3, 2)), np.full((9, 2), np.inf), 5, "reference"),
    ],
)
def test_refuses(measure, X, reference, k, message):
    with pytest.raises(ValueError, match=message):
        measure(X, reference, k)
