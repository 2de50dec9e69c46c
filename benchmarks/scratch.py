"""Runs from scratch, end to end: augmentation, training and tests. A part of `benchmarks/run.py`."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.optim import Adam
from torch.utils.data import DataLoader
from torchvision import transforms
from training import PlainImages, in_turns, operations_per_image, plain_epoch, product_peak

from weightspace import devices
from weightspace.data import augmentations
from weightspace.experiments.diversity.scratch_settings import SCALES
from weightspace.models import ResNet18
from weightspace.training.trainer import CHANNEL_MEAN, CHANNEL_STD, Recipe, Trainer, initialized, loss_and_accuracy

ROUNDS = 5
NUMBER = 1_000
EVALUATED = 91 / 80
"""Images that a run of the campaign evaluates per image that it trains on: 91,000 against 40 times 2,000."""
LEVELS = ("", "auto_augment", "aug_mix", "auto3")
TARGETS = {"float32": 1.4, "bfloat16 autocast": 2.0}


def has_bf16() -> bool:
    """Whether the processor multiplies bf16 numbers: without it PyTorch does so in float32, and is slower."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("sve_bf16"))


def our_epoch(
    run: Trainer, images: np.ndarray, labels: np.ndarray, test: tuple[np.ndarray, np.ndarray], level: str
) -> Callable[[int], object]:
    """What `train_and_measure` does in an epoch, without spectra."""

    def epoch(number: int) -> None:
        x = augmentations.augment(images, level, 0, number + 1) if level else images
        run.train_epoch(x, labels, number + 1)
        loss_and_accuracy(run.logits(test[0]), test[1])

    return epoch


def plain_run(
    model: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    test: tuple[np.ndarray, np.ndarray],
    level: str,
    recipe: Recipe,
) -> Callable[[int], object]:
    """As PyTorch's tutorials have it: float32, images one by one as PIL's, Adam not fused, no channels_last."""
    data, tests = PlainImages(images, labels), PlainImages(*test)
    if level:
        last = [transforms.ToTensor(), transforms.Normalize(CHANNEL_MEAN, CHANNEL_STD)]
        data.transform = transforms.Compose([transforms.ToPILImage(), augmentations.transform(level), *last])
    optimizer = Adam(model.parameters(), recipe.lr, fused=False)
    loader = DataLoader(data, recipe.batch_size, shuffle=True, drop_last=True)
    test_loader = DataLoader(tests, recipe.batch_size)

    @torch.no_grad()
    def evaluate() -> float:
        model.eval()
        right = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in test_loader)
        return right / len(tests)

    def epoch(number: int) -> None:
        plain_epoch(model, optimizer, loader, "cpu")
        evaluate()

    return epoch


def scratch(number: int = NUMBER, width: int | None = None, rounds: int = ROUNDS) -> None:
    """An epoch with its share of the tests, in turns on one thread, in processor seconds; medians of the rounds."""
    print("\n## Training from scratch, end to end\n")
    scale = SCALES["laptop"]
    width = width or int(scale["width"])
    recipe = Recipe("adam", scale["lr"], scale["batch_size"], cosine_epochs=scale["epochs"])
    precisions = list(TARGETS) if has_bf16() else ["float32"]
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (number, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, number)
    evaluated = round(EVALUATED * number)
    test = rng.integers(0, 256, (evaluated, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, evaluated)
    trained = number // recipe.batch_size * recipe.batch_size
    operations = trained * operations_per_image(width) + evaluated * operations_per_image(width, backward=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    peak = product_peak("cpu", time.process_time)
    print(
        f"{devices.device_name('cpu')}, one thread; width {width}, batches of {recipe.batch_size}, {number:,} images "
        f"of noise and {evaluated:,} of the tests per epoch. Large products reach {peak / 1e9:.0f} GFLOP/s in float32."
    )
    if not has_bf16():
        print("This processor has no products of bf16, so only float32 is measured.")
    print("\n| augmentation | loop | s per epoch | share of the peak | ours faster by | target |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for level in LEVELS:
        for precision in precisions:
            run, plain = (initialized(lambda: ResNet18(width=width), 0) for _ in range(2))
            plain = plain.to(memory_format=torch.contiguous_format)
            calls = {
                f"weightspace, {precision}": our_epoch(
                    Trainer(run, recipe, 0, precision=precision), images, labels, test, level
                ),
                "DataLoader, float32": plain_run(plain, images, labels, test, level, recipe),
            }
            for name, (spent, ratio) in in_turns(calls, rounds, "cpu", time.process_time).items():
                target = f"{TARGETS[precision]}x" if name.startswith("DataLoader") else ""
                print(
                    f"| {level or 'none'} | {name} | {spent:.2f} | {operations / spent / peak:.1%} | {ratio:.2f}x "
                    f"| {target} |",
                    flush=True,
                )
    torch.set_num_threads(threads)
