"""Verdicts as words: the sentence of a page says what its table says."""

import pandas as pd
import pytest

from weightspace.display.tables import common

SETS = ("raw", "folded", "scale-free")


def judged(*verdicts, beginning="like dropout, "):
    rows = [("A1o", beginning + name, verdict) for name, verdict in zip(SETS, verdicts, strict=True)]
    return pd.DataFrame(rows, columns=["claim", "method", "verdict"])


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (("supported",) * 3, "supported for all sets of metrics"),
        (
            ("supported", "supported", "undecided"),
            "supported for raw and folded metrics and undecided for scale-free ones",
        ),
        (
            ("undecided", "not supported", "mixed"),
            "mixed for scale-free metrics, not supported for folded ones and undecided for raw ones",
        ),
    ],
)
def test_a_sentence_names_every_verdict_once(verdicts, words):
    assert common.verdict_words(judged(*verdicts), "A1o", "like dropout, ", "metrics") == words


def test_comparisons_stand_in_brackets_where_they_have_no_unit():
    words = common.verdict_words(judged("supported", "undecided", "supported"), "A1o", "like dropout, ")
    assert words == "supported (raw, scale-free) and undecided (folded)"


def test_findings_that_do_not_count_are_left_out():
    table = pd.concat([judged(*["supported"] * 3), judged(*["mixed"] * 3, beginning="like weight decay, ")])
    assert common.verdict_words(table, "A1o", "like weight decay, ") == "mixed"


def test_a_claim_without_records_is_open():
    table = pd.DataFrame([("A1o", "", "open")], columns=["claim", "method", "verdict"])
    assert common.verdict_words(table, "A1o", "like dropout, ") == "open"
