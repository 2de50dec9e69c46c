"""The claims of paper A on data diversity, and how each is judged."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from weightspace import (
    analysis,
    diversity_outcomes,
    fair_tests,
    released_measurements,
    released_scores,
    shift_checks,
    spectral_shifts,
)
from weightspace.verdicts import ALPHA, Claim, Finding, finding

# --- paper A, released measurements: a finding per model, effects with their range over metrics


def _findings_of_shifts(table: pd.DataFrame, label: Callable[[str], str]) -> list[Finding]:
    """From rows with unit (a model or a score), effect, n, win, loss: one finding per unit."""
    findings = []
    for unit, own in table.groupby("unit", sort=False):
        wins, losses = own["win"].sum(), own["loss"].sum()
        counts = (wins, len(own) - wins - losses, losses)
        effect = own["effect"]
        findings.append(finding(label(str(unit)), own, effect.min(), effect.mean(), effect.max(), counts))
    return findings


def _released_profiles(changes: pd.DataFrame) -> pd.DataFrame:
    profile = spectral_shifts.profiles(spectral_shifts.shifts(changes))
    return profile[~spectral_shifts.last_layer(profile)]


def _judged_by_sign(table: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Correlations rho with p_holm: a win if positive and significant, a loss if negative and significant."""
    rho, significant = table["rho"], table["p_holm"] < ALPHA
    return table.assign(unit=table[unit], effect=rho, win=significant & (rho > 0), loss=significant & (rho < 0))


def _like_regularizers(frame: pd.DataFrame) -> list[Finding]:
    contrasts = shift_checks.dose_contrasts(analysis.select(frame, quantity="change"))
    contrasts = contrasts[~spectral_shifts.last_layer(contrasts)]
    table = shift_checks.rank_correlations(contrasts, [("div", "dp"), ("div", "wd")])
    return _findings_of_shifts(_judged_by_sign(table, "model"), released_measurements.MODELS.__getitem__)


def _nearer(against: str):
    def assess(frame: pd.DataFrame) -> list[Finding]:
        changes = analysis.select(frame, quantity="change")
        profile = _released_profiles(changes)
        comparisons = len(profile.index.droplevel("layer").unique())
        counts = shift_checks.level_counts(changes)
        table = shift_checks.distances(profile, counts, level=1 - ALPHA / comparisons)
        if against == "weight decay":
            effect = table["to_dp"] / table["to_wd"]
            win, loss = table["nearer_low"] > 0, table["nearer_high"] < 0
        else:
            effect = table["ratio"] / table["expected"]
            win, loss = table["ratio_high"] < table["expected"], table["ratio_low"] > table["expected"]
        table = table.assign(unit=table["model"], effect=effect, win=win, loss=loss)
        return _findings_of_shifts(table, released_measurements.MODELS.__getitem__)

    return assess


def _vendi_and_accuracy(frame: pd.DataFrame) -> list[Finding]:
    table = released_scores.vendi_correlations(analysis.select(frame, quantity="score"))
    label = {"vendi_pixels": "of pixels", "vendi_embeddings": "of embeddings"}.__getitem__
    return _findings_of_shifts(_judged_by_sign(table, "metric"), label)


# --- paper A, our own training


def _diversity_scores(runs: pd.DataFrame, sets: pd.DataFrame) -> list[Finding]:
    both = diversity_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)
    table = _judged_by_sign(diversity_outcomes.rank_correlations(both), "score")
    return _findings_of_shifts(table.assign(unit=table["score"] + "_" + table["of"]), SCORE_LABELS.__getitem__)


def _weighted_scores(runs: pd.DataFrame, sets: pd.DataFrame) -> list[Finding]:
    both = diversity_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)
    comparisons = len(diversity_outcomes.weighted_against_plain(both, draws=1))
    table = diversity_outcomes.weighted_against_plain(both, level=1 - ALPHA / comparisons)
    table = table.assign(unit=table["of"], effect=table["difference"], win=table["low"] > 0, loss=table["high"] < 0)
    return _findings_of_shifts(table, "of {}".format)


SCORE_LABELS = {
    "vendi_pixels": "Vendi, pixels",
    "weighted_vendi_pixels": "weighted Vendi, pixels",
    "vendi_embeddings": "Vendi, embeddings",
    "weighted_vendi_embeddings": "weighted Vendi, embeddings",
}


def _regularizers_alike(frame: pd.DataFrame) -> list[Finding]:
    table = fair_tests.similarities(fair_tests.cases(frame, ("as they are",)))
    table = table[table["a"] == "div"]
    won, lost = (table["outcome"] == name for name in ("win", "loss"))
    table = table.assign(unit=table["b"], effect=table["similarity"], win=won, loss=lost)
    return _findings_of_shifts(table, {"dp": "like dropout", "wd": "like weight decay"}.__getitem__)


def _closer_to_dropout(than: str) -> Callable[[pd.DataFrame], list[Finding]]:
    def assess(frame: pd.DataFrame) -> list[Finding]:
        table = analysis.select(fair_tests.distances(fair_tests.cases(frame)), against=than)
        won, lost = (table["outcome"] == name for name in ("win", "loss"))
        # A squared distance below 0 is an estimate of none. The smaller one stands above.
        above, below = ("to_dp", "to_other") if than == "wd" else ("to_other", "to_dp")
        effect = (table[above].clip(lower=0) / table[below].clip(lower=0)) ** 0.5
        return _findings_of_shifts(table.assign(unit=table["match"], effect=effect, win=won, loss=lost), str)

    return assess


CLAIMS = (
    Claim(
        "A1a",
        "paper A, abstract",
        "More diverse data change the weight spectra in the way that dropout and weight decay do (released "
        "measurements).",
        "One run per setting. Mean change at the stronger half of the levels of a category minus that at the weaker "
        "half, so that two categories share no run; classifier left out. Spearman correlation over layers of "
        "diversity with dropout and with weight decay: 4 metrics x 2 per model. Rule of its own: a win if positive, "
        "a loss if negative, with corrected p below 0.05.",
        "released_measurements",
        _like_regularizers,
    ),
    Claim(
        "A2a",
        "paper A, abstract",
        "The pattern is closer to that of dropout than to that of weight decay (released measurements).",
        "Mean absolute difference over layers between the shift of diversity and that of dropout (d) and of weight "
        "decay (w), classifier left out: 4 metrics per model, effect d / w. Rule of its own: a win if the bootstrap "
        "interval of w - d over layers lies above 0, a loss if below, at 5 % shared by all comparisons.",
        "released_measurements",
        _nearer("weight decay"),
    ),
    Claim(
        "A2b",
        "our question",
        "Diversity is closer to dropout than the noise of one shared baseline makes it (released measurements).",
        "As A2a, with d over the distance of diversity to no shift, divided by the value of that ratio where no "
        "setting has any effect, sqrt((1/n_div + 1/n_dp) / (1 + 1/n_div)). Rule of its own: a win if the interval lies "
        "below 1, a loss if above.",
        "released_measurements",
        _nearer("noise"),
    ),
    Claim(
        "A3a",
        "paper A, abstract",
        "A diversity metric explains the benefit of augmented data (released measurements, unweighted scores).",
        "Spearman correlation of the Vendi score with test accuracy over the baseline and ten augmentation sets, CLIP "
        "RN50 on three tasks. Rule of its own: a win if positive, a loss if negative, with corrected p below 0.05. "
        "The weighted score that the paper proposes was not released for images.",
        "released_measurements",
        _vendi_and_accuracy,
    ),
    Claim(
        "A1",
        "paper A, abstract",
        "More diverse data change the weight spectra in the way that dropout and weight decay do (ResNet-18 from "
        "scratch).",
        "Similarity of the mean shifts over layers (cosine, every layer in units of the spread between baselines, "
        "products of different seeds only, last layer left out): 4 metrics for each regularizer. Rule of its own: a "
        "win if positive with corrected bootstrap p below 0.05 and at least 0.5, a loss if negative with p below 0.05.",
        "diversity_spectra",
        _regularizers_alike,
    ),
    Claim(
        "A2",
        "paper A, abstract",
        "The pattern is closer to that of dropout than to that of weight decay (ResNet-18 from scratch).",
        "Squared distance of diversity to weight decay minus that to dropout, measured as in A1: 4 metrics, for the "
        "category means as they are and for augmentation levels against dropout and weight decay of equal training "
        "loss and of equal test accuracy. Effect: distance to dropout / distance to weight decay. Rule of its own: a "
        "win if positive with corrected bootstrap p below 0.05, a loss if negative.",
        "diversity_spectra",
        _closer_to_dropout("wd"),
    ),
    Claim(
        "A2c",
        "our question",
        "Diversity is closer to dropout than to no regularizer at all (ResNet-18 from scratch).",
        "As A2, with the baseline in the place of weight decay. Effect: distance to the baseline / to dropout. Added "
        "when one seed had been run.",
        "diversity_spectra",
        _closer_to_dropout(fair_tests.ZERO),
    ),
    Claim(
        "A3",
        "paper A, abstract",
        "A diversity metric explains and compares the benefit of augmented and synthetic data.",
        "ResNet-18 on CIFAR-10, augmented data only. Spearman correlation of a score with accuracy on clean and on "
        "corrupted test images and with calibration (minus ECE), means over seeds, over the images as they are and ten "
        "augmentation levels, each by itself or on top of those before it: 2 designs x 3 outcomes per score. Rule of "
        "its own: a win if positive, a loss if negative, with p below 0.05, corrected over all scores.",
        "diversity_cifar10",
        _diversity_scores,
        ("diversity_sets",),
    ),
    Claim(
        "A3b",
        "our question",
        "The weighted Vendi score explains more than the plain one.",
        "As A3: the correlation of the weighted score minus that of the plain one. Rule of its own: a win if the "
        "bootstrap interval over training sets and seeds lies above 0, a loss if below, at 5 % shared by all "
        "comparisons.",
        "diversity_cifar10",
        _weighted_scores,
        ("diversity_sets",),
    ),
    Claim(
        "A4",
        "paper A, first version",
        "Synthetic data can bring more diversity and better accuracy out of distribution.",
        "Experiment not run yet.",
    ),
)
