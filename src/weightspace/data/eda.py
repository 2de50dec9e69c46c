"""Easy data augmentation: four random edits of the words of a text.

sr replaces words by synonyms, ri inserts synonyms of words of the text, rs swaps words, rd deletes words (Wei & Zou
2019, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks", section 2). Words
are what stands between blanks. As there, the number of edits of a text is a share of its number of words, and stop
words (those of scikit-learn here) have no synonyms. The edits of a text depend on the seed and the text alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

Synonyms = Callable[[str], Sequence[str]]
"""Synonyms of a word in lower case; none for a word that is not known."""

NEIGHBOURS = 5
LEAST_COSINE = 0.4
"""Embedding neighbours of a word are at most so many, and at least so near."""


def augment(
    texts: Iterable[str], operation: str, strength: float, share: float, seed: int, synonyms: Synonyms
) -> list[str]:
    """The texts in their order, of which about ``share`` have been edited.

    operation: ``sr``, ``ri``, ``rs`` or ``rd``; strength: number of edits per word, at least one edit a text, and for
    ``rd`` the probability to delete a word. Each text is edited with probability ``share``: of the same seed, those
    edited at a smaller share are edited at a larger one too. ``ValueError`` for an unknown operation, and for a
    strength or share outside [0, 1].
    """
    if operation not in OPERATIONS:
        raise ValueError(f"unknown operation {operation!r}: use one of {', '.join(OPERATIONS)}")
    if not (0 <= strength <= 1 and 0 <= share <= 1):
        raise ValueError(f"strength and share must be from 0 to 1, got {strength} and {share}")
    edit, position = OPERATIONS[operation], list(OPERATIONS).index(operation)
    edited = []
    for text in texts:
        digest = hashlib.sha256(text.encode()).digest()
        rng = np.random.default_rng([seed, position, int.from_bytes(digest[:8])])
        chosen, words = rng.random() < share, text.split()
        edited.append(" ".join(edit(words, strength, rng, synonyms)) if chosen and words else text)
    return edited


def synonym_replacement(words: list[str], strength: float, rng: np.random.Generator, synonyms: Synonyms) -> list[str]:
    """Random words that have synonyms, as many as there are edits, each replaced by one of its own."""
    words = list(words)
    places = [place for place, word in enumerate(words) if _synonyms_of(word, synonyms)]
    for place in rng.permutation(places)[: _edits(words, strength)]:
        words[place] = str(rng.choice(_synonyms_of(words[place], synonyms)))
    return words


def random_insertion(words: list[str], strength: float, rng: np.random.Generator, synonyms: Synonyms) -> list[str]:
    """A synonym of a random word of the text, put at a random place, once for each edit."""
    inserted = list(words)
    known = [word for word in words if _synonyms_of(word, synonyms)]
    for _ in range(_edits(words, strength) if known else 0):
        word = known[rng.integers(len(known))]
        inserted.insert(rng.integers(len(inserted) + 1), str(rng.choice(_synonyms_of(word, synonyms))))
    return inserted


def random_swap(words: list[str], strength: float, rng: np.random.Generator, synonyms: Synonyms) -> list[str]:
    """Two random places exchange their words, once for each edit."""
    del synonyms
    words = list(words)
    for _ in range(_edits(words, strength) if len(words) > 1 else 0):
        i, j = rng.choice(len(words), 2, replace=False)
        words[i], words[j] = words[j], words[i]
    return words


def random_deletion(words: list[str], strength: float, rng: np.random.Generator, synonyms: Synonyms) -> list[str]:
    """Every word deleted with probability ``strength``; where none is left, a random one stays."""
    del synonyms
    kept = [word for word, u in zip(words, rng.random(len(words))) if u >= strength]
    return kept or [words[rng.integers(len(words))]]


OPERATIONS = {
    "sr": synonym_replacement,
    "ri": random_insertion,
    "rs": random_swap,
    "rd": random_deletion,
}


def _edits(words: list[str], strength: float) -> int:
    return max(1, round(strength * len(words)))


def _synonyms_of(word: str, synonyms: Synonyms) -> Sequence[str]:
    word = word.lower()
    return () if word in ENGLISH_STOP_WORDS else synonyms(word)


def wordnet_synonyms() -> Synonyms:
    """The other lemmas of all meanings of a word in WordNet, sorted.

    ``LookupError`` where nltk or its WordNet data are not installed, with what to do.
    """
    remedy = "install nltk and run `python -m nltk.downloader wordnet`"
    try:
        from nltk.corpus import wordnet
    except ImportError as error:
        raise LookupError(f"nltk is not installed: {remedy}") from error
    try:
        wordnet.ensure_loaded()
    except LookupError as error:
        raise LookupError(f"the WordNet data of nltk are not installed: {remedy}") from error

    @cache
    def synonyms(word: str) -> tuple[str, ...]:
        lemmas = {name.replace("_", " ") for meaning in wordnet.synsets(word) for name in meaning.lemma_names()}
        return tuple(sorted(lemmas - {word}))

    return synonyms


def embedding_synonyms(words: Sequence[str], vectors: NDArray) -> Synonyms:
    """The words whose vectors have the largest cosine with that of a word, at most 5 and of at least 0.4.

    words: ``[n]``; vectors: ``[n, d]``, the input embeddings of a language model for one. Neighbours occur in the same
    contexts: they may be inflections (movie, movies) or opposites (good, bad), which no dictionary of synonyms gives.
    """
    position = {word: row for row, word in enumerate(words)}
    directions = np.asarray(vectors, dtype=np.float32)
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)

    @cache
    def synonyms(word: str) -> tuple[str, ...]:
        if word not in position:
            return ()
        cosines = directions @ directions[position[word]]
        cosines[position[word]] = -1
        nearest = np.argsort(-cosines, kind="stable")[:NEIGHBOURS]
        return tuple(words[row] for row in nearest if cosines[row] >= LEAST_COSINE)

    return synonyms
