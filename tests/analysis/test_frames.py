"""Summaries that chapters share, on tables whose truth is known."""

import pandas as pd
import pytest

from weightspace.analysis import frames


def test_a_gain_is_a_ratio_in_percent_with_the_ends_of_its_interval_exchanged():
    rows = [
        {"dataset": "mnist", "layers": 2, "train_size": 100, "seed": seed, "method": method, "value": error}
        for seed, ratio in enumerate((0.8, 0.9, 1.0))
        for method, error in (("dual", 20 * ratio), ("gradient_descent", 20.0))
    ]
    compared = pd.DataFrame(rows), "dual", ["gradient_descent"]
    mean, low, high = frames.overall_ratio(*compared)
    gain, least, most = frames.overall_gain(*compared)
    assert gain == pytest.approx(100 * (1 - (0.8 * 0.9 * 1.0) ** (1 / 3)))
    assert (least, most) == pytest.approx((100 * (1 - high), 100 * (1 - low))) and least < gain < most
    assert low < mean < high


@pytest.mark.parametrize(("inside", "expected"), [([True] * 18 + [False] * 2, 19), ([], 0)])
def test_reported_values_are_counted_also_where_there_are_none(inside, expected):
    counts = {"inside": sum(inside), "reported": len(inside), "expected": expected}
    assert frames.count_inside(pd.DataFrame({"inside": inside})) == counts
