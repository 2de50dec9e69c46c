"""Why accuracy falls and rises late in training: the one weakness that paper B reports, over many seeds.

The paper saw a network with dual weights lose accuracy on CIFAR-10 (2 layers, n = 500). Here its protocol is run with
many seeds and looked into four times a turn, as published and with centred inputs (the mean of the training images
taken off): a test of the cause that we propose.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import model_validator

from weightspace.campaigns.configuration import STRICT, Count, dataclass, unread
from weightspace.campaigns.registry import Experiment
from weightspace.dual.methods import STABILIZER_GAIN
from weightspace.experiments.dual_weights.protocol import (
    NOISE_STD,
    Images,
    ProtocolConfiguration,
    ProtocolRuns,
    base_settings,
    identity,
)

METHODS = ("dual", "dual_stabilized", "gradient_descent")
INPUTS = ("as published", "centred")
LOOKS_PER_TURN = 4
_SETTING = {"paper": ("cifar10", 500), "quick": ("digits", 100)}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class InstabilityConfiguration(ProtocolConfiguration):
    """A network of two layers in the released protocol, looked into while it is trained.

    inputs: ``as published``, or ``centred``, with the mean of the distinct training images taken off.
    looks_per_turn: how often a turn, at most its updates.
    """

    dataset: Images
    layers: Annotated[int, unread(2)] = 2
    noise_std: Annotated[float, unread(NOISE_STD)] = NOISE_STD
    inputs: Literal[INPUTS]  # type: ignore[valid-type]
    looks_per_turn: Count = LOOKS_PER_TURN

    @model_validator(mode="after")
    def _has_updates_between_looks(self) -> InstabilityConfiguration:
        if self.looks_per_turn > self.updates_per_turn:
            raise ValueError(
                f"looks_per_turn: at most updates_per_turn, {self.updates_per_turn}, got {self.looks_per_turn}"
            )
        return self


def configurations(scale: str, seeds: int) -> list[InstabilityConfiguration]:
    dataset, train_size = _SETTING[scale]
    return [
        InstabilityConfiguration(
            **base_settings("dual_instability", scale, dataset, 2, train_size), method=method, seed=seed, inputs=inputs
        )
        for inputs in INPUTS
        for method in METHODS
        for seed in range(seeds)
    ]


def unit_statistics(runs: ProtocolRuns[InstabilityConfiguration], run: int) -> pd.DataFrame:
    """What the training samples do to the units of a two-layer network, a row per unit of both layers.

    layer: 1 hidden, 2 output. mean_output: mean of the ReLU output (hidden) or of |z| (output). active: share of
    samples with positive output (hidden). rate: mean share by which the unit moves a weight vector towards an input,
    lr |g| or its stabilized form. step_gain: mean over samples of (rate / |g|) (|input|^2 + 1), the change of z by the
    update on the same sample in units of -g; at 1 the update removes the whole of a squared error, beyond 2 it
    enlarges it.
    """
    x, y = runs.problem.x[runs.train_indices].astype(np.float64), runs.problem.y[runs.train_indices]
    (w1, w2, b), (v1, v2, c) = runs.networks.layers(run)
    method, lr = runs.networks.methods[run], runs.group[run].lr
    hidden = x @ (w1 - w2).T + b
    h = np.maximum(hidden, 0)
    z = h @ (v1 - v2).T + c
    g_top = np.exp(z - z.max(axis=1, keepdims=True))
    g_top /= g_top.sum(axis=1, keepdims=True)
    g_top[np.arange(len(y)), y] -= 1
    g_hidden = (g_top @ (v1 - v2)) * (hidden > 0)
    rows = []
    for layer, inputs, outputs, g in ((1, x, h, g_hidden), (2, h, np.abs(z), g_top)):
        size = np.abs(g)
        units = size.shape[1]
        m = runs.networks.m[run, :units] if layer == 1 else runs.networks.m[run, -units:]
        rate = lr * np.minimum(1, STABILIZER_GAIN * size / m) if method.stabilizer else lr * size
        moved = size > 0
        gain = np.divide(rate, size, out=np.zeros_like(rate), where=moved) * ((inputs**2).sum(axis=1) + 1)[:, None]
        rows.append(
            pd.DataFrame(
                {
                    "layer": layer,
                    "unit": np.arange(units),
                    "mean_output": outputs.mean(axis=0),
                    "active": (outputs > 0).mean(axis=0),
                    "rate": rate.mean(axis=0),
                    "step_gain": gain.sum(axis=0) / np.maximum(moved.sum(axis=0), 1),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def compute(group: list[InstabilityConfiguration], device: str) -> pd.DataFrame:
    """Accuracy four times a turn with what goes with it, and the statistics of every unit after each turn.

    Rows with unit -1 belong to the whole network: metric ``accuracy_percent``, ``step_gain`` (mean over the outputs)
    and ``largest_mean_output`` (of the hidden units). Rows of a unit: the columns of ``unit_statistics`` as metrics.
    """
    runs = ProtocolRuns(group, device)
    if runs.common.inputs == "centred":
        x = runs.problem.x
        runs.problem = replace(runs.problem, x=x - x[np.unique(runs.train_indices)].mean(axis=0))
    rows = []
    for _ in range(runs.common.turns):
        for updates in runs.train_in_parts(runs.common.looks_per_turn):
            accuracy = runs.problem.values(runs.test_sample_scores(noisy=False).mean(axis=1, dtype=np.float64))
            for run, configuration in enumerate(group):
                common = identity(configuration) | {"inputs": configuration.inputs, "updates": updates}
                units = unit_statistics(runs, run)
                hidden, top = units[units["layer"] == 1], units[units["layer"] == 2]
                whole = {
                    "accuracy_percent": accuracy[run],
                    "step_gain": top["step_gain"].mean(),
                    "largest_mean_output": hidden["mean_output"].max(),
                }
                rows += [common | {"layer": 0, "unit": -1, "metric": k, "value": v} for k, v in whole.items()]
                if updates % configuration.updates_per_turn == 0:
                    long = units.melt(["layer", "unit"], var_name="metric")
                    rows += [common | row for row in long.to_dict("records")]
    return pd.DataFrame(rows).assign(**runs.problem.origin)


EXPERIMENTS = [
    Experiment(
        "dual_instability",
        "Accuracy lost within the six turns, and why",
        {"quick": 3, "paper": 50},
        configurations,
        ("inputs",),
        compute,
        ("cpu", "cuda"),
    )
]
