"""Eigenvalues of a small network along its training: plain, with weight decay, with dropout.

A perceptron 64-512-256-10 learns scikit-learn's digits by stochastic gradient descent. The eigenvalues of every weight
matrix are kept at chosen updates, so that any metric of the spectrum can be computed later.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from weightspace import data
from weightspace.campaigns.configuration import (
    IDENTITY,
    LATER,
    STRICT,
    Configuration,
    Count,
    NotNegative,
    Positive,
    dataclass,
)
from weightspace.campaigns.registry import Experiment
from weightspace.spectra import eigenvalues_of, marchenko_pastur, metrics, power_law

if TYPE_CHECKING:
    import torch
    from torch import nn

ARMS: dict[str, dict[str, Any]] = {
    "plain": {"weight_decay": 0.0, "dropout": 0.0},
    "weight_decay": {"weight_decay": 0.002, "dropout": 0.0},
    "dropout": {"weight_decay": 0.0, "dropout": 0.5},
}
"""weight_decay: coefficient of the weights in the gradient; dropout: share of hidden outputs that are set to 0."""
MIDDLE = 2
"""The layer that the chapter looks at: 512 inputs, 256 outputs."""

_UPDATES, _LOOKS = {"paper": 600, "quick": 30}, {"paper": 24, "quick": 6}
_TEST_IMAGES = 360


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The network after some updates: loss over the training images, accuracy over the test images, and of every
    layer the eigenvalues of W^T W, ascending."""

    update: int
    train_loss: float
    test_accuracy_percent: float
    eigenvalues: list[np.ndarray]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrainingConfiguration(Configuration):
    """One training of a perceptron.

    arm: a key of ``ARMS``, says which of weight_decay and dropout is not 0; see there. hidden: widths between the 64
    inputs and the 10 outputs. lr, momentum, batch, updates: of stochastic gradient descent; batch in images. looks:
    number of times after the start at which the network is looked at, from the first update to the last. test_images:
    of the 1,797 images; the others are trained on.
    """

    protocol: Annotated[Count, IDENTITY] = 1  # raised when a change of the code changes what a run measures
    dataset: Literal["digits"] = "digits"
    hidden: tuple[Count, ...] = (512, 256)
    arm: Literal[tuple(ARMS)]  # type: ignore[valid-type]
    weight_decay: NotNegative
    dropout: Annotated[float, Field(ge=0, lt=1)]
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    batch: Count = 32
    updates: Count
    looks: Count
    test_images: Annotated[Count, LATER] = _TEST_IMAGES

    @model_validator(mode="after")
    def _is_what_it_says(self) -> TrainingConfiguration:
        for name in ("weight_decay", "dropout"):
            if (getattr(self, name) > 0) != (self.arm == name):
                raise ValueError(
                    f"{name}: positive in the arm of that name, else 0, got {getattr(self, name)} in arm {self.arm}"
                )
        rows = data.REGISTRY[self.dataset].rows
        if self.test_images >= rows:
            raise ValueError(f"test_images: fewer than the {rows:,} images of {self.dataset}, got {self.test_images:,}")
        if self.dropout and not self.hidden:
            raise ValueError("hidden: at least one layer, or there is nothing to drop")
        return self


def configuration(arm: str, seed: int, scale: str = "paper") -> TrainingConfiguration:
    """The full configuration of one run; ``arm`` is a key of ``ARMS``."""
    if arm not in ARMS:
        raise ValueError(f"unknown arm {arm!r}: use one of {', '.join(ARMS)}")
    return TrainingConfiguration(
        experiment="training_spectra", arm=arm, **ARMS[arm], updates=_UPDATES[scale], looks=_LOOKS[scale], seed=seed
    )


def configurations(scale: str, seeds: int) -> list[TrainingConfiguration]:
    return [configuration(arm, seed, scale) for arm in ARMS for seed in range(seeds)]


def train(configuration: TrainingConfiguration) -> Iterator[Checkpoint]:
    """Train one network from weights N(0, 2 / inputs) (He et al. 2015) and yield it on the way.

    The looks are taken before the first update and then about evenly on a logarithmic axis. The seed decides on the
    split into training and test images, the first weights, the batches and what is dropped.
    """
    import torch  # here: reading records does not have to wait for PyTorch
    from torch.nn.functional import cross_entropy

    digits = data.load(configuration.dataset)
    generator = torch.Generator().manual_seed(configuration.seed)
    images = torch.from_numpy(digits.x.reshape(len(digits.x), -1)).float() / 16
    labels = torch.from_numpy(digits.y)
    order = torch.randperm(len(labels), generator=generator)
    test, training = order[: configuration.test_images], order[configuration.test_images :]
    images -= images[training].mean(dim=0)
    model = _network((images.shape[1], *configuration.hidden, 10), configuration.dropout, generator)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=configuration.lr,
        momentum=configuration.momentum,
        weight_decay=configuration.weight_decay,
    )
    looks = np.geomspace(1, configuration.updates, configuration.looks).round()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(configuration.seed)  # dropout draws from the generator of PyTorch
        for update in range(configuration.updates + 1):
            if update == 0 or update in looks:
                model.eval()
                with torch.no_grad():
                    loss = cross_entropy(model(images[training]), labels[training]).item()
                    right = (model(images[test]).argmax(dim=1) == labels[test]).double().mean().item()
                model.train()
                weights = [p.detach() for p in model.parameters() if p.ndim == 2]
                yield Checkpoint(update, loss, 100 * right, eigenvalues_of(weights))
            batch = training[torch.randint(len(training), (configuration.batch,), generator=generator)]
            optimizer.zero_grad()
            cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()


def _network(sizes: Sequence[int], dropout: float, generator: torch.Generator) -> nn.Module:
    from torch import nn

    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layer = nn.Linear(inputs, outputs)
        nn.init.normal_(layer.weight, std=(2 / inputs) ** 0.5, generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])


def compute(group: list[TrainingConfiguration], device: str) -> pd.DataFrame:
    """Rows of layer 0 belong to the network: train_loss, test_accuracy_percent. Rows of layer 1 to 3: the metrics of
    ``describe``, and rows of metric ``eigenvalues`` with the eigenvalues (little-endian float32); value: their sum.
    """
    rows = []
    for one in group:
        digits = data.load(one.dataset)
        sides = [digits.x[0].size, *one.hidden, 10]
        common = {name: getattr(one, name) for name in ("dataset", "arm", "seed")} | {"run_key": one.run_key}
        common |= {"data_digest": digits.digest, "data_variant": digits.variant}
        for look in train(one):
            whole = {"train_loss": look.train_loss, "test_accuracy_percent": look.test_accuracy_percent}
            layers = [whole] + [
                {"eigenvalues": values.sum()} | describe(values, max(sides[k : k + 2]))
                for k, values in enumerate(look.eigenvalues)
            ]
            for layer, found in enumerate(layers):
                for metric, value in found.items():
                    content = look.eigenvalues[layer - 1].astype("<f4").tobytes() if metric == "eigenvalues" else b""
                    place = {"update": look.update, "layer": layer, "eigenvalues": content}
                    rows.append(common | place | {"metric": metric, "value": float(value)})
    return pd.DataFrame(rows)


def describe(values: np.ndarray, N: int) -> dict[str, float]:
    """Metrics of one spectrum. sigma_mp, num_spikes, D_mp: of the Marchenko-Pastur fit; alpha, p: of the power law."""
    bulk = marchenko_pastur.fit(values, N)
    return {
        "norm": metrics.norm(values),
        "stable_rank": metrics.stable_rank(values),
        "effective_rank": metrics.effective_rank(values),
        "sigma_mp": bulk.sigma,
        "num_spikes": bulk.num_spikes,
        "D_mp": bulk.D,
        "alpha": power_law.fit(values).alpha,
    }


EXPERIMENTS = [
    Experiment(
        "training_spectra",
        "Eigenvalues of a small network along training",
        {"quick": 2, "paper": 10},
        configurations,
        ("arm", "seed"),
        compute,
    )
]
