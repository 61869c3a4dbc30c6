"""Allocs whose event came late.

An object's event is written after its slot was taken and the goroutine may be preempted again, or starts a cycle: the
event can stand much later, on another M and P. What gives it away, and where it belongs:

- the alloc that starts a cycle: right after the refill that let it look, before that cycle's GCBegin and what its stack
  grew for that (malloc.go, mallocgc: gcStart comes before the event);
- the alloc that a goroutine was about to report when it was preempted, or waited, right after its refill: after that
  HeapAlloc. What it allocates in between (gcStart does) comes from spans that its P holds already;
- a slot below one already taken from the same span since it was swept: before the first higher one (slots are taken in
  ascending order, mcache.go, nextFree);
- a slot of a span that its P had left for another: before the refill;
- the first alloc of a goroutine that was preempted before all mcaches were flushed, from a span that its P does not hold,
  below a slot already taken, or above others that come next: before it was preempted, if the slot was free then;
- the first alloc of a new span, where the stack grew between the span and what the refill tells of heapLive: right after
  the span was made (the span came first, and a stack needs a span too);
- an object that the running cycle freed although it came after its start: before the start (new objects are marked).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.importers.exectrace.infer.cycles import FLUSHES, NEVER, Code, Cycles
from goalloc_cli.importers.exectrace.slots.window import Window, roomy
from goalloc_cli.importers.exectrace.wire.decode import Ev

GC_BEGIN, GC_END, HEAP_ALLOC = int(Ev.GC_BEGIN), int(Ev.GC_END), int(Ev.HEAP_ALLOC)
HEAP_OBJECT, OBJECT_ALLOC, OBJECT_FREE = int(Ev.HEAP_OBJECT), int(Ev.OBJECT_ALLOC), int(Ev.OBJECT_FREE)
STW_BEGIN, STW_END, GO_STOP = int(Ev.STW_BEGIN), int(Ev.STW_END), int(Ev.GO_STOP)
SPAN_ALLOC = int(Ev.SPAN_ALLOC)
GC_MALLOC, PROCS_CHANGE = int(Code.GC_MALLOC), int(Ev.PROCS_CHANGE)
GO_RUNNING = 2
"""State in a GoStatus event (tracev2.GoStatus)."""
Array = NDArray[np.int64]

CLASSES = 136
PREEMPTED = 64
"""Goroutines that can be remembered as preempted."""
PENDING = 1024
"""Goroutines that can be remembered as stopped between a refill and their event."""
LATE_SLOTS = 3
"""A span that its P left with at most this many slots free was full: their events come late."""


STARTS, STOPS, TELLS = 1, 2, 3
STOPPING, FLUSHING = 1, 2
"""The world is stopped; so that every mcache is flushed."""
EFFECT = np.zeros(256, np.int64)
"""What an event does to the goroutine of its M."""
EFFECT[[Ev.GO_START, Ev.GO_SWITCH, Ev.GO_SWITCH_DESTROY]] = STARTS
EFFECT[[Ev.GO_STOP, Ev.GO_BLOCK, Ev.GO_DESTROY, Ev.GO_DESTROY_SYSCALL]] = STOPS
EFFECT[[Ev.GO_STATUS, Ev.GO_STATUS_STACK]] = TELLS


@inner
def goroutine_after(kind, a, b, running):
    """The goroutine that an M runs after an event of it, -1: none."""
    effect = EFFECT[kind]
    if effect == STARTS:
        return a
    if effect == STOPS:
        return -1
    if effect == TELLS and b == GO_RUNNING:
        return a
    return running


@inner
def take_place(waiting, goroutine):
    """The place kept for a goroutine among those that wait, which it leaves; -1 where it is none of them."""
    for at in range(len(waiting)):
        if waiting[at, 0] == goroutine:
            waiting[at, 0] = -1
            return waiting[at, 1]
    return np.int64(-1)


@inner
def take_pending(preempted, waiters, goroutine):
    """The place of the refill whose alloc a goroutine has not reported, -1 for none; and how many still wait."""
    for at in range(waiters):
        if preempted[at, 0] == goroutine:
            place = preempted[at, 1]
            preempted[at, 0], preempted[at, 1] = preempted[waiters - 1, 0], preempted[waiters - 1, 1]
            return place, waiters - 1
    return np.int64(-1), waiters


@inner
def came_free(kind, row, slot, since, until, r, s):
    """Whether slot `s` of span `r` came free between two places: by a sweep, or as the span was made."""
    for q in range(until - 1, since, -1):
        if row[q] == r and (kind[q] == SPAN_ALLOC or (kind[q] == OBJECT_FREE and slot[q] == s)):
            return True
    return False


class Late(NamedTuple):
    """What the walk over all events keeps between two of them. Places are those in the window, below 0 behind it."""

    top: NDArray[np.int64]
    """Per span: the highest slot taken since it was swept, -1."""
    last: NDArray[np.int64]
    """Per span: the place where that was, -1."""
    resumed: NDArray[np.int64]
    """Per span: where the goroutine of that alloc had been preempted, if that was before the last flush and it had not
    allocated since; -1."""
    left: NDArray[np.int64]
    """Per span: place of the refill at which its P left it, -1."""
    live: NDArray[np.int64]
    """Per span: slots in use."""
    before: NDArray[np.int32]
    """Per event: place of the alloc from its span before it, -1."""
    position: NDArray[np.int32]
    """Per event: place of an alloc."""
    moved: NDArray[np.bool_]
    """Per event: it is late."""
    goroutine: NDArray[np.int64]
    """Per M: what it runs, -1."""
    refilled: NDArray[np.int64]
    """Per M: place of its last refill, if its alloc has not come yet, -1."""
    outer: NDArray[np.int64]
    """Per M: place of a refill whose alloc has not come yet either, before that one, -1."""
    stopping: NDArray[np.int8]
    """Per M: it stops the world: STOPPING, or FLUSHING."""
    current: NDArray[np.int64]
    """Per P and span class: the span in its mcache, -1."""
    preempted: NDArray[np.int64]
    """(goroutine, place of its refill) of the first WAITING that were stopped in between."""
    pending: NDArray[np.int64]
    """Per M: place of the refill at which the goroutine that it runs was stopped, if its alloc has not come yet, -1."""
    stopped: NDArray[np.int64]
    """(goroutine, place where it was preempted) of the last that were and have not run since, -1."""
    since: NDArray[np.int64]
    """Per M: where the goroutine that it runs had been preempted, if it has not allocated since; -1."""
    making: NDArray[np.int64]
    """Per M: place of the last span that it made for objects, if no alloc has come yet, -1."""
    grew: NDArray[np.bool_]
    """Per M: it made a span for something else since."""
    state: NDArray[np.int64]
    """CYCLE, STARTER, STARTED, STARTED_CYCLE, STOPPED, WAITING, FLUSHED."""
    moves: NDArray[np.int64]
    """(event, place that it belongs before, P) of what was found, shape (n, 3)."""


CYCLE, STARTER, STARTED, STARTED_CYCLE, STOPPED, WAITING, FLUSHED = range(7)
"""Cycles that have ended; the goroutine that starts one, -1; the place where that cycle was called for, and its number;
goroutines that were preempted; how many are in `preempted`; the place of the last flush of all mcaches, -1."""
MOST_MOVES = 1 << 16
BY_EVENT = ("before", "position", "moved")
"""Columns of `Late` with an entry for each event."""


@kernel
def find_late(kind, a, b, m, p, code, row, slot, owner, begin, floor, spc_of, slots_of, starts, late):
    """Find every late alloc from place `begin` on that belongs to `floor` or behind it; return how many.

    What does not fit into `late.moves` is dropped.
    """
    # In one piece: one walk with what each M is in the middle of; the cases share all of it.
    top, last, left, live, before = late.top, late.last, late.left, late.live, late.before
    resumed = late.resumed
    position, moved, goroutine, refilled = late.position, late.moved, late.goroutine, late.refilled
    stopping, current, preempted, moves = late.stopping, late.current, late.preempted, late.moves
    stopped, since, outer, pending = late.stopped, late.since, late.outer, late.pending
    making, grew = late.making, late.grew
    cycle, starter, starter_at = late.state[CYCLE], late.state[STARTER], late.state[STARTED]
    started, stops = late.state[STARTED_CYCLE], late.state[STOPPED]
    waiters, flushed = late.state[WAITING], late.state[FLUSHED]
    count = 0
    for i in range(begin, len(kind)):
        before[i], position[i], moved[i] = -1, 0, False
        k = kind[i]
        if k < 128:
            if k == GC_BEGIN and code[i] == GC_MALLOC:
                starter, started = goroutine[m[i]], cycle
                starter_at = max(refilled[m[i]], pending[m[i]]) + 1
                if not starter_at:
                    starter_at = np.int64(i)
            elif k == GC_END or (k == STW_BEGIN and FLUSHES[code[i]]):
                # Every mcache is flushed: what a P held may come back to it with room left.
                for at in range(len(current)):
                    current[at] = -1
                flushed = np.int64(i)
                cycle += k == GC_END
            elif k == PROCS_CHANGE:
                # The world stands still; until then others went on after a flush was asked for.
                kept = 0 if stopping[m[i]] == FLUSHING else min(max(a[i], 0), len(current) // CLASSES)
                for at in range(kept * CLASSES, len(current)):
                    current[at] = -1
            elif k == HEAP_ALLOC:
                # What gcStart allocates can need a refill itself. With several Ps it may be a flush that is told.
                outer[m[i]] = refilled[m[i]] if len(current) == CLASSES and not stopping[m[i]] else -1
                refilled[m[i]] = i
            elif k == STW_END:
                stopping[m[i]] = 0
                refilled[m[i]], outer[m[i]] = -1, -1
            elif EFFECT[k] == STOPS:
                place = refilled[m[i]] if pending[m[i]] < 0 and not stopping[m[i]] else pending[m[i]]
                if place >= 0 and goroutine[m[i]] >= 0 and waiters < PENDING:
                    preempted[waiters, 0], preempted[waiters, 1] = goroutine[m[i]], place
                    waiters += 1
                pending[m[i]] = -1
            elif EFFECT[k] == STARTS:
                refilled[m[i]], outer[m[i]] = -1, -1
                pending[m[i]], waiters = take_pending(preempted, waiters, a[i])
            if k == STW_BEGIN:
                stopping[m[i]] = FLUSHING if FLUSHES[code[i]] else STOPPING
            if k == GO_STOP:
                stopped[stops % PREEMPTED, 0], stopped[stops % PREEMPTED, 1] = goroutine[m[i]], i
                stops += 1
            elif EFFECT[k] == STARTS:
                since[m[i]] = take_place(stopped, a[i])
            goroutine[m[i]] = goroutine_after(k, a[i], b[i], goroutine[m[i]])
            continue
        if k == OBJECT_FREE and owner[i] >= 0:
            r = row[i]
            top[r], last[r], left[r], resumed[r] = -1, -1, -1, -1
            live[r] -= 1
            alloc = owner[i]
            start = starts[cycle - 1] if cycle else NEVER
            if start > NEVER // 2 and kind[alloc] == OBJECT_ALLOC and position[alloc] > start and not moved[alloc]:
                if count < len(moves) and start >= floor:
                    moves[count, 0], moves[count, 1], moves[count, 2] = alloc, start, p[alloc]
                    count += 1
                moved[alloc] = True
            continue
        if k == SPAN_ALLOC and row[i] >= 0:
            if spc_of[row[i]] >= 0:
                making[m[i]], grew[m[i]] = i, False
            else:
                grew[m[i]] = True
        if k == HEAP_OBJECT and owner[i] >= 0:
            live[row[i]] += 1
        if k != OBJECT_ALLOC or owner[i] < 0:
            continue
        position[i] = i
        target, target_p = np.int64(-1), p[i]
        stop, since[m[i]] = since[m[i]], -1
        if starter >= 0 and goroutine[m[i]] == starter and started < len(starts) and i > starts[started] > starter_at:
            # What gcStart itself allocates (its workers) comes before the world stops.
            starter = np.int64(-1)
            if owner[i] == i:
                target, target_p = starter_at, p[starter_at]
        r = row[i]
        made, making[m[i]] = making[m[i]], -1
        if made >= 0 and grew[m[i]] and target < 0 and owner[i] == i and row[made] == r:
            target, target_p = made + 1, p[made]
        at = p[i] * CLASSES + spc_of[r]
        held = p[i] >= 0 and current[at] == r and slot[i] > top[r]
        if pending[m[i]] >= 0 and not held:
            if target < 0 and owner[i] == i:
                target, target_p = pending[m[i]] + 1, p[pending[m[i]]]
            pending[m[i]] = -1
        if owner[i] != i:
            continue
        live[r] += 1
        if stop >= flushed or p[i] < 0 or spc_of[r] <= 1 or refilled[m[i]] >= 0:
            stop = np.int64(-1)
        if (target < 0 and stop >= 0 and (current[at] != r or slot[i] < top[r])
                and not came_free(kind, row, slot, stop, i, r, slot[i])):  # fmt: skip
            target, target_p = stop, p[stop]
        if target < 0 and slot[i] < top[r] and resumed[r] >= floor:
            # It is the one before that came late.
            wrong = last[r]
            if count < len(moves):
                moves[count, 0], moves[count, 1], moves[count, 2] = wrong, resumed[r], p[resumed[r]]
                count += 1
            moved[wrong] = True
            last[r], resumed[r] = before[last[r]], -1
            top[r] = slot[last[r]] if last[r] >= 0 else -1
        if target < 0 and slot[i] < top[r]:
            t = last[r]
            while t >= 0 and slot[t] > slot[i]:
                target = t
                t = before[t]
            target_p = p[target]
        if (target < 0 and p[i] >= 0 and current[at] != r and spc_of[r] > 1 and refilled[m[i]] < 0 and left[r] >= 0
                and slots_of[r] - live[r] < LATE_SLOTS):  # fmt: skip
            target = left[r]
        if target >= floor:
            if count < len(moves):
                moves[count, 0], moves[count, 1], moves[count, 2] = i, target, target_p
                count += 1
            moved[i] = True
            continue
        if p[i] >= 0 and current[at] != r:
            if current[at] >= 0 and refilled[m[i]] >= 0:
                left[current[at]] = refilled[m[i]]
            current[at] = r
        if not held:
            refilled[m[i]], outer[m[i]] = outer[m[i]], -1
        top[r], resumed[r] = slot[i], stop
        before[i] = last[r]
        last[r] = i
    late.state[CYCLE], late.state[STARTER], late.state[STARTED] = cycle, starter, starter_at
    late.state[STARTED_CYCLE], late.state[STOPPED] = started, stops
    late.state[WAITING], late.state[FLUSHED] = waiters, flushed
    return count


def new_late(spans: int, ms: int, ps: int) -> Late:
    """The state before the first event, for so many spans in all, Ms and Ps."""

    def none(*shape: int) -> Array:
        return np.full(shape, -1, np.int64)

    return Late(
        top=none(spans), last=none(spans), resumed=none(spans), left=none(spans), live=np.zeros(spans, np.int64),
        before=np.empty(0, np.int32), position=np.empty(0, np.int32), moved=np.empty(0, np.bool_),
        goroutine=none(ms), refilled=none(ms), outer=none(ms),
        stopping=np.zeros(ms, np.int8), current=none(ps * CLASSES), preempted=none(PENDING, 2),
        making=none(ms), grew=np.zeros(ms, np.bool_), pending=none(ms),
        stopped=none(PREEMPTED, 2), since=none(ms), state=np.array([0, -1, 0, 0, 0, 0, -1]),
        moves=np.zeros((MOST_MOVES, 3), np.int64),
    )  # fmt: skip


def late_allocs(late: Late, window: Window, begin: int, floor: int, cycles: Cycles) -> tuple[Late, Array]:
    """(event, place that it belongs before, P) of every late alloc from place `begin` on, shape (n, 3).

    Args:
        floor: the first place that can still be changed.
    """
    late = late._replace(**{name: roomy(getattr(late, name), begin, len(window)) for name in BY_EVENT})
    spans = window.spans
    count = int(
        find_late(
            window.kind, window.a, window.b, window.m, window.p, window.code, window.row, window.slot,
            window.owner, begin, floor, spans["spc"].copy(), spans["nelems"].copy(), cycles.starts, late,
        )
    )  # fmt: skip
    return late, late.moves[:count].copy()


def told_late(found: Array, window: Window) -> Array:
    """Those of the late allocs that are taken for such."""
    kind = window.kind[found[:, 1]]
    _targets, which, times = np.unique(found[:, 1], return_inverse=True, return_counts=True)
    skipped = (kind == Ev.OBJECT_ALLOC) | (kind == Ev.HEAP_ALLOC)
    # More than a few "late" slots behind one event mean that this event, or the sweep before it, stands wrong itself.
    kept: Array = found[~(skipped & (times[which] > LATE_SLOTS))]
    return kept


def split_moves(moved: Array, told: Array, found: Array, until: int) -> tuple[Array, Array]:
    """What has been written of the late allocs where place `until` is reached, and what is still to be.

    Args:
        moved: events that had been written earlier, and whose own places were still to come.
        told: (event, place that it belongs before, P) of those of `found` that are taken for late.

    Returns:
        The events behind `until` that have been written before it; the late allocs that belong behind it.
    """
    moved = np.concatenate([moved, told[told[:, 1] < until, 0]])
    return moved[moved >= until], found[found[:, 1] >= until]


def follow_window(late: Late, window: Window, by: int, until: int) -> Late:
    """Follow the window, which dropped what is before place `until`: everything moves down by `by`."""
    carried, length = window.carried, len(window)
    by_span, by_m = (late.last, late.resumed, late.left), (late.refilled, late.outer, late.since, late.making, late.pending)
    for places in (*by_span, *by_m, late.state[FLUSHED:], late.preempted[:, 1], late.stopped[:, 1]):
        # What lies behind is not forgotten, but nothing can be moved there.
        places[:] = np.where(places >= 0, np.maximum(places - by, 0), -1)
    late.state[STARTED] = max(int(late.state[STARTED]) - by, 0)
    kept = np.flatnonzero(window.dropped[:until] >= 0)
    columns = {name: np.concatenate([column[kept], column[until : until + length - carried]])
               for name in BY_EVENT for column in [getattr(late, name)]}  # fmt: skip
    for name in ("position", "before"):
        columns[name] -= np.int32(by)
    np.maximum(columns["before"], -1, out=columns["before"])
    columns["before"][:carried] = -1
    return late._replace(**columns)
