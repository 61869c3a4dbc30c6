"""How much heap the next cycle may grow to, and how fast to sweep. (Go: mgcpacer.go; allocator.md 8.2 to 8.4)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Pacer
from goalloc_cli.model.pacing import ratio as pacer_ratio
from goalloc_cli.model.pacing import runway as pacer_runway
from goalloc_cli.model.pacing.limit import keep_to_limit
from goalloc_cli.model.pacing.memory import NEVER, pace_scavenger
from goalloc_cli.model.pacing.trigger import trigger

SWEEP_MARGIN = 1 << 20
"""Sweeping is to be done this many bytes before the trigger (Go: sweepMinHeapDistance)."""
LEAST_RUNWAY = 64 << 10
"""The goal is at least so far above where marking started (Go: minRunway)."""


@inner
def begin_pacing(heap):
    """Set the first cycle's goal and trigger."""
    heap.gc.retained_goal = NEVER
    if heap.knobs.pacer == Pacer.RATIO:
        pacer_ratio.preset(heap)
    set_gogc(heap, heap.knobs.gogc)


@inner
def set_gogc(heap, gogc):
    """The program set GOGC, in percent; -1 is off. (Go: debug.SetGCPercent)"""
    heap.gc.gogc = gogc
    commit(heap)


@inner
def start_cycle(heap):
    """Marking starts."""
    gc = heap.gc
    gc.scan_work = pacer_runway.scan_work(heap)
    gc.all_scan_work += gc.scan_work
    if heap.knobs.pacer == Pacer.RATIO:
        gc.goal = max(gc.goal, gc.heap_live + SWEEP_MARGIN)
    elif not gc.limited:
        # Go 1.19 alone counts from the computed trigger here; it does so for its estimates, too.
        computed = heap.knobs.cons_mark and heap.knobs.pacer == Pacer.BOUNDS
        began = gc.trigger if computed else gc.heap_live
        gc.goal = max(gc.goal, began + LEAST_RUNWAY)


@inner
def end_cycle(heap, explicit):
    """Marking ends; heap_live is still what the program has allocated until now."""
    gc = heap.gc
    gc.last_goal = gc.goal
    gc.last_in_use = heap.stats.in_use
    if heap.knobs.pacer == Pacer.RATIO and not explicit:
        pacer_ratio.adapt(heap)
    if heap.knobs.cons_mark:
        pacer_runway.adapt(heap)


@inner
def commit(heap):
    """At mark termination, at the start and when GOGC changes: set the heap goal, the trigger and the pace of sweeping.

    Unlike Go: no stack scan; and where the runway depends on time, which a trace has not, there is none,
    so that the trigger is as late as Go's can be.
    """
    gc = heap.gc
    gc.limited = 0
    gc.least_trigger = least_trigger(heap)
    if gc.gogc < 0:
        gc.goal = NEVER
        gc.trigger = NEVER
    elif heap.knobs.pacer == Pacer.RATIO:
        pacer_ratio.set_goal_and_trigger(heap, gc.least_trigger)
    elif heap.knobs.pacer == Pacer.RUNWAY:
        gc.goal = gc.heap_marked + (gc.heap_marked + heap.knobs.globals_scan_bytes) * gc.gogc // 100
        gc.trigger = loose_trigger(heap)
        gc.goal = max(gc.goal, gc.trigger)
    else:
        gc.goal = max(heap_goal(heap), gc.least_trigger)
        gc.trigger = trigger(heap, gc.least_trigger)
    gc.percent_goal = heap_goal(heap) if heap.knobs.pacer == Pacer.BOUNDS and gc.gogc >= 0 else gc.goal
    gc.percent_trigger = gc.trigger
    keep_to_limit(heap)
    pace_sweeper(heap)
    pace_scavenger(heap)


@inner
def least_trigger(heap):
    """Until sweeping is done, the next cycle must not start before this."""
    gc = heap.gc
    if not gc.sweeping:
        return 0
    margin = SWEEP_MARGIN * gc.gogc // 100 if heap.knobs.sweep_margin_by_gogc else SWEEP_MARGIN
    return gc.heap_live + margin


@inner
def heap_goal(heap):
    """Heap size that the next cycle should end at by GOGC, in bytes."""
    gc = heap.gc
    goal = gc.heap_marked + (gc.heap_marked + heap.knobs.globals_scan_bytes) * gc.gogc // 100
    return max(goal, heap.knobs.heap_minimum * gc.gogc // 100)


@inner
def loose_trigger(heap):
    """heap_live at which the next cycle starts, by the bounds of Go 1.18: the upper one may lie above the goal."""
    gc = heap.gc
    goal = gc.goal
    minimum = heap.knobs.heap_minimum * gc.gogc // 100
    least = max(minimum, gc.least_trigger, gc.heap_marked + int(0.7 * (goal - gc.heap_marked)))
    most = max(gc.heap_marked + max(int(0.95 * (goal - gc.heap_marked)), goal - minimum), least)
    return pacer_runway.trigger(heap, least, most)


@inner
def pace_sweeper(heap):
    """Pages to sweep for each byte allocated, so that sweeping ends before the trigger. (Go: gcPaceSweeper)"""
    gc = heap.gc
    gc.live_basis = gc.heap_live
    gc.swept_basis = gc.pages_swept
    distance = max(gc.trigger - gc.heap_live - SWEEP_MARGIN, 1 << heap.knobs.page_shift)
    gc.pages_per_byte = 0.0
    if gc.sweeping and gc.trigger < NEVER:
        gc.pages_per_byte = max(0, gc.pages_in_use - gc.pages_swept) / distance
