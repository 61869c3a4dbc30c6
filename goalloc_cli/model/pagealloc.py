"""The seam to the page allocator: `alloc_pages` and `free_pages` of whichever one the design has."""

from __future__ import annotations

from goalloc_cli.jit import inner
from goalloc_cli.model import pagealloc_radix
from goalloc_cli.model.heap import NONE


@inner
def alloc_pages(heap, npages):
    """Take npages pages in a row, growing the heap where none are free.

    Returns:
        The first page, or NONE after a fault; and how many of the pages were released memory.
    """
    page = pagealloc_radix.find_run(heap, npages)
    # Twice at most: padding may leave too little of the first growth.
    while page == NONE:
        note_growth(heap, npages)
        pagealloc_radix.grow(heap, npages)
        if heap.fault:
            return NONE, 0
        page = pagealloc_radix.find_run(heap, npages)
    return page, pagealloc_radix.alloc_range(heap, page, npages)


@inner
def free_pages(heap, page, npages):
    """Give pages back: free, and still backed by memory."""
    pagealloc_radix.free_range(heap, page, npages)


@inner
def note_growth(heap, npages):
    """Count a growth, and whether enough pages were free but scattered."""
    stats = heap.stats
    stats.growths += 1
    padding = heap.padding_pages << heap.knobs.page_shift
    if stats.free + stats.released - padding >= npages << heap.knobs.page_shift:
        stats.blocked_growths += 1
