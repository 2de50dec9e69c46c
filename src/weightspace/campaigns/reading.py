"""What is on record of an experiment: loaded, counted, merged into one file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from weightspace.campaigns import records
from weightspace.campaigns.configuration import Configuration, Settings
from weightspace.campaigns.planning import planned
from weightspace.campaigns.registry import Experiment, get, registry
from weightspace.campaigns.running import run


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
    or not at all, but for what was added to it and is not on record yet, which a second line names. Rows of seeds
    beyond ``seeds`` are left out.
    """
    missing = missing_runs(name, scale, seeds, changes)
    waiting = left_out(name, scale, seeds, changes)
    if recompute or (missing and scale == "quick"):
        written = run(name, scale, seeds, device, recompute, progress=False, changes=changes)
        print(f"{name}: computed {written} runs at scale {scale} on {device}")
    elif missing and not waiting:
        raise records.RecordError(
            f"{len(missing)} runs of {name} are not on record at scale {scale}: "
            f"`python -m weightspace run {name} --scale {scale}` computes them and goes on where it was interrupted"
        )
    frame = load(name, scale, seeds, changes)
    if not recompute:
        runs, last = frame["run_key"].nunique(), frame["time"].max()[:10]
        print(f"{name}: {runs} runs loaded from the records, last written {last}")
        if waiting:
            print(f"{name}: not on record yet, and not shown: {', '.join(waiting)}")
    return frame


def load(name: str, scale: str = "paper", seeds: int | None = None, changes: Settings | None = None) -> pd.DataFrame:
    """The records of the planned runs: rows of other seeds, other changes or earlier protocols are left out.

    So are the first runs of what was added to a campaign that is complete without it, see ``left_out``.
    """
    plan, waiting = planned(name, scale, seeds, changes), left_out(name, scale, seeds, changes)
    extra = _extra_of(name)
    return records.rows_of(name, scale, {key for key, run in plan.items() if not waiting or extra(run) not in waiting})


def missing_runs(
    name: str, scale: str = "paper", seeds: int | None = None, changes: Settings | None = None
) -> set[str]:
    """Keys of the planned runs that are not on record."""
    return planned(name, scale, seeds, changes).keys() - records.keys(name, scale)


def left_out(name: str, scale: str = "paper", seeds: int | None = None, changes: Settings | None = None) -> list[str]:
    """What was added to an experiment and is not whole on record, if all the rest is: pages do without it.

    Empty if everything is on record, and if runs that pages need are missing.
    """
    plan, extra = planned(name, scale, seeds, changes), _extra_of(name)
    found = {extra(plan[key]) for key in plan.keys() - records.keys(name, scale)}
    return [] if "" in found else [one for one in dict.fromkeys(map(extra, plan.values())) if one in found]


def _extra_of(name: str) -> Callable[[Configuration], str]:
    return get(name).extra or (lambda run: "")


def complete(name: str, scale: str = "paper") -> bool:
    """Whether all runs that pages need are on record."""
    return not missing_runs(name, scale) or bool(left_out(name, scale))


def committed_scale(name: str) -> str:
    """The scale at which the records of an experiment are committed, and at which the book shows it.

    That of the paper; where there is none or it has not been computed, and there is a scale ``laptop``, the latter.
    """
    scales = get(name).seeds
    return "laptop" if "laptop" in scales and ("paper" not in scales or not complete(name)) else "paper"


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

    return records.merge(name, scale, keep)


def status() -> list[dict[str, Any]]:
    """Per experiment and scale: what is planned, on record and missing, and what is wrong with the records.

    on_record: planned runs; changed: runs with settings set by hand; unplanned: all others; parts: files to be merged;
    seeds, devices, compute_seconds, last_written: of the planned runs. A bad file is a ``problem`` of its line.
    """
    return [_status(experiment, scale) for experiment in registry().values() for scale in experiment.seeds]


def _status(experiment: Experiment, scale: str) -> dict[str, Any]:
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
