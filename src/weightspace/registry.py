"""What an experiment is, and which there are.

An experiment lists the configurations of its runs and computes groups of them; everything else (keys, resuming,
provenance, progress) is the same for all (``planning``, ``running``, ``reading``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import pandas as pd

from weightspace.configuration import Configuration

_HOMES = tuple(
    f"weightspace.{name}"
    for name in (
        "dual_regression",
        "dual_classification",
        "dual_instability",
        "dual_neurons",
        "dual_curves",
        "dual_imbalance",
        "dual_classification_tuned",
        "dual_contrastive",
        "inference_cost",
        "scratch_experiment",
        "scratch_spectra",
        "scratch_controls",
        "diversity_tuning",
        "diversity_cifar10",
        "diversity_spectra",
        "diversity_hessian",
        "diversity_sets",
        "diversity_transfer",
        "diversity_batch_norm",
        "diversity_text_tuning",
        "diversity_text_experiment",
        "diversity_text_sets",
        "synthetic_experiment",
        "spectra_primer",
        "training_spectra",
        "released_measurements",
    )
)
"""Modules that define experiments, each in a list ``EXPERIMENTS``."""


@dataclass(frozen=True)
class Experiment:
    """A named set of runs.

    configurations(scale, seeds) lists the full configuration of every run. An experiment that is computed from the
    records of another one has that as its parent, and configurations(those of the parent, scale).
    group_by names the settings that runs computed together share: one group is what an interrupted campaign may lose.
    compute(group, device) returns the rows of the runs of one group, with ``run_key`` and the origin of its data. It
    reads nothing but the configurations. seeds gives the number of seeds per scale, devices what ``compute`` can use,
    needs_gpu the scales that are refused on a CPU, where they would take weeks; such an experiment has a scale
    ``laptop`` besides. With seeds_together a group has no more seeds than this, so that several workers have work.
    """

    name: str
    title: str
    seeds: dict[str, int]
    configurations: Callable[..., Sequence[Configuration]]
    group_by: tuple[str, ...]
    compute: Callable[[list[Configuration], str], pd.DataFrame]
    devices: tuple[str, ...] = ("cpu",)
    needs_gpu: tuple[str, ...] = ()
    parent: str | None = None
    seeds_together: int | None = None


def registry() -> dict[str, Experiment]:
    """All experiments by name."""
    return {item.name: item for home in _HOMES for item in import_module(home).EXPERIMENTS}


def get(name: str) -> Experiment:
    """The experiment called ``name``; ``ValueError`` lists the names there are."""
    known = registry()
    if name not in known:
        raise ValueError(f"unknown experiment {name!r}: use one of {', '.join(known)}")
    return known[name]


def runs_at(name: str, scale: str, device: str) -> bool:
    """Whether an experiment has a scale, and can be run at it on a device."""
    experiment = get(name)
    return scale in experiment.seeds and not (device == "cpu" and scale in experiment.needs_gpu)
