"""The papers' claims, the rule by which each is judged, and the verdict that the records give.

The rules were written before the campaigns were run. A comparison is one configuration, one method, one baseline,
paired by seed on the logarithm of the error; p values are corrected by Holm's method over all comparisons of a claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import gmean

from weightspace import (
    analysis,
    diversity_outcomes,
    experiments,
    fair_tests,
    inference_cost,
    released_measurements,
    released_scores,
    shift_checks,
    spectral_shifts,
)
from weightspace.stats import compare_paired, holm

MARGIN = 0.95
"""An error ratio has to lie beyond this factor to count: differences below 5 % are ties even if significant."""
ALPHA = 0.05
SUPPORT = 0.80
"""Share of comparisons that a claim must win to be supported."""
REJECT = 0.50
"""Share of wins below which it is not supported."""
MAX_LOSSES = 0.05
"""Share of comparisons that a supported claim may lose."""

DUAL = ("dual", "dual_stabilized")
BASELINES = ("gradient_descent", "l2_0.01", "l2_0.1")
TUNED_BASELINES = ("tuned_lr", "tuned_l2", "tuned_l2_squared", "tuned_early_stopping", "tuned_dropout")
TUNED_CLASSIFIERS = (
    "tuned_lr",
    "tuned_l2_squared",
    "tuned_early_stopping",
    "tuned_dropout",
    "tuned_minibatch",
    "tuned_adam",
    "tuned_sam",
)
REMEDIES = ("gradient_descent_weighted", "gradient_descent_adjusted")
LABEL_NOISE_JUDGED = (0.2, 0.4, 0.6)
IMBALANCE_JUDGED = (10, 50, 100)


@dataclass(frozen=True)
class Finding:
    """What the records say of a claim for one method. mean with low and high: a ratio with its interval, or a share."""

    method: str
    low: float
    mean: float
    high: float
    wins: int
    ties: int
    losses: int
    n_seeds: int
    verdict: str


@dataclass(frozen=True)
class Claim:
    """One claim: who makes it, how we measure it, the rule, and the function that applies the rule to the records.

    besides: experiments that the rule needs in addition; ``assess`` gets a frame of each, that of ``experiment`` first.
    """

    id: str
    source: str
    statement: str
    measure: str
    experiment: str | None = None
    assess: Callable[..., list[Finding]] | None = None
    besides: tuple[str, ...] = ()

    def scales(self) -> dict[str, str]:
        """The scale of the records that the verdict rests on, per experiment: that of the paper where it has one."""
        named = () if self.experiment is None else (self.experiment, *self.besides)
        return {name: experiments.committed_scale(name) for name in named}

    def findings(self) -> list[Finding]:
        """The verdicts at the committed scale; empty until every run of all its experiments is on record."""
        scales = self.scales()
        if self.assess is None or not scales or any(experiments.missing_runs(*item) for item in scales.items()):
            return []
        return self.assess(*(experiments.load(*item) for item in scales.items()))


def outcome(ratio: float, p_corrected: float) -> str:
    """win: lower by 5 % or more and significant; loss: higher by as much and significant; otherwise tie."""
    if p_corrected < ALPHA and ratio <= MARGIN:
        return "win"
    if p_corrected < ALPHA and ratio >= 1 / MARGIN:
        return "loss"
    return "tie"


def outcomes(tests: pd.DataFrame) -> list[str]:
    """The outcome of every row of a table with the columns ratio and p_holm."""
    return [outcome(ratio, p) for ratio, p in zip(tests["ratio"], tests["p_holm"])]


def _counts(tests: pd.DataFrame) -> tuple[int, int, int]:
    found = outcomes(tests)
    return found.count("win"), found.count("tie"), found.count("loss")


def verdict(wins: int, ties: int, losses: int) -> str:
    """supported: at least 80 % wins and at most 5 % losses; not supported: fewer than 50 % wins; else mixed."""
    total = wins + ties + losses
    if total == 0:
        return "open"
    if wins >= SUPPORT * total and losses <= MAX_LOSSES * total:
        return "supported"
    return "not supported" if wins < REJECT * total else "mixed"


def _finding(
    method: object,
    comparisons: pd.DataFrame,
    low: float,
    mean: float,
    high: float,
    counts: tuple[int, int, int],
    judged: str | None = None,
) -> Finding:
    """judged: the verdict where a claim has a rule of its own."""
    wins, ties, losses = map(int, counts)
    n_seeds = int(comparisons["n"].min())
    judged = judged or verdict(wins, ties, losses)
    return Finding(str(method), float(low), float(mean), float(high), wins, ties, losses, n_seeds, judged)


def _judge(
    frame: pd.DataFrame,
    methods: Sequence[str],
    baselines: Sequence[str],
    value: str = "error",
    by: Sequence[str] = analysis.CONFIGURATION,
) -> list[Finding]:
    """Each method against all baselines in every configuration ``by``, Holm's correction over all comparisons."""
    tests = analysis.paired_tests(frame, methods, baselines, value, by)
    findings = []
    for method in methods:
        own = analysis.select(tests, method=method)
        mean, low, high = analysis.overall_ratio(frame, method, baselines, value, by)
        findings.append(_finding(method, own, low, mean, high, _counts(own)))
    return findings


def _against(methods: tuple[str, ...], baselines: tuple[str, ...], test_inputs: str = "clean"):
    def assess(frame: pd.DataFrame) -> list[Finding]:
        return _judge(analysis.with_error(analysis.last_turn(frame, test_inputs)), methods, baselines)

    return assess


def _overfitting(frame: pd.DataFrame) -> list[Finding]:
    # l2_0.1 is left out: it falls back to predicting the mean, so there is no fit that could be too close.
    frame = analysis.last_turn(frame)
    return _judge(frame.assign(gap=frame["value"] / frame["train_value"]), DUAL, ("gradient_descent", "l2_0.01"), "gap")


def _accuracy_gap(frame: pd.DataFrame) -> list[Finding]:
    frame = analysis.last_turn(frame)
    return _judge(frame.assign(gap=frame["train_value"] - frame["value"]), DUAL, BASELINES, "gap")


def _label_noise(frame: pd.DataFrame) -> list[Finding]:
    frame = frame[frame["label_noise"].isin(LABEL_NOISE_JUDGED) & (frame["input_noise"] == 0)]
    return _judge(analysis.with_error(frame), DUAL, ("gradient_descent", "l2_0.1"), by=("dataset", "label_noise"))


def _imbalance(baselines: tuple[str, ...]):
    def assess(frame: pd.DataFrame) -> list[Finding]:
        frame = analysis.select(frame, metric="balanced_accuracy_percent")
        frame = frame[frame["imbalance_ratio"].isin(IMBALANCE_JUDGED)]
        return _judge(analysis.with_error(frame), DUAL, baselines, by=("dataset", "imbalance_ratio"))

    return assess


def gain_contrasts(
    frame: pd.DataFrame, varied: str, first: object, second: object, by: Sequence[str], baseline: str
) -> pd.DataFrame:
    """Gain of the dual methods over a baseline where the column ``varied`` is ``first`` against that at ``second``.

    frame: one row per run with its ``error``. A row of the table for each dual method and cell of the columns ``by``;
    ratio: (error ratio at ``first``) / (error ratio at ``second``), below 1 if the gain is larger at ``first``.
    """
    rows = []
    for method in DUAL:
        pairs = analysis.paired(frame, method, baseline, "error", (*by, varied))
        pairs = pairs.assign(ratio=pairs["ours"] / pairs["baseline"])
        for cell, group in pairs.groupby(list(by), sort=False):
            by_seed = group.pivot(index="seed", columns=varied, values="ratio")
            rows.append((method, *cell, *vars(compare_paired(by_seed[first], by_seed[second])).values()))
    table = pd.DataFrame(rows, columns=["method", *by, "n", "ratio", "low", "high", "p", "effect_size"])
    return table.assign(baseline=baseline, p_holm=holm(table["p"]))


def sparsity_contrasts(
    frame: pd.DataFrame, baseline: str = "gradient_descent", small: int = 100, large: int = 1000
) -> pd.DataFrame:
    """The gain at few samples against that at many, clean inputs, per dual method, data set and depth."""
    final = analysis.with_error(analysis.last_turn(frame))
    return gain_contrasts(final, "train_size", small, large, ("dataset", "layers"), baseline)


def _sparsity(frame: pd.DataFrame) -> list[Finding]:
    return [
        # The range is over data sets and depths.
        _finding(method, own, own["ratio"].min(), gmean(own["ratio"]), own["ratio"].max(), _counts(own))
        for method, own in sparsity_contrasts(frame).groupby("method", sort=False)
    ]


def _reproduction(frame: pd.DataFrame) -> list[Finding]:
    findings = []
    for method, own in analysis.against_reported(frame).groupby("method", sort=False):
        share, inside = own["inside"].mean(), own["inside"].sum()
        judged = "supported" if share >= 0.9 else "mixed" if share >= 0.75 else "not supported"
        findings.append(_finding(method, own, share, share, share, (inside, 0, len(own) - inside), judged))
    return findings


def _inference(frame: pd.DataFrame) -> list[Finding]:
    ratios = analysis.select(inference_cost.ratios(frame), form="folded")
    equal = ((ratios["low"] > MARGIN) & (ratios["high"] < 1 / MARGIN)).sum()
    slower = (ratios["low"] > 1 / MARGIN).sum()
    counts = (equal, len(ratios) - equal - slower, slower)
    low, mean, high = ratios["low"].min(), gmean(ratios["ratio"]), ratios["high"].max()
    return [_finding("folded", ratios, low, mean, high, counts)]


# --- paper A, released measurements: a finding per model, effects with their range over metrics


def _findings_of_shifts(table: pd.DataFrame, label: Callable[[str], str]) -> list[Finding]:
    """From rows with unit (a model or a score), effect, n, win, loss: one finding per unit."""
    findings = []
    for unit, own in table.groupby("unit", sort=False):
        wins, losses = own["win"].sum(), own["loss"].sum()
        counts = (wins, len(own) - wins - losses, losses)
        effect = own["effect"]
        findings.append(_finding(label(str(unit)), own, effect.min(), effect.mean(), effect.max(), counts))
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
        "B1a",
        "paper B, abstract",
        "Dual weights generalise better (regression, the released protocol).",
        "Clean test error after the last turn against gradient descent and both L2 strengths: 12 configurations x 3 "
        "baselines per method.",
        "dual_regression",
        _against(DUAL, BASELINES),
    ),
    Claim(
        "B1b",
        "paper B, abstract",
        "Dual weights overfit less (regression, the released protocol).",
        "Test error divided by training error after the last turn, against gradient descent and L2 0.01: 12 "
        "configurations x 2 baselines per method.",
        "dual_regression",
        _overfitting,
    ),
    Claim(
        "B1c",
        "our question",
        "The gain of the method as published survives baselines that are tuned (regression).",
        "Clean test error on fresh training subsets, the method at the paper's settings against gradient descent with "
        "a tuned learning rate, tuned L2, tuned squared L2, early stopping and dropout: 12 configurations x 5 "
        "baselines per method.",
        "dual_regression_tuned",
        _against(DUAL, TUNED_BASELINES),
    ),
    Claim(
        "B1d",
        "our question",
        "The gain survives if the method is tuned as well (regression).",
        "As B1c, with the learning rate of the dual methods tuned under the same budget.",
        "dual_regression_tuned",
        _against(("tuned_dual", "tuned_dual_stabilized"), TUNED_BASELINES),
    ),
    Claim(
        "B1e",
        "paper B, abstract",
        "Dual weights generalise better (classification, the released protocol).",
        "Clean test error (100 - accuracy) after the last turn against gradient descent and both L2 strengths: 18 "
        "configurations x 3 baselines per method.",
        "dual_classification",
        _against(DUAL, BASELINES),
    ),
    Claim(
        "B1f",
        "paper B, abstract",
        "Dual weights overfit less (classification, the released protocol).",
        "Training accuracy minus test accuracy after the last turn, as a ratio to that of gradient descent and both L2 "
        "strengths: 18 configurations x 3 baselines per method.",
        "dual_classification",
        _accuracy_gap,
    ),
    Claim(
        "B1g",
        "our question",
        "The gain of the method as published survives baselines that are tuned (classification).",
        "Error on the official test split, fresh training subsets, the method at the paper's settings against gradient "
        "descent with a tuned learning rate, tuned squared L2, early stopping, dropout, mini-batches, Adam and SAM: 6 "
        "configurations x 7 baselines per method.",
        "dual_classification_tuned",
        _against(DUAL, TUNED_CLASSIFIERS),
    ),
    Claim(
        "B1h",
        "our question",
        "The gain survives if the method is tuned as well (classification).",
        "As B1g, with the learning rate of the dual methods tuned under the same budget.",
        "dual_classification_tuned",
        _against(("tuned_dual", "tuned_dual_stabilized"), TUNED_CLASSIFIERS),
    ),
    Claim(
        "B2a",
        "paper B, abstract",
        "The gain is largest where training data are sparse (regression).",
        "Gain over gradient descent at n = 100 divided by the gain at n = 1000: 2 data sets x 2 depths per method.",
        "dual_regression",
        _sparsity,
    ),
    Claim(
        "B2b",
        "paper B, abstract",
        "The gain is largest where training data are sparse (classification).",
        "Gain over gradient descent at n = 100 divided by the gain at n = 1000: 3 data sets x 2 depths per method.",
        "dual_classification",
        _sparsity,
    ),
    Claim(
        "B3a",
        "paper B, abstract",
        "Dual weights are more robust to noise (regression).",
        "Test error with noisy inputs (standard deviation 0.3) after the last turn, against gradient descent and both "
        "L2 strengths: 12 configurations x 3 baselines per method.",
        "dual_regression",
        _against(DUAL, BASELINES, "noisy"),
    ),
    Claim(
        "B3b",
        "paper B, abstract",
        "Dual weights are more robust to noise on the inputs (classification).",
        "Test error with noisy inputs (standard deviation 0.3, clipped) after the last turn, against gradient descent "
        "and both L2 strengths: 18 configurations x 3 baselines per method.",
        "dual_classification",
        _against(DUAL, BASELINES, "noisy"),
    ),
    Claim(
        "B3c",
        "our question",
        "Dual weights are more robust to wrong training labels.",
        "Test error with 20, 40 and 60 % of the training labels wrong, MNIST and Fashion-MNIST, against gradient "
        "descent and L2 0.1: 6 configurations x 2 baselines per method.",
        "dual_noise",
        _label_noise,
    ),
    Claim(
        "B4a",
        "paper B, abstract",
        "Dual weights are more robust to class imbalance.",
        "Balanced test error after training on long-tailed sets of ratio 10, 50 and 100 (a design of ours) against "
        "gradient descent: 3 data sets x 3 ratios per method.",
        "dual_imbalance",
        _imbalance(("gradient_descent",)),
    ),
    Claim(
        "B4b",
        "our question",
        "Dual weights do better under imbalance than the ordinary remedies.",
        "As B4a, against gradient descent with class weights and with logit adjustment: 9 configurations x 2 baselines "
        "per method.",
        "dual_imbalance",
        _imbalance(REMEDIES),
    ),
    Claim(
        "B5a",
        "paper B, released notebooks",
        "The reported regression results can be reproduced.",
        "Share of reported values (7 per configuration and method) inside the 95 % prediction interval of one run. "
        "Rule of its own: supported from 90 %, mixed from 75 %.",
        "dual_regression",
        _reproduction,
    ),
    Claim(
        "B5b",
        "paper B, released notebooks",
        "The reported classification results can be reproduced.",
        "As B5a.",
        "dual_classification",
        _reproduction,
    ),
    Claim(
        "B6",
        "paper B, abstract",
        "Inference costs the same as W x + b.",
        "Time of a forward pass of the folded model relative to the plain one, 2 models x 2 batch sizes. Rule of its "
        "own, an equivalence: a win if the whole 95 % interval of the ratio lies within 5 % of 1, a loss if above.",
        "dual_inference_cost",
        _inference,
    ),
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
