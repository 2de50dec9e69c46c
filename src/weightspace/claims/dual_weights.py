"""The claims of paper B on dual weights, and how each is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import gmean

from weightspace.analysis import frames, inference_ratios
from weightspace.claims.verdicts import MARGIN, Assess, Claim, Finding, counts, finding, outcomes
from weightspace.measures.statistics import cluster_interval, compare_paired, holm, reach

DUAL = ("dual", "dual_stabilized")
TUNED_DUAL = ("tuned_dual", "tuned_dual_stabilized")
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
DEEP_BASELINES = ("tuned_lr", "tuned_l2_squared", "tuned_early_stopping", "tuned_dropout")
AGAINST_WRONG_LABELS = {
    "tuned_l2_squared": "gradient_descent",
    "tuned_early_stopping": "gradient_descent",
    "tuned_robust": "tuned_minibatch",
}
"""Baselines that should help where labels are wrong, and what each of them is without its help: positive controls."""
REMEDIES = ("gradient_descent_weighted", "gradient_descent_adjusted")
LABEL_NOISE_JUDGED = (0.2, 0.4, 0.6)
IMBALANCE_JUDGED = (10, 50, 100)
BY_NOISE, BY_RATIO = ("dataset", "label_noise"), ("dataset", "imbalance_ratio")


def _judge(
    frame: pd.DataFrame,
    methods: Sequence[str],
    baselines: Sequence[str],
    value: str = "error",
    by: Sequence[str] = frames.CONFIGURATION,
) -> list[Finding]:
    """Each method against all baselines in every configuration ``by``, Holm's correction over all comparisons."""
    tests = frames.paired_tests(frame, methods, baselines, value, by)
    findings = []
    for method in methods:
        own = frames.select(tests, method=method)
        mean, low, high = frames.overall_ratio(frame, method, baselines, value, by)
        findings.append(finding(method, own, low, mean, high, counts(own)))
    return findings


def _on_errors(
    methods: Sequence[str],
    baselines: Sequence[str],
    rows: Callable[..., pd.DataFrame],
    by: Sequence[str] = frames.CONFIGURATION,
) -> Assess:
    """``_judge`` on the errors of those ``rows`` of the records that count."""
    return lambda *records: _judge(frames.with_error(rows(*records)), methods, baselines, by=by)


def _against(methods: tuple[str, ...], baselines: tuple[str, ...], test_inputs: str = "clean") -> Assess:
    return _on_errors(methods, baselines, lambda frame: frames.last_turn(frame, test_inputs))


def _overfitting(frame: pd.DataFrame) -> list[Finding]:
    # l2_0.1 is left out: it falls back to predicting the mean, so there is no fit that could be too close.
    frame = frames.last_turn(frame)
    return _judge(frame.assign(gap=frame["value"] / frame["train_value"]), DUAL, ("gradient_descent", "l2_0.01"), "gap")


def _accuracy_gap(frame: pd.DataFrame) -> list[Finding]:
    frame = frames.last_turn(frame)
    return _judge(frame.assign(gap=frame["train_value"] - frame["value"]), DUAL, BASELINES, "gap")


def _wrong_labels_alone(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["label_noise"].isin(LABEL_NOISE_JUDGED) & (frame["input_noise"] == 0)]


def _imbalanced(*records: pd.DataFrame) -> pd.DataFrame:
    own = frames.select(pd.concat(records), metric="balanced_accuracy_percent")
    return own[own["imbalance_ratio"].isin(IMBALANCE_JUDGED)]


def _imbalance(*baselines: str) -> Assess:
    return _on_errors(DUAL, baselines, _imbalanced, BY_RATIO)


def _balanced(baseline: str) -> Assess:
    return _on_errors(("dual_weighted",), (baseline,), _imbalanced, BY_RATIO)


def _deep(methods: tuple[str, ...]) -> Assess:
    return _on_errors(methods, DEEP_BASELINES, lambda frame: frames.last_turn(frames.select(frame, label_noise=0.0)))


def wrong_labels(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """(errors with wrong labels, those baselines of ``AGAINST_WRONG_LABELS`` that win somewhere by the rule)."""
    frame = frames.with_error(frames.last_turn(frame[frame["label_noise"] > 0]))
    controls = pd.concat(
        frames.paired_tests(frame, [name], [plain], "error", BY_NOISE) for name, plain in AGAINST_WRONG_LABELS.items()
    )
    controls = controls.assign(p_holm=holm(controls["p"]))
    helpful = controls["method"][[outcome == "win" for outcome in outcomes(controls)]]
    return frame, [name for name in AGAINST_WRONG_LABELS if name in set(helpful)]


def _tuned_label_noise(frame: pd.DataFrame) -> list[Finding]:
    frame, baselines = wrong_labels(frame)
    return _judge(frame, (*DUAL, *TUNED_DUAL), baselines, by=BY_NOISE) if baselines else []


TODAY = ("network", "optimizer", "train_size", "label_noise")
"""What a cell of the experiment on networks of today is."""
REGULARIZERS = ("weight_decay", "dropout", "augmentation")


def chosen_today(frame: pd.DataFrame) -> pd.DataFrame:
    """The test errors of every method at its strength of the smallest mean validation error over seeds.

    Equal errors: the smaller mean validation loss. A row per cell (``TODAY``), method and seed, with the column error.
    """
    keys = [*TODAY, "method", "strength"]
    wrong = frame.assign(value=frame["value"].where(frame["metric"] == "loss", -frame["value"]))
    held_out = frames.select(wrong, inputs="validation").pivot_table(index=keys, columns="metric", values="value")
    best = held_out.sort_values(["accuracy_percent", "loss"]).reset_index().drop_duplicates([*TODAY, "method"])
    test = frames.select(frame, inputs="test", metric="accuracy_percent")
    return frames.with_error(test.merge(best[keys]))


def judged_today(frame: pd.DataFrame) -> pd.DataFrame:
    """Of ``chosen_today``, the cells in which a tuned regularizer wins against the baseline by the rule of claims.

    The positive control: elsewhere there is nothing that a regularizer is known to mend. Holm's correction is over the
    regularizers of a cell.
    """
    chosen = chosen_today(frame)
    kept = [
        cell
        for _, cell in chosen.groupby(list(TODAY), sort=False)
        if "win" in outcomes(frames.paired_tests(cell, REGULARIZERS, ["baseline"], "error", TODAY))
    ]
    return pd.concat(kept) if kept else chosen.iloc[:0]


def _today(*baselines: str) -> Assess:
    def assess(frame: pd.DataFrame) -> list[Finding]:
        judged = judged_today(frame)
        return _judge(judged, DUAL, baselines, by=TODAY) if len(judged) else []

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
        pairs = frames.paired(frame, method, baseline, "error", (*by, varied))
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
    final = frames.with_error(frames.last_turn(frame))
    return gain_contrasts(final, "train_size", small, large, ("dataset", "layers"), baseline)


def _sparsity(frame: pd.DataFrame) -> list[Finding]:
    table = sparsity_contrasts(frame)
    intervals = zip(np.log(table["low"]), np.log(table["high"]), table["n"] - 1)
    table = table.assign(detectable=np.exp([-reach(*each) for each in intervals]))
    return [
        # The range is over data sets and depths.
        finding(method, own, own["ratio"].min(), gmean(own["ratio"]), own["ratio"].max(), counts(own))
        for method, own in table.groupby("method", sort=False)
    ]


def _reproduction(frame: pd.DataFrame) -> list[Finding]:
    findings = []
    for method, own in frames.against_reported(frame).groupby("method", sort=False):
        fraction, inside = own["inside"].mean(), own["inside"].sum()
        # The values of one reported run rise and fall together: runs are drawn, not values.
        low, high = cluster_interval(own["inside"], own.groupby([*frames.CONFIGURATION, "run"]).ngroup())
        judged = "supported" if fraction >= 0.9 else "mixed" if fraction >= 0.75 else "not supported"
        findings.append(finding(method, own, low, fraction, high, (inside, 0, len(own) - inside), judged))
    return findings


def _inference(frame: pd.DataFrame) -> list[Finding]:
    ratios = frames.select(inference_ratios.ratios(frame), form="folded")
    equal = ((ratios["low"] > MARGIN) & (ratios["high"] < 1 / MARGIN)).sum()
    slower = (ratios["low"] > 1 / MARGIN).sum()
    number = (equal, len(ratios) - equal - slower, slower)
    low, mean, high = ratios["low"].min(), gmean(ratios["ratio"]), ratios["high"].max()
    return [finding("folded", ratios, low, mean, high, number)]


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
        _against(TUNED_DUAL, TUNED_BASELINES),
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
        _against(TUNED_DUAL, TUNED_CLASSIFIERS),
    ),
    Claim(
        "B1i",
        "our question",
        "The gain of the method as published survives baselines that are tuned (classification, 3 layers).",
        "As B1g with the 3-layer network, against gradient descent with a tuned learning rate, tuned squared L2, early "
        "stopping and dropout: 6 configurations x 4 baselines per method.",
        "dual_classification_deep",
        _deep(DUAL),
    ),
    Claim(
        "B1j",
        "our question",
        "The gain survives if the method is tuned as well (classification, 3 layers).",
        "As B1i, with the learning rate of the dual methods tuned under the same budget.",
        "dual_classification_deep",
        _deep(TUNED_DUAL),
    ),
    Claim(
        "B2a",
        "paper B, abstract",
        "The gain is largest where training data are sparse (regression).",
        "Gain over gradient descent at n = 100 divided by the gain at n = 1000: 2 data sets x 2 depths per method. "
        "This is a gain over gradient descent only: in the sparsest corner, the 3-layer network on 100 wines, a tuned "
        "squared L2 has the lower error (chapter on regression).",
        "dual_regression",
        _sparsity,
        spread="range",
    ),
    Claim(
        "B2b",
        "paper B, abstract",
        "The gain is largest where training data are sparse (classification).",
        "Gain over gradient descent at n = 100 divided by the gain at n = 1000: 3 data sets x 2 depths per method.",
        "dual_classification",
        _sparsity,
        spread="range",
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
        _on_errors(DUAL, ("gradient_descent", "l2_0.1"), _wrong_labels_alone, BY_NOISE),
    ),
    Claim(
        "B3d",
        "our question",
        "Dual weights are more robust to wrong training labels than baselines that are tuned on such labels.",
        "Test error of the 3-layer network with 20 and 40 % of the training labels wrong, MNIST and Fashion-MNIST, n = "
        "500, against tuned squared L2, early stopping and a robust loss: 4 configurations x 3 baselines per method. A "
        "baseline that nowhere wins against its own plain form is left out: it would not show robustness.",
        "dual_classification_deep",
        _tuned_label_noise,
    ),
    Claim(
        "B4a",
        "paper B, abstract",
        "Dual weights are more robust to class imbalance.",
        "Balanced test error after training on long-tailed sets of ratio 10, 50 and 100 (a design of ours) against "
        "gradient descent: 3 data sets x 3 ratios per method.",
        "dual_imbalance",
        _imbalance("gradient_descent"),
    ),
    Claim(
        "B4b",
        "our question",
        "Dual weights do better under imbalance than the ordinary remedies.",
        "As B4a, against gradient descent with class weights and with logit adjustment: 9 configurations x 2 baselines "
        "per method.",
        "dual_imbalance",
        _imbalance(*REMEDIES),
    ),
    Claim(
        "B4c",
        "our question",
        "Dual updates whose rates are scaled by class frequency mend what imbalance costs dual weights.",
        "As B4a, dual weights with class weights on r1 and r2 against the same without: 9 configurations.",
        "dual_imbalance_balanced",
        _balanced("dual"),
        besides=("dual_imbalance",),
    ),
    Claim(
        "B4d",
        "our question",
        "Class-balanced dual updates do better under imbalance than gradient descent with the same class weights.",
        "As B4c, against gradient descent with class weights: 9 configurations.",
        "dual_imbalance_balanced",
        _balanced("gradient_descent_weighted"),
        besides=("dual_imbalance",),
    ),
    Claim(
        "B5a",
        "paper B, released notebooks",
        "The reported regression results can be reproduced.",
        "Fraction of reported values (7 per configuration and method) inside the 95 % prediction interval of one run, "
        "with a 95 % interval over the reported runs. Rule of its own: supported from 90 %, mixed from 75 %.",
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
        spread="range",
    ),
    Claim(
        "C2",
        "our question",
        "Dual weights improve networks of today over the same networks without a regularizer.",
        "Test error of ResNet-18, a vision transformer and MiniLM on few samples, with SGD with momentum, Adam and "
        "AdamW, right and wrong labels: both dual methods against plain networks, each with a tuned learning rate, in "
        "every cell in which a regularizer helps.",
        "dual_today",
        _today("baseline"),
    ),
    Claim(
        "C3",
        "our question",
        "In networks of today dual weights do better than tuned weight decay, dropout and augmentation.",
        "As C2, against the three regularizers, each tuned under the same budget.",
        "dual_today",
        _today(*REGULARIZERS),
    ),
)
