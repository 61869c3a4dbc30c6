"""The page allocator of Go 1.14 and later: a bitmap and a summary for each chunk of it.

What Go's radix tree of summaries computes is exact address-ordered first fit (allocator.md 6.2); one level of summaries
gives the same answers. (Go: mpagealloc.go)
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner
from goalloc_cli.compiled.words import popcount, trailing_zeros
from goalloc_cli.model.pages.scavengeindex import note_free, note_in_use
from goalloc_cli.model.tables.heap import CHUNK_PAGES, NONE
from goalloc_cli.model.tables.pallocbits import ZERO, clear_range, find_zeros, get_bit, set_range, trailing_ones


@inner
def find_run(heap, npages):
    """Lowest page at which npages free pages begin, or NONE."""
    if heap.knobs.best_fit and npages > 1:
        return best_run(heap, npages)
    run = 0
    start = 0
    first = heap.search_page // CHUNK_PAGES
    for c in range(first, heap.end_page // CHUNK_PAGES):
        chunk = heap.chunks[c]
        if run + chunk.head_run >= npages:
            return start if run > 0 else c * CHUNK_PAGES
        if chunk.longest_run >= npages:
            return find_zeros(heap.allocated_bits, c * CHUNK_PAGES, (c + 1) * CHUNK_PAGES, npages)
        if chunk.head_run == CHUNK_PAGES:
            if run == 0:
                start = c * CHUNK_PAGES
            run += CHUNK_PAGES
        else:
            run = chunk.tail_run
            start = (c + 1) * CHUNK_PAGES - run
    return NONE


@inner
def best_run(heap, npages):
    """The first page of the shortest run of free pages that is long enough, the lowest of those, or NONE."""
    best, shortest = NONE, heap.end_page + 1
    start = heap.search_page
    for page in range(heap.search_page, heap.end_page + 1):
        if page < heap.end_page and not get_bit(heap.allocated_bits, page):
            continue
        if npages <= page - start < shortest:
            best, shortest = start, page - start
        start = page + 1
    return best


@inner
def alloc_range(heap, page, npages):
    """Mark pages as allocated; return how many of them were released memory."""
    set_range(heap.allocated_bits, page, npages)
    released = clear_range(heap.scavenged_bits, page, npages)
    summarize(heap, page, npages)
    return released


@inner
def free_range(heap, page, npages):
    """Mark pages as free. They stay backed by memory: their released bits are clear."""
    clear_range(heap.allocated_bits, page, npages)
    summarize(heap, page, npages)
    note_free(heap, page, npages)
    if page < heap.search_page:
        heap.search_page = page


@inner
def summarize(heap, page, npages):
    """Compute anew the summaries of the chunks that hold these pages."""
    for c in range(page // CHUNK_PAGES, (page + npages - 1) // CHUNK_PAGES + 1):
        summarize_chunk(heap, c)


@inner
def summarize_chunk(heap, c):
    """Compute anew the runs of free pages at the head, in the middle and at the tail of chunk c."""
    words = heap.allocated_bits
    first = c * CHUNK_PAGES // 64
    run = 0
    longest = 0
    head = NONE
    used = 0
    for w in range(first, first + CHUNK_PAGES // 64):
        word = words[w]
        if word == ZERO:
            run += 64
            continue
        used += popcount(word)
        i = 0
        while i < 64:
            rest = word >> np.uint64(i)
            if rest == ZERO:
                run += 64 - i
                break
            zeros = trailing_zeros(rest)
            run += zeros
            i += zeros
            if head == NONE:
                head = run
            longest = max(longest, run)
            run = 0
            i += trailing_ones(word >> np.uint64(i))
    chunk = heap.chunks[c]
    chunk.head_run = run if head == NONE else head
    chunk.longest_run = max(longest, run)
    chunk.tail_run = run
    note_in_use(heap, chunk, used)


@inner
def add_range(heap, page, npages):
    """Give npages pages from the end of the heap on to the allocator: free, and released where growth is."""
    if heap.knobs.growth_released:
        set_range(heap.scavenged_bits, page, npages)
        heap.stats.released += npages << heap.knobs.page_shift
    else:
        heap.stats.free += npages << heap.knobs.page_shift
    heap.end_page = page + npages
    summarize(heap, page, npages)
    heap.search_page = min(heap.search_page, page)


@inner
def pad(heap, page, npages):
    """Set pages aside for ever: the random start of the heap (Go 1.26+). They stay counted as released."""
    if npages > 0:
        set_range(heap.allocated_bits, page, npages)
        summarize(heap, page, npages)
        heap.padding_pages += npages
