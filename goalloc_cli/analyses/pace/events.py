"""All events of a trace at once, and what of them is the program's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.pace.kernels import link
from goalloc_cli.trace.event import COLUMNS, KIND_MASK, NOSCAN, SNAP_KINDS, Kind, TypeInfo
from goalloc_cli.trace.trace import Header, Trace

PROGRAM = (
    Kind.ALLOC, Kind.FREE, Kind.TINY, Kind.STACK_ALLOC, Kind.STACK_FREE, Kind.FLUSH, Kind.TIME, Kind.SET_GOGC,
    Kind.FREE_OS_MEMORY, *SNAP_KINDS,
)  # fmt: skip
"""What the program did. Collections are the pacer's, but for those that the program asked for; hints and witnesses tell of
one run under one setting, and checkpoints are not asked about."""

OF_OBJECTS = (Kind.ALLOC, Kind.FREE, Kind.TINY, Kind.SNAP_OBJECT)

PROFILE_BUFFERS = ((1 << 20, 1 << 20, True), (128 << 10, 136 << 10, False))
"""Objects that the tracer keeps, two of each: sizes, as far as a recording tells them, and whether they are without
pointers. (Go: tracecpu.go, traceInitReadCPU; profbuf.go, newProfBuf)"""
STACK_TYPES, FRAMES = ("runtime.traceFrame", "runtime.untracedG"), "runtime.Frames"
"""What the tracer allocates at the end of each generation: the frames of every stack that it has seen, each with an iterator
right behind it; and a list of goroutines. (Go: tracestack.go, makeTraceFrames; trace.go, traceAdvance)"""


@dataclass(frozen=True)
class Events:
    """The columns of a whole trace, shape (n,) each, as in trace/event.py; and where what stands."""

    name: str
    header: Header
    columns: dict[str, Any]
    types: list[TypeInfo]
    names: list[str]
    remarks: list[str]

    @property
    def kind(self) -> NDArray[np.uint8]:
        """Kinds without flags."""
        found: NDArray[np.uint8] = self.columns["kind"] & np.uint8(KIND_MASK)
        return found

    def at(self, kind: Kind) -> NDArray[np.intp]:
        """Where events of a kind are."""
        return np.flatnonzero(self.kind == kind)

    @cached_property
    def births(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each FREE, in order, the event that made its object; for each event that makes one, the last that used it."""
        handles = int(self.columns["id"][np.isin(self.kind, OF_OBJECTS)].max(initial=0)) + 1
        born, of, last = (np.full(n, -1, np.int64) for n in (handles, len(self.kind), len(self.kind)))
        link(self.columns["kind"], self.columns["id"], born, of, last)
        return of[self.kind == Kind.FREE], last

    def tracer_buffers(self) -> NDArray[np.bool_]:
        """Which events are the tracer's CPU profile buffers, that live as long as the recording."""
        is_object = self.kind == Kind.SNAP_OBJECT
        noscan = self.columns["kind"] & np.uint8(NOSCAN) != 0
        size = self.columns["size"]
        mine = np.zeros(len(size), np.bool_)
        for least, most, without_pointers in PROFILE_BUFFERS:
            found = is_object & (size >= least) & (size <= most) & (noscan == without_pointers)
            if found.sum() == 2:
                mine |= found
        return mine

    def tracer(self) -> NDArray[np.bool_]:
        """Which events are of the tracer's own objects: its buffers, and what it writes stacks with."""
        mine = self.tracer_buffers()
        mine[self.stack_dumps()] = True
        of, _ = self.births
        frees = self.at(Kind.FREE)
        mine[frees[(of >= 0) & mine[of]]] = True
        return mine

    def stack_dumps(self) -> NDArray[np.intp]:
        """The allocations with which the tracer writes stacks down."""
        allocs = self.at(Kind.ALLOC)
        allocs = allocs[np.argsort(self.columns["p"][allocs], kind="stable")]
        p, named = self.columns["p"][allocs], self.columns["arg"][allocs]
        frames = np.isin(named, [n for n, known in enumerate(self.types) if known.name in STACK_TYPES])
        iterators = np.isin(named, [n for n, known in enumerate(self.types) if known.name == FRAMES])
        iterators[1:] &= frames[:-1] & (p[1:] == p[:-1])
        iterators[:1] = False
        found: NDArray[np.intp] = allocs[frames | iterators]
        return found

    def of_program(self) -> NDArray[np.bool_]:
        """Which events are the program's."""
        kind = self.kind
        asked = ((kind == Kind.GC_START) | (kind == Kind.GC_END)) & (self.columns["arg"] == 1)
        found: NDArray[np.bool_] = np.isin(kind, PROGRAM) | asked
        return found


def load(trace: Trace) -> Events:
    """Read a trace to its end."""
    parts: dict[str, list[NDArray[np.integer]]] = {name: [] for name in COLUMNS if name != "addr"}
    types, names = [TypeInfo("", 0, 0)], [""]
    for batch in trace.batches:
        for name, column in parts.items():
            column.append(getattr(batch, name))
        types += batch.new_types
        names += batch.new_names
    columns = {
        name: np.concatenate(column) if column else np.zeros(0, COLUMNS[name]) for name, column in parts.items()
    }
    return Events(trace.name, trace.header, columns, types, names, trace.remarks)
