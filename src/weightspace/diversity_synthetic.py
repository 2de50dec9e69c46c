"""Synthetic images in paper A's training experiment: a generator that has seen the same training images and no others.

Three experiments. ``diversity_synthetic_generator``: class-conditional flow matching on the training images, once per
seed. ``diversity_synthetic_sets``: what it makes, beside augmented, real and random images: does a judge recognise the
classes, how far are the features from those of real images, are training images copied, how diverse is each training
set. ``diversity_synthetic``: the networks trained on real images of which a share, another one in every epoch, is
replaced by synthetic ones of the same class, against augmentation, dropout and weight decay, all with equally many
steps. Augmentation draws anew in every epoch; synthetic images come from a few copies of the training set.

The generator knows nothing that the training images do not hold: what synthetic images can bring is what its prior,
a smooth and local function, makes of them. Its guidance towards the classes is plain conditioning (no classifier-free
guidance, which would trade diversity for typical images).
"""

from __future__ import annotations

import pandas as pd

from weightspace import diversity_cifar10
from weightspace.diversity_cifar10 import independent_seeds
from weightspace.diversity_protocol import base_configuration
from weightspace.experiments import Configuration, Experiment

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the training images of an epoch, those that are synthetic."""
SYNTHETIC = tuple(f"synthetic_{share:g}" for share in SHARES)
"""The settings with these shares."""
AUGMENTATIONS = ("noise50", "aug_mix", "trivial_augment_wide")
"""From weak to strong."""
EXPLICIT = ("dropout_0.1", "weight_decay_0.0005")
"""One level each, at which the network of ``diversity_cifar10`` still trains well."""
CATEGORIES = (*diversity_cifar10.CATEGORIES, "synthetic")
"""As there, the independent baseline of category c and seed s has seed 1000 (c + 1) + s."""

SIZES: dict[str, Configuration] = {
    "paper": {"dataset": "cifar10", "width": 64, "train_size": 10_000, "epochs": 50},
    "laptop": {"dataset": "fashion_mnist", "width": 16, "train_size": 2_000, "epochs": 15},
    "quick": {"dataset": "digits", "width": 8, "train_size": 64, "epochs": 1},
}
"""As in ``diversity_protocol``, with so few training images (the first of the file) that more could help."""

TESTS: dict[str, Configuration] = {
    "paper": {"test_size": 10_000, "corruption_size": 10_000, "spectra_epochs": [10, 50]},
    "laptop": {"test_size": 1_000, "corruption_size": 200, "spectra_epochs": [15]},
    "quick": {"test_size": 64, "corruption_size": 8, "spectra_epochs": [1]},
}

GENERATOR: dict[str, Configuration] = {
    "paper": {
        "colours": 3,
        "border": 0,
        "channels": [128, 256, 256],
        "blocks": 2,
        "generator_dropout": 0.1,
        "generator_lr": 3e-4,
        "generator_batch_size": 256,
        "generator_epochs": 500,
        "ema_decay": 0.9995,
        "loss_every": 25,
        "loss_size": 2_000,
        "steps": 20,
        "copies": 10,
    },
    "laptop": {
        "colours": 1,
        "border": 2,
        "channels": [16, 32, 64],
        "blocks": 1,
        "generator_dropout": 0.0,
        "generator_lr": 3e-3,
        "generator_batch_size": 64,
        "generator_epochs": 60,
        "ema_decay": 0.99,
        "loss_every": 5,
        "loss_size": 500,
        "steps": 8,
        "copies": 4,
    },
    "quick": {
        "colours": 1,
        "border": 0,
        "channels": [8, 16],
        "blocks": 1,
        "generator_dropout": 0.0,
        "generator_lr": 3e-3,
        "generator_batch_size": 32,
        "generator_epochs": 2,
        "ema_decay": 0.9,
        "loss_every": 1,
        "loss_size": 32,
        "steps": 2,
        "copies": 2,
    },
}
"""The network sees images without their black border, in one colour where all three are equal. steps: of the solver.
copies: of the training set in synthetic images; epoch e is given copy (e - 1) modulo copies."""

JUDGE: dict[str, Configuration] = {
    "paper": {"judge_size": 40_000, "judge_epochs": 20, "set_size": 5_000},
    "laptop": {"judge_size": 10_000, "judge_epochs": 4, "set_size": 2_000},
    "quick": {"judge_size": 128, "judge_epochs": 1, "set_size": 64},
}
"""The judge is the same kind of network, trained on the real images behind those of the training set, which neither the
generator nor the networks have seen. set_size: number of images of every set that it sees."""

JUDGE_SEEDS = 9000
"""The judge of seed s has seed 9000 + s."""

GRID_SEED, GRID_ROWS = 0, 8
"""Of this seed so many images per class are on record, each with the training image nearest to it."""


def generator_configuration(scale: str, seed: int) -> Configuration:
    sizes = {scale: {name: SIZES[scale][name] for name in ("dataset", "train_size")}}
    return base_configuration("diversity_synthetic_generator", scale, sizes) | GENERATOR[scale] | {"seed": seed}


def settings() -> list[Configuration]:
    """As in ``diversity_cifar10``, with the share of synthetic images."""
    known = {setting["setting"]: setting | {"synthetic_share": 0.0} for setting in diversity_cifar10.settings("paper")}
    synthetic = [
        known["baseline"] | {"setting": name, "category": "synthetic", "synthetic_share": share}
        for name, share in zip(SYNTHETIC, SHARES)
    ]
    return [known["baseline"], *synthetic, *(known[name] for name in (*AUGMENTATIONS, *EXPLICIT))]


def _shared(experiment: str, scale: str) -> Configuration:
    return base_configuration(experiment, scale, SIZES) | diversity_cifar10.RECIPE[scale]


def _with_generator(configuration: Configuration, scale: str) -> Configuration:
    """The configuration of the generator is part of that of every run that uses its images, and of no other."""
    used = configuration["synthetic_share"] > 0
    return configuration | {"generator": generator_configuration(scale, configuration["seed"]) if used else {}}


def configurations(scale: str, seeds: int) -> list[Configuration]:
    """The main arm seed by seed, then the independent baselines."""
    chosen = settings()
    plan = [("main", setting, seed) for seed in range(seeds) for setting in chosen] + [
        ("independent", chosen[0], other) for seed in range(seeds) for other in independent_seeds(seed, CATEGORIES)
    ]
    shared = _shared("diversity_synthetic", scale) | TESTS[scale]
    return [_with_generator(shared | setting | {"arm": arm, "seed": seed}, scale) for arm, setting, seed in plan]


def set_configurations(scale: str, seeds: int) -> list[Configuration]:
    """A set for every setting that changes the images, and the references ``held_out`` and ``random``."""
    real, *others = (setting for setting in settings() if not setting["dropout"] and not setting["weight_decay"])
    references = [real | {"setting": name, "category": "reference"} for name in ("held_out", "random")]
    shared = _shared("diversity_synthetic_sets", scale) | JUDGE[scale] | {"arm": "main"}
    return [
        _with_generator(shared | setting | {"seed": seed}, scale)
        for seed in range(seeds)
        for setting in (real, *others, *references)
    ]


def generator_configurations(scale: str, seeds: int) -> list[Configuration]:
    return [
        generator_configuration(scale, seed) | {"grid": GRID_ROWS if seed == GRID_SEED else 0} for seed in range(seeds)
    ]


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    from weightspace.diversity_runs import train_and_measure  # PyTorch takes seconds to import
    from weightspace.synthetic_runs import training_set

    (configuration,) = group
    return train_and_measure(configuration, device, lambda c, epoch: training_set(c, epoch, device))


def compute_generator(group: list[Configuration], device: str) -> pd.DataFrame:
    from weightspace.synthetic_runs import describe_generator

    (configuration,) = group
    return describe_generator(configuration, device)


def compute_sets(group: list[Configuration], device: str) -> pd.DataFrame:
    from weightspace.synthetic_runs import describe_sets

    return describe_sets(group, device)


_SEEDS = {"quick": 2, "laptop": 3, "paper": 5}
_PLACES = {"devices": ("cpu", "cuda"), "needs_gpu": ("paper",)}

EXPERIMENTS = [
    Experiment(
        "diversity_synthetic_generator",
        "A generator of images, by flow matching on the training images",
        _SEEDS,
        generator_configurations,
        ("seed",),
        compute_generator,
        **_PLACES,
    ),
    Experiment(
        "diversity_synthetic_sets",
        "Synthetic, augmented and real training sets: fidelity, copies, diversity",
        _SEEDS,
        set_configurations,
        ("seed",),
        compute_sets,
        **_PLACES,
    ),
    Experiment(
        "diversity_synthetic",
        "ResNet-18 on real and synthetic images: against augmentation, dropout and weight decay",
        _SEEDS,
        configurations,
        ("arm", "setting", "seed"),
        compute,
        **_PLACES,
    ),
]
