"""How figures and tables look and what stands under them: one colour per method, alt text, provenance.

Figures go into the page as inline SVG whose colours are CSS variables of the site (with the light colours as
fallback), so that one drawing serves light and dark pages and its text can be searched.
"""

from __future__ import annotations

import html
import io
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

import pandas as pd

from weightspace import extras

extras.need("plots", "matplotlib", "seaborn")
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from weightspace.display import drawn


class HTML:
    """Text that a notebook shows as HTML."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return self.text


def stacked(*shown: HTML) -> HTML:
    """Tables below each other: a cell of a notebook shows its last value alone."""
    return HTML("".join(each.text for each in shown))


INK, MUTED, GRID = "#222832", "#5a6472", "#dde1e6"


@dataclass(frozen=True)
class MethodStyle:
    """Name in figures, colour on a light page, name of the CSS variable that holds it, line and marker."""

    label: str
    colour: str
    variable: str
    dash: str | tuple
    marker: str


METHODS = {
    "dual": MethodStyle("dual", "#1f77c9", "--ws-dual", "-", "o"),
    "dual_stabilized": MethodStyle("dual, stabilized", "#004d40", "--ws-dual-stabilized", "-", "D"),
    "gradient_descent": MethodStyle("gradient descent", "#8f2600", "--ws-gradient-descent", "--", "s"),
    "l2_0.01": MethodStyle("L2 0.01", "#8a7100", "--ws-l2-weak", "--", "^"),
    "l2_0.1": MethodStyle("L2 0.1", "#c2188f", "--ws-l2-strong", "--", "v"),
}
METHODS |= {
    "tuned_dual": replace(METHODS["dual"], label="dual, tuned rate"),
    "tuned_dual_stabilized": replace(METHODS["dual_stabilized"], label="dual, stabilized, tuned rate"),
    "tuned_lr": MethodStyle("learning rate, tuned", "#8f2600", "--ws-gradient-descent", "--", "s"),
    "tuned_l2": MethodStyle("L2, tuned", "#8a7100", "--ws-l2-weak", "--", "^"),
    "tuned_l2_squared": MethodStyle("squared L2, tuned", "#2f3742", "--ws-l2-squared", "--", "P"),
    "tuned_early_stopping": MethodStyle("early stopping, tuned", "#5b55d6", "--ws-early-stopping", "--", "X"),
    "tuned_dropout": MethodStyle("dropout, tuned", "#e0117a", "--ws-dropout", "--", "*"),
    "tuned_minibatch": MethodStyle("mini-batches, tuned", "#6b4f1d", "--ws-minibatch", "--", "h"),
    "tuned_adam": MethodStyle("Adam, tuned", "#00707f", "--ws-adam", "--", "p"),
    "tuned_sam": MethodStyle("SAM, tuned", "#5c6b00", "--ws-sam", "--", "d"),
    "tuned_contrastive": MethodStyle("contrastive, tuned", "#7a2fb0", "--ws-contrastive", "--", "H"),
}
METHODS["tuned_robust"] = replace(METHODS["tuned_minibatch"], label="robust loss, tuned", dash=":", marker="8")
METHODS |= {  # the categories of paper A
    "div": MethodStyle("diversity", "#0a7d33", "--ws-diversity", "-", "o"),
    "dp": replace(METHODS["tuned_dropout"], label="dropout", dash="--", marker="s"),
    "wd": replace(METHODS["tuned_l2_squared"], label="weight decay", dash=":", marker="^"),
    # The colour of the one and the marker of the other.
    "combined": replace(METHODS["tuned_dropout"], label="dropout with weight decay", dash="--", marker="^"),
}
# Colour is the update rule, the dash the loss.
_LOSSES: dict[str, tuple[str, str | tuple, str]] = {
    "weighted": ("class weights", ":", "<"),
    "adjusted": ("logit adjustment", (0, (6, 1, 1, 1)), ">"),
}
METHODS |= {
    f"{rule}_{loss}": replace(METHODS[rule], label=f"{METHODS[rule].label}, {words}", dash=dash, marker=marker)
    for rule in ("gradient_descent", "dual", "dual_stabilized")
    for loss, (words, dash, marker) in _LOSSES.items()
}
"""The same colour for the same method all through the book; line and marker tell them apart without colour."""
BETTER, WORSE = "#2f6fb5", "#c25a12"
"""Cells of a heat map: blue above what they are held against, orange below, the paler the closer."""
CATEGORY_ORDER = ("dp", "wd", "div")
"""The order of the categories of paper A wherever a figure lists them."""


EIGENVALUES, BULK, EDGE, TAIL = "#1f4fa8", "#985a00", "#6a0f45", "#1d7f7a"
"""Colours in figures of spectra: what was observed or simulated, the Marchenko-Pastur law, its edge and what lies
beyond it, the power law."""

_VARIABLES = (
    {INK: "--ws-ink", MUTED: "--ws-muted", GRID: "--ws-grid"}
    | {EIGENVALUES: "--ws-eigenvalues", BULK: "--ws-bulk", EDGE: "--ws-edge", TAIL: "--ws-tail"}
    | {style.colour: style.variable for style in METHODS.values()}
)


def use_theme() -> None:
    """Set the look of every figure of the book; called once per notebook by importing ``figures``."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        rc={
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": MUTED,
            "axes.titlecolor": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "axes.grid": True,
            "grid.color": GRID,
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 9,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "font.size": 9,
            "legend.fontsize": 8,
            "legend.frameon": False,
            "lines.linewidth": 1.6,
            "lines.markersize": 4,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "figure.constrained_layout.use": True,
            "svg.fonttype": "none",
            "svg.hashsalt": "weightspace",
        },
    )


@dataclass(frozen=True)
class Live:
    """What a reader can do with a figure: a kind that ``book/_static/touch.js`` knows, and the numbers it needs.

    beside: the still drawing shows more than the live one, and stays above it.
    """

    kind: str
    numbers: Mapping[str, object]
    beside: bool = False

    def around(self, drawing: str) -> str:
        """The drawing, with the numbers beside it. Without a script, and on paper, the drawing is all there is."""
        numbers = json.dumps(self.numbers, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        still = f'<div class="ws-still">{_scrolling(drawing)}</div><script type="application/json">{numbers}</script>'
        return f'<div class="ws-touch{" ws-beside" * self.beside}" data-kind="{self.kind}">{still}</div>'


def show(
    figure: Figure,
    name: str,
    *,
    alt: str,
    note: str = "",
    frame: pd.DataFrame | None = None,
    live: Live | None = None,
) -> HTML:
    """The figure as it stands in the book: drawing, a note on n and bands, and where the numbers come from.

    name: a short word, unique on its page. alt: what a reader who cannot see the figure needs to know. frame: the
    records that were drawn; None for a figure that its own cell computes. live: see ``interactive``.
    """
    plotted, key = _plotted(figure, name), _key(figure)
    drawing = _drawing(figure, name, alt)
    if live:
        return _figure(live.around(drawing), note, frame, plotted)
    return _figure(_scrolling(drawing), note, frame, plotted, key)


_LAST_SLOTS = 5
"""How many turns the last part of an animation stays."""


def show_animated(
    figure: Figure,
    name: str,
    frames: Sequence[str],
    *,
    alt: str,
    seconds: float = 0.5,
    note: str = "",
    frame: pd.DataFrame | None = None,
) -> HTML:
    """A figure whose parts are shown one after the other, over and over, by the style sheet alone: no script.

    frames: the gid of the parts in order (every artist of a part has that gid), each shown for ``seconds``; everything
    else stays. The reader can stop it; who asks for reduced motion, and who prints, sees the last part only.
    """
    plotted = _plotted(figure, name)
    drawing = _drawing(figure, name, alt)
    slots = len(frames) + _LAST_SLOTS - 1
    motion = ""
    for position, gid in enumerate(frames):
        part, last = f'<g id="{name}-{gid}"', position == len(frames) - 1
        if part not in drawing:
            raise ValueError(f"figure {name!r} has no part with the gid {gid!r}")
        # The attribute holds where no animation runs. Negative delays: every part is in the middle of its turns.
        rest = "visible" if last else "hidden"
        delay = (position - slots) * seconds if position else 0.0
        look = (
            f'class="ws-frame" visibility="{rest}" style="animation-name: {name}-{rest}; animation-delay: {delay:g}s"'
        )
        drawing = drawing.replace(part, f"<g {look}")
    for rest, shown in (("hidden", 1), ("visible", _LAST_SLOTS)):
        turn = f"0% {{ visibility: visible }} {100 * shown / slots:.4f}% {{ visibility: hidden }}"
        motion += f"@keyframes {name}-{rest} {{ {turn} }} "
    switch = '<label class="ws-pause"><input type="checkbox"> stop at the last picture</label>'
    moving = f'<div class="ws-moving" style="--ws-seconds: {slots * seconds:g}s">{switch}{drawing}</div>'
    return _figure(f"<style>{motion}</style>{_scrolling(moving)}", note, frame, plotted)


def _drawing(figure: Figure, name: str, alt: str) -> str:
    if not alt.strip():
        raise ValueError(f"figure {name!r} needs an alternative text")
    width = _enlarge_text(figure)
    drawing = _page_colours(_svg(figure))
    plt.close(figure)
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", drawing)  # identifiers must differ on one page
    text = f'role="img" aria-label="{html.escape(alt, quote=True)}" style="--ws-least: {width:.0f}px"'
    return drawing.replace("<svg ", f"<svg {text} ", 1)


_COLUMN, _SMALLEST = 660, 9
"""Pixels: how wide the column is in a window of 1280, and how high the smallest letters of a figure are there."""


def _enlarge_text(figure: Figure) -> float:
    """No text is too small to read: a wide figure is made smaller by the page, and its letters with it.

    Returns the width, in pixels, to which the page may shrink the figure: there its smallest letters are as high as
    they have to be.
    """
    shrunk = max(1.0, figure.get_figwidth() * 96 / _COLUMN)
    least = _SMALLEST * 0.75 * shrunk  # in points, of which 72 are an inch and 96 pixels too
    sizes = []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            for which in ("major", "minor"):
                size = axis.get_tick_params(which).get("labelsize", plt.rcParams["xtick.labelsize"])
                sizes.append(max(FontProperties(size=size).get_size_in_points(), least))
                axis.set_tick_params(which, labelsize=sizes[-1])
    for text in _texts(figure):
        text.set_fontsize(max(text.get_fontsize(), least))
        sizes += [text.get_fontsize()] * bool(text.get_text())
    return figure.get_figwidth() * 96 * _SMALLEST * 0.75 / min(sizes, default=least)


def _texts(artist: Artist) -> Iterator[Text]:
    """The texts of a figure but for those of ticks, which come into being when they are asked for."""
    for child in artist.get_children():
        if isinstance(child, Text):
            yield child
        elif isinstance(child, Axis):
            yield from (child.label, child.offsetText)
        else:
            yield from _texts(child)


def _svg(figure: Figure) -> str:
    """The drawing by itself, as ``savefig`` makes it, which draws everything once more for the layout alone."""
    canvas, stream, dpi = FigureCanvasSVG(figure), io.StringIO(), figure.dpi
    if (layout := figure.get_layout_engine()) is not None:
        figure.dpi = 72  # that of every SVG, with which the layout is made
        layout.execute(figure)
        figure.set_layout_engine("none")
        figure.dpi = dpi
    canvas.print_svg(stream, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _figure(drawing: str, note: str, frame: pd.DataFrame | None, plotted: str, key: str = "") -> HTML:
    below = _below(note, _source(frame, "figure", plotted))
    return HTML(f'<div class="ws-figure">{key}{drawing}{below}</div>')


def _scrolling(content: str) -> str:
    """What is too wide for a narrow page scrolls in a box of its own."""
    return f'<div class="ws-scroll">{content}</div>'


def _key(figure: Figure) -> str:
    """What colours and markers mean, above the drawing: it shows on pages so narrow that a part of it is hidden."""
    signs = drawn.key(figure, [style.colour for style in METHODS.values()])
    spans = "".join(
        f'<span style="--colour: {sign.colour}; --line: {sign.line}; --marker: {sign.marker}">'
        f"{html.escape(word)}</span>"
        for word, sign in signs.items()
    )
    return _page_colours(f'<p class="ws-key" aria-hidden="true">{spans}</p>') if len(signs) > 1 else ""


def _plotted(figure: Figure, name: str) -> str:
    """A link that saves what the figure plots, without a script and without a network."""
    names = {style.colour: style.label for style in reversed(METHODS.values())}
    text = drawn.values(figure, names).to_csv(index=False, float_format="%.5g")
    address = f"data:text/csv;charset=utf-8,{quote(text, safe=_PLAIN)}"
    return f'<p><a download="{name}.csv" href="{address}">The plotted values as CSV</a></p>'


_PLAIN = "!$()*+,-./:;=?@_~"
"""What an address of this kind may hold as it is, and an attribute too."""


def _below(note: str, source: str) -> str:
    return f'<div class="ws-provenance">{f"<p>{html.escape(note)}</p>" if note else ""}{source}</div>'


def _source(frame: pd.DataFrame | None, what: str, more: str = "") -> str:
    """Where the numbers come from and the lines that made this of them, behind a mark that opens."""
    record, cell = "", _lines()
    if frame is not None:
        file = f"{frame.attrs['scale']}/{frame.attrs['experiment']}.parquet"
        record = f'<p>Record: <a href="../records/{file}" download>results/{file}</a></p>'
    lines = f"<pre>{html.escape(cell)}</pre>" if cell else ""
    return (
        f'<details class="ws-source"><summary>How this {what} was made</summary>'
        f"<p>{html.escape(describe(frame))}</p>{record}{more}{lines}</details>"
    )


def _lines() -> str:
    """The source of the notebook's cell that runs; nothing elsewhere."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return shell.user_ns["In"][-1].strip() if shell else ""


def _page_colours(svg: str) -> str:
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable}, {colour})")
    # Matplotlib names its own font; the page's font is there on every machine.
    return re.sub(r"font-family: [^;\"]*", "font-family: var(--pst-font-family-base, sans-serif)", svg)


def describe(frame: pd.DataFrame | None) -> str:
    """One line of provenance: experiment, scale, seeds, device, versions, date."""
    from weightspace import devices, provenance

    if frame is None:
        device, date = devices.device_name("cpu"), provenance.now()[:10]
        return f"Computed on this page, on {device}; {provenance.versions()}; {date}."
    scale = frame.attrs["scale"]
    reduced = "" if scale == "paper" else " (a reduced scale: not the experiment of the paper)"
    dates = sorted({time[:10] for time in frame["time"].unique()})
    seeds = frame["seed"].nunique()
    return (
        f"Records: {frame.attrs['experiment']}, scale {scale}{reduced}; {seeds} seed{'s' if seeds != 1 else ''}, "
        f"{frame['run_key'].nunique()} runs; {'; '.join(sorted(frame['device'].unique()))}; "
        f"{'; '.join(sorted(frame['versions'].unique()))}; {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}."
    )


def table(
    frame: pd.DataFrame,
    *,
    decimals: int = 2,
    frame_of: pd.DataFrame | None = None,
    note: str = "",
    across: str | None = None,
) -> HTML:
    """A data frame as a table of the book, floats to ``decimals`` places, provenance of ``frame_of`` below.

    Cells may hold HTML. A cell of a text column that repeats the one above, with all columns left of it, stays empty.
    The column ``across``, if any, stands in rows of its own across the table, each time its value changes.
    """
    headings = [""] * len(frame) if across is None else list(frame[across])
    frame = frame if across is None else frame.drop(columns=across)
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    head = "".join(_cell("th", str(name), right) for name, right in zip(frame, numeric))
    body, above, last = [], [""] * len(frame.columns), ""
    for heading, values in zip(headings, frame.itertuples(index=False)):
        if heading != last:
            body.append(f'<td class="ws-across" colspan="{len(frame.columns)}"><div>{heading}</div></td>')
            above, last = [""] * len(frame.columns), heading
        texts = [f"{value:.{decimals}f}" if isinstance(value, float) else str(value) for value in values]
        same = [text == old for text, old in zip(texts, above)]
        shown = ["" if all(same[: k + 1]) and not numeric[k] else text for k, text in enumerate(texts)]
        body.append("".join(_cell("td", text, right) for text, right in zip(shown, numeric)))
        above = texts
    rows = "".join(f"<tr>{row}</tr>" for row in body)
    source = "" if frame_of is None else _source(frame_of, "table")
    return HTML(
        _scrolling(f'<table class="ws-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')
        + _below(note, source)
    )


def _cell(tag: str, text: str, right: bool) -> str:
    return f'<{tag} class="ws-number">{text}</{tag}>' if right else f"<{tag}>{text}</{tag}>"


def p_value(p: float) -> str:
    """A p value as tables show it; nothing where there was no test."""
    return "" if math.isnan(p) else f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


def interval(low: float, high: float, decimals: int = 2) -> str:
    """An interval as tables show it, kept on one line."""
    return f"{low:.{decimals}f}\u00a0to\u00a0{high:.{decimals}f}"


def signed(value: float, _: object = None, *, form: str = "g") -> str:
    """A number with a minus sign and not a hyphen; it formats ticks too, which hand their place over."""
    return f"{value:{form}}".replace("-", "\N{MINUS SIGN}")


def at_end(axis: Axes, text: str, height: float, colour: str = INK) -> None:
    """A label beyond the right end of an axis, at a height of the data."""
    axis.annotate(
        text,
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(5, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontsize=8,
        annotation_clip=False,
    )


_AROUND = ((1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))
"""Where a label may stand beside its point, right above it first."""


def name_points(axis: Axes, named: Sequence[tuple[str, float, float, str]], size: float = 7.5) -> None:
    """Labels (text, x, y, colour) beside points, each where it covers the fewest marks and labels before it.

    To be called when everything is drawn: the layout decides what lies side by side.
    """
    figure = axis.get_figure()
    figure.draw_without_rendering()
    to_pixels, away = axis.transData.transform, 5 * figure.dpi / 72
    dots = [xy for line in axis.lines if line.get_marker() != "None" for xy in to_pixels(line.get_xydata())]
    taken = [Bbox.from_bounds(x - away / 2, y - away / 2, away, away) for x, y in dots]
    intervals = (
        line for lines in axis.collections if isinstance(lines, LineCollection) for line in lines.get_segments()
    )
    taken += [Bbox([*to_pixels(line)]) for line in intervals]
    for text, x, y, colour in named:
        look = {"fontsize": size, "color": colour, "label": drawn.NAME}
        label = axis.annotate(text, (x, y), (0, 0), textcoords="offset points", **look)
        own, (left, low) = label.get_window_extent(), to_pixels((x, y))
        places = []
        for right, up in _AROUND:
            corner = left + away * right - own.width * (1 - right) / 2, low + away * up - own.height * (1 - up) / 2
            box = Bbox.from_bounds(*corner, own.width, own.height)
            places.append((box.count_overlaps(taken), len(places), box, right, up))
        _, _, box, right, up = min(places)
        taken.append(box)
        label.set(ha={1: "left", 0: "center", -1: "right"}[right], va={1: "bottom", 0: "center", -1: "top"}[up])
        label.xyann = (5 * right, 5 * up)


def row_heading(axis: Axes, text: str, height: float) -> None:
    """A bold heading among the tick labels of the vertical axis, at a height of the data."""
    axis.annotate(
        text,
        (-0.02, height),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="center",
        fontsize=8.5,
        fontweight="bold",
        color=INK,
        annotation_clip=False,
    )


def verdict_badge(verdict: str) -> str:
    """HTML of a verdict, told apart by word, sign and border as well as by colour."""
    return f'<span class="ws-verdict-{verdict.replace(" ", "-")}">{verdict}</span>'


def method_label(name: str) -> str:
    """The name of a method in figures and tables."""
    return METHODS[name].label if name in METHODS else name


def category_label(name: str) -> str:
    """The name of a category of paper A; what everything is compared with, ``bs`` or ``0``, is the baseline."""
    return "baseline" if name in ("bs", "0") else method_label(name)


def pair_label(a: str, b: str, between: str = " and ") -> str:
    """The names of two categories of paper A that are held against each other."""
    return f"{category_label(a)}{between}{category_label(b)}"
