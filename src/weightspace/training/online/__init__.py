"""Stacks of small networks that learn from one sample at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from weightspace.training.online.networks import OnlineNetworks


def networks_on(device: str) -> Callable[..., OnlineNetworks]:
    """What builds the stack of networks that trains on a device: compiled loops on ``cpu``, PyTorch on any other."""
    if device == "cpu":
        return OnlineNetworks
    from weightspace.training.online.torch_backend import TorchOnlineNetworks  # PyTorch: takes seconds

    return partial(TorchOnlineNetworks, device=device)
