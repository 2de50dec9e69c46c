"""What a kernel of the book does beside running a notebook: it reports what it used, and it cuts endless output.

The report is a JSON file, written anew after each cell:

- `files`: files of the checkout, of the records and of the data that were opened for reading, present or not;
- `modules`: the loaded modules that lie in the checkout or belong to a package of its `src`, with their files;
- `packages`: top-level names of all other modules that were loaded and do not come with Python;
- `settings`: the environment variables WEIGHTSPACE_* that were looked up;
- `cpu_seconds`: of the kernel, without what it started.

Libraries that open files without Python are not seen: `weightspace.campaigns.records` appends what it asks for to the
file that WEIGHTSPACE_TRACE names.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

#: Characters that the text of one cell may have, and the sum of what it displays (figures are up to some megabytes).
TEXT_LIMIT = 100_000
DISPLAY_LIMIT = 30_000_000

#: What one more display costs beside its characters: a million empty ones are too many as well.
DISPLAY_COST = 1_000

#: Folders of a checkout that are no input: what is made from it, and what the version control keeps.
MADE = frozenset({"_build", ".git", "__pycache__", ".ipynb_checkpoints"})

PREFIX = "WEIGHTSPACE_"
TRACE = "WEIGHTSPACE_TRACE"


def own_packages(root: Path) -> set[str]:
    """Names of the packages in the checkout's `src`."""
    return {path.parent.name for path in (root / "src").glob("*/__init__.py")}


class Usage:
    """What the kernel used so far."""

    def __init__(self, root: Path, report: Path):
        self.root = os.path.realpath(root)
        self.report = report
        self.own = own_packages(root)
        folders = (os.environ.get(name) for name in ("WEIGHTSPACE_RESULTS", "WEIGHTSPACE_DATA"))
        self.inside = tuple(os.path.realpath(f) + os.sep for f in (self.root, *filter(None, folders)))
        self.outside = tuple(os.path.realpath(f) + os.sep for f in (sys.prefix, sys.base_prefix, Path(__file__).parent))
        self.files: set[str] = set()
        self.settings: set[str] = set()
        self.modules: dict[str, str] = {}
        self.packages: set[str] = set()
        self.known: dict[str, str | None] = {}  # the files of the modules that were looked at

    def is_input(self, path: str) -> bool:
        return (
            path.startswith(self.inside)
            and not path.startswith(self.outside)
            and MADE.isdisjoint(os.path.dirname(path).split(os.sep))
        )

    def audit(self, event: str, arguments: tuple) -> None:
        """An audit hook: Python calls it before a file is opened, whether there is one or not."""
        if event != "open":
            return
        path, _, flags = arguments
        if not isinstance(path, str | bytes) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        path = os.path.realpath(os.fsdecode(path))
        if path.endswith(".pyc"):
            try:
                path = importlib.util.source_from_cache(path)
            except ValueError:
                return
        if self.is_input(path):
            self.files.add(path)

    def watch_settings(self) -> None:
        environment = type(os.environ)
        look_up = environment.__getitem__

        def noted(this, name):
            if isinstance(name, str) and name.startswith(PREFIX) and name != TRACE:
                self.settings.add(name)
            return look_up(this, name)

        environment.__getitem__ = noted

    def look_at_modules(self) -> None:
        """Note the modules that have been loaded since the last look: thousands were there before, at every cell."""
        # A copy in one step: collecting garbage meanwhile, or another thread, may import something.
        for name, module in sys.modules.copy().items():
            file, top = getattr(module, "__file__", None), name.partition(".")[0]
            if self.known.get(name, "") == file:
                continue
            self.known[name] = file
            if not isinstance(file, str) or not os.path.isabs(file):
                continue
            if top in self.own or self.is_input(os.path.realpath(file)):
                self.modules[name] = os.path.realpath(file)
            elif top not in sys.stdlib_module_names:
                self.packages.add(top)

    def write(self, *_) -> None:
        self.look_at_modules()
        report = {
            "files": sorted(self.files.copy()),
            "modules": self.modules,
            "packages": sorted(self.packages),
            "settings": sorted(self.settings.copy()),
            "cpu_seconds": time.process_time(),
        }
        with open(self.report, "w", encoding="utf-8") as file:
            json.dump(report, file)


class Budget:
    """What the running cell may still put out: passes messages on, shortened or replaced by a line that says so."""

    def __init__(self) -> None:
        self.refill()

    def refill(self, *_) -> None:
        self.left = {"text": TEXT_LIMIT, "display": DISPLAY_LIMIT}

    def cut(self, kind: str, content: dict) -> dict | None:
        """The content to send instead; None: nothing more."""
        if kind == "stream":
            limit, cost = TEXT_LIMIT, len(content["text"])
        elif kind in ("display_data", "update_display_data", "execute_result"):
            limit, cost = DISPLAY_LIMIT, DISPLAY_COST + sum(len(v) for v in _texts(content["data"].values()))
        else:
            return content
        purse = "text" if kind == "stream" else "display"
        left = self.left[purse]
        if left <= 0:
            return None
        self.left[purse] = left - cost
        if cost <= left:
            return content
        self.left[purse] = 0
        note = f"[the output of this cell was cut here: more than {limit:,} characters]\n"
        if kind == "stream":
            return {**content, "text": f"{content['text'][:left]}\n{note}"}
        return {**content, "data": {"text/plain": note}, "metadata": {}}


def _texts(values: Iterable[object]) -> Iterable[str]:
    return (value if isinstance(value, str) else json.dumps(value, default=str) for value in values)


def limit_output(session, events) -> None:
    """Let all messages of a kernel's session pass a budget that every cell gets anew."""
    budget, send = Budget(), session.send

    def limited(stream, message, content=None, *arguments, **options):
        kind, shown = (message["msg_type"], message["content"]) if isinstance(message, dict) else (message, content)
        passed = budget.cut(kind, shown)
        if passed is None:
            return None
        if passed is not shown:
            if isinstance(message, dict):
                message = {**message, "content": passed}
            else:
                content = passed
        return send(stream, message, content, *arguments, **options)

    session.send = limited
    events.register("pre_run_cell", budget.refill)


def run_kernel(connection_file: str, root: Path, report: Path) -> None:
    """Be a kernel, until it is ended."""
    from ipykernel.kernelapp import IPKernelApp

    usage = Usage(root, report)
    app = IPKernelApp.instance()
    parent = f"--IPKernelApp.parent_handle={os.getppid()}"  # the kernel ends when its parent does
    # No history: it is a database with a thread of its own.
    app.initialize(["-f", connection_file, parent, "--HistoryManager.enabled=False"])
    limit_output(app.session, app.shell.events)
    app.shell.events.register("post_run_cell", usage.write)
    usage.watch_settings()
    sys.addaudithook(usage.audit)
    usage.write()
    app.start()
