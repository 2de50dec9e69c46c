"""Layers whose neurons keep two weight vectors, and what turns a model into one that has them and back.

The names are imported when first used, so that the methods can be named without waiting for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weightspace.dual.convert import dualize, fold
    from weightspace.dual.layers import DualConv2d, DualLinear

_HOMES = {
    "DualConv2d": "weightspace.dual.layers",
    "DualLinear": "weightspace.dual.layers",
    "dualize": "weightspace.dual.convert",
    "fold": "weightspace.dual.convert",
}

__all__ = ["DualConv2d", "DualLinear", "dualize", "fold"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'weightspace.dual' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
