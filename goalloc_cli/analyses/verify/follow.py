"""The loops of `verify`: the model's decisions against what the real runtime did.

`run_free` lets the model run by itself and only looks. `run_set_right` judges decision by decision: which span a P takes at
a refill, which page a new span gets, which slot of the span; after each that differs, the model is moved to where the real
runtime was, and goes on. The model never sees an address that it should have found before it has decided.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.analyses.verify.judge import (
    FREE_RUNNING,
    HEAP_LIVE,
    MANUAL_PAGE,
    STACK,
    alloc,
    grown,
    page_cache_of,
    place_at,
    score,
)
from goalloc_cli.analyses.verify.setright import drop_span, end_set_aside
from goalloc_cli.analyses.verify.setright_pages import end_hold
from goalloc_cli.analyses.verify.setright_stacks import place_stack
from goalloc_cli.analyses.verify.truth import SAW_SPAN_ALLOC, SAW_SPAN_FREE, note_truth, page_at
from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.compiled.words import prefetch
from goalloc_cli.model.loop import (
    ALLOC,
    CHECKPOINT,
    FAR,
    FREE,
    GC_START,
    KIND_MASK,
    NEAR,
    NO_P,
    SNAP_END,
    SNAP_SPAN,
    STACK_ALLOC,
    apply,
)
from goalloc_cli.model.spans.mheap import free_span, page_of
from goalloc_cli.model.tables.heap import NO_SPAN, NONE
from goalloc_cli.trace.event import Kind

MANUAL_ALLOC = int(Kind.MANUAL_ALLOC)
SAW_HEAP_LIVE = int(Kind.SAW_HEAP_LIVE)


@inner
def ask_ahead(heap, objects, kind, handle, i):
    """Ask for the memory that the events behind event i will touch, as `loop.replay_batch` does."""
    if i + FAR < len(kind):
        prefetch(objects, handle[i + FAR])
    if i + NEAR < len(kind) and kind[i + NEAR] & KIND_MASK == FREE:
        prefetch(heap.spans, objects[handle[i + NEAR]].loc >> 16)


@kernel
def run_free(heap, handles, columns, addr, start, kept):
    """Apply events start, start+1, ... up to and including the next GC_START, CHECKPOINT or SNAP_END; score addresses.

    Args:
        heap, handles, columns, start: as for loop.replay_batch.
        addr: witnesses, i8, 0 where there is none.
        kept: rows and truth of it are changed.

    Returns:
        Index of the first event not applied; after a fault, of the event that could not be applied.
    """
    kind, p, handle, size, arg = columns
    objects, rows, truth = handles.objects, kept.rows, kept.truth
    for i in range(start, len(kind)):
        heap.event_in_batch = i
        ask_ahead(heap, objects, kind, handle, i)
        k = kind[i] & KIND_MASK
        apply(heap, handles, kind[i], p[i], handle[i], size[i], arg[i])
        if heap.fault:
            return i
        # What has no size has no place in the heap, whatever address it was seen at.
        if k == ALLOC and addr[i] != 0 and size[i] != 0:
            loc = objects[handle[i]].loc
            span = heap.spans[loc >> 16]
            score(heap, rows, FREE_RUNNING, span.start_addr + (loc & 0xFFFF) * span.elem_size == addr[i])
        else:
            note_truth(heap, truth, k, np.int64(handle[i]), size[i], np.int64(arg[i]), addr[i])
        if k in (GC_START, CHECKPOINT, SNAP_END):
            return i + 1
    return len(kind)


@kernel
def run_set_right(heap, handles, columns, addr, start, kept):
    """Apply events start, start+1, ... to the end of the batch, scoring each decision and setting the model right.

    Only recordings with hints are set right. Their addresses are pages that the model can have (`verify.strays`).

    Args:
        heap, handles, columns, addr, start: as for run_free.
        kept: changed.

    Returns:
        Index of the first event not applied: the batch's length unless there was a fault.
    """
    kind, p, handle, size, arg = columns
    rows, seen, truth = kept
    hinted = heap.gc.hinted
    for i in range(start, len(kind)):
        heap.event_in_batch = i
        ask_ahead(heap, handles.objects, kind, handle, i)
        k = kind[i] & KIND_MASK
        who = np.int64(p[i])
        if who == NO_P or who >= heap.nprocs:
            who = 0
        if k == ALLOC and addr[i] != 0 and size[i] != 0 and hinted:
            row = handles.objects[np.int64(handle[i])]
            alloc(heap, row, kept, who, size[i], kind[i], np.int64(arg[i]), addr[i])
        elif k == SAW_SPAN_ALLOC:
            note_truth(heap, truth, k, np.int64(handle[i]), size[i], np.int64(arg[i]), addr[i])
            if arg[i] > 1 and hinted:
                grown(heap, kept, who, np.int64(arg[i]), page_at(heap, addr[i]))
        elif k == SAW_SPAN_FREE:
            note_truth(heap, truth, k, np.int64(handle[i]), size[i], np.int64(arg[i]), addr[i])
            # With one P the model's own order of events is whole, and it gives the span back by itself.
            if hinted and heap.nprocs > 1:
                s = heap.page_span[page_at(heap, addr[i])]
                if s != NO_SPAN and drop_span(heap, s):
                    free_span(heap, s)
        elif k == SAW_HEAP_LIVE:
            seen[0] = seen[1]
            seen[1] = size[i]
            if seen[2 + who] != NONE:
                # The first that is told has nothing before it to be held against.
                if seen[0] != NONE:
                    score(heap, rows, HEAP_LIVE, seen[2 + who] == seen[1] - seen[0])
                seen[2 + who] = NONE
        elif k == MANUAL_ALLOC and addr[i] != 0 and hinted:
            page = page_at(heap, addr[i])
            was = page_cache_of(heap, who)
            apply(heap, handles, kind[i], who, handle[i], size[i], arg[i])
            if not heap.fault:
                manual(heap, rows, who, handles.manual_spans[handle[i]], page, was)
        else:
            if k == GC_START:
                end_set_aside(heap)
                end_hold(heap, NONE)
            apply(heap, handles, kind[i], p[i], handle[i], size[i], arg[i])
            if k == SNAP_SPAN:
                note_truth(heap, truth, k, np.int64(handle[i]), size[i], np.int64(arg[i]), addr[i])
            elif k == STACK_ALLOC and addr[i] != 0 and hinted and not heap.fault:
                piece = (addr[i] - heap.base_addr) // heap.knobs.stack_min
                right = handles.stacks[handle[i], 0] == piece
                score(heap, rows, STACK, right)
                if not right:
                    place_stack(heap, handles.stacks, handle[i], who, piece)
        if heap.fault:
            return i
    return len(kind)


@inner
def manual(heap, rows, p, s, page, was):
    """A span for stacks or work buffers was made: score its page, set it right; P's page cache was as it `was` before."""
    right = page_of(heap, heap.spans[s]) == page
    score(heap, rows, MANUAL_PAGE, right)
    if not right:
        place_at(heap, rows, MANUAL_PAGE, p, s, page, was)
