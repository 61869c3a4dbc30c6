"""The events of an execution trace: bytes to columns, each event with the P and the M it came from.

Go: internal/trace/tracev2/events.go (arguments of every event), runtime/traceevent.go (how they are written).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.jit import kernel
from goalloc_cli.trace.event import TraceError
from goalloc_cli.trace.exectrace_tables import uvarint_at
from goalloc_cli.trace.exectrace_wire import LOST_EVENTS, NO_M, RECORD_AGAIN, SET_GODEBUG, Wire


class Ev(IntEnum):
    """Types of timed events that are used here."""

    PROCS_CHANGE = 9
    PROC_START = 10
    PROC_STOP = 11
    PROC_STEAL = 12
    PROC_STATUS = 13
    GO_START = 16
    GO_DESTROY = 17
    GO_DESTROY_SYSCALL = 18
    GO_STOP = 19
    GO_BLOCK = 20
    GO_SYSCALL_BEGIN = 22
    GO_STATUS = 25
    STW_BEGIN = 26
    STW_END = 27
    GC_ACTIVE = 28
    GC_BEGIN = 29
    GC_END = 30
    GC_SWEEP_BEGIN = 32
    GC_SWEEP_END = 33
    HEAP_ALLOC = 37
    HEAP_GOAL = 38
    USER_LOG = 44
    GO_SWITCH = 45
    GO_SWITCH_DESTROY = 46
    GO_STATUS_STACK = 48
    SPAN = 128
    SPAN_ALLOC = 129
    SPAN_FREE = 130
    HEAP_OBJECT = 131
    OBJECT_ALLOC = 132
    OBJECT_FREE = 133
    STACK = 134
    STACK_ALLOC = 135
    STACK_FREE = 136


ARGUMENTS = {
    9: 2, 10: 2, 11: 0, 12: 3, 13: 2, 14: 3, 15: 1, 16: 2, 17: 0, 18: 0, 19: 2, 20: 2, 21: 3, 22: 2, 23: 0, 24: 0,
    25: 3, 26: 2, 27: 0, 28: 1, 29: 2, 30: 1, 31: 1, 32: 1, 33: 2, 34: 1, 35: 1, 36: 0, 37: 1, 38: 1, 39: 1, 40: 4,
    41: 2, 42: 4, 43: 4, 44: 4, 45: 2, 46: 2, 47: 3, 48: 4, 128: 3, 129: 3, 130: 1, 131: 2, 132: 2, 133: 1, 134: 2,
    135: 2, 136: 1,
}  # fmt: skip
"""Arguments of every timed event, without the time."""

ARITY = np.full(256, -1, np.int64)
for _kind, _arguments in ARGUMENTS.items():
    ARITY[_kind] = _arguments
KEPT = np.zeros(256, np.bool_)
for _ev in Ev:
    KEPT[_ev] = True

MOST_PS = 1 << 14
"""Recordings with more Ps are taken for damaged."""

RUNNING, IDLE, SYSCALL = 1, 2, 3
"""States in a ProcStatus event (tracev2.ProcStatus)."""

PROC_START, PROC_STOP = int(Ev.PROC_START), int(Ev.PROC_STOP)
PROC_STEAL, PROC_STATUS = int(Ev.PROC_STEAL), int(Ev.PROC_STATUS)


@dataclass
class Events:
    """Parallel columns, each M's events one run, in the order that the M wrote them."""

    kind: NDArray[np.uint8]
    time: NDArray[np.int64]
    """Ticks."""
    chained: NDArray[np.bool_]
    """Every event of the M since the one before in these columns is stamped at most one tick after the last: the stamp may
    have been pushed, and real time may be behind it (runtime/traceevent.go, event)."""
    a: NDArray[np.int64]
    """First argument."""
    b: NDArray[np.int64]
    """Second argument."""
    c: NDArray[np.int64]
    """Third argument."""
    m: NDArray[np.int32]
    p: NDArray[np.int16]
    """-1: none."""
    next_p: NDArray[np.int16]
    """Where there is no P: the one that this M started next, -1 where it did not."""
    generation: NDArray[np.int32]
    bounds: NDArray[np.int64]
    """First event of every M, and the end."""
    ps: int = 1
    """Number of Ps, as far as they show."""

    def __len__(self) -> int:
        return len(self.kind)


@kernel
def count_events(data, start, stop, arity, kept):
    """Number of kept events; or -(offset) - 1 of one that is not known or runs past its batch."""
    count = 0
    for k in range(len(start)):
        at, end = start[k], stop[k]
        while at < end:
            first = at
            arguments = arity[data[at]]
            if arguments < 0:
                return -first - 1
            count += kept[data[at]]
            at += 1
            for _ in range(arguments + 1):
                length = 1
                while at < end and data[at] >= 0x80:
                    at += 1
                    length += 1
                at += 1
                if at > end or length > 10:
                    return -first - 1
    return count


@kernel
def decode_events(
    data, start, stop, time, m, generation, m_ids, arity, kept, kind, ticks, chained, a, b, c, m_of, p_of, g_of
):
    """Fill the columns of the kept events, and find the P of each.

    The P of an M is told on its own stream: ProcStart and ProcStatus(running) give it, ProcStop and a ProcSteal from
    itself take it away. A ProcStatus of another P (forEachP writes those) changes nothing.
    """
    count = 0
    p = -1
    now = np.int64(0)
    chain = False
    args = np.zeros(6, np.int64)
    for k in range(len(start)):
        if k == 0 or m[k] != m[k - 1]:
            p = -1
            chain = False
        chain = chain and 0 <= time[k] - now <= 1
        at, end, now = start[k], stop[k], time[k]
        while at < end:
            ev = data[at]
            dt, at = uvarint_at(data, at + 1, end)
            now += dt
            chain = chain and dt <= 1
            for j in range(arity[ev]):
                args[j], at = uvarint_at(data, at, end)
            if not kept[ev]:
                continue
            if ev == PROC_START or (ev == PROC_STATUS and p < 0 and (args[1] == RUNNING or args[1] == SYSCALL)):
                p = min(args[0], 32767)
            kind[count] = ev
            ticks[count] = now
            chained[count] = chain
            chain = True
            arguments = arity[ev]
            a[count] = args[0] if arguments > 0 else 0
            b[count] = args[1] if arguments > 1 else 0
            c[count] = args[2] if arguments > 2 else 0
            m_of[count] = m[k]
            p_of[count] = p
            g_of[count] = generation[k]
            if ev == PROC_STOP or (ev == PROC_STEAL and args[0] == p and np.uint64(args[2]) == m_ids[m[k]]):
                p = -1
            count += 1


@kernel
def find_next_p(kind, m, p, a, next_p):
    """For events without a P: the P that their M started next (it swept that P's mcache before it said so)."""
    started = -1
    for i in range(len(kind) - 1, -1, -1):
        if i == len(kind) - 1 or m[i] != m[i + 1]:
            started = -1
        if kind[i] == PROC_START:
            started = a[i]
        next_p[i] = started if p[i] < 0 else p[i]


def decode(wire: Wire) -> Events:
    """All events of a recording that matter here.

    Raises:
        TraceError: an event that no release has, or that its batch cuts off; the message names the byte.
    """
    count = int(count_events(wire.data, wire.start, wire.stop, ARITY, KEPT))
    if count < 0:
        at = -count - 1
        raise TraceError(f"byte {at}: event {int(wire.data[at])} is not known or cut off: damaged; {RECORD_AGAIN}")
    if count >= 1 << 31:
        raise TraceError(f"{count} events are more than can be held; record for a shorter time")
    events = Events(
        kind=np.empty(count, np.uint8),
        time=np.empty(count, np.int64),
        chained=np.empty(count, np.bool_),
        a=np.empty(count, np.int64),
        b=np.empty(count, np.int64),
        c=np.empty(count, np.int64),
        m=np.empty(count, np.int32),
        p=np.empty(count, np.int16),
        next_p=np.empty(count, np.int16),
        generation=np.empty(count, np.int32),
        bounds=np.zeros(len(wire.m_ids) + 1, np.int64),
    )
    decode_events(
        wire.data, wire.start, wire.stop, wire.time, wire.m, wire.generation, wire.m_ids, ARITY, KEPT,
        events.kind, events.time, events.chained, events.a, events.b, events.c, events.m, events.p, events.generation,
    )  # fmt: skip
    find_next_p(events.kind, events.m, events.p, events.a, events.next_p)
    events.bounds[:] = np.searchsorted(events.m, np.arange(len(wire.m_ids) + 1))
    if NO_M in wire.m_ids:
        # Batches of no M tell the state of idle goroutines only.
        nobody = int(np.searchsorted(wire.m_ids, np.uint64(NO_M)))
        events.kind[events.bounds[nobody] : events.bounds[nobody + 1]] = 0
    if not np.any(events.kind >= Ev.SPAN):
        raise TraceError(f"the recording holds no alloc/free events: {SET_GODEBUG}")
    of_p = (events.kind == Ev.PROC_START) | (events.kind == Ev.PROC_STEAL) | (events.kind == Ev.PROC_STATUS)
    ps = events.a[of_p]
    numbers = np.append(ps, events.a[events.kind == Ev.PROCS_CHANGE] - 1)
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < MOST_PS:
        wrong = int(numbers.min()) if numbers.min() < 0 else int(numbers.max())
        raise TraceError(f"an event of P {wrong}: the recording is damaged; {RECORD_AGAIN}")
    if len(events) and int(events.time.min()) < 0:
        raise TraceError(f"an event at {int(events.time.min())} ticks: the recording is damaged; {RECORD_AGAIN}")
    events.ps = int(max(ps.max(initial=0), events.p.max(initial=0))) + 1
    check_sequences(events)
    return events


def check_sequences(events: Events) -> None:
    """Each P numbers its starts, steals and system calls within a generation (runtime/tracestatus.go, nextSeq).

    Raises:
        TraceError: a number is missing or comes twice, so that batches were lost or doubled.
    """
    kind = events.kind
    p = np.where(kind == Ev.GO_SYSCALL_BEGIN, events.p, events.a)
    number = np.where(kind == Ev.GO_SYSCALL_BEGIN, events.a, events.b)
    used = (kind == Ev.PROC_START) | (kind == Ev.PROC_STEAL) | (kind == Ev.GO_SYSCALL_BEGIN)
    used &= (p >= 0) & (number > 0)
    group, values = events.generation[used].astype(np.int64) * MOST_PS + p[used], number[used]
    by_group = np.lexsort((values, group))
    group, values = group[by_group], values[by_group]
    if len(values) < 2:
        return
    same = group[1:] == group[:-1]
    step = values[1:] - values[:-1]
    doubled = int(np.sum(same & (step == 0)))
    missing = int(np.sum(np.where(same & (step > 1), step - 1, 0)))
    if doubled or missing:
        raise TraceError(
            f"of {len(values)} numbered events of the Ps {missing} are missing and {doubled} come twice: {LOST_EVENTS}"
        )
