"""`python -m benchmarks.pacing --work DIR [--bin DIR] [--go VERSION --real DIR] [--free N] [--each] [PROGRAM:SCALE ...]`

How near `goalloc pace` comes to real programs: prints the table of docs/pace.md. Each program runs under every setting with
GODEBUG=gcstoptheworld=1 and GOMAXPROCS=1, where a run can be repeated; is recorded with GOGC=10 and with GOGC=100; and from
each recording every setting is predicted, in the case where marking takes no time. Only settings in which the limit leaves
half of the live heap are counted. What was run before is kept in DIR. With --free each program runs N times as it is, on
one P and on four, beside nothing else; and the printed range is held against that.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pacing import concurrent
from benchmarks.pacing.real import Program, Setting
from goalloc_cli.analyses.pace.events import load
from goalloc_cli.analyses.pace.pace import Pacer
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.pacing import BEST, DOUBTFUL
from goalloc_cli.results.pacing import Setting as Asked

SOURCES = Path(__file__).parent / "programs"
PROGRAMS = ("phases:2", "pool:4", "trees:2")
RECORDED = ("10", "100")
NEAR = 0.05


@dataclass(frozen=True)
class Beside:
    """One setting, predicted and real."""

    setting: Setting
    gcs: tuple[int, int]
    inuse: tuple[int, int]
    mapped: tuple[int, int]
    room: float | None

    @property
    def near_in_gcs(self) -> bool:
        ours, real = self.gcs
        return abs(ours - real) <= max(1, NEAR * real)

    def __str__(self) -> str:
        gcs, inuse, mapped = (f"{a:,} / {b:,}" for a, b in (self.gcs, self.inuse, self.mapped))
        room = "-" if self.room is None else f"{self.room:.2f}"
        return f"    {self.setting!s:20} GCs {gcs}; HeapInuse {inuse} ({off(self.inuse):+.1%}); mapped {mapped}; room {room}"


def off(pair: tuple[int, int]) -> float:
    return pair[0] / pair[1] - 1


def build(work: Path) -> Path:
    """The programs beside this file, built with the `go` on the PATH."""
    go = shutil.which("go")
    if go is None:
        raise SystemExit("there is no go on the PATH; --bin names a folder with built programs")
    folder = work / "bin"
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=mod"}
    subprocess.run([go, "build", "-o", f"{folder}/", "./phases", "./pool", "./trees"], cwd=SOURCES, env=environ, check=True)
    return folder


def compared(
    program: Program, real: Path, recordings: Path, recorded: str, go_version: str | None
) -> tuple[list[Beside], float]:
    """Every setting of a program, from one recording; and how far the recorded setting is off."""
    trace = open_trace(program.run(recordings, Setting(recorded), stopped=False, traced=True)["trace"])
    design, name, hints = choose_design(trace.header, go_version, ())
    pacer = Pacer(load(trace), design, design_name=name, hints=hints, cases=(BEST,))
    settings = program.settings(real)
    known = [setting for setting in settings if program.known(real, setting)]
    asked = [Asked(-1 if s.gogc == "off" else int(s.gogc), s.limit_bytes) for s in known]
    pacing = pacer.pace(asked)
    found = []
    for setting, prediction in zip(known, pacing.predictions, strict=True):
        ours, seen = prediction.cases["best"], program.run(real, setting)
        if prediction.ruler == "limit" and (ours.room is None or ours.room < DOUBTFUL or not ours.ended):
            continue
        inuse, mapped = (ours.peak_heap_inuse, seen["peak_inuse"]), (ours.peak_mapped, seen["peak_mapped"])
        found.append(Beside(setting, (ours.num_gc, seen["numgc"]), inuse, mapped, ours.room))
    return found, pacing.off or 0.0


def row(name: str, recorded: str, found: list[Beside], self_check: float) -> str:
    """A line of the table."""
    many = len(found)
    gcs = sum(each.near_in_gcs for each in found)
    inuse = [abs(off(each.inuse)) for each in found]
    mapped = [abs(off(each.mapped)) for each in found]
    near = sum(error <= NEAR for error in inuse)
    cells = (
        f"`{name}`", recorded, f"{gcs} of {many}", f"{near} of {many}", f"{sum(inuse) / many:.1%}", f"{max(inuse):.1%}",
        f"{sum(mapped) / many:.1%}", f"{self_check:.1%}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pacing", description="Predictions beside real programs.")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM:SCALE", help="by default phases:2 pool:4 trees:2")
    parser.add_argument("--work", type=Path, required=True, help="where runs and recordings are kept")
    parser.add_argument("--bin", type=Path, help="a folder with built programs")
    parser.add_argument("--go", help="predict for this release, from the same recordings")
    parser.add_argument("--real", type=Path, help="where its real runs are kept; WORK by default")
    parser.add_argument("--recorded", nargs="*", default=RECORDED, metavar="GOGC", help="which recordings")
    parser.add_argument("--free", type=int, metavar="N", help="how many of N concurrent runs the range holds")
    parser.add_argument("--each", action="store_true", help="print every setting, too")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    folder = args.bin or build(args.work)
    named = [words.partition(":") for words in args.programs or PROGRAMS]
    programs = [Program(folder / name, int(scale or 1)) for name, _, scale in named]
    if args.free:
        freely(programs, args)
    else:
        alone(programs, args)


def freely(programs: list[Program], args: argparse.Namespace) -> None:
    """The table of concurrent runs."""
    print(concurrent.HEADER)
    for program in programs:
        for procs in (1, 4):
            for recorded in args.recorded:
                found = concurrent.ranges(program, args.work, recorded, procs, args.free)
                print(concurrent.row(program, recorded, procs, found), flush=True)
                if args.each:
                    print(*(f"    {setting!s:20} GCs {gcs}; HeapInuse {inuse}" for setting, gcs, inuse in found), sep="\n")


def alone(programs: list[Program], args: argparse.Namespace) -> None:
    """The table of runs that can be repeated."""
    print("| program | recorded with GOGC | collections within 5 % or 1 | peak HeapInuse within 5 % | mean error | worst "
          "| mapped, mean error | the recorded setting off by |")
    print("|---|---|---|---|---|---|---|---|")
    for program in programs:
        for recorded in args.recorded:
            found, self_check = compared(program, args.real or args.work, args.work, recorded, args.go)
            print(row(program.path.name, recorded, found, self_check), flush=True)
            if args.each:
                print(*found, sep="\n")


main()
