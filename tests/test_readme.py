"""The README: its quick start runs as it stands, here and in the book, and every link works wherever it is shown."""

import re
import shlex
from pathlib import Path

import jupytext
import pytest

from weightspace.__main__ import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
QUICK_START = README.split("\n## Quick start\n")[1].split("\n## ")[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", QUICK_START, re.MULTILINE | re.DOTALL)


def test_the_quick_start_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(block, names)
    printed = capsys.readouterr().out
    found = re.search(r"mean squared error (\d\.\d+); of the mean of the training targets (\d\.\d+)", printed)
    said = re.search(r"an error of (\d\.\d+) where the mean of the targets has (\d\.\d+)", README)
    assert [float(x) for x in found.groups()] == pytest.approx([float(x) for x in said.groups()], abs=0.02)
    assert names["error"] < 0.5 * names["of_the_mean"]
    commands = re.findall(r"^\$ weightspace (.*?) *(?:#.*)?$", "".join(blocks("console")), re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert main(shlex.split(command)) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "model.pt", "report.csv", "report.layers.png", "report.esd.png",
    }  # fmt: skip


def test_the_page_of_the_book_has_the_same_quick_start():
    cells = [cell.source.strip() for cell in jupytext.read(ROOT / "notebooks" / "19_use_it.py").cells]
    for block in blocks("python")[:2]:
        assert block.strip() in cells


def test_every_answer_in_the_book_is_held_by_a_test():
    rows = re.findall(r"^\| (?!Asked|---)(.*) \|$", (ROOT / "book" / "questions.md").read_text(), re.MULTILINE)
    assert len(rows) > 10
    for row in rows:
        asked, _, test = row.split(" | ")
        file, name = test.strip("`").split("::")
        assert "https://github.com/" in asked and f"\ndef {name}(" in (ROOT / file).read_text(), row


def test_links_work_wherever_the_text_is_shown():
    """A page of a package index has no files beside it."""
    assert all(link.startswith("https://") for link in re.findall(r"\]\(([^)]*)\)", README))
    assert len(README.splitlines()) < 150
