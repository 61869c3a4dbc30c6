"""goalloc's own trace format, chunk by chunk, both directions. Every byte: `docs/trace-format.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from reprlib import repr as brief
from typing import Any, BinaryIO, TypeGuard, TypeVar

import numpy as np

from goalloc_cli.design.parse import knob_problem
from goalloc_cli.errors import TraceError
from goalloc_cli.native.codec import (
    MAX_VALUE,
    Compress,
    compressor,
    decode_columns,
    encode_columns,
    whole_number,
)
from goalloc_cli.native.records import MAX_ENTRIES, MAX_HEAD, Record, RecordReader, pack_header, pack_record
from goalloc_cli.trace import event
from goalloc_cli.trace.event import ALL_COLUMNS, BATCH, KIND_MASK, Batch, Call, Function, Kind, Owner, TypeInfo
from goalloc_cli.trace.lost import Lost
from goalloc_cli.trace.ranges import RangeCheck
from goalloc_cli.trace.trace import RECORDED, Header, Trace

T = TypeVar("T")

MOST_NUMBER = (1 << 32) - 1
"""Of a function, a line or a stack."""
MOST_DEEP = 16
"""Lists and maps inside others in a header."""

# Reading


def read_native(stream: BinaryIO, name: str, lenient: bool = False) -> Trace:
    """Read the header; the batches are read as they are walked, one chunk in memory at a time.

    With `lenient`, events whose values are out of range are handed on, for `badevents` to find. Raise TraceError where the
    input is not what the format asks for, TruncatedTrace where it ends too early.
    """
    records = RecordReader(stream, name)
    header = _read_header(records.header())
    trace = Trace(name, header, iter(()))
    return replace(trace, batches=_read_batches(records, RangeCheck(header.gomaxprocs, lenient), trace))


def _read_header(record: Record) -> Header:
    """Keys that are missing keep their default; keys that are not known go to `extra`."""
    head = dict(record.head)
    if not _is_plain(head, MOST_DEEP):
        raise TraceError(f"{record.where}: header: it holds what is no number, text or list, or is nested too deeply")
    known: dict[str, Any] = {}
    for key, default in vars(Header()).items():
        value = head.pop(key, default) if key != "extra" else {}
        if key == "notes" and _is_list_of(value, str):
            value = tuple(value)
        if key == "knobs" and _is_list_of(value, list) and all(list(map(type, each)) == [str, int] for each in value):
            value = tuple(map(tuple, value))
        if type(value) is not type(default):
            raise TraceError(f"{record.where}: header: {key} is {brief(value)}, no {type(default).__name__}")
        known[key] = value
    header = Header(**{**known, "extra": head})
    if problem := _header_problem(header):
        raise TraceError(f"{record.where}: header: {problem}")
    return header


def _is_plain(value: object, deep: int) -> bool:
    """Whether every form of trace can hold a value: keys are texts, numbers have 64 bits, nothing is `deep` lists inside."""
    if isinstance(value, dict):
        value = [*value, *value.values()] if all(isinstance(key, str) for key in value) else [None, value]
    if isinstance(value, dict | list):
        return deep > 0 and all(_is_plain(inner, deep - 1) for inner in value)
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 64
    return value is None or isinstance(value, float | bytes)


def _header_problem(header: Header) -> str | None:
    """What is wrong with the values of a header."""
    if not 1 <= header.gomaxprocs < event.NO_P:
        return f"gomaxprocs is {header.gomaxprocs}; it must be 1 to {event.NO_P - 1}"
    if header.page_size != 8192:
        return f"page_size is {header.page_size}; Go's pages have 8192 bytes"
    if header.sizes not in ("requested", "slot"):
        return f"sizes is {header.sizes!r}; it must be requested or slot"
    if header.recorded not in RECORDED:
        return f"recorded is {header.recorded!r}; it must be one of {', '.join(filter(None, RECORDED))}"
    if not 0 <= header.heap_base <= MAX_VALUE:
        return f"heap_base is {header.heap_base}; it must be an address"
    return next(filter(None, (knob_problem(name, str(value)) for name, value in header.knobs)), None)


def _read_batches(records: RecordReader, ranges: RangeCheck, trace: Trace) -> Iterator[Batch]:
    while "chunk" in (record := records.next()).fields:
        where = f"{record.where}: chunk {records.chunks}"
        if record.fields["chunk"] != records.chunks:
            raise TraceError(f"{where} was expected, but this is chunk {brief(record.fields['chunk'])}")
        batch = _read_chunk(record, where)
        ranges.check(batch, where)
        records.chunks += 1
        records.events += len(batch)
        yield batch
    _check_footer(record, records)
    _read_lost(record, trace)
    records.expect_end()


def _read_chunk(record: Record, where: str) -> Batch:
    head = record.head
    try:
        events = whole_number(head, "events", BATCH)
        columns = decode_columns(head.get("columns"), record.data, events, head.get("codec"))
        return Batch(
            **columns,
            new_types=_read_types(head.get("types", [])),
            new_names=_read_names(head.get("names", [])),
            new_functions=_read_functions(head.get("functions", [])),
            new_calls=_read_calls(head.get("calls", [])),
            new_owners=_read_owners(head.get("owners", [])),
        )
    except ValueError as error:
        raise TraceError(f"{where}: {error}") from error


def _read_types(stored: object) -> list[TypeInfo]:
    if not _is_list_of(stored, list):
        raise ValueError("its types are no list of lists")
    return [_read_type(entry) for entry in stored]


def _read_type(entry: list[Any]) -> TypeInfo:
    if len(entry) != 3 or type(entry[0]) is not str:
        raise ValueError(f"its type {brief(entry)} is not of the form [name, size, pointer_bytes]")
    sizes = {"size": entry[1], "pointer_bytes": entry[2]}
    return TypeInfo(entry[0], *(whole_number(sizes, key, MAX_VALUE) for key in sizes))


def _read_names(stored: object) -> list[str]:
    if not _is_list_of(stored, str):
        raise ValueError("its names are no list of texts")
    return stored


def _read_functions(stored: object) -> list[Function]:
    if not _is_list_of(stored, list) or not all(len(entry) == 2 and _is_list_of(entry, str) for entry in stored):
        raise ValueError("its functions are no list of [name, file]")
    return [Function(*entry) for entry in stored]


def _read_calls(stored: object) -> list[Call]:
    if not _is_list_of(stored, list) or not all(len(entry) == 3 for entry in stored):
        raise ValueError("its calls are no list of [function, line, caller]")
    return [_read_call(dict(zip(Call._fields, entry, strict=True))) for entry in stored]


def _read_call(entry: dict[str, Any]) -> Call:
    return Call(*(whole_number(entry, key, MOST_NUMBER) for key in Call._fields))


def _read_owners(stored: object) -> list[Owner]:
    if not _is_list_of(stored, list) or not all(len(entry) == len(Owner._fields) for entry in stored):
        raise ValueError("its owners are no list of [entry, creator, task, region, runtime]")
    return [_read_owner(dict(zip(Owner._fields, entry, strict=True))) for entry in stored]


def _read_owner(entry: dict[str, Any]) -> Owner:
    if not _is_list_of([entry["task"], entry["region"]], str):
        raise ValueError(f"its owner {brief(entry)} has a task or region that is no text")
    numbers = {key: whole_number(entry, key, most) for key, most in _MOST_OF_OWNER.items()}
    return Owner(**{**entry, **numbers})


_MOST_OF_OWNER = {"entry": MOST_NUMBER, "creator": MOST_NUMBER, "runtime": 1}


def _is_list_of(value: object, kind: type[T]) -> TypeGuard[list[T]]:
    return isinstance(value, list) and all(type(entry) is kind for entry in value)


def _check_footer(record: Record, records: RecordReader) -> None:
    """Raise TraceError unless the record is a footer that agrees with what was read."""
    if "footer" not in record.fields:
        raise TraceError(f"{record.where}: neither a chunk nor the footer; a newer goalloc may know it")
    said = record.head.get("events"), record.head.get("chunks")
    if said != (records.events, records.chunks):
        raise TraceError(
            f"{record.where}: the footer says {brief(said[0])} events in {brief(said[1])} chunks, "
            f"but there were {records.events} in {records.chunks}"
        )


def _read_lost(record: Record, trace: Trace) -> None:
    """Take up what the footer says is missing of the recording."""
    lost = record.head.get("lost", {})
    if not isinstance(lost, dict) or not all(type(n) is int and 0 <= n <= MAX_VALUE for n in lost.values()):
        raise TraceError(f"{record.where}: what it says was lost is {brief(lost)}, no counts")
    for name in vars(trace.lost).keys() & lost:
        setattr(trace.lost, name, lost[name])
    trace.remarks.extend(trace.lost.sentences())


# Writing


def write_native(
    header: Header, batches: Iterable[Batch], stream: BinaryIO, codec: str = "zstd", witnesses: bool = True,
    lost: Lost | None = None,
) -> int:  # fmt: skip
    """Write a trace, chunk by chunk; return its number of events. What is written can be read again.

    Without `witnesses` the trace loses what the real runtime chose. `lost` is what is missing once the batches have been
    walked. Raise ValueError for an unknown codec,
    TraceError for what a reader would refuse.
    """
    header = replace(header, witnesses=header.witnesses and witnesses)
    if problem := _header_problem(header):
        raise TraceError(f"header: {problem}")
    compress = compressor(codec)
    stream.write(pack_header(_header_map(header), minor=2 if header.owners else 1 if header.recorded else 0))
    ranges = RangeCheck(header.gomaxprocs)
    counts = np.zeros(KIND_MASK + 1, np.int64)
    chunks = duration_ns = 0
    for batch in batches:
        for part in _fitting(batch if witnesses else without_witnesses(batch)):
            ranges.check(part, f"chunk {chunks}")
            stream.write(_chunk_record(chunks, part, codec, compress))
            chunks += 1
            counts += np.bincount(part.kind & KIND_MASK, minlength=len(counts))
            duration_ns = max(duration_ns, int(part.size[part.kind == Kind.TIME].max(initial=0)))
    footer = {
        "events": int(counts.sum()),
        "chunks": chunks,
        "kinds": {kind.name: int(counts[kind]) for kind in Kind if counts[kind]},
        "duration_ns": duration_ns,
    }
    if lost:
        footer["lost"] = lost.counts()
    stream.write(pack_record({"footer": True}, footer))
    return int(counts.sum())


def without_witnesses(batch: Batch) -> Batch:
    """The batch without `addr`, and without the events that only `verify` reads."""
    kept = ~_IS_WITNESS[batch.kind]
    columns = {name: column[kept] for name in ALL_COLUMNS if (column := getattr(batch, name)) is not None}
    return replace(batch, **{**columns, "addr": None})


_IS_WITNESS = np.isin(np.arange(256) & KIND_MASK, event.WITNESS_KINDS)


SELDOM = ("knobs", "recorded", "owners")
"""Keys that are left out where they say nothing."""


def _header_map(header: Header) -> dict[str, Any]:
    known = {key: value for key, value in vars(header).items() if key != "extra" and (key not in SELDOM or value)}
    return {**header.extra, **known}


def _fitting(batch: Batch) -> Iterator[Batch]:
    """The batch; before it, empty ones that bring the types, names and stacks for which its chunk has no room."""
    tables = {name: getattr(batch, name) for name in TABLES}
    text_bytes = sum(4 * len(text) + 24 for entries in tables.values() for entry in entries for text in _texts(entry))
    entries = sum(map(len, tables.values()))
    if (entries <= MAX_ENTRIES and text_bytes + 16 * len(batch.new_calls) <= MAX_HEAD // 2) or entries == 1:
        yield batch
        return
    first, rest = {}, {}
    half = (entries + 1) // 2
    for name, table in tables.items():
        # In the order of the tables: calls come after their functions, owners after both.
        first[name], rest[name] = table[:half], table[half:]
        half -= len(first[name])
    columns = {name: column[:0] for name in ALL_COLUMNS if (column := getattr(batch, name)) is not None}
    yield from _fitting(Batch(**columns, **first))
    yield from _fitting(replace(batch, **rest))


TABLES = ("new_types", "new_names", "new_functions", "new_calls", "new_owners")


def _texts(entry: TypeInfo | str | Function | Call | Owner) -> tuple[str, ...]:
    """What is text of an entry of a table."""
    if isinstance(entry, str):
        return (entry,)
    if isinstance(entry, Owner):
        return (entry.task, entry.region)
    return (entry.name, entry.file) if isinstance(entry, Function) else (entry.name,) if isinstance(entry, TypeInfo) else ()


def _chunk_record(number: int, batch: Batch, codec: str, compress: Compress) -> bytes:
    columns = {name: getattr(batch, name) for name in ALL_COLUMNS if getattr(batch, name) is not None}
    descriptors, data = encode_columns(columns, compress)
    head: dict[str, Any] = {"events": len(batch), "codec": codec, "columns": descriptors}
    if batch.new_types:
        head["types"] = [[new.name, new.size, new.pointer_bytes] for new in batch.new_types]
    if batch.new_names:
        head["names"] = batch.new_names
    if batch.new_functions:
        head["functions"] = [[new.name, new.file] for new in batch.new_functions]
    if batch.new_calls:
        head["calls"] = [list(new) for new in batch.new_calls]
    if batch.new_owners:
        head["owners"] = [list(new) for new in batch.new_owners]
    return pack_record({"chunk": number}, head, data)
