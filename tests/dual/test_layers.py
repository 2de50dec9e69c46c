"""DualLinear against the written-out rule, its limits and its fixed point."""

import copy
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import weightspace
from weightspace import DualLinear


def written_out_update(x, g, w1, w2, lr, m=None):
    """The rule of the paper, sample by sample at the old weights, as scalars in numpy: the independent check."""
    new1, new2 = w1.copy(), w2.copy()
    new_m = None if m is None else m.copy()
    for sample in range(len(x)):
        for k in range(w1.shape[0]):
            gain = abs(g[sample, k])
            if m is not None:
                rate = lr * min(1.0, 0.1 * gain / m[k])
                if gain:
                    new_m[k] += lr * (gain - m[k])
            else:
                rate = lr * gain
            if g[sample, k] < 0:
                new1[k] += rate * (x[sample] - w1[k])
            elif g[sample, k] > 0:
                new2[k] += rate * (x[sample] - w2[k])
    return new1, new2, new_m


def make_layer(n_in, n_out, stabilizer=False, seed=0):
    torch.manual_seed(seed)
    layer = DualLinear(n_in, n_out, stabilizer=stabilizer, dtype=torch.float64)
    with torch.no_grad():
        layer.w2.normal_()
        layer.bias.normal_()
        if stabilizer:
            layer.m.uniform_(0.01, 2)
    return layer


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 7),
    n_in=st.integers(1, 6),
    n_out=st.integers(1, 5),
    stabilizer=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_sgd_step_is_the_papers_update(batch, n_in, n_out, stabilizer, seed):
    layer = make_layer(n_in, n_out, stabilizer, seed)
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=(batch, n_in)), rng.normal(size=(batch, n_out))
    g[rng.random(g.shape) < 0.3] = 0  # dead units must not move
    lr = 0.05
    before = {name: p.detach().numpy().copy() for name, p in layer.named_parameters()}
    expected = written_out_update(x, g, before["w1"], before["w2"], lr, before.get("m"))
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
    layer(torch.from_numpy(x)).backward(torch.from_numpy(g))
    optimizer.step()
    np.testing.assert_allclose(layer.w1.detach(), expected[0], rtol=0, atol=1e-13)
    np.testing.assert_allclose(layer.w2.detach(), expected[1], rtol=0, atol=1e-13)
    np.testing.assert_allclose(layer.bias.detach(), before["bias"] - lr * g.sum(0), rtol=0, atol=1e-13)
    if stabilizer:
        np.testing.assert_allclose(layer.m.detach(), expected[2], rtol=0, atol=1e-13)


def test_without_the_decay_the_update_is_plain_sgd():
    # At w1 = w2 = 0 the decay terms vanish, and w = w1 - w2 must take exactly the step of nn.Linear.
    layer = DualLinear(5, 3, dtype=torch.float64)
    with torch.no_grad():
        layer.w1.zero_()
    plain = layer.fold()
    x = torch.randn(11, 5, dtype=torch.float64)
    y = torch.randn(11, 3, dtype=torch.float64)
    for model in (layer, plain):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        ((model(x) - y) ** 2).sum().backward()
        optimizer.step()
    torch.testing.assert_close(layer.weight, plain.weight, rtol=0, atol=1e-13)
    torch.testing.assert_close(layer.bias, plain.bias, rtol=0, atol=1e-13)


def test_step_on_w_is_sgd_plus_decay_of_the_active_component():
    layer = make_layer(4, 3)
    plain = layer.fold()
    w1, w2 = layer.w1.detach().clone(), layer.w2.detach().clone()
    x, lr = torch.randn(1, 4, dtype=torch.float64), 0.01
    z = plain(x)
    g = 2 * (z - 1).detach()
    for model in (layer, plain):
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        ((model(x) - 1) ** 2).sum().backward()
        optimizer.step()
    decay = -lr * (-g).clamp_min(0).T * w1 + lr * g.clamp_min(0).T * w2
    torch.testing.assert_close(layer.weight, plain.weight + decay, rtol=0, atol=1e-13)


def test_input_gradient_is_the_ordinary_one():
    layer = make_layer(6, 4)
    folded = layer.fold()
    x1 = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)
    x2 = x1.detach().clone().requires_grad_()
    layer(x1).pow(2).sum().backward()
    folded(x2).pow(2).sum().backward()
    torch.testing.assert_close(x1.grad, x2.grad, rtol=0, atol=1e-12)


def test_fixed_point_is_the_gradient_weighted_mean_input():
    """Appendices C and D: on a stationary stream w1 -> E[r x] / E[r], to Monte-Carlo error.

    Two kinds of samples, known moments: kind A (probability 0.3) has inputs of mean a and g = -3, kind B inputs of
    mean b and g = -1; then E[r x] / E[r] = (0.3 * 3 * a + 0.7 * 1 * b) / (0.3 * 3 + 0.7 * 1). Likewise w2 with +g.
    """
    rng = np.random.default_rng(7)
    lr, steps, burn_in, neurons = 0.02, 12_000, 1_000, 2
    a, b = np.array([1.0, -2.0, 0.5]), np.array([-1.0, 0.0, 4.0])
    expected = (0.9 * a + 0.7 * b) / 1.6
    kind_a = rng.random(steps) < 0.3
    x = np.where(kind_a[:, None], a, b) + rng.normal(size=(steps, 3))
    size = np.where(kind_a, 3.0, 1.0)
    g = np.stack([-size, size], axis=1)  # neuron 0 is always pushed up, neuron 1 always down
    layer = DualLinear(3, neurons, dtype=torch.float64)
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
    path = np.empty((steps, 2, 3))
    xs, gs = torch.from_numpy(x), torch.from_numpy(g)
    start_w2 = layer.w2.detach().clone()
    for step in range(steps):
        optimizer.zero_grad()
        layer(xs[step : step + 1]).backward(gs[step : step + 1])
        optimizer.step()
        path[step, 0], path[step, 1] = layer.w1.detach()[0].numpy(), layer.w2.detach()[1].numpy()
    torch.testing.assert_close(layer.w2[0], start_w2[0], rtol=0, atol=0)  # never addressed
    kept = path[burn_in:].reshape(20, -1, 2, 3).mean(axis=1)  # 20 batch means, each ~17 relaxation times long
    error = kept.std(axis=0, ddof=1) / np.sqrt(len(kept))
    z_scores = (kept.mean(axis=0) - expected) / error
    assert np.abs(z_scores).max() < 4, z_scores
    assert error.max() < 0.06  # the check has teeth: plain mean input would be off by 0.25 or more
    assert np.abs(expected - (0.3 * a + 0.7 * b)).min() > 0.25


@settings(max_examples=60, deadline=None)
@given(scale=st.floats(1e-8, 1e8), seed=st.integers(0, 10**6))
def test_stabilized_rates_are_bounded_whatever_the_gradient(scale, seed):
    # w1 becomes a convex combination of old w1 and x, with weight on x of at most lr, so it cannot leave their hull.
    layer = make_layer(3, 4, stabilizer=True, seed=seed)
    w1, m = layer.w1.detach().clone(), layer.m.detach().clone()
    x = torch.randn(1, 3, dtype=torch.float64)
    g = scale * torch.randn(1, 4, dtype=torch.float64)
    lr = 0.2
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
    layer(x).backward(g)
    optimizer.step()
    moved = (layer.w1.detach() - w1) / (x - w1)
    assert (moved > -1e-9).all() and (moved < lr * (1 + 1e-9)).all()
    low, high = torch.minimum(m, g.abs()[0]), torch.maximum(m, g.abs()[0])
    assert ((layer.m >= low * (1 - 1e-12)) & (layer.m <= high * (1 + 1e-12))).all()
    assert (layer.m > 0).all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stabilizer", [True, False])
def test_fold_and_back_change_no_output(bias, stabilizer):
    layer = DualLinear(7, 5, bias=bias, stabilizer=stabilizer, dtype=torch.float64)
    nn.init.normal_(layer.w2)
    x = torch.randn(3, 7, dtype=torch.float64)
    linear = layer.fold()
    assert type(linear) is nn.Linear
    torch.testing.assert_close(linear(x), layer(x), rtol=0, atol=1e-14)
    again = DualLinear.from_linear(linear, stabilizer=stabilizer)
    torch.testing.assert_close(again(x), linear(x), rtol=0, atol=0)
    assert torch.equal(again.w1, linear.weight) and not again.w2.any()


def test_fold_replaces_every_dual_layer_and_keeps_the_model():
    shared = DualLinear(4, 4)
    model = nn.Sequential(nn.Sequential(shared, nn.ReLU()), shared, nn.Dropout(0.5), DualLinear(4, 2)).eval()
    for p in model.parameters():
        nn.init.normal_(p)
    x = torch.randn(3, 4)
    folded = weightspace.fold(model)
    assert not any(isinstance(module, DualLinear) for module in folded.modules())
    assert folded[0][0] is folded[1]
    assert not folded.training
    assert isinstance(model[1], DualLinear)
    torch.testing.assert_close(folded(x), model(x), rtol=0, atol=1e-5)
    assert type(weightspace.fold(DualLinear(2, 2))) is nn.Linear


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad])
@pytest.mark.parametrize("stabilizer", [True, False])
def test_other_optimizers_lower_the_loss(optimizer, stabilizer):
    torch.manual_seed(1)
    model = nn.Sequential(DualLinear(6, 16, stabilizer=stabilizer), nn.ReLU(), DualLinear(16, 1, stabilizer=stabilizer))
    x = torch.randn(64, 6)
    y = x[:, :1] - x[:, 1:2]
    opt = optimizer(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        opt.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_state_dict_and_deepcopy_round_trip():
    layer = DualLinear(4, 3, stabilizer=True)
    layer.m.data.fill_(0.3)
    twin = DualLinear(4, 3, stabilizer=True)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    twin.load_state_dict(torch.load(buffer, weights_only=True))
    clone = copy.deepcopy(layer)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]) and torch.equal(value, clone.state_dict()[name])
    assert set(DualLinear(4, 3).state_dict()) == {"w1", "w2", "bias"}
    with pytest.raises(RuntimeError, match="Missing key"):
        twin.load_state_dict(DualLinear(4, 3).state_dict())


@pytest.mark.parametrize("stabilizer", [True, False])
def test_autocast_gives_float32_gradients_close_to_exact(stabilizer):
    torch.manual_seed(2)
    layer = DualLinear(32, 8, stabilizer=stabilizer)
    nn.init.normal_(layer.w2, std=0.2)
    x = torch.randn(16, 32)
    exact = copy.deepcopy(layer)
    exact(x).pow(2).sum().backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = layer(x)
    assert z.dtype is torch.bfloat16
    z.float().pow(2).sum().backward()
    for name, p in layer.named_parameters():
        assert p.grad.dtype is torch.float32
        reference = dict(exact.named_parameters())[name].grad
        assert (p.grad - reference).norm() < 0.03 * reference.norm(), name


# Both are raised inside PyTorch, the second on Python 3.13.0 alone.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Guards may run slower:RuntimeWarning")
def test_torch_compile_gives_the_same_step():
    torch.manual_seed(3)
    layer = DualLinear(5, 4, stabilizer=True)
    twin = copy.deepcopy(layer)
    x = torch.randn(6, 5)
    torch.compile(twin, backend="aot_eager", fullgraph=True)(x).pow(2).sum().backward()
    layer(x).pow(2).sum().backward()
    for p, q in zip(layer.parameters(), twin.parameters()):
        torch.testing.assert_close(p.grad, q.grad)


def test_frozen_parts_get_no_gradient():
    layer = DualLinear(3, 2)
    layer.w1.requires_grad_(False)
    layer(torch.randn(4, 3)).sum().backward()
    assert layer.w1.grad is None and layer.w2.grad is not None


def test_he_draw():
    torch.manual_seed(4)
    layer = DualLinear(200, 500)
    assert abs(layer.w1.std().item() - 0.1) < 0.002  # sqrt(2 / 200)
    assert not layer.w2.any() and not layer.bias.any()


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="at least 1, got 0 and 3"):
        DualLinear(0, 3)
    with pytest.raises(RuntimeError, match="shapes"):
        DualLinear(4, 3)(torch.zeros(2, 5))
