"""Whether a heap that comes from a file can be handed to kernels: every row number is one, and every list ends.

Kernels trust what they read, so a number that leads out of a table would be a crash, and a list that bites its tail would
never end. What the numbers mean is for `check.py`, which is a kernel itself and runs after this.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.jit import kernel
from goalloc_cli.model.heap import (
    NONE,
    PAGES,
    SPAN_DEAD,
    SPAN_IN_USE,
    SPANCLASSES,
    STACK_PIECES,
)
from goalloc_cli.model.objects import OBJECT_LIVE


def problem_of(heap: np.record, objects: np.ndarray, stacks: np.ndarray, manual_spans: np.ndarray) -> str:
    """What is wrong with the numbers in a heap, in words; "" if they can be followed."""
    return (
        wrong_spans(heap)
        or wrong_references(heap)
        or wrong_handles(heap, objects, stacks, manual_spans)
        or ("" if all_ends(heap) else "a list of its never ends")
    )


def all_ends(heap: np.record) -> bool:
    """Whether every list and every tree can be walked to its end."""
    return (
        all(lists_end(*chain) for chain in chains(heap))
        and trees_end(heap.runs[: int(heap.run_rows)], heap.run_trees)
        and words_end(heap.bits[: int(heap.slot_words)], heap.free_words)
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
    spans, rows = heap.spans[: int(heap.span_rows)], int(heap.span_rows)
    nodes, runs, ps = int(heap.node_rows), int(heap.run_rows), int(heap.nprocs)
    pages = int(heap.end_page)
    pieces = STACK_PIECES
    central, caches = heap.central, heap.mcaches
    found = (
        ("spans.next", spans["next"], 0, rows),
        ("spans.prev", spans["prev"], 0, rows),
        ("spans.owner", spans["owner"], NONE, ps),
        ("spans.free_list", spans["free_list"], NONE, pieces),
        ("spans.listed", spans["listed"], 0, 4),
        ("free_spans", np.array(heap.free_spans), 0, rows),
        ("page_span", heap.page_span[:pages], 0, rows),
        ("page_run", heap.page_run[:pages], 0, runs),
        ("mcaches.alloc", caches["alloc"], 0, rows),
        ("mcaches.tiny_span", caches["tiny_span"], 0, rows),
        ("mcaches.tiny_slot", caches["tiny_slot"], 0, 1 << 16),
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
        ("gc.reclaim_end", np.array(heap.gc.reclaim_end), 0, 2 * PAGES),
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
    return ""


def wrong_handles(heap: np.record, objects: np.ndarray, stacks: np.ndarray, manual_spans: np.ndarray) -> str:
    """Handles that stand for no slot, no piece and no span."""
    loc = objects["loc"]
    if (loc < NONE).any() or outside(loc >> 16, NONE, int(heap.span_rows)):
        return "an object lies in no span"
    live = loc[(objects["label"] & OBJECT_LIVE != 0) & (loc != NONE)]
    held_by = heap.spans[live >> 16]
    if (held_by["state"] != SPAN_IN_USE).any() or ((live & 0xFFFF) >= held_by["nelems"]).any():
        return "an object lies in no slot"
    if outside(stacks[:, 0], -2, STACK_PIECES) or outside(stacks[:, 1], 0, 1 << 48):
        return "a goroutine stack lies nowhere"
    if outside(manual_spans, 0, int(heap.span_rows)):
        return "a manual span is none"
    return ""


def chains(heap: np.record) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Every list of the heap: the column that links it, where lists of that column begin, and what ends them."""
    rows, nodes, runs = int(heap.span_rows), int(heap.node_rows), int(heap.run_rows)
    span_next, node_next = heap.spans[:rows]["next"], heap.nodes[:nodes]["next"]
    run_next = heap.runs[:runs]["next"]
    lists = [heap.central["nonempty"]["first"], heap.central["empty"]["first"], heap.busy["first"]]
    pools = [heap.stacks.pool, heap.stacks.large, [heap.stacks.announced, heap.gc.workbuf_list, heap.free_spans]]
    places = [heap.central["head"].ravel(), heap.sweep_stacks, [heap.free_nodes]]
    pieces = [heap.mcaches["stack_list"].ravel(), heap.spans[1:rows]["free_list"]]
    trees = [heap.run_lists, [heap.free_runs]]
    return [
        (span_next, starts_of([*lists, *pools]), 0),
        (node_next, starts_of(places), NONE),
        (heap.stack_next[: 4 * int(heap.end_page)], starts_of(pieces), NONE),
        (run_next, starts_of(trees), 0),
    ]


def starts_of(parts: list) -> np.ndarray:
    """Where lists begin, as one array."""
    return np.concatenate([np.asarray(part, np.int64).ravel() for part in parts])


@kernel
def lists_end(column, starts, end):
    """True where every list reaches `end` without leaving its column, all lists together in twice as many steps as rows."""
    left = 2 * len(column) + len(starts)
    for start in starts:
        at = np.int64(start)
        while at != end:
            if at < 0 or at >= len(column) or left == 0:
                return False
            left -= 1
            at = np.int64(column[at])
    return True


@kernel
def trees_end(runs, roots):
    """True where each run stands in a tree once, below its parent."""
    waiting = np.zeros(len(runs) + 1, np.int64)
    seen = 0
    for root in roots:
        n = 0
        if root != 0:
            if runs[root].parent != 0:
                return False
            waiting[0] = root
            n = 1
        while n > 0:
            n -= 1
            at = waiting[n]
            seen += 1
            if seen >= len(runs):
                return False
            for child in (runs[at].left, runs[at].right):
                if child != 0:
                    if runs[child].parent != at or n >= len(runs):
                        return False
                    waiting[n] = child
                    n += 1
    return True


@kernel
def words_end(words, firsts):
    """True where every list of free bitmaps ends inside the words that were ever used."""
    for first in firsts:
        at = np.int64(first)
        left = len(words)
        while at != -1:
            if at < 0 or at >= len(words) or left == 0:
                return False
            left -= 1
            at = np.int64(words[at])
    return True
