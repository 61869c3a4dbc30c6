"""Invariants of the queues and lists of mcentrals: the part of `check.py` about where spans wait."""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Central
from goalloc_cli.model.spans.sweep import is_being_swept
from goalloc_cli.model.tables.heap import FULL, NO_SPAN, NONE, PARTIAL, SPAN_IN_USE


@inner
def check_queues(heap):
    """Invariants 11 and 12: a span that no P caches is in one queue, of its kind. free_list, unused, marks those seen."""
    for s in range(1, heap.span_rows):
        if heap.spans[s].state == SPAN_IN_USE:
            heap.spans[s].free_list = 0
    if heap.knobs.central == Central.SPAN_LISTS:
        return check_lists(heap)
    gc = heap.gc
    for spc in range(len(heap.central)):
        for fill in (PARTIAL, FULL):
            for parity in range(2):
                swept = parity == gc.parity
                length = 0
                n = heap.central[spc].head[fill, parity]
                while n != NONE:
                    s = heap.nodes[n].span
                    span = heap.spans[s]
                    n = heap.nodes[n].next
                    length += 1
                    stands = span.state == SPAN_IN_USE and span.spc == spc and span.owner == NONE
                    if not swept and not (stands and span.sweepgen == gc.sweepgen - 2):
                        continue
                    if not stands or (swept and span.sweepgen != gc.sweepgen):
                        return 14
                    if swept and (span.alloc_count == span.nelems) != (fill == FULL):
                        return 14
                    span.free_list += 1
                if length != heap.central[spc].count[fill, parity]:
                    return 30
    broken = 0
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state == SPAN_IN_USE:
            if span.free_list != (1 if span.owner == NONE and not is_taken_out(heap, s) else 0):
                broken = 13
            span.free_list = NONE
    return broken


@inner
def is_taken_out(heap, s):
    """Whether span s waits in no queue because it is being swept, or because a refill under way has reserved it."""
    taken_out = is_being_swept(heap, heap.spans[s])
    for p in range(heap.nprocs):
        taken_out = taken_out or heap.mcaches[p].reserved == s
    return taken_out


@inner
def check_lists(heap):
    """The same where mcentrals have lists: a small span is in one of the two of its class, a cached one in `empty`."""
    for spc in range(2, len(heap.central)):
        s = heap.central[spc].nonempty.first
        while s != NO_SPAN:
            span = heap.spans[s]
            if span.spc != spc or span.owner != NONE or span.alloc_count == span.nelems:
                return 14
            span.free_list += 1
            s = span.next
        s = heap.central[spc].empty.first
        while s != NO_SPAN:
            span = heap.spans[s]
            if span.spc != spc or (span.owner == NONE and span.alloc_count < span.nelems):
                return 14
            span.free_list += 1
            s = span.next
    broken = 0
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state == SPAN_IN_USE:
            if span.free_list != (1 if span.spc >= 2 else 0):
                broken = 13
            span.free_list = NONE
    return broken
