"""From records to the numbers of a chapter: summaries, paired tests, and ours held against what was reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from importlib.resources import files
from operator import and_

import numpy as np
import pandas as pd

from weightspace.measures.statistics import compare_paired, holm, mean_interval, prediction_interval

CONFIGURATION = ["dataset", "layers", "train_size"]


def reported_dual_weight() -> pd.DataFrame:
    """Every number printed in the released notebooks of paper B: single runs, one of them done twice."""
    with files("weightspace").joinpath("reported/dual_weight.csv").open() as stream:
        return pd.read_csv(stream)


def last_turn(frame: pd.DataFrame, test_inputs: str = "clean") -> pd.DataFrame:
    """Rows after the last turn with clean or noisy test inputs."""
    return select(frame, turn=frame["turn"].max(), test_inputs=test_inputs)


def select(frame: pd.DataFrame, **where: object) -> pd.DataFrame:
    """The rows whose columns have the given values, e.g. ``select(runs, layers=3, method="dual", turn=6)``."""
    chosen = [frame[name] == wanted for name, wanted in where.items()]
    return frame[reduce(and_, chosen)] if chosen else frame  # in one step: each would copy all columns


def with_error(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a column ``error``: the mean squared error, or 100 - accuracy (or recall) in percent.

    Ratios and logarithms are taken of errors: they are positive and differ by factors.
    """
    percent = frame["metric"].str.endswith("_percent")
    return frame.assign(error=frame["value"].where(~percent, 100 - frame["value"]))


def mean_of(frame: pd.DataFrame, **where: object) -> float:
    """Mean value of the rows that match ``where``."""
    return mean_interval(select(frame, **where)["value"])[0]


def means(frame: pd.DataFrame, by: Sequence[str], value: str = "value") -> pd.DataFrame:
    """The mean of a column in every group, a row each; for intervals see ``summarize``."""
    return frame.groupby(list(by), sort=False)[value].mean().reset_index()


def count_tests(table: pd.DataFrame) -> tuple[int, int]:
    """How many rows of a table hold a test, and how many of these are significant at 5 % after correction."""
    return int(table["p"].notna().sum()), int((table["p_holm"] < 0.05).sum())


def still_falling(frame: pd.DataFrame, method: str) -> tuple[int, int]:
    """In how many configurations the mean clean test error of a method is lowest after the last turn: (those, all)."""
    own = select(frame, test_inputs="clean", method=method)
    means = own.groupby([*CONFIGURATION, "turn"])["value"].mean().unstack()
    return int((means.idxmin(axis=1) == means.columns.max()).sum()), len(means)


def slowest_to_start(frame: pd.DataFrame, method: str) -> tuple[int, int]:
    """In how many configurations a method has the highest mean test error after the first turn: (those, all)."""
    first = select(frame, turn=frame["turn"].min(), test_inputs="clean")
    means = first.groupby([*CONFIGURATION, "method"])["value"].mean().unstack()
    return int((means.idxmax(axis=1) == method).sum()), len(means)


def summarize(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Per group: n, mean and 95 % t interval of the mean (columns n, mean, low, high)."""
    groups = frame.groupby(list(by), sort=False)["value"]
    rows = [(*key, len(values), *mean_interval(values)) for key, values in groups]
    return pd.DataFrame(rows, columns=[*by, "n", "mean", "low", "high"])


def against_reported(ours: pd.DataFrame) -> pd.DataFrame:
    """Each reported value beside ours (the rows of an experiment), marking what a single run of ours would hardly give.

    Columns: configuration, method, test_inputs, turn, reported, n, mean, low, high (95 % interval of our mean),
    run_low, run_high (95 % prediction interval of one run), inside (reported lies in the prediction interval).
    """
    reported = reported_dual_weight().rename(columns={"value": "reported"})
    by = [*CONFIGURATION, "method", "test_inputs", "turn"]
    table = reported.merge(summarize(ours, by), on=by)
    if table.empty:
        return table.assign(run_low=[], run_high=[], inside=[])
    groups = ours.groupby(by)["value"]
    log = table["metric"].eq("mse_x1e4")  # accuracies are bounded shares, their spread is taken as it is
    intervals = [
        prediction_interval(groups.get_group(tuple(row[name] for name in by)), log=use_log)
        for (_, row), use_log in zip(table.iterrows(), log)
    ]
    table[["run_low", "run_high"]] = intervals
    table["inside"] = table["reported"].between(table["run_low"], table["run_high"])
    return table[[*by, "metric", "run", "reported", "n", "mean", "low", "high", "run_low", "run_high", "inside"]]


def count_inside(table: pd.DataFrame) -> dict[str, int]:
    """How many reported values lie ``inside``, how many are ``reported``, and how many of them are ``expected`` inside.

    table: from ``against_reported``.
    """
    return {"inside": int(table["inside"].sum()), "reported": len(table), "expected": round(0.95 * len(table))}


def paired(
    frame: pd.DataFrame, ours: str, baseline: str, value: str = "value", by: Sequence[str] = CONFIGURATION
) -> pd.DataFrame:
    """One row per configuration ``by`` and seed with the values of two methods, columns ``ours`` and ``baseline``.

    Seeds that only one of the two has are an error: a comparison must not depend on which runs are missing.
    """
    return next(_paired(frame, [ours], [baseline], value, by))[2]


def _paired(
    frame: pd.DataFrame, methods: Sequence[str], baselines: Sequence[str], value: str, by: Sequence[str]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """What ``paired`` returns, for each method and each baseline."""
    keys = [*by, "seed"]
    frame = frame[[*keys, "method", value]]  # the rest would be copied with every choice of rows
    values = {name: select(frame, method=name).set_index(keys)[value] for name in {*methods, *baselines}}
    order = {name: own.index.sort_values() for name, own in values.items()}
    for ours in methods:
        for baseline in baselines:
            a, b = values[ours], values[baseline]
            if a.empty or b.empty or not order[ours].equals(order[baseline]):
                raise ValueError(f"{ours} and {baseline} have not been run for the same configurations and seeds")
            yield ours, baseline, pd.DataFrame({"ours": a, "baseline": b.reindex(a.index)}).reset_index()


def paired_tests(
    frame: pd.DataFrame,
    methods: Sequence[str],
    baselines: Sequence[str],
    value: str = "value",
    by: Sequence[str] = CONFIGURATION,
) -> pd.DataFrame:
    """Each method against each baseline, configuration by configuration, paired by seed.

    Columns: method, baseline, configuration, n, ratio (geometric mean of method / baseline), low, high (95 %), p,
    effect_size (Cohen's d of the paired log ratios), p_holm (corrected over the whole table).
    """
    rows = []
    for method, baseline, pairs in _paired(frame, methods, baselines, value, by):
        for key, group in pairs.groupby(list(by), sort=False):
            rows.append((method, baseline, *key, *vars(compare_paired(group["ours"], group["baseline"])).values()))
    table = pd.DataFrame(rows, columns=["method", "baseline", *by, "n", "ratio", "low", "high", "p", "effect_size"])
    return table.assign(p_holm=holm(table["p"]))


def overall_ratio(
    frame: pd.DataFrame,
    method: str,
    baselines: Sequence[str],
    value: str = "value",
    by: Sequence[str] = CONFIGURATION,
) -> tuple[float, float, float]:
    """Geometric mean ratio over all configurations and baselines, with a 95 % interval over seeds."""
    logs = []
    for *_, pairs in _paired(frame, [method], baselines, value, by):
        logs.append(pairs.assign(log=np.log(pairs["ours"] / pairs["baseline"])))
    per_seed = pd.concat(logs).groupby("seed")["log"].mean()
    mean, low, high = np.exp(mean_interval(per_seed))
    return float(mean), float(low), float(high)


def overall_gain(
    frame: pd.DataFrame,
    method: str,
    baselines: Sequence[str],
    value: str = "value",
    by: Sequence[str] = CONFIGURATION,
) -> tuple[float, float, float]:
    """By how many percent a method lies below its baselines, with the interval: ``overall_ratio`` in other words."""
    mean, low, high = overall_ratio(frame, method, baselines, value, by)
    return 100 * (1 - mean), 100 * (1 - high), 100 * (1 - low)
