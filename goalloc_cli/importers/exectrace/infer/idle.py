"""Which Ps were idle when a cycle ended: their page caches were given back.

Once the world runs again, the M that ended the cycle does so for every P that nobody has (mgc.go, gcMarkTermination:
forEachP). The first of the idle list is not among them: starting the world wakes it (proc.go, startTheWorldWithSema). Their
mcaches are flushed there as well; taking that for the time of the flush has given worse refills than waiting for the P's own
next event, or for the first free that shows it.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.infer.cycles import MOST_ACTIONS, Act, Cycles
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.decode import IDLE, RUNNING, SYSCALL, Ev

WATCHED = (Ev.PROC_START, Ev.PROC_STOP, Ev.PROC_STEAL, Ev.PROC_STATUS)


def idle_flushes(
    window: Window, first: int, cycles: Cycles, owned: list[bool], highest_first: bool
) -> list[tuple[int, int, int, int]]:
    """(place, `Act.IDLE_FLUSH`, P, P) of every idle P at the end of every cycle, from place `first` on.

    Args:
        owned: for each P, whether an M has it; followed.
        highest_first: the idle list begins with the P of the highest number (Go 1.26+), else the lowest.

    Raises:
        TraceError: they would be more than can be held.
    """
    ps = len(owned)
    stops = set(cycles.stops_ended)
    watched = np.zeros(256, np.bool_)
    watched[list(WATCHED)] = True
    watched[Ev.STW_END] = True
    actions: list[tuple[int, int, int, int]] = []
    for q in (np.flatnonzero(watched[window.kind[first:]]) + first).tolist():
        kind, p = int(window.kind[q]), int(window.a[q])
        if kind == Ev.STW_END:
            if q in stops:
                idle = sorted((other for other in range(ps) if not owned[other]), reverse=highest_first)
                if len(actions) + len(idle) > MOST_ACTIONS:
                    raise TraceError(f"{ps} Ps in {len(stops)} GC cycles are too many to be held; record for a shorter time")
                actions += [(q + 1, int(Act.IDLE_FLUSH), other, other) for other in idle[1:]]
        elif kind == Ev.PROC_START:
            owned[p] = True
        elif kind == Ev.PROC_STOP:
            if window.p[q] >= 0:
                owned[int(window.p[q])] = False
        elif kind == Ev.PROC_STEAL:
            owned[p] = False
        elif 0 <= p < ps:
            state = int(window.b[q])
            owned[p] = state in (RUNNING, SYSCALL) if state != IDLE else False
    return actions
