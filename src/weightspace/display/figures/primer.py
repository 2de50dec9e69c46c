"""The ten figures of the chapter on random matrices. Each function draws and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from weightspace.analysis import frames
from weightspace.analysis.frames import select
from weightspace.analysis.primer_facts import detection, spread
from weightspace.display import style
from weightspace.display.figures import spectra as plots_spectra
from weightspace.display.figures.curves import plain_ticks
from weightspace.display.style import BULK, EDGE, EIGENVALUES, INK, METHODS, MUTED, TAIL
from weightspace.experiments.primer.spectra_primer import ALPHA_TRUE, P_PASSES
from weightspace.experiments.primer.training_spectra import Checkpoint
from weightspace.measures.statistics import fraction_interval, mean_interval
from weightspace.spectra import marchenko_pastur

_ARMS = {
    "plain": replace(METHODS["gradient_descent"], label="plain", dash="-"),
    "weight_decay": METHODS["wd"],
    "dropout": METHODS["dp"],
}
_KINDS = {
    "power_law": "power-law sample",
    "heavy_tailed": "heavy-tailed entries",
    "spiked": "noise and ten spikes",
    "gaussian": "pure noise",
}


def densities(spectra: Mapping[str, np.ndarray], N: int) -> Figure:
    """Fig. 1: the eigenvalues of single matrices as histograms, a panel per name, with the law fitted to each."""
    figure, axes = plt.subplots(1, len(spectra), figsize=(3.7 * len(spectra), 2.9), sharex=True, sharey=True)
    for axis, (name, values) in zip(axes, spectra.items()):
        plots_spectra.esd(values, N, bins=40, ax=axis)
        axis.plot(values, np.full(len(values), -0.03), "|", color=EIGENVALUES, ms=5, mew=0.4)
        axis.set_ylim(bottom=-0.06)
        axis.set_title(name)
    axes[1].set_ylabel("")
    return figure


def aspect_ratios(spectra: Mapping[int, np.ndarray]) -> Figure:
    """Fig. 2: histograms of W^T W / N for several aspect ratios, mean and 95 % band over matrices, and the law."""
    figure, axes = plt.subplots(1, len(spectra), figsize=(8.4, 2.7), sharey=True, sharex=True)
    for axis, (Q, values) in zip(axes, spectra.items()):
        # Classes of equal probability: narrow where the density is high, as it is near 0 for Q = 1.
        limits = marchenko_pastur.quantiles(np.linspace(0, 1, 25), Q)
        counts = np.array([np.histogram(one, limits)[0] for one in values])
        heights = counts / values.shape[1] / np.diff(limits)
        mean, below, above = np.array([mean_interval(column) for column in heights.T]).T
        x = np.linspace(limits[0], limits[-1], 2000)[1:]
        middle = (limits[1:] + limits[:-1]) / 2
        axis.vlines(middle, below, above, color=EIGENVALUES, linewidth=1)
        axis.plot(middle, mean, ".", color=EIGENVALUES, ms=4)
        axis.plot(x, marchenko_pastur.density(x, Q), color=BULK)
        axis.set_title(f"Q = {Q}")
        axis.set_xlabel(r"$\lambda / N$")
    axes[0].set_ylim(0, 1.9)
    axes[0].set_ylabel("density")
    axes[1].text(0.95, 0.9, "Marchenko-Pastur law", color=BULK, ha="right", transform=axes[1].transAxes, fontsize=8)
    axes[1].text(0.95, 0.8, "simulated", color=EIGENVALUES, ha="right", transform=axes[1].transAxes, fontsize=8)
    return figure


def edge(frame: pd.DataFrame) -> Figure:
    """Fig. 3: the largest eigenvalue of noise against the size of the matrix, with what Tracy and Widom's law says."""
    rows = select(frame, study="edge", metric="largest")
    sides = sorted(rows["M"].unique())
    Q = rows["N"].iloc[0] / rows["M"].iloc[0]
    figure, axis = plt.subplots(figsize=(7.2, 3.3))
    values = [rows[rows["M"] == M]["value"].to_numpy() for M in sides]
    for M, one in zip(sides, values):
        jitter = np.exp(np.random.default_rng(0).uniform(-0.05, 0.05, len(one)))
        axis.plot(M * jitter, one, ".", color=EIGENVALUES, ms=2.5, alpha=0.35)
        axis.plot([M * 0.9, M * 1.1], [one.mean()] * 2, color=EIGENVALUES, linewidth=2)
    x = np.geomspace(sides[0] * 0.85, sides[-1] * 1.15, 60)
    for level, dash in ((0.5, "--"), (0.95, "-")):
        law = [marchenko_pastur.tracy_widom_edge(Q * M, M, level=level) / (Q * M) for M in x]
        axis.plot(x, law, dash, color=EDGE)
        words, shift = ("Tracy-Widom, 95 %", 12) if level > 0.5 else ("Tracy-Widom, median", -12)
        axis.annotate(words, (x[-1], law[-1]), xytext=(5, shift), **_END, color=EDGE, va="center")
    limit = marchenko_pastur.edges(Q)[1]
    axis.axhline(limit, color=BULK)
    axis.annotate(r"$\lambda_+$, infinite size", (x[-1], limit), xytext=(5, 0), **_END, color=BULK, va="center")
    axis.set_xscale("log")
    plain_ticks(axis.xaxis, sides)
    axis.set_xlim(x[0], x[-1])
    axis.set_xlabel(f"smaller side M (larger side N = {Q:.0f} M)")
    axis.set_ylabel(r"largest eigenvalue $\lambda_{\max} / N$")
    return figure


def spikes(frame: pd.DataFrame) -> Figure:
    """Fig. 4: where a planted direction puts the largest eigenvalue, and how often the fit reports it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.3))
    found = spread(select(frame, study="spike", metric="largest"), ["M", "N", "strength"])
    largest = found["M"].max()
    own = select(found, M=largest)
    Q = own["N"].iloc[0] / largest
    x = np.linspace(0, own["strength"].max(), 200)
    left.plot(x, marchenko_pastur.spike_location(x * marchenko_pastur.bbp_threshold(Q), Q), color=EDGE)
    left.axhline(marchenko_pastur.edges(Q)[1], color=BULK, linewidth=1)
    left.vlines(own["strength"], own["low"], own["high"], color=EIGENVALUES, linewidth=1.4)
    left.plot(own["strength"], own["median"], "o", color=EIGENVALUES)
    left.text(0.04, 0.92, "limit of infinite size", color=EDGE, transform=left.transAxes, fontsize=8)
    left.text(0.04, 0.84, f"simulated, M = {largest}", color=EIGENVALUES, transform=left.transAxes, fontsize=8)
    left.text(
        0.96, 0.04, r"edge $\lambda_+$ of the noise", color=BULK, ha="right", transform=left.transAxes, fontsize=8
    )
    left.set_ylabel(r"largest eigenvalue $\lambda_{\max} / N$")
    rates = detection(frame)
    for M, dash, marker in zip(sorted(rates["M"].unique()), (":", "-"), ("s", "o")):
        line = select(rates, M=M)
        right.fill_between(line["strength"], line["low"], line["high"], color=EIGENVALUES, alpha=0.2, linewidth=0)
        right.plot(
            line["strength"], line["share"], dash, marker=marker, color=EIGENVALUES, label=f"M = {M}, N = {2 * M}"
        )
    right.axhline(0.05, color=MUTED, linewidth=0.8, linestyle="--")
    right.set_ylim(-0.03, 1.03)
    right.set_ylabel("share of matrices with a spike reported")
    right.legend(loc="lower right", bbox_to_anchor=(1, 0.08))
    for axis in (left, right):
        axis.axvline(1, color=MUTED, linewidth=0.8, linestyle=":")
        axis.set_xlabel("strength / threshold")
    return figure


def heavy_tails(spectra: Mapping[float, np.ndarray], frame: pd.DataFrame) -> Figure:
    """Fig. 5: tails of spectra of heavy-tailed entries, and the alpha fitted to them against the tail index."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.3))
    for (index, values), marker in zip(spectra.items(), ("o", "s", "^")):
        share = 1 - np.arange(len(values)) / len(values)
        scaled = values / np.median(values)
        left.plot(scaled, share, marker, color=EIGENVALUES, ms=2.5, alpha=0.6)
        start = int(0.9 * len(values))
        x = np.array([scaled[start], scaled[-1]])
        line = share[start] * (x / x[0]) ** (-index / 2)
        left.plot(x, line, color=TAIL)
        left.annotate(f"μ = {index:g}", (x[1], line[1]), xytext=(5, -9), **_END, color=TAIL, va="center")
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlim(1e-2, 3e7)
    left.set_ylim(2e-5)
    left.set_xlabel(r"eigenvalue / median eigenvalue")
    left.set_ylabel("share of eigenvalues above")
    left.text(0.04, 0.08, r"lines: slope $-\mu/2$", color=TAIL, transform=left.transAxes, fontsize=8)
    found = spread(select(frame, study="entries", metric="alpha"), ["tail_index"])
    right.vlines(found["tail_index"], found["low"], found["high"], color=EIGENVALUES, linewidth=1.4)
    right.plot(found["tail_index"], found["median"], "o", color=EIGENVALUES)
    x = np.array([found["tail_index"].min(), found["tail_index"].max()])
    right.plot(x, 1 + x / 2, color=TAIL)
    right.annotate(r"$1 + \mu/2$", (x[1], 1 + x[1] / 2), xytext=(-4, 6), **_END, color=TAIL, ha="right")
    right.set_yscale("log")
    plain_ticks(right.yaxis, [1.5, 2, 3, 4, 6, 10, 15])
    right.set_xlabel("tail index μ of the entries")
    right.set_ylabel(r"fitted $\alpha$")
    return figure


def found_power_law(values: np.ndarray) -> Figure:
    """Fig. 6: one spectrum with its power law, and the search for the start of the tail."""
    figure = plt.figure(figsize=(8.4, 3.6))
    left, right = figure.subfigures(1, 2)
    plots_spectra.tail(values, ax=left.subplots())
    plots_spectra.scan_profile(values, axes=right.subplots(2, 1, sharex=True))
    return figure


def kinds(frame: pd.DataFrame) -> Figure:
    """Fig. 7: alpha of four kinds of spectra over many matrices, and how often each passes for a power law."""
    rows = select(frame, study="kinds")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.0), sharey=True, width_ratios=(1.5, 1))
    for place, kind in enumerate(_KINDS):
        own = select(rows, ensemble=kind)
        alphas = select(own, metric="alpha")["value"].to_numpy()
        jitter = place + np.random.default_rng(0).uniform(-0.28, 0.28, len(alphas))
        left.plot(alphas, jitter, ".", color=EIGENVALUES, ms=3, alpha=0.4)
        left.plot([np.median(alphas)] * 2, [place - 0.38, place + 0.38], color=INK, linewidth=2)
        share, low, high = fraction_interval(select(own, metric="p")["value"] >= P_PASSES)
        right.plot([low, high], [place] * 2, color=EIGENVALUES)
        right.plot(share, place, "o", color=EIGENVALUES)
    for place, truth in ((0, ALPHA_TRUE), (1, 1 + select(rows, ensemble="heavy_tailed")["tail_index"].iloc[0] / 2)):
        left.plot([truth] * 2, [place - 0.46, place + 0.46], color=TAIL, linewidth=2)
        left.annotate("theory", (truth, place + 0.46), xytext=(0, -7), **_END, color=TAIL, ha="center", va="center")
    left.set_xscale("log")
    plain_ticks(left.xaxis, [1.5, 2, 3, 5, 10, 20, 40])
    left.set_yticks(range(len(_KINDS)), _KINDS.values())
    left.invert_yaxis()
    left.set_xlabel(r"fitted $\alpha$, with its median")
    right.set_xlim(-0.03, 1.03)
    right.set_xlabel(f"share with p ≥ {P_PASSES}: not rejected")
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    return figure


def movie(looks: Sequence[Checkpoint], layer: int, N: int) -> tuple[Figure, list[str]]:
    """Fig. 8: the spectrum of one layer along training. Returns the figure and the gids of its pictures in order."""
    figure, axis = plt.subplots(figsize=(5.4, 3.5))  # narrow, so that a telephone shows it whole
    spectra = [look.eigenvalues[layer - 1] for look in looks]
    lowest, highest = min(one.min() for one in spectra), 1.2 * max(one.max() for one in spectra)
    limits = np.geomspace(lowest, highest, 50)
    x = np.geomspace(lowest, highest, 200)
    names = []
    for number, (look, values) in enumerate(zip(looks, spectra)):
        bulk = marchenko_pastur.fit(values, N)
        heights = np.histogram(values, limits)[0] / len(values) / np.diff(np.log10(limits))
        out = values[len(values) - bulk.num_spikes :]
        words = (
            f"update {look.update}: {len(out)} {'spike' if len(out) == 1 else 'spikes'}, "
            f"test accuracy {look.test_accuracy_percent:.0f} %"
        )
        parts = [
            axis.stairs(heights, limits, fill=True, color=EIGENVALUES, alpha=0.35),
            *axis.plot(x, bulk.density(x) * x * np.log(10), color=BULK),
            *axis.plot(out, np.full(len(out), 0.06), "|", color=EDGE, ms=14, mew=1.6),
            axis.text(0.98, 0.93, words, ha="right", transform=axis.transAxes),
        ]
        names.append(f"update-{number}")
        for part in parts:
            part.set_gid(names[-1])
    axis.text(0.98, 0.83, "Marchenko-Pastur law, fitted", color=BULK, ha="right", transform=axis.transAxes, fontsize=8)
    axis.text(0.98, 0.75, "spikes", color=EDGE, ha="right", transform=axis.transAxes, fontsize=8)
    axis.set_xscale("log")
    plain_ticks(axis.xaxis, [0.2, 0.5, 1, 2, 5, 10, 20, 50])
    axis.set_ylim(bottom=0)
    axis.set_xlabel(r"eigenvalue $\lambda$ of $W^\top W$")
    axis.set_ylabel("density per decade")
    return figure, names


def along_training(frame: pd.DataFrame, layer: int) -> Figure:
    """Fig. 9: four metrics of one layer over the updates, mean and 95 % band over seeds, a line per way of training."""
    panels = {
        "num_spikes": "spikes beyond the bulk",
        "sigma_mp": r"$\sigma$ of the bulk",
        "norm": r"$\|W\|_F^2$",
        "alpha": r"fitted $\alpha$",
    }
    figure, axes = plt.subplots(2, 2, figsize=(8.4, 5.0), sharex=True)
    for axis, (metric, label) in zip(axes.flat, panels.items()):
        rows = select(frame, layer=layer, metric=metric)
        summary = frames.summarize(rows, ["arm", "update"])
        for arm, look in _ARMS.items():
            line = select(summary, arm=arm)
            axis.fill_between(line["update"], line["low"], line["high"], color=look.colour, alpha=0.2, linewidth=0)
            axis.plot(line["update"], line["mean"], color=look.colour, linestyle=look.dash)
            end = (line["update"].iloc[-1], line["mean"].iloc[-1])
            axis.annotate(look.label, end, xytext=(5, 0), **_END, color=look.colour, va="center")
        axis.set_xscale("symlog", linthresh=1, linscale=0.3)
        axis.set_xlim(0, frame["update"].max())
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_ylabel(label)
    for axis in axes.flat[1:]:
        axis.set_yscale("log")
    plain_ticks(axes.flat[1].yaxis, [0.02, 0.03, 0.04, 0.05, 0.06, 0.07])
    plain_ticks(axes.flat[2].yaxis, [100, 200, 300, 500, 700, 1000])
    plain_ticks(axes.flat[3].yaxis, [2, 3, 5, 10, 20])
    for axis in axes[1]:
        axis.set_xlabel("update")
        axis.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    return figure


def pitfalls(frame: pd.DataFrame, scaled: pd.DataFrame) -> Figure:
    """Fig. 10: aspect ratio, scale, unfolding and small layers, a panel each."""
    figure, ((ratio, scale), (unfolding, small)) = plt.subplots(2, 2, figsize=(8.4, 5.8))
    _aspect_panel(ratio, select(frame, study="aspect"))
    _scale_panel(scale, scaled)
    _unfolding_panel(unfolding, select(frame, study="unfolding"))
    _small_panel(small, select(frame, study="sample"))
    return figure


def _aspect_panel(axis: Axes, rows: pd.DataFrame) -> None:
    aspect = rows.assign(Q=rows["N"] // rows["M"])
    for metric, colour, marker, words in (
        ("alpha_upper_half", EIGENVALUES, "o", "whole matrix"),
        ("alpha_fixed_aspect", TAIL, "s", "parts of fixed aspect ratio"),
    ):
        found = spread(select(aspect, metric=metric), ["Q"])
        axis.vlines(found["Q"], found["low"], found["high"], color=colour)
        axis.plot(found["Q"], found["median"], "-", marker=marker, color=colour)
        axis.text(
            0.04, 0.9 if colour == EIGENVALUES else 0.8, words, color=colour, transform=axis.transAxes, fontsize=8
        )
    axis.set_xscale("log")
    plain_ticks(axis.xaxis, sorted(aspect["Q"].unique()))
    axis.set_ylim(1, 7)
    axis.set_title("Aspect ratio: pure noise")
    axis.set_xlabel("aspect ratio Q")
    axis.set_ylabel(r"$\alpha$ of the upper half")


def _scale_panel(axis: Axes, scaled: pd.DataFrame) -> None:
    for column, words, colour, dash, place, shift in (
        ("alpha", r"$\alpha$", EIGENVALUES, "-", -1, (4, 0)),
        ("alpha_absolute", r"$\alpha$ of eigenvalues above $10^{-5}$", EDGE, ":", 0, (2, 8)),
        ("alpha_weighted", r"$\alpha \log_{10} \lambda_{\max}$", INK, "--", -1, (4, 0)),
    ):
        axis.plot(scaled["factor"], scaled[column], dash, color=colour)
        end = scaled[["factor", column]].iloc[place]
        axis.annotate(words, end, xytext=shift, **_END, color=colour, va="center")
    axis.set_xscale("log")
    axis.set_title("Scale: one trained layer, multiplied")
    axis.set_xlabel("factor on all weights")
    axis.set_ylabel("value of the metric")


def _unfolding_panel(axis: Axes, rows: pd.DataFrame) -> None:
    channels = int(rows["M"].iloc[0])
    truths = {"slices": 9 * channels / 4, "reshaped": channels / (1 + 1 / 3) ** 2}
    for place, unfolding in enumerate(("slices", "reshaped")):
        values = select(rows, metric=f"stable_rank_{unfolding}")["value"].to_numpy()
        jitter = place + np.random.default_rng(0).uniform(-0.15, 0.15, len(values))
        axis.plot(jitter, values, ".", color=EIGENVALUES, ms=3, alpha=0.4)
        axis.plot([place - 0.3, place + 0.3], [truths[unfolding]] * 2, color=BULK)
    axis.set_xticks([0, 1], ["nine slices, pooled", "one matrix, reshaped"])
    axis.text(0.96, 0.9, "Marchenko-Pastur limit", color=BULK, ha="right", transform=axis.transAxes, fontsize=8)
    axis.set_xlim(-0.6, 1.6)
    axis.set_ylim(bottom=0)
    axis.grid(axis="x", visible=False)
    axis.set_title(f"Unfolding: kernels {channels} x {channels} x 3 x 3")
    axis.set_ylabel("stable rank")


def _small_panel(axis: Axes, rows: pd.DataFrame) -> None:
    for metric, colour, shift, words in (
        ("alpha_uncorrected", EDGE, 0.94, "maximum likelihood"),
        ("alpha", EIGENVALUES, 1.06, "corrected for bias"),
    ):
        found = spread(select(rows, metric=metric), ["M"])
        axis.vlines(found["M"] * shift, found["low"], found["high"], color=colour)
        axis.plot(found["M"] * shift, found["median"], "o", color=colour)
        axis.text(
            0.96, 0.9 if colour == EDGE else 0.8, words, color=colour, ha="right", transform=axis.transAxes, fontsize=8
        )
    axis.axhline(ALPHA_TRUE, color=TAIL)
    style.at_end(axis, "truth", ALPHA_TRUE, TAIL)
    axis.set_xscale("log")
    plain_ticks(axis.xaxis, sorted(rows["M"].unique()))
    axis.set_title("Tiny layers: power-law samples")
    axis.set_xlabel("number of eigenvalues")
    axis.set_ylabel(r"fitted $\alpha$")


_END = {"textcoords": "offset points", "fontsize": 8, "annotation_clip": False}
