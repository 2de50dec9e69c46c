"""What is read back from a figure is what was drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from weightspace.display import drawn, style


@pytest.fixture
def table():
    figure, (left, right) = plt.subplots(1, 2)
    left.set_title("left", loc="left")
    left.plot([1, 2, 3], [4, 5, 6], color="#1f77c9")
    left.plot([1, 2], [7, 8], "o", label="ours")
    left.vlines([1, 2], [3, 4], [5, 6])
    left.axhline(0)
    left.axvspan(0, 1)
    right.scatter([0, 1], [2, 3], label="dots")
    right.bar([0, 1], [5, 7], width=1)
    right.stairs([1, 2], [0, 1, 2])
    right.fill_between([0, 1], [0, 0], [1, 1])
    right.set_xticks([0, 1], ["mild", "strong"])
    yield drawn.values(figure, {"#1f77c9": "dual"})
    plt.close(figure)


@pytest.mark.parametrize(
    ("panel", "mark", "series", "rows"),
    [
        ("left", "line", "dual", [(1, 4), (2, 5), (3, 6)]),
        ("left", "point", "ours", [(1, 7), (2, 8)]),
        ("left", "interval", "", [(1, 3), (1, 5), (2, 4), (2, 6)]),
        ("2", "point", "dots", [("mild", 2), ("strong", 3)]),
    ],
)
def test_marks_become_rows(table, panel, mark, series, rows):
    own = table[(table["panel"] == panel) & (table["mark"] == mark) & (table["series"] == series)]
    assert list(zip(own["x"], own["y"])) == rows


def test_bars_have_both_ends_and_what_is_no_value_is_left_out(table):
    bars = table[table["mark"] == "bar"]
    heights = [y for _, one in bars.groupby("number") for y in one["y"]]
    assert sorted(heights) == [0, 0, 1, 2, 2, 5, 7]
    assert set(table[table["panel"] == "left"]["mark"]) == {"line", "point", "interval"}
    assert np.isfinite(table["y"].astype(float)).all()


def test_a_key_has_the_line_and_the_marker_of_each_word():
    figure, axes = plt.subplots()
    axes.plot([1, 2], [1, 2], "--s", color="#8f2600", label="by its legend")
    axes.legend()
    axes.plot([1, 2], [3, 4], ":", color="#1f77c9")
    axes.plot([1, 2], [3, 4], "o", color="#1f77c9")
    axes.text(1, 3, "by a word\nbeside it", color="#1f77c9")
    axes.text(1, 3, "another colour", color="#000000")
    found = drawn.key(figure, ["#1f77c9", "#8f2600"])
    assert list(found) == ["by its legend", "by a word beside it"]
    assert found["by its legend"].line == "dashed"
    corners = found["by its legend"].marker.removeprefix("polygon(").removesuffix(")").split(", ")
    assert {"0% 0%", "0% 100%", "100% 0%", "100% 100%"} == set(corners)
    assert found["by a word beside it"] == drawn.Sign("#1f77c9", "dotted", "circle()")
    assert drawn._shape("None") == "none"
    assert all(drawn._shape(marker).startswith("polygon") for marker in (*"sDdpPXHh^v<>*8x+|", 4))
    plt.close(figure)


def test_names_cover_neither_points_nor_each_other():
    figure, axes = plt.subplots(figsize=(7, 4))
    points = [("left of the other", 9.5, 11.2), ("right of it", 11.4, 11.9), ("alone", 2, 2)]
    axes.plot([x for _, x, _ in points], [y for _, _, y in points], "o")
    style.name_points(axes, [(*point, "#000000") for point in points])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == [name for name, *_ in points]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    places = axes.transData.transform([point[1:] for point in points])
    assert not any(box.contains(*place) for box in boxes for place in places)
    assert axes.texts[-1].get_ha() == "left" and axes.texts[-1].get_va() == "bottom"
    plt.close(figure)
