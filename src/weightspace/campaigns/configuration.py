"""What a run is: frozen, typed, validated settings, and the key under which its record is filed.

Every experiment has one such class. Its instances are the only thing that ``compute`` reads: whatever decides a result
is a field here, and every field decides a result, is checked against the others, or is marked ``IDENTITY``. Sequences
are tuples, so that a configuration cannot be changed behind its key.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, validate_default=True)
"""For every configuration: a number written as text, an unknown field, NaN and infinity are errors."""

IDENTITY = "identity only"
"""Marks a field that names a run and decides nothing about it: ``Annotated[str, IDENTITY]``."""

LATER = "later than the records"
"""Marks a field that was a constant of the code when the first records were made: ``Annotated[int, LATER] = 3``.

While it has its default it is no part of the settings, so that the keys of those records stay what they are.
"""

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

Settings = dict[str, Any]
"""Settings by name, as plain JSON values."""

K = TypeVar("K")
V = TypeVar("V")


class Frozen(dict[K, V]):
    """A dictionary that cannot be changed, and has a hash."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("the settings of a configuration cannot be changed: use with_changes")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


FrozenDict = Annotated[dict[K, V], AfterValidator(Frozen)]
"""Type of a field with settings by name, ``FrozenDict[str, int]``: a ``dict`` goes in, a ``Frozen`` comes out."""


def unread(value: Any) -> AfterValidator:
    """For a setting that stands in the keys of the records although no run reads it: it has this one value.

    ``Annotated[float, unread(0.3)] = 0.3``
    """

    def check(given: Any) -> Any:
        if given != value:
            raise ValueError(f"no run of this experiment reads it, so it has to stay {value!r}")
        return given

    return AfterValidator(check)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Configuration:
    """The settings of one run.

    experiment: its name. protocol: raised when a change of the code changes what a run computes, so that old records
    are not taken for new ones. seed: of all random numbers of the run.
    ``ValueError`` names every field that has a value it may not have.
    """

    experiment: Annotated[str, IDENTITY]
    protocol: Annotated[Count, IDENTITY]
    seed: Seed

    def settings(self) -> Settings:
        """The fields that stand in the key by name, as plain JSON values."""
        settings: Settings = json.loads(self.to_json())
        return settings

    def to_json(self) -> str:
        """The settings as JSON text, always the same for the same settings."""
        later = fields_marked(type(self), LATER)  # type: ignore[arg-type] # classes have a hash
        values = ((field, getattr(self, field.name)) for field in dataclasses.fields(self))
        return canonical_json(
            {field.name: value for field, value in values if field.name not in later or value != field.default}
        )

    def values(self) -> Settings:
        """All fields by name, as plain JSON values, also those that are left out of the key at their default."""
        values: Settings = json.loads(canonical_json({name: getattr(self, name) for name in self.__dataclass_fields__}))
        return values

    def following(self, changes: Mapping[str, Any]) -> Settings:
        """The changes, with those that they bring about in other fields: here none."""
        return dict(changes)

    @cached_property
    def run_key(self) -> str:
        """The key of the run: the first 16 hexadecimal digits of the sha256 of ``to_json``."""
        return key_of(self.to_json())


def canonical_json(settings: Mapping[str, Any]) -> str:
    """Settings as JSON with sorted names and no blanks: what is digested and what stands on record."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def key_of(text: str) -> str:
    """The run key of a configuration in canonical JSON."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


C = TypeVar("C", bound=Configuration)


def with_changes(configuration: C, changes: Mapping[str, Any]) -> C:
    """The configuration with other values for some fields, checked as a whole.

    ``ValueError`` in one line for a field that does not exist or a value that is not allowed.
    """
    changes = configuration.following(changes)
    names = [field.name for field in dataclasses.fields(configuration)]
    if unknown := sorted(set(changes) - set(names)):
        raise ValueError(f"{configuration.experiment} has no setting {', '.join(unknown)}: use {', '.join(names)}")
    try:
        return dataclasses.replace(configuration, **{name: _frozen(value) for name, value in changes.items()})
    except ValidationError as error:
        raise ValueError(explain(error)) from error


def _frozen(value: Any) -> Any:
    """Lists, as JSON has them, as the tuples that configurations hold, also within dictionaries."""
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def explain(error: ValidationError) -> str:
    """What pydantic found, in one line: every field with what it allows and what it got."""
    parts = []
    for found in error.errors():
        name = ".".join(map(str, found["loc"])) or "settings"
        message = found["msg"].removeprefix("Value error, ")
        parts.append(f"{name}: {message[:1].lower()}{message[1:]}, got {found['input']!r}" if found["loc"] else message)
    return "; ".join(parts)


def identity_fields(kind: type[Configuration]) -> set[str]:
    """Names of the fields that are declared to decide nothing."""
    return set(fields_marked(kind, IDENTITY))  # type: ignore[arg-type] # as above


@lru_cache
def fields_marked(kind: type[Configuration], marker: str) -> frozenset[str]:
    """Names of the fields whose type is annotated with ``IDENTITY`` or ``LATER``."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(name for name, hint in hints.items() if marker in getattr(hint, "__metadata__", ()))


def common(configurations: Sequence[C], *varying: str) -> C:
    """The first of some configurations, for reading the settings that all of them share.

    varying: the fields in which they may differ. ``ValueError`` names any other in which they do: what is computed
    together must not be computed with the settings of a neighbour.
    """
    first = configurations[0]
    names = [field.name for field in dataclasses.fields(first) if field.name not in varying]
    if different := [name for name in names if any(getattr(c, name) != getattr(first, name) for c in configurations)]:
        raise ValueError(f"runs of {first.experiment} that are computed together differ in {', '.join(different)}")
    return first
