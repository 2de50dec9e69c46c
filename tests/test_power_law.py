"""Power-law fits: the exact scan, known exponents, and what is not a power law."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("values", "message"),
    [([1, 2, np.nan], "finite"), ([0, 1, 2], "above 0"), ([3, 3, 3], "two different"), ([], "two different")],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        power_law.fit(values)
