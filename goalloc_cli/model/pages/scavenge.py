"""The seam to the releasing of free pages, and what asks for it at once: growth, the memory limit, debug.FreeOSMemory.

(Go: mgcscavenge.go, scavenge; mheap.go, allocSpan, scavengeAll; allocator.md 9.3)
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.design.choices import GrowthScavenge, Pages
from goalloc_cli.design.memory import NO_LIMIT
from goalloc_cli.model.pages.doubt import settle
from goalloc_cli.model.pages.scavenge_pages import scavenge_pages
from goalloc_cli.model.pages.scavenge_runs import release_idle, release_largest, release_runs
from goalloc_cli.model.pages.scavengeindex import start_generation
from goalloc_cli.model.tables.heap import HEAP
from goalloc_cli.model.tables.metadata import mapped_ready

BACKGROUND = 0
GROWTH = 1
LIMIT = 2
FORCED = 3
IDLE = 4
"""Why memory was given back."""
EVER = 1 << 62
"""More bytes, and later, than there can be."""


@apart
def scavenge(heap: HEAP, nbytes, force: bool, cause) -> int:
    """Release nbytes, or what there is; return how many bytes were."""
    bitmap = heap.knobs.pages == Pages.BITMAP
    released = scavenge_pages(heap, nbytes, force) if bitmap else release_runs(heap, nbytes)
    heap.scavenge.released_by[cause] += released
    return released


@inner
def scavenge_all(heap):
    """Release every free page but those in page caches. (Go: debug.FreeOSMemory, after its runtime.GC)"""
    if heap.knobs.pages == Pages.BITMAP:
        start_generation(heap)
        scavenge(heap, EVER, True, FORCED)
    else:
        heap.scavenge.released_by[FORCED] += release_idle(heap, EVER)
    settle(heap)


@inner
def scavenge_for_growth(heap, npages):
    """The heap is about to grow by npages: release in exchange, or note it for the allocation that it is for."""
    grown_bytes = npages << heap.knobs.page_shift
    if heap.knobs.growth_scavenge == GrowthScavenge.LARGEST:
        heap.scavenge.released_by[GROWTH] += release_largest(heap, npages)
    elif heap.knobs.growth_scavenge == GrowthScavenge.GOAL:
        if heap.knobs.growth_scavenge_last:
            heap.scavenge.growth += grown_bytes
        else:
            scavenge(heap, over_goal(heap, grown_bytes), False, GROWTH)


@inner
def over_goal(heap, grown_bytes):
    """Bytes that a growth brings the heap above its goal by, at most the growth itself."""
    retained = heap.stats.in_use + heap.stats.free
    return max(0, min(grown_bytes, retained + grown_bytes - heap.gc.retained_goal))


@inner
def assist(heap, released_pages):
    """Pages were taken for a span, some of them released: release others for the memory limit, and for growth."""
    grown_bytes = heap.scavenge.growth
    if grown_bytes == 0 and heap.knobs.memory_limit == NO_LIMIT:
        return
    heap.scavenge.growth = 0
    todo = 0
    cause = GROWTH
    if heap.knobs.memory_limit != NO_LIMIT:
        todo = mapped_ready(heap) + (released_pages << heap.knobs.page_shift) - heap.knobs.memory_limit
        if todo > 0:
            cause = LIMIT
    if grown_bytes > 0:
        todo = max(todo, over_goal(heap, grown_bytes))
    if todo > 0:
        scavenge(heap, todo, cause == LIMIT, cause)
