"""Gives the objects of an allocfreetrace handles, and puts deaths where they belong: before the cycle that found them.

A free is printed when a span is swept, after the mark termination (`tracegc`) of the cycle that found the object dead.
So what is allocated after a `tracegc` is held back until the next one: by then all deaths of the cycle are known.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.compiled.keyed import EMPTY, KEY, OWNER, find, remove
from goalloc_cli.importers.allocfree.scan import ALLOC, FREE, GC, NO_POINTERS, UNKNOWN
from goalloc_cli.importers.common.handles import give_handle, take_handle
from goalloc_cli.importers.common.ids import Ids
from goalloc_cli.trace.event import BOUND, NOSCAN, Kind

EVENT = np.dtype([("addr", "i8"), ("size", "i8"), ("id", "u4"), ("arg", "u4"), ("stack", "u4"), ("kind", "u1")], align=True)

MOST_HELD = 1 << 22
"""Most events that are held back (128 MiB). In a longer cycle, what dies is freed where its free is printed."""

MOST_UNKNOWN = 1000
"""Frees of objects that were never seen: the runtime makes a few before it reads GODEBUG."""

# Counts.
ALLOCS, SIZED, CERTAIN, UNKNOWN_FREES, LOST_FREES = range(5)
COUNTS = 5

TINY_BYTES = 16

ALLOC_KIND, FREE_KIND = int(Kind.ALLOC), int(Kind.FREE)


@kernel
def follow(records, at, cycle, table, used, low, middle, top, born, dead, held, counts):
    """Make events of records, up to the next `tracegc`.

    Args:
        born: the cycle in which each handle was given out.
        dead: EVENT rows for deaths that the last cycle found.
        held: EVENT rows for everything else.

    Returns:
        The record where it stopped, and the number of rows in `dead` and in `held`.
    """
    ndead = nheld = 0
    while at < len(records) and records[at].op != GC:
        record = records[at]
        at += 1
        key = record.addr >> 3
        slot = find(table, key)
        if table[slot, OWNER] != EMPTY:
            handle = table[slot, OWNER]
            if born[handle] == cycle or record.op == ALLOC:
                event = held[nheld]
                nheld += 1
            else:
                event = dead[ndead]
                ndead += 1
            event.kind = FREE_KIND
            event.id = handle
            event.size = event.arg = event.stack = event.addr = 0
            give_handle(low, middle, top, handle)
            remove(table, slot)
            used[0] -= 1
            if record.op == ALLOC:
                counts[LOST_FREES] += 1
                slot = find(table, key)
        elif record.op == FREE:
            counts[UNKNOWN_FREES] += 1
        if record.op == FREE:
            continue
        handle = take_handle(low, middle, top)
        table[slot, KEY] = key
        table[slot, OWNER] = handle
        used[0] += 1
        born[handle] = cycle
        event = held[nheld]
        nheld += 1
        event.kind = ALLOC_KIND
        event.size = record.request
        if not record.request:
            event.kind |= BOUND
            event.size = record.slot
        if record.pointers == NO_POINTERS:
            event.kind |= NOSCAN
            # It opened a tiny block, though the model, which does not see what was packed into others, may have one open.
            if record.slot == TINY_BYTES and record.request < TINY_BYTES:
                event.kind |= BOUND
                event.size = TINY_BYTES
        event.id = handle
        event.arg = record.entry
        event.stack = record.stack
        event.addr = record.addr
        counts[ALLOCS] += 1
        counts[SIZED] += event.kind & BOUND == 0
        counts[CERTAIN] += record.pointers != UNKNOWN
    return at, ndead, nheld


class Follower:
    """Knows what lives at which address."""

    def __init__(self) -> None:
        self.counts = np.zeros(COUNTS, np.int64)
        self._ids = Ids()
        self._born: NDArray[np.int32] = np.zeros(0, np.int32)

    def follow(self, records: Any, at: int, cycle: int) -> tuple[int, Any, Any]:
        """The record where it stopped, the deaths that the last cycle found, and the other events."""
        ids = self._ids
        ids.make_room(len(records))
        if len(self._born) < len(ids.handles.low) * 64:
            self._born = np.concatenate([self._born, np.zeros(len(ids.handles.low) * 64 - len(self._born), np.int32)])
        h = ids.handles
        dead, held = np.empty(len(records) - at, EVENT), np.empty(2 * (len(records) - at), EVENT)
        stop, ndead, nheld = follow(
            records, at, cycle, ids.table, ids.used, h.low, h.middle, h.top, self._born, dead, held, self.counts
        )
        return int(stop), dead[:ndead], held[:nheld]


