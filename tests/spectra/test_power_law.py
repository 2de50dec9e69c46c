"""Power-law fits: the exact scan, known exponents, and what is not a power law."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from weightspace import spectra
from weightspace.spectra import marchenko_pastur as mp
from weightspace.spectra import power_law


def plain_scan(x):
    """The definition, one candidate after the other."""
    x = np.sort(x)
    alphas, distances = np.full(len(x) - 1, np.inf), np.ones(len(x) - 1)
    for start, xmin in enumerate(x[:-1]):
        tail = x[start:]
        total = np.log(tail / xmin).sum()
        if total > 0:
            alphas[start] = 1 + len(tail) / total
            law = 1 - (tail / xmin) ** (1 - alphas[start])
            distances[start] = np.abs(law - np.arange(len(tail)) / len(tail)).max()
    return alphas, distances


samples = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=60).filter(lambda x: min(x) < max(x))


@settings(deadline=None)  # the first call compiles
@given(samples, st.integers(0, 2))
def test_the_scan_is_the_definition(values, decimals):
    x = np.round(values, decimals) + 0.001  # rounding makes ties
    if x.min() == x.max():
        return
    found = power_law.scan(x)
    alphas, distances = plain_scan(x)
    np.testing.assert_allclose(found.alpha, alphas, rtol=1e-9)
    np.testing.assert_allclose(found.D, distances, atol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 10, 65, 300, 1000])
@pytest.mark.parametrize("law", ["pareto", "lognormal", "exponential", "ties"])
def test_the_fit_is_the_best_of_the_scan(n, law):
    rng = np.random.default_rng(n)
    x = {
        "pareto": rng.pareto(2, n) + 1,
        "lognormal": rng.lognormal(0, 2, n),
        "exponential": rng.exponential(1, n),
        "ties": np.concatenate([[0.5], rng.integers(1, 6, n - 1)]),
    }[law]
    found, fit = power_law.scan(x), power_law.fit(x, corrected=False)
    best = int(found.D.argmin())
    assert (fit.xmin, fit.alpha, fit.D) == (found.xmin[best], found.alpha[best], found.D[best])
    assert fit.n_tail == n - best and fit.xmax == x.max()


def test_the_first_of_equals_wins():
    # Candidates 137 and 146 have the same D; the second is among the few that are looked at first.
    x = np.repeat(2.0 ** np.arange(5), [79, 63, 1, 5, 1])
    distances = power_law.scan(x).D
    assert distances[137] == distances[146] == distances.min() and power_law.fit(x).n_tail == len(x) - 137


@pytest.mark.parametrize(
    ("values", "message"),
    [([1, 2, np.nan], "finite"), ([0, 1, 2], "above 0"), ([3, 3, 3], "two different"), ([], "two different")],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        power_law.fit(values)


def pareto(rng, n, alpha=3.0):
    return 1 + rng.pareto(alpha - 1, n)


def test_the_scan_is_the_same_in_any_unit_and_order():
    rng = np.random.default_rng(0)
    x = rng.lognormal(0, 2, 300)
    plain, scaled = power_law.fit(x), power_law.fit(rng.permutation(x) * 1e-7)
    assert (scaled.alpha, scaled.D) == pytest.approx((plain.alpha, plain.D), rel=1e-9)
    assert scaled.n_tail == plain.n_tail and scaled.xmin == pytest.approx(plain.xmin * 1e-7)


@pytest.mark.parametrize("alpha", [2.0, 5.0])
def test_the_corrected_alpha_is_right_on_average(alpha):
    rng = np.random.default_rng(1)
    samples = [pareto(rng, 60, alpha) for _ in range(1500)]
    corrected = np.median([power_law.fit(x).alpha for x in samples])
    assert corrected == pytest.approx(alpha, abs=0.02 * (alpha - 1))
    assert np.median([power_law.fit(x, corrected=False).alpha for x in samples]) > alpha + 0.03 * (alpha - 1)


def test_the_correction_is_exact_where_the_tail_is_given():
    # At the smallest value as xmin, all of the sample is tail: the mean of (n - 2) / n (alpha - 1) is then exact,
    # and sigma its standard deviation.
    rng = np.random.default_rng(2)
    n, raw = 12, []
    for _ in range(6000):
        raw.append(power_law.scan(pareto(rng, n)).alpha[0] - 1)
    corrected = np.array(raw) * (n - 2) / n
    assert corrected.mean() == pytest.approx(2, rel=0.03)
    assert corrected.std() == pytest.approx(2 / np.sqrt(n - 3), rel=0.08)


def test_the_corrected_values_follow_from_the_plain_ones():
    x = pareto(np.random.default_rng(3), 80)
    plain, corrected = power_law.fit(x, corrected=False), power_law.fit(x)
    n = plain.n_tail
    assert corrected.alpha - 1 == pytest.approx((plain.alpha - 1) * (n - 2) / n)
    assert corrected.sigma == pytest.approx((corrected.alpha - 1) / np.sqrt(n - 3))
    assert plain.sigma == pytest.approx((plain.alpha - 1) / np.sqrt(n))
    assert (corrected.D, corrected.xmin, corrected.n_tail) == (plain.D, plain.xmin, plain.n_tail)


def test_two_values_have_no_corrected_alpha():
    tiny = power_law.fit([1, np.e])
    assert np.isnan(tiny.alpha) and np.isnan(tiny.sigma)
    assert power_law.fit([1, np.e], corrected=False).alpha == pytest.approx(3)
    assert np.isnan(power_law.interval([1, np.e])).all()


def test_the_interval_covers_alpha_and_the_standard_error_does_not():
    rng = np.random.default_rng(4)
    inside, close = [], []
    for _ in range(60):
        # Half of the values lie below the tail, so that xmin has to be found.
        x = np.concatenate([rng.uniform(0.01, 1, 100), pareto(rng, 100)])
        low, high = power_law.interval(x, replicates=100)
        inside.append(low <= 3 <= high)
        fit = power_law.fit(x)
        close.append(abs(fit.alpha - 3) <= 1.96 * fit.sigma)
    assert np.mean(inside) >= 0.9 and np.mean(close) < np.mean(inside)


def test_the_interval_follows_its_level_and_seed():
    x = pareto(np.random.default_rng(5), 100)
    wide, narrow = power_law.interval(x), power_law.interval(x, level=0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert power_law.interval(x) == wide != power_law.interval(x, seed=1)


def test_the_goodness_of_fit_is_uniform_for_power_laws():
    rng = np.random.default_rng(6)
    p = [power_law.goodness_of_fit(pareto(rng, 100), replicates=40) for _ in range(100)]
    assert 0.35 < np.mean(p) < 0.7
    assert np.mean(np.array(p) < 0.1) < 0.15
    assert np.mean(np.array(p) > 0.5) > 0.35


def test_the_goodness_of_fit_tells_what_is_no_power_law():
    # Two clusters: no start of the tail brings a power law near to them.
    rng = np.random.default_rng(7)
    clusters = np.concatenate([rng.uniform(1, 1.01, 300), rng.uniform(2, 2.01, 300)])
    assert power_law.goodness_of_fit(clusters, replicates=99) == 0.01
    # From an exponential law the search retreats to a short tail; even so p is often small, unlike above.
    p = [power_law.goodness_of_fit(rng.exponential(1, 500), replicates=40) for _ in range(20)]
    assert np.median(p) < 0.3


# powerlaw 1.5 with numpy 2 and scipy 1: Fit(x, xmin=...) and distribution_compare("power_law", other,
# normalized_ratio=True), for 200 values at the quantiles (i + 1/2) / 200 of three laws. It finds its parameters by a
# simplex search that stops about 1e-4 from the best R.
P = (np.arange(200) + 0.5) / 200
LAWS = {"power law": (1 - P) ** (-1 / 1.5), "lognormal": np.exp(0.7 * ndtri(P)), "exponential": 0.2 - np.log(1 - P)}
FITS = {
    "power law": (0, 2.5063794514559943, 0.0033645008566746126, 0.10651711251646052),
    "lognormal": (171, 3.8608511496132505, 0.058608538143767375, 0.5312467217016402),
    "exponential": (174, 4.119275050958275, 0.07816120869005738, 0.611740167426899),
}
RATIOS = {
    ("power law", "lognormal"): [(-0.0582703, 0.953533), (-0.0628802, 0.949862)],
    ("power law", "exponential"): [(2.55459, 0.0106314), (2.39447, 0.0166443)],
    ("lognormal", "lognormal"): [(-0.601997, 0.547176), (-3.84553, 0.000120294)],
    ("lognormal", "exponential"): [(-0.272381, 0.785329), (-3.65287, 0.000259321)],
    ("exponential", "lognormal"): [(-0.78473, 0.432612), (-4.4403, 8.9834e-06)],
    ("exponential", "exponential"): [(-0.892171, 0.372301), (-4.70201, 2.57611e-06)],
}


@pytest.mark.parametrize("law", LAWS)
def test_the_fit_is_that_of_powerlaw(law):
    start, alpha, D, sigma = FITS[law]
    fit = power_law.fit(LAWS[law], corrected=False)
    assert (200 - fit.n_tail, fit.xmin) == (start, LAWS[law][start])
    assert (fit.alpha, fit.D, fit.sigma) == pytest.approx((alpha, D, sigma), rel=1e-11)


@pytest.mark.parametrize(("law", "alternative"), RATIOS)
def test_the_likelihood_ratios_are_those_of_powerlaw(law, alternative):
    for xmin, (R, p) in zip((None, LAWS[law][40]), RATIOS[law, alternative]):
        found = power_law.likelihood_ratio(LAWS[law], alternative, xmin)
        assert found[0] == pytest.approx(R, abs=5e-4)
        assert found[1] == pytest.approx(p, rel=2e-3)


def test_the_lognormal_law_ends_in_a_power_law():
    # Logarithms spread out more than an exponential law: the likelihood rises all the way to the power law.
    x = np.exp(np.random.default_rng(8).weibull(0.6, 200)) + 1e-9
    assert power_law.likelihood_ratio(x, "lognormal", x.min()) == (0.0, 1.0)


def test_an_impossible_comparison_is_named():
    with pytest.raises(ValueError, match="'gamma'"):
        power_law.likelihood_ratio([1, 2, 3], "gamma")
    with pytest.raises(ValueError, match="xmin must be above 0"):
        power_law.likelihood_ratio([1, 2, 3], "lognormal", 0)
    with pytest.raises(ValueError, match="two different values"):
        power_law.likelihood_ratio([1, 2, 3], "lognormal", 3)


def noise_hill(Q):
    """1 + P / int ln(x / median) over the upper half of the Marchenko-Pastur law: the limit of ``hill`` for noise."""
    return 1 + 1 / np.log(mp.quantiles(np.linspace(0.5, 1, 20_001), Q) / mp.quantiles(0.5, Q)).mean()


@pytest.mark.parametrize("Q", [1, 4, 8])
def test_hill_of_noise_is_that_of_its_law(Q):
    rng = np.random.default_rng(9)
    found = [power_law.hill(spectra.eigenvalues(rng.standard_normal((200 * Q, 200)))) for _ in range(8)]
    assert np.mean(found) == pytest.approx(noise_hill(Q), rel=0.02)


@pytest.mark.parametrize("shape", [(200, 200), (200, 900), (1600, 200)])
@pytest.mark.parametrize("aspect_ratio", [1.0, 2.0])
def test_the_fixed_aspect_alpha_does_not_depend_on_the_shape(shape, aspect_ratio):
    W = np.random.default_rng(10).standard_normal(shape)
    found = power_law.fixed_aspect_alpha(W, aspect_ratio=aspect_ratio)
    assert found == pytest.approx(noise_hill(aspect_ratio), rel=0.03)


def test_the_fixed_aspect_alpha_of_a_square_is_hill():
    W = np.random.default_rng(11).standard_normal((40, 40))
    assert power_law.fixed_aspect_alpha(W) == pytest.approx(power_law.hill(spectra.eigenvalues(W)))
    W[:, :3] = 0  # columns without weights are left out
    assert power_law.fixed_aspect_alpha(W) == pytest.approx(power_law.hill(spectra.eigenvalues(W)[3:]))


@pytest.mark.parametrize(("shape", "parts"), [((50, 20), 3), ((20, 60), 3), ((30, 20), 2)])
def test_the_parts_cover_the_matrix(monkeypatch, shape, parts):
    seen = []
    monkeypatch.setattr(power_law, "eigenvalues_of", lambda given: seen.extend(given) or spectra.eigenvalues_of(given))
    W = np.arange(1.0, 1 + np.prod(shape)).reshape(shape) ** 0.3
    alpha = power_law.fixed_aspect_alpha(W)
    assert [part.shape for part in seen] == [(20, 20)] * parts
    assert set(np.concatenate([part.ravel() for part in seen])) == set(W.ravel())
    assert power_law.fixed_aspect_alpha(W, seed=1) != alpha


@pytest.mark.parametrize("aspect_ratio", [0.5, np.nan, 30])
def test_impossible_aspect_ratios_are_named(aspect_ratio):
    with pytest.raises(ValueError, match=f"aspect ratio {aspect_ratio}"):
        power_law.fixed_aspect_alpha(np.ones((40, 20)), aspect_ratio=aspect_ratio)


def test_hill_of_known_values():
    # Half of four values: ln(4 / 2) + ln(8 / 2) over the two above 2.
    assert power_law.hill([8, 1, 2, 4]) == pytest.approx(1 + 2 / np.log(8))
    assert np.isnan(power_law.hill([1, 2, 2, 2]))
