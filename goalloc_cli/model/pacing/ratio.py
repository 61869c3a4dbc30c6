"""The pacer until Go 1.17: the trigger is a ratio to the marked heap, with feedback. (Go: mgc.go, gcSetTriggerRatio)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner

FIRST_RATIO = 7 / 8
"""The trigger ratio before the first cycle (mgc.go, gcinit)."""
RATIO_BOUND = 0.95
"""The trigger stays this far below the goal, so that there is always something to pace."""
GAIN = 0.5
"""How much of the error one cycle corrects (mgc.go, triggerGain)."""
UTILIZATION = 0.25 / 0.30
"""The share of the CPU that marking took, by its goal. Unlike Go: always that of the background workers alone."""


@inner
def preset(heap):
    """Before the first cycle the marked heap is what makes the trigger heap_minimum. (Go: gcinit)"""
    heap.gc.trigger_ratio = FIRST_RATIO
    heap.gc.heap_marked = int(heap.knobs.heap_minimum / (1 + FIRST_RATIO))


@inner
def set_goal_and_trigger(heap, least_trigger):
    """Set the goal by GOGC, and the trigger by the ratio within its bounds."""
    gc = heap.gc
    scale = gc.gogc / 100
    least_ratio = heap.knobs.least_trigger_percent / 100 * scale
    gc.trigger_ratio = max(min(gc.trigger_ratio, RATIO_BOUND * scale), least_ratio)
    least = max(heap.knobs.heap_minimum * gc.gogc // 100, least_trigger)
    gc.trigger = max(int(gc.heap_marked * (1 + gc.trigger_ratio)), least)
    gc.goal = max(gc.heap_marked + gc.heap_marked * gc.gogc // 100, gc.trigger)


@inner
def adapt(heap):
    """Move the ratio by how far off the trigger was in the cycle that ends. (Go: gcController.endCycle)"""
    gc = heap.gc
    if gc.gogc < 0 or gc.heap_marked == 0:
        return
    wanted = gc.gogc / 100
    if heap.knobs.aim_at_goal:
        wanted = (gc.goal - gc.heap_marked) / gc.heap_marked
    grown = gc.heap_live / gc.heap_marked - 1
    error = wanted - gc.trigger_ratio - UTILIZATION * (grown - gc.trigger_ratio)
    gc.trigger_ratio += GAIN * error
