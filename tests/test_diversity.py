"""Vendi scores against their closed forms and the released implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from weightspace import vendi_score, weighted_vendi_score

ORDERS = [0, 0.1, 0.5, 1, 2, 7, np.inf]


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize(("n", "d"), [(5, 3), (3, 5), (40, 40)])
def test_equal_rows_count_as_one(q, n, d):
    row = np.random.default_rng(0).standard_normal(d)
    assert vendi_score(np.outer(np.arange(1, n + 1), row), q) == pytest.approx(1)  # lengths do not count


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize("d", [6, 30])
def test_orthogonal_rows_count_each(q, d):
    rows = np.linalg.qr(np.random.default_rng(1).standard_normal((d, 6)))[0].T
    assert vendi_score(rows, q) == pytest.approx(6)
    assert vendi_score(np.concatenate([rows, 3 * rows]), q) == pytest.approx(6)


@pytest.mark.parametrize("cosine", [0.0, 0.3, 0.9])
def test_two_rows_at_an_angle(cosine):
    X = [[1, 0], [cosine, np.sqrt(1 - cosine**2)]]
    p = np.array([1 - cosine, 1 + cosine]) / 2  # the eigenvalues of [[1, c], [c, 1]] / 2
    assert vendi_score(X) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert vendi_score(X, 0) == 2
    assert vendi_score(X, 2) == pytest.approx(1 / (p**2).sum())
    assert vendi_score(X, 0.5) == pytest.approx(np.sqrt(p).sum() ** 2)
    assert vendi_score(X, np.inf) == pytest.approx(1 / p.max())


# vendi-score 0.0.3: vendi.score_dual(X, q=q, normalize=True).
RELEASED = {0.5: 4.5741215738697445, 1: 4.280146567995359, 2: 3.914497214202466}


@pytest.mark.parametrize("q", RELEASED)
def test_the_score_is_that_of_the_released_code(q):
    X = np.sin(np.outer(np.arange(1, 13), np.arange(1, 6)) ** 1.3)
    assert vendi_score(X, q) == pytest.approx(RELEASED[q], rel=1e-12)


features = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.integers(-3, 3).map(float)
).filter(lambda X: X.any(axis=1).all())


@settings(deadline=None, max_examples=40)
@given(features, st.integers(0, 2**32 - 1))
def test_the_score_falls_with_its_order_and_knows_no_axes(X, seed):
    rng = np.random.default_rng(seed)
    scores = [vendi_score(X, q) for q in ORDERS]
    assert all(high >= low * (1 - 1e-9) for high, low in zip(scores, scores[1:]))
    assert 1 - 1e-9 <= scores[-1] and scores[0] == np.linalg.matrix_rank(X) <= min(X.shape)
    rotation = np.linalg.qr(rng.standard_normal((X.shape[1], X.shape[1])))[0]
    moved = rng.uniform(0.5, 2, (len(X), 1)) * (rng.permutation(X) @ rotation)
    assert vendi_score(moved) == pytest.approx(scores[ORDERS.index(1)])
    # The other Gram side, made larger by columns of zeros, has the same eigenvalues.
    assert vendi_score(np.pad(X, ((0, 0), (0, 9)))) == pytest.approx(scores[ORDERS.index(1)])


def test_near_order_one_the_score_is_continuous():
    X = np.random.default_rng(2).standard_normal((20, 6))
    for q in (1 - 1e-6, 1 + 1e-6):
        assert vendi_score(X, q) == pytest.approx(vendi_score(X), rel=1e-5)
    assert vendi_score(X, 800) == pytest.approx(vendi_score(X, np.inf), rel=0.01)  # no underflow


@pytest.mark.parametrize(
    ("X", "q", "message"),
    [
        ([[1, 0], [0, 0]], 1, "row 1 of X is zero"),
        ([[1, np.nan]], 1, "X holds 1 values that are NaN"),
        ([1, 2], 1, "X must have two dimensions"),
        ([[1, 2]], -1, "order q"),
        ([[1, 2]], np.nan, "order q"),
    ],
)
def test_bad_features_are_named(X, q, message):
    with pytest.raises(ValueError, match=message):
        vendi_score(X, q)


def test_the_weight_is_the_cosine_with_the_baseline():
    X = np.eye(3)
    assert weighted_vendi_score(X, X) == pytest.approx(3)
    assert weighted_vendi_score(X, -2 * X) == pytest.approx(-3)
    assert weighted_vendi_score(X, np.roll(X, 1, axis=1)) == 0
    baseline = np.array([[3.0, 0, 0], [0, 4.0, 0], [0, 0, 0]])
    assert weighted_vendi_score(X, baseline) == pytest.approx(3 * 7 / (np.sqrt(3) * 5))


def test_rows_are_paired_up_to_the_shorter_set():
    rng = np.random.default_rng(3)
    X, baseline = rng.standard_normal((7, 4)), rng.standard_normal((5, 4))
    rho = (X[:5] * baseline).sum() / np.sqrt((X[:5] ** 2).sum() * (baseline**2).sum())
    assert weighted_vendi_score(X, baseline) == pytest.approx(rho * vendi_score(X))
    assert weighted_vendi_score(baseline, X) == pytest.approx(rho * vendi_score(baseline))


def test_sets_that_do_not_belong_together_are_named():
    with pytest.raises(ValueError, match=r"equally many columns, got \(2, 2\) and \(2, 3\)"):
        weighted_vendi_score(np.eye(2), np.ones((2, 3)))
    with pytest.raises(ValueError, match="baseline holds 1 values"):
        weighted_vendi_score(np.eye(1), [[np.inf]])
    with pytest.raises(ValueError, match="zero over the 2 paired rows"):
        weighted_vendi_score(np.eye(2), np.zeros((3, 2)))
