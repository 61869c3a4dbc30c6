"""Each P's spans, one for each span class, used without a lock. (Go: mcache.go; allocator.md 4)"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import apart, hot, inner
from goalloc_cli.compiled.words import trailing_zeros
from goalloc_cli.model.pacing.paced import look
from goalloc_cli.model.spans.mcentral import cache_span, file_swept, grow, uncache_span
from goalloc_cli.model.spans.sweep import is_stale
from goalloc_cli.model.stack import clear_stack_cache
from goalloc_cli.model.sweeping.reclaim import reclaim
from goalloc_cli.model.sweeping.sweeper import deduct_sweep_credit
from goalloc_cli.model.sweeping.underway import begin, has_dead, may_overlap
from goalloc_cli.model.tables.heap import HEAP, NO_SPAN, NONE, SWEPT_FLUSH
from goalloc_cli.model.tables.pallocbits import ZERO, without_lowest
from goalloc_cli.model.tables.slotbits import load_alloc_cache


@hot
def next_free(heap, p, spc):
    """Take the next free slot of P's span of this class; return the span, NO_SPAN after a fault, and the slot."""
    s = np.int64(heap.mcaches[p].alloc[spc])
    if heap.spans[s].alloc_cache == ZERO:
        s = advance(heap, p, spc)
        if s == NO_SPAN:
            return s, np.int64(0)
    span = heap.spans[s]
    slot = (span.alloc_word << 6) + trailing_zeros(span.alloc_cache)
    span.alloc_cache = without_lowest(span.alloc_cache)
    span.alloc_count += 1
    return s, slot


@apart
def advance(heap: HEAP, p, spc) -> int:
    """Move on to the next word of P's span that has a free slot, refilling when the span is full; return the span, NO_SPAN
    after a fault."""
    s = np.int64(heap.mcaches[p].alloc[spc])
    while s == NO_SPAN or not find_free_word(heap, s):
        refill(heap, p, spc)
        if heap.fault:
            return NO_SPAN
        s = np.int64(heap.mcaches[p].alloc[spc])
    return s


@inner
def find_free_word(heap, s):
    """Point the alloc cache at the next word with a free slot; False where the span is full."""
    span = heap.spans[s]
    while span.alloc_cache == ZERO:
        if span.alloc_word + 1 >= span.nwords:
            return False
        load_alloc_cache(heap, span, span.alloc_word + 1)
    return True


@inner
def refill(heap, p, spc):
    """Hand P's full span back and cache one with a free slot. (Go: mcache.go, refill)"""
    cache = heap.mcaches[p]
    old = cache.alloc[spc]
    if old != NO_SPAN:
        cache.alloc[spc] = NO_SPAN
        count_allocated(heap, old)
        uncache_span(heap, old)
    cache.refills += 1
    npages = heap.spanclasses[spc].npages
    span_bytes = npages << heap.knobs.page_shift
    deduct_sweep_credit(heap, p, span_bytes, 0)
    s = reserved(heap, p, spc)
    if s == NO_SPAN:
        s = cache_span(heap, spc)
    if s == NO_SPAN:
        if heap.gc.sweeping:
            reclaim(heap, npages)
        s = grow(heap, p, spc)
        if heap.fault:
            return
    span = heap.spans[s]
    # A cached span is skipped by the sweeper until it is given up.
    span.sweepgen = heap.gc.sweepgen + 3
    span.owner = p
    span.alloc_count_at_cache = span.alloc_count
    cache.alloc[spc] = s
    # All free slots and the tail count as live at once: too much rather than too little (allocator.md 4.1).
    heap.gc.heap_live += span_bytes - span.alloc_count * span.elem_size
    look(heap)


@inner
def count_allocated(heap, s):
    """A span is given up: what was taken of it since it was cached counts as allocated only now. (Go: totalAlloc)"""
    span = heap.spans[s]
    heap.gc.heap_alloc += (span.alloc_count - span.alloc_count_at_cache) * span.elem_size


@inner
def reserve(heap, p, spc):
    """The recording says that P, in a refill, sweeps for a span here: choose it now, other sweepers will not wait."""
    prepare_for_sweep(heap, p)
    give_back_reserved(heap, p)
    old = heap.mcaches[p].alloc[spc]
    if old != NO_SPAN and heap.spans[old].alloc_count == heap.spans[old].nelems:
        release(heap, p, spc)
    if heap.gc.sweeping:
        # The real P would not sweep if a swept span waited: one that does was swept too early here, and is the one.
        heap.mcaches[p].reserved = cache_span(heap, spc)


@inner
def reserved(heap, p, spc):
    """The span that P has reserved for this refill, or NO_SPAN."""
    cache = heap.mcaches[p]
    s = cache.reserved
    if s == NO_SPAN:
        return NO_SPAN
    if heap.spans[s].spc != spc:
        give_back_reserved(heap, p)
        return NO_SPAN
    cache.reserved = NO_SPAN
    return s


@inner
def give_back_reserved(heap, p):
    """What P reserved and did not take waits in its mcentral."""
    s = heap.mcaches[p].reserved
    if s != NO_SPAN:
        heap.mcaches[p].reserved = NO_SPAN
        file_swept(heap, s)


@inner
def release(heap, p, spc):
    """Give up P's span of this class, if it has one."""
    cache = heap.mcaches[p]
    s = cache.alloc[spc]
    if s == NO_SPAN:
        return
    span = heap.spans[s]
    stale = is_stale(heap, span)
    if not stale:
        heap.gc.heap_live -= (span.nelems - span.alloc_count) * span.elem_size
    cache.alloc[spc] = NO_SPAN
    count_allocated(heap, s)
    if stale and may_overlap(heap) and has_dead(heap, span):
        span.owner = NONE
        begin(heap, s, SWEPT_FLUSH)
        return
    uncache_span(heap, s)


@inner
def release_up_to(heap, p, last):
    """Give up P's spans of span classes up to and including `last`."""
    for spc in range(2, last + 1):
        release(heap, p, spc)


@inner
def release_all(heap, p):
    """Give up all of P's spans and its tiny block. (Go: mcache.go, releaseAll)"""
    cache = heap.mcaches[p]
    cache.flushes += 1
    give_back_reserved(heap, p)
    release_up_to(heap, p, len(heap.by_spc) - 1)
    cache.tiny_span = NO_SPAN
    cache.tiny_offset = 0


@inner
def flush(heap, p):
    """Empty P's caches of spans and stacks. (Go: mcache.go, flushmcache)"""
    release_all(heap, p)
    clear_stack_cache(heap, p)
    heap.mcaches[p].flush_gen = heap.gc.sweepgen


@apart
def prepare_for_sweep(heap: HEAP, p) -> None:
    """Flush P's caches unless that was done since the last cycle ended. (Go: mcache.go, prepareForSweep)"""
    if heap.mcaches[p].flush_gen != heap.gc.sweepgen:
        flush(heap, p)
