"""The numbers that a figure shows, read back from its marks: what a reader takes away as a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.ticker import FixedLocator


def values(figure: Figure, names: Mapping[str, str]) -> pd.DataFrame:
    """A row per point of lines, points, bars and intervals: panel, series, mark, number, x, y.

    panel: the title of the axes, or their number; series: the label of the mark, or what ``names`` has for its colour.
    number: tells marks of one kind apart; an interval is two rows of one number, a line as many as it has points. Where
    an axis names places, such as settings, the name stands in the place of the coordinate. What reaches across the
    axes, such as the line at zero, pictures and bands are left out.
    """
    rows = []
    for place, axes in enumerate(figure.axes, 1):
        panel = axes.get_title(loc="left") or axes.get_title() or str(place)
        places = [_ticks(axis) for axis in (axes.xaxis, axes.yaxis)]
        for number, (artist, mark, points) in enumerate(_marks(axes)):
            series = _series(artist, names)
            rows += [(panel, series, mark, number, *(n.get(v, v) for n, v in zip(places, xy))) for xy in points]
    return pd.DataFrame(rows, columns=["panel", "series", "mark", "number", "x", "y"])


@dataclass(frozen=True)
class Sign:
    """How a figure shows something: its colour, its line as a border style of CSS, its marker as a shape of CSS."""

    colour: str
    line: str = "none"
    marker: str = "none"


_LINES = {"-": "solid", "--": "dashed", "-.": "dashed", ":": "dotted"}


NAME = "_name of one point"
"""The label of a text that names its point and says nothing of what a colour means. Legends pass over it."""


def key(figure: Figure, colours: Collection[str]) -> dict[str, Sign]:
    """What signs mean in a figure, by its legend or by words in one of ``colours`` beside the marks: word -> sign.

    Nothing for a figure whose panels have legends of their own.
    """
    found: dict[str, Sign] = {}
    legends = figure.findobj(Legend)
    if len(legends) > 1:
        return found
    for legend in legends:
        for handle, text in zip(legend.legend_handles, legend.get_texts()):
            if sign := _sign(handle):
                found.setdefault(text.get_text(), sign)
    drawn = [sign for axes in figure.axes for artist in (*axes.lines, *axes.collections) if (sign := _sign(artist))]
    for axes in figure.axes:
        for text in axes.texts:
            word, colour = " ".join(text.get_text().split()), to_hex(text.get_color())
            if colour in colours and word[:1].isalpha() and text.get_label() != NAME:
                found.setdefault(word, _together(colour, [sign for sign in drawn if sign.colour == colour]))
    return found


def _sign(artist: Artist) -> Sign | None:
    colour = _colour(artist)
    if isinstance(artist, Line2D):
        sign = Sign(colour, _LINES.get(artist.get_linestyle(), "none"), _shape(artist.get_marker()))
    elif isinstance(artist, LineCollection):
        sign = Sign(colour, "solid")
    else:
        sign = Sign(colour, marker=_shape("o" if isinstance(artist, PathCollection) else "s"))
    return sign if colour else None


def _together(colour: str, signs: Sequence[Sign]) -> Sign:
    """A line and markers of one colour, often drawn apart; a square where there is neither."""
    line = next((sign.line for sign in signs if sign.line != "none"), "none")
    marker = next((sign.marker for sign in signs if sign.marker != "none"), "none")
    return Sign(colour, line, marker) if signs else Sign(colour, marker=_shape("s"))


def _shape(marker: object) -> str:
    """A marker of Matplotlib as a shape of CSS, which fills areas: strokes become bars and crosses with arms."""
    if marker == "o":
        return "circle()"
    if marker == "|":
        return "polygon(35% 0%, 65% 0%, 65% 100%, 35% 100%)"
    style = MarkerStyle({"x": "X", "+": "P"}.get(str(marker), marker))  # type: ignore[arg-type]
    outlines = style.get_path().transformed(style.get_transform()).to_polygons()
    if not outlines:
        return "none"
    reach = np.abs(outlines[0]).max()
    return f"polygon({', '.join(f'{50 + 50 * x / reach:.0f}% {50 - 50 * y / reach:.0f}%' for x, y in outlines[0])})"


def _marks(axes: Axes) -> list[tuple[Artist, str, list[tuple[float, float]]]]:
    found: list[tuple[Artist, str, list[tuple[float, float]]]] = []
    for line in axes.lines:
        if all(line.get_transform().contains_branch_seperately(axes.transData)):
            alone = line.get_linestyle() == "None"
            found.append((line, "point" if alone else "line", _pairs(line.get_xydata())))
    for collection in axes.collections:
        if isinstance(collection, PathCollection):
            found.append((collection, "point", _pairs(collection.get_offsets())))
        elif isinstance(collection, LineCollection):
            found += [(collection, "interval", _pairs(segment)) for segment in collection.get_segments()]
    for patch in axes.patches:
        if isinstance(patch, StepPatch):
            heights, edges, _ = patch.get_data()
            found.append((patch, "bar", _pairs(zip(edges, [*heights, heights[-1]]))))
        elif isinstance(patch, Rectangle) and all(patch.get_transform().contains_branch_seperately(axes.transData)):
            found.append((patch, "bar", [patch.get_xy(), (patch.get_x() + patch.get_width(), patch.get_height())]))
    return found


def _pairs(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]


def _series(artist: Artist, names: Mapping[str, str]) -> str:
    label = str(artist.get_label())
    if label and not label.startswith("_"):
        return label
    return names.get(_colour(artist), "")


def _colour(artist: Artist) -> str:
    """The colour of a mark; empty for one of several colours."""
    colour = getattr(artist, "get_color", None) or artist.get_facecolor
    try:
        return str(to_hex(colour()))
    except ValueError:
        return ""


def _ticks(axis: Axis) -> dict[float, str]:
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return {}
    texts = (label.get_text() for label in axis.get_ticklabels())
    return {float(at): text for at, text in zip(axis.get_ticklocs(), texts) if any(map(str.isalpha, text))}
