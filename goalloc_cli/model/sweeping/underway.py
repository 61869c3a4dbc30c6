"""Sweeps under way: with several Ps a sweep ends, and shows what it freed, later than it began.

Only a recording tells when. It names the spans whose frees it holds, and says when the last of them came. But the stamps of
such bursts run ahead of the time by an amount that differs between threads, so that the order in which two sweeps end is not
the order of their last frees. The order in which sweeps begin is sure: that of the queues, which all sweepers pop. So the
model keeps a clock of its own, in frees: a sweep begins when its sweeper has ended the one before, not before the one popped
before it has begun, and lasts as long as it has slots to free. What is popped in passing, on the way to a span that the
recording names, belongs to another sweeper, and is filed when this clock says so. (Go: mgcsweep.go, sweepLocked.sweep, whose
last step files the span)
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.model.spans.mcentral import file_swept
from goalloc_cli.model.spans.mheap import page_of
from goalloc_cli.model.spans.sweep import is_being_swept, sweep_span
from goalloc_cli.model.tables.heap import HEAP, NO_SPAN, NONE, SWEPT_BACKGROUND, SWEPT_CREDIT, SWEPT_RECLAIM, UNDER_WAY
from goalloc_cli.model.tables.slotbits import count_marked

PAYER = 3
"""The sweeper that pays its debt, as SWEEP_TO names it."""
SWEEP_FREES = 3
"""What a sweep takes besides its frees, in frees."""


@inner
def may_overlap(heap):
    """Whether several sweep at once, and a recording tells when each ends."""
    return heap.gc.hinted != 0 and heap.nprocs > 1 and heap.gc.own_sweeper == 0


@inner
def has_dead(heap, span):
    """Whether a sweep of this span frees anything: then the recording shows it."""
    return frees(heap, span) > 0


@inner
def begin(heap, s, cause):
    """Begin to sweep span s without being told who does, or when that ends: one that is not named so far."""
    gc = heap.gc
    if gc.under_way_count == UNDER_WAY:
        finish(heap, gc.under_way[0])
    span = heap.spans[s]
    start = max(gc.last_begun, gc.passed_clock)
    span.sweep_end = start + frees(heap, span) + SWEEP_FREES
    gc.passed_clock = span.sweep_end
    gc.last_begun = start
    span.sweepgen = gc.sweepgen - 1
    span.sweep_cause = cause
    gc.under_way[gc.under_way_count] = s
    gc.under_way_count += 1


@inner
def frees(heap, span):
    """How many slots the sweep of this span frees."""
    return span.alloc_count - count_marked(heap, span, heap.gc.cycle)


@inner
def finish_before(heap, end):
    """Finish what was begun in passing and ends before a sweep that has ended."""
    gc = heap.gc
    while True:
        first = -1
        for i in range(gc.under_way_count):
            at = heap.spans[gc.under_way[i]].sweep_end
            if at < end and (first < 0 or at < heap.spans[gc.under_way[first]].sweep_end):
                first = i
        if first < 0:
            return
        finish(heap, gc.under_way[first])


@inner
def name(heap, s, number):
    """The sweep of span s, which is under way, ends when the recording says that number `number` does; 0: here."""
    if number == 0:
        finish_before(heap, heap.spans[s].sweep_end)
        finish(heap, s)
        return
    forget(heap, s)
    gc = heap.gc
    at = number % UNDER_WAY
    if gc.named_sweeps[at] != NO_SPAN:
        finish(heap, gc.named_sweeps[at])
    gc.named_sweeps[at] = s


@inner
def end_named(heap, number):
    """The sweep of this number has ended."""
    s = heap.gc.named_sweeps[number % UNDER_WAY]
    if s != NO_SPAN:
        finish_before(heap, heap.spans[s].sweep_end)
        finish(heap, s)


@inner
def forget(heap, s):
    """Take span s out of what is under way."""
    gc = heap.gc
    kept = 0
    for i in range(gc.under_way_count):
        if gc.under_way[i] != s:
            gc.under_way[kept] = gc.under_way[i]
            kept += 1
    gc.under_way_count = kept
    for i in range(UNDER_WAY):
        if gc.named_sweeps[i] == s:
            gc.named_sweeps[i] = NO_SPAN


@apart
def finish(heap: HEAP, s) -> None:
    """The sweep of span s has ended: file it, or give its pages back, to the credit of the reclaimer where that counts."""
    forget(heap, s)
    gc = heap.gc
    span = heap.spans[s]
    if not is_being_swept(heap, span):
        return
    page, npages, cause = page_of(heap, span), span.npages, span.sweep_cause
    sweep_span(heap, s, cause)
    freed = file_swept(heap, s)
    if cause in (SWEPT_BACKGROUND, SWEPT_CREDIT):
        gc.reclaim_credit += freed
    elif cause == SWEPT_RECLAIM and gc.reclaimed_count < UNDER_WAY:
        row = gc.reclaimed[gc.reclaimed_count]
        row.page, row.npages, row.freed = page, npages, freed
        gc.reclaimed_count += 1


@inner
def finish_all(heap):
    """No sweep is under way any more."""
    gc = heap.gc
    while gc.under_way_count > 0:
        finish(heap, gc.under_way[0])
    for i in range(UNDER_WAY):
        if gc.named_sweeps[i] != NO_SPAN:
            finish(heap, gc.named_sweeps[i])


@inner
def take_over(heap, s, sweeper, p, passed, begun):
    """Sweeper `sweeper` (for the debt of P p where it is PAYER) sweeps span s, which is under way.

    Args:
        passed, begun: the clock of those not named, and when the last sweep had begun, before this one was; NONE where it
            was begun in passing.
    """
    gc = heap.gc
    span = heap.spans[s]
    own = heap.mcaches[p].sweep_clock if sweeper == PAYER else gc.sweep_clock[sweeper]
    if passed != NONE:
        # It began after the one popped before it did, and most likely before that one ended.
        start = max(own, (begun + gc.last_begun) // 2)
        span.sweep_end = start + frees(heap, span) + SWEEP_FREES
        gc.last_begun = start
        gc.passed_clock = passed
    own = max(own, span.sweep_end)
    if sweeper == PAYER:
        heap.mcaches[p].sweep_clock = own
    else:
        gc.sweep_clock[sweeper] = own


@inner
def start_clocks(heap):
    """A cycle has ended: nobody sweeps yet."""
    gc = heap.gc
    gc.last_begun = gc.passed_clock = 0
    gc.sweep_clock[:] = 0
    for p in range(heap.nprocs):
        heap.mcaches[p].sweep_clock = 0
