"""The tables and the numbers in the text of the chapter on diversity, accuracy, calibration and shift."""

from __future__ import annotations

import pandas as pd

from weightspace.analysis.diversity_outcomes import SETTING
from weightspace.analysis.diversity_shifts import CATEGORIES, LEVELS
from weightspace.analysis.frames import select
from weightspace.display.labels import setting_label
from weightspace.display.style import category_label
from weightspace.display.tables.columns import INTERVAL, P_HOLM, between, mean_of, means, named, shown
from weightspace.names import OUTCOME_LABELS, score_label

_DESIGNS = {"main": "single", "cumulative": "cumulative", "independent": "other seeds"}
_MEASURED = {
    "train_loss": ("training loss", 2),
    "clean_accuracy": ("clean accuracy (%)", 1),
    "ece": ("ECE (%)", 1),
    "corruption_accuracy": ("corruption accuracy (%)", 1),
    "corruption_ece": ("ECE, corrupted (%)", 1),
}


_SETTING_COLUMNS = {
    "category": named("category", lambda name: category_label(CATEGORIES[name])),
    "setting": named("setting", setting_label),
    "levels": named("arm", _DESIGNS),
}


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    order = {"setting": list(LEVELS).index, "arm": list(_DESIGNS).index}
    return table.sort_values(["arm", "setting"], key=lambda column: column.map(order[column.name]), kind="stable")


def settings(table: pd.DataFrame) -> pd.DataFrame:
    """Every setting: mean ± half the 95 % interval over seeds of what was measured after the last epoch."""
    groups = _in_order(table).groupby(SETTING, sort=False)
    found = shown(groups.size().reset_index(name="seeds"), _SETTING_COLUMNS | {"seeds": "seeds"})
    for name, (heading, decimals) in _MEASURED.items():
        found[heading] = [mean_of(values, decimals) for _, values in groups[name]]
    return found


def effects(differences: pd.DataFrame) -> pd.DataFrame:
    """Differences to the baseline with interval and corrected p, a row per setting and outcome."""
    columns = _SETTING_COLUMNS | {
        "outcome": named("outcome", OUTCOME_LABELS),
        "difference (points)": "mean",
        "95 % interval": between(decimals=1),
        "p (Holm)": P_HOLM,
    }
    return shown(_in_order(differences), columns)


def batch_norm(frame: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy of every setting of ``diversity_batch_norm``, a column per kind of test."""
    columns = {
        "fine-tuned on": named("setting", lambda name: setting_label("" if name == "baseline" else name)),
        "clean images": "test",
        "images changed as in training": "test_changed",
        "clean images, new statistics": "test_new_statistics",
    }
    accuracy = select(frame, metric="accuracy_percent")
    accuracy = accuracy.sort_values("setting", key=lambda names: names.map(list(LEVELS).index))
    return shown(means(accuracy, ["setting"], "inputs"), columns)


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations of scores with outcomes."""
    columns = {
        "outcome": named("outcome", OUTCOME_LABELS),
        "levels": "design",
        "score": lambda table: map(score_label, table["score"], table["of"]),
        "sets": "n",
        "rho": "rho",
        "95 % interval": INTERVAL,
        "p (Holm)": P_HOLM,
    }
    order = {"by": ["outcome", "levels"], "ascending": [True, False]}
    return shown(table, columns).sort_values(**order, kind="stable", ignore_index=True)


def score_ranks(table: pd.DataFrame) -> pd.DataFrame:
    """How scores rank training sets; table: ``score_ranks.ranks``."""
    columns = {
        "outcome": "measured",
        "score": lambda table: map(score_label, table["score"], table["of"]),
        "sets": "sets",
        "rank correlation": "correlation",
        "95 % interval": INTERVAL,
        "without one set": between("low_set", "high_set"),
        "p (Holm)": P_HOLM,
        "judged": "outcome",
        "detectable": named("detectable", lambda value: f"{value:.2f}" if value <= 1 else "none"),
        "between seeds": "reliability",
    }
    return shown(table, columns)
