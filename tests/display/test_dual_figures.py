"""Figures and words of the chapters on dual weights: where the marks lie, and which comparisons are counted."""

from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from weightspace.display import figures, style, tables

METHODS, BASELINES = ("dual", "dual_stabilized"), ("gradient_descent", "l2_0.01", "l2_0.1", "tuned_adam")


@pytest.fixture
def tests():
    """Comparisons whose ratios all differ; those with dual weights are significant, the others are not."""
    cells = list(product(METHODS, BASELINES, ("mnist", "cifar10"), (100, 500)))
    frame = pd.DataFrame(cells, columns=["method", "baseline", "dataset", "train_size"]).assign(layers=2)
    frame["ratio"] = [0.7 + 0.02 * place for place in range(len(frame))]
    significant = frame["method"] == "dual"
    return frame.assign(
        low=0.9 * frame["ratio"], high=1.1 * frame["ratio"], p_holm=significant.map({True: 0.01, False: 1})
    )


def test_a_forest_has_a_panel_per_baseline_and_a_mark_per_comparison(tests):
    figure = figures.curves.ratio_forest(tests, "error ratio")
    panels = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in panels] == [style.METHODS[name].label for name in BASELINES]
    settings = [label.get_text() for label in panels[0].get_yticklabels()]
    assert settings == [f"{name}, 2 layers, n = {size}" for name in ("MNIST", "CIFAR-10") for size in (100, 500)]
    for axis, baseline in zip(panels, BASELINES):
        marks = [line for line in axis.lines if len(line.get_xdata()) == 1 and line.get_marker() in "oD"]
        own = tests[tests["baseline"] == baseline]
        assert sorted(float(line.get_xdata()[0]) for line in marks) == pytest.approx(sorted(own["ratio"]))
        filled = [line.get_color() for line in marks if line.get_markerfacecolor() != "none"]
        assert filled == [style.METHODS["dual"].colour] * 4
    plt.close(figure)


def test_panels_of_a_forest_share_their_axes_if_not_told_otherwise(tests):
    for shared, axes in ((True, 1), (False, len(BASELINES))):
        figure = figures.curves.ratio_forest(tests, "error ratio", shared=shared)
        panels = [axis for axis in figure.axes if axis.get_visible()]
        assert len({axis.get_xlim() for axis in panels}) == axes
        assert len({axis.get_ylim() for axis in panels}) == 1
        plt.close(figure)


def test_a_tally_counts_the_named_baselines_or_all(tests):
    # Of the sixteen ratios of dual weights, 0.70 to 1.00, thirteen are at most 0.95; the others never are significant.
    assert tables.common.tally(tests, "dual") == "13 wins, 3 ties, 0 losses"
    assert tables.common.tally(tests, "dual", "tuned_adam") == "1 win, 3 ties, 0 losses"
    assert tables.common.tally(tests, "dual", "tuned_adam", "l2_0.1") == "5 wins, 3 ties, 0 losses"
    assert tables.common.tally(tests, "dual_stabilized") == "0 wins, 16 ties, 0 losses"
