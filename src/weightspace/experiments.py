"""What an experiment is, and how its missing runs are computed and put on record.

An experiment lists the configurations of its runs and computes groups of them; everything else (keys, resuming,
provenance, progress) is the same for all and lives here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pandas as pd
from tqdm import tqdm

from weightspace import configuration as typed
from weightspace import provenance, records

Configuration = dict[str, object] | typed.Configuration

_HOMES = tuple(
    f"weightspace.{name}"
    for name in (
        "dual_regression",
        "dual_classification",
        "dual_instability",
        "dual_neurons",
        "dual_curves",
        "dual_imbalance",
        "dual_classification_tuned",
        "dual_contrastive",
        "inference_cost",
        "scratch",
        "scratch_spectra",
        "diversity_tuning",
        "diversity_cifar10",
        "diversity_spectra",
        "diversity_hessian",
        "diversity_sets",
        "diversity_transfer",
        "diversity_batch_norm",
        "diversity_text_tuning",
        "diversity_text",
        "diversity_text_sets",
        "diversity_synthetic",
        "spectra_primer",
        "training_spectra",
        "released_measurements",
    )
)
"""Modules that define experiments, each in a list ``EXPERIMENTS``."""


@dataclass(frozen=True)
class Experiment:
    """A named set of runs.

    configurations(scale, seeds) lists the full configuration of every run, as plain JSON values.
    group_by names the keys of a configuration that runs computed together share: one group is what an interrupted
    campaign may lose. compute(group, device) returns the rows of the runs of one group, with ``run_key`` and
    the origin of its data. seeds gives the number of seeds per scale, devices what ``compute`` can use, needs_gpu the
    scales that are refused on a CPU, where they would take weeks; such an experiment has a scale ``laptop`` besides.
    """

    name: str
    title: str
    seeds: dict[str, int]
    configurations: Callable[[str, int], list[Configuration]]
    group_by: tuple[str, ...]
    compute: Callable[[list[Configuration], str], pd.DataFrame]
    devices: tuple[str, ...] = ("cpu",)
    needs_gpu: tuple[str, ...] = ()


def registry() -> dict[str, Experiment]:
    """All experiments by name."""
    return {item.name: item for home in _HOMES for item in import_module(home).EXPERIMENTS}


def get(name: str) -> Experiment:
    """The experiment called ``name``; ``ValueError`` lists the names there are."""
    known = registry()
    if name not in known:
        raise ValueError(f"unknown experiment {name!r}: use one of {', '.join(known)}")
    return known[name]


def planned(
    name: str, scale: str = "paper", seeds: int | None = None, changes: Configuration | None = None
) -> dict[str, Configuration]:
    """The runs of an experiment by key.

    changes: other values for settings that all runs share; such runs have keys of their own. ``ValueError`` for an
    unknown experiment or scale, for less than one seed, and for a change of what is not shared by all runs.
    """
    experiment = get(name)
    if scale not in experiment.seeds:
        raise ValueError(f"{name} has no scale {scale!r}: use one of {', '.join(experiment.seeds)}")
    number = experiment.seeds[scale] if seeds is None else seeds
    if number < 1:
        raise ValueError(f"seeds must be at least 1, got {number}")
    plan = experiment.configurations(scale, number)
    if isinstance(plan[0], typed.Configuration):
        return {c.run_key: c for c in (typed.with_changes(c, changes or {}) for c in plan)}
    shared = {key: value for key, value in plan[0].items() if all(c.get(key) == value for c in plan)}
    if unknown := set(changes or {}) - set(shared):
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))} that all runs share: use {', '.join(shared)}")
    return {records.run_key(c): c for c in (c | (changes or {}) for c in plan)}


def run(
    name: str,
    scale: str = "paper",
    seeds: int | None = None,
    device: str = "cpu",
    recompute: bool = False,
    progress: bool = True,
    changes: Configuration | None = None,
) -> int:
    """Compute the runs that are not on record, group by group, and return how many were written.

    changes: see ``planned``. With ``recompute`` every run is computed and takes the place of its record. Interrupting
    loses the group in flight, nothing else; the same call goes on from there.
    """
    experiment = get(name)
    if device not in experiment.devices:
        raise ValueError(f"{name} runs on {' or '.join(experiment.devices)}, not on {device!r}")
    if scale in experiment.needs_gpu and device == "cpu":
        raise ValueError(f"{name} needs a GPU at scale {scale}: run it with --device cuda, or with --scale laptop")
    device_name = provenance.device_name(device)
    plan = planned(name, scale, seeds, changes)
    done = set() if recompute else records.keys(name, scale)
    groups: dict[tuple, dict[str, Configuration]] = {}
    for key, configuration in plan.items():
        if key not in done:
            groups.setdefault(tuple(_setting(configuration, k) for k in experiment.group_by), {})[key] = configuration
    written = 0
    with tqdm(total=sum(map(len, groups.values())), desc=f"{name} ({scale})", unit="run", disable=not progress) as bar:
        for group in groups.values():
            if not recompute:  # another process may have been here meanwhile
                done = records.keys(name, scale)
                bar.update(len(group.keys() & done))
                group = {key: configuration for key, configuration in group.items() if key not in done}
            if not group:
                continue
            start = time.perf_counter()
            rows = experiment.compute(list(group.values()), device)
            rows = rows.assign(
                device=device_name,
                versions=provenance.versions(),
                seconds=(time.perf_counter() - start) / len(group),
                time=provenance.now(),
            )
            written += records.append(name, scale, rows, replace=recompute)
            bar.update(len(group))
    return written


def _setting(configuration: Configuration, name: str) -> object:
    return getattr(configuration, name) if isinstance(configuration, typed.Configuration) else configuration[name]


def ensure(
    name: str, scale: str = "paper", seeds: int | None = None, device: str = "cpu", recompute: bool = False
) -> pd.DataFrame:
    """The records of an experiment for a notebook: loaded, or computed first with ``recompute`` or at scale quick.

    Prints one line that says which. Raises ``RecordError`` where runs are missing: a chapter shows a campaign whole
    or not at all. Rows of seeds beyond ``seeds`` are left out.
    """
    missing = missing_runs(name, scale, seeds)
    if recompute or (missing and scale == "quick"):
        written = run(name, scale, seeds, device, recompute, progress=False)
        print(f"{name}: computed {written} runs at scale {scale} on {device}")
    elif missing:
        raise records.RecordError(
            f"{len(missing)} runs of {name} are not on record at scale {scale}: "
            f"`python -m weightspace run {name} --scale {scale}` computes them and goes on where it was interrupted"
        )
    frame = load(name, scale, seeds)
    if not recompute:
        runs, last = frame["run_key"].nunique(), frame["time"].max()[:10]
        print(f"{name}: {runs} runs loaded from the records, last written {last}")
    return frame


def load(name: str, scale: str = "paper", seeds: int | None = None) -> pd.DataFrame:
    """The records of the planned runs: rows of other seeds or of earlier protocols are left out."""
    plan = planned(name, scale, seeds)
    frame = records.load(name, scale)
    return frame[frame["run_key"].isin(plan)].reset_index(drop=True)


def missing_runs(name: str, scale: str = "paper", seeds: int | None = None) -> set[str]:
    """Keys of the planned runs that are not on record."""
    return planned(name, scale, seeds).keys() - records.keys(name, scale)


def committed_scale(name: str) -> str:
    """The scale at which the records of an experiment are committed, and at which the book shows it.

    That of the paper; where that has not been computed and there is a scale ``laptop``, the latter.
    """
    return "laptop" if "laptop" in get(name).seeds and missing_runs(name, "paper") else "paper"


def status() -> list[dict[str, object]]:
    """Per experiment and scale: runs planned, on record and missing, seeds, devices, seconds, last time, problem."""
    rows = []
    for name, experiment in registry().items():
        for scale in experiment.seeds:
            runs, problem = pd.DataFrame(columns=["seed", "device", "seconds", "time"]), ""
            if records.path(name, scale).exists():
                try:
                    runs = load(name, scale).drop_duplicates("run_key")
                except records.RecordError as error:
                    problem = str(error)
            total = len(planned(name, scale))
            rows.append(
                {
                    "experiment": name,
                    "scale": scale,
                    "planned": total,
                    "on_record": len(runs),
                    "missing": total - len(runs),
                    "seeds": int(runs["seed"].nunique()),
                    "devices": sorted(runs["device"].unique()),
                    "compute_seconds": float(runs["seconds"].sum()),
                    "last_written": None if runs.empty else str(runs["time"].max()),
                    "problem": problem,
                }
            )
    return rows
