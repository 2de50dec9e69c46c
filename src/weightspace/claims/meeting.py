"""Our own claim where the two papers meet, by the rule of ``dual_spectra_tests`` (book/rules)."""

from __future__ import annotations

import pandas as pd

from weightspace.analysis import dual_spectra_tests as rule
from weightspace.analysis.frames import select
from weightspace.claims.regularizers import findings_by
from weightspace.claims.verdicts import Claim, Finding
from weightspace.experiments.dual_weights.spectra import BASELINE

_OUTCOMES = {"weight decay": "for", "undecided": "undecided", "not judged": "not judged"}
"""Answer of a place -> outcome for the claim; every other answer is against it."""


def as_weight_decay(frame: pd.DataFrame) -> list[Finding]:
    """C1 for each method and form: the answers of all places, then what the theory predicts.

    The effect is the distance to weight decay over that to dropout, in the prediction over that to the baseline.
    """
    near, _ = rule.judge(rule.whole_seeds(frame))
    ratio = near["distance_near"] / near["distance_than"].where(near["distance_than"] > 0)
    near = near.assign(ratio=ratio)
    found = select(near, near="weight_decay", than="dropout").merge(rule.answers(near))
    found = found.assign(
        outcome=found["answer"].map(_OUTCOMES).fillna("against"), judged=found["answer"] != "not judged"
    )
    predicted = select(near, match=rule.PREDICTED, near="weight_decay", than=BASELINE)
    tables = {"": found, f", {rule.PREDICTED}": predicted}
    return [
        finding
        for words, table in tables.items()
        for finding in findings_by(
            table,
            ["method", "form"],
            "ratio",
            lambda method, form, words=words: f"{method.replace('_', ' ')}, {form}{words}",
        )
    ]


CLAIMS = (
    Claim(
        "C1",
        "our question",
        "Dual weights change the spectra of the weights as weight decay does, and not as dropout does.",
        "For every layer of paper B's networks the rule of dual_spectra: in favour where dual weights are nearer to "
        "squared L2 than to dropout and than to gradient descent, at tuned strength, at equal training and at equal "
        "test loss; against where the answer is another one. Effect: distance to squared L2 over distance to dropout. "
        "The lines of the predicted strength ask whether squared L2 at a quarter of the mean |g| is nearer than "
        "gradient descent; effect: distance to squared L2 over that to gradient descent.",
        "dual_spectra",
        as_weight_decay,
        spread="range",
    ),
)
