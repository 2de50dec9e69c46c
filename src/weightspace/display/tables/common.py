"""The tables of the book: frames of numbers turned into frames that read well, for ``style.table`` to show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import gmean, spearmanr
from statsmodels.stats.proportion import proportion_confint

from weightspace import data, experiments
from weightspace.analysis import frames
from weightspace.campaigns import records
from weightspace.claims import verdicts
from weightspace.display.style import interval, method_label, verdict_badge
from weightspace.display.tables.columns import (
    DATA,
    INTERVAL,
    METHOD,
    P_HOLM,
    between,
    mean_of,
    means,
    named,
    plus_minus,
    shown,
    spread,
    strong,
)
from weightspace.measures.statistics import mean_interval
from weightspace.names import dataset_label, in_order, listed

_SETTING = {"data": DATA, "layers": "layers", "n train": "train_size"}
_COMPARED = {"method": METHOD, "baseline": named("baseline", method_label)}
_TEST = {"95 % interval": INTERVAL, "p (Holm)": P_HOLM}


def _labelled(wide: pd.DataFrame) -> pd.DataFrame:
    """A table that was spread out, with the names that readers know in its cells and headings."""
    labels = {"dataset": dataset_label, "method": method_label}
    wide = wide.assign(**{name: wide[name].map(label) for name, label in labels.items() if name in wide})
    headings = {"dataset": "data", "train_size": "n train", "test_inputs": "inputs"}
    return wide.rename(columns=method_label).rename(columns=headings)


def comparison(table: pd.DataFrame) -> pd.DataFrame:
    """Ours beside reported, from ``frames.against_reported``, one row per reported value."""
    columns = _SETTING | {
        "method": METHOD,
        "inputs": "test_inputs",
        "turn": "turn",
        "reported": "reported",
        "ours, mean": "mean",
        "95 % of the mean": between(decimals=1),
        "95 % of one run": between("run_low", "run_high", 1),
        "reported is": named("inside", lambda inside: "inside" if inside else strong("outside")),
    }
    return shown(table, columns)


def comparison_overview(table: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, one column per method: reported, our mean, and where one run of ours falls, at the end."""
    table = table[table["turn"] == table["turn"].max()]
    cells = [
        (f"{row.reported:.1f}" if row.inside else strong(f"{row.reported:.1f}\u00a0outside"))
        + f"<br><small>{row.mean:.1f} ({interval(row.run_low, row.run_high, 1)})</small>"
        for row in table.itertuples()
    ]
    return _labelled(spread(table.assign(cell=cells), [*frames.CONFIGURATION, "test_inputs"], "method"))


def tests(table: pd.DataFrame) -> pd.DataFrame:
    """Paired comparisons, from ``frames.paired_tests``, with the outcome under the rule of the claims."""
    columns = _COMPARED | _SETTING | {"ratio": "ratio"} | _TEST
    return shown(table, columns | {"effect size d": "effect_size", "outcome": verdicts.outcomes})


def contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """The gain in one setting against that in another, from ``dual_weights.gain_contrasts``."""
    setting = {heading: source for heading, source in _SETTING.items() if heading == "data" or heading in table}
    return shown(table, _COMPARED | setting | {"ratio of the gains": "ratio"} | _TEST)


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """How many comparisons each method wins, ties and loses against each baseline, and the overall ratio."""
    rows = []
    for names, group in table.groupby(["method", "baseline"], sort=False):
        ratios = group["ratio"]
        rows.append((*map(method_label, names), *verdicts.counts(group), gmean(ratios), ratios.min(), ratios.max()))
    columns = ["method", "baseline", "wins", "ties", "losses", "error ratio, geometric mean", "smallest", "largest"]
    return pd.DataFrame(rows, columns=columns)


def _clean_and_noisy(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Values after the last turn without and with noise on the inputs, by configuration, method and seed."""
    keys = [*frames.CONFIGURATION, "method", "seed"]
    clean, noisy = (frames.last_turn(frame, kind).set_index(keys)["value"] for kind in ("clean", "noisy"))
    return clean, noisy


def noise_factors(frame: pd.DataFrame) -> pd.DataFrame:
    """By what factor noise raises the error of each method: geometric mean over settings, 95 % interval over seeds."""
    clean, noisy = _clean_and_noisy(frame)
    logs = np.log(noisy / clean).groupby(["method", "seed"], sort=False).mean().reset_index(name="value")
    factors = frames.summarize(logs, ["method"]).set_index("method")[["mean", "low", "high"]].pipe(np.exp)
    columns = {"method": METHOD, "error with noise / without": "mean", "95 % interval": INTERVAL}
    return shown(factors.reset_index(), columns)


def noise_losses(frame: pd.DataFrame) -> pd.DataFrame:
    """How many points of accuracy noise costs: a row per method, a column per data set, ± half the 95 % interval."""
    clean, noisy = _clean_and_noisy(frame)
    losses = (clean - noisy).groupby(["method", "dataset", "seed"], sort=False).mean().reset_index(name="value")
    return _labelled(means(losses, ["method"], "dataset")).rename(columns=dataset_label)


def inside_by_cell(table: pd.DataFrame) -> pd.DataFrame:
    """How many reported values lie inside the interval of one run of ours: a row per method, a column per setting."""
    if table.empty:
        return pd.DataFrame({"method": []})
    setting = table["dataset"].map(dataset_label) + ", " + table["layers"].astype(str) + " layers"
    counts = table.assign(setting=setting).groupby(["method", "setting"], sort=False)["inside"]
    cells = counts.sum().astype(str) + " of " + counts.count().astype(str)
    return _labelled(cells.unstack().rename_axis(columns=None).reset_index())


def metrics_by_method(frame: pd.DataFrame, metrics: Mapping[str, str]) -> pd.DataFrame:
    """A row per method, a column per metric (name in the records -> heading): mean ± half the 95 % interval."""
    wide = _labelled(means(frame[frame["metric"].isin(metrics)], ["method"], "metric", 2))
    return wide[["method", *metrics]].rename(columns=metrics)


def sizes_with(gains: pd.DataFrame, method: str, outcome: str) -> str:
    """In words: the training sizes of each data set at which a method has an outcome by the rule of the claims."""
    own = frames.select(gains, method=method)
    own = own.assign(outcome=verdicts.outcomes(own))
    parts = []
    for dataset in in_order(own["dataset"].unique()):
        found = frames.select(own, dataset=dataset, outcome=outcome)["train_size"]
        parts.append(f"{dataset_label(dataset)}: " + (", ".join(f"{size:,}" for size in found) or "none"))
    return "; ".join(parts)


def by_ratio(frame: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """Balanced accuracy and recalls at one imbalance ratio: a row per data set and method."""
    names = {
        "balanced_accuracy_percent": "balanced accuracy",
        "minority_recall_percent": "recall, rare",
        "majority_recall_percent": "recall, frequent",
    }
    wide = means(frames.select(frame, imbalance_ratio=ratio), ["dataset", "method"], "metric")
    return _labelled(wide).rename(columns=names)


def _published_first(frame: pd.DataFrame) -> Any:
    return frame.sort_values("inputs", kind="stable").groupby(["inputs", "method"], sort=False)


def accuracy_by_inputs(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Accuracy after the last update, as published and with centred inputs: a row per method."""
    last = accuracy[accuracy["updates"] == accuracy["updates"].max()].sort_values("inputs", kind="stable")
    headings = {name: f"{name} (%)" for name in last["inputs"].unique()}
    return _labelled(means(last, ["method"], "inputs")).rename(columns=headings)


def falls(frame: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """How often and how far accuracy falls, from ``instability_facts.drawdowns``: a row per inputs and method."""
    rows = []
    for (inputs, method), group in _published_first(frame):
        mean, low, high = mean_interval(group["fall"])
        row = {"inputs": inputs, "method": method_label(method), "largest fall, mean (points)": mean}
        row["95 % interval"] = interval(low, high, 1)
        for threshold in thresholds:
            number = int((group["fall"] >= threshold).sum())
            least, most = proportion_confint(number, len(group), method="wilson")
            row[f"runs that fall {threshold:g} points or more"] = (
                f"{number} of {len(group)} <small>({interval(100 * least, 100 * most, 0)} %)</small>"
            )
        rows.append(row | {"below the best at the end (points)": group["below_best"].mean()})
    return pd.DataFrame(rows)


def fluctuation(frame: pd.DataFrame) -> pd.DataFrame:
    """Restlessness and step gain per method, from ``instability_facts.fluctuations``, with their rank correlation."""
    rows = [
        {
            "inputs": inputs,
            "method": method_label(method),
            "change between checkpoints (points)": mean_of(group["change"], 2),
            "step gain": mean_of(group["step_gain"], 2),
            "rank correlation over seeds": within_correlation(frame, inputs, method),
        }
        for (inputs, method), group in _published_first(frame)
    ]
    return pd.DataFrame(rows)


def within_correlation(frame: pd.DataFrame, inputs: str, method: str) -> float:
    """Spearman's correlation of restlessness and step gain over the seeds of one method."""
    own = frames.select(frame, inputs=inputs, method=method)
    return float(spearmanr(own["change"], own["step_gain"]).statistic)


def tuned(frame: pd.DataFrame, best: str = "min") -> pd.DataFrame:
    """Mean value and interval per setting (rows) and method (columns); the best mean of a row stands out."""
    summary = frames.summarize(frame, [*frames.CONFIGURATION, "method"])
    leading = summary["mean"] == summary.groupby(frames.CONFIGURATION)["mean"].transform(best)
    cells = [
        strong(plus_minus(row.mean, row.low, row.high, 1), first) for row, first in zip(summary.itertuples(), leading)
    ]
    return _labelled(spread(summary.assign(cell=cells), frames.CONFIGURATION, "method"))


def span(values: Sequence[float]) -> str:
    """The ends of a grid in words, such as "0.001 to 0.1"."""
    return f"{min(values):g} to {max(values):g}"


def tally(table: pd.DataFrame, method: str, *baselines: str) -> str:
    """In words, such as "9 wins, 2 ties, 1 loss": one method, from ``frames.paired_tests``.

    baselines: those that count; all if none is named.
    """
    own = frames.select(table, method=method)
    own = own[own["baseline"].isin(baselines or set(own["baseline"]))]
    words = (("win", "wins"), ("tie", "ties"), ("loss", "losses"))
    return ", ".join(f"{n} {one if n == 1 else many}" for n, (one, many) in zip(verdicts.counts(own), words))


def lost_settings(table: pd.DataFrame, method: str, baseline: str) -> str:
    """The settings in which a method loses to a baseline by the rule, with the error ratio; "none" if it never does."""
    own = frames.select(table, method=method, baseline=baseline)
    lost = own[[found == "loss" for found in verdicts.outcomes(own)]]
    names = [
        f"{dataset_label(row.dataset)}, {row.layers} layers, n = {row.train_size} (error ratio {row.ratio:.2f})"
        for row in lost.itertuples()
    ]
    return "; ".join(names) or "none"


def _in_words(choice: Any) -> str:
    """A chosen candidate, from a row of the records of tuning."""
    words = f"{choice.chosen.replace('_', ' ')}, learning rate {choice.chosen_lr:g}"
    if choice.chosen == "sam":
        return f"{words}, radius {choice.chosen_third:g}"
    if choice.method != "tuned_early_stopping":
        return words
    if hasattr(choice, "chosen_updates"):
        return f"{words}, {choice.chosen_updates:,} updates"
    return f"{words}, {100 * choice.chosen_third:.0f} % of the updates"


def chosen(frame: pd.DataFrame) -> pd.DataFrame:
    """What tuning chose: the most frequent candidate per tuned method and training size, and how often."""
    tuned_only = frame[frame["method"].str.startswith("tuned_")].drop_duplicates(["run_key", "method"])
    rows = []
    for (method, train_size), group in tuned_only.groupby(["method", "train_size"], sort=False):
        top = pd.Series([_in_words(choice) for choice in group.itertuples()]).value_counts()
        rows.append((method_label(method), train_size, top.index[0], 100 * top.iloc[0] / len(group)))
    return pd.DataFrame(rows, columns=["method", "n train", "most frequent choice", "fraction of choices (%)"])


def judged(items: Iterable[verdicts.Claim]) -> pd.DataFrame:
    """A row per claim and finding: claim (id), statement, source, spread, scales, and the fields of the finding.

    A claim without findings has one row, with the verdict ``open``.
    """
    load = lru_cache(2)(experiments.load)  # claims on the same records come one after the other
    nothing = verdicts.Finding("", np.nan, np.nan, np.nan, 0, 0, 0, 0, "open")
    return pd.DataFrame(
        [
            {name: getattr(claim, name) for name in ("statement", "source", "spread")}
            | {"claim": claim.id, "scales": claim.scales()}
            | vars(finding)
            for claim in items
            for finding in claim.findings(load) or [nothing]
        ]
    )


def findings(items: Iterable[verdicts.Claim]) -> pd.DataFrame:
    """The verdicts on some claims: see ``verdict_rows``."""
    return verdict_rows(judged(items))


def verdict_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Of ``judged``: effect, interval or range, comparisons won, tied and lost, smallest detectable effect, verdict.

    A verdict that does not rest on the scale of the paper alone says so.
    """
    rows = []
    for row in table.itertuples():
        reduced = sorted(set(row.scales.values()) - {"paper"})
        scale = f"<br><small>at scale {' and '.join(reduced)}</small>" if reduced else ""
        known = row.verdict != "open"
        around = ("range " if row.spread == "range" else "") + interval(row.low, row.high)
        # A finding without any judged comparison has no effect, one with a single one has no range.
        shown = known and math.isfinite(row.mean)
        rows.append(
            {
                "claim": f"<strong>{row.claim}</strong> {row.statement} <em>({row.source})</em>",
                "method": method_label(row.method),
                "verdict": verdict_badge(row.verdict) + (scale if known else ""),
                "effect": f"{row.mean:.2f}" if shown else "",
                "95 % interval or range": around if shown and row.low != row.high else "",
                "wins / ties / losses": f"{row.wins}\u00a0/\u00a0{row.ties}\u00a0/\u00a0{row.losses}" if known else "",
                "detectable": f"{row.detectable:.2f}" if math.isfinite(row.detectable) else "",
                "n": str(row.n_seeds) if known else "",
            }
        )
    shown = pd.DataFrame(rows)
    return shown if shown["detectable"].any() else shown.drop(columns="detectable")


_VERDICTS = ("supported", "mixed", "not supported", "undecided", "described", "open")


def verdict_words(judged_claims: pd.DataFrame, claim: str, beginning: str = "", unit: str = "") -> str:
    """The verdicts on a claim, to follow "is" in a sentence, so that the sentence says what the table says.

    Such as "supported (as they are) and undecided (equal test accuracy)", or with the unit "metrics" "supported for raw
    and folded metrics and undecided for scale-free ones". judged_claims: from ``judged``. beginning: that of the
    findings that count, left out of their names.
    """
    own = frames.select(judged_claims, claim=claim)
    if set(own["verdict"]) == {"open"}:
        return "open"
    own = own[own["method"].str.startswith(beginning)]
    names = own["method"].str.removeprefix(beginning)
    by_verdict = {verdict: list(names[own["verdict"] == verdict]) for verdict in _VERDICTS}
    found = {verdict: alike for verdict, alike in by_verdict.items() if alike}
    if len(found) == 1:
        (verdict,) = found
        return f"{verdict} for all sets of {unit}" if unit else verdict
    if not unit:
        between = "; " if names.str.contains(",").any() else ", "
        return listed([f"{verdict} ({between.join(alike)})" for verdict, alike in found.items()])
    units = [unit, *["ones"] * len(found)]
    return listed([f"{verdict} for {listed(alike)} {what}" for (verdict, alike), what in zip(found.items(), units)])


def not_reproduced(judged_claims: pd.DataFrame, released: pd.DataFrame) -> pd.DataFrame:
    """Every group of reported values of which some could not be reproduced, and how many.

    judged_claims: from ``judged``; the claims B5a and B5b count, for each method, the values inside and outside the
    interval of one run of ours. released: from ``spectral_shifts.against_reported``.
    """
    tasks = {"B5a": "paper B, regression", "B5b": "paper B, classification"}
    rows = [
        {
            "reported values": f"{tasks[row.claim]}, {method_label(row.method)}",
            "not reproduced": f"{row.losses} of {row.wins + row.losses}",
            "in what way": "outside the 95 % prediction interval of one run of ours",
            "verdict": verdict_badge(row.verdict),
        }
        for row in judged_claims.itertuples()
        if row.claim in tasks and row.losses
    ]
    other = released[~released["agrees"]]
    pairs = [
        f"{row.statistic}, {row.metric}, {row.model}, {row.a} and {row.b}: reported {row.value}, ours {row.ours}"
        for row in other.itertuples()
    ]
    if pairs:
        rows.append(
            {
                "reported values": "paper A, the released tables",
                "not reproduced": f"{len(other)} of {len(released)}",
                "in what way": "another last digit. " + "; ".join(pairs),
                "verdict": "",
            }
        )
    return pd.DataFrame(rows)


def status() -> pd.DataFrame:
    """What is on record: one row per experiment at the scale that the book shows."""
    return pd.DataFrame(
        [
            {
                "experiment": f"{row['experiment']}<br><small>{experiments.get(str(row['experiment'])).title}</small>",
                "scale": row["scale"],
                "runs on record": f"{row['on_record']:,} of {row['planned']:,}",
                "seeds": row["seeds"],
                "device": "; ".join(row["devices"]),
                "computing time (s)": f"{row['compute_seconds']:.0f}",
                "last written (UTC)": (row["last_written"] or "")[:16].replace("T", " "),
                "problem": row["problem"],
            }
            for row in _committed()
        ]
    )


def on_record() -> dict[str, int | float]:
    """How many experiments there are, how many are whole on record, and the hours of computing in all records."""
    rows = _committed()
    return {
        "experiments": len(rows),
        "whole": sum(row["on_record"] == row["planned"] for row in rows),
        "hours": sum(row["compute_seconds"] for row in rows) / 3600,
    }


def _committed() -> list[dict[str, Any]]:
    """The status of each experiment at the scale that the book shows."""
    return [row for row in experiments.status() if row["scale"] == experiments.committed_scale(str(row["experiment"]))]


def data_sets() -> pd.DataFrame:
    """The data sets of the registry and which files the records used: canonical or a known rebuild, and the digest."""
    used: dict[str, set[str]] = {}
    for name in experiments.registry():
        scale = experiments.committed_scale(name)
        if records.exists(name, scale):
            frame = records.everything(name, scale)
            if "dataset" not in frame:  # an experiment without data
                continue
            for row in frame[["dataset", "data_variant", "data_digest"]].drop_duplicates().itertuples():
                used.setdefault(row.dataset, set()).add(f"{row.data_variant}, sha256 {row.data_digest[:12]}…")
    return pd.DataFrame(
        [
            {
                "data set": dataset_label(name),
                "task": entry.task,
                "rows": f"{entry.rows:,}",
                "files used by the records": "; ".join(sorted(used.get(name, {"none yet"}))),
            }
            for name, entry in data.REGISTRY.items()
        ]
    )
