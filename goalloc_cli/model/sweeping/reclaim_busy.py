"""The page reclaimer until Go 1.11: large spans first, then whatever there is to sweep. (Go: mheap.go, reclaim, reclaimList)

Large spans in use are listed by length, new and swept ones at the end of their list.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.spans.mcentral import file_swept
from goalloc_cli.model.spans.sweep import is_unswept, sweep_span
from goalloc_cli.model.sweeping.sweeper import sweep_one
from goalloc_cli.model.tables.heap import LISTED_PAGES, LOCK_RECLAIM, NO_SPAN, SWEPT_RECLAIM
from goalloc_cli.model.tables.spanlist import insert_back, remove


@inner
def reclaim(heap, npages):
    """Sweep spans that are long enough until one is freed, else shorter ones, else everything, until that is enough."""
    heap.stats.locks[LOCK_RECLAIM] += 1
    for length in range(min(npages, LISTED_PAGES), LISTED_PAGES + 1):
        if sweep_busy(heap, length, npages) > 0:
            return
    freed = 0
    for length in range(min(npages, LISTED_PAGES)):
        freed += sweep_busy(heap, length, npages - freed)
        if freed >= npages:
            return
    before = heap.gc.reclaim_credit
    while freed + heap.gc.reclaim_credit - before < npages and sweep_one(heap, SWEPT_RECLAIM):
        pass


@inner
def sweep_busy(heap, length, npages):
    """Sweep the unswept spans of a list until npages pages are freed; return how many are."""
    spans = heap.busy[length]
    freed = 0
    s = spans.first
    while s != NO_SPAN and is_unswept(heap, heap.spans[s]):
        remove(heap, spans, s)
        insert_back(heap, spans, s)
        sweep_span(heap, s, SWEPT_RECLAIM)
        freed += file_swept(heap, s)
        if freed >= npages:
            break
        s = spans.first
    return freed
