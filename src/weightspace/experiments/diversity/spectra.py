"""Spectral metrics of every layer of every run of paper A's training experiments, from the eigenvalues on record.

They are records of their own because the power-law fits of all runs take minutes, and because a metric that is added
here needs no training. What a run learned stands beside them, so that runs of equal strength can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
from pydantic import Field

from weightspace.campaigns import records
from weightspace.campaigns.configuration import IDENTITY, STRICT, Configuration, Seed, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.experiments.diversity.protocol import MATRIX, SLICES

PARENTS = {
    "diversity_spectra": "diversity_cifar10",
    "diversity_transfer_spectra": "diversity_transfer",
    "diversity_text_spectra": "diversity_text",
    "diversity_synthetic_spectra": "diversity_synthetic",
}
"""Experiment -> the training experiment of whose runs it describes the spectra."""
METRICS = (
    "alpha",
    "entropy",
    "log_norm",
    "log_spectral_norm",
    "stable_rank",
    "effective_rank",
    "sigma_mp",
    "mp_softrank",
    "num_spikes",
)
"""Columns of ``spectral_report``; the first four are those that paper A uses."""
OUTCOMES = (("train_clean", "loss"), ("test", "accuracy_percent"))
"""Inputs and metric of the outcomes that stand beside the spectra: rows of layer 0."""
UNFOLDINGS = (SLICES, MATRIX)
NAMES = ("arm", "category", "setting", "seed")
"""Fields of the described run that name it."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DescribedRunConfiguration(Configuration):
    """The spectra of one run of a training experiment.

    run: its key, 16 hexadecimal digits; scale: that of the records it is among. All else is that of the run.
    """

    run: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    scale: Literal[records.SCALES]  # type: ignore[valid-type]
    category: Annotated[str, IDENTITY]
    setting: Annotated[str, IDENTITY]
    seed: Annotated[Seed, IDENTITY]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SpectraConfiguration(DescribedRunConfiguration):
    """The spectra of one run of a campaign with arms."""

    arm: Annotated[str, IDENTITY]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TaskSpectraConfiguration(SpectraConfiguration):
    """The spectra of one run of an experiment on several data sets. dataset: that of the run."""

    dataset: Annotated[str, IDENTITY]


def derived(name: str, parents: Sequence[Any], scale: str) -> list[SpectraConfiguration]:
    """What the experiment ``name`` computes of the runs of its parent at a scale."""
    several = len({run.dataset for run in parents}) > 1
    kind, names = (TaskSpectraConfiguration, (*NAMES, "dataset")) if several else (SpectraConfiguration, NAMES)
    return described_runs(kind, name, parents, scale, names)


Kind = TypeVar("Kind", bound=DescribedRunConfiguration)


def described_runs(
    kind: type[Kind], experiment: str, runs: Sequence[Any], scale: str, names: Sequence[str]
) -> list[Kind]:
    """A configuration for each run, named as the run is."""
    shared: dict[str, Any] = {"experiment": experiment, "protocol": 1, "scale": scale}
    return [kind(**shared, run=run.run_key, **{name: getattr(run, name) for name in names}) for run in runs]


def compute(parent: str, group: list[SpectraConfiguration], device: str) -> pd.DataFrame:
    """The metrics of one run of the experiment ``parent``."""
    (c,) = group
    return metrics_of(run_on_record(parent, c.scale, c.run)).assign(run_key=c.run_key)


def run_on_record(parent: str, scale: str, key: str) -> pd.DataFrame:
    """The records of one run; ``RecordError`` names the command that computes it."""
    run = _runs(parent, scale, records.state(parent, scale)).get(key)
    if run is None:
        raise records.RecordError(
            f"run {key} of {parent} is not on record at scale {scale}: "
            f"`python -m weightspace run {parent} --scale {scale}` computes it"
        )
    return run


def metrics_of(run: pd.DataFrame) -> pd.DataFrame:
    """The metrics of one run, given its records, at every epoch with spectra and in both unfoldings of convolutions.

    Layers are numbered from 1, see ``in_order``; the last is the classifier ``fc``. Layers other than convolutions are
    the same matrix in both unfoldings; networks without any have only ``slices``. A metric that cannot be computed of a
    layer has no row there. Rows of layer 0 are ``OUTCOMES``.
    Columns besides: arm, category, setting, seed, dataset, model (where the parent has it), and the origin of the data.
    """
    parts = []
    convolutions = set(run.loc[run["unfolding"] == SLICES, "layer"])
    for epoch, rows in run[run["unfolding"] != ""].groupby("epoch"):
        for unfolding in UNFOLDINGS if convolutions else UNFOLDINGS[:1]:
            own = rows[(rows["unfolding"] == unfolding) | ~rows["layer"].isin(convolutions)]
            parts.append(metrics_of_layers(own, {"epoch": epoch, "inputs": "", "unfolding": unfolding}))
    return with_outcomes(run, parts, OUTCOMES, NAMES)


def with_outcomes(
    run: pd.DataFrame, parts: Sequence[pd.DataFrame], outcomes: Sequence[tuple[str, str]], names: Sequence[str]
) -> pd.DataFrame:
    """The metrics of one run, rows of layer 0 with its outcomes before them, and what names it and its data."""
    outcome = pd.Series(list(zip(run["inputs"], run["metric"])), run.index).isin(outcomes)
    form = [name for name in ("batch_norm", "unfolding") if name in run]
    parts = [run[outcome].assign(layer=0, name="", **dict.fromkeys(form, "")), *parts]
    columns = ["epoch", "inputs", "layer", "name", *form, "metric", "value"]
    frame = pd.concat([part[columns] for part in parts], ignore_index=True)
    first = run.iloc[0]
    identity = {column: [first[column]] * len(frame) for column in names}
    origin = {column: first[column] for column in ("dataset", "model", "data_digest", "data_variant") if column in run}
    return pd.DataFrame(identity).join(frame).assign(**origin)


def metrics_of_layers(rows: pd.DataFrame, form: dict[str, Any]) -> pd.DataFrame:
    """A row per layer and metric: layer (numbered from 1, see ``in_order``), name, metric, value, and ``form``.

    rows: those of one run, one per layer, with its eigenvalues.
    """
    from weightspace.experiments.diversity.compute.image_runs import stored_spectra  # PyTorch takes seconds to import
    from weightspace.spectra.report import report_of

    report = report_of(stored_spectra(in_order(rows)), withhold=False).assign(**form)
    report["layer"] = range(1, len(report) + 1)
    values = report.melt([*form, "layer", "name"], METRICS, "metric")
    return values.astype({"value": float}).dropna(subset="value")


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of layers by name, with numbers as numbers, and ``fc`` at the end.

    In ResNet-18 and the encoders of texts this is the order of the network, in EfficientNet but for its stem.
    """

    def place(name: str) -> tuple:
        return name == "fc", [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]

    places = {name: position for position, name in enumerate(sorted(set(rows["layer"]), key=place))}
    return rows.sort_values("layer", key=lambda names: names.map(places))


@lru_cache(maxsize=1)
def _runs(parent: str, scale: str, _state: str) -> dict[str, pd.DataFrame]:
    """The runs of a campaign by key; the state of the records keeps the cache from growing stale."""
    if not records.exists(parent, scale):
        return {}
    return {str(key): run for key, run in records.everything(parent, scale).groupby("run_key")}


EXPERIMENTS = [
    Experiment(
        name,
        f"Spectral metrics along {parent}",
        {"quick": 2, "laptop": 3, "paper": 5},
        partial(derived, name),
        ("run",),
        partial(compute, parent),
        parent=parent,
    )
    for name, parent in PARENTS.items()
]
