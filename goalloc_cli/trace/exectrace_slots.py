"""Which slot every alloc and free is about, and whether the recording contradicts itself.

One walk over the events in their order keeps the spans and, for every slot, the event that filled it. Everything after
this file speaks of events and spans, no longer of addresses.

Go: runtime/traceallocfree.go (ids), runtime/malloc.go (headers, tiny blocks), runtime/mheap.go, initSpan (slots).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.jit import kernel
from goalloc_cli.trace.event import TraceError
from goalloc_cli.trace.exectrace_decode import Ev, Events

PAGE = 8192
SIZE_OF = np.array(
    [
        0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448,
        480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096,
        4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072,
        20480, 21760, 24576, 27264, 28672, 32768,
    ],
    np.int64,
)  # fmt: skip
"""Slot size of every size class (Go 1.23 to 1.27: internal/runtime/gc/sizeclasses.go)."""
PAGES_OF = np.array(
    [
        0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1,
        2, 1, 3, 2, 3, 1, 3, 2, 3, 4, 5, 6, 1, 7, 6, 5, 4, 3, 5, 7, 2, 9, 7, 5, 8, 3, 10, 7, 4,
    ],
    np.int64,
)  # fmt: skip
"""Pages of a span of every size class."""
TINY_SPC = 5
"""Span class of tiny blocks: 16 bytes, no pointers (malloc.go, tinySpanClass)."""
HEADER_ABOVE = 512
"""Pointerful objects in larger slots start 8 bytes into them (mbitmap.go, heapBitsInSpan)."""
MANUAL = -1
"""Span class of a span that holds no objects."""
MOST_PAGES = 1 << 28
"""Recordings that span more pages (2 TiB) are taken for damaged."""
MOST_SPAN_PAGES = 1 << 31
"""The same for the pages of all spans that were ever made (16 TiB): each is visited, so this bounds the time."""

SPAN, SPAN_ALLOC, SPAN_FREE = int(Ev.SPAN), int(Ev.SPAN_ALLOC), int(Ev.SPAN_FREE)
HEAP_OBJECT, OBJECT_ALLOC, OBJECT_FREE = int(Ev.HEAP_OBJECT), int(Ev.OBJECT_ALLOC), int(Ev.OBJECT_FREE)
STACK, STACK_ALLOC, STACK_FREE = int(Ev.STACK), int(Ev.STACK_ALLOC), int(Ev.STACK_FREE)
GC_END = int(Ev.GC_END)

# Faults: index into the table of counts and first events.
UNKNOWN_SPAN_ALLOC, UNKNOWN_SLOT_FREE, LIVE_SLOT, SPAN_OVERLAP, UNKNOWN_SPAN_FREE, LIVE_IN_FREED, MISPLACED, BAD_SPAN = (
    range(8)
)
FAULTS = 8

SPAN_COLUMNS = (
    "base",
    "npages",
    "spc",
    "size",
    "nelems",
    "pool",
    "live",
    "used",
    "stacks",
    "event",
    "under",
    "over",
    "dead",
)
SPANS = np.dtype([(name, np.int64) for name in SPAN_COLUMNS])
"""base: first page. spc: span class or MANUAL. pool: first of its entries in the slot pool. live: slots in use. used:
slots ever filled. stacks: stacks ever put in it. event: the event that made it. under, over: rows of spans that it was
laid over or that were laid over it while not yet freed; -1: none. dead: 1 once freed."""


@dataclass
class Slots:
    """What the walk found, per event (index as in `Events`) and per span."""

    spans: NDArray[np.void]
    """One row per span that ever was, dtype SPANS; the spans of the snapshot come first."""
    row: NDArray[np.int32]
    """Span of an alloc, free or stack event; -1: none."""
    slot: NDArray[np.int16]
    """Slot number of an alloc or free."""
    owner: NDArray[np.int64]
    """Alloc: itself, or the event that opened its tiny block. Free: the alloc that it undoes. -1: none, skipped."""
    faults: NDArray[np.int64]
    """Number of each fault."""
    first: NDArray[np.int64]
    """First event with each fault."""
    pairs: NDArray[np.int64]
    """(free, event that needed it done) found in the wrong order, shape (n, 2)."""
    unplaced_pairs: int = 0
    notes: list[str] = field(default_factory=list)


@kernel
def slots_in(npages, spc, inline_marks, size_of):
    """Number of slots of a span (mheap.go, initSpan; mbitmap.go; Go 1.26+ keeps mark bits in small-object spans)."""
    size = size_of[spc >> 1]
    if size == 0:
        return 1
    room = npages * PAGE
    if inline_marks and 16 <= size <= 512:
        room -= 128
    if size <= HEADER_ABOVE and not spc & 1:
        room -= npages * PAGE // 64
    return room // size


@kernel
def is_span(spc, kind_class, npages, pages_of):
    """Whether there is such a span."""
    if kind_class == 1:
        return True
    if kind_class & 1 or not 0 <= spc < 136:
        return False
    return spc <= 1 or npages == pages_of[spc >> 1]


@kernel
def fault(faults, first, code, event):
    """Count a fault."""
    if faults[code] == 0:
        first[code] = event
    faults[code] += 1


@kernel
def walk(kind, a, b, c, order, inline_marks, lossy, size_of, pages_of, spans, page_span, base_span, pool, spare, next_spare,
         row, slot, owner, before, faults, first, pairs):  # fmt: skip
    """Follow every span and slot through the events; return the number of pairs found in the wrong order.

    Args:
        lossy: frees of spans may be missing.
        page_span: row + 1 of the span on each page; base_span: of the span that begins there.
        pool: event + 1 that filled each slot; negative: filled again before its free was seen.
        spare, next_spare: heads and links of pool entries given back, per span class.
        before: the event that filled the slot before an alloc into a slot in use.
        pairs: room for pairs, shape (n, 2); those that do not fit are counted but not kept.
    """
    rows = 0
    used = 0
    found = 0
    pages = len(page_span)
    for q in range(len(order)):
        i = order[q]
        k = kind[i]
        if k < SPAN:
            continue
        if k in (OBJECT_ALLOC, OBJECT_FREE, HEAP_OBJECT):
            page = a[i] >> 10
            r = page_span[page] - 1 if 0 <= page < pages else -1
            if r < 0 or spans[r].spc < 0:
                fault(faults, first, UNKNOWN_SLOT_FREE if k == OBJECT_FREE else UNKNOWN_SPAN_ALLOC, i)
                continue
            span = spans[r]
            offset = a[i] * 8 - span.base * PAGE
            index = offset // span.size
            rest = offset - index * span.size
            good = rest == 0 or (
                k == OBJECT_ALLOC
                and rest == 8
                and (span.spc == TINY_SPC or (not span.spc & 1 and span.size > HEADER_ABOVE and span.spc > 1))
            )
            if index >= span.nelems or not good:
                fault(faults, first, MISPLACED, i)
                continue
            row[i] = r
            slot[i] = index
            at = span.pool + index
            filled = pool[at]
            if k == OBJECT_FREE:
                if filled > 0:
                    owner[i] = filled - 1
                    pool[at] = 0
                    span.live -= 1
                elif filled < 0:
                    alloc = -filled - 1
                    owner[i] = before[alloc]
                    pool[at] = alloc + 1
                    if found < len(pairs):
                        pairs[found, 0] = i
                        pairs[found, 1] = alloc
                    found += 1
                else:
                    fault(faults, first, UNKNOWN_SLOT_FREE, i)
            elif filled == 0:
                owner[i] = i
                pool[at] = i + 1
                span.live += 1
                span.used += 1
            elif span.spc == TINY_SPC and k == OBJECT_ALLOC:
                owner[i] = abs(filled) - 1
            else:
                fault(faults, first, LIVE_SLOT, i)
                before[i] = abs(filled) - 1
                owner[i] = i
                pool[at] = -i - 1
        elif k in (SPAN, SPAN_ALLOC):
            base, npages = a[i], b[i]
            spc = c[i] >> 1 if c[i] != 1 else MANUAL
            if base + npages > pages or npages <= 0 or not is_span(spc, c[i], npages, pages_of):
                fault(faults, first, BAD_SPAN, i)
                continue
            r = rows
            rows += 1
            span = spans[r]
            span.base, span.npages, span.spc, span.event = base, npages, spc, i
            span.under, span.over = -1, -1
            row[i] = r
            if spc >= 0:
                span.size = size_of[spc >> 1] if spc > 1 else npages * PAGE
                span.nelems = slots_in(npages, spc, inline_marks, size_of)
                if spare[spc] and spc > 1:
                    # All spans of a class are alike, so that their entries can be used again.
                    span.pool = spare[spc] - 1
                    spare[spc] = next_spare[span.pool]
                    pool[span.pool : span.pool + span.nelems] = 0
                else:
                    span.pool = used
                    used += span.nelems
            old = base_span[base] - 1
            if old >= 0 and not spans[old].dead:
                span.under = old
            overlap = -1
            for page in range(base, base + npages):
                if page_span[page]:
                    overlap = page_span[page] - 1
                    if spans[overlap].over < 0:
                        spans[overlap].over = r
                page_span[page] = r + 1
            if overlap >= 0:
                fault(faults, first, SPAN_OVERLAP, i)
            base_span[base] = r + 1
        elif k == SPAN_FREE:
            r = base_span[a[i]] - 1 if 0 <= a[i] < pages else -1
            if r >= 0 and spans[r].under >= 0 and not (lossy and spans[r].used and not spans[r].live):
                # The free of the span below stands too late; or (Go 1.23) it was lost, and the upper one is empty now.
                inner = spans[r].under
                spans[r].under = -1
                r = inner
            if r < 0 or spans[r].dead:
                fault(faults, first, UNKNOWN_SPAN_FREE, i)
                continue
            span = spans[r]
            row[i] = r
            span.dead = 1
            if span.over >= 0:
                if found < len(pairs):
                    pairs[found, 0] = i
                    pairs[found, 1] = spans[span.over].event
                found += 1
            if span.live:
                fault(faults, first, LIVE_IN_FREED, i)
            for page in range(span.base, span.base + span.npages):
                if page_span[page] == r + 1:
                    page_span[page] = 0
            if base_span[span.base] == r + 1:
                base_span[span.base] = 0
            if span.spc > 1:
                next_spare[span.pool] = spare[span.spc]
                spare[span.spc] = span.pool + 1
        elif k in (STACK, STACK_ALLOC):
            page = a[i] >> 2
            r = page_span[page] - 1 if 0 <= page < pages else -1
            if r >= 0 and spans[r].spc == MANUAL:
                row[i] = r
                spans[r].stacks += 1
    return found


def most_slots(npages: NDArray[np.int64], kind_class: NDArray[np.int64]) -> int:
    """At least the number of slots of all these spans; only what is used of the tables made by it takes memory."""
    spc = kind_class >> 1
    held = (kind_class & 1 == 0) & (spc >= 0) & (spc < 2 * len(PAGES_OF))
    number = np.bincount(spc[held] >> 1, minlength=len(PAGES_OF))
    slots_of = np.append(1, PAGES_OF[1:] * PAGE // SIZE_OF[1:])
    return int((number * slots_of).sum()) + 1


def follow(events: Events, order: NDArray[np.int64], inline_marks: bool, lossy: bool) -> Slots:
    """Walk the events in `order`.

    Raises:
        TraceError: an address beyond anything a heap reaches.
    """
    kind = events.kind
    made = (kind == SPAN) | (kind == SPAN_ALLOC)
    rows = int(np.count_nonzero(made))
    most = max(int(events.a[made].max(initial=0)), int(events.b[made].max(initial=0)))
    pages = int((events.a[made] + events.b[made]).max(initial=0)) + 1
    if most > MOST_PAGES or pages > MOST_PAGES or events.a[made].min(initial=0) < 0 or events.b[made].min(initial=0) < 0:
        raise TraceError(f"a span at page {pages} of the heap: the recording is damaged; record it again")
    if float(events.b[made].sum(dtype=np.float64)) > MOST_SPAN_PAGES:
        raise TraceError("the spans have more than 16 TiB in all: the recording is damaged; record it again")
    count = len(events)
    room = most_slots(events.b[made], events.c[made])
    slots = Slots(
        spans=np.zeros(rows + 1, SPANS),
        row=np.full(count, -1, np.int32),
        slot=np.zeros(count, np.int16),
        owner=np.full(count, -1, np.int64),
        faults=np.zeros(FAULTS, np.int64),
        first=np.full(FAULTS, -1, np.int64),
        pairs=np.zeros((1 << 16, 2), np.int64),
    )
    found = int(
        walk(
            kind, events.a, events.b, events.c, order, inline_marks, lossy, SIZE_OF, PAGES_OF, slots.spans,
            np.zeros(pages, np.int32), np.zeros(pages, np.int32), np.zeros(room, np.int32), np.zeros(136, np.int64),
            np.zeros(room, np.int32), slots.row, slots.slot, slots.owner, np.full(count, -1, np.int64),
            slots.faults, slots.first, slots.pairs,
        )
    )  # fmt: skip
    slots.pairs = slots.pairs[: min(found, len(slots.pairs))]
    return slots
