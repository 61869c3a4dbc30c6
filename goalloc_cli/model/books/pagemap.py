"""What lies on each page: one frame of the heap map, made by kernels.

A cell is 2**shift pages, so that a heap of any size has few. Types are those of one live object in each span: the objects
are looked at in turns (`look_at_objects`), for a frame must not cost more than the events between two of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.compiled.words import popcount, prefetch
from goalloc_cli.model.tables.heap import NO_SPAN, PAGES, SPAN_IN_USE, SPAN_STACK
from goalloc_cli.model.tables.objects import LABEL_SHIFT, OBJECT_LIVE
from goalloc_cli.model.tables.pallocbits import ZERO, bit
from goalloc_cli.results.pictures import (
    CACHED,
    CLOSED,
    FREE,
    KINDS,
    LARGE,
    MOST,
    PLANES,
    RELEASED,
    SMALL,
    STACK,
    WORKBUF,
    Frame,
    shift_for,
)

NKINDS = len(KINDS)
AHEAD = 16
"""Pages from here the span is asked for that will be looked at."""
HALF = 50
"""A span is thin below so many per cent of live slots."""


class Mapper:
    """Makes frames of a heap. It remembers a live object of each span, as far as one was looked for."""

    def __init__(self) -> None:
        self.seen = np.zeros(0, np.int32)
        self.next = np.zeros(1, np.int64)  # the object to look at first
        self.cached = np.zeros(PAGES // 64, np.uint64)

    def frame(self, heap, objects, owner_of, row, why, most):
        """A Frame of the heap.

        Args:
            heap, objects: the heap, and OBJECT rows as far as handles were used.
            owner_of: by handle, who allocated the object; empty where the trace does not tell.
            row: a sample of this moment.
            why: why it is made.
            most: how many objects may be looked at.
        """
        if len(self.seen) < heap.span_rows:
            seen, self.seen = self.seen, np.zeros(2 * int(heap.span_rows) + 1024, np.int32)
            self.seen[: len(seen)] = seen
        first, end = int(heap.first_page), int(heap.end_page)
        shift = shift_for(first, end)
        cells = -(-end >> shift) - (first >> shift)
        planes = np.empty((len(PLANES) - 1, cells), np.uint8)
        types, owners = np.empty(cells, np.int32), np.zeros(cells if len(owner_of) else 0, np.int32)
        pages = np.zeros(NKINDS + 1, np.int64)
        work = Work(self.seen, self.next, owner_of, self.cached, np.zeros(NKINDS, np.int64))
        draw_frame(heap, objects, most, shift, work, planes, types, owners, pages)
        at = (int(row["event"]), int(row["time_ns"]), int(row["total_alloc"]))
        return Frame(*at, why, first >> shift, shift, planes, types, owners, tuple(pages.tolist()))


class Work(NamedTuple):
    """What is kept from frame to frame, and room to work in."""

    seen: NDArray[np.int32]
    """By span row, the handle + 1 of a live object that was seen in it; 0: none was."""
    next: NDArray[np.int64]
    """The object to look at first. Shape (1,)."""
    owner_of: NDArray[np.int32]
    """By handle, who allocated the object; empty where the trace does not tell."""
    cached: NDArray[np.uint64]
    """A bit for each page, none set."""
    kinds: NDArray[np.int64]
    """Pages of each kind in one cell, none. Shape (NKINDS,)."""


@kernel
def draw_frame(heap, objects, most, shift, work, planes, types, owners, pages):
    """Draw all pages that the heap has grown into.

    Args:
        heap, objects: the heap, and OBJECT rows as far as handles were used.
        most: how many objects may be looked at.
        shift: a cell is 1 << shift pages; the first is that of heap.first_page.
        work: Work.
        planes: (6, cells) u1, out: PLANES without the type.
        types: (cells,) i4, out: a type id, 0 unknown, -1 for nothing live.
        owners: (cells,) i4, zeros, out: who allocated, 0 unknown; empty where the trace does not tell.
        pages: (NKINDS + 1,) i8, out: pages of each kind, and those of thin spans of small objects.
    """
    look_at_objects(objects, most, work)
    mark_cached(heap, work.cached, 1)
    draw_pages(heap, objects, work, shift, work.kinds, planes, types, owners, pages)
    mark_cached(heap, work.cached, 0)


@kernel
def look_at_objects(objects, most, work):
    """Remember a live object of each span among `most` objects, in turns, so that all have been looked at some time."""
    at, left, n = work.next[0], min(most, len(objects)), len(objects)
    while left > 0:
        if at >= n:
            at = 0
        end = min(n, at + left)
        left -= end - at
        for i in range(at, end):
            # Without a branch, which would be taken as often as not: what does not live is remembered for no span.
            is_live = np.int64(objects[i].label & OBJECT_LIVE != 0 and objects[i].loc >= 0)
            work.seen[(objects[i].loc >> 16) * is_live] = i + 1
        at = end
    work.next[0] = at


@kernel
def mark_cached(heap, cached, on):
    """Set the bits of the pages that the Ps cache, or clear their words again."""
    for p in range(heap.nprocs):
        cache = heap.mcaches[p]
        if cache.page_cache_bits != ZERO:
            word = cache.page_cache_base >> 6
            cached[word] = cached[word] | cache.page_cache_bits if on else ZERO


@kernel
def draw_pages(heap, objects, work, shift, kinds, planes, types, owners, pages):
    """Draw page after page; where several lie in a cell, their numbers are summed up until it is full. `kinds`: NKINDS
    numbers to count in."""
    first = heap.first_page >> shift
    page = heap.first_page
    cell = -1
    all_full = all_gone = inside = all_live = 0
    while page < heap.end_page:
        s = heap.page_span[min(page + AHEAD, heap.end_page - 1)]
        prefetch(heap.spans, s)
        prefetch(objects, np.int64(work.seen[s]) - 1)
        s = heap.page_span[page]
        end = page + 1
        kind, live, dead, slots = free_kind(heap, work.cached, page), 0, 0, 0
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
                if cell >= 0:
                    fill_in(planes, cell, all_full, all_gone, inside, all_live)
                cell = (at >> shift) - first
                all_full = all_gone = inside = all_live = 0
                for k in range(NKINDS):
                    kinds[k] = 0
                planes[0, cell] = planes[3, cell] = planes[4, cell] = 0
                types[cell] = -1
            kinds[kind] += 1
            if kinds[kind] >= kinds[planes[0, cell]]:
                planes[0, cell] = kind
            if slots == 0:
                continue
            all_full += full
            all_gone += gone
            inside += 1
            if at == page or at & ((1 << shift) - 1) == 0:
                all_live += live
                if types[cell] < 0:
                    tell(heap, objects, work, s, planes, types, owners, cell, live, inside)
        page = end
    if cell >= 0:
        fill_in(planes, cell, all_full, all_gone, inside, all_live)


@kernel
def fill_in(planes, cell, all_full, all_gone, inside, all_live):
    """A cell is complete: `inside` of its pages are of spans with slots; of these the per cents live and dead, and the live
    objects of the spans, are summed up."""
    full, gone = all_full, all_gone
    if inside > 1:
        # A little that lives is not nothing.
        full, gone = max(all_full // inside, min(all_full, 1)), all_gone // inside
    planes[1, cell], planes[2, cell], planes[5, cell] = full, gone, min(all_live, MOST)


@kernel
def free_kind(heap, cached, page):
    """What a page without a span is."""
    word, at = page >> 6, bit(page & 63)
    if cached[word] & at != ZERO:
        return CACHED
    if heap.scavenged_bits[word] & at != ZERO:
        return RELEASED
    return CLOSED if heap.allocated_bits[word] & at != ZERO else FREE


@kernel
def live_slots(heap, span):
    """How many slots of a span hold a live object."""
    n = 0
    for w in range(span.bits + span.nwords, span.bits + 2 * span.nwords):
        n += popcount(heap.bits[w])
    return n


@kernel
def tell(heap, objects, work, s, planes, types, owners, cell, live, inside):
    """The class, age, type and owner of a cell are those of its first span with anything live, else of its first span."""
    span = heap.spans[s]
    if live > 0 or inside == 1:
        planes[3, cell] = span.spc
        planes[4, cell] = min(heap.gc.cycle - span.born_cycle, MOST)
    if live == 0:
        return
    types[cell] = 0
    handle = np.int64(work.seen[s]) - 1
    if 0 <= handle < len(objects) and objects[handle].label & OBJECT_LIVE != 0 and objects[handle].loc >> 16 == s:
        types[cell] = objects[handle].label >> LABEL_SHIFT
        if len(owners) > 0:
            owners[cell] = work.owner_of[handle]
