"""ECE against torchmetrics' values, a plain loop, and what it must be by definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightspace.measures.calibration import expected_calibration_error


def sample(seed, n, classes):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.4), n)
    return p, np.array([rng.choice(classes, p=row) for row in p])


@pytest.mark.parametrize(
    ("seed", "n", "classes", "bins", "expected"),
    [
        (0, 60, 4, 15, 0.195076),
        (0, 60, 4, 10, 0.171847),
        (1, 300, 10, 15, 0.05724),
        (1, 300, 10, 10, 0.045029),
        (2, 2000, 3, 15, 0.016957),
        (2, 2000, 3, 10, 0.015851),
    ],
)
def test_the_values_of_torchmetrics(seed, n, classes, bins, expected):
    """multiclass_calibration_error(..., norm="l1") of torchmetrics 1.9.0, typed from a run."""
    assert expected_calibration_error(*sample(seed, n, classes), bins) == pytest.approx(expected, abs=2e-6)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(2, 6), st.integers(1, 20))
def test_a_plain_loop_over_bins(seed, n, classes, bins):
    p, y = sample(seed, n, classes)
    total = 0.0
    for b in range(bins):
        inside = [i for i in range(n) if b / bins <= max(p[i]) < (b + 1) / bins or (b == bins - 1 and max(p[i]) == 1)]
        if inside:
            accuracy = np.mean([np.argmax(p[i]) == y[i] for i in inside])
            total += len(inside) / n * abs(accuracy - np.mean([max(p[i]) for i in inside]))
    ours = expected_calibration_error(p, y, bins)
    assert ours == pytest.approx(total, abs=1e-12) and 0 <= ours <= 1


def test_certainty():
    """Certain and right: 0. Certain and wrong: 1. Certain and right for a quarter: 3/4."""
    p = np.eye(4)
    assert expected_calibration_error(p, [0, 1, 2, 3]) == 0
    assert expected_calibration_error(p, [1, 2, 3, 0]) == 1
    assert expected_calibration_error(p, [0, 0, 0, 0]) == pytest.approx(0.75)


def test_errors_in_two_bins_do_not_cancel():
    """Confidence .6, always right, and .9, right for half of the time: .4/2 + .4/2, but 0 in a single bin."""
    p = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    assert expected_calibration_error(p, [0, 0, 0, 1]) == pytest.approx(0.4)
    assert expected_calibration_error(p, [0, 0, 0, 1], bins=1) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "y", "bins", "message"),
    [
        ([[2.0, -1.0]], [0], 15, "apply softmax"),
        ([[3.0, 1.0]], [0], 15, "apply softmax"),
        ([[np.nan, 1.0]], [0], 15, "apply softmax"),
        ([[0.5, 0.5]], [0, 1], 15, r"got shapes \(1, 2\) and \(2,\)"),
        (np.empty((0, 3)), [], 15, "got shapes"),
        ([[0.5, 0.5]], [0], 0, "bins must be at least 1"),
    ],
)
def test_bad_input(p, y, bins, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(p, y, bins)
