"""A transformer in shards on the disk: processor time and peak memory of its report, against WeightWatcher."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from spectra import PEER, THREADS

BILLION = {"hidden": 2048, "blocks": 18, "inner": 5632, "tokens": 32_000}

# What subprocesses say of their peak begins with that of their parent: Linux lets it be set back.
_MEASURED = """
import contextlib, json, pathlib, re, sys, time
{imports}

def resident(name):
    return int(re.search(name + r":\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024

pathlib.Path("/proc/self/clear_refs").write_text("5")
start, before = time.process_time(), resident("VmRSS")
with contextlib.redirect_stdout(sys.stderr):
    {call}
print(json.dumps([time.process_time() - start, resident("VmHWM") - before, len(table)]))
"""
_OURS = _MEASURED.format(
    imports="import weightspace.spectra.report",
    call="table = weightspace.spectra.report.spectral_report(sys.argv[1], convention=sys.argv[2], progress=False)",
)
# It does not read shards by itself: they are put together, as its users do.
_THEIRS = _MEASURED.format(
    imports="import logging, safetensors.torch, weightwatcher\nlogging.disable()",
    call="""weights = {}
    for shard in sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors")):
        weights |= safetensors.torch.load_file(shard)
    table = weightwatcher.WeightWatcher(model=weights).analyze(mp_fit=sys.argv[2] == "mp_fit")""",
)


def shards(hidden: int, blocks: int, inner: int, tokens: int, options: tuple[str, ...] = ("default",)) -> None:
    """Random weights, a shard per block; every report in a process of its own, one thread, one round.

    Memory is the peak of what is resident, above that after the imports (needs Linux).
    """
    print("\n## A transformer in shards, against WeightWatcher\n")
    with tempfile.TemporaryDirectory() as folder:
        size = _write(Path(folder), hidden, blocks, inner, tokens)
        print(f"{size / 1e6:,.0f} million parameters in {blocks + 1} shards of float32, {4 * size / 2**20:,.0f} MiB.\n")
        print("| report | matrices | processor time (s) | peak memory (MiB) |")
        print("| --- | ---: | ---: | ---: |")
        for convention in ("weightspace", "weightwatcher"):
            _row(f"ours, convention {convention}", sys.executable, _OURS, folder, convention)
        for option in options:
            _row(f"WeightWatcher, {option}", PEER, _THEIRS, folder, option)


def _row(name: str, python: str, code: str, *arguments: str) -> None:
    environment = os.environ | dict.fromkeys([*THREADS, "NUMBA_NUM_THREADS"], "1")
    if python == PEER and PEER != sys.executable:
        environment.pop("PYTHONPATH", None)
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} | | |", flush=True)
        return
    seconds, memory, rows = json.loads(done.stdout.splitlines()[-1])
    print(f"| {name} | {rows} | {seconds:.1f} | {memory:,.0f} |", flush=True)


def _write(folder: Path, hidden: int, blocks: int, inner: int, tokens: int) -> int:
    """A folder as Hugging Face's libraries write it, with the names of LLaMA; returns the number of parameters."""
    torch.manual_seed(0)
    shapes = {f"self_attn.{name}_proj": (hidden, hidden) for name in "qkvo"}
    shapes |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    parts = [{"model.embed_tokens.weight": (tokens, hidden), "lm_head.weight": (tokens, hidden)}]
    parts += [
        {f"model.layers.{block}.{name}.weight": shape for name, shape in shapes.items()} for block in range(blocks)
    ]
    places, size = {}, 0
    for number, part in enumerate(parts):
        file = f"model-{number + 1:05}-of-{len(parts):05}.safetensors"
        weights = {name: torch.randn(shape) * hidden**-0.5 for name, shape in part.items()}
        save_file(weights, folder / file)
        places |= dict.fromkeys(part, file)
        size += sum(weight.numel() for weight in weights.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return size
