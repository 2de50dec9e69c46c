"""weightspace: what happens inside a network's weights. Two papers reproduced, and the tools to look at your own.

The names below are imported when first used, so that reading records does not have to wait for PyTorch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weightspace.campaigns import records
    from weightspace.dual.convert import dualize, fold
    from weightspace.dual.layers import DualConv2d, DualLinear
    from weightspace.measures.vendi import vendi_score, weighted_vendi_score
    from weightspace.spectra.comparison import compare
    from weightspace.spectra.recorder import SpectrumRecorder
    from weightspace.spectra.report import spectral_report
    from weightspace.spectra.summary import summary

__version__ = version("weightspace")

_HOMES = {
    "DualConv2d": "weightspace.dual.layers",
    "DualLinear": "weightspace.dual.layers",
    "SpectrumRecorder": "weightspace.spectra.recorder",
    "compare": "weightspace.spectra.comparison",
    "dualize": "weightspace.dual.convert",
    "fold": "weightspace.dual.convert",
    "spectral_report": "weightspace.spectra.report",
    "summary": "weightspace.spectra.summary",
    "vendi_score": "weightspace.measures.vendi",
    "weighted_vendi_score": "weightspace.measures.vendi",
}

__all__ = [
    "DualConv2d",
    "DualLinear",
    "SpectrumRecorder",
    "__version__",
    "compare",
    "dualize",
    "fold",
    "records",
    "spectral_report",
    "summary",
    "vendi_score",
    "weighted_vendi_score",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "records":
        return import_module("weightspace.campaigns.records")
    raise AttributeError(f"module 'weightspace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
