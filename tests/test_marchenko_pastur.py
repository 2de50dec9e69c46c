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
    np.testing.assert_allclose(x[[0, -1]], mp.edges(Q, 0.7), atol=1e-12)


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
