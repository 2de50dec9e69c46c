"""Do regularizers mark the spectra because they regularize, or because they put off interpolation?

The controls of ``diversity_controls`` beside the campaign that they change one thing of. Each control asks one number
of every measure, and holds it against one threshold (``QUESTIONS``); the predictions stand in book/rules. Notation and
estimates are those of ``regularizer_tests``: products between different seeds only, everything drawn again from every
bootstrap draw of seeds, and effects of both campaigns in units of the campaign's own baselines.

    kept    <c, z> / <z, z>         what is left of the effect z of a category when it is c under the control
    place   (s - g) / (d - g)       where the size s of an effect lies between the gain g in test accuracy (0) and the
                                    delay d of interpolation (1), each as a ratio to that of another effect
    cosine  <a, b> / sqrt(<a, a> <b, b>)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_effects import (
    BASELINE,
    CATEGORIES,
    MEASURES,
    PAPER_SETTINGS,
    Effects,
    Measure,
    delays,
    effects,
    learned,
    outcomes,
    positions,
    units_of,
)
from weightspace.analysis.regularizer_tests import DRAWS, LIKE, Estimate, between_seeds, decide, products, seed_weights
from weightspace.measures.statistics import ALPHA

Explanation = Literal["regularization", "postponement"]
NOISE = "noise50"
KEPT = 0.5
"""An effect counts as kept if at least this fraction of it is left."""
GROWN = 1.1
"""An effect counts as grown if it is at least this many times as large."""
HALFWAY = 0.5


@dataclass(frozen=True)
class Question:
    """A control: the number that is asked, its threshold, and which explanation predicts a number above it.

    above is None where no explanation predicts anything.
    """

    number: Literal["kept", "place", "cosine"]
    threshold: float
    above: Explanation | None

    @property
    def below(self) -> Explanation | None:
        opposite: dict[Explanation | None, Explanation | None] = {
            "regularization": "postponement",
            "postponement": "regularization",
            None: None,
        }
        return opposite[self.above]


QUESTIONS = {
    "label_noise": Question("cosine", LIKE, "postponement"),
    NOISE: Question("place", HALFWAY, "postponement"),
    "equal_loss": Question("kept", KEPT, "regularization"),
    "twice_the_epochs": Question("kept", GROWN, "postponement"),
    "half_lr": Question("place", HALFWAY, "postponement"),
    "fixed_norm": Question("kept", KEPT, None),
}
"""The controls. ``noise50`` is a setting of the campaign itself."""
FIRST = tuple(QUESTIONS)[:3]
"""The controls that decide between the explanations."""


def answers(
    campaign: pd.DataFrame, controls: pd.DataFrame, passed: set[tuple[Measure, str]], draws: int = DRAWS
) -> pd.DataFrame:
    """What the controls say, measure by measure.

    campaign, controls: records of the spectra of ``diversity_from_scratch`` and ``diversity_controls``; of the campaign
    the seeds count that the controls have. passed: see ``regularizer_tests.passed``.
    Columns: control, set, measure, category, n (seeds), number (its value) with low and high, threshold, judged, p,
    p_holm (over the control), outcome (for: above the threshold, against: below, undecided, not judged), detectable
    (the number above the threshold that would have been found with 80 % power), explanation (which one the outcome
    speaks for, "" for none).
    """
    campaign = campaign[campaign["seed"].isin(controls["seed"].unique())]
    runs = _Runs(campaign)
    tables = []
    for control, question in QUESTIONS.items():
        own = runs if control == NOISE else _Runs(under(campaign, controls, control))
        rows = []
        for name, measures in MEASURES.items():
            for measure in measures:
                for category, estimate, judged in _numbers(control, question, runs, own, measure, draws):
                    judged = judged and (measure, category) in passed
                    n = estimate.degrees + 1
                    rows.append((control, name, measure, category, n, estimate, question.threshold, judged))
        table = decide(rows, ["control", "set", "measure", "category", "n"], "number")
        detectable = question.threshold + table.pop("reach")
        says = {"for": question.above or "", "against": question.below or ""}
        tables.append(
            table.assign(
                threshold=question.threshold,
                detectable=detectable,
                explanation=table["outcome"].map(says).fillna(""),
            )
        )
    return pd.concat(tables, ignore_index=True)


def under(campaign: pd.DataFrame, controls: pd.DataFrame, control: str) -> pd.DataFrame:
    """The runs of a control with their baselines.

    Wrong labels are a setting by themselves, ``label_noise``, beside all those of the campaign, whose baselines are
    theirs.
    """
    own = select(controls, control=control)
    if control != "label_noise":
        return own
    return pd.concat([campaign, own.assign(setting=control, category=control)], ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Runs:
    """Records, and what is asked of them again for every measure."""

    frame: pd.DataFrame

    @cached_property
    def gains(self) -> pd.DataFrame:
        return outcomes(self.frame, "test accuracy")

    @cached_property
    def delays(self) -> pd.DataFrame:
        return delays(self.frame)

    @cached_property
    def able(self) -> set[str]:
        return learned(self.frame)

    @cached_property
    def units(self) -> dict[Measure, pd.Series]:
        """The standard deviation between baselines, by measure."""
        return {measure: units_of(self.frame, measure) for members in MEASURES.values() for measure in members}

    @cached_property
    def _effects(self) -> dict[tuple[Measure, tuple[int, ...]], Effects]:
        return {}

    def effects(self, measure: Measure, units: pd.Series) -> Effects:
        """In the units of the campaign, for the layers that have one here; those of a measure are always the same."""
        key = measure, tuple(units.index)
        if key not in self._effects:
            self._effects[key] = effects(self.frame, measure, units=units)
        return self._effects[key]


def _numbers(
    control: str, question: Question, campaign: _Runs, own: _Runs, measure: Measure, draws: int
) -> Iterator[tuple[str, Estimate, bool]]:
    """Category, number, and whether there is anything to decide."""
    if control == "label_noise":
        yield "augmentation", _cosine_of_label_noise(campaign, own, measure, draws), True
        return
    if control == NOISE:
        pair = _Pair.within(campaign, measure, draws)
        yield "augmentation", *pair.place(*_noise_and_the_rest(pair), size="own")
        return
    pair = _Pair.between(campaign, own, measure, draws)
    for category in CATEGORIES:
        here, there = pair.of_category(category)
        if not here.any():
            continue
        if question.number == "kept":
            yield category, pair.estimate(pair.kept(here, there)), True
        else:
            yield category, *pair.place(here, there, size="kept")


def _cosine_of_label_noise(campaign: _Runs, own: _Runs, measure: Measure, draws: int) -> Estimate:
    """With the mean of the augmentation levels that learn. own: the campaign with the runs with label noise."""
    pair = _Pair.within(own, measure, draws)
    noisy = pair.mean_of({"label_noise"})
    levels = pair.mean_of(_levels(pair, PAPER_SETTINGS & campaign.able))
    return pair.estimate(pair.product(noisy, levels) / _root(pair.product(noisy, noisy) * pair.product(levels, levels)))


def _levels(pair: _Pair, among: set[str] | frozenset[str]) -> set[str]:
    return set(pair.settings.loc[positions(pair.settings, "augmentation", among), "setting"])


def _noise_and_the_rest(pair: _Pair) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Profiles of noise of level 50, and of the mean over augmentation levels that are more than noise."""
    rest = {level for level in _levels(pair, PAPER_SETTINGS & pair.able) if not level.startswith("noise")}
    return pair.mean_of({NOISE}), pair.mean_of(rest)


def _root(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where an estimate of something squared is not positive."""
    return np.sqrt(np.where(squared > 0, squared, np.nan))


def signed_root(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Below 0 where the estimate is: an effect of no size is estimated so half of the time."""
    return np.sign(squared) * np.sqrt(np.abs(squared))


@dataclass(frozen=True, eq=False)
class _Pair:
    """Effects, gains and delays that are held against each other, of one campaign or of two, draw by draw.

    settings: a row for every effect, with the column ``control`` (False: of the campaign). products: [draws, settings,
    settings]. gain, delay: [draws, settings]. able: settings that learn.
    """

    settings: pd.DataFrame
    products: NDArray[np.float64]
    gain: NDArray[np.float64]
    delay: NDArray[np.float64]
    seeds: int
    able: set[str]

    @classmethod
    def within(cls, campaign: _Runs, measure: Measure, draws: int) -> _Pair:
        return cls._of([(campaign, False)], measure, draws)

    @classmethod
    def between(cls, campaign: _Runs, own: _Runs, measure: Measure, draws: int) -> _Pair:
        return cls._of([(campaign, False), (own, True)], measure, draws)

    @classmethod
    def _of(cls, campaigns: list[tuple[_Runs, bool]], measure: Measure, draws: int) -> _Pair:
        units = campaigns[0][0].units[measure]
        # The control first: layers without a value there are left out of both.
        parts: list[tuple[_Runs, bool, Effects]] = []
        for runs, control in reversed(campaigns):
            part = runs.effects(measure, units)
            units = units[part.layers]
            parts.insert(0, (runs, control, part))
        weights = seed_weights(parts[0][2].seeds, draws)
        mean = weights / weights.sum(axis=1, keepdims=True)

        def drawn(table: pd.DataFrame, settings: pd.DataFrame) -> NDArray[np.float64]:
            return mean @ table.loc[list(settings["setting"])].to_numpy().T

        return cls(
            pd.concat([part.settings.assign(control=control) for _, control, part in parts], ignore_index=True),
            between_seeds(products(np.concatenate([part.values for *_, part in parts])), weights),
            np.hstack([drawn(runs.gains, part.settings) for runs, _, part in parts]),
            np.hstack([drawn(runs.delays, part.settings) for runs, _, part in parts]),
            parts[0][2].seeds,
            campaigns[0][0].able,
        )

    def mean_of(self, names: set[str], control: bool = False) -> NDArray[np.float64]:
        """Weights of the settings [settings] whose mean is that of the named ones."""
        chosen = (self.settings["setting"].isin(names) & (self.settings["control"] == control)).to_numpy()
        return chosen / max(chosen.sum(), 1)

    def of_category(self, category: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mean effect of a category under the control, and of the same settings without it."""
        own = self.settings[self.settings["control"] & (self.settings["category"] == category)]
        names = set(own["setting"]) & (self.able - {BASELINE})
        return self.mean_of(names, control=True), self.mean_of(names)

    def product(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return a @ self.products @ b

    def kept(self, here: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
        size = self.product(there, there)
        return self.product(here, there) / np.where(size > 0, size, np.nan)

    def place(
        self, here: NDArray[np.float64], there: NDArray[np.float64], size: Literal["own", "kept"]
    ) -> tuple[Estimate, bool]:
        """The place between gain and delay, and whether these differ significantly. size: of the effect itself, or
        of what is kept of the other."""
        sizes = self.kept(here, there)
        if size == "own":
            sizes = signed_root(self.product(here, here)) / _root(self.product(there, there))
        gain, delay = ((column @ here) / (column @ there) for column in (self.gain, self.delay))
        apart = self.estimate(delay - gain)
        return self.estimate((sizes - gain) / (delay - gain)), apart.p(0) < ALPHA

    def estimate(self, sample: NDArray[np.float64]) -> Estimate:
        return Estimate.of(sample, self.seeds)
