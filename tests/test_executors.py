"""Executors: every one of them gives the same records, computes nothing twice, and outlives its workers."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from weightspace import executors
from weightspace.executors import ExecutionError, Executor


@dataclass(frozen=True)
class Group:
    """What executors know of a group."""

    id: str
    folder: str
    name: str = "some_experiment"

    @property
    def label(self) -> str:
        return f"{self.name} {self.id}"


@dataclass(frozen=True)
class Outcome:
    state: str = "computed"
    runs: int = 2


def groups(folder: Path, number: int = 6) -> list[Group]:
    return [Group(f"group{i}", str(folder)) for i in range(number)]


def noted(group: Group, device: str) -> Outcome:
    """Leaves a file for every time it is called."""
    Path(group.folder, f"{group.id} {time.time_ns()} {os.getpid()} {device}").touch()
    return Outcome()


def names(folder: Path) -> list[str]:
    return sorted(file.name.split()[0] for file in folder.iterdir())


def troubled(group: Group, device: str) -> Outcome:
    """One group kills its worker, another one is somebody else's at first, and a third cannot be computed."""
    seen = names(Path(group.folder)).count(group.id)
    noted(group, device)
    if group.id == "group1" and seen == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if group.id == "group2" and seen < 2:
        return Outcome("busy", 0)
    if group.id == "group4":
        raise ZeroDivisionError("nothing to divide by")
    return Outcome()


def dies(group: Group, device: str) -> Outcome:
    os._exit(1)


@pytest.fixture(autouse=True)
def quickly(monkeypatch, tmp_path):
    monkeypatch.setattr(executors, "_WAIT", (0.05, 0.1))
    monkeypatch.setenv("WEIGHTSPACE_RESULTS", str(tmp_path / "results"))
    # What submitit starts has to find this module.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(Path(__file__).parent)]))


@pytest.fixture(scope="module")
def dask_cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture(params=["jobs", "dask", "slurm-here"])
def two_workers(request):
    if request.param == "jobs":
        return Executor(jobs=2)
    if request.param == "dask":
        return Executor(name="dask", scheduler=request.getfixturevalue("dask_cluster").scheduler_address)
    return Executor(name="slurm-here", jobs=2)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "calls"
    folder.mkdir()
    return folder


def test_every_group_is_computed_once_by_two_workers(two_workers, folder):
    reported = []
    assert two_workers.compute(groups(folder), noted, report=lambda *done: reported.append(done)) == 12
    assert names(folder) == [f"group{i}" for i in range(6)] and len(reported) == 6
    assert os.getpid() not in {int(file.name.split()[2]) for file in folder.iterdir()}


def test_trouble_costs_nothing_but_the_group_that_has_it(two_workers, folder, capfd):
    """Killed workers' groups are computed again, others' are waited for, errors come last and name their groups."""
    with pytest.raises(
        ExecutionError, match=r"^1 of 6 groups failed \(.*group4\).*ZeroDivisionError: nothing to divide"
    ):
        two_workers.compute(groups(folder), troubled)
    assert set(names(folder)) == {f"group{i}" for i in range(6)}
    assert names(folder).count("group1") == 2 and names(folder).count("group2") == 3
    assert "in troubled" in capfd.readouterr().err  # where it happened


def test_workers_that_always_die_end_in_an_error(folder, monkeypatch):
    monkeypatch.setattr(executors, "_DEATHS", 2)
    with pytest.raises(ExecutionError, match="workers died 2 times in a row.*use fewer --jobs"):
        Executor(jobs=2).compute(groups(folder), dies)
