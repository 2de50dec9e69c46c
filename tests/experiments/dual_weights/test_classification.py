"""The classification experiments: what they load, which rows they see, and the numbers they are judged by."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from weightspace import claims, data, experiments
from weightspace.analysis import frames, instability_facts
from weightspace.campaigns import records
from weightspace.campaigns.configuration import with_changes
from weightspace.data import Dataset, sampling
from weightspace.display import tables
from weightspace.display.figures import illustrations
from weightspace.dual.methods import PAPER_METHODS
from weightspace.experiments.dual_weights import classification_tuned, curves, protocol, tuning
from weightspace.experiments.dual_weights import imbalance as dual_imbalance
from weightspace.experiments.dual_weights import instability as dual_instability
from weightspace.experiments.dual_weights import neurons as dual_neurons
from weightspace.training.online.networks import OnlineNetworks
from weightspace.training.online.reference import network

pytestmark = pytest.mark.usefixtures("results", "fresh_problems")


def fake_images(monkeypatch, name, rows, shape):
    rng = np.random.default_rng(0)
    x, test_x = rng.integers(0, 256, (rows, *shape), np.uint8), rng.integers(0, 256, (20, *shape), np.uint8)
    y, test_y = np.arange(rows) % 10, np.arange(20) % 10
    dataset = Dataset(name, "classification", x, y, test_x, test_y, (), "digest", "canonical", "")
    monkeypatch.setattr(protocol.data, "load", lambda wanted: dataset)
    return dataset


@pytest.mark.parametrize(
    ("name", "rows", "shape", "kept"),
    [
        ("mnist", 5_030, (2, 2), slice(5_000, None)),
        ("fashion_mnist", 40, (2, 2), slice(None)),
        ("cifar10", 10_020, (2, 2, 3), slice(0, 10_000)),
    ],
)
def test_images_are_the_rows_and_the_scale_of_the_released_code(monkeypatch, name, rows, shape, kept):
    raw = fake_images(monkeypatch, name, rows, shape)
    problem = protocol.load_problem(name)
    expected = raw.x[kept].reshape(len(raw.y[kept]), -1) / 255
    np.testing.assert_allclose(problem.x, expected, atol=1e-7)
    np.testing.assert_array_equal(problem.y, raw.y[kept])
    if len(shape) == 3:  # height, width, channel: neighbours in memory are the colours of one pixel
        np.testing.assert_allclose(problem.x[0, :3], raw.x[0, 0, 0] / 255, atol=1e-7)
    np.testing.assert_allclose(problem.unseen(np.arange(5))[0], raw.test_x.reshape(20, -1) / 255, atol=1e-7)
    noisy = problem.noisy(problem.x, 0, 0.3)
    assert noisy.min() == 0 and noisy.max() == 1 and noisy.dtype == np.float32
    np.testing.assert_array_equal(problem.values(np.array([0.25])), [25.0])


def test_the_quick_scale_fills_the_contract():
    assert experiments.run("dual_classification", "quick", progress=False) == 30
    frame = records.load("dual_classification", "quick")
    assert len(frame) == 30 * 7 and set(frame["method"]) == set(PAPER_METHODS)
    assert set(frame["metric"]) == {"accuracy_percent"} and set(frame["task"]) == {"classification"}
    assert frame["value"].between(0, 100).all()
    gd = frames.select(frame, method="gradient_descent", test_inputs="clean")
    assert gd[gd["turn"] == 6]["value"].mean() > 15 + gd[gd["turn"] == 1]["value"].mean()  # it learns


def test_configurations_at_paper_scale_are_the_papers():
    plan = list(experiments.planned("dual_classification").values())
    assert len(plan) == 3 * 2 * 3 * 5 * 20
    assert {c.lr for c in plan} == {1e-3} and {c.subset_seed for c in plan} == {5}
    assert {(c.layers, c.hidden) for c in plan} == {(2, (20,)), (3, (64, 32))}
    instability = list(experiments.planned("dual_instability").values())
    assert len({c.seed for c in instability}) >= 50
    assert {(c.dataset, c.layers, c.train_size) for c in instability} == {("cifar10", 2, 500)}
    sparse = {c.train_size for c in experiments.planned("dual_sparse").values()}
    assert min(sparse) == 50 and max(sparse) == 5000
    noise = {c.label_noise for c in experiments.planned("dual_noise").values()}
    assert min(noise) == 0 and max(noise) == 0.6


def test_weighted_and_shifted_losses_are_those_of_torch():
    rng = np.random.default_rng(0)
    x, y, order = rng.normal(size=(30, 6)), rng.integers(0, 3, 30), rng.integers(0, 30, 300)
    weights, shifts = np.array([0.5, 1.0, 3.0]), np.log([0.7, 0.2, 0.1])
    networks = OnlineNetworks(
        (6, 5, 3),
        ["gradient_descent"] * 2,
        [1, 1],
        task="classification",
        lr=0.05,
        class_weights=[weights, np.ones(3)],
        logit_shifts=[np.zeros(3), shifts],
        dtype=np.float64,
    )
    losses = [
        lambda z, label: torch.nn.functional.cross_entropy(z, label, torch.from_numpy(weights), reduction="sum"),
        lambda z, label: torch.nn.functional.cross_entropy(z + torch.from_numpy(shifts), label),
    ]
    models = [network(networks, run) for run in range(2)]
    networks.train(x, y, np.stack([order, order]))
    for model, loss, outputs in zip(models, losses, networks.predict(x)):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for index in order.tolist():
            optimizer.zero_grad()
            loss(model(torch.from_numpy(x[index : index + 1])), torch.from_numpy(y[index : index + 1])).backward()
            optimizer.step()
        np.testing.assert_allclose(outputs, model(torch.from_numpy(x)).detach(), atol=1e-9)
    with pytest.raises(ValueError, match="class_weights must be finite"):
        OnlineNetworks((6, 3), ["dual"], [0], task="classification", class_weights=[[1, 1]])


# --- imbalance


@pytest.mark.parametrize("ratio", [1, 10, 100])
def test_long_tails_keep_the_total_and_the_ratio(ratio):
    y = np.repeat(np.arange(10), 2000)
    problem = protocol.Problem("classification", np.zeros((len(y), 1)), y, 10, None, None, "accuracy_percent", {})
    indices, classes = dual_imbalance.long_tail(problem, 500, ratio, np.random.default_rng(3))
    counts = np.bincount(y[indices], minlength=10)[classes]  # from the most frequent to the rarest
    assert (np.diff(counts) <= 0).all() and abs(counts.sum() - 500) <= 5
    assert counts[0] / counts[-1] == pytest.approx(ratio, rel=0.25)
    assert sorted(classes) == list(range(10)) and len(set(indices)) == len(indices)


def test_class_weights_have_mean_one_over_the_samples_and_recalls_are_those_of_the_classes():
    configuration = next(c for c in experiments.planned("dual_imbalance", "quick").values() if c.imbalance_ratio == 10)
    group = [with_changes(configuration, {"method": method}) for method in dual_imbalance.METHODS]
    frame = dual_imbalance.compute(group, "cpu")
    problem = protocol.load_problem("digits")
    rng = np.random.default_rng([configuration.seed, protocol.SPLIT_STREAM])
    indices, classes = dual_imbalance.long_tail(problem, 100, 10, rng)
    networks = protocol.train_seed(configuration, problem, indices, ["dual"], lr=1e-3)
    x, y = problem.unseen(indices)
    answer = networks.predict(x)[0].argmax(axis=1)
    recall = np.array([100 * (answer[y == k] == k).mean() for k in range(10)])
    own = frame[frame["method"] == "dual"].set_index("metric")["value"]
    assert own["balanced_accuracy_percent"] == pytest.approx(recall.mean(), abs=1e-4)
    assert own["minority_recall_percent"] == pytest.approx(recall[classes[-3:]].mean(), abs=1e-4)
    share = np.bincount(problem.y[indices], minlength=10) / len(indices)
    assert (share * (1 / (10 * share))).sum() == pytest.approx(1)
    rare = frame[frame["metric"] == "minority_recall_percent"].set_index("method")["value"]
    assert rare["gradient_descent_adjusted"] >= rare["gradient_descent"]


# --- noise


def test_copies_of_a_row_get_the_same_wrong_label(monkeypatch):
    seen = {}
    original = protocol.train_seed

    def watch(configuration, problem, indices, methods, labels=None, **options):
        seen[configuration.label_noise] = (indices, labels, problem.y[indices])
        return original(configuration, problem, indices, methods, labels=labels, **options)

    monkeypatch.setattr(curves, "train_seed", watch)
    experiments.run("dual_noise", "quick", seeds=1, progress=False)
    indices, labels, right = seen[0.4]
    assert pd.Series(labels).groupby(indices).nunique().max() == 1 and len(set(indices)) < len(indices)
    distinct = pd.DataFrame({"row": indices, "wrong": labels != right}).drop_duplicates()
    assert distinct["wrong"].mean() == pytest.approx(0.4, abs=0.01)
    assert (seen[0.0][1] == seen[0.0][2]).all()
    frame = experiments.load("dual_noise", "quick", 1)
    assert set(frame[frame["label_noise"] == 0]["input_noise"]) == set(curves.INPUT_NOISE)
    assert set(frame[frame["label_noise"] > 0]["input_noise"]) == {0.0}


# --- instability


def test_falls_and_fluctuations_of_known_series():
    rows = []
    for seed, values in enumerate(([20, 30, 24, 28, 27, 25], [10, 11, 12, 13, 14, 15])):
        for turn, value in enumerate(values, start=1):
            common = {"inputs": "as published", "method": "dual", "seed": seed, "unit": -1, "updates": 100 * turn}
            rows.append(common | {"metric": "accuracy_percent", "value": float(value)})
            rows.append(common | {"metric": "step_gain", "value": 0.1 * turn})
    frame = pd.DataFrame(rows)
    falls = instability_facts.drawdowns(frame)
    assert falls["fall"].tolist() == [6.0, 0.0] and falls["below_best"].tolist() == [5.0, 0.0]
    restless = instability_facts.fluctuations(frame)
    assert restless["change"].tolist() == [pytest.approx((4 + 1 + 2) / 3), 1.0]
    assert restless["step_gain"].tolist() == [pytest.approx(0.45)] * 2
    shown = tables.common.falls(falls, (2, 7))
    assert shown["runs that fall 2 points or more"].iloc[0].startswith("1 of 2 ")
    assert shown["runs that fall 7 points or more"].iloc[0].startswith("0 of 2 ")


@pytest.mark.parametrize("method", ["gradient_descent", "dual", "dual_stabilized"])
def test_the_step_gain_is_what_an_update_does_to_its_own_output(method):
    """Bias and weights of the output layer move z of the same sample by -gain * g, but for the decay of the weights."""
    plan = protocol.protocol_configurations("x", "quick", ("digits",), 1, (method,))
    runs = protocol.ProtocolRuns([c for c in plan if c.layers == 2])
    runs.train_turn()
    runs.train_indices = runs.train_indices[:1]
    gain = frames.select(dual_instability.unit_statistics(runs, 0), layer=2)["step_gain"].to_numpy()
    x, y = runs.problem.x[runs.train_indices], runs.problem.y[runs.train_indices]
    (w1, w2, b), (v1, v2, c) = [tuple(part.copy() for part in layer) for layer in runs.networks.layers(0)]
    h = np.maximum(x[0] @ (w1 - w2).T + b, 0)
    z = (v1 - v2) @ h + c
    g = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    g[y[0]] -= 1
    runs.networks.train(x, y, np.zeros((1, 1), int))
    (_, _, _), (n1, n2, _) = runs.networks.layers(0)
    active = np.where((g < 0)[:, None], v1, -v2)
    rate = gain * np.abs(g) / (h @ h + 1)
    moved = (n1 - n2) @ h - (v1 - v2) @ h
    if method != "gradient_descent":
        moved = moved + rate * (active @ h)  # without the decay of the active component
    np.testing.assert_allclose(moved, -rate * np.sign(g) * (h @ h), rtol=2e-2, atol=2e-5)
    if method != "dual_stabilized":
        np.testing.assert_allclose(gain, 1e-3 * (h @ h + 1), rtol=1e-5)


# --- what the neurons learned


def test_numbers_of_weight_images_have_their_closed_forms():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(50, 28 * 28))
    silent = np.zeros(784, bool)
    silent[:100] = True
    noise = dual_neurons.describe_weights(0.5 * start, start, silent)
    assert noise["silent_rms"] == pytest.approx(0.5)
    assert noise["roughness"] == pytest.approx(1, abs=0.03)
    assert noise["noise_gain"] == pytest.approx(784 / 4, rel=0.02)
    flat = dual_neurons.describe_weights(np.ones((3, 784)), start[:3], silent)
    assert flat["roughness"] == 0 and flat["noise_gain"] == 784
    board = np.indices((28, 28)).sum(0) % 2 * 2.0 - 1  # every neighbour has the other sign: (2)^2 / 2 = 2
    assert dual_neurons.describe_weights(board.reshape(1, -1), start[:1], silent)["roughness"] == pytest.approx(2)
    assert np.isnan(dual_neurons.describe_weights(start, start, ~silent & silent)["silent_rms"])


# --- tuned baselines


def test_judge_is_error_then_cross_entropy():
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(size=(12, 4)), rng.integers(0, 4, 12)
    error, loss = tuning.score_outputs(outputs, labels)
    assert error == pytest.approx(100 * (outputs.argmax(1) != labels).mean())
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(outputs), torch.from_numpy(labels))
    assert loss == pytest.approx(float(expected))
    diverged = tuning.score_outputs(np.full((12, 4), np.nan), labels)
    assert diverged > (error, loss) and diverged == (np.inf, np.inf)


@pytest.mark.parametrize("dataset", classification_tuned.DATASETS["paper"])
def test_every_tuned_classifier_has_the_same_budget_and_is_judged(dataset):
    tuned = classification_tuned.candidates(dataset)
    assert {len(set(group)) for group in tuned.values()} == {tuning.BUDGET}
    assert set(claims.dual_weights.TUNED_CLASSIFIERS) < set(tuned)


def test_the_deep_classifiers_have_the_same_budget_and_are_judged():
    for group in (classification_tuned.DEEP, classification_tuned.NOISY_DEEP):
        assert {len(set(own)) for own in group.values()} == {tuning.BUDGET}
    assert set(claims.dual_weights.DEEP_BASELINES) < set(classification_tuned.DEEP)
    known = {*claims.dual_weights.AGAINST_WRONG_LABELS, *claims.dual_weights.AGAINST_WRONG_LABELS.values()}
    assert known <= {*classification_tuned.NOISY_DEEP, *tuning.UNTUNED}
    plan = experiments.planned("dual_classification_deep").values()
    cells = {(c.dataset, c.train_size, c.label_noise) for c in plan}
    assert len(cells) == 6 + 4 and len(plan) == 8 * 10 and {c.layers for c in plan} == {3}


def test_wrong_labels_are_on_training_rows_only_and_those_of_the_noise_experiment(monkeypatch):
    (tuned,) = (c for c in experiments.planned("dual_classification_deep", "quick", 1).values() if c.label_noise)
    (curve, *_) = (c for c in experiments.planned("dual_noise", "quick", 1).values() if c.label_noise == 0.4)
    problem = protocol.load_problem("digits")
    noisy = classification_tuned.with_wrong_labels(tuned, problem)
    rows = np.unique(sampling.paper_training_indices(len(problem.x), tuned.train_size, tuned.subset_seed))
    wrong = np.flatnonzero(noisy.y != problem.y)
    assert set(wrong) <= set(rows) and len(wrong) == round(0.4 * len(rows))
    seen = {}
    monkeypatch.setattr(curves, "train_seed", lambda *_, labels, **__: seen.update(labels=labels) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        curves.compute([curve], "cpu")
    indices = sampling.paper_training_indices(len(problem.x), curve.train_size, curve.subset_seed)
    np.testing.assert_array_equal(seen["labels"], noisy.y[indices])


def test_class_weights_scale_both_rates_of_dual_weights():
    """The move of w1 and w2 is that without weights, times the weight of the sample's class."""
    x, y, weights = np.random.default_rng(0).normal(size=(1, 6)), np.array([2]), [[1.0, 1.0, 2.5], [1.0, 1.0, 1.0]]
    networks = OnlineNetworks(
        (6, 4, 3), ["dual"] * 2, [0] * 2, task="classification", class_weights=weights, dtype=np.float64
    )
    start = networks.w1[0].copy()
    networks.train(x, y, np.zeros((2, 1), int))
    np.testing.assert_allclose(networks.w1[0] - start, 2.5 * (networks.w1[1] - start), atol=1e-12)
    np.testing.assert_allclose(networks.w2[0], 2.5 * networks.w2[1], atol=1e-12)


def test_tuning_looks_at_training_rows_only(monkeypatch):
    """Wrecking the test part must not change what is chosen, only how it scores."""
    few = {name: tuple(classification_tuned.TUNED[name]) for name in ("tuned_lr", "tuned_adam")}
    configuration = next(
        iter(experiments.planned("dual_classification_tuned", "quick", 1, {"candidates": few}).values())
    )
    honest = classification_tuned.compute([configuration], "cpu")
    problem = protocol.load_problem("digits")
    subset = sampling.paper_training_indices(len(problem.x), 100, configuration.subset_seed)
    wrecked = problem.y.copy()
    unseen = sampling.left_out(len(problem.x), subset)
    wrecked[unseen] = (wrecked[unseen] + 1) % 10
    monkeypatch.setattr(classification_tuned, "load_problem", lambda name: replace(problem, y=wrecked))
    blind = classification_tuned.compute([configuration], "cpu")
    columns = ["method", "test_inputs", "chosen", "chosen_lr", "validation_value", "train_value"]
    pd.testing.assert_frame_equal(honest[columns], blind[columns])
    assert (honest["value"] > blind["value"]).all()


def test_errors_of_accuracies_and_of_squared_errors():
    frame = pd.DataFrame(
        {"metric": ["accuracy_percent", "mse_x1e4", "minority_recall_percent"], "value": [90.0, 7, 20]}
    )
    assert frames.with_error(frame)["error"].tolist() == [10, 7, 80]


def test_pictures_of_noise_are_the_noise_of_the_tests():
    """Clean at 0, within the range of images, and farther from the clean ones the stronger the noise."""
    images = illustrations.noisy_digits([0.0, 0.1, 0.3], number=3)
    assert images.shape == (3, 3, 28, 28) and images.min() == 0 and images.max() == 1
    # Magnified pictures are as bright as the small ones.
    np.testing.assert_allclose(images[0].mean(axis=(1, 2)), data.load("digits").x[:3].mean(axis=(1, 2)) / 16, rtol=0.02)
    distance = np.abs(images - images[0]).mean(axis=(1, 2, 3))
    assert distance[0] == 0 < distance[1] < distance[2]
    inside = (images[2] > 0) & (images[2] < 1) & (images[1] > 0) & (images[1] < 1)
    np.testing.assert_allclose((images[2] - images[0])[inside], 3 * (images[1] - images[0])[inside], rtol=1e-4)
