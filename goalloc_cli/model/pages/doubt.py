"""How far what is released may be from what the model has it. Ours, not Go's.

How much a run of the background scavenger brings is a matter of the machine: of pages that were touched 2 to 40 MiB in a
millisecond were seen, of others hundreds. What is released is taken to be more, or less, of the same pages: it goes back
from the highest address down, and is used again from the lowest up.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner

LEAST_SHARE = 14
"""A run brings at least one part in so many of `scavenge_bytes_per_ms`, by default a huge page."""


@inner
def clip(heap):
    """Pages were used: no more can be in doubt than is left."""
    scav = heap.scavenge
    scav.less = min(scav.less, heap.stats.released)
    scav.more = min(scav.more, heap.stats.free)


@inner
def note_run(heap, released, sure, above):
    """The background scavenger ran: the model has `released` bytes of it, of which a slow machine brings `sure`, and has
    left so much `above` its goal, which a fast one may have brought, too."""
    scav = heap.scavenge
    scav.less = max(0, scav.less + released - sure)
    scav.more = max(scav.more, above)
    clip(heap)


@inner
def note_time(heap, passed_ns):
    """Time has passed in which a scavenger that has not reached its goal comes nearer to it."""
    knobs = heap.knobs
    ps = heap.nprocs if knobs.scavenge_controller else 1
    rate = knobs.scavenge_bytes_per_ms / LEAST_SHARE * knobs.scavenge_percent / 100 * ps
    heap.scavenge.less = max(0, heap.scavenge.less - int(rate * (passed_ns / 1e6)))


@inner
def settle(heap):
    """All is known: what was to be given back was."""
    heap.scavenge.less = heap.scavenge.more = 0
