"""What an experiment is, and which there are.

An experiment lists the configurations of its runs and computes groups of them; everything else (keys, resuming,
provenance, progress) is the same for all (``planning``, ``running``, ``reading``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import pandas as pd

from weightspace.campaigns.configuration import Configuration


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
    extra(configuration) names what a run belongs to that pages can go without until it is on record, such as an
    augmentation level that was added later; ``""`` for a run that pages need.
    """

    name: str
    title: str
    seeds: dict[str, int]
    configurations: Callable[..., Sequence[Configuration]]
    group_by: tuple[str, ...]
    compute: Callable[[list[Any], str], pd.DataFrame]
    devices: tuple[str, ...] = ("cpu",)
    needs_gpu: tuple[str, ...] = ()
    parent: str | None = None
    seeds_together: int | None = None
    extra: Callable[[Any], str] | None = None


def registry() -> dict[str, Experiment]:
    """All experiments by name."""
    found = [item for module in _modules() for item in getattr(module, "EXPERIMENTS", ())]
    # Those that are computed from the records of another come after it.
    return {item.name: item for item in sorted(found, key=lambda item: item.parent is not None)}


@cache
def _modules() -> list[ModuleType]:
    """The modules in the folders of ``weightspace.experiments``: an experiment is found by being there."""
    top = "weightspace.experiments"
    folders = [
        import_module(f"{top}.{found.name}") for found in iter_modules(import_module(top).__path__) if found.ispkg
    ]
    return [
        import_module(f"{folder.__name__}.{found.name}")
        for folder in folders
        for found in iter_modules(folder.__path__)
        if not found.ispkg
    ]


def get(name: str) -> Experiment:
    """The experiment called ``name``; ``ValueError`` gives the names that are like it, or else all."""
    known = registry()
    if name not in known:
        like = get_close_matches(name, known)
        remedy = f"did you mean {' or '.join(like)}?" if like else f"use one of {', '.join(known)}"
        raise ValueError(f"unknown experiment {name!r}: {remedy}")
    return known[name]


def runs_at(name: str, scale: str, device: str) -> bool:
    """Whether an experiment has a scale, and can be run at it on a device."""
    experiment = get(name)
    return scale in experiment.seeds and not (device == "cpu" and scale in experiment.needs_gpu)
