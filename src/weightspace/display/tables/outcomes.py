"""The tables and the numbers in the text of the chapter on diversity, accuracy, calibration and shift."""

from __future__ import annotations

import pandas as pd

from weightspace.analysis.diversity_outcomes import SETTING
from weightspace.analysis.diversity_shifts import CATEGORIES, LEVELS
from weightspace.analysis.frames import select
from weightspace.display.labels import setting_label
from weightspace.display.style import category_label, interval, p_value
from weightspace.display.tables.common import plus_minus
from weightspace.measures.statistics import ALPHA, mean_interval
from weightspace.names import OUTCOME_LABELS, score_label

_DESIGNS = {"main": "single", "cumulative": "cumulative", "independent": "other seeds"}
_MEASURED = {
    "train_loss": ("training loss", 2),
    "clean_accuracy": ("clean accuracy (%)", 1),
    "ece": ("ECE (%)", 1),
    "corruption_accuracy": ("corruption accuracy (%)", 1),
    "corruption_ece": ("ECE, corrupted (%)", 1),
}


def _setting_columns(keys: pd.DataFrame) -> dict[str, list[str]]:
    return {
        "category": [category_label(CATEGORIES[name]) for name in keys["category"]],
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
        bold = f"<strong>{cell}</strong>" if row.p_holm < ALPHA else cell
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
