"""The heap goal under a memory limit. (Go: mgcpacer.go, heapGoalInternal, memoryLimitHeapGoal; allocator.md 8.2)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.memory import NO_LIMIT
from goalloc_cli.model.pacing.trigger import trigger
from goalloc_cli.model.tables.metadata import mapped_ready

LEAST_HEADROOM = 1 << 20
"""The heap goal stays so far from the memory limit (Go: memoryLimitMinHeapGoalHeadroom)."""


@inner
def keep_to_limit(heap):
    """Take the goal that the memory limit leaves, where that is lower than GOGC's, else that of GOGC again.

    Unfinished sweeping then raises neither goal nor trigger: that could push the heap over the limit.
    """
    if heap.knobs.memory_limit == NO_LIMIT:
        return
    gc = heap.gc
    lowered = limited_goal(heap)
    gc.limited = 0
    if lowered < gc.percent_goal:
        gc.limited = 1
        gc.goal = lowered
        gc.trigger = trigger(heap, 0)
        return
    gc.goal = max(gc.percent_goal, gc.least_trigger)
    gc.trigger = gc.percent_trigger


@inner
def limited_goal(heap):
    """The heap goal that leaves room for everything else below the memory limit.

    Unlike Go: where the trace starts the cycles it is computed when the goal is set, not at every look at it.
    """
    limit = heap.knobs.memory_limit
    ready = mapped_ready(heap)
    others = ready - heap.stats.free - heap.gc.heap_alloc + max(0, ready - limit)
    if others >= limit:
        return heap.gc.heap_marked
    goal = limit - others
    headroom = max(LEAST_HEADROOM, goal // 100 * heap.knobs.limit_headroom_percent)
    goal = headroom if goal < 2 * headroom else goal - headroom
    return max(goal, heap.gc.heap_marked)
