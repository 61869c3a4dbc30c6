"""A hash table for kernels: which owner a key has. It is as large as the most keys that it ever held at once.

A table has a row for each of its slots, whose number is a power of two: the key, and the owner, a number from 0 on.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: times a key, its upper bits are spread evenly."""

KEY, OWNER = 0, 1
"""Columns of the table."""
EMPTY = -1
"""Owner of a slot of the table that holds no key."""


@inner
def home_of(key, mask):
    """Where a key belongs: eight that follow each other stay together, in two lines of the processor's cache."""
    spread = (np.uint64(key >> 3) * SPREAD) >> np.uint64(20)
    return (np.int64(spread) << 3 | key & 7) & mask


@kernel
def find(table, key):
    """The slot of the table that holds the key, or the empty one where it would go."""
    mask = len(table) - 1
    slot = home_of(key, mask)
    while table[slot, OWNER] != EMPTY and table[slot, KEY] != key:
        slot = (slot + 1) & mask
    return slot


@inner
def remove(table, slot):
    """Empty a slot, and move up the keys behind it that would not be found any more."""
    mask = len(table) - 1
    hole = slot
    while True:
        slot = (slot + 1) & mask
        if table[slot, OWNER] == EMPTY:
            break
        home = home_of(table[slot, KEY], mask)
        if ((slot - home) & mask) >= ((slot - hole) & mask):
            table[hole, KEY] = table[slot, KEY]
            table[hole, OWNER] = table[slot, OWNER]
            hole = slot
    table[hole, OWNER] = EMPTY


@kernel
def move_keys(table, new):
    """Enter all keys of a table into a larger one."""
    for slot in range(len(table)):
        if table[slot, OWNER] != EMPTY:
            to = find(new, table[slot, KEY])
            new[to, KEY] = table[slot, KEY]
            new[to, OWNER] = table[slot, OWNER]


def empty_table(slots: int) -> NDArray[np.int64]:
    """A table without keys."""
    return np.full((slots, 2), EMPTY, np.int64)
