"""Allocate and free an object: tiny, small or large. (Go: malloc.go; allocator.md 2)"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import apart, hot, inner
from goalloc_cli.model.mcache import next_free
from goalloc_cli.model.pacing.paced import look
from goalloc_cli.model.spans.mcentral import file_new
from goalloc_cli.model.spans.mheap import alloc_span
from goalloc_cli.model.spans.sweep import awaits_sweep
from goalloc_cli.model.sweeping.reclaim import reclaim
from goalloc_cli.model.sweeping.sweeper import deduct_sweep_credit
from goalloc_cli.model.tables.columns import OBJECTS
from goalloc_cli.model.tables.heap import (
    FAULT_DOUBLE_FREE,
    FAULT_LIVE_HANDLE,
    FAULT_SIZE,
    HEAP,
    LOCK_LARGE,
    NO_SPAN,
    NONE,
    PAGES,
)
from goalloc_cli.model.tables.objects import OBJECT_BOUND, OBJECT_LIVE, name_object
from goalloc_cli.model.tables.slotbits import (
    TINY_SPC,
    add_sharer,
    clear_live,
    drop_sharer,
    keep_marks,
    set_live,
    set_mark,
    sharers,
)

TINY_BLOCK = 16
"""Bytes in a block of tiny objects."""


@hot
def malloc(heap, objects, obj, p, size, noscan, bound, type_id):
    """Allocate `size` bytes for P under the handle `obj`; `bound` says that the size is only the most it can be."""
    row = objects[obj]
    if row.label & OBJECT_LIVE:
        heap.fault = FAULT_LIVE_HANDLE
        return
    # Looked up, not asked for: whether an object has pointers is a coin's toss, and a wrong guess costs more than all this.
    noscan = np.int64(noscan)
    if size > heap.knobs.small_limit or size < heap.by_noscan[noscan].least_small:
        malloc_other(heap, objects, obj, p, size, noscan != 0, bound, type_id)
        return
    # A slot of the smallest class that holds the object and, if it needs one, its header.
    header = 8 * np.int64(size > heap.by_noscan[noscan].most_bare)
    spc = 2 * heap.size_to_class[(size + header + 7) >> 3] + noscan
    s, slot = next_free(heap, p, spc)
    if s == NO_SPAN:
        return
    born(heap, heap.spans[s], spc, slot)
    hand_out(heap, row, s, slot, spc, size, bound, type_id)


@apart
def malloc_other(heap: HEAP, objects: OBJECTS, obj, p, size, noscan: bool, bound: bool, type_id) -> None:
    """The same for what is not small: without size, large, tiny."""
    loc = NONE
    if size > heap.knobs.small_limit:
        loc = malloc_large(heap, p, size, noscan)
    elif size > 0:
        loc = malloc_tiny(heap, p, size)
    if heap.fault:
        return
    row = objects[obj]
    if loc == NONE:
        # Go gives every object without size the same address, and accounts for none of them.
        name_object(row, NONE, 0, bound, type_id)
        return
    s, slot = loc >> 16, loc & 0xFFFF
    hand_out(heap, row, s, slot, heap.spans[s].spc, size, bound, type_id)


@hot
def hand_out(heap, row, s, slot, spc, size, bound, type_id):
    """A handle stands for the object in a slot of span s."""
    name_object(row, (s << 16) | slot, heap.spans[s].elem_size - size, bound, type_id)
    by = heap.by_spc[spc]
    by.requested += size
    if bound:
        by.bound += 1


@inner
def malloc_tiny(heap, p, size):
    """Room in P's current block of tiny objects, or a new block. (Go: mallocgcTiny; allocator.md 2.2)"""
    cache = heap.mcaches[p]
    offset = cache.tiny_offset
    if size & 7 == 0:
        offset = (offset + 7) & ~7
    elif size & 3 == 0:
        offset = (offset + 3) & ~3
    elif size & 1 == 0:
        offset = (offset + 1) & ~1
    if not heap.knobs.tiny_as_told and cache.tiny_span != NO_SPAN and offset + size <= TINY_BLOCK:
        cache.tiny_offset = offset + size
        cache.tiny_allocs += 1
        heap.stats.tiny_packed += 1
        loc = (cache.tiny_span << 16) | cache.tiny_slot
        share(heap, loc)
        return loc
    s, slot = next_free(heap, p, TINY_SPC)
    if s == NO_SPAN:
        return NONE
    heap.stats.tiny_blocks += 1
    born(heap, heap.spans[s], TINY_SPC, slot)
    # Whichever of the two blocks has more room left becomes the current one. Where packing is told, so is each death:
    # a cycle must keep no block for being the current one.
    if not heap.knobs.tiny_as_told and (cache.tiny_span == NO_SPAN or size < cache.tiny_offset):
        cache.tiny_span = s
        cache.tiny_slot = slot
        cache.tiny_offset = size
    return (s << 16) | slot


@inner
def pack_told(heap, row, size):
    """A tiny object of this size was packed into the block of an object; one that the snapshot brought is full already."""
    if row.label & OBJECT_LIVE and size <= row.unused:
        row.unused -= size
        heap.by_spc[TINY_SPC].requested += size


@inner
def malloc_large(heap, p, size, noscan):
    """A span of its own. (Go: mcache.go, allocLarge)"""
    shift = heap.knobs.page_shift
    if size >= PAGES << shift:
        heap.fault = FAULT_SIZE
        return NONE
    npages = (size + (1 << shift) - 1) >> shift
    span_bytes = npages << shift
    deduct_sweep_credit(heap, p, span_bytes, npages)
    if heap.gc.sweeping:
        reclaim(heap, npages)
    spc = 1 if noscan else 0
    s = alloc_span(heap, p, npages, spc, LOCK_LARGE)
    if heap.fault:
        return NONE
    span = heap.spans[s]
    span.alloc_count = 1
    span.alloc_cache = 0
    heap.gc.heap_live += span_bytes
    heap.gc.heap_alloc += span_bytes
    look(heap)
    by = heap.by_spc[spc]
    by.large_alloc_bytes += span_bytes
    by.large_used_bytes += span_bytes
    by.large_live_bytes += span_bytes
    file_new(heap, s)
    born(heap, span, spc, 0)
    return s << 16


@hot
def born(heap, span, spc, slot):
    """A slot was taken for a new object: it is live, and marked if marking is under way."""
    gc = heap.gc
    set_live(heap, span, slot)
    heap.by_spc[spc].mallocs += 1
    if spc == TINY_SPC:
        add_sharer(heap, span, slot)
    if gc.marking:
        span.black_cycle = gc.cycle
        gc.marked += span.elem_size
        if span.mark_cycle == gc.cycle:
            set_mark(heap, span, slot)


@inner
def share(heap, loc):
    """One more object lives in a tiny block, which may have had no live one left."""
    span = heap.spans[loc >> 16]
    slot = loc & 0xFFFF
    if sharers(heap, span, slot) == 0:
        set_live(heap, span, slot)
        heap.by_spc[TINY_SPC].died -= 1
    add_sharer(heap, span, slot)


@hot
def free(heap, objects, obj):
    """The object is dead. Its slot is free after the sweep of the next cycle that starts."""
    row = objects[obj]
    label = row.label
    if not label & OBJECT_LIVE:
        heap.fault = FAULT_DOUBLE_FREE
        return
    row.label = 0
    loc = row.loc
    if loc == NONE:
        return
    span = heap.spans[loc >> 16]
    slot = loc & 0xFFFF
    by = heap.by_spc[span.spc]
    by.requested -= span.elem_size - row.unused
    if label & OBJECT_BOUND:
        by.bound -= 1
    if span.spc == TINY_SPC and drop_sharer(heap, span, slot) > 0:
        return
    gc = heap.gc
    # What a cycle marked must not change any more once its marking has begun, until the span is swept.
    to_be_swept = (gc.marking != 0) | awaits_sweep(heap, span)
    if to_be_swept and span.mark_cycle != gc.cycle:
        keep_marks(heap, span, gc.cycle)
    clear_live(heap, span, slot)
    by.died += 1
    if span.spc < 2:
        by.large_live_bytes -= span.elem_size
