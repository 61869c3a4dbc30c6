"""The types of a recording: one list for all generations, whose own ids become indices of it."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.wire.asked import TYPE_BITS, TYPE_MASK
from goalloc_cli.importers.exectrace.wire.decode import Ev, Events
from goalloc_cli.importers.exectrace.wire.wire import Wire
from goalloc_cli.trace.event import TypeInfo

HEAP_OBJECT, OBJECT_ALLOC = int(Ev.HEAP_OBJECT), int(Ev.OBJECT_ALLOC)
MOST_TYPE_IDS = 64
"""Type ids count up from 1 (runtime/tracemap.go, put): ids beyond this many times their number are damage."""


@kernel
def map_types(kind, b, index):
    """Replace the type ids of allocs by indices, 0 for those that are not in the table; return how many are not."""
    missing = 0
    for i in range(len(kind)):
        if kind[i] == HEAP_OBJECT or kind[i] == OBJECT_ALLOC:
            u = b[i] & TYPE_MASK if kind[i] == OBJECT_ALLOC and b[i] >> TYPE_BITS else b[i]
            if u < 0 or u >= len(index) or index[u] < 0:
                b[i] -= u
                missing += 1
            else:
                b[i] += index[u] - u
    return missing


@dataclass
class Types:
    """All types of a recording, each once, the first for "not known"."""

    infos: list[TypeInfo]
    index: list[NDArray[np.int64] | None]
    """Per generation: the index of each id, -1 where there is none; None where there are no tables."""

    @property
    def bytes(self) -> NDArray[np.int64]:
        """The size of each."""
        return np.array([info.size for info in self.infos], np.int64)

    def translate(self, events: Events) -> int:
        """Make the type ids of a generation's events indices of `infos`; return how many its tables do not hold.

        The type of those is not known.
        """
        index = self.index[events.generation]
        if index is None:
            events.b[(events.kind == Ev.HEAP_OBJECT) | (events.kind == Ev.OBJECT_ALLOC)] = 0
            return 0
        return int(map_types(events.kind, events.b, index))


def read_types(wire: Wire) -> Types:
    """The types of all generations; none of one whose tables are missing.

    Raises:
        TraceError: ids are no numbers of types.
    """
    types = Types([TypeInfo("", 0, 0)], [])
    index_of: dict[TypeInfo, int] = {}
    for generation in wire.generations:
        ids, infos = wire.tables.types(generation)
        if not infos and (wire.min_addr is None or (wire.open and generation == wire.generations[-1])):
            # A flight recorder keeps no tables of types, and Go writes them last.
            types.index.append(None)
            continue
        if int(ids.min(initial=0)) < 0 or int(ids.max(initial=0)) > MOST_TYPE_IDS * (len(ids) + 1):
            raise TraceError(f"generation {generation} has types with ids up to {ids.max()}: the file is damaged")
        index = np.full(int(ids.max(initial=0)) + 1, -1, np.int64)
        index[0] = 0
        for key, info in zip(ids.tolist(), infos, strict=True):
            if info not in index_of:
                index_of[info] = len(types.infos)
                types.infos.append(info)
            index[key] = index_of[info]
        types.index.append(index)
    return types
