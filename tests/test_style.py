"""Figures as they stand in the book: alt text, provenance, colours that the site and the drawings share."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from weightspace import plots, style


@pytest.fixture
def frame():
    frame = pd.DataFrame({"seed": [0, 1], "run_key": ["a", "b"], "device": "cpu: x", "versions": "python 3",
                          "time": ["2026-01-01T00:00:00+00:00", "2026-01-03T00:00:00+00:00"]})  # fmt: skip
    frame.attrs = {"experiment": "dual_regression", "scale": "paper"}
    return frame


def drawing(name="one", **arguments):
    figure, axis = plt.subplots()
    axis.plot([0, 1], [0, 1], color=style.METHODS["dual"].colour)
    axis.set_title("A title to find")
    return style.show(figure, name, alt=arguments.pop("alt", 'A "line" & more'), **arguments)._repr_html_()


def test_a_figure_has_alt_text_searchable_text_and_page_colours(frame):
    html = drawing(note="n = 2 seeds", frame=frame)
    assert 'role="img"' in html and 'aria-label="A &quot;line&quot; &amp; more"' in html
    assert "A title to find" in html
    assert "var(--ws-dual, #1f77c9)" in html and "var(--ws-ink, " in html
    assert not re.search(r"(?<!, )#1f77c9", html)
    assert "n = 2 seeds" in html
    for part in ("dual_regression", "scale paper", "2 seeds", "cpu: x", "python 3", "2026-01-01 to 2026-01-03"):
        assert part in html
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|<!DOCTYPE[^>]*>|<metadata>.*?</metadata>', "", html, flags=re.S)


def test_a_reduced_scale_says_so(frame):
    frame.attrs["scale"] = "quick"
    assert "a reduced scale" in drawing(frame=frame)


def test_identifiers_differ_between_figures_and_drawings_repeat():
    one, two = drawing("one"), drawing("two")
    ids = [set(re.findall(r'\bid="([^"]+)"', html)) for html in (one, two)]
    assert ids[0] and not ids[0] & ids[1]
    references = re.findall(r'(?:href="#|url\(#)([^")]+)', one)
    assert references and set(references) <= ids[0]
    assert drawing("one") == one


def test_alt_text_is_required():
    with pytest.raises(ValueError, match="'one' needs an alternative text"):
        drawing(alt=" ")


def test_the_site_knows_every_colour_of_a_method():
    css = (Path(__file__).parents[1] / "book/_static/book.css").read_text()
    light, dark = css.split('html[data-theme="dark"]', 1)
    for method in style.METHODS.values():
        assert re.search(rf"{method.variable}: {method.colour};", light), method
        assert re.search(rf"{method.variable}: #[0-9a-f]{{6}};", dark), method
    for colour, variable in {style.INK: "--ws-ink", style.MUTED: "--ws-muted", style.GRID: "--ws-grid"}.items():
        assert f"{variable}: {colour};" in light


def test_labels_are_moved_apart_and_keep_their_order():
    spread = plots._spread_labels(pd.Series([0.5, 0.5, 0.9, 0.52]).to_numpy(), 0.1)
    ordered = sorted(spread)
    assert min(b - a for a, b in zip(ordered, ordered[1:])) > 0.0999
    assert spread[2] == max(spread) and spread[3] > min(spread)


def test_tables_show_numbers_and_provenance(frame):
    table = pd.DataFrame({"name": ["a", "a", "b"], "x": [1.2345, 2.0, float("inf")], "n": [3, 3, 3]})
    html = style.table(table, decimals=1, frame_of=frame, note="a < b")._repr_html_()
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    assert rows == [
        '<th>name</th><th class="ws-number">x</th><th class="ws-number">n</th>',
        '<td>a</td><td class="ws-number">1.2</td><td class="ws-number">3</td>',
        '<td></td><td class="ws-number">2.0</td><td class="ws-number">3</td>',  # the repeated name is left out, numbers never
        '<td>b</td><td class="ws-number">inf</td><td class="ws-number">3</td>',
    ]
    assert "a &lt; b" in html and "scale paper" in html
