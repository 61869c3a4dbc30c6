"""The knobs of the allocator, each with its default, its bounds and its reason.

A `Design` is the only list of knobs: the compiled kernels get a record made from its fields, `--set KNOB=VALUE` reaches
every one, and `goalloc design` prints them. No code asks which release it is; it asks for a behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from goalloc_cli.design.choices import Central, GrowthScavenge, Pacer, Pages, Reclaim, Scavenger
from goalloc_cli.design.knob import choice, knob, switch
from goalloc_cli.design.memory import NO_LIMIT, MemoryKnobs

NO_BUDGET = 1 << 40
"""A `span_budget` that never ends."""


@dataclass(frozen=True)
class Design(MemoryKnobs):
    """How one allocator works. The defaults are Go 1.27 on linux/amd64."""

    # Size classes.
    page_size: int = knob(8192, 4096, 65536, "Bytes in a page of the heap, a power of two (sizeclasses.go).")
    max_small_size: int = knob(32768, 1024, 32768, "The largest size class, a multiple of 128 (mksizeclasses.go).")
    align_16_from: int = knob(
        32,
        8,
        32768,
        "From this size on, classes are multiples of 16: 16 until Go 1.15, 32 since 1.16, which made room for the class "
        "of 24 bytes (mksizeclasses.go, makeClasses).",
    )
    waste_limit: int = knob(8, 1, 1024, "A span may waste one part in this many at its tail (mksizeclasses.go).")

    # Small objects.
    malloc_header: int = switch(
        1, "Pointerful small objects above header_above carry 8 bytes that name their type: since Go 1.22 (mbitmap.go)."
    )
    header_above: int = knob(
        512, 0, 512, "Size up to which a span holds its own pointer bitmap, one bit a word of its page (mbitmap.go, 1.22+)."
    )
    inline_mark_bytes: int = knob(
        128, 0, 1024,
        "Bytes at the end of one-page spans of 16 to 512 byte slots for Green Tea's mark bits: since Go 1.26; 0 before "
        "(mgcmark_greenteagc.go).",
    )  # fmt: skip
    marks_that_meet: int = knob(
        2, 0, 1 << 16,
        "With inline marks: so many marked pointerful objects of a span are scanned together, which sets the span's page "
        "mark; 0: each is scanned alone, as in a linked list (mgcmark_greenteagc.go, spanSetScans).",
    )  # fmt: skip
    tiny_size: int = knob(
        16, 0, 16, "Pointer-free objects below this share a block of 16 bytes; 0 turns the tiny allocator off (malloc.go)."
    )

    tiny_as_told: int = switch(0, "Tiny objects are packed where the trace says so (TINY), not where the model would.")

    # mcentral.
    central: int = choice(
        Central.SPAN_SETS, "How an mcentral keeps its spans: lists until Go 1.14, sets since 1.15 (mcentral.go)."
    )
    lifo_sets: int = switch(0, "Span sets hand out the last span that came, not the first as Go does (mspanset.go).")
    span_budget: int = knob(
        100,
        0,
        NO_BUDGET,
        "Spans a refill sweeps in vain, less one, before it takes new memory, so that at most 1 % is wasted: since Go 1.15; "
        "with span lists a refill never gives up (mcentral.go, cacheSpan).",
    )

    # Pages.
    pages: int = choice(
        Pages.BITMAP,
        "How free pages are found: lists and a treap until Go 1.11, two treaps in 1.12, one by address in 1.13, a bitmap "
        "since 1.14 (mheap.go, mpagealloc.go).",
    )
    best_fit: int = switch(0, "Of several pages the shortest run is taken, not the lowest as Go does (mpagealloc.go).")
    page_cache: int = switch(1, "Each P keeps a block of 64 pages to itself: since Go 1.14 (mpagecache.go).")
    page_cache_limit: int = knob(
        16, 1, 64, "Requests of this many pages and more bypass the page cache: a quarter of it (mheap.go, allocSpan)."
    )
    growth_pages: int = knob(
        512,
        1,
        1 << 16,
        "The heap grows by multiples of this many pages: 64 KiB until Go 1.10, arenas in 1.11 and 1.12, the pages asked for "
        "in 1.13, chunks of 4 MiB since 1.14 (mheap.go, grow).",
    )
    growth_least_pages: int = knob(
        1, 1, 1 << 16, "The heap grows by no less than this many pages: 1 MiB until Go 1.10 (mheap.go, grow)."
    )
    growth_released: int = switch(
        1, "Pages that the heap grows by count as released until they are used: since Go 1.13 (mheap.go, grow)."
    )
    arena_pages: int = knob(
        8192, 512, 1 << 20, "Address space is reserved by multiples of this many pages: 64 MiB (malloc.go, heapArenaBytes)."
    )
    count_reserved: int = switch(
        0, "HeapSys and HeapReleased count a reserved arena as a whole: Go 1.13 to 1.16 (malloc.go, sysAlloc)."
    )
    heap_base: int = knob(
        0xC000000000,
        0,
        1 << 47,
        "Address of the first arena, where the trace does not tell; in Go 1.10 tables lie before it (malloc.go).",
    )
    heap_padding_pages: int = knob(
        0, 0, 511, "Pages at the start of the heap that are never used: Go 1.26+ draws 0 to 511 at random (mheap.go)."
    )

    # Sweeping.
    flush_before_sweep: int = switch(
        0,
        "Mark termination empties all mcaches before spans become unswept: until Go 1.11. Since 1.12 each P does so when it "
        "next allocates (mgc.go, gcMark; mcache.go, prepareForSweep).",
    )
    background_batch: int = knob(
        10,
        0,
        1 << 20,
        "Spans that the background sweeper sweeps in one turn before it yields: 1 until Go 1.19, 10 since 1.20.",
    )
    background_turns: int = knob(
        1, 0, 1 << 20, "Turns of the background sweeper between mark termination and the program's next step."
    )
    background_span_ns: int = knob(
        5000,
        1,
        1 << 40,
        "Nanoseconds that the background sweeper takes for a span while nothing else happens, in a trace with times: 4 to 8 "
        "microseconds were measured.",
    )
    reclaim: int = choice(
        Reclaim.WINDOWS,
        "What is swept before new pages are taken: busy lists until Go 1.11, windows since 1.12 (mheap.go, reclaim).",
    )
    reclaim_chunk_pages: int = knob(
        512, 1, 1 << 20, "The page reclaimer walks the heap in windows of this many pages (mheap.go, reclaim)."
    )
    debt_guard: int = switch(
        1,
        "A heap that shrank since the cycle's end, by a flush, counts as unchanged for the sweep debt: since Go 1.19; "
        "before, that forgave debt (mgcsweep.go, deductSweepCredit).",
    )

    # Pacing.
    gogc: int = knob(
        100,
        -1,
        1 << 31,
        "GOGC in percent; -1 is off. Without hints it sets how eagerly allocation sweeps; the recording sets when GC runs.",
    )
    pacer: int = choice(
        Pacer.BOUNDS,
        "How goal and trigger are set: feedback until Go 1.17, a runway in 1.18, tighter bounds since 1.19 (mgcpacer.go).",
    )
    heap_minimum: int = knob(
        4 << 20, 0, 1 << 40, "The heap goal is never below this, scaled by GOGC (mgcpacer.go, heapMinimum)."
    )
    globals_scan_bytes: int = knob(
        154_770,
        0,
        1 << 40,
        "Globals with pointers, and stacks, that count into the heap goal: since Go 1.18; as measured in a small program, "
        "whose runtime has nearly all of them (symtab.go, modulesinit; mgcpacer.go).",
    )
    cons_mark: int = switch(
        0,
        "The trigger comes a runway before the goal, by a controlled estimate of how fast the program allocates while "
        "marking: Go 1.18 and 1.19, which count from the computed trigger; later ones need time (mgcpacer.go, endCycle).",
    )
    least_trigger_percent: int = knob(
        60,
        0,
        100,
        "With the feedback ratio: the trigger lies at least so far from the marked heap towards the goal: since Go 1.14; 0 "
        "before (mgc.go, gcSetTriggerRatio).",
    )
    aim_at_goal: int = switch(
        1,
        "With the feedback ratio: it aims at the goal in force, since Go 1.13; before at GOGC alone (mgc.go, endCycle).",
    )
    sweep_margin_by_gogc: int = switch(
        0,
        "While sweeping is unfinished the next cycle waits for 1 MiB more heap; until Go 1.12 that is scaled by GOGC "
        "(mgc.go, gcSetTriggerRatio).",
    )
    gc_workbuf_spans: int = knob(
        1, 0, 1024, "Spans of 32 KiB that each mark phase takes for its work buffers, where the recording does not tell."
    )

    # Goroutine stacks.
    stack_min: int = knob(2048, 2048, 32768, "The smallest stack, a power of two (stack.go, stackMin).")
    stack_span_bytes: int = knob(
        32768, 8192, 1 << 20, "Stacks below this are cut from spans of this size (stack.go, _StackCacheSize)."
    )
    stack_cache_bytes: int = knob(
        32768, 8192, 1 << 20, "A P's cache of free stacks of one size gives half of this back when it reaches it (stack.go)."
    )

    size_classes: tuple[tuple[int, int], ...] | None = None
    """A size-class table of its own, as (bytes, pages) from the smallest class on, in place of the generated one."""


_OF_MEMORY = {f.name for f in fields(MemoryKnobs)}
KNOBS = tuple(sorted((f for f in fields(Design) if f.metadata), key=lambda f: f.name in _OF_MEMORY))
"""Every knob: what `--set` takes and the kernels read. The size-class table is no knob: it is data."""


def contradiction(design: Design) -> str:
    """Why the knobs, each possible by itself, make no allocator together; "" where they do."""
    for name in ("page_size", "stack_min", "stack_span_bytes"):
        value = getattr(design, name)
        if value & (value - 1):
            return f"{name} {value}: must be a power of two"
    if design.max_small_size % 128:
        return f"max_small_size {design.max_small_size}: must be a multiple of 128"
    if design.page_cache and design.pages != Pages.BITMAP:
        return "page_cache needs pages=bitmap: set page_cache=0 first"
    if design.pages == Pages.BITMAP and design.growth_pages % 512:
        return f"growth_pages {design.growth_pages}: must be a multiple of 512 with pages=bitmap"
    if design.heap_padding_pages and design.pages != Pages.BITMAP:
        return "heap_padding_pages needs pages=bitmap: set heap_padding_pages=0 first"
    if design.reclaim == Reclaim.BUSY_LISTS and design.central != Central.SPAN_LISTS:
        return "reclaim=busy_lists needs central=span_lists: set reclaim=windows first"
    return memory_contradiction(design)


def memory_contradiction(design: Design) -> str:
    """The same, of the knobs about memory given back, and the two that must be whole pages."""
    if design.growth_scavenge == GrowthScavenge.LARGEST and design.pages != Pages.TWO_TREAPS:
        return "growth_scavenge=largest needs pages=two_treaps: set growth_scavenge=nothing first"
    if design.growth_scavenge == GrowthScavenge.GOAL and design.pages not in (Pages.ADDRESS_TREAP, Pages.BITMAP):
        return "growth_scavenge=goal needs pages=address_treap or pages=bitmap: set growth_scavenge=nothing first"
    if design.scavenger == Scavenger.PACED and design.pages not in (Pages.ADDRESS_TREAP, Pages.BITMAP):
        return "scavenger=paced needs pages=address_treap or pages=bitmap: set scavenger=none first"
    if design.scavenger == Scavenger.IDLE_RUNS and design.pages not in (Pages.LISTS_AND_TREAP, Pages.TWO_TREAPS):
        return "scavenger=idle_runs needs pages=lists_and_treap or pages=two_treaps: set scavenger=none first"
    if design.memory_limit != NO_LIMIT and design.pages != Pages.BITMAP:
        return "memory_limit needs pages=bitmap"
    if design.huge_page_bytes & (design.huge_page_bytes - 1):
        return f"huge_page_bytes {design.huge_page_bytes}: must be a power of two, or 0"
    if design.stack_span_bytes % design.page_size or design.stack_span_bytes < 2 * design.stack_min:
        return "stack_span_bytes must be whole pages, and hold two of the smallest stacks"
    return ""
