"""`python -m benchmarks.real_pairs FOLDER [--from 1.25] [--to 1.27]`: does `compare --cross` find the allocator's part?

Takes the recordings of benchmarks/real_runs.py: each program was built with both releases and ran. Foretold is what another
release makes of the same trace, once from the older recording alone and once from the newer, backwards; both with the
model's own sweeper. What is left of the measured change of HeapInuse is the program's, whose GC runs at other moments, and
the error. Prints the table of docs/figures.md: means over the points at which the programs called runtime.ReadMemStats.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import mean

from benchmarks.real_runs import RUNS, Recording, Run, at_points, recordings, replayed
from goalloc_cli.errors import ToldError

FIGURE = "HeapInuse"
KIB = 1024


def row(run: Run, before: Recording, after: Recording) -> tuple[str, list[float]]:
    """A row of the table, and by how much what is foretold misses the change at each point, as a part of HeapInuse."""
    tried = ((before, before.release), (before, after.release), (after, before.release), (after, after.release))
    aa, ab, ba, bb = (at_points(replayed(recording, release)) for recording, release in tried)
    points = sorted(aa.keys() & ab.keys() & ba.keys() & bb.keys() & before.points.keys() & after.points.keys())
    change = [after.points[point][FIGURE] - before.points[point][FIGURE] for point in points]
    of_older = [ab[point][FIGURE] - aa[point][FIGURE] for point in points]
    of_newer = [bb[point][FIGURE] - ba[point][FIGURE] for point in points]
    left = [whole - (one + other) / 2 for whole, one, other in zip(change, of_older, of_newer, strict=True)]
    off = [abs(rest) / max(after.points[point][FIGURE], 1) for rest, point in zip(left, points, strict=True)]
    cells = [f"{mean(values) / KIB:+,.0f}" for values in (change, of_older, of_newer, left)]
    begins = f"| {run.name} | {run.ps} | {len(points)} |"
    return f"{begins} {' | '.join(cells)} | {100 * mean(off):.1f}, {100 * max(off):.0f} % |", off


def main(arguments: Iterable[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_pairs", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the recordings of benchmarks.real_runs are")
    parser.add_argument("--from", dest="before", default="1.25", metavar="VERSION")
    parser.add_argument("--to", dest="after", default="1.27", metavar="VERSION")
    found = parser.parse_args(list(arguments))
    by_run: dict[tuple[str, str], Recording] = {(each.run.name, each.release): each for each in recordings(found.folder)}
    columns = ("measured, KiB", "foretold: older", "foretold: newer", "left: program, chance", "left, of HeapInuse")
    print("| program | Ps | points |", " | ".join(columns), "|")
    print("|---" * (3 + len(columns)) + "|")
    every: list[float] = []
    for run in RUNS:
        pair = by_run.get((run.name, found.before)), by_run.get((run.name, found.after))
        if pair[0] is None or pair[1] is None:
            continue
        try:
            shown, off = row(run, pair[0], pair[1])
        except ToldError as error:
            print(f"{run.name}: {error}", file=sys.stderr)
            continue
        every += off
        print(shown, flush=True)
    if every:
        print(f"| all | | {len(every)} | | | | | {100 * mean(every):.1f}, {100 * max(every):.0f} % |")


if __name__ == "__main__":
    main(sys.argv[1:])
