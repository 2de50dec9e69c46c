"""Two checkpoints against each other: what is known of rotations, scales and sums; patterns and summaries."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from weightspace import compare, spectral_report, summary
from weightspace.__main__ import main
from weightspace.spectra import eigen
from weightspace.spectra import report as report_module
from weightspace.spectra.comparison import SHIFTED
from weightspace.spectra.summary import AVERAGED


def weights(seed=0, **shapes: tuple[int, int]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {f"{name}.weight": torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_a_model_does_not_differ_from_itself():
    model = weights(fc=(60, 50), out=(40, 45))
    table = compare(model, model)
    assert (table[["relative_difference", "wasserstein", "wasserstein_shape", "ks"]] == 0).all(axis=None)
    shifts = table[[f"{column}_shift" for column in SHIFTED]]
    assert (shifts.fillna(0) == 0).all(axis=None) and (table["only_in"] == "").all()


def test_a_rotation_moves_the_weights_and_not_the_spectrum_and_a_scale_all_in_proportion():
    W = weights(fc=(60, 50))["fc.weight"].double()
    Q = torch.linalg.qr(weights(q=(60, 60))["q.weight"].double()).Q
    row = compare({"fc.weight": W}, {"fc.weight": Q @ W}).iloc[0]
    assert row["relative_difference"] > 1 and row["wasserstein"] < 1e-12 and abs(row["stable_rank_shift"]) < 1e-10
    row = compare({"fc.weight": W}, {"fc.weight": 3 * W}).iloc[0]
    assert row["relative_difference"] == pytest.approx(2) and row["wasserstein"] == pytest.approx(2)
    assert row["wasserstein_shape"] == pytest.approx(0, abs=1e-12) and row["ks"] < 0.05
    assert row["log_norm_shift"] == pytest.approx(np.log10(9))


def test_both_values_are_those_of_the_reports():
    a, b = weights(fc=(90, 80)), weights(1, fc=(90, 80))
    row = compare(a, b).iloc[0]
    for side, model in (("a", a), ("b", b)):
        expected = spectral_report(model).iloc[0]
        for column in SHIFTED:
            assert row[f"{column}_{side}"] == pytest.approx(expected[column], nan_ok=True), column
    values = [np.linalg.svd(model["fc.weight"].double().numpy(), compute_uv=False) for model in (a, b)]
    # Of two samples of one size: the mean distance of the sorted values.
    assert row["wasserstein"] == pytest.approx(np.abs(values[0] - values[1]).mean() / values[0].mean(), rel=1e-6)
    assert row["relative_difference"] == pytest.approx(
        float((b["fc.weight"] - a["fc.weight"]).norm() / a["fc.weight"].norm()), rel=1e-6
    )


def test_layers_of_one_side_other_shapes_and_faults_are_named():
    a = weights(fc=(30, 20), head=(10, 20), old=(12, 12), bad=(12, 14))
    b = weights(fc=(30, 20), head=(15, 20), new=(12, 12), bad=(12, 14))
    b["bad.weight"][0, 0] = torch.nan
    table = compare(a, b).set_index("name")
    assert table["only_in"].to_dict() == {"fc": "", "head": "", "old": "a", "bad": "", "new": "b"}
    assert "the shapes differ" in table.at["head", "reason"] and np.isnan(table.at["head", "relative_difference"])
    assert table.at["head", "wasserstein"] > 0 and table.at["head", "N"] == 20
    assert "b: holds 1 values that are NaN" in table.at["bad", "reason"] and np.isnan(table.at["bad", "ks"])
    assert np.isnan(table.at["new", "stable_rank_shift"]) and table.at["new", "stable_rank_b"] > 0
    assert list(compare(a, b, include="fc")["name"]) == ["fc"]
    with pytest.raises(ValueError, match=r"no layer in common: a has fc, head, old, b has other"):
        compare(a, weights(other=(5, 5)))


# Patterns


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ("layer2.*", None, ["layer2.0", "layer2.1"]),
        (["fc", "layer[12].0"], None, ["layer1.0", "layer2.0", "fc"]),
        (None, "*.1", ["layer1.0", "layer2.0", "fc"]),
        ("layer*", ["*.0"], ["layer1.1", "layer2.1"]),
    ],
)
@pytest.mark.parametrize("convention", ["weightspace", "weightwatcher"])
def test_patterns_choose_rows_which_keep_their_numbers(monkeypatch, convention, include, exclude, expected):
    shapes = {f"layer{i}.{j}": (60 + i, 55 + j) for i in (1, 2) for j in (0, 1)} | {"fc": (58, 57)}
    model = weights(**shapes)
    key = "longname" if convention == "weightwatcher" else "name"
    whole = spectral_report(model, convention=convention)
    read = []
    monkeypatch.setattr(report_module, "solved", lambda given, **o: read.extend(given) or eigen.solved(given, **o))
    table = spectral_report(model, convention=convention, include=include, exclude=exclude)
    assert table[key].tolist() == expected and len(read) == len(expected)  # the others are not computed
    pd.testing.assert_frame_equal(table, whole[whole[key].isin(expected)].reset_index(drop=True))


def test_a_pattern_without_a_match_names_what_is_like_it():
    model = weights(**{"layer1.conv1": (6, 5), "layer1.conv2": (6, 5), "fc": (4, 3)})
    with pytest.raises(ValueError, match=r"no layer matches 'layer1.conv3': there are 3, such as layer1.conv2, layer1"):
        spectral_report(model, include=["fc", "layer1.conv3"])
    with pytest.raises(ValueError, match="no layer matches 'head'"):
        spectral_report(model, exclude="head")
    with pytest.raises(ValueError, match="no layer is left"):
        spectral_report(model, include="fc", exclude="f*")


# Summaries


def test_a_summary_has_the_means_of_weightwatcher_and_what_they_leave_out():
    model = weights(wide=(300, 200), tall=(250, 150), small=(9, 8), bad=(20, 20))
    model["bad.weight"][3] = torch.inf
    report = spectral_report(model)
    line = summary(report).iloc[0]
    assert tuple(line.index) == ("layers", *AVERAGED, "left_out") and line["layers"] == 4
    for column in AVERAGED:
        assert line[column] == pytest.approx(report[column].dropna().mean(), nan_ok=True)
    assert (
        "log_norm, log_spectral_norm, stable_rank, mp_softrank: 3 of 4 layers (1 x holds ... values" in line["left_out"]
    )
    assert "no power law: ... eigenvalues above zero" in line["left_out"]
    both = summary({"first": report, "second": spectral_report(model, include="wide")})
    assert both.index.tolist() == ["first", "second"] and both.at["second", "layers"] == 1
    theirs = summary(spectral_report(weights(fc=(60, 50)), convention="weightwatcher"))
    assert set(AVERAGED) <= set(theirs) and theirs["left_out"].item() == ""


# Devices that are not here: which solver gets which name


@pytest.mark.parametrize(("device", "solver"), [("cuda:1", "torch on cuda:1"), ("mps", "LAPACK"), ("cpu", "LAPACK")])
def test_a_device_reaches_the_solver(monkeypatch, device, solver):
    used = []

    plain, by_torch = eigen.solve_on_cpu, eigen.solve_torch
    monkeypatch.setattr(report_module.devices, "device_name", lambda name: name)
    monkeypatch.setattr(eigen, "solve_on_cpu", lambda *given: used.append("LAPACK") or plain(*given))
    monkeypatch.setattr(
        eigen, "solve_torch", lambda stack, where: used.append(f"torch on {where}") or by_torch(stack, "cpu")
    )
    table = spectral_report(nn.Linear(30, 20), device=device)
    assert used == [solver] and table["stable_rank"].item() > 1


# The command line


def test_two_files_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(weights(fc=(60, 50), old=(20, 20)), "before.pt")
    torch.save(weights(1, fc=(60, 50), new=(20, 20)), "after.pt")
    assert main(["spectra", "compare", "before.pt", "after.pt", "--out", "table.csv", "--plot"]) == 0
    text = capsys.readouterr().out
    assert "1 layers in both" in text and "Only in before.pt: old" in text and "Only in after.pt: new" in text
    table = pd.read_csv("table.csv", keep_default_na=False, na_values=[""])
    assert table["relative_difference"].dropna().item() == pytest.approx(2**0.5, rel=0.05)
    assert (tmp_path / "table.comparison.png").stat().st_size > 1e4
    assert main(["spectra", "compare", "before.pt", "after.pt", "--json"]) == 0
    assert pd.DataFrame(json.loads(capsys.readouterr().out)).shape == table.shape
    assert main(["spectra", "before.pt", "after.pt"]) == 1
    assert "compare A B" in capsys.readouterr().err
    assert main(["spectra", "compare", "before.pt", "after.pt", "--out", "after.pt"]) == 1
    assert "overwritten" in capsys.readouterr().err
