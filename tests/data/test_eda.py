"""Random edits of texts: each operation does what its name says, as often as it should, from seed and text alone."""

import sys
from collections import Counter
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightspace.data import eda
from weightspace.data.eda import augment, embedding_synonyms, wordnet_synonyms

SYNONYMS = {"film": ("movie", "picture"), "good": ("great",), "plot": ("story",), "actor": ("player", "performer")}
OWN = {synonym for synonyms in SYNONYMS.values() for synonym in synonyms}


def synonyms(word):
    return SYNONYMS.get(word, ())


def many(operation, strength, share=1.0, text="a good film with a good plot and one actor", number=2_000):
    """The words of an edited text, for many seeds."""
    return [augment([text], operation, strength, share, seed, synonyms)[0].split() for seed in range(number)]


words = st.lists(st.sampled_from([*SYNONYMS, "the", "odd", "."]), min_size=1, max_size=12).map(" ".join)


@given(words, st.sampled_from([0.3, 0.5]), st.integers(0, 1000))
def test_what_each_operation_can_do_to_a_text(text, strength, seed):
    before = text.split()
    edits = max(1, round(strength * len(before)))
    after = {name: augment([text], name, strength, 1.0, seed, synonyms)[0].split() for name in eda.OPERATIONS}
    assert sorted(after["rs"]) == sorted(before)
    assert all(after["rd"]) and is_part(after["rd"], before)
    # Only synonyms of words of the text come in, as many as there are edits (if there is a word to take them from).
    known = [word for word in before if word in SYNONYMS]
    added = Counter(after["ri"]) - Counter(before)
    assert is_part(before, after["ri"]) and sum(added.values()) == (edits if known else 0)
    assert set(added) <= {synonym for word in known for synonym in SYNONYMS[word]}
    replaced = [(old, new) for old, new in zip(before, after["sr"]) if old != new]
    assert len(after["sr"]) == len(before) and len(replaced) == min(edits, len(known))
    assert all(new in SYNONYMS[old] for old, new in replaced)


def is_part(part, whole):
    """Whether the words of ``part`` stand in ``whole`` in their order."""
    rest = iter(whole)
    return all(word in rest for word in part)


def test_a_word_is_deleted_with_the_given_probability():
    lengths = np.array([len(words) for words in many("rd", 0.3)])
    # Binomial with 10 words: mean 7, standard error of the mean of 2,000 texts 0.032.
    assert lengths.mean() == pytest.approx(7, abs=0.13) and lengths.var() == pytest.approx(2.1, abs=0.3)
    alone = many("rd", 1.0, text="plot film", number=50)
    assert {len(words) for words in alone} == {1} and {words[0] for words in alone} == {"plot", "film"}


def test_a_text_is_edited_with_the_given_probability():
    text = "one two three four five six"
    edited = [
        augment([text], "rs", 0.3, share, seed, synonyms)[0] != text for share in (0.3, 0.5) for seed in range(2000)
    ]
    # Both swaps can be of the same pair: one in 15 of the edited texts is as it was.
    assert np.mean(edited[:2000]) == pytest.approx(0.3 * 14 / 15, abs=0.04)
    assert np.mean(edited[2000:]) == pytest.approx(0.5 * 14 / 15, abs=0.045)


def test_more_texts_at_a_larger_share_and_among_them_the_others():
    texts = [f"text number {k} of many" for k in range(300)]
    changed = [
        {k for k, new in enumerate(augment(texts, "rd", 0.5, share, 1, synonyms)) if new != texts[k]}
        for share in (0.3, 0.5, 1.0)
    ]
    assert 0 < len(changed[0]) < len(changed[1]) < len(changed[2]) and changed[0] < changed[1] < changed[2]


def test_edits_depend_on_the_seed_and_the_text_alone():
    texts = ["a good film", "an odd plot and a good actor", "the good actor of a film"] * 4
    there = augment(texts, "ri", 0.5, 0.5, 3, synonyms)
    back = augment(texts[::-1], "ri", 0.5, 0.5, 3, synonyms)
    assert there == back[::-1] and there != augment(texts, "ri", 0.5, 0.5, 4, synonyms)
    swapped = augment(texts, "rs", 0.5, 0.5, 3, synonyms)
    assert [a != b for a, b in zip(there, texts)] != [a != b for a, b in zip(swapped, texts)]


def test_every_synonym_and_place_is_used():
    replaced = many("sr", 0.1)
    assert Counter(" ".join(words) for words in replaced).keys() >= {
        "a good movie with a good plot and one actor",
        "a good picture with a good plot and one actor",
        "a good film with a great plot and one actor",
    }
    inserted = many("ri", 0.1)
    assert {next(k for k, word in enumerate(words) if word in OWN) for words in inserted} == set(range(11))


def test_stop_words_and_unknown_words_stay():
    everything = lambda word: ("other",)  # noqa: E731
    assert augment(["The plot was THE best"], "sr", 1.0, 1.0, 0, everything) == ["The other was THE other"]
    assert augment(["the of and", "", "odd ."], "ri", 0.5, 1.0, 0, synonyms) == ["the of and", "", "odd ."]
    assert augment(["alone"], "rs", 0.5, 1.0, 0, synonyms) == ["alone"]


def test_bad_input():
    with pytest.raises(ValueError, match="unknown operation 'xx': use one of sr, ri, rs, rd"):
        augment(["a"], "xx", 0.3, 0.3, 0, synonyms)
    for strength, share in ((1.5, 0.3), (0.3, -0.1), (float("nan"), 0.3)):
        with pytest.raises(ValueError, match="strength and share must be from 0 to 1"):
            augment(["a"], "rd", strength, share, 0, synonyms)


def test_neighbours_are_those_with_the_largest_cosine():
    """Vectors in a plane, at angles from that of the first word; lengths do not count."""
    angles = np.radians([0, 10, -20, 30, 66, 67, 180, 40, -50, 60])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]) * np.arange(1, 11)[:, None]
    near = embedding_synonyms(list("abcdefghij"), vectors)
    assert near("a") == ("b", "c", "d", "h", "i")  # the nearest five
    assert near("g") == () and near("unknown") == ()
    assert embedding_synonyms(list("aef"), vectors[[0, 4, 5]])("a") == ("e",)  # cos 66 = 0.407, cos 67 = 0.391


def test_wordnet_gives_the_lemmas_of_all_meanings(monkeypatch):
    meanings = [("film", "movie", "motion_picture"), ("film", "plastic_film")]
    wordnet = SimpleNamespace(
        ensure_loaded=lambda: None,
        synsets=lambda word: [SimpleNamespace(lemma_names=lambda m=m: m) for m in meanings if word == "film"],
    )
    install(monkeypatch, wordnet)
    assert wordnet_synonyms()("film") == ("motion picture", "movie", "plastic film")
    assert wordnet_synonyms()("unheard") == ()


def test_without_wordnet_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk.corpus", None)
    with pytest.raises(LookupError, match="nltk is not installed: install nltk and run"):
        wordnet_synonyms()

    def absent():
        raise LookupError("Resource wordnet not found")

    install(monkeypatch, SimpleNamespace(ensure_loaded=absent))
    with pytest.raises(LookupError, match="data of nltk are not installed: .*nltk.downloader wordnet"):
        wordnet_synonyms()


def install(monkeypatch, wordnet):
    """A stand-in for nltk's reader of WordNet."""
    corpus = ModuleType("nltk.corpus")
    corpus.wordnet = wordnet
    monkeypatch.setitem(sys.modules, "nltk", ModuleType("nltk"))
    monkeypatch.setitem(sys.modules, "nltk.corpus", corpus)
