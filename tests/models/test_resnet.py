"""The network of the from-scratch experiment: the layers of the paper, dropout where it says."""

import pytest
import torch
import torchvision
from torch import nn

from weightspace.models import ResNet18


def test_it_is_torchvisions_resnet18_with_another_stem():
    """Same names and shapes but for the stem and the classes; same output from the same weights."""
    ours, theirs = ResNet18(), torchvision.models.resnet18(num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.load_state_dict(ours.state_dict())  # refuses any other name or shape
    x = torch.randn(2, 3, 32, 32)
    for model in (ours, theirs):
        model.eval()
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_it_has_21_weight_matrices_as_the_released_measurements():
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in ResNet18(width=8).modules()) == 21


def test_initial_convolutions_have_the_stated_variance():
    torch.manual_seed(0)
    for module in ResNet18(width=32).modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            expected = (2 / (module.out_channels * module.kernel_size[0] ** 2)) ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.05)


def test_dropout_stands_behind_every_addition_and_before_fc():
    """Nine places; each sets a share p of what passes to 0 and scales the rest by 1 / (1 - p)."""
    model = ResNet18(dropout=0.3, width=16).train()
    seen = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda _, inputs, output, name=name: seen.update({name: (inputs[0], output)}))
    torch.manual_seed(0)
    model(torch.randn(32, 3, 32, 32))
    assert set(seen) == {f"layer{stage}.{block}.dropout" for stage in range(1, 5) for block in range(2)} | {"dropout"}
    for before, after in seen.values():
        alive = before > 0
        kept = after[alive] != 0
        assert kept.float().mean().item() == pytest.approx(0.7, abs=0.05)
        torch.testing.assert_close(after[alive][kept], before[alive][kept] / 0.7)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_a_dropout_that_is_no_share_is_refused(dropout):
    with pytest.raises(ValueError, match="dropout must be in"):
        ResNet18(dropout)
