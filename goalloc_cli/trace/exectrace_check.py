"""What a recording that contradicts itself is refused for, and what is only noted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.event import TraceError
from goalloc_cli.trace.exectrace_decode import Events
from goalloc_cli.trace.exectrace_slots import (
    BAD_SPAN, LIVE_IN_FREED, LIVE_SLOT, MISPLACED, SPAN_OVERLAP, UNKNOWN_SLOT_FREE, UNKNOWN_SPAN_ALLOC, UNKNOWN_SPAN_FREE,
    Slots,
)  # fmt: skip

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
LOST_SPANS = 8
"""Span events that a recording of Go 1.23 may have lost: its tracer skips them when it is busy (traceTryAcquire)."""
MISORDERED = 1e-4
"""Share of allocations into slots in use that the clocks of several Ms explain."""

Array = NDArray[np.int64]


def went_unseen(slots: Slots) -> tuple[Array, Array]:
    """Spans that others were laid over though they were never freed: their free was lost.

    Returns, per span: the first such span under it, and the next one of the same; -1 where there is none.
    """
    spans = slots.spans
    head, link = np.full(len(spans), -1, np.int64), np.full(len(spans), -1, np.int64)
    for r in np.flatnonzero((spans["dead"] == 0) & (spans["over"] >= 0) & (spans["npages"] > 0)).tolist():
        over = int(spans["over"][r])
        link[r], head[over] = head[over], r
    return head, link


def check(events: Events, slots: Slots, has_snapshot: bool, version: str, ps: int) -> list[str]:
    """Refuse a recording that contradicts itself; return the notes on one that may pass.

    Raises:
        TraceError: events were lost; the message counts what does not fit and names the time of the first.
    """
    faults = dict(enumerate(slots.faults.tolist()))
    if not any(faults.values()):
        return []
    if not has_snapshot:
        return _without_snapshot(faults)
    allocs = int(np.count_nonzero(events.kind == 132))
    notes = []
    if faults[LIVE_SLOT] and ps > 1 and faults[LIVE_SLOT] <= MISORDERED * allocs:
        notes.append(f"{faults[LIVE_SLOT]} of {allocs} allocations could not be put in order with the frees before them.")
        faults[LIVE_SLOT] = 0
    lost = faults[SPAN_OVERLAP] + faults[UNKNOWN_SPAN_FREE] + faults[LIVE_IN_FREED]
    if version == "1.23" and 0 < lost and max(faults[SPAN_OVERLAP], faults[UNKNOWN_SPAN_FREE]) <= LOST_SPANS:
        notes.append(f"Go 1.23 lost the events of up to {lost} spans, as its tracer does when it is busy.")
        for code in (SPAN_OVERLAP, UNKNOWN_SPAN_FREE, UNKNOWN_SPAN_ALLOC, UNKNOWN_SLOT_FREE, LIVE_IN_FREED):
            faults[code] = 0
    wrong = [code for code, count in faults.items() if count]
    if not wrong:
        return notes
    first = min(int(slots.first[code]) for code in wrong)
    listing = ", ".join(f"{faults[code]} {SPEECH[code]}" for code in wrong)
    at = 100 * float(events.time[first] - events.time.min()) / max(1.0, float(np.ptp(events.time)))
    raise TraceError(
        f"the recording contradicts itself: {listing}; the first after {at:.1f} % of its time. Go's tracer lost events (a "
        "known bug when goroutine stacks grow while an event is written); record it again (a second run is often good)"
    )


def _without_snapshot(faults: dict[int, int]) -> list[str]:
    notes = ["The start of the recording is missing: totals are relative to its first event."]
    if faults[UNKNOWN_SPAN_ALLOC]:
        notes.append(f"{faults[UNKNOWN_SPAN_ALLOC]} allocations in spans made before the first event were left out.")
    if faults[UNKNOWN_SLOT_FREE]:
        notes.append(f"{faults[UNKNOWN_SLOT_FREE]} frees of objects made before the first event were left out.")
    return notes
