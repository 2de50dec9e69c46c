"""Loading never mixes settings, merging gives the same file whatever the order, and the book is told what was read."""

import itertools
import json
import os

import numpy as np
import pandas as pd
import pytest
from record_rows import configuration, rows, write

from weightspace.campaigns import records

A, B, C = (configuration(name) for name in "abc")


pytestmark = pytest.mark.usefixtures("results")


def test_what_is_written_is_read_back_merged_or_not():
    assert write(A, B) == 2 and write(C, value=5.0) == 1
    frame = records.load("e", "quick")
    assert frame.attrs == {"experiment": "e", "scale": "quick"}
    assert set(records.PROVENANCE) < set(frame.columns) and (frame["rows"] == 2).all()
    assert records.keys("e", "quick") == {c.run_key for c in (A, B, C)}
    assert frame.groupby("method")["value"].min().to_dict() == {"a": 1.0, "b": 1.0, "c": 5.0}
    assert records.merge("e", "quick") == (3, 0, 2)
    assert records.number_of_parts("e", "quick") == 0 and not records.parts_folder("e", "quick").exists()
    pd.testing.assert_frame_equal(records.load("e", "quick"), frame, check_categorical=False)
    assert records.merge("e", "quick") == (3, 0, 0)


def test_the_merged_file_does_not_depend_on_the_order():
    """Parts in any order, merged in one go or after each, groups cut in any way."""
    wanted = None
    for order in itertools.permutations([[A], [B], [C]]):
        for parts, each in ((order, True), ([order[0] + order[1], order[2]], False)):
            for part in parts:
                write(*part)
                if each:
                    records.merge("e", "quick")
            records.merge("e", "quick")
            content = records.path("e", "quick").read_bytes()
            wanted = wanted or content
            assert content == wanted
            records.path("e", "quick").unlink()


def test_lists_of_numbers_survive_merging():
    """Eigenvalues, in rows of their own; a part without any has a column all the same."""
    rng = np.random.default_rng(0)
    lists = {c.method: [None, rng.random(50, np.float32)] for c in (A, B)} | {"c": [None, None]}
    for c in (C, B, A):
        frame = rows(c)
        records.write_part("e", "laptop", c.method, frame.assign(eigenvalues=lists[c.method]))
    records.merge("e", "laptop")
    for row in records.load("e", "laptop").itertuples():
        wanted = lists[row.method][row.turn]
        if wanted is None:
            assert row.eigenvalues is None
        else:
            np.testing.assert_array_equal(row.eigenvalues, wanted, strict=True)


def test_a_run_that_is_computed_anew_takes_the_place_of_the_old_one():
    write(A, B)
    records.merge("e", "quick")
    write(B, C, value=5.0, group="other")
    minima = {"a": 1.0, "b": 5.0, "c": 5.0}
    assert records.load("e", "quick").groupby("method")["value"].min().to_dict() == minima
    write(B, value=7.0, group="another", time="2026-01-02T00:00:00+00:00")
    assert records.load("e", "quick").groupby("method")["value"].min().to_dict() == minima | {"b": 7.0}
    assert records.merge("e", "quick") == (3, 0, 2)
    assert records.load("e", "quick").groupby("method")["value"].min().to_dict() == minima | {"b": 7.0}
    assert (records.load("e", "quick").groupby("run_key").size() == 2).all()


def test_merging_drops_what_is_not_to_be_kept():
    write(A, B)
    assert records.merge("e", "quick", lambda runs: set(runs["run_key"]) - {A.run_key}) == (1, 1, 1)
    assert set(records.load("e", "quick")["method"]) == {"b"}
    assert records.merge("e", "quick", lambda runs: []) == (0, 1, 0)
    assert not records.exists("e", "quick")


def test_a_merge_that_was_killed_is_taken_up_again(monkeypatch):
    """Between writing the file and deleting the parts both are there: nothing is doubled."""
    write(A)
    write(B)
    with monkeypatch.context() as patch:
        patch.setattr(records.parts, "remove", lambda *_: None)
        records.merge("e", "quick")
    content = records.path("e", "quick").read_bytes()
    assert records.number_of_parts("e", "quick") == 2 and len(records.load("e", "quick")) == 4
    assert records.merge("e", "quick") == (2, 0, 2)
    assert records.path("e", "quick").read_bytes() == content and records.number_of_parts("e", "quick") == 0


def test_scales_are_apart():
    write(A)
    assert records.keys("e", "paper") == set()
    with pytest.raises(ValueError, match="unknown scale 'large'"):
        records.path("e", "large")


def test_missing_records_name_the_command():
    with pytest.raises(records.RecordError, match="python -m weightspace run nothing --scale paper"):
        records.load("nothing")


# --- settings


def with_changes(method, **changes):
    write(configuration(method, **changes), changed=json.dumps(changes, sort_keys=True), group=f"{method}{changes}")


def test_runs_with_other_settings_are_never_mixed():
    write(A, B)
    assert "lr" not in records.load("e", "quick")
    with_changes("a", lr=0.2)
    with_changes("b", lr=0.2)
    with_changes("a", lr=0.3)
    with pytest.raises(records.RecordError, match=r"different settings \(lr: 0.1, 0.2, 0.3\).*lr=\.\.\."):
        records.load("e", "quick")
    everything = records.everything("e", "quick")
    assert everything["lr"].value_counts().to_dict() == {0.1: 4, 0.2: 4, 0.3: 2} and everything["lr"].dtype == float
    for value, methods in ((0.1, {"a", "b"}), (0.2, {"a", "b"}), (0.3, {"a"})):
        frame = records.load("e", "quick", lr=value)
        assert set(frame["method"]) == methods and set(frame["lr"]) == {value}
    with pytest.raises(records.RecordError, match="no run on record with lr = 0.4; on record: 0.1, 0.2, 0.3"):
        records.load("e", "quick", lr=0.4)
    assert set(records.load("e", "quick", lr=0.2, method="a")["method"]) == {"a"}
    with pytest.raises(records.RecordError, match="different settings"):  # chooses, but not between the changes
        records.load("e", "quick", method="a")
    records.merge("e", "quick")
    assert len(records.load("e", "quick", lr=0.2)) == 4


def test_settings_are_compared_by_value():
    with_changes("a", sizes=(1, 2), on=True)
    assert len(records.load("e", "quick", sizes=(1, 2), on=True)) == 2
    with pytest.raises(records.RecordError, match="on = 1; on record: true"):
        records.load("e", "quick", on=1)
    with pytest.raises(records.RecordError, match='nothing = "x"; on record: not set'):
        records.load("e", "quick", nothing="x")


def test_a_change_that_the_configuration_does_not_have_is_a_setting_too():
    """Runs that are computed from others with changes: of the planned ones it is not known here what they had."""
    write(configuration("a", parent="p"))
    write(configuration("a", parent="q"), changed='{"width":4}')
    with pytest.raises(records.RecordError, match=r"\(width: 4, not set\)"):
        records.load("e", "quick")
    assert len(records.load("e", "quick", width=4)) == len(records.load("e", "quick", width=None)) == 2


# --- keys, caches, trace


def test_the_state_changes_with_every_write_and_merge():
    states = [records.state("e", "quick")]
    for step in (lambda: write(A), lambda: write(B), lambda: records.merge("e", "quick")):
        assert records.state("e", "quick") == states[-1]
        step()
        states.append(records.state("e", "quick"))
    assert len(set(states)) == 4


def test_reading_leaves_a_trace_for_the_book(tmp_path, monkeypatch):
    trace = tmp_path / "trace"
    monkeypatch.setenv("WEIGHTSPACE_TRACE", str(trace))
    records.keys("absent")
    assert not records.path("tested_for", "laptop").exists()
    write(A)
    records.load("e", "quick")
    (part,) = records.parts.files(records.parts_folder("e", "quick"))
    places = [f(*at) for at in (("absent",), ("e", "quick")) for f in (records.path, records.parts_folder)]
    places += [records.path("tested_for", "laptop"), part]
    assert set(trace.read_text().splitlines()) == {str(place.resolve()) for place in places}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_cannot_be_written_is_named(results):
    results.chmod(0o500)
    for attempt in (lambda: write(A), lambda: records.probe("quick"), lambda: records.merge("e", "quick")):
        with pytest.raises(records.RecordError, match="fix the permissions"):
            attempt()
