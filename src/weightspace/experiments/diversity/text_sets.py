"""The training sets of paper A's text experiments: its two tasks with the released variants, and SST-2 with ours.

Sets of ``complaints`` are files of the release, read where they are. sr, ri, rs, rd at (strength, share of rows) .3 and
.5: the authors' augmentation, row by row. gen: as many generated texts as there are real ones. comb_p: a share p of the
real texts, generated ones in place of the rest. verified_p, verified_gen: the same with generated texts that passed a
check, of which there are fewer. added_p: all real texts and after them a share p of as many verified ones (as far as
there are); added_1: and all of those. ``titles``, of papers on arXiv (computer science against statistics), has gen
and comb_p from the release, and ``sst2`` none; the eight augmented sets of both are ours, by ``eda``. ``made_up`` is
for the quick scale: sentences by rule, with all kinds of sets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weightspace import data
from weightspace.data import released
from weightspace.data.eda import OPERATIONS, Synonyms, augment, embedding_synonyms, wordnet_synonyms

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
STRENGTHS = (0.3, 0.5)
SETS = {
    "augmentation": tuple(f"{operation}_{strength}" for strength in STRENGTHS for operation in OPERATIONS),
    "synthetic": ("gen", *(f"comb_{share}" for share in SHARES)),
    "verified": ("verified_gen", *(f"verified_{share}" for share in SHARES)),
    "added": ("added_1", *(f"added_{share}" for share in SHARES)),
}
"""Names of the sets by category; the baseline's is empty."""
_CATEGORIES = {
    "complaints": tuple(SETS),
    "titles": ("augmentation", "synthetic"),
    "sst2": ("augmentation",),
    "made_up": tuple(SETS),
}

TRAINING_TEXTS = {"complaints": 2_759, "titles": 4_200, "sst2": 67_349, "made_up": 128}
"""Number of texts in the baseline's set of each task."""

_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "not_complaint": 0, "complaint": 1, "cs": 0, "stat": 1}
_NAMES = {"complaints": "tc", "titles": "arxiv"}
"""Of the tasks of the release, in the names of its files."""


@dataclass(frozen=True, eq=False)
class TextSet:
    """Texts with labels, and where the data are from.

    first: the row that stands for the first one of the baseline, as paper A pairs them: 0 for a set that takes its
    place, the first added one for a set that stands beside it. synonyms: where those of our own augmentation are from.
    """

    texts: Sequence[str]
    labels: NDArray[np.int64]
    origin: dict[str, str]
    first: int = 0
    synonyms: str = ""


def sets_of(dataset: str) -> dict[str, tuple[str, ...]]:
    """Names of the sets that a task has, by category. ``ValueError`` for an unknown task."""
    if dataset not in _CATEGORIES:
        raise ValueError(f"unknown text task {dataset!r}: use one of {', '.join(_CATEGORIES)}")
    return {category: SETS[category] for category in _CATEGORIES[dataset]}


def check_name(dataset: str, name: str, *others: str) -> None:
    """``ValueError`` for the name of a set that a task does not have; empty is the baseline's, others are allowed."""
    known = [*others, *sum(sets_of(dataset).values(), ())]
    if name and name not in known:
        raise ValueError(f"augmentation: {dataset} has {', '.join(known)} or '', got {name!r}")


def training_set(dataset: str, name: str = "", seed: int = 0, every: int = 1) -> TextSet:
    """Every ``every``-th text of one training set: the same texts of the baseline for all its augmentations.

    The seed matters for the augmentations that are ours. ``ValueError`` for a set that the task does not have.
    """
    known = sum(sets_of(dataset).values(), ())
    if name and name not in known:
        raise ValueError(f"{dataset} has no set {name!r}: use one of {', '.join(known)}")
    baseline = _part(dataset, "train")
    kind, _, level = name.partition("_")
    if kind in OPERATIONS and dataset != "complaints":
        source, of = synonyms(dataset)
        edited = augment(baseline.texts[::every], kind, float(level), float(level), seed, of)
        return replace(baseline, texts=edited, labels=baseline.labels[::every], synonyms=source)
    whole = baseline
    if name:
        whole = _made_up_set(name) if dataset == "made_up" else _released(_released_path(dataset, name))
    texts, labels = whole.texts[::every], whole.labels[::every]
    return TextSet(texts, labels, baseline.origin, len(baseline.texts[::every]) if kind == "added" else 0)


def evaluation_set(dataset: str) -> TextSet:
    """Of the two tasks of the release, its test part; SST-2: the development part of GLUE."""
    return _part(dataset, "test")


@lru_cache
def _part(dataset: str, part: str) -> TextSet:
    """The texts to train on, or those to test on."""
    if dataset in _NAMES:
        return _released(f"augment_training/df_{part}_{_NAMES[dataset]}.csv")
    if dataset == "sst2":
        found: Any = data.load("sst2")
        texts, labels = (found.x, found.y) if part == "train" else (found.test_x, found.test_y)
        return TextSet(texts.tolist(), labels, {"data_digest": found.digest, "data_variant": found.variant})
    return _made_up(TRAINING_TEXTS[dataset], seed=0) if part == "train" else _made_up(96, seed=1)


# --- the release


@lru_cache
def _release() -> released.Release:
    return released.load()


def _released_path(dataset: str, name: str) -> str:
    """Path of a set of a task in the authors' repository."""
    kind, _, level = name.partition("_")
    if kind in OPERATIONS:
        return f"EDA_aug/augmented_{kind}_augp{level}_prop{level}.csv"
    task = _NAMES[dataset]
    stem = f"df_comb_{task}_{level}" if level in map(str, SHARES) else f"df_gen_{task}"
    ending = {"verified": "_vf", "added": "_add"}.get(kind, "")
    return f"augment_training/{stem}{ending}.csv"


@lru_cache(maxsize=64)
def _released(path: str) -> TextSet:
    """A file of the release. Rows without a text or a label (three files have one) are left out."""
    release = _release()
    table = release.csv(path).dropna()
    labels = table["label"].astype(str).map(_LABELS)
    if labels.isna().any():
        raise data.DataError(f"{path} of {released.NAME} has labels that are none of {', '.join(_LABELS)}")
    origin = {"data_digest": release.digest, "data_variant": "canonical"}
    return TextSet(table["text"].tolist(), labels.to_numpy(np.int64, copy=True), origin)


# --- synonyms for our own augmentation


@lru_cache
def synonyms(dataset: str) -> tuple[str, Synonyms]:
    """Where synonyms are from, in words, and the synonyms: WordNet where it is installed, else MiniLM's neighbours."""
    if dataset == "made_up":
        return "by rule", lambda word: _MADE_UP.get(word, ())
    try:
        return "WordNet", wordnet_synonyms()
    except LookupError:
        from weightspace.models import pretrained, vocabulary  # PyTorch takes seconds to import

        table = pretrained("minilm_l6").get_parameter("encoder.bert.embeddings.word_embeddings.weight").detach().numpy()
        tokens = vocabulary()
        words = [number for number, token in enumerate(tokens) if re.fullmatch("[a-z]{2,}", token)]
        return "MiniLM's input embeddings", embedding_synonyms([tokens[number] for number in words], table[words])


# --- sentences by rule

_SIDES = (("bad", "dull", "late", "broken"), ("good", "great", "quick", "fine"))
_THINGS = (("parcel", "box"), ("phone", "device"), ("film", "movie"), ("waiter", "server"), ("road", "street"))
_MADE_UP = {word: tuple(other for other in group if other != word) for group in (*_SIDES, *_THINGS) for word in group}


def _made_up(number: int, seed: int) -> TextSet:
    """Sentences about two things; the label is how they are called."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number)
    texts = []
    for label in labels:
        things = [rng.choice(_THINGS[k]) for k in rng.choice(len(_THINGS), 2, replace=False)]
        words = rng.choice(_SIDES[label], 2)
        texts.append(f"the {things[0]} was {words[0]} and the {things[1]} seemed {words[1]} .")
    return TextSet(texts, labels, {"data_digest": "none", "data_variant": "made up"})


def _made_up_set(name: str) -> TextSet:
    """As the release has them: generated texts are sentences of another seed, verified ones three quarters of those."""
    kind, _, level = name.partition("_")
    real, generated = _made_up(128, 0), _made_up(128, 2)
    pool = len(generated.texts) if kind in ("gen", "comb") else len(generated.texts) * 3 // 4
    share = 0.0 if level in ("", "gen") else float(level)
    some = round(share * len(real.texts))
    first, last = (len(real.texts), some) if kind == "added" else (some, len(real.texts) - some)
    last = min(last, pool)
    labels = np.concatenate([real.labels[:first], generated.labels[:last]])
    return TextSet([*real.texts[:first], *generated.texts[:last]], labels, real.origin)
