"""The invariants of what only reports read, and of the runs of free pages; part of `check.py`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner
from goalloc_cli.compiled.words import popcount
from goalloc_cli.design.choices import Pages
from goalloc_cli.model.spans.sweep import awaits_sweep
from goalloc_cli.model.sweeping.underway import may_overlap
from goalloc_cli.model.tables.heap import NO_RUN, NO_SPAN, NONE, SPAN_IN_USE, SWEPT_REFILL
from goalloc_cli.model.tables.objects import OBJECT_BOUND, OBJECT_LIVE
from goalloc_cli.model.tables.pallocbits import get_bit
from goalloc_cli.model.tables.slotbits import count_marked


class Sums(NamedTuple):
    """Room for what is summed up over spans and objects: i8, zeros, by span class but for `cached`."""

    used: NDArray[np.int64]
    spans: NDArray[np.int64]
    span_bytes: NDArray[np.int64]
    live: NDArray[np.int64]
    live_bytes: NDArray[np.int64]
    found_bytes: NDArray[np.int64]
    requested: NDArray[np.int64]
    bound: NDArray[np.int64]
    cached: NDArray[np.int64]
    """Pieces of stacks in the caches of Ps, by span row."""


def new_sums(classes: int, spans: int) -> Sums:
    """Room for the sums over so many span classes and span rows."""
    return Sums(*np.zeros((len(Sums._fields) - 1, classes), np.int64), np.zeros(spans, np.int64))


@inner
def check_sums(heap, sums):
    """Counters by span class are the sums over its spans, and those of the heap the sums over classes."""
    spans, span_bytes, found_bytes = sums.spans, sums.span_bytes, sums.found_bytes
    live, live_bytes = sums.live, sums.live_bytes
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state != SPAN_IN_USE:
            continue
        spans[span.spc] += 1
        span_bytes[span.spc] += span.npages << heap.knobs.page_shift
        if awaits_sweep(heap, span):
            found_bytes[span.spc] += (span.alloc_count - count_marked(heap, span, heap.gc.cycle)) * span.elem_size
        for w in range(span.bits + span.nwords, span.bits + 2 * span.nwords):
            slots = popcount(heap.bits[w])
            live[span.spc] += slots
            live_bytes[span.spc] += slots * span.elem_size
    refills = 0
    swept = heap.stats.swept[SWEPT_REFILL]
    for p in range(heap.nprocs):
        refills += heap.mcaches[p].refills
    for spc in range(len(spans)):
        by = heap.by_spc[spc]
        if by.spans != spans[spc] or by.span_bytes != span_bytes[spc] or by.span_allocs - by.span_frees != by.spans:
            return 25
        if by.mallocs - by.died != live[spc]:
            return 33
        if by.found_bytes != found_bytes[spc]:
            return 34
        large, large_live = (span_bytes[spc], live_bytes[spc]) if spc < 2 else (0, 0)
        if by.large_used_bytes != large or by.large_live_bytes != large_live:
            return 25
        if spc < 2 and by.large_alloc_bytes - by.large_free_bytes != by.large_used_bytes:
            return 25
        central = heap.central[spc]
        refills -= central.from_partial_swept + central.from_partial_unswept + central.from_full_unswept + central.from_heap
        swept -= central.swept_for_refill
    if heap.stats.spans != spans.sum():
        return 25
    # What a refill of a recording has swept ahead for itself counts before it is taken, and need not be.
    return 0 if (refills == 0 and swept == 0) or may_overlap(heap) else 26


@inner
def check_requests(heap, objects, sums):
    """What live objects asked for adds up, and each has room in its slot."""
    requested, bound = sums.requested, sums.bound
    for obj in range(len(objects)):
        row = objects[obj]
        if not row.label & OBJECT_LIVE or row.loc == NONE:
            continue
        span = heap.spans[row.loc >> 16]
        if row.unused < 0:
            return 27
        requested[span.spc] += span.elem_size - row.unused
        bound[span.spc] += 1 if row.label & OBJECT_BOUND else 0
    for spc in range(len(requested)):
        if heap.by_spc[spc].requested != requested[spc] or heap.by_spc[spc].bound != bound[spc]:
            return 27
    return 0


@inner
def check_places(heap):
    """Every place of a span in a queue or on a sweep stack is in one, or free."""
    places = 0
    for spc in range(len(heap.central)):
        for fill in range(2):
            for parity in range(2):
                places += heap.central[spc].count[fill, parity]
    for first in (np.int64(heap.sweep_stacks[0]), np.int64(heap.sweep_stacks[1]), heap.free_nodes):
        n = first
        while n != NONE:
            places += 1
            n = heap.nodes[n].next
    return 0 if places == heap.node_rows else 31


@inner
def check_cycle(heap):
    """Invariants 14 and 21: a mark phase starts when all is swept; the goal lies above what was marked."""
    gc = heap.gc
    if gc.marking and gc.sweeping:
        return 28
    if gc.heap_marked > gc.goal and gc.trigger != gc.goal:
        return 20
    return 0


@inner
def check_runs(heap):
    """Each run of free pages is a row that both its ends name: all backed or all released, but where runs are in lists."""
    if heap.knobs.pages == Pages.BITMAP:
        return 0
    mixed = heap.knobs.pages == Pages.LISTS_AND_TREAP
    page = heap.first_page
    while page < heap.end_page:
        if get_bit(heap.allocated_bits, page):
            page += 1
            continue
        start = page
        released = get_bit(heap.scavenged_bits, page)
        while page < heap.end_page and is_alike(heap, page, released, mixed):
            page += 1
        r = heap.page_run[start]
        if r == NO_RUN or r != heap.page_run[page - 1] or heap.page_span[start] != NO_SPAN:
            return 29
        run = heap.runs[r]
        if run.page != start or run.npages != page - start or (not mixed and (run.released != 0) != released):
            return 29
    return 0


@inner
def is_alike(heap, page, released, mixed):
    """True for a page that is free, and released or not as asked, unless runs are mixed."""
    return not get_bit(heap.allocated_bits, page) and (mixed or get_bit(heap.scavenged_bits, page) == released)
