"""Objects whose size is only bounded: where their weight belongs, and how small they may have been.

A recording without requested sizes tells of a slice or a string which slot it took, and no more. Taken as large as can be,
all of them would fit Go's own classes perfectly, and nothing could be gained on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.optimize.occupied import TINY_WORDS, WORD, small_limit, words_needed
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.sizeclass import size_classes
from goalloc_cli.trace.event import BOUND, KIND_MASK, NOSCAN, Batch, Kind

Floats = NDArray[np.float64]

GOLDEN = (5**0.5 - 1) / 2
"""The multiples of it, without their whole parts, lie as evenly as any between 0 and 1."""


def spread(weights: Floats, design: Design) -> Floats:
    """Weights by pointers and words, shape (2, words), of those of Occupied: what is bounded is laid evenly over all sizes
    that take the same slot."""
    exact, bounded = weights
    sizes = own_sizes(design)
    words = np.arange(exact.shape[1])
    requests = np.arange(WORD, small_limit(design) + 1, WORD)
    out: Floats = exact.copy()
    for noscan in (0, 1):
        needed = words_needed(design, requests, np.full(len(requests), bool(noscan)))
        of_word, of_need = (np.searchsorted(sizes, WORD * each) for each in (words, needed))
        weight = np.bincount(of_word, bounded[noscan], len(sizes))
        share = weight / np.maximum(np.bincount(of_need, minlength=len(sizes)), 1)
        out[noscan] += np.bincount(needed, share[of_need], len(words))
    return out


def own_sizes(design: Design) -> NDArray[np.int64]:
    """The sizes of Go's own classes, 0 first."""
    return np.array([found.size for found in size_classes(replace(design, size_classes=None))], np.int64)


def as_low_as_can_be(batches: Iterator[Batch], design: Design) -> Iterator[Batch]:
    """The same events, each bounded object as small as its slot in Go's own table allows. Tiny blocks stay whole."""
    return resized(batches, design, lambda number: np.zeros(number))


def evenly(batches: Iterator[Batch], design: Design) -> Iterator[Batch]:
    """The same events, the sizes of bounded objects evenly between the least and the largest."""
    done = 0

    def places(number: int) -> Floats:
        nonlocal done
        done += number
        found: Floats = np.arange(done - number, done, dtype=np.float64) * GOLDEN % 1.0
        return found

    return resized(batches, design, places)


def resized(batches: Iterator[Batch], design: Design, places: Callable[[int], Floats]) -> Iterator[Batch]:
    """The same events, with other sizes of bounded objects.

    Args:
        places: of so many events, where between the least size and the largest each lies, from 0 to below 1.
    """
    sizes = own_sizes(design)
    for batch in batches:
        kind, noscan = batch.kind & np.uint8(KIND_MASK), batch.kind & np.uint8(NOSCAN) != 0
        needed = words_needed(design, batch.size, noscan)
        is_object = (kind == Kind.ALLOC) | (kind == Kind.SNAP_OBJECT)
        free = is_object & (batch.kind & np.uint8(BOUND) != 0) & (needed > 0) & ~(noscan & (needed <= TINY_WORDS))
        smaller = sizes[np.searchsorted(sizes, WORD * needed) - 1]
        with_header = ~noscan & (batch.size > design.header_above) & bool(design.malloc_header)
        least = np.where(with_header, np.maximum(smaller + 1 - WORD, design.header_above + 1), smaller + 1)
        between = ((batch.size + 1 - least) * places(len(batch))).astype(np.int64)
        yield replace(batch, size=np.where(free, least + between, batch.size))
