"""Figures as they stand in the book: alt text, provenance, colours that the site and the drawings share."""

import itertools
import re
from pathlib import Path
from urllib.parse import unquote

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from weightspace.display import figures, style


@pytest.fixture
def frame():
    frame = pd.DataFrame(
        {
            "seed": [0, 1],
            "run_key": ["a", "b"],
            "device": "cpu: x",
            "versions": "python 3",
            "time": ["2026-01-01T00:00:00+00:00", "2026-01-03T00:00:00+00:00"],
        }
    )
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
    assert "A title to find" in html and "font-family: var(--pst-font-family-base, sans-serif)" in html
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


def animation(**arguments):
    figure, axis = plt.subplots()
    for k in range(3):
        axis.plot([0, k], gid=f"picture-{k}")
        axis.text(0, k, f"number {k}", gid=f"picture-{k}")
    frames = arguments.pop("frames", [f"picture-{k}" for k in range(3)])
    return style.show_animated(figure, "moving", frames, alt="Three pictures", **arguments)._repr_html_()


def test_an_animation_rests_on_its_last_picture_and_needs_no_script():
    html = animation(seconds=0.5)
    parts = re.findall(
        r'<g class="ws-frame" visibility="(\w+)" style="animation-name: ([\w-]+); animation-delay: (\S+)s"', html
    )
    assert len(parts) == 6  # a line and a text each
    rest = {visibility for visibility, _, _ in parts}
    assert rest == {"hidden", "visible"} and sum(visibility == "visible" for visibility, _, _ in parts) == 2
    assert {name for _, name, _ in parts} == {"moving-hidden", "moving-visible"}
    assert "<script" not in html and "picture-" not in html
    assert 'type="checkbox"' in html and html.count('role="img"') == 1


def test_the_pictures_of_an_animation_take_turns():
    """At every time of the cycle exactly one picture shows, in order, the last one longest."""
    html = animation(seconds=0.5)
    total = float(re.search(r"--ws-seconds: ([\d.]+)s", html)[1])
    shares = {
        name: float(share) / 100
        for name, share in re.findall(r"@keyframes (\S+) { 0% { visibility: visible } ([\d.]+)% {", html)
    }
    parts = list(dict.fromkeys(re.findall(r'animation-name: ([\w-]+); animation-delay: (\S+)s"', html)))
    shown = []
    for time in np.arange(0.25, total, 0.5):
        states = [((time - float(delay)) % total) / total < shares[name] for name, delay in parts]
        assert sum(states) == 1
        shown.append(states.index(True))
    assert shown == [0, 1] + [2] * (len(shown) - 2) and len(shown) == 7


def test_a_missing_part_of_an_animation_is_named():
    with pytest.raises(ValueError, match="'moving' has no part with the gid 'picture-9'"):
        animation(frames=["picture-0", "picture-9"])


def test_alt_text_is_required():
    with pytest.raises(ValueError, match="'one' needs an alternative text"):
        drawing(alt=" ")


def test_the_site_knows_every_colour_of_a_method():
    css = (Path(__file__).parents[2] / "book/_static/book.css").read_text()
    light, dark = css.split('html[data-theme="dark"]', 1)
    for method in style.METHODS.values():
        assert re.search(rf"{method.variable}: {method.colour};", light), method
        assert re.search(rf"{method.variable}: #[0-9a-f]{{6}};", dark), method
    for colour, variable in style._VARIABLES.items():
        assert f"{variable}: {colour};" in light and f"{variable}: " in dark


def site_colours(mode):
    css = (Path(__file__).parents[2] / "book/_static/book.css").read_text()
    block = re.search(rf'html\[data-theme="{mode}"\] \{{(.*?)\}}', css, re.DOTALL).group(1)
    return dict(re.findall(r"(--ws-[\w-]+): (#[0-9a-f]{6});", block))


def linear_light(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(light):
    """Coordinates in which equal distances look about equally different (Ottosson, 2020)."""
    to_cones = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
    to_lab = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
              [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip
    return np.array(to_lab) @ np.cbrt(np.array(to_cones) @ light.clip(0, 1))


# What full colour blindness of three kinds makes of linear light (Machado, Oliveira, Fernandes, 2009).
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize(("mode", "page"), [("light", "#ffffff"), ("dark", "#121212")])
def test_colours_read_as_text_and_stay_apart_for_the_colour_blind(mode, page):
    colours = site_colours(mode)
    background = linear_light(page) @ [0.2126, 0.7152, 0.0722]
    for name in colours.keys() - {"--ws-grid"}:  # the grid is meant to stay in the background
        luminance = linear_light(colours[name]) @ [0.2126, 0.7152, 0.0722]
        assert (max(luminance, background) + 0.05) / (min(luminance, background) + 0.05) >= 4.5, name
    together = (  # methods that are drawn in one figure
        ("dual", "dual_stabilized", "gradient_descent", "l2_0.01", "l2_0.1"),
        ("tuned_lr", "tuned_l2", "tuned_l2_squared", "tuned_early_stopping", "tuned_dropout"),
        ("div", "dp", "wd"),
    )
    together = [[style.METHODS[name].variable for name in names] for names in together]
    together += [("--ws-eigenvalues", "--ws-bulk", "--ws-edge", "--ws-tail")]
    together += [("--ws-gradient-descent", "--ws-l2-squared", "--ws-dropout")]  # ways of training, in spectra
    for names in together:
        for one, other in itertools.combinations(names, 2):
            a, b = (linear_light(colours[name]) for name in (one, other))
            for kind, seen in VISION.items():
                assert np.linalg.norm(oklab(seen @ a) - oklab(seen @ b)) > 0.07, (one, other, kind)


def test_labels_are_moved_apart_and_keep_their_order():
    spread = figures.curves._spread_labels(pd.Series([0.5, 0.5, 0.9, 0.52]).to_numpy(), 0.1)
    ordered = sorted(spread)
    assert min(b - a for a, b in itertools.pairwise(ordered)) > 0.0999
    assert spread[2] == max(spread) and spread[3] > min(spread)


def test_tables_show_numbers_and_provenance(frame):
    table = pd.DataFrame({"name": ["a", "a", "b"], "x": [1.2345, 2.0, float("inf")], "n": [3, 3, 3]})
    html = style.table(table, decimals=1, frame_of=frame, note="a < b")._repr_html_()
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    assert rows == [
        '<th>name</th><th class="ws-number">x</th><th class="ws-number">n</th>',
        '<td>a</td><td class="ws-number">1.2</td><td class="ws-number">3</td>',
        '<td></td><td class="ws-number">2.0</td><td class="ws-number">3</td>',  # a repeated name is left out
        '<td>b</td><td class="ws-number">inf</td><td class="ws-number">3</td>',
    ]
    assert "a &lt; b" in html and "scale paper" in html


def test_a_column_across_the_table_starts_a_new_part():
    frame = pd.DataFrame({"claim": ["one", "one", "two"], "method": ["a", "a", "a"], "verdict": ["x", "y", "y"]})
    html = style.table(frame, across="claim")._repr_html_()
    assert re.findall(r"<tr>(.*?)</tr>", html) == [
        "<th>method</th><th>verdict</th>",
        '<td class="ws-across" colspan="2"><div>one</div></td>',
        "<td>a</td><td>x</td>",
        "<td></td><td>y</td>",
        '<td class="ws-across" colspan="2"><div>two</div></td>',
        "<td>a</td><td>y</td>",
    ]


def test_a_figure_says_how_it_was_made_and_gives_its_values_away(frame):
    html = drawing(frame=frame)
    source = re.search(r"<details.*?</details>", html, re.S)[0]
    assert 'href="../records/paper/dual_regression.parquet"' in source
    address = re.search(r'download="one\.csv" href="data:text/csv;charset=utf-8,([^"]*)"', source)[1]
    assert unquote(address).splitlines()[:2] == ["panel,series,mark,number,x,y", "A title to find,dual,line,0,0,0"]
    assert "<pre>" not in source  # no notebook runs here: the tests of the chapters see its lines


def test_colours_and_the_order_of_categories_are_said_once():
    for source in (Path(style.__file__).parent / "figures").glob("*.py"):
        text = source.read_text(encoding="utf-8")
        assert not re.search(r"#[0-9a-f]{6}\b", text), source.name
        assert not re.search(r'"dp", "wd", "div"|"div", "dp", "wd"|"wd", "dp"|"wd", "div"', text), source.name


def test_a_negative_number_has_a_minus_sign_also_as_a_tick():
    minus = "\N{MINUS SIGN}"
    assert style.signed(-1.25, form=".1f") == f"{minus}1.2"
    assert (style.signed(-2.0), style.signed(3)) == (f"{minus}2", "3")
    figure, axis = plt.subplots()
    axis.set_xlim(-1, 1)
    axis.set_xticks([-1, 0, 1])
    axis.xaxis.set_major_formatter(style.signed)
    assert [tick.get_text() for tick in axis.get_xticklabels()] == [f"{minus}1", "0", "1"]
    plt.close(figure)


def test_no_letter_of_a_wide_figure_is_too_small_to_read():
    for width in (5, 12):
        figure, axis = plt.subplots(figsize=(width, 3))
        axis.set_xticks([0, 1], ["a", "b"], fontsize=4)
        axis.text(0, 0, "small", fontsize=4)
        html = style.show(figure, "one", alt="Letters")._repr_html_()
        shown = min(1, style._COLUMN / (96 * width)) * 96 / 72
        sizes = [float(size) * shown for size in re.findall(r"font-size: ([\d.]+)px", html)]
        assert sizes and min(sizes) >= 9 - 1e-3
        least = float(re.search(r"--ws-least: (\d+)px", html)[1])  # a narrow page makes it no smaller than this
        assert min(sizes) / shown * least / (72 * width) == pytest.approx(9, rel=0.01)


def key_of(figure) -> list[tuple[str, str]]:
    html = style.show(figure, "one", alt="A drawing")._repr_html_()
    return re.findall(r'<span style="--colour: ([^";]*); --line: [^"]*">([^<]*)</span>', html)


def test_a_key_says_what_the_legend_and_words_in_colour_say():
    dual, other = style.METHODS["dual"], style.METHODS["gradient_descent"]
    figure, axis = plt.subplots()
    axis.plot([0, 1], color=dual.colour, label="dual & more")
    axis.legend()
    axis.text(1, 1, "gradient\ndescent", color=other.colour)
    axis.text(0, 1, "0.3", color=other.colour)  # a number
    axis.text(0, 0, "a remark")  # in the colour of all text
    style.name_points(axis, [("a point", 0.5, 0.5, dual.colour)])
    assert key_of(figure) == [
        (f"var({dual.variable}, {dual.colour})", "dual &amp; more"),
        (f"var({other.variable}, {other.colour})", "gradient descent"),
    ]


def test_panels_with_legends_of_their_own_and_single_colours_have_no_key():
    figure, axes = plt.subplots(2)
    for axis in axes:
        axis.plot([0, 1], color="red", label="a")
        axis.plot([1, 0], color="green", label="b")
        axis.legend()
    assert key_of(figure) == []
    figure, axis = plt.subplots()
    axis.plot([0, 1], label="a")
    axis.legend()
    assert key_of(figure) == []
