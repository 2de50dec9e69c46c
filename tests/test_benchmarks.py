"""The benchmark of training: it counts the right operations, and runs. Nothing here depends on speed."""

import importlib.util

import pytest


@pytest.fixture(scope="module")
def benchmark(root):
    spec = importlib.util.spec_from_file_location("training_benchmark", root / "benchmarks" / "training.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_hand(width):
    """Operations of a forward pass, 2 side^2 k^2 inputs outputs per layer: of the stem, of the rest."""
    rest, inputs = 2 * 8 * width * 10, width
    for stage in range(4):
        outputs, side = width * 2**stage, 16 // 2**stage
        rest += 2 * side**2 * 9 * outputs * (inputs + 3 * outputs)
        rest += 2 * side**2 * inputs * outputs if stage else 0
        inputs = outputs
    return 2 * 32**2 * 9 * 3 * width, rest


@pytest.mark.parametrize("width", [4, 64])
def test_operations_of_an_image(benchmark, width):
    """Backward takes twice as many as forward, but the stem needs no gradient of its input."""
    stem, rest = by_hand(width)
    assert benchmark.operations_per_image(width) == 2 * stem + 3 * rest


def test_the_loops_run_in_turns(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "product_peak", lambda device: 1e12)
    benchmark.training("cpu", number=70, width=4, rounds=1)
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| 32 ")]
    assert [row[1] for row in rows] == ["weightspace", "DataLoader, 0 workers", "DataLoader, 2 workers"]
    assert rows[0][-1] == "1.00x |" and float(rows[0][2].replace(",", "")) > 0


def test_without_a_gpu_its_part_says_so(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark.torch.cuda, "is_available", lambda: False)
    benchmark.training("cuda")
    assert "Skipped: no CUDA device." in capsys.readouterr().out
