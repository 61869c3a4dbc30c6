"""Whether a heap that comes from a file can be handed to kernels: every row number is one, and every list ends.

Kernels trust what they read, so a number that leads out of a table would be a crash, and a list that bites its tail would
never end. What the numbers mean is for `check.py`, which is a kernel itself and runs after this.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.model.malloc import TINY_BLOCK
from goalloc_cli.model.pacing.scavenger import LEAST_RATIO, MOST_RATIO, PARKED
from goalloc_cli.model.pages.scavengeindex import NOTHING_RELEASED
from goalloc_cli.model.saved.statehandles import wrong_manual_spans, wrong_objects, wrong_slots, wrong_stacks
from goalloc_cli.model.saved.statelists import wrong_lists
from goalloc_cli.model.tables.heap import (
    CHUNK_PAGES,
    NO_SPAN,
    NONE,
    PAGES,
    SPAN_DEAD,
    SPAN_IN_USE,
    SPANCLASSES,
    STACK_PIECES,
    UNDER_WAY,
)


def problem_of(
    heap: np.record, objects: np.ndarray, stacks: np.ndarray, manual_spans: np.ndarray, cursor: np.ndarray, types: int
) -> str:
    """What is wrong with the numbers in a heap, in words; "" if they can be followed. `types`: how many it knows."""
    return (
        wrong_spans(heap)
        or wrong_references(heap)
        or wrong_clocks(heap)
        or wrong_lists(heap)
        or wrong_slots(heap)
        or wrong_objects(heap, objects, types)
        or wrong_stacks(heap, stacks)
        or wrong_manual_spans(heap, manual_spans, cursor)
    )


def outside(values: np.ndarray, least: int, end: int) -> bool:
    """Whether any value is below `least`, or not below `end`."""
    return bool(values.size) and (int(values.min()) < least or int(values.max()) >= end)


def wrong_spans(heap: np.record) -> str:
    """Spans whose place, class or bitmaps are none."""
    spans = heap.spans[1 : int(heap.span_rows)]
    shift = int(heap.knobs.page_shift)
    if outside(spans["state"], SPAN_DEAD, 4) or outside(spans["spc"], 0, SPANCLASSES):
        return "a span is of no kind that there is"
    live = spans[spans["state"] != SPAN_DEAD]
    first = (live["start_addr"] - int(heap.base_addr)) >> shift
    end = first + live["npages"]
    inside = not outside(first, int(heap.first_page), PAGES) and not outside(end, 0, int(heap.end_page) + 1)
    if not inside or outside(live["npages"], 1, PAGES):
        return "a span lies outside the heap"
    used = live[live["state"] == SPAN_IN_USE]
    large = used["spc"] < 2
    classes = heap.spanclasses[used["spc"]]
    elem_size = np.where(large, used["npages"].astype(np.int64) << shift, classes["elem_size"])
    nelems = np.where(large, 1, classes["nelems"])
    if (used["elem_size"] != elem_size).any() or (used["nelems"] != nelems).any() or (nelems < 1).any():
        return "a span has other slots than its class"
    nwords = (nelems + 63) >> 6
    words = 3 * nwords + np.where(used["spc"] == 5, (nelems + 7) >> 3, 0)
    if (used["nwords"] != nwords).any() or outside(used["bits"], 0, PAGES << 13):
        return "a span has other bitmaps than its class"
    if outside(used["bits"] + words, 0, int(heap.slot_words) + 1) or (used["alloc_word"] >= nwords).any():
        return "a span's bitmaps lie outside theirs"
    if outside(used["alloc_word"], 0, 1 << 16) or outside(used["alloc_count"], 0, 1 << 16):
        return "a span counts what it cannot hold"
    return ""


def wrong_references(heap: np.record) -> str:
    """Columns that name rows which there are not."""
    # In one piece: a table, a line for each column.
    spans, rows = heap.spans[: int(heap.span_rows)], int(heap.span_rows)
    nodes, runs, ps = int(heap.node_rows), int(heap.run_rows), int(heap.nprocs)
    pages = int(heap.end_page)
    # As many as are saved: the heap may grow into the rest of its last chunk.
    saved = min(-(-pages // CHUNK_PAGES) * CHUNK_PAGES, PAGES)
    pieces = STACK_PIECES
    central, caches = heap.central, heap.mcaches
    found = (
        ("spans.next", spans["next"], 0, rows),
        ("spans.prev", spans["prev"], 0, rows),
        ("spans.owner", spans["owner"], NONE, ps),
        ("spans.free_list", spans["free_list"], NONE, pieces),
        ("spans.listed", spans["listed"], 0, 4),
        ("free_spans", np.array(heap.free_spans), 0, rows),
        ("page_span", heap.page_span[:saved], 0, rows),
        ("page_run", heap.page_run[:saved], 0, runs),
        ("mcaches.alloc", caches["alloc"], 0, rows),
        ("mcaches.tiny_span", caches["tiny_span"], 0, rows),
        ("mcaches.tiny_slot", caches["tiny_slot"], 0, 1 << 16),
        ("mcaches.tiny_offset", caches["tiny_offset"], 0, TINY_BLOCK + 1),
        ("mcaches.reserved", caches["reserved"], 0, rows),
        ("mcaches.credit_span", caches["credit_span"], 0, rows),
        ("mcaches.page_cache_base", caches["page_cache_base"], 0, max(pages, 1)),
        ("mcaches.stack_list", caches["stack_list"], NONE, pieces),
        ("stack_next", heap.stack_next[: min(4 * pages, pieces)], NONE, pieces),
        ("central.nonempty", np.concatenate([central["nonempty"]["first"], central["nonempty"]["last"]]), 0, rows),
        ("central.empty", np.concatenate([central["empty"]["first"], central["empty"]["last"]]), 0, rows),
        ("central.head", central["head"], NONE, nodes),
        ("central.tail", central["tail"], NONE, nodes),
        ("nodes.span", heap.nodes[:nodes]["span"], 0, rows),
        ("nodes.next", heap.nodes[:nodes]["next"], NONE, nodes),
        ("free_nodes", np.array(heap.free_nodes), NONE, nodes),
        ("sweep_stacks", heap.sweep_stacks, NONE, nodes),
        ("busy", np.concatenate([heap.busy["first"], heap.busy["last"]]), 0, rows),
        ("stacks.pool", heap.stacks.pool, 0, rows),
        ("stacks.large", heap.stacks.large, 0, rows),
        ("stacks.announced", np.array(heap.stacks.announced), 0, rows),
        ("gc.workbuf_list", np.array(heap.gc.workbuf_list), 0, rows),
        ("gc.parity", np.array(heap.gc.parity), 0, 2),
        ("gc.sweep_class", np.array(heap.gc.sweep_class), 0, 2 * SPANCLASSES + 1),
        ("gc.reclaim_page", np.array(heap.gc.reclaim_page), NONE, 2 * PAGES),
        ("gc.reclaim_end", np.array(heap.gc.reclaim_end), 0, PAGES + 1),
        ("gc.under_way", heap.gc.under_way, 0, rows),
        ("gc.named_sweeps", heap.gc.named_sweeps, 0, rows),
        ("gc.under_way_count", np.array(heap.gc.under_way_count), 0, UNDER_WAY + 1),
        ("gc.reclaimed_count", np.array(heap.gc.reclaimed_count), 0, UNDER_WAY + 1),
        ("held", heap.held["offers"], 0, 1),
        ("scavenge.cursor", np.array(heap.scavenge.cursor), NONE, max(pages, 1)),
        ("scavenge.force_cursor", np.array(heap.scavenge.force_cursor), NONE, max(pages, 1)),
        ("scavenge.free_high", np.array(heap.scavenge.free_high), NONE, max(pages, 1)),
        ("scavenge.released_low", np.array(heap.scavenge.released_low), 0, NOTHING_RELEASED + 1),
        ("free_words", heap.free_words, NONE, max(int(heap.slot_words), 1)),
        ("run_trees", heap.run_trees, 0, runs),
        ("run_lists", heap.run_lists, 0, runs),
        ("free_runs", np.array(heap.free_runs), 0, runs),
        *((f"runs.{name}", heap.runs[:runs][name], 0, runs) for name in ("left", "right", "parent", "next", "prev")),
        ("runs.page", heap.runs[1:runs]["page"], 0, max(pages, 1)),
        ("runs.npages", heap.runs[1:runs]["npages"], 0, pages + 1),
    )
    for name, values, least, end in found:
        if outside(values, least, end):
            return f"{name} names a row that is not there"
    return wrong_caches(heap)


def wrong_caches(heap: np.record) -> str:
    """What Ps hold that they cannot."""
    first, end, ps = int(heap.first_page), int(heap.end_page), int(heap.nprocs)
    spans, caches = heap.spans[: int(heap.span_rows)], heap.mcaches
    owned = spans[1:][spans[1:]["owner"] != NONE]
    taken = caches["reserved"][caches["reserved"] != NO_SPAN]
    reserved = spans[taken]
    if (owned["state"] != SPAN_IN_USE).any() or (owned["spc"] < 2).any():
        return "a P caches a span that is none of objects"
    if len(np.unique(taken)) < len(taken) or (reserved["owner"] != NONE).any():
        return "a P caches a span that is none of objects"
    if (reserved["state"] != SPAN_IN_USE).any() or (reserved["sweepgen"] != int(heap.gc.sweepgen)).any():
        return "a P has reserved a span that is not swept"
    holds = caches["page_cache_bits"] != 0
    base, bits = caches["page_cache_base"][holds], caches["page_cache_bits"][holds]
    low = np.clip(first - base, 0, 64).astype(np.uint64)
    high = np.clip(end - base, 0, 64).astype(np.uint64)
    inside = [sum(1 << i for i in range(int(a), int(b))) for a, b in zip(low, high, strict=True)]
    if (base % 64 != 0).any() or any(int(b) & ~mask for b, mask in zip(bits, inside, strict=True)):
        return "a page cache holds pages that are not in the heap"
    if (caches["page_cache_scav"] & ~caches["page_cache_bits"]).any() or caches[ps:]["alloc"].any():
        return "a page cache has released pages that it does not hold"
    if (caches[ps:]["stack_list"] != NONE).any() or caches[ps:]["tiny_span"].any() or holds[ps:].any():
        return "a P holds something that there is not"
    return ""


def wrong_clocks(heap: np.record) -> str:
    """Counters of cycles, times and floats that decide how long a loop runs."""
    gc, scav = heap.gc, heap.scavenge
    ended = int(gc.cycle) - int(gc.marking)
    found = (
        ("gc.marking", gc.marking, 0, 1), ("gc.sweeping", gc.sweeping, 0, 1), ("gc.placed", gc.placed, 0, 1),
        ("gc.hinted", gc.hinted, 0, 1), ("gc.own_sweeper", gc.own_sweeper, 0, 0), ("gc.gogc", gc.gogc, -1, 1 << 31),
        ("gc.cycle", gc.cycle, 0, 1 << 29), ("gc.sweepgen", gc.sweepgen, 2 * ended + 2, 2 * ended + 2),
        ("gc.parity", gc.parity, (ended + 1) & 1, (ended + 1) & 1), ("time_ns", heap.time_ns, 0, PARKED - 1),
        ("event", heap.event, 0, 1 << 62), ("event_in_batch", heap.event_in_batch, 0, 1 << 16),
        ("scavenge.sleep_ratio", scav.sleep_ratio, LEAST_RATIO, MOST_RATIO), ("scavenge.error", scav.error, -1e18, 1e18),
        ("scavenge.next_ns", scav.next_ns, 0, PARKED), ("scavenge.worked_ns", scav.worked_ns, 0, PARKED),
        ("scavenge.slept_from_ns", scav.slept_from_ns, 0, PARKED), ("scavenge.growth", scav.growth, 0, 1 << 48),
        ("scavenge.idle_check_ns", scav.idle_check_ns, 0, PARKED), ("scavenge_credit", heap.scavenge_credit, 0, PAGES),
        ("scavenge.less", scav.less, 0, 1 << 48), ("scavenge.more", scav.more, 0, 1 << 48),
        ("gc.trigger_ratio", gc.trigger_ratio, -1e9, 1e9), ("gc.cons_mark", gc.cons_mark, -1e9, 1e9),
        ("gc.cons_mark_error", gc.cons_mark_error, -1e18, 1e18), ("gc.pages_per_byte", gc.pages_per_byte, 0, 1e9),
    )  # fmt: skip
    for name, value, least, most in found:
        if not least <= value <= most:  # nor where it is no number
            return f"{name} is {value}"
    return ""
