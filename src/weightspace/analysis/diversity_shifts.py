"""The training experiments in the form of paper A's statistic: changes of spectra, with several kinds of baseline.

Works on records of ``diversity_spectra`` and its like, of one data set. Frames of changes are those of
``spectral_shifts``; a seed has its own data order, its own baseline, and its own initial weights or, in a pretrained
network, its own initial classifier.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd

from weightspace.analysis import spectral_shifts
from weightspace.analysis.frames import means, select, summarize
from weightspace.analysis.spectral_shifts import PAIRS
from weightspace.data import augmentations
from weightspace.experiments.diversity import text_sets
from weightspace.experiments.diversity.cifar10_settings import DROPOUTS, INDEPENDENT_SEEDS, WEIGHT_DECAYS
from weightspace.experiments.diversity.protocol import SLICES
from weightspace.experiments.diversity.released_measurements import BASELINE, METRICS
from weightspace.experiments.diversity.scratch_settings import OUR_DROPOUTS
from weightspace.experiments.diversity.synthetic_settings import SYNTHETIC

FROM_SCRATCH = "resnet18"
"""The model of experiments that do not name one."""
CATEGORIES = {"baseline": BASELINE, "dropout": "dp", "weight_decay": "wd", "combined": "combined"} | dict.fromkeys(
    ("augmentation", *text_sets.SETS, "synthetic"), "div"
)
"""Categories of the experiments -> those of ``spectral_shifts``: whatever changes the data is diversity."""
OWNERS = ("dp", "wd", "div", "syn")
"""Whose the independent baselines of a seed are, in the order of their seeds; ``syn``: synthetic images."""
PLACEBO = "placebo"
"""A category without any effect: baselines of other seeds, taken for levels."""

_DATA = (*augmentations.ALL, *SYNTHETIC, *(name for names in text_sets.SETS.values() for name in names))
LEVELS = (
    {"baseline": (BASELINE, "baseline", 0)}
    | {f"dropout_{p}": ("dp", f"{p}", order) for order, p in enumerate(sorted((*DROPOUTS, *OUR_DROPOUTS)), 1)}
    | {f"weight_decay_{decay}": ("wd", f"{decay:g}", order) for order, decay in enumerate(WEIGHT_DECAYS, 1)}
    | {"dropout_0.1+weight_decay_0.0005": ("combined", "0.1 and 0.0005", 1)}
    | {name: ("div", name, order) for order, name in enumerate(_DATA, 1)}
)
"""Setting of an experiment -> category, level and its order."""


def with_diversity(frame: pd.DataFrame, category: str) -> pd.DataFrame:
    """Of all that changes the data only one category (``augmentation``, ``synthetic``, ...): it alone is diversity.

    ``ValueError`` if the records have no such category.
    """
    if category not in set(frame["category"]):
        raise ValueError(f"no category {category!r}: there are {', '.join(sorted(set(frame['category'])))}")
    return frame[frame["category"].isin({"baseline", "dropout", "weight_decay", category})]


def in_places(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with category, level and order of their settings."""
    places = pd.DataFrame(rows["setting"].map(LEVELS).tolist(), rows.index, ["category", "level", "order"])
    return rows.drop(columns="category").join(places)


def last_epoch(frame: pd.DataFrame) -> int:
    """The number of the last epoch on record."""
    return int(frame["epoch"].max())


def changes(frame: pd.DataFrame, arm: str = "main", metrics: tuple[str, ...] = METRICS) -> pd.DataFrame:
    """Metric after the last epoch minus metric of the initial weights.

    arm: ``main``, or ``independent``, the baselines of other seeds alone. Columns as ``spectral_shifts`` describes
    them. ``ValueError`` for records of several data sets.
    """
    if len(tasks := frame["dataset"].unique()) > 1:
        raise ValueError(f"records of one data set are needed, these are of {', '.join(tasks)}")
    spectra = frame[(frame["unfolding"] == SLICES) & frame["metric"].isin(metrics)]
    keys = ["seed", "layer", "metric"]
    # All arms of a seed start from the same weights.
    start = spectra[spectra["epoch"] == 0].drop_duplicates(keys).set_index(keys)["value"].rename("start")
    after = select(spectra, epoch=last_epoch(spectra), arm=arm).join(start, on=keys)
    origin = {"model": after.get("model", FROM_SCRATCH), "task": after["dataset"]}
    table = in_places(after)[[*keys, "category", "level", "order"]]
    table = table.assign(value=after["value"] - after["start"], **origin)
    return table.sort_values(["metric", "category", "order", "seed", "layer"], ignore_index=True)


def independent_baselines(frame: pd.DataFrame) -> pd.DataFrame:
    """Changes of the independent baselines, with ``owner``, the category each belongs to, and the seed it goes with."""
    table = changes(frame, "independent")
    owner = np.array(OWNERS)[table["seed"] // INDEPENDENT_SEEDS - 1]
    return table.assign(owner=owner, seed=table["seed"] % INDEPENDENT_SEEDS)


def shifts_with_own_baselines(frame: pd.DataFrame) -> pd.DataFrame:
    """Shifts against the independent baseline of each category: no two categories share a run."""
    table, others = changes(frame), independent_baselines(frame)
    return pd.concat(
        spectral_shifts.shifts(
            pd.concat([select(table, category=category), select(others, owner=category).drop(columns="owner")])
        )
        for category in spectral_shifts.CATEGORIES
    )


def with_placebo(frame: pd.DataFrame) -> pd.DataFrame:
    """Changes of the main arm and, as the category ``placebo``, of the independent baselines of each seed."""
    others = independent_baselines(frame).drop(columns="category")
    placebo = others.assign(category=PLACEBO, level=others["owner"], order=others["owner"].map(OWNERS.index) + 1)
    return pd.concat([changes(frame), placebo.drop(columns="owner")], ignore_index=True)


def correlations(frame: pd.DataFrame) -> pd.DataFrame:
    """Pearson correlation over layers between categories, as in paper A, for every kind of baseline and every seed.

    Columns: metric, a, b, baseline, seed, pearson. baseline: ``one``, both against that of the seed; ``own``, each
    against its own; ``other seed``, each of another seed; ``none``, diversity against the placebo.
    """
    one = profiles_by_seed(spectral_shifts.shifts(with_placebo(frame)))
    own = profiles_by_seed(shifts_with_own_baselines(frame))
    seeds = sorted(one)
    same = [(s, s) for s in seeds]
    plan = [("one", one, same, PAIRS), ("own", own, same, PAIRS)]
    plan += [("other seed", one, list(permutations(seeds, 2)), PAIRS), ("none", one, same, (("div", PLACEBO),))]
    rows = []
    for baseline, profiles, pairs_of_seeds, pairs in plan:
        for s, t in pairs_of_seeds:
            for metric in profiles[s].index.unique("metric"):
                left, right = (profiles[seed].xs(metric, level="metric") for seed in (s, t))
                rows += [(metric, a, b, baseline, s, left[a].corr(right[b])) for a, b in pairs]
    return pd.DataFrame(rows, columns=["metric", "a", "b", "baseline", "seed", "pearson"])


def profiles_by_seed(shifted: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The profiles of every seed by itself, as ``spectral_shifts.profiles`` describes them."""
    return {int(seed): spectral_shifts.profiles(own) for seed, own in shifted.groupby("seed", sort=True)}


def seed_comparisons(shifted: pd.DataFrame) -> pd.DataFrame:
    """``spectral_shifts.comparisons`` of every seed by itself, with the seed in a column."""
    profiles = profiles_by_seed(shifted)
    return pd.concat(spectral_shifts.comparisons(profile).assign(seed=seed) for seed, profile in profiles.items())


def norm_changes(frame: pd.DataFrame) -> pd.DataFrame:
    """Change of the squared Frobenius norm in percent: part, category, percent; means of logarithms over all else.

    part: ``head``, the last layer, or ``body``, all others, or ``whole``. category: ``training``, what training changes
    in the baseline; the others, what they change beyond that.
    """
    change = changes(frame, metrics=("log_norm",))
    own = pd.concat(
        [spectral_shifts.shifts(change), select(change, category=BASELINE).assign(category="training")],
        ignore_index=True,
    )
    head = spectral_shifts.last_layer(own)
    parts = [("head", own[head]), ("body", own[~head]), ("whole", own)]
    rows = [
        (part, category, 100 * (10**value - 1))
        for part, table in parts
        for category, value in table.groupby("category")["value"].mean().items()
    ]
    return pd.DataFrame(rows, columns=["part", "category", "percent"])


def over_seeds(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean over layers within a seed, then over seeds with the 95 % t interval: ``by``, n (seeds), mean, low, high."""
    return summarize(means(table, [*by, "seed"]).dropna(), by)
