"""The stop of the world in which a recording begins: what it says of the heap as it is, and what needs not be said again.

The world stands still while the snapshot is written (runtime/trace.go, StartTrace; runtime/traceallocfree.go,
traceSnapshotMemory). What a thread did before is in it already; what it does afterwards comes behind it, whatever the stamps
say.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.importers.exectrace.wire.decode import Ev, Events

SPAN, HEAP_OBJECT, OBJECT_ALLOC = int(Ev.SPAN), int(Ev.HEAP_OBJECT), int(Ev.OBJECT_ALLOC)
HEAP_ALLOC = int(Ev.HEAP_ALLOC)
STOPPED = np.zeros(256, np.bool_)
"""Events that are written from the snapshot's first to the end of its stop (runtime/proc.go, procresize)."""
STOPPED[[Ev.SPAN, Ev.HEAP_OBJECT, Ev.STACK, Ev.HEAP_GOAL, Ev.PROC_STATUS, Ev.GO_STATUS, Ev.PROCS_CHANGE]] = True
STARTS = np.zeros(256, np.bool_)
"""Events after which an M runs another goroutine."""
STARTS[[Ev.GO_START, Ev.GO_SWITCH, Ev.GO_SWITCH_DESTROY]] = True
MOST_BETWEEN = 64
"""Events that are looked back for one; what stands there is a state or two. It bounds the time."""
NOTHING = 0
"""Kind of an event that says nothing."""


@inner
def first_of_snapshot(kind, bounds):
    """(M, event) of the first span that existed when the recording began; -1 where there is none."""
    for m in range(len(bounds) - 1):
        for i in range(bounds[m], bounds[m + 1]):
            if kind[i] == SPAN:
                return m, i
    return -1, -1


@kernel
def silence_before(kind, time, bounds):
    """Silence what was said of memory before the snapshot, which holds it: the M that stops the world makes and frees
    spans until it writes it."""
    writer, first = first_of_snapshot(kind, bounds)
    if writer < 0:
        return
    for m in range(len(bounds) - 1):
        for i in range(bounds[m], first if m == writer else bounds[m + 1]):
            if time[i] > time[first]:
                break
            if kind[i] >= SPAN:
                kind[i] = NOTHING


@kernel
def bring_forward(kind, latest, bounds):
    """Bring the snapshot, and all up to the end of its stop, before what any other M did afterwards.

    Its stamps run ahead, each at least a tick (64 ns) after the last: by milliseconds where there are many objects.

    Args:
        latest: the latest time that each event can have had, in ticks; changed.

    Returns:
        The last event of the stop, -1: none.
    """
    writer, first = first_of_snapshot(kind, bounds)
    if writer < 0:
        return -1
    stop = first
    while stop + 1 < bounds[writer + 1] and STOPPED[kind[stop + 1]]:
        stop += 1
    end = latest[stop]
    for m in range(len(bounds) - 1):
        after = bounds[m]
        while after < bounds[m + 1] and latest[after] <= latest[first]:
            after += 1
        if m != writer and after < bounds[m + 1]:
            end = min(end, latest[after] - 1)
    for i in range(first, stop + 1):
        latest[i] = min(latest[i], end)
    return stop


@inner
def is_first_of_turn(kind, bounds, m, i):
    """Whether an alloc is the first that its M reports since it took up a goroutine, and needed no refill."""
    for j in range(i - 1, max(bounds[m], i - MOST_BETWEEN) - 1, -1):
        if STARTS[kind[j]]:
            return True
        if kind[j] >= SPAN or kind[j] == HEAP_ALLOC:
            return False
    return False


@kernel
def silence_again(kind, m_of, bounds, allocs, owner_kind):
    """Silence the allocs of objects that the snapshot holds; return how many.

    A goroutine may be preempted between an alloc and its event (malloc.go, postMallocgcDebug). If the world is stopped
    there for the snapshot, the event comes when it runs again.

    Args:
        allocs: of slots that were in use, which no order of the events can change.
        owner_kind: per alloc: kind of the event that had filled the slot.
    """
    count = 0
    for q in range(len(allocs)):
        i = allocs[q]
        if kind[i] == OBJECT_ALLOC and owner_kind[q] == HEAP_OBJECT and is_first_of_turn(kind, bounds, m_of[i], i):
            kind[i] = NOTHING
            count += 1
    return count


def begin_at_snapshot(events: Events) -> None:
    """Silence what comes before the snapshot, which stands in the first generation."""
    if not events.generation:
        silence_before(events.kind, events.time, events.bounds)


def tell_once(events: Events, allocs: NDArray[np.int64], owner_kind: NDArray[np.uint8]) -> bool:
    """Silence those allocs that the snapshot has told of; return whether there are any. Arguments: see `silence_again`."""
    return bool(silence_again(events.kind, events.m, events.bounds, allocs, owner_kind))
