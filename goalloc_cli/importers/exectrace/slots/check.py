"""What a recording that contradicts itself is refused for, and what is only noted."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.slots.slots import (
    BAD_SPAN,
    FAR,
    FAULTS,
    LIVE_IN_FREED,
    LIVE_SLOT,
    MISPLACED,
    SPAN_OVERLAP,
    UNKNOWN_SLOT_FREE,
    UNKNOWN_SPAN_ALLOC,
    UNKNOWN_SPAN_FREE,
)
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.damage import MENDED, tracer_died
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.trace.lost import Lost

SPEECH = {
    UNKNOWN_SPAN_ALLOC: "allocations in spans that do not exist",
    UNKNOWN_SLOT_FREE: "frees of objects that do not exist",
    LIVE_SLOT: "allocations in slots that are in use",
    SPAN_OVERLAP: "spans laid over others",
    UNKNOWN_SPAN_FREE: "frees of spans that do not exist",
    LIVE_IN_FREED: "spans freed while objects lived in them",
    MISPLACED: "objects outside the slots of their span",
    BAD_SPAN: "spans that cannot be",
}
OF_SPANS = (UNKNOWN_SPAN_ALLOC, UNKNOWN_SLOT_FREE, SPAN_OVERLAP, UNKNOWN_SPAN_FREE, LIVE_IN_FREED)
"""What follows where the events of spans are lost."""
HANDFUL = 16
"""So many missing events are inferred, and told, without --partial."""
LOST_SHARE = 0.05
"""Share of spans whose events Go 1.23 may have lost: its tracer skips them when it is busy (traceTryAcquire). They are
mostly stacks'; the programs recorded lost up to 1.5 %."""
LOST_HEAP_SPANS = 8
"""Spans with objects that may be among them."""
MISORDERED = 1e-4
"""Share of allocations into slots in use that the clocks of several Ms explain."""

Array = NDArray[np.int64]


def went_unseen(spans: NDArray[np.void]) -> tuple[Array, Array]:
    """Spans that others were laid over though they were never freed: their free was lost.

    Returns, per span: the first such span under it, and the next one of the same; -1 where there is none.
    """
    head, link = np.full(len(spans), -1, np.int64), np.full(len(spans), -1, np.int64)
    for r in np.flatnonzero((spans["dead"] == 0) & (spans["over"] >= 0) & (spans["npages"] > 0)).tolist():
        over = int(spans["over"][r])
        link[r], head[over] = head[over], r
    return head, link


def is_pardoned(faults: Array, may_lose_spans: bool, ps: int) -> bool:
    """Whether what contradicts itself in a generation may be no loss at all, or one that Go 1.23 is known for."""
    wrong = set(np.flatnonzero(faults).tolist())
    if ps > 1:
        wrong.discard(LIVE_SLOT)
    return wrong <= ({FAR} if not may_lose_spans else {FAR, *OF_SPANS})


def count_left_out(faults: Array, lost: Lost) -> None:
    """Write down what no inference could place; `faults` are those of all that was read so far."""
    lost.nowhere = int(faults[UNKNOWN_SPAN_ALLOC])
    lost.unborn = int(faults[UNKNOWN_SLOT_FREE])
    lost.spanless = int(faults[UNKNOWN_SPAN_FREE] + faults[SPAN_OVERLAP] + faults[LIVE_IN_FREED])
    lost.misplaced = int(faults[MISPLACED])
    lost.impossible = int(faults[BAD_SPAN])


class Loses(IntEnum):
    """Whether a recording may lack events of spans though nothing broke it."""

    NEVER = 0
    MAYBE = 1
    """It is of Go 1.24, or of a mended 1.23: both write the same header, and tell of packed tiny objects."""
    SURELY = 2
    """It is of Go 1.23."""


class Evidence(NamedTuple):
    """What was read of a recording so far."""

    window: Window
    lost: Lost
    allocs: int
    """How many allocations there are in all."""
    spans: int
    """How many spans."""
    ps: int
    """Number of Ps."""
    begin: int
    """Time of the first event in ticks."""
    end: int
    """Of the last one."""
    mended: bool = False
    """It comes from a runtime that goalloc mended."""


def check(seen: Evidence, has_snapshot: bool, loses: Loses, partial: bool) -> list[str]:
    """Refuse a recording that contradicts itself; return the notes on one that may pass.

    Args:
        seen: all of it, where it may lose spans.
        has_snapshot: the recording holds the heap that it starts with.
        loses: whether it may lack events of spans.
        partial: whatever is lost, take the rest.

    Raises:
        TraceError: events were lost; the message counts what does not fit and names the time of the first.
    """
    window, lost = seen.window, seen.lost
    faults = dict(enumerate(window.heap.faults.tolist()))
    if not any(faults.values()) and not lost:
        return []
    if not has_snapshot:
        return _without_snapshot(faults)
    notes = _far(faults)
    if faults[LIVE_SLOT] and seen.ps > 1 and faults[LIVE_SLOT] <= MISORDERED * seen.allocs:
        few = f"{faults[LIVE_SLOT]} of {seen.allocs} allocations"
        notes.append(f"{few} could not be put in order with the frees before them.")
        faults[LIVE_SLOT] = 0
    others = [code for code, count in faults.items() if count and code not in (SPAN_OVERLAP, UNKNOWN_SPAN_FREE)]
    if loses == Loses.SURELY or (loses == Loses.MAYBE and not others and not lost.numbers):
        notes += _lost_spans(seen, faults)
    wrong = [code for code, count in faults.items() if count]
    missing = sum(faults[code] for code in wrong) + lost.inferred + lost.numbers + lost.types
    if partial or (missing <= HANDFUL and not faults[MISPLACED] and not faults[BAD_SPAN]):
        count_left_out(np.array([faults[code] for code in range(FAULTS)]), lost)
        return notes
    why = MENDED if seen.mended else tracer_died()
    raise TraceError(
        f"the recording contradicts itself: {_listing(faults, lost)}{_first(seen, wrong)}. {why}; "
        "--partial takes it all the same, infers what must have been, and says how much that is"
    )


def _listing(faults: dict[int, int], lost: Lost) -> str:
    found = [f"{count} {SPEECH[code]}" for code, count in faults.items() if count]
    if lost.numbers:
        found.insert(0, f"{lost.numbers} numbered events of the Ps missing or doubled")
    if lost.types:
        found.append(f"{lost.types} allocations of types that are not named")
    if lost.inferred:
        found.append(f"{lost.inferred} births and deaths that must have been are not there")
    return ", ".join(found)


def _first(seen: Evidence, wrong: list[int]) -> str:
    """How far into the recording the first contradiction is."""
    if not wrong:
        return ""
    first = min(int(seen.window.heap.first[code]) for code in wrong)
    return f"; the first after {100 * float(first - seen.begin) / max(1.0, float(seen.end - seen.begin)):.1f} % of its time"


def _far(faults: dict[int, int]) -> list[str]:
    """Note, and pardon, objects far from the heap: chunks of user arenas, whose births Go does not trace."""
    count = faults[FAR]
    faults[FAR] = 0
    if not count:
        return []
    return [
        f"{count} frees are of memory far from all other objects, as user arenas are (GOEXPERIMENT=arenas): Go does not "
        "record their chunks of 8 MiB, which are missing in all figures."
    ]


def _lost_spans(seen: Evidence, faults: dict[int, int]) -> list[str]:
    """Pardon, and note, what Go 1.23 loses."""
    window, spans = seen.window, seen.spans
    lost = faults[SPAN_OVERLAP] + faults[UNKNOWN_SPAN_FREE]
    nowhere = (window.kind == Ev.OBJECT_ALLOC) & (window.owner < 0)
    heap_spans = len(np.unique(window.a[nowhere] >> 10))
    if lost > LOST_SHARE * spans or heap_spans > LOST_HEAP_SPANS or faults[LIVE_IN_FREED] > LOST_HEAP_SPANS:
        return []
    objects = faults[UNKNOWN_SPAN_ALLOC]
    if not lost and not objects:
        return []
    for code in (SPAN_OVERLAP, UNKNOWN_SPAN_FREE, LIVE_IN_FREED, UNKNOWN_SPAN_ALLOC):
        faults[code] = 0
    if objects:
        faults[UNKNOWN_SLOT_FREE] = max(0, faults[UNKNOWN_SLOT_FREE] - objects)
    without = f"; {objects} allocations in {heap_spans} of them were left out" if objects else ""
    return [f"Go 1.23 lost the events of {lost} of {spans} spans, as its tracer does when it is busy{without}."]


def _without_snapshot(faults: dict[int, int]) -> list[str]:
    notes = [
        "The recording does not hold the heap that it starts with (a flight recorder drops it): totals are relative to its "
        "first event, and what lived before it is missing."
    ]
    if faults[UNKNOWN_SPAN_ALLOC]:
        notes.append(f"{faults[UNKNOWN_SPAN_ALLOC]} allocations in spans made before the first event were left out.")
    if faults[UNKNOWN_SLOT_FREE]:
        notes.append(f"{faults[UNKNOWN_SLOT_FREE]} frees of objects made before the first event were left out.")
    return notes
