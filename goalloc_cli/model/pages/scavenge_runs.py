"""Release runs of free pages to the OS, in the page heaps before Go 1.14. (Go: mheap.go; allocator.md 6.6, 9)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Pages
from goalloc_cli.model.pages.freeruns import add_run, drop_run, is_run, new_run
from goalloc_cli.model.pages.treap import last_run, previous_run
from goalloc_cli.model.tables.heap import NO_RUN
from goalloc_cli.model.tables.pallocbits import clear_range, set_range


@inner
def release_largest(heap, npages):
    """Release the longest backed runs, until npages pages are; return the bytes released. (Go 1.12: scavengeLargest)

    What is too much is credit.
    """
    todo = npages - heap.scavenge_credit
    released = 0
    r = last_run(heap, 0)
    while todo > 0 and r != NO_RUN:
        before = previous_run(heap, r)
        released += heap.runs[r].npages
        todo -= heap.runs[r].npages
        release(heap, r, heap.runs[r].page)
        r = before
    heap.scavenge_credit = max(0, -todo)
    return released << heap.knobs.page_shift


@inner
def release_runs(heap, nbytes):
    """Release nbytes, or what there is; return how many bytes were. (Go 1.13: scavengeLocked)

    First runs that hold a whole huge page, then others, each from the highest address down.
    """
    todo = nbytes
    for huge in (True, False):
        r = last_run(heap, 0)
        while todo > 0 and r != NO_RUN:
            run = heap.runs[r]
            if run.released == 0 and holds_huge_page(heap, run) == huge:
                first = cut(heap, run, todo)
                todo -= (run.page + run.npages - first) << heap.knobs.page_shift
                r = release(heap, r, first)
            r = previous_run(heap, r)
    return nbytes - todo


@inner
def holds_huge_page(heap, run):
    """True for a run with a whole huge page in it."""
    huge = heap.knobs.huge_page_bytes
    if huge == 0:
        return False
    shift = heap.knobs.page_shift
    start = heap.base_addr + (run.page << shift)
    end = start + (run.npages << shift)
    return end // huge > (start + huge - 1) // huge


@inner
def cut(heap, run, todo):
    """The first page of a run to release, so that todo bytes are released from its end. (Go 1.13: scavengeSplit)"""
    shift = heap.knobs.page_shift
    huge = heap.knobs.huge_page_bytes
    start = heap.base_addr + (run.page << shift)
    end = start + (run.npages << shift)
    if end - start <= todo:
        return run.page
    first = (end - todo) >> shift << shift
    if first <= start:
        return run.page
    if huge > 0 and first // huge * huge >= start:
        first = first // huge * huge
    return (first - heap.base_addr) >> shift


@inner
def release(heap, r, first):
    """Release the pages of run r from page `first` on; return the run that they are in then."""
    run = heap.runs[r]
    page = run.page
    npages = page + run.npages - first
    since_ns = run.since_ns
    drop_run(heap, r)
    if page < first:
        new_run(heap, page, first - page, 0, since_ns)
    set_range(heap.scavenged_bits, first, npages)
    count_released(heap, npages)
    return add_run(heap, first, npages, 1, since_ns)


@inner
def release_idle(heap, until_ns):
    """Release every run in which nothing was freed after until_ns; return the bytes released. (Go: mheap.go, scavenge)"""
    before = heap.stats.released
    if heap.knobs.pages == Pages.LISTS_AND_TREAP:
        for r in range(1, heap.run_rows):
            if is_run(heap, r) and heap.runs[r].since_ns <= until_ns:
                release_in_place(heap, heap.runs[r])
        return heap.stats.released - before
    r = last_run(heap, 0)
    while r != NO_RUN:
        run = heap.runs[r]
        if run.released == 0 and run.since_ns <= until_ns:
            # In a tree of its own a released run leaves this one, and what comes before it stays; else it may have grown.
            following = previous_run(heap, r)
            r = release(heap, r, run.page)
            r = following if heap.knobs.pages == Pages.TWO_TREAPS else previous_run(heap, r)
        else:
            r = previous_run(heap, r)
    return heap.stats.released - before


@inner
def release_in_place(heap, run):
    """Release what is backed of a run that may be released in part."""
    already = clear_range(heap.scavenged_bits, run.page, run.npages)
    set_range(heap.scavenged_bits, run.page, run.npages)
    count_released(heap, run.npages - already)


@inner
def count_released(heap, npages):
    """Account for pages released."""
    heap.stats.free -= npages << heap.knobs.page_shift
    heap.stats.released += npages << heap.knobs.page_shift
