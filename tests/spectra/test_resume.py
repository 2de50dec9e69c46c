"""Reports of large models: in little memory, stopped at once, and gone on with."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from weightspace import spectral_report
from weightspace.spectra import report


@pytest.fixture
def state():
    torch.manual_seed(0)
    layers = {f"layer{k}.weight": torch.randn(20 + k, 30) for k in range(4)}
    return layers | {"nan.weight": torch.full((9, 9), torch.nan)}


@pytest.mark.parametrize("convention", ["weightspace", "weightwatcher"])
def test_a_stopped_report_goes_on(tmp_path, state, monkeypatch, convention):
    path, solved, asked = tmp_path / "spectra.jsonl", report.solved, []
    expected = spectral_report(state, convention=convention)

    def stopped_at_the_third(matrices, **options):
        asked.append(len(matrices))
        for number, pair in enumerate(solved(matrices, **options)):
            if number == 2 and len(asked) == 1:
                raise KeyboardInterrupt
            yield pair

    monkeypatch.setattr(report, "solved", stopped_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        spectral_report(state, convention=convention, resume=path)
    written = path.read_text()
    path.write_text(written + written.splitlines()[1][:50])  # a line that was cut short
    pd.testing.assert_frame_equal(spectral_report(state, convention=convention, resume=path), expected)
    # One row with NaN is never done, so at least two of the first two are kept, or one and the NaN.
    assert asked[0] == 5 and asked[1] == 5 - (written.count("\n") - 1) <= 4
    pd.testing.assert_frame_equal(spectral_report(state, convention=convention, resume=path), expected)
    assert asked[2] == 1 and len(path.read_text().splitlines()) == 1 + 4


def test_other_weights_conventions_and_files_are_refused(tmp_path, state):
    path = tmp_path / "spectra.jsonl"
    spectral_report(state, resume=path)
    with pytest.raises(ValueError, match="holds no spectra of the convention 'weightwatcher'"):
        spectral_report(state, resume=path, convention="weightwatcher")
    state["layer2.weight"][3, 4] += 1e-3
    with pytest.raises(ValueError, match="holds the spectrum of other weights for 'layer2'"):
        spectral_report(state, resume=path)
    for content in ("some text\n", "[]\n", '{"a": 1}\n', "no end of line"):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"spectra\.jsonl cannot be resumed"):
            spectral_report(state, resume=path)
        assert path.read_text() == content


# A process begins with the peak of its parent; Linux lets it be set back.
MEMORY = """
import re, sys
from pathlib import Path
import torch
from weightspace.spectra.report import layer_spectra

def resident(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

layer_spectra({"w": torch.ones(12, 15)})
for path in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    print(sum(each.eigenvalues.sum() for each in layer_spectra(path)), resident("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read as Linux gives them")
def test_memory_is_that_of_the_matrices_in_flight(tmp_path):
    """Of 256 MB, thin matrices so that the eigenvalues cost little, from both kinds of file; two are in flight."""
    torch.manual_seed(0)
    state = {f"layer{k}.weight": torch.randn(32, 32768) for k in range(64)}
    save_file(state, tmp_path / "model.safetensors")
    torch.save(state, tmp_path / "model.pt")
    files = [tmp_path / "model.safetensors", tmp_path / "model.pt"]
    environment = os.environ | {"NUMBA_NUM_THREADS": "2"}
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, *files], capture_output=True, text=True, check=True, env=environment
    )
    expected = sum(tensor.double().square().sum().item() for tensor in state.values())
    for line in run.stdout.splitlines():
        total, megabytes = map(float, line.split())
        assert total == pytest.approx(expected, rel=1e-9) and megabytes < 128, run.stdout


STOPPED = """
import os, signal, sys, threading, time
import numpy as np
from weightspace.spectra import eigen
eigen.solve_on_cpu = lambda *given: time.sleep(100)  # LAPACK, which cannot be stopped
threading.Timer(0.5, lambda: (print(time.time(), flush=True), os.kill(os.getpid(), signal.SIGINT))).start()
eigen.eigenvalues_of([np.ones((n, n)) for n in map(int, sys.argv[1:])])
"""


@pytest.mark.parametrize("sizes", [["30"], ["30", "31", "32", "33"]], ids=["alone", "threads"])
def test_an_interrupt_does_not_wait_for_the_matrices(sizes):
    run = subprocess.run([sys.executable, "-c", STOPPED, *sizes], capture_output=True, text=True)
    assert run.returncode == -signal.SIGINT and "KeyboardInterrupt" in run.stderr
    assert time.time() - float(run.stdout) < 20  # seconds, on a machine with much else to do
