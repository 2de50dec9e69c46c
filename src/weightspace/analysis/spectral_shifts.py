"""Paper A's statistic: how much more (or less) a setting changes the spectrum of a layer than the baseline does.

A frame of changes has a row per model, task, seed, category, level, layer and metric; ``value`` is the metric after
training minus before. Its shift is that minus the same difference of the baseline of the same model, task and seed. A
profile is the mean shift of a category, layer by layer: over its levels, then over tasks and seeds.
"""

from __future__ import annotations

from importlib.resources import files
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from weightspace.experiments.diversity.released_measurements import BASELINE
from weightspace.measures.statistics import holm, mean_interval

CATEGORIES = ("div", "dp", "wd")
"""Data diversity, dropout, weight decay."""
PAIRS = tuple(combinations(CATEGORIES, 2))

_CASE = ["model", "task", "seed"]
_SETTING = ["category", "level", "order"]


def shifts(changes: pd.DataFrame) -> pd.DataFrame:
    """Change of every setting minus the change of its baseline, per model, task, seed, layer and metric.

    Layers that are missing on either side are left out, as in the released notebooks. Raises ``ValueError`` where a
    model and task have no baseline, or more than one per seed.
    """
    keys = [*_CASE, "layer", "metric"]
    changes = changes[[*keys, *_SETTING, "value"]]  # the rest would be copied with every choice of rows
    baseline = changes[changes["category"] == BASELINE].set_index(keys)["value"]
    if baseline.index.has_duplicates:
        raise ValueError("more than one baseline for the same model, task and seed")
    others = changes[changes["category"] != BASELINE]
    if lacking := set(others.groupby(_CASE).groups) - set(baseline.reset_index().groupby(_CASE).groups):
        raise ValueError(f"no baseline ({BASELINE}) for {sorted(lacking)}")
    joined = others.join(baseline.rename("baseline"), on=keys, how="inner")
    return joined.assign(value=joined["value"] - joined["baseline"]).drop(columns="baseline")


def profiles(shifted: pd.DataFrame) -> pd.DataFrame:
    """Mean shift per layer: rows (model, metric, layer), a column per category; over levels, then tasks and seeds."""
    per_task = shifted.groupby([*_CASE, "metric", "layer", "category"])["value"].mean()
    return per_task.groupby(["model", "metric", "layer", "category"]).mean().unstack("category")


def last_layer(frame: pd.DataFrame) -> pd.Series:
    """Whether each row of a frame or of profiles belongs to the last layer of its model (the classifier, if kept)."""
    rows = frame.reset_index() if "layer" in frame.index.names else frame
    return pd.Series((rows["layer"] == rows.groupby("model")["layer"].transform("max")).to_numpy(), frame.index)


def comparisons(profile: pd.DataFrame) -> pd.DataFrame:
    """Categories against each other across layers, per model and metric, as the released notebooks do it.

    Columns: model, metric, a, b, n (layers), t and p (two-sample t-test with equal variances, which ignores that the
    layers are the same), p_holm (corrected over the whole table), pearson.
    """
    rows = []
    for (model, metric), group in profile.groupby(level=["model", "metric"], sort=False):
        for a, b in PAIRS:
            both = group[[a, b]].dropna()
            test = stats.ttest_ind(both[a], both[b])
            rows.append((model, metric, a, b, len(both), test.statistic, test.pvalue, both[a].corr(both[b])))
    table = pd.DataFrame(rows, columns=["model", "metric", "a", "b", "n", "t", "p", "pearson"])
    return table.assign(p_holm=holm(table["p"]))


def anova(profile: pd.DataFrame) -> pd.DataFrame:
    """One-way analysis of variance between categories, layers as replicates: model, metric, n, F, p, p_holm."""
    rows = []
    for (model, metric), group in profile.groupby(level=["model", "metric"], sort=False):
        columns = [group[name].dropna() for name in CATEGORIES]
        test = stats.f_oneway(*columns)
        rows.append((model, metric, len(columns[0]), test.statistic, test.pvalue))
    table = pd.DataFrame(rows, columns=["model", "metric", "n", "F", "p"])
    return table.assign(p_holm=holm(table["p"]))


def category_means(profile: pd.DataFrame) -> pd.DataFrame:
    """Mean over layers with its 95 % t interval: model, metric, category, n, mean, low, high."""
    rows = []
    for (model, metric), group in profile.groupby(level=["model", "metric"], sort=False):
        for category in group.columns[group.notna().any()]:
            values = group[category].dropna()
            rows.append((model, metric, category, len(values), *mean_interval(values)))
    return pd.DataFrame(rows, columns=["model", "metric", "category", "n", "mean", "low", "high"])


def level_means(shifted: pd.DataFrame) -> pd.DataFrame:
    """Mean over layers of the shift of every level, averaged over tasks and seeds first, with its 95 % t interval.

    Columns: model, metric, category, level, order, n (layers), mean, low, high.
    """
    by = ["model", "metric", *_SETTING]
    per_layer = shifted.groupby([*by, "layer"])["value"].mean()
    rows = [(*key, len(group), *mean_interval(group)) for key, group in per_layer.groupby(level=by)]
    return pd.DataFrame(rows, columns=[*by, "n", "mean", "low", "high"]).sort_values([*by[:3], "order"])


def reported() -> pd.DataFrame:
    """What the release of paper A reports: model, task, statistic, metric, a, b (categories), value, source.

    task: of the values that are printed per data set; empty where all tasks of a model are pooled. value: as printed;
    those per data set, which are printed with all digits of the computer, to eight of them.
    """
    with files("weightspace").joinpath("reported/data_diversity.csv").open() as stream:
        return pd.read_csv(stream, dtype=str, keep_default_na=False)


def statistics(changes: pd.DataFrame) -> pd.DataFrame:
    """Everything the release reports, from changes, in the form of ``reported`` with numbers as values."""
    profile = profiles(shifts(changes))
    tests, variance, means = comparisons(profile), anova(profile), category_means(profile)
    parts = [
        tests.rename(columns={old: "value"}).assign(statistic=new)
        for old, new in (("t", "t"), ("p", "t_p"), ("pearson", "pearson"))
    ]
    parts += [
        variance.rename(columns={old: "value"}).assign(statistic=new, a="", b="")
        for old, new in (("F", "anova_F"), ("p", "anova_p"))
    ]
    parts.append(means.rename(columns={"mean": "value", "category": "a"}).assign(statistic="category_mean", b=""))
    last = profile[last_layer(profile)].melt(ignore_index=False).dropna().reset_index()
    parts.append(last.rename(columns={"category": "a"}).assign(statistic="last_layer_mean", b=""))
    layers = means.groupby("model")["n"].max().rename("value").reset_index()
    parts.append(layers.assign(statistic="layers", metric="", a="", b=""))
    parts = [part.assign(task="") for part in parts]
    for (model, task), own in changes.groupby(["model", "task"]):
        profile = profiles(shifts(own))
        for name, layers in (("category_mean", profile), ("last_layer_mean", profile[last_layer(profile)])):
            mean = layers.groupby(level="metric").mean().melt(ignore_index=False).dropna().reset_index()
            part = mean.rename(columns={"category": "a"}).assign(statistic=name, b="", model=model, task=task)
            parts.append(part)
    columns = ["model", "task", "statistic", "metric", "a", "b", "value"]
    return pd.concat([part[columns] for part in parts], ignore_index=True)


TEST_TEXTS = 345
"""Test set of the text task: every accuracy is a number of right answers out of 345."""


def as_printed(value: float, like: str) -> str:
    """``value`` with as many digits as the printed number ``like`` has ("0.24", "1.5e-05", "<0.001")."""
    if like.startswith("<"):
        return like if value < float(like[1:]) else f"{value:.3g}"
    mantissa, exponent, _ = like.partition("e")
    digits = len(mantissa.partition(".")[2])
    return f"{value:.{digits}e}" if exponent else f"{value:.{digits}f}"


def against_reported(changes: pd.DataFrame) -> pd.DataFrame:
    """Every reported value beside ours, digit by digit: the columns of ``reported``, ours (text), agrees.

    The accuracies of the text task were released as numbers in a notebook only. They are held against the nearest
    number of right answers out of 345.
    """
    table = reported().merge(
        statistics(changes).rename(columns={"value": "number"}),
        on=["model", "task", "statistic", "metric", "a", "b"],
        how="left",
    )
    accuracy = table["statistic"] == "accuracy"
    right = (table["value"].where(accuracy).astype(float) * TEST_TEXTS).round()
    table["number"] = table["number"].where(~accuracy, right / TEST_TEXTS)
    ours = [
        "missing" if np.isnan(number) else as_printed(number, value)
        for number, value in zip(table["number"], table["value"])
    ]
    return table.assign(ours=ours, agrees=[a == b for a, b in zip(ours, table["value"])]).drop(columns="number")
