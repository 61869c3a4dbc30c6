"""What the walk in `write/emit` reads, and what it keeps while it walks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.design.gosizes import SLOT_OF
from goalloc_cli.importers.common.handles import new_handles
from goalloc_cli.importers.exectrace.infer.cycles import Act, Cycles
from goalloc_cli.importers.exectrace.infer.late import CLASSES
from goalloc_cli.importers.exectrace.infer.snapshot import Snapshot
from goalloc_cli.importers.exectrace.slots.check import went_unseen
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.importers.exectrace.wire.survey import Survey
from goalloc_cli.trace.event import BATCH

Array = NDArray[np.int64]

OUT = np.dtype(
    [("size", np.int64), ("addr", np.int64), ("id", np.uint32), ("arg", np.uint32), ("stack", np.uint32), ("p", np.uint16),
     ("kind", np.uint8)],
    align=True,
)
"""One event of a snapshot, as `event.COLUMNS`."""


class Out(NamedTuple):
    """Room for the events of a batch, as `event.COLUMNS`."""

    kind: NDArray[np.uint8]
    p: NDArray[np.uint16]
    id: NDArray[np.uint32]
    size: NDArray[np.int64]
    arg: NDArray[np.uint32]
    addr: NDArray[np.int64]
    stack: NDArray[np.uint32]
    """0 but for allocs."""


def new_out() -> Out:
    """Room for a batch: it belongs to that."""
    rest = {name: np.empty(BATCH, OUT[name]) for name in Out._fields[:-1]}
    return Out(**rest, stack=np.zeros(BATCH, np.uint32))

STATE = np.dtype([(name, np.int64) for name in (
    "q", "act", "count", "free_next", "free_end", "cycle", "ends", "new_types", "types", "stop_m", "unknown_stacks",
    "unborn", "freeing", "freeing_from", "sweeps",
)] + [("last_ns", np.int64)])  # fmt: skip
"""q, act: next position of the order, next action. count: events written. free_next, free_end: dead objects still to be
written. cycle: cycles started. ends: cycles ended. new_types, types: types first used in this batch, ever. stop_m: M
that ends a cycle, until its stop ends; -1. unknown_stacks: frees of stacks never seen. unborn: objects freed by a cycle
that started before they came. freeing: the goroutine in debug.FreeOSMemory, -1, since cycle `freeing_from`. sweeps: those
that ended later than they began."""


class Source(NamedTuple):
    """What the walk reads; one entry per event of the window unless said. Places are those in it."""

    kind: NDArray[np.uint8]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    """Of an alloc: the index of its type, and what a message told of it (`wire/asked`). Of a goroutine's state: the
    state."""
    m: NDArray[np.int32]
    p: NDArray[np.int16]
    next_p: NDArray[np.int16]
    key: NDArray[np.float64]
    code: NDArray[np.uint8]
    row: NDArray[np.int32]
    slot: NDArray[np.int16]
    owner: NDArray[np.int32]
    late: NDArray[np.bool_]
    """Written by an action, not at its own place."""
    spans: NDArray[np.void]
    actions: NDArray[np.int64]
    """(place, `Act`, value, P)."""
    ends: NDArray[np.int64]
    """Of the GCEnd events; at the end of the recording also one past the last event."""
    explicit: NDArray[np.int64]
    type_bytes: NDArray[np.int64]
    """Per type."""
    slot_of: NDArray[np.int64]
    sweepers: NDArray[np.int64]
    """(goroutine, sweeper)."""
    sweep: NDArray[np.uint8]
    """OPENS, CLOSES: the first and the last free of a sweep that ends later than it began."""
    lost_by: NDArray[np.int64]
    """Per span: row of a span under it whose free was lost, -1."""
    lost_next: NDArray[np.int64]
    """Per span: the next such row."""
    owners: NDArray[np.int64]
    """The owner of each number that stands at an alloc for who did it (`who/owners`)."""


class Held(NamedTuple):
    """What the walk keeps."""

    low: NDArray[np.uint64]
    middle: NDArray[np.uint64]
    top: NDArray[np.uint64]
    handle: NDArray[np.int32]
    """Per event of the window: handle of the object; -1; -1 - the number of who allocates, until an alloc is written."""
    told: NDArray[np.uint8]
    """Per handle: the death of its object has been written."""
    span_low: NDArray[np.uint64]
    span_middle: NDArray[np.uint64]
    span_top: NDArray[np.uint64]
    span_handle: NDArray[np.int64]
    """Per span: handle of a manual span; -1."""
    stack_low: NDArray[np.uint64]
    stack_middle: NDArray[np.uint64]
    stack_top: NDArray[np.uint64]
    stack_at: NDArray[np.int32]
    """Handle + 1 of the stack at each unit of 2 KiB."""
    dying: NDArray[np.int64]
    """Handles of the dead set that is being written."""
    swept: NDArray[np.int64]
    """Per span: cycles ended when it was last seen swept."""
    sweep_number: NDArray[np.int64]
    """Per span: number of its sweep that is under way."""
    cached_by: NDArray[np.int64]
    current: NDArray[np.int64]
    """Per P and span class: the span in its mcache, -1."""
    flushed: NDArray[np.int64]
    """Per P: cycles ended when its mcache was last flushed."""
    works_for: NDArray[np.int64]
    """Per P, and for no P: the owner that it was last said to work for."""
    goroutine: NDArray[np.int64]
    context: NDArray[np.int64]
    """Per M: the sweep it is in."""
    number: NDArray[np.int64]
    """Per type: its number in the trace, -1."""
    fresh: NDArray[np.int64]
    """Types first used in this batch."""


def make_source(
    window: Window, cycles: Cycles, late: Array, moved: Array, swept_next: Array, sweepers: Array,
    sweep: NDArray[np.uint8], type_bytes: Array, owners: Array, whole: bool,
) -> Source:  # fmt: skip
    """Everything that the walk in `write/emit` reads of a window; `whole` where the recording ends with it."""
    actions = [*cycles.actions, *((q, int(Act.LATE_ALLOC), i, p) for i, q, p in late.tolist())]
    actions += [(q, int(Act.SWEPT_NEXT), i, -1) for q, i in swept_next.tolist()]
    actions.sort(key=lambda action: action[:2])
    is_late = np.zeros(len(window), np.bool_)
    is_late[late[:, 0]] = is_late[moved] = True
    lost_by, lost_next = went_unseen(window.spans)
    return Source(
        kind=window.kind, a=window.a, b=window.b, m=window.m, p=window.p, next_p=window.next_p,
        key=window.key, code=window.code, row=window.row, slot=window.slot, owner=window.owner, late=is_late,
        spans=window.spans, actions=np.array(actions, np.int64).reshape(-1, 4),
        ends=np.append(cycles.ends, [len(window)] if whole else []).astype(np.int64),
        explicit=np.array(cycles.explicit, np.int64), type_bytes=type_bytes, slot_of=SLOT_OF, sweepers=sweepers, sweep=sweep,
        lost_by=lost_by, lost_next=lost_next, owners=owners,
    )  # fmt: skip


def make_held(survey: Survey, ms: int, types: int) -> Held:
    """The state of the walk in `write/emit` before its first event. Only what is used of it takes memory, but for a bit
    for each object and a few words for each span that there ever were."""
    kinds, spans, ps = survey.kinds, survey.span_rows, survey.ps
    # An object whose birth was lost shows at its free.
    most = int(kinds[Ev.HEAP_OBJECT] + kinds[Ev.OBJECT_ALLOC] + kinds[Ev.OBJECT_FREE]) + 1
    objects = new_handles(most)
    manual = new_handles(spans)
    stacks = new_handles(int(kinds[Ev.STACK] + kinds[Ev.STACK_ALLOC]) + 1)
    return Held(
        low=objects.low, middle=objects.middle, top=objects.top, handle=np.zeros(0, np.int32), told=np.zeros(most, np.uint8),
        span_low=manual.low, span_middle=manual.middle, span_top=manual.top, span_handle=np.full(spans, -1, np.int64),
        stack_low=stacks.low, stack_middle=stacks.middle, stack_top=stacks.top,
        stack_at=np.zeros(survey.pages * 4, np.int32), dying=np.zeros(0, np.int64), swept=np.full(spans, -1, np.int64),
        sweep_number=np.zeros(spans, np.int64), cached_by=np.full(spans, -1, np.int64),
        current=np.full(ps * CLASSES, -1, np.int64), flushed=np.zeros(ps, np.int64), works_for=np.zeros(ps + 1, np.int64),
        goroutine=np.full(ms, -1, np.int64),
        context=np.zeros(ms, np.int64), number=np.full(types, -1, np.int64), fresh=np.zeros(types, np.int64),
    )  # fmt: skip


def take_caches(held: Held, snapshot: Snapshot, window: Window) -> None:
    """Note which P holds which span at the start."""
    for r, p in snapshot.cached_by.items():
        held.current[p * CLASSES + int(window.spans["spc"][r])] = r
        held.cached_by[r] = p
