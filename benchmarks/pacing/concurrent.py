"""Programs that collect beside their own work: does the printed range hold what real runs did?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.pacing.real import Program, Setting
from goalloc_cli.analyses.pace.events import load
from goalloc_cli.analyses.pace.pace import Pacer
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.pacing import Setting as Asked

HEADER = (
    "| program | Ps | recorded with GOGC | collections in the range | peak HeapInuse in the range | settings in which both "
    "are, in most runs | width of the range of collections, of HeapInuse: medians |\n|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Range:
    """A figure's range under one setting, and what each real run said of it."""

    low: int
    high: int
    real: list[int]

    @property
    def held(self) -> list[bool]:
        return [self.low <= value <= self.high for value in self.real]

    @property
    def width(self) -> float:
        """As a share of what was seen at the median."""
        return (self.high - self.low) / max(float(np.median(self.real)), 1)

    def __str__(self) -> str:
        return f"{self.low:,}..{self.high:,} of {sorted(self.real)} {sum(self.held)}/{len(self.real)}"


def ranges(program: Program, folder: Path, recorded: str, procs: int, repeats: int) -> list[tuple[Setting, Range, Range]]:
    """Collections and the peak of HeapInuse under every setting whose figures are printed."""
    trace = open_trace(program.run(folder, Setting(recorded), procs, stopped=False, traced=True)["trace"])
    design, name, hints = choose_design(trace.header, None, ())
    pacer = Pacer(load(trace), design, design_name=name, hints=hints)
    settings = [setting for setting in program.settings(folder) if program.known(folder, setting)]
    asked = [Asked(-1 if s.gogc == "off" else int(s.gogc), s.limit_bytes) for s in settings]
    found = []
    for setting, predicted in zip(settings, pacer.predict(asked), strict=True):
        if predicted.zone in ("thrashing", "doubtful"):
            continue
        runs = [program.run(folder, setting, procs, stopped=False, number=number) for number in range(repeats)]
        gcs, inuse = predicted.span("num_gc"), predicted.peak_heap_inuse
        found.append(
            (setting, Range(*gcs, [run["numgc"] for run in runs]), Range(*inuse, [run["peak_inuse"] for run in runs]))
        )
    return found


def row(program: Program, recorded: str, procs: int, found: list[tuple[Setting, Range, Range]]) -> str:
    """A line of the table."""
    gcs, inuse = [held for _, a, _ in found for held in a.held], [held for _, _, b in found for held in b.held]
    both = [np.mean([x and y for x, y in zip(a.held, b.held, strict=True)]) > 0.5 for _, a, b in found]
    widths = [f"{np.median([each[i].width for each in found]):.0%}" for i in (1, 2)]
    cells = (
        f"`{program.path.name}`", str(procs), recorded, f"{sum(gcs)} of {len(gcs)}", f"{sum(inuse)} of {len(inuse)}",
        f"{sum(both)} of {len(both)}", ", ".join(widths),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"
