"""The page reclaimer since Go 1.12: it walks the heap in windows and sweeps the spans without a page mark. (Go: mheap.go,
reclaim, reclaimChunk; allocator.md 8.5)

Any mark of an object sets its span's page mark, but for spans with inline mark bits (Green Tea, Go 1.26+): there an
allocation during marking does, and scanning two or more objects of the span at once (mgcmark_greenteagc.go, spanSetScans).
How many are scanned at once depends on the order of marking, which nobody knows. A recording names the spans in which the
reclaimer freed something; of those in which it freed nothing it only tells how many pages they had together.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.jit import inner
from goalloc_cli.model.heap import LOCK_RECLAIM, NO_SPAN, NONE, SPAN_IN_USE, SWEPT_RECLAIM
from goalloc_cli.model.mcentral import file_swept
from goalloc_cli.model.mheap import page_of
from goalloc_cli.model.slotbits import count_marked
from goalloc_cli.model.sweep import is_unswept, sweep_span

MARKED = 0
UNMARKED = 1
UNKNOWN = 2
"""What is known of a span's page mark."""


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
    if heap.gc.hinted and not heap.gc.own_sweeper and marked < span.alloc_count:
        return UNMARKED if span.hint_cycle == cycle else MARKED
    return UNKNOWN if inline else MARKED


@inner
def is_spared(heap, span):
    """Whether the reclaimer passes a span whose page mark is not known by: those with the most marked objects, beyond as
    many spans as the recording says were swept; without a recording those with several."""
    gc = heap.gc
    if page_mark(heap, span) != UNKNOWN:
        return False
    marked = count_marked(heap, span, gc.cycle)
    if gc.silent_marks == NONE:
        return 0 < heap.knobs.marks_that_meet <= marked
    if marked == gc.silent_marks and gc.silent_left > 0:
        gc.silent_left -= 1
        return False
    return marked >= gc.silent_marks


@inner
def choose_silent(heap, npages):
    """Where the recording tells how many pages this call accounts for: find the number of marks up to which spans of unknown
    page mark have to be swept for it."""
    gc = heap.gc
    gc.silent_marks = NONE
    if gc.reclaim_bytes == NONE:
        return
    silent = gc.reclaim_bytes >> heap.knobs.page_shift
    gc.reclaim_bytes = NONE
    by_marks = np.zeros(2048, np.int64)
    page = gc.reclaim_page
    credit = gc.reclaim_credit
    chunk = heap.knobs.reclaim_chunk_pages
    while npages > 0 and page != NONE and page < gc.reclaim_end:
        if credit > 0:
            npages -= credit
            credit = 0
            continue
        swept, freed = survey_window(heap, page, page + chunk, by_marks)
        # A window counts its pages less those freed, and every span swept counts its own (reclaimChunk, GCSweepSpan).
        silent -= chunk - freed + swept
        npages -= freed
        page += chunk
    gc.silent_left = max(silent, 0)
    gc.silent_marks = 1
    while gc.silent_marks < len(by_marks) - 1 and by_marks[gc.silent_marks] <= gc.silent_left:
        gc.silent_left -= by_marks[gc.silent_marks]
        gc.silent_marks += 1


@inner
def survey_window(heap, page, end, by_marks):
    """Pages that a window's sweep is sure to sweep, and to free; count in by_marks the spans of unknown page mark."""
    swept = 0
    freed = 0
    for i in range(heap.gc.reclaimed_count):
        if page <= heap.gc.reclaimed[i].page < end:
            swept += heap.gc.reclaimed[i].npages
            freed += heap.gc.reclaimed[i].freed
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
            elif mark == UNKNOWN:
                by_marks[count_marked(heap, span, heap.gc.cycle)] += 1
        page = first + span.npages
    return swept, freed


@inner
def hint_reclaimed(heap, s):
    """The recording says that the reclaimer freed something in this span."""
    heap.spans[s].hint_cycle = heap.gc.cycle
