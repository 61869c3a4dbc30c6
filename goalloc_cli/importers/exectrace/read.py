"""Go execution traces (Go 1.23 and later) recorded with GODEBUG=traceallocfree=1.

A recording is made of generations, about a second each, and read one after the other (`reader`) into a window
(`slots/window`), which holds what has not been written yet: what a span is at the start, what a cycle will free and
which event came late shows only behind. The steps, one file each: `wire/wire` (batches), `wire/tables` (strings,
stacks, types), `wire/survey` (a first look), `wire/decode` (events), `infer/stop` (the stop at the start),
`infer/order` (time), `slots/slots` (which slot; contradictions), `infer/cycles` (collector), `infer/late`
(events that came late), `infer/snapshot` and `write/start` (the heap at the start), `write/emit` (the rest).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.design.gosizes import TINY_SPC
from goalloc_cli.errors import TraceError, TruncatedTrace
from goalloc_cli.host.source import Bytes
from goalloc_cli.importers.exectrace.infer.cycles import NEVER, Act
from goalloc_cli.importers.exectrace.infer.late import GO_RUNNING
from goalloc_cli.importers.exectrace.infer.next import FEW
from goalloc_cli.importers.exectrace.infer.snapshot import Snapshot, take_snapshot
from goalloc_cli.importers.exectrace.reader import Reader, key_of
from goalloc_cli.importers.exectrace.slots.check import Loses, check
from goalloc_cli.importers.exectrace.slots.marks import INLINE_MARK_BYTES, fits_better, has_inline_marks
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.importers.exectrace.wire.wire import Wire, read_wire
from goalloc_cli.importers.exectrace.write.emit import emit
from goalloc_cli.importers.exectrace.write.source import STATE, Out, Source, make_held, make_source, new_out, take_caches
from goalloc_cli.importers.exectrace.write.start import snapshot_events
from goalloc_cli.trace.event import BATCH, Batch
from goalloc_cli.trace.trace import Header, Trace

ARENA_BYTES = 64 << 20
UNKNOWN_BASE = 0xC000000000
"""Where page 0 is put when the recording does not tell."""
LEAST_ROOM = 1024
"""Events that a batch must have room for beside those."""
SPARE = 64
"""Room kept in a batch for the events that one event of the recording can become."""
FEW_TINY = 50
"""With so few tiny blocks it says nothing that no allocation was packed into one."""
EARLY_OBJECTS = 10_000
"""A recording that starts with at most this many objects is taken to start with the program."""
AHEAD = 1 << 18
"""Events that are read before one is written: those that belong to an earlier place come at most a quarter of this late in
recordings of ten million events a generation."""

Array = NDArray[np.int64]


def read_exectrace(stream: BinaryIO, name: str, partial: bool = False) -> Trace:
    """Read an execution trace.

    Args:
        stream: the recording. A plain file is read a generation at a time while the batches are walked, all else at once.
        name: what messages call it.
        partial: take what stands before a break, and infer what must have been where events were lost.

    Raises:
        TraceError: not an execution trace, without alloc/free events, or contradicting itself.
        TruncatedTrace: it breaks off, and `partial` was not said.
    """
    recording = Bytes(stream, name)
    reader = _open(recording, name, partial)
    try:
        return _read(reader, name, recording.length, partial)
    except TraceError as error:
        raise TraceError(f"{name}: {error}") from None


def _open(recording: Bytes, name: str, partial: bool) -> Reader:
    """A reader of the recording, up to its break and without what is damaged where it is `partial`."""
    wire = read_wire(recording, name)
    where = f"{wire.broken}; before that: " if wire.broken else ""
    try:
        reader = Reader(wire, inline_marks=wire.release == "1.26")
        events, seconds = reader.usable() if wire.broken and not partial else (0, 0.0)
    except TraceError as error:
        raise TraceError(f"{name}: {where}{error}") from None
    if wire.damaged and not partial:
        raise TraceError(
            f"{name}: {where}{wire.damaged[0][0]}: the file is damaged. --partial leaves out the rest of every such batch "
            f"(there: {reader.lost.batches}), infers what must have been, and says how much that is"
        )
    if wire.broken and not partial:
        raise TruncatedTrace(
            f"{name}: {wire.broken}. {events:,} events of {seconds:.2f} s before it can be read: --partial takes them",
            chunks=len(wire.generations) - wire.open,
            events=events,
        )
    return reader


def _read(reader: Reader, name: str, size_bytes: int, partial: bool) -> Trace:
    wire = reader.wire
    _read_start(reader)
    usual = reader.inline_marks
    if has_inline_marks(reader.window, usual) != usual:
        other = Reader(wire, not usual)
        _read_start(other)
        reader = other if fits_better(other.window, reader.window) else reader
    window, ps = reader.window, reader.survey.ps
    version, certain = _version(wire, window)
    full = key_of(wire) != ""
    notes = _wire_notes(reader)
    loses = _loses(wire, version, certain)
    found = check(reader.seen, _has_snapshot(window), loses, partial)
    snapshot = take_snapshot(window, reader.cycles, ps, reader.survey.lowest_page, random_start=wire.release == "1.26")
    # Where more is to be read, they are counted at the end.
    notes += found if reader.whole else []
    if reader.inline_marks != usual:
        said = "on" if reader.inline_marks else "off"
        notes.append(f"The slots show that Green Tea was {said} (GOEXPERIMENT): inline_mark_bytes is set so.")
    if version == "1.23" and not full:
        notes.append("Go 1.23 does not record allocations that are packed into a tiny block already open.")
    from_start = snapshot is not None and _starts_with_program(window)
    if snapshot is not None:
        snapshot.from_start = from_start
    if snapshot is not None and not from_start:
        notes.append(f"The recording starts with {_objects(window)} objects already live: totals are relative to that.")
    header = Header(
        go_version=version,
        gomaxprocs=max(ps, reader.survey.gomaxprocs),
        sizes="requested" if full else "slot",
        recorded=("sizes and stacks" if reader.stacks.are_told else "sizes") if full else "",
        source="execution trace",
        from_start=from_start,
        heap_base=(wire.min_addr or 0) // ARENA_BYTES * ARENA_BYTES,
        hints=True,
        witnesses=True,
        owners=True,
        knobs=_knobs(full, reader.inline_marks if reader.inline_marks != usual else None),
        notes=tuple(notes),
    )
    room = _room(window, ps)
    trace = Trace(name=name, header=header, batches=iter(()), size_bytes=size_bytes, lost=reader.lost)
    return replace(trace, batches=_named(name, _batches(reader, snapshot, room, loses, partial, trace.remarks)))


def _knobs(full: bool, inline_marks: bool | None) -> tuple[tuple[str, int], ...]:
    """The knobs that a recording calls for: one that tells every size, and one that shows other mark bits than usual."""
    told = (("tiny_as_told", 1),) if full else ()
    return told if inline_marks is None else (*told, ("inline_mark_bytes", INLINE_MARK_BYTES * inline_marks))


def _wire_notes(reader: Reader) -> list[str]:
    """What the container of a recording gives to know."""
    wire = reader.wire
    notes = []
    if wire.copies:
        notes.append(f"Batches that stand in the file twice, to the byte, were read once: {wire.copies}.")
    if wire.broken:
        events, seconds = reader.usable()
        notes.append(f"The recording breaks off at {wire.broken}. These are its first {events:,} events, {seconds:.2f} s.")
    return notes


def _read_start(reader: Reader) -> None:
    """Read as much as tells what the heap at the start was, and of which release it is."""
    reader.read(0)
    while not reader.whole and not _can_start(reader):
        reader.read(0)


def _can_start(reader: Reader) -> bool:
    """Whether enough has been read to tell what the heap at the start was, and of which release it is."""
    window = reader.window
    return _has_snapshot(window) and len(reader.cycles.ends) > 0 and _version(reader.wire, window)[1]


def _has_snapshot(window: Window) -> bool:
    return bool((window.kind == Ev.SPAN).any())


def _objects(window: Window) -> int:
    return int(np.count_nonzero(window.kind == Ev.HEAP_OBJECT))


def _starts_with_program(window: Window) -> bool:
    """Whether the main goroutine started the recording, with few objects live."""
    running = (window.kind == Ev.GO_STATUS) & (window.b == GO_RUNNING)
    return _objects(window) <= EARLY_OBJECTS and bool(running.any()) and int(window.a[np.argmax(running)]) == 1


def _version(wire: Wire, window: Window) -> tuple[str, bool]:
    """The release, the newer of two where the header is of both, and whether it cannot be 1.23.

    1.24 and later trace every tiny allocation, 1.23 only those that open a block (malloc.go, mallocgcTiny).
    """
    if told := re.match(r"goalloc go(1\.\d+)", key_of(wire)):
        return told[1], True
    if wire.release != "1.23":
        return ("1.27" if wire.release == "1.26" else wire.release), True
    allocs = np.flatnonzero((window.kind == Ev.OBJECT_ALLOC) & (window.owner >= 0))
    tiny = allocs[window.spans["spc"][window.row[allocs]] == TINY_SPC]
    packed = bool(np.any(window.owner[tiny] != tiny))
    return ("1.23" if len(tiny) > FEW_TINY and not packed else "1.24"), packed


def _loses(wire: Wire, version: str, certain: bool) -> Loses:
    """Whether the events of some spans may be missing though nothing broke the recording."""
    if version == "1.23" or not certain:
        return Loses.SURELY
    return Loses.MAYBE if wire.release == "1.23" else Loses.NEVER


def _room(window: Window, ps: int) -> int:
    """Events with which a batch is full: what one event of the recording can become still fits.

    It can give back every span under the one that it makes, where Go 1.23 lost their frees.

    Raises:
        TraceError: it can become more than that.
    """
    room = BATCH - SPARE - 2 * ps - int(np.bincount(window.spans["over"] + 1)[1:].max(initial=0))
    if room < LEAST_ROOM:
        raise TraceError("too many spans lie over one another: the recording is damaged")
    return room


def _named(name: str, batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; what is wrong with them names the recording."""
    try:
        yield from batches
    except TraceError as error:
        raise TraceError(f"{name}: {error}") from None


def _columns(rows: NDArray[np.void]) -> Out:
    """Rows as columns."""
    return Out(**{name: np.ascontiguousarray(rows[name]) for name in Out._fields})


def _source(reader: Reader) -> Source:
    """What there is to be written now."""
    late, swept_next, whole = reader.late, reader.swept_next, reader.whole
    sweepers, sweep, moved = reader.sweepers, reader.sweep, reader.moved
    known = reader.types.bytes, reader.owners.number
    return make_source(reader.window, reader.cycles, late, moved, swept_next, sweepers, sweep, *known, whole)


class _Batches:
    """Makes batches of columns: each brings what the tables have got since the one before."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._names = self._functions = self._calls = self._owners = 0

    def batch(self, out: Out, count: int, fresh: Array) -> Batch:
        """The first `count` events of `out`; `fresh` are the types that they use first."""
        reader, stacks, names = self._reader, self._reader.stacks, self._reader.cycles.names
        known, owners = stacks.known, reader.owners.known
        tables: dict[str, Any] = {
            "new_types": [reader.types.infos[u] for u in fresh.tolist()],
            "new_names": names[self._names :],
            "new_functions": stacks.functions[self._functions : known[0]],
            "new_calls": stacks.calls[self._calls : known[1]],
            "new_owners": owners[self._owners :],
        }
        self._names, self._functions, self._calls, self._owners = len(names), *known, len(owners)
        columns: dict[str, Any] = {name: column[:count] for name, column in out._asdict().items()}
        if not stacks.are_told:
            columns["stack"] = None
        return Batch(**columns, **tables)


def _batches(
    reader: Reader, snapshot: Snapshot | None, room: int, loses: Loses, partial: bool, remarks: list[str]
) -> Iterator[Batch]:
    """The whole trace, batch by batch; `remarks` gets what shows only behind the header."""
    wire, window, cycles, ps = reader.wire, reader.window, reader.cycles, reader.survey.ps
    base_addr, tick_ns = UNKNOWN_BASE if wire.min_addr is None else wire.min_addr, 1e9 / wire.ticks_per_second
    held = make_held(reader.survey, window.ms, len(reader.types.infos))
    state, out = np.zeros(1, STATE), new_out()
    st = state[0]
    st["stop_m"] = st["freeing"] = -1
    if len(cycles.starts) and cycles.starts[0] <= NEVER:
        cycles.actions.append((0, int(Act.GC_START), cycles.explicit[0], -1))
    first_key = float(window.key[0]) if len(window) else 0.0
    later: list[str] = []
    full = _Batches(reader)

    if snapshot is not None:
        take_caches(held, snapshot, window)
    held = held._replace(handle=window.handle)
    rows, fresh = snapshot_events(snapshot, window, _source(reader), held, base_addr)
    st["types"] = len(fresh)
    for first in range(0, len(rows), BATCH):
        part = _columns(rows[first : first + BATCH])
        yield full.batch(part, len(part.kind), fresh)
        fresh = fresh[:0]
    while True:
        until = len(window) if reader.whole else _can_write(reader, int(st["q"]), int(st["cycle"]))
        src = _source(reader)
        frees = int(np.count_nonzero(window.kind == Ev.OBJECT_FREE))
        held = held._replace(handle=window.handle, dying=np.zeros(frees + 1, np.int64))
        st["act"] = 0
        while st["q"] < until or st["free_next"] < st["free_end"]:
            emit(out, st, src, held, until, room, ps > 1, base_addr, first_key, tick_ns)
            if st["free_end"] and not st["free_next"]:
                held.dying[: int(st["free_end"])].sort()
            if st["count"] >= room:
                yield full.batch(out, int(st["count"]), held.fresh[: int(st["new_types"])])
                out, st["count"], st["new_types"] = new_out(), 0, 0
        if reader.whole:
            break
        del src
        # The window alone holds its columns while it changes.
        held = held._replace(handle=np.zeros(0, np.int32), dying=np.zeros(0, np.int64))
        st["q"] -= reader.drop(until)
        later = _read_on(reader, st, loses, partial)
    remarks += [*later, *reader.lost.sentences()]
    if st["count"]:
        yield full.batch(out, int(st["count"]), held.fresh[: int(st["new_types"])])


def _read_on(reader: Reader, st: np.void, loses: Loses, partial: bool) -> list[str]:
    """Read until there is more than a little to be written, and return the notes on what was read."""
    first = int(st["q"])
    while True:
        reader.read(first)
        notes = check(reader.seen, has_snapshot=True, loses=loses, partial=partial)
        if reader.whole or _can_write(reader, first, int(st["cycle"])) - first >= len(reader.window) // FEW:
            return notes


def _can_write(reader: Reader, first: int, cycle: int) -> int:
    """The place up to which everything is known: not too near to the end, and no start of a cycle whose dead are not."""
    until = max(first, min(len(reader.window) - AHEAD, reader.hold()))
    known = len(reader.cycles.ends) - 1
    for q, what, *_rest in reader.cycles.actions:
        if what == Act.GC_START:
            if cycle >= known:
                return max(first, min(until, q))
            cycle += 1
    return until
