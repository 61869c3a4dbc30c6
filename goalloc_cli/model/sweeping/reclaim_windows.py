"""The page reclaimer since Go 1.12: it walks the heap in windows and sweeps the spans without a page mark. (Go: mheap.go,
reclaim, reclaimChunk; allocator.md 8.5)

Any mark of an object sets its span's page mark, but for spans with inline mark bits (Green Tea, Go 1.26+): there an
allocation during marking does, and scanning two or more objects of the span at once (mgcmark_greenteagc.go, spanSetScans).
How many are scanned at once depends on the order of marking, which nobody knows. A recording names the spans in which the
reclaimer freed something; of those in which it freed nothing it tells how many pages they had together, and of some in which
order the next cycle sweeps them: the reclaimer put those ahead that it swept.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.spans.mcentral import file_swept
from goalloc_cli.model.spans.mheap import page_of
from goalloc_cli.model.spans.sweep import is_unswept, sweep_span
from goalloc_cli.model.tables.heap import LOCK_RECLAIM, NO_SPAN, NONE, PAGES, SPAN_IN_USE, SWEPT_RECLAIM
from goalloc_cli.model.tables.rows import SILENT
from goalloc_cli.model.tables.slotbits import count_marked

MARKED = 0
UNMARKED = 1
UNKNOWN = 2
"""What is known of a span's page mark."""

SPAN, MARKS, NEXT, SPARED = range(4)
"""Columns of what it chooses from: the span; its marked objects; its place in the next sweep, or NONE; 1 where it was passed
by before, with as many, else 0."""
NAMED = 1 << 32
"""In place of the marked objects: the span was chosen."""


@inner
def reclaim(heap, npages):
    """Before npages pages are taken: sweep windows of the heap for spans without page mark until as many are freed."""
    gc = heap.gc
    choose_silent(heap, npages)
    while npages > 0 and gc.reclaim_page != NONE:
        if gc.reclaim_credit > 0:
            take = min(gc.reclaim_credit, npages)
            gc.reclaim_credit -= take
            npages -= take
            continue
        page = gc.reclaim_page
        gc.reclaim_page = page + heap.knobs.reclaim_chunk_pages
        if page >= gc.reclaim_end:
            gc.reclaim_page = NONE
            return
        freed = sweep_window(heap, page, page + heap.knobs.reclaim_chunk_pages)
        if freed > npages:
            gc.reclaim_credit += freed - npages
        npages -= min(freed, npages)


@inner
def sweep_window(heap, page, end):
    """Sweep the spans without page mark that begin in a window of pages; return how many pages were freed."""
    heap.stats.locks[LOCK_RECLAIM] += 1
    freed = 0
    end = min(end, PAGES)
    while page < end:
        s = heap.page_span[page]
        freed += claim_reclaimed(heap, page)
        if s == NO_SPAN:
            page += 1
            continue
        span = heap.spans[s]
        first = page_of(heap, span)
        following = first + span.npages
        if first == page and page_mark(heap, span) != MARKED and not is_spared(heap, span):
            sweep_span(heap, s, SWEPT_RECLAIM)
            freed += file_swept(heap, s)
        page = following
    return freed


@inner
def claim_reclaimed(heap, page):
    """Pages that the reclaimer has freed already, ahead of its call, of a span that began at this page; they count once."""
    gc = heap.gc
    freed = 0
    for i in range(gc.reclaimed_count):
        if gc.reclaimed[i].page == page:
            freed += gc.reclaimed[i].freed
            gc.reclaimed[i].page = NONE
    return freed


@inner
def page_mark(heap, span):
    """What is known of the span's page mark; MARKED too for spans that are not to be swept."""
    if span.state != SPAN_IN_USE or not is_unswept(heap, span):
        return MARKED
    cycle = heap.gc.cycle
    if span.black_cycle == cycle:
        return MARKED
    marked = count_marked(heap, span, cycle)
    inline = heap.knobs.inline_mark_bytes > 0 and span.spc > 1 and 16 <= span.elem_size <= heap.knobs.header_above
    if marked == 0 or (inline and span.spc & 1):
        return UNMARKED
    if heap.gc.hinted and not heap.gc.own_sweeper:
        if span.hint_cycle == cycle:
            return UNMARKED
        if marked < span.alloc_count:
            return MARKED
    return UNKNOWN if inline else MARKED


@inner
def is_spared(heap, span):
    """Whether the reclaimer passes a span whose page mark is not known by: where the recording told which it did not, all
    others; without a recording those with several marked objects."""
    if page_mark(heap, span) != UNKNOWN:
        return False
    return heap.gc.silent_told or 0 < heap.knobs.marks_that_meet <= count_marked(heap, span, heap.gc.cycle)


@inner
def choose_silent(heap, npages):
    """Where the recording tells how many pages this call accounts for: name as many spans of unknown page mark as that
    takes."""
    gc = heap.gc
    gc.silent_told = 0
    if gc.reclaim_bytes == NONE:
        return
    gc.silent_told = 1
    silent = gc.reclaim_bytes >> heap.knobs.page_shift
    gc.reclaim_bytes = NONE
    found = heap.silent
    count = 0
    page = gc.reclaim_page
    credit = gc.reclaim_credit
    chunk = heap.knobs.reclaim_chunk_pages
    while npages > 0 and page != NONE and page < gc.reclaim_end:
        if credit > 0:
            npages -= credit
            credit = 0
            continue
        swept, freed, count = survey_window(heap, page, page + chunk, found, count)
        # A window counts its pages less those freed, and every span swept counts its own (reclaimChunk, GCSweepSpan).
        silent -= chunk - freed + swept
        npages -= freed
        page += chunk
    name_silent(heap, found[:count], silent)


@inner
def name_silent(heap, found, silent):
    """Name `silent` spans: those with the fewest marked objects, which were most likely scanned one by one. They count twice
    where the span was passed by before, with as many: long-lived objects are often marked in the same order."""
    follow_next_sweep(heap, found)
    for _ in range(min(silent, len(found))):
        best = 0
        for i in range(len(found)):
            if found[i, MARKS] << found[i, SPARED] < found[best, MARKS] << found[best, SPARED]:
                best = i
        heap.spans[found[best, SPAN]].hint_cycle = heap.gc.cycle
        found[best, MARKS] = NAMED
    for i in range(len(found)):
        if found[i, MARKS] != NAMED:
            span = heap.spans[found[i, SPAN]]
            span.spared = count_marked(heap, span, heap.gc.cycle)


@inner
def follow_next_sweep(heap, found):
    """Of the spans of one class let those that the next cycle sweeps earlier have the fewer marks.

    But a single marked object is sure to have been scanned alone.
    """
    for i in range(len(found)):
        for j in range(i + 1, len(found)):
            if found[i, NEXT] == NONE or found[j, NEXT] == NONE or found[i, MARKS] == 1 or found[j, MARKS] == 1:
                continue
            same = heap.spans[found[i, SPAN]].spc == heap.spans[found[j, SPAN]].spc
            if same and found[j, MARKS] < found[i, MARKS]:
                found[i, MARKS], found[j, MARKS] = found[j, MARKS], found[i, MARKS]


@inner
def survey_window(heap, page, end, found, count):
    """Pages that a window's sweep is sure to sweep, and to free; add the spans of unknown page mark to the `count` found."""
    swept = 0
    freed = 0
    for i in range(heap.gc.reclaimed_count):
        if page <= heap.gc.reclaimed[i].page < end:
            swept += heap.gc.reclaimed[i].npages
            freed += heap.gc.reclaimed[i].freed
    end = min(end, PAGES)
    while page < end:
        s = heap.page_span[page]
        if s == NO_SPAN:
            page += 1
            continue
        span = heap.spans[s]
        first = page_of(heap, span)
        if first == page:
            mark = page_mark(heap, span)
            if mark == UNMARKED:
                swept += span.npages
                if count_marked(heap, span, heap.gc.cycle) == 0:
                    freed += span.npages
            elif mark == UNKNOWN and count < SILENT:
                add_found(heap, s, found, count)
                count += 1
        page = first + span.npages
    return swept, freed, count


@inner
def add_found(heap, s, found, count):
    """Add a span of unknown page mark: the ones that the next cycle sweeps come first, in its order."""
    gc = heap.gc
    span = heap.spans[s]
    marked = count_marked(heap, span, gc.cycle)
    following = np.int64(NONE)
    if gc.told_cycle == gc.cycle and span.next_swept > 0:
        following = np.int64(span.next_swept)
    at = count
    while at > 0 and following != NONE and (found[at - 1, NEXT] == NONE or found[at - 1, NEXT] > following):
        for column in range(found.shape[1]):
            found[at, column] = found[at - 1, column]
        at -= 1
    found[at, SPAN], found[at, MARKS], found[at, NEXT] = s, marked, following
    found[at, SPARED] = span.spared == marked


@inner
def next_swept(heap, loc):
    """The recording says that the next cycle sweeps the span of this object after those of which this was said before."""
    gc = heap.gc
    if gc.told_cycle != gc.cycle:
        gc.told_cycle = gc.cycle
        gc.told_next = 0
        for s in range(1, heap.span_rows):
            heap.spans[s].next_swept = 0
    gc.told_next += 1
    if loc != NONE:
        heap.spans[loc >> 16].next_swept = gc.told_next


@inner
def hint_reclaimed(heap, s):
    """The recording says that the reclaimer freed something in this span."""
    heap.spans[s].hint_cycle = heap.gc.cycle
