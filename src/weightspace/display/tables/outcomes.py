"""The tables and the numbers in the text of the chapter on diversity, accuracy, calibration and shift."""

from __future__ import annotations

import pandas as pd

from weightspace.analysis import diversity_outcomes
from weightspace.analysis.diversity_outcomes import SETTING, score_label, setting_label
from weightspace.analysis.diversity_shifts import CATEGORIES, LEVELS
from weightspace.analysis.frames import select
from weightspace.display.figures.outcomes import OUTCOME_LABELS
from weightspace.display.style import interval, method_label, p_value
from weightspace.display.tables.common import plus_minus
from weightspace.measures.statistics import mean_interval

_DESIGNS = {"main": "single", "cumulative": "cumulative", "independent": "other seeds"}
_MEASURED = {
    "train_loss": ("training loss", 2),
    "clean_accuracy": ("clean accuracy (%)", 1),
    "ece": ("ECE (%)", 1),
    "corruption_accuracy": ("corruption accuracy (%)", 1),
    "corruption_ece": ("ECE, corrupted (%)", 1),
}


def _setting_columns(keys: pd.DataFrame) -> dict[str, list[str]]:
    category = [method_label(CATEGORIES[name]) for name in keys["category"]]
    return {
        "category": [name if name != CATEGORIES["baseline"] else "baseline" for name in category],
        "setting": [setting_label(name) for name in keys["setting"]],
        "levels": [_DESIGNS[name] for name in keys["arm"]],
    }


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    order = {"setting": list(LEVELS).index, "arm": list(_DESIGNS).index}
    return table.sort_values(["arm", "setting"], key=lambda column: column.map(order[column.name]), kind="stable")


def settings(table: pd.DataFrame) -> pd.DataFrame:
    """Every setting: mean ± half the 95 % interval over seeds of what was measured after the last epoch."""
    groups = _in_order(table).groupby(SETTING, sort=False)
    keys = groups.size().reset_index(name="seeds")
    shown = pd.DataFrame(_setting_columns(keys) | {"seeds": keys["seeds"]})
    for name, (heading, decimals) in _MEASURED.items():
        shown[heading] = [plus_minus(*mean_interval(values), decimals) for _, values in groups[name]]
    return shown


def effects(differences: pd.DataFrame) -> pd.DataFrame:
    """Differences to the baseline with interval and corrected p, a row per setting and outcome."""
    table = _in_order(differences)
    return pd.DataFrame(
        _setting_columns(table)
        | {
            "outcome": table["outcome"].map(OUTCOME_LABELS).to_list(),
            "difference (points)": table["mean"].to_list(),
            "95 % interval": [interval(a, b, 1) for a, b in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(p_value).to_list(),
        }
    )


def batch_norm(frame: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy of every setting of ``diversity_batch_norm``, a column per kind of test."""
    headings = {
        "test": "clean images",
        "test_changed": "images changed as in training",
        "test_new_statistics": "clean images, new statistics",
    }
    accuracy = select(frame, metric="accuracy_percent")
    accuracy = accuracy.sort_values("setting", key=lambda names: names.map(list(LEVELS).index))
    return pd.DataFrame(
        [
            {"fine-tuned on": setting_label(str(setting)) if setting != "baseline" else setting_label("")}
            | {
                heading: plus_minus(*mean_interval(select(own, inputs=inputs)["value"]), 1)
                for inputs, heading in headings.items()
            }
            for setting, own in accuracy.groupby("setting", sort=False)
        ]
    )


def groups(differences: pd.DataFrame) -> pd.DataFrame:
    """Differences of groups of settings, a row per group, a column per outcome; bold: p (Holm) below 0.05."""
    rows: dict[str, dict[str, str]] = {}
    for row in differences.itertuples():
        cell = f"{row.mean:.1f} <small>({interval(row.low, row.high, 1)})</small>"
        bold = f"<strong>{cell}</strong>" if row.p_holm < 0.05 else cell
        rows.setdefault(row.setting, {"settings": row.setting})[OUTCOME_LABELS[row.outcome]] = bold
    return pd.DataFrame(rows.values())


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations of scores with outcomes."""
    return pd.DataFrame(
        {
            "outcome": table["outcome"].map(OUTCOME_LABELS),
            "levels": table["design"],
            "score": [score_label(score, of) for score, of in zip(table["score"], table["of"])],
            "sets": table["n"],
            "rho": table["rho"],
            "95 % interval": [interval(a, b, 2) for a, b in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(p_value),
        }
    ).sort_values(["outcome", "levels"], ascending=[True, False], kind="stable", ignore_index=True)


def number_name(*parts: str) -> str:
    """What the text calls a number: the parts that are not empty, without what a name may not hold."""
    return "_".join(filter(None, parts)).replace(".", "").replace("-", "").replace(" ", "_")


def difference_numbers(differences: pd.DataFrame) -> dict[str, float]:
    """``clean_accuracy_dropout_05`` and so on: difference to the baseline, of the main arm or with ``cumulative_``
    before the setting; ``low_`` and ``high_``: its interval."""
    found = {}
    for row in differences.itertuples():
        key = number_name(row.outcome, "cumulative" if row.arm == "cumulative" else "", row.setting)
        found |= {key: row.mean, f"low_{key}": row.low, f"high_{key}": row.high}
    return found


def effect_numbers(table: pd.DataFrame, differences: pd.DataFrame) -> dict[str, float]:
    """Numbers on what each setting does: the baseline, what seeds alone do, and those of ``difference_numbers``.

    best: the largest mean gain of a setting in the first outcome; not_excluded: the largest upper end of an interval.
    """
    baseline = select(table, arm="main", setting="baseline")
    outcomes = list(differences["outcome"].unique())
    found: dict[str, float] = {f"baseline_{name}": float(baseline[name].mean()) for name in outcomes}
    found |= {f"noise_{name}": value for name, value in diversity_outcomes.seed_noise(table, outcomes).items()}
    found |= difference_numbers(differences)
    first = differences[differences["outcome"] == differences["outcome"].iloc[0]]
    return found | {
        "seeds": len(baseline),
        "comparisons": int(differences["p"].notna().sum()),
        "significant": int((differences["p_holm"] < 0.05).sum()),
        "half_width": float(((first["high"] - first["low"]) / 2).median()),
        "best": float(first["mean"].max()),
        "not_excluded": float(first["high"].max()),
    }


def numbers(
    table: pd.DataFrame,
    differences: pd.DataFrame,
    correlations: pd.DataFrame,
    both: pd.DataFrame,
) -> dict[str, float]:
    """The numbers that the text of the chapter on diversity and accuracy quotes, by name.

    Those of ``effect_numbers``, of groups too; ``rho_weighted_vendi_pixels_calibration_single``: a correlation.
    """
    of_groups = diversity_outcomes.differences(diversity_outcomes.grouped(table))
    found = effect_numbers(table, differences) | difference_numbers(of_groups)
    for row in correlations.itertuples():
        found[number_name("rho", row.score, row.of, row.outcome, row.design)] = row.rho
    robust = select(differences, outcome="effective_robustness", category="augmentation", arm="main")
    means = select(both, design="single").groupby("level").mean(numeric_only=True)
    for of in both.filter(like="resemblance_").columns.str.removeprefix("resemblance_"):
        for score in diversity_outcomes.SCORES:
            own = means[f"{score}_{of}"]
            found[f"higher_{score}_{of}"] = int((own.drop("") > own[""]).sum())
    return found | {
        "robust": int((robust["mean"] > 0).sum()),
        "levels": len(robust),
        "tested": int(correlations["p"].notna().sum()),
        "correlated": int((correlations["p_holm"] < 0.05).sum()),
    }


def transfer_numbers(runs: pd.DataFrame) -> dict[str, float]:
    """What a pretrained network knows before and after fine-tuning: test accuracy in percent, means over seeds.

    probe: of a linear classifier on its features as they were published; tuned, paper_rate: of the baseline, fine-tuned
    with the tuned learning rate and with that of the paper.
    """
    right = select(runs, metric="accuracy_percent", setting="baseline")
    last = select(right, inputs="test", epoch=runs["epoch"].max())
    return {
        "probe": float(select(right, inputs="linear_probe", arm="main")["value"].mean()),
        "tuned": float(select(last, arm="main")["value"].mean()),
        "paper_rate": float(select(last, arm="paper_rate")["value"].mean()),
    }


def batch_norm_numbers(frame: pd.DataFrame) -> dict[str, float]:
    """``test_noise50`` and so on: mean test accuracy in percent by kind of test and setting."""
    means = select(frame, metric="accuracy_percent").groupby(["inputs", "setting"])["value"].mean()
    return {f"{inputs}_{setting}": float(value) for (inputs, setting), value in means.items()}


def trace_numbers(traces: pd.DataFrame) -> dict[str, float]:
    """The same of the Hessian trace.

    ``trace_baseline`` and so on: mean after the last epoch; ``less_dropout_03`` and so on: how much lower than that of
    the baseline of the same seed, with ``low_`` and ``high_``. trace_start: baseline before the first epoch;
    trace_error: median standard error in percent.
    """
    trained, last = (traces[traces["epoch"] >= epoch] for epoch in (1, traces["epoch"].max()))
    values = last.pivot(index="seed", columns="setting", values="value")
    found = {
        "trace_start": float(select(traces, setting="baseline", epoch=0)["value"].mean()),
        "trace_error": float(100 * (trained["standard_error"] / trained["value"].abs()).median()),
    }
    for setting in values:
        key = number_name("less", setting)
        less, low, high = mean_interval(values["baseline"] - values[setting])
        found |= {number_name("trace", setting): float(values[setting].mean())}
        found |= {key: less, f"low_{key}": low, f"high_{key}": high}
    return found
