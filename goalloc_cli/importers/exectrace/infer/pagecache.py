"""Which pages each P's page cache held when the recording started.

The snapshot does not tell, and the first small span does not either: it may have come past a cache whose remainder was too
short. So every 64-page block with free pages, and every "its free pages from here on", is tried: the recording's own span
events are replayed against it, and the one that explains the longest run of them is taken.

Go: runtime/mpagecache.go (pageCache.alloc, allocToCache), runtime/mheap.go, allocSpan, grow.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel

BLOCK = 64
"""Pages of a page cache."""
SMALL_SPAN = 16
"""Spans of this many pages and more bypass it."""
CHUNK = 512
"""Pages by which the heap grows."""
MOST_EVENTS = 6000
"""Span events that are replayed: what a cache held at the start shows early, or never."""
MOST_BLOCKS = 512
"""Blocks that are tried, from the lowest: with more, the heap is large and old, and the rest cannot be told."""
MOST_PAGES = 1 << 24
"""In a heap of more pages (128 GiB) nothing is searched."""
MOST_LOOKS, LOOKS_PER_EVENT = 1 << 32, 1 << 23
"""Pages looked at or copied in one search, in all and for each span event: it ends with the best found so far. It bounds the
time, to half a minute; the search in a heap of 1 GiB needs no more."""
ALLOC, FREE = 1, 0

Array = NDArray[np.int64]


@inner
def find_run(taken, end, npages, low):
    """The lowest `npages` free pages in a row below `end`, none of them below `low`; -1."""
    run = 0
    for i in range(low, end):
        run = 0 if taken[i] else run + 1
        if run == npages:
            return i - npages + 1
    return -1


@inner
def find_in_block(held, p, npages):
    """The lowest `npages` pages in a row that the cache of P `p` holds, as an offset in its block; -1."""
    run = 0
    for k in range(BLOCK):
        run = run + 1 if held[p, k] else 0
        if run == npages:
            return k - npages + 1
    return -1


@inner
def fill(taken, end, base, held, p, low):
    """Give P `p` all free pages of the block of the lowest free page."""
    i = find_run(taken, end, 1, low)
    if i < 0:
        return
    base[p] = i - i % BLOCK
    for k in range(BLOCK):
        held[p, k] = base[p] + k < end and not taken[base[p] + k]
        if held[p, k]:
            taken[base[p] + k] = True


@inner
def mark(pages, first, npages, value):
    """Set so many entries of a table by page, as far as it goes. (To assign to a slice takes the compiler seconds.)"""
    end = first + npages
    for page in range(first, end if end < len(pages) else len(pages)):
        pages[page] = value


@kernel
def explained(events, taken, end, npages_at, base, held, looks):
    """How many span allocs in a row come out at their true page.

    Args:
        events: (alloc or free, page, pages, P), shape (n, 4).
        taken: the pages in use; changed. `end`: of the heap; what lies behind is taken as it grows.
        npages_at: length of the span that begins at each page; changed.
        base, held: block of each P's cache, and which of its pages it holds; changed.
        looks: pages that may still be looked at (one number); counted down.
    """
    count = 0
    low = 0
    looks[0] -= len(taken)
    for q in range(len(events)):
        if looks[0] < 0:
            return count
        what, page, npages, p = events[q, 0], events[q, 1], events[q, 2], events[q, 3]
        if what == FREE:
            mark(taken, page, npages_at[page], False)
            low = page if page < low else low
            npages_at[page] = 0
            continue
        was = low
        while low < end and taken[low]:
            low += 1
        looks[0] -= low - was
        found = -1
        if npages < SMALL_SPAN and p >= 0:
            if find_in_block(held, p, 1) < 0:
                fill(taken, end, base, held, p, low)
            k = find_in_block(held, p, npages)
            if k >= 0:
                found = base[p] + k
                mark(held[p], k, npages, False)
        if found < 0:
            found = find_run(taken, end, npages, low)
            looks[0] -= (found if found >= 0 else end) - low
            if found < 0:
                end += (npages + CHUNK - 1) // CHUNK * CHUNK
                if end > len(taken):
                    return count
                found = find_run(taken, end, npages, low)
                looks[0] -= end - low
            mark(taken, found, npages, True)
        if found != page:
            return count
        npages_at[page] = npages
        count += 1
    return count


@inner
def assign(to, what):
    """Copy one array into another."""
    for i in range(len(what)):
        to[i] = what[i]


@kernel
def try_all(events, known, end, p, blocks, best_base, best_held, looks, tried):
    """Try every start of the cache of P `p`; write the best to `best_base` and `best_held`; return what it explains.

    known: taken, npages_at, base and held, as `explained` has them; tried: the like and room for a P's pages, to work in.
    """
    taken, npages_at, base, held = known
    tried_taken, tried_npages, tried_base, tried_held, start_held = tried
    best = -1
    for b in range(-1, len(blocks)):
        for first in range(BLOCK):
            if looks[0] < 0 or (b >= 0 and (blocks[b] + first >= end or taken[blocks[b] + first])):
                continue
            assign(tried_taken, taken)
            assign(tried_npages, npages_at)
            assign(tried_base, base)
            for other in range(len(held)):
                assign(tried_held[other], held[other])
            mark(tried_held[p], 0, BLOCK, False)
            if b >= 0:
                tried_base[p] = blocks[b]
                for k in range(first, BLOCK):
                    if blocks[b] + k < end and not taken[blocks[b] + k]:
                        tried_held[p, k] = True
                        tried_taken[blocks[b] + k] = True
            start_base = tried_base[p]
            for k in range(BLOCK):
                start_held[k] = tried_held[p, k]
            count = explained(events, tried_taken, end, tried_npages, tried_base, tried_held, looks)
            if count > best:
                best = count
                best_base[0] = start_base
                for k in range(BLOCK):
                    best_held[k] = start_held[k]
            if b < 0:
                break
    return best


def first_use(events: Array, taken: NDArray[np.bool_], end: int, ps: int) -> tuple[Array, NDArray[np.bool_], list[int]]:
    """A first guess: a P's cache holds the block of its first small span, the free pages from there on.

    Returns the blocks, the pages held, and the Ps that make spans at all; marks the pages in `taken`.
    """
    base, held = np.zeros(ps, np.int64), np.zeros((ps, BLOCK), np.bool_)
    users: list[int] = []
    small = (events[:, 0] == ALLOC) & (events[:, 2] < SMALL_SPAN) & (events[:, 3] >= 0)
    for _what, page, _npages, p in events[small].tolist():
        if p in users:
            continue
        block = page - page % BLOCK
        known = block in base[users]
        users.append(p)
        if page >= end or known:
            continue
        base[p] = block
        held[p, page % BLOCK :] = ~taken[page : block + BLOCK] & (np.arange(page, block + BLOCK) < end)
        taken[block + np.flatnonzero(held[p])] = True
    return base, held, sorted(users)


def search(events: Array, taken: NDArray[np.bool_], end: int, npages_at: Array, ps: int) -> dict[int, tuple[int, int]]:
    """Block and mask of the page cache of each P that holds any page.

    Args:
        events: (alloc or free, page, pages, P) of span events from the start on, shape (n, 4).
        taken: pages in use at the start, long enough for the heap to grow.
        end: page behind the heap at the start.
        npages_at: length of the span that begins at each page.
        ps: number of Ps.
    """
    events = events[:MOST_EVENTS]
    taken = taken.copy()
    looks = np.full(1, min(MOST_LOOKS, LOOKS_PER_EVENT * len(events)))
    base, held, users = first_use(events, taken, end, ps)
    for _ in range(1 if len(users) == 1 else 2):
        for p in users:
            if looks[0] < 0:
                break
            now = explained(events, taken.copy(), end, npages_at.copy(), base.copy(), held.copy(), looks)
            taken[base[p] + np.flatnonzero(held[p])] = False
            starts = np.arange(0, end, BLOCK)
            blocks = starts[~np.logical_and.reduceat(taken[:end], starts)][:MOST_BLOCKS]
            best_base, best_held = np.zeros(1, np.int64), np.zeros(BLOCK, np.bool_)
            known = (taken, npages_at, base, held)
            tried = (*(np.empty_like(table) for table in known), np.zeros(BLOCK, np.bool_))
            if try_all(events, known, end, p, blocks, best_base, best_held, looks, tried) > now:
                base[p], held[p] = best_base[0], best_held
            taken[base[p] + np.flatnonzero(held[p])] = True
    return {p: (int(base[p]), sum(1 << k for k in np.flatnonzero(held[p]).tolist())) for p in users if bool(held[p].any())}
