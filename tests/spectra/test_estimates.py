"""Estimates from products with vectors: within their errors of what all eigenvalues say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weightspace import spectra
from weightspace.spectra import marchenko_pastur, metrics, random_matrices

RNG = np.random.default_rng(0)
MATRICES = {
    "noise": random_matrices.gaussian(600, 400, RNG),
    "square": random_matrices.gaussian(400, 400, RNG),
    "wide, with spikes": random_matrices.spiked(900, 300, [4, 9, 30], RNG).T,
    "heavy tails, float32": RNG.standard_t(3, (500, 400)).astype(np.float32),
}


@pytest.mark.parametrize("name", MATRICES)
def test_estimates_lie_within_their_errors(name):
    W = MATRICES[name]
    found, values = spectra.estimate(W), spectra.eigenvalues(W)
    bulk = marchenko_pastur.fit(values, found.N)
    assert (found.N, found.M) == (max(W.shape), min(W.shape))
    assert found.norm == pytest.approx(values.sum(), rel=1e-12)
    # A rounding of float32 lies between the two where the weights have that type.
    assert abs(found.spectral_norm - values[-1]) <= found.spectral_norm_error + 1e-5 * values[-1]
    assert found.stable_rank == pytest.approx(metrics.stable_rank(values), rel=2e-3)
    assert abs(found.effective_rank - metrics.effective_rank(values)) < 4 * found.effective_rank_error
    assert found.effective_rank_error < 0.05 * found.effective_rank
    # The fit takes its spikes out; the estimate cannot, and they move it.
    assert abs(found.edge - bulk.edge) < 3 * found.edge_error + bulk.num_spikes / found.M * 2 * found.edge
    assert found.edge_error < 0.05 * found.edge and found.sigma_mp == pytest.approx(bulk.sigma, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(rank=st.integers(1, 12), seed=st.integers(0, 99), scale=st.sampled_from([1e-4, 1.0, 1e4]))
def test_a_matrix_of_low_rank_ends_the_steps_early(rank, seed, scale):
    rng = np.random.default_rng(seed)
    W = scale * rng.standard_normal((60, rank)) @ rng.standard_normal((rank, 40))
    found, values = spectra.estimate(W, steps=30, seed=seed), spectra.eigenvalues(W)
    assert found.spectral_norm == pytest.approx(values[-1], rel=1e-3)
    assert 0 < found.effective_rank <= rank + 4 * found.effective_rank_error + 1e-6


def test_more_probes_make_the_error_smaller_as_the_square_root():
    few, many = (spectra.estimate(MATRICES["noise"], probes=n).effective_rank_error for n in (8, 128))
    assert few / 8 < many < few / 2


def test_tensors_and_bad_matrices():
    W = torch.randn(50, 40, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert spectra.estimate(W, steps=20) == spectra.estimate(W.float().numpy(), steps=20)
    W[3, 4] = torch.nan
    for matrix, message in ((W, "1 values that are NaN"), (np.zeros((30, 40)), "zero"), (np.ones(3), "two dim")):
        with pytest.raises(ValueError, match=message):
            spectra.estimate(matrix, steps=20)
    with pytest.raises(ValueError, match="at most 40"):
        spectra.estimate(np.ones((50, 40)), steps=41)
