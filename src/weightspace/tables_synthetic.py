"""The tables and the numbers in the text of the chapter on synthetic images."""

from __future__ import annotations

import pandas as pd

from weightspace import diversity_shifts, fair_tests, tables_diversity, tables_outcomes
from weightspace.analysis import select
from weightspace.diversity_outcomes import differences, setting_label
from weightspace.stats import mean_interval
from weightspace.style import interval, p_value
from weightspace.tables import plus_minus

_SETS = {"baseline": "training images", "held_out": "other test images", "random": "noise"}
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
        row = {"images": _SETS.get(str(setting), setting_label(str(setting)))}
        for (metric, of), (heading, decimals) in _MEASURED.items():
            row[heading] = plus_minus(*mean_interval(select(own, metric=metric, of=of)["value"]), decimals)
        rows.append(row)
    return pd.DataFrame(rows)


def tests(against: pd.DataFrame) -> pd.DataFrame:
    """Settings against real images, or shares against augmentations, with corrected p."""
    shown = {"what": against["name"].str.replace("_", " "), "images": against["setting"].map(setting_label)}
    if "other" in against:
        shown["against"] = against["other"].map(setting_label)
    return pd.DataFrame(
        shown
        | {
            "difference": against["difference"],
            "95 % interval": [interval(low, high) for low, high in zip(against["low"], against["high"])],
            "p (corrected)": against["p"].map(p_value),
        }
    )


def shift_tests(spectra: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``fair_tests.similarities`` and ``distances`` of synthetic images and of augmentation; match names them."""
    names = {"synthetic": "synthetic images", "augmentation": "augmented images"}
    return tables_diversity.shift_tests(
        {
            name: fair_tests.cases(diversity_shifts.with_diversity(spectra, category), fair_tests.MATCHES[:1])
            for category, name in names.items()
        }
    )


def numbers(
    outcomes: pd.DataFrame, sets: pd.DataFrame, generator: pd.DataFrame, both: pd.DataFrame
) -> dict[str, float]:
    """The numbers that the text of the chapter quotes, by name.

    Those of ``tables_outcomes.effect_numbers``; ``judge_synthetic_1`` and so on: a column of ``sets``, mean over seeds;
    parameters, train_minutes of the generator.
    """
    found = tables_outcomes.effect_numbers(outcomes, differences(outcomes))
    short = {"accuracy_percent": "judge", "copies_percent": "copies"}
    means = sets.groupby(["metric", "of", "setting"])["value"].mean()
    for (metric, of, setting), value in means.items():
        key = "_".join(filter(None, (short.get(metric, metric), of, setting))).replace(".", "")
        found[key] = float(value)
    found["parameters"] = float(select(generator, metric="parameters")["value"].mean())
    found["train_minutes"] = float(select(generator, metric="train_seconds")["value"].mean() / 60)
    return found | {"sets_compared": int(both["level"].nunique())}
