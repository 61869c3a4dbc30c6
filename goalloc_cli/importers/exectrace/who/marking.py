"""Who marks: how long mark workers and assists ran in each cycle, on Ps.

A goroutine that marks says so right after it starts, by a label; one that assists says when it begins and ends, and may be
stopped in between, and go on on another M. What runs is on a P, which need not have a core: on a machine without free cores
the CPU took less. (Go: runtime/traceruntime.go, GoStart, GCMarkAssistStart; mgcmark.go, gcAssistAlloc)
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.importers.exectrace.infer.late import EFFECT, GO_RUNNING, STARTS, STOPS, TELLS
from goalloc_cli.importers.exectrace.wire.decode import Ev, Events

GC_END, GO_LABEL = int(Ev.GC_END), int(Ev.GO_LABEL)
ASSIST_ACTIVE, ASSIST_BEGIN = int(Ev.GC_MARK_ASSIST_ACTIVE), int(Ev.GC_MARK_ASSIST_BEGIN)
ASSIST_END = int(Ev.GC_MARK_ASSIST_END)
LOOKED_AT = EFFECT != 0
LOOKED_AT[[GC_END, GO_LABEL, ASSIST_ACTIVE, ASSIST_BEGIN, ASSIST_END]] = True

IDLE, WORKS, ASSISTS = -1, 0, 1
"""What an M does for the collector; the last two are also the two sums."""
NOBODY = -1
MOST_ASSISTS = 1 << 12
"""Goroutines that assist at once, as far as they are followed from M to M."""
MOST_TICKS, MOST_US = 1 << 60, (1 << 31) - 1
BITS = 32


class Marking(NamedTuple):
    """What is kept from one generation to the next."""

    runs: NDArray[np.int64]
    """Per M: the goroutine that it runs."""
    does: NDArray[np.int64]
    """Per M."""
    since: NDArray[np.int64]
    """Per M: the tick from which on it does that."""
    assists: NDArray[np.int64]
    """Goroutines in an assist; NOBODY in a free entry."""
    ticks: NDArray[np.int64]
    """Of the cycle under way, by WORKS and ASSISTS."""


def new_marking(ms: int) -> Marking:
    """Before the first event of `ms` Ms."""
    return Marking(
        runs=np.full(ms, NOBODY, np.int64), does=np.full(ms, IDLE, np.int64), since=np.zeros(ms, np.int64),
        assists=np.full(MOST_ASSISTS, NOBODY, np.int64), ticks=np.zeros(2, np.int64),
    )  # fmt: skip


@inner
def place_of(assists, goroutine):
    """The entry of a goroutine, -1 where there is none."""
    for at in range(len(assists)):
        if assists[at] == goroutine:
            return at
    return -1


@inner
def does_now(marking, m, what, now):
    """From here on an M does `what`."""
    before = marking.does[m]
    if before != IDLE:
        ran = min(max(now - marking.since[m], 0), MOST_TICKS)
        marking.ticks[before] = min(marking.ticks[before] + ran, MOST_TICKS)
    marking.does[m], marking.since[m] = what, now


@inner
def begin_assist(marking, goroutine):
    """A goroutine assists from here on."""
    if place_of(marking.assists, goroutine) < 0:
        at = place_of(marking.assists, NOBODY)
        if at >= 0:
            marking.assists[at] = goroutine


@inner
def end_cycle(marking, now, us_per_tick):
    """A cycle ends: microseconds of workers, and below them of assists; both begin anew."""
    for m in range(len(marking.does)):
        does_now(marking, m, marking.does[m], now)
    worked = np.int64(min(marking.ticks[WORKS] * us_per_tick, float(MOST_US)))
    assisted = np.int64(min(marking.ticks[ASSISTS] * us_per_tick, float(MOST_US)))
    marking.ticks[:] = 0
    return worked << BITS | assisted


@kernel
def follow_marking(kind, time, a, b, m, order, us_per_tick, marking):
    """Follow events in an order of time; write to `a` of every GC_END what its cycle took."""
    for i in order:
        k, now, of = kind[i], time[i], m[i]
        if EFFECT[k] == STARTS or (EFFECT[k] == TELLS and b[i] == GO_RUNNING):
            marking.runs[of] = a[i]
            does_now(marking, of, ASSISTS if place_of(marking.assists, a[i]) >= 0 else IDLE, now)
        elif EFFECT[k] == STOPS:
            marking.runs[of] = NOBODY
            does_now(marking, of, IDLE, now)
        elif k == GO_LABEL:
            does_now(marking, of, WORKS, now)
        elif k == ASSIST_ACTIVE:
            begin_assist(marking, a[i])
        elif k == ASSIST_BEGIN and marking.runs[of] != NOBODY:
            begin_assist(marking, marking.runs[of])
            does_now(marking, of, ASSISTS, now)
        elif k == ASSIST_END:
            at = place_of(marking.assists, marking.runs[of])
            if marking.runs[of] != NOBODY and at >= 0:
                marking.assists[at] = NOBODY
            does_now(marking, of, IDLE, now)
        elif k == GC_END:
            a[i] = end_cycle(marking, now, us_per_tick)


def tell_marking(events: Events, ticks_per_second: float, marking: Marking) -> None:
    """Put into `a` of every GC_END of a generation the microseconds that mark workers ran (above `BITS`) and assists."""
    found = np.flatnonzero(LOOKED_AT[events.kind])
    order = found[np.argsort(events.time[found], kind="stable")]
    follow_marking(events.kind, events.time, events.a, events.b, events.m, order, 1e6 / ticks_per_second, marking)
