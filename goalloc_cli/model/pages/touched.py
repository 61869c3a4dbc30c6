"""Which pages something is known to have touched: memory that a program never touched is not resident. Ours, not Go's.

A page is fresh until small objects lie on it, which are taken to be written, or a stack, or until a span of a large object
takes it again, for then the runtime zeroes it (Go: mheap.go, allocNeedsZero). A large object in new memory may never be
written.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.compiled.words import popcount
from goalloc_cli.model.tables.pallocbits import ZERO, clear_range, set_range


@inner
def note_objects(heap, page, npages, large):
    """A span of objects is on these pages."""
    if not large or page < heap.zeroed_page:
        clear_range(heap.fresh_bits, page, npages)
    heap.zeroed_page = max(heap.zeroed_page, page + npages)


@inner
def note_manual(heap, page, npages, released):
    """A span of stacks or work buffers is on these pages: each is touched when it is used."""
    if released == npages:
        set_range(heap.fresh_bits, page, npages)
    heap.zeroed_page = max(heap.zeroed_page, page + npages)


@inner
def note_stack(heap, piece, stack_bytes):
    """A stack that begins at a piece is in use, from its high end. One of several pages was grown, so half of it was."""
    shift = heap.knobs.page_shift
    start = piece * heap.knobs.stack_min
    end = start + stack_bytes
    first = start >> shift if stack_bytes <= 1 << shift else (start + stack_bytes // 2) >> shift
    clear_range(heap.fresh_bits, first, ((end + (1 << shift) - 1) >> shift) - first)


@inner
def untouched_bytes(heap):
    """Bytes of pages in use, or free and backed, that are fresh."""
    pages = 0
    for w in range(heap.first_page >> 6, (heap.end_page + 63) >> 6):
        pages += popcount(heap.fresh_bits[w] & ~heap.scavenged_bits[w])
    for p in range(heap.nprocs):
        cache = heap.mcaches[p]
        if cache.page_cache_bits != ZERO:
            pages -= popcount(heap.fresh_bits[cache.page_cache_base >> 6] & cache.page_cache_scav)
    return pages << heap.knobs.page_shift


@inner
def huge_room(heap):
    """Bytes of released or fresh pages beside resident ones in the same huge page of the OS."""
    words = heap.knobs.huge_page_bytes >> heap.knobs.page_shift >> 6
    if words == 0:
        return 0
    pages = 0
    for w in range(heap.first_page >> 6, (heap.end_page + 63) >> 6, words):
        absent = 0
        for i in range(w, w + words):
            absent += popcount(heap.fresh_bits[i] | heap.scavenged_bits[i])
        if absent < words << 6:
            pages += absent
    return pages << heap.knobs.page_shift
