"""The n-gram kernel of texts and Vendi scores of sparse features: hand cases, a plain loop, the dense score."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from weightspace.measures.vendi import ngram_features, resemblance, vendi_score, weighted_vendi_score
from weightspace.spectra import eigenvalues


def kernel(texts, orders=(1, 2, 3, 4)):
    X = ngram_features(texts, orders)
    return (X @ X.T).toarray() / len(orders)


def test_the_kernel_of_two_texts_by_hand():
    """a b c d and a b c e: 3 of 4 words, 2 of 3 pairs, 1 of 2 triples, none of one quadruple in common."""
    K = kernel(["a b c d", "a b c e"])
    np.testing.assert_allclose(K, [[1, (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4], [23 / 48, 1]])
    p = np.array([1 + 23 / 48, 1 - 23 / 48]) / 2
    assert vendi_score(ngram_features(["a b c d", "a b c e"])) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    # Counts, not occurrence: (2, 1) and (1, 1) have the cosine 3 / sqrt(10).
    assert kernel(["a a b", "a b b b b"], (1,))[0, 1] == pytest.approx(6 / np.sqrt(5 * 17))


def test_words_are_in_lower_case_and_marks_are_words():
    K = kernel(["Good film!", "good film !", "good film"], (1,))
    assert K[0, 1] == pytest.approx(1) and K[0, 2] == pytest.approx(2 / np.sqrt(6))


def test_the_score_counts_different_texts():
    apart = [f"a{k} b{k} c{k} d{k} e{k}" for k in range(7)]
    assert vendi_score(ngram_features(apart)) == pytest.approx(7)
    assert vendi_score(ngram_features(apart * 3)) == pytest.approx(7)
    assert vendi_score(ngram_features(["the same text again"] * 4)) == pytest.approx(1)
    # Short texts are compared by the n-grams that they have; the kernel is 1 on the diagonal all the same.
    assert vendi_score(ngram_features(["a", "a", "b c", "b c"])) == pytest.approx(2)
    with pytest.raises(ValueError, match="row 1 of X is zero"):
        vendi_score(ngram_features(["a b", ""]))


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=4, max_size=8).map(" ".join), min_size=2, max_size=6))
def test_the_kernel_against_a_plain_loop(texts):
    def cosine(s, t, n):
        one, two = (Counter(zip(*(x.split()[k:] for k in range(n)))) for x in (s, t))
        dot = sum(one[gram] * two[gram] for gram in one)
        return dot / np.sqrt(sum(v * v for v in one.values()) * sum(v * v for v in two.values()))

    expected = [[np.mean([cosine(s, t, n) for n in (1, 2, 3, 4)]) for t in texts] for s in texts]
    np.testing.assert_allclose(kernel(texts), expected, atol=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 30), st.sampled_from([0, 0.5, 1, 2, np.inf]))
def test_sparse_features_have_the_score_of_dense_ones(seed, n, d, q):
    X = np.random.default_rng(seed).integers(0, 3, (n, d)).astype(float)
    X[:, 0] += 1
    assert vendi_score(sparse.csr_array(X), q) == pytest.approx(vendi_score(X, q), rel=1e-6)


def test_sparse_input_is_checked():
    X = sparse.csr_array(np.array([[1.0, 0], [0, 0]]))
    with pytest.raises(ValueError, match="row 1 of X is zero"):
        vendi_score(X)
    X = sparse.csr_array(np.array([[1.0, np.nan], [0, 1]]))
    with pytest.raises(ValueError, match="not finite"):
        vendi_score(X)


def exact_score(X, q):
    """The score of a small matrix in exact arithmetic up to the last square root: rows of Fractions, K by hand."""
    rows = [[Fraction(float(value)) for value in row] for row in np.asarray(X)]
    dots = [[sum(a * b for a, b in zip(one, two)) for two in rows] for one in rows]
    n = range(len(rows))  # no entry is negative, so that no sign is lost in the root of the square
    K = [[float(dots[i][j] ** 2 / (dots[i][i] * dots[j][j])) ** 0.5 for j in n] for i in n]
    p = np.linalg.eigvalsh(K) / len(rows)
    p = p[p > 1e-12]
    return np.exp(-(p * np.log(p)).sum()) if q == 1 else (p**q).sum() ** (1 / (1 - q))


FORMS = {
    "dense": np.asarray,
    "csr_array": sparse.csr_array,
    "csc_array": sparse.csc_array,
    "coo_array": sparse.coo_array,
    "csr_matrix": sparse.csr_matrix,
    "lil_matrix": sparse.lil_matrix,
}


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["uint8", "int8", "int64", "float16", "float32", "float64", "bool"]),
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from([0.5, 1, 1 + 1e-9, 2]),
)
def test_any_form_and_type_has_the_exact_score(seed, dtype, n, d, q):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2 if dtype == "bool" else 120, (n, d)) * rng.integers(0, 2, (n, d))
    X[:, 0] += X.sum(axis=1) == 0
    X = X.astype(dtype)
    for form, make in FORMS.items():
        if form == "dense" or dtype != "float16":  # SciPy has no such arrays
            assert vendi_score(make(X), q) == pytest.approx(exact_score(X, q), rel=1e-6), form


def test_small_integers_do_not_overflow():
    X = np.diag(np.full(2, 200, "uint8"))
    assert vendi_score(sparse.csr_array(X)) == vendi_score(sparse.csr_matrix(X)) == vendi_score(X) == pytest.approx(2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1074, 400), min_size=4, max_size=4), st.sampled_from([0.5, 1, 2]))
def test_the_scale_of_a_row_changes_nothing(exponents, q):
    """Down to the smallest numbers there are, whose squares are zero."""
    X = np.array([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]])
    scaled = np.ldexp(X, np.array(exponents)[:, None])
    expected = vendi_score(X, q)
    assert vendi_score(scaled, q) == pytest.approx(expected, rel=1e-14)
    assert vendi_score(sparse.csr_array(scaled), q) == pytest.approx(expected, rel=1e-12)
    small = 2.0 ** min(exponents)
    assert resemblance(small * X, X) == resemblance(X, X)


def test_orders_near_one_lose_no_digits():
    X = np.random.default_rng(0).normal(size=(9, 5))
    at_one = vendi_score(X)
    for step in (1e-15, 1e-12, 1e-8, -1e-12):
        assert vendi_score(X, 1 + step) == pytest.approx(at_one, rel=1e-7)
    assert vendi_score(X, 1 + 0.999e-3) == pytest.approx(vendi_score(X, 1 + 1.001e-3), rel=1e-5)


def test_masked_and_empty_input_is_refused():
    masked = np.ma.masked_array(np.eye(3), mask=np.eye(3, k=1))
    for call in (vendi_score, eigenvalues, lambda X: resemblance(np.eye(3), X)):
        with pytest.raises(ValueError, match="2 masked entries"):
            call(masked)
    assert vendi_score(np.ma.masked_array(np.eye(3))) == pytest.approx(3)
    for make in (np.empty, sparse.csr_array, sparse.csr_matrix, sparse.lil_array):
        for shape in ((0, 3), (3, 0), (0, 0)):
            with pytest.raises(ValueError, match="none of them 0"):
                vendi_score(make(shape))
    with pytest.raises(ValueError, match="real numbers, got complex128"):
        vendi_score(sparse.csr_array(np.eye(2, dtype=complex)))


def test_the_weighted_score_is_the_score_times_the_resemblance():
    B = np.random.default_rng(0).normal(size=(6, 3))
    assert resemblance(B, B) == pytest.approx(1) and resemblance(-2 * B, B) == pytest.approx(-1)
    X = np.random.default_rng(1).normal(size=(4, 3))
    # The angle between the two sets as long vectors, rows paired up to the shorter one.
    x, b = X.ravel(), B[:4].ravel()
    assert resemblance(X, B) == pytest.approx(x @ b / np.sqrt((x @ x) * (b @ b)))
    assert weighted_vendi_score(X, B) == pytest.approx(vendi_score(X) * resemblance(X, B))
    with pytest.raises(ValueError, match="equally many columns"):
        resemblance(X, B[:, :2])
    with pytest.raises(ValueError, match="zero over the 4 paired rows"):
        resemblance(X, 0 * B)
