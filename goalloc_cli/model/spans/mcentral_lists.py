"""mcentral until Go 1.14: for each span class two linked lists, and for the whole heap a stack of spans to be swept.

`nonempty` holds spans with a free slot, `empty` those without and those that an mcache holds; swept spans stand at the end
of `empty`. Of the two sweep stacks one is filled by new and swept spans, the other is emptied by the sweeper; they swap
roles when a cycle ends. An entry whose span was swept meanwhile is known by its sweepgen. (Go: mcentral.go)
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Reclaim
from goalloc_cli.model.spans.sweep import is_unswept, sweep_span
from goalloc_cli.model.tables.heap import LISTED_PAGES, NO_SPAN, NONE, SWEPT_REFILL
from goalloc_cli.model.tables.nodes import free_node, new_node
from goalloc_cli.model.tables.spanlist import insert, insert_back, remove

# Where a span is linked.
NOWHERE = 0
NONEMPTY = 1
EMPTY = 2
BUSY = 3


@inner
def cache_span(heap, spc):
    """A swept span of the class with a free slot, or NO_SPAN: then the class has to grow. (Go: mcentral.go, cacheSpan)"""
    central = heap.central[spc]
    s = central.nonempty.first
    if s != NO_SPAN:
        move_to_empty(heap, s)
        if is_unswept(heap, heap.spans[s]):
            sweep_for_refill(heap, s)
            central.from_partial_unswept += 1
        else:
            central.from_partial_swept += 1
        return s
    s = central.empty.first
    while s != NO_SPAN and is_unswept(heap, heap.spans[s]):
        move_to_empty(heap, s)
        sweep_for_refill(heap, s)
        if heap.spans[s].alloc_count < heap.spans[s].nelems:
            central.from_full_unswept += 1
            return s
        s = central.empty.first
    # All spans after a swept one are swept too.
    return NO_SPAN


@inner
def sweep_for_refill(heap, s):
    """Sweep a span that stays in `empty`, whatever it turns out to hold."""
    sweep_span(heap, s, SWEPT_REFILL)
    heap.central[heap.spans[s].spc].swept_for_refill += 1
    push_swept(heap, s)


@inner
def uncache_span(heap, s):
    """Link a span that an mcache gave up: a full one stays in `empty`."""
    span = heap.spans[s]
    if span.alloc_count < span.nelems:
        move_to_nonempty(heap, s)


@inner
def file_swept(heap, s):
    """Link a span that was just swept and stays in use: one that was full and has room now comes first."""
    span = heap.spans[s]
    if span.listed == EMPTY and span.alloc_count < span.nelems:
        move_to_nonempty(heap, s)
    push_swept(heap, s)


@inner
def file_new(heap, s):
    """Link a new span: a small one in `empty`, for an mcache takes it at once."""
    if heap.spans[s].spc >= 2:
        move_to_empty(heap, s)
    else:
        link_busy(heap, s)
    push_swept(heap, s)


@inner
def file_found(heap, s):
    """Link a span that a snapshot found: each list is found from its front on."""
    span = heap.spans[s]
    if span.spc < 2:
        link_busy(heap, s)
    elif span.alloc_count < span.nelems:
        insert_back(heap, heap.central[span.spc].nonempty, s)
        span.listed = NONEMPTY
    else:
        move_to_empty(heap, s)
    push(heap, 1 - heap.gc.parity if is_unswept(heap, span) else heap.gc.parity, s)


@inner
def link_busy(heap, s):
    """Link a large object's span where the reclaimer of busy lists looks for it; others need no such list."""
    if heap.knobs.reclaim == Reclaim.BUSY_LISTS:
        span = heap.spans[s]
        insert_back(heap, heap.busy[min(span.npages, LISTED_PAGES)], s)
        span.listed = BUSY


@inner
def move_to_empty(heap, s):
    """Link a span at the end of `empty`."""
    unlink(heap, s)
    insert_back(heap, heap.central[heap.spans[s].spc].empty, s)
    heap.spans[s].listed = EMPTY


@inner
def move_to_nonempty(heap, s):
    """Link a span at the front of `nonempty`."""
    unlink(heap, s)
    insert(heap, heap.central[heap.spans[s].spc].nonempty, s)
    heap.spans[s].listed = NONEMPTY


@inner
def unlink(heap, s):
    """Take a span out of the list that it is in."""
    span = heap.spans[s]
    if span.listed == NONEMPTY:
        remove(heap, heap.central[span.spc].nonempty, s)
    elif span.listed == EMPTY:
        remove(heap, heap.central[span.spc].empty, s)
    elif span.listed == BUSY:
        remove(heap, heap.busy[min(span.npages, LISTED_PAGES)], s)
    span.listed = NOWHERE


@inner
def push_swept(heap, s):
    """Put a new or swept span on the stack of those to be swept in the next cycle."""
    push(heap, heap.gc.parity, s)


@inner
def push(heap, parity, s):
    """Put span s on one of the two sweep stacks."""
    n = new_node(heap, s)
    if n != NONE:
        heap.nodes[n].next = heap.sweep_stacks[parity]
        heap.sweep_stacks[parity] = n


@inner
def next_unswept(heap):
    """The unswept span that was pushed last, or NO_SPAN when none is left. (Go: mgcsweep.go, sweepone)"""
    parity = 1 - heap.gc.parity
    while heap.sweep_stacks[parity] != NONE:
        n = heap.sweep_stacks[parity]
        s = heap.nodes[n].span
        heap.sweep_stacks[parity] = heap.nodes[n].next
        free_node(heap, n)
        if is_unswept(heap, heap.spans[s]):
            return s
    return NO_SPAN
