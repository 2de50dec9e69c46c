"""Spectral metrics of every layer of every run of the campaigns that overfit, from the eigenvalues on record.

They are records of their own because the power-law fits of all runs take long, and because a metric that is added here
needs no training.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import pandas as pd

from weightspace.campaigns.configuration import IDENTITY, STRICT, Count, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity import scratch, scratch_controls, scratch_elsewhere, text_fitted, transfer_fitted
from weightspace.experiments.diversity.protocol import MATRIX, SLICES
from weightspace.experiments.diversity.spectra import (
    DescribedRunConfiguration,
    described_runs,
    metrics_of_layers,
    run_on_record,
    with_outcomes,
)

PARENTS = {
    f"{parent.name}_spectra": parent
    for module in (scratch, scratch_controls, scratch_elsewhere, text_fitted, transfer_fitted)
    for parent in module.EXPERIMENTS
}
"""Experiment -> the experiment of whose runs it describes the spectra."""
OUTCOMES = (
    ("train", "loss"),
    ("train", "accuracy_percent"),
    ("train_clean", "loss"),
    ("train_clean", "accuracy_percent"),
    ("test", "loss"),
    ("test", "accuracy_percent"),
)
"""Inputs and metric of the outcomes that stand beside the spectra: rows of layer 0."""
FORMS = (("apart", SLICES), ("apart", MATRIX), ("folded", MATRIX))
"""batch_norm and unfolding of the spectra on record, the second alone in networks of linear layers. The classifier is
the same matrix in each."""
NAMES = ("category", "setting", "seed", "replicate")
"""Fields of the described run that name it."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ScratchSpectraConfiguration(DescribedRunConfiguration):
    """The spectra of one run of a campaign that overfits."""

    replicate: Annotated[int, IDENTITY]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ControlSpectraConfiguration(ScratchSpectraConfiguration):
    """The spectra of one run of ``diversity_controls``. control: what was changed."""

    control: Annotated[str, IDENTITY]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MapSpectraConfiguration(ScratchSpectraConfiguration):
    """The spectra of one run of ``diversity_map``. train_size: the number of training images."""

    train_size: Annotated[Count, IDENTITY]


CONFIGURATIONS: dict[str, type[ScratchSpectraConfiguration]] = {
    **dict.fromkeys((parent.name for parent in PARENTS.values()), ScratchSpectraConfiguration),
    scratch_controls.CONTROLS: ControlSpectraConfiguration,
    scratch_controls.MAP: MapSpectraConfiguration,
}
"""Training experiment -> what names the spectra of its runs."""


def names_of(parent: str) -> tuple[str, ...]:
    """Fields that name a run of the experiment ``parent``; in its records they are columns."""
    own = CONFIGURATIONS[parent].__dataclass_fields__.keys() - ScratchSpectraConfiguration.__dataclass_fields__.keys()
    return (*NAMES, *sorted(own))


def derived(parent: str, runs: Sequence[Any], scale: str) -> list[ScratchSpectraConfiguration]:
    """What is computed of the runs of the experiment ``parent`` at a scale."""
    return described_runs(CONFIGURATIONS[parent], f"{parent}_spectra", runs, scale, names_of(parent))


def compute(parent: str, group: list[ScratchSpectraConfiguration], device: str) -> pd.DataFrame:
    """The metrics of one run of the experiment ``parent``."""
    (c,) = group
    return metrics_of(run_on_record(parent, c.scale, c.run), names_of(parent)).assign(run_key=c.run_key)


def metrics_of(run: pd.DataFrame, names: Sequence[str] = NAMES) -> pd.DataFrame:
    """The metrics of one run, given its records, at every epoch with spectra and in every form of the weights.

    Layers are numbered from 1 in the order of the network; the last is the classifier ``fc``. A metric that cannot be
    computed of a layer has no row there. Rows of layer 0 are ``OUTCOMES``.
    Columns besides: the names of the run, dataset, model, and the origin of the data.
    """
    parts = []
    spectra = run[run["unfolding"] != ""]
    classifier = spectra["layer"] == "fc"
    for epoch, rows in spectra.groupby("epoch"):
        for batch_norm, unfolding in FORMS:
            same = (rows["batch_norm"] == batch_norm) & (rows["unfolding"] == unfolding)
            if not (same & ~classifier[rows.index]).any():
                continue
            form = {"epoch": epoch, "inputs": "", "batch_norm": batch_norm, "unfolding": unfolding}
            parts.append(metrics_of_layers(rows[same | classifier[rows.index]], form))
    return with_outcomes(run, parts, OUTCOMES, names)


EXPERIMENTS = [
    Experiment(
        name,
        f"Spectral metrics along {parent.name}",
        parent.seeds,
        partial(derived, parent.name),
        ("run",),
        partial(compute, parent.name),
        parent=parent.name,
        extra=parent.extra,
    )
    for name, parent in PARENTS.items()
]
