"""What the start and the end of a GC cycle do to the heap (mgc.go, mgcpacer.go)."""

from __future__ import annotations

from goalloc_cli.design.choices import Scavenger
from tests.twin.cache import flush_mcache, prepare_for_sweep
from tests.twin.heap import Heap, Span
from tests.twin.pacing import end_cycle, set_goal_and_trigger, set_sweep_pace, start_cycle
from tests.twin.scavenging import run as run_scavenger
from tests.twin.scavenging import wake
from tests.twin.sizeclasses import has_inline_marks
from tests.twin.stacks import free_stack_spans
from tests.twin.sweep import sweep_all, sweep_one

WORKBUF_SPAN_BYTES = 32 << 10
"""Work buffers come in spans of this size (mgcwork.go, workbufAlloc)."""


def gc_start(h: Heap, p: int) -> None:
    """Finish the sweep, decide what is live, take the work buffers (gcStart)."""
    for q in range(h.nprocs):
        prepare_for_sweep(h, q)
    sweep_all(h)
    for central in h.central.values():  # drops what the reclaimer left behind (finishsweep_m)
        central.partial[h.unswept_side()].clear()
        central.full[h.unswept_side()].clear()
    wake(h)
    start_cycle(h)
    h.marking = True
    for s in h.spans:
        s.marks = set(s.live)
        s.page_mark = marking_sets_page_mark(h, s)
    for cache in h.mcaches:
        if cache.tiny is not None:
            mark_tiny_block(h, *cache.tiny)
    take_workbufs(h, p)


def marking_sets_page_mark(h: Heap, s: Span) -> bool:
    """Whether marking the live objects of `s` tells the page reclaimer that there are any.

    Green Tea's marks in the span do not always reach pageMarks (mgcmark_greenteagc.go, tryDeferToSpanScan and
    scanSpan): a pointer-free object is only marked in its span; objects with pointers set the page mark
    (spanSetScans) when a second mark comes while the span waits to be scanned, but never when each mark is
    scanned on its own, as in a linked list. An object born during marking sets it (gcmarknewobject); see
    use_slot.

    Unlike Go: the order of marking is unknown, so two marks are taken to meet.
    """
    if not has_inline_marks(h.design, s.elem_bytes):
        return len(s.marks) > 0
    if s.spc % 2 == 1:
        return False
    return 0 < h.design.marks_that_meet <= len(s.marks)


def mark_tiny_block(h: Heap, s: Span, slot: int) -> None:
    """Keep the current tiny block of a P through this cycle (mgcmark.go, gcMarkTinyAllocs)."""
    s.marks.add(slot)
    s.page_mark = s.page_mark or not has_inline_marks(h.design, s.elem_bytes)


def take_workbufs(h: Heap, p: int) -> None:
    """Allocate the work buffers that are not left over from the cycle before."""
    npages = WORKBUF_SPAN_BYTES // h.design.page_size
    while len(h.workbuf_spans) < h.design.gc_workbuf_spans:
        h.workbuf_spans.append(h.pages.alloc(p, npages))
        h.workbufs += WORKBUF_SPAN_BYTES


def free_workbufs(h: Heap) -> None:
    """Give the work buffers back (mgcwork.go, freeSomeWbufs)."""
    npages = WORKBUF_SPAN_BYTES // h.design.page_size
    for first_page in h.workbuf_spans:
        h.pages.free(first_page, npages)
        h.workbufs -= WORKBUF_SPAN_BYTES
    h.workbuf_spans = []


def gc_end(h: Heap, p: int, explicit: bool) -> None:
    """Start a new sweep and the mutator's next steps in it (gcMarkTermination)."""
    h.marking = False
    h.has_ended, h.ended_at = True, h.pages.now
    end_cycle(h, explicit)
    if h.design.flush_before_sweep:
        for q in range(h.nprocs):
            flush_mcache(h, q)
    h.heap_marked = sum(len(s.marks) * s.elem_bytes for s in h.spans)
    h.heap_live = h.heap_marked
    h.sweepgen += 2
    if h.design.flush_before_sweep:
        for cache in h.mcaches:
            cache.flush_gen = h.sweepgen
    h.drained = False
    h.cursor = 0
    h.pages_swept = 0
    h.reclaim_index = 0
    h.reclaim_end = h.pages.reserved
    h.reclaim_credit = 0
    set_goal_and_trigger(h)
    set_sweep_pace(h)
    h.pages.next_generation()
    free_stack_spans(h)
    prepare_for_sweep(h, p)
    if h.design.scavenger == Scavenger.PACED and h.design.scavenge_when_paced:
        run_scavenger(h, h.pages.now)
    background_sweep(h)
    if explicit:
        sweep_all(h)
        free_workbufs(h)


def rest(h: Heap, until: int) -> None:
    """Nothing happens until then, but for the first millisecond: the background sweeper works (mgcsweep.go, bgsweep)."""
    now = h.pages.now + 1_000_000
    if h.marking or now >= until or not h.design.background_turns:
        return
    for q in range(h.nprocs):
        prepare_for_sweep(h, q)
    h.pages.now = now
    while not h.drained and h.pages.now < until:
        h.pages.now += h.design.background_span_ns
        sweep_one(h)
    if h.drained:
        free_workbufs(h)


def take_turn(h: Heap, p: int) -> None:
    """Start or end a cycle that is due behind an allocation (mallocgc, gcStart)."""
    if not h.due or h.shares is None:
        return
    h.due = False
    if not h.marking:
        h.cycles.append((h.heap_live, 0))
        gc_start(h, p)
        h.end_at = h.heap_marked + int(h.shares[1] * (h.goal - h.heap_marked))
        h.end_at = max(h.end_at, h.cycles[-1][0] + h.shares[2], int(h.shares[3] * h.goal))
        h.ends_from = h.pages.now + h.shares[4]
        if h.heap_live < h.end_at or h.pages.now < h.ends_from:
            return
    h.cycles[-1] = (h.cycles[-1][0], h.heap_live)
    gc_end(h, p, explicit=False)


def request(h: Heap, p: int) -> None:
    """The program asks for a cycle; one under way ends first (mgc.go, GC)."""
    if h.shares is None:
        return
    if h.marking:
        h.cycles[-1] = (h.cycles[-1][0], h.heap_live)
        gc_end(h, p, explicit=False)
    h.due, h.asked_for = False, True


def background_sweep(h: Heap) -> None:
    """The turns that the background sweeper gets before the program goes on (mgcsweep.go, bgsweep)."""
    for _ in range(h.design.background_turns * h.design.background_batch):
        if sweep_one(h) is None:
            free_workbufs(h)
            return
