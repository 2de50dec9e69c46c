"""Names of the devices that compute: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, and lists such as ``cuda:0,cuda:1``.

A device may also be given as a ``torch.device``. PyTorch is imported only where a GPU is asked for, because that takes
seconds.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch

Device: TypeAlias = "str | torch.device"
Devices: TypeAlias = "Device | Iterable[Device]"

_NAME = re.compile(r"(cpu|cuda|mps)(?::(\d+))?")


def name(device: Device) -> str:
    """The device as PyTorch calls it, without a number where there is only one. ``ValueError`` for anything else."""
    found = _NAME.fullmatch(str(device))
    if not found or (found[2] not in (None, "0") and found[1] != "cuda"):
        raise ValueError(f"unknown device {str(device)!r}: use cpu, cuda, a certain GPU such as cuda:1, or mps")
    return found[0] if found[1] == "cuda" else found[1]


def kind(device: Device) -> str:
    """``cpu``, ``cuda`` or ``mps``."""
    return name(device).partition(":")[0]


def listed(device: Devices) -> tuple[str, ...]:
    """The devices of a text such as "cuda:0,cuda:1", or of a sequence. They need not be on this machine.

    ``ValueError`` for an empty list, for a GPU that is named twice, and for devices of several kinds, whose results
    differ in their last digits.
    """
    if isinstance(device, str):
        names = tuple(name(part.strip()) for part in device.split(","))
    elif hasattr(device, "type"):  # a torch.device
        names = (name(device),)  # type: ignore[arg-type] # as said
    else:
        names = tuple(map(name, device))
    if not names:
        raise ValueError("no device is named: use cpu, cuda, or a list such as cuda:0,cuda:1")
    if len(set(map(kind, names))) > 1:
        raise ValueError(f"use devices of one kind in a run, not {', '.join(names)}: their results differ by rounding")
    if len(set(names)) < len(names) or ("cuda" in names and len(names) > 1):
        raise ValueError(f"a device may be named twice in {', '.join(names)}: for several workers on one use --jobs")
    return names


def present(device: Device) -> str:
    """The name of a device, once it is found on this machine. ``ValueError`` says what is missing and what to do."""
    wanted = name(device)
    if wanted == "cpu":
        return wanted
    import torch

    if wanted == "mps":
        if not torch.backends.mps.is_available():
            raise ValueError(
                f"no device 'mps': PyTorch {torch.__version__} finds no GPU of Apple's; compute with --device cpu"
            )
        return wanted
    if not torch.cuda.is_available():
        raise ValueError(
            f"no device {wanted!r}: PyTorch {torch.__version__} sees no GPU with CUDA; "
            "install the NVIDIA driver, or compute with --device cpu"
        )
    number = torch.cuda.device_count()
    if ":" in wanted and int(wanted.partition(":")[2]) >= number:
        there = "cuda:0" if number == 1 else f"cuda:0 to cuda:{number - 1}"
        raise ValueError(f"no device {wanted!r}: PyTorch sees {number} GPU{'s' * (number > 1)}, use {there}")
    return wanted


def device_name(device: Device) -> str:
    """The kind of a device with its model, e.g. "cpu: Intel(R) Xeon(R) Processor, 2 threads".

    Raises ``ValueError`` for a name that is none of the above, and for a device that this machine does not have.
    """
    device = present(device)
    if device == "cpu":
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return f"cpu: {_cpu_model()}, {threads} threads"
    if device == "mps":
        return f"mps: {_cpu_model()}"
    import torch  # only where a GPU is asked for: importing it takes seconds

    return f"cuda: {torch.cuda.get_device_name(device)}"


@lru_cache(maxsize=1)
def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
