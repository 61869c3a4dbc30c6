"""Inputs that lie: goalloc traces and saved states that are whole and rightly sealed, but for one to three things in them.

What the other targets change is bytes, and a checksum, or a reader, meets them first. Here the reader is content, and what
stands behind it has to find out: an event that names another P, object, size, page or address, that is missing, comes twice
or elsewhere; a row number, a counter or a bitmap of a saved heap.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgpack
import numpy as np
import zstandard

from fuzz.counts import ROOT
from fuzz.seeds import native
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import release
from goalloc_cli.model.saved.state import DTYPES, SMALL_TABLES, checksum
from goalloc_cli.model.tables.heap import HEAP
from goalloc_cli.native.codec import compressor
from goalloc_cli.native.native import _chunk_record, _header_map, read_native
from goalloc_cli.native.records import pack_header, pack_record
from goalloc_cli.results.outcome import SAMPLE
from goalloc_cli.trace.event import BATCH, COLUMNS, Batch, TypeInfo
from goalloc_cli.trace.trace import Header, Trace

LENGTHS = (200, 1000, 6000)
"""Events behind the snapshot that a sample keeps: few, so that each of them counts; more, for collections."""
SNAPSHOT = 4000
"""Events in which every snapshot of the samples ends."""
STATES = ("1.10", "1.12", "1.13", "1.15", "1.19", "1.24", "1.27")
"""Releases whose page heaps, mcentrals and pacers differ."""
EXTREMES = (0, 1, 2, 3, 63, 64, 255, 256, 65534, 65535)
HEADERS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("gomaxprocs", (1, 2, 1024)), ("heap_base", (0, 1 << 13, 0xC000000000, 1 << 46)), ("hints", (False, True)),
    ("witnesses", (False, True)), ("go_version", ("1.10", "1.12", "1.13", "1.15", "1.22", "1.25")), ("from_start", (False,)),
    ("knobs", ((("gogc", 1),), (("page_size", 65536),), (("pages", 1),), (("central", 1),))),
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A true trace, short enough to be changed and replayed many times a second."""

    name: str
    header: Header
    columns: dict[str, np.ndarray]
    types: list[TypeInfo]
    names: list[str]


@cache
def samples() -> list[Sample]:
    """The beginnings of all traces in traces/, and the small one of the seeds."""
    found = []
    for path in sorted((ROOT / "traces").glob("*.msgpack")):
        for length in LENGTHS:
            found.append(beginning(path.stem, read_native(io.BytesIO(path.read_bytes()), path.name), length))
    return [*found, beginning("seed", read_native(io.BytesIO(native()), "seed"), SNAPSHOT)]


def beginning(name: str, trace: Trace, length: int) -> Sample:
    """The snapshot of a trace and `length` events behind it."""
    batches = []
    events = 0
    for batch in trace.batches:
        batches.append(batch)
        events += len(batch)
        if events >= SNAPSHOT + length:
            break
    columns = {column: joined(batches, column, dtype) for column, dtype in COLUMNS.items()}
    ends = np.flatnonzero(columns["kind"] == 23)
    end = (int(ends[0]) if len(ends) else 0) + length
    types = [new for batch in batches for new in batch.new_types]
    names = [new for batch in batches for new in batch.new_names]
    return Sample(f"{name}-{length}", trace.header, {key: column[:end] for key, column in columns.items()}, types, names)


def joined(batches: list[Batch], column: str, dtype: str) -> np.ndarray:
    """A column of all batches; zeros where they have none."""
    parts = [(getattr(batch, column), len(batch)) for batch in batches]
    return np.concatenate([np.zeros(length, dtype) if part is None else part for part, length in parts])


# Events


def lying_trace(chance: random.Random) -> bytes:
    """A sample in which one to three things are not as they were."""
    sample = chance.choice(samples())
    columns = {name: column.copy() for name, column in sample.columns.items()}
    header = sample.header
    for _ in range(chance.choice((1, 1, 2, 3))):
        match chance.randrange(20):
            case 0:
                name, values = chance.choice(HEADERS)
                header = replace(header, **{name: chance.choice(values)})
            case 1 | 2 | 3 | 4:
                columns = rearranged(columns, chance)
            case _:
                change(columns, an_event(columns, chance), chance)
    return sealed(header, columns, sample, chance)


def true_trace() -> bytes:
    """A sample as it is, with addresses."""
    sample = samples()[0]
    return sealed(sample.header, sample.columns, sample, random.Random(1))


def an_event(columns: dict[str, np.ndarray], chance: random.Random) -> int:
    """Any event: of all kinds alike, for most events are of two."""
    kinds = columns["kind"] & 0x3F
    kind = chance.choice(np.unique(kinds).tolist())
    return int(chance.choice(np.flatnonzero(kinds == kind).tolist()))


def rearranged(columns: dict[str, np.ndarray], chance: random.Random) -> dict[str, np.ndarray]:
    """An event left out, repeated, put elsewhere, or swapped with another."""
    order = list(range(len(columns["kind"])))
    at, other = an_event(columns, chance), an_event(columns, chance)
    match chance.randrange(4):
        case 0:
            del order[at]
        case 1:
            order.insert(chance.choice((at, other)), at)
        case 2:
            order.insert(other, order.pop(at))
        case _:
            order[at], order[other] = order[other], order[at]
    return {name: column[order] for name, column in columns.items()}


def change(columns: dict[str, np.ndarray], at: int, chance: random.Random) -> None:
    """Another value in one column of an event."""
    name = chance.choice(list(COLUMNS))
    column = columns[name]
    column[at] = no_sign(another(column, at, chance))


def another(column: np.ndarray, at: int, chance: random.Random) -> np.generic:
    """A value that a number of a column may be changed to: near it, from elsewhere in the column, or extreme."""
    info, value = np.iinfo(column.dtype), int(column[at])
    match chance.randrange(6):
        case 0:
            value += chance.choice((-1, 1, -2, 2, 7, 64))
        case 1:
            value ^= 1 << chance.randrange(info.bits)
        case 2:
            value = int(column[chance.randrange(len(column))])
        case 3:
            value = chance.choice(EXTREMES)
        case 4:
            value = (1 << chance.randrange(info.bits)) - chance.randrange(2)
        case _:
            value = chance.choice((value * 2, value // 2, -value, info.max, info.min, info.max - 1))
    return np.array([value & ((1 << info.bits) - 1)], np.dtype(f"<u{column.itemsize}")).view(column.dtype)[0]


def no_sign(value: np.generic) -> np.generic:
    """The number without its sign: a container of events holds none that is negative."""
    return value & np.iinfo(value.dtype).max


def sealed(header: Header, columns: dict[str, np.ndarray], sample: Sample, chance: random.Random) -> bytes:
    """A container that every reader of bytes is content with."""
    end = len(columns["kind"])
    half = chance.randrange(end + 1) if chance.randrange(4) == 0 else end
    parts = [pack_header(_header_map(header))]
    for number, (a, b) in enumerate([(0, half), (half, end)] if half < end else [(0, end)]):
        batch = Batch(**{name: column[a:b] for name, column in columns.items()})
        if chance.randrange(40) == 0:
            batch = replace(batch, addr=None)
        batch = replace(batch, new_types=[] if number else sample.types, new_names=[] if number else sample.names)
        assert len(batch) <= BATCH
        parts.append(_chunk_record(number, batch, "none", compressor("none")))
    return b"".join([*parts, pack_record({"footer": True}, {"events": end, "chunks": len(parts) - 1})])


# States


@dataclass(frozen=True)
class Saved:
    """A saved state, unpacked, and what can go on from it."""

    go_version: str
    hints: bool
    whole: dict[str, Any]
    parts: dict[str, bytes]
    rest: bytes


@cache
def saved_states() -> list[Saved]:
    """States in the middle of samples: by their own release with its hints, and by others."""
    found = []
    for sample in samples():
        if sample.name.split("-")[-1] == "6000":
            continue
        own = sample.header.go_version
        found += [saved_state(sample, version, version == own) for version in dict.fromkeys((own, STATES[0], STATES[-1]))]
    small = next(sample for sample in samples() if sample.name == "trees-go1.27-6000")
    return [*found, *(saved_state(small, version, False) for version in STATES)]


def saved_state(sample: Sample, version: str, hints: bool) -> Saved:
    """The state in the middle of a sample."""
    end = len(sample.columns["kind"])
    half = (end + int(np.argmax(sample.columns["kind"] == 23))) // 2
    first, rest = ({name: column[part] for name, column in sample.columns.items()} for part in (np.s_[:half], np.s_[half:]))
    never = random.Random(0)
    kept: list[bytes] = []
    trace = read_native(io.BytesIO(sealed(sample.header, first, sample, never)), "part1")
    replay(trace, release(version), design_name="", hints=hints, save=kept.append)
    whole = msgpack.unpackb(kept[0], max_bin_len=1 << 31)
    parts = {name: zstandard.ZstdDecompressor().decompress(part) for name, part in whole["parts"].items()}
    return Saved(version, hints, whole, parts, sealed(sample.header, rest, sample, never))


TABLES = {
    "small": SMALL_TABLES, "samples": SAMPLE, **DTYPES,
    **{name: np.dtype(HEAP[name].base) for name in HEAP.names if name not in SMALL_TABLES.names},
}  # fmt: skip
"""How the parts of a state are laid out."""


def lying_state(chance: random.Random) -> tuple[Saved, bytes]:
    """A state in which one to three numbers are not as they were; and the true one."""
    saved = chance.choice(saved_states())
    parts = dict(saved.parts)
    changed = set()
    for _ in range(chance.choice((1, 1, 2, 3))):
        name = chance.choice(["small", "small", "spans", *(name for name in TABLES if parts[name])])
        rows = np.frombuffer(parts[name], TABLES[name]).copy()
        numbers = a_column(rows, chance)
        if numbers.size:
            lie(numbers, chance)
            parts[name] = rows.tobytes()
            changed.add(name)
    packed = {**saved.whole["parts"], **{name: zstandard.compress(parts[name], 1) for name in changed}}
    return saved, msgpack.packb({**saved.whole, "parts": packed, "check": checksum(saved.whole["bytes"], packed)})


def a_column(rows: np.ndarray, chance: random.Random) -> np.ndarray:
    """Some column of a table, or of a table in it: a view of numbers, all in a row."""
    while rows.dtype.names:
        rows = rows[chance.choice(rows.dtype.names)]
    return rows


def lie(numbers: np.ndarray, chance: random.Random) -> None:
    """Change one number: one that says something, where there is such."""
    telling = np.argwhere((numbers != 0) & (numbers != -1) if numbers.dtype.kind != "f" else numbers != 0)
    picked = telling if len(telling) and chance.randrange(4) else np.argwhere(np.ones(numbers.shape, np.bool_))
    at = tuple(picked[chance.randrange(len(picked))])
    if numbers.dtype.kind == "f":
        numbers[at] = chance.choice((0.0, -1.0, 1e300, float("nan"), float("inf"), float(numbers[at]) * 2, 1e-300))
        return
    flat = np.ascontiguousarray(numbers).ravel()
    numbers[at] = another(flat, int(np.ravel_multi_index(at, numbers.shape)), chance)
