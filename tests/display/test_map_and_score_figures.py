"""Figures of the map and of diversity scores, on numbers that are made up."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from weightspace.analysis.regularizer_effects import MEASURES
from weightspace.analysis.score_ranks import OUTCOMES, RANKS
from weightspace.display import tables
from weightspace.display.figures import regularizer_map, score_ranks
from weightspace.display.figures.regularizer_map import KINDS


@pytest.fixture
def cells():
    rows = [(size, epoch) for size in (500, 2_000, 5_000) for epoch in (1, 40)]
    table = pd.DataFrame(rows, columns=["train_size", "epoch"])
    fitted = [30.0, 100.0, 35.0, 100.0, np.nan, 99.0]
    return table.assign(train_accuracy=fitted, seen=True, kind=list(KINDS))


def test_every_cell_of_the_map_says_what_augmentation_is_like_and_what_was_fitted(cells):
    figure = regularizer_map.kinds(cells)
    (axis,) = figure.axes
    words = {text.get_text() for text in axis.texts}
    assert words == {*KINDS, "fits 30 %", "fits 35 %", "fits 99 %", "fits 100 %", ""}
    colours = [to_hex(tile.get_facecolor()) if tile.get_alpha() else None for tile in axis.patches]
    assert colours == list(KINDS.values())
    assert [label.get_text() for label in axis.get_yticklabels()] == ["500", "2,000", "5,000"]
    plt.close(figure)


def test_similarities_stand_at_what_the_baseline_has_fitted_filled_where_decided(cells):
    measures = MEASURES["folded"]
    table = cells.merge(pd.DataFrame({"to": ["dropout", "weight_decay"]}), how="cross")
    table = table.merge(pd.DataFrame({"measure": measures}), how="cross")
    table["similarity"] = np.where(table["to"] == "dropout", 0.9, -0.2)
    table["outcome"] = np.where(table["to"] == "dropout", "for", "undecided")
    figure = regularizer_map.along_the_fit(table.drop(columns=["train_accuracy", "seen", "kind"]), cells)
    for axis, height, filled in zip(figure.axes, (0.9, -0.2), (True, False), strict=True):
        marks = [line for line in axis.lines if line.get_linestyle() == "None"]
        assert len(marks) == len(measures)
        for mark in marks:
            assert set(mark.get_ydata()) == {height} and (mark.get_markerfacecolor() != "none") == filled
            assert sorted(mark.get_xdata()[np.isfinite(mark.get_xdata())]) == [30, 35, 99, 100, 100]
    plt.close(figure)


@pytest.fixture
def ranked():
    rows = []
    for outcome, found, decision in zip(OUTCOMES, (0.8, 0.6, -0.3), ("for", "undecided", "against"), strict=True):
        for score in ("vendi", "weighted_vendi_per_class"):
            place = (score, "pixels", outcome, 12, 10, 0.9)
            rows.append((*place, found - 0.1, found + 0.1, found, found - 0.05, found + 0.05, 0.01, decision, 0.7))
    names = ["score", "of", "measured", "sets", "n", "reliability", "low_set", "high_set"]
    return pd.DataFrame(rows, columns=[*names, "correlation", "low", "high", "p_holm", "outcome", "detectable"])


def test_rank_correlations_stand_beside_the_threshold_filled_where_decided(ranked):
    figure = score_ranks.ranks(ranked)
    assert [axis.get_title("left") for axis in figure.axes] == list(OUTCOMES)
    for axis, found, filled in zip(figure.axes, (0.8, 0.6, -0.3), (True, False, True), strict=True):
        marks = [line for line in axis.lines if line.get_marker() == "o"]
        assert [mark.get_xdata()[0] for mark in marks] == [found] * 2
        assert all((mark.get_markerfacecolor() != "none") == filled for mark in marks)
        assert RANKS in [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Vendi score, pixels", "weighted Vendi score, pixels, per class"]
    plt.close(figure)


def test_a_correlation_that_could_not_have_been_found_is_none(ranked):
    shown = tables.outcomes.score_ranks(ranked.assign(detectable=[0.7, 1.04, 0.7, 0.7, 0.7, 0.7]))
    assert shown["detectable"].tolist() == ["0.70", "none", "0.70", "0.70", "0.70", "0.70"]
    assert shown["without one set"].iloc[0] == "0.70\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}0.90"


def test_sets_stand_at_their_scores_and_what_became_of_their_networks():
    index = pd.MultiIndex.from_product([["baseline", "flip_crop", "noise50"], [0, 1]], names=["setting", "seed"])
    scores = {("vendi", "pixels"): [1.0, 3, 4, 4, 6, 8]}
    table = pd.DataFrame({"test accuracy": [40.0, 42, 50, 52, 44, 44]} | scores, index=index)
    figure = score_ranks.against(table, list(scores), ["flip_crop"])
    (axis,) = figure.axes
    points, baseline = axis.lines
    assert points.get_xydata().tolist() == [[4, 51], [7, 44]] and baseline.get_xydata().tolist() == [[2, 41]]
    assert [text.get_text() for text in axis.texts] == ["flip and crop"]
    plt.close(figure)
