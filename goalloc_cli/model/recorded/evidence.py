"""What the recording's own heapLive says of a replay that follows it.

Go counts all of a span when a P caches it, and tells heapLive at each refill and each large object (mcache.go, refill and
allocLarge; mgcpacer.go, update). So between two of these the model must have moved by as much as the recording. Where the
gap between both jumps up and stays, there is memory that no event names: chunks of user arenas, or events that were lost.

The table EVIDENCE: told, how often the recording told heapLive; cycle and live, the GC cycle and what it told the last time;
gap, by how much that was above the model's; first_gap; refills, how often it could be compared with the time before, and
foreseen, how often the gap was the same; run and low, the length and the least gap of the present run; unnamed, the most
bytes by which the gap grew for a whole run.
"""

from goalloc_cli.compiled.jit import inner

GAP_RUN = 8
"""A gap counts once it has lasted for so many tellings: several Ps tell a little before or after they act."""


@inner
def see_heap_live(heap, live_bytes):
    """The recording tells heapLive, `live_bytes`, before the event that follows from it."""
    seen = heap.evidence
    gap = seen.live - heap.gc.heap_live
    if seen.told and seen.cycle == heap.gc.cycle:
        seen.refills += 1
        seen.foreseen += gap == seen.gap
        if seen.refills == 1:
            seen.first_gap = gap
        seen.low = min(seen.low, gap) if seen.run else gap
        seen.run += 1
        if seen.run == GAP_RUN:
            seen.run = 0
            seen.unnamed = max(seen.unnamed, seen.low - seen.first_gap)
        seen.gap = gap
    seen.told += 1
    seen.cycle = heap.gc.cycle
    seen.live = live_bytes
