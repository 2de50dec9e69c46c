"""Records of experiments: one Parquet file per experiment and scale under ``results/``, a row per run and turn.

A run is keyed by its full configuration (``run_key``), so that a campaign computes only what is missing. Files are
replaced in one step under a lock: a killed process leaves the old file whole, and two processes do not lose each
other's rows. Pages carry checksums, which are verified on reading.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

SCALES = ("quick", "laptop", "paper")
"""quick: seconds, for tests. paper: the size of the papers' experiments. laptop: an honest reduction of an experiment
that needs a GPU at the size of the paper, for machines without one."""

PROVENANCE = ("run_key", "device", "versions", "data_digest", "data_variant", "seconds", "time")
"""Columns of every record: key of the configuration, device and package versions as text, sha256 of the data files and
whether they are the canonical ones, seconds of computing per run, time of writing (UTC, ISO 8601)."""

_MEASURED = ("value", "eigenvalues")
"""What a run found, of all columns that are no provenance; rows are kept in the order of the others."""

_LOCK_SECONDS = 600


class RecordError(RuntimeError):
    """A record file is missing, unreadable or cannot be written; the message says what to do."""


def folder() -> Path:
    """Where records are kept: ``WEIGHTSPACE_RESULTS`` if set, else ``results/`` of the checkout, else of the cwd."""
    if named := os.environ.get("WEIGHTSPACE_RESULTS"):
        return Path(named)
    checkout = Path(__file__).resolve().parents[2]
    base = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    return base / "results"


def path(experiment: str, scale: str = "paper") -> Path:
    """The file of one experiment at one scale, present or not."""
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}: use one of {', '.join(SCALES)}")
    file = folder() / scale / f"{experiment}.parquet"
    if trace := os.environ.get("WEIGHTSPACE_TRACE"):  # the book notes which records a notebook asked for
        with open(trace, "a", encoding="utf-8") as log:
            log.write(f"{file.resolve()}\n")
    return file


def run_key(configuration: Mapping[str, object]) -> str:
    """A short digest of a configuration: the same for the same settings in any order."""
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load(experiment: str, scale: str = "paper") -> pd.DataFrame:
    """All rows of an experiment. Raises ``RecordError`` if there are none or the file is damaged."""
    file = path(experiment, scale)
    frame = _read(file)
    if frame is None:
        raise RecordError(
            f"no records of {experiment!r} at scale {scale!r} ({file} does not exist): "
            f"compute them with `python -m weightspace run {experiment} --scale {scale}`"
        )
    frame.attrs = {"experiment": experiment, "scale": scale}
    return frame


def keys(experiment: str, scale: str = "paper") -> set[str]:
    """Keys of the runs that are on record; empty if there is no file yet."""
    frame = _read(path(experiment, scale), columns=["run_key"])
    return set() if frame is None else set(frame["run_key"])


def append(experiment: str, scale: str, rows: pd.DataFrame, *, replace: bool = False) -> int:
    """Add the rows of whole runs and return how many runs were written.

    Runs that are on record already are left as they are, or exchanged with ``replace``. The file changes in one
    step; on any error (a full disk, say) it stays as it was and ``RecordError`` names it.
    """
    if rows.empty:
        return 0
    missing = [name for name in PROVENANCE if name not in rows]
    if missing:
        raise ValueError(f"rows lack the columns {', '.join(missing)}")
    file = path(experiment, scale)
    with _locked(file):
        old = _read(file)
        new_keys = set(rows["run_key"])
        if old is not None:
            if replace:
                old = old[~old["run_key"].isin(new_keys)]
            else:
                new_keys -= set(old["run_key"])
                rows = rows[rows["run_key"].isin(new_keys)]
        if not new_keys:
            return 0
        frame = rows if old is None or old.empty else pd.concat([old, rows], ignore_index=True)
        # A fixed order keeps the file independent of the order in which groups were finished.
        order = [name for name in frame.columns if name not in (*PROVENANCE, *_MEASURED)]
        _write(file, frame.sort_values(order, kind="stable", ignore_index=True))
    return len(new_keys)


def _read(file: Path, columns: list[str] | None = None) -> pd.DataFrame | None:
    try:
        return pq.read_table(file, columns=columns, page_checksum_verification=True).to_pandas()
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        raise RecordError(
            f"the record file {file} is damaged or not readable ({error}): restore it with "
            f"`git checkout -- {file.name}` in its folder, or delete it and compute it again with "
            f"`python -m weightspace run {file.stem} --scale {file.parent.name}`"
        ) from error


def _write(file: Path, frame: pd.DataFrame) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    try:
        with open(draft, "wb") as stream:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            pq.write_table(table, stream, compression="zstd", write_page_checksum=True, **_encodings(table.schema))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RecordError(
            f"could not write {file} ({error}): what was on record is unchanged; make room or fix the permissions "
            "and run the same command again"
        ) from error


def _encodings(schema: pa.Schema) -> dict[str, object]:
    """Lists of numbers that are all different are half the size when their bytes are stored by place.

    The files without lists stay as they have always been written.
    """
    lists = [field.name for field in schema if pa.types.is_list(field.type)]
    if not lists:
        return {}
    return {
        "use_dictionary": [name for name in schema.names if name not in lists],
        "column_encoding": {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in lists},
    }


@contextmanager
def _locked(file: Path) -> Iterator[None]:
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
