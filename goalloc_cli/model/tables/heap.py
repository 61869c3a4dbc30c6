"""The simulated heap: one record of named tables, `heap`. (`newheap.py` makes it.)

A row of a table is a reference, in Python and compiled, so kernels read like Go: `span = heap.spans[s]`. Capacity is part
of a table's type, hence constant; the memory behind it is mapped only where it is touched, so capacity costs nothing.
A table that fills up sets `heap.fault`.

Widths: addresses, byte counts and page numbers are i8; counts and row numbers that stay small are i4; bitmaps are u8 words
and are touched in pallocbits.py and slotbits.py only. Pages are numbered from the heap's base.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.sizeclass import MAX_CLASSES
from goalloc_cli.model.tables.limits import CHUNK_PAGES, PAGES, PS, QUEUE_NODES, RUNS, SLOT_WORDS, SPANS
from goalloc_cli.model.tables.rows import EVIDENCE, PACED, SILENT, table
from goalloc_cli.results.outcome import SAMPLE

CHUNKS = PAGES // CHUNK_PAGES
LISTED_PAGES = 128
"""Spans and runs shorter than this have a list for each length, in Go's older page heaps (Go: _MaxMHeapList)."""
STACK_PIECES = 4 * PAGES
"""Pieces of 2 KiB that goroutine stacks are cut from, numbered from the heap's base."""
STACK_ORDERS = 8
HELD_BLOCKS = 32
"""Blocks of 64 pages that verify can hold back."""
UNDER_WAY = 64
"""Sweeps that can be under way at once, and spans that the reclaimer can have swept ahead of its call."""
SPANCLASSES = 2 * MAX_CLASSES

NO_SPAN = 0
NO_RUN = 0
"""Row 0 of spans and of runs is never used."""
NONE = -1

# Span states.
SPAN_DEAD = 0
SPAN_IN_USE = 1
SPAN_STACK = 2
SPAN_WORKBUF = 3

KNOB_NAMES = tuple(f.name for f in fields(Design) if f.metadata)
KNOBS = np.dtype([(name, "<i8") for name in (*KNOB_NAMES, "small_limit", "page_shift")], align=True)
"""Every knob of the Design, and what follows: the largest request that is no large object; page_size = 1 << page_shift."""

BY_NOSCAN = table("BY_NOSCAN", least_small="<i8", most_bare="<i8")
"""The least that is not tiny, and the most that never has a header."""
SPANCLASS = table("SPANCLASS", elem_size="<i8", npages="<i8", nelems="<i8", header="<i8", metadata="<i8", least="<i8")
"""Per span class. `least` is the smallest request that takes it."""

SPAN = table(
    "SPAN",
    # What every allocation and free reads: one cache line.
    alloc_cache="<u8",  # bit i is set: slot alloc_word * 64 + i is free
    bits="<i8",  # first word of its slot bitmaps (slotbits.py)
    elem_size="<i8",
    spc="<i4",
    sweepgen="<i4",
    nwords="<i4",
    alloc_word="<i4",
    alloc_count="<i4",
    mark_cycle="<i4",  # cycle whose marks are kept apart from the live bits
    black_cycle="<i4",  # cycle in whose mark phase an object was allocated here
    nelems="<i4",
    state="<i4",
    owner="<i4",  # P that caches it, or NONE
    # The rest.
    start_addr="<i8",
    npages="<i8",
    alloc_count_at_cache="<i4",
    hint_cycle="<i4",  # cycle in which the recording saw the reclaimer sweep this span
    born_cycle="<i4",
    next="<i4",
    prev="<i4",
    free_list="<i4",  # first free piece of a stack span, or NONE
    listed="<i4",  # the list that links it by next and prev, where mcentrals have lists (mcentral_lists.py)
    sweep_cause="<i4",  # who began the sweep that is under way
    offers="<i4",  # how often verify saw the model offer this span where the real one could not be taken, in this cycle
    sweep_end="<i4",  # when the sweep that is under way ends, on the sweepers' clock
    next_swept="<i4",  # its place among those that the recording says the next cycle sweeps (SWEPT_NEXT)
    spared="<i4",  # marked objects when the reclaimer passed it by, as far as a recording tells; 0 once one of them died
    # That makes 128 bytes: a row never straddles a cache line more than it must.
)

MCACHE = table(
    "MCACHE",
    alloc=f"({SPANCLASSES},)<i4",
    flush_gen="<i8",
    tiny_span="<i8",  # span and slot of the current tiny block; NO_SPAN for none
    tiny_slot="<i8",
    tiny_offset="<i8",
    page_cache_base="<i8",
    page_cache_bits="<u8",
    page_cache_scav="<u8",
    stack_list=f"({STACK_ORDERS},)<i4",
    stack_bytes=f"({STACK_ORDERS},)<i8",
    reserved="<i8",  # span that a refill under way has swept for itself, or NO_SPAN
    sweep_clock="<i8",  # when the sweep for P's debt ends, on the sweepers' clock
    paid_pages="<i8",  # swept so far for the debt that is being paid
    sweep_credit="<i8",  # bytes that the recording says the next refill sweeps; NONE: the pacer decides
    credit_span="<i8",  # the last span among them that was seen to be swept, or NO_SPAN
    tiny_allocs="<i8",
    refills="<i8",
    flushes="<i8",
)

# The four queues of a span class: [partial, full][sweepgen parity].
PARTIAL = 0
FULL = 1

LIST = table("LIST", first="<i4", last="<i4")
"""Spans linked by next and prev."""

CENTRAL = table(
    "CENTRAL",
    nonempty=LIST,
    empty=LIST,
    head="(2,2)<i4",
    tail="(2,2)<i4",
    count="(2,2)<i4",
    from_partial_swept="<i8",
    from_partial_unswept="<i8",
    from_full_unswept="<i8",
    from_heap="<i8",
    swept_for_refill="<i8",
)

NODE = table("NODE", span="<i4", next="<i4")

BY_SPC = table(
    "BY_SPC",
    mallocs="<i8",
    frees="<i8",  # by sweeps: mallocs - frees are in use, dead ones that are not swept among them
    died="<i8",  # slots whose objects have died, by the trace's own truth: mallocs - died are live
    requested="<i8",  # bytes, of live objects
    bound="<i8",  # live objects whose requested size is not known
    spans="<i8",
    span_bytes="<i8",
    span_allocs="<i8",
    span_frees="<i8",
    large_alloc_bytes="<i8",  # span classes 0 and 1 only
    large_free_bytes="<i8",
    large_used_bytes="<i8",
    large_live_bytes="<i8",
    doomed_bytes="<i8",  # dead slots when the last mark phase began
    found_bytes="<i8",  # those of them that no sweep has freed since it ended
)

MARKED = ("objects", "slot_bytes", "requested_bytes")
MARKS = table("MARKS", **dict.fromkeys((*MARKED, *(f"all_{name}" for name in MARKED)), "<i8"))
"""What was live when the last mark phase began, by span class; and all mark phases together."""

CHUNK = table(
    "CHUNK",
    **dict.fromkeys(("head_run", "longest_run", "tail_run", "pages_in_use", "last_in_use", "generation", "has_free"), "<i4"),
)
"""Free pages at the start of a chunk, in its longest run, and at its end; and what scavengeindex.py knows."""

RUN = table(
    "RUN",
    **dict.fromkeys(("page", "npages", "released", "left", "right", "parent", "longest", "next", "prev"), "<i4"),
    since_ns="<i8",
)
"""A run of free pages, all backed by memory or all released, as long as it can be; in a tree or in a list (freeruns.py).
`since_ns`: when pages were last freed in it."""

SCAVENGE_CURSORS = ("cursor", "force_cursor", "raised", "force_raised", "free_high", "released_low")
SCAVENGED = ("generation", "growth", "limit_goal", "less", "more", "next_ns", "slept_from_ns", "worked_ns", "idle_check_ns")
SCAVENGE = table(
    "SCAVENGE",
    **dict.fromkeys(SCAVENGE_CURSORS + SCAVENGED, "<i8"),
    sleep_ratio="<f8",
    error="<f8",
    released_by="(5,)<i8",  # bytes, by cause (scavenge.py)
)
"""The scavenger. Cursors are pages, NONE where nothing is left, and `raised` until they find something; `growth` is what the
heap grew by for the span under way; what is released may be so much `less` than the model has it, or `more` (doubt.py)."""

STACKS = table("STACKS", pool=f"({STACK_ORDERS},)<i4", large="(48,)<i4", announced="<i4", unplaced="<i8")
"""Lists of spans. `announced`: spans that the recording says were taken, not used yet. `unplaced` counts stacks whose
memory the recording does not tell."""

HELD = table("HELD", block="<i8", offers="<i8", bits="<u8")
"""A block of pages that verify saw the model offer wrongly, how often, and the pages held back since."""

RECLAIMED = table("RECLAIMED", page="<i8", npages="<i4", freed="<i4")
"""A span that the page reclaimer swept ahead of its call, and whether that gave its pages back."""

GC = table(
    "GC",
    cycle="<i8",
    marking="<i8",
    sweepgen="<i8",
    parity="<i8",  # of the swept queues
    sweep_class="<i8",
    sweeping="<i8",
    pages_swept="<i8",
    pages_in_use="<i8",
    reclaim_page="<i8",  # NONE: done for this cycle
    reclaim_end="<i8",
    reclaim_credit="<i8",
    reclaim_bytes="<i8",  # that the recording says the next call of the reclaimer accounts for, or NONE
    silent_told="<i8",  # 1 where it also told which spans of unknown page mark are swept: those named by hint_cycle
    told_next="<i4",  # SWEPT_NEXT events, in cycle `told_cycle`
    told_cycle="<i4",
    heap_live="<i8",
    marked="<i8",
    heap_marked="<i8",  # by the last cycle that ended
    gogc="<i8",
    trigger_ratio="<f8",
    scan_work="<i8",  # bytes that the last mark phase scanned
    cons_mark="<f8",  # bytes allocated by those scanned, as the pacer has it; and the error that it has summed up
    cons_mark_error="<f8",
    last_goal="<i8",  # 0 until a cycle has ended
    last_in_use="<i8",
    retained_goal="<i8",  # growth releases what exceeds it
    goal="<i8",
    trigger="<i8",
    percent_goal="<i8",  # by GOGC alone, and the trigger that belongs to it
    percent_trigger="<i8",
    least_trigger="<i8",
    limited="<i8",  # the memory limit's goal rules
    all_marked="<i8",  # by all cycles together
    all_scan_work="<i8",
    heap_alloc="<i8",  # bytes of slots in use, but for those taken since their span was cached
    pages_per_byte="<f8",
    live_basis="<i8",
    swept_basis="<i8",
    placed="<i8",  # a snapshot is taken over with its addresses
    hinted="<i8",  # the trace is a recording of this design, and its hints are followed
    own_sweeper="<i8",  # ... but for those about sweeping
    workbufs="<i8",
    workbuf_list="<i4",
    sweep_clock="(5,)<i8",  # frees, since the cycle ended: when each sweeper ends its sweep
    passed_clock="<i8",
    last_begun="<i8",
    under_way_count="<i4",
    under_way=f"({UNDER_WAY},)<i4",  # spans whose sweep was begun in passing, the first begun first
    named_sweeps=f"({UNDER_WAY},)<i4",  # by the recording's number modulo UNDER_WAY
    reclaimed_count="<i4",
    reclaimed=(RECLAIMED, (UNDER_WAY,)),
    swept_by="(4,)<i8",  # spans swept on behalf of each sweeper since its last SWEEP_COUNT
)

# Sweepers whose progress a recording tells apart (events SWEEP_TO and SWEEP_COUNT), by `arg`.
SWEEPERS = 4

# Causes of taking the heap lock.
LOCK_LARGE = 0
LOCK_PAGE_CACHE = 1
LOCK_SMALL = 2
LOCK_STACK = 3
LOCK_WORKBUF = 4
LOCK_FREE = 5
LOCK_RECLAIM = 6
LOCKS = ("large object", "page cache refill", "small span", "stack", "GC work buffer", "span freed", "page reclaimer")

# Who swept a span.
SWEPT_FLUSH = 0
SWEPT_BACKGROUND = 1
SWEPT_CREDIT = 2
SWEPT_REFILL = 3
SWEPT_RECLAIM = 4
SWEPT_FINISH = 5
SWEPT_OUT_OF_ORDER = 6
SWEEP_CAUSES = (
    "mcache flush",
    "background sweeper",
    "sweep debt",
    "refill",
    "page reclaimer",
    "before the next cycle",
    "out of order",
)

STATS = table(
    "STATS",
    in_use="<i8",
    free="<i8",
    released="<i8",
    stacks="<i8",
    workbufs="<i8",
    tiny_packed="<i8",
    tiny_blocks="<i8",
    growths="<i8",
    blocked_growths="<i8",
    spans="<i8",
    max_in_use="<i8",
    peak_open="<i8",  # in_use is at its maximum and the sample is still to be taken
    peak_gc="<i8",  # cycles that had ended when it last rose to that
    locks=f"({len(LOCKS)},)<i8",
    swept=f"({len(SWEEP_CAUSES)},)<i8",
)

# Faults: impossible states and full tables (in words: faults.py). heap.fault_at holds a number that says where.
FAULT_NONE = 0
FAULT_PAGES = 1
FAULT_SPANS = 2
FAULT_SLOT_WORDS = 3
FAULT_QUEUE_NODES = 4
FAULT_DOUBLE_FREE = 6
FAULT_LIVE_HANDLE = 7
FAULT_UNKNOWN_STACK = 8
FAULT_SIZE = 9
FAULT_P = 10
FAULT_SNAPSHOT = 11
FAULT_MANUAL = 12
FAULT_GC_ORDER = 13
FAULT_STACK_SIZE = 14
FAULT_RUNS = 15
FAULT_TIME = 16
FAULT_LATE_SNAPSHOT = 17
FAULT_OPEN_SNAPSHOT = 18

CACHE_LINE = 64


def aligned(columns: list[tuple], starts: tuple[str, ...]) -> np.dtype:
    """A record in which the columns named by `starts` begin with a cache line."""
    names, formats, offsets, end = [], [], [], 0
    for name, *kind in columns:
        column = np.dtype([("column", *kind)], align=True)
        step = CACHE_LINE if name in starts else column.alignment
        names.append(name)
        formats.append(column["column"])
        offsets.append(-(-end // step) * step)
        end = offsets[-1] + column.itemsize
    whole = -(-end // CACHE_LINE) * CACHE_LINE
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": whole}, align=True)


HEAP = aligned(
    [
        ("knobs", KNOBS),
        ("gc", GC),
        ("paced", PACED),
        ("evidence", EVIDENCE),
        ("stats", STATS),
        ("stacks", STACKS),
        ("scavenge", SCAVENGE),
        ("peak", SAMPLE),  # the ledger when in_use was last at its highest
        ("began", SAMPLE),  # ... when the last cycle began to mark, and when the last sweep had nothing left
        ("swept", SAMPLE),
        ("event", "<i8"),  # number of events before the batch, and the index in it of the event under way
        ("event_in_batch", "<i8"),
        ("time_ns", "<i8"),
        ("fault", "<i8"),
        ("fault_at", "<i8"),
        ("base_addr", "<i8"),
        ("first_page", "<i8"),  # lowest page that was ever grown
        ("end_page", "<i8"),  # end of what has been grown
        ("most_pages", "<i8"),  # end of what can be grown
        ("reserved_page", "<i8"),  # end of the address space that is reserved
        ("search_page", "<i8"),  # no page below it is free in the bitmap
        ("padding_pages", "<i8"),
        ("zeroed_page", "<i8"),  # end of what was ever used: below it, large objects are zeroed
        ("nprocs", "<i8"),
        ("free_spans", "<i8"),
        ("span_rows", "<i8"),  # rows ever used
        ("free_runs", "<i8"),
        ("run_rows", "<i8"),
        ("scavenge_credit", "<i8"),  # pages that growth released in excess
        ("run_trees", "(2,)<i4"),  # the root of each
        ("run_lists", f"({LISTED_PAGES},)<i4"),
        ("sweep_stacks", "(2,)<i4"),  # by sweepgen parity: nodes of the spans to be swept, the last pushed first
        ("busy", LIST, (LISTED_PAGES + 1,)),  # large spans by length, then all longer ones
        ("held", HELD, (HELD_BLOCKS,)),
        ("free_nodes", "<i8"),
        ("node_rows", "<i8"),
        ("slot_words", "<i8"),
        ("free_words", "(256,)<i8"),
        ("by_noscan", BY_NOSCAN, (2,)),
        ("size_to_class", f"({32768 // 8 + 1},)<u1"),
        ("spanclasses", SPANCLASS, (SPANCLASSES,)),
        ("by_spc", BY_SPC, (SPANCLASSES,)),
        ("central", CENTRAL, (SPANCLASSES,)),
        ("marks", MARKS, (SPANCLASSES,)),
        ("mcaches", MCACHE, (PS,)),
        ("silent", "<i8", (SILENT, 4)),  # what a call of the reclaimer chooses from (reclaim_windows.py)
        ("chunks", CHUNK, (CHUNKS,)),
        ("allocated_bits", "<u8", (PAGES // 64,)),  # bit set: the page is allocated, cached by a P or not grown
        ("scavenged_bits", "<u8", (PAGES // 64,)),  # bit set: the page is free and released
        ("fresh_bits", "<u8", (PAGES // 64,)),  # bit set: nothing is known to have touched the page since it was grown
        ("page_span", "<i4", (PAGES,)),
        ("page_run", "<i4", (PAGES,)),  # of a run's first and last page only
        ("runs", RUN, (RUNS,)),
        ("stack_next", "<i4", (STACK_PIECES,)),
        ("nodes", NODE, (QUEUE_NODES,)),
        ("spans", SPAN, (SPANS,)),
        ("bits", "<u8", (SLOT_WORDS,)),
    ],
    ("by_spc", "mcaches", "spans"),
)

OBJECT = np.dtype((np.record, table("OBJECT", loc="<i8", unused="<i4", label="<i4")))
"""What a handle stands for (objects.py): 16 bytes. A record: uncompiled kernels, too, read its columns as attributes."""
