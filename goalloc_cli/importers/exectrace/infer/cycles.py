"""What the scheduler's and the collector's events mean: sweep contexts, cycles, stops, checkpoints.

Go: runtime/mgc.go (gcStart, gcMarkTermination), runtime/mgcsweep.go (who sweeps), runtime/mstats.go (ReadMemStats).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.decode import Ev, Events
from goalloc_cli.importers.exectrace.wire.tables import Tables

Array = NDArray[np.int64]

WINDOW_BYTES = 4 << 20
"""What the page reclaimer counts for a window of 512 pages, less those that it frees (mheap.go, reclaimChunk)."""
MOST_ACTIONS = 1 << 22
"""Actions that are held at once: a thousand cycles of a program with thousands of Ps."""
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
    STOP_HEAP_DUMP = 17
    END_STOPPED = 18
    """GCEnd: every mcache is flushed and all is swept while the world stands still"""


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
    SWEPT_ALL = 6
    """nothing is left to sweep"""
    GONE = 7
    """P `value` is no more: its caches were given back"""


@dataclass
class Cycles:
    """Places in the window (`slots/window`) of what the collector did; below 0 where it lies behind."""

    ps: int
    """Ps that do anything."""
    starts: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    """Of the start of the cycle that each GC_END ends, or that no one ended; the first is NEVER where marking was under
    way."""
    ends: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    """Of every GCEnd."""
    explicit: list[int] = field(default_factory=list)
    """1 for each cycle that runtime.GC asked for."""
    actions: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(place, `Act`, value, P), to be done before the event there."""
    names: list[str] = field(default_factory=list)
    """Of the checkpoints, each once."""
    stops_ended: list[int] = field(default_factory=list)
    """Of the end of each stop with a GCEnd."""

    # Between two events:
    asked: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Code of the stop that each M has asked for, and where, until its ProcsChange."""
    procs: int = 0
    """GOMAXPROCS, as far as its Ps do anything."""
    begun: int | None = None
    """Code of the GCBegin whose stop has not ended."""
    begun_at: int = 0
    """Its place."""
    running: bool = False
    named: list[tuple[int, int, int]] = field(default_factory=list)
    """(name, place, P) of checkpoints that were named, until the stop of ReadMemStats ends."""
    stopping: set[int] = field(default_factory=set)
    """Ms that ended a cycle, until their stop ends."""
    sweeping: set[int] = field(default_factory=set)
    """Those of them that sweep all in it."""

    def start(self, q: int, p: int, starts: list[int]) -> None:
        """The cycle that was begun starts at place `q`. One that never ended goes on instead: its end was lost."""
        if not self.running:
            starts.append(q)
            self.explicit.append(int(self.begun in (Code.GC_EXPLICIT, Code.GC_FREE_OS)))
            self.actions.append((q, Act.GC_START, self.explicit[-1], p))
        self.begun, self.running = None, True

    def move(self, by: int, until: int) -> None:
        """Follow the window: everything moves down, and what was done before place `until` is dropped."""
        self.starts -= by
        self.ends -= by
        self.actions = [(q - by, what, value, p) for q, what, value, p in self.actions if q >= until]
        self.stops_ended = []
        self.asked = {m: (code, q - by) for m, (code, q) in self.asked.items()}
        self.begun_at = max(self.begun_at - by, 0)
        self.named = [(name, q - by, p) for name, q, p in self.named]

    def end(self, floor: int) -> None:
        """The recording has ended: what was named, and no ReadMemStats followed, was named where it stands; places before
        `floor` are not changed any more."""
        self.actions += [(max(q, floor), Act.CHECKPOINT, name, p) for name, q, p in self.named]
        self.named = []


NEVER = -(1 << 60)
"""Before all events."""

GOSCHED, SWEEPER_WAIT, SLEEP = 1, 2, 3
"""Reasons of GoStop and GoBlock that matter."""
REASONS = {"runtime.Gosched": GOSCHED, "GC background sweeper wait": SWEEPER_WAIT, "sleep": SLEEP}
IN_BGSWEEP, IN_GC, IN_SCAVENGER = 1, 2, 3
"""Stacks that matter there: of the background sweeper; of runtime.GC as it yields; of the background scavenger."""
STOP_CODES = {
    "read mem stats": Code.STOP_MEMSTATS,
    "GC sweep termination": Code.STOP_SWEEP_TERMINATION,
    "GC mark termination": Code.STOP_MARK_TERMINATION,
    "write heap dump": Code.STOP_HEAP_DUMP,
}
FLUSHES = np.zeros(256, np.bool_)
"""Codes of the stops in which every mcache is flushed (mstats.go, readmemstats_m)."""
FLUSHES[[Code.STOP_MEMSTATS, Code.STOP_HEAP_DUMP]] = True
DENSE = 1 << 24
"""Ids up to here are looked up in an array; they count up from 1, so larger ones are rare."""


def look_up(ids: Array, meaning: Callable[[int], int]) -> NDArray[np.uint8]:
    """What each event's id means, asking `meaning` once for every different one."""
    if not len(ids):
        return np.zeros(0, np.uint8)
    if int(ids.min()) < 0 or int(ids.max()) > DENSE:
        different, inverse = np.unique(ids, return_inverse=True)
        sparse: NDArray[np.uint8] = np.array([meaning(key) for key in different.tolist()], np.uint8)
        spread: NDArray[np.uint8] = sparse[inverse.reshape(-1)]
        return spread
    table = np.zeros(int(ids.max()) + 1, np.uint8)
    table[ids] = 1
    used = np.flatnonzero(table)
    table[used] = [meaning(key) for key in used.tolist()]
    found: NDArray[np.uint8] = table[ids]
    return found


def code_events(events: Events, generation: int, tables: Tables) -> NDArray[np.uint8]:
    """The `Code` of every event of a generation."""
    code = np.zeros(len(events), np.uint8)

    def sweep(stack: int) -> int:
        names = tables.stack(generation, stack)
        if names and names[0].endswith("(*mheap).alloc"):
            return Code.SWEEP_RECLAIM
        if any("deductSweepCredit" in name for name in names):
            return Code.SWEEP_CREDIT
        if any("cacheSpan" in name for name in names):
            return Code.SWEEP_CACHE
        return Code.SWEEP_OTHER

    def reason(text: int) -> int:
        return REASONS.get(tables.string(generation, text), 0)

    def place(stack: int) -> int:
        names = tables.stack(generation, stack)
        if "runtime.bgsweep" in names:
            return IN_BGSWEEP
        if "runtime.bgscavenge" in names:
            return IN_SCAVENGER
        return IN_GC if names[:2] == ("runtime.Gosched", "runtime.GC") else 0

    def begin(stack: int) -> int:
        names = tables.stack(generation, stack)
        if "runtime.GC" in names:
            return Code.GC_FREE_OS if "runtime/debug.FreeOSMemory" in names else Code.GC_EXPLICIT
        return Code.GC_MALLOC if any(name.startswith("runtime.mallocgc") for name in names[:3]) else 0

    def stop(text: int) -> int:
        return STOP_CODES.get(tables.string(generation, text), 0)

    def at(kind: Ev) -> Array:
        return np.flatnonzero(events.kind == kind)

    begins = at(Ev.GC_SWEEP_BEGIN)
    code[begins] = look_up(events.a[begins], sweep)
    begins = at(Ev.GC_BEGIN)
    code[begins] = look_up(events.b[begins], begin)
    stops = at(Ev.STW_BEGIN)
    code[stops] = look_up(events.a[stops], stop)
    for kind, expected, meaning in (
        (Ev.GO_STOP, GOSCHED, Code.YIELD_BACKGROUND),
        (Ev.GO_BLOCK, SWEEPER_WAIT, Code.DRAINED),
    ):
        stops = at(kind)
        reasons = look_up(events.a[stops], reason)
        places = look_up(events.b[stops], place)
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


def name_sweeps(events: Events, code: NDArray[np.uint8]) -> None:
    """Tell the sweeps of the page reclaimer, and of refills, among those whose stacks do not.

    Where `newproc` allocates on the system stack, its own frame is the last that is recorded. The reclaimer counts whole
    windows, which no other sweep comes near. A sweep right behind another, no refill between, is that of the refill itself:
    it pays its debt first (mcentral.go, cacheSpan).
    """
    unnamed = np.flatnonzero(code == Code.SWEEP_OTHER)
    whole = events.b[unnamed] >= WINDOW_BYTES // 2
    code[unnamed[whole]] = Code.SWEEP_RECLAIM
    unnamed = unnamed[~whole & (unnamed > 0)]
    follows = (events.kind[unnamed - 1] == Ev.GC_SWEEP_END) & (events.m[unnamed - 1] == events.m[unnamed])
    code[unnamed[follows]] = Code.SWEEP_CACHE


_WALKED = (Ev.STW_BEGIN, Ev.STW_END, Ev.GC_BEGIN, Ev.GC_END, Ev.PROCS_CHANGE)


def find_walked(window: Window, first: int, generation: int, tables: Tables) -> Iterator[int]:
    """The places from `first` on that tell of cycles, stops and checkpoints.

    Full recordings hold a log message for every allocation: these are left out without a look at each.
    """
    kind, b = window.kind[first:], window.b[first:]
    walked = np.zeros(256, np.bool_)
    walked[list(_WALKED)] = True
    wanted = walked[kind]
    logged = np.flatnonzero(kind == Ev.USER_LOG)
    keys, of_log = np.unique(b[logged] >> 32, return_inverse=True)
    names_checkpoint = [tables.string(generation, key) == CHECKPOINT_KEY for key in keys.tolist()]
    wanted[logged] = np.array(names_checkpoint, np.bool_)[of_log]
    yield from (np.flatnonzero(wanted) + first).tolist()


def find_gone(cycles: Cycles, procs: int, q: int) -> None:
    """At place q GOMAXPROCS became `procs`: the caches of the Ps beyond are given back (proc.go, procresize).

    Raises:
        TraceError: they would be more than can be held.
    """
    procs = min(max(procs, 0), cycles.ps)
    if len(cycles.actions) + cycles.procs - procs > MOST_ACTIONS:
        raise TraceError(f"GOMAXPROCS changes too often for {cycles.ps} Ps to be held; record for a shorter time")
    cycles.actions += [(q, Act.GONE, p, p) for p in range(procs, cycles.procs)]
    cycles.procs = procs


def find_dump(cycles: Cycles, window: Window, begin: int, end: int) -> None:
    """A heap dump stopped the world between two places: it flushes every mcache, then sweeps all that is left
    (heapdump.go, mdump)."""
    inside = slice(begin, end)
    swept = np.flatnonzero((window.kind[inside] == Ev.OBJECT_FREE) & (window.m[inside] == window.m[end]))
    p = int(window.p[end])
    cycles.actions.append((begin + int(swept[0]) if len(swept) else end, Act.FLUSH, 0, p))
    cycles.actions.append((end, Act.SWEPT_ALL, 0, p))


def find_cycles(cycles: Cycles, window: Window, first: int, generation: int, tables: Tables) -> None:
    """Find the cycles, stops and checkpoints among the events from place `first` on.

    A stop is asked for by STWBegin; the world stands still at the latest when the same M writes ProcsChange
    (startTheWorld), and all that the stop is for lies before that. So a cycle starts, and a flush happens, there.
    """
    starts: list[int] = []
    ends: list[int] = []
    for q in find_walked(window, first, generation, tables):
        kind, m, p, code = int(window.kind[q]), int(window.m[q]), int(window.p[q]), int(window.code[q])
        if kind == Ev.STW_BEGIN:
            cycles.asked[m] = code, q
        elif kind == Ev.GC_BEGIN:
            cycles.begun, cycles.begun_at = code, q
        elif kind == Ev.PROCS_CHANGE:
            reason, asked_at = cycles.asked.pop(m, (0, q))
            find_gone(cycles, int(window.a[q]), q)
            if m in cycles.sweeping:
                cycles.sweeping.remove(m)
                cycles.actions.append((q, Act.SWEPT_ALL, 0, p))
            if reason == Code.STOP_SWEEP_TERMINATION and cycles.begun is not None:
                cycles.start(q, p, starts)
            elif reason == Code.STOP_MEMSTATS:
                cycles.actions.append((q, Act.FLUSH, 0, p))
                cycles.actions += [(q, Act.CHECKPOINT, name, p) for name, *_where in cycles.named]
                cycles.named = []
            elif reason == Code.STOP_HEAP_DUMP:
                find_dump(cycles, window, max(asked_at, 0), q)
        elif kind == Ev.GC_END:
            if not cycles.running and (cycles.begun is not None or starts or len(cycles.starts)):
                # The events of its stop are missing, or what they are called, or GCBegin itself.
                ended = ends[-1] if ends else -1
                cycles.start(q if cycles.begun is None else max(cycles.begun_at, ended + 1), p, starts)
            if not cycles.running:
                # Marking was under way when the recording started.
                starts.append(NEVER)
                cycles.explicit.append(0)
            cycles.running = False
            ends.append(q)
            cycles.stopping.add(m)
            if code == Code.END_STOPPED:
                cycles.sweeping.add(m)
        elif kind == Ev.STW_END and m in cycles.stopping:
            cycles.stopping.remove(m)
            cycles.stops_ended.append(q)
        elif kind == Ev.USER_LOG:
            name = tables.string(generation, int(window.b[q]) & 0xFFFFFFFF)
            if name not in cycles.names:
                cycles.names.append(name)
            cycles.named.append((cycles.names.index(name), q, p))
    cycles.starts = np.concatenate([cycles.starts, np.array(starts, np.int64)])
    cycles.ends = np.concatenate([cycles.ends, np.array(ends, np.int64)])
