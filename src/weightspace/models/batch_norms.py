"""Which batch norm stands behind which convolution."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def batch_norms(model: nn.Module) -> dict[str, nn.BatchNorm2d]:
    """Name of a convolution -> the batch norm that takes its output; convolutions without one have no entry.

    It is the next of the children of the same module, in the order in which they were made: true of ``ResNet18`` and of
    timm's EfficientNet, which the tests check by what passes from one to the other.
    """
    found: dict[str, nn.BatchNorm2d] = {}
    for path, parent in model.named_modules():
        children = list(parent.named_children())
        for (name, child), (_, behind) in pairwise(children):
            if isinstance(child, nn.Conv2d) and isinstance(behind, nn.BatchNorm2d):
                found[f"{path}.{name}".removeprefix(".")] = behind
    return found
