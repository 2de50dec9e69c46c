"""Every experiment of the book: what is planned, run, on record and loaded.

``campaigns`` does this for any experiment. The experiments themselves are the modules of the folders here, one folder
per subject, each with a list ``EXPERIMENTS``.
"""

from weightspace.campaigns.planning import MAX_RUNS, plan_of, planned
from weightspace.campaigns.reading import committed_scale, complete, ensure, left_out, load, merge, missing_runs, status
from weightspace.campaigns.registry import Experiment, get, registry, runs_at
from weightspace.campaigns.running import record, run

__all__ = [
    "MAX_RUNS",
    "Experiment",
    "committed_scale",
    "complete",
    "ensure",
    "get",
    "left_out",
    "load",
    "merge",
    "missing_runs",
    "plan_of",
    "planned",
    "record",
    "registry",
    "run",
    "runs_at",
    "status",
]
