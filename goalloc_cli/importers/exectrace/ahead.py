"""What an import calls its longest kernels with, by example: so that helpers can compile them before they are called.

A test holds that they are called with the like (tests/house/test_crew.py).
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import expected
from goalloc_cli.importers.exectrace.infer.late import Late, find_late
from goalloc_cli.importers.exectrace.infer.next import find_order
from goalloc_cli.importers.exectrace.infer.order import merge
from goalloc_cli.importers.exectrace.infer.pagecache import explained, try_all
from goalloc_cli.importers.exectrace.slots.slots import SPANS, Heap, walk
from goalloc_cli.importers.exectrace.who.goroutines import GOROUTINE, REGION, State, follow
from goalloc_cli.importers.exectrace.wire.decode import Streams, decode_events
from goalloc_cli.importers.exectrace.write.emit import emit
from goalloc_cli.importers.exectrace.write.source import STATE, Held, Out, Source
from goalloc_cli.trace.like import BOOLS, BOOLS2, F8, I2, I4, I8, I8_2, I8_3, READ, U1, U8, like, rows

GOROUTINES = like(
    State, rows=I8_2, goroutines=rows(GOROUTINE), tasks=I8_2, outer=I8_2, regions=rows(REGION), whos=I8_2, who=I8_2,
    asked=I8_2,
)  # fmt: skip
LATE = like(Late, preempted=I8_2, stopped=I8_2, moves=I8_2)
CACHES = (BOOLS, I8, I8, BOOLS2)
"""Of Ps: the pages in use, spans by their pages, and the block of each cache."""

PARTS = [
    expected(decode_events, READ, I8, I8, I8, I8, U8, I8, BOOLS, 0, like(Streams), I8, U1, I8, BOOLS, I8, I8, I4, I2),
    expected(merge, F8, I8, I8, U1, I8, I8, I2, I8, I8, I8, I8, BOOLS, I4, I8_2),
    expected(walk, U1, I8, I8, I8, I4, 0, True, True, I8, I8, like(Heap, spans=rows(SPANS)), I4, I2, I4, I8_3, I8_2),
    expected(follow, U1, I8, I8, I4, I4, 0, GOROUTINES),
    expected(find_late, U1, I8, I8, I4, I2, U1, I4, I2, I4, 0, 0, I8, I8, I8, LATE),
    expected(find_order, U1, U1, I4, I4, 0, BOOLS, I4, 0, 0, 0, I8_2, I8_2),
    expected(explained, I8_2, BOOLS, 0, I8, I8, BOOLS2, I8),
    expected(try_all, I8_2, CACHES, 0, 0, I8, I8, BOOLS, I8, (*CACHES, BOOLS)),
    expected(
        emit, like(Out), STATE, like(Source, spans=rows(SPANS), actions=I8_2, sweepers=I8_2), like(Held),
        0, 0, True, 0, 0.0, 0.0,
    ),
]  # fmt: skip
"""In the order in which they are called."""
