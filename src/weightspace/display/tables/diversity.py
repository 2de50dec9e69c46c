"""The tables and the numbers in the text of the chapters on the training campaign (paper A, from scratch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from weightspace.analysis import diversity_shifts, fair_tests, spectral_shifts
from weightspace.analysis.diversity_shifts import FROM_SCRATCH
from weightspace.analysis.frames import select
from weightspace.analysis.spectral_shifts import PAIRS
from weightspace.display.style import category_label, interval, p_value, pair_label
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
    return pd.DataFrame(
        {
            "optimizer": wide["optimizer"],
            "learning rate": [f"{lr:g}" for lr in wide["lr"]],
            "held-out loss": wide["validation", "loss"],
            "held-out accuracy (%)": wide["validation", "accuracy_percent"],
            "training loss": wide["train", "loss"],
        }
    )


def paper_statistics(by_seed: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Pearson correlations and analyses of variance as in the release: theirs, our mean over seeds, smallest, largest.

    by_seed: seed -> profiles of that seed.
    """
    anova = pd.concat(spectral_shifts.anova(profile).assign(seed=seed) for seed, profile in by_seed.items())
    pearson = pd.concat(spectral_shifts.comparisons(profile).assign(seed=seed) for seed, profile in by_seed.items())
    reported = theirs("anova_F") | theirs("pearson")
    rows = []
    for metric in METRICS:
        parts = [((), "ANOVA, F", select(anova, metric=metric)["F"])]
        parts += [
            (
                (a, b),
                f"Pearson, {pair_label(a, b)}",
                select(pearson, metric=metric, a=a, b=b)["pearson"],
            )
            for a, b in PAIRS
        ]
        for key, label, ours in parts:
            rows.append(
                {
                    "metric": METRIC_LABELS[metric],
                    "statistic": label,
                    "reported": reported[metric, *key],
                    "ours, mean": ours.mean(),
                    "smallest": ours.min(),
                    "largest": ours.max(),
                    "p, largest": p_value(select(anova, metric=metric)["p"].max()) if not key else "",
                }
            )
    return pd.DataFrame(rows)


def similarities(table: pd.DataFrame) -> pd.DataFrame:
    """All similarities with intervals and tests."""
    return pd.DataFrame(
        {
            "compared": table["match"],
            "metric": table["metric"].map(METRIC_LABELS),
            "pair": [pair_label(a, b) for a, b in zip(table["a"], table["b"])],
            "levels": table["levels"],
            "similarity": table["similarity"],
            "95 % interval": [interval(low, high) for low, high in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(p_value),
            "outcome": table["outcome"].where(table["a"] == "div", ""),
        }
    )


def distances(table: pd.DataFrame) -> pd.DataFrame:
    """All squared distances with the test of their difference."""
    return pd.DataFrame(
        {
            "compared": table["match"],
            "metric": table["metric"].map(METRIC_LABELS),
            "levels": table["levels"],
            "to dropout": table["to_dp"],
            "than to": table["against"].map(category_label),
            "to that": table["to_other"],
            "difference": table["difference"],
            "95 % interval": [interval(low, high) for low, high in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(p_value),
            "outcome": table["outcome"],
        }
    )


def shift_tests(cases: Mapping[str, Sequence[fair_tests.Case]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``fair_tests.similarities`` and ``distances`` of several kinds of diversity, each corrected by itself.

    cases: by the name of the kind, which takes the place of the match, or stands before it at equal strength.
    """

    def named(table: pd.DataFrame, name: str) -> pd.DataFrame:
        return table.assign(
            match=[name if match == fair_tests.MATCHES[0] else f"{name}, {match}" for match in table["match"]]
        )

    similar, distant = (
        pd.concat([named(tested(own), name) for name, own in cases.items()], ignore_index=True)
        for tested in (fair_tests.similarities, fair_tests.distances)
    )
    return similar, distant


def equivalence(table: pd.DataFrame) -> pd.DataFrame:
    """Which metrics are equivalent, a row per comparison, a column per pair."""
    shown = table.assign(pair=[pair_label(a, b, " = ") for a, b in zip(table["a"], table["b"])])
    rows = []
    for match, own in shown.groupby("match", sort=False):
        names = {
            pair: ", ".join(METRIC_LABELS[metric] for metric in group[group["equivalent"]]["metric"]) or "none"
            for pair, group in own.groupby("pair", sort=False)
        }
        rows.append({"compared": match} | names)
    return pd.DataFrame(rows)


def layers_used(frame: pd.DataFrame) -> int:
    """Number of layers of which the statistic of paper A has a value, with the last one."""
    return int(diversity_shifts.changes(frame).dropna(subset="value").groupby("metric")["layer"].nunique().max())
