"""The training methods that the book compares, and their names in the records.

``dual, dual_stabilized, gradient_descent, l2_0.01, l2_0.1`` are the five of paper B; ``l2_<strength>`` takes any
strength, and ``l2_squared_<strength>`` and ``dropout_<rate>`` are the baselines that we add.
"""

from __future__ import annotations

from dataclasses import dataclass

PAPER_METHODS = ("dual", "dual_stabilized", "gradient_descent", "l2_0.01", "l2_0.1")
"""The five models that the released experiments train side by side, in their order."""

STABILIZER_GAIN = 0.1
"""Share of the learning rate that the stabilizer allows where |g| equals its running mean (paper B, appendix B)."""


@dataclass(frozen=True)
class Method:
    """How one model is trained.

    dual: two weight vectors per neuron. stabilizer: rates relative to the running mean of |g| (dual only).
    l2: strength of a penalty on every weight matrix, biases left out: l2 * ||W||_F as in the released code, or
    l2 * ||W||_F^2 with ``squared``. dropout: share of hidden activations set to zero while training.
    """

    name: str
    dual: bool = False
    stabilizer: bool = False
    l2: float = 0.0
    squared: bool = False
    dropout: float = 0.0


def parse_method(name: str) -> Method:
    """The method that a record calls ``name``; ``ValueError`` for a name or a strength that does not exist."""
    if name == "dual":
        return Method(name, dual=True)
    if name == "dual_stabilized":
        return Method(name, dual=True, stabilizer=True)
    if name == "gradient_descent":
        return Method(name)
    prefix, _, number = name.rpartition("_")
    try:
        strength = float(number)
    except ValueError:
        strength = float("nan")
    if prefix in ("l2", "l2_squared") and 0 <= strength < float("inf"):
        return Method(name, l2=strength, squared=prefix == "l2_squared")
    if prefix == "dropout" and 0 <= strength < 1:
        return Method(name, dropout=strength)
    raise ValueError(
        f"unknown method {name!r}: use one of {', '.join(PAPER_METHODS)}, "
        "or l2_<strength>, l2_squared_<strength>, dropout_<rate below 1>"
    )
