"""A first look at every event of a recording: what must be known before the first is decoded.

How many there are, of which kinds, on how many Ps, in how large a heap. The tables of all later steps are made to this
measure; what they hold follows a generation or the live heap.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.compiled.words import trailing_zeros, word_at
from goalloc_cli.design.gosizes import SPAN_CLASSES
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.wire.damage import SET_GODEBUG, Break
from goalloc_cli.importers.exectrace.wire.decode import ARITY, KEPT, MOST_PS, Ev
from goalloc_cli.importers.exectrace.wire.scan import NO_M
from goalloc_cli.importers.exectrace.wire.tables import HIGH_BITS, uvarint_at
from goalloc_cli.importers.exectrace.wire.wire import Wire

MOST_INFERRED = 1 << 12
"""Spans whose births were lost that are inferred."""
MOST_PAGES = 1 << 28
"""Events of spans on pages beyond this (2 TiB) are taken for damaged."""

LOOKED_AT = np.zeros(256, np.int64)
"""Events whose arguments are looked at here, by their kind: of a P, of all Ps, of a span."""
OF_P, OF_PS, OF_SPAN = 1, 2, 3
LOOKED_AT[[Ev.PROC_START, Ev.PROC_STEAL, Ev.PROC_STATUS]] = OF_P
LOOKED_AT[Ev.PROCS_CHANGE] = OF_PS
LOOKED_AT[[Ev.SPAN, Ev.SPAN_ALLOC]] = OF_SPAN

SEEN_P, PROCS, LEAST_BASE, END, SPAN_PAGES = range(5)
"""Entries of what `look` finds: the last P that does something; the most Ps said; of the spans: the first page of all, one
past the last, their pages together."""

Array = NDArray[np.int64]


@dataclass(frozen=True)
class Survey:
    """What a recording holds in all."""

    events: Array
    """Kept events of every generation."""
    kinds: Array
    """Events of each kind, shape (256,)."""
    ps: int
    """Number of Ps, as far as they show."""
    gomaxprocs: int
    lowest_page: int
    """The first page that any span lies on."""
    pages: int
    """One past the last page that any span lies on."""
    span_pages: int
    """Pages of all spans together."""
    made: Array
    """Spans with objects, per size class."""

    @property
    def spans(self) -> int:
        """Number of spans that there ever were."""
        return int(self.kinds[Ev.SPAN] + self.kinds[Ev.SPAN_ALLOC])

    @property
    def span_rows(self) -> int:
        """Rows of tables by span: one more than there are, and those that may be inferred."""
        return self.spans + 1 + MOST_INFERRED


@kernel
def look(data, start, stop, m, generation, nobody, arity, kept, looked_at, counts, kinds, found, made):
    """Count the kept events, and cut off each batch before an event that cannot be.

    Args:
        stop: changed.
        generation: whose batches these are.
        nobody: index of the M that is none: its events count for nothing else.
        counts: out, per generation. kinds: out, per kind. found: out, as listed above. made: out, spans per span class.
    """
    for k in range(len(start)):
        at, end = start[k], stop[k]
        count = 0
        while at < end:
            first = at
            ev = data[first]
            at = behind(data, first, end, arity)
            if at < 0 or (looked_at[ev] and m[k] != nobody and not look_at(data, first, end, looked_at[ev], found, made)):
                stop[k] = first
                break
            count += kept[ev]
            kinds[ev] += m[k] != nobody
        counts[generation] += count


@inner
def behind(data, at, end, arity):
    """The offset behind the event at `at`; -1 where it is not known or runs past its batch, which ends at `end`."""
    arguments = arity[data[at]]
    if arguments < 0:
        return -1
    at += 1
    if at <= len(data) - 8:
        # Most events end within eight bytes: at the end of their last number.
        ends = ~word_at(data, at) & HIGH_BITS
        for _ in range(arguments):
            if ends:
                ends &= ends - np.uint64(1)
        if ends:
            at += (trailing_zeros(ends) >> 3) + 1
            return at if at <= end else -1
    for _ in range(arguments + 1):
        length = 1
        while at < end and data[at] >= 0x80:
            at += 1
            length += 1
        at += 1
        if at > end or length > 10:
            return -1
    return at


@inner
def look_at(data, at, end, what, found, made):
    """Note the P or the span that an event is about; return whether there can be such a one."""
    _dt, at = uvarint_at(data, at + 1, end)
    a, at = uvarint_at(data, at, end)
    if what != OF_SPAN:
        last = a - 1 if what == OF_PS else a
        if not 0 <= last < MOST_PS:
            return False
        found[SEEN_P if what == OF_P else PROCS] = max(found[SEEN_P if what == OF_P else PROCS], a)
        return True
    npages, at = uvarint_at(data, at, end)
    kind_class, at = uvarint_at(data, at, end)
    if not (0 <= a <= MOST_PAGES and 0 <= npages <= MOST_PAGES - a):
        return False
    found[LEAST_BASE] = min(found[LEAST_BASE], a)
    found[END] = max(found[END], a + npages)
    found[SPAN_PAGES] += npages
    if kind_class & 1 == 0 and 0 <= kind_class >> 1 < SPAN_CLASSES:
        made[kind_class >> 2] += 1
    return True


def survey(wire: Wire) -> Survey:
    """Look at every event of a recording. Batches with an event that cannot be are cut off before it.

    Raises:
        TraceError: no event of an allocation; more events than any recording has.
    """
    counts, kinds = np.zeros(len(wire.generations), np.int64), np.zeros(256, np.int64)
    found, made = np.zeros(5, np.int64), np.zeros(SPAN_CLASSES // 2, np.int64)
    found[LEAST_BASE] = np.iinfo(np.int64).max
    nobody = int(np.searchsorted(wire.m_ids, np.uint64(NO_M))) if NO_M in wire.m_ids else -1
    for generation in range(len(wire.generations)):
        batches = wire.batches(generation)
        whole = batches.stop.copy()
        look(
            batches.data, batches.start, batches.stop, batches.m, generation, nobody, ARITY, KEPT, LOOKED_AT, counts, kinds,
            found, made,
        )  # fmt: skip
        cut_off = np.flatnonzero(batches.stop != whole)
        if len(cut_off):
            at = int(batches.stop[cut_off].min())
            why = f"event {int(batches.data[at])} is not known, or cut off, or of a P or page that cannot be"
            wire.cut_off(generation, batches, cut_off, Break(batches.base + at, why))
    if int(counts.sum()) >= 1 << 31:
        raise TraceError(f"{int(counts.sum())} events are more than can be held; record for a shorter time")
    if not kinds[Ev.SPAN :].any():
        raise TraceError(f"the recording holds no alloc/free events: {SET_GODEBUG}")
    return Survey(
        events=counts, kinds=kinds, ps=int(found[SEEN_P]) + 1, gomaxprocs=max(int(found[PROCS]), 1),
        lowest_page=int(found[LEAST_BASE]), pages=int(found[END]) + 1, span_pages=int(found[SPAN_PAGES]), made=made,
    )  # fmt: skip
