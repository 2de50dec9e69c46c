"""The stack of networks in PyTorch and its kernel for a GPU against the compiled loops."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from weightspace import devices, experiments
from weightspace.dual.methods import PAPER_METHODS
from weightspace.experiments.dual_weights import protocol
from weightspace.training.online import block as online_block
from weightspace.training.online import compiled as compiled_loops
from weightspace.training.online import networks_on, torch_backend
from weightspace.training.online.networks import OnlineNetworks
from weightspace.training.online.torch_backend import TorchOnlineNetworks

METHODS = (*PAPER_METHODS, "l2_squared_0.05", "dropout_0.3")
STATE = ("w1", "w2", "bias", "m")
DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
    ),
]


def problem(task, n_in, n_out, n=40):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, n_in)) * np.sqrt(8 / n_in)  # keeps the step as stable with many inputs as with few
    if task == "regression":
        return x, np.tanh(x[:, 0]) - 0.5 * x[:, 1] + 0.1 * rng.normal(size=n)
    return x, rng.integers(0, n_out, n)


def options(task, outputs, runs):
    if task == "regression":
        return {"task": task, "lr": 1e-2}
    rng = np.random.default_rng(3)
    weights, shifts = rng.uniform(0.5, 2, (runs, outputs)), rng.normal(size=(runs, outputs))
    return {"task": task, "lr": 1e-2, "class_weights": weights, "logit_shifts": shifts}


def pair(task, sizes, device, dtype=np.float64, methods=METHODS):
    """Stacks of the methods, compiled in float64 and in PyTorch in ``dtype``."""
    given = options(task, sizes[-1], len(methods))
    seeds = [3] * len(methods)
    return (
        OnlineNetworks(sizes, methods, seeds, dtype=np.float64, **given),
        TorchOnlineNetworks(sizes, methods, seeds, dtype=dtype, device=device, **given),
    )


def assert_same(one, other, **tolerance):
    for name in STATE:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), err_msg=name, **tolerance)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        ("regression", (8, 20, 1)),
        ("classification", (8, 3)),
        ("classification", (8, 12, 9, 4)),
        ("regression", (50, 12, 9, 1)),  # more inputs than samples: compiled in the span of the samples
        ("classification", (50, 12, 4)),
        ("classification", (8, 12, 9, 7, 4)),  # more layers than the kernel takes
    ],
)
def test_agrees_with_the_compiled_loops(task, sizes, device):
    """float64, 1,000 updates; lr is ten times the paper's to move the weights."""
    x, y = problem(task, sizes[0], sizes[-1])
    compiled, networks = pair(task, sizes, device)
    start = compiled.w1.copy()
    order = np.random.default_rng(1).integers(0, len(x), (len(METHODS), 1000))
    compiled.train(x, y, order)
    networks.train(x, y, order)
    assert_same(networks, compiled, rtol=0, atol=1e-9)
    assert (np.abs(compiled.w1 - start).max(axis=1) > 0.1).all()  # the agreement is not that of a standstill
    np.testing.assert_allclose(networks.predict(x), compiled.predict(x), atol=1e-9)
    np.testing.assert_allclose(networks.score(x, y), compiled.score(x, y), rtol=1e-9)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("task", "sizes"), [("regression", (8, 12, 9, 1)), ("classification", (8, 20, 4)), ("classification", (50, 12, 4))]
)
def test_float32_stays_near_float64(task, sizes, device):
    """1,000 updates. Rounding is 1e-7 of the weights; the outputs of these runs differ by 1e-5 or less."""
    x, y = problem(task, sizes[0], sizes[-1])
    compiled, networks = pair(task, sizes, device, np.float32)
    order = np.random.default_rng(1).integers(0, len(x), (len(METHODS), 1000))
    compiled.train(x, y, order)
    networks.train(x, y, order)
    assert networks.w1.dtype == np.float32
    assert_same(networks, compiled, rtol=0, atol=1e-4)
    np.testing.assert_allclose(networks.predict(x), compiled.predict(x), atol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
def test_a_stack_is_its_runs_one_by_one_and_training_in_parts_is_training_in_one(device):
    x, y = problem("classification", 6, 3)
    methods, seeds, rates = ["dual", "l2_0.1", "dropout_0.5"], [0, 1, 1], [1e-3, 1e-2, 1e-2]
    given = {"task": "classification", "device": device, "dtype": np.float64}
    order = np.random.default_rng(1).integers(0, len(x), (3, 200))
    stack = TorchOnlineNetworks((6, 10, 3), methods, seeds, lr=rates, **given)
    stack.train(x, y, order[:, :90])  # ends within a block
    part = stack.select(np.array([False, True, True]))
    stack.train(x, y, order[:, 90:])
    part.train(x, y, order[1:, 90:])
    assert_same(part, stack.select([1, 2]), atol=1e-12)
    for run in range(3):
        alone = TorchOnlineNetworks((6, 10, 3), [methods[run]], [seeds[run]], lr=rates[run], **given)
        alone.train(x, y, order[run : run + 1])
        assert_same(alone, stack.select([run]), atol=1e-12)


@pytest.mark.parametrize("device", DEVICES)
def test_divergence_shows_as_not_finite(device):
    x, y = problem("regression", 8, 1)
    methods = ["gradient_descent", "dual"]
    networks = TorchOnlineNetworks((8, 20, 1), methods, [0, 0], task="regression", lr=[10.0, 1e-3], device=device)
    networks.train(x, y, np.zeros((2, 100), int))
    assert np.isfinite(networks.score(x, y)).tolist() == [False, True]


def test_random_numbers_are_those_of_the_compiled_loops():
    seeds, counters = [0, 1, 2**40, 2**62], [0, 1, 12345, 2**33, 2**61]
    expected = [[compiled_loops.uniform(np.uint64(seed), np.uint64(counter)) for counter in counters] for seed in seeds]
    numbers = torch_backend.uniform(torch.tensor(seeds)[:, None], torch.tensor(counters))
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["dual_regression", "dual_classification"])
def test_the_records_are_the_same(name, device, monkeypatch):
    plan = experiments.planned(name, "quick", 2, {"updates_per_turn": 70}).values()
    group = [c for c in plan if c.layers == 3]
    compiled = protocol.compute_protocol(group, "cpu")
    monkeypatch.setattr(protocol, "networks_on", lambda _: partial(TorchOnlineNetworks, device=device))
    frame = protocol.compute_protocol(group, device)
    values = ["value", "train_value"]
    pd.testing.assert_frame_equal(frame.drop(columns=values), compiled.drop(columns=values))  # run_key among them
    one_image = 100 / 1000  # percent: a near tie may be decided otherwise
    np.testing.assert_allclose(frame[values], compiled[values], rtol=1e-4, atol=one_image)


def test_devices_have_names(monkeypatch):
    assert networks_on("cpu") is OnlineNetworks
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no device 'cuda'.*install the NVIDIA driver, or compute with"):
        networks_on("cuda")((8, 1), ["dual"], [0], task="regression")
    with pytest.raises(ValueError, match="unknown device 'tpu': use cpu, cuda"):
        TorchOnlineNetworks((8, 1), ["dual"], [0], task="regression", device="tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device in ("cuda", "cuda:1", torch.device("cuda", 1)):
        assert devices.device_name(device) == "cuda: NVIDIA H100 80GB HBM3"


# --- the kernel, without a GPU ---------------------------------------------------------------------------------


def check_interpreted_kernel():
    """Run in a process of its own, see below. Short blocks: the interpreter takes 20 ms per run and update."""
    from weightspace.training.online import triton_kernel

    methods = ("dual", "dual_stabilized", "l2_0.1", "l2_squared_0.05", "dropout_0.3")
    online_block.BLOCK = triton_kernel.BLOCK = 4
    online_block.train_block = triton_kernel.train_block
    for task, sizes in (("classification", (5, 3)), ("regression", (5, 6, 1)), ("classification", (5, 7, 6, 3))):
        assert triton_kernel.fits(sizes)
        x, y = problem(task, sizes[0], sizes[-1])
        compiled, networks = pair(task, sizes, "cpu", methods=methods)
        order = np.random.default_rng(1).integers(0, len(x), (len(methods), 6))
        compiled.train(x, y, order)
        networks.train(x, y, order)
        assert_same(networks, compiled, rtol=0, atol=1e-12)


def test_the_kernel_agrees_in_the_interpreter_of_triton():
    pytest.importorskip("triton")
    command = [sys.executable, "-c", "import test_torch_backend as t; t.check_interpreted_kernel()"]
    environment = os.environ | {"TRITON_INTERPRET": "1"}  # read when Triton is imported
    finished = subprocess.run(command, cwd=Path(__file__).parent, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_the_kernel_compiles_for_an_h100(tmp_path, monkeypatch):
    """The largest network of the protocol; compiling needs no GPU."""
    pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from weightspace.training.online import triton_kernel

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    sizes = (3072, 64, 32, 10)
    assert triton_kernel.fits(sizes) and not triton_kernel.fits((8, 512, 512, 1))
    shape, warps = triton_kernel.compiled_for(sizes[1:], classes=True)
    floats = "*fp32"
    signature = {
        "block": online_block.Block(*(floats,) * 7)._replace(answer="*i64", norm_squared="*fp64"),
        "rules": online_block.Rules(*(floats,) * 5)._replace(dual="*i1", stabilizer="*i1"),
        "weights": triton_kernel.Weights(*(floats,) * 4),
        "kept": floats,
        "coefficients": floats,
        "updates": "i32",
        "shape": "constexpr",
    }
    source = ASTSource(fn=triton_kernel._train_block, signature=signature, constexprs={"shape": shape})
    kernel = compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    assert kernel.asm["cubin"]
