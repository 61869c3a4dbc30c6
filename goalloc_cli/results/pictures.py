"""What a replay takes along for pictures: samples over time, and maps of the heap's pages, both within caps.

However long a trace is, there are no more of either; so a page made from them has a size that is known before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.results.description import Lifetimes

MOST_SAMPLES = 600
MOST_FRAMES = 48
MOST_CELLS = 16_384
MOST_TYPES = 250
"""Types that a map tells apart: those that are on most cells."""
MOST = 255
"""Most that a byte of a map holds; what is more is told as this."""

CLOSED, FREE, RELEASED, CACHED, SMALL, LARGE, STACK, WORKBUF = range(8)
"""What a page is: not in the heap, free and backed, released, in a P's page cache, in a span of small objects, of a large
one, of goroutine stacks, of GC work buffers."""
KINDS = ("closed", "free", "released", "cached", "small", "large", "stack", "workbuf")

PLANES = ("kind", "occupancy", "dead", "spanclass", "age", "type", "live")
"""Bytes of a cell: one of KINDS, that of most of its pages; per cent of its slots that hold a live object (1 at least where
any does), and per cent that hold a dead one; span class; age in GC cycles; the place of a type in `types`, 0 unknown; live
objects. Where a cell holds several spans, class, age and type are those of the first with anything live."""
WHO = "who"
"""One more where the trace tells who allocates: the place in `who`, 0 unknown."""


@dataclass(frozen=True)
class Frame:
    """The heap at one moment."""

    event: int
    time_ns: int
    total_alloc: int
    why: str
    """"start", "every", "gc" (a cycle has just ended) or "end"."""
    first_cell: int
    """From the heap's base, in cells."""
    shift: int
    """A cell is 1 << shift pages."""
    planes: NDArray[np.uint8]
    """PLANES, but for the type; shape (6, cells)."""
    types: NDArray[np.int32]
    """Type ids, shape (cells,): 0 unknown, -1 where nothing lives."""
    owners: NDArray[np.int32]
    """Who allocated the object that the type is of: owners (`results/who.py`), 0 unknown; shape (cells,), or (0,) where the
    trace does not tell."""
    pages: tuple[int, ...]
    """Pages by KINDS, exact; then those of spans of small objects that are less than half live."""


@dataclass(frozen=True)
class PageMap:
    """Frames on one grid, in the order of their events."""

    base_addr: int
    """Of page 0, from which cells are counted."""
    page_bytes: int
    shift: int
    first_cell: int
    cells: int
    frames: list[Frame]
    type_names: list[str]
    """By type id."""
    owner_names: list[str] = field(default_factory=list)
    """By owner + 1, for the first lived before the recording; "": not known. Empty where the trace tells none."""


@dataclass(frozen=True)
class Pictures:
    """Both."""

    series: NDArray[np.void]
    """SAMPLE rows in the order of their events, at most MOST_SAMPLES; the last is the end, the peak is among them."""
    cycles_kept: int = 1
    """Of so many GC cycles the start, end and sweep end of one is among the samples."""
    pages: PageMap | None = None
    lifetimes: Lifetimes | None = None
    """None where the replay went on from a saved state: of the objects in it nobody knows when they were born."""


def shift_for(first_page: int, end_page: int) -> int:
    """How large the cells of a map of these pages are: 2**shift pages."""
    shift = 0
    while -(-end_page >> shift) - (first_page >> shift) > MOST_CELLS:
        shift += 1
    return shift
