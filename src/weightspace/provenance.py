"""Where a number comes from: device, threads, precision, versions, source and time, as the records keep them."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("weightspace", "numpy", "numba", "torch")


@lru_cache(maxsize=1)
def versions() -> str:
    """Versions of Python and of the packages that compute, e.g. "python 3.12.1, weightspace 0.1.0, numpy 2.4.6".

    A package that is not installed is left out: whoever only reads records needs no PyTorch.
    """
    found = [f"python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def threads() -> int:
    """How many threads computations of this process use: those of PyTorch if it is in use, else what OpenMP is told."""
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if told.isdigit() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def precision(settings: Mapping[str, object]) -> str:
    """The precision of a run as its configuration states it; empty where it states none."""
    return str(settings.get("precision", settings.get("dtype", "")))


@lru_cache(maxsize=1)
def revision() -> str:
    """The source that computes: the commit, with a digest of the package where its files differ from the commit.

    Without a repository, "package" and that digest.
    """
    package = Path(__file__).resolve().parent
    checkout = package.parents[1]
    commit = _git(checkout, "rev-parse", "HEAD") if (checkout / ".git").exists() else None
    if not commit:
        return f"package {_digest(package)}"
    changed = _git(checkout, "status", "--porcelain", "--", str(package))
    return commit if changed == "" else f"{commit} with changes, package {_digest(package)}"


def _git(checkout: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _digest(package: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*")):
        if file.suffix in (".py", ".csv"):
            digest.update(
                f"{file.relative_to(package).as_posix()} {file.stat().st_size}\n".encode() + file.read_bytes()
            )
    return digest.hexdigest()[:16]


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
