"""The part of a recording that is in memory: events in their order, and before them what still lives of the earlier ones.

A generation is appended once it is in order, and what has been written as events of the trace is dropped. An event is
known by its place in the window; an object by that of its alloc.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.exectrace.slots.slots import LIVE_SLOT, Heap

COLUMNS = {
    "kind": np.uint8, "a": np.int64, "b": np.int64, "m": np.int32, "p": np.int16, "next_p": np.int16, "key": np.float64,
    "code": np.uint8, "row": np.int32, "slot": np.int16, "owner": np.int32, "handle": np.int32,
}  # fmt: skip


@kernel
def gather(column, order, at, into):
    """Write a column in the order of its events, from place `at` on."""
    for q in range(len(order)):
        into[at + q] = column[order[q]]


@kernel
def gather_owners(owner, order, at, place, into):
    """The same for the objects of events: numbers from `at` on are those of events, whose places are found as well."""
    for q in range(len(order)):
        i, to = order[q], at + q
        place[i] = to
        into[to] = owner[i] if owner[i] < at else place[owner[i] - at]


@kernel
def replace(objects, least, place):
    """Replace each object + 1 in a table (below 0: likewise) from number `least` on by its place + 1."""
    for at in range(len(objects)):
        v = objects[at]
        if v > least:
            objects[at] = place[v - 1 - least] + 1
        elif v < -least:
            objects[at] = -place[-v - 1 - least] - 1


def roomy(column: NDArray[Any], used: int, length: int) -> NDArray[Any]:
    """A column with room for so many events; its first `used` are kept. The rest takes no memory until it is used."""
    if length <= len(column):
        return column
    longer = np.empty(2 * length, column.dtype)
    longer[:used] = column[:used]
    return longer


class Window:
    """Columns of the events in memory, in their order; see `Events` and `walk` for most of them."""

    kind: NDArray[np.uint8]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    """Of an alloc: the index of its type."""
    m: NDArray[np.int32]
    p: NDArray[np.int16]
    next_p: NDArray[np.int16]
    key: NDArray[np.float64]
    """Time, in ticks."""
    code: NDArray[np.uint8]
    row: NDArray[np.int32]
    slot: NDArray[np.int16]
    owner: NDArray[np.int32]
    """Place of the object of an alloc or free, -1."""
    handle: NDArray[np.int32]
    """Of the object of an alloc; -1: it has none yet, or none any more."""
    dropped: NDArray[np.int32]
    """Where each event was moved to when the last ones were dropped, -1."""

    def __init__(self, heap: Heap, ms: int) -> None:
        """Without an event."""
        self.heap = heap
        self.ms = ms
        self.carried = 0
        """Events at the front that stand for objects which live on."""
        self._length = 0
        self._columns: dict[str, NDArray[Any]] = {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}
        self._show(0)

    def __len__(self) -> int:
        return self._length

    @property
    def spans(self) -> NDArray[np.void]:
        """One row for each span that was made so far, and one more."""
        return self.heap.spans[: int(self.heap.used[0]) + 1]

    def _show(self, length: int) -> None:
        self._length = length
        for name, column in self._columns.items():
            setattr(self, name, column[:length])

    def append(self, columns: dict[str, NDArray[Any]], order: NDArray[np.int32]) -> None:
        """Append a generation, whose columns are taken out of `columns`.

        Its objects are numbered from the length of the window on, here and in the heap's tables.
        """
        at, length = self._length, self._length + len(order)
        place = np.empty(len(order), np.int32)
        gather_owners(columns.pop("owner"), order, at, place, self._room("owner", length))
        self._renumber(at, place)
        while columns:
            name, column = columns.popitem()
            gather(column, order, at, self._room(name, length))
            del column
        self._room("handle", length)[at:length] = -1
        self._show(length)

    def _room(self, name: str, length: int) -> NDArray[Any]:
        """A column, with room for so many events."""
        self._columns[name] = column = roomy(self._columns[name], self._length, length)
        return column

    def drop(self, until: int) -> int:
        """Forget the events before place `until` but for the objects that live on; return by how much all others move."""
        kept = np.flatnonzero(self.handle[:until] >= 0)
        rest = self._length - until
        place = np.full(self._length, -1, np.int32)
        place[kept] = np.arange(len(kept))
        place[until:] = np.arange(len(kept), len(kept) + rest)
        self.owner[until:] = np.where(self.owner[until:] >= 0, place[self.owner[until:]], -1)
        for name, column in self._columns.items():
            # A new one: that gives the memory of the old one back.
            self._columns[name] = np.concatenate([column[kept], column[until : self._length]])
            del column
            delattr(self, name)
        self._renumber(0, place)
        self.carried = len(kept)
        self._show(len(kept) + rest)
        self.dropped = place
        return until - len(kept)

    def _renumber(self, least: int, place: NDArray[np.int32]) -> None:
        used = int(self.heap.used[1])
        replace(self.heap.pool[:used], least, place)
        if self.heap.faults[LIVE_SLOT]:
            replace(self.heap.hidden[:used], least, place)
