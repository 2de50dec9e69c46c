"""Two checkpoints of one model, layer by layer: before and after fine-tuning, say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from weightspace.spectra import distances
from weightspace.spectra.checkpoints import Source
from weightspace.spectra.choice import Patterns, chosen
from weightspace.spectra.matrices import LayerMatrix, layer_matrices
from weightspace.spectra.report import LayerSpectrum, report_of, spectra_of
from weightspace.spectra.weights import Weight

SHIFTED = (
    "alpha", "log_norm", "log_spectral_norm", "stable_rank", "entropy", "effective_rank", "matrix_rank", "sigma_mp",
    "num_spikes", "mp_softrank",
)  # fmt: skip
"""Columns of the report of which ``compare`` gives both values and their difference."""


def compare(
    a: Source,
    b: Source,
    *,
    download: bool = False,
    include: Patterns | None = None,
    exclude: Patterns | None = None,
    device: str = "cpu",
    progress: bool | None = None,
) -> pd.DataFrame:
    """What became of each layer from ``a`` to ``b``, a row for every layer that either has.

    a, b: sources, and the options: as for ``spectral_report``. Layers are matched by name; patterns are those of
    ``spectral_report`` and may match layers of one source only. Columns:

    - ``name``; ``N``, ``M``: sides of the matrix, in b where the two differ
    - ``relative_difference`` = ||W_b - W_a||_F / ||W_a||_F, the share of the weights that changed
    - ``wasserstein``: Wasserstein-1 distance of the singular values, divided by the mean one in a: how far they moved
      on average, 0 for weights that were only rotated; ``wasserstein_shape``: the same with the singular values of
      each divided by their own mean, hence free of scale; ``ks``: Kolmogorov-Smirnov distance, free of scale as well
    - for each column of ``SHIFTED``: ``NAME_a``, ``NAME_b`` and ``NAME_shift``, the second minus the first
    - ``only_in``: "a" or "b" for a layer that the other has not, else empty; ``reason``: why numbers are missing

    Raises what ``spectral_report`` raises, and ``ValueError`` where two layers of a source have one name, or where the
    two sources have no layer in common.
    """
    matrices = [_by_name(layer_matrices(source, download=download), label) for source, label in ((a, "a"), (b, "b"))]
    names = list(dict.fromkeys(name for layers in matrices for name in layers))
    names = [name for name, taken in zip(names, chosen(names, include, exclude)) if taken]
    if not any(name in matrices[0] and name in matrices[1] for name in names):
        first, second = (", ".join(list(layers)[:3]) for layers in matrices)
        raise ValueError(f"the two have no layer in common: a has {first}, b has {second}")
    spectra = [
        spectra_of([layers[name] for name in names if name in layers], device=device, progress=progress)
        for layers in matrices
    ]
    reports = [report_of(each).set_index("name") for each in spectra]
    solved = [{spectrum.name: spectrum for spectrum in each} for each in spectra]
    return pd.DataFrame([_row(name, matrices, solved, reports) for name in names])


def _by_name(layers: list[LayerMatrix], label: str) -> dict[str, LayerMatrix]:
    found = {layer.name: layer for layer in layers}
    for layer in layers:
        if found[layer.name] is not layer:
            raise ValueError(f"two layers of {label} are called {layer.name!r}: names must tell the layers apart")
    return found


def _row(
    name: str,
    matrices: list[dict[str, LayerMatrix]],
    spectra: list[dict[str, LayerSpectrum]],
    reports: list[pd.DataFrame],
) -> dict[str, Any]:
    there = [name in layers for layers in matrices]
    shown = matrices[1][name] if there[1] else matrices[0][name]
    row: dict[str, Any] = {"name": name, "N": shown.N, "M": shown.M}
    reasons = {label: reports[k].at[name, "reason"] for k, label in enumerate("ab") if there[k]}
    row |= dict.fromkeys(("relative_difference", "wasserstein", "wasserstein_shape", "ks"), np.nan)
    if all(there):
        first, second = (layers[name].matrices for layers in matrices)
        if [tuple(W.shape) for W in first] == [tuple(W.shape) for W in second]:
            row["relative_difference"] = _relative_difference(first, second)
        else:
            reasons["relative_difference"] = "the shapes differ"
        one, other = (np.sqrt(each[name].eigenvalues) for each in spectra)
        if len(one) and len(other) and one.any():
            row["wasserstein"] = distances.wasserstein1(one, other) / one.mean()
            if other.any():
                row["wasserstein_shape"] = distances.wasserstein1(one, other, scale_free=True)
                row["ks"] = distances.ks(one, other, scale_free=True)
    for column in SHIFTED:
        values = [reports[k].at[name, column] if there[k] else np.nan for k in (0, 1)]
        row |= {f"{column}_a": values[0], f"{column}_b": values[1], f"{column}_shift": values[1] - values[0]}
    row["only_in"] = "" if all(there) else "ab"[there[1]]
    # One reason for both is said once.
    told = {reason: ", ".join(label for label in reasons if reasons[label] == reason) for reason in reasons.values()}
    row["reason"] = "; ".join(f"{labels}: {reason}" for reason, labels in told.items() if reason)
    return row


def _relative_difference(a: list[Weight], b: list[Weight]) -> float:
    moved, before = 0.0, 0.0
    for one, other in zip(map(np.asarray, a), map(np.asarray, b)):  # read now, one pair at a time
        moved += float(np.square(np.subtract(other, one, dtype=np.float64)).sum())
        before += float(np.square(one, dtype=np.float64).sum())
    return float(np.sqrt(moved / before)) if before else np.nan
