"""Figures of spectra, for any model: draw on matplotlib axes and return them, so that the caller can go on drawing.

    import weightspace
    from weightspace.display.figures import spectra

    spectra.layer_profile(weightspace.spectral_report(model), "alpha")

Nothing is shown or saved here, and the settings of matplotlib stay as they are. ``eigenvalues`` are always those of
W^T W as ``weightspace.spectra.eigenvalues`` returns them, not divided by N. Those that are zero up to rounding are left
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from weightspace.display.style import BULK, EDGE, EIGENVALUES, MUTED, TAIL
from weightspace.spectra import marchenko_pastur, metrics, power_law

if TYPE_CHECKING:
    from weightspace.spectra.report import LayerSpectrum

_MOST_NAMES = 40
"""Layers whose names are written out; of more, every second, third ... one is."""


def esd(eigenvalues: ArrayLike, N: int, *, bins: int = 50, log: bool = False, ax: Axes | None = None) -> Axes:
    """Histogram of the eigenvalues (empirical spectral density) with the Marchenko-Pastur bulk and its spikes.

    The line is the law fitted to the bulk. The band reaches from the edge lambda_+ of the law to the 99 % Tracy-Widom
    edge: of pure noise, the largest eigenvalue lies beyond it once in a hundred matrices. Ticks above the axis are the
    spikes of the fit. Where more than half of the eigenvalues lie beyond the edge there is no bulk of noise: the
    histogram stands alone and says so.

    eigenvalues: of one matrix, [M]; N: the larger side of the matrix; bins: of the histogram; log: logarithmic
    horizontal axis and density per decade, for spikes far from the bulk; ax: where to draw, by default new axes.
    ``ValueError`` as for ``marchenko_pastur.fit``.
    """
    values = metrics.nonzero(eigenvalues, N)
    bulk = marchenko_pastur.fit(values, N)
    far = marchenko_pastur.tracy_widom_edge(N - bulk.num_spikes, bulk.M - bulk.num_spikes, bulk.sigma, 0.99)
    ax = plt.subplots()[1] if ax is None else ax
    highest = max(values.max(), far)
    if log:
        ax.set_xscale("log")
        limits = np.geomspace(values.min(), highest, bins + 1)
        x = np.geomspace(limits[0], limits[-1], 1000)
        widths, density = np.diff(np.log10(limits)), bulk.density(x) * x * np.log(10)
        ax.set_ylabel("density per decade")
    else:
        limits = np.linspace(0, highest, bins + 1)
        x = np.linspace(0, highest, 1000)
        widths, density = np.diff(limits), bulk.density(x)
        ax.set_ylabel("density")
    heights = np.histogram(values, limits)[0] / len(values) / widths
    ax.stairs(heights, limits, fill=True, color=EIGENVALUES, alpha=0.35)
    ax.set_xlabel(r"eigenvalue $\lambda$ of $W^\top W$")
    if bulk.saturated:
        _corner(ax, [("no bulk of noise", MUTED)])
        return ax
    ax.axvspan(bulk.lambda_plus, far, color=EDGE, alpha=0.2, linewidth=0)
    ax.plot(x, density, color=BULK)
    spikes = values[len(values) - bulk.num_spikes :]
    ax.plot(spikes, np.full(len(spikes), 0.03), "|", color=EDGE, ms=9, mew=1.4, transform=ax.get_xaxis_transform())
    ax.set_ylim(bottom=0, top=1.15 * max(heights.max(), np.quantile(density, 0.99)))
    _corner(ax, [(f"Marchenko-Pastur, σ = {bulk.sigma:.3g}", BULK), (f"{_count(len(spikes), 'spike')}", EDGE)])
    return ax


def tail(
    eigenvalues: ArrayLike, *, replicates: int = 200, seed: int = 0, level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Share of eigenvalues above x against x, both logarithmic, with the power law fitted to the tail.

    A power law p(x) ~ x^-alpha is a straight line of slope 1 - alpha here. The band holds the slopes of the bootstrap
    interval of alpha (``power_law.interval``, which chooses xmin anew in every replicate).

    eigenvalues: [n]; replicates, seed, level: of the bootstrap, 0 replicates for no band; ax: where to draw.
    ``ValueError`` as for ``power_law.fit``.
    """
    values = metrics.nonzero(eigenvalues, np.size(eigenvalues))
    law = power_law.fit(values)
    ax = plt.subplots()[1] if ax is None else ax
    n = len(values)
    ax.plot(values, 1 - np.arange(n) / n, ".", color=EIGENVALUES, ms=4)
    start = law.n_tail / n
    x = np.array([law.xmin, law.xmax])
    ax.plot(x, start * (x / law.xmin) ** (1 - law.alpha), color=TAIL)
    text = f"α = {law.alpha:.2f}"
    if replicates:
        low, high = power_law.interval(values, replicates=replicates, seed=seed, level=level)
        sides = [start * (x / law.xmin) ** (1 - alpha) for alpha in (high, low)]
        ax.fill_between(x, *sides, color=TAIL, alpha=0.2, linewidth=0)
        text += f" ({100 * level:.0f} %: {low:.2f} to {high:.2f})"
    ax.axvline(law.xmin, color=MUTED, linewidth=0.8, linestyle=":")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.5 / n, 1.5)
    ax.set_xlabel(r"eigenvalue $\lambda$ of $W^\top W$")
    ax.set_ylabel("share of eigenvalues above")
    _corner(ax, [(text, TAIL), (f"{law.n_tail} of {n} in the tail", MUTED)], left=True)
    return ax


def scan_profile(eigenvalues: ArrayLike, *, axes: Sequence[Axes] | None = None) -> tuple[Axes, Axes]:
    """What the choice of xmin does: distance D and exponent alpha for every candidate, one axis above the other.

    The chosen xmin, that of the smallest D, is marked. A flat alpha around it is a good sign; an alpha that climbs
    with xmin says that the tail is no power law. alpha is the estimate before its correction for bias.

    eigenvalues: [n]; axes: two axes that share their horizontal axis, by default new ones. Returns (D, alpha).
    ``ValueError`` as for ``power_law.fit``.
    """
    values = metrics.nonzero(eigenvalues, np.size(eigenvalues))
    profile, law = power_law.scan(values), power_law.fit(values, corrected=False)
    upper, lower = plt.subplots(2, 1, sharex=True)[1] if axes is None else axes
    for axis, column, value, label in (
        (upper, profile.D, law.D, "distance D"),
        (lower, profile.alpha, law.alpha, r"exponent $\alpha$"),
    ):
        axis.plot(profile.xmin, column, color=EIGENVALUES, linewidth=1.2)
        axis.plot(law.xmin, value, "o", color=TAIL)
        axis.axvline(law.xmin, color=MUTED, linewidth=0.8, linestyle=":")
        axis.set_ylabel(label)
        axis.set_xscale("log")
    upper.set_ylim(bottom=0)
    # The last candidates leave a few values, and an alpha that may be anything.
    settled = profile.alpha[: max(1, len(profile.alpha) - 5)]
    lower.set_ylim(0.9, 1.2 * max(law.alpha, settled.max()))
    lower.set_xlabel(r"start of the tail $x_{\min}$")
    upper.text(0.5, 0.85, f"smallest D = {law.D:.3f}", color=TAIL, ha="center", transform=upper.transAxes, fontsize=8)
    return upper, lower


def layer_profile(report: pd.DataFrame, column: str, *, ax: Axes | None = None) -> Axes:
    """One column of a report over the layers, in the order of the model.

    Where the report holds ``alpha_low`` and ``alpha_high`` (``spectral_report(..., intervals=...)``) and the column is
    alpha, they are drawn as intervals. Layers without a value leave a gap.

    report: from ``weightspace.spectral_report``, or any frame with a column ``name``; column: what to draw; ax: where.
    ``ValueError`` for a column that is not there.
    """
    values = _column(report, column)
    ax = plt.subplots()[1] if ax is None else ax
    at = np.arange(len(values))
    ax.plot(at, values, "o-", color=EIGENVALUES, linewidth=0.8, ms=4)
    if column == "alpha" and {"alpha_low", "alpha_high"} <= set(report):
        ax.vlines(at, report["alpha_low"], report["alpha_high"], color=EIGENVALUES, linewidth=1.2, alpha=0.6)
    shown = at[:: -(-len(at) // _MOST_NAMES)]
    ax.set_xticks(shown, report["name"].iloc[shown], rotation=90, fontsize=7)
    ax.set_ylabel(column)
    return ax


def profiles(report: pd.DataFrame, columns: Sequence[str]) -> Figure:
    """Columns of a report over the layers, one ``layer_profile`` above the other."""
    figure, axes = plt.subplots(
        len(columns), 1, figsize=(8, 2.5 * len(columns)), sharex=True, layout="constrained", squeeze=False
    )
    for axis, column in zip(axes.flat, columns):
        layer_profile(report, column, ax=axis)
    return figure


def shifts(
    report_a: pd.DataFrame,
    report_b: pd.DataFrame,
    column: str = "alpha",
    *,
    labels: tuple[str, str] = ("a", "b"),
    ax: Axes | None = None,
) -> Axes:
    """One column of two reports, layer by layer: a line from the value in the first to that in the second.

    For two checkpoints of one model, such as before and after fine-tuning; layers are matched by their ``name``
    (``longname``, where a report of the convention "weightwatcher" has one). A layer that only one report has, or that
    has no value in one of them, cannot be drawn: how many these are is written above the axes.

    report_a, report_b: from ``weightspace.spectral_report``; column: what to draw; labels: names of the two; ax: where.
    ``ValueError`` for a column that is not there, where two layers of a report have one name, and where no layer has
    the same name in both.
    """
    a, b = (
        _column(report, column, by="longname" if "longname" in report else "name") for report in (report_a, report_b)
    )
    for values in (a, b):
        if values.index.has_duplicates:
            twice = values.index[values.index.duplicated()][0]
            raise ValueError(f"two layers of a report are called {twice!r}: names must tell the layers apart")
    layers = a.index.append(b.index.difference(a.index, sort=False))
    a, b = a.reindex(layers), b.reindex(layers)
    both = a.notna() & b.notna()
    if not both.any():
        raise ValueError(f"the two reports have no layer in common that has a value in {column!r}")
    a, b = a[both], b[both]
    ax = plt.subplots(figsize=(6.4, 1.2 + 0.2 * len(a)))[1] if ax is None else ax
    at = np.arange(len(a))
    ax.hlines(at, a, b, color=MUTED, linewidth=1)
    for values, colour, face, label in ((a, BULK, "none", labels[0]), (b, EIGENVALUES, EIGENVALUES, labels[1])):
        ax.plot(values, at, "o", color=colour, mfc=face, ms=5, label=label)
    ax.set_yticks(at, a.index, fontsize=7)
    ax.invert_yaxis()
    ax.set_xlabel(column)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    if left_out := int((~both).sum()):
        text = f"{left_out} of {len(both)} layers\nwithout a value in both"
        ax.text(0, 1.01, text, color=MUTED, fontsize=7, va="bottom", transform=ax.transAxes)
    return ax


def comparison(table: pd.DataFrame, *, labels: tuple[str, str] = ("a", "b")) -> Figure:
    """How far two checkpoints are apart, layer by layer, in one figure.

    Left: the relative difference of the weights and the Wasserstein distance of the singular values. Then alpha and
    stable rank, each with a line from the value in the first checkpoint to that in the second, and without a panel
    where no layer has both. Above a panel stands how many layers are missing from it.

    table: from ``weightspace.compare``; labels: names of the two.
    """
    moved = table.set_index("name")[["relative_difference", "wasserstein"]].dropna(how="all")
    sides = {
        column: [table[["name", f"{column}_{side}"]].set_axis(["name", column], axis=1) for side in "ab"]
        for column in ("alpha", "stable_rank")
        if table[f"{column}_shift"].notna().any()
    }
    size = 4 * (1 + len(sides)), max(3, 1.4 + 0.2 * len(table))
    figure, axes = plt.subplots(1, 1 + len(sides), figsize=size, layout="constrained", squeeze=False)
    axes = axes[0]
    at = np.arange(len(moved))
    for column, colour, label in (
        ("relative_difference", EIGENVALUES, "weights: $||W_b - W_a|| / ||W_a||$"),
        ("wasserstein", EDGE, "singular values: $W_1$ / mean"),
    ):
        axes[0].plot(moved[column], at, "o", color=colour, ms=5, label=label)
    axes[0].set_yticks(at, moved.index, fontsize=7)
    axes[0].invert_yaxis()
    axes[0].set_xlim(left=0)
    axes[0].set_xlabel("relative change")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=7)
    for ax, (column, (before, after)) in zip(axes[1:], sides.items()):
        shifts(before, after, column, labels=labels, ax=ax)
    return figure


def along_training(records: Mapping[int, Sequence[LayerSpectrum]], name: str, *, ax: Axes | None = None) -> Axes:
    """The eigenvalues of one layer over the steps of its training, a line for each rank from the largest down.

    The dashed line is the edge of noise (95 % Tracy-Widom) where a bulk of noise was found: lines above it are spikes.
    A large fall-off from rank to rank is a heavy tail. Eigenvalues that rounding hides are left out.

    records: from ``weightspace.spectra.recorder.recorded``; name: of the layer; ax: where to draw. ``ValueError`` for
    a name that no record has.
    """
    found = {step: each for step, layers in records.items() for each in layers if each.name == name and not each.reason}
    if not found:
        known = ", ".join(dict.fromkeys(each.name for layers in records.values() for each in layers))
        raise ValueError(f"no record of a layer {name!r}: there are {known}")
    values = [metrics.nonzero(each.eigenvalues, each.N, each.eps)[::-1] for each in found.values()]
    lines = pd.DataFrame(values, index=list(found))
    ax = plt.subplots()[1] if ax is None else ax
    ax.plot(lines, color=EIGENVALUES, linewidth=0.5, alpha=0.4)
    ax.plot(lines.iloc[:, 0], color=EIGENVALUES, linewidth=1.4)
    bulks = [
        marchenko_pastur.fit(spectrum, each.N, matrices=each.matrices) if len(spectrum) > 2 * each.matrices else None
        for spectrum, each in zip(values, found.values())
    ]
    edges = [np.nan if bulk is None or bulk.saturated else bulk.edge for bulk in bulks]
    ax.plot(lines.index, edges, "--", color=EDGE, linewidth=1.4)
    ax.set_yscale("log")
    ax.set_xlabel("step")
    ax.set_ylabel(r"eigenvalues $\lambda$ of $W^\top W$")
    ax.set_title(name)
    _corner(ax, [("largest", EIGENVALUES)] + [("edge of noise", EDGE)] * bool(np.isfinite(edges).any()), left=True)
    return ax


def _column(report: pd.DataFrame, column: str, by: str = "name") -> pd.Series:
    if column not in report or "name" not in report:
        raise ValueError(f"the report has no column {column!r}: it has {', '.join(map(str, report.columns))}")
    return report.set_index(by)[column].astype(float)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _corner(ax: Axes, lines: Sequence[tuple[str, str]], left: bool = False) -> None:
    """Short lines of coloured text in the corner that the drawing leaves free: top right, or bottom left."""
    for k, (text, colour) in enumerate(lines):
        place = (0.03, 0.05 + 0.09 * (len(lines) - 1 - k)) if left else (0.98, 0.95 - 0.09 * k)
        ax.text(*place, text, color=colour, ha="left" if left else "right", transform=ax.transAxes, fontsize=8)
