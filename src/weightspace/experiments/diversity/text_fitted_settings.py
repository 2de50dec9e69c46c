"""MiniLM fine-tuned on texts until it fits them: paper A's two tasks, with every kind of training set.

``diversity_text`` makes 24 updates. Here the encoder makes more than a thousand, until a baseline has fitted its
training texts. Every run makes as many updates as the baseline, to the nearest epoch: a larger training set is passed
fewer times, since spectra tell of the number of updates as well. All runs start from the published weights; the head is
drawn for the seed, and the baseline is run several times per seed in another order, as in ``diversity_from_scratch``.

Tables of embeddings are not measured. Adam divides a gradient by its size, so coupled weight decay, however weak, moves
the rows of words that never occur as far as any other: such a table tells of the optimizer, and not of the texts.
"""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import Field, model_validator

from weightspace.campaigns.configuration import STRICT, Count, Settings, dataclass
from weightspace.experiments.diversity import text_sets
from weightspace.experiments.diversity.scratch_settings import category_of, setting_of, with_baselines
from weightspace.experiments.diversity.text_settings import SIZES, TextTrainingConfiguration

COMPLAINTS, TITLES = "diversity_complaints", "diversity_titles"

EXPLICIT: tuple[Settings, ...] = (
    {},
    {"dropout": 0.1},
    {"dropout": 0.3},
    {"weight_decay": 5e-4},
    {"weight_decay": 5e-3},
)
SETS: dict[str, tuple[str, ...]] = {
    COMPLAINTS: (
        *("sr_0.5", "ri_0.5", "rs_0.5", "rd_0.5"),
        *("gen", "comb_0.5"),
        *("verified_gen", "verified_0.5"),
        *("added_0.5", "added_1"),
    ),
    TITLES: ("sr_0.5", "ri_0.5", "rs_0.5", "rd_0.5", "gen", "comb_0.5"),
}
"""Experiment -> training sets besides the baseline's; see ``text_sets``."""
QUICK: tuple[Settings, ...] = (
    {},
    {"dropout": 0.5},
    {"weight_decay": 5e-3},
    {"augmentation": "sr_0.5"},
    {"augmentation": "gen"},
    {"augmentation": "added_1"},
)

SCALES: dict[str, Settings] = {
    "quick": SIZES["quick"] | {"epochs": 3, "every": 2, "batch_size": 16, "lr": 1e-2, "score_epochs": (1, 3)},
    "laptop": {
        "encoder": {},
        "length": 64,
        "epochs": 10,
        "batch_size": 8,
        "lr": 1e-4,
        "score_epochs": (1, 2, 3, 4, 5, 6, 8),
    },
}
"""The learning rate at scale laptop is that of ``diversity_text``; here it falls along a cosine."""
TASKS: dict[str, Settings] = {
    COMPLAINTS: {"dataset": "complaints", "every": 5},
    TITLES: {"dataset": "titles", "every": 8},
}
"""At scale laptop: every so many-th text, 552 and 525, so that 10 epochs in batches of 8 are 690 and 650 updates.
The fewer texts there are, the sooner they are fitted, and the more a regularizer can help. A trial run on half as many
texts answered right on all of them after four passes."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FittedTextConfiguration(TextTrainingConfiguration):
    """A fine-tuning on texts until they are fitted.

    epochs: passes over the baseline's training set; over another set as many as make the same number of updates, to the
    nearest pass. lr falls to 0 over them along half a cosine. augmentation: name of a training set of the task
    (``text_sets.SETS``), ``""`` for the baseline's. replicate: other order and dropout masks from the same initial
    weights. score_epochs: passes over the own set after which the training texts are scored, besides the last.
    """

    augmentation: str = ""
    replicate: Annotated[int, Field(ge=0)] = 0
    score_epochs: tuple[Count, ...]

    @model_validator(mode="after")
    def _is_a_set(self) -> FittedTextConfiguration:
        text_sets.check_name(self.dataset, self.augmentation)
        return self

    def passes(self, texts: int) -> int:
        """Passes over so many texts that make as many updates as ``epochs`` over the baseline's, one at least."""
        updates = self.epochs * (self.number // self.batch_size)
        return max(round(updates / (texts // self.batch_size)), 1)

    @property
    def setting(self) -> str:
        """The regularizers and the training set in one name, ``baseline`` where there is none."""
        return setting_of(self.dropout, self.weight_decay, self.augmentation)

    @property
    def category(self) -> str:
        """``dropout``, ``weight_decay`` or the kind of training set; ``baseline``, or ``combined`` for several."""
        names = [name for name in ("dropout", "weight_decay") if getattr(self, name)]
        names += [kind for kind, sets in text_sets.SETS.items() if self.augmentation in sets]
        return category_of(names)


def settings(name: str) -> tuple[Settings, ...]:
    """The settings of an experiment, the baseline first."""
    return (*EXPLICIT, *({"augmentation": kind} for kind in SETS[name]))


def configurations(name: str, scale: str, seeds: int) -> list[FittedTextConfiguration]:
    """Seed by seed, the baselines of a seed first."""
    plain: Settings = {
        "model": "minilm_l6",
        "optimizer": "adam",
        "precision": "float32",
        "dropout": 0.0,
        "weight_decay": 0.0,
    }
    task = {"dataset": "made_up"} if scale == "quick" else TASKS[name]
    shared = plain | SCALES[scale] | task | {"experiment": name, "protocol": 1}
    chosen = QUICK if scale == "quick" else settings(name)
    return [
        FittedTextConfiguration(**shared | run, seed=seed)
        for seed, run in itertools.product(range(seeds), with_baselines(chosen))
    ]
