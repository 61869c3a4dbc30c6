"""The door for witnesses: the addresses and span classes that a recording saw, before the model is set right by them.

Which of them are good depends on the heap: where it begins, how far it can reach, which classes it has. Behind this door
`analyses/verify/follow.py` and what it calls take pages, pieces of stacks and span classes from them unchecked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.model.tables.limits import full
from goalloc_cli.trace.event import KIND_MASK, Batch, Kind

MAY_HAVE_ADDR = np.isin(np.arange(KIND_MASK + 1), [Kind.ALLOC, Kind.STACK_ALLOC, Kind.MANUAL_ALLOC])
HAS_ADDR = np.isin(np.arange(KIND_MASK + 1), [Kind.SAW_SPAN_ALLOC, Kind.SAW_SPAN_FREE])
"""Kinds whose `addr` the model is set right by."""


def strays(batch: Batch, kinds: NDArray[np.uint8], heap: np.record) -> NDArray[np.bool_]:
    """Which witnesses name a page that no heap of the design has, or a span class that it has not.

    Objects without size lie outside of the heap, and nothing is taken by their address.
    """
    assert batch.addr is not None
    room_bytes = int(heap.most_pages) << int(heap.knobs.page_shift)
    outside = (batch.addr - int(heap.base_addr)).view(np.uint64) >= room_bytes
    names_page = HAS_ADDR[kinds] | (MAY_HAVE_ADDR[kinds] & (batch.addr != 0) & (batch.size != 0))
    no_class = (kinds == Kind.SAW_SPAN_ALLOC) & (batch.arg > 1) & (heap.spanclasses["nelems"][batch.arg & 0xFF] == 0)
    astray: NDArray[np.bool_] = (names_page & outside) | no_class
    return astray


def astray_in_words(batch: Batch, at: int, heap: np.record) -> str:
    """What `strays` has found in an event, and, where the model is what ends, how it is raised."""
    assert batch.addr is not None
    kind, addr, base = Kind(int(batch.kind[at]) & KIND_MASK), int(batch.addr[at]), int(heap.base_addr)
    told = f"({kind.name.lower()}, handle {batch.id[at]})"
    if addr < base:
        return f"{told}: it was seen at {addr:#x}, below the heap, which begins at {base:#x}"
    if addr >= base + (int(heap.most_pages) << int(heap.knobs.page_shift)):
        return f"{told}: it was seen at {addr:#x}, beyond the heap from {base:#x} on; {full('pages')}"
    return f"{told}: a span of class {batch.arg[at]}, which this release does not have"
