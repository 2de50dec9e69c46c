"""A record file proves itself whole: whatever happens to its bytes is found, and what is in it makes sense."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from record_rows import configuration, rows

from weightspace.campaigns import record_files, record_tables, records

pytestmark = pytest.mark.usefixtures("results")


def with_rows(frame):
    return frame.assign(rows=frame.groupby("run_key")["run_key"].transform("size"))


def many():
    return with_rows(rows(*(configuration(f"m{k}") for k in range(40)), turns=5))


def put(frame, experiment="e", scale="quick", said=None, file=None):
    """A file with a valid digest, whatever is in it."""
    table = record_tables.from_frame(frame)
    about = record_tables.about(table, experiment, scale) | (said or {})
    record_files.write(file or records.path("e", "quick"), table, about)


def test_a_file_is_one_that_any_reader_opens():
    put(many())
    plain = pd.read_parquet(records.path("e", "quick"))
    pd.testing.assert_frame_equal(plain, records.load("e", "quick").astype(plain.dtypes))


def test_the_same_table_gives_the_same_bytes_and_lists_come_back():
    rng = np.random.default_rng(0)
    frame = many()
    frame["eigenvalues"] = [None if k % 3 else rng.random(7, np.float32) for k in range(len(frame))]
    table = record_tables.from_frame(frame)
    content = record_files.to_bytes(table, {"form": 1})
    assert content == record_files.to_bytes(record_tables.from_frame(frame.copy()), {"form": 1})
    back, about = record_files.from_bytes(content, records.path("e"))
    assert about == {"form": 1}
    for written, read in zip(frame["eigenvalues"], back["eigenvalues"].to_pandas(), strict=True):
        assert read is None if written is None else np.array_equal(written, read) and read.dtype == np.float32


def expect_refusal(file, content):
    file.write_bytes(content)
    with pytest.raises(records.RecordError, match=r"e\.parquet"):
        records.load("e", "quick")
    with pytest.raises(records.RecordError, match=r"e\.parquet"):
        records.merge("e", "quick")


def test_every_flipped_bit_is_found():
    """At random all over the file, and every bit of what proves it whole: none is silent, none another exception."""
    put(many())
    file = records.path("e", "quick")
    whole = file.read_bytes()
    rng = np.random.default_rng(1)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    places = [*rng.integers(8 * footer, size=250), *rng.integers(8 * footer, 8 * len(whole), size=250)]
    proof = whole.rindex(b"sha256 of this file")
    places += range(8 * proof, 8 * (proof + 105))
    for place in places:
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        expect_refusal(file, bytes(content))
    file.write_bytes(whole)
    assert len(records.load("e", "quick")) == 200


def test_every_missing_or_added_byte_is_found():
    put(many())
    file = records.path("e", "quick")
    whole = file.read_bytes()
    rng = np.random.default_rng(2)
    for length in [0, 1, 4, len(whole) - 1, *rng.integers(len(whole), size=60)]:
        expect_refusal(file, whole[:length])
    for place in rng.integers(len(whole), size=20):
        expect_refusal(file, whole[:place] + b"\0" + whole[place:])
    for content in (whole + b"\0", whole + whole, b"\0" + whole, b"not a record", b"PAR1" * 10):
        expect_refusal(file, content)


def without(name):
    return lambda frame: frame.drop(columns=name)


def doubled(frame):
    return with_rows(pd.concat([frame, frame.iloc[[7]]]).drop(columns="rows"))


def relabelled(frame):
    return frame.assign(configuration=frame["configuration"].str.replace('"lr":0.1', '"lr":0.2'))


def of_another_experiment(frame):
    other = [configuration(f"m{k}", experiment="other") for k in range(40)]
    return with_rows(rows(*other, turns=5))


WRONG = {
    "a column is missing": (without("device"), "lacks the columns device"),
    "no values": (without("value"), "lacks the columns value"),
    "no keys": (without("run_key"), "run_key"),
    "text for numbers": (lambda f: f.assign(value=f["value"].astype(str)), "column value holds string"),
    "numbers for text": (lambda f: f.assign(versions=1), "column versions holds int64"),
    "fractions for seeds": (lambda f: f.assign(seed=f["seed"] + 0.5), "column seed holds double"),
    "a row twice": (doubled, "has a row twice"),
    "a row twice, as counted": (lambda f: pd.concat([f, f.iloc[[7]]]), "has 6 rows of 5"),
    "half a run": (lambda f: f.iloc[:-1], "has 4 rows of 5"),
    "no value": (lambda f: f.assign(value=f["value"].where(f.index != 11)), "column value has a row without"),
    "no turn": (lambda f: f.assign(turn=f["turn"].astype(float).where(f.index != 11)), "column turn has a row without"),
    "no text": (lambda f: f.assign(method=f["method"].where(f.index != 11)), "column method has a row without"),
    "settings that are not those of the key": (relabelled, "is not the key of its configuration"),
    "runs of another experiment": (of_another_experiment, "is not of e"),
    "no rows": (lambda f: f.iloc[:0], "no rows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_record_is_named_with_a_remedy(case):
    spoil, message = WRONG[case]
    put(spoil(many()))
    with pytest.raises(records.RecordError, match=message) as found:
        records.load("e", "quick")
    assert "git checkout -- e.parquet" in str(found.value) and "weightspace run e --scale quick" in str(found.value)


@pytest.mark.parametrize("said", [{"experiment": "other"}, {"scale": "paper"}, {"form": 2}, {"columns": {}}])
def test_a_file_in_the_place_of_another_is_found(said):
    put(many(), said=said)
    with pytest.raises(records.RecordError, match=r"git checkout -- e\.parquet"):
        records.load("e", "quick")
    with pytest.raises(records.RecordError, match=r"git checkout -- e\.parquet"):
        records.keys("e", "quick")


def test_a_file_that_says_nothing_of_itself_is_found():
    record_files.write(records.path("e", "quick"), record_tables.from_frame(many()), [])
    with pytest.raises(records.RecordError, match="says nothing"):
        records.load("e", "quick")


def test_a_bad_part_is_named_beside_a_good_file():
    put(many())
    bad = with_rows(rows(configuration("new"), turns=5)).iloc[:-1]
    part = records.parts_folder("e", "quick") / "group.digest.parquet"
    put(bad, file=part)
    with pytest.raises(records.RecordError, match=r"group\.digest\.parquet .* has 4 rows of 5.*delete it and compute"):
        records.load("e", "quick")
    part.unlink()
    records.load("e", "quick")


def test_columns_of_other_types_in_other_files_are_found():
    put(many())
    other = with_rows(rows(configuration("new"), turns=5)).assign(turn=list("abcde"))
    put(other, file=records.parts_folder("e", "quick") / "group.digest.parquet")
    with pytest.raises(records.RecordError, match="turn"):
        records.load("e", "quick")


def test_a_file_without_a_digest_is_none_of_the_records():
    file = records.path("e", "quick")
    file.parent.mkdir()
    many().to_parquet(file)
    with pytest.raises(records.RecordError, match="it states no digest"):
        records.load("e", "quick")


def test_what_cannot_be_stored_is_an_error_of_the_record():
    with pytest.raises(record_tables.NotARecord, match="column odd cannot be stored"):
        record_tables.from_frame(many().assign(odd=[object()] * 200))


def test_a_failed_write_changes_nothing(monkeypatch):
    put(many())
    before = records.path("e", "quick").read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_files.os, "fsync", full)
    with pytest.raises(records.RecordError, match="No space left on device.*unchanged"):
        put(many().iloc[:5])
    assert records.path("e", "quick").read_bytes() == before
    assert [p.name for p in records.path("e", "quick").parent.iterdir()] == ["e.parquet"]
    with pytest.raises(records.RecordError, match="No space left on device"):
        records.probe("quick")
    assert [p.name for p in records.path("e", "quick").parent.iterdir()] == ["e.parquet"]


def test_order_does_not_depend_on_the_order_of_computing():
    table = record_tables.from_frame(many())
    shuffled = table.take(pa.array(np.random.default_rng(3).permutation(len(table))))
    assert record_tables.in_order(shuffled).equals(record_tables.in_order(table))
    assert not shuffled.equals(table)
