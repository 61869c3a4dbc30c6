"""GC cycles for traces that have none: they are put in where Go's pacer would start them.

A script, or a C program, says when memory is given back; in Go only a collection finds that out. Without one nothing is
ever reused.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.errors import TraceError
from goalloc_cli.trace.event import KIND_MASK, Batch, Kind
from goalloc_cli.trace.longer import longer
from goalloc_cli.trace.putin import put_in
from goalloc_cli.trace.trace import Trace

GOGC = 100
"""Percent, where nobody says otherwise (mgcpacer.go, readGOGC)."""
LEAST_HEAP = 4 << 20
"""Bytes of the smallest goal at GOGC=100 (mgcpacer.go, heapMinimum)."""
MOST_HANDLES = 1 << 28
"""As many objects as a replay holds at once, unless it is told otherwise."""

LIVE, MARKED, ALLOCATED, PERCENT = range(4)
"""Bytes that live, that lived when the last cycle began, that were allocated since; and GOGC, below 0 if it is off."""
NOTHING = -1

_CYCLE = np.array([Kind.GC_START, Kind.GC_END], np.uint8)


@kernel
def find_due(kind, handle, size, arg, sizes, pace, due):
    """Find the allocations that start a GC cycle.

    Args:
        kind, handle, size, arg: the batch's columns.
        sizes: i8 by handle, bytes of each object that lives; longer than any handle in the batch.
        pace: i8, LIVE, MARKED, ...
        due: u1 by event, 1 after this where a cycle starts behind the event.

    Returns:
        The first event that is part of a GC cycle already, NOTHING if none is.
    """
    for i in range(len(kind)):
        k = kind[i] & KIND_MASK
        if k in (Kind.ALLOC, Kind.SNAP_OBJECT):
            sizes[handle[i]] = size[i]
            pace[LIVE] += size[i]
            if k == Kind.ALLOC:
                pace[ALLOCATED] += size[i]
                share = pace[PERCENT] / 100
                goal = max(pace[MARKED] * (1 + share), LEAST_HEAP * share)  # mgcpacer.go, commit
                if share >= 0 and pace[MARKED] + pace[ALLOCATED] >= goal:
                    pace[MARKED] = pace[LIVE]
                    pace[ALLOCATED] = 0
                    due[i] = 1
        elif k == Kind.FREE:
            pace[LIVE] -= sizes[handle[i]]
            sizes[handle[i]] = 0
        elif k == Kind.SET_GOGC:
            pace[PERCENT] = NOTHING if arg[i] else size[i]
        elif k in (Kind.GC_START, Kind.GC_END):
            return i
    return NOTHING


_SIZED = np.isin(np.arange(64), [Kind.ALLOC, Kind.FREE, Kind.SNAP_OBJECT])


def collecting(trace: Trace, gogc: int = GOGC) -> Trace:
    """The same trace with the GC cycles that GOGC, in percent, would have started.

    The pacer goes by the sizes asked for. Go starts a cycle within an allocation, so that object lives.

    Raises (as the batches are walked):
        TraceError: the trace has a cycle already.
    """
    knobs = tuple((knob, value) for knob, value in trace.header.knobs if knob != "gogc")
    if gogc != GOGC:
        knobs += (("gogc", gogc),)
    header = replace(trace.header, knobs=knobs).with_notes(f"GC cycles were put in as GOGC={gogc} would start them.")
    return replace(trace, header=header, batches=_with_cycles(trace, gogc))


def _with_cycles(trace: Trace, gogc: int) -> Iterator[Batch]:
    sizes = np.zeros(1 << 16, np.int64)
    pace = np.array([0, 0, 0, gogc], np.int64)
    events = 0
    for batch in trace.batches:
        sizes = _roomy(sizes, batch, trace.name)
        due = np.zeros(len(batch), np.uint8)
        columns = (np.ascontiguousarray(getattr(batch, name)) for name in ("kind", "id", "size", "arg"))
        there = find_due(*columns, sizes, pace, due)
        if there != NOTHING:
            raise TraceError(f"{trace.name}: event {events + there}: the trace has GC cycles of its own; leave out --gc")
        events += len(batch)
        yield from _put_in(batch, np.flatnonzero(due)) if due.any() else (batch,)


def _roomy(sizes: NDArray[np.int64], batch: Batch, name: str) -> NDArray[np.int64]:
    """The table, longer than the handle of any object in the batch."""
    highest = int(batch.id[_SIZED[batch.kind & KIND_MASK]].max(initial=0))
    if highest >= MOST_HANDLES:
        raise TraceError(f"{name}: handle {highest}: --gc takes handles below {MOST_HANDLES}; use them again")
    return sizes if highest < len(sizes) else longer(sizes, highest * 3 // 2 + 1)


def _put_in(batch: Batch, due: NDArray[np.intp]) -> Iterator[Batch]:
    """The batch with a whole cycle behind each of these events, by the P of the event."""
    return put_in(batch, np.repeat(due + 1, 2), kind=np.tile(_CYCLE, len(due)), p=np.repeat(batch.p[due], 2))
