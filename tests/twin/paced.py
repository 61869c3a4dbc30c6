"""Cycles that the heap starts and ends by itself, where heapLive grows (mgc.go, gcTrigger.test)."""

from __future__ import annotations

from tests.twin.heap import Heap
from tests.twin.pacing import choose_goal


def look(h: Heap) -> None:
    """After a refill or a large object."""
    if h.shares is None or h.asked_for:
        return
    if not h.marking:
        choose_goal(h)
    h.due = h.due or h.heap_live >= (h.end_at if h.marking else h.trigger)
