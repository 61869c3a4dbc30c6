"""`python -m benchmarks.optimizing RECORDING ... [TRAIN:OTHER ...]`: what size classes that fit would save.

Prints the Markdown tables of docs/optimize.md: a row for each recording by itself, and for each pair, of which the first is
what the table is made for and the other is not. The programs: docs/optimize.md says which.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from goalloc_cli.analyses.optimize.optimize import Asked, optimize
from goalloc_cli.commands.optimize import opener, recording
from goalloc_cli.results.optimizing import Optimizing

ALONE = ("recording", "peak HeapInuse", "best table", "classes", "peak", "mean", "both", "bounded", "as low as can be")
PAIRS = ("made for", "against", "made for: peak", "mean", "against: peak", "mean", "verdict")


def optimized(*names: str) -> Optimizing:
    """The first recording, and the others held against it."""
    with ExitStack() as files:
        first, *others = (recording(opener(files, name, False, None), None, ()) for name in names)
        return optimize([first], others, Asked())


def alone(name: str) -> tuple[str, ...]:
    """One recording by itself."""
    found = optimized(name)
    (seen,) = found.trained
    low = seen.changes.get("lowest")
    return (
        called(name),
        f"{seen.base.peak_heap_inuse / (1 << 20):.2f} MiB",
        found.chosen.name,
        str(len(found.chosen.table)),
        signed(seen.change.peak),
        signed(seen.change.mean),
        signed(seen.change.objective),
        f"{seen.bounded:.0%}",
        "" if low is None else f"{signed(low.peak)}, {signed(low.mean)}",
    )


def pair(names: str) -> tuple[str, ...]:
    """One recording, with the table for another."""
    trained, other = names.split(":")
    found = optimized(trained, other)
    changes = [seen.change for seen in (*found.trained, *found.against)]
    figures = [signed(figure) for change in changes for figure in (change.peak, change.mean)]
    return (called(trained), called(other), *figures, found.verdict)


def called(name: str) -> str:
    return f"`{Path(name).name.partition('.trace')[0].removesuffix('.msgpack')}`"


def signed(share: float) -> str:
    return f"{share:+.2%}"


def printed(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def main(names: list[str]) -> None:
    for columns, row, wanted in (
        (ALONE, alone, [name for name in names if ":" not in name]),
        (PAIRS, pair, [name for name in names if ":" in name]),
    ):
        if wanted:
            printed(*columns)
            printed(*("---" for _ in columns))
        for name in wanted:
            printed(*row(name))


if __name__ == "__main__":
    main(sys.argv[1:])
