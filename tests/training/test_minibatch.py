"""Stacked mini-batch training against torch.optim and written-out loops, and the contrastive loss against its sum."""

import numpy as np
import pytest
import torch
from torch import nn

from weightspace.training.contrastive import supervised_contrastive
from weightspace.training.minibatch import (
    MinibatchNetworks,
    Optimizer,
    batch_order,
    cross_entropy,
    robust_cross_entropy,
)
from weightspace.training.online.networks import OnlineNetworks

SIZES = (6, 5, 4, 3)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 6)).astype(np.float32), rng.integers(0, 3, 30), rng.integers(0, 30, (40, 7))


def plain_network(seed=2):
    layers = OnlineNetworks(SIZES, ["gradient_descent"], [seed], task="classification").layers(0)
    modules = []
    for w1, _, bias in layers:
        layer = nn.Linear(w1.shape[1], w1.shape[0])
        layer.load_state_dict({"weight": torch.from_numpy(w1.copy()), "bias": torch.from_numpy(bias.copy())})
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def train_plain(model, x, y, batches, optimizer, rho=0.0):
    for batch in batches:
        inputs, labels = torch.from_numpy(x[batch]), torch.from_numpy(y[batch])
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        if rho:  # climb to the worst point nearby, take the gradient there, step from where we were
            parameters = list(model.parameters())
            norm = torch.cat([p.grad.ravel() for p in parameters]).norm()
            climbs = [rho * p.grad / norm for p in parameters]
            with torch.no_grad():
                for p, climb in zip(parameters, climbs):
                    p += climb
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            with torch.no_grad():
                for p, climb in zip(parameters, climbs):
                    p -= climb
        optimizer.step()


def test_every_optimizer_of_a_mixed_stack_is_that_of_torch(problem):
    x, y, batches = problem
    settings = [Optimizer("sgd", 0.05), Optimizer("adam", 0.01), Optimizer("sam", 0.05, 0.1), Optimizer("adam", 0.002)]
    stack = MinibatchNetworks(SIZES, settings, seed=2)
    start = stack.predict(x)
    stack.train(x, y, batches)
    for outputs, setting in zip(stack.predict(x), settings):
        model = plain_network()
        kind = torch.optim.Adam if setting.name == "adam" else torch.optim.SGD
        extra = {} if setting.name == "adam" else {"momentum": 0.9}
        train_plain(model, x, y, batches, kind(model.parameters(), lr=setting.lr, **extra), setting.rho)
        np.testing.assert_allclose(outputs, model(torch.from_numpy(x)).detach(), atol=2e-5)
    assert np.abs(stack.predict(x) - start).max() > 0.1  # they learned something


def test_a_network_does_not_depend_on_its_neighbours(problem):
    x, y, batches = problem
    pair = MinibatchNetworks(SIZES, [Optimizer("sgd", 0.05), Optimizer("sam", 0.1, 0.2)], seed=1)
    alone = MinibatchNetworks(SIZES, [Optimizer("sgd", 0.05)], seed=1)
    pair.train(x, y, batches)
    alone.train(x, y, batches)
    np.testing.assert_allclose(pair.predict(x)[0], alone.predict(x)[0], atol=1e-6)


def test_it_starts_from_the_weights_of_the_online_networks(problem):
    x = problem[0]
    online = OnlineNetworks(SIZES, ["dual"], [3], task="classification")
    stack = MinibatchNetworks(SIZES, [Optimizer("sgd", 0.1)], seed=3)
    np.testing.assert_allclose(stack.predict(x)[0], online.predict(x)[0], atol=1e-6)


def test_unknown_optimizers_are_named():
    with pytest.raises(ValueError, match="unknown optimizer 'sgdm'"):
        Optimizer("sgdm", 0.1)


def test_batches_use_the_whole_budget():
    order = batch_order(0, 1, 20, 1000, 50)
    assert order.shape == (20, 50) and set(order.ravel()) == set(range(20))


def test_the_robust_loss_is_between_cross_entropy_and_absolute_error():
    outputs, labels = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0)).double(), torch.arange(5) % 4
    p = outputs.softmax(2).gather(2, labels.expand(2, -1)[..., None])[..., 0]
    torch.testing.assert_close(robust_cross_entropy(1.0)(outputs, labels), (1 - p).mean(1))
    torch.testing.assert_close(
        robust_cross_entropy(1e-7)(outputs, labels), cross_entropy(outputs, labels), rtol=1e-5, atol=0
    )
    for q in (0.4, 0.7):  # the gradient of a sample is that of the cross entropy, times p^q
        z = outputs[:, :1].clone().requires_grad_()
        found, plain = (
            torch.autograd.grad(loss(z, labels[:1]).sum(), z)[0] for loss in (robust_cross_entropy(q), cross_entropy)
        )
        torch.testing.assert_close(found, p[:, :1, None] ** q * plain)


def test_the_contrastive_loss_is_its_sum():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(2, 8, 5)), np.array([0, 1, 0, 2, 1, 0, 3, 1])
    for network in range(2):
        u = features[network] / np.linalg.norm(features[network], axis=1, keepdims=True)
        terms = []
        for i in range(8):
            partners = [p for p in range(8) if p != i and labels[p] == labels[i]]
            if partners:  # the only sample of its class is no anchor
                total = sum(np.exp(u[i] @ u[a] / 0.1) for a in range(8) if a != i)
                terms.append(-np.mean([np.log(np.exp(u[i] @ u[p] / 0.1) / total) for p in partners]))
        ours = supervised_contrastive(torch.from_numpy(features), torch.from_numpy(labels), 0.1)[network]
        assert float(ours) == pytest.approx(np.mean(terms), rel=1e-9)


def test_the_contrastive_loss_prefers_classes_that_lie_together():
    apart = torch.eye(4).repeat_interleave(2, 0)[None]
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    mixed = apart[:, [0, 2, 1, 3, 4, 6, 5, 7]]
    assert float(supervised_contrastive(apart, labels, 0.1)[0]) < 0.01
    assert float(supervised_contrastive(mixed, labels, 0.1)[0]) > 1
    single = supervised_contrastive(apart, torch.arange(8), 0.1)  # nobody has a partner
    assert float(single[0]) == 0
