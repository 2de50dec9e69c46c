"""Figures and tables of the controls, on numbers that are made up."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from overfit_campaigns import MEASURE, campaign, planted

from weightspace.analysis import regularizer_facts
from weightspace.analysis.regularizer_controls import QUESTIONS
from weightspace.display import tables
from weightspace.display.figures import controls
from weightspace.names import CONTROL_LABELS


@pytest.fixture(scope="module")
def table():
    """One row per control and category; a number that is not known, and one far outside."""
    rows = []
    for control, question in QUESTIONS.items():
        for k, category in enumerate(("augmentation", "dropout", "weight_decay")):
            number, outcome = (question.threshold + 0.4, "for") if k == 0 else (question.threshold - 0.2, "undecided")
            rows.append((control, "folded", MEASURE, category, 5, number, number - 0.1, number + 0.1, 0.5, outcome))
    names = ["control", "set", "measure", "category", "n", "number", "low", "high", "p_holm", "outcome"]
    table = pd.DataFrame(rows, columns=names)
    table["threshold"] = table["control"].map(lambda name: QUESTIONS[name].threshold)
    table["explanation"] = np.where(
        table["outcome"] == "for", table["control"].map(lambda name: QUESTIONS[name].above or ""), ""
    )
    table.loc[table["control"] == "half_lr", "number"] = [np.nan, 12.0, 0.4]
    return table.assign(detectable=table["threshold"] + 0.3)


def test_every_control_has_a_panel_with_its_threshold_and_its_numbers(table):
    figure = controls.answers(table)
    panels = {axis.get_title("left").replace("\n", " "): axis for axis in figure.axes}
    assert list(panels) == list(CONTROL_LABELS.values()) or set(panels) == set(CONTROL_LABELS.values())
    for control, question in QUESTIONS.items():
        axis = panels[CONTROL_LABELS[control]]
        dotted = [
            line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":" and len(line.get_xdata()) > 1
        ]
        assert question.threshold in dotted
        words = " ".join(text.get_text() for text in axis.texts)
        assert all(side in words for side in (question.above or "half or more", question.below or "less than half"))
    axis = panels[CONTROL_LABELS["label_noise"]]
    marks = [line for line in axis.lines if len(line.get_xdata()) == 1]
    assert [mark.get_xdata()[0] for mark in marks] == pytest.approx([0.9, 0.3, 0.3])
    assert [mark.get_markerfacecolor() == "none" for mark in marks] == [False, True, True]
    plt.close(figure)


def test_a_number_far_outside_stands_at_the_edge_as_an_arrow_and_an_unknown_one_nowhere(table):
    figure = controls.answers(table)
    (axis,) = (axis for axis in figure.axes if axis.get_title("left") == CONTROL_LABELS["half_lr"])
    marks = {line.get_marker(): line.get_xdata()[0] for line in axis.lines if len(line.get_xdata()) == 1}
    assert marks == {">": axis.get_xlim()[1], "^": 0.4}
    plt.close(figure)


def test_sizes_are_those_that_were_planted_and_stand_against_gain_and_delay():
    frame = campaign(planted(0.9, size=3.0))
    fits = [
        (seed, s, c, r, 0.5)
        for seed, s, c, r in frame[["seed", "setting", "category", "replicate"]]
        .drop_duplicates()
        .itertuples(index=False)
    ]
    trained = pd.DataFrame(fits, columns=["seed", "setting", "category", "replicate", "value"])
    trained = trained.assign(layer=0, inputs="train", metric="accuracy_percent", epoch=40, dataset="cifar10")
    found = regularizer_facts.sizes(pd.concat([frame, trained]), [MEASURE])
    # Against the mean of three baselines, in units of the spread of all of them, which holds that of the seeds.
    by_category = found.groupby("category")["size"].mean()
    assert by_category["dropout"] == pytest.approx(by_category["augmentation"], rel=0.1)
    assert 1.5 < by_category["dropout"] < 3 and abs(by_category["combined"]) < 0.5
    figure = controls.sizes(found, ["dropout_0.1"])
    assert [[text.get_text() for text in axis.texts] for axis in figure.axes] == [["dropout 0.1"]] * 2
    plt.close(figure)


def test_the_table_says_for_which_explanation_a_number_speaks(table):
    shown = tables.regularizers.controls(table)
    own = shown[shown["control"] == CONTROL_LABELS["equal_loss"]]
    assert own["outcome"].tolist() == ["regularization", "undecided", "undecided"]
    assert own["of"].tolist() == ["augmentation", "dropout", "weight decay"]
