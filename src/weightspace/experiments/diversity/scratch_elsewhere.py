"""Does it hold elsewhere? ``diversity_from_scratch`` at the paper's width, on other images, and with another network.

The settings are the eight of ``diversity_map``, with several baselines per seed. ``diversity_wide`` has the width of
paper A's ResNet-18; ``diversity_fashion`` and ``diversity_mnist`` have other images, the latter with the digits of
scikit-learn as a real shift of domain: other writers, another resolution, no border. ``diversity_vit`` trains a small
vision transformer, the kind of network that paper A fine-tunes most. What is expected stands in book/rules.
"""

from __future__ import annotations

import itertools
from functools import partial

from weightspace.campaigns.configuration import Settings
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.scratch import compute
from weightspace.experiments.diversity.scratch_controls import MAPPED
from weightspace.experiments.diversity.scratch_settings import (
    SCALES,
    FittedConfiguration,
    ScratchConfiguration,
    VisionTransformerConfiguration,
    with_baselines,
)

SHIFTED: Settings = {"shifted": ("digits",)}
PLAIN: Settings = {"corruption_size": 0}
"""Corruptions are looked at in ``diversity_from_scratch``; here they would cost a third of the time."""

CHANGES: dict[str, dict[str, Settings]] = {
    "diversity_wide": {"laptop": {"width": 64} | PLAIN, "quick": {"width": 16}},
    "diversity_fashion": {"laptop": {"dataset": "fashion_mnist"} | PLAIN, "quick": {}},
    "diversity_mnist": {"laptop": {"dataset": "mnist"} | SHIFTED | PLAIN, "quick": SHIFTED},
    "diversity_vit": {
        "laptop": {"lr": 1e-3, "patch": 4, "width": 96, "blocks": 6, "heads": 3} | PLAIN,
        "quick": {"lr": 1e-3, "patch": 8, "width": 24, "blocks": 1, "heads": 3},
    },
}
"""Experiment -> scale -> what differs from ``diversity_from_scratch``."""
SEEDS = {"diversity_wide": 3, "diversity_fashion": 10, "diversity_mnist": 5, "diversity_vit": 5}
TITLES = {
    "diversity_wide": "ResNet-18 of the paper's width until it overfits",
    "diversity_fashion": "ResNet-18 until it overfits, on Fashion-MNIST",
    "diversity_mnist": "ResNet-18 until it overfits, on MNIST, with digits of other writers as tests",
    "diversity_vit": "A small vision transformer until it overfits",
}


def configurations(name: str, scale: str, seeds: int) -> list[FittedConfiguration]:
    """Seed by seed, the baselines of a seed first."""
    kind = VisionTransformerConfiguration if name == "diversity_vit" else ScratchConfiguration
    shared = SCALES[scale] | CHANGES[name][scale] | {"experiment": name, "protocol": 1}
    return [kind(**shared | run, seed=seed) for seed, run in itertools.product(range(seeds), with_baselines(MAPPED))]


EXPERIMENTS = [
    Experiment(
        name,
        TITLES[name],
        {"quick": 1, "laptop": SEEDS[name]},
        partial(configurations, name),
        ("setting", "seed", "replicate"),
        compute,
        ("cpu", "cuda"),
    )
    for name in CHANGES
]
