"""Where a number comes from: the device, the versions and the time, as the records keep them."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("weightspace", "numpy", "numba", "torch")


def device_name(device: str) -> str:
    """``cpu`` or ``cuda`` with the model of the processor, e.g. "cpu: Intel(R) Xeon(R) Processor, 2 threads".

    Raises ``ValueError`` for another name, and for ``cuda`` where PyTorch sees no GPU.
    """
    if device == "cpu":
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return f"cpu: {_cpu_model()}, {threads} threads"
    if device != "cuda":
        raise ValueError(f"unknown device {device!r}: use cpu or cuda")
    import torch  # only where a GPU is asked for: importing it takes seconds

    if not torch.cuda.is_available():
        raise ValueError(
            f"no device 'cuda': PyTorch {torch.__version__} sees no GPU with CUDA; "
            "install the NVIDIA driver, or compute with --device cpu"
        )
    return f"{device}: {torch.cuda.get_device_name(device)}"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions() -> str:
    """Versions of Python and of the packages that compute, e.g. "python 3.12.1, weightspace 0.1.0, numpy 2.4.6"."""
    return ", ".join([f"python {platform.python_version()}", *(f"{name} {version(name)}" for name in _PACKAGES)])


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
