"""The tables and the numbers in the text of the chapters on the training campaign (paper A, from scratch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from weightspace.analysis import diversity_shifts, fair_tests, spectral_shifts
from weightspace.analysis.diversity_shifts import FROM_SCRATCH
from weightspace.analysis.frames import select
from weightspace.analysis.spectral_shifts import PAIRS
from weightspace.display.style import category_label, p_value, pair_label
from weightspace.display.tables.columns import INTERVAL, METRIC, P_HOLM, named, pairs, shown, spread
from weightspace.experiments.diversity.released_measurements import METRICS
from weightspace.names import METRIC_LABELS


def theirs(statistic: str, model: str = FROM_SCRATCH) -> dict[tuple[str, ...], float]:
    """What the release reports of one of its models: (metric, a, b), empty categories left out -> value."""
    own = select(spectral_shifts.reported(), model=model, task="", statistic=statistic)
    return {tuple(filter(None, (row.metric, row.a, row.b))): float(row.value) for row in own.itertuples()}


def tuning(frame: pd.DataFrame) -> pd.DataFrame:
    """Every candidate of ``diversity_tuning`` after its last epoch, best first: means over seeds."""
    last = frame[frame["epoch"] == diversity_shifts.last_epoch(frame)]
    wide = last.pivot_table(index=["optimizer", "lr"], columns=["inputs", "metric"], values="value").reset_index()
    wide = wide.sort_values(("validation", "loss"))
    columns = {
        "optimizer": "optimizer",
        "learning rate": named("lr", "{:g}".format),
        "held-out loss": ("validation", "loss"),
        "held-out accuracy (%)": ("validation", "accuracy_percent"),
        "training loss": ("train", "loss"),
    }
    return shown(wide, columns)


def paper_statistics(by_seed: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Pearson correlations and analyses of variance as in the release: theirs, our mean over seeds, smallest, largest.

    by_seed: seed -> profiles of that seed.
    """
    anova = pd.concat(spectral_shifts.anova(profile).assign(seed=seed) for seed, profile in by_seed.items())
    pearson = pd.concat(spectral_shifts.comparisons(profile).assign(seed=seed) for seed, profile in by_seed.items())
    reported = theirs("anova_F") | theirs("pearson")
    rows = []
    for metric in METRICS:
        own = select(anova, metric=metric)
        parts: list[tuple[tuple[str, ...], str, pd.Series, str]]
        parts = [((), "ANOVA, F", own["F"], p_value(own["p"].max()))]
        parts += [
            ((a, b), f"Pearson, {pair_label(a, b)}", select(pearson, metric=metric, a=a, b=b)["pearson"], "")
            for a, b in PAIRS
        ]
        for pair, label, ours, p in parts:
            values = (reported[metric, *pair], ours.mean(), ours.min(), ours.max())
            rows.append((METRIC_LABELS[metric], label, *values, p))
    columns = ["metric", "statistic", "reported", "ours, mean", "smallest", "largest", "p, largest"]
    return pd.DataFrame(rows, columns=columns)


def similarities(table: pd.DataFrame) -> pd.DataFrame:
    """All similarities with intervals and tests."""
    columns = {
        "compared": "match",
        "metric": METRIC,
        "pair": pairs(),
        "levels": "levels",
        "similarity": "similarity",
        "95 % interval": INTERVAL,
        "p (Holm)": P_HOLM,
        "outcome": lambda table: table["outcome"].where(table["a"] == "div", ""),
    }
    return shown(table, columns)


def distances(table: pd.DataFrame) -> pd.DataFrame:
    """All squared distances with the test of their difference."""
    columns = {
        "compared": "match",
        "metric": METRIC,
        "levels": "levels",
        "to dropout": "to_dp",
        "than to": named("against", category_label),
        "to that": "to_other",
        "difference": "difference",
        "95 % interval": INTERVAL,
        "p (Holm)": P_HOLM,
        "outcome": "outcome",
    }
    return shown(table, columns)


def shift_tests(cases: Mapping[str, Sequence[fair_tests.Case]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``fair_tests.similarities`` and ``distances`` of several kinds of diversity, each corrected by itself.

    cases: by the name of the kind, which takes the place of the match, or stands before it at equal strength.
    """
    tables: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
    for name, own in cases.items():
        for found, table in zip(tables, (fair_tests.similarities(own), fair_tests.distances(own))):
            other = table["match"] != fair_tests.MATCHES[0]
            found.append(table.assign(match=(f"{name}, " + table["match"]).where(other, name)))
    return pd.concat(tables[0], ignore_index=True), pd.concat(tables[1], ignore_index=True)


def equivalent_metrics(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Which metrics are equivalent: a row per value of ``by``, a column per pair."""
    named_pairs = table.assign(pair=pairs(" = ")(table), metric=table["metric"].map(METRIC_LABELS))
    equal = named_pairs["metric"].where(table["equivalent"]).groupby([table[by], named_pairs["pair"]], sort=False)
    cells = equal.agg(lambda names: ", ".join(names.dropna()) or "none").rename("cell")
    return spread(cells.reset_index(), [by], "pair")


def equivalence(table: pd.DataFrame) -> pd.DataFrame:
    """Which metrics are equivalent, a row per comparison, a column per pair."""
    return equivalent_metrics(table, "match").rename(columns={"match": "compared"})


def layers_used(frame: pd.DataFrame) -> int:
    """Number of layers of which the statistic of paper A has a value, with the last one."""
    return int(diversity_shifts.changes(frame).dropna(subset="value").groupby("metric")["layer"].nunique().max())
