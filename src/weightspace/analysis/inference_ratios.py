"""The cost of inference with dual weights, folded and not, relative to a plain model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from weightspace.analysis import frames
from weightspace.experiments.dual_weights.inference_cost import FORMS, MODELS
from weightspace.measures.statistics import mean_interval


def ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """Folded and dual against plain, per model and batch size, paired by repetition.

    Columns: model, batch, form, n, ratio (geometric mean over repetitions of the time relative to plain) with its 95 %
    t interval (low, high), memory (bytes of the parameters relative to plain).
    """
    rows = []
    for (model, batch), group in frame.groupby(["model", "batch"], sort=False):
        wide = group.pivot(index="seed", columns=["metric", "form"], values="value")
        size = wide["parameter_bytes"]
        for form in FORMS[1:]:
            mean, low, high = np.exp(mean_interval(np.log(wide["latency_ratio"][form])))
            memory = float((size[form] / size["plain"]).mean())
            rows.append((model, batch, form, len(wide), float(mean), float(low), float(high), memory))
    return pd.DataFrame(rows, columns=["model", "batch", "form", "n", "ratio", "low", "high", "memory"])


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """``ratios`` as a table of the book."""
    found = ratios(frame)
    return pd.DataFrame(
        {
            "model": [MODELS[model]["label"] for model in found["model"]],
            "batch": found["batch"].astype(str),
            "form": found["form"],
            "time / plain": found["ratio"],
            "95 % interval": [f"{a:.3f}\u00a0to\u00a0{b:.3f}" for a, b in zip(found["low"], found["high"])],
            "parameters / plain": found["memory"],
        }
    )


def range_of(frame: pd.DataFrame, form: str) -> tuple[str, str]:
    """Smallest and largest time ratio of a form over models and batch sizes, as text with one decimal."""
    found = frames.select(ratios(frame), form=form)["ratio"]
    return f"{found.min():.1f}", f"{found.max():.1f}"


def largest_deviation(frame: pd.DataFrame, form: str) -> float:
    """How far the time ratio of a form lies from 1 in the model and batch size where it lies farthest, e.g. 0.02."""
    return float((frames.select(ratios(frame), form=form)["ratio"] - 1).abs().max())
