"""Goroutine stacks: pools by size, a cache for each P, large stacks by the span. (Go: stack.go; allocator.md 7)

A piece is a stretch of the smallest stack's size, numbered from the heap's base; a stack is named by its first piece. Where
a recording tells which spans were taken for stacks, a pool takes its spans from those (`announced`), and gives none back by
itself.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.model.pages.touched import note_stack
from goalloc_cli.model.spans.mheap import alloc_manual, free_manual
from goalloc_cli.model.tables.heap import FAULT_STACK_SIZE, HEAP, LOCK_STACK, NO_SPAN, NONE, SPAN_STACK, STACK_ORDERS

UNPLACED = -2
"""The piece of a stack whose memory a recording does not tell."""


@inner
def order_of(heap, stack_bytes):
    """log2(stack_bytes / smallest stack), or NONE where it is no such power of two."""
    order = 0
    while heap.knobs.stack_min << order < stack_bytes:
        order += 1
    return order if heap.knobs.stack_min << order == stack_bytes else NONE


@inner
def is_pooled(heap, order):
    """True for stacks that are cut from shared spans; no size that a stack cannot have is."""
    return NONE < order < STACK_ORDERS and heap.knobs.stack_min << order < heap.knobs.stack_span_bytes


@apart
def stack_alloc(heap: HEAP, p, stack_bytes) -> int:
    """Take a stack for P: its first piece, or UNPLACED; NONE after a fault."""
    order = order_of(heap, stack_bytes)
    if order == NONE:
        heap.fault = FAULT_STACK_SIZE
        return NONE
    piece = cached_alloc(heap, p, order) if is_pooled(heap, order) else large_alloc(heap, p, stack_bytes)
    if piece >= 0:
        note_stack(heap, piece, stack_bytes)
    return piece


@apart
def stack_free(heap: HEAP, p, piece, stack_bytes) -> None:
    """Give the stack that begins at piece back to P's cache, or, if large, to the heap."""
    order = order_of(heap, stack_bytes)
    if is_pooled(heap, order):
        cache = heap.mcaches[p]
        if cache.stack_bytes[order] >= heap.knobs.stack_cache_bytes:
            shrink_cache(heap, p, order)
        heap.stack_next[piece] = cache.stack_list[order]
        cache.stack_list[order] = piece
        cache.stack_bytes[order] += stack_bytes
        return
    s = span_of_piece(heap, piece)
    if not heap.gc.marking and not heap.gc.hinted:
        free_manual(heap, s)
        return
    # During marking another goroutine's stack scan may still need it: it waits, and may be used again.
    heap.spans[s].alloc_count = 0
    k = log2_pages(heap.spans[s].npages)
    heap.stacks.large[k] = insert(heap, heap.stacks.large[k], s)


@inner
def cached_alloc(heap, p, order):
    """Take the first stack of P's cache, filling it when it is empty."""
    cache = heap.mcaches[p]
    if cache.stack_list[order] == NONE:
        fill_cache(heap, p, order)
        if heap.fault or cache.stack_list[order] == NONE:
            return UNPLACED
    piece = cache.stack_list[order]
    cache.stack_list[order] = heap.stack_next[piece]
    cache.stack_bytes[order] -= heap.knobs.stack_min << order
    return piece


@inner
def fill_cache(heap, p, order):
    """Move stacks from the pool into P's empty cache until it is half full. (Go: stackcacherefill)"""
    cache = heap.mcaches[p]
    first = NONE
    held = 0
    while held < heap.knobs.stack_cache_bytes // 2:
        piece = pool_alloc(heap, p, order)
        if piece == NONE:
            break
        heap.stack_next[piece] = first
        first = piece
        held += heap.knobs.stack_min << order
    cache.stack_list[order] = first
    cache.stack_bytes[order] = held


@inner
def shrink_cache(heap, p, order):
    """Move stacks from P's full cache to the pool until it is half full. (Go: stackcacherelease)"""
    cache = heap.mcaches[p]
    piece = cache.stack_list[order]
    held = cache.stack_bytes[order]
    while held > heap.knobs.stack_cache_bytes // 2:
        following = heap.stack_next[piece]
        pool_free(heap, piece, order)
        piece = following
        held -= heap.knobs.stack_min << order
    cache.stack_list[order] = piece
    cache.stack_bytes[order] = held


@inner
def clear_stack_cache(heap, p):
    """Move all stacks of P's cache to the pool. (Go: stackcache_clear)"""
    cache = heap.mcaches[p]
    for order in range(STACK_ORDERS):
        piece = cache.stack_list[order]
        while piece != NONE:
            following = heap.stack_next[piece]
            pool_free(heap, piece, order)
            piece = following
        cache.stack_list[order] = NONE
        cache.stack_bytes[order] = 0


@inner
def pool_alloc(heap, p, order):
    """Take a stack from the pool: the latest freed one of its first span; NONE where there is none to take."""
    s = heap.stacks.pool[order]
    if s == NO_SPAN:
        s = pool_span(heap, p)
        if s == NO_SPAN:
            return NONE
        cut(heap, s, order)
        heap.stacks.pool[order] = insert(heap, NO_SPAN, s)
    span = heap.spans[s]
    piece = span.free_list
    span.free_list = heap.stack_next[piece]
    span.alloc_count += 1
    if span.free_list == NONE:
        heap.stacks.pool[order] = remove(heap, heap.stacks.pool[order], s)
    return piece


@inner
def pool_span(heap, p):
    """A new span for a pool; NO_SPAN after a fault, or where the recording knows of none."""
    npages = heap.knobs.stack_span_bytes >> heap.knobs.page_shift
    if heap.gc.hinted:
        return take_announced(heap, npages)
    return alloc_manual(heap, p, npages, SPAN_STACK, LOCK_STACK)


@inner
def cut(heap, s, order):
    """Cut a span into free pieces; the highest will be used first."""
    span = heap.spans[s]
    span.elem_size = heap.knobs.stack_min << order
    step = 1 << order
    first = (span.start_addr - heap.base_addr) // heap.knobs.stack_min
    span.free_list = NONE
    for piece in range(first, first + heap.knobs.stack_span_bytes // heap.knobs.stack_min, step):
        heap.stack_next[piece] = span.free_list
        span.free_list = piece


@inner
def pool_free(heap, piece, order):
    """Give a stack back to the pool; a span that is free as a whole goes back to the heap, but not during marking."""
    s = span_of_piece(heap, piece)
    span = heap.spans[s]
    if span.free_list == NONE:
        heap.stacks.pool[order] = insert(heap, heap.stacks.pool[order], s)
    heap.stack_next[piece] = span.free_list
    span.free_list = piece
    span.alloc_count -= 1
    if not heap.gc.marking and not heap.gc.hinted and span.alloc_count == 0:
        heap.stacks.pool[order] = remove(heap, heap.stacks.pool[order], s)
        free_manual(heap, s)


@inner
def large_alloc(heap, p, stack_bytes):
    """A span of its own for a large stack."""
    npages = stack_bytes >> heap.knobs.page_shift
    k = log2_pages(npages)
    s = heap.stacks.large[k]
    if s != NO_SPAN:
        heap.stacks.large[k] = remove(heap, s, s)
    elif heap.gc.hinted:
        s = take_announced(heap, npages)
        if s == NO_SPAN:
            return UNPLACED
    else:
        s = alloc_manual(heap, p, npages, SPAN_STACK, LOCK_STACK)
        if heap.fault:
            return NONE
    heap.spans[s].elem_size = stack_bytes
    heap.spans[s].alloc_count = 1
    return (heap.spans[s].start_addr - heap.base_addr) // heap.knobs.stack_min


@inner
def free_stack_spans(heap):
    """After marking: give back the pool spans that are wholly free, and the large stacks that wait. (Go: freeStackSpans)"""
    for order in range(STACK_ORDERS):
        s = heap.stacks.pool[order]
        while s != NO_SPAN:
            following = heap.spans[s].next
            if heap.spans[s].alloc_count == 0:
                heap.stacks.pool[order] = remove(heap, heap.stacks.pool[order], s)
                free_manual(heap, s)
            s = following
    for k in range(len(heap.stacks.large)):
        while heap.stacks.large[k] != NO_SPAN:
            s = heap.stacks.large[k]
            heap.stacks.large[k] = remove(heap, s, s)
            free_manual(heap, s)


@inner
def announce(heap, s):
    """The recording says that span s was taken for stacks."""
    heap.stacks.announced = insert(heap, heap.stacks.announced, s)


@inner
def take_announced(heap, npages):
    """An announced span of npages pages that is not used yet, or NO_SPAN."""
    s = heap.stacks.announced
    while s != NO_SPAN and heap.spans[s].npages != npages:
        s = heap.spans[s].next
    if s == NO_SPAN:
        heap.stacks.unplaced += 1
        return NO_SPAN
    heap.stacks.announced = remove(heap, heap.stacks.announced, s)
    return s


@inner
def withdraw(heap, s):
    """The recording says that stack span s was given back: take it, and all its pieces, out of every list."""
    span = heap.spans[s]
    if contains(heap, heap.stacks.announced, s):
        heap.stacks.announced = remove(heap, heap.stacks.announced, s)
        return
    if span.elem_size == 0:
        # A snapshot found no stack in it, and it has had none since: it is in no list.
        return
    order = order_of(heap, span.elem_size)
    if not is_pooled(heap, order):
        k = log2_pages(span.npages)
        if contains(heap, heap.stacks.large[k], s):
            heap.stacks.large[k] = remove(heap, heap.stacks.large[k], s)
        return
    for p in range(heap.nprocs):
        withdraw_from_cache(heap, p, order, s)
    if contains(heap, heap.stacks.pool[order], s):
        heap.stacks.pool[order] = remove(heap, heap.stacks.pool[order], s)


@inner
def withdraw_from_cache(heap, p, order, s):
    """Take the pieces of span s out of P's stack cache."""
    cache = heap.mcaches[p]
    piece = cache.stack_list[order]
    last = NONE
    while piece != NONE:
        following = heap.stack_next[piece]
        if span_of_piece(heap, piece) != s:
            last = piece
        else:
            cache.stack_bytes[order] -= heap.knobs.stack_min << order
            heap.spans[s].alloc_count -= 1
            if last == NONE:
                cache.stack_list[order] = following
            else:
                heap.stack_next[last] = following
        piece = following


@inner
def span_of_piece(heap, piece):
    """The span that a piece lies in."""
    return heap.page_span[(piece * heap.knobs.stack_min) >> heap.knobs.page_shift]


@inner
def log2_pages(npages):
    """log2 of a page count, rounded down."""
    k = 0
    while npages > 1:
        npages >>= 1
        k += 1
    return k


@inner
def insert(heap, first, s):
    """Put span s at the front of a list; return the list's new first span."""
    span = heap.spans[s]
    span.next = first
    span.prev = NO_SPAN
    if first != NO_SPAN:
        heap.spans[first].prev = s
    return s


@inner
def remove(heap, first, s):
    """Take span s out of a list; return the list's new first span."""
    span = heap.spans[s]
    following = span.next
    if following != NO_SPAN:
        heap.spans[following].prev = span.prev
    if span.prev != NO_SPAN:
        heap.spans[span.prev].next = following
    span.next = NO_SPAN
    span.prev = NO_SPAN
    return following if first == s else first


@inner
def contains(heap, first, s):
    """True where span s is in the list that begins with first."""
    while first != NO_SPAN:
        if first == s:
            return True
        first = heap.spans[first].next
    return False
