"""What the chapters on networks that overfit tell beside the verdicts: curves, gains, mean effects, a map of settings.

Works on records of ``diversity_from_scratch_spectra``, and ``learning_curves`` and ``baseline_noise`` on those of
``diversity_from_scratch``. Nothing here decides anything: see ``regularizer_tests``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from weightspace.analysis import diversity_outcomes
from weightspace.analysis.frames import select, summarize
from weightspace.analysis.regularizer_controls import signed_root, under
from weightspace.analysis.regularizer_effects import (
    BASELINE,
    CATEGORIES,
    PAPER_SETTINGS,
    Measure,
    acting,
    delays,
    effects,
    learned,
    outcomes,
    positions,
)
from weightspace.analysis.regularizer_tests import between_seeds, passed, products
from weightspace.measures.statistics import mean_interval


def present(frame: pd.DataFrame, settings: Iterable[str]) -> dict[str, str]:
    """Those of some settings that are on record, with their categories: the quick scale has few."""
    categories = frame.drop_duplicates("setting").set_index("setting")["category"]
    return {setting: categories[setting] for setting in settings if setting in categories}


def learning_curves(runs: pd.DataFrame, settings: Iterable[str]) -> pd.DataFrame:
    """Accuracy on training images as they are and on test images: setting, inputs, epoch, n, mean, low, high (percent).

    Over seeds, with the mean over the baselines of a seed.
    """
    own = runs[runs["setting"].isin(list(settings)) & runs["inputs"].isin(["train_clean", "test"])]
    keys = ["setting", "inputs", "epoch"]
    by_seed = select(own, metric="accuracy_percent").groupby([*keys, "seed"], sort=False)["value"].mean()
    return summarize(by_seed.reset_index(), keys)


def baseline_noise(runs: pd.DataFrame, names: Sequence[str] = diversity_outcomes.OUTCOMES) -> dict[str, float]:
    """Per outcome, how far a setting without any effect would lie from the baseline: half a 95 % interval.

    t sqrt((1 + 1/R) / n) s, where n seeds have R baselines each and s is their standard deviation within a seed.
    """
    own = select(runs, setting=BASELINE)
    # Every replicate is a run of its own here.
    table = diversity_outcomes.outcomes(own.assign(arm=own["replicate"].astype(str)))
    by_seed = table.groupby("seed")[list(names)]
    seeds, replicates = len(by_seed), int(by_seed.size().min())
    degrees = seeds * (replicates - 1)
    spread = np.sqrt(by_seed.var(ddof=1).mean())
    half = stats.t.ppf(0.975, degrees) * spread * np.sqrt((1 + 1 / replicates) / seeds)
    return {name: float(half[name]) for name in names}


def gains(frame: pd.DataFrame) -> pd.DataFrame:
    """What every setting gains and by how much it puts off interpolation, against the baselines of the seed.

    Columns: category, setting, n (seeds), gain (points of test accuracy) and delay (epochs, see ``delays``), each with
    its 95 % t interval (gain_low, gain_high, ...), p_holm (of the gain, as in ``acting``), learns (see ``learned``).
    """
    categories = frame.drop_duplicates("setting").set_index("setting")["category"]
    measured = {"gain": outcomes(frame, "test accuracy"), "delay": delays(frame)}
    tests = select(acting(frame), outcome="test accuracy").set_index("setting")["p_holm"]
    able, rows = learned(frame), []
    for setting in measured["gain"].index.drop(BASELINE):
        row = {"category": categories[setting], "setting": setting, "n": measured["gain"].shape[1]}
        for name, table in measured.items():
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), mean_interval(table.loc[setting]), strict=True))
        rows.append(row | {"p_holm": float(tests[setting]), "learns": setting in able})
    return pd.DataFrame(rows)


def gains_under_controls(campaign: pd.DataFrame, controls: pd.DataFrame) -> pd.DataFrame:
    """Gains and delays of the settings of the controls, as they are in the campaign and under every control.

    Columns of ``gains`` with control, "none" for the campaign, and train and test, the accuracies of the baselines
    there (percent). Of the campaign the seeds count that the controls have.
    """
    campaign = campaign[campaign["seed"].isin(controls["seed"].unique())]
    compared = {*controls["setting"], *controls["control"]} - {BASELINE}
    frames = {"none": campaign} | {name: under(campaign, controls, name) for name in controls["control"].unique()}
    tables = []
    for control, frame in frames.items():
        table, base = gains(frame), {name: outcomes(frame, f"{name} accuracy") for name in ("training", "test")}
        table = table[table["setting"].isin(compared if control != "label_noise" else {control})]
        means = {name: found.loc[BASELINE].mean() for name, found in base.items()}
        tables.append(table.assign(control=control, train=means["training"], test=means["test"]))
    return pd.concat(tables, ignore_index=True)


def sizes(frame: pd.DataFrame, measures: Sequence[Measure]) -> pd.DataFrame:
    """``gains`` of the settings that learn, with the size of their effects.

    size: sqrt(<z, z>) with the sign of <z, z>, which is 0 on average where there is no effect; per layer, in standard
    deviations between baselines, mean over the measures.
    """
    found = [effects(frame, measure) for measure in measures]
    once = np.ones((1, found[0].seeds))
    squared = [np.diagonal(between_seeds(products(one.values), once)[0]) for one in found]
    size = pd.Series(np.mean(signed_root(np.array(squared)), axis=0), found[0].settings["setting"], name="size")
    table = gains(frame)
    return table[table["learns"]].join(size, on="setting")


def mean_effects(frame: pd.DataFrame, measures: Iterable[Measure]) -> pd.DataFrame:
    """The effect of every setting, mean over layers, in standard deviations between baselines.

    Columns: measure, category, setting, n (seeds), mean, low, high (95 % t interval over seeds).
    """
    rows = []
    for measure in measures:
        found = effects(frame, measure)
        for (category, setting), own in zip(found.settings.itertuples(index=False), found.values.mean(axis=2)):
            rows.append((measure, category, setting, len(own), *mean_interval(own)))
    return pd.DataFrame(rows, columns=["measure", "category", "setting", "n", "mean", "low", "high"])


def layer_effects(frame: pd.DataFrame, measures: Iterable[Measure]) -> pd.DataFrame:
    """The mean effect of the settings of a category that learn, layer by layer.

    Columns: measure, category, layer, n (seeds), mean, low, high (95 % t interval over seeds). Over paper A's settings.
    """
    able, rows = learned(frame) & PAPER_SETTINGS, []
    for measure in measures:
        found = effects(frame, measure)
        for category in CATEGORIES:
            chosen = positions(found.settings, category, able)
            if not len(chosen):
                continue
            by_seed = found.values[chosen].mean(axis=0)
            for layer, own in zip(found.layers, by_seed.T):
                rows.append((measure, category, layer, len(own), *mean_interval(own)))
    return pd.DataFrame(rows, columns=["measure", "category", "layer", "n", "mean", "low", "high"])


def norm_changes(frame: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """By how many percent a logarithmic measure (base 10) is raised: geometric mean over layers, against the baseline.

    Columns: category, setting, n (seeds), percent, low, high (95 % t interval over seeds). The mean over paper A's
    settings of a category that learn stands in the row with the setting ``""``.
    """
    layers = range(1, int(frame["layer"].max()))
    found = effects(frame, measure, units=pd.Series(1.0, index=layers))
    able = learned(frame) & PAPER_SETTINGS
    chosen = {tuple(row): np.array([k]) for k, row in enumerate(found.settings.itertuples(index=False))}
    chosen |= {(category, ""): positions(found.settings, category, able) for category in CATEGORIES}
    by_seed = found.values.mean(axis=2)
    rows = [
        (*names, found.seeds, *(100 * (10 ** np.array(mean_interval(by_seed[at].mean(axis=0))) - 1)))
        for names, at in chosen.items()
        if len(at)
    ]
    return pd.DataFrame(rows, columns=["category", "setting", "n", "percent", "low", "high"])


def settings_map(frame: pd.DataFrame, measures: Sequence[Measure]) -> tuple[pd.DataFrame, tuple[float, float]]:
    """The settings that learn in the plane through the baseline that holds most of their effects.

    Of all measures together, from products of different seeds alone, so that noise adds nothing to a distance. Columns:
    category, setting, x, y (per layer and measure, in standard deviations between baselines). And the fractions of the
    squared effects that lie along x and along y.
    """
    every = [effects(frame, measure) for measure in measures]
    settings = every[0].settings
    kept = np.flatnonzero(settings["setting"].isin(learned(frame)))
    once = np.ones((1, every[0].seeds))
    gram = np.mean([between_seeds(products(one.values[kept]), once)[0] for one in every], axis=0)
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    x, y = (np.sqrt(max(values[k], 0)) * vectors[:, k] for k in (-1, -2))
    total = float(values.clip(min=0).sum())
    place = settings.iloc[kept].reset_index(drop=True).assign(x=_upwards(x), y=_upwards(y))
    return place, (float(values[-1] / total), float(max(values[-2], 0) / total))


def _upwards(coordinate: NDArray[np.float64]) -> NDArray[np.float64]:
    """With the sign by which the largest value is positive: that of an eigenvector means nothing."""
    return coordinate * np.sign(coordinate[np.abs(coordinate).argmax()])


def seen(controls: pd.DataFrame, sets: Mapping[str, Sequence[Measure]]) -> pd.DataFrame:
    """How many of the acting settings of a category every measure sees: a row per set and measure.

    controls: from ``regularizer_tests.controls``. Columns: set, measure, category, acting, seen, passed, and placebo_p,
    the p value with which one more baseline was told from the others.
    """
    able = passed(controls)
    placebo = select(controls, setting=BASELINE).set_index("measure")["p"]
    rows = []
    for name, members in sets.items():
        for measure in members:
            for category in CATEGORIES:
                own = select(controls, measure=measure, category=category, acts=True)
                counts = (len(own), int(own["seen"].sum()), (measure, category) in able)
                rows.append((name, measure, category, *counts, float(placebo.get(measure, np.nan))))
    columns = ["set", "measure", "category", "acting", "seen", "passed", "placebo_p"]
    return pd.DataFrame(rows, columns=columns)
