"""Whether spans of small objects hold their own mark bits, as slots tell: Green Tea can be turned off in Go 1.26 and later,
and on in 1.25 (GOEXPERIMENT=nogreenteagc, greenteagc). The header does not say.

Go: runtime/mgcmark_greenteagc.go, gcUsesSpanInlineMarkBits; runtime/mheap.go, initSpan.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.design.gosizes import PAGES_OF, SIZE_OF
from goalloc_cli.importers.exectrace.slots.slots import MISPLACED, slots_in
from goalloc_cli.importers.exectrace.slots.window import Window

INLINE_MARK_BYTES = 128
"""What the mark bits take at the end of a span."""
ENOUGH = 8
"""Spans filled to just below the mark bits that cannot be chance."""

FEWER = 10
"""With the right marks this many times fewer objects lie outside the slots of their spans. Where the events of spans were
lost some do in any case."""


def fits_better(other: Window, window: Window) -> bool:
    """Whether objects lie in the slots of `other`, and not in those of the same recording read the usual way."""
    return bool(FEWER * other.heap.faults[MISPLACED] <= window.heap.faults[MISPLACED])


def has_inline_marks(window: Window, assumed: bool) -> bool:
    """Whether the spans read so far have mark bits in them; `assumed` is what they were read as."""
    if assumed:
        return not window.heap.faults[MISPLACED]
    spans = window.spans
    small = np.flatnonzero(spans["spc"] > 1)
    with_marks = np.zeros(len(spans), np.int64)
    with_marks[small] = [
        slots_in(int(PAGES_OF[spc >> 1]), spc, True, SIZE_OF) for spc in spans["spc"][small].tolist()
    ]
    filled = (window.row >= 0) & (window.owner >= 0) & (with_marks[window.row] > 0)
    differs = filled & (with_marks[window.row] < spans["nelems"][window.row])
    above = window.slot[differs] - with_marks[window.row[differs]]
    last = window.row[differs][above == -1]
    return bool((above < 0).all()) and len(np.unique(last)) >= ENOUGH
