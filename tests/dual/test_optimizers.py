"""Dual weights under momentum and Adam: each statement of ``dual.optimizers`` against steps that are written out."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from weightspace import DualConv2d, DualLinear
from weightspace.dual.optimizers import DualOptimizer

SGD, ADAM = torch.optim.SGD, torch.optim.Adam


def network(stabilizer):
    torch.manual_seed(0)
    model = nn.Sequential(
        DualConv2d(2, 3, 3, stabilizer=stabilizer), nn.ReLU(), nn.Flatten(), DualLinear(12, 3, stabilizer=stabilizer)
    )
    return model.double()


def steps(model, optimizer, number=5):
    generator = torch.Generator().manual_seed(1)
    for _ in range(number):
        x, y = torch.randn(6, 2, 4, 4, generator=generator).double(), torch.randint(0, 3, (6,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_momentum_does_not_know_the_coordinates(momentum):
    model, build = network(stabilizer=False), partial(SGD, lr=0.05, momentum=momentum)
    plain = copy.deepcopy(model)
    steps(plain, build(plain.parameters()))
    steps(model, DualOptimizer(model, build))
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_running_mean_is_updated_by_plain_sgd_whatever_the_optimizer():
    model = network(stabilizer=True)
    layer = model[0]
    before = layer.m.detach().clone()
    steps(model, DualOptimizer(model, partial(ADAM, lr=0.05)), number=1)
    torch.testing.assert_close(layer.m.detach(), before - 0.05 * layer.m.grad)


@pytest.fixture
def pushed():
    """A neuron with positive inputs, two samples that push it both ways, and the g = dL/dz of both."""
    torch.manual_seed(0)
    layer = DualLinear(4, 1).double()
    nn.init.zeros_(layer.w1)
    return layer, torch.rand(2, 4).double() + 0.1, torch.tensor([[0.3], [-0.2]]).double()


def test_adam_on_each_vector_does_not_move_the_weights_and_adam_on_their_difference_does(pushed):
    layer, x, g = pushed
    apart, together = copy.deepcopy(layer), copy.deepcopy(layer)
    optimizers = (ADAM(apart.parameters(), lr=0.01), DualOptimizer(together, partial(ADAM, lr=0.01)))
    for own, optimizer in zip((apart, together), optimizers, strict=True):
        (own(x) * g).sum().backward()
        optimizer.step()
    torch.testing.assert_close(apart.weight, 0 * layer.weight, atol=1e-7, rtol=0)
    assert (apart.w1 > 0.0099).all()
    torch.testing.assert_close(together.weight, -0.01 * torch.sign(g.T @ x), atol=1e-7, rtol=0)


def test_a_decoupled_step_is_that_of_adamw_with_half_of_the_error_as_its_decay(pushed):
    layer, x, g = pushed
    nn.init.normal_(layer.w1)
    nn.init.normal_(layer.w2)
    w, c = layer.weight.detach(), (layer.w1 + layer.w2).detach() / 2
    plain = nn.Parameter(w.clone())
    reference = torch.optim.AdamW([plain], lr=0.01, weight_decay=float(g.abs().sum()) / 2)
    optimizer = DualOptimizer(layer, partial(ADAM, lr=0.01), decoupled=True)
    for _ in range(2):  # the centre moves as well: its present value counts
        optimizer.zero_grad()
        (layer(x) * g).sum().backward()
        plain.grad = g.T @ (x - c)
        reference.step()
        optimizer.step()
        c = (layer.w1 + layer.w2).detach() / 2
    torch.testing.assert_close(layer.weight.detach(), plain.detach())


def test_the_rates_of_a_convolution_are_summed_over_positions_and_samples():
    model = network(stabilizer=False)
    optimizer = DualOptimizer(model, partial(SGD, lr=0.0), decoupled=True)
    z = model[0](torch.randn(5, 2, 4, 4).double().requires_grad_())
    g = torch.randn_like(z)
    (z * g).sum().backward()
    torch.testing.assert_close(optimizer._rates[0], g.abs().sum((0, 2, 3)))
    torch.relu_(model[0](torch.randn(5, 2, 4, 4).double())).sum().backward()  # what follows may change it in place


def regression(seed=0):
    """Inputs with a mean of 1, a third of them always 0; targets with noise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(200, 6, generator=generator).double() + 1
    x[:, 4:] = 0
    return x, x[:, :4].sum(1) * 0.3 + torch.randn(200, generator=generator).double()


def trained(build, updates, lr):
    x, y = regression()
    torch.manual_seed(1)
    layer = DualLinear(6, 1).double()
    optimizer = DualOptimizer(layer, build)
    for k in range(updates):
        for group in optimizer.param_groups:  # a rate that falls: Adam comes to rest
            group["lr"] = lr * (1 - k / updates)
        optimizer.zero_grad()
        F.mse_loss(layer(x)[:, 0], y).backward()
        optimizer.step()
    return layer


def test_momentum_and_adam_rest_where_sgd_does():
    sgd = trained(partial(SGD, lr=1.0), 1500, 0.1).weight.detach()
    for build, lr in ((partial(SGD, lr=1.0, momentum=0.9), 0.02), (partial(ADAM, lr=1.0), 0.02)):
        torch.testing.assert_close(trained(build, 1500, lr).weight.detach(), sgd, atol=5e-3, rtol=0)


def test_where_the_data_are_silent_adam_forgets_by_the_learning_rate_and_not_by_the_error():
    torch.manual_seed(1)
    start = DualLinear(6, 1).double().weight.detach()
    assert start[0, 4:].abs().min() > 0.06
    for scale in (1.0, 1e-3):  # of the loss, and with it of every error
        torch.manual_seed(1)
        layer = DualLinear(6, 1).double()
        optimizer = DualOptimizer(layer, partial(ADAM, lr=1e-3, eps=1e-15))
        x, y = regression()
        for _ in range(50):
            optimizer.zero_grad()
            (scale * F.mse_loss(layer(x)[:, 0], y)).backward()
            optimizer.step()
        lost = (start - layer.weight.detach())[0, 4:] * start[0, 4:].sign()
        assert ((lost > 0.04) & (lost < 0.051)).all()


def test_a_model_without_dual_layers_is_refused():
    with pytest.raises(ValueError, match="no dual layer"):
        DualOptimizer(nn.Linear(2, 2), partial(SGD, lr=0.1))
