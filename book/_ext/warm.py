"""The process behind a book's kernels: it imports the heavy libraries once, and every kernel is a fork of it.

    python warm.py                a server: a line of JSON on standard input starts a kernel, its answer is the pid
    python warm.py --once FILE    one kernel, in this process, of a request that is in a file

The package of the book itself is not imported before the fork: a kernel loads it as it is then.  Only imports happen
here, on one thread, because threads do not survive a fork.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

#: What most chapters import, and what takes longest of it.  A name that is not installed is left out.
HEAVY = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "matplotlib.pyplot",
    "myst_nb",
    "numba",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "scipy.optimize",
    "scipy.stats",
    "seaborn",
    "sklearn.datasets",
    "sklearn.model_selection",
    "statsmodels.stats.proportion",
    "torch",
    "torchvision",
    "tqdm",
)


def import_heavy() -> None:
    for name in HEAVY:
        with suppress(ImportError):
            importlib.import_module(name)


def start_kernel(request: dict) -> None:
    from inside_kernel import run_kernel

    os.chdir(request["cwd"])
    run_kernel(request["connection file"], Path(request["root"]), Path(request["report"]))


def become_kernel(request: dict) -> None:
    """In the fork: a session, an environment and streams of its own."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.write(1, f"{os.getpid()}\n".encode())  # to the process that asked
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.environ.clear()
    os.environ.update(request["env"])
    start_kernel(request)


def serve() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended kernels leave no zombies
    import_heavy()
    gc.collect()
    gc.freeze()  # what was imported stays shared memory
    for line in sys.stdin:
        request = json.loads(line)
        if os.fork() == 0:
            status = 1
            try:
                become_kernel(request)
                status = 0
            except SystemExit:
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)


if __name__ == "__main__":
    here = sys.path.pop(0)  # a notebook should not find this folder ...
    sys.path.append(here)
    import inside_kernel  # noqa: F401

    sys.path.pop()  # ... except for this module
    if sys.argv[1:2] == ["--once"]:
        start_kernel(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    else:
        serve()
