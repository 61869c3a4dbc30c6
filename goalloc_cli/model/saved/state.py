"""A heap as bytes, and back: what --save-state writes between two parts of a trace.

A state file is one msgpack map: what it is, the layout of the tables, and a zstd frame for each table, as far as its rows
were ever used. Only the same layout reads it. Nothing of a file is believed: lengths, checksum, every row number and every
list are checked before a kernel sees them (`statecheck.py`); its reader checks all invariants after.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any

import msgpack
import numpy as np
import zstandard

from goalloc_cli.design.allocator import Design
from goalloc_cli.errors import TraceError
from goalloc_cli.model.saved.statecheck import problem_of
from goalloc_cli.model.tables.heap import CHUNK_PAGES, HEAP, OBJECT, PAGES, STACK_PIECES
from goalloc_cli.model.tables.limits import OBJECTS, PS, QUEUE_NODES, RUNS, SLOT_WORDS, SPANS
from goalloc_cli.model.tables.newheap import new_heap
from goalloc_cli.results.outcome import SAMPLE, Reason

FORMAT = "goalloc state"
VERSION = 2
MAX_FILE = 1 << 31
"""Most bytes of a state file: the record of all tables is no longer."""

LAYOUT = hashlib.sha256(repr((HEAP.descr, OBJECT.descr, SAMPLE.descr)).encode()).hexdigest()
"""A name for the layout of all tables, their lengths included."""

SMALL = HEAP.fields["chunks"][1]
"""Bytes before the first table that is as long as the heap."""

_BEFORE = [name for name in HEAP.names if HEAP.fields[name][1] < SMALL]
SMALL_TABLES = np.dtype(
    {
        "names": _BEFORE,
        "formats": [HEAP.fields[name][0] for name in _BEFORE],
        "offsets": [HEAP.fields[name][1] for name in _BEFORE],
        "itemsize": SMALL,
    }
)

STORED = ("objects", "stacks", "manual_spans", "cursor")
DTYPES = {"objects": OBJECT, "stacks": np.dtype("<i8"), "manual_spans": np.dtype("<i8"), "cursor": np.dtype("<i8")}


@dataclass(frozen=True)
class Known:
    """What else a replay knew, as plain values."""

    design: str
    trace: str
    events: int
    begun: bool
    counts: list[int]
    types: list[list]
    """Name, size and pointer_bytes of each."""
    names: list[str]
    checkpoints: list[list]
    """Name and MemStats of each."""
    tracer: list
    """What `TracerBuffers` holds: handles and places, then numbers."""

    def check(self) -> None:
        """Raise ValueError where a value is not of its kind."""
        fits = (
            all(type(value) is str for value in (self.design, self.trace, *self.names))
            and type(self.events) is int and type(self.begun) is bool and self.events >= 0
            and len(self.counts) == 64 and all(type(n) is int and 0 <= n < 1 << 62 for n in self.counts)
            and self.types and all([type(value) for value in entry] == [str, int, int] for entry in self.types)
            and self.names and all([type(value) for value in entry] == [str, dict] for entry in self.checkpoints)
            and [type(value) for value in self.tracer] == [list, list, int, int, int, int, int]
            and len(self.tracer[0]) == len(self.tracer[1]) <= 4
            and all(type(n) is int and -1 <= n < 1 << 62 for n in (*self.tracer[0], *self.tracer[1], *self.tracer[2:]))
        )  # fmt: skip
        if not fits:
            raise ValueError("what it tells beside its tables is not what a replay knows")


@dataclass
class State:
    """A heap, what the handles stand for, and what else the replay knew."""

    heap: np.record
    objects: np.ndarray
    stacks: np.ndarray
    manual_spans: np.ndarray
    cursor: np.ndarray
    samples: np.ndarray
    known: dict[str, Any]
    """Plain values: events, counts, names, types, checkpoints, the name of the design."""


def used_rows(heap: np.record) -> dict[str, int]:
    """How many rows of each long table were ever used."""
    pages = min(-(-int(heap.end_page) // CHUNK_PAGES) * CHUNK_PAGES, PAGES)
    return {
        "chunks": pages // CHUNK_PAGES,
        "allocated_bits": pages // 64,
        "scavenged_bits": pages // 64,
        "fresh_bits": pages // 64,
        "page_span": pages,
        "page_run": pages,
        "runs": int(heap.run_rows),
        "stack_next": min((pages << int(heap.knobs.page_shift)) // int(heap.knobs.stack_min), STACK_PIECES),
        "nodes": int(heap.node_rows),
        "spans": int(heap.span_rows),
        "bits": int(heap.slot_words),
    }


def pack(state: State) -> bytes:
    """The bytes of a state file."""
    compress = zstandard.ZstdCompressor(level=1).compress
    heap = state.heap
    parts = {"small": np.frombuffer(heap, np.uint8, SMALL).tobytes()}
    parts |= {name: heap[name][:rows].tobytes() for name, rows in used_rows(heap).items()}
    parts |= {name: getattr(state, name).tobytes() for name in STORED}
    parts["samples"] = state.samples.tobytes()
    parts["known"] = msgpack.packb(state.known)
    packed = {name: compress(part) for name, part in parts.items()}
    lengths = {name: len(part) for name, part in parts.items()}
    head = {"format": FORMAT, "version": VERSION, "layout": LAYOUT, "bytes": lengths}
    return msgpack.packb({**head, "check": checksum(lengths, packed), "parts": packed})


def checksum(lengths: dict[str, int], packed: dict[str, bytes]) -> str:
    """SHA-256 of all parts."""
    digest = hashlib.sha256(repr(sorted(lengths.items())).encode())
    for name in sorted(packed):
        digest.update(packed[name])
    return digest.hexdigest()


def unpack(data: bytes, name: str, design: Design) -> State:
    """The state in a file.

    Args:
        data: all its bytes.
        name: what errors call it.
        design: the allocator that goes on with it.

    Raises:
        TraceError: it is no state, damaged, of another layout or design, or it contradicts itself.
    """
    try:
        return opened(data, design)
    except (ValueError, KeyError, TypeError, AttributeError, msgpack.UnpackException, zstandard.ZstdError) as error:
        reason = str(error) if isinstance(error, ValueError) else brief(error)
        raise TraceError(f"{name}: this saved state cannot be used: {reason}; save it again with --save-state") from error


def opened(data: bytes, design: Design) -> State:
    """The same; raise ValueError in words, or what else the damage leads to."""
    found = unpacked(data)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError("it is none")
    if found.get("version") != VERSION:
        raise ValueError(f"it has version {brief(found.get('version'))}, this goalloc reads {VERSION}")
    if found["layout"] != LAYOUT:
        raise ValueError("its tables have another layout: another goalloc wrote it, or GOALLOC_LIMITS differs")
    if found["check"] != checksum(found["bytes"], found["parts"]):
        raise ValueError("its checksum is wrong; it is damaged")
    parts = {name: unzipped(found, name) for name in found["parts"]}
    heap = small_tables(parts["small"], design)
    for name, rows in used_rows(heap).items():
        heap[name][:rows] = rows_of(parts[name], HEAP[name].base, name, rows)
    tables = {name: rows_of(parts[name], DTYPES[name], name) for name in STORED}
    tables["stacks"] = tables["stacks"].reshape(-1, 2)
    check_lengths(tables)
    known = msgpack.unpackb(parts["known"], strict_map_key=False, max_ext_len=0)
    Known(**known).check()
    state = State(heap=heap, samples=rows_of(parts["samples"], SAMPLE, "samples"), known=known, **tables)
    own = np.array([heap.peak, heap.began, heap.swept], SAMPLE)
    check_samples(np.concatenate([state.samples, own]), len(known["names"]))
    if problem := problem_of(heap, state.objects, state.stacks, state.manual_spans, state.cursor, len(known["types"])):
        raise ValueError(problem)
    return state


def unpacked(data: bytes) -> Any:
    """The map that the file is."""
    try:
        return msgpack.unpackb(data, max_bin_len=MAX_FILE, max_map_len=64, max_array_len=16, max_ext_len=0)
    except msgpack.ExtraData:
        raise ValueError("it is none, or other bytes follow it") from None
    except ValueError as error:
        raise ValueError(f"it is none, or was cut short: {error}") from None


def unzipped(found: dict[str, Any], name: str) -> bytes:
    """One part, of the length that it should have."""
    stored, length = found["parts"][name], found["bytes"][name]
    if zstandard.frame_content_size(stored) != length or length > MAX_FILE:
        raise ValueError(f"the length of {name} is not what it says")
    return zstandard.ZstdDecompressor().decompress(stored)


def rows_of(part: bytes, dtype: np.dtype, name: str, rows: int | None = None) -> np.ndarray:
    """A part as the rows of a table; they can be written to."""
    if len(part) % dtype.itemsize or (rows is not None and len(part) != rows * dtype.itemsize):
        raise ValueError(f"the table {name} has {len(part)} bytes, which are not its rows")
    return np.frombuffer(part, dtype).copy()


def small_tables(part: bytes, design: Design) -> np.record:
    """A heap whose short tables are those of a state; the long ones are empty."""
    heap = new_heap(design, 1)
    if len(part) != SMALL:
        raise ValueError("its short tables have another length")
    by_design = ("knobs", "spanclasses", "size_to_class", "by_noscan", "most_pages")
    expected = {name: heap[name].tobytes() for name in by_design}
    row = np.frombuffer(part, SMALL_TABLES)[0]
    for name in SMALL_TABLES.names:
        heap[name] = row[name]
    if any(heap[name].tobytes() != bytes_then for name, bytes_then in expected.items()):
        raise ValueError("it was saved by a replay under another design: give the same --go and --set")
    for name, least, most in (
        ("nprocs", 1, PS), ("span_rows", 1, SPANS), ("run_rows", 1, RUNS), ("node_rows", 0, QUEUE_NODES),
        ("slot_words", 0, SLOT_WORDS), ("end_page", 0, PAGES), ("first_page", 0, int(heap.end_page)), ("fault", 0, 0),
        ("search_page", 0, PAGES), ("padding_pages", 0, PAGES), ("base_addr", 0, 1 << 48), ("reserved_page", 0, 1 << 35),
    ):  # fmt: skip
        if not least <= int(heap[name]) <= most:
            raise ValueError(f"its {name} is {int(heap[name])}; it must be {least} to {most}")
    return heap


def check_samples(samples: np.ndarray, names: int) -> None:
    """Raise ValueError where a sample was taken for no reason, or at a point without a name."""
    if not np.isin(samples["reason"], list(Reason)).all() or not ((samples["name"] >= 0) & (samples["name"] < names)).all():
        raise ValueError("a sample was taken for no reason that there is")


def check_lengths(tables: dict[str, np.ndarray]) -> None:
    """No table of handles is longer than can be, and stacks and manual spans share theirs."""
    most = max(len(tables[name]) for name in ("objects", "stacks"))
    if len(tables["stacks"]) != len(tables["manual_spans"]) or most > 3 * OBJECTS // 2 or len(tables["cursor"]) != 1:
        raise ValueError("its tables of handles differ in length")
