"""What every regularizer does to the spectra of a campaign from scratch, seed by seed, and how strongly it acts.

The effect of a setting in a seed is a vector over the layers but the last: a metric of the setting's run minus the mean
of the baselines of that seed, every layer in units of the standard deviation of all baselines there.

Works on records of ``diversity_from_scratch_spectra`` and those made like them: rows of spectra have layer (from 1),
batch_norm, unfolding and metric; rows of outcomes have layer 0, inputs and metric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from weightspace.analysis.frames import select
from weightspace.data import augmentations
from weightspace.experiments.diversity import scratch_settings, text_sets
from weightspace.experiments.diversity.protocol import MATRIX, SLICES
from weightspace.measures.statistics import ALPHA, holm

BASELINE = "baseline"
CATEGORIES = ("augmentation", "dropout", "weight_decay")
PAPER_SETTINGS = frozenset(
    (
        *(f"dropout_{p:g}" for p in scratch_settings.DROPOUTS),
        *(f"weight_decay_{decay:g}" for decay in scratch_settings.WEIGHT_DECAYS),
        *augmentations.LEVELS,
        *(name for names in text_sets.SETS.values() for name in names),
    )
)
"""The settings of paper A: the means of the categories are over these. Ours serve to match strengths."""


@dataclass(frozen=True, order=True)
class Measure:
    """A metric of one form of the weights: batch_norm ``apart`` or ``folded``, and the unfolding of convolutions."""

    metric: str
    batch_norm: str
    unfolding: str


MEASURES: dict[str, tuple[Measure, ...]] = {
    "raw": tuple(Measure(m, "apart", SLICES) for m in ("alpha", "entropy", "log_norm", "log_spectral_norm")),
    "folded": tuple(Measure(m, "folded", MATRIX) for m in ("entropy", "log_norm", "log_spectral_norm", "stable_rank")),
    "scale-free": tuple(Measure(m, "apart", MATRIX) for m in ("alpha", "entropy", "stable_rank")),
}
"""What is judged. raw: paper A's four metrics as the paper takes them. folded: of the kernel with its batch norm, the
matrix that acts on a patch. scale-free: of the kernel, whatever its norm, which the batch norm takes away."""
WITHOUT_BATCH_NORM: dict[str, tuple[Measure, ...]] = {
    "raw": tuple(Measure(m, "apart", MATRIX) for m in ("alpha", "entropy", "log_norm", "log_spectral_norm")),
    "scale-free": MEASURES["scale-free"],
}
"""What is judged where no batch norm stands behind a matrix: nothing can be folded in, the scale belongs to the
function, and a linear layer is one matrix. Alpha and entropy do not see the scale and stand in both sets."""


def measures_of(frame: pd.DataFrame) -> dict[str, tuple[Measure, ...]]:
    """The sets of measures for the network of a campaign: ``MEASURES`` if batch norms could be folded in."""
    return MEASURES if (frame["batch_norm"] == "folded").any() else WITHOUT_BATCH_NORM


@dataclass(frozen=True, eq=False)
class Effects:
    """The effects of one measure.

    settings: category and setting, a row each, doses of a category in ascending order. layers: their numbers. values:
    [settings, seeds, layers]. baselines: [seeds, replicates, layers], minus the mean over the replicates of the seed,
    in the same units.
    """

    settings: pd.DataFrame
    layers: list[int]
    values: NDArray[np.float64]
    baselines: NDArray[np.float64]

    @property
    def seeds(self) -> int:
        return self.values.shape[1]


def positions(settings: pd.DataFrame, category: str, among: frozenset[str] | set[str]) -> NDArray[np.intp]:
    """Rows of the settings of a category that are in ``among``, the weakest dose first."""
    return np.flatnonzero((settings["category"] == category) & settings["setting"].isin(among))


def dose(setting: str) -> float:
    """What is behind the last underscore, if it is a number: the level of dropout or weight decay. Else 0."""
    try:
        return float(setting.rpartition("_")[2])
    except ValueError:
        return 0.0


def effects(frame: pd.DataFrame, measure: Measure, epoch: int | None = None, units: pd.Series | None = None) -> Effects:
    """The effects after ``epoch`` (the last one of every run, if None).

    units: the standard deviation that counts as 1, by layer; by default that of the baselines of this frame. Layers
    without a unit are left out, as are those that have no value in some run, and the last layer.
    ``ValueError`` if a seed lacks a setting, or has fewer than two baselines.
    """
    table = _by_layer(frame, measure, epoch)
    base = _baselines(table)
    seeds = base.index.unique("seed").sort_values()
    if (replicates := base.groupby(level="seed").size()).nunique() != 1 or replicates.iloc[0] < 2:
        raise ValueError(f"every seed needs the same number of baselines, two or more, got {replicates.to_dict()}")
    units = _spread(base) if units is None else units[units.index.intersection(table.columns)]
    base, table = base[units.index], table[units.index]
    base_mean = base.groupby(level="seed").mean()
    others = table[table.index.get_level_values("setting") != BASELINE].droplevel("replicate")
    settings = others.index.droplevel("seed").unique().to_frame(index=False)
    settings = settings.assign(dose=settings["setting"].map(dose)).sort_values(["category", "dose", "setting"])
    settings = settings[["category", "setting"]].reset_index(drop=True)
    index = pd.MultiIndex.from_tuples(
        [(*row, seed) for row in settings.itertuples(index=False) for seed in seeds], names=others.index.names
    )
    if len(lacking := index.difference(others.index)):
        raise ValueError(f"seeds must have every setting, lacking: {lacking[0]}")
    shift = others.loc[index] - base_mean.loc[index.get_level_values("seed")].to_numpy()
    apart = base - base_mean.loc[base.index.get_level_values("seed")].to_numpy()
    return Effects(
        settings,
        list(units.index),
        (shift / units).to_numpy().reshape(len(settings), len(seeds), -1),
        (apart / units).sort_index().to_numpy().reshape(len(seeds), int(replicates.iloc[0]), -1),
    )


def units_of(frame: pd.DataFrame, measure: Measure) -> pd.Series:
    """The standard deviation between baselines by layer, without layers in which all of them are the same."""
    return _spread(_baselines(_by_layer(frame, measure, None)))


def _spread(base: pd.DataFrame) -> pd.Series:
    spread = base.std(ddof=1)
    return spread[spread > 0]


def _baselines(table: pd.DataFrame) -> pd.DataFrame:
    return table.xs(BASELINE, level="setting").droplevel("category")


_RUN = ["category", "setting", "seed", "replicate"]
_PLACE = [*_RUN, "metric", "batch_norm", "unfolding", "layer", "epoch"]


def _by_layer(frame: pd.DataFrame, measure: Measure, epoch: int | None) -> pd.DataFrame:
    """A measure after an epoch (None: the last) in every run, a column for every layer that has it in all of them."""
    last = frame["layer"].max()
    frame = frame[[*_PLACE, "value"]]  # the rest would be copied with every choice of rows
    own = select(frame, metric=measure.metric, batch_norm=measure.batch_norm, unfolding=measure.unfolding)
    own = own[(own["layer"] > 0) & (own["layer"] < last) & (own["epoch"] > 0)]
    own = last_epoch(own) if epoch is None else select(own, epoch=epoch)
    table = own.pivot(index=_RUN, columns="layer", values="value")
    return table.loc[:, table.notna().all()]


def last_epoch(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the last epoch of every run."""
    return frame[frame["epoch"] == frame.groupby(["seed", "setting", "replicate"])["epoch"].transform("max")]


OUTCOMES = {
    "training accuracy": ("train_clean", "accuracy_percent"),
    "test accuracy": ("test", "accuracy_percent"),
    "training loss": ("train_clean", "loss"),
}
"""Name -> inputs and metric, of the images as they are, without dropout, at the end."""


def outcomes(frame: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """An outcome at the end, minus the mean of the baselines of the seed: settings (rows) by seeds.

    The training loss is compared on the logarithm (base 10), since networks that have fitted their images differ by
    orders of magnitude there. The baseline itself is the row ``baseline``: its mean, not a difference.
    """
    inputs, metric = OUTCOMES[outcome]
    own = last_epoch(select(frame, layer=0, inputs=inputs, metric=metric))
    value = np.log10(own["value"]) if metric == "loss" else own["value"]
    return _minus_baseline(own.assign(value=value).pivot_table(index="setting", columns="seed", values="value"))


def _minus_baseline(table: pd.DataFrame) -> pd.DataFrame:
    """Settings by seeds minus the row of the baseline, which comes last as it is."""
    base = table.loc[BASELINE]
    return pd.concat([table.drop(index=BASELINE) - base, base.to_frame().T])


def delays(frame: pd.DataFrame) -> pd.DataFrame:
    """By how many epochs a setting puts off interpolation: settings (rows, with the baseline's mean) by seeds.

    The time in which gradients act is the training error summed over epochs, of the batches as they were trained on
    (augmented, with dropout): a network that answers nothing right until epoch t and everything right from then on has
    spent t epochs. A delay is that of a setting minus the mean of the baselines of its seed.
    """
    own = select(frame, layer=0, inputs="train", metric="accuracy_percent")
    error = own.assign(value=1 - own["value"] / 100)
    time = error.groupby(["setting", "seed", "replicate"])["value"].sum()
    return _minus_baseline(time.groupby(["setting", "seed"]).mean().unstack("seed"))


CHANCE = {"complaints": 50.0, "titles": 50.0}
"""Percent of right answers by guessing; 10 for the other data sets, which have ten classes."""


def as_augmentation(frame: pd.DataFrame, category: str) -> pd.DataFrame:
    """A campaign on texts with one kind of training set (``text_sets.SETS``) as its augmentation, without the others.

    What is asked of augmentation is so asked of generated texts. ``ValueError`` if the campaign has no such sets.
    """
    known = sorted(set(text_sets.SETS) & set(frame["category"]))
    if category not in known:
        raise ValueError(f"the campaign has no training sets {category!r}: use one of {', '.join(known)}")
    others = set(text_sets.SETS) - {category}
    kept = frame[~frame["category"].isin(others)]
    return kept.assign(category=kept["category"].replace(category, "augmentation"))


def learned(frame: pd.DataFrame) -> set[str]:
    """Settings whose mean test accuracy is more than half of the way from chance to the baseline's.

    Others hardly train: they are no regularization to speak of, and do not enter the means of their category.
    """
    table = outcomes(frame, "test accuracy").mean(axis=1)
    base = table.pop(BASELINE)
    chance = CHANCE.get(frame["dataset"].iloc[0], 10.0)
    return set(table.index[base + table > (chance + base) / 2])


def acting(frame: pd.DataFrame) -> pd.DataFrame:
    """Whether a setting demonstrably acts: its training or its test accuracy differs from the baseline's.

    Columns: setting, outcome, n (seeds), difference (points), p (two-sided t-test over seeds), p_holm (over the table),
    acts (any outcome of the setting has p_holm below 0.05).
    """
    rows = []
    for outcome in ("training accuracy", "test accuracy"):
        for setting, values in outcomes(frame, outcome).drop(index=BASELINE).iterrows():
            # Where every seed differs by the same there is no spread to test against: no difference, or a certain one.
            constant = np.ptp(values) == 0
            p = float(values.iloc[0] == 0) if constant else float(stats.ttest_1samp(values, 0).pvalue)
            rows.append((setting, outcome, len(values), float(values.mean()), p))
    table = pd.DataFrame(rows, columns=["setting", "outcome", "n", "difference", "p"])
    table["p_holm"] = holm(table["p"])
    return table.assign(acts=(table["p_holm"] < ALPHA).groupby(table["setting"]).transform("any"))
