"""The n-gram kernel of texts and Vendi scores of sparse features: hand cases, a plain loop, the dense score."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from weightspace.measures.vendi import ngram_features, resemblance, vendi_score, weighted_vendi_score


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
