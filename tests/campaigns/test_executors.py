"""Executors: every one of them gives the same records, computes nothing twice, and outlives its workers."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

import pandas as pd
import pytest

from weightspace import devices, experiments
from weightspace.__main__ import main
from weightspace.campaigns import computing as campaigns
from weightspace.campaigns import executors, parts, records
from weightspace.campaigns.executors import ExecutionError, Executor


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

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0") as cluster:
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


def test_every_group_is_computed_once_by_two_workers(folder):
    reported = []
    assert Executor(jobs=2).compute(groups(folder), noted, report=lambda *done: reported.append(done)) == 12
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


# The same with a true campaign.

CAMPAIGN = ("dual_noise", "quick")
"""Six groups of a third of a second."""
COMMAND = [sys.executable, "-m", "weightspace", "run", *CAMPAIGN[:1], "--scale", CAMPAIGN[1]]


@pytest.fixture(scope="module")
def serially(tmp_path_factory):
    """The records of a process that computes alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIGHTSPACE_RESULTS", str(tmp_path_factory.mktemp("serially")))
        executors.limit_threads(1)  # as workers have: their number is on record
        experiments.run(*CAMPAIGN, progress=False)
        return merged()


def merged() -> pd.DataFrame:
    """The merged file, in its order, without what no two runs have in common."""
    assert len(parts.files(records.parts_folder(*CAMPAIGN))) == len(campaigns.groups(*CAMPAIGN, recompute=True)) == 6
    experiments.merge(*CAMPAIGN)
    return pd.read_parquet(records.path(*CAMPAIGN)).drop(columns=["seconds", "time"])


def test_two_workers_leave_the_records_of_one(two_workers, serially):
    assert experiments.run(*CAMPAIGN, progress=False, executor=two_workers) == serially["run_key"].nunique()
    pd.testing.assert_frame_equal(merged(), serially, check_exact=True)
    assert experiments.run(*CAMPAIGN, progress=False, executor=two_workers) == 0


def test_two_processes_share_a_campaign(serially):
    processes = [subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    computed = [int(process.communicate()[0].split()[2]) for process in processes]
    assert sum(computed) == serially["run_key"].nunique()  # nothing twice
    pd.testing.assert_frame_equal(merged(), serially, check_exact=True)


def test_shards_are_disjoint_and_complete(serially):
    written = [experiments.run(*CAMPAIGN, progress=False, shard=f"{which}/4") for which in (3, 1, 4, 2)]
    assert sorted(written) == [4, 4, 8, 8] and sum(written) == serially["run_key"].nunique()
    pd.testing.assert_frame_equal(merged(), serially, check_exact=True)


def dies_with_a_lease(group: campaigns.Group, device: str, folder: str) -> campaigns.Outcome:
    try:
        Path(folder, "died").touch(exist_ok=False)
    except FileExistsError:
        return campaigns.compute_group(group, device)
    assert parts.Lease(records.parts_folder(group.name, group.scale), group.id).take()
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lease_of_a_killed_worker_is_taken_over(serially, folder):
    function = partial(dies_with_a_lease, folder=str(folder))
    written = Executor(jobs=2).compute(campaigns.groups(*CAMPAIGN), function)
    assert (folder / "died").exists() and written <= serially["run_key"].nunique()
    pd.testing.assert_frame_equal(merged(), serially, check_exact=True)


def test_an_interrupt_ends_the_workers(tmp_path):
    command = [sys.executable, "-m", "weightspace", "run", "dual_classification", "--scale", "quick", "--seeds", "200"]
    process = subprocess.Popen([*command, "--jobs", "2"], start_new_session=True, stderr=subprocess.PIPE, text=True)
    folder = records.parts_folder("dual_classification", "quick")
    until = time.monotonic() + 120
    while not parts.files(folder):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "interrupted: finished groups are on record" in error
    assert "Traceback" not in error
    with pytest.raises(ProcessLookupError):  # noqa: PT012 waits until nobody is left
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    left = campaigns.groups("dual_classification", "quick", seeds=200)
    assert 0 < len(left) < 40
    lease = parts.Lease(folder, left[0].id)
    assert lease.take()
    lease.release()


def test_one_worker_names_the_group_that_fails(monkeypatch, capsys):
    def fails(group, device, recompute):
        raise OSError("the disk is full")

    monkeypatch.setattr(campaigns, "compute_group", fails)
    assert main(["run", "dual_noise", "--scale", "quick"]) == 1
    assert "the disk is full, while computing dual_noise dataset=digits" in capsys.readouterr().err


def test_groups_are_dealt_out_evenly():
    for number in (1, 3, 7, 12):
        hands = executors.dealt(range(10), number)
        assert len(hands) == number and sorted(chain(*hands)) == list(range(10))
        assert max(map(len, hands)) - min(map(len, hands)) <= 1
    assert executors.shard("2/8") == (2, 8)


def test_workers_share_out_the_devices(folder, monkeypatch):
    """Two workers, two devices: each group on one that nobody else uses."""
    assert Executor(jobs=2).compute(groups(folder), slowly, "cuda:0,cuda:1") == 12
    calls = [file.name.split()[1:] for file in folder.iterdir()]
    spans = {device: sorted((int(end) - NAP, int(end)) for end, _, each in calls if each == device) for device in GPUS}
    assert all(spans.values())
    for own in spans.values():
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own))


GPUS, NAP = ("cuda:0", "cuda:1"), 200_000_000


def slowly(group: Group, device: str) -> Outcome:
    time.sleep(NAP / 1e9)
    return noted(group, device)


def test_devices_have_names_and_lists():
    import torch

    assert devices.listed("cuda:0, cuda:1") == devices.listed(["cuda:0", torch.device("cuda", 1)]) == GPUS
    assert devices.listed(torch.device("cpu")) == ("cpu",) and devices.listed("mps:0") == ("mps",)
    assert devices.kind("cuda:3") == devices.kind(torch.device("cuda")) == "cuda"
    assert Executor().workers("cuda:0,cuda:1") == 2 and Executor(jobs=4).workers("cuda:0,cuda:1") == 4


def test_a_cpu_needs_no_pytorch():
    code = "import sys; from weightspace import devices; devices.present('cpu'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "unknown device 'tpu': use cpu, cuda, a certain GPU such as cuda:1, or mps"),
        (["--device", "mps"], "runs on cpu or cuda, not on 'mps'"),
        (["--device", "cuda:2"], "no device 'cuda:2': PyTorch sees 2 GPUs, use cuda:0 to cuda:1"),
        (["--device", "cuda:0,cpu"], "use devices of one kind in a run, not cuda:0, cpu"),
        (["--device", "cuda:0,cuda:0"], "may be named twice in cuda:0, cuda:0: for several workers on one use --jobs"),
        (["--device", "cuda:0,cuda:1", "--jobs", "1"], "2 devices need at least 2 workers: use --jobs 2"),
        (["--device", "cuda:0,cuda:1", "--executor", "slurm"], "a task of slurm gets one GPU: use --device cuda"),
        (["--jobs", "0"], "jobs must be at least 1, got 0"),
        (["--executor", "dask"], "--executor dask needs --scheduler ADDRESS"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--executor dask needs --scheduler ADDRESS"),
        (["--executor", "dask", "--scheduler", "x", "--jobs", "2"], "Dask uses all workers of its scheduler"),
        (["--executor", "slurm"], "there is no Slurm on this machine"),
        (["--slurm", "time=60"], "--slurm needs --executor slurm"),
        (["--executor", "slurm", "--slurm", "time"], "--slurm needs NAME=VALUE, got 'time'"),
        (["--shard", "3/2"], "a shard is I/N with I from 1 to N, such as 2/8, got '3/2'"),
    ],
)
def test_options_that_cannot_be_are_clear_errors(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert main(["run", "dual_regression", "--scale", "quick", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1
    assert not records.parts_folder("dual_regression", "quick").exists()


@pytest.mark.parametrize("name", ["submitit", "distributed"])
def test_a_missing_package_is_named_with_the_remedy(name, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, name, None)
    options = {"submitit": ["--executor", "slurm"], "distributed": ["--executor", "dask", "--scheduler", "x:1"]}
    assert main(["run", "dual_noise", "--scale", "quick", *options[name]]) == 1
    assert (
        capsys.readouterr().err == f'error: {name} is not installed: `pip install "weightspace[cluster]"` brings it\n'
    )


def test_options_of_slurm_are_passed_on():
    """What submitit writes into the file for sbatch."""
    from submitit.slurm.slurm import _make_sbatch_string

    def text(options, jobs=None, gpu=False):
        chosen = executors.slurm_parameters(options, "dual_noise", jobs, gpu)
        chosen = {key.removeprefix("slurm_"): value for key, value in chosen.items()}
        return _make_sbatch_string(command="true", folder="logs", map_count=20, **chosen).splitlines()

    lines = text({"partition": "gpu", "time": 90, "reservation": "ours"}, jobs=8, gpu=True)
    for option in ("partition=gpu", "time=90", "reservation=ours", "requeue", "gpus-per-node=1", "array=0-19%8"):
        assert f"#SBATCH --{option}" in lines
    assert not any("gpus" in line for line in text({"gres": "gpu:a100:1"}, gpu=True) + text({}))


def preempted(group: Group, device: str) -> Outcome:
    seen = names(Path(group.folder)).count(group.id)
    noted(group, device)
    if group.id == "group3" and seen == 0:
        os.kill(os.getpid(), signal.SIGUSR2)  # as Slurm does some time before the end
        time.sleep(60)
    return Outcome()


def test_a_task_that_is_preempted_is_queued_again(folder, monkeypatch):
    monkeypatch.setattr(executors, "_DEATHS", 1)  # it is no death
    assert Executor(name="slurm-here", jobs=2).compute(groups(folder), preempted) == 12
    assert names(folder).count("group3") == names(folder).count("group1") == 2 and len(names(folder)) == 8


SBATCH = """
# Starts every task of an array on this machine, one after the other.
import os, re, subprocess, sys
script = open(sys.argv[1]).read()
count = int(re.search(r"--array=0-([0-9]+)%2", script)[1]) + 1
print("Submitted batch job 77", flush=True)
nowhere = os.open(os.devnull, os.O_RDWR)
for stream in (0, 1, 2):
    os.dup2(nowhere, stream)
if not os.fork():
    for task in range(count):
        ours = dict(SLURM_JOB_ID=str(100 + task), SLURM_ARRAY_JOB_ID="77", SLURM_ARRAY_TASK_ID=str(task))
        subprocess.run(["bash", "-c", script], env=os.environ | ours)
"""
SRUN = """
import os, sys
command = sys.argv[sys.argv.index("--error") + 2:]
os.execv(command[0], command)
"""


def test_slurm_gets_an_array_of_groups(folder, tmp_path, monkeypatch):
    """With stand-ins for the commands of Slurm; the same tasks as those of slurm-here."""
    (tmp_path / "bin").mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN)):
        script, command = tmp_path / f"{name}.py", tmp_path / "bin" / name
        script.write_text(text)
        # Not python itself in the first line: its path may hold a blank.
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(executors, "_TASKS", 2)
    executor = Executor(name="slurm", jobs=2, slurm={"partition": "fast"})
    assert executor.compute(groups(folder), noted) == 12
    assert names(folder) == [f"group{i}" for i in range(6)]
    assert "--partition=fast" in (tmp_path / "results/slurm/some_experiment/77/77_submission.sh").read_text()
