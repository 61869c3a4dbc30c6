"""What the runtime needs beside the heap, as far as it is modelled. (allocator.md 10.2)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner


@inner
def span_record_bytes(heap):
    """Records of spans, the unused ones included: they are never given back."""
    return (heap.span_rows - 1) * heap.knobs.mspan_bytes


@inner
def mcache_record_bytes(heap):
    """The mcaches of all Ps."""
    return heap.nprocs * heap.knobs.mcache_bytes


@inner
def arena_record_bytes(heap):
    """Records of the arenas that the heap has reserved."""
    arena = heap.knobs.arena_pages
    return (heap.reserved_page - heap.first_page + arena - 1) // arena * heap.knobs.arena_metadata_bytes


@inner
def mapped_ready(heap):
    """Memory that the runtime has mapped and not given back: what counts towards the memory limit. (Go: mappedReady)"""
    stats = heap.stats
    heap_bytes = stats.in_use + stats.free + stats.stacks + stats.workbufs
    records = span_record_bytes(heap) + mcache_record_bytes(heap) + arena_record_bytes(heap)
    return heap_bytes + records + heap.knobs.other_bytes
