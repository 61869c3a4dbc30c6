"""The seam to the page allocator, and how the heap grows, alike for all. (Go: mheap.go, grow; allocator.md 6.4)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Pages
from goalloc_cli.model.pages import pagealloc_radix, pagealloc_treap
from goalloc_cli.model.pages.freeruns import add_run
from goalloc_cli.model.pages.scavenge import scavenge_for_growth
from goalloc_cli.model.tables.heap import FAULT_PAGES, NONE
from goalloc_cli.model.tables.pallocbits import set_range


@inner
def alloc_pages(heap, npages):
    """Take npages pages in a row, growing the heap where none are free.

    Returns:
        The first page, or NONE after a fault; and how many of the pages were released memory.
    """
    page = find_run(heap, npages)
    # Twice at most: padding may leave too little of the first growth.
    while page == NONE:
        note_growth(heap, npages)
        grow(heap, npages)
        if heap.fault:
            return NONE, 0
        page = find_run(heap, npages)
    return page, alloc_range(heap, page, npages)


@inner
def find_run(heap, npages):
    """Where to take npages pages, or NONE."""
    if heap.knobs.pages == Pages.BITMAP:
        return pagealloc_radix.find_run(heap, npages)
    return pagealloc_treap.find_run(heap, npages)


@inner
def alloc_range(heap, page, npages):
    """Take these free pages; return how many of them were released memory."""
    if heap.knobs.pages == Pages.BITMAP:
        return pagealloc_radix.alloc_range(heap, page, npages)
    return pagealloc_treap.alloc_range(heap, page, npages)


@inner
def free_pages(heap, page, npages):
    """Give pages back: free, and still backed by memory."""
    if heap.knobs.pages == Pages.BITMAP:
        pagealloc_radix.free_range(heap, page, npages)
    else:
        pagealloc_treap.free_range(heap, page, npages)


@inner
def note_growth(heap, npages):
    """Count a growth, and whether enough pages were free but scattered."""
    stats = heap.stats
    stats.growths += 1
    padding = heap.padding_pages << heap.knobs.page_shift
    if stats.free + stats.released - padding >= npages << heap.knobs.page_shift:
        stats.blocked_growths += 1


@inner
def grow(heap, npages):
    """Take address space for npages more pages, rounded up to the growth step, and make them free.

    The free tail of the heap is not counted towards the request.
    """
    step = heap.knobs.growth_pages
    ask = max(heap.knobs.growth_least_pages, (npages + step - 1) // step * step)
    if heap.end_page + ask > heap.most_pages:
        heap.fault = FAULT_PAGES
        return
    first = heap.end_page == heap.first_page
    scavenge_for_growth(heap, ask)
    add_range(heap, heap.end_page, ask)
    if first:
        pagealloc_radix.pad(heap, heap.first_page, heap.knobs.heap_padding_pages)


@inner
def add_range(heap, page, npages):
    """Give npages pages from the end of the heap on to the allocator, reserving address space as needed."""
    if page + npages > heap.reserved_page:
        arena = heap.knobs.arena_pages
        heap.reserved_page = max(page, heap.reserved_page) + (npages + arena - 1) // arena * arena
    pagealloc_radix.add_range(heap, page, npages)
    set_range(heap.fresh_bits, page, npages)
    if heap.knobs.pages != Pages.BITMAP:
        add_run(heap, page, npages, heap.knobs.growth_released, heap.time_ns)
