"""Records survive killed processes, full disks, damage and each other."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightspace import records


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTSPACE_RESULTS", str(tmp_path))
    return tmp_path


def rows(*keys, value=1.0, turns=2):
    return pd.DataFrame(
        [
            {
                "dataset": "a",
                "method": key,
                "turn": turn,
                "value": value + turn,
                "run_key": key,
                "device": "cpu",
                "versions": "v",
                "data_digest": "d",
                "data_variant": "canonical",
                "seconds": 0.1,
                "time": "2026-01-01",
            }
            for key in keys
            for turn in range(turns)
        ]
    )


def test_what_is_written_is_read_back():
    assert records.append("e", "paper", rows("x", "y")) == 2
    frame = records.load("e")
    assert len(frame) == 4 and records.keys("e") == {"x", "y"}
    assert frame.attrs == {"experiment": "e", "scale": "paper"}
    assert set(records.PROVENANCE) < set(frame.columns)


def test_appending_keeps_and_replacing_exchanges():
    records.append("e", "paper", rows("x", "y"))
    assert records.append("e", "paper", rows("y", "z", value=5.0)) == 1
    frame = records.load("e").groupby("run_key")["value"].min()
    assert frame.to_dict() == {"x": 1.0, "y": 1.0, "z": 5.0}
    assert records.append("e", "paper", rows("y", value=7.0), replace=True) == 1
    frame = records.load("e")
    assert frame.groupby("run_key")["value"].min().to_dict() == {"x": 1.0, "y": 7.0, "z": 5.0}
    assert not frame.duplicated(["run_key", "turn"]).any()


def test_the_order_of_writing_does_not_change_the_file():
    records.append("one", "paper", rows("x"))
    records.append("one", "paper", rows("y"))
    records.append("two", "paper", rows("y"))
    records.append("two", "paper", rows("x"))
    assert records.path("one").read_bytes() == records.path("two").read_bytes()


def test_lists_of_numbers_come_back_as_they_were():
    """Eigenvalues, in rows of their own; the order of writing does not matter here either."""
    rng = np.random.default_rng(0)
    first, second = (rows(key).assign(eigenvalues=[None, rng.random(50, np.float32)]) for key in "xy")
    for name, parts in (("one", (first, second)), ("two", (second, first))):
        for part in parts:
            assert records.append(name, "laptop", part) == 1
    frame = records.load("one", "laptop")
    for row, (_, written) in zip(frame.itertuples(), pd.concat([first, second]).iterrows()):
        if written["eigenvalues"] is None:
            assert row.eigenvalues is None
        else:
            np.testing.assert_array_equal(row.eigenvalues, written["eigenvalues"], strict=True)
    assert records.path("one", "laptop").read_bytes() == records.path("two", "laptop").read_bytes()


def test_scales_are_apart():
    records.append("e", "quick", rows("x"))
    assert records.keys("e", "paper") == set()
    with pytest.raises(ValueError, match="unknown scale 'large'"):
        records.path("e", "large")


def test_missing_records_name_the_command():
    with pytest.raises(records.RecordError, match="python -m weightspace run nothing --scale paper"):
        records.load("nothing")


@pytest.mark.parametrize("damage", ["truncate", "flip", "text", "empty"])
def test_damage_is_found_and_named(damage):
    records.append("e", "paper", rows(*(f"run{k}" for k in range(50))))
    file = records.path("e")
    content = bytearray(file.read_bytes())
    if damage == "truncate":
        content = content[: len(content) // 2]
    elif damage == "flip":
        content[60] ^= 0xFF  # inside the first data page
    elif damage == "text":
        content = b"not a record"
    else:
        content = b""
    file.write_bytes(content)
    with pytest.raises(records.RecordError, match=r"e\.parquet is damaged .* delete it and compute it again"):
        records.load("e")
    with pytest.raises(records.RecordError):  # and it is not silently replaced by new rows
        records.append("e", "paper", rows("new"))
    assert file.read_bytes() == bytes(content)


def test_a_failed_write_changes_nothing(monkeypatch):
    records.append("e", "paper", rows("x"))
    before = records.path("e").read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.os, "fsync", full)
    with pytest.raises(records.RecordError, match="No space left on device.*unchanged"):
        records.append("e", "paper", rows("y"))
    assert records.path("e").read_bytes() == before
    assert sorted(p.name for p in records.path("e").parent.iterdir()) == ["e.parquet", "e.parquet.lock"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_cannot_be_written_is_named(results):
    results.chmod(0o500)
    with pytest.raises(records.RecordError, match="fix the permissions"):
        records.append("e", "paper", rows("x"))


def test_provenance_is_required():
    with pytest.raises(ValueError, match="lack the columns device, seconds"):
        records.append("e", "paper", rows("x").drop(columns=["device", "seconds"]))


def _append_many(first):
    for k in range(first, first + 15):
        records.append("shared", "paper", rows(f"run{k}"))


def test_processes_do_not_lose_each_others_rows():
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(15 * k,)) for k in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert records.keys("shared") == {f"run{k}" for k in range(45)}
    assert len(records.load("shared")) == 90


WRITER = """
import sys
sys.path.insert(0, {here!r})
from test_records import rows
from weightspace import records
k = 0
while True:
    records.append("killed", "paper", rows(f"run{{k}}", turns=200))
    print(k, flush=True)
    k += 1
"""


def test_killing_the_writer_at_any_point_loses_at_most_the_run_in_flight(results):
    rng = np.random.default_rng(0)
    code = WRITER.format(here=os.path.dirname(__file__))
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        said = writer.stdout.readline()  # at least one run is on record
        time.sleep(rng.uniform(0, 0.1))
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.read()
        writer.wait()
        writer.stdout.close()
        done = {f"run{line}" for line in said.split()}
        frame = records.load("killed")
        assert done <= set(frame["run_key"])
        assert (frame.groupby("run_key").size() == 200).all()  # no half runs
    records.append("killed", "paper", rows("after"))
    assert not list(records.path("killed").parent.glob(".*.draft"))  # leftovers are cleared by the next writer


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers() | st.floats(allow_nan=False) | st.text(), min_size=1))
def test_run_keys_depend_on_settings_not_on_their_order(configuration):
    key = records.run_key(configuration)
    assert key == records.run_key(dict(reversed(configuration.items())))
    assert key == records.run_key(json.loads(json.dumps(configuration)))
    assert key != records.run_key(configuration | {"z": 0})


def test_reading_leaves_a_trace_for_the_book(tmp_path, monkeypatch):
    trace = tmp_path / "trace"
    monkeypatch.setenv("WEIGHTSPACE_TRACE", str(trace))
    records.keys("absent")
    records.append("present", "quick", rows("x"))
    records.load("present", "quick")
    assert set(trace.read_text().splitlines()) == {
        str(records.path("absent").resolve()),
        str(records.path("present", "quick").resolve()),
    }
