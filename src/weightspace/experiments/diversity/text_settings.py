"""Paper A's text experiments: a small BERT fine-tuned with every regularizer and every training set, on several seeds.

The network is MiniLM-L6, as BERT of paper A with a new linear head and dropout. Tasks: the complaints of paper A with
the released training sets, and SST-2 with augmentation of our own (``text_sets``). All settings of a seed share the
initial weights of the head and, where the sets are of one size, the order of the rows. Two arms stand beside the main
one: ``independent``, baselines of other seeds as in ``diversity_cifar10``, and ``paper_rate``, the baseline with paper
A's learning rate where the main arm has a tuned one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from weightspace.campaigns.configuration import (
    IDENTITY,
    STRICT,
    Configuration,
    Count,
    FrozenDict,
    NotNegative,
    Positive,
    Settings,
    dataclass,
    unread,
    with_changes,
)
from weightspace.experiments.diversity import text_sets
from weightspace.experiments.diversity.cifar10_settings import BASELINE, explicit_settings, independent_seeds
from weightspace.experiments.diversity.protocol import (
    Dropout,
    Precision,
    check_names,
    explicit_regularizers,
    shared_settings,
)

TASKS = {"paper": ("complaints", "sst2"), "laptop": ("complaints", "sst2"), "quick": ("made_up",)}
EVERY = {
    "paper": {"complaints": 1, "sst2": 24},
    "laptop": {"complaints": 7, "sst2": 170},
    "quick": {"made_up": 2},
}
"""Every so many texts of a training set are taken; of SST-2, which is larger, about as many as of the complaints."""
SIZES: dict[str, Settings] = {
    "paper": {"encoder": {}, "length": 64, "epochs": 5},
    "laptop": {"encoder": {}, "length": 64, "epochs": 2},
    "quick": {
        "encoder": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
        "length": 16,
        "epochs": 1,
    },
}
"""encoder: sizes other than MiniLM's, with random weights. length: tokens of a text, the rest is cut."""

PAPER_RATE = 1e-5
RATES = {
    "paper": {"complaints": PAPER_RATE, "sst2": PAPER_RATE},
    "laptop": {"complaints": 1e-4, "sst2": 1e-4},
    "quick": {"made_up": 1e-2},
}
"""Learning rates: paper A's; at scale laptop, of far fewer updates, the best of ``diversity_text_tuning``."""

Size = Literal["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]

QUICK_SETTINGS = ("baseline", "dropout_0.5", "weight_decay_0.005", "sr_0.5", "gen", "added_0.5")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TextConfiguration(Configuration):
    """A pretrained encoder on the texts of a task.

    dataset: ``complaints``, ``titles``, ``sst2`` or ``made_up``; every: so many-th texts of a training set are taken,
    from the first. model: ``minilm_l6`` or ``bert_base``. encoder: none for the published weights, else sizes of a BERT
    with random ones: hidden_size, num_hidden_layers, num_attention_heads, intermediate_size. length: tokens of a text,
    3 to 512, the rest is cut. precision: of the forward and the backward pass. dropout: fraction of the outputs set to
    0 in every block and before the head.
    """

    dataset: Literal["complaints", "titles", "sst2", "made_up"]
    every: Count
    model: Literal["minilm_l6", "bert_base"]
    encoder: FrozenDict[Size, Count]
    length: Annotated[int, Field(ge=3, le=512)]
    precision: Precision
    dropout: Dropout

    @model_validator(mode="after")
    def _has_texts_and_heads(self) -> TextConfiguration:
        if self.every > (known := text_sets.TRAINING_TEXTS[self.dataset]):
            raise ValueError(f"every: {self.dataset} has {known:,} training texts, got {self.every:,}")
        width, heads = self.encoder.get("hidden_size", 768), self.encoder.get("num_attention_heads", 12)
        if self.encoder and width % heads:
            raise ValueError(f"encoder: hidden_size must be a multiple of num_attention_heads, got {width} and {heads}")
        return self

    @property
    def number(self) -> int:
        """Number of texts in the baseline's training set."""
        return -(-text_sets.TRAINING_TEXTS[self.dataset] // self.every)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TextTrainingConfiguration(TextConfiguration):
    """A fine-tuning: epochs, batch_size (texts per update), optimizer (SGD has momentum 0.9), lr, constant;
    weight_decay, coupled L2, added to every gradient."""

    epochs: Count
    batch_size: Count
    optimizer: Literal["adam", "sgd"]
    lr: Positive
    weight_decay: NotNegative

    @model_validator(mode="after")
    def _whole_batch(self) -> TextTrainingConfiguration:
        if self.batch_size > self.number:
            raise ValueError(
                f"batch_size: of {self.dataset} there are {self.number:,} training texts with every {self.every}, "
                f"got {self.batch_size:,}"
            )
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TextRunConfiguration(TextTrainingConfiguration):
    """A run of this campaign.

    augmentation: name of a training set of the task (``text_sets.SETS``), ``""`` for the baseline's. setting, category:
    what the one regularizer is called, or ``baseline``; they must be those of the values. arm: ``main``,
    ``independent`` or ``paper_rate``, as above; it decides nothing.
    """

    augmentation: str
    setting: str
    category: str
    arm: Annotated[Literal["main", "independent", "paper_rate"], IDENTITY]

    @model_validator(mode="after")
    def _is_called_what_it_is(self) -> TextRunConfiguration:
        text_sets.check_name(self.dataset, self.augmentation)
        check_names(self)
        return self

    def regularizers(self) -> list[tuple[str, str]]:
        """Setting and category of every regularizer that is on."""
        sets = text_sets.sets_of(self.dataset).items()
        return explicit_regularizers(self) + [
            (self.augmentation, category) for category, names in sets if self.augmentation in names
        ]


def shared_task_settings(experiment: str, scale: str, dataset: str) -> Settings:
    """What every run of an experiment on one task has in common. Optimizer and batch size are those of paper A."""
    return shared_settings(experiment, scale, SIZES) | {
        "model": "minilm_l6",
        "dataset": dataset,
        "every": EVERY[scale][dataset],
        "optimizer": "adam",
        "batch_size": 32,
    }


def settings(scale: str, dataset: str) -> list[Settings]:
    """The settings of the main arm: category, dropout, weight decay and training set (``augmentation``) of each."""
    everything = explicit_settings() + [
        BASELINE | {"setting": name, "category": category, "augmentation": name}
        for category, names in text_sets.sets_of(dataset).items()
        for name in names
    ]
    return [setting for setting in everything if scale != "quick" or setting["setting"] in QUICK_SETTINGS]


def configurations(scale: str, seeds: int) -> list[TextRunConfiguration]:
    """The most informative runs first: an interrupted campaign has whole seeds of the main arm of both tasks."""
    shared: dict[str, Any] = {
        dataset: shared_task_settings("diversity_text", scale, dataset) | {"lr": RATES[scale][dataset]}
        for dataset in TASKS[scale]
    }
    arms = [
        TextRunConfiguration(**shared[dataset] | setting, arm="main", seed=seed)
        for seed in range(seeds)
        for dataset in TASKS[scale]
        for setting in settings(scale, dataset)
    ]
    baselines = [run for run in arms if run.setting == "baseline"]
    arms += [
        with_changes(run, {"arm": "independent", "seed": other})
        for run in baselines
        for other in independent_seeds(run.seed)
    ]
    return arms + [
        with_changes(run, {"arm": "paper_rate", "lr": PAPER_RATE}) for run in baselines if run.lr != PAPER_RATE
    ]


SHUFFLED = "shuffled"
"""Name of the control; ``augmentation`` is empty for the baseline as it is."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TextSetsConfiguration(TextConfiguration):
    """A training set, described by an encoder as it was published.

    augmentation: name of a training set of the task (``text_sets.SETS``), ``""`` for the baseline's, or ``shuffled``.
    seed: of our own augmentation and of the control's order; the released sets have none. Nothing is trained: what is
    said of training decides nothing.
    """

    augmentation: str
    arm: Annotated[str, unread("single")]
    epochs: Annotated[Count, IDENTITY]
    batch_size: Annotated[Count, IDENTITY]
    optimizer: Annotated[Literal["adam", "sgd"], IDENTITY]
    lr: Annotated[float, unread(0.0)]
    weight_decay: Annotated[float, unread(0.0)]
    dropout: Annotated[float, unread(0.0)]

    @model_validator(mode="after")
    def _is_a_set(self) -> TextSetsConfiguration:
        text_sets.check_name(self.dataset, self.augmentation, SHUFFLED)
        return self
