"""growth: slices and maps that grow as Go's append and Swiss maps do, leaving ever larger arrays behind."""

# mypy: allow-untyped-defs

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.design.gosizes import HEADER_ABOVE, HEADER_BYTES, LARGEST_SMALL
from goalloc_cli.synth.mix import Shape
from goalloc_cli.synth.plan import Plan, empty_slots
from goalloc_cli.synth.world import (
    BATCH,
    NOSCAN,
    alloc,
    below,
    draw,
    free,
    go_on,
    slot_bytes,
    table,
)

ELEMENTS = (
    Shape("int", 8, 8, pointers=False),
    Shape("*main.Item", 8, 8),
    Shape("string", 16, 16),
    Shape("main.Item", 48, 48),
    Shape("map.group[int]int", 136, 136, pointers=False),
    Shape("map.group[string]int", 200, 200),
)
"""What the arrays are made of: elements of slices, then groups of maps."""
FIRST_MAP = 4
"""Number of the first shape that is a group of a map."""
DOUBLED_BELOW = 256
"""Slices below this capacity double (Go: slice.go, nextslicecap)."""
GROUP_SLOTS = 8
"""Slots of a map in one group (Go: internal/runtime/maps)."""
TABLE_GROUPS = 128
"""Groups of a table, 1,024 slots, that splits instead of growing."""
TABLES = 16
"""Tables at which a map starts anew."""

COLLECTION = table(("kind", "<i8"), ("capacity", "<i8"), ("target", "<i8"), ("arrays", "<i8"), ("split", "<i8"))
"""A slice or a map: what it is made of, its capacity in elements (a map: groups of each table), the elements at which it
is dropped, its arrays (a map's tables), and the table that splits next."""


def plan(collections: int, longest: int) -> Plan:
    rows = np.zeros(collections, COLLECTION).view(np.recarray)
    return Plan(growth, ELEMENTS, collections * TABLES + 2, (rows, empty_slots(collections, TABLES), longest))


@kernel
def growth(world, objects, collections, held, longest):
    """Write a batch of events. `collections`: COLLECTION rows; `held`: (n, TABLES) i8, the arrays of each."""
    while world.n < BATCH:
        p = go_on(world)
        c = below(world, len(collections))
        row = collections[c]
        if row.arrays == 0:
            begin(world, objects, p, row, held[c], longest)
        elif row.kind < FIRST_MAP:
            grow_slice(world, objects, p, row, held[c])
        else:
            grow_map(world, objects, p, row, held[c])


@inner
def begin(world, objects, p, row, held, longest):
    """A new slice or map with its first elements."""
    row.kind = below(world, world.nshapes)
    row.target = longest >> (draw(world) & 15)
    row.split = 0
    row.arrays = 1
    row.capacity = 1
    held[0] = new_array(world, objects, p, row, 1)


@inner
def new_array(world, objects, p, row, elements):
    """An array of so many elements; return its handle."""
    shape = world.shapes[row.kind]
    return alloc(world, objects, p, elements * shape.least, shape.flag, shape.type_id)


@inner
def drop(world, objects, row, held):
    """The collection is not needed any more."""
    for i in range(row.arrays):
        free(world, objects, held[i])
    row.arrays = 0


@inner
def grow_slice(world, objects, p, row, held):
    """append found no room: a larger array is made, and the old one is garbage. (Go: slice.go, growslice)"""
    if row.capacity >= row.target:
        drop(world, objects, row, held)
        return
    wanted = 2 * row.capacity
    if row.capacity >= DOUBLED_BELOW:
        wanted = row.capacity + ((row.capacity + 3 * DOUBLED_BELOW) >> 2)
    shape = world.shapes[row.kind]
    row.capacity = whole_slot(world, wanted * shape.least, shape.flag) // shape.least
    old = held[0]
    held[0] = new_array(world, objects, p, row, row.capacity)
    free(world, objects, old)


@inner
def whole_slot(world, size, flags):
    """The most bytes that fit in the slot of a request. (Go: msize.go, roundupsize)"""
    slot = slot_bytes(world, max(size, 16), flags)
    header = HEADER_BYTES if flags != NOSCAN and size > HEADER_ABOVE and size <= LARGEST_SMALL else 0
    return slot - header if size > 8 else 8


@inner
def grow_map(world, objects, p, row, held):
    """A map found no room: its table doubles, or splits when it is large. (Go: internal/runtime/maps, table.rehash)"""
    if row.arrays == TABLES or row.arrays * row.capacity * GROUP_SLOTS >= row.target:
        drop(world, objects, row, held)
        return
    if row.capacity < TABLE_GROUPS:
        row.capacity *= 2
        old = held[0]
        held[0] = new_array(world, objects, p, row, row.capacity)
        free(world, objects, old)
        return
    at = row.split % row.arrays
    old = held[at]
    held[at] = new_array(world, objects, p, row, row.capacity)
    held[row.arrays] = new_array(world, objects, p, row, row.capacity)
    row.arrays += 1
    row.split += 2
    free(world, objects, old)
