"""What lies on each page: one frame of the heap map, made by kernels.

A cell is 2**shift pages, so that a heap of any size has few. Types are those of one live object in each span: the objects
are looked at in turns (`look_at_objects`), for a frame must not cost more than the events between two of them.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.model.books.survey import plain
from goalloc_cli.model.tables.heap import NO_SPAN, NONE, SPAN_IN_USE, SPAN_STACK
from goalloc_cli.model.tables.objects import LABEL_SHIFT, OBJECT_LIVE
from goalloc_cli.model.tables.pallocbits import ZERO, bit, popcount
from goalloc_cli.results.pictures import (
    CACHED,
    CLOSED,
    FREE,
    KINDS,
    LARGE,
    MOST,
    RELEASED,
    SMALL,
    STACK,
    WORKBUF,
    Frame,
    shift_for,
)

NKINDS = len(KINDS)
HALF = 50
"""A span is thin below so many per cent of live slots."""


class Seen:
    """A live object of each span, as far as one was looked for."""

    def __init__(self) -> None:
        self.handles = np.zeros(0, np.int64)
        self.next = 0  # the object to look at first

    def look(self, heap, objects, most):
        """Look at `most` more objects, in turns, so that all have been looked at some time."""
        if len(self.handles) < heap.span_rows:
            longer = np.full(2 * int(heap.span_rows) + 1024, NONE, np.int64)
            longer[: len(self.handles)] = self.handles
            self.handles = longer
        left = min(most, len(objects))
        while left > 0:
            start = self.next if self.next < len(objects) else 0
            count = min(left, len(objects) - start)
            look_at_objects(objects, start, count, self.handles)
            self.next, left = start + count, left - count

    def frame(self, heap, objects, event, why, most):
        """A Frame of the heap, for which at most so many objects are looked at."""
        self.look(heap, objects, most)
        first, end = int(heap.first_page), int(heap.end_page)
        shift = shift_for(first, end)
        planes = np.zeros((7, -(-end >> shift) - (first >> shift)), np.int64)
        types = np.full(planes.shape[1], NONE, np.int64)
        pages = np.zeros(NKINDS + 1, np.int64)
        cached = np.zeros((end >> 6) + 1, np.uint64)
        draw_pages(heap, objects, self.handles, shift, cached, planes, types, pages)
        inside = np.maximum(planes[6], 1)
        # A little that lives is not nothing.
        planes[1] = np.where(planes[1] > 0, np.maximum(planes[1] // inside, 1), 0)
        planes[2] //= inside
        told = np.minimum(planes[:6], MOST).astype(np.uint8)
        at = (event, int(heap.time_ns), total_alloc(heap))
        return Frame(*at, why, first >> shift, shift, told, types, tuple(int(n) for n in pages))


def total_alloc(heap):
    """Bytes allocated so far (MemStats.TotalAlloc)."""
    by, classes = plain(heap.by_spc), plain(heap.spanclasses)
    return int((by["mallocs"] * classes["elem_size"])[2:].sum() + by["large_alloc_bytes"][:2].sum())


@kernel
def look_at_objects(objects, start, count, seen):
    """Remember a live object of each span among `count` objects from `start` on.

    Args:
        objects: OBJECT rows.
        seen: (span rows,) i8, the handle of an object by its span's row; changed.
    """
    for i in range(start, start + count):
        if objects[i].label & OBJECT_LIVE == 0 or objects[i].loc < 0:
            continue
        seen[objects[i].loc >> 16] = i


@kernel
def draw_pages(heap, objects, seen, shift, cached, planes, types, pages):
    """Draw all pages that the heap has grown into.

    Args:
        heap, objects: the heap, and OBJECT rows.
        seen: (span rows,) i8, from `look_at_objects`; NONE where nothing was seen.
        shift: a cell is 1 << shift pages; the first is that of heap.first_page.
        cached: (words,) u8 words of zeros, as many as the heap's bitmaps have before its end; changed.
        planes: (7, cells) i8, out: kind, per cent live, per cent dead, span class, age in cycles, live objects, span pages.
        types: (cells,) i8, out: a type id, 0 unknown, -1 for nothing live.
        pages: (NKINDS + 1,) i8, out: pages of each kind, and those of thin spans of small objects.
    """
    for p in range(heap.nprocs):
        cache = heap.mcaches[p]
        if cache.page_cache_bits != ZERO:
            cached[cache.page_cache_base >> 6] |= cache.page_cache_bits
    first = heap.first_page >> shift
    kinds = np.zeros(NKINDS, np.int64)
    page = heap.first_page
    cell = -1
    while page < heap.end_page:
        s = heap.page_span[page]
        end = page + 1
        kind, live, dead, slots = free_kind(heap, cached, page), 0, 0, 0
        if s != NO_SPAN:
            span = heap.spans[s]
            end = min(page + span.npages, heap.end_page)
            kind = STACK if span.state == SPAN_STACK else WORKBUF
            if span.state == SPAN_IN_USE:
                kind = LARGE if span.spc < 2 else SMALL
                live, slots = live_slots(heap, span), span.nelems
                dead = span.alloc_count - live
        full = max(1, 100 * live // slots) if live > 0 else 0
        gone = 100 * dead // slots if dead > 0 else 0
        pages[kind] += end - page
        if kind == SMALL and full < HALF:
            pages[NKINDS] += end - page
        for at in range(page, end):
            if (at >> shift) - first != cell:
                cell = (at >> shift) - first
                kinds[:] = 0
                planes[1:, cell] = 0
                types[cell] = -1
            kinds[kind] += 1
            if kinds[kind] >= kinds[planes[0, cell]]:
                planes[0, cell] = kind
            if slots == 0:
                continue
            planes[1, cell] += full
            planes[2, cell] += gone
            planes[6, cell] += 1
            if at == page or at & ((1 << shift) - 1) == 0:
                planes[5, cell] += live
                if types[cell] < 0:
                    tell(heap, objects, seen, s, planes, types, cell, live)
        page = end


@inner
def free_kind(heap, cached, page):
    """What a page without a span is."""
    word, at = page >> 6, bit(page & 63)
    if cached[word] & at != ZERO:
        return CACHED
    if heap.scavenged_bits[word] & at != ZERO:
        return RELEASED
    return CLOSED if heap.allocated_bits[word] & at != ZERO else FREE


@inner
def live_slots(heap, span):
    """How many slots of a span hold a live object."""
    n = 0
    for w in range(span.bits + span.nwords, span.bits + 2 * span.nwords):
        n += popcount(heap.bits[w])
    return n


@inner
def tell(heap, objects, seen, s, planes, types, cell, live):
    """The class, age and type of a cell are those of its first span with anything live, else of its first span."""
    span = heap.spans[s]
    if live > 0 or planes[6, cell] == 1:
        planes[3, cell] = span.spc
        planes[4, cell] = min(heap.gc.cycle - span.born_cycle, MOST)
    if live == 0:
        return
    types[cell] = 0
    handle = seen[s] if s < len(seen) else -1
    if 0 <= handle < len(objects) and objects[handle].label & OBJECT_LIVE != 0 and objects[handle].loc >> 16 == s:
        types[cell] = objects[handle].label >> LABEL_SHIFT
