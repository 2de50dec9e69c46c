"""What stands beside the verdicts on dual weights, on made-up campaigns and spectra whose truth is known."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from dual_campaigns import DECAY, DROPOUT, VALUES, campaign

from weightspace.analysis import dual_spectra_facts as facts
from weightspace.analysis import dual_spectra_tests as rule
from weightspace.analysis.frames import select
from weightspace.display.figures import meeting
from weightspace.experiments.dual_weights.spectra import BASELINE, DUAL


@pytest.fixture(scope="module")
def two_cells():
    """Weight decay is planted where 100 samples were trained on, dropout where 500 were."""
    return pd.concat(
        campaign(direction, size=10.0).assign(train_size=size) for direction, size in ((DECAY, 100), (DROPOUT, 500))
    )


@pytest.fixture(scope="module")
def closeness(two_cells):
    return rule.judge(two_cells, draws=200)[0]


def test_parts_have_their_own_answers_and_changes_are_found(closeness):
    parts = facts.by_part(rule.answers(closeness))
    own = select(parts, method="dual", form="shape").set_index(["part", "value"])["answer"]
    assert own["train_size", "100"] == "weight decay" and own["train_size", "500"] == "dropout"
    assert own["all", ""] == own["position", "first"] == "mixed"
    assert set(facts.changes(parts)["part"]) == {"train_size"} and len(facts.changes(parts)) == 2 * 2


def test_positions_are_distances_in_units_of_that_to_the_baseline(closeness):
    found = facts.positions(closeness)
    decay, dropout = (select(found, train_size=size) for size in (100, 500))
    assert len(found) == 2 * 2 * 2 * 3 and set(decay["answer"]) == {"weight decay"}
    # At equal training loss only: elsewhere the strengths differ, which is a distance of its own.
    equal = select(decay, match="equal training loss")
    assert (equal["weight_decay"].abs() < 0.3).all() and (equal["dropout"] > 1).all()
    assert (select(dropout, match="equal training loss")["dropout"].abs() < 0.3).all()
    figure = meeting.between(found)
    titles = [axis.get_title("left") for axis in figure.get_axes()]
    assert titles == [f"{name}, {form}" for name in ("dual", "dual, stabilized") for form in rule.FORMS]
    assert sum(len(points.get_offsets()) for points in figure.get_axes()[0].collections) == 6
    plt.close(figure)


def test_layers_are_summed_up_over_places(closeness):
    (row,) = select(facts.per_layer(closeness), method="dual", form="scale").to_dict("records")
    assert row["answer"] == "mixed" and set(row["counts"].split(", ")) == {"weight decay 3", "dropout 3"}


def test_a_baseline_taken_for_a_setting_is_seldom_seen():
    frame = pd.concat(campaign(DECAY, seeds=6, random_seed=k).assign(train_size=k) for k in range(1, 11))
    seen, places = facts.negative_control(frame)
    assert places == 20 and seen <= 4


def test_early_stopping_is_as_similar_as_it_was_planted(two_cells):
    """Checkpoints at which gradient descent has the effect that dual weights have at the end, or the opposite one."""
    frame = select(two_cells, train_size=100)
    base = frame[(frame["method"] == BASELINE)]
    dual = select(frame, method="dual", layer=1, part="W")
    for sign, loss in ((1, 0.1), (-1, 0.2)):
        early = base.copy()
        early["update"] = 50 if sign > 0 else 60
        spectra = early["metric"] == "eigenvalues"
        planted = []
        for row in early[spectra].itertuples():
            middle, own = (
                np.frombuffer(content, "<f4").astype(float)
                for content in (row.eigenvalues, select(dual, seed=row.seed)["eigenvalues"].iloc[0])
            )
            planted.append((middle * (own / middle) ** sign).astype("<f4").tobytes())
        early.loc[spectra, "eigenvalues"] = planted
        early.loc[early["inputs"] == "validation", "value"] = loss
        frame = pd.concat([frame, early], ignore_index=True)
    found = facts.early_stopping(frame)
    assert len(found) == 2 * 2 and (found["mean"] > 0.95).all()
    worse = frame.assign(value=frame["value"].where((frame["update"] != 50) | (frame["inputs"] != "validation"), 0.3))
    assert (facts.early_stopping(worse)["mean"] < -0.95).all()


def test_mean_spectra_and_ranks_of_known_matrices():
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(4):
        shared = rng.lognormal(0, 0.1)
        for method in (BASELINE, *DUAL):
            for replicate in range(3 if method == BASELINE else 1):
                for part in ("W",) if method == BASELINE else ("W1", "W2", "W"):
                    values = shared * (np.arange(1, VALUES + 1.0) if method == BASELINE else np.full(VALUES, 2.0))
                    place = {"dataset": "digits", "layers": 2, "train_size": 100, "label_noise": 0.0, "layer": 1}
                    run = {"method": method, "seed": seed, "replicate": replicate, "part": part, "update": 100}
                    spectrum = (values**2).astype("<f4").tobytes()
                    rows.append(place | run | {"metric": "eigenvalues", "eigenvalues": spectrum})
    frame = pd.DataFrame(rows)
    frame = pd.concat([frame, select(frame, method=BASELINE).assign(update=0)], ignore_index=True)
    spectra = facts.mean_spectra(frame)
    line = select(spectra, method=BASELINE, part="W", update=100)
    assert (line["n"] == 4).all()
    np.testing.assert_allclose(line["mean"] / line["mean"].iloc[-1], np.arange(VALUES, 0, -1), rtol=1e-5)
    found = facts.ranks(frame, DUAL).set_index(["metric", "method"])
    squares = np.arange(1, VALUES + 1.0) ** 2
    assert found.loc[("stable rank", "dual"), "mean"] == pytest.approx(VALUES / (squares.sum() / squares.max()))
    assert (found["low"] <= found["mean"]).all()
    images = {method: {part: rng.standard_normal((3, 16)) for part in ("W1", "W2", "W")} for method in DUAL}
    figure = meeting.two_vectors(spectra, images, (4, 4))
    axes = figure.get_axes()
    assert len(axes) == 2 * (1 + 9) and [line.get_label() for line in axes[0].lines][-1] == "W = W1 - W2"
    plt.close(figure)


def test_counts_of_what_is_nearer_and_of_what_is_left_out():
    row = {"than": "gradient_descent", "form": "scale", "near": "dropout", "judged": True, "method": "dual"}
    outcomes = ["for", "for", "against", "undecided"]
    rows = [row | {"outcome": outcome} for outcome in outcomes]
    rows += [
        row | {"outcome": "for"} | other for other in ({"judged": False}, {"form": "shape"}, {"near": "weight_decay"})
    ]
    found = facts.nearer_than_baseline(pd.DataFrame(rows), "scale", near="dropout")
    assert found == {"dual": "2 of 4", "dual_stabilized": "0 of 0"}
    frame = pd.DataFrame({name: [0, 0, 1] for name in rule.CELL} | {"seed": [0, 1, 1]})
    assert facts.left_out(frame, frame[1:]) == (1, 3)
