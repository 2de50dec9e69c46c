"""Training the campaign's ResNet-18 against a plain loop over a DataLoader. A part of `benchmarks/run.py`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

from weightspace import devices
from weightspace.experiments.diversity.cifar10_settings import RECIPE
from weightspace.experiments.diversity.protocol import SIZES
from weightspace.models import ResNet18
from weightspace.training.trainer import CHANNEL_MEAN, CHANNEL_STD, Recipe, Trainer, initialized

ROUNDS = 5
SCALE = {"cpu": "laptop", "cuda": "paper"}
IMAGES = {"cpu": 1_000, "cuda": 50_000}
LARGE_BATCH = 512
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Published dense bf16 operations per second of matrix units, by what the name of the GPU holds."""


class PlainImages(Dataset):
    """Images as in torchvision's CIFAR-10, transformed one by one when they are asked for."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels
        steps = [transforms.ToPILImage(), transforms.ToTensor(), transforms.Normalize(CHANNEL_MEAN, CHANNEL_STD)]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[k]), int(self.labels[k])


def plain_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader, device: str) -> None:
    """As PyTorch's tutorials have it: float32, no channels_last, not compiled, a loss per batch."""
    model.train()
    total = 0.0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()


def operations_per_image(width: int, backward: bool = True) -> float:
    """Floating-point operations of a forward pass, and a backward one, as PyTorch counts those of its products."""
    with torch.device("meta"):
        model, x = ResNet18(width=width), torch.empty(2, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        loss = model(x).sum()
        if backward:
            loss.backward()
    return counter.get_total_flops() / len(x)


def product_peak(device: str, clock: Callable[[], float] = time.perf_counter) -> float:
    """Operations per second of a large matrix product in the number format of the training: best of several."""
    n, dtype = (8192, torch.bfloat16) if device == "cuda" else (2048, torch.float32)
    a, b = torch.randn(2, n, n, dtype=dtype, device=device)
    torch.mm(a, b)
    return 2 * n**3 / min(seconds(lambda: torch.mm(a, b), device, clock) for _ in range(2 * ROUNDS))


def seconds(call: Callable[[], object], device: str, clock: Callable[[], float] = time.perf_counter) -> float:
    """clock: on a processor, ``time.process_time`` where other work shares it and all of the call's is its own."""
    if device == "cpu":
        start = clock()
        call()
        return clock() - start
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    call()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000


def in_turns(
    calls: dict[str, Callable[[int], object]],
    rounds: int,
    device: str,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, tuple[float, float]]:
    """Name -> median seconds of a call, and median ratio to the first one; after one round to warm up and compile."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            taken[name].append(seconds(lambda: call(turn), device, clock))
    ours, *_ = taken.values()
    return {
        name: (statistics.median(spent[1:]), statistics.median(b / a for a, b in zip(ours[1:], spent[1:])))
        for name, spent in taken.items()
    }


def _known(value: float, form: str) -> str:
    return "unknown" if np.isnan(value) else format(value, form)


def loops(
    images: np.ndarray, labels: np.ndarray, width: int, recipe: Recipe, device: str
) -> dict[str, Callable[[int], object]]:
    """One epoch of each loop, by name; ours first. All start from the same weights."""
    run = Trainer(initialized(lambda: ResNet18(width=width), 0), recipe, 0, device)
    found = {"weightspace": lambda epoch: run.train_epoch(images, labels, epoch)}
    for workers in (0, 2):
        model = initialized(lambda: ResNet18(width=width), 0).to(device, memory_format=torch.contiguous_format)
        loader = DataLoader(
            PlainImages(images, labels),
            recipe.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        optimizer = {"adam": Adam, "sgd": partial(SGD, momentum=0.9)}[recipe.optimizer](model.parameters(), recipe.lr)
        found[f"DataLoader, {workers} workers"] = lambda epoch, m=model, o=optimizer, d=loader: plain_epoch(
            m, o, d, device
        )
    return found


def training(device: str = "cpu", number: int | None = None, width: int | None = None, rounds: int = ROUNDS) -> None:
    """Whole epochs of baseline training in turns, medians of the rounds after one to warm up and compile."""
    print("\n## Training the campaign's ResNet-18\n")
    if device == "cuda" and not torch.cuda.is_available():
        print("Skipped: no CUDA device.")
        return
    scale = SCALE[device]
    number, width = number or IMAGES[device], width or int(SIZES[scale]["width"])
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (number, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, number)
    operations, peak = operations_per_image(width), product_peak(device)
    published = next((value for name, value in PEAKS.items() if name in devices.device_name(device)), np.nan)
    print(
        f"{devices.device_name(device)}, {torch.get_num_threads()} threads of PyTorch; width {width}, {number:,} "
        f"images of noise per epoch, {operations / 1e6:.0f} million operations per image. Large products reach "
        f"{peak / 1e12:.2f} TFLOP/s here (published peak: {_known(published / 1e12, '.0f')}). "
        "Target on one H100: 50,000 images/s.\n"
    )
    print("| batch | loop | images/s | share of the measured peak | of the published | ours faster by |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    recipe = RECIPE[scale]
    for batch in (recipe["batch_size"], LARGE_BATCH) if device == "cuda" else (recipe["batch_size"],):
        calls = loops(images, labels, width, Recipe(recipe["optimizer"], recipe["lr"], batch), device)
        for name, (spent, ratio) in in_turns(calls, rounds, device).items():
            speed = number // batch * batch / spent
            print(
                f"| {batch} | {name} | {speed:,.0f} | {operations * speed / peak:.1%} "
                f"| {_known(operations * speed / published, '.1%')} | {ratio:.2f}x |",
                flush=True,
            )
