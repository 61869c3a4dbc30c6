"""Where spans stood in the order of sweeping, as the sweep after the next one shows it.

With Green Tea (Go 1.26+) the page reclaimer also sweeps spans in which nothing is dead, which ones depends on the order of
marking, and a sweep that frees nothing leaves no event. It puts the span ahead of others of its class, though, and the next
cycle sweeps in that order: where it frees something, that shows.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.jit import bare, kernel
from goalloc_cli.trace.exectrace_cycles import Act, Code, Cycles
from goalloc_cli.trace.exectrace_decode import Ev, Events
from goalloc_cli.trace.exectrace_slots import Slots

HEAP_OBJECT, OBJECT_ALLOC, OBJECT_FREE = int(Ev.HEAP_OBJECT), int(Ev.OBJECT_ALLOC), int(Ev.OBJECT_FREE)
GC_SWEEP_BEGIN, GC_SWEEP_END = int(Ev.GC_SWEEP_BEGIN), int(Ev.GC_SWEEP_END)
GC_END, STW_END = int(Ev.GC_END), int(Ev.STW_END)
CREDIT, RECLAIM = int(Code.SWEEP_CREDIT), int(Code.SWEEP_RECLAIM)
SMALLEST, LARGEST = 16, 512
"""Slots of these sizes, in bytes, have their mark bits within the span."""

Array = NDArray[np.int64]


@kernel
def find_order(kind, code, order, row, owner, wanted, free_at, told):
    """Write (position of the reclaimer's first call in a cycle, an object) for each span that this cycle frees nothing in
    and the next one does, in the order in which that sweeps them; return how many.

    Args:
        wanted: per span, whether it may be swept silently.
        free_at: per event, position of the free of the object; len(order) where there is none.
        told: out, shape (n, 2); what does not fit is dropped.
    """
    swept = np.full(len(wanted), -1, np.int64)
    swept_next = np.full(len(wanted), -1, np.int64)
    oldest = np.full(len(wanted), -1, np.int64)
    count = 0
    cycle = 0
    called = -1
    for q in range(len(order)):
        i = order[q]
        k = kind[i]
        if k == GC_END:
            cycle += 1
        elif k in (OBJECT_ALLOC, HEAP_OBJECT) and owner[i] == i and wanted[row[i]]:
            r = row[i]
            if oldest[r] < 0 or free_at[i] > free_at[oldest[r]]:
                oldest[r] = i
        elif k == GC_SWEEP_BEGIN and code[i] == RECLAIM and called < cycle:
            called = cycle
            end = next_end(kind, order, q)
            mark_swept(kind, order, row, owner, q, end, cycle, swept)
            known = (free_at, oldest, swept, swept_next)
            count = list_next(kind, code, order, row, owner, wanted, known, end, cycle, q, told, count)
        elif k == OBJECT_FREE and owner[i] >= 0:
            swept[row[i]] = cycle
    return count


@bare
def next_end(kind, order, q):
    """Position of the next GCEnd behind q, or of the end."""
    while q < len(order) and kind[order[q]] != GC_END:
        q += 1
    return q


@bare
def mark_swept(kind, order, row, owner, q, end, cycle, swept):
    """Note the spans in which something is freed from position q on, before `end`."""
    for at in range(q, end):
        i = order[at]
        if kind[i] == OBJECT_FREE and owner[i] >= 0:
            swept[row[i]] = cycle


@bare
def list_next(kind, code, order, row, owner, wanted, known, end, cycle, q, told, count):
    """Go through the sweep that begins at `end`, but for the flushes of mcaches, refills and the reclaimer: they choose
    their own order."""
    free_at, oldest, swept, swept_next = known
    in_order = False
    for at in range(end + 1, len(order)):
        i = order[at]
        k = kind[i]
        if k == GC_END:
            break
        if k in (STW_END, GC_SWEEP_END):
            in_order = True
        elif k == GC_SWEEP_BEGIN:
            in_order = code[i] == CREDIT
        elif k == OBJECT_FREE and owner[i] >= 0:
            r = row[i]
            if swept_next[r] == cycle:
                continue
            swept_next[r] = cycle
            lives = oldest[r]
            if in_order and wanted[r] and swept[r] != cycle and lives >= 0 and free_at[lives] > q and count < len(told):
                told[count, 0], told[count, 1] = q, lives
                count += 1
    return count


def next_sweeps(events: Events, order: Array, slots: Slots, cycles: Cycles) -> list[tuple[int, int, int, int]]:
    """(position, `Act.SWEPT_NEXT`, object, no P) for spans that may be swept silently, in the order of the next sweep."""
    spans = slots.spans
    wanted = (spans["spc"] > 1) & (spans["spc"] % 2 == 0) & (spans["size"] >= SMALLEST) & (spans["size"] <= LARGEST)
    free_at = np.full(len(events), len(order), np.int64)
    frees = np.flatnonzero((events.kind[order] == OBJECT_FREE) & (slots.owner[order] >= 0))
    free_at[slots.owner[order[frees]]] = frees
    told = np.zeros((len(frees) + 1, 2), np.int64)
    count = int(find_order(events.kind, cycles.code, order, slots.row, slots.owner, wanted, free_at, told))
    return [(q, int(Act.SWEPT_NEXT), i, -1) for q, i in told[:count].tolist()]
