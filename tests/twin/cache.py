"""A P's mcache, and allocation from it (mcache.go, malloc.go)."""

from __future__ import annotations

from goalloc_cli.design.allocator import Design
from tests.twin.central import alloc_span, cache_span, uncache_span
from tests.twin.heap import Heap, Span
from tests.twin.paced import look
from tests.twin.sizeclasses import class_of
from tests.twin.stacks import stack_cache_clear
from tests.twin.sweep import deduct_sweep_credit

HEADER_BYTES = 8
"""The malloc header: a pointer to the type (malloc.go, mallocHeaderSize)."""

ZERO_ADDR = 0
"""What an allocation of nothing returns. Unlike Go: the address of a global variable."""


def malloc(h: Heap, p: int, size: int, noscan: bool) -> tuple[Span, int, int]:
    """Allocate `size` bytes, at least 1; return the span, the slot, and the offset in the slot."""
    if noscan and size < h.design.tiny_size:
        return malloc_tiny(h, p, size)
    if size > small_limit(h.design):
        return malloc_large(h, p, size, noscan), 0, 0
    header = 0 if noscan else header_bytes(h.design, size)
    spc = 2 * class_of(h.classes, size + header) + noscan
    s, slot = take_slot(h, p, spc)
    return s, slot, 0


def small_limit(design: Design) -> int:
    """The largest object that shares a span, with or without pointers."""
    return design.max_small_size - (HEADER_BYTES if design.malloc_header else 0)


def header_bytes(design: Design, size: int) -> int:
    """Bytes in front of a small object with pointers."""
    return HEADER_BYTES if design.malloc_header and size > design.header_above else 0


def malloc_tiny(h: Heap, p: int, size: int) -> tuple[Span, int, int]:
    """Pack the request in the current tiny block, or open a block and keep the one with more room."""
    cache = h.mcaches[p]
    offset = aligned_for(cache.tiny_offset, size)
    if cache.tiny is not None and offset + size <= h.design.tiny_size:
        cache.tiny_offset = offset + size
        h.tiny_allocs += 1
        return *cache.tiny, offset
    s, slot = take_slot(h, p, h.tiny_spc)
    if cache.tiny is None or size < cache.tiny_offset:
        cache.tiny = (s, slot)
        cache.tiny_offset = size
    return s, slot, 0


def aligned_for(offset: int, size: int) -> int:
    """`offset` rounded up to the alignment that a request of `size` bytes may need."""
    for alignment in (8, 4, 2):
        if size % alignment == 0:
            return (offset + alignment - 1) // alignment * alignment
    return offset


def malloc_large(h: Heap, p: int, size: int, noscan: bool) -> Span:
    """A span for one object (mcache.go, allocLarge)."""
    page_size = h.design.page_size
    npages = (size + page_size - 1) // page_size
    deduct_sweep_credit(h, npages * page_size, leave_pages=npages)
    s = alloc_span(h, p, npages, int(noscan))
    use_slot(h, s, 0)
    h.heap_live += npages * page_size
    look(h)
    h.push_swept(s)
    return s


def take_slot(h: Heap, p: int, spc: int) -> tuple[Span, int]:
    """The next free slot of class `spc` of P `p` (malloc.go, nextFree)."""
    s = h.mcaches[p].alloc.get(spc)
    if s is None or s.is_full():
        s = refill(h, p, spc)
    slot = s.next_free()
    if slot is None:
        raise AssertionError(f"span {s.addr:#x} was cached without a free slot")
    use_slot(h, s, slot)
    return s, slot


def use_slot(h: Heap, s: Span, slot: int) -> None:
    """Account for an object in `slot`; during marking it is born black (mgcmark.go, gcmarknewobject)."""
    s.free_index = slot + 1
    s.alloc_count += 1
    h.mallocs += 1
    h.heap_alloc += s.elem_bytes
    if h.marking:
        s.marks.add(slot)
        s.page_mark = True


def refill(h: Heap, p: int, spc: int) -> Span:
    """Change the full span of class `spc` of P `p` for one with a free slot."""
    cache = h.mcaches[p]
    old = cache.alloc.get(spc)
    if old is not None:
        del cache.alloc[spc]
        uncache_span(h, old)
    s = cache_span(h, p, spc)
    s.sweepgen = h.sweepgen + 3
    h.heap_live += s.npages * h.design.page_size - s.alloc_count * s.elem_bytes
    s.taken_before = s.alloc_count
    cache.alloc[spc] = s
    look(h)
    return s


def release_all(h: Heap, p: int) -> None:
    """Give every span of P `p` back and drop its tiny block."""
    cache = h.mcaches[p]
    for spc in sorted(cache.alloc):
        s = cache.alloc.pop(spc)
        stale = s.sweepgen == h.sweepgen + 1
        if not stale:  # heapLive was computed anew after a stale span was cached
            h.heap_live -= (s.nelems - s.alloc_count) * s.elem_bytes
        uncache_span(h, s)
    cache.tiny = None
    cache.tiny_offset = 0


def flush_mcache(h: Heap, p: int) -> None:
    """Empty the mcache of `p`, its stacks included (mstats.go, flushmcache; mcache.go, prepareForSweep)."""
    release_all(h, p)
    stack_cache_clear(h, p)
    h.mcaches[p].flush_gen = h.sweepgen


def prepare_for_sweep(h: Heap, p: int) -> None:
    """Flush P `p` if a cycle has ended since it was last flushed."""
    if h.mcaches[p].flush_gen != h.sweepgen:
        flush_mcache(h, p)
