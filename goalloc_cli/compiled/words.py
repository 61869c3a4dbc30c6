"""What the processor does with a word of 64 bits, and with memory, in one step each.

Eight bytes are read at once, so that numbers of unequal length take no branch for each of their bytes; and memory is asked
for before it is needed: an object that dies lies anywhere, and waiting for it took half of all the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from goalloc_cli.compiled.jit import operation


@operation
def word_at(data: Any, at: Any) -> Any:
    """The eight bytes of an array from `at` on, which have to be there, as a word whose lowest byte is the first."""
    return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))


@operation
def prefetch(table: Any, row: Any) -> None:
    """Bring a row of a table into the cache; any number will do, also that of a row that is not there."""


@operation
def trailing_zeros(word: Any) -> Any:
    """Number of zero bits below the lowest set bit of a word that is not 0."""
    return (int(word) & -int(word)).bit_length() - 1


@operation
def popcount(word: Any) -> Any:
    """Number of set bits in a word."""
    return int(word).bit_count()
