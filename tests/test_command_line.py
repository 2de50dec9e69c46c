"""The command line as a program among others: errors in a line, pipes, streams that are closed, JSON, completion."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

import weightspace
from weightspace import experiments
from weightspace.__main__ import main
from weightspace.display import checkpoint

PROGRAM = [sys.executable, "-m", "weightspace"]


def told(capsys, *arguments: str) -> tuple[int, str, str]:
    try:
        code = main([*arguments])
    except SystemExit as leaving:
        code = leaving.code
    return code, *capsys.readouterr()


def test_version_and_help(capsys):
    assert told(capsys, "--version") == (0, f"weightspace {weightspace.__version__}\n", "")
    for command in ("run", "reported", "records"):
        assert set(experiments.registry()) <= set(told(capsys, command, "--help")[1].replace(",", "").split())
    assert "dual_regression" not in told(capsys, "spectra", "--help")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["spectr", "x"], 2, "there is no 'spectr': did you mean spectra? (see weightspace --help)"),
        (["status", "--jsno"], 2, "unrecognized arguments: --jsno (see weightspace --help)"),
        (["run"], 2, "the following arguments are required: EXPERIMENT (see weightspace run --help)"),
        (["reported", "dual_regresion"], 1, "unknown experiment 'dual_regresion': did you mean dual_regression"),
        (
            ["run", "spectra_primer", "--scale", "large"],
            1,
            "spectra_primer has no scale 'large': use one of quick, paper",
        ),
        (["spectra", "missing.pt"], 1, "[Errno 2] No such file or directory: 'missing.pt'"),
    ],
)
def test_an_error_is_one_line(arguments, code, message, capsys):
    found, out, err = told(capsys, *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"error: {message}")


def test_an_error_of_the_program_itself_keeps_its_trace(monkeypatch):
    monkeypatch.setattr(checkpoint, "report", lambda *_, **__: {}["missing"])
    with pytest.raises(KeyError):
        main(["spectra", "model.pt"])


def test_json_of_a_report_has_every_column(tmp_path, capsys):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(60, 40), nn.Linear(4, 5))
    torch.save(model.state_dict(), tmp_path / "model.pt")
    code, out, err = told(capsys, "spectra", str(tmp_path / "model.pt"), "--json")
    table = weightspace.spectral_report(model)
    rows = json.loads(out)
    assert (code, err, len(rows)) == (0, "", 2)
    for row, (_, expected) in zip(rows, table.iterrows()):
        assert list(row) == list(table.columns)
        assert row["stable_rank"] == pytest.approx(expected["stable_rank"], rel=1e-12)
    assert rows[1]["alpha"] is None and rows[1]["reason"]


def test_json_of_a_merge(results, capsys):
    experiments.run("spectra_primer", "quick", seeds=1, progress=False)
    code, out, _ = told(capsys, "records", "merge", "spectra_primer", "--scale", "quick", "--json")
    [row] = json.loads(out)
    assert (code, row["experiment"], row["scale"], row["dropped"]) == (0, "spectra_primer", "quick", 0)
    assert row["runs"] > 0 and row["parts"] > 0


def test_a_reader_that_has_seen_enough_and_a_stream_that_is_closed():
    shell = " ".join(f"'{part}'" for part in PROGRAM)
    command = f"unset PYTHONUNBUFFERED; ({shell} --help; echo $? >&2) | true; {shell} --version >&- 2>&-; echo $? >&2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr.split() == ["141", "0"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_commands_and_experiments(shell, capsys):
    pytest.importorskip("shtab")
    code, script, _ = told(capsys, "completion", shell)
    assert code == 0
    for word in ("spectra", "--plot", "dual_regression", "laptop"):
        assert word in script
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
