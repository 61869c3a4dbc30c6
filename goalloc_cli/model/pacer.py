"""How much heap the next cycle may grow to, and how fast allocation must sweep. (Go: mgcpacer.go; allocator.md 8.2 to 8.4)"""

from __future__ import annotations

from goalloc_cli.jit import inner

SWEEP_MARGIN = 1 << 20
"""Sweeping is to be done this many bytes before the trigger (Go: sweepMinHeapDistance)."""
TRIGGER_MARGIN = 4 << 20
"""On large heaps the trigger is this far below the goal (Go: defaultHeapMinimum)."""
NO_GOAL = (1 << 63) - 1


@inner
def commit(heap):
    """At mark termination: set the heap goal, the trigger and the pace of sweeping."""
    gc = heap.gc
    gc.goal = heap_goal(heap)
    gc.trigger = trigger(heap, gc.goal)
    pace_sweeper(heap)


@inner
def heap_goal(heap):
    """Heap size that the next cycle should end at, in bytes; NO_GOAL where GOGC is off."""
    gogc = heap.knobs.gogc
    if gogc < 0:
        return NO_GOAL
    marked = heap.gc.heap_live
    goal = marked + (marked + heap.knobs.globals_scan_bytes) * gogc // 100
    goal = max(goal, heap.knobs.heap_minimum * gogc // 100)
    return max(goal, heap.gc.heap_live + SWEEP_MARGIN)


@inner
def trigger(heap, goal):
    """heap_live at which the next cycle starts: without a model of time, as late as Go would."""
    marked = heap.gc.heap_live
    if marked >= goal:
        return goal
    least = max(heap.gc.heap_live + SWEEP_MARGIN, marked + (goal - marked) // 64 * 45)
    most = marked + (goal - marked) // 64 * 61
    if goal > TRIGGER_MARGIN:
        most = max(most, goal - TRIGGER_MARGIN)
    return max(most, least)


@inner
def pace_sweeper(heap):
    """Pages to sweep for each byte allocated, so that sweeping ends before the trigger. (Go: gcPaceSweeper)"""
    gc = heap.gc
    gc.live_basis = gc.heap_live
    gc.swept_basis = gc.pages_swept
    distance = max(gc.trigger - gc.heap_live - SWEEP_MARGIN, 1 << heap.knobs.page_shift)
    gc.pages_per_byte = max(0, gc.pages_in_use - gc.pages_swept) / distance
