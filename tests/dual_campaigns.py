"""Made-up records of ``dual_spectra`` for the tests of its rule, its claim and its figures."""

import numpy as np
import pandas as pd

from weightspace.experiments.dual_weights.spectra import BASELINE, DUAL, SETTINGS

VALUES = 16
RUNS = [(BASELINE, k) for k in range(3)] + [(setting, 0) for setting in SETTINGS]
_DIRECTIONS = np.column_stack([np.ones(VALUES), np.random.default_rng(5).standard_normal((VALUES, 3))])
SCALE, DECAY, DROPOUT, OTHER = np.linalg.qr(_DIRECTIONS)[0].T * np.sqrt(VALUES)
"""Directions at right angles; the first one is a factor of the whole matrix, which its shape does not see."""


def campaign(dual, seeds=10, size=3.0, random_seed=0):
    """Records with one layer; weight decay and dropout in directions of their own, growing with their strength.

    dual: direction of the effect of both dual methods, in units of a run's noise, at the middle strength.
    """
    rng = np.random.default_rng(random_seed)
    rows = []
    for seed in range(seeds):
        start = rng.standard_normal(VALUES)
        for method, replicate in RUNS:
            kind = "dual" if method in DUAL else method.rpartition("_")[0]
            among = [name for name in SETTINGS if name.startswith(kind)] if kind != "dual" else []
            dose = 0.0 if method == BASELINE else 0.5 if kind == "dual" else (1 + among.index(method)) / len(among)
            shape = {"dual": dual, "l2_squared": DECAY, "dropout": DROPOUT}.get(kind, np.zeros(VALUES))
            logs = (
                -1 + np.linspace(0, 1, VALUES) + 0.01 * (start + rng.standard_normal(VALUES) + 2 * dose * size * shape)
            )
            place = {"dataset": "digits", "layers": 2, "train_size": 100, "label_noise": 0.0, "seed": seed}
            place |= {"method": method, "replicate": replicate, "update": 100}
            # The validation loss is smallest at the third strength, the test loss falls, the training loss rises.
            found = {"train": dose, "test": -dose, "validation": (dose - 0.55) ** 2}
            for inputs, value in found.items():
                value = 10 ** (value + 0.01 * rng.standard_normal())
                rows.append(place | {"layer": 0, "part": "", "inputs": inputs, "metric": "loss", "value": value})
            spectrum = (10 ** (2 * logs)).astype("<f4").tobytes()
            rows.append(
                place | {"layer": 1, "part": "W", "metric": "eigenvalues", "eigenvalues": spectrum, "value": 1.0}
            )
            rows.append(place | {"layer": 1, "part": "", "metric": "mean_abs_g", "value": 0.04})
    return pd.DataFrame(rows)
