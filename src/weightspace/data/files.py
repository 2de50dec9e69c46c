"""Files of data sets: where they are looked for, how they are verified and downloaded."""

import hashlib
import os
import sys
import tempfile
import textwrap
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE = "WEIGHTSPACE_DATA"
FETCH = "python -m weightspace data --fetch"


class DataError(RuntimeError):
    """A data set cannot be had; the message names the file and the remedy.

    ``path`` is the file or folder at fault, or None where there is none (a file not found).
    """

    def __init__(self, message: str, path: Path | None = None):
        super().__init__(message)
        self.path = path


class Reading(NamedTuple):
    """What a reader hands on: verified arrays (or tables, for `data.released`), digest, variant and place."""

    arrays: Any
    digest: str
    variant: str
    source: str


class Found(NamedTuple):
    """Content of a file with the path it was read from and the kind of place, "folder" or "cache"."""

    content: bytes
    path: Path
    kind: str

    @property
    def place(self) -> str:
        return f"{self.kind} {self.path.parent}"


@dataclass(frozen=True)
class File:
    """A raw file: path below the data or cache folder, public address, sha256 in hex.

    member: its name in the zip archive at the address; the file is at the address itself where it is empty.
    """

    path: str
    url: str
    sha256: str
    member: str = ""


def cache_folder() -> Path:
    """Folder for downloads, in the place where the operating system wants a user's caches."""
    import pooch  # here and below: it brings a progress bar that warns in notebooks, which rarely look for files

    return Path(pooch.os_cache("weightspace"))


def data_folder() -> Path | None:
    """The folder that WEIGHTSPACE_DATA names, None where it is unset; DataError if there is none."""
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise DataError(f"{VARIABLE} names {folder}, which is not a folder: correct or unset it.", folder)
    return folder


def hexdigest(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()


def combined(digests: Iterable[str]) -> str:
    return hexdigest("\n".join(digests).encode())


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}): make it a readable file.", path) from error


def _download(file: File, target: Path) -> None:
    """Put the file at ``target``; a temporary one is checked first, so no part of one stays."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=30)
    if not file.member:
        digest = f"sha256:{file.sha256}"
        pooch.retrieve(file.url, known_hash=digest, fname=target.name, path=target.parent, downloader=downloader)
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        # Archives may be packed anew: what counts is the digest of the file within.
        archive = pooch.retrieve(file.url, known_hash=None, fname="archive", path=folder, downloader=downloader)
        content = _zip_member(Path(archive), file.member)
        if hexdigest(content) != file.sha256:
            raise ValueError(f"its {file.member} has sha256 {hexdigest(content)}, expected {file.sha256}")
        draft = Path(folder) / "draft"
        draft.write_bytes(content)
        draft.replace(target)


def _zip_member(archive: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.read(name)
    except (zipfile.BadZipFile, KeyError, zlib.error) as error:
        raise ValueError(f"the archive has no readable {name}: {error}") from error


def obtain(file: File, download: bool) -> Found:
    """The verified file: from the data folder, else from the cache, else from the network."""
    folder = data_folder()
    if folder is not None and (path := folder / file.path).exists():
        content = read_bytes(path)
        if hexdigest(content) != file.sha256:
            # Falling through to another place would hide that the user's own file is wrong.
            raise DataError(
                f"{path} has the wrong content (sha256 {hexdigest(content)}, expected {file.sha256}): replace it "
                f"by {file.url}, or delete {path} and rerun `{FETCH}`.",
                path,
            )
        return Found(content, path, "folder")

    cached = cache_folder() / file.path
    damaged, elsewhere = None, f"or set {VARIABLE} to a folder with {file.path}."
    problem = f"{file.path} is neither in {folder} nor in {cached.parent}" if folder else f"{cached} does not exist"
    remedy = f"Run `{FETCH}` with a network, {elsewhere}"
    if cached.exists():
        content = read_bytes(cached)
        if hexdigest(content) == file.sha256:
            return Found(content, cached, "cache")
        damaged, problem = cached, f"{cached} is corrupt"
        remedy = f"Delete {cached} and rerun `{FETCH}` with a network, {elsewhere}"
    if not download:
        raise DataError(f"{problem}. {remedy}", damaged)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(cached.parent, os.W_OK):
            raise PermissionError(f"no permission to write in {cached.parent}")
    except OSError as error:
        raise DataError(
            f"{problem}, and the cache folder {cached.parent} cannot be written ({error}). "
            f"Make it writable, {elsewhere}",
            cached.parent,
        ) from error
    try:
        _download(file, cached)
    except (OSError, ValueError) as error:  # network errors are OSErrors, a wrong digest is a ValueError
        reason = textwrap.shorten(str(error), 200)
        raise DataError(f"{problem}, and downloading {file.url} failed ({reason}). {remedy}", damaged) from error
    return Found(read_bytes(cached), cached, "cache")
