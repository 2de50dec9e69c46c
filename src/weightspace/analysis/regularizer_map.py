"""From underfitting to interpolation: where is diversity like dropout, like weight decay, or like nothing?

A cell of the map is a number of training images and an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_effects import BASELINE, MEASURES
from weightspace.analysis.regularizer_tests import (
    AS_THEY_ARE,
    DRAWS,
    LIKE,
    cases,
    controls,
    passed,
    similarities,
    with_outcomes,
)
from weightspace.measures.statistics import ALPHA, holm

FOLDED = {"folded": MEASURES["folded"]}


def by_size(sizes: pd.DataFrame, main: pd.DataFrame, main_size: int) -> dict[int, pd.DataFrame]:
    """The records of the map by their number of training images, the smallest first, with those of the main campaign.

    sizes: of ``diversity_map_spectra``; main: of ``diversity_from_scratch_spectra``, on ``main_size`` images, of which
    the settings and seeds of the map are kept.
    """
    shared = main[main["setting"].isin(sizes["setting"].unique()) & main["seed"].isin(sizes["seed"].unique())]
    frames = {int(size): own for size, own in sizes.groupby("train_size")}
    return dict(sorted((frames | {main_size: shared}).items()))


def cells(frames: Mapping[int, pd.DataFrame], draws: int = DRAWS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The comparisons of every cell, and what is seen there.

    frames: number of training images -> records of the spectra, all with the same settings; every checkpoint with
    spectra is a cell. First table: columns of ``similarities`` with train_size and epoch, Holm's correction over the
    whole map. Second table: train_size, epoch, train_accuracy (percent, of the baseline on its training images; NaN at
    a checkpoint without that score) and seen (a folded metric tells a level of augmentation from the baseline, Holm's
    correction over metrics and levels).
    """
    compared, seen = [], []
    for train_size, frame in frames.items():
        everything = frozenset(frame["setting"])
        epochs = frame.loc[(frame["layer"] > 0) & (frame["epoch"] > 0), "epoch"]
        for epoch in sorted(epochs.unique()):
            cell = {"train_size": train_size, "epoch": int(epoch)}
            table = controls(frame, MEASURES["folded"], epoch)
            found = cases(frame, FOLDED, (AS_THEY_ARE,), epoch, draws=draws, averaged=everything)
            compared.append(similarities(found, passed(table)).assign(**cell))
            p = holm(table.loc[table["category"] == "augmentation", "p"])
            seen.append(cell | {"train_accuracy": _baseline_fit(frame, epoch), "seen": bool((p < ALPHA).any())})
    table = with_outcomes(pd.concat(compared, ignore_index=True), "similarity", LIKE)
    return table, pd.DataFrame(seen)


def _baseline_fit(frame: pd.DataFrame, epoch: int) -> float:
    fit = select(frame, layer=0, inputs="train_clean", metric="accuracy_percent", epoch=epoch, setting=BASELINE)
    return float(fit["value"].mean())
