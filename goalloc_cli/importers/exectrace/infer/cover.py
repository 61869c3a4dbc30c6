"""How far what there is of a generation holds, where its end is missing.

An M hands its buffer on when it is full: of a recording that breaks off, each M's last events are missing. What one M does
with a P the others cannot see; but the starts, steals and system calls of a P are numbered (runtime/tracestatus.go,
nextSeq). So each P's story is known up to the first number that is missing, or up to the last event of the M that has it.

Where the tracer lost whole batches, numbers are missing early, and hardly anything is known for certain. Then the numbers
before the last are not asked for, or none: what is lost is inferred, as in a generation that has its end.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.exectrace.wire.decode import RUNNING, SYSCALL, UNSIZED, Ev, Events, numbered_events

PROC_START, PROC_STOP, PROC_STATUS = int(Ev.PROC_START), int(Ev.PROC_STOP), int(Ev.PROC_STATUS)
PROC_STEAL = int(Ev.PROC_STEAL)
FOR_EVER = 1 << 62
ENOUGH = 0.5
"""Share of a recording's events with which what is certain is enough; else what is not is taken too, as bounded."""


@kernel
def find_held(kind, time, m, held):
    """Write, per event, until when its M is known to keep the P that it has then: its next stop, or its last event."""
    until = 0
    for i in range(len(kind) - 1, -1, -1):
        if i == len(kind) - 1 or m[i] != m[i + 1] or kind[i] == PROC_STOP:
            until = time[i]
        held[i] = until


@kernel
def find_gone(kind, m, gone):
    """Write, per event, whether its M stops that P later in what there is."""
    stopped = False
    for i in range(len(kind) - 1, -1, -1):
        if i == len(kind) - 1 or m[i] != m[i + 1]:
            stopped = False
        stopped = stopped or kind[i] == PROC_STOP
        gone[i] = stopped


@kernel
def find_covered(kind, a, b, p, time, held, gone, begin, group, number, at, gaps, covered):
    """Write, per P, the time up to which its story is known.

    Args:
        gaps: numbers may be missing, but behind the last.
        begin: the time of the first event.
        group, number, at: P, number and event of all that are numbered, sorted.
        covered: out, FOR_EVER where nothing is missing.
    """
    for i in range(len(kind)):
        # A P that an M had all the time: nothing is numbered.
        if kind[i] == PROC_STATUS and p[i] == a[i] and (b[i] == RUNNING or b[i] == SYSCALL) and not gone[i]:
            covered[a[i]] = held[i]
    for k in range(len(group)):
        last = k + 1 == len(group) or group[k + 1] != group[k]
        if k == 0 or group[k - 1] != group[k]:
            covered[group[k]] = FOR_EVER if gaps or number[k] == 1 else begin
            if number[k] != 1 and not gaps:
                continue
        elif covered[group[k]] != FOR_EVER:
            continue
        i = at[k]
        if not last and (gaps or number[k + 1] <= number[k] + 1):
            continue
        if kind[i] == PROC_STEAL:
            covered[group[k]] = FOR_EVER if last else time[i]
        elif not (last and gone[i]):
            covered[group[k]] = held[i]


def covered_until(events: Events, ps: int, earlier: int) -> int:
    """The time in ticks up to which everything that any P did is there; FOR_EVER where nothing shows to be missing.

    Where that leaves less than half of the recording, which has so many events `earlier`: up to which something of every P
    is there; or, if that is no more, all.
    """
    count = len(events)
    if not count:
        return FOR_EVER
    held, gone = np.empty(count, np.int64), np.empty(count, np.bool_)
    find_held(events.kind, events.time, events.m, held)
    find_gone(events.kind, events.m, gone)
    numbered = numbered_events(events)
    begin = int(events.time.min())

    def until(gaps: bool) -> int:
        covered: NDArray[np.int64] = np.full(ps, FOR_EVER, np.int64)
        find_covered(
            events.kind, events.a, events.b, events.p, events.time, held, gone, begin, *numbered, gaps, covered
        )  # fmt: skip
        return int(covered.min(initial=FOR_EVER))

    for gaps in (False, True):
        known = until(gaps)
        if earlier + np.count_nonzero(events.time <= known) >= ENOUGH * (earlier + count):
            return known
    return FOR_EVER


def cut(events: Events, until: int) -> Events:
    """The same events, up to a time."""
    kept = events.time <= until
    before = np.concatenate([[0], np.cumsum(kept)])
    columns = {f.name: getattr(events, f.name)[kept] for f in fields(Events) if f.name not in UNSIZED}
    return Events(
        **columns, bounds=before[events.bounds], goroutines=events.goroutines, generation=events.generation
    )
