"""The seam to mcentral, and what all of its designs share. (Go: mcentral.go)"""

from __future__ import annotations

from goalloc_cli.jit import inner
from goalloc_cli.model import mcentral_sets
from goalloc_cli.model.heap import LOCK_SMALL, NO_SPAN, NONE, SWEPT_FLUSH
from goalloc_cli.model.mheap import alloc_span, free_span
from goalloc_cli.model.sweep import is_stale, sweep_span


@inner
def cache_span(heap, spc):
    """A swept span of the class with a free slot, or NO_SPAN."""
    return mcentral_sets.cache_span(heap, spc)


@inner
def next_unswept(heap):
    """The next span that sweeping in order would take, or NO_SPAN when none is left."""
    return mcentral_sets.next_unswept(heap)


@inner
def file_swept(heap, s):
    """File a span that was just swept, or give it back when it is empty; return the pages given back."""
    span = heap.spans[s]
    if span.alloc_count == 0:
        npages = span.npages
        free_span(heap, s)
        return npages
    mcentral_sets.file_swept(heap, s)
    return 0


@inner
def file_new(heap, s):
    """File a large object's span: swept and full."""
    mcentral_sets.file_swept(heap, s)


@inner
def uncache_span(heap, s):
    """Take back a span that an mcache gives up; a stale one is swept first. (Go: uncacheSpan)"""
    span = heap.spans[s]
    span.owner = NONE
    if is_stale(heap, span):
        sweep_span(heap, s, SWEPT_FLUSH)
        file_swept(heap, s)
        return
    span.sweepgen = heap.gc.sweepgen
    mcentral_sets.file_swept(heap, s)


@inner
def grow(heap, p, spc):
    """A new span of the class, all slots free; NO_SPAN after a fault."""
    heap.central[spc].from_heap += 1
    return alloc_span(heap, p, heap.spanclasses[spc].npages, spc, LOCK_SMALL)
