"""How much heap the next cycle may grow to, and how fast allocation must sweep. (Go: mgcpacer.go; allocator.md 8.2 to 8.4)"""

from __future__ import annotations

from goalloc_cli.jit import inner

SWEEP_MARGIN = 1 << 20
"""Sweeping is to be done this many bytes before the trigger (Go: sweepMinHeapDistance)."""
NEVER = 1 << 62
"""Goal and trigger of a heap that is not collected for its size."""


@inner
def commit(heap):
    """At mark termination, and at the start: set the heap goal, the trigger and the pace of sweeping.

    Unlike Go: no runway, no stack scan and no memory limit, since a trace has no time; the trigger is as late as Go's can be.
    """
    gc = heap.gc
    gc.goal = heap_goal(heap)
    gc.trigger = trigger(heap)
    pace_sweeper(heap)


@inner
def least_trigger(heap):
    """Until sweeping is done, the next cycle must not start before this."""
    return heap.gc.heap_live + SWEEP_MARGIN if heap.gc.sweeping else 0


@inner
def heap_goal(heap):
    """Heap size that the next cycle should end at, in bytes."""
    gogc = heap.knobs.gogc
    if gogc < 0:
        return NEVER
    marked = heap.gc.marked
    goal = marked + (marked + heap.knobs.globals_scan_bytes) * gogc // 100
    goal = max(goal, heap.knobs.heap_minimum * gogc // 100)
    return max(goal, least_trigger(heap))


@inner
def trigger(heap):
    """heap_live at which the next cycle starts."""
    goal = heap.gc.goal
    marked = heap.gc.marked
    if heap.knobs.gogc < 0 or marked >= goal:
        return goal
    least = max(least_trigger(heap), marked + (goal - marked) // 64 * 45)
    most = max(marked + (goal - marked) // 64 * 61, goal - heap.knobs.heap_minimum)
    return min(goal, max(most, least))


@inner
def pace_sweeper(heap):
    """Pages to sweep for each byte allocated, so that sweeping ends before the trigger. (Go: gcPaceSweeper)"""
    gc = heap.gc
    gc.live_basis = gc.heap_live
    gc.swept_basis = gc.pages_swept
    distance = max(gc.trigger - gc.heap_live - SWEEP_MARGIN, 1 << heap.knobs.page_shift)
    gc.pages_per_byte = 0.0
    if gc.sweeping and heap.knobs.gogc >= 0:
        gc.pages_per_byte = max(0, gc.pages_in_use - gc.pages_swept) / distance
