"""Release free pages of the bitmap to the OS. (Go: mgcscavenge.go, scavengeOne, findScavengeCandidate; allocator.md 9.2)"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.pages.scavengeindex import find_chunk, note_nothing, note_scavenged
from goalloc_cli.model.tables.heap import CHUNK_PAGES, NONE
from goalloc_cli.model.tables.pallocbits import ALL, ONE, ZERO, set_range

TOP = np.uint64(63)


@inner
def scavenge_pages(heap, nbytes, force):
    """Release nbytes, or what there is; return how many bytes were."""
    shift = heap.knobs.page_shift
    todo = (nbytes + (1 << shift) - 1) >> shift
    npages = 0
    while npages < todo:
        page = find_chunk(heap, force)
        if page == NONE:
            break
        npages += scavenge_one(heap, page, todo - npages)
    return npages << shift


@inner
def scavenge_one(heap, page, most):
    """Release at most so many pages, but whole huge pages, in the chunk of a page, at it or below; return how many."""
    end, run = highest_run(heap, page)
    if run == 0:
        note_nothing(heap, page)
        return 0
    start = end - min(run, most)
    huge = heap.knobs.huge_page_bytes >> heap.knobs.page_shift
    if huge > 1 and (start + huge - 1) // huge * huge <= end and start // huge * huge >= end - run:
        start = start // huge * huge
    set_range(heap.scavenged_bits, start, end - start)
    heap.stats.free -= (end - start) << heap.knobs.page_shift
    heap.stats.released += (end - start) << heap.knobs.page_shift
    note_scavenged(heap, start)
    return end - start


@inner
def highest_run(heap, page):
    """The end and the length of the highest run of pages to release in a page's chunk, from its word down; 0, 0 for none."""
    first = page // CHUNK_PAGES * CHUNK_PAGES >> 6
    w = page >> 6
    while w >= first and heap.allocated_bits[w] | heap.scavenged_bits[w] == ALL:
        w -= 1
    if w < first:
        return 0, 0
    end = (w << 6) + 64
    word = heap.allocated_bits[w] | heap.scavenged_bits[w]
    while (word >> TOP) & ONE != ZERO:
        word <<= ONE
        end -= 1
    i = end - 1
    while i >= first << 6 and releasable(heap, i):
        i -= 1
    return end, end - 1 - i


@inner
def releasable(heap, page):
    """True for a free page that memory backs."""
    word = heap.allocated_bits[page >> 6] | heap.scavenged_bits[page >> 6]
    return (word >> np.uint64(page & 63)) & ONE == ZERO
