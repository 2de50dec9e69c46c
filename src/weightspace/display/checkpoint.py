"""``python -m weightspace spectra``: the report of a file, or two compared, as text, as a table and in figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from weightspace import extras
from weightspace.spectra import metrics
from weightspace.spectra.comparison import compare
from weightspace.spectra.report import LayerSpectrum, layer_spectra, report_of

_SHOWN = ("name", "layer_type", "N", "M", "alpha", "sigma", "n_tail", "stable_rank", "effective_rank", "num_spikes")
_COMPARED = ("name", "relative_difference", "wasserstein", "ks", "alpha_shift", "stable_rank_shift")
_PROFILES = ("alpha", "log_spectral_norm", "stable_rank", "entropy")
_HISTOGRAMS = 6


def report(checkpoint: str, out: str | None = None, plot: bool = False, json: bool = False, **reading: Any) -> str:
    """What to print about a checkpoint, as text or all columns as JSON.

    Writes the whole table to ``out`` (CSV) and the figures as PNG beside it. Without ``out`` the figures are called
    after the checkpoint and go to the current folder. ``reading``: arguments of ``layer_spectra``. Raises what
    ``spectral_report`` raises, ``ValueError`` where a file to be written is part of the checkpoint, and ``OSError``
    where one cannot be written.
    """
    base = Path(out or Path(checkpoint).name)
    _keep([base] * bool(out) + _figure_files(base) * plot, checkpoint)
    if plot:
        extras.need("plots", "matplotlib", "seaborn")  # before minutes of computing
    spectra = layer_spectra(checkpoint, **reading)
    table = report_of(spectra)
    lines = [_text(table)]
    if out:
        table.to_csv(out, index=False)
        lines.append(f"All {len(table.columns)} columns: {out}")
    if plot:
        lines += [f"Figure: {path}" for path in _figures(table, spectra, base)]
    return table.to_json(orient="records", double_precision=15, indent=2) if json else "\n".join(lines)


def number(value: object) -> object:
    """A number as a table shows it, to two decimals and empty for NaN; anything else as it is."""
    if not isinstance(value, float):
        return value
    return "" if np.isnan(value) else f"{value:.0f}" if value.is_integer() else f"{value:.2f}"


def comparison(
    a: str,
    b: str,
    out: str | None = None,
    plot: bool = False,
    json: bool = False,
    device: str = "cpu",
    download: bool = False,
) -> str:
    """What to print about two checkpoints, as ``report`` does about one; raises what ``weightspace.compare`` raises."""
    base = Path(out or f"{Path(a).name}.{Path(b).name}")
    figure_file = base.with_suffix(".comparison.png")
    _keep([base] * bool(out) + [figure_file] * plot, a, b)
    if plot:
        extras.need("plots", "matplotlib", "seaborn")
    table = compare(a, b, device=device, download=download)
    both = table[table["only_in"] == ""]
    lines = [both.loc[:, list(_COMPARED)].to_string(index=False, na_rep="", float_format=lambda x: f"{x:.3g}"), ""]
    lines.append(
        f"{len(both)} layers in both; shifts: the second minus the first; all columns: help(weightspace.compare)."
    )
    for side, path in (("a", a), ("b", b)):
        only = table.loc[table["only_in"] == side, "name"]
        lines += [f"Only in {path}: {', '.join(only)}"] * bool(len(only))
    lines += [f"{row.name}: {row.reason}" for row in table[table["reason"] != ""].itertuples(index=False)]
    if out:
        table.to_csv(out, index=False)
        lines.append(f"All {len(table.columns)} columns: {out}")
    if plot:
        from weightspace.display.figures import spectra as figures

        figures.comparison(table, labels=(Path(a).name, Path(b).name)).savefig(figure_file, dpi=150)
        lines.append(f"Figure: {figure_file}")
    return table.to_json(orient="records", double_precision=15, indent=2) if json else "\n".join(lines)


def _keep(written: list[Path], *checkpoints: str) -> None:
    """``ValueError`` where a file to be written is part of a checkpoint."""
    for source in map(Path, checkpoints):
        # Of a folder every file but tables and figures counts, be it a shard or an index.
        parts = (
            [each for each in source.glob("*") if each.suffix not in (".csv", ".png")] if source.is_dir() else [source]
        )
        for path in written:
            if path.exists() and any(each.exists() and path.samefile(each) for each in parts):
                raise ValueError(f"{path} is the checkpoint itself and would be overwritten: give --out another name")


def _text(table: pd.DataFrame) -> str:
    shown = table.loc[:, _SHOWN].rename(columns={"sigma": "+-"}).map(number).to_string(index=False)
    troubled = table[table["reason"] != ""]
    alpha = table["alpha"].dropna()
    summary = f"{len(table)} matrices; alpha of a power law in {len(alpha)}"
    if len(alpha):
        summary += f", median {alpha.median():.2f}"
    bulk = int(table["num_spikes"].notna().sum())
    lines = [
        shown,
        "",
        f"{summary}; a bulk of noise in {bulk}.",
        "Convolutions as (out, in k); what the columns say: weightspace spectra --help.",
    ]
    lines += [f"{row.name}: {row.reason}" for row in troubled[["name", "reason"]].itertuples(index=False)]
    return "\n".join(lines)


def _figures(table: pd.DataFrame, spectra: list[LayerSpectrum], path: Path) -> list[Path]:
    import matplotlib.pyplot as plt

    from weightspace.display.figures import spectra as plots_spectra

    profiles = plots_spectra.profiles(table, _PROFILES)
    fitted = [each for each, sigma in zip(spectra, table["sigma_mp"]) if each.matrices == 1 and sigma > 0]
    largest = sorted(fitted, key=lambda each: -len(each.eigenvalues))
    histograms, axes = plt.subplots(3, 2, figsize=(8, 9), layout="constrained")
    for axis, each in zip(axes.flat, largest[:_HISTOGRAMS]):
        plots_spectra.esd(metrics.nonzero(each.eigenvalues, each.N, each.eps), each.N, ax=axis)
        axis.set_title(each.name, fontsize=9)
    for axis in axes.flat[len(largest) :]:
        axis.set_visible(False)
    written = _figure_files(path)
    for figure, file in zip((profiles, histograms), written):
        figure.savefig(file, dpi=150)
        plt.close(figure)
    return written


def _figure_files(path: Path) -> list[Path]:
    return [path.with_suffix(".layers.png"), path.with_suffix(".esd.png")]
