"""Who computes the groups of a campaign: worker processes, a Dask cluster, or tasks of Slurm.

The engines are joblib, Dask and submitit. None of them needs to be trusted with a result: a worker writes what it has
computed under a lease of its own (see ``computing``), so that a group that is handed out twice is computed once, and a
campaign goes on after whatever has ended a worker.

Every worker computes one group at a time with one thread, because many small problems are faster side by side than
each of them spread over the cores.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from weightspace import devices, extras
from weightspace.campaigns import records

if TYPE_CHECKING:
    from weightspace.campaigns.computing import Group, Outcome

EXECUTORS = ("local", "dask", "slurm", "slurm-here")
"""local: processes on this machine. dask: the workers of a Dask scheduler. slurm: tasks of Slurm. slurm-here: the same
tasks as processes on this machine, to try it."""

_DEATHS = 3
"""Workers that may die in a row, nothing being finished in between, before a campaign gives up."""
_WAIT = (1.0, 30.0)
"""Seconds between two looks at groups that somebody else computes: the first, and the longest."""
_LEASE_SECONDS = 150
"""After a worker on another machine has died, its lease lasts no longer."""
_FILE_SECONDS = 15
"""What another machine has written is visible here after so long, if ever."""
_TASKS = 1000
"""Tasks in an array of Slurm, whose usual limit is 1,001."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

Look = Callable[["Sequence[Group]"], "Mapping[str, Outcome]"]
"""Of the groups that it is given, the outcomes of those that are on record, by id."""

_one_at_a_time = threading.Lock()


class ExecutionError(RuntimeError):
    """Some groups could not be computed; the message names them. Everything else is on record."""


@dataclass(frozen=True)
class Finished:
    """What came of a group: its outcome, or the error that computing it raised, or neither if the worker died."""

    group: Group
    outcome: Outcome | None = None
    error: str = ""
    trace: str = ""


def _environment() -> dict[str, str]:
    """What tells every worker to read and write where this process does."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("WEIGHTSPACE_")}
    return ours | {"WEIGHTSPACE_RESULTS": str(records.folder().resolve())}


@dataclass(frozen=True)
class Work:
    """What a worker does with a group. It is sent to the workers, together with the settings of this process.

    function(group, device) computes a group. With several devices a worker takes one that no other is using; the file
    locks in ``locks`` say which these are. threads: what each library that computes may start.
    """

    function: Callable[[Group, str], Outcome]
    devices: tuple[str, ...] = ("cpu",)
    locks: str = ""
    threads: int = 1
    environment: Mapping[str, str] = field(default_factory=_environment)

    def __call__(self, group: Group) -> Finished:
        with _one_at_a_time:  # two groups in one process would share random numbers and caches
            os.environ.update(self.environment)
            limit_threads(self.threads)
            with self._device() as device:
                try:
                    return Finished(group, self.function(group, device))
                except Exception as error:
                    return Finished(group, None, f"{type(error).__name__}: {error}", traceback.format_exc())

    @contextmanager
    def _device(self) -> Iterator[str]:
        if len(self.devices) == 1:
            yield self.devices[0]
            return
        while True:
            for number, device in enumerate(self.devices):
                lock = FileLock(Path(self.locks, str(number)))
                try:
                    with lock.acquire(timeout=0):
                        yield device
                        return
                except Timeout:
                    continue
            time.sleep(0.05)


def limit_threads(number: int) -> None:
    """Let the libraries that compute in this process start so many threads, whether they are loaded yet or not."""
    numba = sys.modules.get("numba")
    # Once its threads run, numba takes another number in its variable for an error.
    names = [name for name in _THREADS if numba is None or not name.startswith("NUMBA")]
    os.environ.update(dict.fromkeys(names, str(number)))
    threadpool_limits(number)
    if numba is not None:
        numba.set_num_threads(min(number, numba.config.NUMBA_NUM_THREADS))
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(number)


def dealt(items: Sequence[Any], number: int) -> list[list[Any]]:
    """The items as if dealt out like cards to ``number`` players: disjoint, complete, and the same every time."""
    return [list(items[first::number]) for first in range(number)]


def shard(text: str) -> tuple[int, int]:
    """(which, of how many) from a text such as "2/8"; ``ValueError`` for any other."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"a shard is I/N with I from 1 to N, such as 2/8, got {text!r}")
    return int(found[1]), int(found[2])


class _Patience:
    """Waits while nothing is finished, longer and longer, and gives up where workers die time and again."""

    def __init__(self) -> None:
        self._deaths, self._seconds = 0, _WAIT[0]

    def wait(self, again: Sequence[Finished]) -> None:
        """``ExecutionError`` if among the groups that are left some have now lost their worker too often in a row."""
        self._deaths += any(finished.outcome is None for finished in again)
        if self._deaths == _DEATHS:
            raise ExecutionError(
                f"workers died {_DEATHS} times in a row, the last ones at {again[0].group.label}: "
                "if the machine is short of memory, use fewer --jobs; what was finished is on record"
            )
        time.sleep(self._seconds)
        self._seconds = min(2 * self._seconds, _WAIT[1])


def _failed(failures: list[Finished], groups: Sequence[Group]) -> ExecutionError:
    """The error that names the groups in their order; what the first one raised is printed."""
    order = {group.id: position for position, group in enumerate(groups)}
    first, *_ = failures = sorted(failures, key=lambda finished: order[finished.group.id])
    print(first.trace, file=sys.stderr)
    names = ", ".join(finished.group.label for finished in failures[:5])
    more = f" and {len(failures) - 5} more" if len(failures) > 5 else ""
    return ExecutionError(
        f"{len(failures)} of {len(groups)} groups failed ({names}{more}), the first with {first.error}; "
        "everything else is on record"
    )


@dataclass(frozen=True, kw_only=True)
class Executor:
    """Where groups are computed, and by how many workers.

    name: one of ``EXECUTORS``. jobs: the number of workers, by default one for each device; for Slurm the tasks that
    may run at the same time. scheduler: the address of Dask's. slurm: options of sbatch by name, such as
    {"partition": "gpu", "time": 60}. ``ValueError`` for options that do not go together.
    """

    name: str = "local"
    jobs: int | None = None
    scheduler: Any = None
    slurm: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in EXECUTORS:
            raise ValueError(f"unknown executor {self.name!r}: use one of {', '.join(EXECUTORS)}")
        if self.jobs is not None and self.jobs < 1:
            raise ValueError(f"jobs must be at least 1, got {self.jobs}")
        if (self.name == "dask") != (self.scheduler is not None):
            raise ValueError(
                "--executor dask needs --scheduler ADDRESS, as `dask scheduler` prints it; others have none"
            )
        if self.name == "dask" and self.jobs is not None:
            raise ValueError("--jobs is for this machine and for Slurm: Dask uses all workers of its scheduler")
        if self.slurm and self.name != "slurm":
            raise ValueError("--slurm needs --executor slurm")

    @property
    def elsewhere(self) -> bool:
        """Whether groups are computed on other machines, whose devices and data this one need not have."""
        return self.name in ("dask", "slurm")

    def workers(self, device: devices.Devices = "cpu") -> int:
        """The number of workers on this machine. ``ValueError`` where they cannot share out the devices."""
        several = devices.listed(device)
        if self.name != "local" and len(several) > 1:
            raise ValueError(f"a task of {self.name} gets one GPU: use --device cuda, without a list")
        if self.jobs is not None and self.jobs < len(several):
            raise ValueError(f"{len(several)} devices need at least {len(several)} workers: use --jobs {len(several)}")
        return self.jobs or len(several)

    def compute(
        self,
        groups: Sequence[Group],
        function: Callable[[Group, str], Outcome],
        device: devices.Devices = "cpu",
        report: Callable[[Group, Outcome], object] = lambda group, outcome: None,
        look: Look = lambda groups: {},
    ) -> int:
        """Compute all groups and return how many runs were written.

        function: a function of a module, called in the workers with a group and one of the devices. report: called
        with each group that is done. look: of the groups that it is given, those that are on record by now, by id;
        this is how the progress of Slurm's tasks is seen. Groups that another process computes are waited for, those
        of a worker that died are computed again. ``ExecutionError`` if ``function`` raised an error, once everything
        else is done, and if workers die time and again.
        """
        left, failures, written, patience = list(groups), [], 0, _Patience()
        several, workers = devices.listed(device), self.workers(device)
        with tempfile.TemporaryDirectory(prefix="weightspace-") as locks:
            places = several if len(several) == 1 else tuple(several[i % len(several)] for i in range(workers))
            work = Work(function, places, locks, int(self.slurm.get("cpus_per_task", 1)))
            while left:
                again: list[Finished] = []
                for finished in self._one_pass(work, left, workers, look):
                    if finished.error:
                        failures.append(finished)
                    elif finished.outcome is None or finished.outcome.state == "busy":
                        again.append(finished)
                    else:
                        written += finished.outcome.runs
                        report(finished.group, finished.outcome)
                if len(again) < len(left):
                    patience = _Patience()
                else:
                    patience.wait(again)
                left = [finished.group for finished in again]
        if failures:
            raise _failed(failures, groups)
        return written

    def _one_pass(self, work: Work, groups: list[Group], workers: int, look: Look) -> Iterator[Finished]:
        if self.name == "local":
            return _processes(work, groups, workers)
        if self.name == "dask":
            return _dask(work, groups, self.scheduler)
        return self._tasks(work, groups, workers, look)

    def _tasks(self, work: Work, groups: list[Group], workers: int, look: Look) -> Iterator[Finished]:
        here = self.name == "slurm-here"
        executor = self._submitit(here, devices.kind(work.devices[0]) == "cuda", groups[0].name)
        hands = dealt(groups, min(len(groups), workers if here else _TASKS))
        tasks = dict(zip(executor.map_array(Task(work), hands), hands))
        try:
            yield from _watched(tasks, look, here)
        except BaseException as error:
            if here:
                for task in tasks:
                    task.cancel()
            elif isinstance(error, KeyboardInterrupt):
                numbers = " ".join(sorted({task.job_id.partition("_")[0] for task in tasks}))
                error.args = (f"the tasks of Slurm go on without this process; `scancel {numbers}` ends them",)
            raise

    def _submitit(self, here: bool, gpu: bool, name: str) -> Any:
        try:
            import submitit
        except ImportError:
            raise extras.not_installed("cluster", "submitit") from None
        try:
            executor = submitit.AutoExecutor(
                records.folder() / "slurm" / name / "%j", cluster="local" if here else "slurm"
            )
        except RuntimeError as error:
            raise ValueError(
                f"there is no Slurm on this machine ({error}): start the command where `srun` is, "
                "or give each job of another scheduler its --shard"
            ) from error
        if here:
            executor.update_parameters(timeout_min=60 * 24 * 365, gpus_per_node=int(gpu))
        else:
            executor.update_parameters(**slurm_parameters(self.slurm, name, self.jobs, gpu))
        return executor


def slurm_parameters(options: Mapping[str, Any], name: str, jobs: int | None, gpu: bool) -> dict[str, Any]:
    """The parameters of submitit for options of sbatch; those that it does not know are passed on as they are.

    A task gets an hour, one core and, for a GPU, one GPU, unless an option says otherwise, and is queued again when it
    is preempted.
    """
    from submitit.slurm.slurm import SlurmExecutor

    options = {key.replace("-", "_"): value for key, value in options.items()}
    known = SlurmExecutor._valid_parameters()
    chosen = {"time": 60, "cpus_per_task": 1, "job_name": name}
    if gpu and not options.keys() & {"gres", "gpus_per_node", "gpus_per_task", "num_gpus"}:
        chosen["gpus_per_node"] = 1
    if jobs is not None:
        chosen["array_parallelism"] = jobs
    chosen |= {key: value for key, value in options.items() if key in known}
    others = {key.replace("_", "-"): value for key, value in options.items() if key not in known}
    return {f"slurm_{key}": value for key, value in chosen.items()} | {
        "slurm_additional_parameters": {"requeue": True} | others
    }


class Task:
    """Groups that one task of Slurm computes one after the other.

    When it is preempted or out of time it is queued again as it is: what it had finished is on record by then.
    """

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, groups: list[Group]) -> list[Finished]:
        found: dict[str, Finished] = {}
        until = time.monotonic() + _LEASE_SECONDS
        while True:
            for group in groups:
                found[group.id] = self.work(group)
            groups = [f.group for f in found.values() if f.outcome is not None and f.outcome.state == "busy"]
            if not groups or time.monotonic() > until:  # the lease of a task that died elsewhere has ended by then
                return list(found.values())
            time.sleep(1)

    def checkpoint(self, groups: list[Group]) -> Any:
        """What submitit queues when the task is ended early."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, groups)


def _watched(tasks: Mapping[Any, list[Group]], look: Look, here: bool) -> Iterator[Finished]:
    """What comes of the groups of tasks, as soon as their records show it, or else when their task has ended."""
    waiting = {group.id: group for groups in tasks.values() for group in groups}
    running = set(tasks)
    ended: dict[Any, Any] = {}
    patience = 0 if here else _FILE_SECONDS
    while waiting:
        now = time.monotonic()
        ended |= {task: now for task in running if task.done()}
        running -= ended.keys()
        for id, outcome in look(list(waiting.values())).items():
            yield Finished(waiting.pop(id), outcome)
        for task, since in list(ended.items()):
            if task.paths.result_pickle.exists():
                results = {finished.group.id: finished for finished in _result(task)}
            elif now < since + patience:
                continue
            else:  # it died, or somebody cancelled it
                results = {}
            del ended[task]
            for group in tasks[task]:
                if waiting.pop(group.id, None):
                    yield results.get(group.id, Finished(group))
        if waiting:
            time.sleep(0.2 if here else 5)


def _result(task: Any) -> list[Finished]:
    from submitit.core.utils import FailedJobError

    try:
        finished: list[Finished] = task.result()
    except FailedJobError:  # out of time too often
        return []
    return finished


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Processes that are started meanwhile ignore SIGINT: one that still imports would die of it with a traceback."""
    if threading.current_thread() is not threading.main_thread():  # only that one may set a handler
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _processes(work: Work, groups: list[Group], jobs: int) -> Iterator[Finished]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=work.threads):
        parallel = Parallel(return_as="generator_unordered", batch_size=1)
    left = {group.id: group for group in groups}
    with _not_interrupted():  # the workers start here, and leave an interrupt to this process
        stream = parallel(delayed(work)(group) for group in groups)
    try:
        for finished in stream:
            del left[finished.group.id]
            yield finished
    except TerminatedWorkerError:  # joblib has ended the other workers as well
        for group in left.values():
            yield Finished(group)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that not all results were fetched
            stream.close()  # ends the workers if there is more to do, after an interrupt


def _dask(work: Work, groups: list[Group], scheduler: Any) -> Iterator[Finished]:
    # Not through joblib's backend for Dask: in joblib 1.6 that waits for ever for a task whose workers have died.
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise extras.not_installed("cluster", "distributed") from None
    try:
        client = Client(scheduler, timeout=10, set_as_default=False)
    except OSError as error:
        raise ValueError(
            f"no Dask scheduler answers at {scheduler} ({error}): start one with `dask scheduler`, "
            "and workers with `dask worker ADDRESS --nworkers N --nthreads 1`"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=60)
        except TimeoutError as error:
            raise ValueError(
                f"the scheduler at {scheduler} has no worker: start some with `dask worker {scheduler} --nthreads 1`"
            ) from error
        if max(client.nthreads().values()) > 1:
            raise ValueError(
                "a Dask worker has several threads, of which one would compute: "
                "start the workers with `--nworkers N --nthreads 1`"
            )
        futures = {client.submit(work, group, pure=False): group for group in groups}
        for future in as_completed(futures, loop=client.loop):
            group = futures.pop(future)
            if future.status == "finished":
                yield future.result()
            else:
                reason = future.exception() if future.status == "error" else future.status
                yield Finished(group, None, f"{type(reason).__name__}: {reason}")
