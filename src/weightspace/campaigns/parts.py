"""Parts of a campaign: one file per group of runs, and the lease under which a worker computes a group.

A part is written to a draft, synced and renamed, so that workers need no lock to add to a campaign, and what one part
costs does not depend on how many there are. A lease is a file that its worker holds locked: the kernel frees it when
the worker dies. Locks do not reach everywhere (some network file systems keep them on one machine), so the holder also
renews the time of the file; a worker on another machine takes a lease over when it has not been renewed for
``EXPIRES_S``. Where even that fails, two workers compute the same group and one part takes the place of the other.
"""

from __future__ import annotations

import fcntl
import os
import platform
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from weightspace.campaigns.record_files import RecordError

HEARTBEAT_S = 20.0
EXPIRES_S = 120.0
"""Seconds between two renewals of a lease, and without one until another machine takes it over."""


def part_file(folder: Path, group: str, digest: str) -> Path:
    """The file of the runs of a group whose keys have this digest."""
    return folder / f"{group}.{digest}.parquet"


def files(folder: Path, group: str = "") -> list[Path]:
    """The parts of a folder by name, or those of one group; none where there is no folder."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RecordError(f"could not read {folder} ({error}): fix the permissions of the folder") from error
    return [folder / n for n in sorted(names) if n.startswith(group) and n.endswith(".parquet") and n[0] != "."]


def remove(folder: Path, parts: Iterable[Path]) -> None:
    """Delete parts that have been merged, and the folder with what is left in it once no worker uses it."""
    for part in parts:
        part.unlink(missing_ok=True)
    if files(folder):
        return
    for file in folder.glob("*.lease"):
        lease = Lease(folder, file.stem)
        if not lease.take():  # somebody computes
            return
        file.unlink(missing_ok=True)
        lease.release()
    for draft in folder.glob(".*.draft"):  # of workers that were killed while writing
        draft.unlink(missing_ok=True)
    with suppress(OSError):  # somebody has come meanwhile, or it has never been there
        folder.rmdir()


class Lease:
    """The right to compute a group, for as long as this process lives and says so."""

    def __init__(self, folder: Path, group: str):
        self.file = folder / f"{group}.lease"
        self._descriptor: int | None = None
        self._done = threading.Event()

    def take(self) -> bool:
        """Whether the group is ours now; False if another worker has it. ``RecordError`` where it cannot be taken."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # a merge has just removed the folder
            return False
        except OSError as error:
            raise RecordError(f"could not create {self.file} ({error}): fix the permissions of the folder") from error
        if not self._lock(descriptor) or self._held_elsewhere(descriptor):
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, platform.node().encode(), 0)
        self._descriptor = descriptor
        self._done.clear()
        threading.Thread(target=self._renew, args=(descriptor,), daemon=True).start()
        return True

    def release(self) -> None:
        """Give the group back."""
        if self._descriptor is not None:
            self._done.set()
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: the time of the file has to do
            return True
        try:  # whoever merged may have deleted the file between our opening and our locking it
            return os.fstat(descriptor).st_ino == self.file.stat().st_ino
        except FileNotFoundError:
            return False

    def _held_elsewhere(self, descriptor: int) -> bool:
        holder = os.pread(descriptor, 256, 0).decode(errors="replace")
        if holder in ("", platform.node()):
            return False
        return self._clock() - os.fstat(descriptor).st_mtime < EXPIRES_S

    def _clock(self) -> float:
        """The time of the machine that keeps the files: clocks of other machines may go wrong."""
        probe = self.file.with_name(f".{platform.node()}.{os.getpid()}.clock")
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink(missing_ok=True)
        return now

    def _renew(self, descriptor: int) -> None:
        while not self._done.wait(HEARTBEAT_S):
            try:
                os.utime(descriptor)
            except OSError:  # released, or the file system is away: the lease expires
                return
