"""What a recording tells and the model cannot know: obeyed when the recording is replayed under its own design."""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.model.gccycle import sweep_rest
from goalloc_cli.model.mcache import flush, release_up_to, reserve
from goalloc_cli.model.pacing.memory import NEVER, pace_scavenger
from goalloc_cli.model.pacing.scavenger import ran
from goalloc_cli.model.pages.pagecache import flush_page_cache
from goalloc_cli.model.spans.mheap import alloc_manual, free_manual
from goalloc_cli.model.spans.sweep import is_being_swept, is_stale, is_unswept
from goalloc_cli.model.stack import UNPLACED, announce, withdraw
from goalloc_cli.model.sweeping.reclaim_windows import hint_reclaimed, next_swept
from goalloc_cli.model.sweeping.sweeper import drained, make_up, settle_debt, sweep_alone, sweep_to
from goalloc_cli.model.sweeping.underway import PAYER, begin, end_named, name, take_over
from goalloc_cli.model.tables.columns import HANDLES
from goalloc_cli.model.tables.heap import (
    FAULT_MANUAL,
    HEAP,
    LOCK_STACK,
    LOCK_WORKBUF,
    NO_SPAN,
    NONE,
    SPAN_IN_USE,
    SPAN_STACK,
    SPAN_WORKBUF,
    SWEEPERS,
    SWEPT_OUT_OF_ORDER,
    SWEPT_RECLAIM,
)
from goalloc_cli.trace.event import Kind

# Event kinds (trace/event.py, Kind), as kernels see them.
SWEEP_TO = int(Kind.SWEEP_TO)
SWEEP_COUNT = int(Kind.SWEEP_COUNT)
SWEEP_DRAINED = int(Kind.SWEEP_DRAINED)
SWEEP_CREDIT = int(Kind.SWEEP_CREDIT)
SWEEP_RECLAIM = int(Kind.SWEEP_RECLAIM)
MCACHE_FLUSH = int(Kind.MCACHE_FLUSH)
PAGE_CACHE_FLUSH = int(Kind.PAGE_CACHE_FLUSH)
MANUAL_ALLOC = int(Kind.MANUAL_ALLOC)
MANUAL_FREE = int(Kind.MANUAL_FREE)
RECLAIM_BYTES = int(Kind.RECLAIM_BYTES)
SWEEP_END = int(Kind.SWEEP_END)
REFILL = int(Kind.REFILL)
SWEEP_PAID = int(Kind.SWEEP_PAID)
HEAP_GOAL = int(Kind.HEAP_GOAL)
SCAVENGE = int(Kind.SCAVENGE)
SWEPT_NEXT = int(Kind.SWEPT_NEXT)

FLUSHED = 4
"""Where SWEEP_TO names no sweeper: the span was in an mcache that was flushed."""
ALONE = 5
"""Where SWEEP_TO names no sweeper: somebody needed this span swept, whatever waits before it (Go: ensureSwept)."""


@apart
def obey(heap: HEAP, handles: HANDLES, kind, p, obj, size, arg) -> None:
    """Do what one hint event says."""
    objects, stacks, manual_spans, _ = handles
    if kind == SWEEP_TO:
        swept(heap, objects, p, obj, arg, size)
    elif kind == SWEEP_COUNT:
        make_up(heap, min(arg, SWEEPERS - 1), size)
    elif kind == SWEEP_DRAINED:
        drained(heap)
    elif kind == SWEEP_CREDIT:
        heap.mcaches[p].sweep_credit = size
    elif kind == SWEEP_RECLAIM:
        reclaimed(heap, objects, obj, arg, size)
    elif kind == SWEEP_END:
        end_named(heap, size)
    elif kind == REFILL:
        reserve(heap, p, min(arg, len(heap.central) - 1))
    elif kind == SWEEP_PAID:
        settle_debt(heap, p, size)
    elif kind == RECLAIM_BYTES:
        heap.gc.reclaim_bytes = size
    elif kind == MCACHE_FLUSH:
        if arg == 0:
            flush(heap, p)
        else:
            release_up_to(heap, p, arg)
    elif kind == PAGE_CACHE_FLUSH:
        flush_page_cache(heap, p)
    elif kind == MANUAL_ALLOC:
        manual_alloc(heap, manual_spans, p, obj, size, arg)
    elif kind == MANUAL_FREE:
        manual_free(heap, stacks, manual_spans, obj)
    elif kind == HEAP_GOAL:
        heap_goal(heap, size)
    elif kind == SCAVENGE:
        ran(heap, arg)
    elif kind == SWEPT_NEXT:
        next_swept(heap, objects[obj].loc)


@inner
def obey_aside(heap, manual_spans, kind, handle):
    """Under a design of its own most hints do not fit. Two things are as they were: when the background sweeper had nothing
    left, and that the runtime gave back spans that it held for stacks when the recording began."""
    if kind == SWEEP_DRAINED:
        sweep_rest(heap)
    elif kind == MANUAL_FREE:
        s = manual_spans[handle]
        manual_spans[handle] = NO_SPAN
        if s != NO_SPAN and heap.spans[s].state == SPAN_STACK and heap.spans[s].elem_size == 0:
            free_manual(heap, s)


@inner
def swept(heap, objects, p, obj, sweeper, number):
    """The span of an object was swept, by a sweeper or in a flush; where `number` is not 0, that ends at its SWEEP_END."""
    loc = objects[obj].loc
    if loc == NONE:
        return
    s = loc >> 16
    span = heap.spans[s]
    if span.state != SPAN_IN_USE:
        return
    if is_stale(heap, span):
        release_up_to(heap, span.owner, span.spc)
    elif is_unswept(heap, span) and sweeper == FLUSHED:
        begin(heap, s, SWEPT_OUT_OF_ORDER)
    elif is_unswept(heap, span) and sweeper == ALONE:
        sweep_alone(heap, s)
    elif is_unswept(heap, span) and sweeper == PAYER and heap.mcaches[p].sweep_credit != NONE:
        # It is part of a debt that is told in bytes, and paid when the refill comes.
        heap.mcaches[p].credit_span = s
    elif is_unswept(heap, span):
        sweep_to(heap, s, min(sweeper, SWEEPERS - 1), p)
    elif is_being_swept(heap, span) and sweeper < SWEEPERS:
        take_over(heap, s, sweeper, p, NONE, NONE)
    if is_being_swept(heap, heap.spans[s]):
        name(heap, s, number)


@inner
def reclaimed(heap, objects, obj, here, number):
    """The page reclaimer swept the span of an object: here, or at its next call."""
    loc = objects[obj].loc
    if loc == NONE:
        return
    s = loc >> 16
    hint_reclaimed(heap, s)
    if here and heap.spans[s].state == SPAN_IN_USE and is_unswept(heap, heap.spans[s]):
        begin(heap, s, SWEPT_RECLAIM)
        name(heap, s, number)


@inner
def heap_goal(heap, goal):
    """The recording's heap goal, 0 for none: the model's own lacks the size of stacks and globals."""
    gc = heap.gc
    gc.goal = goal if goal > 0 else NEVER
    gc.trigger = min(gc.trigger, gc.goal)
    pace_scavenger(heap)


@inner
def manual_alloc(heap, manual_spans, p, handle, npages, workbuf):
    """The recording took a span for stacks or work buffers."""
    if manual_spans[handle] != NO_SPAN or npages == 0:
        heap.fault = FAULT_MANUAL
        return
    state = SPAN_WORKBUF if workbuf else SPAN_STACK
    cause = LOCK_WORKBUF if workbuf else LOCK_STACK
    s = alloc_manual(heap, p, npages, state, cause)
    if heap.fault:
        return
    manual_spans[handle] = s
    if not workbuf:
        announce(heap, s)


@inner
def manual_free(heap, stacks, manual_spans, handle):
    """The recording gave a manual span back."""
    s = manual_spans[handle]
    if s == NO_SPAN:
        heap.fault = FAULT_MANUAL
        return
    manual_spans[handle] = NO_SPAN
    if heap.spans[s].state == SPAN_STACK:
        withdraw(heap, s)
        if heap.spans[s].alloc_count > 0:
            displace(heap, stacks, s)
    free_manual(heap, s)


@inner
def displace(heap, stacks, s):
    """Stacks that the model had put in span s, which the recording gave back, are somewhere that the model does not know."""
    span = heap.spans[s]
    first = (span.start_addr - heap.base_addr) // heap.knobs.stack_min
    end = first + (span.npages << heap.knobs.page_shift) // heap.knobs.stack_min
    left = span.alloc_count
    for handle in range(len(stacks)):
        if stacks[handle, 1] != 0 and first <= stacks[handle, 0] < end:
            stacks[handle, 0] = UNPLACED
            left -= 1
            if left == 0:
                return
