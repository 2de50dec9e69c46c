"""Figures of the campaigns that overfit, on random matrices whose spectra are known."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from overfit_campaigns import MEASURE, campaign, planted

from weightspace.analysis import regularizer_facts
from weightspace.analysis.regularizer_tests import cases, closeness, similarities
from weightspace.display.figures import regularizers
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


# --- figures of the chapters, on a campaign that is made up


@pytest.fixture(scope="module")
def frame():
    return campaign(planted(0.9, size=3.0))


@pytest.fixture(scope="module")
def found(frame):
    passed = {(MEASURE, category) for category in ("augmentation", "dropout", "weight_decay")}
    own = cases(frame, {"folded": (MEASURE,)}, draws=200)
    return similarities(own, passed), closeness(own, passed, "weight_decay")


def test_a_similarity_is_filled_where_it_is_decided(found):
    table, _ = found
    figure = regularizers.similarities(table)
    left = figure.axes[0]
    marks = [line for line in left.lines if line.get_marker() in "osD"]
    own = table[table["to"] == "dropout"]
    assert sorted(line.get_xdata()[0] for line in marks) == pytest.approx(sorted(own["similarity"]))
    filled = sum(line.get_markerfacecolor() != "none" for line in marks)
    assert filled == own["outcome"].isin(["for", "against"]).sum() > 0
    plt.close(figure)


def test_closeness_shows_the_ratio_of_the_distances(found):
    _, table = found
    figure = regularizers.closeness({"and to weight decay": table})
    marks = [line for line in figure.axes[0].lines if line.get_marker() in "osD"]
    ratios = table["distance_dropout"] / table["distance_other"]
    assert sorted(line.get_xdata()[0] for line in marks) == pytest.approx(sorted(ratios))
    plt.close(figure)


def test_every_setting_has_a_row_and_every_measure_a_panel(frame):
    table = regularizer_facts.mean_effects(frame, [MEASURE])
    figure = regularizers.mean_effects(table)
    (axis,) = figure.axes
    labels = [tick.get_text() for tick in axis.get_yticklabels()]
    assert len(labels) == table["setting"].nunique() and "dropout 0.1 and weight decay 5e-4" in labels
    assert labels.index("dropout 0.05") < labels.index("dropout 0.1") < labels.index("flip and crop")
    assert axis.get_title("left").startswith("log norm")
    plt.close(figure)


def test_the_map_names_every_setting_and_shows_the_baseline(frame):
    place, fractions = regularizer_facts.settings_map(frame, [MEASURE])
    figure = regularizers.settings_map(place, fractions, ["rand_augment"])
    (axis,) = figure.axes
    assert len(axis.texts) == 1 + (place["category"] != "augmentation").sum()
    assert [0, 0] in [[line.get_xdata()[0], line.get_ydata()[0]] for line in axis.lines if line.get_marker() == "*"]
    plt.close(figure)


def test_layers_and_curves_have_a_line_for_each_category(frame):
    figure = regularizers.layer_effects(regularizer_facts.layer_effects(frame, [MEASURE]))
    assert [text.get_text() for text in figure.legends[0].texts] == ["augmentation", "dropout", "weight decay"]
    plt.close(figure)
    shown = regularizer_facts.present(frame, ("baseline", "rand_augment", "nothing of the kind"))
    assert shown == {"baseline": "baseline", "rand_augment": "augmentation"}
    figure = regularizers.learning_curves(regularizer_facts.learning_curves(frame, shown), shown)
    assert [text.get_text() for text in figure.legends[0].texts] == ["no regularizer", "RandAugment"]
    plt.close(figure)


def test_gains_are_drawn_for_settings_that_learn(frame):
    settings = [s for s in frame["setting"].unique() if s != "baseline"]
    rows = [(frame[frame["setting"] == s]["category"].iloc[0], s, 1.0, 0.5, 1.5, 2.0, 1.5, 2.5) for s in settings]
    names = ["category", "setting", "gain", "gain_low", "gain_high", "delay", "delay_low", "delay_high"]
    table = pd.DataFrame(rows, columns=names).assign(learns=lambda own: own["setting"] != "dropout_0.7")
    figure = regularizers.gains_and_delays(table, ["rand_augment", "dropout_0.7"])
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["RandAugment"]
    plt.close(figure)
