"""Cycles that the heap starts and ends by itself, where heapLive grows (mgc.go, gcTrigger.test)."""

from __future__ import annotations

from tests.twin.heap import Heap
from tests.twin.pacing import choose_goal

TWO_MINUTES = 120 * 10**9


def tick(h: Heap) -> None:
    """Time has passed (forcegchelper)."""
    if h.shares is not None and h.gogc >= 0 and h.has_ended and not h.marking:
        h.due = h.due or h.pages.now - h.ended_at > TWO_MINUTES


def look(h: Heap) -> None:
    """After a refill or a large object."""
    if h.shares is None or h.asked_for:
        return
    if not h.marking:
        choose_goal(h)
    if h.marking:
        h.due = h.due or (h.heap_live >= h.end_at and h.pages.now >= h.ends_from)
    else:
        h.due = h.due or h.heap_live >= h.trigger
