"""The gradients at the units, against PyTorch's."""

import numpy as np
import pytest
import torch

from weightspace.training.online.gradients import gradients
from weightspace.training.online.networks import OnlineNetworks


@pytest.mark.parametrize(("task", "outputs"), [("regression", 1), ("classification", 3)])
@pytest.mark.parametrize("method", ["dual", "gradient_descent"])
def test_gradients_are_those_of_torch(task, outputs, method):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 6))
    y = rng.normal(size=20) if task == "regression" else rng.integers(0, 3, 20)
    networks = OnlineNetworks((6, 5, 4, outputs), [method], [3], task=task, lr=0.05, dtype=np.float64)
    networks.train(x, y, rng.integers(0, 20, (1, 200)))
    inputs, found = gradients(networks.layers(0), x, y, task)
    h, units, target = torch.from_numpy(x), [], torch.from_numpy(y)
    for w1, w2, bias in networks.layers(0):
        units.append(h @ torch.from_numpy(w1 - w2).T + torch.from_numpy(bias))
        if len(units) == 1:
            units[0].requires_grad_()
        else:
            units[-1].retain_grad()
        h = units[-1].relu()
    z = units[-1]
    loss = torch.nn.functional.cross_entropy if task == "classification" else torch.nn.functional.mse_loss
    loss(z if task == "classification" else z[:, 0], target, reduction="sum").backward()
    assert len(inputs) == len(found) == 3
    for own, theirs in zip(found, units):
        np.testing.assert_allclose(own, theirs.grad, atol=1e-12)
    np.testing.assert_allclose(inputs[1], units[0].detach().relu(), atol=1e-12)
