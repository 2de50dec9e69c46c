"""What an experiment is, and how its missing runs are computed and put on record.

An experiment lists the configurations of its runs and computes groups of them; everything else (keys, resuming,
provenance, progress) is the same for all and lives here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

import pandas as pd
from tqdm import tqdm

from weightspace import devices, executors, provenance, records
from weightspace.configuration import Configuration, Settings, with_changes

MAX_RUNS = 200_000
"""More runs than this are taken for a mistake and not even planned."""

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
        "scratch_controls",
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

    configurations(scale, seeds) lists the full configuration of every run. An experiment that is computed from the
    records of another one has that as its parent, and configurations(those of the parent, scale).
    group_by names the settings that runs computed together share: one group is what an interrupted campaign may lose.
    compute(group, device) returns the rows of the runs of one group, with ``run_key`` and the origin of its data. It
    reads nothing but the configurations. seeds gives the number of seeds per scale, devices what ``compute`` can use,
    needs_gpu the scales that are refused on a CPU, where they would take weeks; such an experiment has a scale
    ``laptop`` besides. With seeds_together a group has no more seeds than this, so that several workers have work.
    """

    name: str
    title: str
    seeds: dict[str, int]
    configurations: Callable[..., Sequence[Configuration]]
    group_by: tuple[str, ...]
    compute: Callable[[list[Configuration], str], pd.DataFrame]
    devices: tuple[str, ...] = ("cpu",)
    needs_gpu: tuple[str, ...] = ()
    parent: str | None = None
    seeds_together: int | None = None


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
    name: str, scale: str = "paper", seeds: int | None = None, changes: Settings | None = None
) -> dict[str, Configuration]:
    """The runs of an experiment by key.

    changes: other values for settings that all runs share, or all runs of the experiment from whose records this one
    is computed; such runs have keys of their own. ``ValueError`` for an unknown experiment or scale, for a number of
    seeds that makes no sense, for a change of what is not shared by all runs, and for a value that is not allowed.
    """
    return {c.run_key: c for c in plan_of(name, scale, seeds, changes)[0]}


def plan_of(
    name: str, scale: str = "paper", seeds: int | None = None, changes: Settings | None = None
) -> tuple[list[Configuration], Settings]:
    """The configurations of ``planned``, and what of the changes is not as planned anyway. Raises the same."""
    experiment = get(name)
    number = _number_of_seeds(experiment, scale, seeds)
    changes = dict(changes or {})
    passed: Settings = {}
    if experiment.parent is None:
        plan = list(_listed(experiment.configurations, scale, number))
    else:
        taken = changes.keys() & _can_be_changed(experiment.parent, scale, number) if changes else set()
        parents, passed = plan_of(experiment.parent, scale, number, {key: changes.pop(key) for key in sorted(taken)})
        plan = list(_listed(experiment.configurations, tuple(parents), scale))
    if not changes:
        return plan, passed
    allowed = _shared(plan)
    if unknown := sorted(changes.keys() - allowed.keys()):
        if experiment.parent:
            allowed |= _can_be_changed(experiment.parent, scale, number)
        raise ValueError(f"{name} has no {', '.join(unknown)} that all runs share: use {', '.join(allowed)}")
    try:
        own = [with_changes(configuration, changes) for configuration in plan]
    except ValueError as error:
        raise ValueError(f"{name}, {len(plan):,} runs: {error}") from error
    found = own[0].values()
    return own, passed | {key: found[key] for key in changes if found[key] != allowed[key]}


@lru_cache(maxsize=64)
def _listed(configurations: Callable[..., Sequence[Configuration]], *of: Any) -> tuple[Configuration, ...]:
    """What an experiment lists. A chapter asks many times, and to check thousands of configurations takes seconds."""
    return tuple(configurations(*of))


def _number_of_seeds(experiment: Experiment, scale: str, seeds: int | None) -> int:
    name = experiment.name
    if scale not in experiment.seeds:
        raise ValueError(f"{name} has no scale {scale!r}: use one of {', '.join(experiment.seeds)}")
    usual = experiment.seeds[scale]
    if seeds is None:
        return usual
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    if seeds > usual:
        runs = seeds * len(plan_of(name, scale, 1)[0])
        if runs > MAX_RUNS:
            raise ValueError(f"{seeds:,} seeds of {name} would be {runs:,} runs, more than {MAX_RUNS:,}: use fewer")
    return seeds


def _shared(plan: Sequence[Configuration]) -> Settings:
    """The settings that all runs share, but for what names them."""
    first, *others = (c.values() for c in plan)
    shared = {key: value for key, value in first.items() if key not in ("experiment", "protocol")}
    return {key: value for key, value in shared.items() if all(c.get(key) == value for c in others)}


def _can_be_changed(name: str, scale: str, seeds: int) -> Settings:
    """The settings that ``planned`` can change of an experiment, with their values."""
    own = _shared(plan_of(name, scale, seeds)[0])
    parent = get(name).parent
    return own if parent is None else own | _can_be_changed(parent, scale, seeds)


def run(
    name: str,
    scale: str = "paper",
    seeds: int | None = None,
    device: devices.Devices = "cpu",
    recompute: bool = False,
    progress: bool = True,
    changes: Settings | None = None,
    executor: executors.Executor | None = None,
    shard: str | None = None,
) -> int:
    """Compute the runs that are not on record, group by group, and return how many were written.

    device: one, or several that are shared out among workers. changes: see ``planned``. executor: who computes, by
    default this process, or one process for each of several devices; ``Executor(jobs=4)`` is four processes. shard:
    "2/8" for the second of eight parts of the groups, which together are all of them. With ``recompute`` every run is
    computed and takes the place of its record. Interrupting loses the groups in flight, nothing else; the same call
    goes on from there. Several processes, on several machines, may do this at once. Raises what the experiment
    raises, or ``ExecutionError`` where there are several workers.
    """
    from weightspace import campaigns  # which plans with this module

    executor = executor or executors.Executor()
    groups = campaigns.groups(name, scale, seeds, changes, recompute)
    if shard is not None:
        which, number = executors.shard(shard)
        whole = groups if recompute else campaigns.groups(name, scale, seeds, changes, recompute=True)
        own = {group.id for group in executors.dealt(whole, number)[which - 1]}
        groups = [group for group in groups if group.id in own]
    workers = executor.workers(device)
    campaigns.check_device(name, scale, device, executor.elsewhere)
    campaigns.prepare(groups, device, executor.elsewhere)
    total = sum(len(group.configurations) for group in groups)
    with tqdm(total=total, desc=f"{name} ({scale})", unit="run", disable=not progress) as bar:

        def report(group: campaigns.Group, outcome: campaigns.Outcome) -> None:
            bar.update(len(group.configurations))

        if executor.name == "local" and workers == 1:
            return campaigns.compute_all(groups, devices.listed(device)[0], recompute, report)
        function = partial(campaigns.compute_group, recompute=recompute)
        return executor.compute(groups, function, device, report, *([] if recompute else [campaigns.on_record]))


def record(
    name: str,
    scale: str,
    configurations: Sequence[Configuration],
    rows: pd.DataFrame,
    changes: Settings | None = None,
    device: str = "cpu",
    seconds: float = 0.0,
) -> int:
    """Put rows on record that were computed elsewhere, as those of whole runs; returns how many runs they are.

    changes: with which the configurations were planned. seconds: of computing per run. What the rows say themselves of
    device, threads, versions, revision, seconds and time stays. Raises ``RecordError``.
    """
    from weightspace import campaigns, parts  # see above

    written = 0
    for group in campaigns.grouped(name, scale, configurations, dict(changes or {})):
        lease = parts.Lease(records.parts_folder(name, scale), group.id)
        if not lease.take():
            raise records.RecordError(f"another process computes these runs of {name} at scale {scale}: wait for it")
        try:
            own = rows[rows["run_key"].isin(group.runs)]
            known = {"device", "threads", "versions", "revision", "seconds", "time"} & set(rows.columns)
            written += campaigns.put_on_record(group, own, device, seconds, known)
        finally:
            lease.release()
    return written


def ensure(
    name: str,
    scale: str = "paper",
    seeds: int | None = None,
    device: str = "cpu",
    recompute: bool = False,
    changes: Settings | None = None,
) -> pd.DataFrame:
    """The records of an experiment for a notebook: loaded, or computed first with ``recompute`` or at scale quick.

    Prints one line that says which. Raises ``RecordError`` where runs are missing: a chapter shows a campaign whole
    or not at all. Rows of seeds beyond ``seeds`` are left out.
    """
    missing = missing_runs(name, scale, seeds, changes)
    if recompute or (missing and scale == "quick"):
        written = run(name, scale, seeds, device, recompute, progress=False, changes=changes)
        print(f"{name}: computed {written} runs at scale {scale} on {device}")
    elif missing:
        raise records.RecordError(
            f"{len(missing)} runs of {name} are not on record at scale {scale}: "
            f"`python -m weightspace run {name} --scale {scale}` computes them and goes on where it was interrupted"
        )
    frame = load(name, scale, seeds, changes)
    if not recompute:
        runs, last = frame["run_key"].nunique(), frame["time"].max()[:10]
        print(f"{name}: {runs} runs loaded from the records, last written {last}")
    return frame


def load(name: str, scale: str = "paper", seeds: int | None = None, changes: Settings | None = None) -> pd.DataFrame:
    """The records of the planned runs: rows of other seeds, other changes or earlier protocols are left out."""
    return records.rows_of(name, scale, planned(name, scale, seeds, changes).keys())


def missing_runs(
    name: str, scale: str = "paper", seeds: int | None = None, changes: Settings | None = None
) -> set[str]:
    """Keys of the planned runs that are not on record."""
    return planned(name, scale, seeds, changes).keys() - records.keys(name, scale)


def committed_scale(name: str) -> str:
    """The scale at which the records of an experiment are committed, and at which the book shows it.

    That of the paper; where there is none or it has not been computed, and there is a scale ``laptop``, the latter.
    """
    scales = get(name).seeds
    return "laptop" if "laptop" in scales and ("paper" not in scales or missing_runs(name, "paper")) else "paper"


def runs_at(name: str, scale: str, device: str) -> bool:
    """Whether an experiment has a scale, and can be run at it on a device."""
    experiment = get(name)
    return scale in experiment.seeds and not (device == "cpu" and scale in experiment.needs_gpu)


def merge(name: str, scale: str = "paper", seeds: int | None = None) -> tuple[int, int, int]:
    """Make one file of what is on record, of planned runs and of those with changes that the plan allows.

    Returns how many runs it holds, how many were dropped, and how many parts it took. seeds: keep runs of that many.
    """

    def keep(runs: pd.DataFrame) -> set[str]:
        kept: set[str] = set()
        for text in runs["changed"].unique():
            try:
                kept |= planned(name, scale, seeds, json.loads(text)).keys()
            except ValueError:  # what was changed is no setting any more
                continue
        return kept

    return records.merge(name, scale, keep, lambda frame: _adopted(frame, planned(name, scale, seeds)))


def _adopted(frame: pd.DataFrame, plan: dict[str, Configuration]) -> pd.DataFrame:
    """The planned runs of a file of the older form, with what their configurations and devices say."""
    frame = frame[frame["run_key"].isin(plan)]
    threads = {device: int((re.search(r"(\d+) threads", device) or [0, 0])[1]) for device in frame["device"].unique()}
    derived: dict[str, Any] = {
        "configuration": frame["run_key"].map({key: c.to_json() for key, c in plan.items()}),
        "changed": records.UNCHANGED,
        "precision": frame["run_key"].map({key: provenance.precision(c.settings()) for key, c in plan.items()}),
        "threads": frame["device"].map(threads),
        "revision": "",
    }
    return frame.assign(**{name: value for name, value in derived.items() if name not in frame})


def status() -> list[dict[str, object]]:
    """Per experiment and scale: what is planned, on record and missing, and what is wrong with the records.

    on_record: planned runs; changed: runs with settings set by hand; unplanned: all others; parts: files to be merged;
    seeds, devices, compute_seconds, last_written: of the planned runs. A bad file is a ``problem`` of its line.
    """
    return [_status(experiment, scale) for experiment in registry().values() for scale in experiment.seeds]


def _status(experiment: Experiment, scale: str) -> dict[str, object]:
    name = experiment.name
    plan = planned(name, scale)
    runs = pd.DataFrame(columns=["run_key", "changed", "seed", "device", "seconds", "time"])
    problem = ""
    try:
        if records.exists(name, scale):
            runs = records.everything(name, scale).drop_duplicates("run_key")
    except records.RecordError as error:
        problem = str(error)
    own = runs[runs["run_key"].isin(plan)]
    by_hand = int((runs["changed"] != records.UNCHANGED).sum())
    return {
        "experiment": name,
        "scale": scale,
        "planned": len(plan),
        "on_record": len(own),
        "missing": len(plan) - len(own),
        "changed": by_hand,
        "unplanned": len(runs) - len(own) - by_hand,
        "parts": records.number_of_parts(name, scale),
        "seeds": int(own["seed"].nunique()),
        "devices": sorted(own["device"].unique()),
        "compute_seconds": float(own["seconds"].sum()),
        "last_written": None if own.empty else str(own["time"].max()),
        "problem": problem,
    }
