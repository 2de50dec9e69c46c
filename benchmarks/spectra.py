"""The table of a network's spectra: against WeightWatcher, and against the eigenvalues alone."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import torch
import torchvision
from threadpoolctl import threadpool_limits
from torch import nn

from weightspace import SpectrumRecorder, spectral_report
from weightspace.spectra import eigenvalues_of, weightwatcher
from weightspace.spectra.matrices import layer_matrices
from weightspace.spectra.recorder import FRACTION

PEER = os.environ.get("WEIGHTSPACE_PEER_PYTHON") or sys.executable
# Rounds with the options of WeightWatcher: it takes minutes with mp_fit on anything but the smallest.
ROUNDS = {"ResNet-18": {"default": 3, "mp_fit": 1}, "LeNet": {"default": 5, "mp_fit": 3}, "ViT-B/16": {"default": 2}}
RECORDS = 7
OWN_ROUNDS = {"ResNet-18": 7, "LeNet": 15, "ViT-B/16": 3}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TARGETS = {
    ("ResNet-18", "default", "weightwatcher"): 3.5,
    ("ResNet-18", "mp_fit", "weightwatcher"): 50,
    ("ResNet-18", "default", "weightspace"): 10,
    ("ResNet-18", "mp_fit", "weightspace"): 150,
}


def networks() -> dict[str, nn.Module]:
    """Random weights: the time does not depend on them."""
    torch.manual_seed(0)
    lenet = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
    )
    return {"ResNet-18": torchvision.models.resnet18(), "LeNet": lenet, "ViT-B/16": torchvision.models.vit_b_16()}


def spectra() -> None:
    """Whole tables in turns with WeightWatcher; medians of the rounds, and the largest difference of each column.

    Processor time on one thread each: on a machine with other work, threads that wait for each other would count most.
    """
    print("\n## Spectra of a network, against WeightWatcher\n")
    numba.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        worker = _worker()
        if worker is None:
            print(
                f"WeightWatcher is not installed for {PEER}: no comparison with it. Make an environment with "
                "`pip install weightspace[peers]` and name its Python in WEIGHTSPACE_PEER_PYTHON.\n"
            )
        print(
            "| network | convention | table (s) | eigenvalues (s) | share | WeightWatcher | its (s) | ratio | target |"
        )
        print("| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |")
        made = networks()
        for name, network in made.items():
            checkpoint = Path(folder, "weights.pt")
            torch.save(network.state_dict(), checkpoint)
            _compare(name, network.state_dict(), worker, checkpoint)
        if worker is not None:
            _differences(Path(folder, "ResNet-18.mp_fit"), made["ResNet-18"].state_dict())
            worker.stdin.close()
            worker.wait()
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


def recording() -> None:
    """What SpectrumRecorder costs a training of ResNet-18 on images of 32 x 32, one thread, processor time."""
    print("\n## Spectra recorded along training\n")
    torch.manual_seed(0)
    model = torchvision.models.resnet18(num_classes=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = torch.randn(128, 3, 32, 32), torch.randint(10, (128,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        recorder = SpectrumRecorder(model, Path(folder, "spectra.parquet"), every=1)
        steps, records = [], []
        for _ in range(RECORDS):
            steps += [_seconds(step) for _ in range(2)]
            records.append(_seconds(recorder.step))
        size = recorder.path.stat().st_size / (RECORDS + 1)
    torch.set_num_threads(threads)
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    one, record = statistics.median(steps), statistics.median(records)
    whole = 10 * 391 * one  # ten epochs of CIFAR-10
    print(
        f"A training step of 128 images takes {one:.2f} s and a record {record:.2f} s, as much as {record / one:.1f} "
        f"steps ({size / 1e3:.0f} kB). By default there is one in about {record / one / FRACTION:.0f} steps. Of ten "
        f"epochs of CIFAR-10 ({whole / 60:.0f} minutes) recording takes {100 * (FRACTION + 2 * record / whole):.2f} %, "
        "the first and the last record included (target: 2 %)."
    )


def _compare(name: str, weights: dict, worker: subprocess.Popen | None, checkpoint: Path) -> None:
    tables = {"weightwatcher": weightwatcher.layers, "weightspace": layer_matrices}
    matrices = {c: [matrix for layer in layers(weights) for matrix in layer.matrices] for c, layers in tables.items()}
    shares = {}
    for convention in tables:
        spectral_report(weights, convention=convention)  # compile and warm up
        # The smallest of the rounds: what disturbs the one must not count as the other's.
        whole, alone = [], []
        for _ in range(OWN_ROUNDS[name]):
            whole.append(_seconds(spectral_report, weights, convention=convention))
            alone.append(_seconds(eigenvalues_of, matrices[convention]))
        shares[convention] = f"{min(alone):.3f} | {100 * min(alone) / min(whole):.0f} %"
        if worker is None:
            print(f"| {name} | {convention} | {min(whole):.3f} | {shares[convention]} | | | | |", flush=True)
    for options, rounds in ROUNDS[name].items() if worker is not None else ():
        ours, theirs = {convention: [] for convention in tables}, []
        for _ in range(rounds):
            for convention in tables:
                ours[convention].append(_seconds(spectral_report, weights, convention=convention))
            theirs.append(
                _theirs(worker, checkpoint, options, checkpoint.with_name(f"{name}.{options}".replace("/", "-")))
            )
        for convention in tables:
            target = f"{TARGETS[place]}x" if (place := (name, options, convention)) in TARGETS else ""
            ratio = statistics.median(t / o for t, o in zip(theirs, ours[convention]))
            print(
                f"| {name} | {convention} | {statistics.median(ours[convention]):.3f} | {shares[convention]} "
                f"| {options} | {statistics.median(theirs):.2f} | {ratio:.1f}x | {target} |",
                flush=True,
            )


def _worker() -> subprocess.Popen | None:
    check = [PEER, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('weightwatcher') is None)"]
    if subprocess.run(check).returncode:
        return None
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= dict.fromkeys(THREADS, "1")
    return subprocess.Popen(
        [PEER, Path(__file__).with_name("weightwatcher_worker.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def _theirs(worker: subprocess.Popen, *line: object) -> float:
    worker.stdin.write(" ".join(map(str, line)) + "\n")
    worker.stdin.flush()
    answer = worker.stdout.readline()
    if not answer:
        raise RuntimeError(f"the process of WeightWatcher ended ({worker.wait()}) at {line}: was there enough memory?")
    return float(answer)


def _seconds(call, *arguments, **options) -> float:
    with threadpool_limits(1):
        start = time.process_time()
        call(*arguments, **options)
        return time.process_time() - start


def _differences(path: Path, weights: dict) -> None:
    """The largest relative difference over the layers, column by column."""
    theirs, ours = pd.read_pickle(path), spectral_report(weights, convention="weightwatcher")
    print(f"\nResNet-18, {len(ours)} layers, ours against WeightWatcher with mp_fit:\n")
    print("| column | ours, layer4.1.conv2 | WeightWatcher | largest relative difference of all layers |")
    print("| --- | ---: | ---: | ---: |")
    row = ours.index[ours["name"] == "layer4.1.conv2"][0]
    for column in ours.select_dtypes("number"):
        difference = np.abs(ours[column] - theirs[column])
        relative = (difference / np.abs(theirs[column])).where(difference > 0, 0.0)
        print(f"| {column} | {ours[column][row]:.9g} | {theirs[column][row]:.9g} | {relative.max():.1e} |")
    words = [column for column in ours if column not in ours.select_dtypes("number")]
    same = ours[words].equals(theirs[words].astype(ours[words].dtypes))
    print(f"\n{', '.join(words)}: {'the same' if same else 'NOT THE SAME'}.")
