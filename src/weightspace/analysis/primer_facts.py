"""What the records of random matrices say of the tools that read spectra: shares, ranges, quoted numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from weightspace.analysis.frames import select
from weightspace.experiments.primer.spectra_primer import P_PASSES
from weightspace.measures.statistics import fraction_interval
from weightspace.spectra import metrics, power_law


def detection(frame: pd.DataFrame) -> pd.DataFrame:
    """How often the fit reports a spike where one was planted: M, strength, n, share and its Wilson interval."""
    rows = select(frame, study="spike", metric="num_spikes")
    found = [
        (M, strength, len(group), *fraction_interval(group["value"] > 0))
        for (M, strength), group in rows.groupby(["M", "strength"])
    ]
    return pd.DataFrame(found, columns=["M", "strength", "n", "share", "low", "high"])


def spread(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Per group the median of the values and the range of 95 % of them: n, median, low, high."""
    rows = []
    for key, group in frame.groupby(list(by)):
        low, median, high = np.nanquantile(group["value"], [0.025, 0.5, 0.975])
        rows.append((*key, len(group), median, low, high))
    return pd.DataFrame(rows, columns=[*by, "n", "median", "low", "high"])


def facts(frame: pd.DataFrame) -> dict[str, object]:
    """The numbers that the chapter quotes, by name; fractions in percent, ranges hold 95 % of the runs."""
    edge, kinds, sample, unfolding = (select(frame, study=name) for name in ("edge", "kinds", "sample", "unfolding"))
    rates = detection(frame)
    rates = select(rates, M=rates["M"].max())
    strong = rates[rates["strength"] > 1.4].iloc[0]
    alphas = spread(select(kinds, metric="alpha"), ["ensemble"]).set_index("ensemble")
    tests = kinds.pivot(index=["ensemble", "seed"], columns="metric", values="value")
    kinds_of = {"power": "power_law", "heavy": "heavy_tailed", "spiked": "spiked", "noise": "gaussian"}
    D = tests["D_mp"].groupby("ensemble").median()
    passes = 100 * (tests["p"] >= P_PASSES).groupby("ensemble").mean()
    better = (tests["ratio_lognormal"] < 0) & (tests["ratio_lognormal_p"] < 0.05)
    lognormal = 100 * better.groupby("ensemble").mean()
    covered = 100 * select(sample, metric="covered").groupby("M")["value"].mean()
    smallest, largest = covered.index.min(), covered.index.max()
    tiny = spread(select(sample, metric="alpha", M=smallest), ["M"]).iloc[0]
    found: dict[str, Any] = {
        **_percent("above_edge", select(edge, metric="above_edge")["value"]),
        **_percent("false", select(edge, metric="num_spikes")["value"] > 0),
        "detected_M": int(strong["M"]),
        "detected_strength": f"{strong['strength']:g}",
        "detected_at_1": 100 * select(rates, strength=1.0)["share"].iloc[0],
        "detected_above": 100 * strong["share"],
        "detected_above_low": 100 * strong["low"],
        "detected_above_high": 100 * strong["high"],
        "alpha_at_3": select(frame, study="entries", tail_index=3.0, metric="alpha")["value"].median(),
        "alpha_spiked": alphas["median"]["spiked"],
        "alpha_noise_low": alphas["low"]["gaussian"],
        "alpha_noise_high": alphas["high"]["gaussian"],
        **{f"D_{name}": D[kind] for name, kind in kinds_of.items()},
        **{f"pass_{name}": passes[kind] for name, kind in kinds_of.items()},
        **{f"lognormal_{name}": lognormal[kind] for name, kind in kinds_of.items()},
        "tiny_n": int(smallest),
        "tiny_low": tiny["low"],
        "tiny_high": tiny["high"],
        "large_n": int(largest),
        "covered_small": covered[smallest],
        "covered_large": covered[largest],
        "rank_slices": select(unfolding, metric="stable_rank_slices")["value"].median(),
        "rank_reshaped": select(unfolding, metric="stable_rank_reshaped")["value"].median(),
    }
    return {name: value if isinstance(value, int | str) else float(value) for name, value in found.items()}


def _percent(name: str, happened: pd.Series) -> dict[str, float]:
    share, low, high = fraction_interval(happened.astype(bool))
    return {f"{name}_percent": 100 * share, f"{name}_low": 100 * low, f"{name}_high": 100 * high}


def scaled(values: np.ndarray, factors: Sequence[float]) -> pd.DataFrame:
    """Metrics of one spectrum when all weights are multiplied by a factor: factor, alpha, alpha_absolute,
    alpha_weighted.

    alpha_absolute leaves out eigenvalues up to 1e-5, as WeightWatcher does; alpha_weighted is alpha log10 lambda_max.
    """
    rows = []
    for factor in factors:
        own = values * factor**2
        kept = own[own > 1e-5]
        alpha = power_law.fit(own).alpha
        absolute = power_law.fit(kept).alpha if len(kept) > 1 else float("nan")
        rows.append((factor, alpha, absolute, metrics.alpha_weighted(alpha, own)))
    return pd.DataFrame(rows, columns=["factor", "alpha", "alpha_absolute", "alpha_weighted"])
