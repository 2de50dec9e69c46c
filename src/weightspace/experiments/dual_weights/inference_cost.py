"""What inference costs (claim B6 of paper B): a plain model, one trained with dual weights and folded, one unfolded.

``dual_inference_cost``: time of one forward pass and bytes of parameters, on one thread, without data: inputs and
weights are random numbers, whose values do not matter for the time. The three forms are timed in turns and in a
changing order; a repetition keeps medians over its rounds, of the times and of their ratios to the plain form in the
same round. The ratios are the result: absolute times depend on what else the machine does, and it may have other work.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import model_validator

from weightspace.campaigns.configuration import IDENTITY, STRICT, Configuration, Count, dataclass
from weightspace.campaigns.registry import Experiment

FORMS = ("plain", "folded", "dual")
"""An ordinary model; the dual model after ``fold``; the dual model as it is trained, with two weights."""

MODELS: dict[str, dict[str, Any]] = {
    "mlp_784_64_32_10": {"label": "MLP 784-64-32-10", "input": (784,), "calls": {1: 60, 64: 20}, "rounds": 41},
    "resnet18": {"label": "ResNet-18, 32 x 32", "input": (3, 32, 32), "calls": {1: 2, 64: 1}, "rounds": 11},
}
"""Label, shape of one input, forward passes per timing by batch size (so that one takes milliseconds), rounds."""

_AT_SCALE = {"paper": tuple(MODELS), "quick": ("mlp_784_64_32_10",)}
_NO_DATA = {"data_digest": "none", "data_variant": "none"}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class InferenceConfiguration(Configuration):
    """One repetition of the timing of a model.

    model: a key of ``MODELS``; input: shape of one of its inputs; batch: number of inputs. forms: those that are timed,
    ``plain`` among them. calls: forward passes per timing; rounds: timings of every form. threads, dtype: of PyTorch.
    seed: of weights and inputs.
    """

    protocol: Annotated[Count, IDENTITY] = 1  # raised when a change of the code changes what a run measures
    model: Literal[tuple(MODELS)]  # type: ignore[valid-type]
    input: tuple[Count, ...]
    batch: Count
    forms: tuple[Literal[FORMS], ...] = FORMS  # type: ignore[valid-type]
    calls: Count
    rounds: Count
    threads: Count = 1
    dtype: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _fits_the_model(self) -> InferenceConfiguration:
        usual = MODELS[self.model]["input"]
        fits = self.input == usual or (len(usual) == 3 and len(self.input) == 3 and self.input[0] == usual[0])
        if not fits:
            raise ValueError(f"input: the model {self.model} takes {usual}, got {self.input}")
        if "plain" not in self.forms or len(set(self.forms)) < len(self.forms):
            raise ValueError(f"forms: plain and others, each once, got {self.forms}")
        return self


def configurations(scale: str, seeds: int) -> list[InferenceConfiguration]:
    return [
        InferenceConfiguration(
            experiment="dual_inference_cost",
            model=model,
            input=MODELS[model]["input"],
            batch=batch,
            calls=calls,
            rounds=MODELS[model]["rounds"],
            seed=seed,
        )
        for model in _AT_SCALE[scale]
        for batch, calls in MODELS[model]["calls"].items()
        for seed in range(seeds)
    ]


def make_forms(model: str) -> dict[str, Any]:
    """The three forms of a model, in evaluation mode; the second weights are random, as after training."""
    import torch  # here and below: reading records does not have to wait for PyTorch
    from torch import nn

    from weightspace.dual.convert import dualize, fold

    if model == "resnet18":
        from torchvision.models import resnet18

        plain = resnet18(num_classes=10)
    else:
        sizes = [int(size) for size in model.removeprefix("mlp_").split("_")]
        layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
        plain = nn.Sequential(*layers[:-1])
    dual = dualize(plain)
    with torch.no_grad():
        for name, parameter in dual.named_parameters():
            if name.endswith("w2"):
                parameter.normal_(0.0, 0.01)
    return {"plain": plain.eval(), "folded": fold(dual).eval(), "dual": dual.eval()}


def seconds_in_turns(calls: dict[str, Callable[[], object]], repeat: int, rounds: int) -> dict[str, list[float]]:
    """Seconds per call of each in every round. In a round all take turns, and each round begins with another one."""
    names = list(calls)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for call in calls.values():  # warm up
        call()
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            for _ in range(repeat):
                calls[name]()
            taken[name].append((time.perf_counter() - start) / repeat)
    return taken


def measure(configuration: InferenceConfiguration) -> dict[str, dict[str, float]]:
    """Per form: latency_ms of one forward pass, latency_ratio to the plain form, parameter_bytes.

    The number of threads and the random state of PyTorch are left as they were.
    """
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(configuration.seed)
        torch.set_num_threads(configuration.threads)
        try:
            with torch.inference_mode(False):  # the parameters are ordinary tensors
                made = make_forms(configuration.model)
                dtype = getattr(torch, configuration.dtype)
                forms = {name: made[name].to(dtype) for name in configuration.forms}
            x = torch.randn(configuration.batch, *configuration.input).to(dtype)
            calls: dict[str, Callable[[], object]] = {name: partial(form, x) for name, form in forms.items()}
            taken = seconds_in_turns(calls, configuration.calls, configuration.rounds)
        finally:
            torch.set_num_threads(threads)
    return {
        name: {
            "latency_ms": 1e3 * statistics.median(taken[name]),
            "latency_ratio": statistics.median(own / plain for own, plain in zip(taken[name], taken["plain"])),
            "parameter_bytes": float(sum(p.numel() * p.element_size() for p in form.parameters())),
        }
        for name, form in forms.items()
    }


def compute(group: list[InferenceConfiguration], device: str) -> pd.DataFrame:
    """Latency and memory of the three forms, a row per form and metric."""
    rows = []
    for configuration in group:
        for form, metrics in measure(configuration).items():
            for metric, value in metrics.items():
                rows.append(
                    {name: getattr(configuration, name) for name in ("model", "batch", "seed")}
                    | {"form": form, "metric": metric, "value": value, "run_key": configuration.run_key}
                    | _NO_DATA
                )
    return pd.DataFrame(rows)


EXPERIMENTS = [
    Experiment(
        "dual_inference_cost",
        "Cost of inference: plain, folded, dual",
        {"quick": 2, "paper": 20},
        configurations,
        ("model", "batch", "seed"),
        compute,
    )
]
