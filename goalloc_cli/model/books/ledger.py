"""Where every byte of the heap is: one SAMPLE row (allocator.md 10)."""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.compiled.words import popcount
from goalloc_cli.design.choices import Scavenger
from goalloc_cli.model.pacing.memory import NEVER
from goalloc_cli.model.pages.touched import huge_room, untouched_bytes
from goalloc_cli.model.tables.heap import NO_SPAN, SPANCLASSES
from goalloc_cli.model.tables.metadata import arena_record_bytes, mcache_record_bytes, span_record_bytes
from goalloc_cli.model.tables.slotbits import TINY_SPC


@inner
def take_sample(heap, row):
    """Fill in all fields of a SAMPLE row but for reason and name, which are the caller's."""
    stats = heap.stats
    row.event = heap.event + heap.event_in_batch
    row.time_ns = heap.time_ns
    row.num_gc = heap.gc.cycle
    row.peak_gc = stats.peak_gc
    row.heap_inuse = stats.in_use
    reserved = 0
    if heap.knobs.count_reserved:
        reserved = (heap.reserved_page - heap.end_page) << heap.knobs.page_shift
    row.heap_idle = stats.free + stats.released + reserved
    row.heap_released = stats.released + reserved
    row.heap_sys = stats.in_use + row.heap_idle
    row.stack_inuse = stats.stacks
    row.gc_workbufs = stats.workbufs
    row.next_gc = heap.gc.goal
    row.heap_live = heap.gc.heap_live
    row.spans = stats.spans
    sample_released(heap, row)
    sample_objects(heap, row)
    sample_mcaches(heap, row)


@inner
def close_peak(heap):
    """Keep the ledger of the moment before in_use falls from its maximum, where it still stands there."""
    if heap.stats.peak_open:
        heap.stats.peak_open = 0
        take_sample(heap, heap.peak)


@inner
def sample_released(heap, row):
    """What was given back, what may be, and what the runtime needs for its own records."""
    goal = heap.gc.retained_goal
    free = heap.stats.free
    row.retained_goal = 0 if goal == NEVER else goal
    row.releasable = free if heap.knobs.scavenger == Scavenger.IDLE_RUNS else 0
    if heap.knobs.scavenger == Scavenger.PACED:
        row.releasable = min(free, max(0, heap.stats.in_use + free - goal))
    row.released_background = heap.scavenge.released_by[0]
    row.released_growth = heap.scavenge.released_by[1]
    row.released_limit = heap.scavenge.released_by[2]
    row.released_forced = heap.scavenge.released_by[3]
    row.released_idle = heap.scavenge.released_by[4]
    row.released_less = min(heap.scavenge.less, heap.stats.released)
    row.released_more = min(heap.scavenge.more, free)
    row.untouched = untouched_bytes(heap)
    row.huge_room = huge_room(heap) if heap.knobs.huge_pages else 0
    row.span_records = span_record_bytes(heap)
    row.mcache_records = mcache_record_bytes(heap)
    row.arena_records = arena_record_bytes(heap)


@inner
def sample_objects(heap, row):
    """The counters that are sums over span classes, and the ledger's rows but for what mcaches hold."""
    row.heap_alloc = row.total_alloc = row.heap_objects = 0
    row.mallocs = row.frees = heap.stats.tiny_packed
    row.requested = row.headers = row.class_rounding = row.large_rounding = row.tiny_waste = 0
    row.tail_waste = row.span_metadata = row.free_slots = row.free_slots_cached = 0
    row.dead_unswept = row.dead_unfound = row.tracer = 0
    row.bound_slot_bytes = row.bound_rounding = 0
    page = 1 << heap.knobs.page_shift
    for spc in range(2):
        by = heap.by_spc[spc]
        row.heap_alloc += by.large_used_bytes
        row.total_alloc += by.large_alloc_bytes
        row.large_rounding += by.large_live_bytes - by.requested
        row.dead_unfound += by.large_used_bytes - by.large_live_bytes
        row.bound_slot_bytes += by.bound * page
        row.bound_rounding += by.bound * (page - 1)
        add_counts(row, by)
    for spc in range(2, SPANCLASSES):
        by = heap.by_spc[spc]
        if by.mallocs == 0 and by.span_allocs == 0:
            continue
        spanclass = heap.spanclasses[spc]
        size, used, live = spanclass.elem_size, by.mallocs - by.frees, by.mallocs - by.died
        row.heap_alloc += used * size
        row.total_alloc += by.mallocs * size
        waste = live * size - by.requested
        if spc == TINY_SPC:
            row.tiny_waste += waste
        else:
            row.headers += live * spanclass.header
            row.class_rounding += waste - live * spanclass.header
            row.bound_rounding += by.bound * (size - spanclass.header - spanclass.least)
        row.bound_slot_bytes += by.bound * size
        row.span_metadata += by.spans * spanclass.metadata
        row.tail_waste += by.span_bytes - by.spans * (spanclass.metadata + spanclass.nelems * size)
        row.dead_unfound += (used - live) * size
        row.free_slots += (by.spans * spanclass.nelems - used) * size
        add_counts(row, by)


@inner
def add_counts(row, by):
    """Add one span class to the object counts, and tell what is dead and found from what is not found yet."""
    row.dead_unswept += by.found_bytes
    row.dead_unfound -= by.found_bytes
    row.mallocs += by.mallocs
    row.frees += by.frees
    row.heap_objects += by.mallocs - by.frees
    row.requested += by.requested


@inner
def sample_mcaches(heap, row):
    """Tell the free slots of cached spans from the others, and count the pages in page caches."""
    row.page_cache_bytes = 0
    for p in range(heap.nprocs):
        cache = heap.mcaches[p]
        row.page_cache_bytes += popcount(cache.page_cache_bits) << heap.knobs.page_shift
        for spc in range(2, SPANCLASSES):
            s = cache.alloc[spc]
            if s != NO_SPAN:
                span = heap.spans[s]
                row.free_slots_cached += (span.nelems - span.alloc_count) * span.elem_size
    row.free_slots -= row.free_slots_cached
