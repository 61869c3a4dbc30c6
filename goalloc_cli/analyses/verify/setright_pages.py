"""Move pages to where the real runtime had them: the part of `setright.py` about page heap and page caches."""

from __future__ import annotations

import numpy as np

from goalloc_cli.analyses.verify.setright import drop_span
from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.pages.pagealloc_radix import add_range, alloc_range, find_run, free_range, summarize
from goalloc_cli.model.pages.pagecache import flush_page_cache, take_block
from goalloc_cli.model.spans.mheap import free_span, page_of
from goalloc_cli.model.tables.heap import CHUNK_PAGES, HELD_BLOCKS, NO_SPAN, NONE, SPAN_IN_USE
from goalloc_cli.model.tables.pallocbits import ZERO, bit, clear_range, find_ones, low_bits, set_range

MOST_BLOCK_OFFERS = 2
"""A block of pages that was offered wrongly as often is held."""


@inner
def undo_pages(heap, p, page, npages, base, bits, scav):
    """Pages that P should not have taken are free in the bitmap again: put its page cache (base, bits, scav) back."""
    cache = heap.mcaches[p]
    if bits == ZERO:
        # It was empty: what it holds now, it got for this.
        flush_page_cache(heap, p)
        cache.page_cache_base = base
    elif cache.page_cache_bits != bits:
        cache.page_cache_bits = bits
        cache.page_cache_scav = scav
        set_range(heap.allocated_bits, page, npages)
        clear_range(heap.scavenged_bits, page, npages)
        summarize(heap, page, npages)


@inner
def claim_pages(heap, p, page, npages):
    """Take exactly these pages for P, whoever has them; False where a span holds one of them, or the model has no such."""
    if not ensure_grown(heap, page + npages):
        return False
    for i in range(page, page + npages):
        s = heap.page_span[i]
        if s != NO_SPAN and not exile(heap, s):
            return False
    end_hold(heap, page >> 6)
    if npages < heap.knobs.page_cache_limit and heap.knobs.page_cache and came_from_cache(heap, p, page, npages):
        own_block(heap, p, page, npages)
    for q in range(heap.nprocs):
        take_from_cache(heap, q, page, npages)
    alloc_range(heap, page, npages)
    return True


@inner
def exile(heap, s):
    """Move a heap span out of the way, to the end of the heap, or give it back if it is empty: the recording has another one
    there. False for stacks, and where there is no room."""
    span = heap.spans[s]
    if span.state != SPAN_IN_USE:
        return False
    if drop_span(heap, s):
        free_span(heap, s)
        return True
    old = page_of(heap, span)
    new = heap.end_page
    if not ensure_grown(heap, new + span.npages):
        return False
    alloc_range(heap, new, span.npages)
    free_range(heap, old, span.npages)
    move_span(heap, s, new)
    return True


@inner
def ensure_grown(heap, end):
    """The heap reaches as far as the recording's; False where the model's cannot."""
    if end <= heap.end_page:
        return True
    grown = heap.end_page + (end - heap.end_page + CHUNK_PAGES - 1) // CHUNK_PAGES * CHUNK_PAGES
    if grown > heap.most_pages:
        return False
    add_range(heap, heap.end_page, grown - heap.end_page)
    return True


@inner
def came_from_cache(heap, p, page, npages):
    """Whether the real P had these pages in its page cache.

    It did not where its cache, as far as the model knows, has no run as long: then they came from the heap, past it.
    """
    cache = heap.mcaches[p]
    if npages == 1:
        return True
    if cache.page_cache_bits == ZERO:
        lowest = find_run(heap, 1)
        if lowest == NONE or lowest >> 6 == page >> 6:
            return True
        take_block(heap, p, lowest >> 6)
    if cache.page_cache_base >> 6 == page >> 6:
        return True
    return find_ones(cache.page_cache_bits, npages) != NONE


@inner
def own_block(heap, p, page, npages):
    """Make P's page cache the block that it took `page` from.

    A run of pages below it, long enough, would have been taken first: so it was not in the cache.
    """
    cache = heap.mcaches[p]
    block = page >> 6
    if cache.page_cache_base >> 6 != block or cache.page_cache_bits == ZERO:
        flush_page_cache(heap, p)
        for q in range(heap.nprocs):
            if holds_any(heap, q, page, npages):
                flush_page_cache(heap, q)
        take_block(heap, p, block)
    first = page & 63
    mask = low_bits(npages)
    for i in range(first):
        if (cache.page_cache_bits >> np.uint64(i)) & mask == mask and i + npages <= 64:
            give_back(heap, p, (block << 6) + i)


@inner
def hold_offered(heap, block):
    """The model filled a page cache from this block, and wrongly. Where that happens again, some P's cache must hold what is
    free in it, unseen: hold it until the recording uses the block, or the cycle ends."""
    free = -1
    for i in range(HELD_BLOCKS):
        row = heap.held[i]
        if row.offers > 0 and row.block == block:
            row.offers += 1
            if row.offers >= MOST_BLOCK_OFFERS and row.bits == ZERO:
                row.bits = ~heap.allocated_bits[block]
                heap.allocated_bits[block] |= row.bits
                summarize(heap, block << 6, 64)
            return
        if row.offers == 0 and free < 0:
            free = i
    if free >= 0:
        heap.held[free].block, heap.held[free].offers = block, 1


@inner
def end_hold(heap, block):
    """Let go of a block, of all where it is NONE."""
    for i in range(HELD_BLOCKS):
        row = heap.held[i]
        if row.offers == 0 or (block != NONE and row.block != block):
            continue
        if row.bits != ZERO:
            heap.allocated_bits[row.block] &= ~row.bits
            row.bits = ZERO
            summarize(heap, row.block << 6, 64)
            heap.search_page = min(heap.search_page, row.block << 6)
        row.offers = 0


@inner
def holds_any(heap, q, page, npages):
    """Whether Q's page cache holds any of the pages."""
    cache = heap.mcaches[q]
    for i in range(page, page + npages):
        if i >> 6 == cache.page_cache_base >> 6 and cache.page_cache_bits & bit(i & 63) != ZERO:
            return True
    return False


@inner
def give_back(heap, p, page):
    """Return one page of P's page cache to the bitmap."""
    cache = heap.mcaches[p]
    one = bit(page & 63)
    heap.allocated_bits[page >> 6] &= ~one
    if cache.page_cache_scav & one != ZERO:
        heap.scavenged_bits[page >> 6] |= one
    cache.page_cache_bits &= ~one
    cache.page_cache_scav &= ~one
    summarize(heap, page, 1)
    heap.search_page = min(heap.search_page, page)


@inner
def take_from_cache(heap, q, page, npages):
    """Take out of Q's page cache those of the pages that it holds."""
    cache = heap.mcaches[q]
    for i in range(page, page + npages):
        one = bit(i & 63)
        if i >> 6 != cache.page_cache_base >> 6 or cache.page_cache_bits & one == ZERO:
            continue
        if cache.page_cache_scav & one != ZERO:
            heap.scavenged_bits[i >> 6] |= one
        cache.page_cache_bits &= ~one
        cache.page_cache_scav &= ~one


@inner
def move_span(heap, s, page):
    """Let span s, just made and empty, stand at another page, whose pages are claimed."""
    span = heap.spans[s]
    old = page_of(heap, span)
    for i in range(old, old + span.npages):
        heap.page_span[i] = NO_SPAN
    span.start_addr = heap.base_addr + (page << heap.knobs.page_shift)
    for i in range(page, page + span.npages):
        heap.page_span[i] = s
