"""The dual layers against the plain ones: a training step and folded inference, on one thread and on all threads."""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from weightspace import dualize, fold
from weightspace.experiments.dual_weights import inference_cost

ROUNDS, SECONDS = 21, 6.0
"""At least so many rounds, and for at least so long: short steps need many, because other work disturbs some."""


def _training_step(layer: nn.Module, x: torch.Tensor, upper: torch.Tensor):
    """Forward, backward with the gradient of the input, step of SGD."""
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        x.grad = None
        layer(x).backward(upper)
        optimizer.step()

    return step


def _ratio(ours, plain) -> tuple[float, float, float]:
    """(ms of ours, ms of plain, median over rounds in turns of their ratio)."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for call in (ours, plain) * 3:  # warm up
        call()
    turn, end = 0, time.perf_counter() + SECONDS
    while turn < ROUNDS or time.perf_counter() < end:
        turn += 1
        for own in (True, False) if turn % 2 else (False, True):
            start = time.perf_counter()
            (ours if own else plain)()
            taken[own].append(time.perf_counter() - start)
    ratio = statistics.median(a / b for a, b in zip(taken[True], taken[False]))
    return 1e3 * statistics.median(taken[True]), 1e3 * statistics.median(taken[False]), ratio


CASES = {
    "linear 1024 x 1024, batch 256": (nn.Linear(1024, 1024), (256, 1024), "1.6x"),
    "convolution 64 to 64, 3 x 3, 32 x 32, batch 32": (nn.Conv2d(64, 64, 3, padding=1), (32, 64, 32, 32), ""),
    "convolution 256 to 256, 3 x 3, 8 x 8, batch 32": (nn.Conv2d(256, 256, 3, padding=1), (32, 256, 8, 8), ""),
}


def layers() -> None:
    """Training step (forward, backward, SGD) and folded inference, ratio to the plain layer."""
    print("## Dual layers against plain layers, float32\n")
    print("| layer | what | threads | dual (ms) | plain (ms) | ratio | target |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    default = torch.get_num_threads()
    for threads in dict.fromkeys((1, default)):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        for name, (plain, shape, target) in CASES.items():
            x = torch.randn(shape, requires_grad=True)
            upper = 1e-3 * torch.randn_like(plain(x))
            for what, stabilizer in (("training step", False), ("training step, stabilizer", True)):
                dual = dualize(plain, stabilizer=stabilizer)
                _row(name, what, threads, _training_step(dual, x, upper), _training_step(plain, x, upper), target)
                target = ""  # set for the rule without stabilizer
            folded, still = fold(dualize(plain)), x.detach()
            with torch.inference_mode():
                _row(name, "folded inference", threads, lambda: folded(still), lambda: plain(still), "1.0x")
    torch.set_num_threads(default)


def _row(name: str, what: str, threads: int, ours, plain, target: str) -> None:
    own, other, ratio = _ratio(ours, plain)
    print(f"| {name} | {what} | {threads} | {own:.2f} | {other:.2f} | {ratio:.2f}x | {target} |", flush=True)


def inference() -> None:
    """Whole models, as in the experiment dual_inference_cost: one repetition per model and batch size."""
    print("\n## Inference of whole models, one thread, float32\n")
    print("| model | batch | form | ms | time / plain | parameters / plain |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    for configuration in inference_cost.configurations("paper", 1):
        found = inference_cost.measure(configuration)
        plain = found["plain"]["parameter_bytes"]
        for form, own in found.items():
            print(
                f"| {configuration.model} | {configuration.batch} | {form} | {own['latency_ms']:.3f} "
                f"| {own['latency_ratio']:.2f}x | {own['parameter_bytes'] / plain:.2f}x |",
                flush=True,
            )
