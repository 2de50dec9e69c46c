"""Tuning on held-out training rows, with the same budget for every method: a question that paper B leaves open.

Every seed draws a training subset of its own. Every tuned method tries the same number of candidates, each trained on
three quarters of the distinct training rows and judged on the rest; the best is trained again on all of them and
tested once on rows that it has not seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import LATER, STRICT, FrozenDict, Positive, Seed, Settings, dataclass
from weightspace.data import sampling
from weightspace.dual.methods import parse_method
from weightspace.experiments.dual_weights.protocol import (
    FRESH_SUBSETS,
    LR,
    SPLIT_STREAM,
    Method,
    NetworkConfiguration,
    Problem,
    sample_order,
    untrained,
)
from weightspace.training.online.networks import OnlineNetworks

VALIDATION_SHARE = 0.25
BUDGET = 8
"""Candidates that every tuned method may try, each trained once and judged on held-out training samples."""

LEARNING_RATES = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2)
DROPOUT_RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
STOPPING_SHARES = (1 / 48, 1 / 24, 1 / 12, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 1.0)
"""Early stopping: after which share of all updates to stop."""

Candidate = tuple[str, float, float]
"""Online: (method, learning rate, share of the updates). Mini-batches: (optimizer, learning rate, rho of SAM or q of
the robust loss)."""

UNTUNED = ("gradient_descent", "dual", "dual_stabilized")
"""Tested as the paper sets them."""

TUNED: dict[str, list[Candidate]] = {
    "tuned_lr": [("gradient_descent", lr, 1.0) for lr in LEARNING_RATES],
    "tuned_early_stopping": [("gradient_descent", LR, share) for share in STOPPING_SHARES],
    "tuned_dropout": [(f"dropout_{rate:g}", LR, 1.0) for rate in DROPOUT_RATES],
    "tuned_dual": [("dual", lr, 1.0) for lr in LEARNING_RATES],
    "tuned_dual_stabilized": [("dual_stabilized", lr, 1.0) for lr in LEARNING_RATES],
}
"""Candidates of the methods that are tuned alike for every task."""

Rows = tuple[np.ndarray, np.ndarray]
"""(x, y)"""
Score = tuple[float, ...]
"""Smaller is better, later numbers decide between equal ones; the first is infinite where the network diverged."""
Scores = dict[Candidate, list[Score]]
"""One score for each set of rows."""
Train = Callable[[np.ndarray, list[Candidate], list[Rows]], Scores]
"""(training indices, candidates, sets of rows to score on) -> scores of every candidate."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """What tuning chose for one method.

    validation: its score on the held-out rows (NaN for an untuned method that was no candidate); train, clean, noisy:
    its scores after it was trained again on all training rows.
    """

    method: str
    candidate: Candidate
    validation: Score
    train: Score
    clean: Score
    noisy: Score


_Inside = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SplitConfiguration(NetworkConfiguration):
    """A run that judges on held-out training rows.

    subset_seed: draws all training rows, with RandomState. validation_share: of the distinct rows among them that
    candidates are judged on.
    """

    subset_seed: Seed
    validation_share: _Inside = VALIDATION_SHARE


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TunedConfiguration(SplitConfiguration):
    """All tuned methods of one seed.

    candidates: by name of a tuned method, see ``Candidate``; learning rates are positive, shares of the updates in
    (0, 1], rho is 0 but for SAM, q in (0, 1] for the robust loss. untuned: online methods that are tested besides,
    with the learning rate lr.
    """

    candidates: FrozenDict[str, tuple[Candidate, ...]]
    untuned: Annotated[tuple[Method, ...], LATER] = UNTUNED
    lr: Annotated[Positive, LATER] = LR

    OPTIMIZERS: ClassVar[tuple[str, ...]] = ()
    """Mini-batch optimizers that may be candidates besides the online methods."""

    @model_validator(mode="after")
    def _candidates_can_be_trained(self) -> TunedConfiguration:
        if not self.candidates:
            raise ValueError("candidates: those of at least one tuned method, got none")
        for name, group in self.candidates.items():
            if not group:
                raise ValueError(f"candidates: {name} has none")
            for method, lr, third in group:
                online = method not in self.OPTIMIZERS
                if online:
                    try:
                        parse_method(method)
                    except ValueError as error:
                        raise ValueError(f"candidates: {name} has an {error}") from error
                part = online or method == "robust"
                allowed = 0 < third <= 1 if part else third == 0 or (method == "sam" and third > 0)
                if lr <= 0 or not allowed:
                    third_allowed = "a share in (0, 1]" if online else "rho, 0 but for sam, q in (0, 1] for robust"
                    raise ValueError(
                        f"candidates: each is a method, a positive learning rate and {third_allowed}, "
                        f"got {(method, lr, third)} for {name}"
                    )
        return self


def settings(seed: int, tuned: dict[str, list[Candidate]]) -> Settings:
    """What the configuration of a run with tuning holds besides the protocol."""
    return {
        "seed": seed,
        "subset_seed": FRESH_SUBSETS + seed,
        "candidates": {name: tuple(candidates) for name, candidates in tuned.items()},
    }


def split(configuration: SplitConfiguration, problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of all training rows, of those to train candidates on, and of those to judge them on."""
    subset = sampling.paper_training_indices(len(problem.x), configuration.train_size, configuration.subset_seed)
    rng = np.random.default_rng([configuration.seed, SPLIT_STREAM])
    fit, validation = sampling.split_validation(subset, configuration.validation_share, rng)
    if not len(fit) or not len(validation):
        raise ValueError(
            f"validation_share {configuration.validation_share:g} of train_size {configuration.train_size} leaves "
            "no rows to train on or none to judge on"
        )
    return subset, fit, validation


def train_online(
    configuration: NetworkConfiguration, problem: Problem, indices: np.ndarray, candidates: list[Candidate]
) -> Iterator[tuple[list[Candidate], OnlineNetworks]]:
    """Train online candidates; yields those that stop at the same time with their networks, first to last.

    Candidates that differ only in when to stop are one training, looked at several times.
    """
    seed, updates = configuration.seed, configuration.updates
    trained = sorted({(method, lr) for method, lr, _ in candidates})
    methods, rates = [method for method, _ in trained], [lr for _, lr in trained]
    networks = untrained(configuration, problem, methods, [seed] * len(trained), rates)
    x, y = problem.x[indices], problem.y[indices]
    order = np.broadcast_to(sample_order(seed, 0, np.arange(len(x)), updates), (len(trained), updates))
    for stop in sorted({round(share * updates) for _, _, share in candidates}):
        networks.train(x, y, order[:, networks.updates : stop])
        due = [c for c in candidates if round(c[2] * updates) == stop]
        yield due, networks.select(np.array([trained.index(c[:2]) for c in due]))


def choose(configuration: TunedConfiguration, problem: Problem, train: Train) -> list[Choice]:
    """Tune every method and test what was chosen, the untuned methods first.

    A choice that diverges when trained again, seen on the training rows and not on the test rows, is passed over for
    the next best.
    """
    subset, fit, validation = split(configuration, problem)
    tuned = configuration.candidates
    candidates = sorted({c for group in tuned.values() for c in group})
    held_out = train(fit, candidates, [(problem.x[validation], problem.y[validation])])
    rankings = {name: [(name, configuration.lr, 1.0)] for name in configuration.untuned}
    rankings |= {name: sorted(group, key=held_out.__getitem__) for name, group in tuned.items()}
    x, y = problem.unseen(subset)
    noisy = problem.noisy(x, configuration.seed, configuration.noise_std)
    sets = [(problem.x[subset], problem.y[subset]), (x, y), (noisy, y)]
    final: Scores = {}
    while waiting := sorted({ranking[0] for ranking in rankings.values()} - final.keys()):
        final |= train(subset, waiting, sets)
        for ranking in rankings.values():
            while len(ranking) > 1 and ranking[0] in final and not np.isfinite(final[ranking[0]][0][0]):
                del ranking[0]
    return [
        Choice(name, best, held_out.get(best, [(np.nan,)])[0], *final[best]) for name, (best, *_) in rankings.items()
    ]


def score_outputs(outputs: np.ndarray, labels: np.ndarray) -> Score:
    """(error in percent, cross entropy) of a classifier, infinite if it diverged.

    The error alone does not decide: with 25 held-out samples many candidates make the same number of errors.
    """
    if not np.isfinite(outputs).all():
        return (np.inf, np.inf)
    z = outputs.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    loss = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(labels)), labels]
    return (100 * float((outputs.argmax(axis=1) != labels).mean()), float(loss.mean()))
