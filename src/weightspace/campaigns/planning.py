"""The runs of an experiment: what it lists, at which number of seeds, with which changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from weightspace.campaigns.configuration import Configuration, Settings, with_changes
from weightspace.campaigns.registry import Experiment, get

MAX_RUNS = 200_000
"""More runs than this are taken for a mistake and not even planned."""


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
