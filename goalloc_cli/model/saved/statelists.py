"""The part of `statecheck.py` about lists and trees: each ends, holds what belongs in it, and shares nothing with others."""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.design.choices import Central, Pages
from goalloc_cli.model.spans.mcentral_lists import BUSY, EMPTY, NONEMPTY
from goalloc_cli.model.tables.heap import LISTED_PAGES, NO_SPAN, NONE, SPAN_DEAD, SPAN_IN_USE, SPAN_STACK, SPAN_WORKBUF
from goalloc_cli.model.tables.slotbits import words_of

POOL, LARGE, ANNOUNCED, WORKBUF, ROW = range(BUSY + 1, BUSY + 6)
"""Lists of spans beside those that `span.listed` tells apart: of stacks, of work buffers, of rows to be used again."""


def wrong_lists(heap: np.record) -> str:
    """What is wrong with the lists of a heap whose row numbers are rows, in words; "" where nothing is."""
    return (
        wrong_span_lists(heap)
        or wrong_places(heap)
        or wrong_runs(heap)
        or ("" if bitmaps_apart(heap) else "two spans share their bitmaps, or one has a free one")
    )


def bitmaps_apart(heap: np.record) -> bool:
    """Whether no word of a bitmap is another's."""
    spans, words = heap.spans[: int(heap.span_rows)], int(heap.slot_words)
    return bool(words_apart(spans, heap.bits[:words], heap.free_words, np.zeros(words, np.uint8)))


def starts_of(*parts: object) -> np.ndarray:
    """Where lists begin, as one array."""
    return np.concatenate([np.asarray(part, np.int64).ravel() for part in parts])


def walked(column: np.ndarray, starts: np.ndarray, end: int) -> np.ndarray | None:
    """For each row the number of the list that it is in, counted from 1, else 0; None where lists meet or do not end."""
    seen = np.zeros(len(column), np.int64)
    return seen if lists_end(column, starts, end, seen) else None


def wrong_span_lists(heap: np.record) -> str:
    """Lists of spans: those of mcentrals and of large objects, of stacks, of work buffers, of rows to be used again."""
    spans, rows = heap.spans[: int(heap.span_rows)], int(heap.span_rows)
    both_ways = starts_of(
        heap.central["nonempty"]["first"], heap.central["empty"]["first"], heap.busy["first"],
        heap.stacks.pool, heap.stacks.large, [heap.stacks.announced],
    )  # fmt: skip
    starts = starts_of(both_ways, [heap.gc.workbuf_list, heap.free_spans])
    found = walked(spans["next"], starts, NO_SPAN)
    if found is None:
        return "a list of spans never ends, or meets another"
    ends = starts_of(heap.central["nonempty"]["last"], heap.central["empty"]["last"], heap.busy["last"])
    if not linked_back(spans["next"], spans["prev"], both_ways) or not lasts_right(spans["next"], starts, ends, NO_SPAN):
        return "a list of spans is not the same from its end"
    classes, busy, orders, larges = len(heap.central), len(heap.busy), len(heap.stacks.pool), len(heap.stacks.large)
    numbers = {NONEMPTY: classes, EMPTY: classes, BUSY: busy, POOL: orders, LARGE: larges, ANNOUNCED: 1, WORKBUF: 1, ROW: 1}
    kind_of = np.concatenate([[0], *(np.full(n, kind) for kind, n in numbers.items())])[found]
    number = np.concatenate([[0], *(np.arange(n) for n in numbers.values())])[found]
    if (np.where(kind_of > BUSY, 0, kind_of) != spans["listed"]).any():
        return "a span is in another list than it says"
    stack_sizes = int(heap.knobs.stack_min) << np.arange(orders)
    if heap.knobs.central == Central.SPAN_SETS and np.isin(kind_of, (NONEMPTY, EMPTY)).any():
        return "a span is in a list of mcentrals that have none"
    is_stack = spans["state"] == SPAN_STACK
    log2 = np.log2(np.maximum(spans["npages"], 1)).astype(np.int64)
    belongs = {
        NONEMPTY: (spans["state"] == SPAN_IN_USE) & (spans["spc"] == number),
        EMPTY: (spans["state"] == SPAN_IN_USE) & (spans["spc"] == number),
        BUSY: (spans["state"] == SPAN_IN_USE) & (np.minimum(spans["npages"], LISTED_PAGES) == number),
        POOL: is_stack & (spans["elem_size"] == stack_sizes[number % orders]) & (spans["free_list"] != NONE),
        LARGE: is_stack & (spans["alloc_count"] == 0) & (log2 == number),
        ANNOUNCED: is_stack & (spans["elem_size"] == 0),
        WORKBUF: spans["state"] == SPAN_WORKBUF,
        ROW: (spans["state"] == SPAN_DEAD) & (spans["sweepgen"] == NONE),
    }
    if any(((kind_of == kind) & ~fits).any() for kind, fits in belongs.items()):
        return "a list holds a span of another kind"
    dead = spans[1:rows]["state"] == SPAN_DEAD
    if (kind_of[1:][dead] != ROW).any() or int((kind_of == WORKBUF).sum()) != int(heap.gc.workbufs):
        return "a row that is free, or a work buffer, is in no list"
    return ""


def wrong_places(heap: np.record) -> str:
    """The places of spans in queues and on sweep stacks."""
    nodes = heap.nodes[: int(heap.node_rows)]
    heads, tails = heap.central["head"].ravel(), heap.central["tail"].ravel()
    starts = starts_of(heads, heap.sweep_stacks, [heap.free_nodes])
    found = walked(nodes["next"], starts, NONE)
    if found is None:
        return "a queue never ends, or meets another"
    if not lasts_right(nodes["next"], starts, starts_of(tails), NONE):
        return "a queue's tail is not its last place"
    used = (found > 0) & (found < len(starts))
    spans = heap.spans[nodes["span"][used]]
    waiting = spans["sweepgen"] == int(heap.gc.sweepgen) - 2
    if (waiting & ((spans["state"] != SPAN_IN_USE) | (spans["owner"] != NONE))).any():
        return "what waits to be swept is no span of objects"
    return ""


def wrong_runs(heap: np.record) -> str:
    """Runs of free pages: each is in the tree or the list of its kind, and its two ends name it."""
    runs, pages = heap.runs[: int(heap.run_rows)], int(heap.end_page)
    has_lists = heap.knobs.pages == Pages.LISTS_AND_TREAP
    lists = starts_of(heap.run_lists if has_lists else [], [heap.free_runs])
    found = walked(runs["next"], lists, 0)
    if found is None:
        return "a list of free runs never ends, or meets another"
    in_tree = np.zeros(len(runs), np.int64)
    if not trees_end(runs, heap.run_trees, in_tree, np.zeros((2, len(runs) + 1), np.int64)):
        return "a tree of free runs is none"
    is_listed = np.zeros(len(runs), np.bool_)
    if has_lists:
        is_listed = (found > 0) & (found < len(lists))
        if not linked_back(runs["next"], runs["prev"], lists[:-1]):
            return "a list of free runs is not the same from its end"
        if (is_listed & (runs["npages"] != found - 1)).any() or ((in_tree > 0) & (runs["npages"] < LISTED_PAGES)).any():
            return "a free run is in the list of another length"
    elif heap.run_lists.any():
        return "there are lists of free runs, which its page heap does not have"
    trees = runs["released"] if heap.knobs.pages == Pages.TWO_TREAPS else np.zeros(len(runs), np.int64)
    if ((in_tree > 0) & (in_tree != trees + 1)).any() or not np.isin(runs["released"], (0, 1)).all():
        return "a free run is in the wrong tree"
    live = is_listed | (in_tree > 0)
    if (is_listed & (in_tree > 0)).any() or (live & (found > 0) & ~is_listed).any():
        return "a free run is in two places"
    rows = np.flatnonzero(live)
    first, last = runs["page"][rows].astype(np.int64), (runs["page"][rows] + runs["npages"][rows] - 1).astype(np.int64)
    if (runs["npages"][rows] < 1).any() or (last >= pages).any():
        return "a free run lies outside the heap"
    named = np.zeros(len(heap.page_run[: pages + 1]), np.int64)
    named[first] = rows
    named[last] = rows
    ends = np.concatenate([first, last[last != first]])
    if (named[:pages] != heap.page_run[:pages]).any() or len(np.unique(ends)) != len(ends):
        return "the ends of a free run do not name it"
    return ""


@kernel
def lists_end(column, starts, end, seen):
    """True where every list reaches `end` inside its column, and no row is in two; `seen`: the number of each row's list."""
    for i in range(len(starts)):
        at = np.int64(starts[i])
        while at != end:
            if at < 0 or at >= len(column) or seen[at]:
                return False
            seen[at] = i + 1
            at = np.int64(column[at])
    return True


@kernel
def linked_back(following, before, starts):
    """True where every list of rows reads the same backwards; 0 ends them."""
    for start in starts:
        at, last = np.int64(start), np.int64(0)
        while at != 0:
            if before[at] != last:
                return False
            last = at
            at = np.int64(following[at])
    return True


@kernel
def lasts_right(following, starts, lasts, end):
    """True where the first of the lists end with these rows; an empty one with `end`."""
    for i in range(len(lasts)):
        at, last = np.int64(starts[i]), np.int64(end)
        while at != end:
            last = at
            at = np.int64(following[at])
        if lasts[i] != last:
            return False
    return True


@kernel
def trees_end(runs, roots, seen, room):
    """True where each run stands in a tree once, below its parent, and knows the longest below it.

    seen: out, the number of each run's tree, counted from 1; 0 for those in none.
    room: to work in, (2, len(runs) + 1) i8.
    """
    waiting, order = room[0], room[1]
    for tree in range(len(roots)):
        n, visited = 0, 0
        if roots[tree] != 0:
            if runs[roots[tree]].parent != 0:
                return False
            waiting[0] = roots[tree]
            n = 1
        while n > 0:
            n -= 1
            at = waiting[n]
            if seen[at]:
                return False
            seen[at] = tree + 1
            order[visited] = at
            visited += 1
            for child in (runs[at].left, runs[at].right):
                if child != 0:
                    if runs[child].parent != at or n >= len(runs) or seen[child]:
                        return False
                    waiting[n] = child
                    n += 1
        # From the leaves up.
        for i in range(visited - 1, -1, -1):
            run = runs[order[i]]
            longest = np.int64(run.npages)
            for child in (run.left, run.right):
                if child != 0:
                    longest = max(longest, np.int64(runs[child].longest))
            if run.longest != longest:
                return False
    return True


@kernel
def words_apart(spans, bits, firsts, taken):
    """True where the bitmaps of spans, and the free ones, share no word; `taken`: as many zeros as there are words."""
    for s in range(1, len(spans)):
        if spans[s].state == SPAN_IN_USE and not take_words(taken, spans[s].bits, words_of(spans[s])):
            return False
    for n in range(len(firsts)):
        at = np.int64(firsts[n])
        while at != NONE:
            if n == 0 or not take_words(taken, at, n):
                return False
            at = np.int64(bits[at])
    return True


@inner
def take_words(taken, first, n):
    """Take n words; False where they are not there, or one is taken."""
    if first < 0 or first + n > len(taken):
        return False
    for w in range(first, first + n):
        if taken[w]:
            return False
        taken[w] = 1
    return True
