"""One walk over the batches of an execution trace: which there are, what they hold, and where that ends.

A batch that stands in the file twice, to the byte, is taken once. Where anything else stands that cannot be, the recording
ends; the tables of the generation that was under way are looked for behind that place, since Go writes them last.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import Bytes
from goalloc_cli.importers.exectrace.wire.damage import KILLED, SET_GODEBUG, Break, DamageError, what_stands_there
from goalloc_cli.importers.exectrace.wire.tables import Tables
from goalloc_cli.trace.ranges import MAX_BYTES

HEADER_BYTES = 16
MAX_BATCH_BYTES = 64 << 10
MAX_RECORD_BYTES = MAX_BATCH_BYTES + 64
"""The same with its head: two bytes and four numbers."""
PIECE = 8 << 20
"""Bytes that are looked at at once."""
NO_M = (1 << 64) - 1
"""M id of a batch that no M wrote (runtime/tracebuf.go, unsafeTraceWriter)."""
NO_M_BYTES = b"\xff" * 9 + b"\x01"
"""The same as it stands in a file."""

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
MOST_TABLES = 1 << 16
"""Batches of tables that are looked for behind a break."""
ADDRESSES_64 = 1 << 32
"""Heaps of 64-bit programs begin above this (malloc.go, mallocinit)."""

RELEASES = {b"go 1.23 trace": "1.23", b"go 1.25 trace": "1.25", b"go 1.26 trace": "1.26"}
"""Headers that can come with alloc/free events. 1.24 writes the first, 1.27 the last."""


class _CutOffError(Exception):
    """The file ends inside a batch."""


@dataclass
class Scan:
    """What the walk collects."""

    release: str
    tables: Tables = field(default_factory=Tables)
    batches: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    """(generation, M, order in the file, clock, start, stop) of event batches."""
    order: list[int] = field(default_factory=list)
    """Generations in the order seen."""
    ended: set[int] = field(default_factory=set)
    """Those whose end was told, by a byte of its own (Go 1.26+)."""
    frequency: dict[int, int] = field(default_factory=dict)
    named: int = 0
    """The last generation whose last batch so far is one of strings: Go writes those last."""
    min_addr: int | None = None
    base: int = 0
    """Offset of the piece that is being read: all others that are kept, or told, are those in the file."""
    seen: set[tuple[int, int, int, int, int, int]] = field(default_factory=set)
    copies: int = 0
    """Batches that stood in the file before."""
    broken: Break | None = None

    @property
    def whole(self) -> list[int]:
        """The generations that are whole: all before the last, and the last if it ended."""
        return [g for g in self.order[:-1] if g] + [g for g in self.order[-1:] if self.has_ended(g)]

    def has_ended(self, generation: int) -> bool:
        """Whether a generation's last batch was seen.

        Go 1.26+ ends each with a byte. Before, strings come last; until 1.24 the frequency comes right before them.
        """
        if self.release == "1.26":
            return generation in self.ended
        return self.named == generation and generation in self.frequency


def scan_batches(recording: Bytes) -> Scan:
    """Walk over the batches of a recording, up to the place where it breaks off.

    Raises:
        TraceError: not an execution trace, of a release without alloc/free events, of a 32-bit program, or without a batch.
    """
    piece = recording.piece(0, PIECE)
    scan = Scan(_release(piece))
    end = recording.length
    at = HEADER_BYTES
    while at < end:
        if at + MAX_RECORD_BYTES > scan.base + len(piece) < recording.length:
            scan.base, piece = at, recording.piece(at, PIECE)
        try:
            at = scan.base + _batch(piece, at - scan.base, scan)
        except _CutOffError:
            scan.broken = Break(at, KILLED)
            break
        except DamageError as damage:
            scan.broken = Break(at, str(damage))
            break
    if not scan.order:
        raise TraceError(str(scan.broken or Break(at, f"there is no batch in it: {KILLED}")))
    if not scan.broken and not scan.has_ended(scan.order[-1]):
        scan.broken = Break(at, KILLED)
    if scan.broken and not scan.has_ended(scan.order[-1]):
        _find_tables(recording, scan.broken.at, scan)
    return scan


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


def uvarint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at `at` and the offset behind it (encoding/binary, ReadUvarint)."""
    value = shift = 0
    for i in range(at, min(at + 10, end)):
        byte = data[i]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, i + 1
        shift += 7
    if end - at < 10:
        raise _CutOffError
    raise DamageError("a number of more than 10 bytes: the file is damaged")


def _batch(data: bytes, at: int, scan: Scan) -> int:
    """Read the batch at offset `at` of a piece into `scan`; return the offset behind it.

    Raises:
        DamageError: no batch of this recording can stand there.
    """
    first, kind, end = at, data[at], len(data)
    at += 1
    if kind == END_OF_GENERATION and scan.release == "1.26":
        scan.ended.update(scan.order[-1:])
        return at
    if kind not in (EVENT_BATCH, EXPERIMENTAL_BATCH):
        raise DamageError(what_stands_there(data[first : first + MAX_RECORD_BYTES], scan.copies))
    experiment = 0
    if kind == EXPERIMENTAL_BATCH:
        if at == end:
            raise _CutOffError
        experiment = data[at]
        at += 1
    generation, at = uvarint(data, at, end)
    m, at = uvarint(data, at, end)
    clock, at = uvarint(data, at, end)
    size, at = uvarint(data, at, end)
    if size > MAX_BATCH_BYTES or generation == 0 or m >> 64 or clock >> 62:
        raise DamageError(f"a batch of {size} bytes in generation {generation}: the file is damaged")
    stop = at + size
    if stop > end:
        raise _CutOffError
    key = (experiment, generation, m, clock, size, zlib.crc32(memoryview(data)[at:stop]))
    if key in scan.seen:
        scan.copies += m != NO_M
        return stop
    _count_generation(generation, scan)
    scan.seen.add(key)
    if size == 0:
        return stop
    if experiment:
        _experimental(data, at, stop, generation, experiment, scan)
    else:
        _plain(data, at, stop, generation, m, clock, scan)
    return stop


def _count_generation(generation: int, scan: Scan) -> None:
    last = scan.order[-1] if scan.order else generation
    if generation == last:
        if generation in scan.ended:
            raise DamageError(f"generation {generation} goes on after its end")
        if not scan.order:
            scan.order.append(generation)
        return
    if generation < last:
        raise DamageError(f"a batch of generation {generation} stands among those of generation {last}")
    if not scan.has_ended(last):
        raise DamageError(f"generation {generation} begins here, and the end of generation {last} is missing")
    if generation > last + 1:
        raise DamageError(f"generation {generation} follows generation {last}: what was between is lost")
    scan.order.append(generation)


def _plain(data: bytes, at: int, stop: int, generation: int, m: int, clock: int, scan: Scan) -> None:
    """File a batch without experiment by its first byte."""
    kind = data[at]
    scan.named = generation if kind == STRINGS else 0
    if kind in (STRINGS, STACKS, CPU_SAMPLES, FREQUENCY if scan.release == "1.23" else SYNC):
        _table(data, at, stop, generation, scan)
    else:
        scan.batches.append((generation, m, len(scan.batches), clock, scan.base + at, scan.base + stop))


def _table(data: bytes, at: int, stop: int, generation: int, scan: Scan) -> None:
    """Take up a batch that holds no events."""
    kind = data[at]
    if kind == STRINGS:
        scan.tables.add_strings(data[at + 1 : stop], generation)
    elif kind == STACKS:
        scan.tables.add_stacks(data[at + 1 : stop], generation)
    elif kind == FREQUENCY:
        _frequency(data, at, stop, generation, scan)
    elif kind == SYNC:
        _frequency(data, at + 1, stop, generation, scan)


def _frequency(data: bytes, at: int, stop: int, generation: int, scan: Scan) -> None:
    """Read ticks per second, and check the clock snapshot behind it (runtime/trace.go, traceSyncBatch)."""
    try:
        while at < stop:
            kind = data[at]
            if kind == FREQUENCY:
                if generation in scan.frequency:
                    raise DamageError(f"generation {generation} has two frequencies")
                ticks, at = uvarint(data, at + 1, stop)
                if not 0 < ticks < 1 << 50:
                    raise DamageError(f"a clock of {ticks} ticks a second: the file is damaged")
                scan.frequency[generation] = ticks
            elif kind == CLOCK_SNAPSHOT:
                at += 1
                for _ in range(4):
                    _, at = uvarint(data, at, stop)
            else:
                raise DamageError(f"event {kind} in a sync batch: the file is damaged")
    except _CutOffError:
        raise DamageError("a sync batch ends inside a number: the file is damaged") from None


def _experimental(data: bytes, at: int, stop: int, generation: int, experiment: int, scan: Scan) -> None:
    if experiment != ALLOC_FREE:
        return
    if data[at] == TYPES_BATCH:
        scan.tables.add_types(data[at + 1 : stop], generation)
        return
    if data[at] != INFO_BATCH:
        raise DamageError(f"kind {data[at]} of alloc/free batch is not known")
    numbers, i = [], at + 1
    try:
        while i < stop:
            value, i = uvarint(data, i, stop)
            numbers.append(value)
    except _CutOffError:
        numbers = []
    if len(numbers) != 4 or numbers[0] >= MAX_BYTES:
        raise DamageError("the alloc/free parameters are damaged")
    if numbers[1:] != [8192, 8, 2048] or numbers[0] < ADDRESSES_64:
        raise TraceError(
            f"a recording of a 32-bit program (its heap begins at address {numbers[0]:#x}): only 64-bit ones are modelled"
        )
    scan.min_addr = numbers[0]


def _find_tables(recording: Bytes, at: int, scan: Scan) -> None:
    """Take up the tables of the last generation that stand somewhere behind offset `at`.

    Go writes them at a generation's end, from no M: what begins such a batch is ten bytes that stand nowhere else.
    """
    generation = scan.order[-1]
    head = _uvarint_bytes(generation) + NO_M_BYTES
    found = 0
    while at < recording.length and found < MOST_TABLES:
        piece = recording.piece(at, PIECE + MAX_RECORD_BYTES)
        scan.base = at
        place = piece.find(head)
        while 0 <= place < PIECE and found < MOST_TABLES:
            found += _late_table(piece, place, len(head), generation, scan)
            place = piece.find(head, place + 1)
        at += PIECE


def _late_table(piece: bytes, place: int, head: int, generation: int, scan: Scan) -> bool:
    """Take up the table whose head of `head` bytes stands at `place`; return whether there is one."""
    experimental = piece[max(place - 2, 0) : place] == bytes([EXPERIMENTAL_BATCH, ALLOC_FREE])
    if not experimental and piece[max(place - 1, 0) : place] != bytes([EVENT_BATCH]):
        return False
    try:
        clock, start = uvarint(piece, place + head, len(piece))
        size, start = uvarint(piece, start, len(piece))
        key = (int(experimental), generation, NO_M, clock, size, zlib.crc32(memoryview(piece)[start : start + size]))
        if not 0 < size <= min(MAX_BATCH_BYTES, len(piece) - start) or key in scan.seen:
            return False
        scan.seen.add(key)
        if not experimental:
            _table(piece, start, start + size, generation, scan)
        elif piece[start] == TYPES_BATCH:
            _experimental(piece, start, start + size, generation, ALLOC_FREE, scan)
    except (DamageError, _CutOffError):
        return False
    return True


def _uvarint_bytes(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
