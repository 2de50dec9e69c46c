"""Workers add to a campaign without getting into each other's way, and may die at any time."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from record_rows import Example, configuration, rows

from weightspace import experiments
from weightspace.campaigns import computing, parts, records, registry
from weightspace.campaigns.configuration import STRICT, dataclass

GROUPS, RUNS, TURNS = 12, 3, 4


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTSPACE_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


def plan(scale, seeds):
    return [configuration(f"m{k}", seed) for k in range(GROUPS) for seed in range(seeds)]


@pytest.fixture
def campaign(tmp_path, monkeypatch):
    """An experiment that takes a moment and notes whatever it starts to compute."""
    log = tmp_path / "log"
    log.touch()

    def compute(group, device):
        with log.open("a") as stream:
            stream.write(f"{group[0].method}\n")
        time.sleep(0.002)
        frame = rows(*group, turns=TURNS)
        return frame[["method", "seed", "turn", "value", "run_key", "data_digest", "data_variant"]]

    experiment = experiments.Experiment("e", "", {"quick": RUNS}, plan, ("method",), compute)
    monkeypatch.setattr(registry, "registry", lambda: {"e": experiment})
    computing.provenance.revision()  # asks git, once per process
    monkeypatch.setattr(computing.provenance, "now", lambda: "2026-01-01T00:00:00+00:00")
    monkeypatch.setattr(computing.time, "perf_counter", lambda: 0.0)
    return log


def worker(order):
    """A process that computes the whole campaign, groups in this order; a fork, because starting Python takes long."""
    process = os.fork()
    if process:
        return process
    try:
        groups = computing.groups("e", "quick")
        computing.compute_all([groups[k % len(groups)] for k in order][: len(groups)] if groups else [], "cpu")
    finally:
        os._exit(0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class OnData(Example):
    dataset: str = "mnist"


def on_mnist(c):
    return OnData(experiment="e", protocol=1, method=c.method, seed=c.seed)


def whole(frame):
    return len(frame) == GROUPS * RUNS * TURNS and (frame.groupby("run_key").size() == TURNS).all()


def test_a_campaign_fills_its_parts_and_computes_nothing_twice(campaign):
    groups = computing.groups("e", "quick")
    assert [len(g.configurations) for g in groups] == [RUNS] * GROUPS and len({g.id for g in groups}) == GROUPS
    assert computing.compute_group(groups[3]) == computing.Outcome("computed", RUNS, 0.0)
    assert computing.compute_group(groups[3]) == computing.Outcome("on record", 0, 0.0)
    assert experiments.run("e", "quick", progress=False) == (GROUPS - 1) * RUNS
    assert experiments.run("e", "quick", progress=False) == 0 == len(computing.groups("e", "quick"))
    assert len(campaign.read_text().split()) == GROUPS
    assert whole(records.load("e", "quick")) and records.number_of_parts("e", "quick") == GROUPS
    assert computing.compute_group(groups[3], recompute=True).runs == RUNS
    assert whole(records.load("e", "quick")) and records.number_of_parts("e", "quick") == GROUPS


def test_only_the_missing_runs_of_a_group_are_computed(campaign):
    assert experiments.run("e", "quick", seeds=1, progress=False) == GROUPS
    assert experiments.run("e", "quick", progress=False) == GROUPS * (RUNS - 1)
    assert whole(records.load("e", "quick")) and records.number_of_parts("e", "quick") == 2 * GROUPS
    ids = [{g.id for g in computing.groups("e", "quick", seeds, recompute=True)} for seeds in (1, None)]
    assert ids[0] == ids[1]  # the same lease, whichever runs are missing
    changed = computing.groups("e", "quick", changes={"lr": 0.2})
    assert not ids[0] & {g.id for g in changed} and {g.changes for g in changed} == {'{"lr":0.2}'}


def test_rows_of_other_runs_are_refused(campaign):
    first, second, *_ = experiments.planned("e", "quick").values()
    with pytest.raises(records.RecordError, match="returned other runs than those it was given"):
        experiments.record("e", "quick", [first], rows(second))
    with pytest.raises(records.RecordError, match="no record of e at scale quick: column value has a row without"):
        experiments.record("e", "quick", [first], rows(first, value=np.nan))
    assert not records.exists("e", "quick")
    assert experiments.record("e", "quick", [first, second], rows(first, second)) == 2


def test_two_processes_share_the_work_and_the_file_is_that_of_one(campaign):
    experiments.run("e", "quick", progress=False)
    records.merge("e", "quick")
    alone = records.path("e", "quick").read_bytes()
    records.path("e", "quick").unlink()
    campaign.write_text("")
    workers = [worker(range(GROUPS)), worker(range(GROUPS - 1, -1, -1)), worker(range(3, GROUPS + 3))]
    for process in workers:
        assert os.waitpid(process, 0)[1] == 0
    assert sorted(campaign.read_text().split()) == sorted(f"m{k}" for k in range(GROUPS))
    records.merge("e", "quick")
    assert records.path("e", "quick").read_bytes() == alone


def start_afresh():
    for file in [records.path("e", "quick"), *parts.files(records.parts_folder("e", "quick"))]:
        file.unlink(missing_ok=True)


def test_a_hundred_killed_workers_lose_nothing_but_the_group_in_flight(campaign):
    """Killed at random times; what was on record stays, no part is half, and the next worker goes on at once."""
    rng = np.random.default_rng(4)
    kept, kills, cut = set(), 0, 0
    began = time.monotonic()
    os.waitpid(worker(range(GROUPS)), 0)
    campaign_s = time.monotonic() - began
    start_afresh()
    while kills < 100:
        process = worker(rng.permutation(GROUPS))
        time.sleep(rng.uniform(0, campaign_s / 5))
        os.kill(process, signal.SIGKILL)
        kills += os.waitpid(process, 0)[1] == signal.SIGKILL
        now = records.keys("e", "quick")
        cut += kept < now
        assert kept <= now
        if now:
            frame = records.load("e", "quick")
            assert set(frame["run_key"]) == now and (frame.groupby("run_key").size() == TURNS).all()
        kept = now
        if rng.random() < 0.2:
            records.merge("e", "quick")
        if not computing.groups("e", "quick"):  # the next campaign
            start_afresh()
            kept = set()
    assert cut > 10  # workers got somewhere
    campaign.write_text("")
    experiments.run("e", "quick", progress=False)
    assert whole(records.load("e", "quick"))
    started = campaign.read_text().split()
    assert len(started) == len(set(started))
    records.merge("e", "quick")
    left = {path.name for path in records.path("e", "quick").parent.iterdir()}
    assert left <= {"e.parquet", "e.parquet.lock"}


def test_a_part_costs_the_same_in_a_large_campaign(campaign):
    """One group more where there are a few, and where there are 3,000: as many files are opened."""
    groups = computing.groups("e", "quick")
    computing.compute_group(groups[0])
    (part,) = parts.files(records.parts_folder("e", "quick"))
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple) -> None:  # an audit hook stays until the process ends
        if watching and event == "open":
            opened.append(str(arguments[0]))

    def cost(group):
        opened.clear()
        assert computing.compute_group(group).state == "computed"
        return len(opened)

    sys.addaudithook(watch)
    few = cost(groups[1])
    for k in range(3000):
        os.link(part, part.with_name(f"{k:016x}.{k:016x}.parquet"))
    many = cost(groups[2])
    watching = False
    assert 0 < many <= few + 2


# --- leases


def test_a_lease_has_one_holder(results):
    first, second = parts.Lease(results, "g"), parts.Lease(results, "g")
    assert first.take() and not second.take()
    first.release()
    assert second.take() and not first.take() and parts.Lease(results, "other").take()
    second.release()


def test_a_busy_group_is_waited_for(campaign, monkeypatch):
    groups = computing.groups("e", "quick")
    lease = parts.Lease(records.parts_folder("e", "quick"), groups[0].id)
    assert lease.take()
    assert computing.compute_group(groups[0]).state == "busy"
    with pytest.raises(records.RecordError, match="another process computes these runs"):
        experiments.record("e", "quick", groups[0].configurations, rows(*groups[0].configurations))
    monkeypatch.setattr(computing.time, "sleep", lambda seconds: lease.release())
    assert computing.compute_all(groups) == GROUPS * RUNS
    assert campaign.read_text().split()[-1] == "m0"


def test_a_lease_of_another_machine_lasts_while_it_is_renewed(results, monkeypatch):
    """Where locks do not reach: no lock is held here, but the file says that somebody elsewhere has the group."""
    lease = parts.Lease(results, "g")
    assert lease.take()
    lease.release()
    lease.file.write_text("elsewhere")
    assert not lease.take()
    past = time.time() - parts.EXPIRES_S - 5
    os.utime(lease.file, (past, past))
    assert lease.take()
    lease.release()
    monkeypatch.setattr(parts, "HEARTBEAT_S", 0.01)
    os.utime(lease.file, (past, past))
    assert lease.take()
    os.utime(lease.file, (past, past))
    deadline = time.monotonic() + 10
    while lease.file.stat().st_mtime < past + 60:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lease.release()


def test_file_systems_without_locks_are_told_by_the_time_of_the_file(results, monkeypatch):
    def unsupported(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(parts.fcntl, "flock", unsupported)
    lease = parts.Lease(results, "g")
    assert lease.take()
    monkeypatch.setattr(parts.platform, "node", lambda: "elsewhere")
    assert not parts.Lease(results, "g").take()
    lease.release()
    assert parts.Lease(results, "g").take()


def test_merging_leaves_the_folder_to_those_who_compute(campaign):
    groups = computing.groups("e", "quick")
    computing.compute_group(groups[0])
    lease = parts.Lease(records.parts_folder("e", "quick"), groups[1].id)
    assert lease.take()
    records.merge("e", "quick")
    assert lease.file.exists()
    assert computing.compute_group(groups[1]).state == "busy"
    lease.release()
    computing.compute_group(groups[2])
    records.merge("e", "quick")
    assert not Path(records.parts_folder("e", "quick")).exists()


# --- early failures


def test_what_can_fail_late_fails_before_anything_is_computed(campaign, results, monkeypatch):
    results.write_text("a file in the place of the folder")
    with pytest.raises(records.RecordError, match="fix the permissions"):
        experiments.run("e", "quick", progress=False)
    results.unlink()
    with pytest.raises(ValueError, match="runs on cpu, not on 'cuda'"):
        experiments.run("e", "quick", device="cuda", progress=False)
    with_data = replace(experiments.get("e"), configurations=lambda *at: [on_mnist(c) for c in plan(*at)])
    monkeypatch.setattr(registry, "registry", lambda: {"e": with_data})
    monkeypatch.setenv("WEIGHTSPACE_DATA", str(results.parent / "nowhere"))
    with pytest.raises(computing.data.DataError, match="WEIGHTSPACE_DATA"):
        experiments.run("e", "quick", progress=False)
    assert not campaign.read_text()
    assert json.loads(computing.groups("e", "quick")[0].changes) == {}
