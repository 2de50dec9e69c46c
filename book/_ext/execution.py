"""Run the book's notebooks with papermill, and only those whose inputs changed.

This module knows nothing of Sphinx.  A notebook is a jupytext py:percent file; a run of it leaves two
files in `_build/executed`:

- `NAME.ipynb`, the executed notebook;
- `NAME.json`, its *stamp*: a digest of everything that the run depended on, and when and how long it ran.

A notebook is stale, and runs again, as soon as anything in its stamp no longer holds.  `dependencies.py` says what
a run depends on, `notebook_kernels.py` how it gets a kernel.  Prose and captions are no part of a run: a page takes
them from the source as it is (`with_prose`), so that who writes a sentence waits for no computation.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dependencies
from dependencies import path_digest, text_digest
from notebook_kernels import ONE_THREAD, WARM_FROM, Kernels, kernel_manager, short_temporary_directory

# papermill, jupytext and jupyter_client are imported where a notebook runs: a build with nothing to run
# should not pay for them.

STAMP_FORMAT = 2

#: How often one build runs the notebooks whose records change meanwhile, before it leaves them to the next build.
ROUNDS = 3

#: Seconds that outputs may lag behind a cell that has ended: hundreds of numbers on a busy machine take a while.
IOPUB_TIMEOUT = 120


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


def common_inputs(book: Book) -> dict[str, object]:
    """Inputs that every notebook of the book depends on.  Raises `dependencies.InstallationError`."""
    here, known = Path(__file__).parent, dependencies.versions()
    return {
        "stamp format": STAMP_FORMAT,
        "installed copy": dependencies.copies(book.root),
        "lock file": path_digest(book.root / "requirements.lock"),
        "runner": dependencies.files_digest(here, (here / name for name in dependencies.RUNNER)),
        "python": sys.version.split()[0],
        "versions": {name: known.get(name) for name in dependencies.RUN_BY},
    }


def code_digest(text: str) -> str:
    """Digest of the code cells of a source with their tags, without prose, captions and blank lines between cells."""
    cells = re.split(r"^(?=# %%)", text, flags=re.MULTILINE)
    code = (re.sub(r" mystnb=.*", "", cell, count=1) for cell in cells if not cell.startswith("# %% [markdown]"))
    return text_digest("\n".join(cell.strip() for cell in code))


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
        "source": code_digest(source.read_text(encoding="utf-8-sig")),
        "parameters": handed(book, stamp["accepts"]),
    }
    for name in now | stamp["inputs"]:
        if now.get(name) != stamp["inputs"].get(name):
            return f"{name} changed"
    name = dependencies.changed(book.root, stamp["used"], dependencies.versions())
    return name and f"{name} changed"


# --- One notebook ---------------------------------------------------------------------------------------


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


def with_prose(executed, text: str):
    """An executed notebook with the prose and the captions of its source as they are now."""
    import jupytext

    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    cells = []
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        if cell.cell_type == "code":
            if "injected-parameters" in ran[0].metadata.get("tags", []):
                cells.append(ran.pop(0))
            ran[0].metadata = cell.metadata
            cell = ran.pop(0)
        cells.append(cell)
    executed.cells = cells + ran
    for number, cell in enumerate(executed.cells):
        cell["id"] = f"cell-{number}"
    return executed


def write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


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
        trace, report = Path(scratch) / "trace", Path(scratch) / "report"
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
                kernel_manager_class=kernel_manager(book.root, env, Path(scratch), report, kernels, kernel_started),
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
        told = json.loads(report.read_text(encoding="utf-8"))
        used = dependencies.used(book.root, told, trace, began)
    seconds = time.perf_counter() - start

    tidy(notebook)
    known = dependencies.versions()
    executed = nbformat.writes(notebook) + "\n"
    stamp = {
        "inputs": {**common, "source": code_digest(text), "parameters": parameters},
        "accepts": accepts,
        "used": used,
        "output": hashlib.sha256(executed.encode()).hexdigest(),
        "run": {
            "seconds": round(seconds, 1),
            "cpu_seconds": round(told["cpu_seconds"], 1),
            "finished": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
            "python": sys.version.split()[0],
            **{name: known.get(name) for name in ("torch", "weightspace")},
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


def longest_first(book: Book, sources: Iterable[Path]) -> list[Path]:
    """A long notebook that starts last leaves the other cores idle.

    Those that never ran come first, from the last chapter to the first: the last one brings everything together.
    """

    def seconds(source: Path) -> float:
        stamp = load_stamp(book, source)
        return stamp["run"]["seconds"] if stamp else math.inf

    return sorted(reversed(list(sources)), key=seconds, reverse=True)


def run_together(book: Book, reasons: Mapping[Path, str], common: Mapping[str, object], report: Callable) -> None:
    """Run notebooks several at a time; raises one NotebookError for all that failed, after the others ran."""
    book.executed.mkdir(parents=True, exist_ok=True)
    for source, reason in reasons.items():
        report(f"{source.stem}: to run, {reason}")
    kernels, failures = Kernels(warm=len(reasons) >= WARM_FROM), []
    with termination_unwinds(), ThreadPoolExecutor(workers()) as pool:
        try:
            order = longest_first(book, reasons)
            futures = {pool.submit(run_notebook, book, source, common, kernels): source for source in order}
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
        except BaseException:  # Ctrl-C or SIGTERM: the kernels are ended, then the workers end by themselves
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            kernels.stop()
    if failures:
        raise NotebookError("\n\n".join(failures))


def run_stale(book: Book, sources: Iterable[Path], report: Callable[[str], None] = print) -> list[Path]:
    """Run the stale ones among the notebooks; returns those that ran.

    A notebook may write records that it or another notebook running at the time has read before.  Whoever looked
    at them is stale again and runs once more, so that every page shows the records as they are after the build.
    """
    sources, ran = list(sources), []
    for _ in range(ROUNDS):
        try:
            common = common_inputs(book)
        except dependencies.InstallationError as error:
            raise NotebookError(str(error)) from None
        reasons = {source: reason for source in sources if (reason := why_stale(book, source, common))}
        if not reasons:
            break
        run_together(book, reasons, common, report)
        ran += [source for source in reasons if source not in ran]
    return ran
