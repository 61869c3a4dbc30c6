"""How much memory the heap should keep. (Go: mgcscavenge.go, gcPaceScavenger; allocator.md 9.1)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import GrowthScavenge, ScavengeIndex, Scavenger
from goalloc_cli.model.pages.scavengeindex import restart
from goalloc_cli.model.tables.metadata import mapped_ready

NEVER = 1 << 62
"""Goal and trigger of a heap that is not collected for its size, and what a heap keeps that has no goal."""
MOST_WANTED = float(1 << 52)
"""A heap that is to keep more is taken to have no goal: GOGC was switched off."""
PHYSICAL_PAGE = 4096


@inner
def pace_scavenger(heap):
    """Set how much backed memory the heap should keep: as the last cycle ended with, scaled as the goal moved."""
    gc = heap.gc
    pace_for_limit(heap)
    if heap.knobs.scavenge_index == ScavengeIndex.CURSOR:
        restart(heap)
    if heap.knobs.scavenger != Scavenger.PACED and heap.knobs.growth_scavenge != GrowthScavenge.GOAL:
        return
    if gc.last_goal == 0:
        return
    wanted = gc.last_in_use * (gc.goal / gc.last_goal)
    if wanted > MOST_WANTED:
        gc.retained_goal = NEVER
        return
    goal = int(wanted) + int(wanted) * heap.knobs.retain_percent // 100
    goal = (goal + PHYSICAL_PAGE - 1) // PHYSICAL_PAGE * PHYSICAL_PAGE
    retained = heap.stats.in_use + heap.stats.free
    met = retained < goal + PHYSICAL_PAGE
    gc.retained_goal = NEVER if met and heap.knobs.goal_off_when_met else goal


@inner
def pace_for_limit(heap):
    """The background scavenger keeps away from the memory limit, where it comes near."""
    percent = heap.knobs.limit_background_percent
    goal = heap.knobs.memory_limit // 100 * percent
    heap.scavenge.limit_goal = goal if percent > 0 and mapped_ready(heap) > goal else NEVER
