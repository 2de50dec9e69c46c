"""Spectra of dual weights: what is on record is what the networks have, and nothing is shared between seeds."""

import numpy as np
import pandas as pd
import pytest

from weightspace import experiments
from weightspace.analysis import dual_spectra_tests
from weightspace.analysis.frames import select
from weightspace.campaigns.configuration import with_changes
from weightspace.experiments.dual_weights import protocol, spectra
from weightspace.training.online.networks import OnlineNetworks

pytestmark = pytest.mark.usefixtures("fresh_problems")


def group(label_noise=0.0, dataset="digits", layers=2):
    plan = experiments.planned("dual_spectra", "quick", 1, {"turns": 1, "updates_per_turn": 240}).values()
    return [c for c in plan if (c.dataset, c.layers, c.label_noise) == (dataset, layers, label_noise)]


def test_the_plan_at_the_papers_scale_shares_nothing_between_seeds():
    plan = list(experiments.planned("dual_spectra").values())
    cells = pd.DataFrame([(c.dataset, c.layers, c.train_size, c.label_noise, c.seed) for c in plan])
    assert len(plan) == 36 * 20 * 16 and cells.value_counts().eq(16).all()
    assert all(len({c.subset_seed for c in plan if c.seed == seed}) == 1 for seed in range(20))
    assert len({c.subset_seed for c in plan}) == 20
    assert {c.replicate for c in plan if c.method == spectra.BASELINE} == {0, 1, 2}
    assert {c.replicate for c in plan if c.method != spectra.BASELINE} == {0}


def test_spectra_and_outcomes_are_those_of_the_networks():
    runs = [c for c in group() if c.method in ("dual", "gradient_descent")]
    frame = spectra.compute(runs, "cpu")
    sets = spectra.parts(runs[0], protocol.load_problem("digits"))
    for configuration in runs:
        networks = OnlineNetworks((64, 20, 10), [configuration.method], [0], task="classification")
        order = protocol.sample_order(0, configuration.replicate, np.arange(100), 240)
        networks.train(*sets["train"], order[None])
        own = select(frame, run_key=configuration.run_key, update=240)
        for layer, (w1, w2, _) in enumerate(networks.layers(0), 1):
            parts = {"W": w1 - w2} | ({"W1": w1, "W2": w2} if configuration.method == "dual" else {})
            assert set(select(own, layer=layer, metric="eigenvalues")["part"]) == set(parts)
            for part, matrix in parts.items():
                (content,) = select(own, layer=layer, part=part, metric="eigenvalues")["eigenvalues"]
                expected = np.linalg.svd(matrix, compute_uv=False)[::-1] ** 2
                np.testing.assert_allclose(np.frombuffer(content, "<f4"), expected, rtol=2e-4, atol=1e-6)
        for name, (x, y) in sets.items():
            (accuracy,) = select(own, layer=0, inputs=name, metric="accuracy_percent")["value"]
            assert accuracy == pytest.approx(100 * networks.score(x, y)[0])
    orders = select(frame, method="gradient_descent", update=240, layer=1, metric="eigenvalues")["eigenvalues"]
    starts = select(frame, update=0, layer=1)["eigenvalues"]
    assert len(set(orders)) == 3 and len(set(starts)) == 1  # replicates differ in the order and in nothing else


def test_an_early_checkpoint_is_a_shorter_training():
    """So that early stopping can be read off the checkpoints of gradient descent."""
    (whole,) = [c for c in group() if c.method == "gradient_descent" and c.replicate == 1]
    short = with_changes(whole, {"checkpoints": (1 / 6,)})
    columns = ["update", "layer", "part", "inputs", "metric", "value"]
    found = [spectra.compute([c], "cpu")[columns] for c in (whole, short)]
    early = found[0][found[0]["update"].isin((0, 40))].reset_index(drop=True)
    assert len(early) > 10
    pd.testing.assert_frame_equal(early, found[1], rtol=1e-4)  # weights are rounded to float32 at a checkpoint


def test_rows_to_choose_on_and_to_test_on_are_unseen_and_apart():
    problem = protocol.load_problem("digits")
    sets = spectra.parts(group()[0], problem)
    rows = {name: {row.tobytes() for row in x} for name, (x, _) in sets.items()}
    assert len(sets["validation"][0]) == len(sets["test"][0]) == 100
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not rows[a] & rows[b]
    noisy = spectra.parts(group(label_noise=0.4)[0], problem)
    np.testing.assert_array_equal(noisy["train"][0], sets["train"][0])
    np.testing.assert_array_equal(noisy["test"][1], sets["test"][1])
    assert (noisy["train"][1] != sets["train"][1]).mean() == pytest.approx(0.4, abs=0.03)
    with pytest.raises(ValueError, match="test_rows: digits has .* unseen rows, got 2,000"):
        spectra.parts(with_changes(group()[0], {"test_rows": 2000}), problem)


def test_outcomes_by_hand():
    assert spectra.outcomes(np.array([[1.0], [3.0]]), np.array([0.0, 1.0]), "regression") == {"loss": 2.5e4}
    found = spectra.outcomes(np.array([[0.0, 0.0], [np.log(3), 0.0]]), np.array([0, 1]), "classification")
    assert found["loss"] == pytest.approx((np.log(2) + np.log(4)) / 2) and found["accuracy_percent"] == 50


def test_a_network_that_diverges_is_on_record_as_that_and_its_seed_is_left_out():
    runs = [with_changes(c, {"lr": 0.5}) for c in group(dataset="diabetes") if c.method in ("dual", "gradient_descent")]
    with np.errstate(all="ignore"):
        frame = spectra.compute(runs, "cpu")
    broken = select(frame, metric="diverged")
    assert len(broken) and np.isfinite(frame["value"]).all() and (broken["layer"] == 0).all()
    last = frame[frame["update"] == 240]
    for key, own in last.groupby("run_key"):
        assert (set(own["metric"]) == {"diverged"}) == (key in set(broken["run_key"]))
    other = frame.assign(seed=1)
    both = pd.concat([frame, other[other["metric"] != "diverged"]])
    assert dual_spectra_tests.whole_seeds(both)["seed"].unique().tolist() == [1]
    assert dual_spectra_tests.whole_seeds(other[other["metric"] != "diverged"]).equals(
        other[other["metric"] != "diverged"]
    )
