"""Records of experiments: one Parquet file per experiment and scale under ``results/``, a row per run and turn.

A run is keyed by its full configuration (``run_key``), so that a campaign computes only what is missing. What a
campaign adds are parts, one file per group of runs; reading takes file and parts together, and ``merge`` makes one file
of them, the same whatever the order of computing. Every file proves itself whole (``record_files``) and is checked to
hold whole runs of its experiment (``record_tables``).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout

from weightspace.campaigns import parts, record_files, record_tables
from weightspace.campaigns.record_files import RecordError
from weightspace.campaigns.record_tables import PROVENANCE, NotARecord

__all__ = ["PROVENANCE", "SCALES", "RecordError"]  # and the functions below

SCALES = ("quick", "laptop", "paper")
"""quick: seconds, for tests. paper: the size of the papers' experiments. laptop: an honest reduction of an experiment
that needs a GPU at the size of the paper, for machines without one."""

UNCHANGED = "{}"
"""What ``changed`` holds for the runs of the plan."""

_ELSEWHERE = (
    ". Those of the book come with its repository, in the folder results/, and not with the installed package: clone "
    "it and set WEIGHTSPACE_RESULTS to that folder"
)
_LOCK_SECONDS = 600


def folder() -> Path:
    """Where records are kept: ``WEIGHTSPACE_RESULTS`` if set, else ``results/`` of the checkout, else of the cwd."""
    if named := os.environ.get("WEIGHTSPACE_RESULTS"):
        return Path(named)
    checkout = Path(__file__).resolve().parents[3]
    base = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    return base / "results"


def path(experiment: str, scale: str = "paper") -> Path:
    """The merged file of one experiment at one scale, present or not."""
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}: use one of {', '.join(SCALES)}")
    file = folder() / scale / f"{experiment}.parquet"
    _note(file)
    return file


def _note(*files: Path) -> None:
    """The book notes which records a notebook asks for, those that are absent as well."""
    if trace := os.environ.get("WEIGHTSPACE_TRACE"):
        with Path(trace).open("a", encoding="utf-8") as log:
            log.writelines(f"{file.resolve()}\n" for file in files)


def parts_folder(experiment: str, scale: str = "paper") -> Path:
    """Where a campaign keeps what has not been merged, present or not."""
    return path(experiment, scale).with_suffix(".parts")


# --- reading


def load(experiment: str, scale: str = "paper", /, **settings: Any) -> pd.DataFrame:
    """The rows of an experiment, of the runs that have these settings.

    Settings that were changed for some of the runs (``run --set``) are columns. Raises ``RecordError`` if there are no
    records, if a file is damaged, and if runs with different changes would be mixed: name a value of the settings that
    it lists, or load what a plan has with ``experiments.load(..., changes=...)``.
    """
    frame = _chosen(everything(experiment, scale), settings)
    if frame["changed"].nunique() > 1:
        found = {name: sorted(set(map(_text, _values(frame, name)))) for name in _changed_names(frame)}
        listed = "; ".join(f"{name}: {', '.join(values)}" for name, values in found.items())
        raise RecordError(
            f"{experiment} at scale {scale} holds runs with different settings ({listed}): choose one, as in "
            f"records.load({experiment!r}, {scale!r}, {next(iter(found))}=...), or load the planned runs with "
            f"experiments.load({experiment!r}, {scale!r})"
        )
    return frame


def everything(experiment: str, scale: str = "paper") -> pd.DataFrame:
    """All rows of an experiment, planned or not; the settings that differ by hand between runs are columns."""
    return rows_of(experiment, scale, None)


def rows_of(experiment: str, scale: str, keys: Collection[str] | None) -> pd.DataFrame:
    """The rows of the runs with these keys, as far as they are on record; ``None``: of all runs."""
    table = _united(experiment, scale)
    if table is None:
        raise RecordError(
            f"no records of {experiment!r} at scale {scale!r} ({path(experiment, scale)} does not exist): "
            f"compute them with `python -m weightspace run {experiment} --scale {scale}`"
            + ("" if folder().is_dir() else _ELSEWHERE)
        )
    if keys is not None:
        table = table.filter(pc.is_in(table["run_key"], pa.array(sorted(keys), pa.string())))
    frame = _with_changed_settings(table.to_pandas())
    frame.attrs = {"experiment": experiment, "scale": scale}
    return frame


def _with_changed_settings(frame: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in _changed_names(frame) if name not in frame.columns]
    if not names:
        return frame
    columns = {name: _values(frame, name) for name in names}
    return frame.assign(
        **{name: pd.Series(values, frame.index, object).infer_objects() for name, values in columns.items()}
    )


def _changed_names(frame: pd.DataFrame) -> list[str]:
    return sorted({name for text in frame["changed"].unique() for name in json.loads(text)})


def _values(frame: pd.DataFrame, name: str) -> list[Any]:
    """A setting, row by row; None where a run has none, as the unchanged runs of a derived experiment."""
    found = {}
    for configuration, changed in frame[["configuration", "changed"]].drop_duplicates().itertuples(index=False):
        found[configuration, changed] = {**json.loads(changed), **json.loads(configuration)}.get(name)
    return [found[pair] for pair in zip(frame["configuration"], frame["changed"])]


def _text(value: object) -> str:
    return "not set" if value is None else json.dumps(value)


def _chosen(frame: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    for name, value in settings.items():
        wanted = list(value) if isinstance(value, tuple) else value
        found = _values(frame, name)
        keep = [_same(one, wanted) for one in found]
        if not any(keep):
            values = sorted({_text(one) for one in found})
            raise RecordError(
                f"{frame.attrs['experiment']} at scale {frame.attrs['scale']} has no run on record with "
                f"{name} = {_text(wanted)}; on record: {', '.join(values)}"
            )
        frame = frame[keep].reset_index(drop=True)
    return frame


def _same(one: object, other: object) -> bool:
    """Whether two settings are the same value; True is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def keys(experiment: str, scale: str = "paper") -> set[str]:
    """Keys of the runs that are on record; empty if there are none yet."""
    found: set[str] = set()
    for file in _traced(experiment, scale):
        found |= _keys(file, experiment, scale)
    return found


def missing_of_groups(experiment: str, scale: str, groups: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Keys that are not on record, for the runs of groups; what it costs does not grow with what is on record.

    A part that is called after exactly these keys need not be read: what is wrong with it shows when it is loaded.
    """
    own = parts.files(parts_folder(experiment, scale), *(f"{next(iter(groups))}.",) if len(groups) == 1 else ())
    of_group: dict[str, list[Path]] = {}
    for file in own:
        of_group.setdefault(file.name.partition(".")[0], []).append(file)
    merged = _keys(path(experiment, scale), experiment, scale)
    missing = {}
    for group, wanted in groups.items():
        whole = _part_file(experiment, scale, group, wanted)
        found = set(wanted) if whole in of_group.get(group, ()) else set(merged)
        for file in () if whole in of_group.get(group, ()) else of_group.get(group, ()):
            found |= _keys(file, experiment, scale)
        missing[group] = set(wanted) - found
    return missing


def _part_file(experiment: str, scale: str, group: str, keys: Collection[str]) -> Path:
    digest = hashlib.sha256(" ".join(sorted(keys)).encode()).hexdigest()[:16]
    return parts.part_file(parts_folder(experiment, scale), group, digest)


def exists(experiment: str, scale: str = "paper") -> bool:
    """Whether anything is on record."""
    return bool(_stamps(_traced(experiment, scale)))


def state(experiment: str, scale: str = "paper") -> str:
    """A text that changes whenever the records do: for caches of what was computed from them."""
    return repr(_stamps(_traced(experiment, scale)))


def number_of_parts(experiment: str, scale: str = "paper") -> int:
    """Files that wait for being merged."""
    return len(parts.files(parts_folder(experiment, scale)))


def _traced(experiment: str, scale: str) -> list[Path]:
    """Parts and merged file, in this order: a merge in between hides nothing. Present or not, the trace names them."""
    places = [parts_folder(experiment, scale), path(experiment, scale)]
    own = parts.files(places[0])
    _note(places[0], *own)
    return [*own, places[1]]


def _stamps(files: list[Path]) -> list[tuple[str, int, int, int]]:
    stamps = []
    for file in files:
        try:
            status = file.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        stamps.append((str(file), status.st_mtime_ns, status.st_size, status.st_ino))
    return stamps


def _keys(file: Path, experiment: str, scale: str) -> frozenset[str]:
    stamps = _stamps([file])
    return _keys_of(*stamps[0], experiment, scale) if stamps else frozenset()


@lru_cache(maxsize=100_000)
def _keys_of(file: str, _changed: int, _size: int, _number: int, experiment: str, scale: str) -> frozenset[str]:
    """Keys in a file as it is now: a worker that looks again and again reads it once."""
    try:
        table = _read(Path(file), experiment, scale, columns=["run_key"])
        return frozenset(pc.unique(table["run_key"]).to_pylist())
    except FileNotFoundError:  # merged meanwhile
        return frozenset()


def _read(file: Path, experiment: str, scale: str, columns: list[str] | None = None) -> pa.Table:
    table, said = record_files.read(file, columns, record_tables.REPEATED)
    try:
        record_tables.check_about(table, said, experiment, scale)
        if "run_key" not in table.schema.names:
            raise NotARecord("it lacks the column run_key")
    except NotARecord as error:
        raise record_files.damaged(file, error) from error
    return table


def _united(experiment: str, scale: str) -> pa.Table | None:
    """File and parts as one checked table in order; None if there are none."""
    while True:
        tables: dict[Path, pa.Table] = {}
        merged = False
        for file in _traced(experiment, scale):
            try:
                tables[file] = _read(file, experiment, scale)
            except FileNotFoundError:
                merged |= file != path(experiment, scale)
        if not merged:  # else a part has gone into the file while we were reading
            break
    return _combined(tables, experiment, scale) if tables else None


def _combined(tables: dict[Path, pa.Table], experiment: str, scale: str) -> pa.Table:
    """Every run once: of several copies (computed anew, or not merged in one go) the last one, a part before the file.

    A part is checked by itself only where something is wrong, to name it.
    """
    home = path(experiment, scale)
    files = sorted(tables, key=lambda file: (file != home, _time(tables[file]), file.name))
    last = {key: file for file in files for key in pc.unique(tables[file]["run_key"]).to_pylist()}
    kept = []
    for file in sorted(files, key=lambda file: (file != home, file.name)):
        own = pc.unique(tables[file]["run_key"]).to_pylist()
        stale = [key for key in own if last[key] != file]
        table = tables[file]
        if stale:
            table = table.filter(pc.invert(pc.is_in(table["run_key"], pa.array(stale, pa.string()))))
        kept.append(table)
    try:
        table = record_tables.unite(kept)
        record_tables.check(table, experiment)
    except NotARecord as error:
        raise _blamed(tables, experiment, error) from error
    return table if len(kept) == 1 and files == [home] else record_tables.in_order(table)


def _time(table: pa.Table) -> str:
    return str(pc.max(table["time"]).as_py()) if "time" in table.schema.names else ""


def _blamed(tables: dict[Path, pa.Table], experiment: str, error: NotARecord) -> RecordError:
    for file, table in tables.items():
        try:
            record_tables.check(table, experiment)
        except NotARecord as own:
            return record_files.damaged(file, own)
    return record_files.damaged(next(iter(tables)), error)


# --- writing


def write_part(experiment: str, scale: str, group: str, rows: pd.DataFrame) -> int:
    """Put the rows of whole runs on record as a part of a group, and return how many runs they are.

    ``RecordError`` if the rows are no records, or cannot be written.
    """
    if rows.empty:
        return 0
    try:
        table = record_tables.from_frame(rows.assign(rows=rows.groupby("run_key")["run_key"].transform("size")))
        record_tables.check(table, experiment)
    except NotARecord as error:
        raise RecordError(f"what was computed is no record of {experiment} at scale {scale}: {error}") from error
    table = record_tables.in_order(table)
    own = set(rows["run_key"])
    file = _part_file(experiment, scale, group, own)
    record_files.write(file, table, record_tables.about(table, experiment, scale))
    return len(own)


def merge(
    experiment: str, scale: str = "paper", keep: Callable[[pd.DataFrame], Collection[str]] | None = None
) -> tuple[int, int, int]:
    """Make one file of file and parts; returns how many runs it holds, how many were dropped, how many parts it took.

    keep: given one row per run, the keys of the runs that stay (default: all). The file is replaced in
    one step, then the parts are deleted; what is killed in between is taken up by the next merge. Where there is
    nothing to do, nothing is written.
    """
    file = path(experiment, scale)
    with _locked(file):
        taken = _stamps(parts.files(parts_folder(experiment, scale)))
        tables = {Path(part): _read(Path(part), experiment, scale) for part, *_ in taken}
        with suppress(FileNotFoundError):
            tables[file] = _read(file, experiment, scale)
        if not tables:
            return 0, 0, 0
        table = _combined(tables, experiment, scale)
        runs = table.select(["run_key", "configuration", "changed", "seed"]).to_pandas().drop_duplicates("run_key")
        stay = set(runs["run_key"]) if keep is None else set(keep(runs)) & set(runs["run_key"])
        if len(stay) < len(runs):
            table = table.filter(pc.is_in(table["run_key"], pa.array(sorted(stay), pa.string())))
        if stay and (taken or len(stay) < len(runs)):
            table = record_tables.in_order(table)
            record_files.write(file, table, record_tables.about(table, experiment, scale))
        elif not stay:
            file.unlink(missing_ok=True)
        # A part that has been computed anew while we merged stays.
        parts.remove(parts_folder(experiment, scale), [Path(s[0]) for s in taken if _stamps([Path(s[0])]) == [s]])
    return len(stay), len(runs) - len(stay), len(taken)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One merge at a time."""
    lock = FileLock(f"{file}.lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout as error:
        raise RecordError(
            f"another process has held {file}.lock for {_LOCK_SECONDS} s: end it, or delete the lock file if none runs"
        ) from error
    except OSError as error:
        raise RecordError(f"could not create {file}.lock ({error}): fix the permissions of the folder") from error
    try:
        for draft in file.parent.glob(f".{file.name}.*.draft"):  # left by a process that was killed while writing
            draft.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def probe(scale: str, size: int = 2**22) -> None:
    """Write and delete a file where records go: ``RecordError`` now rather than after hours of computing."""
    place = folder() / scale
    file = place / f".probe.{os.getpid()}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            stream.write(os.urandom(size))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise RecordError(
            f"records could not be written to {place} ({error}): make room or fix the permissions of the folder"
        ) from error
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)
