"""The tables and the numbers in the text of the chapter on paper A's released measurements."""

from __future__ import annotations

import numpy as np
import pandas as pd

from weightspace.analysis import released_scores, shift_checks, spectral_shifts
from weightspace.analysis.frames import select
from weightspace.display.style import method_label, p_value
from weightspace.display.tables.columns import METRIC, P_HOLM, named, shown
from weightspace.display.tables.diversity import equivalent_metrics
from weightspace.experiments.diversity import released_measurements
from weightspace.experiments.diversity.released_measurements import MODELS, TASKS
from weightspace.measures.statistics import ALPHA
from weightspace.names import METRIC_LABELS

_STATISTICS = {
    "anova_F": "ANOVA, F",
    "anova_p": "ANOVA, p",
    "t": "t-tests, t",
    "t_p": "t-tests, p",
    "pearson": "Pearson correlations",
    "category_mean": "category means",
    "last_layer_mean": "means of the last layer",
    "layers": "layers kept",
    "accuracy": "test accuracies of BERT",
}

_MODEL = named("model", MODELS)


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("model", key=lambda names: names.map(list(MODELS).index), kind="stable", ignore_index=True)


def agreement(compared: pd.DataFrame) -> pd.DataFrame:
    """Per kind of statistic: where it is printed, how many values, how many of ours agree in every printed digit."""
    rows = []
    for statistic, own in compared.groupby("statistic", sort=False):
        differing = "; ".join(f"{row.value} (ours {row.ours})" for row in own[~own["agrees"]].itertuples())
        printed = ", ".join(own["source"].unique())
        rows.append((_STATISTICS[str(statistic)], printed, len(own), own["agrees"].sum(), differing))
    return pd.DataFrame(rows, columns=["statistic", "printed in", "values", "agree", "differ"])


def every_value(compared: pd.DataFrame) -> pd.DataFrame:
    """Every reported value beside ours."""
    columns = {
        "model": _MODEL,
        "data": named("task", lambda task: TASKS[task] if task else "all, pooled"),
        "statistic": named("statistic", _STATISTICS),
        "metric": lambda table: table["metric"].replace(METRIC_LABELS),
        "of": lambda table: (table["a"] + " " + table["b"]).str.strip(),
        "reported": "value",
        "ours": "ours",
    }
    return shown(compared, columns)


def variance(whole: pd.DataFrame, without: pd.DataFrame) -> pd.DataFrame:
    """Analyses of variance with all layers and without the last one."""
    columns = {
        "model": _MODEL,
        "metric": METRIC,
        "F": "F",
        "p (Holm)": P_HOLM,
        "F without the last layer": "F_without",
        "p (Holm) without": named("p_holm_without", p_value),
    }
    return shown(_in_order(whole.merge(without, on=["model", "metric"], suffixes=("", "_without"))), columns)


def rank_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations of dose contrasts."""
    columns = {
        "model": _MODEL,
        "metric": METRIC,
        "diversity against": named("b", method_label),
        "layers": "n",
        "rho": "rho",
        "p": named("p", p_value),
        "p (Holm)": P_HOLM,
    }
    return shown(_in_order(table), columns)


def equivalence(table: pd.DataFrame) -> pd.DataFrame:
    """Which of the four metrics are equivalent, per model and comparison."""
    return equivalent_metrics(_in_order(table).assign(model=lambda own: own["model"].map(MODELS)), "model")


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """Vendi scores against accuracy."""
    columns = {
        "task": named("task", TASKS),
        "Vendi score of": lambda table: table["metric"].str.removeprefix("vendi_"),
        "training sets": "n",
        "rho with accuracy": "rho",
        "p (Holm)": P_HOLM,
    }
    return shown(table, columns)


def numbers(
    runs: pd.DataFrame, compared: pd.DataFrame, noise: pd.DataFrame, noise_inner: pd.DataFrame
) -> dict[str, object]:
    """The numbers that the text of the chapter quotes, by name.

    runs: the records. compared: ``spectral_shifts.against_reported`` of them. noise, noise_inner:
    ``shift_checks.expected_correlations`` with and without the last layer.
    """
    changes = select(runs, quantity="change")
    profile = spectral_shifts.profiles(spectral_shifts.shifts(changes))
    inner = profile[~spectral_shifts.last_layer(profile)]
    tests, without = spectral_shifts.comparisons(profile), spectral_shifts.comparisons(inner)
    expected, expected_inner = (select(table, a="div", b="dp") for table in (noise, noise_inner))
    texts = released_scores.text_accuracies().dropna()
    tasks = select(shift_checks.across_tasks(changes), a="div", b="dp")
    found: dict[str, object] = {
        "noise_pearson": shift_checks.shared_baseline_correlation(10, 4),
        "noise_ratio": shift_checks.shared_baseline_ratio(10, 4),
        "pearson_above": int((expected["observed"] > expected["high"]).sum()),
        "pearson_above_inner": int((expected_inner["observed"] > expected_inner["high"]).sum()),
        "pearson_all": len(expected),
        "agree": int(compared["agrees"].sum()),
        "reported": len(compared),
        "t_tests": len(tests),
        "t_significant": int((tests["p_holm"] < ALPHA).sum()),
        "texts": len(texts),
        "texts_smallest_p": float(texts["p"].min()),
        "extreme_expected": extremes(changes, "resnet18")[1],
        "same_task": float(tasks["same"].median()),
        "other_task": float(tasks["other"].median()),
    }
    for name, table in (("whole", tests), ("inner", without)):
        for metric in ("log_norm", "log_spectral_norm"):
            row = select(table, model="clip_vit_b32", metric=metric, a="div", b="dp")
            found[f"vit_{metric}_{name}"] = float(row["pearson"].iloc[0])
    means = select(spectral_shifts.category_means(inner), metric="log_norm")
    for model, row in means.pivot(index="model", columns="category", values="mean").iterrows():
        found[f"extreme_{model}"] = extremes(changes, str(model))[0]
        found[f"wd_over_div_{model}"] = float(abs(row["wd"]) / max(abs(row["div"]), abs(row["dp"])))
    start = select(runs, quantity="initial_sd", metric="log_norm")
    for model, own in start.groupby("model"):
        # Below this, two runs began with the same weights: the metrics differ by rounding.
        found[f"fresh_{model}"] = int((own.groupby("layer")["value"].max() > 1e-6).sum())
    return found


def extremes(changes: pd.DataFrame, model: str) -> tuple[float, float]:
    """Share of (layer, metric) in which the baseline is the lowest or highest of all runs, and its expected value."""
    own = select(shift_checks.extreme_fractions(changes), model=model, category=released_measurements.BASELINE)
    return float(np.average(own["share"], weights=own["n"])), float(own["expected"].mean())
