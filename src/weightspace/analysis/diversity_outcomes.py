"""What the regularizers of paper A's campaign do to accuracy, calibration and robustness, and what explains it.

Works on the records of ``diversity_cifar10`` (runs), ``diversity_sets`` (scores of the training sets) and
``diversity_hessian`` (traces). Outcomes are those after the last epoch, accuracies and ECE in percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from weightspace.analysis.frames import means, select, summarize
from weightspace.data.augmentations import LEVELS
from weightspace.measures.statistics import holm, mean_interval, row_correlations

RUN = ["arm", "category", "setting", "seed"]
SETTING = ["arm", "category", "setting"]
OUTCOMES = ("clean_accuracy", "ece", "corruption_accuracy", "corruption_ece", "effective_robustness")
JUDGED = ("clean_accuracy", "corruption_accuracy", "calibration")
"""Outcomes that a diversity score is held against. calibration: minus the ECE on clean images, so that more of all
three is better."""
SCORES = ("vendi", "weighted_vendi")
FEATURES = ("pixels", "ngrams", "embeddings")
DESIGNS = ("single", "cumulative")

_DRAWS = 10_000


# --- what each setting does


def outcomes(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per run (arm, category, setting, seed) with its outcomes after the last epoch.

    train_loss: as it trained, with augmentation and dropout. clean_accuracy, ece: clean test images.
    part_accuracy: those of them that were also corrupted. corruption_accuracy, corruption_ece: mean over 15 kinds and 5
    severities. effective_robustness: corruption_accuracy minus what ``accuracy_line`` expects of a network with this
    part_accuracy (Taori et al. 2020). ``ValueError`` if a run lacks one of them.
    """
    last = last_epoch(runs)

    def mean(rows: pd.DataFrame, metric: str) -> pd.Series:
        return select(rows, metric=metric).groupby(RUN, sort=False)["value"].mean()

    clean, corrupted = select(last, inputs="test"), last[last["severity"] > 0]
    table = side_by_side(
        train_loss=mean(select(last, inputs="train"), "loss"),
        clean_accuracy=mean(clean, "accuracy_percent"),
        ece=100 * mean(clean, "ece"),
        part_accuracy=mean(select(last, inputs="test_part"), "accuracy_percent"),
        corruption_accuracy=mean(corrupted, "accuracy_percent"),
        corruption_ece=100 * mean(corrupted, "ece"),
    )
    slope, intercept = accuracy_line(table)
    expected = intercept + slope * table["part_accuracy"]
    return table.assign(effective_robustness=table["corruption_accuracy"] - expected)


def side_by_side(**measured: pd.Series) -> pd.DataFrame:
    """Outcomes by run as columns of one table. ``ValueError`` if a run lacks one of them."""
    table = pd.DataFrame(measured)
    if table.isna().any(axis=None):
        raise ValueError(f"no value of {', '.join(table.columns[table.isna().any()])} for some of the runs")
    return table.reset_index()


def accuracy_line(table: pd.DataFrame) -> tuple[float, float]:
    """(slope, intercept) of corruption accuracy on clean accuracy by least squares, over runs without augmentation."""
    plain = table[table["category"] != "augmentation"]
    slope, intercept = np.polyfit(plain["part_accuracy"], plain["corruption_accuracy"], 1)
    return float(slope), float(intercept)


def differences(table: pd.DataFrame, names: Sequence[str] = OUTCOMES) -> pd.DataFrame:
    """Each setting minus the baseline of the same seed, per outcome: n, mean with its 95 % t interval, p and p_holm.

    table: from ``outcomes``; independent baselines are left out. p: paired t-test, Holm's correction over the table;
    NaN where all seeds differ by the same amount. ``ValueError`` where a run has no baseline of its seed.
    """
    table = table.groupby(RUN, sort=False)[list(names)].mean().reset_index()
    baseline = select(table, arm="main", setting="baseline").set_index("seed")
    others = table[table["category"] != "baseline"]
    if lacking := set(others["seed"]) - set(baseline.index):
        raise ValueError(f"no baseline for the seeds {sorted(lacking)}")
    rows = []
    for key, group in others.groupby(SETTING, sort=False):
        for name in names:
            difference = group[name].to_numpy() - baseline.loc[group["seed"], name].to_numpy()
            spread = len(difference) > 1 and np.ptp(difference) > 1e-9
            p = stats.ttest_1samp(difference, 0.0).pvalue if spread else np.nan
            rows.append((*key, name, len(difference), *mean_interval(difference), p))
    found = pd.DataFrame(rows, columns=[*SETTING, "outcome", "n", "mean", "low", "high", "p"])
    return found.assign(p_holm=holm(found["p"]))


def seed_noise(table: pd.DataFrame, names: Sequence[str] = OUTCOMES) -> dict[str, float]:
    """Per outcome, how far apart the means of two groups of baselines are by chance alone: half a 95 % interval.

    t sqrt(2 / n) s, with s the standard deviation over all baselines, independent ones included; groups of n seeds, as
    many as the main arm has. A setting shares weights and data order with its baseline, other seeds do not.
    """
    baselines = select(table, setting="baseline")
    n = select(baselines, arm="main")["seed"].nunique()
    t = stats.t.ppf(0.975, len(baselines) - 1)
    return {name: float(t * np.sqrt(2 / n) * baselines[name].std(ddof=1)) for name in names}


def corruption_differences(runs: pd.DataFrame) -> pd.DataFrame:
    """Accuracy minus that of the baseline of the same seed, in points, per setting and kind of corruption.

    The mean over severities. Columns: arm, category, setting, kind, n (seeds), mean, low, high.
    """
    last = select(last_epoch(runs), metric="accuracy_percent").rename(columns={"inputs": "kind"})
    by_run = means(last[last["severity"] > 0], [*RUN, "kind"])
    base = select(by_run, arm="main", setting="baseline").set_index(["seed", "kind"])["value"].rename("baseline")
    others = by_run[by_run["category"] != "baseline"].join(base, on=["seed", "kind"], how="inner")
    return summarize(others.assign(value=others["value"] - others["baseline"]), [*SETTING, "kind"])


def last_epoch(runs: pd.DataFrame) -> pd.DataFrame:
    """What was measured after the last epoch, without the spectra."""
    return runs[(runs["epoch"] == runs["epoch"].max()) & (runs["inputs"] != "")]


# --- what a diversity score explains


def training_sets(table: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Scores and outcomes side by side: a row per design, level (``""``: the images as they are) and seed.

    table: from ``outcomes``. sets: records of ``diversity_sets``. design: ``single``, every level by itself, or
    ``cumulative``; the images as they are and the first level belong to both. Columns of scores are called
    vendi_pixels, weighted_vendi_pixels and so on; resemblance is their ratio, the cosine between a set and the images
    as they are. The judged outcomes besides. Sets that only one side has are left out.
    """
    own = table[table["arm"].isin(["main", "cumulative"]) & table["category"].isin(["baseline", "augmentation"])]
    own = own.assign(design=own["arm"].replace("main", "single"), level=own["setting"].replace("baseline", ""))
    both = beside_scores(sets.rename(columns={"arm": "design", "augmentation": "level"}), own)
    shared = both[(both["design"] == "single") & both["level"].isin(["", LEVELS[0]])]
    return in_order(pd.concat([both, shared.assign(design="cumulative")]), LEVELS)


def beside_scores(sets: pd.DataFrame, table: pd.DataFrame, outcomes: Sequence[str] = JUDGED) -> pd.DataFrame:
    """``wide_scores`` with the outcomes of networks trained on these sets, and their category, by design, level, seed.

    calibration is made of ece. Sets that only one side has are left out.
    """
    keys = ["design", "level", "seed"]
    own = table.assign(calibration=-table["ece"])[[*keys, "category", *outcomes]]
    return wide_scores(sets, keys).merge(own, on=keys)


def in_order(both: pd.DataFrame, levels: Sequence[str]) -> pd.DataFrame:
    """Training sets by design, then the images or texts as they are (``""``) and ``levels``, then by seed."""
    place = {level: number for number, level in enumerate(["", *levels])}
    return both.sort_values(
        ["design", "level", "seed"],
        key=lambda column: column.map(place) if column.name == "level" else column,
        ignore_index=True,
    )


def wide_scores(sets: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """A row per combination of ``keys`` with a column per score and features, from records with metric, of and value.

    resemblance: weighted score / plain score, of the features that have both.
    """
    wide = sets.assign(score=sets["metric"] + "_" + sets["of"])
    wide = wide.pivot(index=list(keys), columns="score", values="value").rename_axis(columns=None).reset_index()
    for of in select(sets, metric="weighted_vendi")["of"].unique():
        wide[f"resemblance_{of}"] = wide[f"weighted_vendi_{of}"] / wide[f"vendi_{of}"]
    return wide


def rank_correlations(
    both: pd.DataFrame, scores: Sequence[str] = SCORES, outcomes: Sequence[str] = JUDGED, draws: int = _DRAWS
) -> pd.DataFrame:
    """Spearman correlation over training sets of each score with each outcome, both as means over seeds.

    both: from ``training_sets``, or another table with design, level (the training set), seed, outcomes, and a column
    ``SCORE_FEATURE`` for each score there is. Columns: design, of, score, outcome, n (sets), rho, low, high (percentile
    interval of a bootstrap over sets and seeds), p (for no correlation over sets), p_holm (over the table). All NaN for
    fewer than three sets or values that do not differ.
    """
    rows = []
    scored = _scored(both, scores)
    names = [*scored, *outcomes]
    for design, own in both.groupby("design", sort=False):
        means = own.groupby("level")[names].mean()
        drawn = _drawn_ranks(own, names, draws)
        for (x, (score, of)), y in product(scored.items(), outcomes):
            rho, p, low, high = (np.nan,) * 4
            if len(means) >= 3 and means[x].nunique() > 1 and means[y].nunique() > 1:
                rho, p = stats.spearmanr(means[x], means[y])
                low, high = _percentiles(row_correlations(drawn[x], drawn[y]))
            rows.append((design, of, score, y, len(means), rho, low, high, p))
    table = pd.DataFrame(rows, columns=["design", "of", "score", "outcome", "n", "rho", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"]))


def seed_correlations(both: pd.DataFrame, outcomes: Sequence[str] = JUDGED) -> pd.DataFrame:
    """As ``rank_correlations`` within each seed: design, of, score, outcome, seed, rho."""
    rows, scored = [], _scored(both, SCORES)
    for (design, seed), own in both.groupby(["design", "seed"], sort=False):
        for (name, (score, of)), outcome in product(scored.items(), outcomes):
            x, y = own[name], own[outcome]
            defined = len(own) >= 3 and x.nunique() > 1 and y.nunique() > 1
            rho = stats.spearmanr(x, y).statistic if defined else np.nan
            rows.append((design, of, score, outcome, seed, rho))
    return pd.DataFrame(rows, columns=["design", "of", "score", "outcome", "seed", "rho"])


def weighted_against_plain(
    both: pd.DataFrame, outcomes: Sequence[str] = JUDGED, level: float = 0.95, draws: int = _DRAWS
) -> pd.DataFrame:
    """How much higher the weighted score's rank correlation with each outcome is than the plain one's.

    Of the features that have both. Columns: design, of, outcome, n (sets), difference (of the correlations of seed
    means), low, high (percentile interval of the same bootstrap draws of sets and seeds for both). NaN as in
    ``rank_correlations``.
    """
    features = [of for score, of in _scored(both, ("weighted_vendi",)).values()]
    names = [f"{score}_{of}" for score in SCORES for of in features] + [*outcomes]
    found = rank_correlations(both, outcomes=outcomes, draws=1)
    found = found.pivot(index=["design", "of", "outcome"], columns="score", values="rho").sort_index()
    rows = []
    for design, own in both.groupby("design", sort=False):
        drawn = _drawn_ranks(own, names, draws)
        for of, outcome in product(features, outcomes):
            rho = found.loc[(design, of, outcome)]
            difference, low, high = rho["weighted_vendi"] - rho["vendi"], np.nan, np.nan
            if np.isfinite(difference):
                weighted, plain = (
                    row_correlations(drawn[f"{score}_{of}"], drawn[outcome]) for score in ("weighted_vendi", "vendi")
                )
                low, high = _percentiles(weighted - plain, level)
            rows.append((design, of, outcome, own["level"].nunique(), difference, low, high))
    return pd.DataFrame(rows, columns=["design", "of", "outcome", "n", "difference", "low", "high"])


def _scored(both: pd.DataFrame, scores: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The columns of scores that a table has: name -> score and features."""
    pairs = {f"{score}_{of}": (score, of) for of in FEATURES for score in scores}
    return {name: pair for name, pair in pairs.items() if name in both}


def _drawn_ranks(own: pd.DataFrame, names: Sequence[str], draws: int) -> dict[str, NDArray[np.float64]]:
    """Ranks ``[draws, sets]`` of seed means when sets and seeds are drawn with replacement, the same for every name."""
    sets, seeds = own["level"].nunique(), own["seed"].nunique()
    rng = np.random.default_rng(0)
    levels = rng.integers(sets, size=(draws, sets, 1))
    chosen = rng.integers(seeds, size=(draws, 1, seeds))
    ranks = {}
    for name in names:
        values = own.pivot(index="level", columns="seed", values=name).to_numpy()
        ranks[name] = stats.rankdata(values[levels, chosen].mean(axis=2), axis=1)
    return ranks


def _percentiles(values: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    tail = (1 - level) / 2
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, [tail, 1 - tail]) if len(values) else (np.nan, np.nan)
    return float(low), float(high)


# --- curvature


def trace_summary(traces: pd.DataFrame) -> pd.DataFrame:
    """Hessian trace per setting and epoch: n (seeds), mean, low, high (95 % t interval over seeds), standard_error.

    standard_error: of the estimate within one run, its root mean square over seeds. traces: ``diversity_hessian``.
    """
    by = ["category", "setting", "epoch"]
    error = np.sqrt((traces["standard_error"] ** 2).groupby([traces[name] for name in by]).mean())
    return summarize(traces, by).join(error.rename("standard_error"), on=by)
