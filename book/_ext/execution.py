"""Run the book's notebooks with papermill, and only those whose inputs changed.

This module knows nothing of Sphinx.  A notebook is a jupytext py:percent file; a run of it leaves two
files in `_build/executed`:

- `NAME.ipynb`, the executed notebook;
- `NAME.json`, its *stamp*: a digest of everything that the run depended on, and when and how long it ran.

A notebook is stale, and runs again, as soon as anything in its stamp no longer holds.

Records (result files) are found by tracing: every kernel gets the environment variable WEIGHTSPACE_TRACE,
the name of a file to which `weightspace.records` appends the path of each record it looks at, present or
not.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

# papermill, jupytext and jupyter_client are imported where a notebook runs: a build with nothing to run
# should not pay for them.

STAMP_FORMAT = 1

#: Installed versions that decide what a notebook computes or draws; a change of any re-runs everything.
VERSIONS = ("matplotlib", "numpy", "pandas", "scipy", "seaborn", "torch")

#: How often one build runs the notebooks whose records change meanwhile, before it leaves them to the next build.
ROUNDS = 3

#: Seconds that outputs may lag behind a cell that has ended: hundreds of numbers on a busy machine take a while.
IOPUB_TIMEOUT = 120

#: Workers run side by side, so each of them computes on one thread.
ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
}


@dataclass(frozen=True)
class Book:
    """What all notebooks of one build have in common."""

    root: Path
    parameters: Mapping[str, object] = field(default_factory=dict)
    timeout: float = 1800.0  # seconds per notebook

    @property
    def executed(self) -> Path:
        return self.root / "_build" / "executed"

    def output(self, source: Path) -> Path:
        return self.executed / f"{source.stem}.ipynb"

    def stamp(self, source: Path) -> Path:
        return self.executed / f"{source.stem}.json"


class NotebookError(Exception):
    """One or more notebooks did not run to their end."""


# --- What a run depends on ------------------------------------------------------------------------------


def text_digest(text: str) -> str:
    """Digest of a source, the same for the file's text and for what Sphinx hands to a parser.

    Sphinx normalises line ends, and adds one at the end of the text.
    """
    return hashlib.sha256("\n".join(text.rstrip().splitlines()).encode()).hexdigest()


def source_digest(source: Path) -> str:
    return text_digest(source.read_text(encoding="utf-8-sig"))


def path_digest(path: Path) -> str | None:
    """Digest of a file's content or a folder's list of names; None where there is neither."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if path.is_dir():
        return hashlib.sha256("\n".join(sorted(p.name for p in path.iterdir())).encode()).hexdigest()
    return None


def package_digest(root: Path) -> str:
    """Digest of the package's code and tables (names and contents)."""
    package = root / "src" / "weightspace"
    digest = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.suffix in {".py", ".csv"}):
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(package).as_posix()} {path_digest(path)}\n".encode())
    return digest.hexdigest()


def installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def common_inputs(book: Book) -> dict[str, object]:
    """Inputs that every notebook of the book depends on."""
    return {
        "stamp format": STAMP_FORMAT,
        "package": package_digest(book.root),
        "lock file": path_digest(book.root / "requirements.lock"),
        "runner": path_digest(Path(__file__)),
        "python": sys.version.split()[0],
        "versions": {name: installed(name) for name in VERSIONS},
    }


def handed(book: Book, accepts: Iterable[str]) -> dict[str, object]:
    """The build's parameters that a notebook accepts, as they come back from a stamp (JSON)."""
    chosen = {name: book.parameters[name] for name in sorted(accepts) if name in book.parameters}
    return json.loads(json.dumps(chosen, default=str))


def load_stamp(book: Book, source: Path) -> dict | None:
    """The stamp of the last completed run; None if there is none that can be read."""
    try:
        stamp = json.loads(book.stamp(source).read_text(encoding="utf-8"))
        return stamp if stamp["inputs"]["stamp format"] == STAMP_FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def why_stale(book: Book, source: Path, common: Mapping[str, object] | None = None) -> str | None:
    """Why a notebook has to run (again), in a few words; None if its last run still holds."""
    stamp = load_stamp(book, source)
    if stamp is None:
        return "no completed run"
    if path_digest(book.output(source)) != stamp["output"]:
        return "executed notebook missing or altered"
    now = {
        **(common_inputs(book) if common is None else common),
        "source": source_digest(source),
        "parameters": handed(book, stamp["accepts"]),
    }
    for name in now | stamp["inputs"]:
        if now.get(name) != stamp["inputs"].get(name):
            return f"{name} changed"
    for name, digest in stamp["records"].items():
        if path_digest(book.root / name) != digest:
            return f"{name} changed"
    return None


# --- One notebook ---------------------------------------------------------------------------------------


class Kernels:
    """The kernels that run at the moment, so that an interrupted build can end them all.

    A kernel is in a session of its own: Ctrl-C in the terminal does not reach it.
    """

    def __init__(self) -> None:
        self._processes: set = set()
        self._lock = threading.Lock()
        self.stopped = False

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
        with self._lock:
            self.stopped = True
            processes = list(self._processes)
        for process in processes:
            self.kill(process)


def kernel_manager(cwd: Path, env: Mapping[str, str], sockets: Path, started: Callable):
    """A kernel manager class for one kernel: this Python, its own environment, its own sockets.

    The environment goes to the kernel's start rather than through os.environ, which all workers share.
    Sockets are files (ipc), because two kernels that start at once can pick the same TCP port.
    """
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(KernelSpecManager):
        # The installed kernel specs may point to another environment.
        def get_kernel_spec(self, kernel_name):
            launch = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=launch, display_name="Python 3", language="python", name=kernel_name)

    class Kernel(AsyncKernelManager):
        def __init__(self, **kwargs):
            if os.name == "posix":
                kwargs["transport"] = "ipc"
            # The sockets are named after the connection file: without one of its own, kernels cross-talk.
            super().__init__(connection_file=str(sockets / "k.json"), kernel_spec_manager=ThisPython(), **kwargs)

        async def start_kernel(self, **kwargs):
            await super().start_kernel(**{**kwargs, "cwd": str(cwd), "env": dict(env)})
            started(self.provisioner.process)

    return Kernel


def short_temporary_directory() -> tempfile.TemporaryDirectory:
    """A private folder whose path leaves room for a socket's name (107 characters in all on Linux)."""
    base = tempfile.gettempdir()
    if len(base) > 60 and os.path.isdir("/tmp"):
        base = "/tmp"
    return tempfile.TemporaryDirectory(prefix="ws-", dir=base, ignore_cleanup_errors=True)


def parameter_names(notebook) -> list[str]:
    """Names assigned at the top level of the cell tagged `parameters`."""
    names = set()
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            try:
                statements = ast.parse(cell.source).body
            except SyntaxError:
                continue  # running the cell reports it, with its place
            for statement in statements:
                targets = getattr(statement, "targets", [getattr(statement, "target", None)])
                names.update(target.id for target in targets if isinstance(target, ast.Name))
    return sorted(names)


def code_cells(text: str, notebook) -> dict[str, str]:
    """For each code cell's id, where it stands: line in the source, number, first line of code."""
    lines = text.splitlines()
    places, number, at = {}, 0, 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        number += 1
        code = cell.source.splitlines() or [""]
        if code[0] in lines[at:]:  # magics are commented out in the source: not found, no line number
            at = lines.index(code[0], at) + 1
            places[cell.id] = f":{at}: code cell {number} (`{code[0].strip()}`)"
        else:
            places[cell.id] = f": code cell {number} (`{code[0].strip()}`)"
    return places


def tidy(notebook) -> None:
    """Remove what differs between two runs without meaning anything: times, paths, random cell ids."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]


def write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def traced_records(root: Path, trace: Path, since: float) -> dict[str, str | None]:
    """Digest of each record that a run looked at, by its path relative to the repository.

    A record that changed since the run began gets no digest but a note that never equals one: whether the run
    saw the old state or the new is not known, even where the run itself wrote it.
    """
    if not trace.exists():
        return {}
    records = {}
    for line in sorted(set(trace.read_text(encoding="utf-8").splitlines())):
        path = Path(line)
        # A file that is renamed into its place keeps its modification time, but changes its status.
        status = path.stat() if path.exists() else None
        changed = status and max(status.st_mtime, status.st_ctime) >= since
        records[Path(os.path.relpath(path, root)).as_posix()] = "changed meanwhile" if changed else path_digest(path)
    return records


def run_notebook(book: Book, source: Path, common: Mapping[str, object], kernels: Kernels) -> float:
    """Run one notebook and publish it with its stamp.  Returns seconds; raises NotebookError."""
    import jupytext
    import nbformat
    from jupyter_core.utils import ensure_event_loop
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    if kernels.stopped:
        raise NotebookError(f"{source.name}: not run, the build was interrupted")
    name = os.path.relpath(source, book.root)
    text = source.read_text(encoding="utf-8-sig")
    notebook = jupytext.reads(text, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    places = code_cells(text, notebook)
    accepts = parameter_names(notebook)
    parameters = handed(book, accepts)
    running: dict = {}  # the cell that runs, the kernel's process, whether time ran out

    def cell_started(cell, cell_index):
        if cell.cell_type == "code":
            running["place"] = places.get(cell.id, ": the cell of injected parameters")

    def failed(error: str) -> NotebookError:
        place = running.get("place", ": before the first code cell")
        detail = "\n".join(f"    {line}" for line in error.splitlines())
        return NotebookError(f"{name}{place}\n{detail}")

    def out_of_time():
        running["timed out"] = True
        kernels.kill(running["process"])

    timer = threading.Timer(book.timeout, out_of_time)
    timer.daemon = True

    def kernel_started(process):
        running["process"] = process
        kernels.add(process)
        timer.start()

    began, start = time.time(), time.perf_counter()
    with short_temporary_directory() as scratch:
        trace = Path(scratch) / "trace"
        env = {
            **os.environ,
            **ONE_THREAD,
            "WEIGHTSPACE_TRACE": str(trace),
            "IPYTHONDIR": str(Path(scratch) / "ipython"),  # nobody's startup files and settings
        }
        try:
            notebook = execute_notebook(
                notebook,
                None,  # papermill would leave a failed notebook there
                parameters=parameters,
                kernel_name="python3",
                language="python",
                progress_bar={"desc": source.stem} if sys.stderr.isatty() else False,
                kernel_manager_class=kernel_manager(book.root, env, Path(scratch), kernel_started),
                shutdown_kernel="immediate",
                iopub_timeout=IOPUB_TIMEOUT,
                on_cell_start=cell_started,
            )
        except PapermillExecutionError as error:
            plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
            raise failed(f"{error.ename}: {error.evalue}\n{plain}".rstrip()) from None
        except Exception as error:  # the kernel died (or was ended), or did not start
            if running.get("timed out"):
                raise failed(f"no end after {book.timeout:g} seconds (weightspace_timeout)") from None
            raise failed(f"{type(error).__name__}: {error}") from error
        finally:
            timer.cancel()
            if "process" in running:
                kernels.discard(running["process"])
            ensure_event_loop().close()  # this thread's, which papermill leaves open
        # papermill takes SystemExit for a regular end, and the rest of the chapter would be missing.
        if any(o.output_type == "error" for cell in notebook.cells for o in cell.get("outputs", [])):
            raise failed("the notebook ended itself (SystemExit)")
        records = traced_records(book.root, trace, began)
    seconds = time.perf_counter() - start

    tidy(notebook)
    executed = nbformat.writes(notebook) + "\n"
    stamp = {
        "inputs": {**common, "source": text_digest(text), "parameters": parameters},
        "accepts": accepts,
        "records": records,
        "output": hashlib.sha256(executed.encode()).hexdigest(),
        "run": {
            "seconds": round(seconds, 1),
            "finished": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
            "python": sys.version.split()[0],
            "torch": installed("torch"),
            "weightspace": installed("weightspace"),
        },
    }
    # The stamp goes first and comes last: whenever this process ends, no stamp vouches for another run.
    book.stamp(source).unlink(missing_ok=True)
    write_atomically(book.output(source), executed)
    write_atomically(book.stamp(source), json.dumps(stamp, indent=1) + "\n")
    return seconds


# --- All notebooks --------------------------------------------------------------------------------------


def workers() -> int:
    """One kernel per core, up to four."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores)


@contextmanager
def termination_unwinds():
    """Let SIGTERM end a build as Ctrl-C does, with its kernels and their processes, not around them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def run_together(book: Book, reasons: Mapping[Path, str], common: Mapping[str, object], report: Callable) -> None:
    """Run notebooks several at a time; raises one NotebookError for all that failed, after the others ran."""
    book.executed.mkdir(parents=True, exist_ok=True)
    for source, reason in reasons.items():
        report(f"{source.stem}: to run, {reason}")
    kernels, failures = Kernels(), []
    with termination_unwinds(), ThreadPoolExecutor(workers()) as pool:
        try:
            futures = {pool.submit(run_notebook, book, source, common, kernels): source for source in reasons}
            for future in as_completed(futures):
                source = futures[future]
                try:
                    report(f"{source.stem}: ran in {future.result():.1f} s")
                except NotebookError as error:
                    # The earlier run is not that of this source: leave nothing that looks like a result.
                    book.stamp(source).unlink(missing_ok=True)
                    book.output(source).unlink(missing_ok=True)
                    report(f"{source.stem}: failed")
                    failures.append(str(error))
        except BaseException:  # Ctrl-C or SIGTERM: end the kernels, then the workers end by themselves
            pool.shutdown(wait=False, cancel_futures=True)
            kernels.stop()
            raise
    if failures:
        raise NotebookError("\n\n".join(failures))


def run_stale(book: Book, sources: Iterable[Path], report: Callable[[str], None] = print) -> list[Path]:
    """Run the stale ones among the notebooks; returns those that ran.

    A notebook may write records that it or another notebook running at the time has read before.  Whoever looked
    at them is stale again and runs once more, so that every page shows the records as they are after the build.
    """
    sources, ran = list(sources), []
    for _ in range(ROUNDS):
        common = common_inputs(book)
        reasons = {source: reason for source in sources if (reason := why_stale(book, source, common))}
        if not reasons:
            break
        run_together(book, reasons, common, report)
        ran += [source for source in reasons if source not in ran]
    return ran
