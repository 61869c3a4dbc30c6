"""Handles: small numbers for what lives, each used again once its owner is gone.

The free handles are bits in three levels of words: a bit of a level says that the word below has a free one. So the
smallest is found in three steps, however many live.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel

WORD = 64
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
"""Times a power of two, its top six bits tell which (the usual sequence of order 6)."""
LOWEST = np.zeros(64, np.int64)
for _bit in range(64):
    LOWEST[(((1 << _bit) * int(DE_BRUIJN)) & ((1 << 64) - 1)) >> 58] = _bit


@dataclass
class Handles:
    """All handles below `len(low) * 64`, those that are free marked in `low`, `middle` and `top`."""

    low: NDArray[np.uint64]
    middle: NDArray[np.uint64]
    top: NDArray[np.uint64]


def new_handles(most: int) -> Handles:
    """Handles for at most `most` owners at a time, all free."""

    def words(bits: int) -> NDArray[np.uint64]:
        return np.full(bits // WORD + 1, ~np.uint64(0), np.uint64)

    low = words(most)
    middle = words(len(low))
    return Handles(low, middle, words(len(middle)))


@inner
def lowest_bit(word):
    """Number of the lowest set bit of a word that is not 0."""
    return LOWEST[((word & (~word + np.uint64(1))) * DE_BRUIJN) >> np.uint64(58)]


@kernel
def take_handle(low, middle, top):
    """Take the smallest free handle."""
    t = 0
    while top[t] == 0:
        t += 1
    m = t * WORD + lowest_bit(top[t])
    w = m * WORD + lowest_bit(middle[m])
    handle = w * WORD + lowest_bit(low[w])
    low[w] &= low[w] - np.uint64(1)
    if low[w] == 0:
        middle[m] &= middle[m] - np.uint64(1)
        if middle[m] == 0:
            top[t] &= top[t] - np.uint64(1)
    return handle


@inner
def give_handle(low, middle, top, handle):
    """Make a handle free again."""
    one = np.uint64(1)
    w = handle // WORD
    m = w // WORD
    low[w] |= one << np.uint64(handle % WORD)
    middle[m] |= one << np.uint64(w % WORD)
    top[m // WORD] |= one << np.uint64(m % WORD)
