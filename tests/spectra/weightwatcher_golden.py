"""What WeightWatcher 0.7.7 says of small models and of the four CIFAR-10 ResNets.

python tests/spectra/weightwatcher_golden.py OUT.parquet     with a Python that has weightwatcher==0.7.7 and PyTorch
makes tests/spectra/golden/weightwatcher.parquet again. The checkpoints are taken from WEIGHTSPACE_DATA, if it is set.
Weights are drawn from NumPy's legacy generator, whose stream never changes, so that any version gives the same models.
"""

import contextlib
import io
import logging
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

CHECKPOINTS = ("resnet20-12fca82f", "resnet32-d509ac18", "resnet44-014dd654", "resnet56-4bfd9763")


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
    )


def shapes() -> nn.Module:
    """Layers that are treated in unusual ways, and layers that are passed over."""
    return nn.ModuleDict(
        {
            "even_kernel_fewer_outputs": nn.Conv2d(24, 10, 2),
            "even_kernel_fewer_inputs": nn.Conv2d(10, 24, 4),
            "odd_kernel_fewer_outputs": nn.Conv2d(24, 10, 3),
            "odd_kernel_larger_than_channels": nn.Conv2d(8, 4, 7),
            "square_kernel_slices": nn.Conv2d(16, 16, 3),
            "pointwise": nn.Conv2d(20, 40, 1),
            "depthwise": nn.Conv2d(16, 16, 3, groups=16),
            "grouped": nn.Conv2d(16, 32, 3, groups=4),
            "patches": nn.Conv2d(3, 32, 8, stride=8),
            "seven": nn.Linear(7, 50),
            "eight": nn.Linear(8, 50),
            "nineteen": nn.Linear(40, 19),
            "twenty": nn.Linear(40, 20),
            "square": nn.Linear(48, 48),
            "tall": nn.Linear(30, 300),
            "embedding": nn.Embedding(100, 16),
            "bag": nn.EmbeddingBag(90, 12),
            "attention": nn.MultiheadAttention(24, 2),
            "lstm": nn.LSTM(16, 16),
            "conv1d": nn.Conv1d(12, 12, 3),
            "conv3d": nn.Conv3d(8, 8, 3),
            "transposed": nn.ConvTranspose2d(12, 12, 3),
            "batch_norm": nn.BatchNorm2d(20),
            "layer_norm": nn.LayerNorm(20),
        }
    )


def spectra() -> nn.Module:
    """Linear layers of 100 x 60 whose weights are what their names say."""
    return nn.ModuleDict(
        {name: nn.Linear(100, 60) for name in ("noise", "spiked", "heavy", "low_rank", "small", "few_left")}
    )


def models() -> dict[str, nn.Module | dict]:
    """Each model by its name, filled with numbers that are the same everywhere."""
    made = {"lenet": lenet(), "shapes": shapes(), "spectra": spectra()}
    for seed, model in enumerate(made.values()):
        random = np.random.RandomState(seed)
        for parameter in model.parameters():
            fan_in = max(1, parameter[0].numel())
            parameter.data = torch.from_numpy(random.standard_normal(parameter.shape) / fan_in**0.5).float()
    random = np.random.RandomState(99)
    layers = made["spectra"]
    with torch.no_grad():
        directions = [torch.from_numpy(random.standard_normal((side, 3))).float() for side in (60, 100)]
        layers["spiked"].weight += 0.02 * directions[0] @ directions[1].T
        layers["heavy"].weight[:] = torch.from_numpy(random.standard_t(2.5, (60, 100))).float()
        layers["low_rank"].weight[40:] = 0
        layers["small"].weight *= 0.003
        layers["few_left"].weight[:] = layers["noise"].weight * torch.logspace(0, -5, 60)[:, None]
    made["half"] = shapes().half()
    for parameter, other in zip(made["half"].parameters(), made["shapes"].parameters()):
        parameter.data = other.data.half()
    made["state_dict"] = dict(made["shapes"].state_dict())
    return made


def checkpoints() -> dict[str, Path]:
    folder = Path(os.environ.get("WEIGHTSPACE_DATA", ""), "pretrained_cifar10_resnet")
    return {name: folder / f"{name}.th" for name in CHECKPOINTS if (folder / f"{name}.th").is_file()}


def state_dict(path: Path) -> dict[str, torch.Tensor]:
    tensors = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def weightwatcher_table():
    """One frame of all models and checkpoints, with a column ``model``. Imports WeightWatcher."""
    import pandas as pd
    import weightwatcher  # silences all warnings and configures logging: never in the process of the tests

    for name in (None, "weightwatcher"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    everything = models() | {name: state_dict(path) for name, path in checkpoints().items()}
    tables = []
    for name, model in everything.items():
        with contextlib.redirect_stdout(io.StringIO()):
            table = weightwatcher.WeightWatcher(model=model).analyze(mp_fit=True)
        tables.append(table.assign(model=name))
    return pd.concat(tables, ignore_index=True)


def write(table, path: str) -> None:
    """As single-precision numbers, which is enough for agreement to 1e-6, and without what Parquet adds for pandas."""
    for column, kind in table.dtypes.items():
        if kind.kind in "fi":
            table[column] = table[column].astype("float32" if kind.kind == "f" else "int32")
    split = [column for column, kind in table.dtypes.items() if kind == "float32"]
    table.to_parquet(
        path,
        index=False,
        compression="zstd",
        use_dictionary=["model", "name", "longname", "layer_type", "status", "warning"],
        use_byte_stream_split=split,
        write_statistics=False,
        store_schema=False,
    )


if __name__ == "__main__":
    write(weightwatcher_table(), sys.argv[1])
