"""Eigenvalues and the numbers made of them, against closed forms and the singular values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from weightspace import spectra
from weightspace.spectra import distances, eigen, metrics


def matrices():
    rng = np.random.default_rng(0)
    shapes = [(7, 3), (3, 7), (5, 5), (7, 3), (1, 4), (7, 3)]
    found = [rng.standard_normal(shape) for shape in shapes]
    found[3][:, 1] = 0  # a rank that is not full
    return found


def test_eigenvalues_are_the_squared_singular_values():
    for matrix, values in zip(matrices(), spectra.eigenvalues_of(matrices())):
        singular = np.linalg.svd(matrix, compute_uv=False)[::-1]
        np.testing.assert_allclose(values, singular**2, atol=1e-13)
        np.testing.assert_allclose(spectra.eigenvalues(matrix), values, atol=1e-14)


def test_torch_gives_the_same():
    for matrix in matrices():
        np.testing.assert_allclose(eigen.solve_torch(matrix[None], "cpu")[0], spectra.eigenvalues(matrix), atol=1e-13)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_same():
    for on_cpu, on_gpu in zip(spectra.eigenvalues_of(matrices()), spectra.eigenvalues_of(matrices(), device="cuda")):
        np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-13)


@pytest.mark.parametrize("convert", [np.float16, np.int8, torch.tensor, lambda x: torch.tensor(x).bfloat16()])
def test_every_real_type_will_do(convert):
    W = convert(np.array([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]]))
    assert spectra.eigenvalues(W).tolist() == [9, 16]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones(3), "two dimensions"),
        (np.ones((0, 3)), "none of them 0"),
        (np.array([[1, np.nan]]), "1 values that are NaN"),
        (np.array([[1j]]), "real"),
    ],
)
def test_bad_matrices_are_named(matrix, message):
    with pytest.raises(ValueError, match=f"matrix 1 .*{message}"):
        spectra.eigenvalues_of([np.ones((2, 2)), matrix])


def test_equal_eigenvalues_have_every_rank():
    values = np.full(8, 3.0)
    assert metrics.norm(values) == 24 and metrics.spectral_norm(values) == 3
    for rank in (metrics.stable_rank, metrics.effective_rank, metrics.effective_rank_singular):
        assert rank(values) == pytest.approx(8)
    assert metrics.entropy(values) == pytest.approx(1)
    assert metrics.matrix_rank(values, 8) == 8


def test_metrics_of_a_spectrum_worked_out_by_hand():
    values = np.array([0, 1, 9.0])  # s = 0, 1, 3
    assert metrics.stable_rank(values) == pytest.approx(10 / 9)
    h = -(0.1 * np.log(0.1) + 0.9 * np.log(0.9))
    assert metrics.entropy(values) == pytest.approx(h / np.log(3))
    assert metrics.entropy(values, rank=2) == pytest.approx(h / np.log(2))
    assert metrics.effective_rank(values) == pytest.approx(np.exp(h))
    assert metrics.effective_rank_singular(values) == pytest.approx(4 / 3**0.75)
    assert metrics.matrix_rank(values, 3) == 2
    assert metrics.alpha_weighted(2, values) == pytest.approx(2 * np.log10(9))
    assert metrics.log_alpha_norm(2, values) == pytest.approx(np.log10(82))
    assert metrics.log_alpha_norm(800, values) == pytest.approx(800 * np.log10(9))


matrix_entries = st.one_of(st.just(0.0), st.integers(-3, 3).map(float), st.floats(-1e3, 1e3, width=16))
any_matrix = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=matrix_entries,
)


@settings(deadline=None, max_examples=50)
@given(any_matrix, st.integers(0, 2**32 - 1))
def test_eigenvalues_stay_the_same_when_rows_and_columns_change_places(W, seed):
    values = spectra.eigenvalues(W)
    assert values.dtype == np.float64 and values.shape == (min(W.shape),)
    assert (values >= 0).all() and (np.diff(values) >= 0).all()
    total = np.square(W.astype(np.float64)).sum()
    np.testing.assert_allclose(values.sum(), total, rtol=1e-12)
    tolerance = 1e-12 * total
    np.testing.assert_allclose(spectra.eigenvalues(W.T), values, atol=tolerance)
    rng = np.random.default_rng(seed)
    shuffled = W[rng.permutation(len(W))][:, rng.permutation(W.shape[1])]
    np.testing.assert_allclose(spectra.eigenvalues(shuffled), values, atol=tolerance)
    assert metrics.matrix_rank(values, max(W.shape)) == np.linalg.matrix_rank(W.astype(np.float64))


@settings(deadline=None, max_examples=50)
@given(any_matrix, st.integers(-20, 20))
def test_ranks_and_entropies_have_no_unit(W, exponent):
    values = spectra.eigenvalues(W)
    if values[-1] == 0:
        return
    for number in (metrics.stable_rank, metrics.effective_rank, metrics.effective_rank_singular, metrics.entropy):
        assert number(values * 2.0**exponent) == pytest.approx(number(values), rel=1e-9, nan_ok=True)
    n = len(values)
    stable, effective, singular = (
        rank(values) for rank in (metrics.stable_rank, metrics.effective_rank, metrics.effective_rank_singular)
    )
    # Renyi entropies fall with their order: of lambda, infinity below 1; the square root evens the shares out.
    assert 1 - 1e-9 <= stable <= effective * (1 + 1e-9) <= singular * (1 + 1e-8) <= n * (1 + 1e-7)


def test_a_spoilt_entry_is_found_anywhere():
    for bad in (np.nan, np.inf, -np.inf, 1e200):
        W = np.ones((4, 3))
        W[2, 1] = bad
        with pytest.raises(ValueError, match="1 values that are NaN or infinite .*among 12"):
            spectra.eigenvalues(W)


def test_small_eigenvalues_are_exact():
    # Squaring loses what lies 1e-16 below the largest eigenvalue: here the Gram matrix gives noise for the last two.
    singular = np.array([1e-7, 1e-5, 1e-2, 1.0])
    rng = np.random.default_rng(1)
    left, right = np.linalg.qr(rng.standard_normal((30, 4)))[0], np.linalg.qr(rng.standard_normal((4, 4)))[0]
    W = left * singular @ right
    np.testing.assert_allclose(spectra.eigenvalues(W), singular**2, rtol=1e-7)
    np.testing.assert_allclose(eigen.solve_torch(W[None], "cpu")[0], singular**2, rtol=1e-7)
    assert abs(np.linalg.eigvalsh(W.T @ W)[0] - 1e-14) > 1e-18


@pytest.mark.parametrize(("by_torch", "in_place"), [(1, 1), (1, 99), (99, 99)], ids=["in place", "PyTorch", "LAPACK"])
@pytest.mark.parametrize("convert", [np.asarray, torch.tensor, lambda x: torch.tensor(x).T.half()])
def test_solvers_have_the_same_values_and_leave_the_weights_alone(monkeypatch, by_torch, in_place, convert):
    given_ = [convert(np.random.default_rng(k).standard_normal((30, 20 + 20 * k)).astype(np.float32)) for k in range(3)]
    wide = [np.asarray(matrix).astype(float) for matrix in given_]
    monkeypatch.setattr(eigen, "_BY_TORCH", by_torch)
    monkeypatch.setattr(eigen, "_IN_PLACE", in_place)
    threads = torch.get_num_threads()
    for before, matrix, values in zip(wide, given_, spectra.eigenvalues_of(given_)):
        singular = np.linalg.svd(before, compute_uv=False)[::-1]
        np.testing.assert_allclose(values, singular**2, rtol=1e-9)
        np.testing.assert_array_equal(np.asarray(matrix), before)  # what is done in place is done to a copy
    assert torch.get_num_threads() == threads
    W = np.random.default_rng(0).standard_normal((60, 5)) @ np.diag([1, 1, 1, 1, 1e-7])
    kept = W.copy()
    np.testing.assert_allclose(spectra.eigenvalues(W), np.linalg.svd(W, compute_uv=False)[::-1] ** 2, rtol=1e-7)
    np.testing.assert_array_equal(W, kept)
    bad = np.ones((40, 30))
    bad[3, 4] = bad[20, 29] = np.nan
    with pytest.raises(ValueError, match="matrix 1 holds 2 values that are NaN .* among 1200"):
        spectra.eigenvalues_of([np.ones((2, 2)), bad])


def test_a_gram_matrix_is_summed_from_blocks_of_columns(monkeypatch):
    W = np.random.default_rng(0).standard_normal((40, 700))
    monkeypatch.setattr(eigen, "_BLOCK", 40 * 333)
    np.testing.assert_allclose(np.tril(eigen._gram(W, "W")), np.tril(W @ W.T), rtol=1e-12)


def test_progress_counts_every_matrix():
    done = []
    spectra.eigenvalues_of(matrices(), progress=done.append)
    assert sum(done) == len(matrices()) and spectra.eigenvalues_of([]) == []


def test_many_batches_keep_their_order():
    rng = np.random.default_rng(2)
    many = [rng.standard_normal((700, 3)) for _ in range(1200)]  # more than one batch of one shape
    for matrix, values in zip(many, spectra.eigenvalues_of(many)):
        assert values.sum() == pytest.approx(np.square(matrix).sum())


def test_a_matrix_of_zeros_has_no_shape():
    zeros = np.zeros(4)
    for number in (
        metrics.stable_rank,
        metrics.effective_rank,
        metrics.effective_rank_singular,
        metrics.entropy,
        lambda x: metrics.alpha_weighted(2, x),
        lambda x: metrics.log_alpha_norm(2, x),
    ):
        assert np.isnan(number(zeros))
    assert metrics.norm(zeros) == metrics.spectral_norm(zeros) == metrics.matrix_rank(zeros, 4) == 0


def test_the_rank_grows_less_sure_with_the_size():
    values = [(5 * np.finfo(float).eps) ** 2, 1]
    assert metrics.matrix_rank(values, 4) == 2
    assert metrics.matrix_rank(values, 6) == 1


def test_the_rank_knows_the_type_of_the_weights():
    rng = np.random.default_rng(3)
    W = (rng.standard_normal((60, 4)) @ rng.standard_normal((4, 50))).astype(np.float32)
    values = spectra.eigenvalues(W)
    assert metrics.matrix_rank(values, 60) == 50  # rounding to float32 fills the rank
    assert metrics.matrix_rank(values, 60, np.finfo(np.float32).eps) == 4
    np.testing.assert_array_equal(metrics.nonzero(values[::-1], 60, np.finfo(np.float32).eps), values[-4:])


@pytest.mark.parametrize("values", [[], [1, np.nan], [1, -1e-9]])
def test_what_is_no_spectrum_is_refused(values):
    with pytest.raises(ValueError, match="finite and not negative"):
        metrics.stable_rank(values)


def test_distances_worked_out_by_hand():
    a, b = [1, 2, 3], [2, 3, 4]
    assert distances.wasserstein1(a, b) == pytest.approx(1)
    assert distances.ks(a, b) == pytest.approx(1 / 3) == stats.ks_2samp(a, b).statistic
    assert distances.ks(a, [7, 8]) == 1
    # Two bins, cut at the median 2.5 of both: two and one of a, one and two of b, each with half a one more.
    p, q = np.array([2.5, 1.5]) / 4, np.array([1.5, 2.5]) / 4
    assert distances.kl(a, b, bins=2) == pytest.approx((p * np.log(p / q)).sum())


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(0.01, 100), min_size=1, max_size=30),
    st.lists(st.floats(0.01, 100), min_size=1, max_size=30),
    st.floats(0.1, 10),
)
def test_distances_are_distances(a, b, factor):
    b = np.array(b)
    for distance in (distances.wasserstein1, distances.ks, distances.kl):
        assert distance(a, a) == pytest.approx(0, abs=1e-12)
        assert distance(a, b) >= -1e-12
    for distance in (distances.wasserstein1, distances.ks):
        assert distance(a, b) == pytest.approx(distance(b, a))
        assert distance(a, b[::-1]) == distance(a, b)
    shape = distances.wasserstein1(a, b, scale_free=True)
    assert distances.wasserstein1(a, factor * b, scale_free=True) == pytest.approx(shape, abs=1e-12)
    assert distances.wasserstein1(b, factor * b) == pytest.approx(abs(factor - 1) * b.mean())
    assert distances.ks(b, np.repeat(b, 2)) == pytest.approx(0, abs=1e-12)


def test_the_scale_alone_makes_no_difference_of_shape():
    a = np.random.default_rng(4).lognormal(size=50)
    for distance in (distances.wasserstein1, distances.ks, distances.kl):
        assert distance(a, 4 * a) > 0.3
        assert distance(a, 4 * a, scale_free=True) == 0
    assert distances.kl(a, 4 * a) == pytest.approx(distances.kl(np.log(a), np.log(4 * a)))


@pytest.mark.parametrize("bad", [[], [1, np.nan]])
def test_bad_spectra_are_named(bad):
    for distance in (distances.wasserstein1, distances.ks, distances.kl):
        with pytest.raises(ValueError, match="b must hold finite"):
            distance([1.0], bad)
    with pytest.raises(ValueError, match="no scale"):
        distances.ks([1.0], [0.0], scale_free=True)
    with pytest.raises(ValueError, match="two bins"):
        distances.kl([1.0], [2.0], bins=1)
