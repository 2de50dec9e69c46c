"""The command line: ``python -m weightspace data | run | status | records | compare | spectra``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from weightspace.campaigns import executors, records
from weightspace.data.files import DataError


def _data(arguments: argparse.Namespace) -> int:
    from weightspace import data

    if arguments.fetch:
        data.fetch()
    rows = data.status()
    print(data.format_status(rows))
    # A data set that is merely absent is no fault of a listing; a damaged one is.
    return 1 if any(row["problem"] and row["where"] != "not found" for row in rows) else 0


def _run(arguments: argparse.Namespace) -> int:
    from weightspace import experiments

    names = list(experiments.registry()) if arguments.experiment == "all" else [arguments.experiment]
    executor = executors.Executor(
        name=arguments.executor,
        jobs=arguments.jobs,
        scheduler=arguments.scheduler,
        slurm=dict(_named(text, "--slurm") for text in arguments.slurm),
    )
    for name in names:
        scale = arguments.scale
        if arguments.experiment == "all" and not experiments.runs_at(name, scale, arguments.device):
            scale = "laptop"
        written = experiments.run(
            name,
            scale,
            arguments.seeds,
            arguments.device,
            arguments.recompute,
            progress=sys.stderr.isatty(),
            changes=dict(_named(text, "--set") for text in arguments.set),
            executor=executor,
            shard=arguments.shard,
        )
        place = records.parts_folder(name, scale) if written else records.path(name, scale)
        print(f"{name} ({scale}): {written} runs computed and written to {place}")
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    from weightspace import experiments

    names = [experiments.get(name).name for name in arguments.experiment] or list(experiments.registry())
    failures = 0
    for name in names:
        for scale in [arguments.scale] if arguments.scale else experiments.get(name).seeds:
            if not records.exists(name, scale):
                continue
            try:
                held, dropped, taken = experiments.merge(name, scale, arguments.seeds)
            except records.RecordError as error:
                print(f"error: {error}", file=sys.stderr)
                failures += 1
                continue
            line = f"{name} ({scale}): {held} runs in {records.path(name, scale)}, {taken} parts merged"
            print(line + (f", {dropped} runs dropped that are not planned" if dropped else ""))
    return 1 if failures else 0


def _named(text: str, option: str) -> tuple[str, object]:
    """NAME=VALUE: a number or a list as in JSON, else text."""
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise ValueError(f"{option} needs NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _status(arguments: argparse.Namespace) -> int:
    from weightspace import experiments

    rows = experiments.status()
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        line = f"{row['experiment']:<26} {row['scale']:<6} {row['on_record']:>6} of {row['planned']:>6} runs"
        extra = [f"{row[key]} {key}" for key in ("changed", "unplanned", "parts") if row[key]]
        if extra:
            line += f" (and {', '.join(extra)})"
        if row["problem"]:
            line += f"  PROBLEM: {row['problem']}"
        elif row["on_record"]:
            devices = "; ".join(row["devices"])
            line += f"  {row['seeds']} seeds, {row['compute_seconds']:.0f} s on {devices}, {row['last_written']}"
        print(line)
    return 1 if any(row["problem"] for row in rows) else 0


def _compare(arguments: argparse.Namespace) -> int:
    from weightspace import experiments
    from weightspace.analysis import frames as analysis
    from weightspace.analysis import spectral_shifts

    if arguments.experiment == "released_measurements":
        runs = experiments.load(arguments.experiment)
        table = spectral_shifts.against_reported(analysis.select(runs, quantity="change"))
        print(table.replace({"agrees": {True: "agrees", False: "DIFFERS"}}).to_string(index=False))
        print(f"\n{int(table['agrees'].sum())} of {len(table)} reported values agree in every digit that was printed.")
        return 0
    table = analysis.against_reported(experiments.load(arguments.experiment))
    if table.empty:
        raise ValueError(f"no values are reported for {arguments.experiment}")
    print(
        table.assign(inside=table["inside"].map({True: "inside", False: "OUTSIDE"})).to_string(
            index=False, float_format=lambda x: f"{x:.2f}"
        )
    )
    inside = int(table["inside"].sum())
    print(
        f"\n{inside} of {len(table)} reported values lie inside the 95 % prediction interval of one run of ours "
        f"(run_low to run_high); {0.95 * len(table):.0f} are expected if ours and theirs are the same experiment."
    )
    return 0


def _spectra(arguments: argparse.Namespace) -> int:
    from weightspace.display.figures import checkpoint

    if arguments.out and not Path(arguments.out).resolve().parent.is_dir():
        raise ValueError(f"--out {arguments.out}: there is no folder {Path(arguments.out).resolve().parent}")
    print(checkpoint.report(arguments.checkpoint, arguments.out, arguments.plot, arguments.device))
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m weightspace", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("data", help="list the data sets: where found, whether verified")
    command.add_argument("--fetch", action="store_true", help="download what is missing first")
    command.set_defaults(call=_data)

    command = commands.add_parser("run", help="compute the runs of an experiment that are not on record")
    command.add_argument("experiment", metavar="EXPERIMENT", help="its name, or all")
    command.add_argument("--scale", choices=records.SCALES, default="paper")
    command.add_argument("--seeds", type=int, help="number of seeds (default: that of the scale)")
    command.add_argument(
        "--device", default="cpu", help="cpu, cuda, a certain GPU such as cuda:1, or several: cuda:0,cuda:1"
    )
    command.add_argument("--recompute", action="store_true", help="compute every run and replace its record")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value of a setting that all runs share, e.g. model=clip_vit_b32",
    )
    command.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="worker processes, one thread each (default: one per device); each takes memory of its own, "
        "from 0.4 GB at scale quick to 1.5 GB for images. With Slurm: tasks that may run at once",
    )
    command.add_argument("--executor", choices=executors.EXECUTORS, default="local", help="who computes")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, with --executor dask")
    command.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of sbatch, e.g. partition=gpu or time=60 (minutes)",
    )
    command.add_argument("--shard", metavar="I/N", help="only the I-th of N parts of the groups")
    command.set_defaults(call=_run)

    command = commands.add_parser("status", help="what is on record and what is missing")
    command.add_argument("--json", action="store_true", help="as JSON, for programs")
    command.set_defaults(call=_status)

    command = commands.add_parser("records", help="merge: make one file of the parts that campaigns have written")
    command.add_argument("action", choices=["merge"])
    command.add_argument("experiment", metavar="EXPERIMENT", nargs="*", help="its name (default: all)")
    command.add_argument("--scale", choices=records.SCALES, help="default: all")
    command.add_argument("--seeds", type=int, help="keep runs of this number of seeds (default: that of the scale)")
    command.set_defaults(call=_merge)

    command = commands.add_parser("compare", help="ours against the reported values")
    command.add_argument("experiment", metavar="EXPERIMENT")
    command.set_defaults(call=_compare)

    command = commands.add_parser("spectra", help="the spectra of the weights in a checkpoint of yours")
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="a file of torch.save, or .safetensors")
    command.add_argument("--out", metavar="report.csv", help="write all columns there")
    command.add_argument("--plot", action="store_true", help="draw figures beside the report, as PNG")
    command.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1, for the eigenvalues")
    command.set_defaults(call=_spectra)

    arguments = parser.parse_args(argv)
    try:
        return arguments.call(arguments)
    except (
        DataError,
        records.RecordError,
        executors.ExecutionError,
        ValueError,
        OSError,
        ModuleNotFoundError,
    ) as error:
        print("error:", ", ".join([str(error), *getattr(error, "__notes__", [])]), file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        how = f" ({interrupt})" if str(interrupt) else ""
        print(f"interrupted{how}: finished groups are on record, the same command goes on from there", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
