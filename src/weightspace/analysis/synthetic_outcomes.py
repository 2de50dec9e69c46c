"""What synthetic images bring: diversity of the training set and accuracy, against real images and augmentation.

Works on the records of ``diversity_synthetic`` (runs) and ``diversity_synthetic_sets`` (sets).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from weightspace.analysis.diversity_outcomes import beside_scores, in_order, wide_scores
from weightspace.analysis.frames import select
from weightspace.experiments.diversity.synthetic_settings import AUGMENTATIONS, SYNTHETIC
from weightspace.measures.statistics import reach

UNDER_CORRUPTION = "accuracy under corruption"


def training_sets(table: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Scores and outcomes side by side: a row per level (``""``: real images as they are) and seed; design ``single``.

    table: from ``diversity_outcomes.outcomes``. Reference sets, on which no network was trained, are left out.
    """
    own, sets = (part.assign(design="single", level=part["setting"].replace("baseline", "")) for part in (table, sets))
    return in_order(beside_scores(sets[sets["of"] != ""], select(own, arm="main")), (*SYNTHETIC, *AUGMENTATIONS))


def against_real(values: pd.DataFrame, name: str, settings: tuple[str, ...] = SYNTHETIC) -> pd.DataFrame:
    """Each setting minus the baseline in the column ``name``, by Dunnett's test with the baseline as the control.

    values: a row per run, with setting; all rows of ``baseline``, of other seeds too, are the control. Columns: name,
    setting, n (runs of the setting), control (runs of the baseline), difference, ratio (of the means), low, high (95 %,
    for all settings together), p (corrected for their number), detectable (see ``_detectable``).
    """
    control = select(values, setting="baseline")[name].to_numpy()
    groups = [select(values, setting=setting)[name].to_numpy() for setting in settings]
    with warnings.catch_warnings():
        # The real images, and with them the score of their pixels, are the same for every seed.
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        test = stats.dunnett(*groups, control=control, rng=np.random.default_rng(0))
    bounds = test.confidence_interval()
    rows = [
        (name, setting, len(own), len(control), own.mean() - control.mean(), own.mean() / control.mean(), *rest)
        for setting, own, *rest in zip(settings, groups, bounds.low, bounds.high, test.pvalue)
    ]
    found = pd.DataFrame(rows, columns=["name", "setting", "n", "control", "difference", "ratio", "low", "high", "p"])
    return found.assign(detectable=[_detectable([control, *groups], control, own) for own in groups])


def _detectable(groups: Sequence[NDArray[np.float64]], a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The smallest difference of two groups that one test at 5 % finds with 80 % power, by the spread in all groups."""
    df = sum(map(len, groups)) - len(groups)
    spread = sum(((own - own.mean()) ** 2).sum() for own in groups) / df
    half = stats.t(df).ppf(0.975) * np.sqrt(spread * (1 / len(a) + 1 / len(b)))
    return reach(-half, half, df)


def benefits(table: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """``against_real`` for the diversity of the training set and for accuracy under corruption; ``unit`` names them.

    table: from ``diversity_outcomes.outcomes``. sets: records of ``diversity_synthetic_sets``.
    """
    scores = wide_scores(sets[sets["of"] != ""], ["setting", "seed"])
    judged = {
        "Vendi score, pixels": (scores, "vendi_pixels"),
        "Vendi score, embeddings": (scores, "vendi_embeddings"),
        UNDER_CORRUPTION: (table, "corruption_accuracy"),
    }
    return pd.concat([against_real(values, name).assign(unit=unit) for unit, (values, name) in judged.items()])


def against_augmentation(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy under corruption with each share of synthetic images minus that with each augmentation.

    By Tukey's test over the shares and the augmentations together. Columns: unit (as in ``benefits``), setting, other,
    n (runs), difference, low, high (95 %, for all pairs together), p (corrected for all pairs), detectable (see
    ``_detectable``).
    """
    settings = (*SYNTHETIC, *AUGMENTATIONS)
    groups = [select(table, setting=setting)["corruption_accuracy"].to_numpy() for setting in settings]
    test = stats.tukey_hsd(*groups)
    bounds = test.confidence_interval()
    found = (test.statistic, bounds.low, bounds.high, test.pvalue)
    rows = [
        (a, b, len(groups[i]), *(values[i, j] for values in found), _detectable(groups, groups[i], groups[j]))
        for i, a in enumerate(SYNTHETIC)
        for j, b in enumerate(AUGMENTATIONS, len(SYNTHETIC))
    ]
    columns = ["setting", "other", "n", "difference", "low", "high", "p", "detectable"]
    return pd.DataFrame(rows, columns=columns).assign(unit=UNDER_CORRUPTION)
