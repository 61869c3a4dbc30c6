"""Every invariant of the heap, in one walk (allocator.md 12.1). Nothing in the model relies on it.

| of 12.1 | number here | | of 12.1 | number here |
|---|---|---|---|---|
| 1 one state a page | 1, 2, 9 | | 15 sweepgen of cached spans | 12 |
| 2, 3 the five counters | 4, 5 | | 16 pages swept | twin |
| 4 pages in use | 6 | | 17, 18 mallocs, frees | 15, 25 |
| 5 released | 7, 8 | | 19, 20 heapLive | twin |
| 6 spans and pages | 9 | | 21 goal and trigger | 20 |
| 7, 8 used slots, free index | 10 | | 22 objects share no bytes | 17, 18 |
| 9 slots fit | 11 | | 23 tiny blocks | 19 |
| 10 addresses | 17 | | 24 page caches | 3 |
| 11 one place a span | 12, 13 | | 25 lowest page first | 21, 22, 29; twin |
| 12 swept and unswept sets | 14 | | 26 slots are kept | 10, 13 |
| 13, 14 nothing unswept outside sweeping | 24, 28 | | 27 pieces of stacks | 23 |

*Twin*: needs what was before, so the comparison with tests/twin shows it, event by event. Not in 12.1: 26, 27, 30, 31,
33, 34.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.compiled.words import popcount
from goalloc_cli.model.proof.checkcounts import (
    check_cycle,
    check_places,
    check_requests,
    check_runs,
    check_sums,
    new_sums,
)
from goalloc_cli.model.proof.checkqueues import check_queues
from goalloc_cli.model.spans.mheap import page_of
from goalloc_cli.model.stack import is_pooled, order_of, span_of_piece
from goalloc_cli.model.sweeping.underway import may_overlap
from goalloc_cli.model.tables.heap import (
    CHUNK_PAGES,
    NO_SPAN,
    NONE,
    SPAN_DEAD,
    SPAN_IN_USE,
    SPAN_STACK,
    SPAN_WORKBUF,
    STACK_ORDERS,
)
from goalloc_cli.model.tables.objects import OBJECT_LIVE
from goalloc_cli.model.tables.pallocbits import ZERO, find_zeros, get_bit, low_bits
from goalloc_cli.model.tables.slotbits import TINY_SPC, is_live, sharers

BROKEN = {
    1: "a free page belongs to a span, or a span's page is free",
    2: "pages that are neither free nor in a span are not all in page caches",
    3: "two page caches hold the same page, or one that is not set aside",
    4: "the five byte counters do not add up to what the heap has grown to",
    5: "a byte counter is negative or no multiple of the page size",
    6: "in_use, stacks or workbufs is not the sum of its spans",
    7: "released is not the number of released pages",
    8: "a released page is in a span",
    9: "a page does not map back to its span",
    10: "a span's used slots are not what its bitmap says",
    11: "a span has more slots than fit",
    12: "a cached span is not its P's span of that class, or is about to be swept by others",
    13: "a span is in no queue, or in more than one",
    14: "a span waits in a queue that its state does not allow",
    15: "mallocs less frees of a class are not the slots in use of its spans",
    17: "a live object sits in no slot in use",
    18: "live objects and live slots differ in number",
    19: "a tiny block is not a slot in use, or its offset is beyond it",
    20: "trigger beyond the goal, or more is marked than the goal",
    21: "a free page lies below the search hint",
    22: "a chunk's summary is not what its bitmap says",
    23: "a stack span's pieces do not add up",
    24: "a span waits for its sweep though sweeping is done",
    25: "spans or bytes of a class are not the sum over its spans",
    26: "refills, or the sweeps for them, are not what mcentrals gave",
    27: "the bytes asked for are not the sum over live objects, or more than a slot has",
    28: "marking runs though sweeping is not done",
    29: "a run of free pages is not what the bitmap says",
    30: "the length of a queue is not the number of its places",
    31: "a place of a queue is neither in one nor free",
    32: "the scavenger's count of a chunk's pages in use is not what its bitmap says",
    33: "the live slots of a class are not the sum over its spans",
    34: "what the last cycle found dead is not the sum over the spans that wait to be swept",
}


def check(heap: np.record, objects: np.ndarray) -> str:
    """The first broken invariant in words, or "" where all hold.

    Args:
        heap: HEAP record.
        objects: OBJECT rows by handle.
    """
    return BROKEN.get(int(first_broken(heap, objects, new_sums(len(heap.by_spc), int(heap.span_rows)))), "")


@kernel
def first_broken(heap, objects, sums):
    """Number of the first broken invariant, 0 where all hold. Walks spans, pages and objects: slow."""
    broken = check_pages(heap)
    if broken == 0:
        broken = check_bytes(heap)
    if broken == 0:
        broken = check_spans(heap, sums)
    if broken == 0:
        broken = check_queues(heap)
    if broken == 0:
        broken = check_objects(heap, objects)
    if broken == 0:
        broken = check_caches(heap)
    if broken == 0:
        broken = check_stacks(heap, sums)
    if broken == 0:
        broken = check_sums(heap, sums)
    if broken == 0:
        broken = check_requests(heap, objects, sums)
    if broken == 0:
        broken = check_places(heap)
    if broken == 0:
        broken = check_cycle(heap)
    if broken == 0:
        broken = check_runs(heap)
    return broken


@inner
def check_pages(heap):
    """Invariants 1, 5, 6, 24, 25: each page is in one state, and the page allocator's short cuts agree with its bitmap."""
    aside = 0
    released = 0
    for page in range(heap.first_page, heap.end_page):
        s = heap.page_span[page]
        allocated = get_bit(heap.allocated_bits, page)
        scavenged = get_bit(heap.scavenged_bits, page)
        if s != NO_SPAN and not allocated:
            return 1
        if s != NO_SPAN and scavenged:
            return 8
        if s == NO_SPAN and allocated:
            aside += 1
        if not allocated and page < heap.search_page:
            return 21
        released += 1 if scavenged else 0
    cached = 0
    for p in range(heap.nprocs):
        cache = heap.mcaches[p]
        cached += popcount(cache.page_cache_bits)
        released += popcount(cache.page_cache_scav)
        block = cache.page_cache_base >> 6
        if cache.page_cache_bits & ~heap.allocated_bits[block] != ZERO:
            return 3
        for q in range(p):
            other = heap.mcaches[q]
            if other.page_cache_base >> 6 == block and other.page_cache_bits & cache.page_cache_bits != ZERO:
                return 3
    if aside != cached + heap.padding_pages:
        return 2
    if heap.stats.released != released << heap.knobs.page_shift:
        return 7
    return check_summaries(heap)


@inner
def check_summaries(heap):
    """Each chunk's longest run is in its bitmap, and no longer one is; what the scavenger knows of the chunk is true."""
    for c in range(heap.end_page // CHUNK_PAGES):
        if (c + 1) * CHUNK_PAGES <= heap.first_page:
            continue
        n = heap.chunks[c].longest_run
        start = c * CHUNK_PAGES
        end = start + CHUNK_PAGES
        if n > 0 and find_zeros(heap.allocated_bits, start, end, n) == NONE:
            return 22
        if n < CHUNK_PAGES and find_zeros(heap.allocated_bits, start, end, n + 1) != NONE:
            return 22
        used = 0
        for w in range(start >> 6, end >> 6):
            used += popcount(heap.allocated_bits[w])
        if used != heap.chunks[c].pages_in_use:
            return 32
    return 0


@inner
def check_bytes(heap):
    """Invariants 2 to 4 and 21: the byte counters."""
    stats = heap.stats
    shift = heap.knobs.page_shift
    total = stats.in_use + stats.free + stats.released + stats.stacks + stats.workbufs
    if total != (heap.end_page - heap.first_page) << shift:
        return 4
    page = (1 << shift) - 1
    if min(stats.in_use, stats.free, stats.released, stats.stacks, stats.workbufs) < 0:
        return 5
    if (stats.in_use | stats.free | stats.released | stats.stacks | stats.workbufs) & page:
        return 5
    in_use = 0
    stacks = 0
    workbufs = 0
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state == SPAN_IN_USE:
            in_use += span.npages
        elif span.state == SPAN_STACK:
            stacks += span.npages
        elif span.state == SPAN_WORKBUF:
            workbufs += span.npages
    if stats.in_use != in_use << shift or heap.gc.pages_in_use != in_use:
        return 6
    if stats.stacks != stacks << shift or stats.workbufs != workbufs << shift:
        return 6
    if heap.gc.trigger > heap.gc.goal:
        return 20
    return 0


@inner
def check_spans(heap, sums):
    """Invariants 6 to 9, 13 and 15 to 18: each span by itself, and the sums over them."""
    used = sums.used
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state == SPAN_DEAD:
            continue
        first = page_of(heap, span)
        for page in range(first, first + span.npages):
            if heap.page_span[page] != s:
                return 9
        if span.state != SPAN_IN_USE:
            continue
        used[span.spc] += span.alloc_count
        if span.nelems * span.elem_size + heap.spanclasses[span.spc].metadata > span.npages << heap.knobs.page_shift:
            return 11
        if span.alloc_count > span.nelems:
            return 10
        if span.spc >= 2 and span.nelems - count_free(heap, span) != span.alloc_count:
            return 10
        behind = heap.gc.sweepgen - span.sweepgen
        if span.owner == NONE and behind != 0 and behind != 2 and not (behind == 1 and may_overlap(heap)):
            return 14
        if behind == 2 and not heap.gc.sweeping:
            return 24
        if span.owner != NONE:
            if behind != -3 and behind != -1:
                return 12
            if heap.mcaches[span.owner].alloc[span.spc] != s:
                return 12
    for spc in range(len(used)):
        by = heap.by_spc[spc]
        if by.mallocs - by.frees != used[spc]:
            return 15
    return 0


@inner
def count_free(heap, span):
    """Free slots of a span: those left in the alloc cache, and the clear bits of the words after it."""
    n = popcount(span.alloc_cache)
    for w in range(span.alloc_word + 1, span.nwords):
        n += popcount(~heap.bits[span.bits + w] & low_bits(min(64, span.nelems - (w << 6))))
    return n


@inner
def check_objects(heap, objects):
    """Invariants 10, 18 and 22: every live object has a slot in use, to itself unless it is tiny."""
    n = 0
    for obj in range(len(objects)):
        row = objects[obj]
        if not row.label & OBJECT_LIVE or row.loc == NONE:
            continue
        span = heap.spans[row.loc >> 16]
        slot = row.loc & 0xFFFF
        if span.state != SPAN_IN_USE or slot >= span.nelems or not is_live(heap, span, slot):
            return 17
        n += 1
    live = 0
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state != SPAN_IN_USE:
            continue
        if span.spc == TINY_SPC:
            for slot in range(span.nelems):
                live += sharers(heap, span, slot)
        else:
            for w in range(span.bits + span.nwords, span.bits + 2 * span.nwords):
                live += popcount(heap.bits[w])
    return 0 if live == n else 18


@inner
def check_caches(heap):
    """Invariants 15 and 23: what each P holds."""
    for p in range(heap.nprocs):
        cache = heap.mcaches[p]
        for spc in range(len(cache.alloc)):
            s = cache.alloc[spc]
            if s != NO_SPAN and (heap.spans[s].owner != p or heap.spans[s].spc != spc or spc < 2):
                return 12
        if cache.tiny_span == NO_SPAN:
            continue
        span = heap.spans[cache.tiny_span]
        bit = span.state == SPAN_IN_USE and span.spc == TINY_SPC and cache.tiny_slot < span.nelems
        if not bit or cache.tiny_offset > span.elem_size:
            return 19
    return 0


@inner
def check_stacks(heap, sums):
    """Invariant 27: the pieces of a pool span are in use, in a P's cache or free."""
    cached = sums.cached
    for p in range(heap.nprocs):
        for order in range(STACK_ORDERS):
            held = 0
            piece = heap.mcaches[p].stack_list[order]
            while piece != NONE:
                cached[span_of_piece(heap, piece)] += 1
                held += heap.knobs.stack_min << order
                piece = heap.stack_next[piece]
            if held != heap.mcaches[p].stack_bytes[order]:
                return 23
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state != SPAN_STACK or span.elem_size == 0 or not is_pooled(heap, order_of(heap, span.elem_size)):
            continue
        free = 0
        piece = span.free_list
        while piece != NONE:
            free += 1
            piece = heap.stack_next[piece]
        pieces = (span.npages << heap.knobs.page_shift) // span.elem_size
        if span.alloc_count + free != pieces or cached[s] > span.alloc_count:
            return 23
    return 0
