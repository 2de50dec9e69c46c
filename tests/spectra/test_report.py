"""Which matrices a model has, where they come from, and the table of their spectra."""

import copy
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, prune

from weightspace import DualConv2d, DualLinear, spectral_report
from weightspace.__main__ import main
from weightspace.spectra import metrics, power_law, random_matrices
from weightspace.spectra import report as report_module
from weightspace.spectra.checkpoints import named_weights
from weightspace.spectra.matrices import layer_matrices
from weightspace.spectra.report import layer_spectra, report_of


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def squared_singular_values(matrix) -> np.ndarray:
    return np.sort(np.linalg.svd(np.asarray(matrix, dtype=np.float64), compute_uv=False) ** 2)


def spectrum(source, row=0) -> np.ndarray:
    found = layer_spectra(source, progress=False)[row]
    assert not found.reason
    return found.eigenvalues


def matrix(layer) -> torch.Tensor:
    return torch.from_numpy(np.asarray(layer.matrices[0]))


def names(source) -> list[str]:
    return [layer.name for layer in layer_matrices(source)]


# The matrix is the map that the layer applies: its spectrum against that of the map itself, taken column by column


@torch.no_grad()
def matrix_of(layer: nn.Module, shape: tuple[int, ...]) -> np.ndarray:
    """The linear map of a layer without bias on inputs of this shape, one column for each input number."""
    size = int(np.prod(shape))
    columns = [layer(unit.reshape(1, *shape)).flatten() for unit in torch.eye(size)]
    return torch.stack(columns, 1).numpy()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(7, 5, bias=False), (7,)),
        (nn.Conv1d(4, 6, 3, bias=False), (4, 3)),
        (nn.Conv2d(3, 8, (2, 4), bias=False), (3, 2, 4)),
        (nn.Conv2d(9, 4, 2, bias=False), (9, 2, 2)),
        (nn.Conv2d(3, 16, 4, stride=4, bias=False), (3, 4, 4)),
        (nn.Conv3d(2, 5, 2, bias=False), (2, 2, 2, 2)),
        (nn.Conv2d(8, 12, 3, groups=4, bias=False), (8, 3, 3)),
        (nn.Conv2d(6, 6, 3, groups=6, bias=False), (6, 3, 3)),
        (nn.ConvTranspose2d(5, 7, 3, bias=False), (5, 1, 1)),
        (nn.ConvTranspose1d(6, 4, 2, groups=2, bias=False), (6, 1)),
        (DualLinear(7, 5, bias=False), (7,)),
        (DualConv2d(4, 8, 3, groups=2, bias=False), (4, 3, 3)),
        (parametrizations.spectral_norm(nn.Linear(7, 5, bias=False)).eval(), (7,)),
        (parametrizations.weight_norm(nn.Conv2d(3, 4, 2, bias=False)), (3, 2, 2)),
        (prune.l1_unstructured(nn.Linear(7, 5, bias=False), "weight", 0.4), (7,)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_the_spectrum_is_that_of_the_map_on_one_patch(layer, shape):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.1 * torch.randn_like(parameter)  # dual layers begin with w2 = 0
    expected = squared_singular_values(matrix_of(layer, shape))
    found = spectrum(layer)
    np.testing.assert_allclose(found, expected[-len(found) :], rtol=1e-5, atol=1e-6)
    assert np.allclose(expected[: -len(found)], 0, atol=1e-6)
    assert len(layer_matrices(layer)) == 1


def test_attention_is_three_maps():
    layer = nn.MultiheadAttention(12, 3)
    q, k, v = layer.in_proj_weight.detach().chunk(3)
    assert names(layer) == ["in_proj_weight[q]", "in_proj_weight[k]", "in_proj_weight[v]", "out_proj"]
    for row, part in enumerate((q, k, v, layer.out_proj.weight.detach())):
        np.testing.assert_allclose(spectrum(layer, row), squared_singular_values(part), rtol=1e-5)
    other = nn.MultiheadAttention(12, 3, kdim=5, vdim=6, add_bias_kv=True)
    assert names(other) == ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj"]


@torch.no_grad()
def test_gates_are_named_in_the_order_of_pytorch():
    """Without the rows of one gate the cell must do what that gate at rest does."""
    cell = nn.LSTMCell(4, 6, bias=False)
    x, state = torch.randn(3, 4), (torch.randn(3, 6), torch.randn(3, 6))
    rows = dict(zip((layer.name for layer in layer_matrices(cell)), layer_matrices(cell)))
    gates = {}
    for label in "ifgo":
        inner, outer = (matrix(rows[f"weight_{kind}[{label}]"]) for kind in ("ih", "hh"))
        gates[label] = x @ inner.T + state[0] @ outer.T
    c = gates["f"].sigmoid() * state[1] + gates["i"].sigmoid() * gates["g"].tanh()
    h = gates["o"].sigmoid() * c.tanh()
    torch.testing.assert_close((h, c), cell(x, state))
    assert [name[-2] for name in names(nn.GRU(4, 6))] == list("rznrzn")
    assert names(nn.RNN(4, 6)) == ["weight_ih_l0", "weight_hh_l0"]
    assert names(nn.LSTM(4, 6, proj_size=3))[-1] == "weight_hr_l0"


def test_bilinear_is_linear_in_the_outer_product():
    layer = nn.Bilinear(3, 4, 5, bias=False)
    a, b = torch.randn(3), torch.randn(4)
    torch.testing.assert_close(matrix(layer_matrices(layer)[0]) @ torch.outer(a, b).flatten(), layer(a, b))


def test_shared_weights_are_taken_once():
    model = nn.ModuleDict({"embedding": nn.Embedding(30, 8), "twin": nn.Linear(8, 8), "head": nn.Linear(8, 30)})
    model["head"].weight = model["embedding"].weight
    model["again"] = model["twin"]
    assert names(model) == ["embedding", "twin"]
    assert names(model.state_dict()) == ["embedding", "twin"]


def test_parameters_of_other_modules():
    model = nn.Module()
    model.projection = nn.Parameter(torch.randn(4, 6))
    model.position = nn.Parameter(torch.randn(1, 5, 6))
    model.token = nn.Parameter(torch.randn(1, 1, 6))
    model.column = nn.Parameter(torch.randn(6, 1))
    model.cube = nn.Parameter(torch.randn(3, 4, 5))
    model.norm = nn.LayerNorm((4, 5))
    layers = {layer.name: layer for layer in layer_matrices(model)}
    assert list(layers) == ["projection", "position", "cube"]
    assert (layers["position"].N, layers["position"].M) == (6, 5)
    assert "(3, 4, 5)" in layers["cube"].reason


def test_a_state_dict_gives_the_spectra_of_its_module():
    model = nn.ModuleDict(
        {
            "convolution": nn.Conv2d(3, 8, 2),
            "transposed": nn.ConvTranspose2d(5, 7, 3),
            "linear": nn.Linear(6, 7),
            "dual": DualLinear(6, 7),
            "dual_convolution": DualConv2d(4, 8, 3),
            "attention": nn.MultiheadAttention(8, 2),
            "lstm": nn.LSTM(4, 6, num_layers=2, bidirectional=True, proj_size=3),
            "gru": nn.GRUCell(4, 6),
            "rnn": nn.RNN(4, 6),
            "token_embedding": nn.Embedding(9, 4),
        }
    )
    with torch.no_grad():
        model["dual"].w2.normal_()
    ours, guessed = layer_spectra(model), layer_spectra(model.state_dict())
    assert [each.name for each in ours] == [each.name for each in guessed]
    for module, entry in zip(ours, guessed):
        np.testing.assert_array_equal(module.eigenvalues, entry.eigenvalues, err_msg=module.name)
    kinds = {each.name: each.layer_type for each in guessed}
    assert kinds["linear"] == "linear (guess)" and kinds["token_embedding"] == "embedding (guess)"
    assert kinds["convolution"] == "conv2d (guess)" and kinds["dual"] == "dual (guess)"


def test_a_state_dict_of_parametrized_weights_says_that_they_cannot_be_put_together():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 5)), prune.identity(nn.Linear(5, 6), "weight"))
    table = spectral_report(model.state_dict())
    assert table["reason"].str.contains("pass the module").all() and len(table) == 3
    assert not spectral_report(model)["reason"].str.contains("module").any() and len(spectral_report(model)) == 2


# What cannot be used has a row and a reason


def broken() -> nn.ModuleDict:
    model = nn.ModuleDict(
        {
            "good": nn.Linear(20, 30),
            "nan": nn.Linear(20, 30),
            "infinite": nn.Linear(20, 30),
            "complex": nn.Linear(20, 30, dtype=torch.complex64),
            "empty": nn.Linear(0, 30),
            "lazy": nn.LazyLinear(30),
            "meta": nn.Linear(20, 30, device="meta"),
            "zero": nn.Linear(20, 30),
            "tiny": nn.Linear(5, 30),
            "one": nn.Linear(20, 1),
            "huge": nn.Linear(20, 30, dtype=torch.float64),
            "last": nn.Linear(30, 20),
        }
    )
    with torch.no_grad():
        model["nan"].weight[2, 3] = torch.nan
        model["infinite"].weight[2, 3] = torch.inf
        model["zero"].weight.zero_()
        model["huge"].weight *= 1e300  # finite, but its squares are not
    return model


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_broken_layer_never_ends_the_report():
    model = broken()
    table = spectral_report(model, intervals=5).set_index("name")
    assert list(table.index) == list(model)
    for name, word in {
        "nan": "NaN",
        "infinite": "infinite",
        "complex": "complex",
        "empty": r"empty",
        "lazy": "not initialized",
        "meta": "meta",
        "zero": "zero",
        "tiny": "5 eigenvalues",
        "one": "1 eigenvalues",
    }.items():
        assert word in table.loc[name, "reason"], name
        assert pd.isna(table.loc[name, ["alpha", "alpha_low", "alpha_high", "n_tail"]]).all(), name
    assert np.isfinite(table.loc["tiny", "stable_rank"]) and table.loc["one", "stable_rank"] == pytest.approx(1)
    assert table.loc["huge", "reason"] and np.isfinite(table.loc[["good", "last"], ["D", "sigma_mp"]]).all(axis=None)
    alone = spectral_report(model["good"], intervals=5).iloc[0]
    assert alone["D"] == table.loc["good", "D"] and alone["sigma_mp"] == table.loc["good", "sigma_mp"]


def test_entries_that_are_no_weights():
    table = spectral_report({"mask": torch.ones(4, 5, dtype=torch.bool), "ids": np.arange(12).reshape(3, 4)})
    assert table["reason"].str.contains("indices, masks or quantized codes").all()


def test_a_layer_that_raises_has_its_error_as_the_reason():
    class Raises(nn.Module):
        broken = False

        def forward(self, weight):
            if self.broken:
                raise RuntimeError("no such weight")
            return weight

    layer = nn.Linear(20, 30)
    torch.nn.utils.parametrize.register_parametrization(layer, "weight", Raises())
    Raises.broken = True
    table = spectral_report(nn.Sequential(nn.Linear(20, 30), layer))
    assert np.isfinite(table["D"][0]) and table["reason"][1] == "RuntimeError: no such weight"


def test_no_matrix_at_all():
    with pytest.raises(ValueError, match="no weight matrix"):
        spectral_report(nn.BatchNorm2d(3))
    with pytest.raises(ValueError, match="no arrays"):
        spectral_report({"epoch": 3})


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown convention 'w'"):
        spectral_report(nn.Linear(3, 4), convention="w")
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        spectral_report(nn.Linear(3, 4), device="tpu")


# The numbers


def test_the_columns_are_what_their_names_say():
    weight = np.random.default_rng(0).standard_normal((60, 90))
    row = spectral_report({"w": weight}, intervals=20, goodness=20).iloc[0]
    values = squared_singular_values(weight)
    p = values / values.sum()
    fit = power_law.fit(values)
    expected = {
        "N": 90,
        "M": 60,
        "Q": 1.5,
        "num_evals": 60,
        "norm": np.linalg.norm(weight) ** 2,
        "spectral_norm": np.linalg.norm(weight, 2) ** 2,
        "log_norm": 2 * np.log10(np.linalg.norm(weight)),
        "log_spectral_norm": 2 * np.log10(np.linalg.norm(weight, 2)),
        "stable_rank": (np.linalg.norm(weight) / np.linalg.norm(weight, 2)) ** 2,
        "matrix_rank": np.linalg.matrix_rank(weight),
        "entropy": -(p * np.log(p)).sum() / np.log(60),
        "effective_rank": np.exp(-(p * np.log(p)).sum()),
        "alpha": fit.alpha,
        "D": fit.D,
        "xmin": fit.xmin,
        "n_tail": fit.n_tail,
        "alpha_weighted": fit.alpha * np.log10(values[-1]),
        "log_alpha_norm": np.log10((values**fit.alpha).sum()),
        "p": power_law.goodness_of_fit(values, replicates=20),
    }
    for column, value in expected.items():
        assert row[column] == pytest.approx(value, rel=1e-9), column
    assert (row["alpha_low"], row["alpha_high"]) == pytest.approx(power_law.interval(values, replicates=20), rel=1e-9)
    assert row["sigma_mp"] == pytest.approx(1, abs=0.03) and row["num_spikes"] == 0  # noise of variance 1
    assert row["mp_softrank"] == pytest.approx(row["lambda_plus"] / values[-1]) and row["D_mp"] < 0.1
    assert row["unfolding"] == "as stored" and row["reason"] == ""


def test_the_scale_of_the_weights_changes_nothing_but_the_scale():
    """WeightWatcher's absolute cut makes a layer of small weights another layer."""
    weight = np.random.default_rng(0).standard_normal((60, 90))
    scaled = spectral_report({"a": weight, "b": 1e-6 * weight})
    invariant = "alpha D n_tail stable_rank matrix_rank entropy effective_rank num_spikes mp_softrank D_mp".split()
    for column in invariant:
        assert scaled[column][1] == pytest.approx(scaled[column][0], rel=1e-9), column
    for column, power in {"norm": 12, "xmin": 12, "lambda_plus": 12, "edge": 12, "sigma_mp": 6}.items():
        assert scaled[column][1] == pytest.approx(scaled[column][0] * 10.0**-power, rel=1e-9), column


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_rounding_in_storage_does_not_add_rank(dtype):
    weight = torch.randn(300, 5, dtype=torch.float64) @ torch.randn(5, 200, dtype=torch.float64)
    table = spectral_report({"low": weight.to(dtype), "full": torch.randn(300, 200).to(dtype)})
    assert table["matrix_rank"][0] == 5 and table["num_evals"][0] == 200
    assert table["matrix_rank"][1] == 200


def test_pooled_groups_are_fitted_as_several_matrices():
    """16 blocks of noise, 30 x 60 each, are noise of the same sigma and aspect ratio without a spike."""
    layer = nn.Conv1d(16 * 20, 16 * 30, 3, groups=16, bias=False)
    nn.init.normal_(layer.weight, std=0.2)
    row = spectral_report(layer).iloc[0]
    assert (row["N"], row["M"], row["num_evals"]) == (60, 30, 480) and "16 groups" in row["unfolding"]
    assert row["sigma_mp"] == pytest.approx(0.2, rel=0.03) and row["num_spikes"] == 0


# What means nothing is not given


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(30, 30), (40, 90), (300, 200)])
def test_orthogonal_weights_have_no_alpha(shape, dtype):
    weight = nn.init.orthogonal_(torch.empty(shape, dtype=torch.promote_types(dtype, torch.float32))).to(dtype)
    row = spectral_report({"w": 3 * weight}).iloc[0]
    assert np.isnan(row["alpha"]) and "equal but for rounding" in row["reason"]
    assert row["stable_rank"] == pytest.approx(min(shape), rel=0.02)
    assert np.isnan(row["n_tail"]) and np.isnan(row["alpha_weighted"])


def test_a_tail_that_is_not_flat_keeps_its_alpha():
    """Of the same narrow range in a type that resolves it: the rule is about rounding, not about large alphas."""
    left, right = (nn.init.orthogonal_(torch.empty(60, 60, dtype=torch.float64)) for _ in range(2))
    values = 1 + 1e-4 * torch.linspace(0, 1, 60, dtype=torch.float64)
    row = spectral_report({"w": left @ values.diag() @ right}).iloc[0]
    assert "rounding" not in row["reason"] and row["n_tail"] > 2


def test_depthwise_convolutions_have_no_alpha():
    for layer in (nn.Conv2d(64, 64, 3, groups=64), nn.Conv1d(40, 80, 5, groups=40)):
        row = spectral_report(layer).iloc[0]
        if layer.weight.shape[0] == layer.groups:
            assert np.isnan(row["alpha"]) and "depthwise" in row["reason"]
            assert row["num_evals"] == 64 and row["stable_rank"] > 1
        else:
            assert "depthwise" not in row["reason"]  # two rows a group: a spectrum, if a small one


def heavy(n=40, seed=0):
    """A matrix without a bulk of noise: its eigenvalues cover ten decades evenly."""
    left, right = (torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))[0] for _ in range(2))
    return left @ torch.logspace(-5, 0, n, dtype=torch.float64).diag() @ right


def test_without_a_bulk_of_noise_there_are_no_spikes():
    table = spectral_report({"heavy": heavy(), "noise": torch.randn(40, 60)}).set_index("name")
    bulk = ["sigma_mp", "lambda_plus", "edge", "num_spikes", "mp_softrank", "D_mp"]
    assert table.loc["heavy", bulk].isna().all() and "no bulk of noise: more than half" in table.loc["heavy", "reason"]
    assert table.loc["noise", bulk].notna().all() and "bulk" not in table.loc["noise", "reason"]


def test_a_correlation_trap_is_a_spike_of_the_shuffled_entries():
    """The same entries in any order: what many of them share is gone, what a single one does is not."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((300, 200))
    shared = noise + 0.3 * np.outer(rng.choice([-1, 1], 300), rng.choice([-1, 1], 200))
    trap = noise.copy()
    trap[3, 4] = 60
    for W, spikes in ((shared, [1, 0]), (trap, [1, 1])):
        shuffled = rng.permutation(W.ravel()).reshape(W.shape)
        table = spectral_report({"as it is": W, "shuffled": shuffled})
        assert table["num_spikes"].tolist() == spikes
        assert ((table["spectral_norm"] > table["edge"]) == (table["num_spikes"] > 0)).all()


def test_records_keep_what_the_fits_say():
    kept = layer_spectra({"heavy": heavy(), "short": torch.randn(12, 20)})
    given, whole = report_of(kept), report_of(kept, withhold=False)
    assert np.isnan(given["alpha"][1]) and np.isnan(given["num_spikes"][0]) and whole["alpha"].notna().all()
    assert whole["num_spikes"][0] == 20 and whole["reason"].eq("").all()
    assert list(given.columns) == list(whole.columns)
    assert whole["alpha"][1] == power_law.fit(kept[1].eigenvalues).alpha


def test_from_twenty_values_on_alpha_two_is_told_from_four():
    """The simulation of ``FEWEST_IN_TAIL``, with tails alone and above as many values that are no power law."""
    rng = np.random.default_rng(0)
    wrong = {"below 10": [], "enough": []}
    for body in (0, 1):
        for alpha in (2.0, 4.0):
            for n in np.repeat([8, 12, 20, 25, 32, 50], 150):
                values = np.concatenate([random_matrices.power_law_sample(n, alpha, rng), rng.random(body * n)])
                fit = power_law.fit(values)
                if fit.n_tail < 10 or fit.n_tail >= report_module.FEWEST_IN_TAIL:
                    wrong["below 10" if fit.n_tail < 10 else "enough"].append((fit.alpha < 3) != (alpha < 3))
    assert len(wrong["enough"]) > 1000 and np.mean(wrong["enough"]) < 0.05
    assert len(wrong["below 10"]) > 300 and np.mean(wrong["below 10"]) > 0.1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 14), min_size=0, max_size=5),
            st.sampled_from(["float16", "float32", "float64", "complex64", "int8", "bool"]),
            st.sampled_from(["weight", "bias", "in_proj_weight", "w1", "w2", "weight_hh_l0", "weight_g", "x"]),
            st.sampled_from([1.0, 0.0, np.nan, np.inf]),
        ),
        min_size=1,
        max_size=5,
    )
)
@example([([0, 0, 0], "float16", "weight", 1.0), ([0, 3, 3, 3], "float32", "weight", 1.0)])
@example([([0, 0], "float32", "in_proj_weight", 1.0)])
def test_any_arrays_under_any_names(entries):
    """Every array with two axes or more has its rows, with numbers or with a reason; nothing else ends the report."""
    random = np.random.default_rng(0)
    source = {"fixed": random.standard_normal((12, 15))}
    for number, (shape, dtype, name, spoiled) in enumerate(entries):
        with np.errstate(invalid="ignore"):
            array = random.standard_normal(shape)
            array *= spoiled if spoiled == 0 else 1
            array.flat[:1] = spoiled if array.size else 0
            source[f"layer{number}.{name}"] = array.astype(dtype)
    table = spectral_report(source).set_index("name")
    assert np.isfinite(table.loc["fixed", ["D", "sigma_mp"]].astype(float)).all()
    rest = table.drop(index="fixed")
    assert ((rest["reason"] != "") | rest["alpha"].notna()).all()
    for number, (shape, _, name, _) in enumerate(entries):
        if len(shape) == 2 and name == "weight":
            assert f"layer{number}" in table.index


def test_stored_spectra_give_the_same_table():
    model = nn.Sequential(nn.Conv2d(3, 12, 3), nn.Linear(20, 30))
    kept = layer_spectra(model)
    before = spectral_report(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    pd.testing.assert_frame_equal(report_of(kept), before)
    assert metrics.stable_rank(kept[1].eigenvalues) == before["stable_rank"][1]


def test_the_report_leaves_the_model_alone():
    model = nn.Sequential(nn.Conv2d(3, 12, 3), DualLinear(20, 30))
    before, attributes = copy.deepcopy(model.state_dict()), set(vars(model[0]))
    for convention in ("weightspace", "weightwatcher"):
        spectral_report(model, convention=convention)
    torch.testing.assert_close(model.state_dict(), before)
    assert set(vars(model[0])) == attributes and all(p.grad is None for p in model.parameters())


def test_progress_goes_with_the_operations(monkeypatch):
    seen = []

    class Bar:
        def __init__(self, total, **_):
            seen.append(total)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        update = seen.append

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    spectral_report(nn.Sequential(nn.Linear(4, 5), nn.MultiheadAttention(8, 2)), progress=True)
    assert seen[0] == 4**2 * 9 + 4 * 8**2 * 16 == sum(seen[1:]) and len(seen) == 6
    spectral_report(nn.Linear(4, 5), progress=False)
    assert len(seen) == 6


# Files


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 12, 3), nn.Flatten(), nn.Linear(40, 20))


@pytest.mark.parametrize("ending", ["pt", "pth", "th"])
def test_checkpoints_as_training_scripts_write_them(tmp_path, ending):
    model, path = small(), tmp_path / f"model.{ending}"
    expected = spectral_report(model.state_dict())
    wrapped = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    for content in (
        model.state_dict(),
        {"state_dict": wrapped, "epoch": 7, "best_prec1": 0.9},
        {"model": model.state_dict(), "optimizer": torch.optim.Adam(model.parameters()).state_dict()},
    ):
        torch.save(content, path)
        pd.testing.assert_frame_equal(spectral_report(path), expected)
        pd.testing.assert_frame_equal(spectral_report(str(path)), expected)
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)
    pd.testing.assert_frame_equal(spectral_report(path), expected)


def test_files_that_cannot_be_read(tmp_path):
    whole, cut, text = tmp_path / "whole.pt", tmp_path / "cut.pt", tmp_path / "text.pt"
    torch.save(small(), whole)
    torch.save(small().state_dict(), cut)
    cut.write_bytes(cut.read_bytes()[:3000])
    text.write_text("not a checkpoint")
    with pytest.raises(ValueError, match=r"whole\.pt holds pickled objects.*save model\.state_dict\(\)"):
        spectral_report(whole)
    for path in (cut, text):
        with pytest.raises(ValueError, match=rf"{path.name} is no checkpoint.*download or save it again"):
            spectral_report(path)
    torch.save(torch.ones(3, 3), text)
    with pytest.raises(ValueError, match=r"text\.pt holds a Tensor, not a state_dict"):
        spectral_report(text)
    with pytest.raises(FileNotFoundError, match=r"none\.pt"):
        spectral_report(tmp_path / "none.pt")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_never_gives_other_numbers(data):
    """In a checkpoint of torch.save: refused, or (in fillings between the arrays) without effect."""
    file = io.BytesIO()
    state = {"a.weight": torch.arange(60.0).reshape(6, 10), "b.weight": torch.ones(12, 11)}
    torch.save(state, file)
    content = bytearray(file.getvalue())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        path.write_bytes(content)
        try:
            found = named_weights(path)
        except ValueError:
            return
        assert list(found) == list(state) and all(np.array_equal(found[name], state[name]) for name in state)


def test_a_damaged_array_is_named(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"w": torch.full((40, 40), 7.0)}, path)
    content = path.read_bytes()
    path.write_bytes(content.replace(np.full(3, 7, "float32").tobytes(), np.full(3, 8, "float32").tobytes(), 1))
    assert torch.load(path, weights_only=True)["w"].max() == 8  # PyTorch does not notice
    with pytest.raises(ValueError, match=r"model\.pt is damaged: '.*data/0' in it differs from its checksum"):
        spectral_report(path)


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.integers(1, 3).map(lambda rows: np.ones((rows, 2))),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "1", 1]), inner),
        max_leaves=8,
    )
)
def test_no_array_of_a_nested_mapping_is_left_out(content):
    def leaves(content):
        if isinstance(content, np.ndarray):
            return 1
        return sum(map(leaves, content.values() if isinstance(content, dict) else content))

    source = {"first": np.zeros((2, 2)), "rest": content, "epoch": 3}
    try:
        found = named_weights(source)
    except ValueError:
        assert "1" in str(content)  # under both of its keys
    else:
        assert len(found) == 1 + leaves(content)


def test_names_of_nested_arrays():
    w = torch.ones(3, 4)
    state = {"state": {0: {"exp_avg": w}}, "param_groups": [{"params": [0]}]}
    assert list(named_weights({"encoder": {"fc.weight": w}, "heads": [w, w]})) == [
        "encoder.fc.weight",
        "heads.0",
        "heads.1",
    ]
    assert list(named_weights({"model": {"fc.weight": w}, "optimizer_states": [state], "best": w[0]})) == ["fc.weight"]
    # A second model beside the first is not left out.
    assert list(named_weights({"model": {"w": w}, "ema": {"w": w}, "optimizer": state})) == ["model.w", "ema.w"]
    for clash in ({1: w, "1": w}, {"a.b": w, "a": {"b": w}}):
        with pytest.raises(ValueError, match="two arrays called"):
            named_weights(clash)
    with pytest.raises(ValueError, match="'net' is a module: pass the model itself"):
        named_weights({"net": nn.Linear(3, 4)})


def test_masked_weights_have_a_reason():
    table = spectral_report({"w": np.ma.masked_array(np.ones((12, 12)), mask=np.eye(12))})
    assert "12 values that are NaN" in table["reason"][0]


@pytest.mark.parametrize("way", ["same", "link"])
def test_the_command_does_not_write_onto_its_input(tmp_path, capsys, way):
    path, out = tmp_path / "model.pt", tmp_path / "report.csv"
    torch.save(small().state_dict(), path)
    before = path.read_bytes()
    if way == "link":
        out.symlink_to(path)
    assert main(["spectra", str(path), "--out", str(out if way == "link" else path)]) == 1
    assert "is the checkpoint itself" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_safetensors(tmp_path):
    path, model = tmp_path / "model.safetensors", small()
    save_file(model.state_dict(), path)
    pd.testing.assert_frame_equal(spectral_report(path), spectral_report(model.state_dict()))
    path.write_bytes(b"anything")
    with pytest.raises(ValueError, match=r"model\.safetensors is no checkpoint"):
        spectral_report(path)


def test_the_command(tmp_path, capsys):
    path, out = tmp_path / "model.pt", tmp_path / "report.csv"
    model = nn.Sequential(nn.Conv2d(3, 12, 3), nn.Linear(40, 20), nn.Linear(5, 30))
    torch.save(model.state_dict(), path)
    assert main(["spectra", str(path), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert (
        "conv2d (guess)" in printed
        and "3 matrices; alpha of a power law in 0; a bulk of noise in 3.\n" in printed
        and "2: no power law" in printed
        and "1: no alpha: the tail has" in printed
    )
    written = pd.read_csv(out, dtype={"name": str}, keep_default_na=False, na_values=[""])
    expected = spectral_report(path)
    np.testing.assert_allclose(written["stable_rank"], expected["stable_rank"])
    assert list(written.columns) == list(expected.columns) and list(written["name"]) == ["0", "1", "2"]
    assert main(["spectra", str(tmp_path / "none.pt")]) == 1
    assert "none.pt" in capsys.readouterr().err


def test_the_command_draws_figures_beside_the_table(tmp_path, capsys):
    path, before = tmp_path / "model.pt", plt.get_fignums()
    torch.save(small().state_dict() | {"zero": torch.zeros(30, 30), "nan": torch.full((20, 20), torch.nan)}, path)
    assert main(["spectra", str(path), "--out", str(tmp_path / "table.csv"), "--plot"]) == 0
    printed = capsys.readouterr().out
    for name in ("table.layers.png", "table.esd.png"):
        assert str(tmp_path / name) in printed
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert plt.get_fignums() == before


def test_importing_the_package_does_not_import_pytorch():
    code = "import sys, weightspace, weightspace.spectra; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_same_table():
    model = small()
    ours, theirs = spectral_report(model), spectral_report(model.cuda(), device="cuda")
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-6)


def test_convolution_rows_are_what_unfold_makes_of_the_input():
    """The unfolded matrix times the patches of an image is the convolution."""
    layer, images = nn.Conv2d(3, 8, 3, padding=1, bias=False), torch.randn(2, 3, 7, 7)
    patches = F.unfold(images, 3, padding=1)
    torch.testing.assert_close((matrix(layer_matrices(layer)[0]) @ patches).reshape(2, 8, 7, 7), layer(images))
