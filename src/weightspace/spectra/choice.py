"""Some layers only, by patterns on their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

Patterns = str | Iterable[str]


def chosen(names: Sequence[str], include: Patterns | None, exclude: Patterns | None) -> list[bool]:
    """For each name, whether a pattern of ``include`` matches it (None: all do) and none of ``exclude``.

    Patterns are those of a shell (``fnmatch``), and match whole names: ``"fc"``, ``"layer4.*"``, ``"*.conv[12]"``.
    ``ValueError`` for a pattern that matches no name, with names that are like it, and where no name is left.
    """
    takes = [_matched(names, each) for each in _listed(include)] if include is not None else [[True] * len(names)]
    leaves = [_matched(names, each) for each in _listed(exclude)] if exclude is not None else []
    found = [any(take) and not any(leave) for take, leave in zip(_by_name(takes, names), _by_name(leaves, names))]
    if names and not any(found):
        raise ValueError(f"no layer is left: include is {include!r} and exclude is {exclude!r}")
    return found


def _listed(patterns: Patterns) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _by_name(matches: list[list[bool]], names: Sequence[str]) -> list[tuple[bool, ...]]:
    return list(zip(*matches)) if matches else [()] * len(names)


def _matched(names: Sequence[str], pattern: str) -> list[bool]:
    found = [fnmatchcase(name, pattern) for name in names]
    if not any(found):
        near = get_close_matches(pattern, names, n=3, cutoff=0.4) or list(names[:3])
        raise ValueError(f"no layer matches {pattern!r}: there are {len(names)}, such as {', '.join(near)}")
    return found
