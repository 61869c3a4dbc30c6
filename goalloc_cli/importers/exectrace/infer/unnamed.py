"""What strings and stacks would have said of a generation whose tables are missing: Go writes them last.

The reasons of stops and blocks have the same numbers in every generation: they are entered before anything else
(runtime/traceruntime.go, traceRegisterLabelsAndReasons). Why the world stops shows in what happens then.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.exectrace.infer.cycles import WINDOW_BYTES, Code
from goalloc_cli.importers.exectrace.infer.late import goroutine_after
from goalloc_cli.importers.exectrace.wire.decode import Ev, Events

SWEEPER_WAIT, SLEEP = 14, 19
"""Numbers of "GC background sweeper wait" and "sleep"."""
GOSCHED_1_23, GOSCHED = 21, 22
"""Those of "runtime.Gosched": in Go 1.23; in later ones, where 21 is no reason to stop."""
SWEEPER = 3
"""The background sweeper is the third goroutine of every program, the scavenger the next (runtime/mgc.go, gcenable)."""

GC_BEGIN, GC_END, HEAP_ALLOC = int(Ev.GC_BEGIN), int(Ev.GC_END), int(Ev.HEAP_ALLOC)
OBJECT_ALLOC, GO_STOP, GO_BLOCK = int(Ev.OBJECT_ALLOC), int(Ev.GO_STOP), int(Ev.GO_BLOCK)
STW_BEGIN, STW_END, OBJECT_FREE = int(Ev.STW_BEGIN), int(Ev.STW_END), int(Ev.OBJECT_FREE)
GC_SWEEP_BEGIN, GC_SWEEP_END = int(Ev.GC_SWEEP_BEGIN), int(Ev.GC_SWEEP_END)
STOP_MEMSTATS, STOP_SWEEP = int(Code.STOP_MEMSTATS), int(Code.STOP_SWEEP_TERMINATION)
STOP_MARK, EXPLICIT, MALLOC = int(Code.STOP_MARK_TERMINATION), int(Code.GC_EXPLICIT), int(Code.GC_MALLOC)
YIELD_BACKGROUND, YIELD_GC, DRAINED = int(Code.YIELD_BACKGROUND), int(Code.YIELD_GC), int(Code.DRAINED)
SCAVENGED, SCAVENGED_NOTHING = int(Code.SCAVENGED), int(Code.SCAVENGED_NOTHING)
BACKGROUND, CREDIT, CACHE = int(Code.BACKGROUND), int(Code.SWEEP_CREDIT), int(Code.SWEEP_CACHE)
RECLAIM = int(Code.SWEEP_RECLAIM)
MOST_PAGES = 10
"""Of a span of a size class."""
FAR = 1 << 40


@kernel
def find_codes(kind, a, b, m, running, code):
    """Write the code of every event, each M's in a run.

    Args:
        running: per M: the goroutine that it runs, -1; changed.
        code: out, zeros.
    """
    stop = sweep = last = -1
    page = np.int64(-1)
    refilled = begun = False
    collecting = np.int64(-1)
    for i in range(len(kind)):
        k = kind[i]
        if i == 0 or m[i] != m[i - 1]:
            stop, sweep, last, refilled, begun = -1, -1, -1, False, False
        if k == STW_BEGIN:
            stop = i
            # The cycle is begun, then the world stopped for it (mgc.go, gcStart).
            code[i] = STOP_SWEEP if begun else 0
            begun = False
        elif k == STW_END:
            stop = -1
        elif k == GC_BEGIN:
            code[i] = MALLOC if refilled else EXPLICIT
            collecting, begun = np.int64(-1) if refilled else running[m[i]], True
        elif k == GC_END and stop >= 0:
            code[stop] = STOP_MARK
        elif k == HEAP_ALLOC:
            refilled = True
            if stop >= 0 and code[stop] == 0:
                code[stop] = STOP_MEMSTATS
        elif k == OBJECT_ALLOC:
            if refilled and last >= 0 and code[last] == CREDIT and 0 <= (a[i] >> 10) - page + MOST_PAGES < 2 * MOST_PAGES:
                # It takes what was swept last (mcentral.go, cacheSpan).
                code[last] = CACHE
            refilled, last = False, -1
        elif k == OBJECT_FREE and sweep >= 0:
            page = a[i] >> 10
        elif k == GC_SWEEP_BEGIN:
            sweep, page = i, np.int64(-FAR)
        elif k == GC_SWEEP_END and sweep >= 0:
            code[sweep] = RECLAIM if a[i] >= WINDOW_BYTES // 2 else CREDIT
            last, sweep = sweep, -1
        elif k == GO_STOP:
            yields = a[i] == GOSCHED or a[i] == GOSCHED_1_23
            if running[m[i]] == SWEEPER:
                code[i] = YIELD_BACKGROUND if yields else BACKGROUND
            elif yields and running[m[i]] == collecting:
                code[i] = YIELD_GC
        elif k == GO_BLOCK:
            if running[m[i]] == SWEEPER:
                code[i] = DRAINED if a[i] == SWEEPER_WAIT else BACKGROUND
            elif running[m[i]] == SWEEPER + 1:
                code[i] = SCAVENGED if a[i] == SLEEP else SCAVENGED_NOTHING
        running[m[i]] = goroutine_after(k, a[i], b[i], running[m[i]])


def code_unnamed(events: Events, ms: int) -> NDArray[np.uint8]:
    """The `Code` of every event of a generation without strings and stacks."""
    code = np.zeros(len(events), np.uint8)
    find_codes(events.kind, events.a, events.b, events.m, np.full(ms, -1, np.int64), code)
    # A stop that flushed something names the others of its reason.
    of_stops = (events.kind == Ev.STW_BEGIN) & np.isin(events.a, events.a[code == Code.STOP_MEMSTATS])
    code[of_stops] = Code.STOP_MEMSTATS
    return code
