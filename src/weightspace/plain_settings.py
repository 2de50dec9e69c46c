"""Configurations that are still plain dictionaries, beside typed ones; goes when the last of them is typed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from weightspace import data
from weightspace.configuration import Configuration, Settings, canonical_json, key_of, with_changes

Either = Settings | Configuration


def setting(configuration: Either, name: str) -> Any:
    return getattr(configuration, name) if isinstance(configuration, Configuration) else configuration[name]


def settings_of(configuration: Either) -> Settings:
    return configuration.settings() if isinstance(configuration, Configuration) else configuration


def json_of(configuration: Either) -> str:
    return configuration.to_json() if isinstance(configuration, Configuration) else canonical_json(configuration)


def key_of_run(configuration: Either) -> str:
    return key_of(json_of(configuration))


def changed(configuration: Either, changes: Mapping[str, Any]) -> Either:
    if isinstance(configuration, Configuration):
        return with_changes(configuration, changes)
    return configuration | {name: _like(name, value, configuration) for name, value in changes.items()}


def _like(name: str, value: Any, configuration: Settings) -> Any:
    """A value of the type that the plan has: the little that can be checked of a plain dictionary."""
    planned = configuration[name]
    if isinstance(planned, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(planned):
        raise ValueError(f"{name}: should be like {planned!r}, got {value!r}")
    if isinstance(value, int | float) and (value < 0 or not math.isfinite(value) or (value == 0 < _whole(planned))):
        raise ValueError(f"{name}: should be a number like {planned!r}, got {value!r}")
    rows = data.REGISTRY[configuration["dataset"]].rows if configuration.get("dataset") in data.REGISTRY else None
    if name == "train_size" and rows is not None and value > rows:
        raise ValueError(f"train_size: {configuration['dataset']} has {rows:,} rows, got {value:,}")
    return value


def _whole(planned: Any) -> int:
    return planned if isinstance(planned, int) else 0
