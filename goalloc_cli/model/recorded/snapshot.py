"""Take over a heap as a recording found it: address ranges, spans, objects, stacks, page caches."""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import Pages
from goalloc_cli.model.pages.pagealloc import add_range, alloc_range
from goalloc_cli.model.pages.pagealloc_radix import pad, summarize
from goalloc_cli.model.pages.pagecache import take_block
from goalloc_cli.model.pages.touched import note_manual, note_objects, note_stack
from goalloc_cli.model.spans.mcentral import file_cached, file_found
from goalloc_cli.model.spans.mheap import (
    account_pages,
    alloc_manual,
    count_in_use,
    count_manual,
    init_heap_span,
    new_span,
)
from goalloc_cli.model.spans.sweep import awaits_sweep
from goalloc_cli.model.stack import insert, is_pooled, order_of, stack_alloc
from goalloc_cli.model.tables.heap import (
    FAULT_LIVE_HANDLE,
    FAULT_PAGES,
    FAULT_SNAPSHOT,
    LOCK_STACK,
    LOCK_WORKBUF,
    NO_SPAN,
    NONE,
    SPAN_IN_USE,
    SPAN_STACK,
    SPAN_WORKBUF,
)
from goalloc_cli.model.tables.objects import OBJECT_LIVE, name_object
from goalloc_cli.model.tables.pallocbits import ZERO, get_bit
from goalloc_cli.model.tables.slotbits import (
    TINY_SPC,
    add_sharer,
    count_marked,
    is_allocated,
    load_alloc_cache,
    set_allocated,
    set_live,
)

RECORDED_SHIFT, RECORDED_STACK = 13, 2048
"""Pages and smallest stacks of every release whose heap can be recorded."""


@inner
def own_page(heap, page):
    """A page number of the recording, counted from the heap's base; NONE (and a fault) where it lies outside."""
    own = page - (heap.base_addr >> heap.knobs.page_shift)
    if own < 0 or own >= heap.most_pages:
        heap.fault = FAULT_PAGES
        return NONE
    return own


@inner
def take_range(heap, page, npages):
    """The heap has been given these pages, which follow those that it had."""
    page = own_page(heap, page)
    if heap.fault or page + npages > heap.most_pages:
        heap.fault = FAULT_PAGES
        return
    is_first = heap.end_page == heap.first_page
    if npages == 0 or (page != heap.end_page and not is_first):
        heap.fault = FAULT_SNAPSHOT
        return
    if is_first:
        heap.first_page = page
        heap.search_page = page
    add_range(heap, page, npages)


@inner
def take_padding(heap, page, npages):
    """These pages are never used."""
    page = own_page(heap, page)
    if heap.fault:
        return
    # Runs of free pages are beside the bitmap; no design with them has padding.
    if heap.knobs.pages != Pages.BITMAP or not is_free(heap, page, npages):
        heap.fault = FAULT_SNAPSHOT
        return
    pad(heap, page, npages)


@inner
def is_free(heap, page, npages):
    """True where all of these pages are in the heap, and free in its bitmap."""
    if npages == 0 or page < heap.first_page or page + npages > heap.end_page:
        return False
    taken = 0
    for i in range(page, page + npages):
        taken += get_bit(heap.allocated_bits, i)
    return taken == 0


@inner
def take_span(heap, page, npages, spc, p):
    """A heap span, its slots still free; cached by P `p` unless that is NONE. Returns its row, NO_SPAN after a fault."""
    s = place(heap, page, npages, SPAN_IN_USE)
    if heap.fault:
        return NO_SPAN
    if spc >= 2 and (spc >= len(heap.spanclasses) or heap.spanclasses[spc].npages != npages):
        heap.fault = FAULT_SNAPSHOT
        return NO_SPAN
    init_heap_span(heap, s, spc)
    if heap.fault:
        return NO_SPAN
    note_objects(heap, own_page(heap, page), npages, spc < 2)
    count_in_use(heap, spc, npages)
    if p != NONE and spc >= 2 and heap.mcaches[p].alloc[spc] != NO_SPAN:
        heap.fault = FAULT_SNAPSHOT
        return NO_SPAN
    if p != NONE and spc >= 2:
        heap.spans[s].owner = p
        heap.spans[s].sweepgen = heap.gc.sweepgen + 3
        heap.mcaches[p].alloc[spc] = s
    return s


@inner
def place(heap, page, npages, state):
    """A span row on exactly these pages, which must be free."""
    page = own_page(heap, page)
    if heap.fault:
        return NO_SPAN
    if not is_free(heap, page, npages):
        heap.fault = FAULT_SNAPSHOT
        return NO_SPAN
    released = alloc_range(heap, page, npages)
    s = new_span(heap, page, npages, state)
    if not heap.fault:
        account_pages(heap, npages, released)
    return s


@inner
def mark_unswept(heap, s):
    """The span waits to be swept."""
    if s == NO_SPAN or heap.spans[s].state != SPAN_IN_USE:
        heap.fault = FAULT_SNAPSHOT
        return
    if heap.spans[s].owner == NONE:
        heap.spans[s].sweepgen = heap.gc.sweepgen - 2
    else:
        heap.spans[s].sweepgen = heap.gc.sweepgen + 1
    heap.gc.sweeping = 1


@inner
def take_object(heap, objects, obj, s, slot, size, bound, type_id, live):
    """An object in a slot of span s; not live: dead, and to be freed by the sweep."""
    row = objects[obj]
    if row.label & OBJECT_LIVE:
        heap.fault = FAULT_LIVE_HANDLE
        return
    span = heap.spans[s]
    has_slot = s != NO_SPAN and span.state == SPAN_IN_USE and slot < span.nelems and size <= span.elem_size
    if not has_slot or is_allocated(heap, span, slot):
        heap.fault = FAULT_SNAPSHOT
        return
    set_allocated(heap, span, slot)
    span.alloc_count += 1
    by = heap.by_spc[span.spc]
    by.mallocs += 1
    heap.gc.heap_alloc += span.elem_size
    large = span.spc < 2
    if large:
        by.large_alloc_bytes += span.elem_size
        by.large_used_bytes += span.elem_size
    name_object(row, (s << 16) | slot, span.elem_size - size, bound, type_id)
    if not live:
        by.died += 1
        row.label = 0
        return
    set_live(heap, span, slot)
    if span.spc == TINY_SPC:
        add_sharer(heap, span, slot)
    by.requested += size
    if bound:
        by.bound += 1
    if large:
        by.large_live_bytes += span.elem_size


@inner
def complete_span(heap, s):
    """All objects of span s are known: file it, unless a P caches it."""
    if s == NO_SPAN:
        return
    span = heap.spans[s]
    load_alloc_cache(heap, span, 0)
    if awaits_sweep(heap, span):
        dead = span.alloc_count - count_marked(heap, span, heap.gc.cycle)
        heap.by_spc[span.spc].found_bytes += dead * span.elem_size
    if span.owner != NONE:
        span.alloc_count_at_cache = span.alloc_count
        file_cached(heap, s)
    else:
        file_found(heap, s)


@inner
def complete(heap):
    """All is known. Where the trace does not tell how far the next cycle is, all spans count as used up."""
    if heap.gc.hinted:
        count_live(heap)
    else:
        heap.gc.heap_live = heap.stats.in_use


@inner
def take_manual(heap, page, npages, workbuf):
    """A span of stacks or of GC work buffers; NO_SPAN after a fault."""
    state = SPAN_WORKBUF if workbuf else SPAN_STACK
    s = place(heap, page, npages, state)
    if heap.fault:
        return NO_SPAN
    note_manual(heap, own_page(heap, page), npages, 0)
    count_manual(heap, state, npages << heap.knobs.page_shift)
    return s


@inner
def carry_over(heap, npages, workbuf):
    """Under a design of its own: a span of stacks or of GC work buffers of the recording's start, somewhere; NO_SPAN after a
    fault. npages are of 8 KiB."""
    shift = heap.knobs.page_shift
    npages = ((npages << RECORDED_SHIFT) + (1 << shift) - 1) >> shift
    if npages == 0 or npages > heap.most_pages:
        heap.fault = FAULT_SNAPSHOT
        return NO_SPAN
    if not workbuf:
        return alloc_manual(heap, 0, npages, SPAN_STACK, LOCK_STACK)
    s = alloc_manual(heap, 0, npages, SPAN_WORKBUF, LOCK_WORKBUF)
    if not heap.fault:
        heap.spans[s].next = heap.gc.workbuf_list
        heap.gc.workbuf_list = s
        heap.gc.workbufs += 1
    return NO_SPAN


@inner
def carry_stack(heap, s, index, stack_bytes):
    """The same of a stack: its first piece in span s, where that was carried over as it was; else anywhere."""
    alike = heap.knobs.stack_min == RECORDED_STACK and heap.knobs.page_shift == RECORDED_SHIFT
    if s == NO_SPAN or not alike:
        return stack_alloc(heap, 0, stack_bytes)
    return take_stack(heap, s, index, stack_bytes)


@inner
def take_stack(heap, s, index, stack_bytes):
    """A stack in use at piece `index` of span s: its first piece; NONE after a fault."""
    order = order_of(heap, stack_bytes)
    if order == NONE or s == NO_SPAN:
        heap.fault = FAULT_SNAPSHOT
        return NONE
    span = heap.spans[s]
    first = index * heap.knobs.stack_min
    fits = first % stack_bytes == 0 and first + stack_bytes <= span.npages << heap.knobs.page_shift
    if span.state != SPAN_STACK or not fits or span.elem_size not in (0, stack_bytes):
        heap.fault = FAULT_SNAPSHOT
        return NONE
    piece = (span.start_addr - heap.base_addr) // heap.knobs.stack_min + index
    is_taken = heap.stack_next[piece] == piece if is_pooled(heap, order) else span.alloc_count > 0
    if is_taken and piece != 0:
        heap.fault = FAULT_SNAPSHOT
        return NONE
    span.elem_size = stack_bytes
    span.alloc_count += 1
    if is_pooled(heap, order):
        # Until the span is complete, its used pieces point at themselves.
        heap.stack_next[piece] = piece
    note_stack(heap, piece, min(stack_bytes, 1 << heap.knobs.page_shift))
    return piece


@inner
def complete_stack_span(heap, s):
    """All stacks of span s are known: its other pieces are free, the highest to be used first."""
    if s == NO_SPAN or heap.spans[s].state != SPAN_STACK:
        return
    span = heap.spans[s]
    if span.elem_size == 0:
        return
    order = order_of(heap, span.elem_size)
    if not is_pooled(heap, order):
        return
    first = (span.start_addr - heap.base_addr) // heap.knobs.stack_min
    for piece in range(first, first + (span.npages << heap.knobs.page_shift) // heap.knobs.stack_min, 1 << order):
        if piece != 0 and heap.stack_next[piece] == piece:
            continue
        heap.stack_next[piece] = span.free_list
        span.free_list = piece
    if span.free_list != NONE:
        heap.stacks.pool[order] = insert(heap, heap.stacks.pool[order], s)


@inner
def take_page_cache(heap, p, page, mask):
    """P holds those pages of a 64-page block whose bits are set in mask."""
    page = own_page(heap, page)
    if heap.fault or heap.knobs.page_cache == 0:
        # A design without page caches has those pages where all free ones are.
        return
    outside = p >= heap.nprocs or page % 64 != 0 or page < heap.first_page or page + 64 > heap.end_page
    if outside or heap.mcaches[p].page_cache_bits != ZERO:
        heap.fault = FAULT_SNAPSHOT
        return
    take_block(heap, p, page >> 6)
    cache = heap.mcaches[p]
    back = cache.page_cache_bits & ~mask
    if back == ZERO:
        return
    cache.page_cache_bits &= mask
    heap.allocated_bits[page >> 6] &= ~back
    heap.scavenged_bits[page >> 6] |= cache.page_cache_scav & back
    cache.page_cache_scav &= mask
    summarize(heap, page, 1)
    heap.search_page = min(heap.search_page, page & ~63)


@inner
def count_live(heap):
    """Set heapLive to what the pacer had counted: all of every span, but for the free slots of those that were given up."""
    live = 0
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state == SPAN_IN_USE:
            live += span.npages << heap.knobs.page_shift
            if span.owner == NONE:
                live -= (span.nelems - span.alloc_count) * span.elem_size
    heap.gc.heap_live = live
