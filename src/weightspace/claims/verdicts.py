"""The rule by which the papers' claims are judged, and what a claim and a finding are.

The thresholds were committed before the first records; ``history`` says for every claim which was first, its own rule
or its records. A comparison is one configuration, one method, one baseline, paired
by seed on the logarithm of the error; p values are corrected by Holm's method over all comparisons of a claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from weightspace import experiments
from weightspace.measures.statistics import ALPHA

MARGIN = 0.95
"""An error ratio has to lie beyond this factor to count: differences below 5 % are ties even if significant."""
SUPPORT = 0.80
"""Share of comparisons that a claim must win to be supported."""
REJECT = 0.50
"""Share of wins below which it is not supported."""
MAX_LOSSES = 0.05
"""Share of comparisons that a supported claim may lose."""


@dataclass(frozen=True)
class Finding:
    """What the records say of a claim for one method.

    mean with low and high: the effect with its interval, or with its range over comparisons where the claim says so.
    Where comparisons may be undecided, wins are those for the claim, losses those against it, ties the undecided ones.
    detectable: the smallest effect that would have been decided for the claim with 80 % power; where comparisons are
    counted and their effects are a range, the median over them of what a single one would have shown. Infinite: no
    effect that can occur; NaN: it is not known, or the rule has no such number.
    """

    method: str
    low: float
    mean: float
    high: float
    wins: int
    ties: int
    losses: int
    n_seeds: int
    verdict: str
    detectable: float = float("nan")


Assess = Callable[..., list[Finding]]
"""Applies the rule of a claim to frames of records."""


@dataclass(frozen=True)
class Claim:
    """One claim: who makes it, how we measure it, the rule, and the function that applies the rule to the records.

    besides: experiments that the rule needs in addition; ``assess`` gets a frame of each, that of ``experiment`` first.
    spread: what low and high of its findings are, a 95 % ``interval`` or the ``range`` over comparisons.
    """

    id: str
    source: str
    statement: str
    measure: str
    experiment: str | None = None
    assess: Assess | None = None
    besides: tuple[str, ...] = ()
    spread: Literal["interval", "range"] = "interval"

    def scales(self) -> dict[str, str]:
        """The scale of the records that the verdict rests on, per experiment: that of the paper where it has one."""
        named = () if self.experiment is None else (self.experiment, *self.besides)
        return {name: experiments.committed_scale(name) for name in named}

    def findings(self, load: Callable[[str, str], pd.DataFrame] = experiments.load) -> list[Finding]:
        """The verdicts at the committed scale; empty until every run of all its experiments is on record.

        load: returns the records of an experiment at a scale. Who judges several claims may hand out a frame twice.
        """
        scales = self.scales()
        if self.assess is None or not scales or not all(experiments.complete(*item) for item in scales.items()):
            return []
        return self.assess(*(load(*item) for item in scales.items()))


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


def counts(tests: pd.DataFrame) -> tuple[int, int, int]:
    """Wins, ties and losses in a table with the columns ratio and p_holm."""
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


DECIDED = 2 / 3
"""Fraction of comparisons that must be decided before there is a verdict other than undecided."""


def decided(in_favour: int, against: int, undecided: int) -> str:
    """The verdict where every comparison was decided for the claim, against it, or not at all.

    undecided: fewer than two thirds of the comparisons were decided, or there was none to judge. Of those that were,
    supported: at least 80 % for the claim; not supported: at least 80 % against; mixed: anything between.
    """
    number = in_favour + against
    if number == 0 or number < DECIDED * (number + undecided) - 1e-9:
        return "undecided"
    # Compared as whole numbers of comparisons: 4 of 5 are 80 %.
    if in_favour >= SUPPORT * number - 1e-9:
        return "supported"
    return "not supported" if against >= SUPPORT * number - 1e-9 else "mixed"


def finding(
    method: object,
    comparisons: pd.DataFrame,
    low: float,
    mean: float,
    high: float,
    counts: tuple[int, int, int],
    judged: str | None = None,
) -> Finding:
    """A finding of comparisons that have a column n, and perhaps one named detectable (NaN there: no effect would do).

    judged: the verdict where a claim has a rule of its own.
    """
    wins, ties, losses = map(int, counts)
    n_seeds = int(comparisons["n"].min())
    judged = judged or verdict(wins, ties, losses)
    least = float(comparisons["detectable"].fillna(np.inf).median()) if "detectable" in comparisons else float("nan")
    return Finding(str(method), float(low), float(mean), float(high), wins, ties, losses, n_seeds, judged, least)
