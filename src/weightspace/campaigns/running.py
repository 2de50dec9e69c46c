"""How the missing runs of an experiment are computed, or put on record when they were computed elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
from tqdm import tqdm

from weightspace import devices
from weightspace.campaigns import computing as campaigns
from weightspace.campaigns import executors, parts, records
from weightspace.campaigns.configuration import Configuration, Settings


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
