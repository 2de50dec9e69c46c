"""What the neurons of the first layer learned: their weights as images, and numbers for what the eye sees in them."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import LATER, STRICT, dataclass, unread
from weightspace.campaigns.registry import Experiment
from weightspace.dual.methods import PAPER_METHODS
from weightspace.experiments.dual_weights.protocol import (
    NOISE_STD,
    ProtocolConfiguration,
    ProtocolRuns,
    base_settings,
    identity,
)

_SETTING = {"paper": ("mnist", 1000), "quick": ("digits", 100)}
LAYERS = 2
UNITS_SHOWN = 10


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NeuronsConfiguration(ProtocolConfiguration):
    """A network of the released protocol, trained on square images of one channel.

    units_shown: units of the first layer whose weights are kept, in the run of seed 0; at most its width.
    """

    dataset: Literal["digits", "fashion_mnist", "mnist"]
    noise_std: Annotated[float, unread(NOISE_STD)] = NOISE_STD
    units_shown: Annotated[int, Field(ge=0), LATER] = UNITS_SHOWN

    @model_validator(mode="after")
    def _has_the_units(self) -> NeuronsConfiguration:
        width = (*self.hidden, 10)[0]
        if self.seed == 0 and self.units_shown > width:
            raise ValueError(f"units_shown: the first layer has {width} units, got {self.units_shown}")
        return self


def configurations(scale: str, seeds: int) -> list[NeuronsConfiguration]:
    dataset, train_size = _SETTING[scale]
    return [
        NeuronsConfiguration(
            **base_settings("dual_neurons", scale, dataset, LAYERS, train_size), method=method, seed=seed
        )
        for method in PAPER_METHODS
        for seed in range(seeds)
    ]


def describe_weights(weights: np.ndarray, start: np.ndarray, silent: np.ndarray) -> dict[str, float]:
    """Numbers for the weight images of one layer, ``[units, side * side]``.

    silent_rms: root mean square over the pixels that are zero in every training image, relative to the start.
    roughness: mean squared difference of neighbouring pixels / (2 mean square); 1 for independent pixels of mean 0,
    near 0 for smooth images. noise_gain: mean over units of the sum of squares, the variance of w.x that noise of
    variance 1 on every pixel makes.
    """
    side = int(np.sqrt(weights.shape[1]))
    images = weights.astype(np.float64).reshape(len(weights), side, side)
    square = (images**2).mean()
    neighbours = ((np.diff(images, axis=1) ** 2).mean() + (np.diff(images, axis=2) ** 2).mean()) / 2
    quiet = float("nan")
    if silent.any():
        quiet = float(np.sqrt((weights[:, silent] ** 2).mean() / (start[:, silent] ** 2).mean()))
    return {
        "silent_rms": quiet,
        "roughness": float(neighbours / (2 * square)),
        "noise_gain": float((images**2).sum(axis=(1, 2)).mean()),
    }


def compute(group: list[NeuronsConfiguration], device: str) -> pd.DataFrame:
    """Per run the numbers of ``describe_weights``; of seed 0 also the weights of the first ten units.

    Rows of metric ``weights`` carry W1 and W2 of one unit in the columns w1 and w2 (little-endian float32), their
    value is ||W1 - W2||.
    """
    runs = ProtocolRuns(group, device)
    start = [runs.networks.layers(run)[0][0].copy() for run in range(len(group))]
    for _ in range(runs.common.turns):
        runs.train_turn()
    silent = np.asarray(~runs.problem.x[runs.train_indices].any(axis=0))
    rows = []
    for run, configuration in enumerate(group):
        w1, w2, _ = runs.networks.layers(run)[0]
        common = identity(configuration) | {"turn": runs.turn, "unit": -1, "silent_pixels": int(silent.sum())}
        common |= {"w1": b"", "w2": b""}
        for metric, value in describe_weights(w1 - w2, start[run], silent).items():
            if np.isfinite(value):
                rows.append(common | {"metric": metric, "value": value})
        for unit in range(configuration.units_shown) if configuration.seed == 0 else ():
            rows.append(
                common
                | {
                    "unit": unit,
                    "metric": "weights",
                    "value": float(np.linalg.norm(w1[unit] - w2[unit])),
                    "w1": w1[unit].astype("<f4").tobytes(),
                    "w2": w2[unit].astype("<f4").tobytes(),
                }
            )
    return pd.DataFrame(rows).assign(**runs.problem.origin)


def images(frame: pd.DataFrame, component: str, method: str) -> np.ndarray:
    """``[units, pixels]``: "w1", "w2" or their difference "w", of seed 0."""
    rows = frame[(frame["metric"] == "weights") & (frame["method"] == method)].sort_values("unit")
    w1, w2 = (np.stack([np.frombuffer(content, "<f4") for content in rows[name]]) for name in ("w1", "w2"))
    return {"w1": w1, "w2": w2, "w": w1 - w2}[component]


EXPERIMENTS = [
    Experiment(
        "dual_neurons",
        "First-layer weights as images",
        {"quick": 3, "paper": 20},
        configurations,
        ("dataset",),
        compute,
        ("cpu", "cuda"),
    )
]
