"""What the scheduler's and the collector's events mean: sweep contexts, cycles, stops, checkpoints.

Go: runtime/mgc.go (gcStart, gcMarkTermination), runtime/mgcsweep.go (who sweeps), runtime/mstats.go (ReadMemStats).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.exectrace_decode import Ev, Events
from goalloc_cli.trace.exectrace_tables import Tables

Array = NDArray[np.int64]

WINDOW_BYTES = 4 << 20
"""What the page reclaimer counts for a window of 512 pages, less those that it frees (mheap.go, reclaimChunk)."""
CHECKPOINT_KEY = "memstats"
"""Category of the trace.Log messages that name a checkpoint."""


class Code(IntEnum):
    """What the strings and stacks of an event say. 0: nothing of interest."""

    SWEEP_CREDIT = 1
    """GCSweepBegin: an allocation sweeps to pay for its memory (deductSweepCredit)"""
    SWEEP_CACHE = 2
    """GCSweepBegin: a refill looks for a slot (mcentral.cacheSpan)"""
    SWEEP_RECLAIM = 3
    """GCSweepBegin: the page reclaimer (mheap.reclaim)"""
    SWEEP_OTHER = 4
    YIELD_BACKGROUND = 5
    """GoStop: the background sweeper yields after a batch of spans"""
    YIELD_GC = 6
    """GoStop: runtime.GC yields after each span"""
    DRAINED = 7
    """GoBlock: the background sweeper has nothing left"""
    STOP_MEMSTATS = 8
    STOP_SWEEP_TERMINATION = 9
    STOP_MARK_TERMINATION = 10
    GC_EXPLICIT = 11
    """GCBegin: runtime.GC"""
    GC_MALLOC = 12
    """GCBegin: an allocation, whose own event comes after its goroutine runs again"""
    BACKGROUND = 13
    """GoStop or GoBlock of the background sweeper for another reason"""
    SCAVENGED = 14
    """GoBlock: the background scavenger gave something back, and sleeps"""
    SCAVENGED_NOTHING = 15
    """GoBlock: it found nothing to do"""
    GC_FREE_OS = 16
    """GCBegin: debug.FreeOSMemory, which releases everything when that cycle is swept"""


class Act(IntEnum):
    """What to put before an event of the merged order."""

    LATE_ALLOC = 0
    """the alloc of event `value`, whose own event comes later"""
    GC_START = 1
    """`value`: 1 for an explicit one"""
    FLUSH = 2
    CHECKPOINT = 3
    """`value`: index of the name"""
    IDLE_FLUSH = 4
    """the page cache of P `value` was given back while it was idle"""
    SWEPT_NEXT = 5
    """the next cycle will come to the span of the object of event `value` after those told before"""


@dataclass
class Cycles:
    """Positions in the merged order."""

    code: NDArray[np.uint8]
    """A `Code` for every event."""
    starts: NDArray[np.int64]
    """Position of the start of the cycle that each GC_END ends, or that no one ended; the first is -1 where marking was
    under way."""
    ends: NDArray[np.int64]
    """Position of every GCEnd."""
    explicit: NDArray[np.int64]
    """1 for each cycle that runtime.GC asked for."""
    actions: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(position, `Act`, value, P), to be done before the event at that position."""
    names: list[str] = field(default_factory=list)
    """Of the checkpoints, each once."""
    stopped_until: dict[int, int] = field(default_factory=dict)
    """For each position of a GCEnd: that of the end of its stop."""


GOSCHED, SWEEPER_WAIT, SLEEP = 1, 2, 3
"""Reasons of GoStop and GoBlock that matter."""
REASONS = {"runtime.Gosched": GOSCHED, "GC background sweeper wait": SWEEPER_WAIT, "sleep": SLEEP}
IN_BGSWEEP, IN_GC, IN_SCAVENGER = 1, 2, 3
"""Stacks that matter there: of the background sweeper; of runtime.GC as it yields; of the background scavenger."""
STOP_CODES = {
    "read mem stats": Code.STOP_MEMSTATS,
    "GC sweep termination": Code.STOP_SWEEP_TERMINATION,
    "GC mark termination": Code.STOP_MARK_TERMINATION,
}
DENSE = 1 << 24
"""Ids up to here are looked up in an array; they count up from 1, so larger ones are rare."""


def look_up(generation: NDArray[np.int32], ids: Array, meaning: Callable[[int, int], int]) -> NDArray[np.uint8]:
    """What each event's id means, asking `meaning(index of the generation, id)` once for every different one."""
    if not len(ids):
        return np.zeros(0, np.uint8)
    width = int(ids.max()) + 1
    if int(ids.min()) < 0 or width * (int(generation.max()) + 1) > DENSE:
        ids_of, inverse = np.unique(ids, return_inverse=True)
        width = len(ids_of)
        different, inverse = np.unique(generation.astype(np.int64) * width + inverse.reshape(-1), return_inverse=True)
        asked = ((key // width, int(ids_of[key % width])) for key in different.tolist())
        sparse: NDArray[np.uint8] = np.array([meaning(*each) for each in asked], np.uint8)
        spread: NDArray[np.uint8] = sparse[inverse.reshape(-1)]
        return spread
    keys = generation.astype(np.int64) * width + ids
    table = np.zeros(int(keys.max()) + 1, np.uint8)
    table[keys] = 1
    used = np.flatnonzero(table)
    table[used] = [meaning(*divmod(key, width)) for key in used.tolist()]
    found: NDArray[np.uint8] = table[keys]
    return found


def code_events(events: Events, generations: list[int], tables: Tables) -> NDArray[np.uint8]:
    """The `Code` of every event."""
    code = np.zeros(len(events), np.uint8)

    def sweep(g: int, stack: int) -> int:
        names = tables.stack(generations[g], stack)
        if names and names[0].endswith("(*mheap).alloc"):
            return Code.SWEEP_RECLAIM
        if any("deductSweepCredit" in name for name in names):
            return Code.SWEEP_CREDIT
        if any("cacheSpan" in name for name in names):
            return Code.SWEEP_CACHE
        return Code.SWEEP_OTHER

    def reason(g: int, text: int) -> int:
        return REASONS.get(tables.string(generations[g], text), 0)

    def place(g: int, stack: int) -> int:
        names = tables.stack(generations[g], stack)
        if "runtime.bgsweep" in names:
            return IN_BGSWEEP
        if "runtime.bgscavenge" in names:
            return IN_SCAVENGER
        return IN_GC if names[:2] == ("runtime.Gosched", "runtime.GC") else 0

    def begin(g: int, stack: int) -> int:
        names = tables.stack(generations[g], stack)
        if "runtime.GC" in names:
            return Code.GC_FREE_OS if "runtime/debug.FreeOSMemory" in names else Code.GC_EXPLICIT
        return Code.GC_MALLOC if any(name.startswith("runtime.mallocgc") for name in names[:3]) else 0

    def stop(g: int, text: int) -> int:
        return STOP_CODES.get(tables.string(generations[g], text), 0)

    def at(kind: Ev) -> Array:
        return np.flatnonzero(events.kind == kind)

    begins = at(Ev.GC_SWEEP_BEGIN)
    code[begins] = look_up(events.generation[begins], events.a[begins], sweep)
    begins = at(Ev.GC_BEGIN)
    code[begins] = look_up(events.generation[begins], events.b[begins], begin)
    stops = at(Ev.STW_BEGIN)
    code[stops] = look_up(
        events.generation[stops], events.a[stops], lambda g, s: STOP_CODES.get(tables.string(generations[g], s), 0)
    )
    for kind, expected, meaning in (
        (Ev.GO_STOP, GOSCHED, Code.YIELD_BACKGROUND),
        (Ev.GO_BLOCK, SWEEPER_WAIT, Code.DRAINED),
    ):
        stops = at(kind)
        reasons = look_up(events.generation[stops], events.a[stops], reason)
        places = look_up(events.generation[stops], events.b[stops], place)
        of_sweeper = np.where(reasons == expected, meaning, Code.BACKGROUND)
        of_gc = Code.YIELD_GC if kind == Ev.GO_STOP else 0
        code[stops] = np.where(places == IN_BGSWEEP, of_sweeper, np.where(places == IN_GC, of_gc, 0))
        if kind == Ev.GO_BLOCK:
            of_scavenger = np.where(reasons == SLEEP, Code.SCAVENGED, Code.SCAVENGED_NOTHING)
            code[stops] = np.where(places == IN_SCAVENGER, of_scavenger, code[stops])
    return code


def swept_bytes(events: Events) -> None:
    """Write into `b` of each GCSweepBegin the bytes that its GCSweepEnd counts."""
    at = np.flatnonzero((events.kind == Ev.GC_SWEEP_BEGIN) | (events.kind == Ev.GC_SWEEP_END))
    if len(at) < 2:
        return
    begin, end = at[:-1], at[1:]
    paired = (events.kind[begin] == Ev.GC_SWEEP_BEGIN) & (events.kind[end] == Ev.GC_SWEEP_END)
    paired &= events.m[begin] == events.m[end]
    events.b[begin[paired]] = events.a[end[paired]]


def find_reclaims(events: Events, code: NDArray[np.uint8]) -> None:
    """Tell the sweeps of the page reclaimer among those whose stacks do not.

    Where `newproc` allocates on the system stack, its own frame is the last that is recorded. The reclaimer counts whole
    windows, which no other sweep comes near.
    """
    unnamed = (events.kind == Ev.GC_SWEEP_BEGIN) & (code == Code.SWEEP_OTHER)
    code[unnamed & (events.b >= WINDOW_BYTES // 2)] = Code.SWEEP_RECLAIM


_WALKED = (Ev.STW_BEGIN, Ev.STW_END, Ev.GC_BEGIN, Ev.GC_END, Ev.PROCS_CHANGE, Ev.USER_LOG)


def find_cycles(
    events: Events, order: NDArray[np.int64], generations: list[int], tables: Tables, code: NDArray[np.uint8]
) -> Cycles:
    """Find the cycles, stops and checkpoints.

    A stop is asked for by STWBegin; the world stands still at the latest when the same M writes ProcsChange
    (startTheWorld), and all that the stop is for lies before that. So a cycle starts, and a flush happens, there.
    """
    walked = np.zeros(256, np.bool_)
    walked[list(_WALKED)] = True
    positions = np.flatnonzero(walked[events.kind[order]])
    none = np.zeros(0, np.int64)
    cycles = Cycles(code, none, none, none)
    starts: list[int] = []
    ends: list[int] = []
    explicit: list[int] = []
    asked: dict[int, int] = {}
    """Code of the stop that each M has asked for, until its ProcsChange."""
    begun: int | None = None
    running = False
    named: list[int] = []
    names: dict[str, int] = {}
    stop_of: dict[int, int] = {}
    for q in positions.tolist():
        i = int(order[q])
        kind, m, p = int(events.kind[i]), int(events.m[i]), int(events.p[i])
        if kind == Ev.STW_BEGIN:
            asked[m] = int(code[i])
        elif kind == Ev.GC_BEGIN:
            begun = i
        elif kind == Ev.PROCS_CHANGE:
            reason = asked.pop(m, 0)
            if reason == Code.STOP_SWEEP_TERMINATION and begun is not None:
                starts.append(q)
                explicit.append(int(code[begun] in (Code.GC_EXPLICIT, Code.GC_FREE_OS)))
                cycles.actions.append((q, Act.GC_START, explicit[-1], p))
                begun, running = None, True
            elif reason == Code.STOP_MEMSTATS:
                cycles.actions.append((q, Act.FLUSH, 0, p))
                cycles.actions += [(q, Act.CHECKPOINT, name, p) for name in named]
                named = []
        elif kind == Ev.GC_END:
            if not running:
                # Marking was under way when the recording started.
                starts.append(-1)
                explicit.append(0)
            running = False
            ends.append(q)
            stop_of[m] = q
        elif kind == Ev.STW_END and m in stop_of:
            cycles.stopped_until[stop_of.pop(m)] = q
        elif kind == Ev.USER_LOG:
            generation = generations[int(events.generation[i])]
            if tables.string(generation, int(events.b[i])) == CHECKPOINT_KEY:
                name = tables.string(generation, int(events.c[i]))
                named.append(names.setdefault(name, len(names)))
    cycles.starts, cycles.ends = np.array(starts, np.int64), np.array(ends, np.int64)
    cycles.explicit, cycles.names = np.array(explicit, np.int64), list(names)
    return cycles
