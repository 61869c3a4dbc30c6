"""Spans between the mcaches and the page heap (mcentral.go)."""

from __future__ import annotations

from tests.twin import lists
from tests.twin.heap import Heap, Span
from tests.twin.sweep import deduct_sweep_credit, reclaim, sweep


def cache_span(h: Heap, p: int, spc: int) -> Span:
    """A span of class `spc` with a free slot, for the mcache of `p`."""
    deduct_sweep_credit(h, h.classes[spc // 2][1] * h.design.page_size, leave_pages=0)
    if lists.has_lists(h):
        return cache_span_of_lists(h, p, spc)
    central = h.central[spc]
    partial_swept = central.partial[h.swept_side()]
    if partial_swept:
        return partial_swept.pop(0)
    if not h.drained:
        s = sweep_for_room(h, spc)
        if s is not None:
            return s
    return grow(h, p, spc)


def cache_span_of_lists(h: Heap, p: int, spc: int) -> Span:
    """The same until Go 1.14: the first of `nonempty`, else the first of `empty` that has room when it is swept."""
    while found := lists.first_usable(h, spc):
        s, unswept = found
        if unswept:
            sweep(h, s, preserve=True)
        if not s.is_full():
            return s
    return grow(h, p, spc)


def sweep_for_room(h: Heap, spc: int) -> Span | None:
    """Sweep spans of class `spc` until one has room or the budget is spent.

    An entry that the reclaimer has already swept counts against the budget too, as in Go.
    """
    budget = h.design.span_budget
    partial = h.central[spc].partial[h.unswept_side()]
    full = h.central[spc].full[h.unswept_side()]
    while budget >= 0 and partial:
        s = partial.pop(0)
        if h.needs_sweep(s):
            sweep(h, s, preserve=True)
            return s
        budget -= 1
    while budget >= 0 and full:
        s = full.pop(0)
        if h.needs_sweep(s):
            sweep(h, s, preserve=True)
            if not s.is_full():
                return s
            h.push_swept(s)
        budget -= 1
    return None


def grow(h: Heap, p: int, spc: int) -> Span:
    """A fresh span of class `spc`."""
    return alloc_span(h, p, h.classes[spc // 2][1], spc)


def alloc_span(h: Heap, p: int, npages: int, spc: int) -> Span:
    """A fresh heap span; while sweeping goes on, as many pages are reclaimed first (mheap.go, alloc)."""
    if not h.drained:
        reclaim(h, npages)
    return h.new_span(p, npages, spc)


def uncache_span(h: Heap, s: Span) -> None:
    """Take back a span from an mcache; one that was cached before the sweep began is swept."""
    stale = s.sweepgen == h.sweepgen + 1
    if lists.has_lists(h):
        lists.uncache(h, s)
    if stale:
        sweep(h, s, preserve=False)
        return
    s.sweepgen = h.sweepgen
    h.push_swept(s)
