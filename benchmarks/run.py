"""`make bench`: our speed as ratios to the plain alternative, both measured in this run, in turns.

python benchmarks/run.py [kernel] [campaign] [workers] [layers] [inference] [spectra] [recording] [shards] [training]
    [scratch] [finetuning] [gpu] [book]

Without a name: all of them.
--device cuda measures the parts training and finetuning on a GPU.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import torch
from finetuning import finetuning
from gpu import gpu
from layers import inference, layers
from scratch import scratch
from shards import BILLION, shards
from spectra import recording, spectra
from training import training
from workers import workers

from weightspace import data, devices, experiments, provenance
from weightspace.dual.methods import PAPER_METHODS
from weightspace.training.online.networks import OnlineNetworks
from weightspace.training.online.reference import network, train_reference

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def kernel() -> None:
    """One core: the compiled kernel against the plain PyTorch loop, seconds per update, median of rounds in turns."""
    print("## Kernel against a plain PyTorch loop, one core, float32\n")
    print("| network | method | kernel (µs per update) | PyTorch loop (µs per update) | ratio | target |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    threads = torch.get_num_threads()
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    for sizes, task, n, target in (
        ((8, 20, 1), "regression", 1000, 100),
        ((784, 64, 32, 10), "classification", 1000, 30),  # more samples than inputs: every weight at every update
        ((3072, 64, 32, 10), "classification", 500, 30),  # fewer: the first layer in the span of the samples
    ):
        x = rng.random((n, sizes[0]), dtype=np.float32)
        y = 0.1 * rng.standard_normal(n) if task == "regression" else rng.integers(0, sizes[-1], n)
        y = y.astype(np.float32) if task == "regression" else y
        tensors = torch.from_numpy(x), torch.from_numpy(y)
        for method in PAPER_METHODS:
            networks = OnlineNetworks(sizes, [method], [0], task=task)
            model = network(networks, 0)
            few, many = rng.integers(0, n, 300), rng.integers(0, n, (1, 20_000))
            networks.train(x, y, many[:, :10])  # compile and warm up
            train_reference(model, networks.methods[0], task, *tensors, few[:30], lr=1e-3)
            ours, plain = [], []
            for _ in range(ROUNDS):
                ours.append(seconds(lambda: networks.train(x, y, many)) / many.size)
                plain.append(
                    seconds(lambda: train_reference(model, networks.methods[0], task, *tensors, few, lr=1e-3))
                    / few.size
                )
            ratio = statistics.median(b / a for a, b in zip(ours, plain))
            name = f"{'-'.join(map(str, sizes))}, n = {n}"
            print(
                f"| {name} | {method} | {1e6 * statistics.median(ours):.2f} | {1e6 * statistics.median(plain):.0f} "
                f"| {ratio:.0f}x | {target}x |",
                flush=True,
            )
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    torch.set_num_threads(threads)


def campaign() -> None:
    """The whole regression campaign, tests included, on every core."""
    print("\n## The regression campaign\n")
    needed = {"california_housing", "wine_quality_white"}
    if not all(row["verified"] for row in data.status() if row["name"] in needed):
        print("Skipped: the data sets are not on this machine (`make data`).")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WEIGHTSPACE_RESULTS"] = folder
        experiments.run("dual_regression", "quick", seeds=1, progress=False)  # compile
        runs = 0

        def whole() -> None:
            nonlocal runs
            runs = experiments.run("dual_regression", progress=False)

        wall = seconds(whole)
        del os.environ["WEIGHTSPACE_RESULTS"]
    print(
        f"{runs} runs of 60,000 updates with all tests: {wall:.0f} s on {numba.config.NUMBA_NUM_THREADS} threads, "
        f"{runs / wall:.1f} runs per second, {60_000 * runs / wall / 1e6:.2f} million updates per second "
        "(target: 180 s)."
    )


def book() -> None:
    """`make book` from committed records on a fresh checkout, then again without a change."""
    print("\n## Building the book\n")
    with tempfile.TemporaryDirectory() as folder:
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, tracked.split("\0")):
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        command = [Path(sys.executable).with_name("jupyter-book"), "build", ".", "--quiet"]
        for title, limit in (("from committed records", 120), ("again, nothing changed", 5)):
            wall = seconds(lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True))
            print(f"- {title}: {wall:.1f} s (target: {limit} s)", flush=True)


def main() -> None:
    parts = {
        "kernel": kernel,
        "campaign": campaign,
        "workers": workers,
        "layers": layers,
        "inference": inference,
        "spectra": spectra,
        "recording": recording,
        "shards": lambda: shards(**BILLION),
        "training": lambda: training(options.device),
        "scratch": scratch,
        "finetuning": lambda: finetuning(options.device),
        "gpu": gpu,
        "book": book,
    }
    parser = argparse.ArgumentParser(description="Our speed as ratios to the plain alternative.")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(parts)} (default: all)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of training and finetuning")
    options = parser.parse_args()
    chosen = options.part or list(parts)
    if unknown := set(chosen) - set(parts):
        parser.error(f"unknown part {', '.join(sorted(unknown))}: use {', '.join(parts)}")
    print(f"{devices.device_name('cpu')}; {platform.system()}; {provenance.versions()}; {provenance.now()[:10]}\n")
    for name in chosen:
        parts[name]()


if __name__ == "__main__":
    main()
