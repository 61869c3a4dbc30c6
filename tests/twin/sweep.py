"""Sweeping: one span, the next span, and the two ways in which an allocation pays by sweeping.

Go's files: mgcsweep.go, and reclaim of mheap.go.
"""

from __future__ import annotations

from goalloc_cli.design.choices import Reclaim
from tests.twin import lists
from tests.twin.heap import Heap, Span
from tests.twin.scavenging import swept


def sweep(h: Heap, s: Span, preserve: bool) -> bool:
    """Free the unmarked slots of `s`; return whether the span went back to the page heap.

    With `preserve` the caller keeps the span, even an empty one.
    """
    was_full = s.is_full()
    freed = s.alloc_count - len(s.marks)
    s.alloc_bits = s.marks
    s.marks = set()
    s.alloc_count = len(s.alloc_bits)
    s.free_index = 0
    s.sweepgen = h.sweepgen
    h.pages_swept += s.npages
    h.frees += freed
    h.heap_alloc -= freed * s.elem_bytes
    if lists.has_lists(h):
        return lists.after_sweep(h, s, freed, was_full, preserve)
    if preserve:
        return False
    if s.alloc_count == 0:
        h.free_span(s)
        return True
    h.push_swept(s)
    return False


def next_span_for_sweep(h: Heap) -> Span | None:
    """The head of the first queue that is not empty: of each class the full spans, then the partial ones."""
    if lists.has_lists(h):
        return lists.next_span_for_sweep(h)
    while h.cursor < 2 * len(h.central):
        central = h.central[h.cursor // 2]
        queues = central.full if h.cursor % 2 == 0 else central.partial
        unswept = queues[h.unswept_side()]
        if unswept:
            return unswept.pop(0)
        h.cursor += 1
    return None


def sweep_one(h: Heap) -> int | None:
    """Sweep the next span; return the pages that this freed, or None when nothing is left."""
    if h.drained:
        return None
    while True:
        s = next_span_for_sweep(h)
        if s is None:
            h.drained = True
            swept(h)
            return None
        if not h.needs_sweep(s):
            continue
        if not sweep(h, s, preserve=False):
            return 0
        h.reclaim_credit += s.npages
        return s.npages


def sweep_all(h: Heap) -> None:
    """Sweep until the queues are empty."""
    while sweep_one(h) is not None:
        pass


def deduct_sweep_credit(h: Heap, span_bytes: int, leave_pages: int) -> None:
    """Sweep in proportion to what is about to be allocated."""
    if h.pages_per_byte == 0:
        return
    grown = h.heap_live - h.live_basis
    fresh_bytes = span_bytes + (max(0, grown) if h.design.debt_guard else grown)
    target = int(h.pages_per_byte * fresh_bytes) - leave_pages
    while target > h.pages_swept - h.swept_basis:
        if sweep_one(h) is None:
            h.pages_per_byte = 0.0
            break


def reclaim(h: Heap, npages: int) -> None:
    """Free at least `npages` pages by sweeping spans without marks, window after window of the heap."""
    if h.design.reclaim == Reclaim.BUSY_LISTS:
        reclaim_busy(h, npages)
        return
    while npages > 0:
        if h.reclaim_index >= h.reclaim_end:
            return
        if h.reclaim_credit > 0:
            take = min(h.reclaim_credit, npages)
            h.reclaim_credit -= take
            npages -= take
            continue
        first = h.reclaim_index
        h.reclaim_index += h.design.reclaim_chunk_pages
        found = reclaim_chunk(h, h.pages.base + first)
        if found <= npages:
            npages -= found
        else:
            h.reclaim_credit += found - npages
            npages = 0


def reclaim_chunk(h: Heap, first_page: int) -> int:
    """Sweep the unmarked spans that start in the window at `first_page`; return how many pages that freed."""
    if h.drained:
        return 0
    freed = 0
    starts = range(first_page, first_page + h.design.reclaim_chunk_pages)
    for s in sorted((s for s in h.spans if s.first_page in starts), key=lambda s: s.first_page):
        if not s.page_mark and h.needs_sweep(s) and sweep(h, s, preserve=False):
            freed += s.npages
    return freed


def reclaim_busy(h: Heap, npages: int) -> None:
    """Free `npages` pages: one span that is long enough, or several shorter ones, or whatever there is (Go 1.11)."""
    longest = lists.LONGEST_LISTED + 1
    for length in range(min(npages, longest), longest + 1):
        if reclaim_list(h, length, npages):
            return
    reclaimed = 0
    for length in range(min(npages, longest)):
        reclaimed += reclaim_list(h, length, npages - reclaimed)
        if reclaimed >= npages:
            return
    while reclaimed < npages:
        freed = sweep_one(h)
        if freed is None:
            return
        reclaimed += freed


def reclaim_list(h: Heap, length: int, npages: int) -> int:
    """Sweep the unswept spans at the front of a busy list until `npages` pages are freed; return how many are."""
    spans = h.busy.get(length, [])
    freed = 0
    while spans and h.needs_sweep(spans[0]):
        s = spans.pop(0)
        spans.append(s)
        if sweep(h, s, preserve=False):
            freed += s.npages
        if freed >= npages:
            break
    return freed
