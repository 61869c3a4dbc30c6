"""The heap as it was when the recording started, and what of it only the events after it tell.

The snapshot lists spans, objects and goroutine stacks. Which P holds which span, the order of mcentral's lists, what is
still to be swept and the page caches are not in it; they are guessed from what is used first.

Go: runtime/traceallocfree.go, traceSnapshotMemory.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.exectrace.infer.cycles import FLUSHES, Cycles
from goalloc_cli.importers.exectrace.infer.pagecache import MOST_EVENTS, MOST_PAGES, search
from goalloc_cli.importers.exectrace.slots.slots import MANUAL
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.trace.event import NO_P

CHUNK_PAGES = 512
"""The heap grows by multiples of this (mpagealloc.go: 4 MiB)."""
CLASSES = 136
NEVER = np.int64(1) << 60

OBJECT_ALLOC, SPAN_ALLOC = int(Ev.OBJECT_ALLOC), int(Ev.SPAN_ALLOC)
HEAP_ALLOC, GC_END, STW_BEGIN = int(Ev.HEAP_ALLOC), int(Ev.GC_END), int(Ev.STW_BEGIN)

Array = NDArray[np.int64]


@dataclass
class Snapshot:
    """The heap at the start."""

    spans: list[int]
    """Rows of the heap spans, in the order of their lists."""
    cached_by: dict[int, int]
    """The P that holds a span."""
    unswept: set[int]
    dead: set[int]
    """Events of the objects that the sweep under way will free."""
    manual: list[int]
    """Rows of the spans without objects."""
    first_page: int
    """Where the address range of the heap begins, relative to page 0 of the recording."""
    end_page: int
    padding_end: int
    """Pages from `first_page` to here are never used."""
    from_start: bool = False
    """The recording began with the program."""
    page_caches: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Block (first page) and mask of pages of each P's page cache."""


@kernel
def first_uses(kind, m, p, code, row, slot, owner, spc_of, snapshot_rows, refilled, known, used, cached, grew_by, grew_at):
    """Look ahead to the end of the first cycle.

    Args:
        refilled, known: to work in, False: per M, and per P and class.
        used: out, per snapshot span: position of its first alloc.
        cached: out, per snapshot span: the P that used it before it refilled (it must have held it), -1.
        grew_by, grew_at: out, per class: the P that first took a new span for it, and where; -1.
    """
    flushed = False
    for q in range(len(kind)):
        k = kind[q]
        if k == GC_END:
            return
        if k == STW_BEGIN and FLUSHES[code[q]]:
            flushed = True
        elif k == SPAN_ALLOC:
            r = row[q]
            if r >= 0 and not flushed and spc_of[r] >= 0 and grew_by[spc_of[r]] < 0:
                grew_by[spc_of[r]], grew_at[spc_of[r]] = p[q], q
        elif k == HEAP_ALLOC:
            refilled[m[q]] = True
        elif k == OBJECT_ALLOC and owner[q] >= 0:
            r = row[q]
            if p[q] >= 0:
                key = p[q] * CLASSES + spc_of[r]
                if r < snapshot_rows and used[r] == NEVER:
                    used[r] = q
                    if not known[key] and not refilled[m[q]] and not flushed:
                        cached[r] = p[q]
                known[key] = True
            refilled[m[q]] = False


def take_snapshot(window: Window, cycles: Cycles, ps: int, lowest: int, random_start: bool) -> Snapshot | None:
    """The heap at the start of the recording; None where the recording does not hold it.

    Args:
        window: the recording, at least up to the end of its first cycle.
        cycles: what the collector did in it.
        ps: number of Ps.
        lowest: the first page that any span will lie on.
        random_start: the heap starts at a random page of its first chunk (Go 1.26+).
    """
    count = int(np.count_nonzero((window.kind == Ev.SPAN) & (window.row >= 0)))
    if not count:
        return None
    spans = window.spans
    spc = spans["spc"].astype(np.int64)
    used, cached = np.full(count, NEVER), np.full(count, -1, np.int64)
    grew_by, grew_at = np.full(CLASSES, -1, np.int64), np.full(CLASSES, -1, np.int64)
    first_uses(
        window.kind, window.m, window.p, window.code, window.row, window.slot, window.owner, spc, count,
        np.zeros(window.ms, np.bool_), np.zeros(ps * CLASSES, np.bool_), used, cached, grew_by, grew_at,
    )  # fmt: skip
    objects = np.flatnonzero((window.kind == Ev.HEAP_OBJECT) & (window.owner >= 0))
    live = np.bincount(window.row[objects], minlength=count)
    dead, first_free = _dying(window, cycles, count)
    held = {r: int(cached[r]) for r in np.flatnonzero(cached >= 0).tolist() if r not in first_free}
    heap = [r for r in range(count) if spc[r] != MANUAL and r not in first_free]
    _default_caches(heap, spc, live, spans["nelems"], used, cached, grew_by, grew_at, ps, held)
    first_page = int(spans["base"][:count].min()) // CHUNK_PAGES * CHUNK_PAGES
    end = int((spans["base"][:count] + spans["npages"][:count]).max())
    snapshot = Snapshot(
        spans=sorted(first_free, key=lambda r: first_free[r])
        + sorted(heap, key=lambda r: (int(used[r]), int(spans["base"][r]))),
        cached_by=held,
        unswept=set(first_free),
        dead=dead,
        manual=[r for r in np.argsort(spans["base"][:count]).tolist() if spc[r] == MANUAL],
        first_page=first_page,
        end_page=-(-end // CHUNK_PAGES) * CHUNK_PAGES,
        padding_end=lowest if random_start and first_page <= lowest < CHUNK_PAGES else first_page,
    )
    _page_caches(window, cycles, count, snapshot, ps)
    return snapshot


def _dying(window: Window, cycles: Cycles, count: int) -> tuple[set[int], dict[int, int]]:
    """Objects freed before any cycle of the recording ended, and the first such free of each span."""
    end = int(cycles.ends[0]) if len(cycles.ends) else len(window)
    frees = np.flatnonzero((window.kind[:end] == Ev.OBJECT_FREE) & (window.owner[:end] >= 0))
    owners = window.owner[frees]
    known = (window.kind[owners] == Ev.HEAP_OBJECT) & (window.row[frees] < count)
    first: dict[int, int] = {}
    for position, r in enumerate(window.row[frees[known]].tolist()):
        first.setdefault(r, position)
    return set(owners[known].tolist()), first


def _default_caches(
    heap: list[int], spc: Array, live: Array, nelems: Array, used: Array, cached: Array, grew_by: Array, grew_at: Array,
    ps: int, held: dict[int, int],
) -> None:  # fmt: skip
    """Add to `held` the spans that some P must hold although it did not show.

    A class that took a new span although one with room was there, unused: another P holds that one. A class that is not
    used at all: its only span with room, or, if all are full, the last, is held by the P that runs.
    """
    by_class: dict[int, list[int]] = {}
    for r in heap:
        if spc[r] > 1:
            by_class.setdefault(int(spc[r]), []).append(r)
    for c, rows in by_class.items():
        room = [r for r in rows if live[r] < nelems[r]]
        if grew_by[c] >= 0 and ps > 1:
            taken = {held[r] for r in room if r in held} | {int(grew_by[c])}
            others = [p for p in range(ps) if p not in taken]
            for r in room:
                if r not in held and used[r] > grew_at[c] and others:
                    held[r] = others.pop(0)
        if any(used[r] < NEVER for r in rows) or grew_by[c] >= 0:
            continue
        if len(room) == 1:
            held.setdefault(room[0], 0)
        elif not room:
            held.setdefault(rows[-1], 0)


def _page_caches(window: Window, cycles: Cycles, count: int, snapshot: Snapshot, ps: int) -> None:
    """Find what each P's page cache held, by what explains the first span events (`infer/pagecache`)."""
    end = int(cycles.ends[0]) if len(cycles.ends) else len(window)
    kind = window.kind[:end]
    early = np.flatnonzero(((kind == Ev.SPAN_ALLOC) | (kind == Ev.SPAN_FREE)) & (window.row[:end] >= 0))[:MOST_EVENTS]
    is_alloc = window.kind[early] == Ev.SPAN_ALLOC
    rows = window.row[early]
    npages = window.spans["npages"][rows]
    spans = np.stack([is_alloc, window.a[early], npages, window.p[early]], axis=1).astype(np.int64)
    pages = max(snapshot.end_page, int((spans[:, 1] + spans[:, 2]).max(initial=0))) + 4 * CHUNK_PAGES
    if pages > MOST_PAGES:
        return
    taken, npages_at = np.zeros(pages, np.bool_), np.zeros(pages, np.int64)
    taken[: max(snapshot.first_page, snapshot.padding_end)] = True
    for base, length in zip(window.spans["base"][:count].tolist(), window.spans["npages"][:count].tolist(), strict=True):
        taken[base : base + length] = True
        npages_at[base] = length
    snapshot.page_caches = search(spans, taken, snapshot.end_page, npages_at, ps)


def span_p(snapshot: Snapshot, r: int) -> int:
    """The P column of a SNAP_SPAN."""
    return snapshot.cached_by.get(r, NO_P)
