"""Move a goroutine stack to where the real runtime had it: the part of `setright.py` about stacks."""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.stack import contains, cut, insert, is_pooled, order_of, pool_free, remove, span_of_piece
from goalloc_cli.model.tables.heap import NO_SPAN, NONE, SPAN_STACK

MISSING = -3
"""What `unlinked` returns where the piece is not in the list."""


@inner
def place_stack(heap, stacks, handle, p, piece):
    """P's stack `handle`, just taken, is the one that begins at another piece. The one that it had waits where that one did;
    in P's own cache it is the next.

    Nothing moves where the other piece is not free in the model, or is no piece of a pool.
    """
    wrong = stacks[handle, 0]
    order = order_of(heap, stacks[handle, 1])
    if not is_pooled(heap, order):
        return
    q = take_piece(heap, order, piece)
    if q == MISSING:
        return
    stacks[handle, 0] = piece
    if wrong >= 0 and q == NONE:
        pool_free(heap, wrong, order)
    elif wrong >= 0:
        cache = heap.mcaches[q]
        heap.stack_next[wrong] = cache.stack_list[order]
        cache.stack_list[order] = wrong
        cache.stack_bytes[order] += heap.knobs.stack_min << order


@inner
def take_piece(heap, order, piece):
    """Take a free piece out of where it waits; return the P whose cache that is, NONE for a pool, MISSING for neither."""
    for q in range(heap.nprocs):
        cache = heap.mcaches[q]
        first = unlinked(heap, cache.stack_list[order], piece)
        if first != MISSING:
            cache.stack_list[order] = first
            cache.stack_bytes[order] -= heap.knobs.stack_min << order
            return q
    s = span_of_piece(heap, piece)
    if s == NO_SPAN or heap.spans[s].state != SPAN_STACK:
        return MISSING
    span = heap.spans[s]
    if span.npages << heap.knobs.page_shift != heap.knobs.stack_span_bytes:
        # No pool cuts spans of another length.
        return MISSING
    is_announced = contains(heap, heap.stacks.announced, s)
    if is_announced:
        heap.stacks.announced = remove(heap, heap.stacks.announced, s)
    if is_announced or span.elem_size == 0:
        # No stack was in it when the recording started: which size it is for shows only now.
        cut(heap, s, order)
        heap.stacks.pool[order] = insert(heap, heap.stacks.pool[order], s)
    if not contains(heap, heap.stacks.pool[order], s):
        return MISSING
    first = unlinked(heap, span.free_list, piece)
    if first == MISSING:
        return MISSING
    span.free_list = first
    span.alloc_count += 1
    if first == NONE:
        heap.stacks.pool[order] = remove(heap, heap.stacks.pool[order], s)
    return NONE


@inner
def unlinked(heap, first, piece):
    """Take a piece out of the list that begins with `first`; return the list's new first piece."""
    if first == piece:
        return heap.stack_next[piece]
    at = first
    while at != NONE:
        if heap.stack_next[at] == piece:
            heap.stack_next[at] = heap.stack_next[piece]
            return first
        at = heap.stack_next[at]
    return MISSING
