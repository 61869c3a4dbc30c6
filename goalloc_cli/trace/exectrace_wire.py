"""The container of a Go execution trace: header, batches, generations; all but the events themselves.

Go: runtime/tracebuf.go (batches), runtime/trace.go, traceAdvance (generations), internal/trace/batch.go and
generation.go (the reader that rejects what this one rejects).
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.event import TraceError
from goalloc_cli.trace.exectrace_tables import Tables
from goalloc_cli.trace.ranges import MAX_BYTES
from goalloc_cli.trace.source import Bytes, TruncatedTrace

HEADER_BYTES = 16
MAX_BATCH_BYTES = 64 << 10
MAX_RECORD_BYTES = MAX_BATCH_BYTES + 64
"""The same with its head: two bytes and four numbers."""
PIECE = 8 << 20
"""Bytes that are looked at at once."""
NO_M = (1 << 64) - 1
"""M id of a batch that no M wrote (runtime/tracebuf.go, unsafeTraceWriter)."""

EVENT_BATCH = 1
STACKS = 2
STRINGS = 4
CPU_SAMPLES = 6
FREQUENCY = 8
EXPERIMENTAL_BATCH = 49
SYNC = 50
CLOCK_SNAPSHOT = 51
END_OF_GENERATION = 52
ALLOC_FREE = 1
"""The one experiment there is (internal/trace/tracev2/events.go)."""
TYPES_BATCH, INFO_BATCH = 0, 1
"""First byte of an AllocFree batch (runtime/traceallocfree.go)."""

RELEASES = {b"go 1.23 trace": "1.23", b"go 1.25 trace": "1.25", b"go 1.26 trace": "1.26"}
"""Headers that can come with alloc/free events. 1.24 writes the first, 1.27 the last."""

RECORD_AGAIN = "record it again (a second run is often good)"
LOST_EVENTS = f"Go's tracer lost events (a known bug when goroutine stacks grow while an event is written): {RECORD_AGAIN}"
SET_GODEBUG = (
    "set GODEBUG=traceallocfree=1 in the environment of the recorded program (Go 1.23 or later) and record it again"
)


class Batches(NamedTuple):
    """The event batches of a generation, by M, oldest first."""

    data: NDArray[np.uint8]
    base: int
    """Where in the file that stands."""
    start: NDArray[np.int64]
    """Offset in `data` of the first event of each."""
    stop: NDArray[np.int64]
    time: NDArray[np.int64]
    m: NDArray[np.int64]


@dataclass
class Wire:
    """A recording, taken apart into batches. Event batches are sorted by generation, then by M, oldest first."""

    recording: Bytes
    release: str
    """Of the header: "1.23" (or 1.24), "1.25", "1.26" (or 1.27)."""
    start: NDArray[np.int64]
    """Offset of the first event of every event batch."""
    stop: NDArray[np.int64]
    time: NDArray[np.int64]
    """Clock at the start of every event batch, in ticks."""
    m: NDArray[np.int64]
    """Index into `m_ids`."""
    generation: NDArray[np.int64]
    """Index into `generations`."""
    m_ids: NDArray[np.uint64]
    generations: list[int]
    bounds: NDArray[np.int64]
    """First event batch of every generation, and the end."""
    tables: Tables
    ticks_per_second: float
    min_addr: int | None
    """Address that page 0 of the recording stands for; None where the recording does not tell."""
    cut_off: int = 0
    """Generations left out because the recording was cut off."""

    def batches(self, generation: int) -> Batches:
        """The event batches of a generation, by its index, and their bytes.

        Raises:
            TraceError: the file has become shorter.
        """
        which = slice(*self.bounds[generation : generation + 2])
        start, stop = self.start[which], self.stop[which]
        base = int(start.min(initial=self.recording.length))
        data = self.recording.piece(base, int(stop.max(initial=base)) - base)
        return Batches(np.frombuffer(data, np.uint8), base, start - base, stop - base, self.time[which], self.m[which])


@dataclass
class _Scan:
    """What one walk over the batches collects."""

    tables: Tables = field(default_factory=Tables)
    batches: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    """(generation, M, order in the file, clock, start, stop) of event batches."""
    order: list[int] = field(default_factory=list)
    """Generations in the order seen."""
    ended: set[int] = field(default_factory=set)
    frequency: dict[int, int] = field(default_factory=dict)
    min_addr: int | None = None
    base: int = 0
    """Offset of the piece that is being read: all others that are kept, or told, are those in the file."""
    seen: dict[tuple[int, int, int, int, int, int], int] = field(default_factory=dict)
    copies: list[int] = field(default_factory=list)
    """Offsets of batches that stood in the file before."""


class _CutOffError(Exception):
    """The file ends inside a batch."""


def uvarint(data: bytes, at: int, end: int, base: int = 0) -> tuple[int, int]:
    """The number at `at` and the offset behind it (encoding/binary, ReadUvarint). `data` stands at byte `base`."""
    value = shift = 0
    for i in range(at, min(at + 10, end)):
        byte = data[i]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, i + 1
        shift += 7
    if end - at < 10:
        raise _CutOffError
    raise TraceError(f"byte {base + at}: a number of more than 10 bytes; the recording is damaged: {RECORD_AGAIN}")


def read_wire(recording: Bytes, name: str, partial: bool = False) -> Wire:
    """Take a recording apart.

    Args:
        recording: the whole file.
        name: what messages call it.
        partial: accept a file that was cut off, and use its whole generations.

    Raises:
        TraceError: not an execution trace, of a release without alloc/free events, damaged, or cut off.
    """
    try:
        return _read_wire(recording, partial)
    except TruncatedTrace as error:
        raise TruncatedTrace(f"{name}: {error}", error.chunks) from None
    except TraceError as error:
        raise TraceError(f"{name}: {error}") from None


def _read_wire(recording: Bytes, partial: bool) -> Wire:
    piece = recording.piece(0, PIECE)
    release = _release(piece)
    scan = _Scan()
    at, cut = HEADER_BYTES, False
    while at < recording.length and not cut:
        if at + MAX_RECORD_BYTES > scan.base + len(piece) < recording.length:
            scan.base, piece = at, recording.piece(at, PIECE)
        try:
            at = scan.base + _batch(piece, at - scan.base, release, scan)
        except _CutOffError:
            cut = True
    if not scan.order:
        raise TraceError(f"byte {at}: there is no whole batch in it; the program did not stop the trace: {RECORD_AGAIN}")
    whole = _whole_generations(scan, release, cut)
    if len(whole) < len(scan.order):
        lost = (
            f"byte {at}: the recording was cut off (the program ended without stopping the trace): "
            f"{len(whole)} of its {len(scan.order)} generations are whole"
        )
        if not partial or not whole:
            raise TruncatedTrace(f"{lost}; let the program call trace.Stop, and record it again", chunks=len(whole))
    if scan.copies:
        raise TraceError(
            f"byte {scan.copies[0]}: {len(scan.copies)} of {len(scan.seen) + len(scan.copies)} batches stand in the file "
            f"twice: {LOST_EVENTS}"
        )
    _consecutive(whole, at)
    return _sorted(recording, release, scan, whole)


def _release(data: bytes) -> str:
    header = data[:HEADER_BYTES]
    if len(header) < HEADER_BYTES or not header.startswith(b"go 1.") or not header.endswith(b" trace\0\0\0"):
        raise TraceError("byte 0: this is not a Go execution trace (its first bytes should be 'go 1.NN trace')")
    release = RELEASES.get(header.rstrip(b"\0"))
    if release is None:
        version = header[3:].split(b" ")[0].decode("ascii", "replace")
        raise TraceError(
            f"byte 0: a trace of format Go {version}; alloc/free events are read from Go 1.23 to 1.27: {SET_GODEBUG}"
        )
    return release


def _batch(data: bytes, at: int, release: str, scan: _Scan) -> int:
    """Read the batch at offset `at` of a piece into `scan`; return the offset behind it."""
    first, kind, end = scan.base + at, data[at], len(data)
    at += 1
    if kind == END_OF_GENERATION and release == "1.26":
        if scan.order:
            scan.ended.add(scan.order[-1])
        return at
    if kind not in (EVENT_BATCH, EXPERIMENTAL_BATCH):
        raise TraceError(
            f"byte {first}: after {len(scan.seen)} batches byte {kind} cannot start another, and {len(scan.copies)} stand "
            f"in the file twice: it is damaged, or {LOST_EVENTS}"
        )
    experiment = 0
    if kind == EXPERIMENTAL_BATCH:
        if at == end:
            raise _CutOffError
        experiment = data[at]
        at += 1
    generation, at = uvarint(data, at, end, scan.base)
    m, at = uvarint(data, at, end, scan.base)
    clock, at = uvarint(data, at, end, scan.base)
    size, at = uvarint(data, at, end, scan.base)
    if size > MAX_BATCH_BYTES or generation == 0 or m >> 64 or clock >> 62:
        raise TraceError(f"byte {first}: a batch of {size} bytes in generation {generation}: damaged; {RECORD_AGAIN}")
    if at + size > end:
        raise _CutOffError
    _count_generation(generation, first, release, scan)
    stop = at + size
    key = (experiment, generation, m, clock, size, zlib.crc32(memoryview(data)[at:stop]))
    if m != NO_M and key in scan.seen:
        scan.copies.append(first)
        return stop
    scan.seen[key] = first
    if size == 0:
        return stop
    if experiment:
        _experimental(data, at, stop, generation, experiment, scan)
    else:
        _plain(data, at, stop, generation, release, m, clock, scan)
    return stop


def _count_generation(generation: int, at: int, release: str, scan: _Scan) -> None:
    if scan.order and generation == scan.order[-1]:
        if generation in scan.ended:
            raise TraceError(f"byte {at}: generation {generation} goes on after its end: damaged; {RECORD_AGAIN}")
        return
    if generation in scan.order:
        raise TraceError(f"byte {at}: a batch of generation {generation} among those of a later one; {RECORD_AGAIN}")
    scan.order.append(generation)


def _plain(data: bytes, at: int, stop: int, generation: int, release: str, m: int, clock: int, scan: _Scan) -> None:
    """File a batch without experiment by its first byte."""
    kind = data[at]
    if kind == STRINGS:
        scan.tables.add_strings(data[at + 1 : stop], scan.base + at + 1, generation)
    elif kind == STACKS:
        scan.tables.add_stacks(data[at + 1 : stop], scan.base + at + 1, generation)
    elif kind == CPU_SAMPLES:
        pass
    elif kind == FREQUENCY and release == "1.23":
        _frequency(data, at, stop, generation, scan)
    elif kind == SYNC and release != "1.23":
        _frequency(data, at + 1, stop, generation, scan)
    else:
        scan.batches.append((generation, m, len(scan.batches), clock, scan.base + at, scan.base + stop))


def _frequency(data: bytes, at: int, stop: int, generation: int, scan: _Scan) -> None:
    """Read ticks per second, and check the clock snapshot behind it (runtime/trace.go, traceSyncBatch)."""
    try:
        while at < stop:
            kind = data[at]
            if kind == FREQUENCY:
                if generation in scan.frequency:
                    where = f"byte {scan.base + at}: generation {generation}"
                    raise TraceError(f"{where} has two frequencies: damaged; {RECORD_AGAIN}")
                ticks, at = uvarint(data, at + 1, stop, scan.base)
                if not 0 < ticks < 1 << 50:
                    raise TraceError(f"byte {scan.base + at}: a clock of {ticks} ticks a second; {RECORD_AGAIN}")
                scan.frequency[generation] = ticks
            elif kind == CLOCK_SNAPSHOT:
                at += 1
                for _ in range(4):
                    _, at = uvarint(data, at, stop, scan.base)
            else:
                raise TraceError(f"byte {scan.base + at}: event {kind} in a sync batch: damaged; {RECORD_AGAIN}")
    except _CutOffError:
        raise TraceError(f"byte {scan.base + at}: a sync batch ends inside a number: damaged; {RECORD_AGAIN}") from None


def _experimental(data: bytes, at: int, stop: int, generation: int, experiment: int, scan: _Scan) -> None:
    if experiment != ALLOC_FREE:
        return
    if data[at] == TYPES_BATCH:
        scan.tables.add_types(data[at + 1 : stop], scan.base + at + 1, generation)
        return
    if data[at] != INFO_BATCH:
        raise TraceError(f"byte {scan.base + at}: kind {data[at]} of alloc/free batch is not known; {RECORD_AGAIN}")
    numbers, i = [], at + 1
    try:
        while i < stop:
            value, i = uvarint(data, i, stop, scan.base)
            numbers.append(value)
    except _CutOffError:
        numbers = []
    if len(numbers) != 4:
        raise TraceError(f"byte {scan.base + at}: the alloc/free parameters are damaged; {RECORD_AGAIN}")
    if numbers[1:] != [8192, 8, 2048]:
        raise TraceError(
            f"byte {scan.base + at}: page size, alignment and stack size are {numbers[1:]}, not 8192, 8 and 2048: "
            "only recordings of 64-bit programs can be read"
        )
    if numbers[0] >= MAX_BYTES:
        raise TraceError(f"byte {scan.base + at}: the heap begins at address {numbers[0]:#x}: damaged; {RECORD_AGAIN}")
    scan.min_addr = numbers[0]


def _whole_generations(scan: _Scan, release: str, cut: bool) -> list[int]:
    """The generations that are whole.

    Go 1.26+ ends each with a byte; until 1.24 its frequency comes last but for strings; 1.25 has neither.
    """
    if release == "1.26":
        return [g for g in scan.order if g in scan.ended]
    whole = [g for g in scan.order if g in scan.frequency]
    return whole[:-1] if cut and whole and whole[-1] == scan.order[-1] else whole


def _consecutive(generations: list[int], at: int) -> None:
    for before, after in itertools.pairwise(generations):
        if after != before + 1:
            raise TraceError(f"byte {at}: generation {after} follows generation {before}: batches are lost; {RECORD_AGAIN}")


def _sorted(recording: Bytes, release: str, scan: _Scan, whole: list[int]) -> Wire:
    """The event batches of the generations `whole`."""
    index = {g: i for i, g in enumerate(whole)}
    batches = sorted(b for b in scan.batches if b[0] in index)
    m_ids = sorted({b[1] for b in batches})
    m_index = {m: i for i, m in enumerate(m_ids)}

    def column(values: list[int]) -> NDArray[np.int64]:
        return np.array(values, np.int64)

    frequency = [scan.frequency[g] for g in whole if g in scan.frequency]
    if not frequency:
        raise TraceError(f"no batch tells the frequency of the clock; {RECORD_AGAIN}")
    generation = column([index[b[0]] for b in batches])
    return Wire(
        recording=recording,
        release=release,
        start=column([b[4] for b in batches]),
        stop=column([b[5] for b in batches]),
        time=column([b[3] for b in batches]),
        m=column([m_index[b[1]] for b in batches]),
        generation=generation,
        m_ids=np.array(m_ids, np.uint64),
        generations=whole,
        bounds=np.searchsorted(generation, np.arange(len(whole) + 1)),
        tables=scan.tables,
        ticks_per_second=float(np.median(frequency)),
        min_addr=scan.min_addr,
        cut_off=len(scan.order) - len(whole),
    )
