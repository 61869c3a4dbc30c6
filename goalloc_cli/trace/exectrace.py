"""Go execution traces (Go 1.23 and later) recorded with GODEBUG=traceallocfree=1.

The whole recording is read, checked and ordered before the first event is handed out: what a span is at the start shows
only later. The steps, one file each: `exectrace_wire` (batches), `exectrace_tables` (strings, stacks, types),
`exectrace_decode` (events), `exectrace_order` (time), `exectrace_slots` (which slot; contradictions),
`exectrace_cycles` (collector), `exectrace_late` (events that came late), `exectrace_snapshot` and `exectrace_start` (the
heap at the start), `exectrace_emit` (everything after).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.jit import kernel
from goalloc_cli.trace.event import BATCH, Batch, TraceError, TypeInfo
from goalloc_cli.trace.exectrace_check import check
from goalloc_cli.trace.exectrace_cycles import Cycles, code_events, find_cycles, find_reclaims, swept_bytes
from goalloc_cli.trace.exectrace_decode import Events, decode
from goalloc_cli.trace.exectrace_emit import emit
from goalloc_cli.trace.exectrace_idle import idle_flushes
from goalloc_cli.trace.exectrace_late import GO_RUNNING, late_allocs
from goalloc_cli.trace.exectrace_next import next_sweeps
from goalloc_cli.trace.exectrace_order import Clock
from goalloc_cli.trace.exectrace_slots import TINY_SPC, Slots, follow
from goalloc_cli.trace.exectrace_snapshot import Snapshot, take_snapshot
from goalloc_cli.trace.exectrace_source import OUT, STATE, Source, make_held, make_source
from goalloc_cli.trace.exectrace_start import snapshot_events
from goalloc_cli.trace.exectrace_wire import Wire, read_wire
from goalloc_cli.trace.source import TruncatedTrace
from goalloc_cli.trace.trace import Header, Trace

ARENA_BYTES = 64 << 20
ROUNDS = 8
"""Most attempts at correcting the order."""
UNKNOWN_BASE = 0xC000000000
"""Where page 0 is put when the recording does not tell."""
LEAST_ROOM = 1024
"""Events that a batch must have room for beside those."""
MOST_TYPE_IDS = 64
"""Type ids count up from 1 (runtime/tracemap.go, put): ids beyond this many times their number are damage."""
SPARE = 64
"""Room kept in a batch for the events that one event of the recording can become."""
FEW_TINY = 50
"""With so few tiny blocks it says nothing that no allocation was packed into one."""
EARLY_OBJECTS = 10_000
"""A recording that starts with at most this many objects is taken to start with the program."""

Array = NDArray[np.int64]


@kernel
def map_types(kind, generation, b, base, index):
    """Replace the type ids of allocs by indices; return the first event whose type is not in the tables, -1."""
    for i in range(len(kind)):
        if kind[i] == 131 or kind[i] == 132:
            at = base[generation[i]] + b[i]
            if b[i] < 0 or at >= base[generation[i] + 1] or index[at] < 0:
                return i
            b[i] = index[at]
    return -1


def read_exectrace(stream: BinaryIO, name: str, partial: bool = False) -> Trace:
    """Read an execution trace.

    Args:
        stream: the recording, read to its end.
        name: what messages call it.
        partial: accept a recording that was cut off and use its whole generations.

    Raises:
        TraceError: not an execution trace, without alloc/free events, damaged, incomplete, or contradicting itself.
    """
    data = stream.read()
    try:
        wire = read_wire(data, name, partial)
    except TruncatedTrace as error:
        if not error.chunks:
            raise
        whole = read_wire(data, name, partial=True)
        try:
            events = len(decode(whole))
        except TraceError as damage:
            raise TraceError(f"{name}: {damage}") from None
        taken = f"{error}; or take the {events:,} events of those, with --partial"
        raise TruncatedTrace(taken, error.chunks, events) from None
    try:
        return _read(wire, name, len(data))
    except TraceError as error:
        raise TraceError(f"{name}: {error}") from None


def _read(wire: Wire, name: str, size_bytes: int) -> Trace:
    events = decode(wire)
    types = _types(wire, events)
    ps = events.ps
    clock = Clock(events, ps)
    order, slots = _ordered(clock, events, wire.release)
    code = code_events(events, wire.generations, wire.tables)
    swept_bytes(events)
    find_reclaims(events, code)
    cycles = find_cycles(events, order, wire.generations, wire.tables, code)
    snapshot = take_snapshot(events, order, slots, cycles, ps, random_start=wire.release == "1.26")
    version, certain = _version(wire, events, slots)
    notes = check(events, slots, snapshot is not None, version == "1.23" or not certain, ps)
    if wire.cut_off:
        notes.append(f"The recording was cut off: it is read up to the end of generation {wire.generations[-1]}.")
    if version == "1.23":
        notes.append("Go 1.23 does not record allocations that are packed into a tiny block already open.")
    late = late_allocs(events, order, slots, cycles, ps)
    if ps > 1:
        cycles.actions += idle_flushes(events, order, cycles, ps, highest_first=wire.release == "1.26")
    elif wire.release == "1.26":
        cycles.actions += next_sweeps(events, order, slots, cycles)
    from_start = snapshot is not None and _starts_with_program(events, order)
    if snapshot is not None:
        snapshot.from_start = from_start
    if snapshot is not None and not from_start:
        notes.append(f"The recording starts with {_objects(events)} objects already live: totals are relative to that.")
    header = Header(
        go_version=version,
        gomaxprocs=max(ps, _gomaxprocs(events)),
        sizes="slot",
        source="execution trace",
        from_start=from_start,
        heap_base=(wire.min_addr or 0) // ARENA_BYTES * ARENA_BYTES,
        hints=True,
        witnesses=True,
        notes=tuple(notes),
    )
    room = _room(slots, ps)
    source = make_source(events, order, slots, cycles, clock, late, types, ps)
    tick_ns = 1e9 / wire.ticks_per_second
    base_addr = UNKNOWN_BASE if wire.min_addr is None else wire.min_addr
    batches = _batches(source, events, slots, snapshot, cycles, types, ps, room, base_addr, tick_ns)
    return Trace(name=name, header=header, batches=batches, size_bytes=size_bytes)


def _ordered(clock: Clock, events: Events, release: str) -> tuple[Array, Slots]:
    """The order of the events in which fewest contradict each other."""
    best: tuple[int, Array, Slots] | None = None
    for _ in range(ROUNDS):
        order = clock.order()
        slots = follow(events, order, inline_marks=release == "1.26", lossy=release == "1.23")
        wrong = np.concatenate([clock.stuck, slots.pairs])
        if best is None or len(wrong) < best[0]:
            best = len(wrong), order, slots
        if not len(wrong) or not clock.correct(wrong):
            break
    assert best is not None
    return best[1:]


def _types(wire: Wire, events: Events) -> list[TypeInfo]:
    """All types of the recording, each once, the first for "not known"; type ids of `events` become indices of it.

    Raises:
        TraceError: an event has a type that its generation's tables do not hold, or ids are no numbers of types.
    """
    types = [TypeInfo("", 0, 0)]
    index_of: dict[TypeInfo, int] = {}
    base, end = [0], 0
    parts: list[Array] = []
    for generation in wire.generations:
        ids, infos = wire.tables.types(generation)
        if wire.min_addr is None and not infos:
            # A flight recorder keeps no tables of types.
            events.b[(events.generation == len(parts)) & ((events.kind == 131) | (events.kind == 132))] = 0
        if int(ids.min(initial=0)) < 0 or int(ids.max(initial=0)) > MOST_TYPE_IDS * (len(ids) + 1):
            raise TraceError(f"generation {generation} has types with ids up to {ids.max()}: damaged; record it again")
        part = np.full(int(ids.max(initial=0)) + 1, -1, np.int64)
        part[0] = 0
        for key, info in zip(ids.tolist(), infos, strict=True):
            if info not in index_of:
                index_of[info] = len(types)
                types.append(info)
            part[key] = index_of[info]
        parts.append(part)
        end += len(part)
        base.append(end)
    missing = int(map_types(events.kind, events.generation, events.b, np.array(base, np.int64), np.concatenate(parts)))
    if missing >= 0:
        generation = wire.generations[int(events.generation[missing])]
        raise TraceError(
            f"type {int(events.b[missing])} of generation {generation} is not in the recording: batches are lost, or it was "
            "cut off; record it again"
        )
    return types


def _objects(events: Events) -> int:
    return int(np.count_nonzero(events.kind == 131))


def _starts_with_program(events: Events, order: Array) -> bool:
    """Whether the main goroutine started the recording, with few objects live."""
    running = (events.kind[order] == 25) & (events.c[order] == GO_RUNNING)
    return _objects(events) <= EARLY_OBJECTS and bool(running.any()) and int(events.a[order[np.argmax(running)]]) == 1


def _gomaxprocs(events: Events) -> int:
    return int(events.a[events.kind == 9].max(initial=1))


def _version(wire: Wire, events: Events, slots: Slots) -> tuple[str, bool]:
    """The release, the newer of two where the header is of both, and whether it cannot be 1.23.

    1.24 and later trace every tiny allocation, 1.23 only those that open a block (malloc.go, mallocgcTiny).
    """
    if wire.release != "1.23":
        return ("1.27" if wire.release == "1.26" else wire.release), True
    allocs = np.flatnonzero((events.kind == 132) & (slots.owner >= 0))
    tiny = allocs[slots.spans["spc"][slots.row[allocs]] == TINY_SPC]
    packed = bool(np.any(slots.owner[tiny] != tiny))
    return ("1.23" if len(tiny) > FEW_TINY and not packed else "1.24"), packed


def _room(slots: Slots, ps: int) -> int:
    """Events with which a batch is full: what one event of the recording can become still fits.

    It can give back every span under the one that it makes, where Go 1.23 lost their frees.

    Raises:
        TraceError: it can become more than that.
    """
    room = BATCH - SPARE - 2 * ps - int(np.bincount(slots.spans["over"] + 1)[1:].max(initial=0))
    if room < LEAST_ROOM:
        raise TraceError("too many spans lie over one another: the recording is damaged; record it again")
    return room


def _batch(rows: NDArray[np.void], types: list[TypeInfo], names: list[str]) -> Batch:
    columns = {name: np.ascontiguousarray(rows[name]) for name in ("kind", "p", "id", "size", "arg", "addr")}
    return Batch(**columns, new_types=types, new_names=names)


def _batches(
    source: Source, events: Events, slots: Slots, snapshot: Snapshot | None, cycles: Cycles, types: list[TypeInfo], ps: int,
    room: int, base_addr: int, tick_ns: float,
) -> Iterator[Batch]:  # fmt: skip
    """The whole trace, batch by batch."""
    held = make_held(source, snapshot, ps, len(types))
    rows, fresh = snapshot_events(snapshot, events, slots, source, held, base_addr)
    new_types = [types[u] for u in fresh.tolist()]
    names = list(cycles.names)
    for first in range(0, len(rows), BATCH):
        yield _batch(rows[first : first + BATCH], new_types, names)
        new_types, names = [], []
    state = np.zeros(1, STATE)
    st = state[0]
    st["stop_m"] = st["freeing"] = -1
    st["types"] = len(fresh)
    out = np.zeros(BATCH, OUT)
    first_key = float(source.key[source.order[0]]) if len(source.order) else 0.0
    while st["q"] < len(source.order) or st["free_next"] < st["free_end"]:
        emit(out, st, source, held, room, ps > 1, base_addr, first_key, tick_ns)
        if st["free_end"] and not st["free_next"]:
            held.dying[: int(st["free_end"])].sort()
        if st["count"] >= room:
            yield _batch(out[: int(st["count"])], [types[u] for u in held.fresh[: int(st["new_types"])].tolist()], [])
            st["count"], st["new_types"] = 0, 0
    if st["count"]:
        yield _batch(out[: int(st["count"])], [types[u] for u in held.fresh[: int(st["new_types"])].tolist()], [])
