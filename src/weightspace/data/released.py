"""The measurements that the authors of paper A released: 513 CSV files, read from wherever they are, never written.

The set is looked for in the folder ``data_diversity_released`` of WEIGHTSPACE_DATA, as ``measurements.tar.xz`` or as
the unpacked tree, then in the cache, and is downloaded from the authors' repository only on request. An archive is
read in memory: nothing is unpacked. Whatever the place, one digest over all paths and contents has to agree.
"""

import hashlib
import io
import lzma
import os
import tarfile
import textwrap
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from weightspace.data import files as data_files
from weightspace.data.files import FETCH, VARIABLE, DataError

NAME = "data_diversity_released"
ARCHIVE = "measurements.tar.xz"
REPOSITORY = "YangBa78/Data-Diversity-as-Implicit-Regularization"
COMMIT = "5949497"
URL = f"https://github.com/{REPOSITORY}/archive/{COMMIT}.tar.gz"
DIGEST = "e779fdb6d296f3d86f8bac5b0cd7a0f90da1441c0176c067f148eeb4398b1385"
FILES = 513
FOLDERS = (
    *("EDA_aug", "augment_training", "bert", "car", "car_train", "cf10", "cf10-rn", "cf100", "cf100-rn", "domain"),
    *("domainnet", "train_from_scratch_10_cf10"),
)
"""Top-level folders of the repository that hold measurements and texts."""

_MAX_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Release:
    """The verified files, by their path in the authors' repository, e.g. ``cf10/ww-df/bs_cf10.csv``."""

    files: Mapping[str, bytes]
    digest: str
    source: str

    def csv(self, path: str) -> pd.DataFrame:
        """One file as a data frame. Raises ``DataError`` if the release has no such file."""
        if path not in self.files:
            raise DataError(f"{NAME} has no file {path!r}: its folders are {', '.join(FOLDERS)}.")
        return pd.read_csv(io.BytesIO(self.files[path]))

    def below(self, folder: str) -> list[str]:
        """Paths of the files directly in ``folder``, sorted."""
        return sorted(path for path in self.files if path.rpartition("/")[0] == folder)


def load(*, download: bool = False) -> Release:
    """The release, verified. Raises ``DataError`` where it is missing or altered; downloads it only if asked to."""
    own = _in_data_folder()
    if own is not None:
        files, place = own
        return Release(files, _verified(files, place), f"folder {place.parent if place.is_file() else place}")
    cached = data_files.cache_folder() / NAME / f"{COMMIT}.tar.gz"
    if not cached.exists():
        if not download:
            raise DataError(
                f"{NAME} is neither below {VARIABLE} nor in {cached.parent}. Run `{FETCH}` with a network, or set "
                f"{VARIABLE} to a folder with {NAME}/{ARCHIVE} or the unpacked CSV files in {NAME}."
            )
        _download(cached)
    files = _read_archive(cached)
    return Release(files, _verified(files, cached), f"cache {cached.parent}")


def reading(*, download: bool) -> data_files.Reading:
    """What the registry of data sets asks for."""
    release = load(download=download)
    return data_files.Reading(release, release.digest, "canonical", release.source)


def digest_of(files: Mapping[str, bytes]) -> str:
    """sha256 over the sorted lines "path sha256-of-content": the same for an archive and for a tree."""
    lines = (f"{path} {hashlib.sha256(files[path]).hexdigest()}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _in_data_folder() -> tuple[dict[str, bytes], Path] | None:
    folder = data_files.data_folder()
    if folder is None or not (folder / NAME).is_dir():
        return None
    archive = folder / NAME / ARCHIVE
    if archive.exists():
        return _read_archive(archive), archive
    tree = folder / NAME
    try:
        files = {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*.csv")}
    except OSError as error:
        raise DataError(f"{tree} cannot be read ({error}): make its files readable.", tree) from error
    return ({path: files[path] for path in files if _belongs(path)}, tree) if files else None


def _belongs(path: str) -> bool:
    return path.endswith(".csv") and path.partition("/")[0] in FOLDERS


def _read_archive(archive: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(archive) as tar:
            return dict(_members(tar))
    except (tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError, ValueError) as error:
        reason = textwrap.shorten(str(error), 200)
        raise DataError(f"{archive} cannot be read ({reason}). {_remedy(archive)}", archive) from error


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """The measurements in an archive: regular files only, in memory, with a bound on their size."""
    left = _MAX_BYTES
    for member in tar:
        # An archive from GitHub has one folder above everything, named after the commit.
        path = member.name.removeprefix("./")
        if not _belongs(path):
            path = path.partition("/")[2]
        if member.isfile() and _belongs(path):
            left -= member.size
            if left < 0:
                raise ValueError(f"more than {_MAX_BYTES:,} bytes of CSV files")
            yield path, tar.extractfile(member).read()  # type: ignore[union-attr] # it is a file


def _verified(files: Mapping[str, bytes], place: Path) -> str:
    digest = digest_of(files)
    if digest != DIGEST:
        raise DataError(
            f"{place} has other content than commit {COMMIT} of {REPOSITORY}: {len(files)} files with digest {digest}, "
            f"expected {FILES} with {DIGEST}. {_remedy(place)}",
            place,
        )
    return digest


def _remedy(place: Path) -> str:
    return f"Replace or delete {place} and rerun `{FETCH}`."


def _download(target: Path) -> None:
    """Put the archive at ``target`` once its content has been verified; no part of one stays."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # GitHub packs archives anew, so that their own digest may change; ours is over the files within.
        pooch.retrieve(URL, known_hash=None, fname=draft.name, path=draft.parent, downloader=pooch.HTTPDownloader())
        _verified(_read_archive(draft), draft)
        draft.replace(target)
    except OSError as error:
        reason = textwrap.shorten(str(error), 200)
        raise DataError(
            f"downloading {URL} to {target.parent} failed ({reason}). Rerun `{FETCH}` with a network, or set "
            f"{VARIABLE} to a folder with {NAME}/{ARCHIVE}."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
