"""A Parquet file that proves itself whole: a digest over every byte of it stands in its own metadata.

The digest is computed over the file with zeros in its place, so that the file stays one that any reader of Parquet
opens. A flipped bit anywhere, a missing byte or one too many ends in ``RecordError``. Bytes depend on the table alone:
the same table gives the same file.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

About = dict[str, Any]
"""What a file says of itself, as plain JSON values: experiment, scale, types of columns."""

_MARK = b"sha256 of this file with zeros here: "
_ZEROS = b"0" * 64


class RecordError(RuntimeError):
    """A record file is missing, unreadable, not what it should be, or cannot be written; it says what to do."""


def damaged(file: Path, reason: object) -> RecordError:
    """The error for a file that must not be used, with the way to get a good one."""
    name, scale = file.stem, file.parent.name
    if file.parent.suffix == ".parts":
        name, scale = file.parent.stem, file.parent.parent.name
        remedy = "delete it and compute its runs again with"
    else:
        remedy = f"restore it with `git checkout -- {file.name}` in its folder, or delete it and compute it again with"
    return RecordError(
        f"the record file {file} is damaged or not a record of {name} at scale {scale} ({reason}): {remedy} "
        f"`python -m weightspace run {name} --scale {scale}`"
    )


def write(file: Path, table: pa.Table, about: About) -> None:
    """Put a table into its place in one step: a killed process or a full disk leaves what was there before.

    On any error of the file system ``RecordError`` says that nothing has changed.
    """
    content = to_bytes(table, about)
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RecordError(
            f"could not write {file} ({error}): what was on record is unchanged; make room or fix the permissions "
            "and run the same command again"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make the new name as durable as the content, where the system lets a folder be synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_bytes(table: pa.Table, about: About) -> bytes:
    """The content of the file."""
    said = {"weightspace": json.dumps(about, sort_keys=True, separators=(",", ":"))}
    table = _spelled_out(table.replace_schema_metadata())
    stream = io.BytesIO()
    # All that shapes the bytes is said here: defaults may change.
    with pq.ParquetWriter(
        stream,
        table.schema,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=9,
        data_page_size=2**20,
        dictionary_pagesize_limit=2**26,
        write_statistics=False,
        store_schema=False,
        **_encodings(table.schema),
    ) as writer:
        writer.write_table(table, row_group_size=2**20)
        writer.add_key_value_metadata(said | {"weightspace.digest": (_MARK + _ZEROS).decode()})
    content = bytearray(stream.getvalue())
    place = content.rindex(_MARK) + len(_MARK)
    content[place : place + len(_ZEROS)] = hashlib.sha256(content).hexdigest().encode()
    return bytes(content)


def _spelled_out(table: pa.Table) -> pa.Table:
    """Categories as the texts that they stand for: how they are numbered depends on where they come from."""
    fields = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in table.schema]
    return table.cast(pa.schema(fields)).combine_chunks()


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """Text and whole numbers repeat: they are stored once and numbered. Bytes of lists are stored by place."""
    split = {f"{f.name}.list.element": "BYTE_STREAM_SPLIT" for f in schema if pa.types.is_list(f.type)}
    repeating = [f.name for f in schema if not pa.types.is_list(f.type)]
    return {"use_dictionary": repeating, "column_encoding": split or None}


def read(file: Path, columns: list[str] | None = None, categories: tuple[str, ...] = ()) -> tuple[pa.Table, About]:
    """The table of a file and what it says of itself, after its digest has been verified.

    columns: only these. categories: text columns to keep as numbered values. ``FileNotFoundError`` if there is none,
    ``RecordError`` for anything that is not as it was written.
    """
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(file) from error
    except OSError as error:
        raise damaged(file, error) from error
    return from_bytes(content, file, columns, categories)


def from_bytes(
    content: bytes, file: Path, columns: list[str] | None = None, categories: tuple[str, ...] = ()
) -> tuple[pa.Table, About]:
    """What ``read`` returns, of content at hand; ``file`` is for messages."""
    place = content.rfind(_MARK) + len(_MARK)
    if place < len(_MARK):
        raise damaged(file, "it states no digest")
    stated = content[place : place + len(_ZEROS)]
    digest = hashlib.sha256(content[:place])
    digest.update(_ZEROS)
    digest.update(content[place + len(_ZEROS) :])
    if stated != digest.hexdigest().encode():
        raise damaged(file, "its content does not have the digest that it states")
    try:
        # Not pq.read_table, which reads in batches and takes twice as long.
        with pq.ParquetFile(pa.BufferReader(content), read_dictionary=list(categories)) as opened:
            table = opened.read(columns=columns)
        return table.replace_schema_metadata(), json.loads(table.schema.metadata[b"weightspace"])
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise damaged(file, error) from error
