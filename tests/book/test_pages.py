"""The pages of the book that say how it is made are as true as the code that they speak of."""

from __future__ import annotations

import doctest
import re
import tomllib
from xml.etree import ElementTree

import pytest

from weightspace import data

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def tour(root) -> dict[str, str]:
    """The sections of the page with the tour by their numbers, without the fences around code."""
    text = (root / "book" / "how_it_is_made.md").read_text()
    sections = re.split(r"^### (\d)\. .*$", re.sub(r"^```.*$", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    return dict(zip(sections[1::2], sections[2::2]))


def test_the_tour_runs_as_it_stands_and_prints_what_it_says(tour):
    there = any(row["name"] == "wine_quality_white" and row["verified"] for row in data.status())
    needs_data = () if there else ("1", "4")
    text = "".join(section for number, section in tour.items() if number not in needs_data)
    examples = doctest.DocTestParser().get_doctest(text, {}, "how_it_is_made", "how_it_is_made.md", 0)
    said: list[str] = []
    failed, attempted = doctest.DocTestRunner().run(examples, out=said.append)
    assert not failed, "".join(said)
    assert attempted > 20


def test_the_drawing_has_the_layers_that_are_checked(root):
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    drawing = ElementTree.parse(root / "book" / "_static" / "layers.svg").getroot()
    floors = drawing.findall(f"{SVG}g")
    assert [floor.get("data-layer") for floor in floors] == contracts[0]["layers"]
    for floor in floors:
        names = [text.text for text in floor.iter(f"{SVG}text") if text.get("class") == "name"]
        assert sorted(names) == sorted(floor.get("data-layer").split(" | "))
    # The floors lie below each other in this order.
    tops = [float(box.get("y")) for floor in floors for box in floor.iter(f"{SVG}rect")]
    assert tops == sorted(tops)
    # Who does not see it is told the same.
    told = drawing.get("aria-label")
    for layer in contracts[0]["layers"][1:]:
        assert all(re.search(rf"\b{name}\b", told) for name in layer.split(" | ")), layer


def test_the_drawing_marks_the_stops_of_the_tour(root, tour):
    drawing = ElementTree.parse(root / "book" / "_static" / "layers.svg").getroot()
    stops = sorted(text.text for text in drawing.iter(f"{SVG}text") if text.get("class") == "step")
    assert stops == list(tour)


def test_the_cell_that_the_tour_shows_is_there_once(root):
    page = (root / "book" / "how_it_is_made.md").read_text()
    [name] = re.findall(r"^```\{literalinclude\} \.\./(\S+)$", page, re.MULTILINE)
    [start] = re.findall(r"^:start-at: (.*)$", page, re.MULTILINE)
    assert (root / name).read_text().count(start) == 1


def test_the_reference_has_what_the_package_exports(root):
    import weightspace
    from weightspace import experiments

    text = (root / "book" / "api.md").read_text()
    listed = set(re.findall(r"^\.\. auto(?:class|function|exception):: (\w+)$", text, re.MULTILINE))
    assert set(weightspace.__all__) - {"__version__", "records"} <= listed
    assert set(experiments.__all__) <= listed | {"MAX_RUNS"}
