"""Closed forms for dual weights against networks that are trained, with plain squared L2 beside them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightspace import data
from weightspace.dual import theory
from weightspace.spectra import eigenvalues, metrics
from weightspace.training.online.gradients import gradients
from weightspace.training.online.networks import OnlineNetworks


def trained(sizes, methods, x, y, updates, lr=1e-3, task="regression", seed=0):
    networks = OnlineNetworks(sizes, methods, [seed] * len(methods), task=task, lr=lr, dtype=np.float64)
    order = np.random.default_rng(seed).integers(0, len(x), (1, updates)).repeat(len(methods), 0)
    networks.train(x, y, order)
    return networks


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-4, 0.3))
def test_an_update_is_a_step_on_centred_inputs_with_a_decay(seed, lr):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(3, 6)), rng.integers(0, 3, 3)
    networks = OnlineNetworks((6, 5, 3), ["dual"], [seed], task="classification", lr=lr, dtype=np.float64)
    networks.w2[:] = rng.normal(size=networks.w2.shape)
    before = [tuple(part.copy() for part in layer) for layer in networks.layers(0)]
    inputs, g = gradients(before, x[:1], y[:1], "classification")
    networks.train(x, y, np.zeros((1, 1), int))
    for (w1, w2, _), (v1, v2, _), h, drive in zip(before, networks.layers(0), inputs, g):
        for k in range(len(w1)):
            w, c = theory.step(w1[k] - w2[k], (w1[k] + w2[k]) / 2, drive[0, k], h[0], lr)
            np.testing.assert_allclose(v1[k] - v2[k], w, atol=1e-12)
            np.testing.assert_allclose((v1[k] + v2[k]) / 2, c, atol=1e-12)


def test_one_neuron_rests_where_squared_l2_of_the_matched_strength_does():
    """Noise in the targets, inputs of unequal variance with a mean of 1: strength and every weight as computed."""
    rng = np.random.default_rng(0)
    variance = np.array([3, 2, 1, 0.5, 0.2])
    x = rng.normal(size=(20_000, 5)) * np.sqrt(variance) + 1
    y = (x - 1).sum(axis=1) * 0.7 + rng.normal(size=len(x))
    w, strength = theory.resting_weights(x, y)
    methods = ["dual", f"l2_squared_{strength}", "gradient_descent"]
    networks = trained((5, 1), methods, x, y, 100_000, lr=2e-4)
    dual, decay, plain = ((w1 - w2)[0] for run in range(3) for w1, w2, _ in networks.layers(run))
    np.testing.assert_allclose(dual, w, atol=0.04)
    np.testing.assert_allclose(decay, w, atol=0.04)
    g = gradients(networks.layers(0), x, y, "regression")[1][0]
    assert theory.matched_l2(g)[0] == pytest.approx(strength, rel=0.02)
    # Directions in which the data vary little shrink most: by variance / (variance + strength).
    np.testing.assert_allclose(dual / 0.7, variance / (variance + strength), atol=0.06)
    assert np.abs(plain - w).max() > 0.25


@pytest.mark.parametrize("norm", [1.0, 2.0, 5.0])
def test_a_neuron_learns_any_noiseless_target_up_to_its_largest_norm(norm):
    """Squared L2 that shrinks 5 to the same norm shrinks 1 and 2 by the same factor; dual weights leave them."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20_000, 10))
    target = norm * np.eye(10)[0]
    strength = 5 / theory.LARGEST_NORM - 1  # 1 / (1 + strength) takes 5 to the largest norm
    networks = trained((10, 1), ["dual", f"l2_squared_{strength}"], x, x @ target, 40_000)
    dual, decay = (np.linalg.norm(w1 - w2) for run in range(2) for w1, w2, _ in networks.layers(run))
    assert dual == pytest.approx(theory.resting_norm(norm), rel=0.03)
    assert decay == pytest.approx(norm / (1 + strength), rel=0.06)


def test_where_the_data_are_silent_the_start_decays_unit_by_unit():
    """The singular values there are those of the initial weights, each row times what is left of it."""
    digits = data.load("digits")
    x = np.concatenate([digits.x.reshape(len(digits.x), -1)[:200] / 16, np.zeros((200, 30))], axis=1)
    updates, lr, sizes = 1_500, 5e-3, (94, 20, 10)
    networks = OnlineNetworks(sizes, ["dual"], [0], task="classification", lr=lr, dtype=np.float64)
    start = networks.layers(0)[0][0].copy()
    order = np.random.default_rng(0).integers(0, 200, updates)
    seen = []
    for index in order:
        seen.append(gradients(networks.layers(0), x[[index]], digits.y[[index]], "classification")[1][0][0])
        networks.train(x, digits.y[:200], np.array([[index]]))
    kept = theory.remaining_start(seen, lr)
    w1, w2, _ = networks.layers(0)[0]
    np.testing.assert_allclose((w1 - w2)[:, 64:], kept[:, None] * start[:, 64:], atol=1e-10)
    strength = theory.matched_l2(seen).mean()
    decay = trained(
        sizes, [f"l2_squared_{strength}", "gradient_descent"], x, digits.y[:200], updates, lr, "classification"
    )
    uniform, plain = (w1[:, 64:] for run in range(2) for w1, _, _ in decay.layers(run)[:1])
    np.testing.assert_allclose(plain, start[:, 64:])
    np.testing.assert_allclose(uniform, (1 - 2 * lr * strength) ** updates * start[:, 64:], atol=1e-10)
    # Squared L2 treats all units alike. Dual weights decay those most that are driven most.
    assert kept.max() / kept.min() > 1.2


def test_outputs_of_a_classifier_decay_by_class_frequency_and_error():
    digits = data.load("digits")
    x, y = digits.x.reshape(len(digits.x), -1)[:300] / 16, digits.y[:300].copy()
    y[:100] = np.random.default_rng(0).integers(0, 10, 100)  # errors that stay
    networks = trained((64, 20, 10), ["dual"], x, y, 30_000, task="classification")
    g = gradients(networks.layers(0), x, y, "classification")[1][-1]
    right = np.array([1 + g[y == k, k].mean() for k in range(10)])
    expected = theory.output_strength(np.bincount(y) / len(y), right)
    np.testing.assert_allclose(theory.matched_l2(g), expected, rtol=0.25)
    assert theory.matched_l2(g).mean() == pytest.approx(expected.mean(), rel=0.05)


def test_the_decay_ends_with_the_errors_but_not_with_the_stabilizer():
    """Few data, no noise: E|g| falls by a factor of ten and more, the rates of the stabilized method do not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6))
    y = x @ rng.normal(size=6) * 0.5
    x = np.concatenate([x, np.zeros((40, 1))], axis=1)  # the last input is silent: its weight tells the decay
    methods = ["dual", "dual_stabilized", "l2_squared_0.05"]
    networks = OnlineNetworks((7, 1), methods, [0] * 3, task="regression", lr=1e-3, dtype=np.float64)
    weights = [networks.w1[:, -1].copy()]
    for part in np.array_split(rng.integers(0, 40, (1, 30_000)).repeat(3, 0), 3, axis=1):
        networks.train(x, y, part)
        weights.append(networks.w1[:, -1].copy())
    lost = -np.diff(np.log(np.abs(weights)), axis=0) / 10  # per update and learning rate
    first, _, last = lost
    assert last[0] < first[0] / 10  # dual
    assert last[2] == pytest.approx(2 * 0.05, rel=0.01)  # squared L2
    # Constant but for the lag of the running mean behind the falling errors.
    constant = 2 * theory.stabilized_strength(1.0)
    assert constant / 2 < last[1] < 1.05 * constant and last[1] > 10 * last[0]


def test_the_small_singular_values_shrink_most_and_the_stable_rank_says_little():
    """Weights that nothing drives shrink, those that the classes need stay, as with squared L2 of equal decay."""
    digits = data.load("digits")
    x, y = digits.x.reshape(len(digits.x), -1)[:300] / 16, digits.y[:300]
    sizes = []
    dual = OnlineNetworks((64, 20, 10), ["dual"], [0], task="classification", dtype=np.float64)
    order = np.random.default_rng(0).integers(0, 300, (1, 40_000))
    for part in np.array_split(order, 16, axis=1):
        sizes.append(np.abs(gradients(dual.layers(0), x, y, "classification")[1][0]).mean())
        dual.train(x, y, part)
    strength = np.mean(sizes) / 4
    methods = ["gradient_descent", f"l2_squared_{strength}"]
    others = trained((64, 20, 10), methods, x, y, 40_000, task="classification")
    spectra = [
        eigenvalues(w1 - w2) for n, run in ((others, 0), (others, 1), (dual, 0)) for w1, w2, _ in n.layers(run)[:1]
    ]
    plain, decay, own = spectra
    for shrunk in (decay, own):
        assert shrunk[:10].sum() / plain[:10].sum() < 0.5 * shrunk[10:].sum() / plain[10:].sum()
        assert metrics.effective_rank(shrunk) < metrics.effective_rank(plain)
    assert metrics.stable_rank(decay) < metrics.stable_rank(plain) < 1.1 * metrics.stable_rank(own)
