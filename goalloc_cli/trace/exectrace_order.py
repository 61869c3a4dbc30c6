"""One order of the events of all Ms.

Each M stamps its own events, and a stamp is at least one tick (64 ns) after the one before (runtime/traceevent.go,
event). A sweep frees faster than that, so the stamps of such a burst run ahead of real time, up to tens of
microseconds. Within a burst the stamps are therefore squeezed: first by what a traced free really costs, then, burst by
burst, until no slot is taken before the free that made room (`exectrace_slots.py` finds those).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.jit import kernel
from goalloc_cli.trace.exectrace_decode import Ev, Events

OBJECT_FREE = int(Ev.OBJECT_FREE)
FREE_TICKS = 0.8
"""Real cost of a traced free, in ticks: measured between 0.3 and 1, 0.8 gave the best refills."""
OTHER_TICKS = 0.9
"""The same for any other event in a burst."""
LEAST_TICKS = 0.01
"""No burst is squeezed further than this."""


@kernel
def find_bursts(ticks, bounds, burst):
    """Number the bursts: runs of events of one M, each at most one tick after the last. Returns their number."""
    count = 0
    for m in range(len(bounds) - 1):
        for i in range(bounds[m], bounds[m + 1]):
            if i == bounds[m] or not 0 <= ticks[i] - ticks[i - 1] <= 1:
                count += 1
            burst[i] = count - 1
    return count


@kernel
def squeeze(kind, ticks, bounds, burst, free_ticks, key):
    """Write the corrected time of every event. It never falls within one M (buffers are reused, so stamps may)."""
    for m in range(len(bounds) - 1):
        first, end = bounds[m], bounds[m + 1]
        i = first
        last = 0.0
        while i < end:
            j = i + 1
            while j < end and burst[j] == burst[i]:
                j += 1
            cost = free_ticks[burst[i]]
            other = OTHER_TICKS * min(1.0, cost / FREE_TICKS + 0.2)
            key[i] = max(float(ticks[i]), last)
            for k in range(i + 1, j):
                key[k] = key[k - 1] + (cost if kind[k] == OBJECT_FREE else other)
            limit = max(float(ticks[j]), last) if j < end else key[j - 1]
            if key[j - 1] > limit:
                shrink = max(0.0, limit - key[i]) / (key[j - 1] - key[i])
                for k in range(i + 1, j):
                    key[k] = key[i] + (key[k] - key[i]) * shrink
            last = key[j - 1]
            i = j


@kernel
def stamped(ticks, bounds, key):
    """Write the time of every event as it was stamped, made to never fall within one M."""
    for m in range(len(bounds) - 1):
        last = 0.0
        for i in range(bounds[m], bounds[m + 1]):
            last = max(last, float(ticks[i]))
            key[i] = last


@kernel
def merge(key, bounds, order):
    """Write the events of all Ms in the order of `key`; at a tie the lower M comes first."""
    ms = len(bounds) - 1
    head = bounds[:-1].copy()
    written = 0
    while True:
        best, second = -1, -1
        for m in range(ms):
            if head[m] == bounds[m + 1]:
                continue
            if best < 0 or key[head[m]] < key[head[best]]:
                second = best
                best = m
            elif second < 0 or key[head[m]] < key[head[second]]:
                second = m
        if best < 0:
            return
        end = bounds[best + 1]
        if second < 0:
            while head[best] < end:
                order[written] = head[best]
                head[best] += 1
                written += 1
            continue
        limit = key[head[second]]
        while head[best] < end and (key[head[best]] < limit or (key[head[best]] == limit and best < second)):
            order[written] = head[best]
            head[best] += 1
            written += 1


@kernel
def tighten(pairs, key, bounds, m_of, burst, free_ticks):
    """Squeeze the burst of each free that stands after the event it made room for; return how many could be."""
    changed = 0
    for q in range(len(pairs)):
        free, after = pairs[q, 0], pairs[q, 1]
        if m_of[free] == m_of[after]:
            continue
        first = free
        while first > bounds[m_of[free]] and burst[first - 1] == burst[free]:
            first -= 1
        if first == free:
            continue
        need = 0.95 * (key[after] - key[first] - 0.5) / (free - first)
        cost = max(LEAST_TICKS, need)
        if cost < free_ticks[burst[free]]:
            free_ticks[burst[free]] = cost
            changed += 1
    return changed


class Clock:
    """The order of the events, and the corrections that it rests on."""

    def __init__(self, events: Events, several_ps: bool) -> None:
        self._events = events
        self._burst = np.empty(len(events), np.int64)
        count = int(find_bursts(events.time, events.bounds, self._burst))
        self._free_ticks = np.full(max(count, 1), FREE_TICKS)
        self.key: NDArray[np.float64] = np.empty(len(events), np.float64)
        """Corrected time of every event, in ticks."""
        if several_ps:
            self._squeeze()
        else:
            stamped(events.time, events.bounds, self.key)

    def _squeeze(self) -> None:
        events = self._events
        squeeze(events.kind, events.time, events.bounds, self._burst, self._free_ticks, self.key)

    def order(self) -> NDArray[np.int64]:
        """The events' indices in the order of their time."""
        order = np.empty(len(self._events), np.int64)
        merge(self.key, self._events.bounds, order)
        return order

    def correct(self, pairs: NDArray[np.int64]) -> bool:
        """Place each free of `pairs` (free, event that needs it done; shape (n, 2)) before its partner, as far as
        bursts can be squeezed. False where nothing could be done."""
        events = self._events
        if not int(tighten(pairs, self.key, events.bounds, events.m, self._burst, self._free_ticks)):
            return False
        self._squeeze()
        return True
