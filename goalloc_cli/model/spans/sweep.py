"""Sweep one span: marks become free slots. (Go: mgcsweep.go, sweepLocked.sweep; allocator.md 8.6)

A sweep only counts and frees slots; whoever asked for it files the span, or gives it back (`mcentral.file_swept`).
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.books.ledger import close_peak
from goalloc_cli.model.tables.slotbits import adopt_marks, load_alloc_cache


@inner
def is_unswept(heap, span):
    """True for a span that waits in an unswept queue."""
    return span.sweepgen == heap.gc.sweepgen - 2


@inner
def is_swept(heap, span):
    """True for a span that this cycle has swept, or that is new in it, and no P caches."""
    return span.sweepgen == heap.gc.sweepgen


@inner
def is_being_swept(heap, span):
    """True for a span whose sweep has begun, and ends later (underway.py)."""
    return span.sweepgen == heap.gc.sweepgen - 1


@inner
def is_stale(heap, span):
    """True for a span that was cached before this cycle's sweep began, and still is."""
    return span.sweepgen == heap.gc.sweepgen + 1


@inner
def awaits_sweep(heap, span):
    """True for a heap span that was neither swept since the last cycle ended nor cached since: what died there is found,
    and not freed yet."""
    since = span.sweepgen - heap.gc.sweepgen
    return (since != 0) & (since != 3)


@inner
def sweep_span(heap, s, cause):
    """Free the slots of span s whose objects the last cycle did not mark."""
    gc = heap.gc
    span = heap.spans[s]
    used = adopt_marks(heap, span, gc.cycle)
    freed = span.alloc_count - used
    if used == 0:
        # The span is about to go: the peak is a moment at which its objects still counted.
        close_peak(heap)
    span.alloc_count = used
    span.mark_cycle = -1
    span.sweepgen = gc.sweepgen
    load_alloc_cache(heap, span, 0)
    gc.pages_swept += span.npages
    heap.stats.swept[cause] += 1
    if freed > 0:
        span.spared = 0
        gc.heap_alloc -= freed * span.elem_size
        by = heap.by_spc[span.spc]
        by.frees += freed
        by.found_bytes -= freed * span.elem_size
        if span.spc < 2:
            by.large_free_bytes += span.elem_size
            by.large_used_bytes -= span.elem_size
