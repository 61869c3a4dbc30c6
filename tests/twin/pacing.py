"""When the next cycle should start and end, and how fast to sweep until then (mgcpacer.go; until 1.17 mgc.go)."""

from __future__ import annotations

from goalloc_cli.design.choices import GrowthScavenge, Pacer, ScavengeIndex, Scavenger
from tests.twin.heap import Heap
from tests.twin.scavenging import limited_goal, pace_for_limit

SWEEP_MIN_HEAP_DISTANCE = 1 << 20
"""Bytes that the sweeper is granted before the next cycle (mgc.go, sweepMinHeapDistance)."""

NEVER = 1 << 62
"""Goal and trigger of a heap that is not collected by its size."""


def preset(h: Heap) -> None:
    """Before the first cycle; the marked heap is made up where the trigger is a ratio to it (gcinit)."""
    if h.design.pacer == Pacer.RATIO:
        h.heap_marked = int(h.design.heap_minimum / 1.875)
    set_goal_and_trigger(h)


def start_cycle(h: Heap) -> None:
    """Until Go 1.17 the goal is at least 1 MiB away when marking starts (gcController.startCycle)."""
    h.last_marked = h.heap_marked
    if h.design.cons_mark:
        h.scan_work = h.design.globals_scan_bytes + h.pointer_bytes
    if h.design.pacer == Pacer.RATIO:
        h.goal = max(h.goal, h.heap_live + (1 << 20))
    elif not h.limited:  # heapGoalInternal, minRunway; `triggered` is the computed trigger in 1.19
        is_1_19 = h.design.cons_mark and h.design.pacer == Pacer.BOUNDS
        h.goal = max(h.goal, (h.trigger if is_1_19 else h.heap_live) + (64 << 10))


def end_cycle(h: Heap, explicit: bool) -> None:
    """Adapt the trigger ratio, unless the program asked for the cycle (gcController.endCycle)."""
    h.last_goal = h.goal
    h.last_inuse = h.heap_inuse
    if h.design.cons_mark:
        estimate_cons_mark(h)
    if h.design.pacer != Pacer.RATIO or explicit or h.gogc < 0 or h.last_marked == 0:
        return
    aim = (h.goal - h.last_marked) / h.last_marked if h.design.aim_at_goal else h.gogc / 100
    growth = h.heap_live / h.last_marked - 1
    h.trigger_ratio += 0.5 * (aim - h.trigger_ratio - 0.25 / 0.30 * (growth - h.trigger_ratio))


def estimate_cons_mark(h: Heap) -> None:
    """The controller of Go 1.18 and 1.19 takes its step (endCycle, piController.next)."""
    if h.heap_live <= h.trigger or h.scan_work == 0:
        return
    found = (h.heap_live - h.trigger) * 0.25 / (h.scan_work * 0.75)
    error = found - h.cons_mark
    h.cons_mark = max(-1000.0, min(1000.0, 0.9 * error + h.cons_mark_integral))
    h.cons_mark_integral += 0.9 / 4 * error


def set_goal_and_trigger(h: Heap) -> None:
    """Where the next cycle should end, and where it starts.

    Unlike Go: no runway and no stack scan, so the trigger is at its upper bound.
    """
    if h.gogc < 0:
        h.goal = h.trigger = NEVER
    elif h.design.pacer == Pacer.RATIO:
        by_ratio(h)
    elif h.design.pacer == Pacer.RUNWAY:
        by_loose_bounds(h)
    else:
        by_bounds(h)
    if h.design.pacer != Pacer.BOUNDS or h.gogc < 0:
        h.percent_goal = h.percent_goal_swept = h.goal
    h.percent_trigger = h.trigger
    choose_goal(h)
    set_retained_goal(h)


def choose_goal(h: Heap) -> None:
    """The lower of the goals of GOGC and of the memory limit (heapGoalInternal)."""
    h.limited = limited_goal(h) < h.percent_goal
    if h.limited:
        h.goal = limited_goal(h)
        set_trigger(h, 0)
    else:
        h.goal, h.trigger = h.percent_goal_swept, h.percent_trigger


def least_trigger(h: Heap) -> int:
    """The next cycle must not start before this."""
    if h.drained:
        return 0
    scaled = SWEEP_MIN_HEAP_DISTANCE * h.gogc // 100
    return h.heap_live + (scaled if h.design.sweep_margin_by_gogc else SWEEP_MIN_HEAP_DISTANCE)


def by_ratio(h: Heap) -> None:
    """Until Go 1.17 (gcSetTriggerRatio)."""
    percent, marked = h.gogc, h.heap_marked
    h.trigger_ratio = min(h.trigger_ratio, 0.95 * (percent / 100))
    h.trigger_ratio = max(h.trigger_ratio, h.design.least_trigger_percent / 100 * (percent / 100))
    h.trigger = int(marked * (1 + h.trigger_ratio))
    h.trigger = max(h.trigger, h.design.heap_minimum * percent // 100, least_trigger(h))
    h.goal = max(marked + marked * percent // 100, h.trigger)


def by_loose_bounds(h: Heap) -> None:
    """Go 1.18."""
    marked, floor = h.heap_marked, h.design.heap_minimum * h.gogc // 100
    goal = marked + (marked + h.design.globals_scan_bytes) * h.gogc // 100
    lowest = max(floor, least_trigger(h), marked + int(0.7 * (goal - marked)))
    highest = max(lowest, marked + int(0.95 * (goal - marked)), marked + goal - floor)
    h.trigger = within_runway(h, goal, lowest, highest)
    h.goal = max(goal, h.trigger)


def within_runway(h: Heap, goal: int, lowest: int, highest: int) -> int:
    """The goal less the runway, within bounds. A negative runway becomes a huge one when Go makes it unsigned."""
    if h.shares is not None:
        return max(lowest, min(highest, h.heap_marked + int(h.shares[0] * (goal - h.heap_marked))))
    runway = h.cons_mark * 3 * h.scan_work
    if not 0 <= runway <= goal:
        return lowest
    return max(lowest, min(highest, goal - int(runway)))


def by_bounds(h: Heap) -> None:
    """Since Go 1.19 (commit, heapGoalInternal, trigger)."""
    gogc, floor, marked = h.gogc, h.design.heap_minimum, h.heap_marked
    goal = max(marked + (marked + h.design.globals_scan_bytes) * gogc // 100, floor * gogc // 100)
    h.percent_goal = goal
    h.goal = h.percent_goal_swept = max(goal, least_trigger(h))
    set_trigger(h, least_trigger(h))


def set_trigger(h: Heap, lowest: int) -> None:
    """Where the cycle starts that is to end at the goal (trigger)."""
    floor, marked, goal = h.design.heap_minimum, h.heap_marked, h.goal
    h.trigger = goal
    if marked >= goal:
        return
    lowest = max(lowest, marked, marked + (goal - marked) // 64 * 45)
    highest = max(lowest, marked + (goal - marked) // 64 * 61, goal - floor)
    h.trigger = min(goal, within_runway(h, goal, lowest, highest))


def set_retained_goal(h: Heap) -> None:
    """How much memory the heap should keep (gcPaceScavenger)."""
    pace_for_limit(h)
    if h.design.scavenge_index == ScavengeIndex.CURSOR:
        h.pages.start_generation(cycle_swept=False)
    goes_by_it = h.design.growth_scavenge == GrowthScavenge.GOAL or h.design.scavenger == Scavenger.PACED
    if not goes_by_it or h.last_goal == 0:
        return
    wanted = h.last_inuse * (h.goal / h.last_goal)
    if wanted > 1 << 52:
        h.pages.retained_goal = NEVER
        return
    goal = int(wanted) + int(wanted) * h.design.retain_percent // 100
    goal = (goal + 4095) // 4096 * 4096
    met = h.pages.retained() - goal < 4096
    h.pages.retained_goal = NEVER if met and h.design.goal_off_when_met else goal


def set_sweep_pace(h: Heap) -> None:
    """How many pages to sweep per byte allocated (mgcsweep.go, gcPaceSweeper)."""
    if h.trigger == NEVER or h.drained:
        h.pages_per_byte = 0.0
        return
    distance = max(h.design.page_size, h.trigger - h.heap_live - SWEEP_MIN_HEAP_DISTANCE)
    h.pages_per_byte = max(0, h.pages_in_use - h.pages_swept) / distance
    h.live_basis = h.heap_live
    h.swept_basis = h.pages_swept
