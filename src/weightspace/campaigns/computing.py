"""How the missing runs of an experiment are computed: in groups, each under a lease, each put on record as a part.

``compute_group`` is all that a worker does. It may be called in any process on any machine that sees the folder of the
records; what is on record already, or being computed by another worker, is not computed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from weightspace import data, devices, provenance
from weightspace.campaigns import parts, planning, records, registry
from weightspace.campaigns.configuration import Configuration, Settings, canonical_json, key_of

WAIT_S = 0.5
"""Seconds until a group that another worker computes is looked at again."""


@dataclass(frozen=True)
class Group:
    """Runs that are computed together: what an interrupted campaign may lose.

    configurations: of the runs that were missing when the group was made. changes: the settings that differ from the
    plan, as JSON. id: the same for all groups with these values of ``group_by``, these changes and this block of seeds,
    whichever of their runs are missing: lease and parts are called after it.
    """

    name: str
    scale: str
    configurations: tuple[Configuration, ...]
    changes: str
    id: str

    @cached_property
    def runs(self) -> dict[str, Configuration]:
        """The configurations by key."""
        return {c.run_key: c for c in self.configurations}

    @property
    def label(self) -> str:
        """The group as a person would name it, such as "dual_noise dataset=mnist layers=2 seeds 0 to 9"."""
        by = registry.get(self.name).group_by
        seeds = sorted({c.seed for c in self.configurations})
        named = [f"{key}={getattr(self.configurations[0], key)}" for key in by if key != "seed"]
        return " ".join([self.name, *named, f"seeds {seeds[0]} to {seeds[-1]}" if seeds[1:] else f"seed {seeds[0]}"])


@dataclass(frozen=True)
class Outcome:
    """What became of a group. busy: another worker has it. runs: computed by this call; seconds: that it took."""

    state: Literal["computed", "on record", "busy"]
    runs: int
    seconds: float


def groups(
    name: str, scale: str = "paper", seeds: int | None = None, changes: Settings | None = None, recompute: bool = False
) -> list[Group]:
    """The groups of an experiment with runs that are not on record, or with ``recompute`` all, in planned order.

    Raises what ``planning.planned`` raises.
    """
    plan, changed = planning.plan_of(name, scale, seeds, changes)
    found = grouped(name, scale, plan, changed)
    if recompute:
        return found
    missing = records.missing_of_groups(name, scale, {group.id: group.runs.keys() for group in found})
    return [some for group in found if (some := _only(group, missing[group.id])).configurations]


def grouped(name: str, scale: str, plan: Sequence[Configuration], changed: Settings) -> list[Group]:
    """Configurations by the settings that the experiment groups by, and by blocks of seeds."""
    by, together = registry.get(name).group_by, registry.get(name).seeds_together
    text = canonical_json(changed)
    members: dict[str, list[Configuration]] = {}
    for configuration in plan:
        values = {key: getattr(configuration, key) for key in by}
        if together:
            values["seeds from"] = configuration.seed // together * together
        members.setdefault(key_of(canonical_json({"changes": text, "values": values})), []).append(configuration)
    return [Group(name, scale, tuple(own), text, id) for id, own in members.items()]


def _only(group: Group, keys: Collection[str]) -> Group:
    left = tuple(c for key, c in group.runs.items() if key in keys)
    return Group(group.name, group.scale, left, group.changes, group.id)


def check_device(name: str, scale: str, device: devices.Devices, elsewhere: bool = False) -> None:
    """Raise ``ValueError`` where an experiment cannot run on devices, or where they are not on this machine.

    elsewhere: it will run on other machines, so that this one need not have them.
    """
    experiment = registry.get(name)
    for one in devices.listed(device):
        if devices.kind(one) not in experiment.devices:
            raise ValueError(f"{name} runs on {' or '.join(experiment.devices)}, not on {one!r}")
        if scale in experiment.needs_gpu and one == "cpu":
            raise ValueError(f"{name} needs a GPU at scale {scale}: run it with --device cuda, or with --scale laptop")
        if not elsewhere:
            devices.present(one)


def prepare(groups: Sequence[Group], device: devices.Devices = "cpu", elsewhere: bool = False) -> None:
    """Find now what would else fail after hours: device, folder, room on the disk, data.

    elsewhere: only the folder need be here. Raises ``ValueError``, ``RecordError`` or ``DataError``; does nothing
    where there is nothing to compute.
    """
    for name, scale in {(group.name, group.scale) for group in groups}:
        check_device(name, scale, device, elsewhere)
        records.probe(scale)
    if elsewhere:
        return
    datasets: set[str] = {
        getattr(g.configurations[0], "dataset", "") for g in groups if not registry.get(g.name).parent
    }
    for dataset in sorted(datasets & data.REGISTRY.keys()):
        data.REGISTRY[dataset].read(download=True)


def compute_group(group: Group, device: str = "cpu", recompute: bool = False) -> Outcome:
    """Compute what is missing of a group, or with ``recompute`` all of it, and put it on record.

    Raises what the experiment raises, and ``RecordError`` where its rows are not whole runs of the group or cannot be
    written. The group is free again afterwards, and also when this process dies.
    """
    lease = parts.Lease(records.parts_folder(group.name, group.scale), group.id)
    if not lease.take():
        return Outcome("busy", 0, 0.0)
    try:
        if not recompute:  # another worker may have been here meanwhile
            missing = records.missing_of_groups(group.name, group.scale, {group.id: group.runs.keys()})
            group = _only(group, missing[group.id])
        if not group.configurations:
            return Outcome("on record", 0, 0.0)
        start = time.perf_counter()
        rows = registry.get(group.name).compute(list(group.configurations), device)
        seconds = time.perf_counter() - start
        return Outcome("computed", put_on_record(group, rows, device, seconds / len(group.runs)), seconds)
    finally:
        lease.release()


def put_on_record(group: Group, rows: pd.DataFrame, device: str, seconds: float, known: Collection[str] = ()) -> int:
    """Write the rows of a group with their provenance; its lease must be held.

    seconds: per run. known: columns of provenance that the rows have already and keep.
    """
    runs = group.runs
    if found := set(rows["run_key"]) ^ runs.keys():
        raise records.RecordError(
            f"{group.name} returned other runs than those it was given: {', '.join(sorted(found))}"
        )
    own: dict[str, Any] = {
        "configuration": rows["run_key"].map({key: c.to_json() for key, c in runs.items()}),
        "changed": group.changes,
        "device": devices.device_name(device),
        "precision": rows["run_key"].map({key: provenance.precision(c.settings()) for key, c in runs.items()}),
        "threads": provenance.threads(),
        "versions": provenance.versions(),
        "revision": provenance.revision(),
        "seconds": seconds,
        "time": provenance.now(),
    }
    rows = rows.assign(**{name: value for name, value in own.items() if name not in known})
    return records.write_part(group.name, group.scale, group.id, rows)


def on_record(groups: Sequence[Group]) -> dict[str, Outcome]:
    """Those of the groups of one campaign whose runs are all on record, by id."""
    missing = records.missing_of_groups(groups[0].name, groups[0].scale, {g.id: g.runs.keys() for g in groups})
    return {g.id: Outcome("computed", len(g.runs), 0.0) for g in groups if not missing[g.id]}


def compute_all(
    groups: Sequence[Group],
    device: str = "cpu",
    recompute: bool = False,
    report: Callable[[Group, Outcome], None] = lambda group, outcome: None,
) -> int:
    """Compute groups one after the other, those that other workers have at the end; returns how many runs it computed.

    Returns when all runs are on record, whoever computed them. report: called when a group is done.
    """
    written, left = 0, list(groups)
    while left:
        busy = []
        for group in left:
            try:
                outcome = compute_group(group, device, recompute)
            except Exception as error:
                error.add_note(f"while computing {group.label}")
                raise
            if outcome.state == "busy":
                busy.append(group)
                continue
            written += outcome.runs
            report(group, outcome)
        if len(busy) == len(left):
            time.sleep(WAIT_S)
        left = busy
    return written
