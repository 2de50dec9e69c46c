"""The command line of weightspace: the spectra of a checkpoint; experiments, their records, and what they say."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import weightspace


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
    from weightspace.campaigns import executors, records

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
    from weightspace.campaigns import records

    names = [experiments.get(name).name for name in arguments.experiment] or list(experiments.registry())
    rows: list[dict[str, object]] = []
    for name in names:
        for scale in [arguments.scale] if arguments.scale else experiments.get(name).seeds:
            if not records.exists(name, scale):
                continue
            row: dict[str, object] = {"experiment": name, "scale": scale, "file": str(records.path(name, scale))}
            try:
                row |= zip(("runs", "dropped", "parts"), experiments.merge(name, scale, arguments.seeds))
            except records.RecordError as error:
                row |= {"problem": str(error)}
            rows.append(row)
            if not arguments.json:
                _print_merged(row)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    return 1 if any("problem" in row for row in rows) else 0


def _print_merged(row: dict[str, object]) -> None:
    if "problem" in row:
        print(f"error: {row['problem']}", file=sys.stderr)
        return
    line = "{experiment} ({scale}): {runs} runs in {file}, {parts} parts merged".format_map(row)
    print(line + (f", {row['dropped']} runs dropped that are not planned" if row["dropped"] else ""))


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


def _reported(arguments: argparse.Namespace) -> int:
    from weightspace import experiments
    from weightspace.analysis import frames, spectral_shifts

    if arguments.experiment == "released_measurements":
        runs = experiments.load(arguments.experiment)
        table = spectral_shifts.against_reported(frames.select(runs, quantity="change"))
        print(table.replace({"agrees": {True: "agrees", False: "DIFFERS"}}).to_string(index=False))
        print(f"\n{int(table['agrees'].sum())} of {len(table)} reported values agree in every digit that was printed.")
        return 0
    table = frames.against_reported(experiments.load(arguments.experiment))
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
    from weightspace.display import checkpoint

    if arguments.out and not Path(arguments.out).resolve().parent.is_dir():
        raise ValueError(f"--out {arguments.out}: there is no folder {Path(arguments.out).resolve().parent}")
    reading = {name: getattr(arguments, name) for name in ("device", "base", "download", "resume")}
    match arguments.checkpoint:
        case [path]:
            print(checkpoint.report(path, arguments.out, arguments.plot, arguments.json, **reading))
        case ["compare", a, b]:
            if arguments.base or arguments.resume:
                raise ValueError("spectra compare takes neither --base nor --resume")
            options = arguments.plot, arguments.json, arguments.device, arguments.download
            print(checkpoint.comparison(a, b, arguments.out, *options))
        case _:
            raise ValueError("spectra takes one CHECKPOINT, or: compare A B")
    return 0


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    parser, known = _parser(), {}
    with suppress(ModuleNotFoundError):  # without the experiments, what is left
        from weightspace import experiments
        from weightspace.campaigns import executors, records

        known = {"experiment": experiments.registry(), "scale": records.SCALES, "executor": executors.EXECUTORS}
    for command in parser.commands.values():
        for action in command._actions:
            if action.dest in known:
                action.choices = [*known[action.dest], *["all"] * (action.dest == "experiment")]
            if action.dest in ("checkpoint", "out"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, arguments.shell))
    return 0


Commands = Any
"""What ``add_subparsers`` returns, which has no public name."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and in the help of a command that takes an experiment which there are."""

    commands: Mapping[str, argparse.ArgumentParser]

    def error(self, message: str) -> NoReturn:
        found = re.fullmatch(r"(?:argument \w+: )?invalid choice: '(.*)' \(choose from (.*)\)", message)
        if found and (like := get_close_matches(found[1], re.findall(r"[\w-]+", found[2]))):
            message = f"there is no {found[1]!r}: did you mean {' or '.join(like)}?"
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")

    def format_help(self) -> str:
        if any(action.dest == "experiment" for action in self._actions):
            self.epilog = _experiments()
        if any(action.dest == "checkpoint" for action in self._actions):
            from weightspace.spectra.columns import COLUMNS

            self.formatter_class = argparse.RawDescriptionHelpFormatter
            wrapper = textwrap.TextWrapper(79, subsequent_indent="    ", break_on_hyphens=False)
            lines = [wrapper.fill(f"{name}: {says}") for name, says in COLUMNS.items()]
            self.epilog = "\n".join(["columns of the report:", *lines])
        return super().format_help()


def _experiments() -> str:
    try:
        from weightspace import experiments
    except ModuleNotFoundError as error:
        return str(error)
    return f"Experiments: {', '.join(experiments.registry())}"


def _add_spectra(commands: Commands) -> None:
    command = commands.add_parser("spectra", help="the spectra of the weights in a checkpoint of yours")
    command.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        nargs="+",
        help="a file, a folder, or hf://organization/model; or `compare A B` for two of them",
    )
    command.add_argument("--base", metavar="CHECKPOINT", help="where it is an adapter of LoRA: the model it changes")
    command.add_argument("--download", action="store_true", help="fetch a model of the hub that is not in the cache")
    command.add_argument("--resume", metavar="spectra.jsonl", help="keep what is done there, and go on from it")
    command.add_argument("--out", metavar="report.csv", help="write all columns there")
    command.add_argument("--plot", action="store_true", help="draw figures beside the report, as PNG")
    command.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1, for the eigenvalues")
    command.add_argument("--json", action="store_true", help="print all columns as JSON, for programs")
    command.set_defaults(call=_spectra)


def _add_run(commands: Commands) -> None:
    command = commands.add_parser("run", help="compute the runs of an experiment that are not on record")
    named: Any = {"action": "append", "default": [], "metavar": "NAME=VALUE"}
    command.add_argument("experiment", metavar="EXPERIMENT", help="its name, or all")
    command.add_argument("--scale", default="paper", help="quick (seconds, no download), laptop or paper (default)")
    command.add_argument("--seeds", type=int, help="number of seeds (default: that of the scale)")
    command.add_argument(
        "--device", default="cpu", help="cpu, cuda, a certain GPU such as cuda:1, or several: cuda:0,cuda:1"
    )
    command.add_argument("--recompute", action="store_true", help="compute every run and replace its record")
    command.add_argument(
        "--set", **named, help="another value of a setting that all runs share, e.g. model=clip_vit_b32"
    )
    command.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="worker processes, one thread each (default: one per device); each takes memory of its own, "
        "from 0.4 GB at scale quick to 1.5 GB for images. With Slurm: tasks that may run at once",
    )
    command.add_argument("--executor", default="local", help="who computes: local (default), dask or slurm")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, with --executor dask")
    command.add_argument("--slurm", **named, help="an option of sbatch, e.g. partition=gpu or time=60 (minutes)")
    command.add_argument("--shard", metavar="I/N", help="only the I-th of N parts of the groups")
    command.set_defaults(call=_run)


def _add_merge(commands: Commands) -> None:
    command = commands.add_parser("records", help="merge: make one file of the parts that campaigns have written")
    command.add_argument("action", choices=["merge"])
    command.add_argument("experiment", metavar="EXPERIMENT", nargs="*", help="its name (default: all)")
    command.add_argument("--scale", help="quick, laptop or paper (default: all)")
    command.add_argument("--seeds", type=int, help="keep runs of this number of seeds (default: that of the scale)")
    command.add_argument("--json", action="store_true", help="as JSON, for programs")
    command.set_defaults(call=_merge)


def _parser() -> _Parser:
    parser = _Parser(prog="weightspace", description=__doc__)
    parser.add_argument("--version", action="version", version=f"weightspace {weightspace.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_spectra(commands)

    command = commands.add_parser("status", help="what is on record and what is missing")
    command.add_argument("--json", action="store_true", help="as JSON, for programs")
    command.set_defaults(call=_status)

    _add_run(commands)
    _add_merge(commands)

    command = commands.add_parser("reported", help="the values that the papers report against ours")
    command.add_argument("experiment", metavar="EXPERIMENT")
    command.set_defaults(call=_reported)

    command = commands.add_parser("data", help="list the data sets: where found, whether verified")
    command.add_argument("--fetch", action="store_true", help="download what is missing first")
    command.set_defaults(call=_data)

    command = commands.add_parser("completion", help="print what completes these commands in a shell")
    command.add_argument("shell", choices=["bash", "zsh", "tcsh"])
    command.set_defaults(call=_completion)

    parser.commands = commands.choices
    return parser


def _is_expected(error: Exception) -> bool:
    """Whether the message says it all: an error of this package, or of a value, a file or an extra that is missing."""
    ours = type(error).__module__.partition(".")[0] == "weightspace"
    return ours or isinstance(error, ValueError | OSError | ModuleNotFoundError)


def _called(arguments: argparse.Namespace) -> int:
    try:
        return int(arguments.call(arguments))
    except BrokenPipeError:
        raise
    except Exception as error:
        if not _is_expected(error):
            raise
        print("error:", ", ".join([str(error), *getattr(error, "__notes__", [])]), file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        how = f" ({interrupt})" if str(interrupt) else ""
        rest = ": finished groups are on record, the same command goes on from there" if arguments.call is _run else ""
        print(f"interrupted{how}{rest}", file=sys.stderr)
        return 130


def main(argv: list[str] | None = None) -> int:
    # Where there is no terminal at all (a service, `>&-`) Python has no such streams.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 for as long as the process lasts
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115 for as long as the process lasts
    try:
        try:
            return _called(_parser().parse_args(argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would fail again at the end
        return 141  # as a shell says of a command that SIGPIPE ends


if __name__ == "__main__":
    sys.exit(main())
