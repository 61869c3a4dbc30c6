"""Sweeps under way: with several Ps a sweep ends, and shows what it freed, later than it began.

Only a recording tells when. Some sweeps it names, and says when each ends; a sweeper that went in order past a span with dead
objects has begun to sweep that one as well, and the recording names it later. (Go: mgcsweep.go, sweepLocked.sweep, whose last
step files the span)
"""

from __future__ import annotations

from goalloc_cli.jit import inner
from goalloc_cli.model.heap import NO_SPAN, SWEPT_BACKGROUND, SWEPT_CREDIT, SWEPT_RECLAIM, UNDER_WAY
from goalloc_cli.model.mcentral import file_swept
from goalloc_cli.model.mheap import page_of
from goalloc_cli.model.slotbits import count_marked
from goalloc_cli.model.sweep import is_being_swept, sweep_span


@inner
def may_overlap(heap):
    """Whether several sweep at once, and a recording tells when each ends."""
    return heap.gc.hinted != 0 and heap.nprocs > 1 and heap.gc.own_sweeper == 0


@inner
def has_dead(heap, span):
    """Whether a sweep of this span frees anything: then the recording shows it."""
    return count_marked(heap, span, heap.gc.cycle) < span.alloc_count


@inner
def begin(heap, s, cause):
    """Begin to sweep span s without being told when that ends. Where more are under way than there can be sweepers, the first
    of them has ended."""
    gc = heap.gc
    if gc.under_way_count >= min(heap.nprocs, UNDER_WAY):
        finish(heap, gc.under_way[0])
    heap.spans[s].sweepgen = gc.sweepgen - 1
    heap.spans[s].sweep_cause = cause
    gc.under_way[gc.under_way_count] = s
    gc.under_way_count += 1


@inner
def name(heap, s, number):
    """The sweep of span s, which is under way, ends when the recording says that number `number` does; 0: here."""
    if number == 0:
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


@inner
def finish(heap, s):
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
