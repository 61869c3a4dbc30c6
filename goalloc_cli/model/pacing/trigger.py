"""heap_live at which the next cycle starts, since Go 1.19. (Go: mgcpacer.go, trigger; allocator.md 8.3)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.pacing import runway as pacer_runway


@inner
def trigger(heap, least):
    """heap_live at which the next cycle starts: not below `least`, which sweeping demands."""
    goal = heap.gc.goal
    marked = heap.gc.heap_marked
    if marked >= goal:
        return goal
    least = max(least, marked + (goal - marked) // 64 * 45)
    most = max(marked + (goal - marked) // 64 * 61, goal - heap.knobs.heap_minimum, least)
    return min(goal, pacer_runway.trigger(heap, least, most))
