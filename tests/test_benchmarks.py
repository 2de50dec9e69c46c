"""The benchmarks of training: they count the right operations, do the same work, and run. Nothing depends on speed."""

import importlib

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def benchmark(root):
    return part(root, "training")


@pytest.fixture(scope="module")
def fine(root):
    return part(root, "finetuning")


def part(root, name):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "benchmarks")
        return importlib.import_module(name)


def by_hand(width):
    """Operations of a forward pass, 2 side^2 k^2 inputs outputs per layer: of the stem, of the rest."""
    rest, inputs = 2 * 8 * width * 10, width
    for stage in range(4):
        outputs, side = width * 2**stage, 16 // 2**stage
        rest += 2 * side**2 * 9 * outputs * (inputs + 3 * outputs)
        rest += 2 * side**2 * inputs * outputs if stage else 0
        inputs = outputs
    return 2 * 32**2 * 9 * 3 * width, rest


@pytest.mark.parametrize("width", [16, 64])
def test_operations_of_an_image(benchmark, width):
    """Backward takes twice as many as forward, but the stem needs no gradient of its input."""
    stem, rest = by_hand(width)
    assert benchmark.operations_per_image(width) == 2 * stem + 3 * rest
    assert benchmark.operations_per_image(width, backward=False) == stem + rest


def test_the_loops_run_in_turns(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "product_peak", lambda device: 1e12)
    benchmark.training("cpu", number=70, width=8, rounds=1)
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| 32 ")]
    assert [row[1] for row in rows] == ["weightspace", "DataLoader, 0 workers", "DataLoader, 2 workers"]
    assert rows[0][-1] == "1.00x |" and float(rows[0][2].replace(",", "")) > 0


@pytest.mark.parametrize("bf16", [False, True])
def test_from_scratch_both_loops_do_the_whole_work(root, bf16, monkeypatch, capsys):
    scratch = part(root, "scratch")
    monkeypatch.setattr(scratch, "product_peak", lambda device, clock: 1e12)
    monkeypatch.setattr(scratch, "has_bf16", lambda: bf16)
    monkeypatch.setattr(scratch, "LEVELS", ("noise10",))
    scratch.scratch(number=64, width=8, rounds=1)
    out = capsys.readouterr().out
    rows = [line.split(" | ") for line in out.splitlines() if line.startswith("| noise10 ")]
    assert [row[1] for row in rows] == (
        ["weightspace, float32", "DataLoader, float32", "weightspace, bfloat16 autocast", "DataLoader, float32"]
        if bf16
        else ["weightspace, float32", "DataLoader, float32"]
    )
    assert ("no products of bf16" in out) is not bf16


def test_without_a_gpu_its_part_says_so(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark.torch.cuda, "is_available", lambda: False)
    benchmark.training("cuda")
    assert "Skipped: no CUDA device." in capsys.readouterr().out


def test_fine_tuning_loops_run_in_turns(fine, capsys):
    fine.finetuning("cpu", number=32, resolution=32, rounds=1)
    out = capsys.readouterr().out
    rows = [line.split(" | ") for line in out.splitlines() if line.startswith(("| Eff", "| Mini"))]
    assert [row[1] for row in rows] == ["weightspace", "DataLoader"] * 2
    assert [row[-1] for row in rows[::2]] == ["1.00x |"] * 2 and "Most memory" in out


def test_the_plain_loop_sees_what_ours_sees(fine):
    """The same inputs, and from the same weights the same logits, however they are batched."""
    calls = fine.loops("cpu", 40, 32, 48)
    assert [list(found) for found in calls.values()] == [["weightspace", "DataLoader"]] * 2
    texts = fine.texts_of_noise(6, np.random.default_rng(1))
    data = fine.PlainTexts(texts, np.zeros(6, int), 48)
    tokens = torch.from_numpy(fine.tokenize(texts, 48))
    assert torch.equal(torch.stack([data[k][0] for k in range(6)]), tokens)
    model = fine.initialized(lambda: fine.pretrained("minilm_l6", 2), 0).eval()
    with torch.no_grad():
        torch.testing.assert_close(fine.PlainTextClassifier(model)(tokens), model(tokens), rtol=1e-4, atol=1e-5)
