"""The tables and the numbers in the text of the chapter on synthetic images."""

from __future__ import annotations

import pandas as pd

from weightspace.analysis import diversity_shifts, fair_tests, synthetic_outcomes
from weightspace.analysis.frames import select
from weightspace.display.figures.synthetic import set_label
from weightspace.display.labels import setting_label
from weightspace.display.style import p_value
from weightspace.display.tables import diversity as tables_diversity
from weightspace.display.tables.columns import INTERVAL, mean_of, named, shown

_MEASURED = {
    ("accuracy_percent", ""): ("judge is right (%)", 1),
    ("frechet", "embeddings"): ("Frechet distance", 2),
    ("nearest", ""): ("nearest training image", 2),
    ("copies_percent", ""): ("copies (%)", 1),
    ("vendi", "pixels"): ("Vendi, pixels", 1),
    ("vendi", "embeddings"): ("Vendi, embeddings", 1),
    ("weighted_vendi", "pixels"): ("weighted, pixels", 1),
    ("weighted_vendi", "embeddings"): ("weighted, embeddings", 1),
}


def sets(frame: pd.DataFrame) -> pd.DataFrame:
    """What every set is like: mean ± half the 95 % interval over seeds."""
    rows = []
    for setting, own in frame.groupby("setting", sort=False):
        row = {"images": set_label(str(setting))}
        for (metric, of), (heading, decimals) in _MEASURED.items():
            row[heading] = mean_of(select(own, metric=metric, of=of)["value"], decimals)
        rows.append(row)
    return pd.DataFrame(rows)


def tests(outcomes: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Shares of synthetic images against real images alone and against augmentations, with corrected p."""
    columns = {
        "what": "unit",
        "images": named("setting", setting_label),
        "against": named("other", set_label),
        "difference": "difference",
        "95 % interval": INTERVAL,
        "p (corrected)": named("p", p_value),
    }
    found = synthetic_outcomes.benefits(outcomes, sets).assign(other="baseline")
    return shown(pd.concat([found, synthetic_outcomes.against_augmentation(outcomes)]), columns)


def shift_tests(spectra: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``fair_tests.similarities`` and ``distances`` of synthetic images and of augmentation; match names them."""
    names = {"synthetic": "synthetic images", "augmentation": "augmented images"}
    return tables_diversity.shift_tests(
        {
            name: fair_tests.cases(diversity_shifts.with_diversity(spectra, category), fair_tests.MATCHES[:1])
            for category, name in names.items()
        }
    )
