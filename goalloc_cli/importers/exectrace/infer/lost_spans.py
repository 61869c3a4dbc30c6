"""Spans that must have been made, though the event was lost: objects lie where no span is known, or in no slot of it.

What lies on a page tells its slots: all objects there are in slots of one size. Of the classes with spans of a page the
largest is taken that has a slot for each, and room for a value of each type; of a few objects that is seldom wrong. What
is freed there was in such a span when its collection began. Objects in longer spans are left out.

Go: runtime/mheap.go, initSpan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.design.gosizes import HEADER_ABOVE, HEADER_BYTES, PAGES_OF, SIZE_OF, TINY_SPC
from goalloc_cli.importers.exectrace.infer.missing import Missing
from goalloc_cli.importers.exectrace.slots.slots import Heap, slots_in
from goalloc_cli.importers.exectrace.wire.asked import TYPE_MASK
from goalloc_cli.importers.exectrace.wire.decode import CLASS_BITS, Ev
from goalloc_cli.importers.exectrace.wire.survey import MOST_INFERRED
from goalloc_cli.trace.event import TypeInfo

FEWEST = 3
"""Slots in use that must be known of a page: one fits many sizes."""
LONGEST = 10
"""Pages of the longest span of a size class."""
OF_A_PAGE = [c for c in range(len(SIZE_OF) - 1, 0, -1) if PAGES_OF[c] == 1]
"""Size classes with spans of one page, the largest first."""

Array = NDArray[np.int64]


@dataclass
class Page:
    """What lies on a page between two events of spans."""

    place: int
    """Before which the span was made: the first allocation, or the begin of the collection that frees."""
    slots: set[int] = field(default_factory=set)
    """Where objects begin, in bytes from the page's begin."""
    largest: int = 0
    """Bytes of the largest type."""
    has_pointers: bool = False
    types: int = 0
    """Objects whose type is known."""


def missing_spans(
    columns: dict[str, NDArray[Any]], order: NDArray[np.int32], row: NDArray[np.int32], heap: Heap, types: list[TypeInfo],
    inline_marks: bool,
) -> Missing:  # fmt: skip
    """The births of spans of one page that a generation's objects call for, at most MOST_INFERRED.

    Args:
        columns: "kind", "a" and "b" of its events. order: theirs.
        row: of each: the span that the walk found it in, -1 for none.
        heap: after the walk.
        types: all types.
        inline_marks: spans of small objects hold their mark bits.
    """
    kind, a, b = (columns[name][order] for name in ("kind", "a", "b"))
    astray = ((kind == Ev.OBJECT_ALLOC) | (kind == Ev.HEAP_OBJECT) | (kind == Ev.OBJECT_FREE)) & (row[order] < 0)
    of_spans = (kind == Ev.SPAN) | (kind == Ev.SPAN_ALLOC) | (kind == Ev.SPAN_FREE)
    found: list[tuple[int, int, int]] = []
    pages: dict[int, Page] = {}
    changed: dict[int, int] = {}
    begin = -1
    most = len(heap.page_span)

    def close(number: int) -> None:
        page = pages.pop(number, None)
        if page is None or len(page.slots) < FEWEST or len(found) >= MOST_INFERRED:
            return
        spc = spanclass_of(page, inline_marks)
        if spc:
            found.append((page.place, number, 1 << CLASS_BITS | spc << 1))

    for q in np.flatnonzero(astray | of_spans | (kind == Ev.GC_BEGIN)).tolist():
        at, told = int(a[q]), int(b[q])
        if kind[q] == Ev.GC_BEGIN:
            begin = q
            continue
        if of_spans[q]:
            npages = told >> CLASS_BITS if kind[q] != Ev.SPAN_FREE else 1
            for number in range(at, at + min(npages, LONGEST)):
                close(number)
                changed[number] = q
            continue
        if not 0 <= at >> 10 < most:
            continue
        freed = kind[q] == Ev.OBJECT_FREE
        page = pages.setdefault(at >> 10, Page(begin if freed and begin > changed.get(at >> 10, -1) else q))
        page.slots.add((at & 1023) * 8)
        if freed:
            continue
        info = types[min(told & TYPE_MASK, len(types) - 1)]
        if info.size:
            page.types += 1
            page.largest = max(page.largest, info.size)
            page.has_pointers |= info.pointer_bytes > 0
    for number in list(pages):
        close(number)
    found.sort()
    place, base, kind_class = np.array(found, np.int64).reshape(-1, 3).T
    return Missing(place, np.full(len(place), Ev.SPAN_ALLOC, np.uint8), base, kind_class)


def spanclass_of(page: Page, inline_marks: bool) -> int:
    """The span class whose slots all objects of a page lie in; 0 where there is none."""
    noscan = page.types > 0 and not page.has_pointers
    for size_class in OF_A_PAGE:
        size, spc = int(SIZE_OF[size_class]), size_class << 1 | noscan
        header = HEADER_BYTES if size > HEADER_ABOVE and not noscan else 0
        if page.largest + header > size:
            return 0
        slots = slots_in(1, spc, inline_marks, SIZE_OF)
        inside = 8 if spc == TINY_SPC else 0
        if all((at - header) % size <= inside and (at - header) // size < slots for at in page.slots):
            return spc
    return 0
