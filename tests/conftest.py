"""What several test files share: the book's own modules, and a way to build a book."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def execution():
    """book/_ext/execution.py, which is not part of the package."""
    spec = importlib.util.spec_from_file_location("execution", ROOT / "book" / "_ext" / "execution.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["execution"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


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
