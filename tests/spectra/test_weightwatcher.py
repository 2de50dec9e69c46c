"""Agreement with WeightWatcher 0.7.7, and what we give where that tool is wrong or breaks off."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import weightwatcher_golden as golden
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KernelDensity
from torch import nn

from weightspace import spectral_report
from weightspace.spectra import weightwatcher

GOLDEN = pd.read_parquet(Path(__file__).with_name("golden") / "weightwatcher.parquet")
MODELS = golden.models()
PEER = os.environ.get("WEIGHTSPACE_PEER_PYTHON") or (
    sys.executable if importlib.util.find_spec("weightwatcher") else None
)


def report(model):
    return spectral_report(model, convention="weightwatcher", progress=False)


def assert_agrees(ours, theirs, rtol):
    theirs = theirs.drop(columns="model").reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, theirs, rtol=rtol, atol=0, check_dtype=False)


@pytest.mark.parametrize("name", MODELS)
def test_small_models(name):
    assert_agrees(report(MODELS[name]), GOLDEN[GOLDEN["model"] == name], 1e-6)


@pytest.mark.realdata
@pytest.mark.parametrize("name", golden.CHECKPOINTS)
def test_trained_resnets(name):
    path = golden.checkpoints().get(name)
    if path is None:
        pytest.skip("pretrained_cifar10_resnet is not under WEIGHTSPACE_DATA")
    assert_agrees(report(path), GOLDEN[GOLDEN["model"] == name], 1e-6)


@pytest.mark.skipif(PEER is None, reason="no weightwatcher here, and WEIGHTSPACE_PEER_PYTHON names no Python with it")
def test_the_tool_itself(tmp_path):
    """The table written by WeightWatcher now, in its own process: all numbers, and their types."""
    environment = {name: value for name, value in os.environ.items() if name not in ("WEIGHTSPACE_DATA", "PYTHONPATH")}
    code = "import weightwatcher_golden as g; g.weightwatcher_table().to_pickle('theirs.pkl')"
    environment["PYTHONPATH"] = str(Path(golden.__file__).parent)
    subprocess.run([PEER, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True)
    theirs = pd.read_pickle(tmp_path / "theirs.pkl")
    for name, model in MODELS.items():
        ours = report(model)
        assert_agrees(ours, theirs[theirs["model"] == name], 1e-6)
        assert [kind.kind for kind in ours.dtypes] == [kind.kind for kind in theirs.drop(columns="model").dtypes]


def layers_of(model):
    return {layer.longname: layer for layer in weightwatcher.layers(model)}


def test_what_it_passes_over():
    """Below 8 eigenvalues, unsupported kinds, sides above 50,000."""
    found = layers_of(MODELS["shapes"])
    assert not {"seven", "attention", "lstm", "conv1d", "conv3d", "transposed", "batch_norm"} & set(found)
    assert "eight" in found and "attention.out_proj" in found
    assert not weightwatcher.layers(nn.Embedding(50_001, 8)) and weightwatcher.layers(nn.Embedding(50_000, 8))


def test_sides_of_convolutions():
    sides = {name: (layer.N, layer.M) for name, layer in layers_of(MODELS["shapes"]).items()}
    assert sides["odd_kernel_fewer_outputs"] == (24, 10)
    assert sides["even_kernel_fewer_outputs"] == (10, 24)  # its fault, kept
    assert sides["even_kernel_fewer_inputs"] == (24, 10)
    assert sides["odd_kernel_larger_than_channels"] == (4, 8)  # O + I < kh + kw


def test_a_broken_layer_has_a_row_and_the_others_their_numbers():
    model = nn.ModuleDict({"good": nn.Linear(20, 30), "bad": nn.Linear(20, 30), "odd": nn.Bilinear(9, 9, 9)})
    with torch.no_grad():
        model["bad"].weight[3, 4] = torch.nan
    table = report(model).set_index("name")
    assert table.loc["good", "status"] == "success" and np.isfinite(table.loc["good", "alpha"])
    assert list(table.loc[["bad", "odd"], "status"]) == ["failed"] * 2
    assert "NaN" in table.loc["bad", "warning"] and "(9, 9, 9)" in table.loc["odd", "warning"]
    numbers = [c for c in table.columns if c not in ("layer_id", "N", "M", "Q", "rf")]
    assert table.loc["bad", numbers].drop(["status", "warning", "layer_type", "has_esd", "longname"]).isna().all()
    alone = report(nn.ModuleDict({"good": model["good"]})).set_index("name")
    pd.testing.assert_series_equal(alone.loc["good"], table.loc["good"], check_dtype=False)


def test_no_fit_is_nan_and_not_minus_one():
    model = nn.ModuleDict({"tiny": nn.Linear(20, 30), "zero": nn.Linear(20, 30), "equal": nn.Linear(20, 20)})
    with torch.no_grad():
        model["tiny"].weight *= 1e-4  # all eigenvalues below its absolute cut of 1e-5
        model["zero"].weight.zero_()
        model["equal"].weight[:] = torch.eye(20)
    table = report(model).set_index("name")
    for name in table.index:
        assert table.loc[name, ["alpha", "D", "sigma", "xmin", "num_pl_spikes", "log_alpha_norm"]].isna().all(), name
        assert table.loc[name, "status"] == "failed" and table.loc[name, "warning"] == ""
    assert np.isfinite(table.loc["tiny", ["sigma_mp", "entropy", "log_norm"]].astype(float)).all()
    assert table.loc["zero", ["sigma_mp", "entropy", "log_norm", "stable_rank"]].isna().all()
    assert table.loc["zero", "norm"] == 0 and table.loc["zero", "matrix_rank"] == 0


def test_norms_without_weights_and_names_without_endings():
    model = nn.Sequential(nn.Linear(20, 30), nn.LayerNorm(30, elementwise_affine=False), nn.Linear(30, 40))
    assert list(report(model)["layer_id"]) == [1, 3]
    array = np.random.default_rng(0).standard_normal((20, 30))
    with_ending, without = report({"fc.weight": array}), report({"fc": array})
    pd.testing.assert_frame_equal(with_ending, without)
    assert report({"scale.weight": np.array(2.0)}).empty


def test_an_empty_model_gives_an_empty_table_with_its_columns():
    assert list(report(nn.ReLU()).columns) == list(weightwatcher.COLUMNS)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 30), min_size=8, max_size=60))
def test_the_density_is_that_of_the_kernel(values):
    """Prefix sums against scikit-learn's estimator, the one that WeightWatcher uses."""
    values = np.sort(values)
    x, density = weightwatcher._density(values)
    points = np.linspace(0, values[-1] + 0.5, 1000)
    fitted = KernelDensity(kernel="linear", bandwidth=0.1).fit(values[:, None])
    expected = np.exp(fitted.score_samples(points[:, None]))
    away = np.abs(expected - 0.01) > 1e-9  # where rounding cannot decide
    kept = np.isin(points, x)
    assert (kept == (expected > 0.01))[away].all()
    np.testing.assert_allclose(density[away[kept]], expected[kept & away], rtol=1e-9, atol=1e-12)


def test_the_bulk_of_noise_is_found():
    """No golden value: entries of variance s^2 have sigma_mp = 1 after the division by the mean eigenvalue."""
    weights = 0.03 * np.random.default_rng(1).standard_normal((900, 300))
    row = report({"noise": weights}).iloc[0]
    assert row["sigma_mp"] == pytest.approx(1, abs=0.02) and row["num_spikes"] == 0
    assert row["bulk_max"] == pytest.approx(0.03**2 * (30 + 300**0.5) ** 2, rel=0.05)
    assert row["bulk_min"] == pytest.approx(0.03**2 * (30 - 300**0.5) ** 2, rel=0.05)


def test_it_has_no_intervals():
    with pytest.raises(ValueError, match="no intervals"):
        spectral_report(nn.Linear(20, 30), convention="weightwatcher", intervals=10)


@pytest.mark.parametrize("bad", ["meta", "nan"])
def test_one_bad_tensor_does_not_end_the_table(bad):
    tensor = {
        "meta": torch.empty(20, 30, device="meta"),
        "nan": torch.full((20, 30), torch.nan),
    }[bad]
    table = spectral_report({"a.weight": torch.randn(20, 30), "b.weight": tensor}, convention="weightwatcher")
    assert np.isfinite(table["alpha"][0]) and np.isnan(table["alpha"][1]) and table["warning"][1]
