"""The page allocators before Go 1.14, over runs of free pages. (Go: mheap.go, allocSpanLocked, grow; allocator.md 6.6)

They differ in how runs are kept, hence in which one is chosen (knob `pages`). The bitmaps are kept beside the runs, for
reports and checks.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Pages
from goalloc_cli.model.pages import pagealloc_radix
from goalloc_cli.model.pages.freeruns import add_run, take_from
from goalloc_cli.model.pages.treap import best_fit, first_fit
from goalloc_cli.model.tables.heap import LISTED_PAGES, NO_RUN, NONE
from goalloc_cli.model.tables.pallocbits import clear_range


@inner
def find_run(heap, npages):
    """First page of the run of free pages to take npages pages from, or NONE."""
    r = choose(heap, npages)
    return NONE if r == NO_RUN else heap.runs[r].page


@inner
def choose(heap, npages):
    """The run to take npages pages from, or NO_RUN."""
    if heap.knobs.pages == Pages.ADDRESS_TREAP:
        return first_fit(heap, 0, npages)
    if heap.knobs.pages == Pages.TWO_TREAPS:
        return shorter(heap, best_fit(heap, 0, npages), best_fit(heap, 1, npages))
    for length in range(npages, LISTED_PAGES):
        if heap.run_lists[length] != NO_RUN:
            return heap.run_lists[length]
    return best_fit(heap, 0, npages)


@inner
def shorter(heap, backed, released):
    """The shorter one of two runs; of two alike the one that memory backs."""
    if backed == NO_RUN:
        return released
    if released != NO_RUN and heap.runs[released].npages < heap.runs[backed].npages:
        return released
    return backed


@inner
def alloc_range(heap, page, npages):
    """Take pages out of the run that holds them; return how many of them were released memory."""
    holder = page
    while heap.page_run[holder] == NO_RUN:
        holder -= 1
    if heap.knobs.pages == Pages.LISTS_AND_TREAP:
        back_others(heap, heap.runs[heap.page_run[holder]], page, npages)
    take_from(heap, heap.page_run[holder], page, npages)
    return pagealloc_radix.alloc_range(heap, page, npages)


@inner
def back_others(heap, run, page, npages):
    """Pages of a run that may be released in part are about to be used: all others of it are backed again, too."""
    end = page + npages
    backed = clear_range(heap.scavenged_bits, run.page, page - run.page)
    backed += clear_range(heap.scavenged_bits, end, run.page + run.npages - end)
    heap.stats.released -= backed << heap.knobs.page_shift
    heap.stats.free += backed << heap.knobs.page_shift


@inner
def free_range(heap, page, npages):
    """Mark pages as free. They stay backed by memory."""
    pagealloc_radix.free_range(heap, page, npages)
    add_run(heap, page, npages, 0, heap.time_ns)
