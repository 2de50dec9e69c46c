"""The classification experiment of paper B: the released protocol, exactly, over many seeds."""

from __future__ import annotations

from weightspace.campaigns.registry import Experiment
from weightspace.experiments.dual_weights.protocol import CELL, DEVICES, compute_protocol, protocol_configurations

DATASETS = {"paper": ("mnist", "fashion_mnist", "cifar10"), "quick": ("digits",)}

EXPERIMENTS = [
    Experiment(
        "dual_classification",
        "Dual weights in classification, the released protocol",
        {"quick": 3, "paper": 20},
        lambda scale, seeds: protocol_configurations("dual_classification", scale, DATASETS[scale], seeds),
        CELL,
        compute_protocol,
        DEVICES,
        seeds_together=10,
    ),
]
