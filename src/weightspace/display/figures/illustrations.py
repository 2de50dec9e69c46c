"""Small computed examples for the chapters on the dual-weight layers: one neuron with known moments, a few images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch

from weightspace import data
from weightspace.data import sampling
from weightspace.dual.layers import DualLinear
from weightspace.measures import statistics


def converging_neuron(
    updates: int = 6000, lr: float = 0.005, seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """One neuron on a stream with known moments: (path of w1, E[r x] / E[r], E[x]).

    Three samples in ten have mean a and pull hard (g = -3), the others have mean b and pull weakly (g = -1). The
    fixed point weights the inputs by |g|: (0.3 * 3 a + 0.7 * 1 b) / (0.3 * 3 + 0.7 * 1); appendices C and D of paper B.
    """
    rng = np.random.default_rng(seed)
    a, b = np.array([1.0, -2.0, 0.5]), np.array([-1.0, 0.0, 4.0])
    strong = rng.random(updates) < 0.3
    x = torch.from_numpy(np.where(strong[:, None], a, b) + rng.normal(size=(updates, 3)))
    g = torch.from_numpy(np.where(strong, -3.0, -1.0))[:, None]
    layer = DualLinear(3, 1, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(layer.w1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
    path = np.empty((updates, 3))
    for step in range(updates):
        optimizer.zero_grad()
        layer(x[step : step + 1]).backward(g[step : step + 1])
        optimizer.step()
        path[step] = layer.w1.detach().numpy()[0]
    frame = pd.DataFrame(path, columns=["component 1", "component 2", "component 3"])
    frame.insert(0, "update", np.arange(1, updates + 1))
    return frame, (0.9 * a + 0.7 * b) / 1.6, 0.3 * a + 0.7 * b


def neuron_in_the_plane(
    samples: int = 160, updates: int = 6000, lr: float = 0.01, seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One logistic neuron told "target" or "non-target" about points in the plane: (samples, path of its weights).

    Columns of the path: w1_1, w1_2, w2_1, w2_2, b after every update, and the number of its sample. Loss: binary cross
    entropy.
    """
    rng = np.random.default_rng(seed)
    target = rng.random(samples) < 0.5
    centre = np.where(target[:, None], [2.2, 1.4], [1.0, 3.0])
    x = centre + rng.normal(scale=0.45, size=(samples, 2))
    y = torch.from_numpy(target.astype(float))
    inputs = torch.from_numpy(x)
    layer = DualLinear(2, 1, dtype=torch.float64)
    torch.nn.init.zeros_(layer.w1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
    path = np.empty((updates, 5))
    order = rng.integers(0, samples, updates)
    for step, index in enumerate(order.tolist()):
        optimizer.zero_grad()
        z = layer(inputs[index : index + 1])[:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(z, y[index : index + 1], reduction="sum").backward()
        optimizer.step()
        path[step] = np.concatenate([p.detach().numpy().ravel() for p in (layer.w1, layer.w2, layer.bias)])
    points = pd.DataFrame({"x1": x[:, 0], "x2": x[:, 1], "kind": np.where(target, "target", "non-target")})
    return points, pd.DataFrame(path, columns=["w1_1", "w1_2", "w2_1", "w2_2", "b"]).assign(sample=order)


def noisy_digits(stds: Sequence[float], number: int = 4, seed: int = 0) -> np.ndarray:
    """The first digits of scikit-learn's set under the noise of paper B's tests, [stds, number, 28, 28] from 0 to 1.

    They are magnified to the size of MNIST's pictures, by linear interpolation. Every picture has the same draw of the
    noise at all strengths, clipped as in the tests.
    """
    images = torch.from_numpy(data.load("digits").x[:number] / 16)[:, None]
    images = torch.nn.functional.interpolate(images, 28, mode="bilinear")[:, 0].numpy()
    drawn = [sampling.add_input_noise(images, std, np.random.default_rng(seed), (0.0, 1.0)) for std in stds]
    return np.stack(drawn)


def digit_batches(number: int, size: int, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Random batches of scikit-learn's digits as 32 x 32 images of three channels: (images, labels) each."""
    digits = data.load("digits")
    images = torch.from_numpy(digits.x).float()[:, None] / 16
    images = torch.nn.functional.interpolate(images, scale_factor=4).expand(-1, 3, -1, -1)
    labels = torch.from_numpy(digits.y).long()
    chosen = torch.randint(len(labels), (number, size), generator=torch.Generator().manual_seed(seed))
    return [(images[index], labels[index]) for index in chosen]


def diabetes_errors(seeds: int = 5, epochs: int = 40) -> pd.DataFrame:
    """What standardised inputs are worth to a small network: mean squared errors on held-out patients, as a table.

    The network and the training of the quick start, on scikit-learn's diabetes data with its columns as they come
    (standard deviation 0.05) and standardised; targets are standardised in all cases. A seed draws the 100 patients
    that are held out, the order and the initial weights.
    """
    layers = {
        "DualLinear, stabilizer=True": partial(DualLinear, stabilizer=True),
        "nn.Linear": torch.nn.Linear,
    }
    rows = [{"model": "mean of the training targets", "inputs": "none", "errors": []}]
    rows += [
        {"model": name, "inputs": inputs, "errors": []}
        for name in layers
        for inputs in ("as they come", "standardised")
    ]
    for seed in range(seeds):
        for row in rows:
            make = layers.get(row["model"])
            row["errors"].append(_diabetes_error(make, row["inputs"] == "standardised", seed, epochs))
    for row in rows:
        row["mean squared error"], *ends = statistics.mean_interval(row.pop("errors"))
        row["95 % interval"] = "{:.2f} to {:.2f}".format(*ends)
    return pd.DataFrame(rows)


def _diabetes_error(
    make: Callable[[int, int], torch.nn.Module] | None, standardised: bool, seed: int, epochs: int
) -> float:
    from sklearn.datasets import load_diabetes

    torch.manual_seed(seed)
    x, y = (torch.tensor(each, dtype=torch.float32) for each in load_diabetes(return_X_y=True))
    train, test = torch.randperm(len(x)).split([342, 100])
    if standardised:
        x = (x - x[train].mean(0)) / x[train].std(0)
    y = ((y - y[train].mean()) / y[train].std())[:, None]
    if make is None:
        return float(y[test].square().mean())
    model = torch.nn.Sequential(make(10, 20), torch.nn.ReLU(), make(20, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.003)
    for _ in range(epochs):
        for rows in train[torch.randperm(len(train))].split(16):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x[rows]), y[rows], reduction="sum").backward()
            optimizer.step()
    with torch.no_grad():
        return float(torch.nn.functional.mse_loss(model(x[test]), y[test]))
