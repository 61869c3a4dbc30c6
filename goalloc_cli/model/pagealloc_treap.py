"""The page allocators before Go 1.14, over runs of free pages. (Go: mheap.go, allocSpanLocked, grow; allocator.md 6.6)

They differ in how runs are kept, hence in which one is chosen (knob `pages`), and in what a growth releases. The bitmaps
are kept beside the runs, for reports and checks.
"""

from __future__ import annotations

from goalloc_cli.choices import GrowthScavenge, Pages
from goalloc_cli.jit import inner
from goalloc_cli.model import pagealloc_radix
from goalloc_cli.model.freeruns import add_run, drop_run, new_run, take_from
from goalloc_cli.model.heap import LISTED_PAGES, NO_RUN, NONE
from goalloc_cli.model.pallocbits import set_range
from goalloc_cli.model.treap import best_fit, first_fit, last_run, previous_run

HUGE_PAGE_BYTES = 2 << 20
"""A release does not break a huge page in two (Go: physHugePageSize)."""


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
    take_from(heap, heap.page_run[holder], page, npages)
    return pagealloc_radix.alloc_range(heap, page, npages)


@inner
def free_range(heap, page, npages):
    """Mark pages as free. They stay backed by memory."""
    pagealloc_radix.free_range(heap, page, npages)
    add_run(heap, page, npages, 0)


@inner
def scavenge_for_growth(heap, npages):
    """Release pages because the heap is about to grow by npages."""
    if heap.knobs.growth_scavenge == GrowthScavenge.LARGEST:
        scavenge_largest(heap, npages)
    elif heap.knobs.growth_scavenge == GrowthScavenge.GOAL:
        scavenge_to_goal(heap, npages)


@inner
def scavenge_largest(heap, npages):
    """Release the longest backed runs, until npages pages are; what is too much is credit. (Go 1.12: scavengeLargest)"""
    todo = npages - heap.scavenge_credit
    r = last_run(heap, 0)
    while todo > 0 and r != NO_RUN:
        before = previous_run(heap, r)
        todo -= heap.runs[r].npages
        release(heap, r, heap.runs[r].page)
        r = before
    heap.scavenge_credit = max(0, -todo)


@inner
def scavenge_to_goal(heap, npages):
    """Release what npages pages more would exceed the goal by, at most as many. (Go 1.13: scavengeIfNeededLocked)

    First runs that hold a whole huge page, then others, each from the highest address down.
    """
    grown_bytes = npages << heap.knobs.page_shift
    retained = heap.stats.in_use + heap.stats.free
    todo = min(grown_bytes, retained + grown_bytes - heap.gc.retained_goal)
    for huge in (True, False):
        r = last_run(heap, 0)
        while todo > 0 and r != NO_RUN:
            run = heap.runs[r]
            if run.released == 0 and holds_huge_page(heap, run) == huge:
                first = cut(heap, run, todo)
                todo -= (run.page + run.npages - first) << heap.knobs.page_shift
                r = release(heap, r, first)
            r = previous_run(heap, r)


@inner
def holds_huge_page(heap, run):
    """True for a run with a whole huge page in it."""
    shift = heap.knobs.page_shift
    start = heap.base_addr + (run.page << shift)
    end = start + (run.npages << shift)
    return end // HUGE_PAGE_BYTES > (start + HUGE_PAGE_BYTES - 1) // HUGE_PAGE_BYTES


@inner
def cut(heap, run, todo):
    """The first page of a run to release, so that todo bytes are released from its end. (Go 1.13: scavengeSplit)"""
    shift = heap.knobs.page_shift
    start = heap.base_addr + (run.page << shift)
    end = start + (run.npages << shift)
    if end - start <= todo:
        return run.page
    first = (end - todo) >> shift << shift
    if first <= start:
        return run.page
    whole = first // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES
    if whole >= start:
        first = whole
    return (first - heap.base_addr) >> shift


@inner
def release(heap, r, first):
    """Release the pages of run r from page `first` on; return the run that they are in then."""
    run = heap.runs[r]
    page = run.page
    npages = page + run.npages - first
    drop_run(heap, r)
    if page < first:
        new_run(heap, page, first - page, 0)
    set_range(heap.scavenged_bits, first, npages)
    heap.stats.free -= npages << heap.knobs.page_shift
    heap.stats.released += npages << heap.knobs.page_shift
    return add_run(heap, first, npages, 1)
