"""Move the model to where the real runtime was, after a decision that differed: what `verify` does before it goes on.

For recordings of Go 1.23 and later: span sets and the bitmap page heap.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.compiled.words import popcount
from goalloc_cli.model.spans.mcentral_sets import push, push_front
from goalloc_cli.model.spans.sweep import is_being_swept, is_swept, is_unswept, sweep_span
from goalloc_cli.model.sweeping.underway import forget
from goalloc_cli.model.tables.heap import (
    FULL,
    NO_SPAN,
    NONE,
    PARTIAL,
    SPAN_IN_USE,
    SWEPT_OUT_OF_ORDER,
)
from goalloc_cli.model.tables.nodes import free_node
from goalloc_cli.model.tables.pallocbits import low_bits
from goalloc_cli.model.tables.slotbits import load_alloc_cache

MOST_OFFERS = 3
"""A span that was offered wrongly as often is set aside until the recording uses it, or the next cycle: something that the
recording does not show keeps it from being taken, and it would be offered at every refill."""


@inner
def offered_wrongly(heap, p, spc):
    """The real P did not take the span that the model gave it: back with it."""
    s = heap.mcaches[p].alloc[spc]
    heap.spans[s].offers += 1
    give_up(heap, p, spc)


@inner
def end_set_aside(heap):
    """A cycle begins: spans that were set aside wait in their queues again."""
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.offers >= MOST_OFFERS and span.state == SPAN_IN_USE and span.owner == NONE and is_swept(heap, span):
            unqueue(heap, s)
            push(heap, span.spc, FULL if span.alloc_count == span.nelems else PARTIAL, heap.gc.parity, s)
        span.offers = 0


@inner
def unqueue(heap, s):
    """Take a swept span out of the queue that it waits in; False where it is in none."""
    span = heap.spans[s]
    central = heap.central[span.spc]
    parity = heap.gc.parity
    for fill in (PARTIAL, FULL):
        last = NONE
        n = central.head[fill, parity]
        while n != NONE:
            following = heap.nodes[n].next
            if heap.nodes[n].span == s:
                if last == NONE:
                    central.head[fill, parity] = following
                else:
                    heap.nodes[last].next = following
                if following == NONE:
                    central.tail[fill, parity] = last
                central.count[fill, parity] -= 1
                free_node(heap, n)
                return True
            last = n
            n = following
    return False


@inner
def unreserve(heap, s):
    """Take a span away from the P that has reserved it; False where none has."""
    reserved = False
    for p in range(heap.nprocs):
        if heap.mcaches[p].reserved == s:
            heap.mcaches[p].reserved = NO_SPAN
            reserved = True
    return reserved


@inner
def give_up(heap, p, spc):
    """Take P's span of this class away; what is left of it stands first in line again."""
    cache = heap.mcaches[p]
    s = cache.alloc[spc]
    if s == NO_SPAN:
        return
    span = heap.spans[s]
    cache.alloc[spc] = NO_SPAN
    span.owner = NONE
    span.sweepgen = heap.gc.sweepgen
    heap.gc.heap_live -= (span.nelems - span.alloc_count) * span.elem_size
    if span.alloc_count == span.nelems:
        push(heap, spc, FULL, heap.gc.parity, s)
    elif span.offers < MOST_OFFERS:
        push_front(heap, spc, PARTIAL, heap.gc.parity, s)


@inner
def cache_true_span(heap, p, spc, s):
    """Make span s, wherever it is, the one that P caches."""
    span = heap.spans[s]
    if span.owner != NONE:
        heap.mcaches[span.owner].alloc[spc] = NO_SPAN
        heap.gc.heap_live -= (span.nelems - span.alloc_count) * span.elem_size
    elif is_unswept(heap, span) or is_being_swept(heap, span):
        forget(heap, s)
        sweep_span(heap, s, SWEPT_OUT_OF_ORDER)
    elif not unreserve(heap, s):
        unqueue(heap, s)
    span.owner = p
    span.offers = 0
    span.sweepgen = heap.gc.sweepgen + 3
    span.alloc_count_at_cache = span.alloc_count
    heap.mcaches[p].alloc[spc] = s
    heap.gc.heap_live += (span.npages << heap.knobs.page_shift) - span.alloc_count * span.elem_size


@inner
def drop_span(heap, s):
    """The real runtime gave this span back: take it out of the model too, dead objects and all. False where it is alive."""
    span = heap.spans[s]
    if span.state != SPAN_IN_USE:
        return False
    if span.owner != NONE:
        heap.mcaches[span.owner].alloc[span.spc] = NO_SPAN
        span.owner = NONE
        span.sweepgen = heap.gc.sweepgen - 2 if span.sweepgen == heap.gc.sweepgen + 1 else heap.gc.sweepgen
    elif span.sweepgen == heap.gc.sweepgen and not unreserve(heap, s):
        unqueue(heap, s)
    if is_unswept(heap, span) or is_being_swept(heap, span):
        forget(heap, s)
        sweep_span(heap, s, SWEPT_OUT_OF_ORDER)
    return span.alloc_count == 0


@inner
def take_slots_to(heap, s, slot):
    """Take this slot of span s, and all free ones before it: the real free index has passed them until the next sweep."""
    span = heap.spans[s]
    while span.alloc_word < slot >> 6:
        span.alloc_count += popcount(span.alloc_cache)
        load_alloc_cache(heap, span, span.alloc_word + 1)
    passed = span.alloc_cache & low_bits((slot & 63) + 1)
    span.alloc_count += popcount(passed)
    span.alloc_cache &= ~passed
