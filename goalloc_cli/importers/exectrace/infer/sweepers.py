"""Which goroutines sweep: the background sweeper, and those that called runtime.GC.

Go: runtime/mgcsweep.go, bgsweep; runtime/mgc.go, GC.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.importers.exectrace.infer.cycles import Code
from goalloc_cli.importers.exectrace.infer.late import goroutine_after
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.decode import Ev

BACKGROUND, EXPLICIT, OTHER, PAYER, FLUSHED, ALONE = range(6)
"""Sweepers, as SWEEP_TO and SWEEP_COUNT name them: the background sweeper, runtime.GC, one that is neither, an allocation
that pays its sweep debt, a flushed mcache, one that needed just this span swept."""
OPENS, CLOSES = 1, 2
"""The first free of a sweep that others interrupt, and the last."""
OBJECT_FREE, GC_END, OBJECT_ALLOC = int(Ev.OBJECT_FREE), int(Ev.GC_END), int(Ev.OBJECT_ALLOC)
GO_STOP = int(Ev.GO_STOP)
YIELD_BACKGROUND, YIELD_GC, DRAINED = int(Code.YIELD_BACKGROUND), int(Code.YIELD_GC), int(Code.DRAINED)
OTHER_BACKGROUND = int(Code.BACKGROUND)
SWEEPING = np.zeros(256, np.bool_)
"""Events of a sweep, and of a stack that grows for it."""
SWEEPING[[Ev.OBJECT_FREE, Ev.SPAN_FREE, Ev.STACK_ALLOC, Ev.STACK_FREE]] = True
REFILLING = np.zeros(256, np.bool_)
"""Events that end a refill."""
REFILLING[[Ev.HEAP_ALLOC, Ev.GC_SWEEP_BEGIN, Ev.GC_SWEEP_END]] = True
STARTING = np.zeros(256, np.bool_)
"""Events that come next where a cycle starts."""
STARTING[[Ev.GC_BEGIN, Ev.STW_BEGIN, Ev.PROCS_CHANGE, Ev.GC_END, Ev.STW_END, Ev.GO_STOP]] = True


@inner
def starts_cycle(kind, m, q, who):
    """Whether M `who` sweeps at place q because it starts a cycle, or stops the world: then it does so in order.

    Go: mgc.go, gcStart; mgcsweep.go, finishsweep_m. It may also yield to others there, as every sweeper does.
    """
    for at in range(q, len(kind)):
        if m[at] == who and not SWEEPING[kind[at]]:
            return bool(STARTING[kind[at]])
    return True


@kernel
def is_for_refill(kind, m, row, q, who, r):
    """Whether M `who` sweeps span `r` at place q for a refill, which takes that span: its next alloc lies in it.

    Where the stack grows as the refill begins, the recording does not say that it sweeps.
    """
    for at in range(q, len(kind)):
        if m[at] != who:
            continue
        if kind[at] == OBJECT_ALLOC:
            return bool(row[at] == r)
        if not SWEEPING[kind[at]] and not REFILLING[kind[at]]:
            return False
    return False


@kernel
def sweeper_of(sweepers, goroutine, kind, m, q, who, several_ps):
    """Which sweeper a goroutine is, that sweeps on M `who` before place q; with several Ps nobody is known to be ALONE."""
    for k in range(len(sweepers)):
        if sweepers[k, 0] == goroutine:
            return sweepers[k, 1]
    return np.int64(OTHER if several_ps or starts_cycle(kind, m, q, who) else ALONE)


@kernel
def find_sweepers(kind, a, b, m, code, running_on, found, count):
    """Write (goroutine, sweeper) of every goroutine seen to sweep in the background or in runtime.GC; return how many.

    Args:
        running_on: per M, the goroutine that it runs; followed.
        count: how many are known already.
    """
    for i in range(len(kind)):
        running = running_on[m[i]]
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
        running_on[m[i]] = goroutine_after(kind[i], a[i], b[i], running)
    return count


class Sweeps(NamedTuple):
    """The sweep of every span that was last seen, and its cycle. Places are those in the window."""

    first: NDArray[np.int64]
    """Of its first free; -1 where that lies behind."""
    last: NDArray[np.int64]
    frees: NDArray[np.int64]
    cycle: NDArray[np.int64]
    """In which it was, counted by GCEnds."""
    ended: NDArray[np.int64]
    """Cycles that have ended, shape (1,)."""


def new_sweeps(spans: int) -> Sweeps:
    """None yet, of so many spans."""
    first, last, cycle = (np.full(spans, -1, np.int64) for _ in range(3))
    return Sweeps(first, last, np.zeros(spans, np.int64), cycle, np.zeros(1, np.int64))


@kernel
def find_sweeps(kind, row, owner, begin, rows, sweeps, sweep):
    """Write OPENS and CLOSES to the first and the last free of each sweep that events of others stand between.

    Looks at the events from place `begin` on. The last free of a sweep that goes on is corrected in the next call.
    """
    first, last, frees = sweeps.first, sweeps.last, sweeps.frees
    cycle = sweeps.ended[0]
    for q in range(begin, len(kind)):
        sweep[q] = 0
        if kind[q] == GC_END:
            cycle += 1
        if kind[q] != OBJECT_FREE or owner[q] < 0:
            continue
        r = row[q]
        if sweeps.cycle[r] != cycle:
            mark_sweep(first[r], last[r], frees[r], sweep)
            sweeps.cycle[r], first[r], frees[r] = cycle, q, 0
        elif last[r] < begin and first[r] >= 0:
            sweep[last[r]] = 0
        last[r] = q
        frees[r] += 1
    for r in range(rows):
        mark_sweep(first[r], last[r], frees[r], sweep)
    sweeps.ended[0] = cycle


@inner
def mark_sweep(first, last, frees, sweep):
    """The same for one sweep of `frees` frees, between two places."""
    if first >= 0 and last - first >= frees:
        sweep[first], sweep[last] = OPENS, CLOSES


def follow_sweeps(sweeps: Sweeps, sweep: NDArray[np.uint8], window: Window, by: int, until: int) -> None:
    """Follow the window, which dropped what is before place `until`: everything moves down by `by`."""
    rest = sweep[until : len(window) + by].copy()
    sweep[window.carried : len(window)] = rest
    for places in (sweeps.first, sweeps.last):
        places[:] = np.where(places >= until, places - by, -1)
