"""Kernels for the notebooks of one build: how they start, and that none outlives the build.

Where there are several notebooks to run, kernels are forks of a process that has imported the heavy libraries
(`warm.py`): a chapter's imports take longer than most chapters.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

#: Workers run side by side, so each of them computes on one thread.
ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
}

#: As many notebooks that have to run make a warm process worth its start.
WARM_FROM = 4

LAUNCH = (sys.executable, "-Xfrozen_modules=off", str(Path(__file__).with_name("warm.py")))


class Fork:
    """A kernel that is a child of the warm process, with the methods of `subprocess.Popen` that its manager uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            self.returncode = 0  # what it was, only its parent knows
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("kernel", timeout)
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Warm:
    """The process that kernels are forked from.  It ends with its standard input, so it cannot outlive the build."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            LAUNCH,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # matplotlib reads its backend when it is imported.
            env={**os.environ, **ONE_THREAD, "MPLBACKEND": "module://matplotlib_inline.backend_inline"},
            start_new_session=True,  # Ctrl-C in the terminal does not reach it
        )

    def start(self, request: Mapping[str, object]) -> Fork:
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that kernels are forked from has ended")
        return Fork(int(answer))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                stream.close()


class Kernels:
    """The kernels that run at the moment, so that an interrupted build can end them all.

    A kernel is in a session of its own: Ctrl-C in the terminal does not reach it.
    """

    def __init__(self, warm: bool = False) -> None:
        self._processes: set = set()
        self._lock = threading.Lock()
        self.stopped = False
        self.warm = Warm() if warm and sys.platform == "linux" else None

    def add(self, process) -> None:
        with self._lock:
            self._processes.add(process)
            late = self.stopped
        if late:  # the build was interrupted while this kernel started
            self.kill(process)

    def discard(self, process) -> None:
        with self._lock:
            self._processes.discard(process)

    def kill(self, process) -> None:
        if process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever the notebook started
            else:
                process.kill()

    def stop(self) -> None:
        """End all kernels, running ones too."""
        with self._lock:
            self.stopped = True
            processes = list(self._processes)
        for process in processes:
            self.kill(process)
        if self.warm:
            self.warm.stop()


def kernel_manager(
    root: Path, env: Mapping[str, str], scratch: Path, report: Path, kernels: Kernels, started: Callable
):
    """A kernel manager class for one kernel: this Python, its own environment, its own sockets.

    The environment goes to the kernel's start rather than through os.environ, which all workers share.
    Sockets are files (ipc), because two kernels that start at once can pick the same TCP port.
    """
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    request = {
        # The sockets are named after the connection file: without one of its own, kernels cross-talk.
        "connection file": str(scratch / "k.json"),
        "root": str(root),
        "report": str(report),
        "cwd": str(root),
    }

    class ThisPython(KernelSpecManager):
        # The installed kernel specs may point to another environment.
        def get_kernel_spec(self, kernel_name):
            launch = [*LAUNCH, "--once", str(scratch / "request")]
            return KernelSpec(argv=launch, display_name="Python 3", language="python", name=kernel_name)

    class Kernel(AsyncKernelManager):
        def __init__(self, **kwargs):
            if os.name == "posix":
                kwargs["transport"] = "ipc"
            specs = ThisPython()
            super().__init__(connection_file=request["connection file"], kernel_spec_manager=specs, **kwargs)

        async def _async_launch_kernel(self, command, **kwargs):
            if kernels.warm is None:
                (scratch / "request").write_text(json.dumps(request), encoding="utf-8")
                await super()._async_launch_kernel(command, **kwargs)
                return
            here = self.provisioner
            here.process = kernels.warm.start({**request, "env": dict(env)})
            here.pid = here.pgid = here.process.pid
            self._reconcile_connection_info(here.connection_info)

        async def start_kernel(self, **kwargs):
            await super().start_kernel(**{**kwargs, "cwd": str(root), "env": dict(env)})
            started(self.provisioner.process)

    return Kernel


def short_temporary_directory() -> tempfile.TemporaryDirectory:
    """A private folder whose path leaves room for a socket's name (107 characters in all on Linux)."""
    base = tempfile.gettempdir()
    if len(base) > 60 and Path("/tmp").is_dir():
        base = "/tmp"
    return tempfile.TemporaryDirectory(prefix="ws-", dir=base, ignore_cleanup_errors=True)
