"""Every invariant of the heap, in one walk (allocator.md 12.1)."""

from __future__ import annotations

import numpy as np


def check(heap: np.record, objects: np.ndarray) -> str:
    """The first broken invariant in words, or "" where all hold."""
    return ""
