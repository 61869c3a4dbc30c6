"""One order of the events of all Ms.

Each M stamps its own events, and a stamp is at least one tick (64 ns) after the one before (runtime/traceevent.go,
event). A sweep frees faster than that, so the stamps of such a burst run ahead of real time, up to tens of
microseconds. Within a burst the stamps are therefore squeezed: first by what a traced free really costs, then, burst by
burst, until no slot is taken before the free that made room (`slots/slots` finds those).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.infer.stop import bring_forward
from goalloc_cli.importers.exectrace.wire.decode import IDLE, RUNNING, SYSCALL, Ev, Events

OBJECT_FREE = int(Ev.OBJECT_FREE)
PROCS_CHANGE, PROC_START, PROC_STOP = int(Ev.PROCS_CHANGE), int(Ev.PROC_START), int(Ev.PROC_STOP)
PROC_STEAL, PROC_STATUS, GO_SYSCALL_BEGIN = int(Ev.PROC_STEAL), int(Ev.PROC_STATUS), int(Ev.GO_SYSCALL_BEGIN)
STW_BEGIN = int(Ev.STW_BEGIN)
FREE_TICKS = 0.8
"""Real cost of a traced free, in ticks: measured between 0.3 and 1, 0.8 gave the best refills."""
OTHER_TICKS = 0.9
"""The same for any other event in a burst."""
LEAST_TICKS = 0.01
"""No burst is squeezed further than this."""
MOST_LOOKS, LOOKS_PER_EVENT = 1 << 30, 1000
"""Ms and Ps looked at for one order, and more for each event: far beyond what thousands of Ms need. It bounds the time."""


@kernel
def find_latest(ticks, bounds):
    """Turn stamps into the latest times that the events can have had: no stamp is before the real time, neither is a later
    one of the M. Stamps may fall within one M: the last one in a buffer stays when another M takes that."""
    for m in range(len(bounds) - 1):
        for i in range(bounds[m + 1] - 2, bounds[m] - 1, -1):
            ticks[i] = min(ticks[i], ticks[i + 1])


@kernel
def find_bursts(chained, cut, burst):
    """Number the bursts: runs of chained events of one M; one ends at event `cut`. Returns their number."""
    count = 0
    for i in range(len(chained)):
        if not chained[i] or i == cut + 1:
            count += 1
        burst[i] = count - 1
    return count


@kernel
def squeeze(kind, ticks, chained, bounds, burst, free_ticks, other_ticks, before, key):
    """Write the corrected time of every event. It never falls within one M.

    `before`: per M: the last such time until now.
    """
    for m in range(len(bounds) - 1):
        first, end = bounds[m], bounds[m + 1]
        i = first
        last = before[m]
        while i < end:
            j = i + 1
            while j < end and burst[j] == burst[i]:
                j += 1
            cost = free_ticks[burst[i]]
            other = other_ticks[burst[i]]
            key[i] = max(float(ticks[i]), last)
            if i > first and chained[i]:  # Behind a cut: the stamp is no real time.
                key[i] = min(key[i], last + other)
            for k in range(i + 1, j):
                key[k] = key[k - 1] + (cost if kind[k] == OBJECT_FREE else other)
            limit = max(float(ticks[j - 1]), last)
            if key[j - 1] > limit:
                shrink = max(0.0, limit - key[i]) / (key[j - 1] - key[i])
                for k in range(i + 1, j):
                    key[k] = key[i] + (key[k] - key[i]) * shrink
            last = key[j - 1]
            i = j


@kernel
def stamped(ticks, bounds, before, key):
    """Write the time of every event as it was stamped, made to never fall within one M. `before` as for `squeeze`."""
    for m in range(len(bounds) - 1):
        last = before[m]
        for i in range(bounds[m], bounds[m + 1]):
            last = max(last, float(ticks[i]))
            key[i] = last


@inner
def is_ready(kind, a, b, m, owner, sequence, asked):
    """Whether the Ps are in the state that an event of M `m` needs.

    A P starts when it has stopped elsewhere, and its starts, steals and system calls are numbered; the world stands still
    (ProcsChange of the M that asked for it) when no other M has a P. An M that takes a P sweeps what that has cached before
    it says that the P starts: if these frees are the P's first events, its status is told before them, and is "running"
    (proc.go, acquirep).
    """
    if kind == PROC_START:
        return (owner[a] < 0 and (sequence[a] < 0 or sequence[a] == b - 1)) or (owner[a] == m and sequence[a] == b - 1)
    if kind == PROC_STEAL:
        return sequence[a] < 0 or sequence[a] == b - 1
    if kind == PROCS_CHANGE and asked[m]:
        for p in range(len(owner)):
            if owner[p] >= 0 and owner[p] != m:
                return False
    return True


@inner
def follow_ps(kind, a, b, p, m, owner, sequence, asked):
    """Keep the state of the Ps; return whether an event may have made another M's ready."""
    if kind == PROC_START:
        owner[a], sequence[a] = m, b
    elif kind == PROC_STEAL:
        owner[a], sequence[a] = -1, b
    elif kind == PROC_STOP:
        if p >= 0:
            owner[p] = -1
    elif kind == PROC_STATUS:
        # The first event of a P in a generation: its numbers begin again.
        sequence[a] = 0
        owner[a] = m if p == a and (b in (RUNNING, SYSCALL)) else owner[a]
        if b == IDLE:
            owner[a] = -1
    elif kind == GO_SYSCALL_BEGIN:
        if p >= 0:
            sequence[p] = a
    elif kind == STW_BEGIN:
        asked[m] = True
        return False
    elif kind == PROCS_CHANGE:
        asked[m] = False
    else:
        return False
    return True


@kernel
def merge(key, ticks, bounds, kind, a, b, p_of, head, owner, sequence, started, asked, order, pairs):
    """Write the events of all Ms in the order of `key`, but none before the Ps are ready for it.

    A ProcsChange that ends a stop comes before every start of a P that is stamped later, unless it waits for one of them
    (a stamp is never before the real time). At a tie the lower M comes first.
    Where nothing is ready, the earliest event comes all the same, and `pairs` gets the stops that wait (event, start of a P
    that must come after it). Returns the number of pairs, -1 where the order takes more looks than it may.

    Args:
        head: per M: its next event.
        owner, sequence, started: per P: the M that has it, the last number, the event that started it; -1: none.
        asked: per M: it stops the world.
    """
    # In one piece: every event comes through here, and its parts would be handed fourteen arrays each time.
    ms = len(head)
    ps = len(owner)
    written = 0
    found = 0
    looks = MOST_LOOKS + LOOKS_PER_EVENT * len(order)
    while looks > 0:
        best, second, waiting, held = -1, -1, -1, -1
        still = np.inf
        looks -= 2 * ms
        for m in range(ms):
            i = head[m]
            if i < bounds[m + 1] and kind[i] == PROCS_CHANGE and asked[m]:
                still = min(still, key[i])
                looks -= ps
        for m in range(ms):
            i = head[m]
            if i == bounds[m + 1]:
                continue
            if not is_ready(kind[i], a[i], b[i], m, owner, sequence, asked):
                if waiting < 0 or key[i] < key[head[waiting]]:
                    waiting = m
            elif kind[i] == PROC_START and ticks[i] >= still:
                if held < 0 or key[i] < key[head[held]]:
                    held = m
            elif best < 0 or key[i] < key[head[best]]:
                second = best
                best = m
            elif second < 0 or key[i] < key[head[second]]:
                second = m
        if best < 0 and held >= 0:
            best = held
        elif best < 0:
            if waiting < 0:
                return found
            best = waiting
            for m in range(ms):
                i = head[m]
                if i == bounds[m + 1] or kind[i] != PROCS_CHANGE or not asked[m]:
                    continue
                looks -= ps
                for p in range(ps):
                    if (owner[p] >= 0 and owner[p] != m and started[p] >= 0 and ticks[started[p]] > key[i]
                            and found < len(pairs)):  # fmt: skip
                        pairs[found, 0], pairs[found, 1] = i, started[p]
                        found += 1
        end = bounds[best + 1]
        limit = key[head[second]] if second >= 0 else np.inf
        first = True
        while head[best] < end:
            i = head[best]
            k = kind[i]
            if not first and (key[i] > limit or (key[i] == limit and best > second) or k == PROCS_CHANGE
                              or (k < PROC_STATUS and (ticks[i] >= still or not is_ready(
                                  k, a[i], b[i], best, owner, sequence, asked)))):  # fmt: skip
                break
            first = False
            order[written] = i
            written += 1
            head[best] += 1
            if k == PROC_START:
                started[a[i]] = i
            elif k == PROC_STOP and still < np.inf and p_of[i] >= 0:
                # A stop that waited for this beyond its own stamp came before the P started.
                looks -= ms
                for m in range(ms):
                    j = head[m]
                    if m == best or j == bounds[m + 1] or kind[j] != PROCS_CHANGE or not asked[m] or key[i] <= ticks[j]:
                        continue
                    if started[p_of[i]] >= 0 and found < len(pairs):
                        pairs[found, 0], pairs[found, 1] = j, started[p_of[i]]
                        found += 1
            if k < 128 and follow_ps(k, a[i], b[i], p_of[i], best, owner, sequence, asked) and (waiting >= 0 or held >= 0):
                break
    return -1


@inner
def burst_start(i, bounds, m_of, burst):
    """First event of the burst of event `i`: the one whose stamp is the real time."""
    first, last = bounds[m_of[i]], i
    while first < last:
        middle = (first + last) // 2
        if burst[middle] == burst[i]:
            last = middle
        else:
            first = middle + 1
    return first


@kernel
def find_impossible(pairs, ticks, chained, bounds, m_of, burst, impossible):
    """Mark the pairs whose free was written after its partner by any reading of their stamps."""
    for q in range(len(pairs)):
        free, after = pairs[q, 0], pairs[q, 1]
        first = burst_start(free, bounds, m_of, burst)
        late = ticks[first] > ticks[after] and not chained[first]
        impossible[q] = free > after if m_of[free] == m_of[after] else late


@kernel
def tighten(pairs, key, ticks, bounds, m_of, burst, free_ticks, other_ticks):
    """Squeeze the burst of each free that stands after the event it made room for; return how many could be.

    Where the free's own time is known, the other burst was squeezed too far: it is stretched, up to its stamps.
    """
    changed = 0
    for q in range(len(pairs)):
        free, after = pairs[q, 0], pairs[q, 1]
        if m_of[free] == m_of[after]:
            continue
        first = burst_start(free, bounds, m_of, burst)
        cost = 0.95 * (key[after] - key[first] - 0.5) / (free - first) if free > first else -1.0
        if cost >= LEAST_TICKS:
            if cost < free_ticks[burst[free]]:
                free_ticks[burst[free]] = cost
                other_ticks[burst[free]] = min(other_ticks[burst[free]], OTHER_TICKS * min(1.0, cost / FREE_TICKS + 0.2))
                changed += 1
            continue
        first = burst_start(after, bounds, m_of, burst)
        if after == first:
            continue
        cost = (key[free] + 0.5 - key[first]) / (after - first)
        if cost > 0 and cost * (after - first) <= ticks[after] - ticks[first] and (
                cost > free_ticks[burst[after]] or cost > other_ticks[burst[after]]):  # fmt: skip
            free_ticks[burst[after]] = max(cost, free_ticks[burst[after]])
            other_ticks[burst[after]] = max(cost, other_ticks[burst[after]])
            changed += 1
    return changed


@dataclass
class Ps:
    """Where the Ps and the Ms stand between two events of the order."""

    owner: NDArray[np.int64]
    """Per P: the M that has it, -1."""
    sequence: NDArray[np.int64]
    """Per P: its last number, -1."""
    asked: NDArray[np.bool_]
    """Per M: it stops the world."""

    def copy(self) -> Ps:
        """The same, to be changed."""
        return Ps(self.owner.copy(), self.sequence.copy(), self.asked.copy())


class Clock:
    """The order of the events, generation by generation, and the corrections that it rests on.

    All events of a generation come before those of the next, as Go's own reader has it (internal/trace/reader.go).
    """

    def __init__(self, ps: int, ms: int) -> None:
        """Before the first event."""
        self._state = Ps(np.full(ps, -1, np.int64), np.full(ps, -1, np.int64), np.zeros(ms, np.bool_))
        self._before = np.zeros(ms, np.float64)

    def begin(self, events: Events) -> None:
        """Take up the next generation."""
        self._events = events
        self._burst = np.zeros(0, np.int32)
        self._tried: list[tuple[NDArray[np.int32], Ps]] = []
        self.stuck: NDArray[np.int64] = np.zeros((0, 2), np.int64)
        """(event, event that must come after it) that the last order could not place, shape (n, 2)."""
        self.key = np.empty(len(events), np.float64)
        """Corrected time of every event, in ticks."""
        self._free_ticks = self._other_ticks = np.zeros(0)
        if len(self._state.owner) > 1:
            find_latest(events.time, events.bounds)
            cut = -1 if events.generation else int(bring_forward(events.kind, events.time, events.bounds))
            self._find_bursts(cut)
            self._squeeze()
        else:
            stamped(events.time, events.bounds, self._before, self.key)

    def _find_bursts(self, cut: int = -1) -> None:
        self._burst = np.empty(len(self._events), np.int32)
        count = int(find_bursts(self._events.chained, cut, self._burst))
        self._free_ticks = np.full(max(count, 1), FREE_TICKS)
        self._other_ticks = np.full(max(count, 1), OTHER_TICKS)

    def end(self, choice: int) -> None:
        """The generation is done, in the order of attempt `choice`: nothing of it is held any more."""
        self._state = self._tried[choice][1]
        bounds = self._events.bounds
        for m in np.flatnonzero(bounds[1:] > bounds[:-1]).tolist():
            self._before[m] = self.key[bounds[m + 1] - 1]
        del self._events, self._burst, self._tried, self.key

    def _squeeze(self) -> None:
        events, ticks = self._events, (self._free_ticks, self._other_ticks)
        squeeze(events.kind, events.time, events.chained, events.bounds, self._burst, *ticks, self._before, self.key)

    def order(self) -> NDArray[np.int32]:
        """The events' indices in the order of their time.

        Raises:
            TraceError: too many threads and Ps for any order to be found.
        """
        events, state = self._events, self._state.copy()
        order = np.empty(len(events), np.int32)
        pairs = np.zeros((1 << 10, 2), np.int64)
        ps, ms = len(state.owner), len(state.asked)
        found = int(
            merge(
                self.key, events.time, events.bounds, events.kind, events.a, events.b, events.p, events.bounds[:-1].copy(),
                state.owner, state.sequence, np.full(ps, -1, np.int64), state.asked, order, pairs,
            )
        )  # fmt: skip
        if found < 0:
            raise TraceError(
                f"the events of {ms} threads and {ps} Ps cannot be put in order: the recording is damaged; record it again"
            )
        self._tried.append((order, state))
        self.stuck = pairs[:found]
        return order

    def impossible(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which pairs (free, event that needs it done; shape (n, 2)) no order can hold that the stamps allow."""
        events, found = self._events, np.zeros(len(pairs), np.bool_)
        if len(pairs) and not len(self._free_ticks):
            self._find_bursts()
        find_impossible(pairs, events.time, events.chained, events.bounds, events.m, self._burst, found)
        return found

    def correct(self, pairs: NDArray[np.int64]) -> bool:
        """Place each free of `pairs` (free, event that needs it done; shape (n, 2)) before its partner, as far as
        bursts can be squeezed. False where nothing could be done."""
        events = self._events
        if not len(self._free_ticks):
            self._find_bursts()
        if not int(
            tighten(pairs, self.key, events.time, events.bounds, events.m, self._burst, self._free_ticks, self._other_ticks)
        ):
            return False
        self._squeeze()
        return True
