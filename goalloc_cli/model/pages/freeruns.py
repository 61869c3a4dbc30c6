"""Runs of free pages: what Go's page heaps before the bitmap are made of.

A run holds neighbours that are alike, all backed by memory or all released, and is as long as it can be; a run of the
other kind beside it stays a run of its own. Where runs are kept in lists, one may be released in part, and neighbours are
always one run. `heap.page_run` knows each run at its first and its last page. (Go: mheap.go, coalesce)
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Pages
from goalloc_cli.model.pages.treap import insert_run, remove_run
from goalloc_cli.model.tables.heap import FAULT_RUNS, LISTED_PAGES, NO_RUN, RUNS


@inner
def add_run(heap, page, npages, released, since_ns):
    """Pages became free, or changed their kind: make them a run, with the neighbours that are alike; return it."""
    if page > heap.first_page:
        before = heap.page_run[page - 1]
        if before != NO_RUN and heap.runs[before].released == released:
            page = heap.runs[before].page
            npages += heap.runs[before].npages
            drop_run(heap, before)
    if page + npages < heap.end_page:
        after = heap.page_run[page + npages]
        if after != NO_RUN and heap.runs[after].released == released:
            npages += heap.runs[after].npages
            drop_run(heap, after)
    return new_run(heap, page, npages, released, since_ns)


@inner
def new_run(heap, page, npages, released, since_ns):
    """A run of exactly these pages, in which pages were last freed at since_ns; NO_RUN after a fault."""
    r = heap.free_runs
    if r != NO_RUN:
        heap.free_runs = heap.runs[r].next
    else:
        r = heap.run_rows
        if r >= RUNS:
            heap.fault = FAULT_RUNS
            return NO_RUN
        heap.run_rows = r + 1
    run = heap.runs[r]
    run.page = page
    run.npages = npages
    run.released = released
    run.since_ns = since_ns
    heap.page_run[page] = r
    heap.page_run[page + npages - 1] = r
    if is_listed(heap, run):
        push_listed(heap, r)
    else:
        insert_run(heap, tree_of(heap, run), r)
    return r


@inner
def drop_run(heap, r):
    """Its pages are used, or part of another run: forget run r."""
    run = heap.runs[r]
    if is_listed(heap, run):
        remove_listed(heap, r)
    else:
        remove_run(heap, tree_of(heap, run), r)
    heap.page_run[run.page] = NO_RUN
    heap.page_run[run.page + run.npages - 1] = NO_RUN
    run.next = heap.free_runs
    heap.free_runs = r


@inner
def is_run(heap, r):
    """True for a row that is a run now."""
    return heap.page_run[heap.runs[r].page] == r


@inner
def take_from(heap, r, page, npages):
    """Use pages of run r; what is left of it stays free."""
    run = heap.runs[r]
    first = run.page
    end = first + run.npages
    released = run.released
    since_ns = run.since_ns
    drop_run(heap, r)
    if first < page:
        new_run(heap, first, page - first, released, since_ns)
    if page + npages < end:
        new_run(heap, page + npages, end - page - npages, released, since_ns)


@inner
def tree_of(heap, run):
    """The tree that a run belongs in: released ones have their own where there are two."""
    return run.released if heap.knobs.pages == Pages.TWO_TREAPS else 0


@inner
def is_listed(heap, run):
    """True for a run that is kept in a list of runs of its length."""
    return heap.knobs.pages == Pages.LISTS_AND_TREAP and run.npages < LISTED_PAGES


@inner
def push_listed(heap, r):
    """Put run r at the front of the list of its length."""
    run = heap.runs[r]
    first = heap.run_lists[run.npages]
    run.next = first
    run.prev = NO_RUN
    if first != NO_RUN:
        heap.runs[first].prev = r
    heap.run_lists[run.npages] = r


@inner
def remove_listed(heap, r):
    """Take run r out of the list of its length."""
    run = heap.runs[r]
    if run.prev == NO_RUN:
        heap.run_lists[run.npages] = run.next
    else:
        heap.runs[run.prev].next = run.next
    if run.next != NO_RUN:
        heap.runs[run.next].prev = run.prev
