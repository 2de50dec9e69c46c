"""Why a regularizer marks the spectra, and where: controls and a map around ``diversity_from_scratch``.

``diversity_controls`` runs a few of its settings with one thing changed. What each explanation predicts stands in
book/rules. ``diversity_map`` runs them on fewer and on more images, from networks that fit their images at once to
networks that hardly do; 2,000 images are in ``diversity_from_scratch`` itself.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

import pandas as pd

from weightspace.campaigns.configuration import IDENTITY, STRICT, Settings, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.scratch import compute
from weightspace.experiments.diversity.scratch_settings import SCALES, ScratchConfiguration, with_baselines

CONTROLS = "diversity_controls"
MAP = "diversity_map"

CHANGES: dict[str, Settings] = {
    "label_noise": {"label_noise": 0.2},
    "equal_loss": {"stop_loss": 0.6},
    "fixed_norm": {"kernel_norm": "fixed"},
    "half_lr": {"lr": 1.5e-3},
    "twice_the_epochs": {"epochs": 80, "spectra_epochs": (1, 3, 10, 20, 40, 80)},
}
"""Control -> what differs from ``diversity_from_scratch``, the cheapest first."""
QUICK_CHANGES: dict[str, Settings] = CHANGES | {
    "half_lr": {"lr": SCALES["quick"]["lr"] / 2},
    "twice_the_epochs": {"epochs": 4, "spectra_epochs": (1, 2, 4)},
}
COMPARED: tuple[Settings, ...] = (
    {},
    {"augmentation": "rand_augment"},
    {"augmentation": "flip_crop"},
    {"dropout": 0.1},
    {"weight_decay": 5e-3},
)
"""The settings that are compared under a control. Label noise is a setting by itself, against the baseline without."""
TRAIN_SIZES = {"quick": (64,), "laptop": (500, 1_000, 5_000)}
MAPPED: tuple[Settings, ...] = (
    {},
    {"augmentation": "rand_augment"},
    {"augmentation": "flip_crop"},
    {"augmentation": "noise50"},
    {"dropout": 0.1},
    {"dropout": 0.2},
    {"weight_decay": 5e-4},
    {"weight_decay": 5e-3},
)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ControlConfiguration(ScratchConfiguration):
    """A run of ``diversity_from_scratch`` with one thing changed. control: what that is, see ``CHANGES``."""

    control: Annotated[Literal[tuple(CHANGES)], IDENTITY]  # type: ignore[valid-type]


def controls(scale: str, seeds: int) -> list[ControlConfiguration]:
    shared: dict[str, Any] = {"experiment": CONTROLS, "protocol": 1} | SCALES[scale]
    changes = QUICK_CHANGES if scale == "quick" else CHANGES
    return [
        ControlConfiguration(**shared | change | run, control=control, seed=seed)
        for control, change in changes.items()
        for seed, run in itertools.product(range(seeds), [{}] if control == "label_noise" else with_baselines(COMPARED))
    ]


def sizes(scale: str, seeds: int) -> list[ScratchConfiguration]:
    shared: dict[str, Any] = {"experiment": MAP, "protocol": 1} | SCALES[scale]
    return [
        ScratchConfiguration(**shared | run | {"train_size": size}, seed=seed)
        for seed, size, run in itertools.product(range(seeds), TRAIN_SIZES[scale], with_baselines(MAPPED))
    ]


def compute_control(group: list[ControlConfiguration], device: str) -> pd.DataFrame:
    return compute(group, device).assign(control=group[0].control)


EXPERIMENTS = [
    Experiment(
        CONTROLS,
        "Why regularizers mark the spectra: one thing changed at a time",
        {"quick": 2, "laptop": 5},
        controls,
        ("control", "setting", "seed", "replicate"),
        compute_control,
        ("cpu", "cuda"),
    ),
    Experiment(
        MAP,
        "From 500 to 5,000 images: from overfitting to underfitting",
        {"quick": 2, "laptop": 5},
        sizes,
        ("train_size", "setting", "seed", "replicate"),
        compute,
        ("cpu", "cuda"),
    ),
]
