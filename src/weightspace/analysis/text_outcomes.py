"""What regularizers and training sets do to accuracy and calibration in ``diversity_text``, and what explains it.

Outcomes are those after the last epoch, in percent. Tables have the form of ``diversity_outcomes``, the functions of
which go on from them; records of several data sets stay apart in the column ``dataset``.
"""

from __future__ import annotations

import pandas as pd

from weightspace.analysis import released_scores
from weightspace.analysis.diversity_outcomes import (
    RUN,
    beside_scores,
    differences,
    in_order,
    last_epoch,
    side_by_side,
    wide_scores,
)
from weightspace.analysis.frames import select
from weightspace.experiments.diversity.released_measurements import BASELINE
from weightspace.experiments.diversity.text_sets import SETS
from weightspace.experiments.diversity.text_settings import SHUFFLED
from weightspace.measures.statistics import mean_interval

OUTCOMES = ("accuracy", "macro_f1", "ece")
JUDGED = ("accuracy", "macro_f1", "calibration")
"""Outcomes that a diversity score is held against. calibration: minus the ECE, so that more of all three is better."""


def outcomes(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per run (dataset, arm, category, setting, seed): accuracy, macro_f1, ece, test_loss, train_loss, updates.

    train_loss: on the training texts of the baseline, in evaluation mode. updates: steps of the optimizer, more where
    the training set is larger. ``ValueError`` if a run lacks one of them.
    """
    last = last_epoch(runs)
    keys = ["dataset", *RUN]

    def measured(inputs: str, metric: str, column: str = "value") -> pd.Series:
        return select(last, inputs=inputs, metric=metric).set_index(keys)[column]

    return side_by_side(
        accuracy=measured("test", "accuracy_percent"),
        macro_f1=100 * measured("test", "macro_f1"),
        ece=100 * measured("test", "ece"),
        test_loss=measured("test", "loss"),
        train_loss=measured("train_clean", "loss"),
        updates=measured("test", "loss", "updates"),
    )


def training_sets(table: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Scores and outcomes side by side: a row per design, level (``""``: the baseline's texts) and seed.

    table: from ``outcomes``; sets: records of ``diversity_text_sets``. design: the data set. category: of the level.
    Sets that only one side has, such as the control ``shuffled``, are left out.
    """
    own = select(table, arm="main")
    own = own[own["category"].isin({"baseline", *SETS})]
    own = own.assign(design=own["dataset"], level=own["setting"].replace("baseline", ""))
    both = beside_scores(sets.rename(columns={"dataset": "design", "augmentation": "level"}), own, JUDGED)
    return in_order(both, sum(SETS.values(), ()))


def resemblances(sets: pd.DataFrame) -> pd.DataFrame:
    """Scores of every set but the baseline, with its kind: a category of ``text_sets`` or ``control``."""
    kinds = {name: category for category, names in SETS.items() for name in names} | {SHUFFLED: "control"}
    wide = wide_scores(sets, ["dataset", "augmentation", "seed"])
    wide = wide[wide["augmentation"] != ""]
    return wide.assign(kind=wide["augmentation"].map(kinds))


RELEASED = {"augmentation": "div", "synthetic": "gen", "verified": "gen_vf", "added": "gen_add"}
"""Category of the complaints' training sets -> what the release calls it."""


def released_name(category: str, setting: str) -> tuple[str, str]:
    """Category and level of a training set in the release: ``sr_0.3`` is (div, sr_03), ``comb_0.1`` (gen, 0.1)."""
    if category == "baseline":
        return BASELINE, ""
    if category == "augmentation":
        return "div", setting.replace("0.", "0")
    share = setting.rpartition("_")[2]
    return RELEASED[category], share if share.replace(".", "").isdigit() else "1"


def against_reported(table: pd.DataFrame) -> pd.DataFrame:
    """Every accuracy that the release reports, of BERT in a single run, beside ours, a row per training set.

    table: from ``outcomes``, of the complaints. Columns, in percent: category, setting, reported with Wilson's 95 %
    interval (reported_low, reported_high), ours (mean over seeds) with its t interval (low, high), n (seeds), and both
    minus the baseline: reported_gain, and gain with its interval (gain_low, gain_high), paired by seed.
    """
    own = select(table, arm="main")
    own = own[own["category"].isin({"baseline", *RELEASED})]
    reported = released_scores.text_accuracies().set_index(["category", "level"])
    rows = []
    for (category, setting), runs in own.groupby(["category", "setting"], sort=False):
        theirs = 100 * reported.loc[released_name(category, setting), ["share", "low", "high"]]
        rows.append((category, setting, *theirs, *mean_interval(runs["accuracy"]), len(runs)))
    columns = ["category", "setting", "reported", "reported_low", "reported_high", "ours", "low", "high", "n"]
    gains = differences(own, ["accuracy"]).set_index("setting")[["mean", "low", "high"]]
    gains = gains.rename(columns={"mean": "gain", "low": "gain_low", "high": "gain_high"})
    # The baseline gains nothing over itself.
    found = pd.DataFrame(rows, columns=columns).join(gains, on="setting").fillna(dict.fromkeys(gains, 0.0))
    return found.assign(reported_gain=found["reported"] - select(found, setting="baseline")["reported"].item())
