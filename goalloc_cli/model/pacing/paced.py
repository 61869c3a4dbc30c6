"""Cycles that the model's own pacer starts and ends, where a trace has none of its own. (Go: mgc.go, gcTrigger.test)

Go looks where heapLive grows: after a refill and after a large object. What it decides is done once that allocation is
complete (`gccycle.take_turn`). How long marking takes, and how early it therefore starts, is a matter of time, which a trace
does not tell; so both are given: as shares of the way from the marked heap to the goal, as a multiple of the goal that
marking reaches at least, and as the bytes and the time that it takes at least.

The table PACED: on, whether cycles are the model's own; due, that one starts or ends behind this allocation (1), or, where
they are not, that sweeping has ended and is to be told once this event is over (TELL_SWEPT); requested, that the program
asked for the one under way; end_at, the heap_live at which it ends, and end_not_before, the time before which it does not;
began_live, began_goal, began_marked, began_limited and ended_live, what there was when the last one started and ended;
ended_ns, when; peak_mapped, the most that was mapped and not given back; trigger_share, end_share, end_goals, end_bytes and
end_ns, what is given.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.pacing.limit import keep_to_limit
from goalloc_cli.model.tables.metadata import mapped_ready

TELL_SWEPT = 2
PERIOD_NS = 120_000_000_000
"""So long after the last cycle there is another in any case (Go: proc.go, forcegcperiod)."""


@inner
def tick(heap):
    """Time has passed: see whether a cycle is due for that, which GOGC=off rules out."""
    paced, gc = heap.paced, heap.gc
    waits = paced.on and gc.gogc >= 0 and gc.cycle > 0 and not gc.marking
    if waits and heap.time_ns - paced.ended_ns > PERIOD_NS:
        paced.due = 1


@inner
def look(heap):
    """heap_live has grown: see whether a cycle starts or ends here."""
    paced, gc = heap.paced, heap.gc
    if not paced.on:
        return
    paced.peak_mapped = max(paced.peak_mapped, mapped_ready(heap))
    if paced.requested:
        return
    if gc.marking:
        if heap.time_ns < paced.end_not_before:
            return
        at = paced.end_at
    else:
        keep_to_limit(heap)
        at = gc.trigger
    if gc.heap_live >= at:
        paced.due = 1
