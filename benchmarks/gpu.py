"""The online protocol on a GPU: first that it computes the same, then how fast. A part of `benchmarks/run.py`."""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from weightspace import devices
from weightspace.dual.methods import PAPER_METHODS
from weightspace.training.online import block as online_block
from weightspace.training.online.networks import OnlineNetworks
from weightspace.training.online.reference import network, train_reference
from weightspace.training.online.torch_backend import TorchOnlineNetworks

SEEDS = 20
UPDATES = 60_000
ROUNDS = 5
NETWORKS = (
    ("regression", (8, 20, 1)),
    ("regression", (11, 64, 32, 1)),
    ("classification", (784, 20, 10)),
    ("classification", (784, 64, 32, 10)),
    ("classification", (3072, 64, 32, 10)),
)


def _problem(task: str, sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """1,000 samples like those of the protocol: standardized features, or pixels from 0 to 1."""
    rng = np.random.default_rng(0)
    if task == "regression":
        return rng.standard_normal((1000, sizes[0])), 0.1 * rng.standard_normal(1000)
    return rng.random((1000, sizes[0])), rng.integers(0, sizes[-1], 1000)


def _order(runs: int, updates: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 1000, (runs, updates))


def _stack(task: str, sizes: tuple[int, ...], seeds: int) -> TorchOnlineNetworks:
    methods = [method for method in PAPER_METHODS for _ in range(seeds)]
    return TorchOnlineNetworks(sizes, methods, [*range(seeds)] * len(PAPER_METHODS), task=task)


def _seconds(networks: TorchOnlineNetworks, x: np.ndarray, y: np.ndarray, order: np.ndarray) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    networks.train(x, y, order)
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000


def _plain_seconds(task: str, sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray) -> float:
    """Per update of the plain PyTorch loop on one core of the CPU, the mean of the methods."""
    x, y = x.astype(np.float32), y.astype(np.float32 if task == "regression" else np.int64)
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    order = _order(1, 200)[0]
    spent = []
    for method in PAPER_METHODS:
        stack = OnlineNetworks(sizes, [method], [0], task=task)
        model = network(stack, 0)
        train_reference(model, stack.methods[0], task, *tensors, order[:30], lr=1e-3)
        start = time.perf_counter()
        train_reference(model, stack.methods[0], task, *tensors, order, lr=1e-3)
        spent.append((time.perf_counter() - start) / len(order))
    return statistics.mean(spent)


def gpu() -> None:
    """Groups of 100 runs (5 methods x 20 seeds) in float32 on one GPU, whole calls of `train`, transfers included."""
    print("\n## The online protocol on a GPU\n")
    if not torch.cuda.is_available():
        print("Skipped: no CUDA device.")
        return
    print(f"{devices.device_name('cuda')}; one block is {online_block.BLOCK} updates.\n")
    print("Agreement over 1,000 updates: largest difference of an output from that of the compiled loops in float64.\n")
    print("| network | float64 | float32 |")
    print("| --- | ---: | ---: |")
    for task, sizes in NETWORKS:
        x, y = _problem(task, sizes)
        order = _order(len(PAPER_METHODS), 1000)
        right = OnlineNetworks(sizes, PAPER_METHODS, [0] * 5, task=task, dtype=np.float64)
        right.train(x, y, order)
        differences = []
        for dtype in (np.float64, np.float32):
            networks = TorchOnlineNetworks(sizes, PAPER_METHODS, [0] * 5, task=task, dtype=dtype)
            networks.train(x, y, order)
            differences.append(np.abs(networks.predict(x) - right.predict(x)).max())
        print(f"| {'-'.join(map(str, sizes))} | {differences[0]:.0e} | {differences[1]:.0e} |", flush=True)
    print(
        f"\nSpeed: runs of {UPDATES:,} updates, median of {ROUNDS} rounds of 10,000; the loop on one core of the CPU.\n"
    )
    print("| network | µs per update of 100 runs | runs per second | PyTorch loop (µs per update of one run) | ratio |")
    print("| --- | ---: | ---: | ---: | ---: |")
    torch.set_num_threads(1)
    for task, sizes in NETWORKS:
        x, y = _problem(task, sizes)
        networks = _stack(task, sizes, SEEDS)
        runs, order = len(networks), _order(len(networks), 10_000)
        _seconds(networks, x, y, order[:, :200])  # compile and warm up
        per_update = statistics.median(_seconds(networks, x, y, order) for _ in range(ROUNDS)) / order.shape[1]
        plain = _plain_seconds(task, sizes, x, y)
        print(
            f"| {'-'.join(map(str, sizes))} | {1e6 * per_update:.2f} | {runs / (UPDATES * per_update):.0f} "
            f"| {1e6 * plain:.0f} | {plain * runs / per_update:.0f}x |",
            flush=True,
        )
