"""`python -m benchmarks.real_runs FOLDER [--go PATH/TO/go ...]`: how far what-ifs, HeapReleased and the RSS are off.

Records the programs of traces/programs with every Go toolchain that is named, unless FOLDER has them already; replays each
recording as recorded and under all the other releases; and prints the two tables of docs/figures.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from goalloc_cli.analyses.replay import replay
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.errors import ToldError
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.outcome import Outcome, Reason
from goalloc_cli.results.resident import heap_released, resident, total

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "traces" / "programs"
FIGURES = ("HeapInuse", "HeapSys", "HeapReleased", "StackInuse")
LARGE = 32 << 20
"""From this RSS on the width of a range is told: below it, what is not modelled is most of it."""
COMPLETE = re.compile(r"go(1\.\d+)")


@dataclass(frozen=True)
class Run:
    """One program as it is recorded, by each release."""

    name: str
    program: str
    ps: int
    scale: int
    flags: tuple[str, ...] = ()


RUNS = (
    Run("orders", "orders", 1, 8),
    Run("lru", "lru", 1, 12),
    Run("trees", "trees", 1, 8),
    Run("wordcount", "wordcount", 1, 8),
    Run("index", "index", 1, 14),
    Run("tide", "tide", 1, 5),
    Run("tide-rest", "tide", 1, 4, ("-rest", "1500ms")),
    Run("calls", "calls", 1, 6),
    Run("blobs", "blobs", 1, 9),
    Run("web", "web", 4, 8),
    Run("index-p4", "index", 4, 14),
    Run("tide-p2", "tide", 2, 5),
)


@dataclass(frozen=True)
class Recording:
    """An execution trace, and what the program said of itself at its points."""

    run: Run
    release: str
    trace: Path
    points: dict[str, dict[str, Any]]


def record(folder: Path, go: Path) -> None:
    """Record all runs with one toolchain, but for those that are there."""
    overlay = folder / "overlays" / go.absolute().parent.parent.name
    path = {**os.environ, "PATH": f"{go.parent}{os.pathsep}{os.environ['PATH']}", "GOTOOLCHAIN": "local"}
    version = subprocess.run([go, "env", "GOVERSION"], env=path, capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(
        [sys.executable, "-m", "goalloc_cli", "record", "--overlay", str(overlay)], env=path, check=True, capture_output=True
    )
    path["OVERLAY"] = str(overlay / "overlay.json")
    for run in RUNS:
        out = folder / run.name
        if (out / f"{run.program}-{version}-p{run.ps}.json").exists():
            continue
        print(f"recording {run.name} with {version}", file=sys.stderr)
        command = [str(PROGRAMS / "record.sh"), str(out), run.program, str(run.ps), str(run.scale), *run.flags]
        subprocess.run(command, env=path, check=True, capture_output=True)


def recordings(folder: Path) -> Iterator[Recording]:
    """All that the folder has, run by run, the oldest release first."""
    for run in RUNS:
        found = sorted((folder / run.name).glob(f"{run.program}-go*-p{run.ps}.trace"))
        for trace in found:
            told = trace.with_suffix(".json")
            release = COMPLETE.search(trace.name)
            if told.exists() and release:
                yield Recording(run, release[1], trace, read_points(told))


def read_points(path: Path) -> dict[str, dict[str, Any]]:
    """MemStats by point, and the RSS where it was told."""
    return {snap["Point"]: {**snap["M"], "RSS": snap.get("RSS")} for snap in json.loads(path.read_text())["snaps"]}


def replayed(recording: Recording, release: str | None) -> Outcome:
    """The replay of a recording as it is, or as a what-if: under a release, hints set aside."""
    trace = open_trace(str(recording.trace))
    design, name, _hints = choose_design(trace.header, release, ())
    return replay(trace, design, design_name=name, hints=release is None)


def at_points(outcome: Outcome) -> dict[str, dict[str, int]]:
    """The figures of a replay by point."""
    return {point.name: {name: int(point.memstats[name]) for name in FIGURES} for point in outcome.checkpoints}  # type: ignore[call-overload]


def errors(found: dict[str, dict[str, int]], told: dict[str, dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """By figure, how far it is off at each point; HeapReleased in parts of HeapSys, since it may be next to nothing."""
    for point in found.keys() & told.keys():
        for name in FIGURES:
            whole = told[point]["HeapSys" if name == "HeapReleased" else name]
            yield name, abs(found[point][name] - told[point][name]) / max(whole, 1)


def what_ifs(all_of: list[Recording]) -> None:
    """Print the table of errors of what-ifs."""
    print("| program | Ps | pairs | points |", " | ".join(f"{name} | if unchanged" for name in FIGURES), "|")
    print("|---" * (4 + 2 * len(FIGURES)) + "|")
    sums: dict[str, list[float]] = defaultdict(list)
    for run in RUNS:
        mine = [each for each in all_of if each.run == run]
        off, unchanged = defaultdict(list), defaultdict(list)
        pairs = points = 0
        for source in mine:
            for target in mine:
                if source is target:
                    continue
                try:
                    found = at_points(replayed(source, target.release))
                except ToldError as error:
                    print(f"{source.trace.name} under {target.release}: {error}", file=sys.stderr)
                    continue
                pairs += 1
                points += len(found.keys() & target.points.keys())
                for name, error in errors(found, target.points):
                    off[name].append(error)
                same = {point: source.points[point] for point in found.keys() & source.points.keys()}
                for name, error in errors(same, target.points):
                    unchanged[name].append(error)
        if pairs:
            cells = [f"{spread(each[name])}" for name in FIGURES for each in (off, unchanged)]
            print(f"| {run.name} | {run.ps} | {pairs} | {points:,} | {' | '.join(cells)} |")
        for name in FIGURES:
            sums[name] += off[name]
            sums[f"{name}, unchanged"] += unchanged[name]
    cells = [spread(sums[key]) for name in FIGURES for key in (name, f"{name}, unchanged")]
    print(f"| all | | | {len(sums[FIGURES[0]]):,} | {' | '.join(cells)} |")


def spread(values: list[float]) -> str:
    """Mean and greatest error."""
    return f"{100 * sum(values) / len(values):.1f}, {100 * max(values):.0f} %" if values else "-"


@dataclass
class Ranges:
    """How the ranges of one run held, over all its releases."""

    points: int = 0
    released_right: int = 0
    rss_points: int = 0
    rss_right: int = 0
    widths: tuple[float, ...] = ()
    last: str = ""


def ranges(all_of: list[Recording]) -> None:
    """Print the table of ranges of HeapReleased and RSS."""
    columns = ("program", "Ps", "releases", "HeapReleased in range", "RSS in range")
    print("|", " | ".join(columns), "| width from 32 MiB on, median | last end: RSS, range, MiB |")
    print("|---" * 7 + "|")
    for run in RUNS:
        found, releases = Ranges(), []
        for recording in all_of:
            if recording.run == run:
                try:
                    judge(recording, replayed(recording, None), found)
                except ToldError as error:
                    print(f"{recording.trace.name}: {error}", file=sys.stderr)
                    continue
                releases.append(recording.release)
        if releases:
            width = f"{100 * median(found.widths):.0f} %" if found.widths else "-"
            right = f"{found.released_right} of {found.points} | {found.rss_right} of {found.rss_points}"
            print(f"| {run.name} | {run.ps} | {releases[0]} to {releases[-1]} | {right} | {width} | {found.last} |")


def judge(recording: Recording, outcome: Outcome, found: Ranges) -> None:
    """Count the points at which the ranges of a replay hold."""
    ps = outcome.header.gomaxprocs
    for sample in outcome.samples:
        told = recording.points.get(outcome.names[int(sample["name"])]) if sample["reason"] == Reason.CHECKPOINT else None
        if told is None:
            continue
        released = heap_released(sample, outcome.design, ps, True)
        found.points += 1
        found.released_right += released.low <= told["HeapReleased"] <= released.high
        if told["RSS"]:
            rss = total(resident(sample, outcome.design, ps, True))
            found.rss_points += 1
            found.rss_right += rss.low <= told["RSS"] <= rss.high
            if told["RSS"] >= LARGE:
                found.widths += ((rss.high - rss.low) / told["RSS"],)
            found.last = f"{told['RSS'] / 2**20:.1f}, {rss.low / 2**20:.1f} to {rss.high / 2**20:.1f}"


def main(arguments: Iterable[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_runs", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the recordings are, or go: 400 MB")
    parser.add_argument("--go", nargs="*", type=Path, default=[], metavar="GO", help="go commands of 1.23 or newer")
    parser.add_argument("--only", choices=("what-ifs", "ranges"), help="one of the two tables")
    found = parser.parse_args(list(arguments))
    for go in found.go:
        record(found.folder, go)
    all_of = list(recordings(found.folder))
    if found.only != "ranges":
        what_ifs(all_of)
        print()
    if found.only != "what-ifs":
        ranges(all_of)


if __name__ == "__main__":
    main(sys.argv[1:])
