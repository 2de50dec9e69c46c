"""Figures of the campaigns that overfit, on random matrices whose spectra are known."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from weightspace.display.figures.regularizers import eigenvalue_densities, pooled
from weightspace.spectra import marchenko_pastur

N, M = 120, 40
SETTINGS = {"baseline": "no regularizer", "dropout_0.1": "dropout 0.1", "weight_decay_0.005": "weight decay 0.005"}


def spectrum(rng, scale, spikes=0):
    matrix = scale * rng.standard_normal((N, M))
    for k in range(spikes):
        matrix[k, k] += 60 * scale
    return np.linalg.svd(matrix, compute_uv=False)[::-1].astype(np.float32) ** 2


@pytest.fixture
def spectra():
    rng = np.random.default_rng(0)
    rows = [
        (setting, setting.rpartition("_")[0] or "baseline", layer, N, M, spectrum(rng, scale, spikes))
        for setting, scale, spikes in (("baseline", 1, 3), ("dropout_0.1", 1, 1), ("weight_decay_0.005", 0.1, 0))
        for layer in ("layer1", "layer2")
        for _ in range(4)
    ]
    return pd.DataFrame(rows, columns=["setting", "category", "layer", "N", "M", "eigenvalues"])


def test_every_panel_has_its_law_and_counts_what_lies_beyond(spectra):
    figure = eigenvalue_densities(spectra, SETTINGS, ["layer1", "layer2"])
    axes = figure.get_axes()
    assert [axis.get_title("left") for axis in axes] == [*SETTINGS.values(), "", "", ""]
    counts = [float(axis.texts[0].get_text().split()[0]) for axis in axes]
    assert counts == pytest.approx([3, 1, 0, 3, 1, 0], abs=0.26)
    assert axes[0].get_ylabel().startswith("layer1") and axes[3].get_ylabel().startswith("layer2")
    plt.close(figure)


def test_densities_integrate_to_one(spectra):
    figure = eigenvalue_densities(spectra, SETTINGS, ["layer1"])
    for axis in figure.get_axes():
        values, edges, _ = axis.patches[0].get_data()
        assert (values * np.diff(np.log10(edges))).sum() == pytest.approx(1)
    plt.close(figure)


def test_pooled_spectra_have_the_law_of_each_and_no_zeros(spectra):
    own = spectra[(spectra["setting"] == "weight_decay_0.005") & (spectra["layer"] == "layer1")].copy()
    values, sides, matrices = pooled(own)
    assert (sides, matrices, len(values)) == (N, 4, 4 * M)
    assert marchenko_pastur.fit(values, N, matrices=4).sigma == pytest.approx(0.1, rel=0.02)
    own["eigenvalues"] = [np.concatenate([[0, 1e-12], v[2:]]).astype(np.float32) for v in own["eigenvalues"]]
    assert len(pooled(own)[0]) == 4 * (M - 2)
    own.loc[own.index[0], "N"] = 7
    with pytest.raises(ValueError, match="one shape"):
        pooled(own)
