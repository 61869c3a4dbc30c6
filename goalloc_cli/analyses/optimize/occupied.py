"""How many slots a program occupies, by size: what a table of size classes is fitted to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.births import Births
from goalloc_cli.design.allocator import Design
from goalloc_cli.trace.event import BOUND, KIND_MASK, NOSCAN, Batch, Kind

Ints = NDArray[np.int64]

WORD = 8
"""Sizes are counted in words: all size classes are multiples of 8."""
HEADER_WORDS = 1
TINY_WORDS = 2
"""A block of tiny objects."""
PEAK = 0
"""The moment of the peak, among kinds of events."""


@dataclass(frozen=True)
class Occupied:
    """Objects that hold a slot, by what the slot must hold.

    Arrays have the shape (2, 2, words): exact or bounded, with pointers or without, words of the slot's least size. An
    object that died holds its slot until the next GC_END.
    """

    peak: Ints
    """At the peak of HeapInuse."""
    total: Ints
    """At all GC_STARTs together."""
    starts: int

    @property
    def weights(self) -> NDArray[np.float64]:
        """Half at the peak, half averaged over the GC cycles; without any, at the peak alone."""
        return (self.peak + self.total / self.starts) / 2 if self.starts else self.peak.astype(np.float64)


def words_needed(design: Design, size: Ints, noscan: NDArray[np.bool_]) -> Ints:
    """Words that a slot must have for each request; 0 for what takes no slot of a size class (malloc.go, mallocgc)."""
    header = ~noscan & (size > design.header_above) if design.malloc_header else np.zeros(size.shape, np.bool_)
    words = (size + WORD - 1) // WORD + HEADER_WORDS * header
    words = np.where(noscan & (size < design.tiny_size) & (size > 0), TINY_WORDS, words)
    return np.where(size > small_limit(design), 0, words)


def small_limit(design: Design) -> int:
    """The largest request that takes a slot of a size class."""
    return design.max_small_size - (WORD * HEADER_WORDS if design.malloc_header else 0)


def occupied(batches: Iterable[Batch], design: Design, peak_event: int) -> Occupied:
    """Count the slots that are held, at the peak and at every GC_START.

    Args:
        peak_event: the number of events before the peak.
    """
    shape = (design.max_small_size // WORD + 1, 2, 2)
    births = Births()
    held, dying = np.zeros(shape, np.int64).ravel(), np.zeros(shape, np.int64).ravel()
    peak, total, starts, first = None, np.zeros_like(held), 0, 0
    for batch in batches:
        kind = batch.kind & np.uint8(KIND_MASK)
        born, died = births_and_deaths(births, batch, kind, design)
        at = 0
        for stop, what in moments(kind, peak_event - first):
            held += counted(born, at, stop, len(held))
            dying += counted(died, at, stop, len(held))
            at = stop
            if what == PEAK:
                peak = held.copy()
            elif what == Kind.GC_START:
                total += held
                starts += 1
            elif what == Kind.GC_END:
                held -= dying
                dying[:] = 0
        first += len(batch)
    # Transposed: a key counts words, then whether the size is bounded, then whether there are no pointers.
    known = [held if peak is None else peak, total]
    at_peak, in_all = (np.ascontiguousarray(each.reshape(shape).transpose(1, 2, 0)) for each in known)
    return Occupied(at_peak, in_all, starts)


def births_and_deaths(
    births: Births, batch: Batch, kind: NDArray[np.uint8], design: Design
) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Where in a batch objects with a slot are born, and their keys; and the same of those that die."""
    noscan, bound = (batch.kind & np.uint8(flag) != 0 for flag in (NOSCAN, BOUND))
    is_birth = (kind == Kind.ALLOC) | (kind == Kind.SNAP_OBJECT)
    key = np.where(is_birth, words_needed(design, batch.size, noscan), 0) << 2 | bound.astype(np.int64) << 1 | noscan
    at = np.flatnonzero(is_birth | (kind == Kind.FREE))
    rows = np.zeros((len(batch), 3), np.int64)
    rows[:, 0] = key
    died, row = births.follow(at, batch.id[at].astype(np.int64), kind[at] == Kind.FREE, rows)
    order = np.argsort(died, kind="stable")
    born = np.flatnonzero(is_birth)
    return (born, key[born]), (died[order], row[order, 0])


def moments(kind: NDArray[np.uint8], peak: int) -> list[tuple[int, int]]:
    """Where in a batch something is to be noted, and what; last its end."""
    found = [(int(at), int(kind[at])) for at in np.flatnonzero((kind == Kind.GC_START) | (kind == Kind.GC_END))]
    if 0 <= peak < len(kind):
        found.append((peak, PEAK))
    return [*sorted(found), (len(kind), -1)]


def counted(keyed: tuple[Ints, Ints], start: int, stop: int, length: int) -> Ints:
    """How often each key stands between two places of a batch; the key of no slot, never."""
    at, key = keyed
    low, high = np.searchsorted(at, (start, stop))
    found = np.bincount(key[low:high], minlength=length)
    found[:4] = 0
    return found
