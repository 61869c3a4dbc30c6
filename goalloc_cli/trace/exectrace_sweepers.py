"""Which goroutines sweep: the background sweeper, and those that called runtime.GC.

Go: runtime/mgcsweep.go, bgsweep; runtime/mgc.go, GC.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np

from goalloc_cli.jit import bare, kernel
from goalloc_cli.trace.exectrace_cycles import Code
from goalloc_cli.trace.exectrace_decode import Ev
from goalloc_cli.trace.exectrace_late import goroutine_after

BACKGROUND, EXPLICIT, OTHER, PAYER, FLUSHED = range(5)
"""Sweepers, as SWEEP_TO and SWEEP_COUNT name them: the background sweeper, runtime.GC, one that is neither, an allocation
that pays its sweep debt, a flushed mcache."""
OPENS, CLOSES = 1, 2
"""The first free of a sweep that others interrupt, and the last."""
OBJECT_FREE, GC_END = int(Ev.OBJECT_FREE), int(Ev.GC_END)
GO_STOP = int(Ev.GO_STOP)
YIELD_BACKGROUND, YIELD_GC, DRAINED = int(Code.YIELD_BACKGROUND), int(Code.YIELD_GC), int(Code.DRAINED)
OTHER_BACKGROUND = int(Code.BACKGROUND)


@bare
def find_sweepers(kind, a, c, m, code, found):
    """Write (goroutine, sweeper) of every goroutine seen to sweep in the background or in runtime.GC; return how many."""
    count = 0
    running = np.int64(-1)
    for i in range(len(kind)):
        if i == 0 or m[i] != m[i - 1]:
            running = np.int64(-1)
        who = -1
        if code[i] == YIELD_BACKGROUND or code[i] == DRAINED or code[i] == OTHER_BACKGROUND:
            who = BACKGROUND
        elif code[i] == YIELD_GC and kind[i] == GO_STOP:
            who = EXPLICIT
        if who >= 0 and running >= 0:
            new = True
            for k in range(count):
                new = new and found[k, 0] != running
            if new and count < len(found):
                found[count, 0], found[count, 1] = running, who
                count += 1
        running = goroutine_after(kind[i], a[i], c[i], running)
    return count


@kernel
def find_sweeps(kind, order, row, owner, rows, sweep):
    """Write OPENS and CLOSES to the first and the last free of each sweep that events of others stand between."""
    first = np.full(rows, -1, np.int64)
    last = np.full(rows, -1, np.int64)
    frees = np.zeros(rows, np.int64)
    cycle_of = np.full(rows, -1, np.int64)
    cycle = 0
    for q in range(len(order)):
        i = order[q]
        if kind[i] == GC_END:
            cycle += 1
        if kind[i] != OBJECT_FREE or owner[i] < 0:
            continue
        r = row[i]
        if cycle_of[r] != cycle:
            mark_sweep(order, first[r], last[r], frees[r], sweep)
            cycle_of[r], first[r], frees[r] = cycle, q, 0
        last[r] = q
        frees[r] += 1
    for r in range(rows):
        mark_sweep(order, first[r], last[r], frees[r], sweep)


@bare
def mark_sweep(order, first, last, frees, sweep):
    """The same for one sweep of `frees` frees, between two positions."""
    if first >= 0 and last - first >= frees:
        sweep[order[first]], sweep[order[last]] = OPENS, CLOSES
