"""Which was first, the rule of a claim or the records that it judges: by the commits in which each first appeared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Commit:
    """A commit of this repository: the start of its digest, and its time (UTC)."""

    digest: str
    time: str


@dataclass(frozen=True)
class Order:
    """When the rule of a claim was committed, and when the first of the records that it judges.

    records: None as long as there are none. note: what had been seen when the rule was written, and what was changed
    in it or in the design afterwards.
    """

    rule: Commit
    records: Commit | None
    note: str = ""

    @property
    def rule_first(self) -> bool:
        """Whether the rule was committed before any of its records."""
        return self.records is None or self.rule.time < self.records.time


# Rules.
_REGRESSION = Commit("0ac0708", "2026-11-22 00:07:00")
_CLASSIFICATION = Commit("6f98a51", "2026-11-22 03:15:23")
_INFERENCE = Commit("d765362", "2026-11-22 04:13:48")
_RELEASED = Commit("cb4ab10", "2026-11-22 06:20:44")
_SHIFTS = Commit("11bc0b2", "2026-11-22 09:14:07")
_SCORES = Commit("f6857f9", "2026-11-22 09:16:08")
_BASELINE = Commit("d453b07", "2026-11-22 09:49:41")
_FAMILIES = Commit("662beb2", "2026-11-22 12:42:37")
_OVERFITTING = Commit("f62eb48", "2026-11-26 15:29:40")
_MEETING = Commit("95f8d90", "2026-11-26 20:23:12")
_LOOSE_ENDS = Commit("cbfd753", "2026-11-26 23:03:44")
_TRAINING_SETS = Commit("7a09116", "2026-11-26 23:13:46")
_TODAY = Commit("109abd2", "2026-11-26 23:58:49")
_IMAGENET = Commit("424c32b", "2026-11-27 22:09:30")

# First records.
_REGRESSION_RUNS = Commit("e3c15dc", "2026-11-22 00:29:41")
_CLASSIFICATION_RUNS = Commit("233660e", "2026-11-22 03:47:00")
_TUNED_RUNS = Commit("09bf085", "2026-11-22 05:07:37")
_NOISE_RUNS = Commit("7008472", "2026-11-22 04:44:19")
_IMBALANCE_RUNS = Commit("e51ac24", "2026-11-22 04:32:51")
_INFERENCE_TIMES = Commit("d75da06", "2026-11-22 03:48:09")
_RELEASED_VALUES = Commit("728eb34", "2026-11-22 06:21:03")
_SCRATCH_RUNS = Commit("193cd93", "2026-11-22 08:14:53")
_TRANSFER_RUNS = Commit("2ef3d21", "2026-11-22 13:27:49")
_TEXT_RUNS = Commit("bce6e22", "2026-11-22 14:23:20")
_SYNTHETIC_RUNS = Commit("d6d04c4", "2026-11-22 16:55:54")
_BALANCED_RUNS = Commit("3d13716", "2026-11-26 23:29:59")
_DEEP_RUNS = Commit("6f9d567", "2026-11-27 00:49:27")
_MEETING_RUNS = Commit("8bc6ca2", "2026-11-27 00:52:33")
_IMAGENET_RUNS = Commit("9af0333", "2026-11-27 22:24:20")
_OVERFITTING_RUNS = Commit("c185c46", "2026-11-26 11:05:46")

_TRIALS = (
    "Trial runs had been seen: two seeds per setting, for timing, and twelve seeds of the setting of the instability."
)
_DIVERGING = (
    "Added after a first, partial run: a choice that diverges when it is trained again gives way to the next best."
)
_EXTENDED = (
    f"{_TRIALS} CIFAR-10 was added, and the radii of SAM for it were set, after the results on the other two data sets "
    "had been read."
)
_OTHERS_READ = "Records of the 2-layer network, and of the methods that these are held against, had been read."
_REPORTED = "The figures that the authors report had been seen."
_DESCRIBED = f"{_REPORTED} That the findings are described and not judged was decided after them."
_ONE_SEED = "The 21 runs of the first of three seeds were on record"
_OF_SHIFTS = f"{_ONE_SEED}, and none of the metrics of their spectra."
_OF_BASELINE = "23 of 99 runs were on record, and none of the metrics of their spectra."
_OF_SCORES = f"{_ONE_SEED}. Their accuracies had been seen, and no diversity score."
_TUNING = "Runs of the tuning had been seen."
_ACCURACIES = "Accuracies of some of the runs had been seen, and none of their spectra."
_ACCURACIES_ALONE = "Accuracies of some of the runs had been seen, and no score of a training set."
_SCORES_READ = "The scores of pixels and of embeddings of our own networks had been read."
_CONTROLS = (
    "The predictions were given one number and one threshold each afterwards, with no run of a control on record."
)


HISTORY: dict[str, Order] = {
    **dict.fromkeys(("B1a", "B1b", "B2a", "B3a", "B5a"), Order(_REGRESSION, _REGRESSION_RUNS)),
    **dict.fromkeys(("B1c", "B1d"), Order(_REGRESSION, _REGRESSION_RUNS, _DIVERGING)),
    **dict.fromkeys(("B1e", "B1f", "B2b", "B3b", "B5b"), Order(_CLASSIFICATION, _CLASSIFICATION_RUNS, _TRIALS)),
    **dict.fromkeys(("B1g", "B1h"), Order(_CLASSIFICATION, _TUNED_RUNS, _EXTENDED)),
    "B3c": Order(_CLASSIFICATION, _NOISE_RUNS, _TRIALS),
    **dict.fromkeys(("B4a", "B4b"), Order(_CLASSIFICATION, _IMBALANCE_RUNS, _TRIALS)),
    "B6": Order(_INFERENCE, _INFERENCE_TIMES),
    **dict.fromkeys(("A1a", "A2a", "A2b"), Order(_RELEASED, _RELEASED_VALUES, _DESCRIBED)),
    "A3a": Order(_RELEASED, _RELEASED_VALUES, _REPORTED),
    **dict.fromkeys(("A1", "A2"), Order(_SHIFTS, _SCRATCH_RUNS, _OF_SHIFTS)),
    "A2c": Order(_BASELINE, _SCRATCH_RUNS, _OF_BASELINE),
    **dict.fromkeys(("A3", "A3b"), Order(_SCORES, _SCRATCH_RUNS, _OF_SCORES)),
    **dict.fromkeys(("A1f", "A2f", "A2cf"), Order(_FAMILIES, _TRANSFER_RUNS, _TUNING)),
    **dict.fromkeys(("A1w", "A2w", "A2cw", "A3w", "A3bw"), Order(_FAMILIES, _TEXT_RUNS, _TUNING)),
    **dict.fromkeys(("A1s", "A2s", "A2cs", "A3s", "A3bs", "A4", "A4b"), Order(_FAMILIES, _SYNTHETIC_RUNS)),
    **dict.fromkeys(("A1o", "A2o", "A2co"), Order(_OVERFITTING, _OVERFITTING_RUNS, _ACCURACIES)),
    "A5o": Order(_OVERFITTING, _OVERFITTING_RUNS, f"{_ACCURACIES} {_CONTROLS}"),
    "A3o": Order(_TRAINING_SETS, _OVERFITTING_RUNS, _ACCURACIES_ALONE),
    "A3e": Order(_IMAGENET, _IMAGENET_RUNS, _SCORES_READ),
    **dict.fromkeys(("A3d", "A4o", "A4h"), Order(_TRAINING_SETS, None)),
    **dict.fromkeys(("B1i", "B1j", "B3d"), Order(_LOOSE_ENDS, _DEEP_RUNS, _OTHERS_READ)),
    **dict.fromkeys(("B4c", "B4d"), Order(_LOOSE_ENDS, _BALANCED_RUNS, _OTHERS_READ)),
    **dict.fromkeys(("C2", "C3"), Order(_TODAY, None)),
    "C1": Order(
        _MEETING,
        _MEETING_RUNS,
        "How the answers of the rule make the verdict, and that seeds with a network that diverged are left out, was "
        "written before any record was read.",
    ),
}
"""The order of rule and records for every claim, by its id."""
