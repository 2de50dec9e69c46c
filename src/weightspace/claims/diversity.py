"""The claims of paper A on data diversity, and how each is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from weightspace.analysis import (
    diversity_outcomes,
    diversity_shifts,
    fair_tests,
    frames,
    released_scores,
    shift_checks,
    spectral_shifts,
    synthetic_outcomes,
    text_outcomes,
)
from weightspace.claims.verdicts import Assess, Claim, Finding, decided, finding, verdict
from weightspace.experiments.diversity import released_measurements
from weightspace.measures.statistics import ALPHA, rank_reach, reach
from weightspace.names import dataset_label, score_label

# --- released measurements: a finding per model, effects with their range over metrics


DESCRIBED = "described"
"""In the place of a verdict where layers of single runs are all there is: they are no replicates."""


def _findings_of_shifts(table: pd.DataFrame, label: Callable[[str], str], judged: str | None = None) -> list[Finding]:
    """From rows with unit (a model or a score), effect, n, win, loss: one finding per unit.

    A comparison that is neither won nor lost is undecided, as in book/rules. judged: as in ``finding``.
    """
    findings = []
    for unit, own in table.groupby("unit", sort=False):
        wins, losses = own["win"].sum(), own["loss"].sum()
        counts = (wins, len(own) - wins - losses, losses)
        effect = own["effect"]
        findings.append(
            finding(
                label(str(unit)),
                own,
                effect.min(),
                effect.mean(),
                effect.max(),
                counts,
                judged or _refuted_or_undecided(*counts),
            )
        )
    return findings


def _refuted_or_undecided(wins: int, ties: int, losses: int) -> str:
    """The verdict of ``verdicts.verdict``, but undecided in the place of not supported where too little was decided.

    Here a tie is no finding of equality but the absence of one.
    """
    found = verdict(wins, ties, losses)
    return decided(wins, losses, ties) if found == "not supported" else found


def _released_profiles(changes: pd.DataFrame) -> pd.DataFrame:
    profile = spectral_shifts.profiles(spectral_shifts.shifts(changes))
    return profile[~spectral_shifts.last_layer(profile)]


def _judged_by_sign(table: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Correlations rho with p_holm: a win if positive and significant, a loss if negative and significant."""
    rho, significant = table["rho"], table["p_holm"] < ALPHA
    return table.assign(unit=table[unit], effect=rho, win=significant & (rho > 0), loss=significant & (rho < 0))


def _with_rank_reach(table: pd.DataFrame) -> pd.DataFrame:
    """Correlations over n training sets, with the smallest one that would have been found."""
    return table.assign(detectable=[rank_reach(n) for n in table["n"]])


def _like_regularizers(frame: pd.DataFrame) -> list[Finding]:
    contrasts = shift_checks.dose_contrasts(frames.select(frame, quantity="change"))
    contrasts = contrasts[~spectral_shifts.last_layer(contrasts)]
    table = shift_checks.rank_correlations(contrasts)
    return _findings_of_shifts(_judged_by_sign(table, "model"), released_measurements.MODELS.__getitem__, DESCRIBED)


def _nearer(against: str) -> Assess:
    def assess(frame: pd.DataFrame) -> list[Finding]:
        changes = frames.select(frame, quantity="change")
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
        return _findings_of_shifts(table, released_measurements.MODELS.__getitem__, DESCRIBED)

    return assess


def _vendi_and_accuracy(frame: pd.DataFrame) -> list[Finding]:
    table = _with_rank_reach(released_scores.vendi_correlations(frames.select(frame, quantity="score")))
    label = {"vendi_pixels": "of pixels", "vendi_embeddings": "of embeddings"}.__getitem__
    return _findings_of_shifts(_judged_by_sign(table, "metric"), label)


# --- our own training


@dataclass(frozen=True)
class Family:
    """Training experiments of one kind: the suffix of its claims, its name, the records of its spectra.

    diversity: the category of settings that stands for data diversity.
    """

    suffix: str
    name: str
    spectra: str
    diversity: str = "augmentation"


FAMILIES = (
    Family("", "ResNet-18 from scratch", "diversity_spectra"),
    Family("f", "EfficientNet-Lite0, fine-tuned on images", "diversity_transfer_spectra"),
    Family("w", "MiniLM, fine-tuned on texts", "diversity_text_spectra"),
    Family("s", "ResNet-18 from scratch, synthetic images", "diversity_synthetic_spectra", "synthetic"),
)


def _by_task(frame: pd.DataFrame, diversity: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The records of every data set, with how its findings are marked where there are several."""
    names = frame["dataset"].unique()
    for name in names:
        own = diversity_shifts.with_diversity(frames.select(frame, dataset=name), diversity)
        yield f", {dataset_label(name)}" if len(names) > 1 else "", own


def _regularizers_alike(diversity: str) -> Assess:
    labels = {"dp": "like dropout", "wd": "like weight decay"}

    def assess(frame: pd.DataFrame) -> list[Finding]:
        found = []
        for task, own in _by_task(frame, diversity):
            table = fair_tests.similarities(fair_tests.cases(own, ("as they are",)))
            table = table[table["a"] == "div"]
            table = table.assign(unit=table["b"].map(labels) + task, effect=table["similarity"])
            least = np.maximum([reach(*each) for each in zip(table["low"], table["high"])], fair_tests.MIN_SIMILARITY)
            table = table.assign(detectable=np.where(least <= 1, least, np.nan))
            found += _findings_of_shifts(_judged_by_outcome(table), str)
        return found

    return assess


def _closer_to_dropout(than: str, diversity: str) -> Assess:
    # Above stands the distance that should be the smaller one in A2, and the larger one in A2c.
    above, below = ("to_dp", "to_other") if than == "wd" else ("to_other", "to_dp")

    def assess(frame: pd.DataFrame) -> list[Finding]:
        found = []
        for task, own in _by_task(frame, diversity):
            table = frames.select(fair_tests.distances(fair_tests.cases(own)), against=than)
            # A squared distance below 0 is an estimate of none; there is no ratio to none.
            effect = (table[above].clip(lower=0) / table[below].where(table[below] > 0)) ** 0.5
            # How much closer dropout would have had to be, with the other distance as it was found.
            far = table["to_other"]
            near = far - [reach(*each) for each in zip(table["low"], table["high"])]
            least = (near.where(near > 0) / far) ** (0.5 if than == "wd" else -0.5)
            table = table.assign(unit=table["match"] + task, effect=effect, detectable=least)
            found += _findings_of_shifts(_judged_by_outcome(table), str)
        return found

    return assess


def _judged_by_outcome(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(win=table["outcome"] == "win", loss=table["outcome"] == "loss")


def _image_sets(runs: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    return diversity_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)


def _text_sets(runs: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    return text_outcomes.training_sets(text_outcomes.outcomes(runs), sets)


def _synthetic_sets(runs: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    return synthetic_outcomes.training_sets(diversity_outcomes.outcomes(runs), sets)


TrainingSets = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
"""(runs, scores of sets) -> one row per training set."""


def _scores_explain(training_sets: TrainingSets, outcomes: Sequence[str] = diversity_outcomes.JUDGED) -> Assess:
    def assess(runs: pd.DataFrame, sets: pd.DataFrame) -> list[Finding]:
        table = diversity_outcomes.rank_correlations(training_sets(runs, sets), outcomes=outcomes)
        label = [score_label(score, of) for score, of in zip(table["score"], table["of"])]
        return _findings_of_shifts(_judged_by_sign(_with_rank_reach(table.assign(label=label)), "label"), str)

    return assess


def _weighted_explains_more(training_sets: TrainingSets, outcomes: Sequence[str] = diversity_outcomes.JUDGED) -> Assess:
    def assess(runs: pd.DataFrame, sets: pd.DataFrame) -> list[Finding]:
        both = training_sets(runs, sets)
        comparisons = len(diversity_outcomes.weighted_against_plain(both, outcomes, draws=1))
        level = 1 - ALPHA / comparisons
        table = diversity_outcomes.weighted_against_plain(both, outcomes, level=level)
        table = table.assign(unit=table["of"], effect=table["difference"], win=table["low"] > 0, loss=table["high"] < 0)
        table["detectable"] = [reach(*each, level=level) for each in zip(table["low"], table["high"])]
        return _findings_of_shifts(table, "of {}".format)

    return assess


def _synthetic_helps(runs: pd.DataFrame, sets: pd.DataFrame) -> list[Finding]:
    found = synthetic_outcomes.benefits(diversity_outcomes.outcomes(runs), sets)
    real = found["difference"] / (found["ratio"] - 1)
    return _judged_by_difference(found.assign(detectable=1 + found["detectable"] / real), "ratio")


def _synthetic_beats_augmentation(runs: pd.DataFrame) -> list[Finding]:
    found = synthetic_outcomes.against_augmentation(diversity_outcomes.outcomes(runs))
    return _judged_by_difference(found, "difference")


def _judged_by_difference(table: pd.DataFrame, effect: str) -> list[Finding]:
    significant = table["p"] < ALPHA
    won, lost = significant & (table["difference"] > 0), significant & (table["difference"] < 0)
    return _findings_of_shifts(table.assign(effect=table[effect], win=won, loss=lost), str)


def _spectral_claims(family: Family) -> tuple[Claim, ...]:
    """A1, A2 and A2c for one family; the measures are told with the first one."""
    first, many = FAMILIES[0], ", separately for each task" if family.suffix == "w" else ""
    what = "synthetic images" if family.diversity == "synthetic" else "augmented data"
    same = f"As {{}}, with {what} as diversity{many}."
    return (
        Claim(
            f"A1{family.suffix}",
            "paper A, abstract",
            f"More diverse data change the weight spectra in the way that dropout and weight decay do ({family.name}).",
            "Similarity of the mean shifts over layers (cosine, every layer in units of the spread between baselines, "
            "products of different seeds only, last layer left out): 4 metrics for each regularizer. Rule of its own: "
            "a win if positive with corrected bootstrap p below 0.05 and at least 0.5, a loss if negative with p below "
            "0.05."
            if family is first
            else same.format("A1"),
            family.spectra,
            _regularizers_alike(family.diversity),
        ),
        Claim(
            f"A2{family.suffix}",
            "paper A, abstract",
            f"The pattern is closer to that of dropout than to that of weight decay ({family.name}).",
            "Squared distance of diversity to weight decay minus that to dropout, measured as in A1: 4 metrics, for "
            "the category means as they are and for augmentation levels against dropout and weight decay of equal "
            "training loss and of equal test accuracy. Effect: distance to dropout / distance to weight decay. Rule of "
            "its own: a win if positive with corrected bootstrap p below 0.05, a loss if negative."
            if family is first
            else same.format("A2"),
            family.spectra,
            _closer_to_dropout("wd", family.diversity),
        ),
        Claim(
            f"A2c{family.suffix}",
            "our question",
            f"Diversity is closer to dropout than to no regularizer at all ({family.name}).",
            "As A2, with the baseline in the place of weight decay. Effect: distance to the baseline / to dropout. "
            "Added when one seed had been run."
            if family is first
            else same.format("A2c"),
            family.spectra,
            _closer_to_dropout(shift_checks.ZERO, family.diversity),
        ),
    )


_CLAIMS = (
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
    *(claim for family in FAMILIES for claim in _spectral_claims(family)),
    Claim(
        "A3",
        "paper A, abstract",
        "A diversity metric explains and compares the benefit of augmented data (images).",
        "ResNet-18 from scratch on CIFAR-10. Spearman correlation of a score with accuracy on clean and on corrupted "
        "test images and with calibration (minus ECE), means over seeds, over the images as they are and ten "
        "augmentation levels, each by itself or on top of those before it: 2 designs x 3 outcomes per score. Rule of "
        "its own: a win if positive, a loss if negative, with p below 0.05, corrected over all scores.",
        "diversity_cifar10",
        _scores_explain(_image_sets),
        ("diversity_sets",),
    ),
    Claim(
        "A3w",
        "paper A, abstract",
        "A diversity metric explains and compares the benefit of augmented and synthetic data (texts).",
        "MiniLM. As A3, with test accuracy, macro F1 and calibration, over the 27 training sets of the complaints task "
        "(as they are, augmented, generated, mixed, added) and the 9 of SST-2: 2 tasks x 3 outcomes per score.",
        "diversity_text",
        _scores_explain(_text_sets, text_outcomes.JUDGED),
        ("diversity_text_sets",),
    ),
    Claim(
        "A3s",
        "paper A, abstract",
        "A diversity metric explains and compares the benefit of augmented and synthetic data (images).",
        "ResNet-18 from scratch. As A3, over real images as they are, four shares of synthetic ones and three kinds of "
        "augmentation: 3 outcomes per score.",
        "diversity_synthetic",
        _scores_explain(_synthetic_sets),
        ("diversity_synthetic_sets",),
    ),
    *(
        Claim(
            f"A3b{suffix}",
            "our question",
            f"The weighted Vendi score explains more than the plain one ({name}).",
            "As A3: the correlation of the weighted score minus that of the plain one. Rule of its own: a win if the "
            "bootstrap interval over training sets and seeds lies above 0, a loss if below, at 5 % shared by all "
            "comparisons."
            if not suffix
            else f"As A3b, with the sets and outcomes of A3{suffix}.",
            experiment,
            _weighted_explains_more(*how),
            (f"{experiment}_sets" if suffix else "diversity_sets",),
        )
        for suffix, name, experiment, how in (
            ("", "augmented images", "diversity_cifar10", (_image_sets,)),
            ("w", "texts", "diversity_text", (_text_sets, text_outcomes.JUDGED)),
            ("s", "augmented and synthetic images", "diversity_synthetic", (_synthetic_sets,)),
        )
    ),
    Claim(
        "A4",
        "paper A, first version",
        "Synthetic data can bring more diversity and better accuracy out of distribution.",
        "ResNet-18 from scratch at equal steps, four shares of synthetic images in the place of real ones against real "
        "ones alone: Vendi score of the training set, of pixels and of the features of a judge, and accuracy on "
        "corrupted test images: 4 comparisons each. Effect: ratio to real images alone. Rule of its own: a win if "
        "higher with p below 0.05 by Dunnett's test, a loss if lower.",
        "diversity_synthetic",
        _synthetic_helps,
        ("diversity_synthetic_sets",),
    ),
    Claim(
        "A4b",
        "our question",
        "Synthetic images bring more accuracy out of distribution than augmentation does.",
        "As A4, each share against each of three kinds of augmentation, accuracy on corrupted test images: 12 "
        "comparisons. Effect: difference in points. Rule of its own: a win if higher with p below 0.05 by Tukey's "
        "test, a loss if lower.",
        "diversity_synthetic",
        _synthetic_beats_augmentation,
    ),
)

# Low and high of these findings are the smallest and the largest effect among comparisons.
CLAIMS = tuple(replace(claim, spread="range") for claim in _CLAIMS)
