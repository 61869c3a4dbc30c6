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

from goalloc_cli.jit import kernel
from goalloc_cli.trace.event import TraceError
from goalloc_cli.trace.exectrace_damage import SET_GODEBUG, Break, BrokenError
from goalloc_cli.trace.exectrace_decode import ARITY, KEPT, MOST_PS, Ev
from goalloc_cli.trace.exectrace_scan import NO_M
from goalloc_cli.trace.exectrace_tables import uvarint_at
from goalloc_cli.trace.exectrace_wire import Wire

CLASSES = 136

LOOKED_AT = np.zeros(256, np.int64)
"""Events whose arguments are looked at here, by their kind: of a P, of all Ps, of a span."""
OF_P, OF_PS, OF_SPAN = 1, 2, 3
LOOKED_AT[[Ev.PROC_START, Ev.PROC_STEAL, Ev.PROC_STATUS]] = OF_P
LOOKED_AT[Ev.PROCS_CHANGE] = OF_PS
LOOKED_AT[[Ev.SPAN, Ev.SPAN_ALLOC]] = OF_SPAN

LEAST_P, MOST_P, SEEN_P, PROCS, LEAST_BASE, LEAST, MOST, END, SPAN_PAGES = range(9)
"""Entries of what `look` finds: of all Ps; of those that do something; the most Ps said; of the spans' first pages; of these
and their lengths; one past their last page; their pages together."""

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
    least: int
    """Of all first pages and lengths of spans."""
    most: int
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


@kernel
def look(data, start, stop, m, generation, nobody, arity, kept, looked_at, counts, kinds, found, made):
    """Count the kept events; return -1, or the offset of one that is not known or runs past its batch.

    Args:
        generation: whose batches these are.
        nobody: index of the M that is none: its events count for nothing else.
        counts: out, per generation. kinds: out, per kind. found: out, as listed above. made: out, spans per span class.
    """
    for k in range(len(start)):
        at, end = start[k], stop[k]
        count = 0
        while at < end:
            first = at
            ev = data[at]
            arguments = arity[ev]
            if arguments < 0:
                return first
            count += kept[ev]
            at += 1
            for _ in range(arguments + 1):
                length = 1
                while at < end and data[at] >= 0x80:
                    at += 1
                    length += 1
                at += 1
                if at > end or length > 10:
                    return first
            if m[k] == nobody:
                continue
            kinds[ev] += 1
            if not looked_at[ev]:
                continue
            _dt, first = uvarint_at(data, first + 1, end)
            a, first = uvarint_at(data, first, end)
            if looked_at[ev] == OF_P:
                found[SEEN_P] = max(found[SEEN_P], a)
            elif looked_at[ev] == OF_PS:
                found[PROCS] = max(found[PROCS], a)
                a -= 1
            if looked_at[ev] != OF_SPAN:
                found[LEAST_P], found[MOST_P] = min(found[LEAST_P], a), max(found[MOST_P], a)
                continue
            npages, first = uvarint_at(data, first, end)
            kind_class, first = uvarint_at(data, first, end)
            found[LEAST_BASE] = min(found[LEAST_BASE], a)
            found[LEAST], found[MOST] = min(found[LEAST], a, npages), max(found[MOST], a, npages)
            found[END] = max(found[END], a + npages)
            found[SPAN_PAGES] = min(found[SPAN_PAGES] + max(npages, 0), np.int64(1) << 62)
            if kind_class & 1 == 0 and 0 <= kind_class >> 1 < CLASSES:
                made[kind_class >> 2] += 1
        counts[generation] += count
    return -1


def survey(wire: Wire) -> Survey:
    """Look at every event of a recording.

    Raises:
        BrokenError: an event that no release has, or that its batch cuts off.
        TraceError: no event of an allocation; more events or Ps than any recording has.
    """
    counts, kinds = np.zeros(len(wire.generations), np.int64), np.zeros(256, np.int64)
    found, made = np.zeros(9, np.int64), np.zeros(CLASSES // 2, np.int64)
    found[[LEAST_P, LEAST_BASE]] = np.iinfo(np.int64).max
    found[MOST_P] = -1
    nobody = int(np.searchsorted(wire.m_ids, np.uint64(NO_M))) if NO_M in wire.m_ids else -1
    for generation in range(len(wire.generations)):
        batches = wire.batches(generation)
        at = int(
            look(
                batches.data, batches.start, batches.stop, batches.m, generation, nobody, ARITY, KEPT, LOOKED_AT, counts,
                kinds, found, made,
            )
        )  # fmt: skip
        if at >= 0:
            why = f"event {int(batches.data[at])} is not known, or cut off: the file is damaged"
            raise BrokenError(Break(batches.base + at, why))
    if int(counts.sum()) >= 1 << 31:
        raise TraceError(f"{int(counts.sum())} events are more than can be held; record for a shorter time")
    if not kinds[Ev.SPAN :].any():
        raise TraceError(f"the recording holds no alloc/free events: {SET_GODEBUG}")
    of_ps = found[MOST_P] >= 0 or found[LEAST_P] < 0
    if of_ps and not 0 <= found[LEAST_P] <= found[MOST_P] < MOST_PS:
        wrong = int(found[LEAST_P]) if found[LEAST_P] < 0 else int(found[MOST_P])
        raise TraceError(f"an event of P {wrong}: the recording is damaged")
    return Survey(
        events=counts, kinds=kinds, ps=int(found[SEEN_P]) + 1, gomaxprocs=max(int(found[PROCS]), 1),
        lowest_page=int(found[LEAST_BASE]), least=int(found[LEAST]), most=int(found[MOST]), pages=int(found[END]) + 1,
        span_pages=int(found[SPAN_PAGES]), made=made,
    )  # fmt: skip
