"""What the start and the end of a collection do to the allocator. (Go: mgc.go; allocator.md 8.7)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.model.books.ledger import take_sample
from goalloc_cli.model.mcache import flush, give_back_reserved, prepare_for_sweep
from goalloc_cli.model.pacing.paced import TELL_SWEPT
from goalloc_cli.model.pacing.pacer import commit, end_cycle, start_cycle
from goalloc_cli.model.pacing.scavenger import wake, wake_paced
from goalloc_cli.model.pages.scavengeindex import next_generation
from goalloc_cli.model.spans.mheap import alloc_manual, free_manual
from goalloc_cli.model.stack import free_stack_spans
from goalloc_cli.model.sweeping.sweeper import background_turn, finish_sweep, sweep_all, sweep_one
from goalloc_cli.model.sweeping.underway import start_clocks
from goalloc_cli.model.tables.heap import (
    FAULT_GC_ORDER,
    HEAP,
    LOCK_WORKBUF,
    NO_SPAN,
    PAGES,
    SPAN_WORKBUF,
    SPANCLASSES,
    SWEPT_BACKGROUND,
)
from goalloc_cli.model.tables.slotbits import is_live, keep_marks, set_mark

WORKBUF_BYTES = 32 << 10
"""Size of a span of GC work buffers (Go: mgcwork.go, workbufAlloc)."""
BUSY_NS = 1_000_000
"""How long what a trace tells between two times may take."""


@apart
def gc_start(heap: HEAP, p) -> None:
    """Marking starts: sweeping is finished, and what is live now will survive."""
    gc = heap.gc
    if gc.marking:
        heap.fault = FAULT_GC_ORDER
        return
    for other in range(heap.nprocs):
        prepare_for_sweep(heap, other)
        give_back_reserved(heap, other)
    finish_sweep(heap)
    if heap.paced.due == TELL_SWEPT:
        tell_swept(heap, 0)
    wake(heap)
    start_cycle(heap)
    gc.cycle += 1
    gc.marking = 1
    gc.marked = count_marks(heap)
    mark_tiny_blocks(heap)
    if not gc.hinted:
        take_workbufs(heap, p)
    take_sample(heap, heap.began)
    heap.began.event += 1


@apart
def tell_swept(heap: HEAP, over) -> None:
    """Keep the ledger of the moment at which nothing was left to sweep; `over`: 1 behind an event, 0 within it."""
    heap.paced.due = 0
    take_sample(heap, heap.swept)
    heap.swept.event += over


@inner
def count_marks(heap):
    """Count, by span class, what this mark phase finds live and what dead; return the bytes of the live slots."""
    all_bytes = 0
    for spc in range(SPANCLASSES):
        by = heap.by_spc[spc]
        elem_size, live = heap.spanclasses[spc].elem_size, by.mallocs - by.died
        found_bytes = by.large_live_bytes if spc < 2 else live * elem_size
        used_bytes = by.large_used_bytes if spc < 2 else (by.mallocs - by.frees) * elem_size
        by.doomed_bytes = used_bytes - found_bytes
        marks = heap.marks[spc]
        marks.objects = live
        marks.slot_bytes = found_bytes
        marks.requested_bytes = by.requested
        marks.all_objects += live
        marks.all_slot_bytes += found_bytes
        marks.all_requested_bytes += by.requested
        all_bytes += found_bytes
    return all_bytes


@inner
def mark_tiny_blocks(heap):
    """Each P's current tiny block is a root: it survives even with no live object in it. (Go: gcMarkTinyAllocs)"""
    gc = heap.gc
    for p in range(heap.nprocs):
        cache = heap.mcaches[p]
        if cache.tiny_span == NO_SPAN:
            continue
        span = heap.spans[cache.tiny_span]
        if is_live(heap, span, cache.tiny_slot):
            continue
        if span.mark_cycle != gc.cycle:
            keep_marks(heap, span, gc.cycle)
        set_mark(heap, span, cache.tiny_slot)
        gc.marked += span.elem_size
        heap.by_spc[span.spc].doomed_bytes -= span.elem_size


@inner
def take_workbufs(heap, p):
    """Spans for the mark phase's work buffers, through P's page cache; those of the last cycle may still be held."""
    gc = heap.gc
    while gc.workbufs < heap.knobs.gc_workbuf_spans:
        s = alloc_manual(heap, p, WORKBUF_BYTES >> heap.knobs.page_shift, SPAN_WORKBUF, LOCK_WORKBUF)
        if heap.fault:
            return
        heap.spans[s].next = gc.workbuf_list
        gc.workbuf_list = s
        gc.workbufs += 1


@inner
def free_workbufs(heap):
    """Give the work buffers back: the background sweeper does so when nothing is left to sweep."""
    gc = heap.gc
    while gc.workbuf_list != NO_SPAN:
        s = gc.workbuf_list
        gc.workbuf_list = heap.spans[s].next
        free_manual(heap, s)
        gc.workbufs -= 1


@apart
def gc_end(heap: HEAP, p, explicit) -> None:
    """Mark termination by P: the sweep begins. An explicit runtime.GC returns only when sweeping is done."""
    gc = heap.gc
    if not gc.marking:
        heap.fault = FAULT_GC_ORDER
        return
    gc.marking = 0
    for spc in range(SPANCLASSES):
        heap.by_spc[spc].found_bytes = heap.by_spc[spc].doomed_bytes
    end_cycle(heap, explicit)
    if heap.knobs.flush_before_sweep:
        flush_all(heap)
    gc.heap_marked = gc.marked
    gc.all_marked += gc.marked
    gc.heap_live = gc.marked
    gc.sweepgen += 2
    if heap.knobs.flush_before_sweep:
        skip_flush(heap)
    gc.parity = 1 - gc.parity
    gc.sweep_class = 0
    gc.sweeping = 1
    gc.pages_swept = 0
    gc.reclaim_page = 0
    arena = heap.knobs.arena_pages
    gc.reclaim_end = min((heap.end_page + arena - 1) // arena * arena, PAGES)
    gc.reclaim_credit = 0
    gc.reclaimed_count = 0
    start_clocks(heap)
    commit(heap)
    next_generation(heap)
    if not gc.hinted:
        free_stack_spans(heap)
    prepare_for_sweep(heap, p)
    if gc.hinted and not gc.own_sweeper:
        return
    wake_paced(heap)
    for _ in range(heap.knobs.background_turns):
        background_turn(heap)
    if explicit:
        finish_sweep(heap)
    if not gc.sweeping:
        free_workbufs(heap)


@apart
def take_turn(heap: HEAP, p) -> bool:
    """The model's own pacer starts a cycle behind an allocation of P, or ends one. Returns whether one ended."""
    paced, gc = heap.paced, heap.gc
    if paced.due == TELL_SWEPT:
        tell_swept(heap, 1)
        return False
    paced.due = 0
    if not gc.marking:
        paced.began_live = gc.heap_live
        paced.began_goal = gc.goal
        paced.began_marked = gc.heap_marked
        paced.began_limited = gc.limited
        gc_start(heap, p)
        paced.end_at = gc.heap_marked + int(paced.end_share * (gc.goal - gc.heap_marked))
        paced.end_at = max(paced.end_at, paced.began_live + paced.end_bytes, int(paced.end_goals * gc.goal))
        paced.end_not_before = heap.time_ns + paced.end_ns
        if heap.fault or gc.heap_live < paced.end_at or paced.end_ns > 0:
            return False
    end_own(heap, p)
    return not heap.fault


@inner
def end_own(heap, p):
    """The cycle that the model's own pacer started ends."""
    heap.paced.ended_live = heap.gc.heap_live
    heap.paced.ended_ns = heap.time_ns
    gc_end(heap, p, 0)


@inner
def request(heap, p):
    """The program asks for a cycle: one that is under way ends first, and nobody but the program ends the new one."""
    if heap.gc.marking:
        end_own(heap, p)
    heap.paced.due = 0
    heap.paced.requested = 1


@inner
def rest(heap, until_ns):
    """Time goes on to until_ns, and nothing happens: idle Ps give up what they cached, and the background sweeper works.

    What is told between two times is taken to happen in the first millisecond: recordings tell the time as often. Where a
    recording tells how far sweeping had come, that is followed.
    """
    gc = heap.gc
    quiet_ns = heap.time_ns + BUSY_NS
    if gc.marking or until_ns <= quiet_ns or heap.knobs.background_turns == 0 or (gc.hinted and not gc.own_sweeper):
        return
    for p in range(heap.nprocs):
        prepare_for_sweep(heap, p)
    heap.time_ns = quiet_ns
    while gc.sweeping and heap.time_ns < until_ns:
        heap.time_ns += heap.knobs.background_span_ns
        sweep_one(heap, SWEPT_BACKGROUND)
    if not gc.sweeping:
        free_workbufs(heap)


@inner
def sweep_rest(heap):
    """The background sweeper comes to the end."""
    gc = heap.gc
    if gc.marking or not gc.sweeping:
        return
    sweep_all(heap, SWEPT_BACKGROUND)
    free_workbufs(heap)


@inner
def flush_all(heap):
    """The world is stopped to read statistics: every P's mcache is flushed. (Go: flushallmcaches)"""
    for p in range(heap.nprocs):
        flush(heap, p)


@inner
def skip_flush(heap):
    """Every P was flushed before the sweep generation advanced: none is to be flushed after it."""
    for p in range(heap.nprocs):
        heap.mcaches[p].flush_gen = heap.gc.sweepgen
