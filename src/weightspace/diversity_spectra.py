"""Spectral metrics of every layer of every run of ``diversity_cifar10``, computed from the eigenvalues on record.

They are records of their own because the power-law fits of all runs take minutes, and because a metric that is added
here needs no training. What a run learned stands beside them, so that runs of equal strength can be compared.
"""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from weightspace import experiments, records
from weightspace.experiments import Configuration, Experiment
from weightspace.records import run_key

PARENT = "diversity_cifar10"
METRICS = (
    "alpha",
    "entropy",
    "log_norm",
    "log_spectral_norm",
    "stable_rank",
    "effective_rank",
    "sigma_mp",
    "mp_softrank",
    "num_spikes",
)
"""Columns of ``spectral_report``; the first four are those that paper A uses."""
OUTCOMES = (("train_clean", "loss"), ("test", "accuracy_percent"))
"""Inputs and metric of the outcomes that stand beside the spectra: rows of layer 0."""
UNFOLDINGS = ("slices", "(out, in k)")


def configurations(scale: str, seeds: int) -> list[Configuration]:
    return [
        {"experiment": "diversity_spectra", "protocol": 1, "scale": scale, "run": key}
        | {name: run[name] for name in ("arm", "category", "setting", "seed")}
        for key, run in experiments.planned(PARENT, scale, seeds).items()
    ]


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    """The metrics of one run at every epoch with spectra, in both unfoldings of the convolutions.

    Layers are numbered from 1 in the order of the network; the last is ``fc``, which is the same matrix in both.
    """
    from weightspace.diversity_runs import stored_spectra  # PyTorch takes seconds to import
    from weightspace.spectra.report import report_of

    (c,) = group
    path = records.path(PARENT, c["scale"])
    run = _runs(c["scale"], path.stat().st_mtime_ns if path.exists() else 0).get(c["run"])
    if run is None:
        raise records.RecordError(
            f"run {c['run']} of {PARENT} is not on record at scale {c['scale']}: "
            f"`python -m weightspace run {PARENT} --scale {c['scale']}` computes it"
        )
    parts = []
    outcome = pd.Series(list(zip(run["inputs"], run["metric"])), run.index).isin(OUTCOMES)
    parts.append(run[outcome].assign(layer=0, name="", unfolding=""))
    for epoch, rows in run[run["unfolding"] != ""].groupby("epoch"):
        for unfolding in UNFOLDINGS:
            own = in_order(rows[(rows["unfolding"] == unfolding) | (rows["layer"] == "fc")])
            report = report_of(stored_spectra(own)).assign(epoch=epoch, unfolding=unfolding, inputs="")
            report["layer"] = range(1, len(report) + 1)
            parts.append(
                report.melt(["epoch", "inputs", "layer", "name", "unfolding"], METRICS, "metric").astype(
                    {"value": float}
                )
            )
    columns = ["epoch", "inputs", "layer", "name", "unfolding", "metric", "value"]
    frame = pd.concat([part[columns] for part in parts], ignore_index=True)
    identity = {name: [c[name]] * len(frame) for name in ("arm", "category", "setting", "seed")}
    origin = {name: run[name].iloc[0] for name in ("dataset", "data_digest", "data_variant")}
    return pd.DataFrame(identity).join(frame).assign(run_key=run_key(c), **origin)


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of layers in the order of the network: by name, the last layer ``fc`` at the end."""
    return rows.assign(last=rows["layer"] == "fc").sort_values(["last", "layer"]).drop(columns="last")


@lru_cache(maxsize=1)
def _runs(scale: str, changed: int) -> dict[str, pd.DataFrame]:
    """The runs of the campaign by key; ``changed``, the time of the file, keeps the cache from growing stale."""
    return {str(key): run for key, run in records.load(PARENT, scale).groupby("run_key")} if changed else {}


EXPERIMENTS = [
    Experiment(
        "diversity_spectra",
        "Spectral metrics along the training campaign",
        {"quick": 2, "laptop": 3, "paper": 5},
        configurations,
        ("arm", "setting", "seed"),
        compute,
    )
]
