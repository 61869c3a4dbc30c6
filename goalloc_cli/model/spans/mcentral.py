"""The seam to mcentral, and what all of its designs share. (Go: mcentral.go)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.design.choices import Central
from goalloc_cli.model.spans import mcentral_lists, mcentral_sets
from goalloc_cli.model.spans.mheap import alloc_span, free_span
from goalloc_cli.model.spans.sweep import is_stale, sweep_span
from goalloc_cli.model.tables.heap import HEAP, LOCK_SMALL, NO_SPAN, NONE, SWEPT_FLUSH


@inner
def cache_span(heap, spc):
    """A swept span of the class with a free slot, or NO_SPAN."""
    if heap.knobs.central == Central.SPAN_SETS:
        return mcentral_sets.cache_span(heap, spc)
    return mcentral_lists.cache_span(heap, spc)


@inner
def next_unswept(heap):
    """The next span that sweeping in order would take, or NO_SPAN when none is left."""
    if heap.knobs.central == Central.SPAN_SETS:
        return mcentral_sets.next_unswept(heap)
    return mcentral_lists.next_unswept(heap)


@apart
def file_swept(heap: HEAP, s) -> int:
    """File a span that was just swept, or give it back when it is empty; return the pages given back."""
    span = heap.spans[s]
    if span.alloc_count == 0:
        npages = span.npages
        mcentral_lists.unlink(heap, s)
        free_span(heap, s)
        return npages
    if heap.knobs.central == Central.SPAN_SETS:
        mcentral_sets.file_swept(heap, s)
    else:
        mcentral_lists.file_swept(heap, s)
    return 0


@inner
def file_new(heap, s):
    """File a large object's new span: swept and full."""
    if heap.knobs.central == Central.SPAN_SETS:
        mcentral_sets.file_swept(heap, s)
    else:
        mcentral_lists.file_new(heap, s)


@inner
def file_cached(heap, s):
    """File a new span that goes to an mcache at once: lists link that too."""
    if heap.knobs.central == Central.SPAN_LISTS:
        mcentral_lists.file_new(heap, s)


@inner
def file_found(heap, s):
    """File a span that a snapshot found in mcentral."""
    if heap.knobs.central == Central.SPAN_SETS:
        mcentral_sets.file_found(heap, s)
    else:
        mcentral_lists.file_found(heap, s)


@inner
def uncache_span(heap, s):
    """Take back a span that an mcache gives up; a stale one is swept first. (Go: uncacheSpan)"""
    span = heap.spans[s]
    span.owner = NONE
    lists = heap.knobs.central == Central.SPAN_LISTS
    if lists:
        mcentral_lists.uncache_span(heap, s)
    if is_stale(heap, span):
        sweep_span(heap, s, SWEPT_FLUSH)
        file_swept(heap, s)
        return
    span.sweepgen = heap.gc.sweepgen
    if not lists:
        mcentral_sets.file_swept(heap, s)


@inner
def grow(heap, p, spc):
    """A new span of the class, all slots free; NO_SPAN after a fault."""
    heap.central[spc].from_heap += 1
    s = alloc_span(heap, p, heap.spanclasses[spc].npages, spc, LOCK_SMALL)
    if s != NO_SPAN:
        file_cached(heap, s)
    return s
