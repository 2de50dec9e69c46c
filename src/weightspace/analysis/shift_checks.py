"""What shifts against one shared baseline can show: noise, equivalence, distances, sensitivity, free contrasts.

Notation: the change of layer l in setting i is c_il = effect + s_l e_il, with independent noise e of variance 1, and a
category of n levels has the mean shift m_l = mean_i c_il - b_l, where b is the change of the only baseline run.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from weightspace.analysis.spectral_shifts import CATEGORIES, PAIRS, last_layer, profiles, shifts
from weightspace.experiments.diversity.released_measurements import BASELINE
from weightspace.measures.statistics import holm, row_correlations

MARGIN = 0.2
"""Equivalence margin: this share of what training itself changes in the baseline, mean of |change| over layers (and
seeds, where there are several)."""
REPLICATES = 10_000
"""Bootstrap samples of layers."""
NOISE_DRAWS = 2_000


# --- the shared baseline, in closed form and by simulation


def shared_baseline_correlation(n_a: int, n_b: int) -> float:
    """Correlation of two mean shifts that a shared baseline makes where no setting has any effect.

    cov(m_a, m_b) = var(b) = s^2 and var(m_a) = s^2 (1 + 1/n_a), so r = 1 / sqrt((1 + 1/n_a) (1 + 1/n_b)). Averaging
    over tasks, each with a baseline of its own, divides all three by the number of tasks and leaves r as it is.
    """
    return float(1 / np.sqrt((1 + 1 / n_a) * (1 + 1 / n_b)))


def shared_baseline_ratio(n_a: int, n_b: int) -> float:
    """Distance between two mean shifts over the distance of the first to zero, where no setting has any effect.

    The baseline drops out of m_a - m_b, whose variance is s^2 (1/n_a + 1/n_b), but not of m_a, whose variance is
    s^2 (1 + 1/n_a): the ratio is sqrt((1/n_a + 1/n_b) / (1 + 1/n_a)).
    """
    return float(np.sqrt((1 / n_a + 1 / n_b) / (1 + 1 / n_a)))


def task_means(changes: pd.DataFrame) -> pd.DataFrame:
    """Mean shift over layers but the last: model, task, metric, category, mean."""
    parts = []
    for (model, task), own in changes.groupby(["model", "task"], sort=False):
        profile = profiles(shifts(own))
        mean = profile[~last_layer(profile)].groupby(level="metric").mean().melt(ignore_index=False, value_name="mean")
        parts.append(mean.dropna().reset_index().assign(model=model, task=task))
    return pd.concat(parts, ignore_index=True)[["model", "task", "metric", "category", "mean"]]


def same_quadrant(means: pd.DataFrame, x: str, y: str) -> pd.Series:
    """Whether diversity and dropout have the same sign in both metrics, by (model, task); means: see ``task_means``."""
    table = means.pivot(index=["model", "task"], columns=["metric", "category"], values="mean")
    same_x, same_y = (np.sign(table[metric]["div"]) == np.sign(table[metric]["dp"]) for metric in (x, y))
    return same_x & same_y


def same_quadrant_chance(n_a: int, n_b: int) -> tuple[float, float]:
    """How often two categories fall into one quadrant where no setting has any effect and both share a baseline.

    Normal shifts with correlation r (``shared_baseline_correlation``) have the same sign with probability
    p = 1/2 + arcsin(r) / pi (Sheppard, 1899); in both metrics with p^2 if these are independent, with p if they go
    together. Returns (p^2, p). Without a shared baseline it would be 1/4 to 1/2.
    """
    p = 0.5 + np.arcsin(shared_baseline_correlation(n_a, n_b)) / np.pi
    return float(p**2), float(p)


def noise_correlations(scales: np.ndarray, n_a: int, n_b: int, shared: bool = True) -> np.ndarray:
    """Pearson correlations over layers of two mean shifts without any effect: a sample of ``NOISE_DRAWS`` of them.

    scales: the noise s_l of each layer, ``[layers]``, in any unit. Layers of unequal noise widen the distribution.
    shared: both are shifts against one baseline; else each has a baseline of its own.
    """
    rng = np.random.default_rng(0)
    shape = (NOISE_DRAWS, len(scales))
    baseline = rng.standard_normal(shape)
    baselines = (baseline, baseline if shared else rng.standard_normal(shape))
    a, b = (scales * (rng.standard_normal(shape) / np.sqrt(n) - base) for n, base in zip((n_a, n_b), baselines))
    return row_correlations(a, b)


def noise_scales(changes: pd.DataFrame) -> pd.Series:
    """Spread of the change over the levels of dropout, per model, metric and layer: root mean square over tasks.

    An upper bound of the noise between runs, because the levels may differ in truth. Only its ratios between layers
    matter here.
    """
    own = changes[changes["category"] == "dp"]
    variance = own.groupby(["model", "task", "metric", "layer"])["value"].var()
    return np.sqrt(variance.groupby(["model", "metric", "layer"]).mean())


def expected_correlations(changes: pd.DataFrame, with_last: bool = True) -> pd.DataFrame:
    """Observed Pearson correlation beside what the shared baseline alone makes, per model, metric and pair.

    Columns: model, metric, a, b, n (layers), observed, expected (closed form), low, high (central 95 % of
    ``noise_correlations`` with the layers' own scales), inside (observed lies between).
    """
    profile = profiles(shifts(changes))
    if not with_last:
        profile = profile[~last_layer(profile)]
    scales = noise_scales(changes)
    rows = []
    for (model, metric), group in profile.groupby(level=["model", "metric"], sort=False):
        own = scales.loc[model, metric].reindex(group.index.get_level_values("layer")).to_numpy()
        for a, b in PAIRS:
            n_a, n_b = (_levels(changes, model, name) for name in (a, b))
            low, high = np.quantile(noise_correlations(own, n_a, n_b), [0.025, 0.975])
            observed = group[a].corr(group[b])
            expected = shared_baseline_correlation(n_a, n_b)
            rows.append((model, metric, a, b, len(group), observed, expected, low, high, low <= observed <= high))
    return pd.DataFrame(
        rows, columns=["model", "metric", "a", "b", "n", "observed", "expected", "low", "high", "inside"]
    )


def _levels(changes: pd.DataFrame, model: str, category: str) -> int:
    own = changes[(changes["model"] == model) & (changes["category"] == category)]
    return own["level"].nunique()


def extreme_fractions(changes: pd.DataFrame) -> pd.DataFrame:
    """How often a run is the lowest or the highest of all runs, over layers and tasks; weight decay is left out.

    Were a run like the others, its share would be 2 / number of runs. Columns: model, metric, category, level, order, n
    (layers x tasks), share, expected.
    """
    frame = changes[changes["category"].isin([BASELINE, "div", "dp"])]
    place = frame.groupby(["model", "task", "metric", "layer"])["value"]
    extreme = (frame["value"] == place.transform("min")) | (frame["value"] == place.transform("max"))
    frame = frame.assign(extreme=extreme, expected=2 / place.transform("size"))
    by = ["model", "metric", "category", "level", "order"]
    table = frame.groupby(by).agg(n=("extreme", "size"), share=("extreme", "mean"), expected=("expected", "mean"))
    return table.reset_index()


# --- contrasts that share no run


def dose_contrasts(changes: pd.DataFrame) -> pd.DataFrame:
    """Mean change at the stronger half of a category's levels minus that at the weaker half; in the form of profiles.

    No baseline enters, and two categories have no run in common: without effects their contrasts are independent. With
    an odd number of levels the middle one is left out.
    """
    own = changes[changes["category"].isin(CATEGORIES)]
    middle = (own.groupby(["model", "category"])["order"].transform("max") + 1) / 2
    signed = own.assign(half=np.sign(own["order"] - middle))
    signed = signed[signed["half"] != 0]
    by = ["model", "task", "metric", "layer", "category"]
    halves = signed.groupby([*by, "half"])["value"].mean().unstack("half")
    contrast = (halves[1.0] - halves[-1.0]).groupby(["model", "metric", "layer", "category"]).mean()
    return contrast.unstack("category")


def rank_correlations(profile: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlations over layers of diversity with dropout and with weight decay.

    Columns: model, metric, a, b, n, rho, p, p_holm (corrected over the table). Ranks keep one large layer from
    deciding. Layers are not independent replicates, so p is too small if anything.
    """
    rows = []
    for (model, metric), group in profile.groupby(level=["model", "metric"], sort=False):
        for other in ("dp", "wd"):
            test = stats.spearmanr(group["div"], group[other])
            rows.append((model, metric, "div", other, len(group), test.statistic, test.pvalue))
    table = pd.DataFrame(rows, columns=["model", "metric", "a", "b", "n", "rho", "p"])
    return table.assign(p_holm=holm(table["p"]))


def across_tasks(changes: pd.DataFrame) -> pd.DataFrame:
    """Mean Spearman correlation of category a in one task with b in the same task and in another one.

    Only within a task do the two share a baseline. The last layer is left out. Models with one task are left out.
    Columns: model, metric, a, b, tasks, same, other.
    """
    shifted = shifts(changes)
    per_task = shifted.groupby(["model", "metric", "layer", "category", "task"])["value"].mean().unstack("task")
    per_task = per_task[~last_layer(per_task)]
    rows = []
    for (model, metric), group in per_task.groupby(level=["model", "metric"], sort=False):
        tasks = group.columns[group.notna().any()]
        if len(tasks) < 2:
            continue
        for a, b in PAIRS:
            left, right = (group.xs(name, level="category")[tasks] for name in (a, b))
            same = [stats.spearmanr(left[task], right[task]).statistic for task in tasks]
            other = [stats.spearmanr(left[one], right[two]).statistic for one, two in permutations(tasks, 2)]
            rows.append((model, metric, a, b, len(tasks), np.mean(same), np.mean(other)))
    return pd.DataFrame(rows, columns=["model", "metric", "a", "b", "tasks", "same", "other"])


# --- equivalence and distance


def margins(changes: pd.DataFrame) -> pd.Series:
    """Equivalence margin per model and metric: ``MARGIN`` of the mean |change| of the baseline over layers.

    The mean is over tasks as well; the last layer is left out. Training itself is the yardstick: a regularizer that
    moves a metric by less than a fifth of what training moves it does not change the spectrum to speak of.
    """
    baseline = changes[(changes["category"] == BASELINE) & ~last_layer(changes)]
    return MARGIN * baseline["value"].abs().groupby([baseline["model"], baseline["metric"]]).mean()


ZERO = "0"
"""Stands for no shift where a category is held against the baseline itself."""

EQUIVALENCES = (("div", "dp"), ("div", "wd"), ("div", ZERO), ("dp", ZERO), ("wd", ZERO))


def equivalence(profile: pd.DataFrame, margin: pd.Series) -> pd.DataFrame:
    """Two one-sided t-tests (Schuirmann, 1987) of the mean difference over layers, paired by layer.

    Columns: model, metric, a, b, n, mean with the 90 % interval that belongs to a test at 5 % (low, high), margin, p
    (the larger of the two), p_holm (over the table), equivalent (p_holm < 0.05: |mean| is below the margin).
    """
    rows = []
    for (model, metric), group in profile.groupby(level=["model", "metric"], sort=False):
        bound = margin.loc[model, metric]
        for a, b in EQUIVALENCES:
            difference = DescrStatsW((group[a] - (0 if b == ZERO else group[b])).to_numpy())
            p = difference.ttost_mean(-bound, bound)[0]
            low, high = difference.tconfint_mean(alpha=0.1)
            rows.append((model, metric, a, b, len(group), difference.mean, low, high, bound, p))
    columns = ["model", "metric", "a", "b", "n", "mean", "low", "high", "margin", "p"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_holm=holm(table["p"]), equivalent=lambda frame: frame["p_holm"] < 0.05)


def distances(profile: pd.DataFrame, counts: dict[str, dict[str, int]], level: float = 0.95) -> pd.DataFrame:
    """Mean absolute difference over layers between diversity and dropout, weight decay and no shift, per model, metric.

    counts: levels per model and category. Columns: model, metric, n, to_dp, to_wd, to_zero; nearer = to_wd - to_dp
    with its interval (nearer_low, nearer_high), in units of the metric; ratio = to_dp / to_zero with its interval
    (ratio_low, ratio_high) and its value where no setting has any effect (expected). Intervals: percentiles of a
    bootstrap over layers at ``level``; they do not cover what other runs of the same settings would give.
    """
    rng = np.random.default_rng(0)
    tails = [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for (model, metric), group in profile.groupby(level=["model", "metric"], sort=False):
        apart = np.column_stack([(group["div"] - group[b]).abs() for b in ("dp", "wd")] + [group["div"].abs()])
        drawn = apart[rng.integers(0, len(apart), (REPLICATES, len(apart)))].mean(axis=1)
        to_dp, to_wd, to_zero = apart.mean(axis=0)
        nearer = np.quantile(drawn[:, 1] - drawn[:, 0], tails)
        ratio = np.quantile(drawn[:, 0] / drawn[:, 2], tails)
        expected = shared_baseline_ratio(counts[model]["div"], counts[model]["dp"])
        row = (model, metric, len(apart), to_dp, to_wd, to_zero, to_wd - to_dp, *nearer)
        rows.append((*row, to_dp / to_zero, *ratio, expected))
    columns = ["model", "metric", "n", "to_dp", "to_wd", "to_zero", "nearer", "nearer_low", "nearer_high"]
    return pd.DataFrame(rows, columns=[*columns, "ratio", "ratio_low", "ratio_high", "expected"])


def level_counts(changes: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Number of levels per model and category."""
    return {
        str(model): group.groupby("category")["level"].nunique().to_dict() for model, group in changes.groupby("model")
    }


# --- sensitivity


def leave_one_out(changes: pd.DataFrame, over: str) -> pd.DataFrame:
    """Pearson correlations with one "layer", "task" or "level" left out at a time.

    Columns: model, metric, a, b, left_out, pearson; ``left_out`` is empty for the whole. A level is named with its
    category, e.g. "wd 0.005".
    """
    shifted = shifts(changes)
    if over == "level":
        shifted = shifted.assign(unit=shifted["category"] + " " + shifted["level"])
    elif over in ("layer", "task"):
        shifted = shifted.assign(unit=shifted[over].astype(str))
    else:
        raise ValueError(f"cannot leave out one {over!r}: use layer, task or level")
    rows = []
    for model, of_model in shifted.groupby("model", sort=False):
        whole = profiles(of_model)
        layers = whole.index.get_level_values("layer").astype(str)
        for unit in ["", *of_model["unit"].unique()]:
            if over == "layer":
                profile = whole[layers != unit]
            else:
                profile = whole if unit == "" else profiles(of_model[of_model["unit"] != unit])
            if profile.empty or not set(CATEGORIES) <= set(profile.columns):
                continue
            values = {name: profile[name].to_numpy() for name in CATEGORIES}
            metrics = profile.index.get_level_values("metric")
            for metric in metrics.unique():
                own = {name: column[metrics == metric] for name, column in values.items()}
                rows += [(model, metric, a, b, unit, _pearson(own[a], own[b])) for a, b in PAIRS]
    return pd.DataFrame(rows, columns=["model", "metric", "a", "b", "left_out", "pearson"])


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    """As ``Series.corr``, of arrays: a thousand times it is seconds."""
    there = ~(np.isnan(x) | np.isnan(y))
    return float(np.corrcoef(x[there], y[there])[0, 1])
