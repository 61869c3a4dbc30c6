"""Allocs whose event came late.

An object's event is written after its slot was taken and the goroutine may be preempted again, or starts a cycle: the
event can stand much later, on another M and P. What gives it away, and where it belongs:

- the alloc that starts a cycle: right after the refill that let it look, before that cycle's GCBegin and what its stack
  grew for that (malloc.go, mallocgc: gcStart comes before the event);
- the alloc that a goroutine was about to report when it was preempted, right after its refill: after that HeapAlloc;
- a slot below one already taken from the same span since it was swept: before the first higher one (slots are taken in
  ascending order, mcache.go, nextFree);
- a slot of a span that its P had left for another: before the refill;
- an alloc of a class that its P has not refilled since its mcache was flushed: before its goroutine was preempted;
- an object that the running cycle freed although it came after its start: before the start (new objects are marked).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.jit import bare, kernel
from goalloc_cli.trace.exectrace_cycles import Code, Cycles
from goalloc_cli.trace.exectrace_decode import Ev, Events
from goalloc_cli.trace.exectrace_slots import Slots

GC_BEGIN, GC_END, HEAP_ALLOC = int(Ev.GC_BEGIN), int(Ev.GC_END), int(Ev.HEAP_ALLOC)
HEAP_OBJECT, OBJECT_ALLOC, OBJECT_FREE = int(Ev.HEAP_OBJECT), int(Ev.OBJECT_ALLOC), int(Ev.OBJECT_FREE)
STW_BEGIN, STW_END, GO_STOP = int(Ev.STW_BEGIN), int(Ev.STW_END), int(Ev.GO_STOP)
GC_MALLOC, STOP_MEMSTATS = int(Code.GC_MALLOC), int(Code.STOP_MEMSTATS)
GO_RUNNING = 2
"""State in a GoStatus event (tracev2.GoStatus)."""
Array = NDArray[np.int64]

CLASSES = 136
PREEMPTED = 64
"""Goroutines that can be remembered as preempted between a refill and their event, and the last that were at all."""
LATE_SLOTS = 3
"""A span that its P left with at most this many slots free was full: their events come late."""


STARTS, STOPS, TELLS = 1, 2, 3
EFFECT = np.zeros(256, np.int64)
"""What an event does to the goroutine of its M."""
EFFECT[[Ev.GO_START, Ev.GO_SWITCH, Ev.GO_SWITCH_DESTROY]] = STARTS
EFFECT[[Ev.GO_STOP, Ev.GO_BLOCK, Ev.GO_DESTROY, Ev.GO_DESTROY_SYSCALL]] = STOPS
EFFECT[[Ev.GO_STATUS, Ev.GO_STATUS_STACK]] = TELLS


@kernel
def goroutine_after(kind, a, c, running):
    """The goroutine that an M runs after an event of it, -1: none."""
    effect = EFFECT[kind]
    if effect == STARTS:
        return a
    if effect == STOPS:
        return -1
    if effect == TELLS and c == GO_RUNNING:
        return a
    return running


@bare
def last_stop(stopped, stops, goroutine):
    """Where this goroutine was preempted, if that is how it stopped last; -1."""
    for back in range(min(stops, PREEMPTED)):
        at = (stops - 1 - back) % PREEMPTED
        if stopped[at, 0] == goroutine:
            return stopped[at, 1]
    return np.int64(-1)


@kernel
def find_late(kind, a, c, m, p, code, order, row, slot, owner, spc_of, slots_of, starts, ms, ps, moves):
    """Write (event, position it belongs before, P) of every late alloc; return their number.

    `moves` has shape (n, 3); what does not fit is dropped.
    """
    rows = len(spc_of)
    top = np.full(rows, -1, np.int64)
    last = np.full(rows, -1, np.int64)
    left = np.full(rows, -1, np.int64)
    live = np.zeros(rows, np.int64)
    before = np.full(len(order), -1, np.int32)
    position = np.zeros(len(order), np.int32)
    goroutine = np.full(ms, -1, np.int64)
    refilled = np.full(ms, -1, np.int64)
    current = np.full(ps * CLASSES, -1, np.int64)
    moved = np.zeros(len(order), np.bool_)
    stopping = np.zeros(ms, np.bool_)
    preempted = np.full((PREEMPTED, 2), -1, np.int64)
    stopped = np.full((PREEMPTED, 2), -1, np.int64)
    stops = 0
    fresh = np.zeros(ms, np.bool_)
    flushed = np.int64(-1)
    count = 0
    cycle = 0
    starter, starter_at, started = np.int64(-1), np.int64(0), 0
    for q in range(len(order)):
        i = order[q]
        k = kind[i]
        if k < 128:
            if k == GC_BEGIN and code[i] == GC_MALLOC:
                starter, started = goroutine[m[i]], cycle
                starter_at = refilled[m[i]] + 1 if refilled[m[i]] >= 0 else np.int64(q)
            elif k == GC_END or (k == STW_BEGIN and code[i] == STOP_MEMSTATS):
                # Every mcache is flushed: what a P held may come back to it with room left.
                current[:] = -1
                flushed = np.int64(q)
                cycle += k == GC_END
            elif k == HEAP_ALLOC:
                refilled[m[i]] = q
            elif k == STW_BEGIN:
                stopping[m[i]] = True
            elif k == STW_END:
                stopping[m[i]] = False
                refilled[m[i]] = -1
            elif EFFECT[k] == STOPS and refilled[m[i]] >= 0 and goroutine[m[i]] >= 0 and not stopping[m[i]]:
                for slot_of in range(PREEMPTED):
                    if preempted[slot_of, 0] < 0:
                        preempted[slot_of, 0], preempted[slot_of, 1] = goroutine[m[i]], refilled[m[i]]
                        break
            elif EFFECT[k] == STARTS:
                refilled[m[i]] = -1
            if EFFECT[k] == STOPS:
                stopped[stops % PREEMPTED, 0] = goroutine[m[i]]
                stopped[stops % PREEMPTED, 1] = q if k == GO_STOP else -1
                stops += 1
            fresh[m[i]] = fresh[m[i]] or EFFECT[k] == STARTS
            goroutine[m[i]] = goroutine_after(k, a[i], c[i], goroutine[m[i]])
            continue
        if k == OBJECT_FREE and owner[i] >= 0:
            r = row[i]
            top[r], last[r], left[r] = -1, -1, -1
            live[r] -= 1
            alloc = owner[i]
            start = starts[cycle - 1] if cycle else -1
            if start >= 0 and kind[alloc] == OBJECT_ALLOC and position[alloc] > start and not moved[alloc]:
                if count < len(moves):
                    moves[count, 0], moves[count, 1], moves[count, 2] = alloc, start, p[alloc]
                    count += 1
                moved[alloc] = True
            continue
        if k == HEAP_OBJECT and owner[i] >= 0:
            live[row[i]] += 1
        if k != OBJECT_ALLOC or owner[i] < 0:
            continue
        position[i] = q
        target, target_p = np.int64(-1), p[i]
        first, fresh[m[i]] = fresh[m[i]], False
        if starter >= 0 and goroutine[m[i]] == starter and started < len(starts) and q > starts[started] > starter_at:
            # What gcStart itself allocates (its workers) comes before the world stops.
            starter = np.int64(-1)
            if owner[i] == i:
                target, target_p = starter_at, p[order[starter_at]]
        for waiting in range(PREEMPTED):
            if preempted[waiting, 0] >= 0 and preempted[waiting, 0] == goroutine[m[i]]:
                if target < 0 and owner[i] == i:
                    target, target_p = preempted[waiting, 1] + 1, p[order[preempted[waiting, 1]]]
                preempted[waiting, 0] = -1
        if owner[i] != i:
            continue
        r = row[i]
        at = p[i] * CLASSES + spc_of[r]
        live[r] += 1
        if target < 0 and slot[i] < top[r]:
            t = last[r]
            while t >= 0 and slot[order[t]] > slot[i]:
                target = t
                t = before[t]
            target_p = p[order[target]]
        if (target < 0 and p[i] >= 0 and current[at] != r and spc_of[r] > 1 and refilled[m[i]] < 0 and left[r] >= 0
                and slots_of[r] - live[r] < LATE_SLOTS):  # fmt: skip
            target = left[r]
        if target < 0 and first and p[i] >= 0 and current[at] < 0 and spc_of[r] > 1 and refilled[m[i]] < 0:
            stop = last_stop(stopped, stops, goroutine[m[i]])
            if 0 <= stop < flushed:
                target, target_p = stop, p[order[stop]]
        if target >= 0:
            if count < len(moves):
                moves[count, 0], moves[count, 1], moves[count, 2] = i, target, target_p
                count += 1
            moved[i] = True
            continue
        if p[i] >= 0 and current[at] != r:
            if current[at] >= 0 and refilled[m[i]] >= 0:
                left[current[at]] = refilled[m[i]]
            current[at] = r
        refilled[m[i]] = -1
        top[r] = slot[i]
        before[q] = last[r]
        last[r] = q
    return count


def late_allocs(events: Events, order: Array, slots: Slots, cycles: Cycles, ps: int) -> Array:
    """(event, position in the order that it belongs before, P) of every late alloc, shape (n, 3)."""
    moves = np.zeros((1 << 16, 3), np.int64)
    count = int(
        find_late(
            events.kind, events.a, events.c, events.m, events.p, cycles.code, order, slots.row, slots.slot, slots.owner,
            slots.spans["spc"].copy(), slots.spans["nelems"].copy(), cycles.starts, len(events.bounds), ps, moves,
        )
    )  # fmt: skip
    found = moves[:count]
    kind = events.kind[order[found[:, 1]]]
    _targets, which, times = np.unique(found[:, 1], return_inverse=True, return_counts=True)
    skipped = (kind == Ev.OBJECT_ALLOC) | (kind == Ev.HEAP_ALLOC)
    # More than a few "late" slots behind one event mean that this event, or the sweep before it, stands wrong itself.
    kept: Array = found[~(skipped & (times[which] > LATE_SLOTS))]
    return kept
