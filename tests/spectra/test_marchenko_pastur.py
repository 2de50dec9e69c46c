"""The Marchenko-Pastur law against quadrature and known moments, and the fit against simulated matrices."""

import numpy as np
import pytest
from scipy import integrate

from weightspace import spectra
from weightspace.spectra import marchenko_pastur as mp

RATIOS = [1.0, 1.0001, 2.0, 9.0, 1000.0]


def moment(power, Q, sigma):
    # x = center - half cos t takes the square roots out of the integrand.
    low, high = mp.edges(Q, sigma)
    center, half = (low + high) / 2, (high - low) / 2

    def integrand(t):
        x = center - half * np.cos(t)
        return x**power * mp.density(x, Q, sigma) * half * np.sin(t)

    return integrate.quad(integrand, 0, np.pi, epsabs=1e-11)[0]


@pytest.mark.parametrize("Q", [1.0, 2.0, 9.0, 1000.0])
def test_moments_of_the_density(Q):
    sigma = 0.7
    known = [1, 1, 1 + 1 / Q, 1 + 3 / Q + 1 / Q**2]
    for power, value in enumerate(known):
        assert moment(power, Q, sigma) == pytest.approx(value * sigma ** (2 * power), rel=1e-6)


@pytest.mark.parametrize("Q", RATIOS)
def test_the_cdf_is_the_integral_of_the_density(Q):
    low, high = mp.edges(Q, 0.7)
    for x in np.linspace(low, high, 7)[1:]:
        # t = sqrt(x - low) takes away the singularity that the density has at 0 for Q = 1.
        area = integrate.quad(lambda t: 2 * t * mp.density(low + t * t, Q, 0.7), 0, np.sqrt(x - low), limit=200)[0]
        assert mp.cdf(x, Q, 0.7) == pytest.approx(area, abs=1e-8)
    np.testing.assert_allclose(mp.cdf([low - 1, low, high, high + 1], Q, 0.7), [0, 0, 1, 1], atol=1e-12)


@pytest.mark.parametrize("Q", RATIOS)
def test_quantiles_invert_the_cdf(Q):
    p = np.concatenate([[0, 1e-12, 1e-6], np.linspace(0.001, 0.999, 500), [1 - 1e-6, 1]])
    x = mp.quantiles(p, Q, 0.7)
    assert (np.diff(x) >= 0).all()
    np.testing.assert_allclose(mp.cdf(x, Q, 0.7), p, atol=1e-10)
    np.testing.assert_allclose(x[[0, -1]], mp.edges(Q, 0.7), atol=1e-9)


def test_the_tracy_widom_quantiles_are_those_of_the_tables():
    # Published values of the law of order 1, to their four digits.
    known = {0.05: -3.1804, 0.5: -1.2686, 0.9: 0.4501, 0.95: 0.9793, 0.99: 2.0234}
    for level, t in known.items():
        assert mp.tracy_widom_quantile(level) == pytest.approx(t, abs=6e-5)


def test_the_fit_finds_the_noise():
    W = 0.3 * np.random.default_rng(0).standard_normal((900, 300))
    fit = mp.fit(spectra.eigenvalues(W), 900)
    assert fit.sigma == pytest.approx(0.3, rel=0.005) and fit.num_spikes == 0
    assert (fit.N, fit.M, fit.Q) == (900, 300, 3)
    assert fit.lambda_plus == pytest.approx(900 * mp.edges(3, fit.sigma)[1])
    assert fit.D < 0.02


def noise_with_spikes(rng, N, M, strengths, sigma=1.0):
    """Noise plus directions of the given strengths d = s^2 / N, in random orthogonal positions."""
    u, _ = np.linalg.qr(rng.standard_normal((N, len(strengths))))
    v, _ = np.linalg.qr(rng.standard_normal((M, len(strengths))))
    return sigma * rng.standard_normal((N, M)) + (u * np.sqrt(N * np.asarray(strengths, dtype=float))) @ v.T


def spectra_with(N, M, strengths, runs, seed):
    rng = np.random.default_rng(seed)
    return spectra.eigenvalues_of([noise_with_spikes(rng, N, M, strengths) for _ in range(runs)])


@pytest.mark.parametrize(("N", "M"), [(150, 75), (50, 50), (400, 20)])
def test_noise_shows_a_spike_as_often_as_the_level_says(N, M):
    noise = spectra_with(N, M, [], 400, seed=1)
    found = [mp.fit(values, N) for values in noise]
    assert 0.02 < np.mean([fit.num_spikes > 0 for fit in found]) < 0.085  # 0.05 within three standard errors
    often = np.mean([mp.fit(values, N, level=0.5).num_spikes > 0 for values in noise])
    assert often == pytest.approx(0.5, abs=0.1)
    assert np.mean([fit.sigma for fit in found]) == pytest.approx(1, abs=0.003)


def test_a_spike_is_found_where_it_is_above_the_threshold():
    # In singular values: 0.7, 1.3 and 2 times the threshold of Baik, Ben Arous and Peche.
    threshold = mp.bbp_threshold(2)
    rates = [
        np.mean([mp.fit(x, 400).num_spikes > 0 for x in spectra_with(400, 200, [times**2 * threshold], 60, seed=2)])
        for times in (0.7, 1.3, 2)
    ]
    assert rates[0] < 0.2 and rates[1] > 0.75 and rates[2] == 1


def test_a_spike_lies_where_the_theory_says():
    rng = np.random.default_rng(3)
    N, M, sigma = 1200, 400, 0.5
    for strength in (0.5, 2.0):
        top = spectra.eigenvalues(noise_with_spikes(rng, N, M, [strength], sigma))[-1]
        assert top / N == pytest.approx(mp.spike_location(strength, 3, sigma), rel=0.05)
    threshold = mp.bbp_threshold(3, sigma)
    at_and_below = mp.spike_location([threshold, threshold / 2], 3, sigma)
    np.testing.assert_allclose(at_and_below, mp.edges(3, sigma)[1])


def test_all_of_many_spikes_are_found():
    fit = mp.fit(spectra.eigenvalues(noise_with_spikes(np.random.default_rng(4), 400, 200, [3, 4, 6, 10, 20] * 6)), 400)
    assert fit.num_spikes == 30 and fit.sigma == pytest.approx(1, abs=0.015)


def test_a_heavy_tail_is_not_taken_for_spikes_to_the_last():
    fit = mp.fit(np.logspace(-9, 9, 41), 41)
    assert fit.num_spikes == 20 and fit.D > 0.3


def test_the_fit_scales_with_the_weights():
    values = spectra.eigenvalues(noise_with_spikes(np.random.default_rng(5), 90, 60, [5, 8]))
    plain, scaled = mp.fit(values, 90), mp.fit(1e-6 * values[::-1], 90)
    assert scaled.num_spikes == plain.num_spikes == 2 and scaled.D == pytest.approx(plain.D)
    for name, factor in {"sigma": 1e-3, "edge": 1e-6, "lambda_minus": 1e-6, "lambda_plus": 1e-6}.items():
        assert getattr(scaled, name) == pytest.approx(factor * getattr(plain, name))
    x = np.linspace(0, 300, 50)
    np.testing.assert_allclose(scaled.cdf(1e-6 * x), plain.cdf(x), atol=1e-12)
    np.testing.assert_allclose(1e-6 * scaled.density(1e-6 * x), plain.density(x), atol=1e-12)


def test_the_fitted_density_has_the_area_of_the_bulk():
    values = spectra.eigenvalues(noise_with_spikes(np.random.default_rng(6), 90, 60, [5, 8, 9]))
    fit = mp.fit(values, 90)
    area = integrate.quad(fit.density, fit.lambda_minus, fit.lambda_plus)[0]
    assert area == pytest.approx(57 / 60, abs=1e-5) and fit.cdf(1e9) == pytest.approx(57 / 60)
    assert fit.cdf(np.median(values)) == pytest.approx(0.5, abs=0.05)
    assert fit.lambda_minus < values[0] * 1.5 and values[56] < fit.edge < values[57]


def test_matrices_of_one_shape_are_pooled():
    rng = np.random.default_rng(7)
    parts = [noise_with_spikes(rng, 120, 60, [6]) for _ in range(4)]
    fit = mp.fit(np.concatenate(spectra.eigenvalues_of(parts)), 120, matrices=4)
    assert fit.num_spikes == 4 and fit.M == 60 and fit.Q == 2
    assert fit.sigma == pytest.approx(1, abs=0.02)


def test_the_level_holds_for_all_matrices_together():
    noise = np.reshape(spectra_with(60, 30, [], 600, seed=8), (100, 6 * 30))
    spiked = [mp.fit(values, 60, matrices=6, level=0.5).num_spikes > 0 for values in noise]
    assert np.mean(spiked) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("values", "N", "message"),
    [
        ([1, 2], 5, "at least 3"),
        ([0, 1, 2], 5, "leave out"),
        ([1, 2, np.nan], 5, "finite"),
        ([1, 2, 3, 4], 3, "larger side"),
    ],
)
def test_bad_spectra_are_named(values, N, message):
    with pytest.raises(ValueError, match=message):
        mp.fit(values, N)


@pytest.mark.parametrize("call", [mp.edges, mp.bbp_threshold, lambda *a: mp.cdf(1, *a), lambda *a: mp.density(1, *a)])
@pytest.mark.parametrize("arguments", [(0.5, 1), (2, 0), (2, np.nan), (np.inf, 1)])
def test_impossible_parameters_are_named(call, arguments):
    with pytest.raises(ValueError, match="Q = N / M >= 1"):
        call(*arguments)


def test_impossible_probabilities_are_named():
    with pytest.raises(ValueError, match="between 0 and 1"):
        mp.quantiles([0.5, 1.1], 2)
    with pytest.raises(ValueError, match="level"):
        mp.tracy_widom_edge(20, 10, level=1.0)
