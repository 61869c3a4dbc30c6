"""Tables by handle, which grow with the highest handle that a trace names.

They begin as zeros, and zeros that come from the system take no memory until they are written to. So a trace that names
one handle far beyond all others costs nothing, as long as nobody writes, or copies, what it left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 16


def longer(table: NDArray[Any], rows: int) -> NDArray[Any]:
    """A copy of a table with room for `rows`, the new ones zero; what is all zero is not copied."""
    room = np.zeros((rows, *table.shape[1:]), table.dtype)
    for at in range(0, len(table), CHUNK):
        part = table[at : at + CHUNK]
        if part.view(np.uint8).any():
            room[at : at + len(part)] = part
    return room
