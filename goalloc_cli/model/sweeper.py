"""Who drives sweeping: the background sweeper, the debt of allocating goroutines, the page reclaimer, and the hints of a
recording. (Go: mgcsweep.go, sweepone, deductSweepCredit; mheap.go, reclaim; allocator.md 8.4, 8.5)"""

from __future__ import annotations

import numpy as np

from goalloc_cli.jit import inner
from goalloc_cli.model.heap import (
    FULL,
    NO_SPAN,
    NONE,
    PARTIAL,
    SPAN_IN_USE,
    SWEPT_BACKGROUND,
    SWEPT_CREDIT,
    SWEPT_FINISH,
    SWEPT_OUT_OF_ORDER,
)
from goalloc_cli.model.mcentral import file_swept, next_unswept
from goalloc_cli.model.scavenger import sweep_done
from goalloc_cli.model.slotbits import count_marked
from goalloc_cli.model.sweep import is_unswept, sweep_span


@inner
def sweep_one(heap, cause):
    """Sweep the next span in order; False where none was left. Pages that it frees are credit for the reclaimer."""
    gc = heap.gc
    if not gc.sweeping:
        return False
    s = next_unswept(heap)
    if s == NO_SPAN:
        gc.sweeping = 0
        sweep_done(heap)
        return False
    sweep_span(heap, s, cause)
    gc.reclaim_credit += file_swept(heap, s)
    return True


@inner
def sweep_all(heap, cause):
    """Sweep until nothing is left."""
    while sweep_one(heap, cause):
        pass


@inner
def background_turn(heap):
    """The background sweeper's turn: a batch of spans, then it yields."""
    for _ in range(heap.knobs.background_batch):
        if not sweep_one(heap, SWEPT_BACKGROUND):
            return


@inner
def deduct_sweep_credit(heap, p, span_bytes, caller_pages):
    """Sweep as much as allocating span_bytes owes, so that sweeping is done when the next cycle starts.

    Where a recording tells how much that was, sweep just that.
    """
    gc = heap.gc
    cache = heap.mcaches[p]
    if gc.hinted and not gc.own_sweeper:
        if cache.sweep_credit != NONE:
            pay_hinted(heap, cache.sweep_credit)
            cache.sweep_credit = NONE
        return
    if gc.pages_per_byte == 0.0:
        return
    grown = gc.heap_live - gc.live_basis
    new_live = span_bytes + (max(0, grown) if heap.knobs.debt_guard else grown)
    target = np.int64(gc.pages_per_byte * new_live) - caller_pages
    while target > gc.pages_swept - gc.swept_basis:
        if not sweep_one(heap, SWEPT_CREDIT):
            gc.pages_per_byte = 0.0
            return


@inner
def pay_hinted(heap, credit_bytes):
    """Sweep in order until spans of credit_bytes have been swept."""
    gc = heap.gc
    start = gc.pages_swept
    while (gc.pages_swept - start) << heap.knobs.page_shift < credit_bytes:
        if not sweep_one(heap, SWEPT_CREDIT):
            return


@inner
def sweep_to(heap, s, sweeper, sweepers):
    """A sweeper of the recording swept span s, which is not cached: sweep in order up to it.

    Where as many spans with dead objects as there are sweepers would come before it, it was swept out of order (Go does so
    for finalizers and weak pointers: ensureSwept): then sweep it alone.
    """
    gc = heap.gc
    if is_ahead(heap, s, sweepers):
        while gc.sweeping and is_unswept(heap, heap.spans[s]) and heap.spans[s].state == SPAN_IN_USE:
            if sweep_one(heap, SWEPT_BACKGROUND):
                gc.swept_by[sweeper] += 1
        return
    sweep_span(heap, s, SWEPT_OUT_OF_ORDER)
    file_swept(heap, s)


@inner
def is_ahead(heap, wanted, sweepers):
    """True where sweeping in order reaches a span before `sweepers` others with dead objects."""
    gc = heap.gc
    passed = 0
    for sweep_class in range(gc.sweep_class, 2 * len(heap.central)):
        spc = sweep_class >> 1
        fill = PARTIAL if sweep_class & 1 else FULL
        n = heap.central[spc].head[fill, 1 - gc.parity]
        while n != NONE:
            s = heap.nodes[n].span
            n = heap.nodes[n].next
            if s == wanted:
                return True
            span = heap.spans[s]
            if is_unswept(heap, span) and span.spc == spc and count_marked(heap, span, gc.cycle) < span.alloc_count:
                passed += 1
                if passed >= sweepers:
                    return False
    return False


@inner
def make_up(heap, sweeper, nspans):
    """A sweeper of the recording has swept nspans spans since this was last said: sweep the ones that left no trace."""
    gc = heap.gc
    missing = nspans - gc.swept_by[sweeper]
    while missing > 0 and sweep_one(heap, SWEPT_BACKGROUND):
        missing -= 1
    gc.swept_by[sweeper] = 0


@inner
def finish_sweep(heap):
    """Sweep what is left before a cycle starts."""
    sweep_all(heap, SWEPT_FINISH)
