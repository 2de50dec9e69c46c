"""What a notebook's run depended on, as digests that a later build can compare.

A run's inputs are found, not declared: its kernel reports the files, modules, packages and settings that it used
(`inside_kernel.py`).  A file or folder that was asked for and absent is an input too.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

#: The modules that decide how a notebook runs, and what is kept of it.
RUNNER = ("dependencies.py", "execution.py", "inside_kernel.py", "notebook_kernels.py", "warm.py")

#: Packages that run notebooks in the build's own process.
RUN_BY = ("jupytext", "nbclient", "nbformat", "papermill")

ABSENT = None
CHANGED = "changed meanwhile"
"""Digest of an input that changed during the run, which saw the old state or the new: it never equals one."""


class InstallationError(Exception):
    """Notebooks would import another package than the checkout's."""


# --- Digests --------------------------------------------------------------------------------------------


def text_digest(text: str) -> str:
    """Digest of a source, the same for the file's text and for what Sphinx hands to a parser.

    Sphinx normalises line ends, and adds one at the end of the text.
    """
    return hashlib.sha256("\n".join(text.rstrip().splitlines()).encode()).hexdigest()


def source_digest(source: Path) -> str:
    return text_digest(source.read_text(encoding="utf-8-sig"))


def path_digest(path: Path) -> str | None:
    """Digest of a file's content, or of a folder's names and their contents; ABSENT where there is neither."""
    try:
        if path.is_dir():
            listing = [f"{p.name} {path_digest(p)}" for p in sorted(path.iterdir()) if not _is_draft(p)]
            return hashlib.sha256("\n".join(listing).encode()).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


def _is_draft(path: Path) -> bool:
    """Hidden files and locks: what a process that writes records leaves for a moment."""
    return path.name.startswith(".") or path.suffix == ".lock" or path.name == "__pycache__"


def digest_since(path: Path, since: float) -> str | None:
    """Digest of an input of a run that began at a time (seconds); CHANGED if the input is newer."""
    try:
        # A file that is renamed into its place keeps its modification time, but changes its status.
        stats = [p.stat() for p in ([path, *path.rglob("*")] if path.is_dir() else [path]) if not _is_draft(p)]
    except (FileNotFoundError, NotADirectoryError):
        return path_digest(path)
    return CHANGED if any(max(s.st_mtime, s.st_ctime) >= since for s in stats) else path_digest(path)


def files_digest(folder: Path, paths: Iterable[Path]) -> str:
    """One digest for the names and contents of files in a folder."""
    lines = [f"{path.relative_to(folder).as_posix()} {path_digest(path)}\n" for path in sorted(paths)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


# --- Installed packages ---------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """Version of every installed distribution, by its name in lower case with hyphens."""
    found: dict[str, str] = {}
    for folder in _search_path():
        try:
            names = [path.name for path in Path(folder).iterdir()]
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                distribution, _, version = name.removesuffix(".dist-info").partition("-")
                found.setdefault(normal(distribution), version)
    return found


def _search_path() -> list[str]:
    return [folder for folder in sys.path if folder]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def distributions_of(packages: Iterable[str]) -> list[str]:
    """Names of the distributions that top-level modules came with."""
    return sorted({normal(name) for package in packages for name in _distributions().get(package, ())})


def package_digest(package: Path) -> str:
    """Digest of a package's code and tables."""
    files = (p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.relative_to(package).parts)
    return files_digest(package, (p for p in files if p.suffix in {".py", ".csv"}))


def copies(root: Path) -> dict[str, str]:
    """Digests of the packages of `src` that are installed as copies; raises InstallationError where one differs.

    An editable installation is the checkout itself, and a package that is not installed is not imported.
    """
    found = {}
    for checkout in sorted(path.parent for path in (root / "src").glob("*/__init__.py")):
        spec = importlib.util.find_spec(checkout.name)
        if spec is None or not spec.origin:
            continue
        installed = Path(spec.origin).parent
        if installed.resolve() == checkout.resolve():
            continue
        found[checkout.name] = package_digest(installed)
        if found[checkout.name] != package_digest(checkout):
            raise InstallationError(
                f"notebooks would import {checkout.name} from {installed}, which differs from {checkout}: "
                f"install the checkout with `{root / '.venv' / 'bin' / 'python'} -m pip install --no-deps --editable "
                f"{root}`, or unset PYTHONPATH"
            )
    return found


# --- What a kernel reported -----------------------------------------------------------------------------


def used(root: Path, told: Mapping, trace: Path, since: float) -> dict[str, dict[str, str | None]]:
    """The inputs of a run that began at a time (seconds), from what its kernel told and traced.

    `files`: digests by path relative to the repository; `packages`: versions; `settings`: environment variables.
    """
    paths = {*told["files"], *told["modules"].values()}
    if trace.exists():
        paths.update(trace.read_text(encoding="utf-8").splitlines())
    known = versions()
    return {
        "files": {_relative(path, root): digest_since(Path(path), since) for path in sorted(paths)},
        "packages": {name: known.get(name) for name in distributions_of(told["packages"])},
        "settings": {name: os.environ.get(name) for name in told["settings"]},
    }


def _relative(path: str, root: Path) -> str:
    return Path(os.path.relpath(path, os.path.realpath(root))).as_posix()


def changed(root: Path, inputs: Mapping[str, Mapping[str, str | None]], known: Mapping[str, str]) -> str | None:
    """The first input that is not any more what it was for a run; None if all are."""
    for name, value in inputs["settings"].items():
        if os.environ.get(name) != value:
            return name
    for name, version in inputs["packages"].items():
        if known.get(name) != version:
            return name
    for name, digest in inputs["files"].items():
        if path_digest(Path(os.path.realpath(root), name)) != digest:
            return name
    return None
