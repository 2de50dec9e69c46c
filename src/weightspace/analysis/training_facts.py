"""What became of the spectra of a small network along its training: with intervals, and against plain training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from weightspace import experiments
from weightspace.analysis import diversity_shifts, spectral_shifts
from weightspace.analysis.frames import select
from weightspace.experiments.primer.training_spectra import ARMS, MIDDLE
from weightspace.measures.statistics import compare_paired, holm, mean_interval

METRICS = {
    "num_spikes": "spikes",
    "sigma_mp": "sigma of the bulk",
    "norm": "squared Frobenius norm",
    "stable_rank": "stable rank",
    "alpha": "alpha",
}
"""Metrics that the chapter shows, and their names there."""


def at_the_end(frame: pd.DataFrame) -> pd.DataFrame:
    """Of the middle layer after the last update, a row per metric and arm.

    Columns: metric, arm, n, mean with its 95 % t interval, relative (to the start, mean of the ratios); and the arm
    against plain training, paired by seed: ratio of geometric means, effect_size (Cohen's d of the paired log ratios),
    p_holm (paired t-test on logarithms, Holm's correction over the whole table).
    """
    rows = select(frame, layer=MIDDLE)
    values = rows.pivot_table(index=["metric", "arm", "update"], columns="seed", values="value")
    last = rows["update"].max()
    found = []
    for metric in METRICS:
        for arm in ARMS:
            end, start = values.loc[(metric, arm, last)], values.loc[(metric, arm, 0)]
            mean, low, high = mean_interval(end)
            row = {"metric": metric, "arm": arm, "n": len(end), "mean": mean, "low": low, "high": high}
            row["relative"] = float((end / start).mean()) if (start > 0).all() else float("nan")
            plain = values.loc[(metric, "plain", last)]
            if arm != "plain" and len(end) > 2 and (end > 0).all() and (plain > 0).all():
                test = compare_paired(end, plain)
                row |= {"ratio": test.ratio, "effect_size": test.effect_size, "p": test.p}
            found.append(row)
    table = pd.DataFrame(found).reindex(columns=[*found[0], "ratio", "effect_size", "p"])
    return table.assign(p_holm=holm(table["p"])).drop(columns="p")


def table(ends: pd.DataFrame) -> pd.DataFrame:
    """``at_the_end`` as a table of the book."""
    rows = ends.to_dict("records")
    tested = [np.isfinite(row.get("p_holm", np.nan)) for row in rows]
    return pd.DataFrame(
        {
            "metric": [METRICS[row["metric"]] for row in rows],
            "training": [row["arm"].replace("_", " ") for row in rows],
            "at the end": [f"{_short(row['mean'])} ({_short(row['low'])} to {_short(row['high'])})" for row in rows],
            "relative to plain": [f"{row['ratio']:.2f}" if test else "" for row, test in zip(rows, tested)],
            "effect size": [f"{row['effect_size']:.1f}" if test else "" for row, test in zip(rows, tested)],
            "Holm's p": [f"{row['p_holm']:.1g}" if test else "" for row, test in zip(rows, tested)],
        }
    )


def _short(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


ELSEWHERE = ("diversity_spectra", "diversity_transfer_spectra")
"""Experiments that train larger networks under dropout."""


def dropout_elsewhere(level: str = "0.3") -> pd.DataFrame:
    """What a level of dropout changes in the layers but the last of larger networks, against the baseline of the seed.

    A row per experiment that is whole on record: experiment, n (seeds), norm (of the squared Frobenius norm, in
    percent) and spikes (per layer), means over layers and seeds.
    """
    rows = []
    for name in ELSEWHERE:
        scale = experiments.committed_scale(name)
        if experiments.complete(name, scale):
            changes = diversity_shifts.changes(experiments.load(name, scale), metrics=("log_norm", "num_spikes"))
            shifts = spectral_shifts.shifts(changes)
            own = select(shifts[~spectral_shifts.last_layer(shifts)], category="dp", level=level)
            mean = own.groupby("metric")["value"].mean()
            rows.append((name, own["seed"].nunique(), 100 * (10 ** mean["log_norm"] - 1), mean["num_spikes"]))
    return pd.DataFrame(rows, columns=["experiment", "n", "norm", "spikes"])
