"""The compiled online kernel against the plain PyTorch loop, closed forms and its own contract."""

import numpy as np
import pytest
import torch

from weightspace.dual.methods import PAPER_METHODS, Method, parse_method
from weightspace.training.online.networks import OnlineNetworks
from weightspace.training.online.reference import network, train_reference

METHODS = (*PAPER_METHODS, "l2_squared_0.05", "dropout_0.3")


def problem(task, n_in, n_out, n=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, n_in))
    if task == "regression":
        return x, np.tanh(x[:, 0]) - 0.5 * x[:, 1] + 0.1 * rng.normal(size=n)
    return x, rng.integers(0, n_out, n)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        ("regression", (8, 20, 1)),
        ("regression", (8, 12, 9, 1)),
        ("classification", (8, 12, 9, 4)),
        ("classification", (8, 3)),
        ("regression", (50, 12, 9, 1)),  # more inputs than samples: the first layer is kept in their span
        ("classification", (50, 12, 9, 4)),
        ("classification", (50, 3)),
    ],
)
def test_agrees_with_the_reference_step_by_step(method, task, sizes):
    """float64, 1,000 updates, compared after every block of 100; lr is ten times the paper's to move the weights."""
    x, y = problem(task, sizes[0], sizes[-1])
    x *= np.sqrt(8 / sizes[0])  # keeps the step as stable with many inputs as with few
    networks = OnlineNetworks(sizes, [method], [3], task=task, lr=1e-2, dtype=np.float64)
    model = network(networks, 0)
    start = networks.w1.copy()
    order = np.random.default_rng(1).integers(0, len(x), (1, 1000))
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    for first in range(0, 1000, 100):
        block = order[:, first : first + 100]
        networks.train(x, y, block)
        train_reference(model, networks.methods[0], task, *tensors, block[0], lr=1e-2)
        units = 0
        layers = [layer for layer in model if hasattr(layer, "bias")]
        for (w1, w2, bias), layer in zip(networks.layers(0), layers, strict=True):
            weight, other = (layer.w1, layer.w2) if networks.methods[0].dual else (layer.weight, np.zeros_like(w2))
            np.testing.assert_allclose(w1, np.asarray(weight.detach()), rtol=0, atol=1e-10)
            np.testing.assert_allclose(
                w2, other if isinstance(other, np.ndarray) else other.detach(), rtol=0, atol=1e-10
            )
            np.testing.assert_allclose(bias, layer.bias.detach(), rtol=0, atol=1e-10)
            if networks.methods[0].stabilizer:
                np.testing.assert_allclose(networks.m[0, units : units + len(bias)], layer.m.detach(), atol=1e-10)
            units += len(bias)
    assert np.abs(networks.w1 - start).max() > 0.1  # it learned something: the agreement is not that of a standstill
    model.eval()
    np.testing.assert_allclose(networks.predict(x)[0], model(tensors[0]).detach(), atol=1e-9)


def test_float32_stays_near_float64():
    x, y = problem("regression", 8, 1)
    order = np.random.default_rng(1).integers(0, len(x), (len(PAPER_METHODS), 1000))
    results = []
    for dtype in (np.float32, np.float64):
        networks = OnlineNetworks((8, 20, 1), PAPER_METHODS, [0] * 5, task="regression", dtype=dtype)
        networks.train(x, y, order)
        results.append(networks.predict(x).astype(float))
    np.testing.assert_allclose(*results, atol=2e-5)


def test_a_stack_is_its_runs_one_by_one():
    x, y = problem("classification", 6, 3)
    methods, seeds = ["dual", "l2_0.1", "dropout_0.5", "dual_stabilized"], [0, 1, 2, 1]
    order = np.random.default_rng(1).integers(0, len(x), (4, 300))
    stack = OnlineNetworks((6, 10, 3), methods, seeds, task="classification", lr=[1e-3, 1e-2, 1e-2, 1e-3])
    stack.train(x, y, order[:, :120])
    stack.train(x, y, order[:, 120:])  # training in two parts is training in one
    for run in range(4):
        lr = [1e-3, 1e-2, 1e-2, 1e-3][run]
        alone = OnlineNetworks((6, 10, 3), methods[run : run + 1], seeds[run : run + 1], task="classification", lr=lr)
        alone.train(x, y, order[run : run + 1])
        np.testing.assert_array_equal(alone.w1[0], stack.w1[run])
        np.testing.assert_array_equal(alone.bias[0], stack.bias[run])


def test_runs_of_one_seed_share_the_he_draw():
    networks = OnlineNetworks((300, 200, 1), ["dual", "l2_0.1", "dual"], [5, 5, 6], task="regression", dtype=np.float64)
    np.testing.assert_array_equal(networks.w1[0], networks.w1[1])
    assert np.abs(networks.w1[0] - networks.w1[2]).max() > 0.01
    first, last = networks.layers(0)
    assert abs(first[0].std() - np.sqrt(2 / 300)) < 1e-3  # 60,000 draws: standard error 0.0002
    assert abs(last[0].std() - np.sqrt(2 / 200)) < 0.02
    assert not networks.w2.any() and not networks.bias.any() and (networks.m == 1).all()


def test_unsquared_penalty_shrinks_each_matrix_by_a_constant_length():
    # Zero inputs and targets: no data gradient, so each norm must fall by exactly lr * l2 per update.
    x, y = np.zeros((1, 4)), np.zeros(1)
    networks = OnlineNetworks(
        (4, 6, 1), ["l2_0.1", "l2_squared_0.1"], [0, 0], task="regression", lr=0.01, dtype=np.float64
    )
    before = [[np.linalg.norm(w1) for w1, _, _ in networks.layers(run)] for run in range(2)]
    networks.train(x, y, np.zeros((2, 50), int))
    after = [[np.linalg.norm(w1) for w1, _, _ in networks.layers(run)] for run in range(2)]
    np.testing.assert_allclose(np.subtract(before[0], after[0]), 50 * 0.01 * 0.1, rtol=1e-10)
    np.testing.assert_allclose(np.divide(after[1], before[1]), (1 - 2 * 0.01 * 0.1) ** 50, rtol=1e-10)


def test_linear_regression_converges_to_least_squares():
    x, y = problem("regression", 5, 1, n=60)
    design = np.column_stack([x, np.ones(len(x))])
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    networks = OnlineNetworks((5, 1), ["gradient_descent"], [0], task="regression", lr=1e-3, dtype=np.float64)
    order = np.concatenate([np.random.default_rng(s).permutation(60) for s in range(2000)])[None]
    networks.train(x, y, order)
    w1, _, bias = networks.layers(0)[0]
    np.testing.assert_allclose(np.append(w1[0], bias), solution, atol=2e-2)


def test_scores():
    x, y = problem("regression", 8, 1, n=10_000)  # more than one block and more than one part
    networks = OnlineNetworks((8, 7, 1), ["dual", "gradient_descent"], [0, 1], task="regression", dtype=np.float64)
    z = networks.predict(x)[..., 0]
    w1, w2, b = networks.layers(1)[0]
    v1, _, c = networks.layers(1)[1]
    np.testing.assert_allclose(z[1], np.maximum(x @ (w1 - w2).T + b, 0) @ v1[0] + c, atol=1e-12)
    np.testing.assert_allclose(networks.score(x, y), ((z - y) ** 2).mean(axis=1), rtol=1e-12)
    x, y = problem("classification", 8, 3, n=130)
    networks = OnlineNetworks((8, 7, 3), ["dual"], [0], task="classification")
    share = (networks.predict(x)[0].argmax(axis=1) == y).mean()
    assert networks.score(x, y)[0] == pytest.approx(share)


def test_divergence_shows_as_not_finite():
    x, y = problem("regression", 8, 1)
    networks = OnlineNetworks((8, 20, 1), ["gradient_descent"], [0], task="regression", lr=10.0)
    networks.train(x, y, np.zeros((1, 300), int))
    assert not np.isfinite(networks.score(x, y)).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": (8,)}, "at least two"),
        ({"sizes": (8, 2)}, "one output"),
        ({"methods": ["dual", "dual"]}, "one seed per run"),
        ({"methods": ["duel"]}, "unknown method 'duel'"),
        ({"task": "ranking"}, "task must be"),
    ],
)
def test_bad_configurations_are_named(change, message):
    arguments = {"sizes": (8, 1), "methods": ["dual"], "seeds": [0], "task": "regression"} | change
    with pytest.raises(ValueError, match=message):
        OnlineNetworks(arguments.pop("sizes"), arguments.pop("methods"), arguments.pop("seeds"), **arguments)


def test_bad_data_are_named():
    x, y = problem("regression", 8, 1)
    networks = OnlineNetworks((8, 1), ["dual"], [0], task="regression")
    order = np.zeros((1, 3), int)
    with pytest.raises(ValueError, match=r"x must have shape \[samples, 8\]"):
        networks.train(x[:, :7], y, order)
    with pytest.raises(ValueError, match="x holds NaN"):
        networks.train(np.where(x > 2, np.nan, x), y, order)
    with pytest.raises(ValueError, match="y holds NaN"):
        networks.train(x, y * np.nan, order)
    with pytest.raises(ValueError, match="indices outside 0..39"):
        networks.train(x, y, order + 40)
    with pytest.raises(ValueError, match="order must have shape"):
        networks.train(x, y, order[0])
    classes = OnlineNetworks((8, 3), ["dual"], [0], task="classification")
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        classes.train(x, np.full(40, 3), order)


def test_method_names():
    assert parse_method("l2_0.01") == Method("l2_0.01", l2=0.01)
    assert parse_method("l2_squared_1e-3") == Method("l2_squared_1e-3", l2=1e-3, squared=True)
    assert parse_method("dropout_0.5") == Method("dropout_0.5", dropout=0.5)
    for name in ("l2_", "l2_-1", "l2_nan", "dropout_1", "sgd", "l1_0.1"):
        with pytest.raises(ValueError, match="unknown method"):
            parse_method(name)


def test_large_rates_in_the_span_of_the_samples():
    """Rates near 1 shrink the scale of the coordinates until it has to be set back; the reference knows no scale."""
    x, y = problem("classification", 50, 3)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    order = np.random.default_rng(1).integers(0, len(x), (1, 1500))
    networks = OnlineNetworks((50, 3), ["dual"], [0], task="classification", lr=0.99, dtype=np.float64)
    model = network(networks, 0)
    networks.train(x, y, order)
    train_reference(
        model, networks.methods[0], "classification", torch.from_numpy(x), torch.from_numpy(y), order[0], 0.99
    )
    np.testing.assert_allclose(networks.predict(x)[0], model(torch.from_numpy(x)).detach(), atol=1e-9)
