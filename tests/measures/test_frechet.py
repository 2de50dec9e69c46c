"""The Frechet distance: closed forms, an independent formula, what moves it and what does not."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from weightspace.measures.frechet import frechet_distance


def whitened(n, d, seed=0):
    """Rows whose mean is zero and whose covariance is the unit matrix, to rounding."""
    X = np.random.default_rng(seed).standard_normal((n, d))
    X -= X.mean(axis=0)
    return X @ np.linalg.inv(np.linalg.cholesky(np.cov(X.T)).T)


def test_independent_spreads_and_a_shift_in_closed_form():
    """Axis by axis (m_1 - m_2)^2 + (s_1 - s_2)^2."""
    a, b = np.array([1.0, 2.0, 0.5]), np.array([3.0, 2.0, 0.1])
    shift = np.array([0.5, -1.0, 2.0])
    X, Y = whitened(50, 3) * a, whitened(70, 3, seed=1) * b + shift
    assert frechet_distance(X, Y) == pytest.approx((shift**2).sum() + ((a - b) ** 2).sum())


def test_one_feature():
    X, Y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])  # means 1 and 3, variances 2 and 8
    assert frechet_distance(X, Y) == pytest.approx(4 + 2)


def test_the_textbook_formula_with_covariances_that_do_not_commute():
    rng = np.random.default_rng(3)
    X, Y = (rng.standard_normal((40, 4)) @ rng.standard_normal((4, 4)) for _ in range(2))
    S_X, S_Y = np.cov(X.T), np.cov(Y.T)
    assert np.abs(S_X @ S_Y - S_Y @ S_X).max() > 0.1
    expected = ((X.mean(0) - Y.mean(0)) ** 2).sum() + np.trace(S_X + S_Y - 2 * sqrtm(S_X @ S_Y).real)
    assert frechet_distance(X, Y) == pytest.approx(expected) == pytest.approx(frechet_distance(Y, X))


def test_fewer_rows_than_features_and_the_distance_to_itself():
    X = np.random.default_rng(4).standard_normal((5, 20))
    assert frechet_distance(X, X) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(X, X + 3) == pytest.approx(20 * 9)
    assert frechet_distance(X, 2 * X) == pytest.approx((X.mean(0) ** 2).sum() + np.trace(np.cov(X.T)))


def test_turning_both_sets_changes_nothing_and_scale_enters_squared():
    rng = np.random.default_rng(5)
    X, Y = rng.standard_normal((30, 6)), rng.exponential(size=(30, 6))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    assert frechet_distance(X @ turn, Y @ turn) == pytest.approx(frechet_distance(X, Y))
    assert frechet_distance(3 * X, 3 * Y) == pytest.approx(9 * frechet_distance(X, Y))


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), "equally many columns"),
        (np.ones((1, 2)), np.ones((3, 2)), "two rows or more"),
        (np.full((3, 2), np.nan), np.ones((3, 2)), "X"),
    ],
)
def test_bad_input_is_named(X, Y, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(X, Y)
