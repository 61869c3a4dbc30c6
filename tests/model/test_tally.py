"""What a batch holds is counted as NumPy counts it."""

from __future__ import annotations

import numpy as np
import pytest

from goalloc_cli.model.books.tally import BLOCK, tally
from goalloc_cli.trace.event import KIND_MASK, SNAP_KINDS, Kind

OBJECTS = (Kind.ALLOC, Kind.FREE, Kind.SNAP_OBJECT, Kind.SNAP_DEAD)
NONE = (Kind.SNAP_RANGE, Kind.SNAP_SPAN, Kind.SNAP_PAGE_CACHE, Kind.SNAP_PADDING, *(k for k in Kind if k >= 48))
"""Kinds whose column of handles holds something else."""
MOSTLY_OBJECTS = [Kind.ALLOC] * 500 + [Kind.FREE] * 500 + [Kind.STACK_ALLOC, Kind.FLUSH]


@pytest.mark.parametrize("kinds", [list(Kind), [Kind.ALLOC, Kind.FREE], MOSTLY_OBJECTS, list(SNAP_KINDS), list(NONE)])
@pytest.mark.parametrize("length", [0, 1, BLOCK, 3 * BLOCK + 5])
def test_kinds_and_highest_handles(kinds: list[Kind], length: int) -> None:
    chance = np.random.default_rng(length)
    kind = chance.choice(np.array(kinds, np.uint8), length)
    handle = chance.integers(0, 1 << 32, length, np.uint32)
    counts = np.zeros(KIND_MASK + 1, np.int64)

    found = tally(kind | chance.choice(np.array([0, 0x40, 0x80], np.uint8), length), handle, counts)

    named, others = ~np.isin(kind, NONE), ~np.isin(kind, (*NONE, *OBJECTS))
    highest = tuple(int(handle[chosen].max()) if chosen.any() else -1 for chosen in (named, others))
    assert (found, counts.tolist()) == (highest, np.bincount(kind, minlength=KIND_MASK + 1).tolist())
