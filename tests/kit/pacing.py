"""Programs for the pacer, and the cycles that its own pacer makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from goalloc_cli.analyses.pace.simulate import set_gogc
from goalloc_cli.analyses.replay import Run
from goalloc_cli.design.allocator import Design
from goalloc_cli.results.pacing import Case
from goalloc_cli.trace.event import NO_P, NOSCAN, Batch, Kind
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch

OBJECT = 4096
"""Bytes of every object; two share a span."""


@dataclass(frozen=True)
class Cycle:
    """What the pacer had when one began, and heapLive when it ended. Bytes."""

    marked: int
    goal: int
    began: int
    ended: int
    mapped: int
    """The most that was mapped until then."""


def program(live: Iterable[int], seed: int = 1) -> Batch:
    """A program that makes an object at each step and drops others, so that so many live, in a random order."""
    rows, alive, random = [], [], np.random.default_rng(seed)
    for handle, wanted in enumerate(live):
        rows.append((Kind.ALLOC | NOSCAN, 0, handle, OBJECT, 0, 0))
        alive.append(handle)
        while len(alive) > wanted:
            at = int(random.integers(len(alive)))
            alive[at], alive[-1] = alive[-1], alive[at]
            rows.append((Kind.FREE, NO_P, alive.pop(), 0, 0, 0))
    return batch(rows, addr=False)


def cycles(events: Batch, design: Design, case: Case) -> list[Cycle]:
    """The cycles that a design's own pacer makes of a program."""
    run = Run(Trace("a program", Header(), iter(())), design, False, 1 << 60, False)
    run.tables.fit(*run.note(events))
    run.take_over_pacing(case, None)
    run.run_to(set_gogc(design.gogc), 0, 1)
    found, at, paced = [], 0, run.heap.paced
    while at < len(events):
        before = int(run.heap.gc.cycle) - int(run.heap.gc.marking)
        at = run.run_to(events, at, len(events))
        if int(run.heap.gc.cycle) - int(run.heap.gc.marking) > before:
            names = ("began_marked", "began_goal", "began_live", "ended_live", "peak_mapped")
            found.append(Cycle(*(int(paced[name]) for name in names)))
    return found
