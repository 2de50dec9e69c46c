"""Similarity and distance of regularizers in the space of spectra, free of the noise that shared runs bring in.

Notation: z_is is the shift of setting i in seed s, a vector over the layers but the last, every layer in units of the
standard deviation that baselines of different seeds have there. Seeds share nothing, so products of *different* seeds
hold no product of noise with itself:

    <a, b> = mean over s != t and layers of a_s b_t

estimates the product of the true shifts without bias, whatever the noise (the cross-validated distance of Walther et
al. 2016). Squared distances <a - b, a - b> may come out negative: then there is nothing to see. Similarity is
<a, b> / sqrt(<a, a> <b, b>), the cosine of the true shifts; it does not depend on their size.

Strength: how much a setting raises the loss on the training images as they are, or lowers the test accuracy. To
compare at equal strength, every augmentation level is held against dropout and weight decay of its own strength,
interpolated between their levels, from the baseline at strength 0 on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weightspace.analysis.diversity_shifts import changes, in_places, last_epoch
from weightspace.analysis.frames import select
from weightspace.analysis.shift_checks import EQUIVALENCES, MARGIN, ZERO
from weightspace.analysis.spectral_shifts import PAIRS
from weightspace.experiments.diversity.released_measurements import BASELINE, METRICS
from weightspace.measures.statistics import ALPHA, holm

REPLICATES = 4_000
MIN_SIMILARITY = 0.5
"""A similarity has to reach this to count as a win."""
STRENGTHS = {"equal training loss": ("train_clean", "loss", 1), "equal test accuracy": ("test", "accuracy_percent", -1)}
"""Name -> inputs, metric, and the sign of what a stronger regularizer does to it."""
MATCHES = ("as they are", *STRENGTHS)


@dataclass(frozen=True, eq=False)
class Shifts:
    """The shifts of one metric: values [settings, seeds, layers], with the settings' category, level and order.

    unit: [layers], the standard deviation between baselines by which all is divided; residuals: category -> [runs,
    layers], what runs of one setting differ by, in the same units, scaled up for the mean that was taken off.
    training: what training changes in the baseline, mean absolute value over layers and seeds, as it is (not divided).
    """

    settings: pd.DataFrame
    values: NDArray[np.float64]
    unit: NDArray[np.float64]
    residuals: dict[str, NDArray[np.float64]]
    training: float

    @cached_property
    def drawn(self) -> NDArray[np.float64]:
        """See ``resampled``; hundreds of megabytes, so made only where it is needed."""
        return resampled(self)


def shifts_of(frame: pd.DataFrame, metrics: tuple[str, ...] = METRICS) -> dict[str, Shifts]:
    """Metric -> shifts, from the records of ``diversity_spectra``.

    Layers without a value in some run are left out, as is the last.
    """
    last = frame["layer"].max()  # of the network: some metrics have no value there
    table, others = (
        changes(frame, arm, metrics).pipe(lambda t: t[t["layer"] < last]) for arm in ("main", "independent")
    )
    return {metric: _shifts(select(table, metric=metric), select(others, metric=metric)) for metric in metrics}


def _shifts(table: pd.DataFrame, others: pd.DataFrame) -> Shifts:
    """From changes of one metric, those of the main arm and those of the independent baselines."""
    runs = table.pivot(index=["category", "order", "level", "seed"], columns="layer", values="value")
    more = others.pivot(index="seed", columns="layer", values="value")
    whole = runs.columns[runs.notna().all() & more.notna().all()]
    runs, more = runs[whole], more[whole]
    baselines = runs.xs(BASELINE, level="category")
    unit = np.vstack([baselines, more]).std(axis=0, ddof=1)
    # A metric that training leaves alone in a layer (a rank, a count) tells nothing there.
    alive = unit > 0
    unit, runs, more, baselines = unit[alive], runs.loc[:, alive], more.loc[:, alive], baselines.loc[:, alive]
    by_setting = runs.groupby(level=["category", "order", "level"])
    seeds = by_setting.size().iloc[0]
    spread = (runs - by_setting.transform("mean")) * np.sqrt(seeds / (seeds - 1)) / unit
    residuals = {str(name): own.to_numpy() for name, own in spread.groupby(level="category")}
    every = np.vstack([baselines, more])
    residuals[BASELINE] = (every - every.mean(axis=0)) * np.sqrt(len(every) / (len(every) - 1)) / unit
    settings = runs.drop(BASELINE, level="category").index.droplevel("seed").unique().to_frame(index=False)
    values = np.stack(
        [(runs.loc[tuple(row)].to_numpy() - baselines.to_numpy()) / unit for row in settings.itertuples(index=False)]
    )
    return Shifts(settings, values, unit, residuals, float(baselines.abs().to_numpy().mean()))


def product(a: NDArray, b: NDArray) -> NDArray:
    """<a, b> of the docstring above: a, b [..., seeds, layers] -> [...]. ``ValueError`` for fewer than two seeds."""
    seeds, layers = a.shape[-2:]
    if seeds < 2:
        raise ValueError("products across seeds need two seeds or more")
    # einsum makes no array of the products, which would be as large as a and b, and sums a short axis faster.
    every = np.einsum("...l,...l->...", *(np.einsum("...sl->...l", x) for x in (a, b)))
    same = np.einsum("...sl,...sl->...", a, b)
    return (every - same) / (seeds * (seeds - 1) * layers)


def sizes(frame: pd.DataFrame) -> pd.DataFrame:
    """How far every setting moves the spectra: category, level, order, metric, size = sqrt(<z, z>), NaN if negative."""
    tables = []
    for metric, shifts in shifts_of(frame).items():
        squared = product(shifts.values, shifts.values)
        size = np.sqrt(np.where(squared >= 0, squared, np.nan))
        tables.append(shifts.settings.assign(metric=metric, size=size))
    return pd.concat(tables, ignore_index=True)


def beyond_seeds(sizes: pd.DataFrame) -> pd.DataFrame:
    """How many levels of a category move a metric farther than seeds do: metric, category, levels, beyond.

    sizes: from the function of that name.
    """
    found = sizes.assign(beyond=sizes["size"] > 1).groupby(["metric", "category"], sort=False)
    return found.agg(levels=("level", "nunique"), beyond=("beyond", "sum")).reset_index()


def strengths(frame: pd.DataFrame, match: str) -> pd.Series:
    """Strength of every setting, mean over seeds paired with the baseline of the same seed, by (category, order)."""
    inputs, metric, sign = STRENGTHS[match]
    rows = select(frame, inputs=inputs, metric=metric, epoch=last_epoch(frame), arm="main")
    base = select(rows, setting="baseline").set_index("seed")["value"]
    rows = in_places(rows[rows["setting"] != "baseline"])
    rows = rows.assign(strength=sign * (rows["value"] - rows["seed"].map(base)))
    return rows.groupby(["category", "order"])["strength"].mean()


def interpolation(strength: float, levels: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Weights of the levels (the rest goes to the baseline) that interpolate to ``strength``; None outside their range.

    levels: their strengths. Those that are not above 0 are as good as the baseline and get no weight.
    """
    usable = np.flatnonzero(levels > 0)
    usable = usable[np.argsort(levels[usable])]
    grid = np.concatenate([[0.0], levels[usable]])
    if not 0 < strength <= grid[-1]:
        return None
    weights = np.zeros(len(levels))
    weights[usable] = [np.interp(strength, grid, unit) for unit in np.eye(len(grid))[1:]]
    return weights


def matched_weights(settings: pd.DataFrame, strength: pd.Series | None) -> dict[str, NDArray[np.float64]]:
    """Weights of the settings that make the profiles to compare: category -> [comparisons, settings].

    Without strengths one comparison, of the means over the levels. With them one for each augmentation level within
    the range of both dropout and weight decay. Empty, [0, settings], if there is none.
    """
    category = settings["category"].to_numpy()
    if strength is None:
        return {name: (category == name)[None] / (category == name).sum() for name in ("div", "dp", "wd")}
    by_setting = strength.loc[list(zip(settings["category"], settings["order"]))].to_numpy()
    parts: dict[str, list[NDArray]] = {"div": [], "dp": [], "wd": []}
    for level in np.flatnonzero(category == "div"):
        found = {name: interpolation(by_setting[level], by_setting[category == name]) for name in ("dp", "wd")}
        if any(weights is None for weights in found.values()):
            continue
        parts["div"].append(np.eye(len(settings))[level])
        for name, weights in found.items():
            row = np.zeros(len(settings))
            row[category == name] = weights
            parts[name].append(row)
    return {name: np.reshape(rows, (-1, len(settings))) for name, rows in parts.items()}


def resampled(shifts: Shifts) -> NDArray[np.float64]:
    """Shifts as other seeds might have given them, [replicates, settings, seeds, layers]: a residual bootstrap.

    Every run, baselines included, gets the residual of a random run of its category on top. Runs of one seed start
    from the same weights, which takes noise off their difference; this is ignored, so that intervals are rather wide.
    """
    rng = np.random.default_rng(0)
    count, seeds, layers = shifts.values.shape

    def noise(category: str) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        own = shifts.residuals[category]
        return own, rng.integers(0, len(own), (REPLICATES, seeds))

    every = [noise(category) for category in shifts.settings["category"]]
    own, chosen = noise(BASELINE)
    baselines = own[chosen]
    drawn = np.empty((REPLICATES, count, seeds, layers))
    for position, (own, chosen) in enumerate(every):  # written once: it is hundreds of megabytes
        noisy = (own + shifts.values[position][:, None]).reshape(-1, layers)
        np.subtract(noisy[chosen + len(own) * np.arange(seeds)], baselines, out=drawn[:, position])
    return drawn


def _profiles(weights: dict[str, NDArray], values: NDArray) -> dict[str, NDArray]:
    """[..., settings, seeds, layers] -> category: [..., comparisons, seeds, layers]."""
    count, seeds, layers = values.shape[-3:]
    flat = values.reshape(*values.shape[:-3], count, seeds * layers)
    return {name: (rows @ flat).reshape(*flat.shape[:-2], -1, seeds, layers) for name, rows in weights.items()}


def _geometry(weights: dict[str, NDArray], values: NDArray) -> dict[str, NDArray]:
    """Products and squared distances, means over the comparisons."""
    p = _profiles(weights, values)
    found = {f"{a}_{b}": product(p[a], p[b]).mean(axis=-1) for a, b in combinations_with_replacement(p, 2)}
    for a, b in PAIRS:
        found[f"distance_{a}_{b}"] = found[f"{a}_{a}"] + found[f"{b}_{b}"] - 2 * found[f"{a}_{b}"]
    return found


_geometries: dict[bytes, tuple[dict[str, NDArray], dict[str, NDArray]]] = {}
"""By digest of what they are computed from: several claims and tables ask the same of the same records."""


@dataclass(frozen=True, eq=False)
class Case:
    """One metric and one way of matching levels: shifts, and the weights that make the profiles."""

    match: str
    metric: str
    shifts: Shifts
    weights: dict[str, NDArray[np.float64]]

    @property
    def size(self) -> tuple[int, int, int]:
        """Seeds, augmentation levels compared, layers."""
        _, seeds, layers = self.shifts.values.shape
        return seeds, len(self.weights["div"]), layers

    @cached_property
    def geometry(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Products and squared distances: as found, and of every replicate."""
        key = self._digest()
        if key not in _geometries:
            found, again = (_geometry(self.weights, values) for values in (self.shifts.values, self.shifts.drawn))
            _geometries[key] = found, again
        return _geometries[key]

    def _digest(self) -> bytes:
        digest = hashlib.sha256(f"{REPLICATES} {list(self.shifts.settings['category'])}".encode())
        for named in ({"": self.shifts.values}, self.shifts.residuals, self.weights):
            for name, array in named.items():
                digest.update(f"{name} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.digest()


def cases(frame: pd.DataFrame, matches: tuple[str, ...] = MATCHES, metrics: tuple[str, ...] = METRICS) -> list[Case]:
    """What the tests of this module are about; matches without a level to compare are left out."""
    strength = {match: strengths(frame, match) if match in STRENGTHS else None for match in matches}
    found = []
    for metric, shifts in shifts_of(frame, metrics).items():
        found += [
            Case(match, metric, shifts, weights)
            for match in matches
            if len((weights := matched_weights(shifts.settings, strength[match]))["div"])
        ]
    return sorted(found, key=lambda case: matches.index(case.match))


def _sign_p(values: NDArray) -> float:
    """Two-sided bootstrap p for the hypothesis that the truth is 0."""
    above = (1 + (values > 0).sum()) / (1 + len(values))
    below = (1 + (values < 0).sum()) / (1 + len(values))
    return float(min(1.0, 2 * min(above, below)))


def similarities(cases: Sequence[Case]) -> pd.DataFrame:
    """Similarity of diversity with dropout and weight decay, and of these two, for every metric and match.

    Columns: match, metric, a, b, n (seeds), levels (augmentation levels compared), layers, similarity with its 95 %
    interval (low, high; NaN where <a, a> or <b, b> is not positive), p (of <a, b> = 0), p_holm (over all rows of the
    match with diversity), outcome: win if significantly positive and similarity at least ``MIN_SIMILARITY``, loss if
    significantly negative, else tie.
    """
    rows = []
    for case in cases:
        found, again = case.geometry
        for a, b in PAIRS:
            value, sample = (_cosine(g[f"{a}_{b}"], g[f"{a}_{a}"], g[f"{b}_{b}"]) for g in (found, again))
            low, high = np.nanquantile(sample, [0.025, 0.975]) if np.isfinite(sample).any() else (np.nan, np.nan)
            p = _sign_p(again[f"{a}_{b}"])
            rows.append((case.match, case.metric, a, b, *case.size, float(value), low, high, p))
    columns = ["match", "metric", "a", "b", "n", "levels", "layers", "similarity", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns)
    return _corrected(
        table, ["match"], table["a"] == "div", table["similarity"] > 0, table["similarity"] >= MIN_SIMILARITY
    )


def distances(cases: Sequence[Case]) -> pd.DataFrame:
    """Whether diversity is closer to dropout than to weight decay (``against`` = wd) or than to the baseline (0).

    Columns: match, metric, against, n (seeds), levels, layers, to_dp, to_other (squared distances per layer, in units
    of the variance between baselines; 0 where there is no difference); difference = to_other - to_dp with its 95 %
    interval (low, high), p, p_holm (over the rows of a match and ``against``), outcome: win if dropout is
    significantly closer, loss if the other is, else tie.
    """
    rows = []
    for case in cases:
        found, again = case.geometry
        for against, other in (("wd", "distance_div_wd"), (ZERO, "div_div")):
            to_dp, to_other = (float(found[name]) for name in ("distance_div_dp", other))
            sample = again[other] - again["distance_div_dp"]
            low, high = np.quantile(sample, [0.025, 0.975])
            difference = (to_other - to_dp, low, high, _sign_p(sample))
            rows.append((case.match, case.metric, against, *case.size, to_dp, to_other, *difference))
    columns = ["match", "metric", "against", "n", "levels", "layers", "to_dp", "to_other"]
    table = pd.DataFrame(rows, columns=[*columns, "difference", "low", "high", "p"])
    return _corrected(table, ["match", "against"], table["p"] >= 0, table["difference"] > 0)


def _cosine(ab: NDArray, aa: NDArray, bb: NDArray) -> NDArray:
    size = np.where((aa > 0) & (bb > 0), aa * bb, np.nan)
    return ab / np.sqrt(size)


def _corrected(
    table: pd.DataFrame, family: list[str], judged: pd.Series, positive: pd.Series, enough: pd.Series | bool = True
) -> pd.DataFrame:
    """Holm's correction over the judged rows within each value of the columns ``family``, and the outcome."""
    p_holm = table["p"].where(judged).groupby([table[name] for name in family]).transform(holm)
    significant = p_holm < ALPHA
    outcome = np.select([significant & positive & enough, significant & ~positive], ["win", "loss"], "tie")
    return table.assign(p_holm=p_holm, outcome=outcome)


def equivalence(cases: Sequence[Case]) -> pd.DataFrame:
    """Whether the mean difference over layers of two categories lies within the margin: two one-sided bootstrap tests.

    Columns: match, metric, a, b, n (seeds), levels, mean (in the metric's own units) with the 90 % interval that
    belongs to a test at 5 % (low, high), margin, p (the larger of the two), p_holm (over a match), equivalent.
    """
    rows = []
    for case in cases:
        unit, margin = case.shifts.unit, MARGIN * case.shifts.training
        found, again = (
            {name: (p * unit).mean(axis=(-3, -2, -1)) for name, p in _profiles(case.weights, values).items()}
            | {ZERO: 0.0}
            for values in (case.shifts.values, case.shifts.drawn)
        )
        for a, b in EQUIVALENCES:
            sample = again[a] - again[b]
            low, high = np.quantile(sample, [0.05, 0.95])
            outside = max((sample >= margin).sum(), (sample <= -margin).sum())
            p = (1 + outside) / (1 + len(sample))
            size = case.size[:2]
            rows.append((case.match, case.metric, a, b, *size, float(found[a] - found[b]), low, high, margin, p))
    columns = ["match", "metric", "a", "b", "n", "levels", "mean", "low", "high", "margin", "p"]
    table = pd.DataFrame(rows, columns=columns)
    p_holm = table.groupby("match")["p"].transform(holm)
    return table.assign(p_holm=p_holm, equivalent=p_holm < ALPHA)
