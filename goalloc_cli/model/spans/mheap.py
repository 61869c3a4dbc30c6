"""Spans from pages, and back. (Go: mheap.go, allocSpan, initSpan, freeSpanLocked)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.model.books.ledger import close_peak
from goalloc_cli.model.pages.doubt import clip
from goalloc_cli.model.pages.pagealloc import alloc_pages, free_pages
from goalloc_cli.model.pages.pagecache import cache_alloc
from goalloc_cli.model.pages.scavenge import assist
from goalloc_cli.model.pages.touched import note_manual, note_objects
from goalloc_cli.model.tables.heap import (
    FAULT_SPANS,
    HEAP,
    LOCK_FREE,
    LOCK_STACK,
    LOCK_WORKBUF,
    NO_SPAN,
    NONE,
    SPAN_DEAD,
    SPAN_IN_USE,
    SPAN_STACK,
    SPANS,
)
from goalloc_cli.model.tables.slotbits import drop_slot_bits, load_alloc_cache, new_slot_bits


@apart
def take_pages(heap: HEAP, p, npages, cause) -> tuple[int, int]:
    """Take pages for a span: from P's page cache if they are few, else from the heap under its lock.

    Returns:
        The first page, or NONE after a fault; and how many of the pages were released memory.
    """
    if heap.knobs.page_cache and npages < heap.knobs.page_cache_limit:
        page, released = cache_alloc(heap, p, npages)
        if page != NONE:
            return page, released
    heap.stats.locks[cause] += 1
    return alloc_pages(heap, npages)


@inner
def alloc_span(heap, p, npages, spc, cause):
    """A heap span of npages pages for span class spc, in no list yet; NO_SPAN after a fault."""
    page, released = take_pages(heap, p, npages, cause)
    if heap.fault:
        return NO_SPAN
    assist(heap, released)
    s = new_span(heap, page, npages, SPAN_IN_USE)
    if heap.fault:
        return NO_SPAN
    init_heap_span(heap, s, spc)
    if heap.fault:
        return NO_SPAN
    account_pages(heap, npages, released)
    note_objects(heap, page, npages, spc < 2)
    count_in_use(heap, spc, npages)
    return s


@inner
def alloc_manual(heap, p, npages, state, cause):
    """A span for stacks or GC work buffers; NO_SPAN after a fault."""
    page, released = take_pages(heap, p, npages, cause)
    if heap.fault:
        return NO_SPAN
    assist(heap, released)
    s = new_span(heap, page, npages, state)
    if heap.fault:
        return NO_SPAN
    account_pages(heap, npages, released)
    note_manual(heap, page, npages, released)
    count_manual(heap, state, npages << heap.knobs.page_shift)
    return s


@inner
def new_span(heap, page, npages, state):
    """A span row for these pages, with everything but its kind's own fields set."""
    s = heap.free_spans
    if s != NO_SPAN:
        heap.free_spans = heap.spans[s].next
    else:
        s = heap.span_rows
        if s >= SPANS:
            heap.fault = FAULT_SPANS
            return NO_SPAN
        heap.span_rows = s + 1
    span = heap.spans[s]
    span.start_addr = heap.base_addr + (page << heap.knobs.page_shift)
    span.npages = npages
    span.state = state
    span.elem_size = 0
    span.nelems = 0
    span.nwords = 0
    span.alloc_count = 0
    span.alloc_count_at_cache = 0
    span.sweepgen = heap.gc.sweepgen
    span.spc = 0
    span.mark_cycle = NONE
    span.black_cycle = NONE
    span.hint_cycle = NONE
    span.next_swept = 0
    span.spared = 0
    span.born_cycle = heap.gc.cycle
    span.owner = NONE
    span.next = NO_SPAN
    span.prev = NO_SPAN
    span.free_list = NONE
    for i in range(page, page + npages):
        heap.page_span[i] = s
    return s


@inner
def init_heap_span(heap, s, spc):
    """Make a new row a span of class spc with all slots free."""
    span = heap.spans[s]
    span.spc = spc
    if spc < 2:
        span.elem_size = span.npages << heap.knobs.page_shift
        span.nelems = 1
    else:
        spanclass = heap.spanclasses[spc]
        span.elem_size = spanclass.elem_size
        span.nelems = spanclass.nelems
    new_slot_bits(heap, span)
    if heap.fault:
        return
    load_alloc_cache(heap, span, 0)


@inner
def page_of(heap, span):
    """First page of a span, from the heap's base."""
    return (span.start_addr - heap.base_addr) >> heap.knobs.page_shift


@inner
def account_pages(heap, npages, released):
    """Pages left the free ones; some of them were released memory (allocator.md 10.1)."""
    shift = heap.knobs.page_shift
    heap.stats.released -= released << shift
    heap.stats.free -= (npages - released) << shift
    clip(heap)


@inner
def count_in_use(heap, spc, npages):
    """Pages entered a heap span of class spc."""
    stats = heap.stats
    span_bytes = npages << heap.knobs.page_shift
    by = heap.by_spc[spc]
    by.spans += 1
    by.span_bytes += span_bytes
    by.span_allocs += 1
    stats.in_use += span_bytes
    stats.spans += 1
    heap.gc.pages_in_use += npages
    if stats.in_use >= stats.max_in_use:
        stats.max_in_use = stats.in_use
        stats.peak_open = 1
        stats.peak_gc = heap.gc.cycle - heap.gc.marking


@inner
def count_manual(heap, state, span_bytes):
    """Bytes entered (or, negative, left) a span of stacks or work buffers."""
    if state == SPAN_STACK:
        heap.stats.stacks += span_bytes
    else:
        heap.stats.workbufs += span_bytes


@inner
def free_span(heap, s):
    """Give a heap span without live objects back to the page heap."""
    span = heap.spans[s]
    close_peak(heap)
    span_bytes = span.npages << heap.knobs.page_shift
    by = heap.by_spc[span.spc]
    by.spans -= 1
    by.span_bytes -= span_bytes
    by.span_frees += 1
    heap.stats.in_use -= span_bytes
    heap.stats.spans -= 1
    heap.gc.pages_in_use -= span.npages
    drop_slot_bits(heap, span)
    release_span(heap, s, LOCK_FREE)


@inner
def free_manual(heap, s):
    """Give a span of stacks or work buffers back to the page heap."""
    span = heap.spans[s]
    count_manual(heap, span.state, -(span.npages << heap.knobs.page_shift))
    release_span(heap, s, LOCK_STACK if span.state == SPAN_STACK else LOCK_WORKBUF)


@apart
def release_span(heap: HEAP, s, cause) -> None:
    """Free a span's pages and its row, under the heap lock."""
    span = heap.spans[s]
    page = page_of(heap, span)
    heap.stats.locks[cause] += 1
    heap.stats.free += span.npages << heap.knobs.page_shift
    for i in range(page, page + span.npages):
        heap.page_span[i] = NO_SPAN
    free_pages(heap, page, span.npages)
    span.state = SPAN_DEAD
    span.sweepgen = NONE
    span.next = heap.free_spans
    heap.free_spans = s
