"""What several test files share: the book's own modules, and a way to build a book."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]


sys.path.insert(0, str(ROOT / "book" / "_ext"))

import execution as EXECUTION  # noqa: E402 the book's own module, which is no part of the package

# Several workers share the cores: threads that wait for each other take ten times as long as one alone. Set before
# anything imports numpy or PyTorch; kernels and other processes that a test starts inherit it.
for name, number in EXECUTION.ONE_THREAD.items():
    os.environ.setdefault(name, number)

# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# The same cases in every run, so that a run tells what a change did. Others: HYPOTHESIS_PROFILE=search make test
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("search", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


LONG = ("notebooks_training", "book_build", "executors", "settings_diversity", "settings", "site", "notebooks")
"""Test files that take a minute or more. They start first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {f"test_{name}": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def execution():
    """The module that executes the notebooks of the book."""
    return EXECUTION


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """An empty folder in place of the committed records."""
    monkeypatch.setenv("WEIGHTSPACE_RESULTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def fresh_problems() -> Iterator[None]:
    """No data set of another test is left loaded, and none of this one."""
    from weightspace.experiments.dual_weights import protocol

    protocol.load_problem.cache_clear()
    yield
    protocol.load_problem.cache_clear()


@pytest.fixture(scope="module")
def generator_cache(tmp_path_factory):
    """An empty folder in place of the user's cache of synthetic images."""
    from weightspace.experiments.diversity.compute import image_generator  # PyTorch: takes seconds

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_generator, "cache_folder", lambda: folder)
        yield folder


@pytest.fixture(scope="session")
def build_book():
    """Run `jupyter-book build` in another process, with this Python; returns it completed, output as text."""

    def build(book: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(book)]
        return subprocess.run(
            [*command, *arguments],
            env={**os.environ, "NO_COLOR": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return build


@pytest.fixture(scope="session")
def browser():
    """An installed Chromium, driven by Playwright; without one the test is skipped."""
    api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no browser installed: none of {', '.join(names)} is on the path")
    silent = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *silent])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def run_chapter(tmp_path_factory):
    """Run a chapter with papermill at the quick scale: no data set is needed, and no record.

    One kernel serves all chapters of a file, started by the first: a run at the quick scale costs less than what it
    imports. afresh: every run is computed for this chapter, else what an earlier one of the file has left is used.
    Returns the HTML of the page.
    """
    import jupytext  # most tests do not need these
    import nbformat
    import papermill
    from jupyter_client.manager import AsyncKernelManager

    from weightspace import experiments

    folder = tmp_path_factory.mktemp("chapters")
    results = folder / "results"
    manager = AsyncKernelManager(kernel_name="python3")

    def run(chapter: str, afresh: bool = True) -> str:
        if afresh:
            shutil.rmtree(results, ignore_errors=True)
        notebook = jupytext.read(ROOT / f"notebooks/{chapter}.py")
        notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))  # no name of another chapter helps this one
        jupytext.write(notebook, folder / "chapter.ipynb")
        executed = papermill.execute_notebook(
            folder / "chapter.ipynb",
            folder / "out.ipynb",
            {"scale": "quick", "recompute": afresh},
            kernel_name="python3",
            language="python",
            progress_bar=False,
            km=manager,
            iopub_timeout=EXECUTION.IOPUB_TIMEOUT,
        )
        outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
        printed = "".join(output.get("text", "") for output in outputs if output.output_type == "stream")
        written = {path.stem for path in (results / "quick").iterdir() if path.suffix in (".parquet", ".parts")}
        assert written
        for name in written if afresh else ():
            runs = len(experiments.planned(name, "quick"))
            assert f"{name}: computed {runs} runs at scale quick on cpu" in printed
        return "".join(o["data"].get("text/html", "") for o in outputs if o.output_type == "execute_result")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIGHTSPACE_RESULTS", str(results))
        yield run
    if manager.has_kernel:
        asyncio.run(manager.shutdown_kernel(now=True))
