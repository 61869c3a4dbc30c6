"""Handles for whatever a foreign trace calls its objects: numbers of its own, or addresses.

A hash table says which handle a key has; it is as large as the most that ever lived at once.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.compiled.keyed import EMPTY, KEY, OWNER, empty_table, find, move_keys, remove
from goalloc_cli.importers.common.handles import Handles, give_handle, new_handles, take_handle
from goalloc_cli.trace.event import BATCH, BOUND, FREED_ID, KIND_MASK, NOSCAN, UNKNOWN_ID, Kind

GONE = -2
"""Owner of a key whose owner died, where the dead are kept."""

NOTHING = -1
"""No owner at all."""

FIRST_SLOTS = 1 << 17

PLAIN, BIRTH, DEATH, MENTION = range(4)
OBJECTS, STACKS, SPANS = 0, 4, 8
REALLOC = 62
"""Kind of an allocation that takes over the id of an object, whose FREE follows at once."""
ROLE = np.zeros(64, np.int64)
"""What an event does with its id: the lower two bits; and whose id it is: the others."""
for _role, _kinds in {
    OBJECTS | BIRTH: (Kind.ALLOC, Kind.SNAP_OBJECT, Kind.SNAP_DEAD),
    OBJECTS | DEATH: (Kind.FREE,),
    OBJECTS | MENTION: (Kind.TINY, Kind.SWEEP_TO, Kind.SWEEP_RECLAIM, Kind.SWEPT_NEXT),
    STACKS | BIRTH: (Kind.STACK_ALLOC, Kind.SNAP_STACK),
    STACKS | DEATH: (Kind.STACK_FREE,),
    SPANS | BIRTH: (Kind.MANUAL_ALLOC, Kind.SNAP_STACK_SPAN),
    SPANS | DEATH: (Kind.MANUAL_FREE,),
}.items():
    for _kind in _kinds:
        ROLE[_kind] = _role
MOVES = 16
"""Bit of a role: the id passes from one object to another."""
ROLE[REALLOC] = OBJECTS | BIRTH | MOVES

OWNERS = 3
"""Bits of a role that say whose id it is, once those of what it does are gone."""
WHOSE = 62
"""Bits of a key; whose id it is stands above them."""

ALIVE, UNKNOWN, RANGE = 1, 2, 3
"""What can be wrong with an id: it is in use already, it is not in use, it is no number that the column holds."""


@kernel
def name_handles(kind, key, handle, table, used, low, middle, top, keep_dead):
    """Put a handle in place of every key; return the event at which that is not possible, and what is wrong there.

    A REALLOC becomes an ALLOC, and the FREE behind it is that of the object that had the id before.
    With `keep_dead` only a key that is no number stops it: others get the handle of what is alive, FREED_ID or UNKNOWN_ID.
    """
    moved = NOTHING
    for i in range(len(kind)):
        if moved != NOTHING:
            if moved < FREED_ID:
                give_handle(low, middle, top, moved)
            handle[i] = moved
            moved = NOTHING
            continue
        role = ROLE[kind[i] & KIND_MASK]
        if role == PLAIN:
            if not 0 <= key[i] < 1 << 32:
                return i, RANGE
            handle[i] = key[i]
            continue
        # Objects, stacks and spans each have their own ids.
        own = key[i] ^ (role >> 2 & OWNERS) << WHOSE
        slot = find(table, own)
        owner = table[slot, OWNER]
        if role & MOVES:
            if owner < 0 and not keep_dead:
                return i, UNKNOWN
            moved = owner if owner >= 0 else FREED_ID if owner == GONE else UNKNOWN_ID
            kind[i] = Kind.ALLOC | (kind[i] & (NOSCAN | BOUND))
            used[0] += owner == EMPTY
            owner = take_handle(low, middle, top)
            table[slot, KEY] = own
            table[slot, OWNER] = owner
        elif role & 3 == BIRTH:
            if owner >= 0 and not keep_dead:
                return i, ALIVE
            if owner < 0:
                used[0] += owner == EMPTY
                owner = take_handle(low, middle, top)
                table[slot, KEY] = own
                table[slot, OWNER] = owner
        elif owner < 0:
            if not keep_dead:
                return i, UNKNOWN
            owner = FREED_ID if owner == GONE else UNKNOWN_ID
        elif role & 3 == DEATH:
            give_handle(low, middle, top, owner)
            if keep_dead:
                table[slot, OWNER] = GONE
            else:
                remove(table, slot)
                used[0] -= 1
        handle[i] = owner
    return len(kind), 0


class Ids:
    """Which handle each key has that is alive."""

    def __init__(self, keep_dead: bool = False) -> None:
        """With `keep_dead` memory grows with the number of ids, and mistakes get a handle that shows them."""
        self.keep_dead = keep_dead
        self.table = empty_table(FIRST_SLOTS)
        self.used = np.zeros(1, np.int64)
        self.handles: Handles = new_handles(FIRST_SLOTS)

    def name(self, kind: NDArray[np.uint8], key: NDArray[np.int64], handle: NDArray[np.uint32]) -> tuple[int, int]:
        """Fill in the handles of at most a batch of events; return how far that went, and what stopped it."""
        self.make_room()
        h = self.handles
        done, problem = name_handles(kind, key, handle, self.table, self.used, h.low, h.middle, h.top, self.keep_dead)
        return int(done), int(problem)

    def make_room(self, births: int = BATCH) -> None:
        """Have room for this many more, and the table at most half full."""
        wanted = len(self.table)
        while 2 * (int(self.used[0]) + births) > wanted:
            wanted *= 2
        if wanted == len(self.table):
            return
        table = empty_table(wanted)
        move_keys(self.table, table)
        self.table = table
        self.handles = grown(self.handles, len(table))


def grown(old: Handles, most: int) -> Handles:
    """The same handles, and more."""
    new = new_handles(most)
    new.low[: len(old.low)] = old.low
    for above, below in ((new.middle, new.low), (new.top, new.middle)):
        bits = np.zeros(len(above) * 64, bool)
        bits[: len(below)] = below != 0
        above[:] = np.packbits(bits, bitorder="little").view("<u8")
    return new
