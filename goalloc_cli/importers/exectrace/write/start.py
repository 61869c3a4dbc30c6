"""The snapshot as events of a trace: SNAP_RANGE, the spans with their objects, stacks, page caches, SNAP_END."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.design.gosizes import PAGE
from goalloc_cli.importers.common.handles import take_handle
from goalloc_cli.importers.exectrace.infer.snapshot import Snapshot, span_p
from goalloc_cli.importers.exectrace.slots.sizes import request
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.importers.exectrace.write.source import OUT, Held, Source
from goalloc_cli.trace.event import NO_P, NOSCAN, Kind

SLOT_BITS = 12
"""A span has fewer slots than 2**SLOT_BITS - 2."""
STACK_UNIT = 2048
SNAP_OBJECT, SNAP_DEAD = int(Kind.SNAP_OBJECT), int(Kind.SNAP_DEAD)

Array = NDArray[np.int64]


@kernel
def put_objects(out, at, objects, dead, src, held, base_addr):
    """Write the objects of events `objects` to rows `at`, and give them handles in that order."""
    for k in range(len(objects)):
        i = objects[k]
        span = src.spans[src.row[i]]
        handle = take_handle(held.low, held.middle, held.top)
        held.handle[i] = handle
        size, bound = request(span.spc, span.size, span.npages, src.type_bytes[src.b[i]], src.slot_of)
        event = out[at[k]]
        if dead[k]:
            event.kind = SNAP_DEAD
            held.told[handle] = 1
        else:
            event.kind = SNAP_OBJECT | bound | (NOSCAN if span.spc & 1 else 0)
            event.arg = held.number[src.b[i]]
        event.p, event.id, event.size = src.slot[i], handle, size
        event.addr = base_addr + span.base * PAGE + src.slot[i] * span.size


def _row(kind: Kind, p: int = NO_P, handle: int = 0, size: int = 0, arg: int = 0, addr: int = 0) -> NDArray[np.void]:
    row = np.zeros(1, OUT)
    row["kind"], row["p"], row["id"], row["size"], row["arg"], row["addr"] = kind, p, handle, size, arg, addr
    return row


def snapshot_events(
    snapshot: Snapshot | None, window: Window, src: Source, held: Held, base_addr: int
) -> tuple[NDArray[np.void], Array]:
    """The SNAP events, dtype OUT, and the types in the order that they use them first.

    Numbers those types 1, 2, ... and gives the objects, manual spans and stacks handles 0, 1, ...
    """
    if snapshot is None:
        return _row(Kind.SNAP_END), np.zeros(0, np.int64)
    first_page = base_addr // PAGE
    parts = [_row(Kind.SNAP_RANGE, handle=snapshot.end_page - snapshot.first_page, size=first_page + snapshot.first_page)]
    if snapshot.padding_end > snapshot.first_page:
        pages = snapshot.padding_end - snapshot.first_page
        parts.append(_row(Kind.SNAP_PADDING, handle=pages, size=first_page + snapshot.first_page))
    heap, fresh = _heap_spans(snapshot, window, src, held, base_addr)
    parts.append(heap)
    parts += _stack_spans(snapshot, window, held, base_addr)
    for p, (block, mask) in sorted(snapshot.page_caches.items()):
        if mask:
            parts.append(_row(Kind.SNAP_PAGE_CACHE, p=p, handle=mask & 0xFFFFFFFF, size=first_page + block, arg=mask >> 32))
    parts.append(_row(Kind.SNAP_END))
    return np.concatenate(parts), fresh


def _heap_spans(
    snapshot: Snapshot, window: Window, src: Source, held: Held, base_addr: int
) -> tuple[NDArray[np.void], Array]:
    spans = window.spans
    order = np.array(snapshot.spans, np.int64)
    rank = np.zeros(len(spans), np.int64)
    rank[order] = np.arange(len(order))
    unswept = np.array([r for r in snapshot.spans if r in snapshot.unswept], np.int64)
    objects = np.flatnonzero((window.kind == Ev.HEAP_OBJECT) & (window.owner >= 0))
    keys = np.concatenate(
        [
            rank[order] << SLOT_BITS,
            rank[unswept] << SLOT_BITS | 1,
            (rank[window.row[objects]] << SLOT_BITS) + window.slot[objects] + 2,
        ]
    )
    place = np.empty(len(keys), np.int64)
    place[np.argsort(keys, kind="stable")] = np.arange(len(keys))
    out = np.zeros(len(keys), OUT)
    at_spans, at_unswept, at_objects = np.split(place, [len(order), len(order) + len(unswept)])
    out["kind"][at_spans] = Kind.SNAP_SPAN
    out["p"][at_spans] = [span_p(snapshot, r) for r in snapshot.spans]
    out["id"][at_spans] = spans["npages"][order]
    out["size"][at_spans] = base_addr // PAGE + spans["base"][order]
    out["arg"][at_spans] = spans["spc"][order]
    out["kind"][at_unswept], out["p"][at_unswept] = Kind.SNAP_UNSWEPT, NO_P
    by_place = np.argsort(at_objects)
    objects, at_objects = objects[by_place], at_objects[by_place]
    dead = np.isin(objects, np.fromiter(snapshot.dead, np.int64, len(snapshot.dead)))
    used, first = np.unique(src.b[objects[~dead]], return_index=True)
    fresh = used[np.argsort(first)]
    fresh = fresh[fresh > 0]
    held.number[fresh] = np.arange(1, len(fresh) + 1)
    held.number[0] = 0
    put_objects(out, at_objects, objects, dead, src, held, base_addr)
    return out, fresh


def _stack_spans(snapshot: Snapshot, window: Window, held: Held, base_addr: int) -> list[NDArray[np.void]]:
    """Manual spans by address, the goroutine stacks in each by address."""
    spans = window.spans
    stacks: dict[int, list[int]] = {}
    for i in np.flatnonzero((window.kind == Ev.STACK) & (window.row >= 0)).tolist():
        if 0 < int(window.b[i]) < 48:
            stacks.setdefault(int(window.row[i]), []).append(i)
    parts = []
    for r in snapshot.manual:
        base, npages = int(spans["base"][r]), int(spans["npages"][r])
        handle = int(take_handle(held.span_low, held.span_middle, held.span_top))
        held.span_handle[r] = handle
        # Before the first cycle nothing but stacks has taken manual spans; the free ones wait in a pool.
        work_buffers = 0 if spans["stacks"][r] or snapshot.from_start else 1
        addr = base_addr + base * PAGE
        parts.append(_row(Kind.SNAP_STACK_SPAN, p=work_buffers, handle=handle, size=addr // PAGE, arg=npages, addr=addr))
        for i in sorted(stacks.get(r, []), key=lambda i: int(window.a[i])):
            at = int(window.a[i])
            handle = int(take_handle(held.stack_low, held.stack_middle, held.stack_top))
            held.stack_at[at] = handle + 1
            piece = at - base * (PAGE // STACK_UNIT)
            size = 1 << (int(window.b[i]) - 1)
            parts.append(_row(Kind.SNAP_STACK, handle=handle, size=size, arg=piece, addr=base_addr + at * STACK_UNIT))
    return parts
