"""Cycles that sweep everything before the world starts again (GODEBUG=gcstoptheworld=2).

Go: runtime/mgc.go, gcSweep: it flushes every mcache, then sweeps all, then writes GCEnd. Elsewhere sweeping begins behind
GCEnd; here it is put so as well, and the cycle's end says what it was (`Code.END_STOPPED`).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.exectrace.infer.cycles import Code
from goalloc_cli.importers.exectrace.wire.decode import Ev, Events

STW_BEGIN, GC_END, OBJECT_FREE = int(Ev.STW_BEGIN), int(Ev.GC_END), int(Ev.OBJECT_FREE)
END_STOPPED = int(Code.END_STOPPED)


@kernel
def find_swept(kind, m, moves):
    """Write (first free, GCEnd) of each stop in which an M frees objects before its GCEnd; return how many fit.

    At the start of a cycle all is swept that earlier ones left, so what is freed before its end is its own.
    """
    count, first, stopped = 0, -1, False
    for i in range(len(kind)):
        if i == 0 or m[i] != m[i - 1]:
            first, stopped = -1, False
        if kind[i] == STW_BEGIN:
            first, stopped = -1, True
        elif kind[i] == OBJECT_FREE and stopped and first < 0:
            first = i
        elif kind[i] == GC_END:
            if first >= 0 and count < len(moves):
                moves[count, 0], moves[count, 1] = first, i
                count += 1
            first, stopped = -1, False
    return count


def end_before_sweep(events: Events, code: NDArray[np.uint8]) -> None:
    """Put the end of each such cycle before the first object that it frees. Times stay where they are."""
    ends = int(np.count_nonzero(events.kind == GC_END))
    moves = np.zeros((ends, 2), np.int64)
    for first, end in moves[: find_swept(events.kind, events.m, moves)].tolist():
        for column in (events.kind, events.a, events.b, events.p, events.next_p, code):
            column[first : end + 1] = np.roll(column[first : end + 1], 1)
        code[first] = END_STOPPED
