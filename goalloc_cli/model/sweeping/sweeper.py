"""Who drives sweeping: the background sweeper, the debt of allocating goroutines, the page reclaimer, and the hints of a
recording. (Go: mgcsweep.go, sweepone, deductSweepCredit; mheap.go, reclaim; allocator.md 8.4, 8.5)"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.model.pacing.paced import TELL_SWEPT
from goalloc_cli.model.pacing.scavenger import sweep_done
from goalloc_cli.model.spans.mcentral import file_swept, next_unswept
from goalloc_cli.model.spans.sweep import is_being_swept, is_unswept, sweep_span
from goalloc_cli.model.sweeping.underway import PAYER, begin, finish_all, finish_before, has_dead, may_overlap, take_over
from goalloc_cli.model.tables.heap import (
    FULL,
    HEAP,
    NO_SPAN,
    NONE,
    PARTIAL,
    SPAN_IN_USE,
    SWEPT_BACKGROUND,
    SWEPT_CREDIT,
    SWEPT_FINISH,
    SWEPT_OUT_OF_ORDER,
    UNDER_WAY,
)
from goalloc_cli.model.tables.slotbits import count_marked

BACKGROUND = 0
OTHER = 2
"""The sweeper that is none of those named, as SWEEP_TO names it: it alone may sweep out of order."""


@apart
def sweep_one(heap: HEAP, cause) -> int:
    """Sweep the next span in order; what it frees is the reclaimer's credit. Returns its pages, 0 where none was left."""
    gc = heap.gc
    if not gc.sweeping:
        return 0
    s = next_unswept(heap)
    if s == NO_SPAN:
        gc.sweeping = 0
        if not heap.paced.on:
            heap.paced.due = TELL_SWEPT
        sweep_done(heap)
        return 0
    span = heap.spans[s]
    npages = span.npages
    if may_overlap(heap):
        finish_before(heap, heap.gc.last_begun)
        if has_dead(heap, span):
            begin(heap, s, cause)
            return npages
    sweep_span(heap, s, cause)
    gc.reclaim_credit += file_swept(heap, s)
    return npages


@inner
def sweep_all(heap, cause):
    """Sweep until nothing is left."""
    while sweep_one(heap, cause) > 0:
        pass


@inner
def background_turn(heap):
    """The background sweeper's turn: a batch of spans, then it yields."""
    for _ in range(heap.knobs.background_batch):
        if sweep_one(heap, SWEPT_BACKGROUND) == 0:
            return


@apart
def deduct_sweep_credit(heap: HEAP, p, span_bytes, caller_pages) -> None:
    """Sweep as much as allocating span_bytes owes, so that sweeping is done when the next cycle starts.

    Where a recording tells how much that was, sweep just that.
    """
    gc = heap.gc
    cache = heap.mcaches[p]
    if gc.hinted and not gc.own_sweeper:
        if cache.sweep_credit != NONE:
            pay_hinted(heap, cache.sweep_credit)
            cache.sweep_credit = NONE
            catch_up(heap, p)
        return
    if gc.pages_per_byte == 0.0:
        return
    grown = gc.heap_live - gc.live_basis
    new_live = span_bytes + (max(0, grown) if heap.knobs.debt_guard else grown)
    target = np.int64(gc.pages_per_byte * new_live) - caller_pages
    while target > gc.pages_swept - gc.swept_basis:
        if sweep_one(heap, SWEPT_CREDIT) == 0:
            gc.pages_per_byte = 0.0
            return


@inner
def pay_hinted(heap, credit_bytes):
    """Sweep in order until spans of credit_bytes have been swept."""
    gc = heap.gc
    start = gc.pages_swept
    while (gc.pages_swept - start) << heap.knobs.page_shift < credit_bytes:
        if sweep_one(heap, SWEPT_CREDIT) == 0:
            return


@inner
def catch_up(heap, p):
    """The debt was paid to the byte. Where a span that was seen to be swept for it still waits, the model was behind: some
    span before it was swept earlier, and left no trace."""
    cache = heap.mcaches[p]
    s = cache.credit_span
    cache.credit_span = NO_SPAN
    if s != NO_SPAN and heap.spans[s].state == SPAN_IN_USE and is_unswept(heap, heap.spans[s]):
        sweep_to(heap, s, PAYER, p)
        cache.paid_pages = 0


@inner
def settle_debt(heap, p, paid_bytes):
    """P has swept paid_bytes of spans for its debt: sweep those of them that left no trace."""
    cache = heap.mcaches[p]
    while cache.paid_pages << heap.knobs.page_shift < paid_bytes:
        npages = sweep_one(heap, SWEPT_CREDIT)
        if npages == 0:
            break
        cache.paid_pages += npages
    cache.paid_pages = 0


@inner
def sweep_to(heap, s, sweeper, p):
    """A sweeper of the recording, on P p, swept span s, which is not cached: sweep in order up to it.

    Where as many spans with dead objects as there are sweepers would come before it, it was swept out of order (Go does so
    for finalizers and weak pointers: ensureSwept): then sweep it alone.
    """
    gc = heap.gc
    cause = SWEPT_CREDIT if sweeper == PAYER else SWEPT_BACKGROUND
    most = heap.nprocs if sweeper == OTHER or heap.nprocs == 1 else UNDER_WAY
    if is_ahead(heap, s, most):
        passed, begun = gc.passed_clock, gc.last_begun
        while gc.sweeping and is_unswept(heap, heap.spans[s]) and heap.spans[s].state == SPAN_IN_USE:
            passed, begun = gc.passed_clock, gc.last_begun
            npages = sweep_one(heap, cause)
            if npages > 0:
                gc.swept_by[sweeper] += 1
                heap.mcaches[p].paid_pages += npages if sweeper == PAYER else 0
        if is_being_swept(heap, heap.spans[s]):
            take_over(heap, s, sweeper, p, passed, begun)
        return
    sweep_alone(heap, s)


@inner
def sweep_alone(heap, s):
    """Sweep span s whatever waits before it."""
    if may_overlap(heap):
        begin(heap, s, SWEPT_OUT_OF_ORDER)
        return
    sweep_span(heap, s, SWEPT_OUT_OF_ORDER)
    file_swept(heap, s)


@inner
def is_ahead(heap, wanted, most):
    """True where sweeping in order reaches a span before `most` others with dead objects."""
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
                if passed >= most:
                    return False
    return False


@inner
def make_up(heap, sweeper, nspans):
    """A sweeper of the recording has swept nspans spans since this was last said: sweep the ones that left no trace.

    A sweep that frees something leaves one. Where such a span comes next, the model has swept the missing ones before.
    """
    gc = heap.gc
    missing = nspans - gc.swept_by[sweeper]
    while missing > 0 and not next_has_dead(heap) and sweep_one(heap, SWEPT_BACKGROUND) > 0:
        missing -= 1
    gc.swept_by[sweeper] = 0


@inner
def next_has_dead(heap):
    """Whether the sweep of the next span in order frees anything."""
    gc = heap.gc
    for sweep_class in range(gc.sweep_class, 2 * len(heap.central)):
        spc = sweep_class >> 1
        fill = PARTIAL if sweep_class & 1 else FULL
        n = heap.central[spc].head[fill, 1 - gc.parity]
        while n != NONE:
            span = heap.spans[heap.nodes[n].span]
            if is_unswept(heap, span) and span.spc == spc:
                return has_dead(heap, span)
            n = heap.nodes[n].next
    return False


@inner
def drained(heap):
    """The background sweeper of the recording has found nothing left, and sleeps: its batches begin anew when it wakes."""
    sweep_all(heap, SWEPT_FINISH)
    heap.gc.swept_by[BACKGROUND] = 0


@inner
def finish_sweep(heap):
    """Sweep what is left before a cycle starts."""
    sweep_all(heap, SWEPT_FINISH)
    finish_all(heap)
