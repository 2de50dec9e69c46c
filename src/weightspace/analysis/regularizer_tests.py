"""Is diversity like dropout, or like weight decay? The rules by which the campaigns that overfit are judged.

Notation: z_is is the effect of setting i in seed s, a vector over layers, see ``regularizer_effects``. Seeds share
nothing but the images, so products of *different* seeds hold no product of noise with itself:

    <a, b> = mean over s != t and layers of a_s b_t

estimates the product of the true effects without bias (the cross-validated distance of Walther et al. 2016). All runs
of a seed are drawn together in the bootstrap, weights w_s being how often a seed was drawn; pairs of a seed with itself
stay out:

    <a, b>_w = sum over s != t of w_s w_t a_s b_t / sum over s != t of w_s w_t

Whatever is estimated from the runs, strengths and the interpolation between levels included, is estimated again from
every draw. Standard errors are those of the draws times sqrt(S / (S - 1)), intervals use Student's t with S - 1
degrees of freedom.

Each question is one number and one threshold. It is decided for the claim if the number is significantly above the
threshold, against it if significantly below (Holm's correction), and undecided otherwise; so that small campaigns end
undecided and not refuted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from weightspace.analysis.regularizer_effects import (
    BASELINE,
    CATEGORIES,
    PAPER_SETTINGS,
    Measure,
    acting,
    effects,
    learned,
    measures_of,
    outcomes,
    positions,
)
from weightspace.measures.statistics import ALPHA, POWER, holm, t_quantile

LIKE = 0.5
"""The similarity from which two effects count as alike."""
CLOSER = 0.9
"""One distance counts as smaller than another if it is at most this fraction of it."""
SEEN = 0.5
"""Fraction of a category's acting settings that a measure must tell from the baseline to pass its positive control."""
DRAWS = 2_000
ONE_SIGMA = stats.norm.cdf([-1, 1])

# --- products between seeds


def products(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over layers of z_is z_jt: [settings, seeds, layers] -> [settings, settings, seeds, seeds]."""
    return np.einsum("isl,jtl->ijst", values, values) / values.shape[-1]


def between_seeds(products: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """<a, b>_w of the docstring above: [a, b, seeds, seeds] and weights [draws, seeds] -> [draws, a, b].

    ``ValueError`` for fewer than two seeds.
    """
    a, b, seeds, _ = products.shape
    if seeds < 2:
        raise ValueError("products between seeds need two seeds or more")
    pairs = weights[:, :, None] * weights[:, None, :]
    pairs[:, np.arange(seeds), np.arange(seeds)] = 0
    pairs = pairs.reshape(len(weights), -1)
    return (pairs @ products.reshape(a * b, -1).T / pairs.sum(axis=1, keepdims=True)).reshape(-1, a, b)


def seed_weights(seeds: int, draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """How often each seed is in a bootstrap draw, [1 + draws, seeds]; the first row is the sample itself, once each.

    Draws that hold one seed only have no pair of different seeds and are drawn again.
    """
    rng = np.random.default_rng(seed)
    found = np.ones((1, seeds))
    while len(found) < 1 + draws:
        more = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws).astype(float)
        found = np.concatenate([found, more[(more > 0).sum(axis=1) > 1]])
    return found[: 1 + draws]


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error and its degrees of freedom."""

    value: float
    error: float
    degrees: int

    @classmethod
    def of(cls, sample: NDArray[np.float64], seeds: int) -> Estimate:
        """From the values of the sample itself (first) and of the bootstrap draws.

        The spread of the draws is taken between their quantiles at one standard deviation of a normal distribution: a
        ratio has draws far away where its denominator comes near 0.
        """
        low, high = np.nanquantile(sample[1:], ONE_SIGMA) if np.isfinite(sample[1:]).any() else (np.nan, np.nan)
        spread = (high - low) / 2
        return cls(float(sample[0]), float(spread * np.sqrt(seeds / (seeds - 1))), seeds - 1)

    @classmethod
    def over_seeds(cls, values: NDArray[np.float64]) -> Estimate:
        """The mean of a value per seed with its standard error. ``ValueError`` for fewer than two seeds."""
        if len(values) < 2:
            raise ValueError(f"a mean over seeds needs two of them or more, got {len(values)}")
        return cls(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values) - 1)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        half = t_quantile(0.5 + level / 2, self.degrees) * self.error
        return self.value - half, self.value + half

    def p(self, threshold: float) -> float:
        """Two-sided p for the hypothesis that the truth is the threshold; 1 where nothing could be estimated.

        Where there is no spread at all, 0 for any difference and 1 for none.
        """
        if not np.isfinite(self.value) or not self.error > 0:
            return float(not (self.error == 0 and abs(self.value - threshold) > 0))
        return float(2 * stats.t.sf(abs(self.value - threshold) / self.error, self.degrees))

    def reach(self, comparisons: int) -> float:
        """How far the truth must lie from the threshold to be decided with 80 % power, at 5 % shared by all."""
        quantiles = (t_quantile(probability, self.degrees) for probability in (1 - ALPHA / (2 * comparisons), POWER))
        return sum(quantiles) * self.error


# --- positive and negative controls


def randomization_p(
    baselines: NDArray[np.float64], setting: NDArray[np.float64], draws: int = DRAWS, seed: int = 0
) -> float:
    """Exact-level p for the hypothesis that a setting is one more baseline, against a size <z, z> above 0.

    setting: [seeds, layers]; baselines: [seeds, replicates, layers]; both minus the mean of the baselines. If it is,
    its run and the baselines of a seed are exchangeable: the size is compared with those found when one of them, drawn
    for every seed, takes the place of the setting.
    """
    # Of R baselines and the setting, in units of the mean of the R baselines: position 0 is the setting.
    runs = np.concatenate([setting[:, None], baselines], axis=1)
    seeds, count, layers = runs.shape
    # The effect if run k stands for the setting: its value minus the mean of the others.
    total = runs.sum(axis=1, keepdims=True)
    effect = (runs * count - total) / (count - 1)
    chosen, table = _choices(seeds, count, draws, seed)
    flat = effect.reshape(seeds * count, layers)
    sizes = ((table @ flat) ** 2).sum(axis=1) - table @ (flat**2).sum(axis=1)
    larger = sizes >= _size(effect[:, 0]) * (seeds * (seeds - 1) * layers)
    # The setting itself in all seeds is as large as itself, however the sums are rounded.
    return float((1 + (larger | (chosen == 0).all(axis=1)).sum()) / (1 + draws))


@lru_cache(maxsize=8)
def _choices(seeds: int, count: int, draws: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which run of every seed is drawn, [draws, seeds], and the same as a matrix of 0 and 1, [draws, seeds * count].

    The product of this matrix with the runs sums up what was drawn, sooner than picking them one by one.
    """
    chosen = np.random.default_rng(seed).integers(0, count, (draws, seeds))
    return chosen, (chosen[:, :, None] == np.arange(count)).reshape(draws, -1).astype(float)


def placebo(baselines: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first baseline of every seed taken for a setting: the other baselines, and its effect against them.

    baselines: [seeds, replicates, layers], three replicates or more; both results are minus the mean of the others.
    """
    first, rest = baselines[:, 0], baselines[:, 1:]
    middle = rest.mean(axis=1, keepdims=True)
    return rest - middle, first - middle[:, 0]


def _size(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """<z, z> of [..., seeds, layers]."""
    seeds, layers = z.shape[-2:]
    return ((z.sum(axis=-2) ** 2).sum(axis=-1) - (z**2).sum(axis=(-2, -1))) / (seeds * (seeds - 1) * layers)


def controls(frame: pd.DataFrame, measures: Iterable[Measure], epoch: int | None = None) -> pd.DataFrame:
    """Positive control of every measure by every setting that learns, and a negative one by the baseline itself.

    Columns: measure, setting, category, acts (see ``acting``; False for the baseline), size (sqrt(<z, z>) in standard
    deviations between baselines; 0 where the estimate is negative), p, p_holm (over the acting settings of the
    measure), seen (p_holm below 0.05). The row ``baseline`` takes the first replicate for a setting and the others for
    its baselines: p should be below 0.05 in one case of twenty.
    """
    acts = acting(frame).groupby("setting")["acts"].any()
    able = learned(frame)
    rows = []
    for measure in measures:
        found = effects(frame, measure, epoch)
        for position, (category, setting) in enumerate(found.settings[["category", "setting"]].itertuples(index=False)):
            if setting in able:
                z = found.values[position]
                p = randomization_p(found.baselines, z)
                rows.append((measure, setting, category, bool(acts[setting]), _size(z), p))
        if found.baselines.shape[1] > 2:
            rest, z = placebo(found.baselines)
            rows.append((measure, BASELINE, BASELINE, False, _size(z), randomization_p(rest, z)))
    table = pd.DataFrame(rows, columns=["measure", "setting", "category", "acts", "size", "p"])
    table["size"] = np.sqrt(table["size"].clip(lower=0))
    table["p_holm"] = table["p"].where(table["acts"]).groupby(table["measure"]).transform(holm)
    return table.assign(seen=table["p_holm"] < ALPHA)


def passed(controls: pd.DataFrame) -> set[tuple[Measure, str]]:
    """Measures and categories that pass: at least half of the category's acting settings are seen, and at least one."""
    own = controls[controls["acts"]]
    fraction = own.groupby(["measure", "category"])["seen"].mean()
    return set(fraction.index[fraction >= SEEN])


# --- which settings are held against which

STRENGTHS = {"equal training loss": "training loss", "equal test accuracy": "test accuracy"}
"""Name -> outcome by which regularizers are matched: a stronger one raises it, in this regime the accuracy as well."""
AS_THEY_ARE = "as they are"
MATCHES = (AS_THEY_ARE, *STRENGTHS)


def matched(
    settings: pd.DataFrame,
    frame: pd.DataFrame,
    match: str,
    weights: NDArray[np.float64],
    able: set[str],
    averaged: frozenset[str] = PAPER_SETTINGS,
) -> dict[str, NDArray[np.float64]] | None:
    """Weights of the settings that make the profiles to compare: category -> [draws, comparisons, settings].

    As they are: one comparison, of the means over those of the ``averaged`` settings that learn. Else one for every
    augmentation level, ours included, whose strength lies within the range of both dropout and weight decay: held
    against dropout and weight decay interpolated to its strength, which is estimated anew from every draw. None if
    there is no level.
    """
    shape = (len(weights), 1, len(settings))
    if match == AS_THEY_ARE:
        means = {}
        for category in CATEGORIES:
            chosen = positions(settings, category, averaged & able)
            if not len(chosen):
                return None
            row = np.zeros(len(settings))
            row[chosen] = 1 / len(chosen)
            means[category] = np.broadcast_to(row, shape)
        return means
    table = outcomes(frame, STRENGTHS[match]).loc[list(settings["setting"])].to_numpy()
    strength = weights @ table.T / weights.sum(axis=1, keepdims=True)  # [draws, settings]
    rows = {category: positions(settings, category, able) for category in CATEGORIES}
    limit = min(strength[0, rows[name]].max(initial=0) for name in ("dropout", "weight_decay"))
    levels = [row for row in rows["augmentation"] if 0 < strength[0, row] <= limit]
    if not levels:
        return None
    found = {name: np.zeros((len(weights), len(levels), len(settings))) for name in CATEGORIES}
    for k, level in enumerate(levels):
        found["augmentation"][:, k, level] = 1
        for name in ("dropout", "weight_decay"):
            # A draw may put the level at or below the baseline: as weak as can be.
            wanted = np.maximum(strength[:, level], np.finfo(float).tiny)
            found[name][:, k, rows[name]] = interpolation(wanted, strength[:, rows[name]])
    return found


def interpolation(strength: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the levels (the rest goes to the baseline, at 0) that interpolate linearly to ``strength``.

    strength: [draws], above 0. levels: their strengths, weakest dose first, [draws, levels]. Only the rising part of
    the curve counts: levels that are stronger than all weaker doses. Beyond the strongest level its own weight is 1.
    """
    draws = np.arange(len(levels))
    # The baseline is a column of its own in front, at strength 0, and is dropped in the end.
    weights = np.zeros((len(levels), levels.shape[1] + 1))
    below, last = np.zeros(len(levels)), np.zeros(len(levels), dtype=int)
    for k, level in enumerate(levels.T, 1):
        rising = level > below
        here = rising & (below < strength) & (strength <= level)
        fraction = np.divide(strength - below, level - below, out=np.zeros(len(levels)), where=here)
        weights[draws, k] += fraction
        weights[draws, last] += np.where(here, 1 - fraction, 0)
        below, last = np.where(rising, level, below), np.where(rising, k, last)
    weights[draws, last] += strength > below
    return weights[:, 1:]


def _profile_products(by_draw: NDArray, left: NDArray, right: NDArray) -> NDArray:
    """Mean over comparisons of <left, right>: [draws, settings, settings] and twice [draws, comparisons, settings]."""
    return ((left @ by_draw) * right).sum(axis=2).mean(axis=1)


# --- the two questions


@dataclass(frozen=True, eq=False)
class Case:
    """A measure under one way of matching: products of profiles by pair of categories, [1 + draws] each."""

    set: str
    measure: Measure
    match: str
    comparisons: int
    seeds: int
    products: dict[tuple[str, str], NDArray[np.float64]]

    def between(self, a: str, b: str) -> NDArray[np.float64]:
        return self.products[(a, b) if (a, b) in self.products else (b, a)]

    def squared_distance(self, a: str, b: str | None) -> NDArray[np.float64]:
        """Between two categories, or of one from the baseline (b is None)."""
        if b is None:
            return self.between(a, a)
        return self.between(a, a) + self.between(b, b) - 2 * self.between(a, b)


def cases(
    frame: pd.DataFrame,
    measures: dict[str, tuple[Measure, ...]] | None = None,
    matches: Sequence[str] = MATCHES,
    epoch: int | None = None,
    settings_that_do_not_learn: bool = False,
    draws: int = DRAWS,
    averaged: frozenset[str] = PAPER_SETTINGS,
) -> list[Case]:
    """What the two questions are asked of. measures: those of the network (``measures_of``), if None. averaged: the
    settings in the means of their categories.

    settings_that_do_not_learn: keep them in the means of their category (a sensitivity analysis).
    """
    able = learned(frame)
    if settings_that_do_not_learn:
        able |= set(frame["setting"]) - {BASELINE}
    wanted = [
        (name, one)
        for name, members in (measures_of(frame) if measures is None else measures).items()
        for one in members
    ]
    every = [effects(frame, measure, epoch) for _, measure in wanted]
    weights = seed_weights(every[0].seeds, draws)
    profiles = {match: matched(every[0].settings, frame, match, weights, able, averaged) for match in matches}
    found = []
    for (name, measure), own in zip(wanted, every, strict=True):
        by_draw = between_seeds(products(own.values), weights)
        for match, profile in profiles.items():
            if profile is None:
                continue
            pairs = {
                (a, b): _profile_products(by_draw, profile[a], profile[b])
                for k, a in enumerate(CATEGORIES)
                for b in CATEGORIES[k:]
            }
            found.append(Case(name, measure, match, profile["augmentation"].shape[1], own.seeds, pairs))
    return found


def similarities(cases: Sequence[Case], passed: set[tuple[Measure, str]]) -> pd.DataFrame:
    """How alike augmentation is to dropout and to weight decay: the cosine of the true effects over layers.

    Columns: set, measure, match, to, n (seeds), levels (augmentation levels compared), similarity =
    <a, b> / sqrt(<a, a> <b, b>) with its 95 % interval (low, high; NaN where <a, a> or <b, b> is not positive), judged
    (both categories pass their positive control), p (of similarity = ``LIKE``), p_holm (over the judged rows), outcome
    (for: alike; against: less than ``LIKE``; undecided; not judged), detectable: the smallest similarity that would
    have been found alike with 80 % power, NaN if none would.
    """
    rows = []
    for case in cases:
        for to in ("dropout", "weight_decay"):
            size = case.between("augmentation", "augmentation") * case.between(to, to)
            size = np.where((case.between(to, to) > 0) & (size > 0), size, np.nan)
            cosine = Estimate.of(case.between("augmentation", to) / np.sqrt(size), case.seeds)
            judged = {(case.measure, "augmentation"), (case.measure, to)} <= passed
            place = (case.set, case.measure, case.match, to, case.seeds, case.comparisons)
            rows.append((*place, cosine, LIKE, judged))
    table = decide(rows, ["set", "measure", "match", "to", "n", "levels"], "similarity")
    reach = LIKE + table.pop("reach")
    return table.assign(detectable=reach.where(reach <= 1))


def closeness(cases: Sequence[Case], passed: set[tuple[Measure, str]], than: str | None) -> pd.DataFrame:
    """Whether augmentation is closer to dropout than to weight decay, or than to the baseline (``than`` is None).

    Columns as in ``similarities``, with than in the place of to, and distance_dropout, distance_other (per layer, in
    standard deviations between baselines, 0 where the squared estimate is negative); margin = ``CLOSER``^2
    distance_other^2 - distance_dropout^2 with its interval: above 0 where dropout is closer by a tenth or more.
    detectable: the largest ratio of the two distances that would have been found closer with 80 % power.
    """
    needed = ("augmentation", "dropout", *([than] if than else []))
    rows = []
    for case in cases:
        near, far = case.squared_distance("augmentation", "dropout"), case.squared_distance("augmentation", than)
        margin = Estimate.of(CLOSER**2 * far - near, case.seeds)
        judged = {(case.measure, category) for category in needed} <= passed
        distances = [float(np.sqrt(max(d[0], 0))) for d in (near, far)]
        place = (case.set, case.measure, case.match, than or BASELINE, case.seeds, case.comparisons, *distances)
        rows.append((*place, margin, 0.0, judged))
    columns = ["set", "measure", "match", "than", "n", "levels", "distance_dropout", "distance_other"]
    table = decide(rows, columns, "margin")
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = CLOSER**2 - table.pop("reach") / table["distance_other"] ** 2
    return table.assign(detectable=np.sqrt(squared.where(squared >= 0)))


def decide(rows: list[tuple], columns: list[str], name: str) -> pd.DataFrame:
    """From rows that end with an estimate, its threshold and whether it is judged: the table with outcomes.

    Columns besides the given ones: the number under its name, low, high, judged, p, p_holm, outcome (see
    ``similarities``) and reach, how far from the threshold it would have been decided with 80 % power.
    """
    table = pd.DataFrame([row[:-3] for row in rows], columns=columns)
    estimates = [row[-3] for row in rows]
    thresholds = np.array([row[-2] for row in rows])
    table[name] = [e.value for e in estimates]
    table[["low", "high"]] = np.reshape([e.interval() for e in estimates], (-1, 2))  # so that there may be no row
    table["judged"] = np.array([row[-1] for row in rows], dtype=bool)
    table["p"] = [e.p(threshold) for e, threshold in zip(estimates, thresholds, strict=True)]
    comparisons = max(int(table["judged"].sum()), 1)
    return with_outcomes(table, name, thresholds).assign(reach=[e.reach(comparisons) for e in estimates])


def with_outcomes(table: pd.DataFrame, name: str, thresholds: NDArray[np.float64] | float) -> pd.DataFrame:
    """p_holm and outcome of comparisons that are corrected together, from their columns p and judged."""
    judged = table["judged"]
    p_holm = pd.Series(holm(table["p"].where(judged)), table.index)
    above, decided = table[name] > thresholds, p_holm < ALPHA
    names = ["not judged", "for", "against"]
    outcome = np.select([~judged, decided & above, decided & ~above], names, "undecided")
    return table.assign(p_holm=p_holm, outcome=outcome)
