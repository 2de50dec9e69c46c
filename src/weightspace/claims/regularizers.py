"""Paper A's claims on weight space where networks overfit, by the rules of ``regularizer_tests`` (book/rules)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd

from weightspace.analysis import regularizer_controls
from weightspace.analysis.regularizer_controls import FIRST, QUESTIONS
from weightspace.analysis.regularizer_effects import Measure, measures_of
from weightspace.analysis.regularizer_tests import MATCHES, Case, cases, closeness, controls, passed, similarities
from weightspace.claims.verdicts import Assess, Claim, Finding, decided
from weightspace.names import CONTROL_LABELS

SPECTRA = "diversity_from_scratch_spectra"
CONTROLS = "diversity_controls_spectra"
FIRST_TOGETHER = "the first three together"


def findings_by(table: pd.DataFrame, by: list[str], effect: str, label: Callable[..., str]) -> list[Finding]:
    """A finding for each group: the mean and the range of the effect over its judged comparisons, and the verdict."""
    found = []
    for key, own in table.groupby(by, sort=False):
        judged = own[own["judged"]]
        in_favour, against, undecided = ((judged["outcome"] == name).sum() for name in ("for", "against", "undecided"))
        values = judged[effect]
        found.append(
            Finding(
                label(*key),
                float(values.min()),
                float(values.mean()),
                float(values.max()),
                int(in_favour),
                int(undecided),
                int(against),
                int(own["n"].min()),
                decided(in_favour, against, undecided),
                float(judged["detectable"].median()),
            )
        )
    return found


T = TypeVar("T")


def _remembered(function: Callable[..., T]) -> Callable[..., T]:
    """The same function, which keeps what it made of the last frame: several claims ask the same of the same records.

    A frame is the last one if it is the same object, which is held; nobody changes records in place.
    """
    last: list[tuple[pd.DataFrame, tuple[Any, ...], T]] = []

    def remembered(frame: pd.DataFrame, *others: Any) -> T:
        if not last or last[0][0] is not frame or last[0][1] != others:
            last[:] = [(frame, others, function(frame, *others))]
        return last[0][2]

    return remembered


@_remembered
def _cases(frame: pd.DataFrame, matches: Sequence[str]) -> list[Case]:
    return cases(frame, matches=matches)


@_remembered
def _passed(frame: pd.DataFrame) -> set[tuple[Measure, str]]:
    return passed(controls(frame, [measure for members in measures_of(frame).values() for measure in members]))


def alike(frame: pd.DataFrame, matches: Sequence[str] = MATCHES) -> list[Finding]:
    """A1: augmentation with dropout and with weight decay, for each set of metrics."""
    table = similarities(_cases(frame, matches), _passed(frame))
    return findings_by(table, ["to", "set"], "similarity", lambda to, name: f"like {to.replace('_', ' ')}, {name}")


def closer_to_dropout(than: str | None, matches: Sequence[str] = MATCHES) -> Assess:
    """A2 and A2c: the distance to dropout over that to ``than`` (the baseline, if None), for each set of metrics."""

    def assess(frame: pd.DataFrame) -> list[Finding]:
        table = closeness(_cases(frame, matches), _passed(frame), than)
        # Where the other distance is estimated as none, there is no ratio to it.
        other = table["distance_other"].where(table["distance_other"] > 0)
        return findings_by(table.assign(ratio=table["distance_dropout"] / other), ["set"], "ratio", str)

    return assess


def postponement(controls_frame: pd.DataFrame, frame: pd.DataFrame) -> list[Finding]:
    """Whether regularizers mark the spectra because they put off interpolation: every control by itself, then both.

    Of a control only comparisons count for which the explanations predict something else. The last finding counts the
    first three controls.
    """
    table = regularizer_controls.answers(frame, controls_frame, _passed(frame))
    table = table[table["control"].map(lambda name: QUESTIONS[name].above is not None)]
    speaks = table["explanation"].map({"postponement": "for", "regularization": "against"})
    found = findings_by(
        table.assign(outcome=speaks.fillna(table["outcome"])), ["control"], "number", CONTROL_LABELS.__getitem__
    )
    verdicts = dict(zip(table["control"].unique(), (finding.verdict for finding in found), strict=True))
    n = min(finding.n_seeds for finding in found)
    first = [verdicts[name] for name in FIRST]
    counts = (first.count("supported"), sum(v in ("undecided", "mixed") for v in first), first.count("not supported"))
    nan = float("nan")
    return [*found, Finding(FIRST_TOGETHER, nan, nan, nan, *counts, n, explained(verdicts))]


def explained(verdicts: Mapping[str, str]) -> str:
    """Supported if two of the first three controls speak for postponement and none against it; not supported if two
    speak for regularization and none against that; else undecided."""
    first = [verdicts[name] for name in FIRST]
    for verdict, opposite in (("supported", "not supported"), ("not supported", "supported")):
        if first.count(verdict) >= 2 and opposite not in first:
            return verdict
    return "undecided"


def kinds(compared: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The map: the rows of ``cells`` with what augmentation is like there; both tables of ``regularizer_map.cells``.

    kind: ``like dropout``, ``like weight decay`` or ``like both``, by the rule of the verdict over the folded metrics;
    ``like neither`` if it says no to both; ``like nothing`` if no folded metric sees augmentation; else ``undecided``.
    """
    judged = compared.groupby(["train_size", "epoch", "to"])["outcome"]
    verdicts = judged.agg(
        lambda own: decided((own == "for").sum(), (own == "against").sum(), (own == "undecided").sum())
    ).unstack("to")

    def kind(row: pd.Series) -> str:
        if not row["seen"]:
            return "like nothing"
        cell = verdicts.loc[(row["train_size"], row["epoch"])]
        like = [name for name in ("dropout", "weight_decay") if cell[name] == "supported"]
        if like:
            return "like both" if len(like) == 2 else f"like {like[0].replace('_', ' ')}"
        return "like neither" if set(cell) == {"not supported"} else "undecided"

    return cells.assign(kind=cells.apply(kind, axis=1))


CLAIMS = (
    Claim(
        "A1o",
        "paper A, abstract",
        "More diverse data change the weight spectra in the way that dropout and weight decay do (where a ResNet-18 "
        "from scratch overfits).",
        "Similarity (cosine over layers) of the effects of augmentation with those of dropout and of weight decay, as "
        "they are and at equal training loss and test accuracy, for raw, folded and scale-free metrics. In favour "
        "where it lies significantly above 0.5, against where below.",
        SPECTRA,
        alike,
        spread="range",
    ),
    Claim(
        "A2o",
        "paper A, abstract",
        "The pattern is closer to that of dropout than to that of weight decay (where a ResNet-18 from scratch "
        "overfits).",
        "Distance to dropout over distance to weight decay, measured as in A1o. In favour where it lies significantly "
        "below 0.9, against where above.",
        SPECTRA,
        closer_to_dropout("weight_decay"),
        spread="range",
    ),
    Claim(
        "A2co",
        "our question",
        "Diversity is closer to dropout than to no regularizer at all (where a ResNet-18 from scratch overfits).",
        "As A2o, with the baseline in the place of weight decay.",
        SPECTRA,
        closer_to_dropout(None),
        spread="range",
    ),
    Claim(
        "A5o",
        "our question",
        "Regularizers mark the weight spectra because they put off interpolation, and not because they regularize "
        "(where a ResNet-18 from scratch overfits).",
        "One thing changed at a time, each control by the number and the threshold that stand in the rules. In favour "
        "where the number says postponement, against where it says regularization; the two explanations are decided "
        "between by the first three controls.",
        CONTROLS,
        postponement,
        besides=(SPECTRA,),
        spread="range",
    ),
)
