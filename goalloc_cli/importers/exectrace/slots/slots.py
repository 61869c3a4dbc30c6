"""Which slot every alloc and free is about, and whether the recording contradicts itself.

One walk over the events in their order keeps the spans and, for every slot, the event that filled it. Everything after
this file speaks of events and spans, no longer of addresses.

Go: runtime/traceallocfree.go (ids), runtime/malloc.go (headers, tiny blocks), runtime/mheap.go, initSpan (slots).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.design.gosizes import HEADER_ABOVE, PAGE, PAGES_OF, SIZE_OF, SPAN_CLASSES, TINY_SPC
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.wire.decode import CLASS_BITS, Ev
from goalloc_cli.importers.exectrace.wire.survey import MOST_INFERRED, MOST_PAGES, Survey

MANUAL = -1
"""Span class of a span that holds no objects."""
CHUNK_PAGES = 512
"""Tables by page are copied in pieces of this many pages."""
BY_PAGE = ("page_span", "base_span")
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
FAR = 8
FAULTS = 9

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


class Heap(NamedTuple):
    """The spans and slots between two events of the order."""

    spans: NDArray[np.void]
    """One row per span that ever was, dtype SPANS; the spans of the snapshot come first."""
    used: NDArray[np.int64]
    """Rows of `spans`, and entries of `pool`, that are in use; shape (2,)."""
    page_span: NDArray[np.int32]
    """Row + 1 of the span on each page."""
    base_span: NDArray[np.int32]
    """Row + 1 of the span that begins there."""
    pool: NDArray[np.int32]
    """Object + 1 that filled each slot; negative: filled again before its free was seen."""
    hidden: NDArray[np.int32]
    """Object + 1 that filled such a slot before."""
    spare: NDArray[np.int64]
    """First pool entry + 1 that was given back, per span class."""
    next_spare: NDArray[np.int32]
    """The next such entry + 1."""
    faults: NDArray[np.int64]
    """Number of each fault."""
    first: NDArray[np.int64]
    """Time of the first event with each fault, in ticks; -1: none."""


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


@inner
def is_span(spc, kind_class, npages, pages_of):
    """Whether there is such a span."""
    if kind_class == 1:
        return True
    if kind_class & 1 or not 0 <= spc < SPAN_CLASSES:
        return False
    return spc <= 1 or npages == pages_of[spc >> 1]


@inner
def fault(heap, code, time):
    """Count a fault."""
    if heap.faults[code] == 0:
        heap.first[code] = time
    heap.faults[code] += 1


@inner
def pair_up(i, low, high, early, pairs, found):
    """Pair event `i` with those that came before it and need it: whose place lies from `low` to below `high`.

    Args:
        early: (event, place); changed. pairs, found: as for `walk`.

    Returns:
        The number of pairs.
    """
    for e in range(len(early)):
        if early[e, 0] >= 0 and low <= early[e, 1] < high:
            if found < len(pairs):
                pairs[found, 0], pairs[found, 1] = i, early[e, 0]
            found += 1
            early[e, 0] = -1
    return found


@kernel
def walk(kind, time, a, b, order, objects, inline_marks, lossy, size_of, pages_of, heap, row, slot, owner, waiting, pairs):
    """Follow every span and slot through a generation's events; return the number of pairs found in the wrong order.

    Args:
        objects: number of the generation's first event as an object; it counts those that came before.
        lossy: frees of spans may be missing.
        heap: changed.
        row: out, per event: span of an alloc, free or stack event; -1: none.
        slot: out: slot number of an alloc or free.
        owner: out. Alloc: itself, or the event that opened its tiny block. Free: the alloc that it undoes. As numbers of
            objects. -1: none, skipped.
        waiting: room for what comes before what it needs: (event, page) of those in no span, (event, entry in the pool) of
            frees of empty slots; -1: none. Shape (2, n, 2).
        pairs: out: (event, event that needed it done), shape (n, 2): the free of a slot or span and what took it again, an
            alloc and its free, a span and what came in it. Those that do not fit are counted but not kept.
    """
    # In one piece: every event of a recording comes through here, and to hand these arrays on would cost 15 ns each time.
    spans, page_span, base_span, pool = heap.spans, heap.page_span, heap.base_span, heap.pool
    found, early, unborn = 0, 0, 0
    outside, unfilled = waiting[0], waiting[1]
    pages = len(page_span)
    for q in range(len(order)):
        i = order[q]
        k = kind[i]
        row[i] = owner[i] = -1
        slot[i] = 0
        if k < SPAN:
            continue
        if k in (OBJECT_ALLOC, OBJECT_FREE, HEAP_OBJECT):
            page = a[i] >> 10
            if not 0 <= page < MOST_PAGES:
                fault(heap, FAR, time[i])
                continue
            r = page_span[page] - 1 if page < pages else -1
            if r < 0 or spans[r].spc < 0:
                fault(heap, UNKNOWN_SLOT_FREE if k == OBJECT_FREE else UNKNOWN_SPAN_ALLOC, time[i])
                outside[early % len(outside), 0], outside[early % len(outside), 1] = i, page
                early += 1
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
                fault(heap, MISPLACED, time[i])
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
                    owner[i] = heap.hidden[at] - 1
                    pool[at] = -filled
                    if -filled - 1 >= objects:
                        if found < len(pairs):
                            pairs[found, 0] = i
                            pairs[found, 1] = -filled - 1 - objects
                        found += 1
                else:
                    fault(heap, UNKNOWN_SLOT_FREE, time[i])
                    unfilled[unborn % len(unfilled), 0], unfilled[unborn % len(unfilled), 1] = i, at
                    unborn += 1
            elif filled == 0:
                owner[i] = objects + i
                pool[at] = objects + i + 1
                span.live += 1
                span.used += 1
                if unborn:
                    found = pair_up(i, at, at + 1, unfilled, pairs, found)
            elif span.spc == TINY_SPC and k == OBJECT_ALLOC:
                owner[i] = abs(filled) - 1
            else:
                fault(heap, LIVE_SLOT, time[i])
                heap.hidden[at] = abs(filled)
                owner[i] = objects + i
                pool[at] = -(objects + i) - 1
        elif k in (SPAN, SPAN_ALLOC):
            base, npages, kind_class = a[i], b[i] >> CLASS_BITS, b[i] & ((1 << CLASS_BITS) - 1)
            spc = kind_class >> 1 if kind_class != 1 else MANUAL
            if base + npages > pages or npages <= 0 or not is_span(spc, kind_class, npages, pages_of):
                fault(heap, BAD_SPAN, time[i])
                continue
            r = heap.used[0]
            heap.used[0] += 1
            span = spans[r]
            span.base, span.npages, span.spc, span.event = base, npages, spc, objects + i
            span.under, span.over = -1, -1
            row[i] = r
            if spc >= 0:
                span.size = size_of[spc >> 1] if spc > 1 else npages * PAGE
                span.nelems = slots_in(npages, spc, inline_marks, size_of)
                if heap.spare[spc] and spc > 1:
                    # All spans of a class are alike, so that their entries can be used again.
                    span.pool = heap.spare[spc] - 1
                    heap.spare[spc] = heap.next_spare[span.pool]
                    for at in range(span.pool, span.pool + span.nelems):
                        pool[at] = 0
                else:
                    span.pool = heap.used[1]
                    heap.used[1] += span.nelems
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
            if early:
                found = pair_up(i, base, base + npages, outside, pairs, found)
            if overlap >= 0:
                fault(heap, SPAN_OVERLAP, time[i])
            base_span[base] = r + 1
        elif k == SPAN_FREE:
            if not 0 <= a[i] < MOST_PAGES:
                fault(heap, FAR, time[i])
                continue
            r = base_span[a[i]] - 1 if a[i] < pages else -1
            if r >= 0 and spans[r].under >= 0 and not (lossy and spans[r].used and not spans[r].live):
                # The free of the span below stands too late; or (Go 1.23) it was lost, and the upper one is empty now.
                inner = spans[r].under
                spans[r].under = -1
                r = inner
            if r < 0 or spans[r].dead:
                fault(heap, UNKNOWN_SPAN_FREE, time[i])
                outside[early % len(outside), 0], outside[early % len(outside), 1] = i, a[i]
                early += 1
                continue
            span = spans[r]
            row[i] = r
            span.dead = 1
            if span.over >= 0 and spans[span.over].event >= objects:
                if found < len(pairs):
                    pairs[found, 0] = i
                    pairs[found, 1] = spans[span.over].event - objects
                found += 1
            if span.live:
                fault(heap, LIVE_IN_FREED, time[i])
            for page in range(span.base, span.base + span.npages):
                if page_span[page] == r + 1:
                    page_span[page] = 0
            if base_span[span.base] == r + 1:
                base_span[span.base] = 0
            if span.spc > 1:
                heap.next_spare[span.pool] = heap.spare[span.spc]
                heap.spare[span.spc] = span.pool + 1
        elif k in (STACK, STACK_ALLOC):
            page = a[i] >> 2
            r = page_span[page] - 1 if 0 <= page < pages else -1
            if r >= 0 and spans[r].spc == MANUAL:
                row[i] = r
                spans[r].stacks += 1
    return found


def new_heap(survey: Survey) -> Heap:
    """The heap before the first event.

    Only what is used of its tables takes memory.

    Raises:
        TraceError: more memory than any recording is about.
    """
    if survey.span_pages > MOST_SPAN_PAGES:
        raise TraceError("the spans have more than 16 TiB in all: the recording is damaged; record it again")
    slots_of = np.append(1, PAGES_OF[1:] * PAGE // SIZE_OF[1:])
    room = int((survey.made * slots_of).sum()) + 1 + MOST_INFERRED * PAGE // 8
    pages = -(-survey.pages // CHUNK_PAGES) * CHUNK_PAGES
    return Heap(
        spans=np.zeros(survey.span_rows, SPANS),
        used=np.zeros(2, np.int64),
        page_span=np.zeros(pages, np.int32),
        base_span=np.zeros(pages, np.int32),
        pool=np.zeros(room, np.int32),
        hidden=np.zeros(room, np.int32),
        spare=np.zeros(SPAN_CLASSES, np.int64),
        next_spare=np.zeros(room, np.int32),
        faults=np.zeros(FAULTS, np.int64),
        first=np.full(FAULTS, -1, np.int64),
    )


class Copy(NamedTuple):
    """What is in use of a heap's tables."""

    heap: Heap
    """The tables by page hold only the chunks in use, shape (n, CHUNK_PAGES)."""
    chunks: dict[str, NDArray[np.int64]]
    """The numbers of these, by the name of the table."""


def copied(heap: Heap) -> Copy:
    """A copy of what is in use of the tables."""
    rows, used = heap.used.tolist()
    most = {"spans": rows, "pool": used, "hidden": used, "next_spare": used}
    chunks = {name: _chunks_in_use(getattr(heap, name)) for name in BY_PAGE}
    tables = {name: getattr(heap, name)[: most.get(name)].copy() for name in Heap._fields if name not in BY_PAGE}
    tables |= {name: getattr(heap, name).reshape(-1, CHUNK_PAGES)[chunks[name]] for name in BY_PAGE}
    return Copy(Heap(**tables), chunks)


def restore(heap: Heap, copy: Copy) -> None:
    """Bring the heap back to what it was when the copy was made."""
    rows, used = heap.used.tolist()
    for name in Heap._fields:
        table, was = getattr(heap, name), getattr(copy.heap, name)
        if name in BY_PAGE:
            by_chunk = table.reshape(-1, CHUNK_PAGES)
            by_chunk[_chunks_in_use(table)] = 0
            by_chunk[copy.chunks[name]] = was
        else:
            table[len(was) : rows if name == "spans" else used] = np.zeros(1, table.dtype)
            table[: len(was)] = was


def _chunks_in_use(table: NDArray[np.int32]) -> NDArray[np.int64]:
    """The chunks of a table by page that are not empty; to look at one that never was takes no memory."""
    return np.flatnonzero(table.reshape(-1, CHUNK_PAGES).any(axis=1))
