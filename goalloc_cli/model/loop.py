"""The loop over events: one event, one verb."""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import apart, inner, kernel
from goalloc_cli.compiled.words import prefetch
from goalloc_cli.model.books.ledger import take_sample
from goalloc_cli.model.books.series import take_due
from goalloc_cli.model.gccycle import flush_all, gc_end, gc_start, request, rest, take_turn, tell_swept
from goalloc_cli.model.malloc import free, malloc, pack_told
from goalloc_cli.model.mcache import prepare_for_sweep
from goalloc_cli.model.pacing.paced import TELL_SWEPT, tick
from goalloc_cli.model.pacing.pacer import begin_pacing, set_gogc
from goalloc_cli.model.pacing.scavenger import advance, begin_scavenger
from goalloc_cli.model.pages.doubt import note_time
from goalloc_cli.model.pages.scavenge import scavenge_all
from goalloc_cli.model.recorded import hint, snapshot
from goalloc_cli.model.recorded.evidence import see_heap_live
from goalloc_cli.model.stack import UNPLACED, stack_alloc, stack_free
from goalloc_cli.model.tables.columns import HANDLES
from goalloc_cli.model.tables.heap import (
    FAULT_LIVE_HANDLE,
    FAULT_MANUAL,
    FAULT_P,
    FAULT_TIME,
    FAULT_UNKNOWN_STACK,
    HEAP,
    NO_SPAN,
    NONE,
    PS,
    SPAN_IN_USE,
)
from goalloc_cli.model.tables.objects import OBJECT_LIVE
from goalloc_cli.model.tables.pallocbits import ZERO
from goalloc_cli.trace.event import BOUND, KIND_MASK, NO_P, NOSCAN, Kind

# Event kinds and flags (trace/event.py, Kind), as kernels see them.
ALLOC = int(Kind.ALLOC)
FREE = int(Kind.FREE)
TINY = int(Kind.TINY)
STACK_ALLOC = int(Kind.STACK_ALLOC)
STACK_FREE = int(Kind.STACK_FREE)
GC_START = int(Kind.GC_START)
GC_END = int(Kind.GC_END)
FLUSH = int(Kind.FLUSH)
CHECKPOINT = int(Kind.CHECKPOINT)
TIME = int(Kind.TIME)
SET_GOGC = int(Kind.SET_GOGC)
FREE_OS_MEMORY = int(Kind.FREE_OS_MEMORY)
SNAP_RANGE = int(Kind.SNAP_RANGE)
SNAP_SPAN = int(Kind.SNAP_SPAN)
SNAP_UNSWEPT = int(Kind.SNAP_UNSWEPT)
SNAP_OBJECT = int(Kind.SNAP_OBJECT)
SNAP_STACK_SPAN = int(Kind.SNAP_STACK_SPAN)
SNAP_STACK = int(Kind.SNAP_STACK)
SNAP_PAGE_CACHE = int(Kind.SNAP_PAGE_CACHE)
SNAP_END = int(Kind.SNAP_END)
SNAP_PADDING = int(Kind.SNAP_PADDING)
SNAP_DEAD = int(Kind.SNAP_DEAD)
FIRST_HINT = 32
FIRST_WITNESS = 48
SAW_HEAP_LIVE = int(Kind.SAW_HEAP_LIVE)

FAR = 48
NEAR = 24
"""How many events ahead the loop asks for what an event will touch: its object's row, then the span of one that dies."""


@kernel
def replay_batch(heap, handles, columns, start, series):
    """Apply events start, start+1, ... of a batch, up to and including the next GC_END, CHECKPOINT or SNAP_END.

    Where the model's own pacer ends cycles, also up to where it ends one; where maps are wanted, to where one is due.

    Args:
        heap: HEAP record.
        handles, columns: tables/columns.py.
        start: index of the first event to apply.
        series: SERIES record (books/series.py): the samples that are taken on the way.

    Returns:
        Index of the first event not applied; after a fault, of the event that could not be applied.
    """
    n = len(columns.kind)
    at = start
    while at < n:
        at, stops = replay_until(heap, handles, columns, at, min(n, series.due - heap.event))
        if heap.fault:
            return at
        if heap.event + at == series.due:
            take_due(heap, handles.objects, series.due, columns.kind[at - 1] & KIND_MASK, series)
        if stops or series.wants_frame:
            return at
    return n


@inner
def replay_until(heap, handles, columns, start, end):
    """Apply events start to end - 1, or up to one behind which Python has something to do. Returns the index of the first
    event not applied, and whether there is something to do."""
    kind, p, handle, size, arg = columns
    objects = handles.objects
    n = len(kind)
    for i in range(start, end):
        heap.event_in_batch = i
        if i + FAR < n:
            prefetch(objects, handle[i + FAR])
            if kind[i + NEAR] & KIND_MASK == FREE:
                prefetch(heap.spans, objects[handle[i + NEAR]].loc >> 16)
        k = kind[i] & KIND_MASK
        # Nearly all events are of these two kinds, and here they are compiled into the loop (`alloc` says the same).
        if k == ALLOC:
            who = np.int64(p[i])
            if who >= heap.nprocs:
                who = another_p(heap, who)
            if heap.mcaches[who].flush_gen != heap.gc.sweepgen:
                prepare_for_sweep(heap, who)
            noscan, bound = kind[i] & NOSCAN != 0, kind[i] & BOUND != 0
            malloc(heap, objects, np.int64(handle[i]), who, size[i], noscan, bound, np.int64(arg[i]))
            if heap.paced.due and not heap.fault and take_turn(heap, who):
                return i + 1, True
        elif k == FREE:
            free(heap, objects, np.int64(handle[i]))
        else:
            apply_other(heap, handles, kind[i], p[i], handle[i], size[i], arg[i])
            if heap.paced.due == TELL_SWEPT:
                tell_swept(heap, 1)
            if k in (GC_END, CHECKPOINT, SNAP_END) and not heap.fault:
                return i + 1, True
        if heap.fault:
            return i, True
    return end, False


@inner
def apply(heap, handles, flags, p, obj, size, arg):
    """Apply one event."""
    k = flags & KIND_MASK
    if k == ALLOC:
        alloc(heap, handles.objects, flags, p, obj, size, arg)
    elif k == FREE:
        free(heap, handles.objects, obj)
    else:
        apply_other(heap, handles, flags, p, obj, size, arg)


@apart
def apply_other(heap: HEAP, handles: HANDLES, flags, p, obj, size, arg) -> None:
    """Apply an event that is neither the allocation of an object nor its death."""
    k = flags & KIND_MASK
    who = p
    # The column of a snapshot's event may hold a slot, or the kind of a span.
    if who >= heap.nprocs and (k < SNAP_RANGE or k >= FIRST_HINT):
        who = another_p(heap, who)
    if k == TINY:
        heap.mcaches[who].tiny_allocs += 1
        heap.stats.tiny_packed += 1
        if heap.knobs.tiny_as_told:
            pack_told(heap, handles.objects[obj], size)
    elif k == TIME:
        if size < heap.time_ns:
            heap.fault = FAULT_TIME
            return
        note_time(heap, size - heap.time_ns)
        rest(heap, size)
        heap.time_ns = size
        advance(heap)
        tick(heap)
    elif k >= FIRST_WITNESS:
        if k == SAW_HEAP_LIVE and heap.gc.hinted:
            see_heap_live(heap, size)
    elif k >= FIRST_HINT:
        if heap.gc.hinted:
            hint.obey(heap, handles, k, who, obj, size, arg)
        else:
            hint.obey_aside(heap, handles.manual_spans, k, obj)
    elif k in (STACK_ALLOC, STACK_FREE):
        prepare_for_sweep(heap, who)
        stack_event(heap, handles.stacks, k, who, obj, size)
    elif k == GC_START:
        if heap.paced.on:
            request(heap, who)
        gc_start(heap, who)
    elif k == GC_END:
        gc_end(heap, who, arg)
        heap.paced.requested = 0
        heap.paced.ended_ns = heap.time_ns
    elif k == FLUSH:
        flush_all(heap)
    elif k == SET_GOGC:
        set_gogc(heap, -1 if arg else size)
    elif k == FREE_OS_MEMORY:
        scavenge_all(heap)
    elif k >= SNAP_RANGE:
        snap_event(heap, handles, flags, p, obj, size, arg)


@inner
def alloc(heap, objects, flags, p, obj, size, arg):
    """An object is allocated."""
    if p >= heap.nprocs:
        p = another_p(heap, p)
    if heap.mcaches[p].flush_gen != heap.gc.sweepgen:
        prepare_for_sweep(heap, p)
    malloc(heap, objects, obj, p, size, flags & NOSCAN != 0, flags & BOUND != 0, arg)


@kernel
def begin(heap):
    """Set the first cycle's goal, before any event."""
    begin_scavenger(heap)
    begin_pacing(heap)


@kernel
def sample_heap(heap, row):
    """Fill in a SAMPLE row with the state of the heap."""
    take_sample(heap, row)


@apart
def another_p(heap: HEAP, p) -> int:
    """The P of an event that names none so far: P 0 for no P at all, else one more P from here on."""
    if p == NO_P:
        return 0
    if p >= PS:
        heap.fault = FAULT_P
        return 0
    heap.nprocs = p + 1
    return p


@inner
def stack_event(heap, stacks, kind, p, handle, stack_bytes):
    """A goroutine stack is taken or given back."""
    if (stacks[handle, 1] == 0) != (kind == STACK_ALLOC):
        heap.fault = FAULT_UNKNOWN_STACK
        return
    if kind == STACK_ALLOC:
        stacks[handle, 0] = stack_alloc(heap, p, stack_bytes)
        stacks[handle, 1] = stack_bytes
        return
    if stacks[handle, 0] != UNPLACED:
        stack_free(heap, p, stacks[handle, 0], stacks[handle, 1])
    stacks[handle, 1] = 0


@apart
def snap_event(heap: HEAP, handles: HANDLES, flags, p, handle, size, arg) -> None:
    """One event of the snapshot. cursor[0] is the span being filled in."""
    objects, stacks, manual_spans, cursor = handles
    k = flags & KIND_MASK
    if k == SNAP_STACK and stacks[handle, 1] != 0:
        heap.fault = FAULT_UNKNOWN_STACK
        return
    if not heap.gc.placed:
        snap_live(heap, handles, k, flags, p, handle, size, arg)
        return
    s = cursor[0]
    if k in (SNAP_OBJECT, SNAP_DEAD):
        snapshot.take_object(heap, objects, handle, s, np.int64(p), size, flags & BOUND != 0, arg, k == SNAP_OBJECT)
        return
    if k == SNAP_UNSWEPT:
        snapshot.mark_unswept(heap, s)
        return
    if k == SNAP_STACK:
        stacks[handle, 0] = snapshot.take_stack(heap, s, arg, size)
        stacks[handle, 1] = size
        return
    if s != NO_SPAN:
        snapshot.complete_span(heap, s) if heap.spans[s].state == SPAN_IN_USE else snapshot.complete_stack_span(heap, s)
    cursor[0] = NO_SPAN
    if k == SNAP_SPAN:
        cursor[0] = snapshot.take_span(heap, size, handle, arg, NONE if p == NO_P else np.int64(p))
    elif k == SNAP_STACK_SPAN and manual_spans[handle] != NO_SPAN:
        heap.fault = FAULT_MANUAL
    elif k == SNAP_STACK_SPAN:
        cursor[0] = snapshot.take_manual(heap, size, arg, np.int64(p))
        manual_spans[handle] = cursor[0]
    elif k == SNAP_RANGE:
        snapshot.take_range(heap, size, handle)
    elif k == SNAP_END:
        snapshot.complete(heap)
    elif k == SNAP_PADDING:
        snapshot.take_padding(heap, size, handle)
    elif k == SNAP_PAGE_CACHE:
        mask = (np.uint64(arg) << np.uint64(32)) | np.uint64(handle)
        if mask != ZERO:
            snapshot.take_page_cache(heap, np.int64(p), size, mask)


@inner
def snap_live(heap, handles, k, flags, p, handle, size, arg):
    """Under a design of its own the heap cannot be taken over: its live objects are allocated anew, by P 0, and as many
    spans of stacks. cursor[0] is the span of stacks being filled in."""
    objects, stacks, manual_spans, cursor = handles
    s = cursor[0]
    if k == SNAP_STACK:
        stacks[handle, 0] = snapshot.carry_stack(heap, s, arg, size)
        stacks[handle, 1] = size
        return
    if s != NO_SPAN:
        snapshot.complete_stack_span(heap, s)
    cursor[0] = NO_SPAN
    if k == SNAP_STACK_SPAN and manual_spans[handle] != NO_SPAN:
        heap.fault = FAULT_MANUAL
    elif k == SNAP_STACK_SPAN:
        cursor[0] = snapshot.carry_over(heap, np.int64(arg), np.int64(p))
        manual_spans[handle] = cursor[0]
    elif k == SNAP_OBJECT:
        malloc(heap, objects, handle, 0, size, flags & NOSCAN != 0, flags & BOUND != 0, arg)
    elif k == SNAP_DEAD and objects[handle].label & OBJECT_LIVE:
        heap.fault = FAULT_LIVE_HANDLE
