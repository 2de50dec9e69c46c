"""The estimated trace against exact Hessians."""

import pytest
import torch
from torch import nn

from weightspace.measures.hessian import hutchinson_trace


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_diagonal_hessian_is_exact():
    """f = sum a_i x_i^2 / 2 has the Hessian diag(a), and v_i^2 = 1."""
    a, x = torch.arange(1.0, 6.0), torch.ones(5, requires_grad=True)
    trace = hutchinson_trace((a * x**2).sum() / 2, [x], 3, generator())
    assert trace.value == pytest.approx(15) and trace.standard_error == pytest.approx(0, abs=1e-6)


def small_network():
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 3)).double()
    return model, torch.randn(40, 4).double(), torch.randint(0, 3, (40,))


def loss_of(model, x, y, mask_seed):
    torch.manual_seed(mask_seed)
    return nn.functional.cross_entropy(model(x), y)


def exact_trace(model, x, y, mask_seed):
    """Second derivatives one by one, by two backward passes each: another way than Hessian-vector products."""
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss_of(model, x, y, mask_seed), parameters, create_graph=True)
    total = 0.0
    for parameter, gradient in zip(parameters, gradients):
        for k in range(parameter.numel()):
            row = torch.autograd.grad(gradient.flatten()[k], parameter, retain_graph=True, allow_unused=True)[0]
            total += 0.0 if row is None else row.flatten()[k].item()
    return total


@pytest.mark.parametrize("training", [True, False])
def test_a_small_network_in_either_mode(training):
    model, x, y = small_network()
    model.train(training)
    exact = exact_trace(model, x, y, 7)
    trace = hutchinson_trace(loss_of(model, x, y, 7), list(model.parameters()), 400, generator())
    assert 0 < trace.standard_error < 0.1 * exact
    assert abs(trace.value - exact) < 3 * trace.standard_error
    assert model.training is training  # the mode in which it trains is left alone
    other = exact_trace(model, x, y, 8)  # dropout counts in training mode, and only there
    assert (abs(other - exact) > 1e-6) is training


def test_the_standard_error_is_the_spread_over_repetitions():
    model, x, y = small_network()
    loss = loss_of(model, x, y, 0)
    parameters = list(model.parameters())
    traces = [hutchinson_trace(loss, parameters, 10, generator(seed)) for seed in range(40)]
    spread = torch.tensor([t.value for t in traces]).std().item()
    assert torch.tensor([t.standard_error for t in traces]).mean().item() == pytest.approx(spread, rel=0.3)


def test_the_same_generator_gives_the_same_trace():
    model, x, y = small_network()
    loss = loss_of(model, x, y, 0)
    first, again, other = (hutchinson_trace(loss, list(model.parameters()), 4, generator(s)) for s in (0, 0, 1))
    assert first == again != other


def test_bad_input():
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match="probes must be at least 2"):
        hutchinson_trace((x**2).sum(), [x], 1, generator())
    with pytest.raises(ValueError, match=r"scalar, got shape \(3,\)"):
        hutchinson_trace(x**2, [x], 4, generator())
