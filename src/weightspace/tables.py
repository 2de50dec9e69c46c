"""The tables of the book: frames of numbers turned into frames that read well, for ``style.table`` to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from weightspace import analysis, claims, data, experiments, records
from weightspace.stats import mean_interval
from weightspace.style import dataset_label, method_label, verdict_badge

_SETTING = {"dataset": "data", "layers": "layers", "train_size": "n train", "method": "method"}


def _labelled(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(dataset=frame["dataset"].map(dataset_label), method=frame["method"].map(method_label))
    return frame.rename(columns=_SETTING)


def _interval(low: float, high: float, decimals: int) -> str:
    return f"{low:.{decimals}f}\u00a0to\u00a0{high:.{decimals}f}"


def _p_value(p: float) -> str:
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


def comparison(table: pd.DataFrame, decimals: int = 1) -> pd.DataFrame:
    """Ours beside reported, from ``analysis.against_reported``, one row per reported value."""
    shown = _labelled(table)
    marks = ["inside" if inside else "<strong>outside</strong>" for inside in table["inside"]]
    return pd.DataFrame(
        {name: shown[name] for name in _SETTING.values()}
        | {
            "inputs": shown["test_inputs"],
            "turn": shown["turn"],
            "reported": shown["reported"],
            "ours, mean": shown["mean"],
            "95 % of the mean": [_interval(a, b, decimals) for a, b in zip(table["low"], table["high"])],
            "95 % of one run": [_interval(a, b, decimals) for a, b in zip(table["run_low"], table["run_high"])],
            "reported is": marks,
        }
    )


def comparison_overview(table: pd.DataFrame, decimals: int = 1) -> pd.DataFrame:
    """One row per setting, one column per method: reported, our mean, and where one run of ours falls."""
    shown = table.assign(
        cell=[
            (
                f"<strong>{row.reported:.{decimals}f}\u00a0outside</strong>"
                if not row.inside
                else f"{row.reported:.{decimals}f}"
            )
            + f"<br><small>{row.mean:.{decimals}f} ({_interval(row.run_low, row.run_high, decimals)})</small>"
            for row in table.itertuples()
        ]
    )
    keys = [*analysis.CONFIGURATION, "test_inputs"]
    methods = list(dict.fromkeys(table["method"]))
    wide = shown.pivot_table(index=keys, columns="method", values="cell", aggfunc="first", sort=False)[
        methods
    ].reset_index()
    wide = wide.rename(columns=_SETTING | {"test_inputs": "inputs"} | {name: method_label(name) for name in methods})
    return wide.assign(data=wide["data"].map(dataset_label)).rename_axis(columns=None)


def tests(table: pd.DataFrame) -> pd.DataFrame:
    """Paired comparisons, from ``analysis.paired_tests``, with the outcome under the rule of the claims."""
    shown = _labelled(table)
    return pd.DataFrame(
        {"method": shown["method"], "baseline": table["baseline"].map(method_label)}
        | {name: shown[name] for name in ("data", "layers", "n train")}
        | {
            "ratio": table["ratio"],
            "95 % interval": [_interval(a, b, 2) for a, b in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(_p_value),
            "effect size d": table["effect_size"],
            "outcome": claims.outcomes(table),
        }
    )


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """How many comparisons each method wins, ties and loses against each baseline, and the overall ratio."""
    table = table.assign(outcome=claims.outcomes(table))
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
                "error ratio, geometric mean": float(np.exp(np.log(group["ratio"]).mean())),
                "smallest": group["ratio"].min(),
                "largest": group["ratio"].max(),
            }
        )
    return pd.DataFrame(rows)


def noise_factors(frame: pd.DataFrame) -> pd.DataFrame:
    """By what factor noise raises the error of each method: geometric mean over settings, 95 % interval over seeds."""
    keys = [*analysis.CONFIGURATION, "method", "seed"]
    clean, noisy = (analysis.last_turn(frame, kind).set_index(keys)["value"] for kind in ("clean", "noisy"))
    logs = np.log(noisy / clean).groupby(["method", "seed"], sort=False).mean()
    rows = []
    for method, values in logs.groupby("method", sort=False):
        mean, low, high = np.exp(mean_interval(values))
        rows.append(
            {
                "method": method_label(str(method)),
                "error with noise / without": mean,
                "95 % interval": _interval(low, high, 2),
            }
        )
    return pd.DataFrame(rows)


def tuned(frame: pd.DataFrame, decimals: int = 1) -> pd.DataFrame:
    """Mean error and interval per setting (rows) and method (columns); the lowest mean of a row stands out."""
    summary = analysis.summarize(frame, [*analysis.CONFIGURATION, "method"])
    best = summary.groupby(analysis.CONFIGURATION)["mean"].transform("min")
    summary["cell"] = [
        f"<strong>{mean:.{decimals}f}</strong>\u00a0±\u00a0{half:.{decimals}f}"
        if mean == lowest
        else f"{mean:.{decimals}f}\u00a0±\u00a0{half:.{decimals}f}"
        for mean, half, lowest in zip(summary["mean"], (summary["high"] - summary["low"]) / 2, best)
    ]
    names = {name: method_label(name) for name in frame["method"].unique()}
    wide = summary.pivot(index=analysis.CONFIGURATION, columns="method", values="cell")[list(names)].rename(
        columns=names
    )
    wide = wide.reset_index().rename(columns=_SETTING).rename_axis(columns=None)
    return wide.assign(data=wide["data"].map(dataset_label))


def contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """Gain at few samples against gain at many, from ``claims.sparsity_contrasts``."""
    return pd.DataFrame(
        {
            "method": table["method"].map(method_label),
            "baseline": table["baseline"].map(method_label),
            "data": table["dataset"].map(dataset_label),
            "layers": table["layers"],
            "ratio of the gains": table["ratio"],
            "95 % interval": [_interval(a, b, 2) for a, b in zip(table["low"], table["high"])],
            "p (Holm)": table["p_holm"].map(_p_value),
        }
    )


def span(values: Sequence[float]) -> str:
    """The ends of a grid in words, such as "0.001 to 0.1"."""
    return f"{min(values):g} to {max(values):g}"


def tally(table: pd.DataFrame, method: str, baseline: str) -> str:
    """In words, such as "9 wins, 2 ties, 1 loss": one method against one baseline, from ``analysis.paired_tests``."""
    own = analysis.select(table, method=method, baseline=baseline)
    found = claims.outcomes(own)
    words = (("win", "wins"), ("tie", "ties"), ("loss", "losses"))
    return ", ".join(f"{found.count(one)} {one if found.count(one) == 1 else many}" for one, many in words)


def lost_settings(table: pd.DataFrame, method: str, baseline: str) -> str:
    """The settings in which a method loses to a baseline by the rule, with the error ratio; "none" if it never does."""
    own = analysis.select(table, method=method, baseline=baseline)
    lost = own[[found == "loss" for found in claims.outcomes(own)]]
    names = [
        f"{dataset_label(row.dataset)}, {row.layers} layers, n = {row.train_size} (error ratio {row.ratio:.2f})"
        for row in lost.itertuples()
    ]
    return "; ".join(names) or "none"


def chosen(frame: pd.DataFrame) -> pd.DataFrame:
    """What tuning chose: the most frequent candidate per tuned method and training size, and how often."""
    frame = frame[frame["method"].str.startswith("tuned_")]
    rows = []
    for (method, train_size), group in frame.groupby(["method", "train_size"], sort=False):
        if method == "tuned_early_stopping":
            choices = group["chosen_updates"].map("stop after {:,} updates".format)
        elif group["chosen"].isin(["gradient_descent", *claims.DUAL]).all():  # only the learning rate was tuned
            choices = group["chosen_lr"].map("learning rate {:g}".format)
        else:
            choices = group["chosen"]
        top = choices.value_counts()
        rows.append(
            {
                "method": method_label(str(method)),
                "n train": train_size,
                "most frequent choice": top.index[0].replace("_", " "),
                "share of choices (%)": 100 * float(top.iloc[0]) / len(choices),
            }
        )
    return pd.DataFrame(rows)


def findings(items: Iterable[claims.Claim]) -> pd.DataFrame:
    """One row per claim and method: effect, interval, comparisons won, tied and lost, verdict (paper scale only)."""
    rows = []
    for claim in items:
        base = {"claim": f"<strong>{claim.id}</strong> {claim.statement} <em>({claim.source})</em>"}
        results = claim.findings()
        for finding in results:
            interval = "" if finding.low == finding.high else _interval(finding.low, finding.high, 2)
            rows.append(
                base
                | {
                    "method": method_label(finding.method),
                    "effect": f"{finding.mean:.2f}",
                    "95 % interval": interval,
                    "wins / ties / losses": f"{finding.wins}\u00a0/\u00a0{finding.ties}\u00a0/\u00a0{finding.losses}",
                    "n": str(finding.n_seeds),
                    "verdict": verdict_badge(finding.verdict),
                }
            )
        if not results:
            rows.append(
                base
                | {
                    "method": "",
                    "effect": "",
                    "95 % interval": "",
                    "wins / ties / losses": "",
                    "n": "",
                    "verdict": verdict_badge("open"),
                }
            )
    return pd.DataFrame(rows)


def measures(items: Iterable[claims.Claim]) -> pd.DataFrame:
    """How each claim is measured."""
    return pd.DataFrame([{"claim": f"<strong>{claim.id}</strong>", "measure": claim.measure} for claim in items])


def status() -> pd.DataFrame:
    """What is on record: one row per experiment at the scale of the paper."""
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
            for row in experiments.status()
            if row["scale"] == "paper"  # the quick scale is no result
        ]
    )


def data_sets() -> pd.DataFrame:
    """The data sets of the registry and which files the records used: canonical or a known rebuild, and the digest."""
    used: dict[str, set[str]] = {}
    for name in experiments.registry():
        if records.path(name).exists():
            frame = records.load(name)
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
