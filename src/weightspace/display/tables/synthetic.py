"""The tables and the numbers in the text of the chapter on synthetic images."""

from __future__ import annotations

import pandas as pd

from weightspace.analysis import diversity_shifts, fair_tests, synthetic_outcomes
from weightspace.analysis.diversity_outcomes import differences, setting_label
from weightspace.analysis.frames import select
from weightspace.display.figures.synthetic import set_label
from weightspace.display.style import interval, p_value
from weightspace.display.tables import diversity as tables_diversity
from weightspace.display.tables import outcomes as tables_outcomes
from weightspace.display.tables.common import plus_minus
from weightspace.measures.statistics import mean_interval

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
            row[heading] = plus_minus(*mean_interval(select(own, metric=metric, of=of)["value"]), decimals)
        rows.append(row)
    return pd.DataFrame(rows)


def tests(outcomes: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Shares of synthetic images against real images alone and against augmentations, with corrected p."""
    name = "corruption_accuracy"
    others = synthetic_outcomes.against_augmentation(outcomes, name).assign(unit="accuracy under corruption")
    found = pd.concat([synthetic_outcomes.benefits(outcomes, sets).assign(other="baseline"), others])
    return pd.DataFrame(
        {
            "what": found["unit"],
            "images": found["setting"].map(setting_label),
            "against": found["other"].map(set_label),
            "difference": found["difference"],
            "95 % interval": [interval(low, high) for low, high in zip(found["low"], found["high"])],
            "p (corrected)": found["p"].map(p_value),
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
    outcomes: pd.DataFrame, sets: pd.DataFrame, generator: pd.DataFrame, correlations: pd.DataFrame
) -> dict[str, float]:
    """The numbers that the text of the chapter quotes, by name.

    Those of ``outcomes.effect_numbers``; ``judge_synthetic_1`` and so on: a column of ``sets``, mean over seeds;
    ``resemblance_synthetic_1``: of embeddings; ``rho_vendi_pixels_calibration``: a correlation; parameters, loss_train,
    loss_test: of the generator, at the end. ``ece_synthetic_05_less``, with ``_low`` and ``_high``: by how much lower.
    """
    found = tables_outcomes.effect_numbers(outcomes, differences(outcomes))
    for key in [name for name in found if name.startswith("ece_")]:
        found |= {
            f"{key}_less": -found[key],
            f"{key}_less_low": -found[f"high_{key}"],
            f"{key}_less_high": -found[f"low_{key}"],
        }
    short = {"accuracy_percent": "judge", "copies_percent": "copies"}
    means = sets.groupby(["metric", "of", "setting"])["value"].mean()
    for (metric, of, setting), value in means.items():
        found[tables_outcomes.number_name(short.get(metric, metric), of, setting)] = float(value)
    for setting in means.index.unique("setting"):
        weighted, plain = (means[score, "embeddings", setting] for score in ("weighted_vendi", "vendi"))
        found[tables_outcomes.number_name("resemblance", setting)] = float(weighted / plain)
    for row in correlations.itertuples():
        found[f"rho_{row.score}_{row.of}_{row.outcome}"] = float(row.rho)
    last = select(generator, metric="loss", epoch=generator["epoch"].max()).groupby("inputs")["value"].mean()
    return found | {
        "parameters": float(select(generator, metric="parameters")["value"].mean()),
        "loss_train": float(last["train_clean"]),
        "loss_test": float(last["test"]),
        "correlated": int((correlations["p_holm"] < 0.05).sum()),
        "tested": int(correlations["p"].notna().sum()),
    }


def weight_numbers(spectra: pd.DataFrame, similarities: pd.DataFrame) -> dict[str, float]:
    """``shift_synthetic_05``, ``shift_dropout`` and so on: mean shift of the log norm over layers and seeds.

    In units of what seeds change. ``similarity_synthetic_wd_log_norm``: one of ``shift_tests``, of diversity.
    """
    shifts = fair_tests.shifts_of(spectra, ("log_norm",))["log_norm"]
    names = {"dp": "dropout", "wd": "weight_decay"}
    found = {
        tables_outcomes.number_name("shift", names.get(setting.category, setting.level)): float(value)
        for setting, value in zip(shifts.settings.itertuples(), shifts.values.mean(axis=(1, 2)))
    }
    for row in select(similarities, a="div").itertuples():
        found[f"similarity_{row.match.split()[0]}_{row.b}_{row.metric}"] = float(row.similarity)
    return found
