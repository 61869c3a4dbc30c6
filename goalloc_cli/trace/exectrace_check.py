"""What a recording that contradicts itself is refused for, and what is only noted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.event import TraceError
from goalloc_cli.trace.exectrace_slots import (
    BAD_SPAN,
    LIVE_IN_FREED,
    LIVE_SLOT,
    MISPLACED,
    SPAN_OVERLAP,
    UNKNOWN_SLOT_FREE,
    UNKNOWN_SPAN_ALLOC,
    UNKNOWN_SPAN_FREE,
)
from goalloc_cli.trace.exectrace_window import Window

TRACER_BUG = (
    "Go's tracer loses events when goroutine stacks grow while it writes (a known bug of several releases): record it again "
    "(a second run is often good)"
)
SPEECH = {
    UNKNOWN_SPAN_ALLOC: "allocations in spans that do not exist",
    UNKNOWN_SLOT_FREE: "frees of objects that do not exist",
    LIVE_SLOT: "allocations in slots that are in use",
    SPAN_OVERLAP: "spans laid over others",
    UNKNOWN_SPAN_FREE: "frees of spans that do not exist",
    LIVE_IN_FREED: "spans freed while objects lived in them",
    MISPLACED: "objects outside the slots of their span",
    BAD_SPAN: "spans that cannot be",
}
LOST_SHARE = 0.05
"""Share of spans whose events Go 1.23 may have lost: its tracer skips them when it is busy (traceTryAcquire). They are
mostly stacks'; the programs recorded lost up to 1.5 %."""
LOST_HEAP_SPANS = 8
"""Spans with objects that may be among them."""
MISORDERED = 1e-4
"""Share of allocations into slots in use that the clocks of several Ms explain."""

Array = NDArray[np.int64]


def went_unseen(spans: NDArray[np.void]) -> tuple[Array, Array]:
    """Spans that others were laid over though they were never freed: their free was lost.

    Returns, per span: the first such span under it, and the next one of the same; -1 where there is none.
    """
    head, link = np.full(len(spans), -1, np.int64), np.full(len(spans), -1, np.int64)
    for r in np.flatnonzero((spans["dead"] == 0) & (spans["over"] >= 0) & (spans["npages"] > 0)).tolist():
        over = int(spans["over"][r])
        link[r], head[over] = head[over], r
    return head, link


def check(
    window: Window, times: list[int], allocs: int, has_snapshot: bool, may_lose_spans: bool, ps: int
) -> list[str]:
    """Refuse a recording that contradicts itself; return the notes on one that may pass.

    Args:
        window: all of it, where it may lose spans.
        times: of its first event and its last, in ticks.
        allocs: how many there are.
        has_snapshot: the recording holds the heap that it starts with.
        may_lose_spans: it may be of Go 1.23.
        ps: number of Ps.

    Raises:
        TraceError: events were lost; the message counts what does not fit and names the time of the first.
    """
    faults = dict(enumerate(window.heap.faults.tolist()))
    if not any(faults.values()):
        return []
    if not has_snapshot:
        return _without_snapshot(faults)
    notes = []
    if faults[LIVE_SLOT] and ps > 1 and faults[LIVE_SLOT] <= MISORDERED * allocs:
        notes.append(f"{faults[LIVE_SLOT]} of {allocs} allocations could not be put in order with the frees before them.")
        faults[LIVE_SLOT] = 0
    if may_lose_spans:
        notes += _lost_spans(window, faults)
    wrong = [code for code, count in faults.items() if count]
    if not wrong:
        return notes
    first = min(int(window.heap.first[code]) for code in wrong)
    listing = ", ".join(f"{faults[code]} {SPEECH[code]}" for code in wrong)
    at = 100 * float(first - times[0]) / max(1.0, float(times[1] - times[0]))
    raise TraceError(f"the recording contradicts itself: {listing}; the first after {at:.1f} % of its time. {TRACER_BUG}")


def _lost_spans(window: Window, faults: dict[int, int]) -> list[str]:
    """Pardon, and note, what Go 1.23 loses."""
    spans = int(np.count_nonzero((window.kind == 128) | (window.kind == 129)))
    lost = faults[SPAN_OVERLAP] + faults[UNKNOWN_SPAN_FREE]
    nowhere = (window.kind == 132) & (window.owner < 0)
    heap_spans = len(np.unique(window.a[nowhere] >> 10))
    if lost > LOST_SHARE * spans or heap_spans > LOST_HEAP_SPANS or faults[LIVE_IN_FREED] > LOST_HEAP_SPANS:
        return []
    objects = faults[UNKNOWN_SPAN_ALLOC]
    if not lost and not objects:
        return []
    for code in (SPAN_OVERLAP, UNKNOWN_SPAN_FREE, LIVE_IN_FREED, UNKNOWN_SPAN_ALLOC):
        faults[code] = 0
    if objects:
        faults[UNKNOWN_SLOT_FREE] = max(0, faults[UNKNOWN_SLOT_FREE] - objects)
    without = f"; {objects} allocations in {heap_spans} of them were left out" if objects else ""
    return [f"Go 1.23 lost the events of {lost} of {spans} spans, as its tracer does when it is busy{without}."]


def _without_snapshot(faults: dict[int, int]) -> list[str]:
    notes = [
        "The recording does not hold the heap that it starts with (a flight recorder drops it): totals are relative to its "
        "first event, and what lived before it is missing."
    ]
    if faults[UNKNOWN_SPAN_ALLOC]:
        notes.append(f"{faults[UNKNOWN_SPAN_ALLOC]} allocations in spans made before the first event were left out.")
    if faults[UNKNOWN_SLOT_FREE]:
        notes.append(f"{faults[UNKNOWN_SLOT_FREE]} frees of objects made before the first event were left out.")
    return notes
