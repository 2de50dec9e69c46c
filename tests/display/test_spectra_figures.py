"""Figures of spectra: what is drawn is what was computed, and nothing else of matplotlib is touched."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

import weightspace
from weightspace.display import figures
from weightspace.spectra import eigenvalues, marchenko_pastur, power_law, random_matrices

N, M = 300, 150


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a plot was shown"))
    settings = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == settings
    plt.close("all")


@pytest.fixture(scope="module")
def spiked():
    return eigenvalues(random_matrices.spiked(N, M, [6.0, 9.0], np.random.default_rng(0)))


@pytest.fixture(scope="module")
def report():
    return pd.DataFrame(
        {
            "name": ["conv", "broken", "fc"],
            "alpha": [3.0, np.nan, 2.0],
            "alpha_low": [2.5, np.nan, 1.8],
            "alpha_high": [4.0, np.nan, 2.6],
        }
    )


def area(x, y):
    return float(np.sum((y[1:] + y[:-1]) / 2 * np.diff(x)))


@pytest.mark.parametrize("log", [False, True])
def test_density_histogram_and_law_have_the_areas_they_should(spiked, log):
    ax = figures.spectra.esd(spiked, N, log=log)
    heights, limits, _ = ax.patches[0].get_data()
    x, law = ax.lines[0].get_data()
    scale = np.log10 if log else np.asarray
    assert np.sum(heights * np.diff(scale(limits))) == pytest.approx(1)
    assert area(scale(x), law) == pytest.approx(1 - 2 / M, abs=0.01)  # two eigenvalues are not of the bulk
    assert ax.get_xscale() == ("log" if log else "linear")


def test_density_marks_the_spikes_and_the_edge(spiked):
    ax = figures.spectra.esd(spiked, N)
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), spiked[-2:])
    band = next(patch for patch in ax.patches if hasattr(patch, "get_x"))
    fit = marchenko_pastur.fit(spiked, N)
    assert band.get_x() == pytest.approx(fit.lambda_plus)
    assert band.get_x() < fit.edge < band.get_x() + band.get_width()  # the 95 % edge lies before the 99 % one
    assert [text.get_text() for text in ax.texts][1] == "2 spikes"


def test_zero_eigenvalues_are_left_out(spiked):
    with_zeros = np.concatenate([np.zeros(2), [1e-28], spiked])
    one, other = figures.spectra.esd(spiked, N), figures.spectra.esd(with_zeros, N)
    np.testing.assert_array_equal(one.lines[0].get_ydata(), other.lines[0].get_ydata())


def test_tail_is_a_line_of_slope_one_minus_alpha_inside_its_band():
    values = random_matrices.power_law_sample(400, 3.0, np.random.default_rng(1))
    law = power_law.fit(values)
    ax = figures.spectra.tail(values, replicates=50)
    points, line = ax.lines[0], ax.lines[1]
    x, y = np.log(line.get_data())
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(1 - law.alpha)
    np.testing.assert_allclose(points.get_ydata(), [np.mean(values >= value) for value in points.get_xdata()])
    assert line.get_ydata()[0] == pytest.approx(law.n_tail / 400)
    low, high = power_law.interval(values, replicates=50)
    corners = ax.collections[0].get_paths()[0].vertices
    ends = np.log(corners[np.isclose(corners[:, 0], values.max()), 1] / (law.n_tail / 400)) / (x[1] - x[0])
    assert (ends.min(), ends.max()) == pytest.approx((1 - high, 1 - low))
    assert ax.texts[0].get_text() == f"α = {law.alpha:.2f} (95 %: {low:.2f} to {high:.2f})"
    assert not figures.spectra.tail(values, replicates=0).collections


def test_profile_marks_the_smallest_distance():
    values = random_matrices.power_law_sample(200, 2.5, np.random.default_rng(2))
    upper, lower = figures.spectra.scan_profile(values)
    xmin, D = upper.lines[0].get_data()
    chosen = upper.lines[1].get_xydata()[0]
    assert tuple(chosen) == (xmin[D.argmin()], D.min())
    assert lower.lines[1].get_xdata()[0] == chosen[0]
    assert lower.lines[0].get_ydata()[D.argmin()] == lower.lines[1].get_ydata()[0]
    assert lower.get_ylim()[0] < lower.lines[1].get_ydata()[0] < lower.get_ylim()[1]


def test_layers_stand_in_the_order_of_the_model_with_gaps(report):
    ax = figures.spectra.layer_profile(report, "alpha")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [3.0, np.nan, 2.0])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["conv", "broken", "fc"]
    assert [tuple(path.vertices[:, 1]) for path in ax.collections[0].get_paths()][-1] == (1.8, 2.6)
    many = pd.DataFrame({"name": [str(k) for k in range(100)], "norm": np.arange(100.0)})
    assert len(figures.spectra.layer_profile(many, "norm").get_xticklabels()) == 34


def test_comparison_matches_layers_by_name(report):
    other = pd.DataFrame({"name": ["new", "fc", "conv"], "alpha": [9.0, 2.5, 3.5]})
    ax = figures.spectra.shifts(report, other, labels=("before", "after"))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["conv", "fc"]
    first, second = ax.lines
    assert (first.get_label(), second.get_label()) == ("before", "after")
    np.testing.assert_array_equal(first.get_xdata(), [3.0, 2.0])
    np.testing.assert_array_equal(second.get_xdata(), [3.5, 2.5])


def test_comparison_says_how_many_layers_it_leaves_out(report):
    other = pd.DataFrame({"name": ["new", "fc", "conv"], "alpha": [9.0, 2.5, 3.5]})
    ax = figures.spectra.shifts(report, other)
    assert [text.get_text() for text in ax.texts] == ["2 of 4 layers\nwithout a value in both"]  # broken and new
    whole = report[report["name"] != "broken"]
    assert not figures.spectra.shifts(whole, whole).texts
    twice = pd.concat([whole, whole])
    with pytest.raises(ValueError, match="two layers of a report are called 'conv'"):
        figures.spectra.shifts(twice, whole)


def test_one_number_of_spikes_in_table_and_figure():
    values = np.logspace(-5, 5, 40)
    assert marchenko_pastur.fit(values, 40).saturated
    ax = figures.spectra.esd(values, 40)
    assert [text.get_text() for text in ax.texts] == ["no bulk of noise"] and not ax.lines


def test_reports_of_the_package_can_be_drawn():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.Flatten(), torch.nn.Linear(288, 64))
    before = weightspace.spectral_report(model, progress=False)
    with torch.no_grad():
        model[2].weight.mul_(10)
    after = weightspace.spectral_report(model, intervals=5, progress=False)
    assert len(figures.spectra.layer_profile(after, "alpha").collections) == 1  # with intervals
    first, second = figures.spectra.shifts(before, after, "log_norm").lines
    np.testing.assert_allclose(second.get_xdata() - first.get_xdata(), [0, 2])


def test_bad_reports_are_named(report):
    with pytest.raises(ValueError, match="no column 'entropy': it has name, alpha"):
        figures.spectra.layer_profile(report, "entropy")
    with pytest.raises(ValueError, match="no layer in common that has a value in 'alpha'"):
        figures.spectra.shifts(report, report.assign(name=["x", "y", "z"]))


def test_axes_that_are_given_are_used(spiked, report):
    figure, axes = plt.subplots(2, 3)
    given = axes.ravel().tolist()
    returned = [
        figures.spectra.esd(spiked, N, ax=given[0]),
        figures.spectra.tail(spiked, replicates=0, ax=given[1]),
        *figures.spectra.scan_profile(spiked, axes=given[2:4]),
        figures.spectra.layer_profile(report, "alpha", ax=given[4]),
        figures.spectra.shifts(report, report, ax=given[5]),
    ]
    assert returned == given and plt.get_fignums() == [figure.number]


def test_two_checkpoints_in_one_figure():
    generator = torch.Generator().manual_seed(0)
    a = {f"{name}.weight": torch.randn(80, 70, generator=generator) for name in ("first", "second", "left")}
    b = {f"{name}.weight": 2 * a["first.weight"] for name in ("first", "second", "right")}
    axes = figures.spectra.comparison(weightspace.compare(a, b), labels=("before", "after")).axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["first", "second"]
    assert axes[0].lines[0].get_xdata()[0] == pytest.approx(1) == axes[0].lines[1].get_xdata()[0]
    assert [ax.get_xlabel() for ax in axes] == ["relative change", "stable_rank"]  # alpha is given nowhere
    assert [line.get_label() for line in axes[1].lines] == ["before", "after"]


def test_eigenvalues_along_training_with_the_edge_of_noise():
    rng = np.random.default_rng(0)
    steps = [random_matrices.spiked(N, M, [strength], rng) for strength in (0.1, 4.0, 9.0)]
    found = {10 * k: weightspace.spectra.report.layer_spectra({"fc.weight": matrix}) for k, matrix in enumerate(steps)}
    ax = figures.spectra.along_training(found, "fc")
    *every, top, edge = ax.lines
    assert len(every) == M and top.get_xdata().tolist() == [0, 10, 20]
    np.testing.assert_allclose(top.get_ydata(), [eigenvalues(matrix)[-1] for matrix in steps])
    assert (top.get_ydata() > edge.get_ydata()).tolist() == [False, True, True]
    with pytest.raises(ValueError, match="no record of a layer 'head': there are fc"):
        figures.spectra.along_training(found, "head")
