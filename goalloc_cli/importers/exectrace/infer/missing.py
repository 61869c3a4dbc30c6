"""What must have been, though its event was lost: births, deaths and the ends of spans that the other events imply.

- An object that is freed and was never seen: it was born before the cycle that freed it.
- A slot that is filled again, and a span that is given back, while an object lives there: the object died before.
- A span that another one was laid over: it was given back before.

What cannot be placed so is left out, and counted by the walk that follows (`slots/slots`).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.design.gosizes import PAGE
from goalloc_cli.importers.exectrace.slots.check import went_unseen
from goalloc_cli.importers.exectrace.slots.slots import Heap
from goalloc_cli.importers.exectrace.wire.decode import Ev

SPAN, SPAN_ALLOC, SPAN_FREE = int(Ev.SPAN), int(Ev.SPAN_ALLOC), int(Ev.SPAN_FREE)
HEAP_OBJECT, OBJECT_ALLOC, OBJECT_FREE = int(Ev.HEAP_OBJECT), int(Ev.OBJECT_ALLOC), int(Ev.OBJECT_FREE)
GC_BEGIN = int(Ev.GC_BEGIN)
MOST = 1 << 20
"""Events that are inferred in a generation."""

Array = NDArray[np.int64]


@kernel
def infer(kind, order, row, slot, owner, spans, objects, occupant, changed, born, freed, lost_by, lost_next, ends, out):
    """Find the missing events of a generation; return how many, at most as many as `out` holds.

    Args:
        row, slot, owner: what the walk found; `objects` is the number of the generation's first event as an object.
        occupant: per pool entry, object + 1 there before the first event; changed.
        changed: per pool entry, -1. Then the place of the last event that was about it.
        born: per span, place of the event that made it, -1 where it came before.
        freed: per object, whether its free is there.
        lost_by, lost_next: per span, the spans under it whose free is missing.
        ends: whether the ends of spans are to be inferred.
        out: out, (place that it belongs before, kind, address in units of 8 bytes), shape (n, 3).
    """
    count = 0
    begin = -1
    for q in range(len(order)):
        i = order[q]
        k = kind[i]
        if k == GC_BEGIN:
            begin = q
        if k < SPAN or row[i] < 0 or count == len(out):
            continue
        r = row[i]
        span = spans[r]
        if k in (SPAN, SPAN_ALLOC):
            lost = lost_by[r] if ends else -1
            while lost >= 0 and count < len(out):
                count = end_span(spans[lost], q, occupant, out, count)
                if count < len(out):
                    out[count, 0], out[count, 1], out[count, 2] = q, SPAN_FREE, spans[lost].base
                    count += 1
                lost = lost_next[lost]
            if span.spc >= 0:
                born[r] = q
                occupant[span.pool : span.pool + span.nelems] = 0
        elif k == SPAN_FREE:
            if span.spc >= 0:
                count = end_span(span, q, occupant, out, count)
        elif k in (OBJECT_ALLOC, OBJECT_FREE, HEAP_OBJECT):
            at = span.pool + slot[i]
            address = (span.base * PAGE + slot[i] * span.size) // 8
            if k == OBJECT_FREE and owner[i] < 0:
                if begin > max(changed[at], born[r]) and occupant[at] == 0:
                    out[count, 0], out[count, 1], out[count, 2] = begin, OBJECT_ALLOC, address
                    count += 1
            elif k == OBJECT_FREE:
                if occupant[at] == owner[i] + 1:
                    occupant[at] = 0
                changed[at] = q
            elif owner[i] == objects + i:
                # What exists at the start is written while the world stands still: no death comes before it.
                if k == OBJECT_ALLOC and occupant[at] and not freed[occupant[at] - 1]:
                    out[count, 0], out[count, 1], out[count, 2] = q, OBJECT_FREE, address
                    count += 1
                occupant[at] = objects + i + 1
                changed[at] = q
    return count


@inner
def end_span(span, q, occupant, out, count):
    """Write the deaths of all that lives in a span, before place `q`; return the number of events written so far."""
    if span.spc < 0:
        return count
    for at in range(span.pool, span.pool + span.nelems):
        if occupant[at] and count < len(out):
            address = (span.base * PAGE + (at - span.pool) * span.size) // 8
            out[count, 0], out[count, 1], out[count, 2] = q, OBJECT_FREE, address
            count += 1
        occupant[at] = 0
    return count


@dataclass
class Missing:
    """Events that must have been, in the order of their places."""

    place: Array
    kind: NDArray[np.uint8]
    a: Array
    b: Array

    def __len__(self) -> int:
        return len(self.kind)

    def count(self, kind: Ev) -> int:
        """How many are of a kind."""
        return int(np.count_nonzero(self.kind == kind))

    def put_in(self, columns: dict[str, NDArray[Any]], order: NDArray[np.int32]) -> tuple[dict[str, NDArray[Any]], Any]:
        """The columns of a generation with these events at their end, and its order with them in their places.

        Each is of the same M, P and time as the event that it comes before.
        """
        beside = order[np.minimum(self.place, len(order) - 1)]
        known = {"kind": self.kind, "a": self.a, "b": self.b, "code": np.zeros(len(self), np.uint8)}
        longer = {n: np.concatenate([c, known.get(n, c[beside])]).astype(c.dtype) for n, c in columns.items()}
        numbers = np.arange(len(order), len(order) + len(self), dtype=np.int32)
        return longer, np.insert(order, self.place, numbers)


def missing_events(
    kind: NDArray[np.uint8], order: NDArray[np.int32], found: dict[str, NDArray[Any]], heap: Heap, pool: NDArray[np.int32],
    objects: int, ends: bool,
) -> Missing:  # fmt: skip
    """The events of a generation that must have been.

    Args:
        kind: of its events. order: theirs.
        found: "row", "slot" and "owner" of each, as the walk found them.
        heap: after the walk.
        pool: the slots before it.
        objects: number of the first event as an object.
        ends: whether the ends of spans are to be inferred.
    """
    rows, used = heap.used.tolist()
    spans = heap.spans[: rows + 1]
    occupant = np.zeros(used + 1, np.int32)
    occupant[: len(pool)] = np.abs(pool)
    owner = found["owner"][: len(kind)]
    freed = np.zeros(objects + len(kind) + 1, np.bool_)
    freed[owner[(kind == Ev.OBJECT_FREE) & (owner >= 0)]] = True
    out = np.zeros((MOST, 3), np.int64)
    count = int(
        infer(
            kind, order, found["row"], found["slot"], owner, spans, objects, occupant, np.full(used + 1, -1, np.int64),
            np.full(rows + 1, -1, np.int64), freed, *went_unseen(spans), ends, out,
        )
    )  # fmt: skip
    out = out[np.argsort(out[:count, 0], kind="stable")]
    return Missing(out[:, 0], out[:, 1].astype(np.uint8), out[:, 2], np.zeros(count, np.int64))
