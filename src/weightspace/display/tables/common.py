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
from weightspace.display.style import interval, method_label, p_value, verdict_badge
from weightspace.measures.statistics import mean_interval
from weightspace.names import dataset_label, in_order

_SETTING = {"dataset": "data", "layers": "layers", "train_size": "n train", "method": "method"}


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    labels = {"dataset": dataset_label, "method": method_label}
    frame = frame.assign(**{name: frame[name].map(label) for name, label in labels.items() if name in frame})
    return frame.rename(columns=_SETTING)


def _method_labels(frame: pd.DataFrame) -> dict[str, str]:
    return {name: method_label(name) for name in frame["method"].unique()}


def plus_minus(mean: float, low: float, high: float, decimals: int) -> str:
    """The mean ± half its interval."""
    return f"{mean:.{decimals}f}\u00a0±\u00a0{(high - low) / 2:.{decimals}f}"


def cells(summary: pd.DataFrame, decimals: int) -> list[str]:
    """The mean ± half its interval for every row of ``frames.summarize``."""
    return [plus_minus(row.mean, row.low, row.high, decimals) for row in summary.itertuples(index=False)]


def spread(table: pd.DataFrame, rows: Sequence[str], columns: str) -> pd.DataFrame:
    """The column ``cell`` spread out: a row per combination of ``rows``, a column per value of ``columns``."""
    wide = table.pivot_table(index=list(rows), columns=columns, values="cell", aggfunc="first", sort=False)
    return wide.rename_axis(columns=None).reset_index()


def _means(summary: pd.DataFrame, rows: Sequence[str], columns: str, decimals: int) -> pd.DataFrame:
    """The same as cells of a table, with the names of data sets and methods that readers know."""
    return _labelled(spread(summary.assign(cell=cells(summary, decimals)), rows, columns))


def comparison(table: pd.DataFrame) -> pd.DataFrame:
    """Ours beside reported, from ``frames.against_reported``, one row per reported value."""
    shown = _labelled(table)
    marks = ["inside" if inside else "<strong>outside</strong>" for inside in table["inside"]]
    return pd.DataFrame(
        {name: shown[name] for name in _SETTING.values()}
        | {
            "inputs": shown["test_inputs"],
            "turn": shown["turn"],
            "reported": shown["reported"],
            "ours, mean": shown["mean"],
            "95 % of the mean": [interval(a, b, 1) for a, b in zip(table["low"], table["high"])],
            "95 % of one run": [interval(a, b, 1) for a, b in zip(table["run_low"], table["run_high"])],
            "reported is": marks,
        }
    )


def comparison_overview(table: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, one column per method: reported, our mean, and where one run of ours falls."""
    marked = [
        f"{row.reported:.1f}" if row.inside else f"<strong>{row.reported:.1f}\u00a0outside</strong>"
        for row in table.itertuples()
    ]
    ours = [f"{row.mean:.1f} ({interval(row.run_low, row.run_high, 1)})" for row in table.itertuples()]
    shown = table.assign(cell=[f"{theirs}<br><small>{own}</small>" for theirs, own in zip(marked, ours)])
    wide = spread(shown, [*frames.CONFIGURATION, "test_inputs"], "method")
    return _labelled(wide).rename(columns={"test_inputs": "inputs"} | _method_labels(table))


def tests(table: pd.DataFrame) -> pd.DataFrame:
    """Paired comparisons, from ``frames.paired_tests``, with the outcome under the rule of the claims."""
    shown = _labelled(table)
    return pd.DataFrame(
        {"method": shown["method"], "baseline": table["baseline"].map(method_label)}
        | {name: shown[name] for name in ("data", "layers", "n train")}
        | {
            "ratio": table["ratio"],
            "95 % interval": [interval(a, b, 2) for a, b in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(p_value),
            "effect size d": table["effect_size"],
            "outcome": verdicts.outcomes(table),
        }
    )


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """How many comparisons each method wins, ties and loses against each baseline, and the overall ratio."""
    table = table.assign(outcome=verdicts.outcomes(table))
    rows = []
    for (method, baseline), group in table.groupby(["method", "baseline"], sort=False):
        counts = group["outcome"].value_counts()
        rows.append(
            {
                "method": method_label(str(method)),
                "baseline": method_label(str(baseline)),
                "wins": int(counts.get("win", 0)),
                "ties": int(counts.get("tie", 0)),
                "losses": int(counts.get("loss", 0)),
                "error ratio, geometric mean": float(gmean(group["ratio"])),
                "smallest": group["ratio"].min(),
                "largest": group["ratio"].max(),
            }
        )
    return pd.DataFrame(rows)


def _clean_and_noisy(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Values after the last turn without and with noise on the inputs, by configuration, method and seed."""
    keys = [*frames.CONFIGURATION, "method", "seed"]
    clean, noisy = (frames.last_turn(frame, kind).set_index(keys)["value"] for kind in ("clean", "noisy"))
    return clean, noisy


def noise_factors(frame: pd.DataFrame) -> pd.DataFrame:
    """By what factor noise raises the error of each method: geometric mean over settings, 95 % interval over seeds."""
    clean, noisy = _clean_and_noisy(frame)
    logs = np.log(noisy / clean).groupby(["method", "seed"], sort=False).mean()
    rows = []
    for method, values in logs.groupby("method", sort=False):
        mean, low, high = np.exp(mean_interval(values))
        rows.append(
            {
                "method": method_label(str(method)),
                "error with noise / without": mean,
                "95 % interval": interval(low, high, 2),
            }
        )
    return pd.DataFrame(rows)


def noise_losses(frame: pd.DataFrame) -> pd.DataFrame:
    """How many points of accuracy noise costs: a row per method, a column per data set, ± half the 95 % interval."""
    clean, noisy = _clean_and_noisy(frame)
    losses = (clean - noisy).groupby(["method", "dataset", "seed"], sort=False).mean().reset_index(name="value")
    summary = frames.summarize(losses, ["method", "dataset"])
    return _means(summary, ["method"], "dataset", 1).rename(columns=dataset_label)


def inside_by_cell(table: pd.DataFrame) -> pd.DataFrame:
    """How many reported values lie inside the interval of one run of ours: a row per method, a column per setting."""
    if table.empty:
        return pd.DataFrame({"method": []})
    counts = table.assign(
        setting=[f"{dataset_label(row.dataset)}, {row.layers} layers" for row in table.itertuples()]
    ).groupby(["method", "setting"], sort=False)["inside"]
    shown = counts.sum().astype(str) + " of " + counts.count().astype(str)
    wide = shown.unstack().rename_axis(columns=None).reset_index()
    return wide.assign(method=wide["method"].map(method_label))


def metrics_by_method(frame: pd.DataFrame, metrics: Mapping[str, str]) -> pd.DataFrame:
    """A row per method, a column per metric (name in the records -> heading): mean ± half the 95 % interval."""
    rows = []
    for method, own in frame.groupby("method", sort=False):
        row = {"method": method_label(str(method))}
        for metric, heading in metrics.items():
            values = own.loc[own["metric"] == metric, "value"]
            mean, low, high = mean_interval(values) if len(values) else (np.nan,) * 3
            row[heading] = plus_minus(mean, low, high, 2)
        rows.append(row)
    return pd.DataFrame(rows)


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
    summary = frames.summarize(frames.select(frame, imbalance_ratio=ratio), ["dataset", "method", "metric"])
    names = {
        "balanced_accuracy_percent": "balanced accuracy",
        "minority_recall_percent": "recall, rare",
        "majority_recall_percent": "recall, frequent",
    }
    return _means(summary, ["dataset", "method"], "metric", 1).rename(columns=names)


def _published_first(frame: pd.DataFrame):
    return frame.sort_values("inputs", kind="stable").groupby(["inputs", "method"], sort=False)


def accuracy_by_inputs(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Accuracy after the last update, as published and with centred inputs: a row per method."""
    last = accuracy[accuracy["updates"] == accuracy["updates"].max()].sort_values("inputs", kind="stable")
    summary = frames.summarize(last, ["method", "inputs"])
    headings = {name: f"{name} (%)" for name in last["inputs"].unique()}
    return _means(summary, ["method"], "inputs", 1).rename(columns=headings)


def falls(frame: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """How often and how far accuracy falls, from ``instability_facts.drawdowns``: a row per inputs and method."""
    rows = []
    for (inputs, method), group in _published_first(frame):
        mean, low, high = mean_interval(group["fall"])
        row = {"inputs": inputs, "method": method_label(str(method)), "largest fall, mean (points)": mean}
        row["95 % interval"] = interval(low, high, 1)
        for threshold in thresholds:
            number = int((group["fall"] >= threshold).sum())
            share = proportion_confint(number, len(group), method="wilson")
            row[f"runs that fall {threshold:g} points or more"] = (
                f"{number} of {len(group)} <small>({interval(100 * share[0], 100 * share[1], 0)} %)</small>"
            )
        rows.append(row | {"below the best at the end (points)": group["below_best"].mean()})
    return pd.DataFrame(rows)


def fluctuation(frame: pd.DataFrame) -> pd.DataFrame:
    """Restlessness and step gain per method, from ``instability_facts.fluctuations``, with their rank correlation."""
    rows = []
    for (inputs, method), group in _published_first(frame):
        change, gain = mean_interval(group["change"]), mean_interval(group["step_gain"])
        rows.append(
            {
                "inputs": inputs,
                "method": method_label(str(method)),
                "change between checkpoints (points)": plus_minus(*change, 2),
                "step gain": plus_minus(*gain, 2),
                "rank correlation over seeds": within_correlation(frame, str(inputs), str(method)),
            }
        )
    return pd.DataFrame(rows)


def within_correlation(frame: pd.DataFrame, inputs: str, method: str) -> float:
    """Spearman's correlation of restlessness and step gain over the seeds of one method."""
    own = frames.select(frame, inputs=inputs, method=method)
    return float(spearmanr(own["change"], own["step_gain"]).statistic)


def tuned(frame: pd.DataFrame, best: str = "min") -> pd.DataFrame:
    """Mean value and interval per setting (rows) and method (columns); the best mean of a row stands out."""
    summary = frames.summarize(frame, [*frames.CONFIGURATION, "method"])
    leading = summary["mean"] == summary.groupby(frames.CONFIGURATION)["mean"].transform(best)
    marked = [f"<strong>{cell}</strong>" if first else cell for cell, first in zip(cells(summary, 1), leading)]
    wide = spread(summary.assign(cell=marked), frames.CONFIGURATION, "method")
    return _labelled(wide).rename(columns=_method_labels(frame))


def contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """The gain in one setting against that in another, from ``dual_weights.gain_contrasts``."""
    shown = _labelled(table)
    return pd.DataFrame(
        {"method": shown["method"], "baseline": table["baseline"].map(method_label)}
        | {name: shown[name] for name in ("data", "layers") if name in shown}
        | {
            "ratio of the gains": table["ratio"],
            "95 % interval": [interval(a, b, 2) for a, b in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(p_value),
        }
    )


def span(values: Sequence[float]) -> str:
    """The ends of a grid in words, such as "0.001 to 0.1"."""
    return f"{min(values):g} to {max(values):g}"


def tally(table: pd.DataFrame, method: str, *baselines: str) -> str:
    """In words, such as "9 wins, 2 ties, 1 loss": one method, from ``frames.paired_tests``.

    baselines: those that count; all if none is named.
    """
    own = frames.select(table, method=method)
    own = own[own["baseline"].isin(baselines or set(own["baseline"]))]
    found = verdicts.outcomes(own)
    words = (("win", "wins"), ("tie", "ties"), ("loss", "losses"))
    return ", ".join(f"{found.count(one)} {one if found.count(one) == 1 else many}" for one, many in words)


def lost_settings(table: pd.DataFrame, method: str, baseline: str) -> str:
    """The settings in which a method loses to a baseline by the rule, with the error ratio; "none" if it never does."""
    own = frames.select(table, method=method, baseline=baseline)
    lost = own[[found == "loss" for found in verdicts.outcomes(own)]]
    names = [
        f"{dataset_label(row.dataset)}, {row.layers} layers, n = {row.train_size} (error ratio {row.ratio:.2f})"
        for row in lost.itertuples()
    ]
    return "; ".join(names) or "none"


def _in_words(choice) -> str:
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
        rows.append(
            {
                "method": method_label(str(method)),
                "n train": train_size,
                "most frequent choice": top.index[0],
                "fraction of choices (%)": 100 * float(top.iloc[0]) / len(group),
            }
        )
    return pd.DataFrame(rows)


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
        return _listed([f"{verdict} ({', '.join(alike)})" for verdict, alike in found.items()])
    units = [unit, *["ones"] * len(found)]
    return _listed([f"{verdict} for {_listed(alike)} {what}" for (verdict, alike), what in zip(found.items(), units)])


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


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
    return [row for row in experiments.status() if row["scale"] == experiments.committed_scale(row["experiment"])]


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
