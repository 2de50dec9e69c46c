"""What we expect of the campaigns elsewhere, as numbers with thresholds (book/rules): met, not met, or undecided.

Each number is that of the rules, with the estimates of ``regularizer_tests``. Where two campaigns are compared, their
bootstrap draws are paired at random, since their seeds share nothing, and the degrees of freedom are those of the
smaller one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_controls import signed_root
from weightspace.analysis.regularizer_effects import (
    BASELINE,
    Measure,
    as_augmentation,
    delays,
    effects,
    last_epoch,
    learned,
    measures_of,
    outcomes,
    positions,
    units_of,
)
from weightspace.analysis.regularizer_tests import (
    AS_THEY_ARE,
    DRAWS,
    Case,
    Estimate,
    between_seeds,
    cases,
    decide,
    products,
    seed_weights,
)
from weightspace.experiments.diversity import scratch_controls
from weightspace.experiments.diversity.scratch_settings import setting_of
from weightspace.measures.statistics import row_correlations

_NONE: dict[str, Any] = {"dropout": 0.0, "weight_decay": 0.0, "augmentation": ""}
MAPPED = frozenset(setting_of(**_NONE | setting) for setting in scratch_controls.MAPPED)
"""The settings that the campaigns from scratch share."""

SMALLER = "On MNIST augmentation leaves smaller marks"
WITH_DELAY = "Marks grow with the delay of interpolation"
CLOSER_TO_DELAY = "Marks follow the delay more closely than the gain"
UNLIKE = "In the vision transformer weight decay is less like augmentation"
GENERATED = "Generated texts are less like dropout than edited ones"
OTHER_WRITERS = "Augmentation gains more on the digits of other writers"

Numbers = list[tuple[str, str, Estimate, float, bool]]
"""Prediction, where it is asked, number, threshold, and whether the prediction is above it."""


def answers(frames: Mapping[str, pd.DataFrame], digits: pd.DataFrame, draws: int = DRAWS) -> pd.DataFrame:
    """A row per number, with Holm's correction over all of them.

    frames: records of the spectra by campaign (``main``, ``fashion``, ``mnist``, ``vit``, ``wide``, ``complaints``,
    ``titles``); what lacks its campaigns is left out. digits: the runs of ``diversity_mnist``. Columns: prediction,
    where, n (seeds, of the smaller campaign), number with low and high, threshold, p_holm, answer (met, not met,
    undecided).
    """
    found: Numbers = []
    if {"main", "mnist"} <= set(frames):
        found.append((SMALLER, "mnist", relative_size(frames["mnist"], frames["main"], draws), 1.0, False))
    scratch = [frames[name] for name in ("main", "wide", "fashion", "mnist", "vit") if name in frames]
    if len(scratch) > 1:
        delay, lead = what_marks_follow(scratch, draws)
        found += [(WITH_DELAY, "from scratch", delay, 0.0, True), (CLOSER_TO_DELAY, "from scratch", lead, 0.0, True)]
    if {"main", "vit"} <= set(frames):
        found.append((UNLIKE, "vit", less_like(frames["vit"], frames["main"], draws), 0.0, False))
    for task in ("complaints", "titles"):
        if task in frames:
            found.append((GENERATED, task, generated_and_edited(frames[task], draws), 0.0, False))
    if len(digits):
        found.append((OTHER_WRITERS, "mnist", gain_elsewhere(digits), 0.0, True))
    rows = [(*where, e.degrees + 1, above, threshold, e, threshold, True) for *where, e, threshold, above in found]
    table = decide(rows, ["prediction", "where", "n", "above", "threshold"], "number")
    met = (table["outcome"] == "for") == table["above"]
    answer = np.where(table["outcome"] == "undecided", "undecided", np.where(met, "met", "not met"))
    return table.assign(answer=answer).drop(columns=["judged", "outcome", "above", "reach", "p"])


def _of_augmentation(frame: pd.DataFrame, measures: Sequence[Measure], draws: int) -> list[Case]:
    """The means over the shared settings that learn, measure by measure."""
    return cases(frame, {"": tuple(measures)}, (AS_THEY_ARE,), draws=draws, averaged=MAPPED)


def _function(frame: pd.DataFrame) -> tuple[Measure, ...]:
    """The measures in which the scale belongs to the function: folded, or raw where nothing can be folded in."""
    sets = measures_of(frame)
    return sets["folded" if "folded" in sets else "raw"]


def relative_size(frame: pd.DataFrame, main: pd.DataFrame, draws: int = DRAWS) -> Estimate:
    """The size of augmentation's effect over that in the main campaign, both in units of the main campaign's: the
    geometric mean over measures, of the mean over the shared levels that learn in both."""
    shared = learned(frame) & learned(main) & MAPPED
    logs = []
    for measure in _function(main):
        units, sizes = units_of(main, measure), []
        for own in (frame, main):
            found = effects(own, measure, units=units)
            units = units[found.layers]  # those without a value in one are left out of both
            mean = found.values[positions(found.settings, "augmentation", shared)].mean(axis=0, keepdims=True)
            squared = between_seeds(products(mean), seed_weights(found.seeds, draws))[:, 0, 0]
            sizes.append(np.log(_positive(squared)) / 2)
        logs.append(_paired_difference(*sizes))
    return _of_two(np.exp(np.mean(logs, axis=0)), frame, main)


def less_like(frame: pd.DataFrame, main: pd.DataFrame, draws: int = DRAWS) -> Estimate:
    """Similarity of weight decay and augmentation in the log norm, minus that in the main campaign."""
    found = []
    for own in (frame, main):
        (measure,) = (m for m in _function(own) if m.metric == "log_norm")
        (case,) = _of_augmentation(own, [measure], draws)
        found.append(_cosine(case, "weight_decay"))
    return _of_two(_paired_difference(*found), frame, main)


def generated_and_edited(frame: pd.DataFrame, draws: int = DRAWS) -> Estimate:
    """Similarity to dropout of generated texts minus that of edited ones, mean over the raw measures."""
    found = []
    for category in ("synthetic", "augmentation"):
        own = cases(as_augmentation(frame, category), {"": _function(frame)}, (AS_THEY_ARE,), draws=draws)
        found.append(np.mean([_cosine(case, "dropout") for case in own], axis=0))
    return Estimate.of(found[0] - found[1], frame["seed"].nunique())


def what_marks_follow(frames: Sequence[pd.DataFrame], draws: int = DRAWS) -> tuple[Estimate, Estimate]:
    """Rank correlation of size and delay over the settings of all campaigns, and by how much it exceeds that with the
    gain in test accuracy.

    The size of a setting is the root of <z, z>, mean over measures, with the sign of <z, z>.
    """
    parts = [_sizes_gains_delays(frame, k, draws) for k, frame in enumerate(frames)]
    size, gain, delay = (stats.rankdata(np.hstack(columns), axis=1) for columns in zip(*parts, strict=True))
    with_delay = row_correlations(size, delay)
    seeds = min(frame["seed"].nunique() for frame in frames)
    return Estimate.of(with_delay, seeds), Estimate.of(with_delay - row_correlations(size, gain), seeds)


def _sizes_gains_delays(frame: pd.DataFrame, k: int, draws: int) -> tuple[NDArray, NDArray, NDArray]:
    """[1 + draws, settings] each, of the shared settings that learn; k: seed of the draws of this campaign."""
    able = learned(frame) & MAPPED
    own = frame[frame["setting"].isin(able | {BASELINE})]
    weights = seed_weights(own["seed"].nunique(), draws, seed=k)
    mean = weights / weights.sum(axis=1, keepdims=True)
    sizes = []
    for measure in _function(frame):
        found = effects(own, measure)
        squared = np.diagonal(between_seeds(products(found.values), weights), axis1=1, axis2=2)
        sizes.append(signed_root(squared))
    names = list(found.settings["setting"])
    gain, delay = (mean @ table.loc[names].to_numpy().T for table in (outcomes(own, "test accuracy"), delays(own)))
    return np.mean(sizes, axis=0), gain, delay


def gain_elsewhere(runs: pd.DataFrame) -> Estimate:
    """The gain of augmentation on ``digits`` minus that on the own test images, in points: mean over its settings that
    learn, then over seeds."""
    last = select(last_epoch(runs), metric="accuracy_percent")
    wide = last.pivot_table(index=["category", "setting", "seed"], columns="inputs", values="value")
    further = (wide["digits"] - wide["test"]).rename("value").reset_index()
    able = learned(runs.assign(layer=0))
    base = further[further["setting"] == BASELINE].set_index("seed")["value"]
    levels = further[(further["category"] == "augmentation") & further["setting"].isin(able)]
    return Estimate.over_seeds((levels.groupby("seed")["value"].mean() - base).to_numpy())


def _cosine(case: Case, to: str) -> NDArray[np.float64]:
    size = _positive(case.between("augmentation", "augmentation")) * _positive(case.between(to, to))
    return case.between("augmentation", to) / np.sqrt(size)


def _positive(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where an estimate of something squared is not positive."""
    return np.where(squared > 0, squared, np.nan)


def _paired_difference(a: NDArray, b: NDArray) -> NDArray:
    """a - b: of the samples themselves, and of draws of the one with draws of the other in another order."""
    order = 1 + np.random.default_rng(0).permutation(len(b) - 1)
    return a - b[np.concatenate([[0], order])]


def _of_two(sample: NDArray[np.float64], one: pd.DataFrame, other: pd.DataFrame) -> Estimate:
    return Estimate.of(sample, min(one["seed"].nunique(), other["seed"].nunique()))
