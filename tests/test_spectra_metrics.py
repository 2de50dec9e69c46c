"""Eigenvalues and the numbers made of them, against closed forms and the singular values."""

import numpy as np
import pytest
import torch

from weightspace import spectra
from weightspace.spectra import eigen, metrics


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
