"""Bad events: those that contradict the events before them, or that no Go program could have made.

One walk over each batch, apart from the replay, which is not slowed by it. `check` reports what the walk finds, a lenient
replay leaves it out. What a heap alone can tell, such as spans of a snapshot that overlap, is not found here.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.results.badevents import MEANINGS, BadEvent, Findings, Wrong
from goalloc_cli.trace.event import ALL_COLUMNS, FREED_ID, KIND_MASK, NO_P, UNKNOWN_ID, Batch, Kind
from goalloc_cli.trace.longer import longer
from goalloc_cli.trace.ranges import RangeCheck
from goalloc_cli.trace.trace import Header, Trace

SHOWN = 20
"""Bad events that are kept whole; of the others the number is."""

SMALLEST_STACK = 2048
"""Bytes of the smallest goroutine stack (stack.go, stackMin)."""

NEVER, LIVE, DEAD = 0, 1, 2
"""What a handle may be."""

FIRST_SNAP, FIRST_HINT = 16, 32
"""Kinds of the snapshot stand between them."""

MARKING, TIME_NS, BEGUN, CYCLES, EMPTY, HIGHEST_P, HINTED = range(7)
"""What is known of the events so far: whether a GC cycle marks, the last time, whether an event came that belongs to no
snapshot, how many cycles ended, allocations of no size, the highest P; and whether hints are followed at all."""


@kernel
def judge(kind, p, handle, size, arg, objects, stacks, spans, known, wrong):
    """Find the bad events of a batch.

    Args:
        kind, p, handle, size, arg: the batch's columns.
        objects, stacks, spans: u1 by handle: NEVER, LIVE or DEAD; longer than any handle below FREED_ID in the batch.
        known: i8, what is known so far (MARKING, ...).
        wrong: u1 by event: what is wrong with it already, and after this with any other. What is wrong changes nothing.
    """
    # In one piece: a table of kinds, a few lines for each; every event of a trace comes through here.
    for i in range(len(kind)):
        if wrong[i]:
            continue
        k = kind[i] & KIND_MASK
        h = np.int64(handle[i])
        if k in (Kind.ALLOC, Kind.SNAP_OBJECT, Kind.SNAP_DEAD):
            if h >= FREED_ID:
                wrong[i] = Wrong.HANDLE
            elif objects[h] == LIVE:
                wrong[i] = Wrong.LIVE_HANDLE
            elif k != Kind.ALLOC and known[BEGUN]:
                wrong[i] = Wrong.LATE_SNAPSHOT
            else:
                objects[h] = DEAD if k == Kind.SNAP_DEAD else LIVE
                known[EMPTY] += k == Kind.ALLOC and size[i] == 0
        elif k == Kind.FREE:
            if h == FREED_ID or (h != UNKNOWN_ID and objects[h] == DEAD):
                wrong[i] = Wrong.DOUBLE_FREE
            elif h == UNKNOWN_ID or objects[h] == NEVER:
                wrong[i] = Wrong.UNKNOWN_FREE
            else:
                objects[h] = DEAD
        elif k in (Kind.STACK_ALLOC, Kind.SNAP_STACK):
            if size[i] < SMALLEST_STACK or size[i] & (size[i] - 1):
                wrong[i] = Wrong.STACK_SIZE
            elif h >= FREED_ID:
                wrong[i] = Wrong.HANDLE
            elif stacks[h] == LIVE:
                wrong[i] = Wrong.STACK_LIVE
            elif k != Kind.STACK_ALLOC and known[BEGUN]:
                wrong[i] = Wrong.LATE_SNAPSHOT
            else:
                stacks[h] = LIVE
        elif k == Kind.STACK_FREE:
            if h >= FREED_ID or stacks[h] != LIVE:
                wrong[i] = Wrong.STACK_UNKNOWN
            else:
                stacks[h] = DEAD
        elif k == Kind.GC_START:
            if known[MARKING]:
                wrong[i] = Wrong.GC_START_TWICE
            known[MARKING] = 1
        elif k == Kind.GC_END:
            if not known[MARKING]:
                wrong[i] = Wrong.GC_END_ALONE
            else:
                known[CYCLES] += 1
            known[MARKING] = 0
        elif k == Kind.TIME:
            if size[i] < known[TIME_NS]:
                wrong[i] = Wrong.TIME_BACK
            else:
                known[TIME_NS] = size[i]
        elif k == Kind.MANUAL_ALLOC and known[HINTED]:
            if h >= FREED_ID:
                wrong[i] = Wrong.HANDLE
            elif spans[h] == LIVE:
                wrong[i] = Wrong.MANUAL_LIVE
            elif size[i] == 0:
                wrong[i] = Wrong.SIZE
            else:
                spans[h] = LIVE
        elif k == Kind.MANUAL_FREE and known[HINTED]:
            if h >= FREED_ID or spans[h] != LIVE:
                wrong[i] = Wrong.MANUAL_UNKNOWN
            else:
                spans[h] = DEAD
        elif FIRST_SNAP <= k < FIRST_HINT:
            if known[BEGUN]:
                wrong[i] = Wrong.LATE_SNAPSHOT
            elif k == Kind.SNAP_STACK_SPAN and h >= FREED_ID:
                wrong[i] = Wrong.HANDLE
            elif k == Kind.SNAP_STACK_SPAN and spans[h] == LIVE:
                wrong[i] = Wrong.MANUAL_LIVE
            elif k == Kind.SNAP_STACK_SPAN:
                spans[h] = LIVE
        if wrong[i]:
            continue
        if not FIRST_SNAP <= k < FIRST_HINT:
            known[BEGUN] = 1
            if p[i] != NO_P:
                known[HIGHEST_P] = max(known[HIGHEST_P], np.int64(p[i]))
        elif k == Kind.SNAP_END:
            known[BEGUN] = 1


_OBJECTS = np.isin(np.arange(64), [Kind.ALLOC, Kind.FREE, Kind.SNAP_OBJECT, Kind.SNAP_DEAD])
_STACKS = np.isin(np.arange(64), [Kind.STACK_ALLOC, Kind.STACK_FREE, Kind.SNAP_STACK])
_SPANS = np.isin(np.arange(64), [Kind.MANUAL_ALLOC, Kind.MANUAL_FREE, Kind.SNAP_STACK_SPAN])
_RANGES = {"kind": Wrong.UNKNOWN_KIND, "size": Wrong.SIZE, "p": Wrong.P, "arg": Wrong.ARG, "stack": Wrong.CALL_STACK}


class BadEvents(Findings):
    """Follows a trace batch by batch, and tells the good events from the bad. Memory grows with the highest handle."""

    def __init__(self, header: Header) -> None:
        super().__init__(header)
        self._ranges = RangeCheck(header.gomaxprocs, lenient=True)
        self._objects, self._stacks, self._spans = (np.zeros(1 << 16, np.uint8) for _ in range(3))
        self._known = np.zeros(7, np.int64)
        self._known[HINTED] = header.hints

    def good(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches without their bad events."""
        for batch in batches:
            wrong = self.take(batch)
            yield without(batch, wrong != 0) if wrong.any() else batch

    def take(self, batch: Batch) -> NDArray[np.uint8]:
        """What is wrong with each event of a batch, as numbers of `Wrong`; raise TraceError for too many types or names."""
        wrong = np.zeros(len(batch), np.uint8)
        for column, over in self._ranges.beyond(batch).items():
            wrong[over & (wrong == 0)] = _RANGES[column]
        kinds = batch.kind & KIND_MASK
        self._objects = roomy(self._objects, batch.id, _OBJECTS[kinds])
        self._stacks = roomy(self._stacks, batch.id, _STACKS[kinds])
        self._spans = roomy(self._spans, batch.id, _SPANS[kinds])
        columns = (np.ascontiguousarray(getattr(batch, name)) for name in ("kind", "p", "id", "size", "arg"))
        judge(*columns, self._objects, self._stacks, self._spans, self._known, wrong)
        self.cycles, self.empty, self.highest_p = self._known[[CYCLES, EMPTY, HIGHEST_P]].tolist()
        if wrong.any():
            self._keep(batch, wrong)
        self.events += len(batch)
        return wrong

    def _keep(self, batch: Batch, wrong: NDArray[np.uint8]) -> None:
        """Count the bad events of a batch, and keep the first ones."""
        counted = np.bincount(wrong, minlength=len(Wrong))
        for what in MEANINGS:
            if counted[what]:
                self.counts[what] = self.counts.get(what, 0) + int(counted[what])
        for i in np.flatnonzero(wrong)[: SHOWN - len(self.first)].tolist():
            self.first.append(bad_event(batch, i, self.events + i, Wrong(int(wrong[i]))))


def leniently(trace: Trace) -> Trace:
    """The same trace without its bad events; what was left out is counted in `skipped` as the batches are walked."""
    bad = BadEvents(trace.header)

    def batches() -> Iterator[Batch]:
        for batch in bad.good(trace.batches):
            trace.skipped.update({MEANINGS[wrong].name: n for wrong, n in bad.counts.items()})
            yield batch

    return replace(trace, batches=batches())


def bad_event(batch: Batch, i: int, number: int, wrong: Wrong) -> BadEvent:
    """Event `i` of a batch, which is event `number` of the trace."""
    kind, p, handle = int(batch.kind[i]) & KIND_MASK, int(batch.p[i]), int(batch.id[i])
    named = Kind(kind).name.lower() if kind in list(Kind) else str(kind)
    known_handle = handle if handle < FREED_ID and (_OBJECTS | _STACKS | _SPANS)[kind] else None
    return BadEvent(number, named, None if p == NO_P else p, known_handle, int(batch.size[i]), wrong)


def without(batch: Batch, bad: NDArray[np.bool_]) -> Batch:
    """The batch without some of its events."""
    columns = {name: getattr(batch, name)[~bad] for name in ALL_COLUMNS if getattr(batch, name) is not None}
    return replace(batch, **columns)


def roomy(table: NDArray[np.uint8], handles: NDArray[np.uint32], counts: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The table, longer than all the handles that count."""
    used = handles[counts]
    highest = int(used.max(initial=0))
    if highest >= FREED_ID:
        highest = int(used[used < FREED_ID].max(initial=0))
    if highest < len(table):
        return table
    return longer(table, highest * 3 // 2 + 1)
