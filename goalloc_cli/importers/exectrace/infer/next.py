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

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.importers.exectrace.infer.cycles import Code
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.decode import Ev

HEAP_OBJECT, OBJECT_ALLOC, OBJECT_FREE = int(Ev.HEAP_OBJECT), int(Ev.OBJECT_ALLOC), int(Ev.OBJECT_FREE)
GC_SWEEP_BEGIN, GC_SWEEP_END = int(Ev.GC_SWEEP_BEGIN), int(Ev.GC_SWEEP_END)
GC_END, STW_END = int(Ev.GC_END), int(Ev.STW_END)
CREDIT, RECLAIM = int(Code.SWEEP_CREDIT), int(Code.SWEEP_RECLAIM)
SMALLEST, LARGEST = 16, 512
"""Slots of these sizes, in bytes, have their mark bits within the span."""

FEW = 8
"""A part of the window that is not worth a walk through all of it: long recordings of idle programs have as many generations
as seconds."""
MOST_HELD = 1 << 23
"""Events that are kept in memory for what the next cycles tell."""

Array = NDArray[np.int64]


@kernel
def find_order(kind, code, row, owner, carried, wanted, free_at, cycle, first, last, told, room):
    """Find the spans that a cycle frees nothing in and the next one does, in the order in which that sweeps them.

    Write (place of the reclaimer's first call in the cycle, an object) for each.

    Args:
        carried: events at the front that stand for objects which live on.
        wanted: per span, whether it may be swept silently.
        free_at: per event, place of the free of the object; their number where there is none.
        cycle: cycles that ended before the window.
        first, last: of the cycles that are to be told.
        told: out, shape (n, 2); what does not fit is dropped.
        room: to work in, i8, -1, shape (3, spans).

    Returns:
        How many; and the place of the GCEnd before the first call that is to be told later, the number of events if none is.
    """
    swept, swept_next, oldest = room[0], room[1], room[2]
    count = 0
    called = -1
    began = 0
    for q in range(len(kind)):
        k = kind[q]
        if k == GC_END:
            cycle += 1
            began = q
        elif k in (OBJECT_ALLOC, HEAP_OBJECT) and (q < carried or owner[q] == q) and wanted[row[q]]:
            r = row[q]
            if oldest[r] < 0 or free_at[q] > free_at[oldest[r]]:
                oldest[r] = q
        elif k == GC_SWEEP_BEGIN and code[q] == RECLAIM and called < cycle and cycle >= first:
            if cycle > last:
                return count, began
            called = cycle
            end = next_end(kind, q)
            mark_swept(kind, row, owner, q, end, cycle, swept)
            known = (free_at, oldest, swept, swept_next)
            count = list_next(kind, code, row, owner, wanted, known, end, cycle, q, told, count)
        elif k == OBJECT_FREE and owner[q] >= 0:
            swept[row[q]] = cycle
    return count, len(kind)


@inner
def next_end(kind, q):
    """Place of the next GCEnd behind q, or of the end."""
    while q < len(kind) and kind[q] != GC_END:
        q += 1
    return q


@inner
def mark_swept(kind, row, owner, q, end, cycle, swept):
    """Note the spans in which something is freed from place q on, before `end`."""
    for at in range(q, end):
        if kind[at] == OBJECT_FREE and owner[at] >= 0:
            swept[row[at]] = cycle


@inner
def list_next(kind, code, row, owner, wanted, known, end, cycle, q, told, count):
    """Go through the sweep that begins at `end`, but for the flushes of mcaches, refills and the reclaimer: they choose
    their own order."""
    free_at, oldest, swept, swept_next = known
    in_order = False
    for at in range(end + 1, len(kind)):
        k = kind[at]
        if k == GC_END:
            break
        if k in (STW_END, GC_SWEEP_END):
            in_order = True
        elif k == GC_SWEEP_BEGIN:
            in_order = code[at] == CREDIT
        elif k == OBJECT_FREE and owner[at] >= 0:
            r = row[at]
            if swept_next[r] == cycle:
                continue
            swept_next[r] = cycle
            lives = oldest[r]
            if in_order and wanted[r] and swept[r] != cycle and lives >= 0 and free_at[lives] > q and count < len(told):
                told[count, 0], told[count, 1] = q, lives
                count += 1
    return count


class NextSweeps:
    """What the recording tells of the order of sweeping, cycle after cycle."""

    def __init__(self) -> None:
        self.told: Array = np.zeros((0, 2), np.int64)
        """(place, object) for spans that may be swept silently, in the order of the next sweep."""
        self.hold = 0
        """The place from which on the next generation can still add something."""
        self._next = 0
        """The first cycle that was not told."""
        self._read = 0
        """The place up to which the window has been taken in."""

    def read(self, window: Window, ends: Array, whole: bool) -> None:
        """Take in what the window shows now, if that is more than a little.

        Args:
            ends: place of each GCEnd since the recording began.
            whole: nothing comes behind the window.
        """
        if not whole and len(window) - self._read < len(window) // FEW:
            return
        self._read = len(window)
        spans = window.spans
        wanted = (spans["spc"] > 1) & (spans["spc"] % 2 == 0) & (spans["size"] >= SMALLEST) & (spans["size"] <= LARGEST)
        free_at = np.full(len(window), len(window), np.int32)
        frees = np.flatnonzero((window.kind == OBJECT_FREE) & (window.owner >= 0))
        free_at[window.owner[frees]] = frees
        told = np.zeros((len(frees) + 1, 2), np.int64)
        last = len(ends) if whole else len(ends) - 2
        before = int(np.count_nonzero(ends < window.carried))
        count, self.hold = find_order(
            window.kind, window.code, window.row, window.owner, window.carried, wanted, free_at, before, self._next, last,
            told, np.full((3, len(wanted)), -1, np.int64),
        )  # fmt: skip
        self._next = max(self._next, last + 1)
        if len(window) - self.hold > MOST_HELD:
            # Cycles so far apart are not waited for.
            self._next, self.hold = len(ends) + 1, len(window)
        self.told = np.concatenate([self.told, told[:count]])

    def follow_window(self, window: Window, by: int, until: int) -> None:
        """Follow the window, which dropped what is before place `until`: everything moves down by `by`."""
        self._read -= by
        told = self.told[self.told[:, 0] >= until]
        told = np.stack([told[:, 0] - by, window.dropped[told[:, 1]]], axis=1)
        self.told = told[told[:, 1] >= 0]
