"""Runs of bits in 64-bit words: the arithmetic on uint64 that the bitmaps need.

Bit i of word w stands for page (or slot) 64*w + i. NumPy turns `uint64 + int64` into a float, so every mixture of the two
is cast here and nowhere else.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner
from goalloc_cli.compiled.words import popcount, trailing_zeros
from goalloc_cli.model.tables.heap import NONE

ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
ONE = np.uint64(1)
ZERO = np.uint64(0)


@inner
def bit(i):
    """The word with only bit i set, 0 <= i < 64."""
    return ONE << np.uint64(i)


@inner
def low_bits(n):
    """The word with the n lowest bits set, 0 <= n <= 64."""
    if n >= 64:
        return ALL
    return (ONE << np.uint64(n)) - ONE


@inner
def trailing_ones(word):
    """Number of set bits below the lowest clear one, 0 to 64."""
    return 64 if word == ALL else trailing_zeros(~word)


@inner
def highest(word):
    """Index of the highest set bit of a word that is not 0."""
    i = 63
    while (word >> np.uint64(i)) & ONE == ZERO:
        i -= 1
    return i


@inner
def without_lowest(word):
    """The word with its lowest set bit cleared; word is not 0."""
    return word & (word - ONE)


@inner
def find_ones(word, n):
    """Lowest i such that bits i .. i+n-1 of the word are all set, or NONE; 1 <= n <= 64."""
    runs = word
    have = 1
    while have < n and runs != ZERO:
        step = min(have, n - have)
        runs &= runs >> np.uint64(step)
        have += step
    if runs == ZERO:
        return NONE
    return trailing_zeros(runs)


@inner
def get_bit(words, i):
    """True where bit i of the bitmap is set."""
    return (words[i >> 6] >> np.uint64(i & 63)) & ONE != ZERO


@inner
def set_range(words, start, n):
    """Set bits start .. start+n-1 of the bitmap."""
    end = start + n
    while start < end:
        i = start & 63
        count = min(64 - i, end - start)
        words[start >> 6] |= low_bits(count) << np.uint64(i)
        start += count


@inner
def clear_range(words, start, n):
    """Clear bits start .. start+n-1 of the bitmap; return how many of them were set."""
    end = start + n
    cleared = 0
    while start < end:
        i = start & 63
        count = min(64 - i, end - start)
        mask = low_bits(count) << np.uint64(i)
        cleared += popcount(words[start >> 6] & mask)
        words[start >> 6] &= ~mask
        start += count
    return cleared


@inner
def find_zeros(words, start, end, n):
    """First i in start .. end-n such that bits i .. i+n-1 of the bitmap are all clear, or NONE."""
    run = 0
    i = start
    while i < end:
        free = ~words[i >> 6] >> np.uint64(i & 63)
        left = min(64 - (i & 63), end - i)
        while left > 0:
            if free == ZERO:
                run = 0
                i += left
                left = 0
            elif free & ONE == ZERO:
                skip = min(trailing_zeros(free), left)
                run = 0
                i += skip
                left -= skip
                free >>= np.uint64(skip)
            else:
                ones = min(trailing_ones(free), left)
                run += ones
                i += ones
                left -= ones
                if run >= n:
                    return i - run
                if left > 0:
                    free >>= np.uint64(ones)
    return NONE
