"""Figures: each function draws one, from a frame.

A module of these is imported when it is first used, so that a page depends on those that it shows.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from weightspace.display.style import use_theme

use_theme()


def __getattr__(name: str) -> ModuleType:
    if find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
