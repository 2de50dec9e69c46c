"""Two worker processes against one, on a campaign of eight groups."""

from __future__ import annotations

import csv
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numba
from threadpoolctl import threadpool_limits

from weightspace import devices, experiments, provenance
from weightspace.campaigns.executors import Executor

SEEDS, ROUNDS, TARGET = 40, 3, 1.8
KEPT = Path(__file__).with_suffix(".csv")


def workers() -> None:
    """Seconds of `dual_classification` at the quick scale, computed anew in turns by one worker and by two.

    The workers have been started and have compiled their loops: a true campaign takes hours, and they seconds.
    """
    print("\n## Two workers against one\n")
    before = os.getloadavg()[0]
    run = partial(experiments.run, "dual_classification", "quick", SEEDS, recompute=True, progress=False)
    one, two = [], []
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        os.environ["WEIGHTSPACE_RESULTS"] = folder
        numba.set_num_threads(1)
        try:
            for _ in range(ROUNDS + 1):
                for jobs, seconds in ((1, one), (2, two)):
                    start = time.perf_counter()
                    runs = run(executor=Executor(jobs=jobs))
                    seconds.append(time.perf_counter() - start)
        finally:
            numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
            del os.environ["WEIGHTSPACE_RESULTS"]
    ratio = statistics.median(a / b for a, b in zip(one[1:], two[1:]))  # the first round started the workers
    row = {
        "Date": provenance.now()[:10],
        "Device": devices.device_name("cpu"),
        "Load before": f"{before:.1f}",
        "One worker (s)": f"{statistics.median(one[1:]):.1f}",
        "Two workers (s)": f"{statistics.median(two[1:]):.1f}",
        "Ratio": f"{ratio:.2f}",
    }
    with KEPT.open("w", encoding="utf-8", newline="") as file:  # the book shows it
        table = csv.DictWriter(file, row, lineterminator="\n")
        table.writeheader()
        table.writerow(row)
    print(f"`dual_classification`, scale quick, {SEEDS} seeds, {runs} runs (target: {TARGET} on two idle cores):\n")
    print(f"| {' | '.join(row)} |\n|{' --- |' * len(row)}\n| {' | '.join(row.values())} |")
