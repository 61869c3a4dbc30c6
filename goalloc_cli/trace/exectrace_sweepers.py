"""Which goroutines sweep: the background sweeper, and those that called runtime.GC.

Go: runtime/mgcsweep.go, bgsweep; runtime/mgc.go, GC.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np

from goalloc_cli.jit import bare
from goalloc_cli.trace.exectrace_cycles import Code
from goalloc_cli.trace.exectrace_decode import Ev
from goalloc_cli.trace.exectrace_late import goroutine_after

BACKGROUND, EXPLICIT, OTHER = 0, 1, 2
"""Sweepers, as SWEEP_TO and SWEEP_COUNT name them."""
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
