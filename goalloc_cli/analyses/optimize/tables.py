"""The best table of size classes for given weights: exact, by dynamic programming over where one class ends and the next
begins.

A slot costs its share of a span, tail and metadata included; a class that is used costs, besides, part of a span for each of
scan and noscan, which stays half full on average. How large that part is, nobody knows but a replay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.optimize.occupied import TINY_WORDS, WORD
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.sizeclass import SizeClass, slots

Floats = NDArray[np.float64]
Table = tuple[tuple[int, int], ...]
"""(bytes, pages) of each class, smallest first."""

FIXED = ((WORD, 1), (WORD * TINY_WORDS, 1))
"""Classes of every table: a word, and a tiny block."""
ONE_PAGE = 512
"""Spans of classes up to here have one page, or Go does not start (malloc.go, mallocinit)."""
MOST_PAGES = 10
"""Of a span in Go's own table."""
FINE, COARSE = 1024, 128
"""Above FINE bytes Go looks classes up in steps of COARSE (malloc.go, size_to_class128)."""
PLAIN = 16
"""Below, classes are multiples of this, but for the smallest."""


def step(design: Design, align: str, size: int) -> int:
    """What a class of about this size must be a multiple of. "go": so that the table can be built into Go."""
    if align != "go":
        return int(align)
    return WORD if size < design.align_16_from else PLAIN if size <= FINE else COARSE


def aligned(design: Design, align: str, size: int) -> int:
    """The least size of a class that holds so many bytes."""
    by = step(design, align, size)
    return -(-size // by) * by


def wall(design: Design) -> int:
    """The size at which one class must end: objects up to it have their pointer bits in the span, larger ones a header; 0
    where there is no such size (malloc.go, mallocinit: minSizeForMallocHeader must be a size class boundary)."""
    at = design.header_above // WORD * WORD if design.malloc_header else 0
    return at if at > FIXED[-1][0] else 0


@cache
def slot_bytes(design: Design, size: int, npages: int) -> tuple[float, float]:
    """Bytes of a span for each slot in it, with pointers and without; infinite where it holds none."""
    span = npages * design.page_size
    found = [slots(design, SizeClass(size, npages), noscan)[0] for noscan in (False, True)]
    with_pointers, without = (span / n if n > 0 else np.inf for n in found)
    return with_pointers, without


def possible_pages(design: Design, size: int) -> list[int]:
    """How many pages spans of a class may have."""
    most = 1 if size <= ONE_PAGE else MOST_PAGES
    return [npages for npages in range(1, most + 1) if max(slot_bytes(design, size, npages)) < np.inf]


def cost(weights: Floats, table: Table, design: Design, part: float = 0.0) -> float:
    """Bytes that a table costs: of slots, and `part` of a span for each class and kind of object that is used."""
    total, below = 0.0, 0
    for size, npages in table:
        inside = weights[:, below // WORD + 1 : size // WORD + 1]
        for used, each in zip(inside, slot_bytes(design, size, npages), strict=True):
            if used.any():
                total += float(used.sum()) * each + part * npages * design.page_size
        below = size
    return total


def fit(weights: Floats, design: Design, part: float, most: int, align: str) -> Table:
    """The cheapest table of at most `most` classes: none of those whose classes end at a size that something needs, rounded
    up, costs less.

    Args:
        weights: objects by pointers and words needed, shape (2, words).
        part: how much of a span a class costs by being there.
    """
    ends = candidates(weights, design, align)
    first = FIXED[-1][0] // WORD
    seen = np.where(np.arange(weights.shape[1]) > first, weights, 0.0)
    at = np.array([first, *(size // WORD for size in ends)])
    sums, counts = np.cumsum(seen, axis=1)[:, at], np.cumsum(seen > 0, axis=1)[:, at]
    barrier = 1 + ends.index(wall(design)) if wall(design) else 0

    def intervals(b: int) -> tuple[Floats, NDArray[np.int64]]:
        """Of a class that ends at ends[b - 1], what it costs and its pages, for each end of the class before."""
        size = ends[b - 1]
        pages = np.array(possible_pages(design, size))
        each = np.array([slot_bytes(design, size, int(npages)) for npages in pages])
        used: NDArray[np.bool_] = (counts[:, b : b + 1] - counts[:, :b]).astype(np.bool_)
        objects = np.where(used, sums[:, b : b + 1] - sums[:, :b], 0.0)
        costs = each @ objects + part * design.page_size * np.outer(pages, used.sum(axis=0))
        best = costs.argmin(axis=0)
        found = np.take_along_axis(costs, best[None], axis=0)[0]
        if b > barrier:
            found[:barrier] = np.inf
        return found, pages[best]

    ways = partition(len(ends), most - len(FIXED), lambda b: intervals(b)[0])
    table = [(ends[b - 1], int(intervals(b)[1][a])) for a, b in ways]
    return (*FIXED, *table)


def candidates(weights: Floats, design: Design, align: str) -> list[int]:
    """The sizes at which a class may end, smallest first: those that something needs, rounded up; and the last."""
    needed = WORD * np.flatnonzero(weights.any(axis=0))
    found = {aligned(design, align, int(size)) for size in needed if size > FIXED[-1][0]}
    return sorted((found | {design.max_small_size, wall(design)}) - {0})


def partition(ends: int, most: int, costs: Callable[[int], Floats]) -> list[tuple[int, int]]:
    """The cheapest way from 0 to `ends` in at most `most` steps; as (from, to) of each. Of ways that cost the same one with
    the fewest steps.

    Args:
        costs: of `b`, what a step costs to there from each a < b, shape (b,).
    """
    best = np.full((most + 1, ends + 1), np.inf)
    best[0, 0] = 0.0
    came = np.zeros((most + 1, ends + 1), np.int64)
    for b in range(1, ends + 1):
        ways = best[:-1, :b] + costs(b)
        came[1:, b] = ways.argmin(axis=1)
        best[1:, b] = ways.min(axis=1)
    steps = int(best[:, ends].argmin())
    found, b = [], ends
    for k in range(steps, 0, -1):
        found.append((int(came[k, b]), b))
        b = found[-1][0]
    return found[::-1]


def stretched(table: Table, weights: Floats, design: Design, align: str) -> Table:
    """Each class grown as far as its span loses no slot, but over no size that is known to be needed: where those belong is
    decided. What asks for a little more than was seen then fits as well."""
    out = []
    for (size, npages), (following, _) in zip(table, [*table[1:], (0, 0)], strict=True):
        grown = size
        while size > FIXED[-1][0]:
            larger = aligned(design, align, grown + 1)
            if larger >= following or slot_bytes(design, larger, npages) != slot_bytes(design, size, npages):
                break
            if size <= ONE_PAGE < larger or weights[:, grown // WORD + 1 : larger // WORD + 1].any():
                break
            grown = larger
        out.append((grown, npages))
    return tuple(out)
