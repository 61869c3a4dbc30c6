"""What pictures need of each object beside the heap: how long it lives, in GC cycles, and who allocated it.

It is noted behind the replay, piece by piece, so that at each frame the events so far are noted, and no others.
"""

# mypy: allow-untyped-defs, allow-untyped-calls
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.births import CYCLES, buckets
from goalloc_cli.compiled.jit import kernel
from goalloc_cli.compiled.words import prefetch
from goalloc_cli.results.description import Lifetimes
from goalloc_cli.results.who import BEFORE
from goalloc_cli.trace.event import KIND_MASK, Kind
from goalloc_cli.trace.longer import longer
from goalloc_cli.trace.ranges import MAX_PROCS

ALLOC, FREE, GC_END = int(Kind.ALLOC), int(Kind.FREE), int(Kind.GC_END)
SNAP_OBJECT, WORKS_FOR = int(Kind.SNAP_OBJECT), int(Kind.WORKS_FOR)
CYCLE_BITS = 24
"""A birth is one word, for it is waited for: its object's bytes, and below them what these bits hold: the GC cycles before
it, less FIRST."""
FIRST = 2
"""0: nothing was ever born; 1: it was there before the trace began, and nobody knows since when."""
MOST_CYCLE = (1 << CYCLE_BITS) - 1
MOST_SIZE = (1 << (63 - CYCLE_BITS)) - 1
FAR = 48
"""How many events ahead the birth of an object is asked for."""
CYCLE, HANDLES = range(2)
BORN, DIED_OLDER, DIED_UNBORN, ROWS = range(CYCLES + 1, CYCLES + 5)
"""Rows of the counts behind those of lifetimes: objects born; those that died and had been there before the trace began;
those that died and nobody had ever seen."""


class Books(NamedTuple):
    """What is noted."""

    births: NDArray[np.int64]
    """By handle."""
    counts: NDArray[np.int64]
    """Objects and bytes by the GC cycles that they lived, and the rows BORN to DIED_UNBORN. Shape (ROWS, 2)."""
    state: NDArray[np.int64]
    """CYCLE, and HANDLES, the highest of an object so far + 1."""
    owner_of: NDArray[np.int32]
    """By handle, who allocated its object; empty where the trace does not tell."""
    works: NDArray[np.int32]
    """Per P, and for no P, the owner that it works for; empty likewise."""


@kernel
def note(columns, start, end, books):
    """Note events start to end - 1 of a batch; the tables by handle are longer than any of an object in it."""
    kind, p, handle, size, arg = columns
    births, counts, state, owner_of, works = books
    last = len(works) - 1
    cycle, handles = state[CYCLE], state[HANDLES]
    for i in range(start, end):
        if i + FAR < end:
            prefetch(births, handle[i + FAR])
        k = kind[i] & KIND_MASK
        if k in (ALLOC, FREE, SNAP_OBJECT):
            # Without branches between births and deaths: no processor foresees which is next.
            birth, is_birth = births[handle[i]], k != FREE
            nbytes = min(size[i], MOST_SIZE) if is_birth else birth >> CYCLE_BITS
            now = min(cycle + FIRST, MOST_CYCLE) if k == ALLOC else 1
            births[handle[i]] = nbytes << CYCLE_BITS | now if is_birth else birth
            since = (birth & MOST_CYCLE) - FIRST
            row = min(cycle - since, CYCLES) if since >= 0 else BORN - since
            row = BORN if is_birth else row
            counts[row, 0] += 1
            counts[row, 1] += nbytes
            handles = max(handles, np.int64(handle[i]) + 1)
            if last >= 0 and is_birth:
                owner_of[handle[i]] = works[min(np.int64(p[i]), last)] if k == ALLOC else BEFORE
        elif k == GC_END:
            cycle += 1
        elif k == WORKS_FOR and last >= 0:
            works[min(np.int64(p[i]), last)] = arg[i]
    state[CYCLE], state[HANDLES] = cycle, handles


class Born:
    """All that was noted so far."""

    def __init__(self, owners: bool) -> None:
        """`owners`: whether the trace tells who allocates."""
        self.books = Books(
            births=np.zeros(0, np.int64), counts=np.zeros((ROWS, 2), np.int64), state=np.zeros(2, np.int64),
            owner_of=np.zeros(0, np.int32), works=np.zeros(MAX_PROCS + 1 if owners else 0, np.int32),
        )  # fmt: skip

    def note(self, columns: tuple[NDArray[np.generic], ...], start: int, end: int, rows: int) -> None:
        """Note events start to end - 1 of a batch, in which all handles are below `rows`."""
        books = self.books
        if len(books.births) < rows:
            owner_of = longer(books.owner_of, rows) if len(books.works) else books.owner_of
            self.books = books = books._replace(births=longer(books.births, rows), owner_of=owner_of)
        note(columns, start, end, books)

    @property
    def handles(self) -> int:
        """The highest of an object so far, and one."""
        return int(self.books.state[HANDLES])

    def lifetimes(self) -> Lifetimes:
        """How long objects lived."""
        counts = self.books.counts
        died = counts[: CYCLES + 1].sum(axis=0) + counts[DIED_OLDER]
        live, live_bytes = (counts[BORN] - died).tolist()
        unknown = int(counts[DIED_OLDER, 0] + counts[DIED_UNBORN, 0])
        return Lifetimes(buckets(np.arange(CYCLES + 1), counts[: CYCLES + 1].T), live, live_bytes, unknown)
