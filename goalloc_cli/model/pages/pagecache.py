"""Each P's own 64 pages, taken without the heap lock. (Go: mpagecache.go; allocator.md 6.2)"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner
from goalloc_cli.compiled.words import popcount
from goalloc_cli.model.pages.pagealloc_radix import find_run, summarize
from goalloc_cli.model.pages.scavengeindex import note_free
from goalloc_cli.model.tables.heap import LOCK_PAGE_CACHE, NONE
from goalloc_cli.model.tables.pallocbits import ZERO, find_ones, highest, low_bits


@inner
def cache_alloc(heap, p, npages):
    """Take npages pages from P's cache, filling it when it is empty.

    Returns:
        The first page and how many of them were released memory; or NONE and 0 where the cache has no such run.
    """
    cache = heap.mcaches[p]
    if cache.page_cache_bits == ZERO:
        fill(heap, p)
    i = find_ones(cache.page_cache_bits, npages)
    if i == NONE:
        return NONE, 0
    mask = low_bits(npages) << np.uint64(i)
    released = popcount(cache.page_cache_scav & mask)
    cache.page_cache_bits &= ~mask
    cache.page_cache_scav &= ~mask
    return cache.page_cache_base + i, released


@inner
def fill(heap, p):
    """Give P all free pages of the 64-page block that holds the lowest free page of the heap."""
    heap.stats.locks[LOCK_PAGE_CACHE] += 1
    page = find_run(heap, 1)
    if page == NONE:
        return
    take_block(heap, p, page >> 6)
    heap.search_page = max(heap.search_page, (page | 63))


@inner
def take_block(heap, p, block):
    """Give P all free pages of one aligned block of 64 pages; its cache is empty before."""
    cache = heap.mcaches[p]
    free = ~heap.allocated_bits[block]
    cache.page_cache_base = block << 6
    cache.page_cache_bits = free
    cache.page_cache_scav = heap.scavenged_bits[block] & free
    heap.allocated_bits[block] |= free
    heap.scavenged_bits[block] &= ~free
    summarize(heap, block << 6, 64)


@inner
def flush_page_cache(heap, p):
    """Give P's cached pages back to the heap. Released ones stay released."""
    cache = heap.mcaches[p]
    if cache.page_cache_bits == ZERO:
        return
    block = cache.page_cache_base >> 6
    heap.allocated_bits[block] &= ~cache.page_cache_bits
    heap.scavenged_bits[block] |= cache.page_cache_scav
    last = highest(cache.page_cache_bits)
    cache.page_cache_bits = ZERO
    cache.page_cache_scav = ZERO
    summarize(heap, block << 6, 64)
    note_free(heap, (block << 6) + last, 1)
    heap.search_page = min(heap.search_page, block << 6)
