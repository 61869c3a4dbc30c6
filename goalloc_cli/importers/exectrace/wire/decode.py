"""The events of an execution trace: bytes to columns, each event with the P and the M it came from.

Go: internal/trace/tracev2/events.go (arguments of every event), runtime/traceevent.go (how they are written).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.wire.asked import KEY, TYPE_MASK, asked
from goalloc_cli.importers.exectrace.wire.scan import NO_M
from goalloc_cli.importers.exectrace.wire.tables import uvarint_at
from goalloc_cli.importers.exectrace.wire.wire import Wire


class Ev(IntEnum):
    """Types of timed events that are used here."""

    PROCS_CHANGE = 9
    PROC_START = 10
    PROC_STOP = 11
    PROC_STEAL = 12
    PROC_STATUS = 13
    GO_CREATE = 14
    GO_CREATE_SYSCALL = 15
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
    GC_MARK_ASSIST_ACTIVE = 34
    GC_MARK_ASSIST_BEGIN = 35
    GC_MARK_ASSIST_END = 36
    HEAP_ALLOC = 37
    HEAP_GOAL = 38
    GO_LABEL = 39
    USER_TASK_BEGIN = 40
    USER_TASK_END = 41
    USER_REGION_BEGIN = 42
    USER_REGION_END = 43
    USER_LOG = 44
    GO_SWITCH = 45
    GO_SWITCH_DESTROY = 46
    GO_CREATE_BLOCKED = 47
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
    41: 2, 42: 3, 43: 3, 44: 4, 45: 2, 46: 2, 47: 3, 48: 4, 128: 3, 129: 3, 130: 1, 131: 2, 132: 2, 133: 1, 134: 2,
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
CLASS_BITS = 9
"""Of `b` of a span: its class, below its pages."""

RUNNING, IDLE, SYSCALL = 1, 2, 3
"""States in a ProcStatus event (tracev2.ProcStatus)."""

PROC_START, PROC_STOP = int(Ev.PROC_START), int(Ev.PROC_STOP)
PROC_STEAL, PROC_STATUS = int(Ev.PROC_STEAL), int(Ev.PROC_STATUS)
GO_STATUS, GO_STATUS_STACK = int(Ev.GO_STATUS), int(Ev.GO_STATUS_STACK)
GO_SYSCALL_BEGIN, USER_LOG = int(Ev.GO_SYSCALL_BEGIN), int(Ev.USER_LOG)
GO_CREATE, GO_CREATE_BLOCKED, USER_TASK_BEGIN = int(Ev.GO_CREATE), int(Ev.GO_CREATE_BLOCKED), int(Ev.USER_TASK_BEGIN)
STATUS_BITS = 8
"""Of `b` of a goroutine's state, until its stack, above it, has been taken out."""
SPAN, SPAN_ALLOC, OBJECT_ALLOC = int(Ev.SPAN), int(Ev.SPAN_ALLOC), int(Ev.OBJECT_ALLOC)


@dataclass
class Events:
    """The events of a generation as parallel columns, each M's one run, in the order that the M wrote them."""

    kind: NDArray[np.uint8]
    time: NDArray[np.int64]
    """Ticks."""
    chained: NDArray[np.bool_]
    """Every event of the M since the one before in these columns is stamped at most one tick after the last: the stamp may
    have been pushed, and real time may be behind it (runtime/traceevent.go, event)."""
    a: NDArray[np.int64]
    """First argument. Of the end of a cycle, what marking took (`who/marking`)."""
    b: NDArray[np.int64]
    """Second argument. Of a goroutine's state, the third (the state). Of a message, the second and the third (ids of two
    strings, 32 bits each). Of a goroutine that is made, likewise (the stack that it begins with, that of its maker),
    and then its kind (`who/owners`). Of a user task, the third (its name). Of a span, its pages and its class
    (`CLASS_BITS`)."""
    m: NDArray[np.int32]
    p: NDArray[np.int16]
    """-1: none."""
    next_p: NDArray[np.int16]
    """Where there is no P: the one that this M started next, -1 where it did not."""
    bounds: NDArray[np.int64]
    """First event of every M, and the end."""
    goroutines: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    """(goroutine, stack it waits at; 0: not told) of those whose state is told, shape (n, 2)."""
    generation: int = 0
    """Index into the generations."""

    def __len__(self) -> int:
        return len(self.kind)


class Streams(NamedTuple):
    """Where each M's stream stands, one entry per M."""

    p: NDArray[np.int64]
    now: NDArray[np.int64]
    chain: NDArray[np.bool_]


def new_streams(ms: int) -> Streams:
    """The streams of `ms` Ms before their first event."""
    return Streams(np.full(ms, -1, np.int64), np.zeros(ms, np.int64), np.zeros(ms, np.bool_))


@inner
def second(ev, args):
    """What `b` holds of an event with three arguments or more."""
    if ev in (SPAN, SPAN_ALLOC):
        # A class that cannot be stays one that cannot be.
        return args[1] << CLASS_BITS | (args[2] if 0 <= args[2] < 1 << CLASS_BITS else 3)
    if ev == GO_STATUS_STACK:
        return args[2] & 0xFF | (args[3] << STATUS_BITS if args[3] >> 32 == 0 else 0)
    if ev in (GO_STATUS, USER_TASK_BEGIN):
        return args[2]
    if ev in (USER_LOG, GO_CREATE, GO_CREATE_BLOCKED):
        return (args[1] << 32 | args[2]) if max(args[1], args[2]) >> 32 == 0 and min(args[1], args[2]) >= 0 else 0
    return args[1]


@kernel
def decode_events(
    data, start, stop, time, m, m_ids, arity, kept, asked_key, streams, args, kind, ticks, chained, a, b, m_of, p_of
):
    """Fill the columns of the kept events, and find the P of each; return how many they are.

    args: room for the arguments of one event, (6,) i8.
    A message with `asked_key` is no event of its own: it tells of the allocation that follows.

    The P of an M is told on its own stream: ProcStart and ProcStatus(running) give it, ProcStop and a ProcSteal from
    itself take it away. A ProcStatus of another P (forEachP writes those) changes nothing.
    """
    count = 0
    told = np.int64(0)
    for k in range(len(start)):
        if k == 0 or m[k] != m[k - 1]:
            told = np.int64(0)
        p, now, chain = streams.p[m[k]], streams.now[m[k]], streams.chain[m[k]]
        chain = chain and 0 <= time[k] - now <= 1
        at, end, now = start[k], stop[k], time[k]
        while at < end:
            ev = data[at]
            dt, at = np.int64(data[at + 1]), at + 2
            if dt >= 0x80:
                dt, at = uvarint_at(data, at - 1, end)
            now += dt
            chain = chain and dt <= 1
            arguments = arity[ev]
            for j in range(arguments):
                args[j], at = uvarint_at(data, at, end)
            if not kept[ev]:
                continue
            if ev == USER_LOG and args[1] == asked_key:
                told = asked(args[0], args[3])
                continue
            if ev == PROC_START or (ev == PROC_STATUS and p < 0 and (args[1] == RUNNING or args[1] == SYSCALL)):
                p = min(args[0], 32767)
            kind[count] = ev
            ticks[count] = now
            chained[count] = chain
            chain = True
            a[count] = args[0] if arguments > 0 else 0
            b[count] = args[1] if arguments > 1 else 0
            if arguments > 2:
                b[count] = second(ev, args)
            if ev == OBJECT_ALLOC and told:
                b[count] = told | (b[count] if 0 <= b[count] < TYPE_MASK else TYPE_MASK)
                told = np.int64(0)
            m_of[count] = m[k]
            p_of[count] = p
            if ev == PROC_STOP or (ev == PROC_STEAL and args[0] == p and np.uint64(args[2]) == m_ids[m[k]]):
                p = -1
            count += 1
        streams.p[m[k]], streams.now[m[k]], streams.chain[m[k]] = p, now, chain
    return count


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


def new_events(most: int, ms: int) -> Events:
    """Room for the events of a generation that has at most `most`; only what is used of it takes memory."""
    return Events(
        kind=np.empty(most, np.uint8),
        time=np.empty(most, np.int64),
        chained=np.empty(most, np.bool_),
        a=np.empty(most, np.int64),
        b=np.empty(most, np.int64),
        m=np.empty(most, np.int32),
        p=np.empty(most, np.int16),
        next_p=np.empty(most, np.int16),
        bounds=np.zeros(ms + 1, np.int64),
    )


def decode(wire: Wire, generation: int, streams: Streams, room: Events) -> Events:
    """The events of a generation that matter here.

    Args:
        wire: the recording.
        generation: which; one after the other.
        streams: where each M stands; changed.
        room: where to put them; what is returned lies there.

    Raises:
        TraceError: times or numbers that cannot be.
    """
    batches = wire.batches(generation)
    key = wire.tables.string_with(wire.generations[generation], KEY)
    count = int(
        decode_events(
            batches.data, batches.start, batches.stop, batches.time, batches.m, wire.m_ids, ARITY, KEPT, key,
            streams, np.zeros(6, np.int64), room.kind, room.time, room.chained, room.a, room.b, room.m, room.p,
        )
    )  # fmt: skip
    events = Events(
        **{f.name: getattr(room, f.name)[:count] for f in fields(Events) if f.name not in UNSIZED},
        bounds=room.bounds,
        generation=generation,
    )
    events.goroutines = _goroutines(events)
    find_next_p(events.kind, events.m, events.p, events.a, events.next_p)
    events.bounds[:] = np.searchsorted(events.m, np.arange(len(wire.m_ids) + 1))
    if NO_M in wire.m_ids:
        # Batches of no M tell the state of idle goroutines only.
        nobody = int(np.searchsorted(wire.m_ids, np.uint64(NO_M)))
        events.kind[events.bounds[nobody] : events.bounds[nobody + 1]] = 0
    if len(events) and int(events.time.min()) < 0:
        raise TraceError(f"an event at {int(events.time.min())} ticks: the recording is damaged")
    return events


UNSIZED = ("bounds", "goroutines", "generation")
"""What is no column."""


def _goroutines(events: Events) -> NDArray[np.int64]:
    """The goroutines whose state is told, with the stacks, which are taken out of the column."""
    told = np.flatnonzero((events.kind == GO_STATUS) | (events.kind == GO_STATUS_STACK))
    stack = np.where(events.kind[told] == GO_STATUS_STACK, events.b[told] >> STATUS_BITS, 0)
    with_stack = told[events.kind[told] == GO_STATUS_STACK]
    events.b[with_stack] &= (1 << STATUS_BITS) - 1
    return np.stack([events.a[told], stack], axis=1)


@kernel
def find_numbers(kind, a, b, p, group, number, at):
    """Write the P, the number and the index of every event that has one; return how many."""
    count = 0
    for i in range(len(kind)):
        if kind[i] == PROC_START or kind[i] == PROC_STEAL:
            group[count], number[count] = a[i], b[i]
        elif kind[i] == GO_SYSCALL_BEGIN:
            group[count], number[count] = p[i], a[i]
        else:
            continue
        at[count] = i
        count += group[count] >= 0 and number[count] > 0
    return count


def numbered_events(events: Events) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """P, number and index of every numbered event, by P and number.

    Each P numbers its starts, steals and system calls within a generation (runtime/tracestatus.go, nextSeq).
    """
    group, number, at = (np.empty(len(events) + 1, np.int64) for _ in range(3))
    count = int(find_numbers(events.kind, events.a, events.b, events.p, group, number, at))
    by_group = np.lexsort((number[:count], group[:count]))
    return group[by_group], number[by_group], at[by_group]


def lost_numbers(events: Events) -> int:
    """How many numbers of Ps are missing or come twice, so that events were lost or doubled."""
    group, number, _at = numbered_events(events)
    if len(number) < 2:
        return 0
    same = group[1:] == group[:-1]
    step = number[1:] - number[:-1]
    return int(np.sum(same & (step == 0))) + int(np.sum(np.where(same & (step > 1), step - 1, 0)))
