"""Whose the bytes of the heap are: the ledger, laid on those who allocated what lives and what is dead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.compiled.words import popcount
from goalloc_cli.model.spans.sweep import awaits_sweep
from goalloc_cli.model.tables.heap import SPAN_IN_USE
from goalloc_cli.model.tables.objects import OBJECT_LIVE
from goalloc_cli.model.tables.pallocbits import ZERO, bit
from goalloc_cli.model.tables.slotbits import TINY_SPC, is_live, marks_word

SHARED = ("tail_waste", "span_metadata", "free_slots_cached", "free_slots", "tiny_waste")
"""What is shared out among the objects of a span."""


class Spans(NamedTuple):
    """By span row: what is shared out among its live objects, how many they are, and how many have had their part."""

    shared: NDArray[np.int64]
    """Bytes of each of `SHARED`, shape (n, 5)."""
    live: NDArray[np.int64]
    served: NDArray[np.int64]
    dead: NDArray[np.int64]
    """Bytes of dead slots: found by the last cycle, and not found yet; shape (n, 2). What is known of them is taken out."""


def holders(
    heap: np.record, objects: np.ndarray, row_of: np.ndarray, number: np.ndarray, rows: np.ndarray, first: int
) -> None:
    """Lay all of HeapInuse on rows.

    Args:
        heap, objects: HEAP record and OBJECT rows.
        row_of: (n,) i8 by handle: the row of its object, -1 where it is not known and does not live.
        number: (n,) i8 by handle: objects born before it.
        rows: `results.who.ROW` rows, changed.
        first: where two rows for each span class begin, first all of the dead whose owner is not known any more, then all of
            spans in which nothing lives.
    """
    n = int(heap.span_rows)
    none = np.zeros(n, np.int64)
    spans = Spans(np.zeros((n, len(SHARED)), np.int64), none, none.copy(), np.zeros((n, 2), np.int64))
    measure(heap, spans)
    count_living(objects, row_of, spans)
    serve(heap, objects, row_of, rows, spans)
    is_dead = (objects["label"] & OBJECT_LIVE == 0) & (row_of >= 0) & (objects["loc"] > 0xFFFF)
    handles = np.flatnonzero(is_dead)
    # Of those that had a slot the last one has it.
    handles = handles[np.lexsort((-number[handles], objects["loc"][handles]))]
    bury(heap, objects["loc"][handles].copy(), row_of[handles], rows, spans)
    leave_rest(heap, rows, first, spans)


@kernel
def measure(heap, spans):
    """Find what is to be shared out of each span, and what is dead in it."""
    page_shift = heap.knobs.page_shift
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state != SPAN_IN_USE:
            continue
        free = (span.nelems - span.alloc_count) * span.elem_size
        metadata = np.int64(0)
        if span.spc >= 2:
            metadata = np.int64(heap.spanclasses[span.spc].metadata)
        shared = spans.shared[s]
        shared[0] = (np.int64(span.npages) << page_shift) - metadata - span.nelems * span.elem_size
        shared[1] = metadata
        shared[2] = free if span.owner >= 0 else 0
        shared[3] = 0 if span.owner >= 0 else free
        found, unfound = dead_slots(heap, span)
        spans.dead[s, 0], spans.dead[s, 1] = found * span.elem_size, unfound * span.elem_size
        if span.spc == TINY_SPC:
            shared[4] = (span.alloc_count - found - unfound) * span.elem_size


@inner
def used_word(heap, span, w):
    """The slots of a word that are taken: those that the last sweep found in use, and those handed out since."""
    if w < span.alloc_word:
        left = span.nelems - (w << 6)
        return ~ZERO if left >= 64 else (np.uint64(1) << np.uint64(left)) - np.uint64(1)
    if w > span.alloc_word:
        return heap.bits[span.bits + w]
    left = span.nelems - (w << 6)
    whole = ~ZERO if left >= 64 else (np.uint64(1) << np.uint64(left)) - np.uint64(1)
    return ~span.alloc_cache & whole


@inner
def dead_slots(heap, span):
    """How many slots of a span are dead: found by the last cycle and not swept, and not found yet."""
    found = unfound = 0
    awaits = awaits_sweep(heap, span)
    marks = marks_word(heap, span, heap.gc.cycle)
    for w in range(span.nwords):
        dead = used_word(heap, span, w) & ~heap.bits[span.bits + span.nwords + w]
        doomed = dead & ~heap.bits[marks + w] if awaits else ZERO
        found += popcount(doomed)
        unfound += popcount(dead & ~doomed)
    return found, unfound


@kernel
def count_living(objects, row_of, spans):
    """Count the live objects of each span."""
    for h in range(len(objects)):
        if objects[h].label & OBJECT_LIVE and objects[h].loc >= 0 and row_of[h] >= 0:
            spans.live[objects[h].loc >> 16] += 1


@kernel
def serve(heap, objects, row_of, rows, spans):
    """Lay on each live object its slot and its part of what is shared out."""
    for h in range(len(objects)):
        if objects[h].label & OBJECT_LIVE == 0 or row_of[h] < 0:
            continue
        row = rows[row_of[h]]
        row.objects += 1
        s = objects[h].loc >> 16
        if objects[h].loc < 0:
            continue
        span = heap.spans[s]
        asked = span.elem_size - objects[h].unused
        row.requested += asked
        if span.spc < 2:
            row.large_rounding += objects[h].unused
        elif span.spc != TINY_SPC:
            header = np.int64(heap.spanclasses[span.spc].header)
            row.headers += header
            row.class_rounding += objects[h].unused - header
        else:
            # What its blocks have beyond all that is asked for in them is waste.
            spans.shared[s, 4] -= asked
    for h in range(len(objects)):
        if objects[h].label & OBJECT_LIVE == 0 or row_of[h] < 0 or objects[h].loc < 0:
            continue
        row = rows[row_of[h]]
        s = objects[h].loc >> 16
        shared, j, n = spans.shared[s], spans.served[s], spans.live[s]
        spans.served[s] += 1
        row.tail_waste += shared[0] * (j + 1) // n - shared[0] * j // n
        row.span_metadata += shared[1] * (j + 1) // n - shared[1] * j // n
        row.free_slots_cached += shared[2] * (j + 1) // n - shared[2] * j // n
        row.free_slots += shared[3] * (j + 1) // n - shared[3] * j // n
        row.tiny_waste += shared[4] * (j + 1) // n - shared[4] * j // n


@kernel
def bury(heap, loc, row_of, rows, spans):
    """Lay each dead slot on who had it last. `loc` is sorted, of one slot the last owner comes first."""
    before = np.int64(-1)
    for i in range(len(loc)):
        s, slot = loc[i] >> 16, loc[i] & 0xFFFF
        if loc[i] == before or s >= heap.span_rows:
            continue
        before = loc[i]
        span = heap.spans[s]
        w = slot >> 6
        if span.state != SPAN_IN_USE or slot >= span.nelems or used_word(heap, span, w) & bit(slot & 63) == ZERO:
            continue
        if is_live(heap, span, slot):
            continue
        row = rows[row_of[i]]
        row.dead_objects += 1
        doomed = awaits_sweep(heap, span) and heap.bits[marks_word(heap, span, heap.gc.cycle) + w] & bit(slot & 63) == ZERO
        if doomed:
            row.dead_unswept += span.elem_size
            spans.dead[s, 0] -= span.elem_size
        else:
            row.dead_unfound += span.elem_size
            spans.dead[s, 1] -= span.elem_size


@kernel
def leave_rest(heap, rows, first, spans):
    """Lay on the last rows, by class, the dead whose owner is not known, and the spans in which nothing lives."""
    classes = (len(rows) - first) // 2
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state != SPAN_IN_USE:
            continue
        dead = rows[first + span.spc]
        dead.dead_unswept += spans.dead[s, 0]
        dead.dead_unfound += spans.dead[s, 1]
        if span.elem_size:
            dead.dead_objects += (spans.dead[s, 0] + spans.dead[s, 1]) // span.elem_size
        if spans.live[s] == 0:
            empty = rows[first + classes + span.spc]
            empty.tail_waste += spans.shared[s, 0]
            empty.span_metadata += spans.shared[s, 1]
            empty.free_slots_cached += spans.shared[s, 2]
            empty.free_slots += spans.shared[s, 3]
            empty.tiny_waste += spans.shared[s, 4]
