"""Accuracies and diversity scores in paper A's released measurements: what single runs can tell apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from weightspace.analysis.spectral_shifts import TEST_TEXTS, reported
from weightspace.experiments.diversity.released_measurements import BASELINE
from weightspace.measures.statistics import holm


def vendi_correlations(scores: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation of each Vendi score with accuracy over the baseline and the levels of diversity.

    Columns: model, task, metric (vendi_pixels or vendi_embeddings), n, rho, p, p_holm (over the table).
    """
    own = scores[scores["category"].isin([BASELINE, "div"])]
    rows = []
    for (model, task), group in own.groupby(["model", "task"], sort=False):
        wide = group.pivot(index=["category", "level"], columns="metric", values="value")
        if "accuracy_percent" not in wide:
            continue
        for metric in ("vendi_pixels", "vendi_embeddings"):
            test = stats.spearmanr(wide[metric], wide["accuracy_percent"])
            rows.append((model, task, metric, len(wide), test.statistic, test.pvalue))
    table = pd.DataFrame(rows, columns=["model", "task", "metric", "n", "rho", "p"])
    return table.assign(p_holm=holm(table["p"]))


def text_accuracies() -> pd.DataFrame:
    """The accuracies of BERT, one run and 345 test texts per training set, against that of the baseline.

    Columns: category, level, share (right answers), low, high (Wilson's 95 % interval), p (Fisher's exact test against
    the baseline, two-sided), p_holm (over the training sets). The test treats the two sets of answers as independent;
    which answers were right was not released, so that no paired test is possible.
    """
    table = reported().query("statistic == 'accuracy'").rename(columns={"a": "category", "b": "level"})
    right = (table["value"].astype(float) * TEST_TEXTS).round().astype(int)
    low, high = proportion_confint(right.to_numpy(), TEST_TEXTS, method="wilson")
    own = table["category"] == BASELINE
    base = int(right[own].iloc[0])
    p = [stats.fisher_exact([[one, TEST_TEXTS - one], [base, TEST_TEXTS - base]]).pvalue for one in right]
    table = table.assign(share=right / TEST_TEXTS, low=low, high=high, p=p, p_holm=holm(np.where(own, np.nan, p)))
    columns = ["category", "level", "share", "low", "high", "p", "p_holm"]
    return table[columns].reset_index(drop=True)
