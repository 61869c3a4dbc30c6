"""What a batch holds, before it is replayed: events of each kind, and how far their handles reach.

In NumPy it took half as long as the replay of the batch.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.compiled.words import popcount, word_at
from goalloc_cli.model.loop import (
    ALLOC,
    FIRST_WITNESS,
    FREE,
    KIND_MASK,
    SNAP_DEAD,
    SNAP_OBJECT,
    SNAP_PADDING,
    SNAP_PAGE_CACHE,
    SNAP_RANGE,
    SNAP_SPAN,
)
from goalloc_cli.model.tables.pallocbits import ZERO

BLOCK = 512
"""Events that are looked at together: nearly all blocks hold allocs and frees alone, which are counted by eights."""
EACH_ONE = np.uint64(0x0101010101010101 * ALLOC)
EACH_KIND = np.uint64(0x0101010101010101 * KIND_MASK)
NO_HANDLE = np.zeros(KIND_MASK + 1, np.bool_)
"""Kinds whose column of handles holds something else."""
NO_HANDLE[[SNAP_RANGE, SNAP_SPAN, SNAP_PAGE_CACHE, SNAP_PADDING]] = True
NO_HANDLE[FIRST_WITNESS:] = True
OF_OBJECT = np.zeros(KIND_MASK + 1, np.bool_)
"""Kinds whose handle is an object's and no other's."""
OF_OBJECT[[ALLOC, FREE, SNAP_OBJECT, SNAP_DEAD]] = True


@kernel
def tally(kind, handle, counts):
    """Count the events of each kind.

    Args:
        kind, handle: the batch's columns.
        counts: (64,) i8 by kind; counted on.

    Returns:
        The highest handle, and the highest that may be another's than an object's; -1: none.
    """
    highest, others = -1, -1
    for start in range(0, len(kind), BLOCK):
        end = min(start + BLOCK, len(kind))
        if end - start == BLOCK:
            frees = count_frees(kind, start)
            if frees >= 0:
                counts[ALLOC] += BLOCK - frees
                counts[FREE] += frees
                for i in range(start, end):
                    highest = max(highest, handle[i])
                continue
        for i in range(start, end):
            k = kind[i] & KIND_MASK
            counts[k] += 1
            if NO_HANDLE[k]:
                continue
            highest = max(highest, handle[i])
            if not OF_OBJECT[k]:
                others = max(others, handle[i])
    return highest, others


@inner
def count_frees(kind, start):
    """Frees in the block that begins at `start`; -1 where something in it is neither an alloc nor a free."""
    frees, odd = 0, ZERO
    for at in range(start, start + BLOCK, 8):
        # Less one, an alloc is 0 and a free 1; of anything else another bit is set.
        word = (word_at(kind, at) & EACH_KIND) - EACH_ONE
        odd |= word & ~EACH_ONE
        frees += popcount(word & EACH_ONE)
    return frees if odd == ZERO else -1
