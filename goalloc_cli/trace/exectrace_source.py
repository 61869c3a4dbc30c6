"""What the walk in `exectrace_emit` reads, and what it keeps while it walks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.event import TypeInfo
from goalloc_cli.trace.exectrace_check import went_unseen
from goalloc_cli.trace.exectrace_cycles import Act, Cycles
from goalloc_cli.trace.exectrace_decode import Events
from goalloc_cli.trace.exectrace_handles import new_handles
from goalloc_cli.trace.exectrace_late import CLASSES
from goalloc_cli.trace.exectrace_order import Clock
from goalloc_cli.trace.exectrace_sizes import SLOT_OF
from goalloc_cli.trace.exectrace_slots import Slots
from goalloc_cli.trace.exectrace_snapshot import Snapshot
from goalloc_cli.trace.exectrace_sweepers import find_sweepers, find_sweeps

Array = NDArray[np.int64]

OUT = np.dtype(
    [("size", np.int64), ("addr", np.int64), ("id", np.uint32), ("arg", np.uint32), ("p", np.uint16), ("kind", np.uint8)],
    align=True,
)
"""One event of a trace, as `event.COLUMNS`."""

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
    """What the walk reads; one entry per event unless said."""

    order: NDArray[np.int64]
    kind: NDArray[np.uint8]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    """Of an alloc: the index of its type."""
    c: NDArray[np.int64]
    m: NDArray[np.int32]
    p: NDArray[np.int16]
    next_p: NDArray[np.int16]
    key: NDArray[np.float64]
    code: NDArray[np.uint8]
    row: NDArray[np.int32]
    slot: NDArray[np.int16]
    owner: NDArray[np.int64]
    late: NDArray[np.bool_]
    """Written by an action, not at its own place."""
    spans: NDArray[np.void]
    actions: NDArray[np.int64]
    """(position, `Act`, value, P)."""
    ends: NDArray[np.int64]
    """Positions of the GCEnd events, and one past the last event."""
    explicit: NDArray[np.int64]
    started_at: NDArray[np.int64]
    """Per cycle: position of its start."""
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


class Held(NamedTuple):
    """What the walk keeps."""

    low: NDArray[np.uint64]
    middle: NDArray[np.uint64]
    top: NDArray[np.uint64]
    handle: NDArray[np.int64]
    """Per event: handle of the object; -1."""
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
    goroutine: NDArray[np.int64]
    context: NDArray[np.int64]
    """Per M: the sweep it is in."""
    number: NDArray[np.int64]
    """Per type: its number in the trace, -1."""
    fresh: NDArray[np.int64]
    """Types first used in this batch."""


def make_source(
    events: Events, order: Array, slots: Slots, cycles: Cycles, clock: Clock, late: Array, types: list[TypeInfo], ps: int,
) -> Source:  # fmt: skip
    """Everything that the walk in `exectrace_emit` reads."""
    actions = [*cycles.actions, *((q, int(Act.LATE_ALLOC), i, p) for i, q, p in late.tolist())]
    if len(cycles.starts) and cycles.starts[0] < 0:
        actions.append((0, int(Act.GC_START), int(cycles.explicit[0]), -1))
    actions.sort(key=lambda action: action[:2])
    is_late = np.zeros(len(events), np.bool_)
    is_late[late[:, 0]] = True
    sweepers = np.zeros((256, 2), np.int64)
    count = int(find_sweepers(events.kind, events.a, events.c, events.m, cycles.code, sweepers))
    lost_by, lost_next = went_unseen(slots)
    sweep = np.zeros(len(events), np.uint8)
    if ps > 1:
        find_sweeps(events.kind, order, slots.row, slots.owner, len(slots.spans), sweep)
    return Source(
        order=order, kind=events.kind, a=events.a, b=events.b, c=events.c, m=events.m, p=events.p, next_p=events.next_p,
        key=clock.key, code=cycles.code, row=slots.row, slot=slots.slot, owner=slots.owner, late=is_late,
        spans=slots.spans, actions=np.array(actions, np.int64).reshape(-1, 4), ends=np.append(cycles.ends, len(order)),
        explicit=cycles.explicit, started_at=cycles.starts, type_bytes=np.array([t.size for t in types], np.int64),
        slot_of=SLOT_OF, sweepers=sweepers[:count], sweep=sweep, lost_by=lost_by, lost_next=lost_next,
    )  # fmt: skip


def make_held(source: Source, snapshot: Snapshot | None, ps: int, types: int) -> Held:
    """The state of the walk in `exectrace_emit` before its first event."""
    spans = source.spans
    objects = new_handles(len(source.order) + 1)
    manual = new_handles(len(spans))
    stacks = new_handles(int(np.count_nonzero((source.kind == 134) | (source.kind == 135))) + 1)
    current, cached_by = np.full(ps * CLASSES, -1, np.int64), np.full(len(spans), -1, np.int64)
    for r, p in (snapshot.cached_by if snapshot else {}).items():
        current[p * CLASSES + int(spans["spc"][r])] = r
        cached_by[r] = p
    pages = int((spans["base"] + spans["npages"]).max(initial=0)) + 1
    bounds = np.append(source.ends[:-1], len(source.order))
    frees = np.cumsum(source.kind[source.order] == 133)
    most = int(np.diff(np.append(0, frees[np.maximum(bounds - 1, 0)])).max(initial=0)) + 1 if len(frees) else 1
    return Held(
        low=objects.low, middle=objects.middle, top=objects.top, handle=np.full(len(source.kind), -1, np.int64),
        span_low=manual.low, span_middle=manual.middle, span_top=manual.top,
        span_handle=np.full(len(spans), -1, np.int64),
        stack_low=stacks.low, stack_middle=stacks.middle, stack_top=stacks.top,
        stack_at=np.zeros(pages * 4, np.int32), dying=np.zeros(most, np.int64), swept=np.full(len(spans), -1, np.int64),
        sweep_number=np.zeros(len(spans), np.int64),
        cached_by=cached_by, current=current, flushed=np.zeros(ps, np.int64),
        goroutine=np.full(int(source.m.max(initial=0)) + 1, -1, np.int64),
        context=np.zeros(int(source.m.max(initial=0)) + 1, np.int64),
        number=np.full(types, -1, np.int64), fresh=np.zeros(types, np.int64),
    )  # fmt: skip
