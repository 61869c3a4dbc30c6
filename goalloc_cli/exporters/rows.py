"""Writes a trace as rows: JSON Lines, CSV or msgpack. Read again, they give the same events, column for column."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgpack  # type: ignore[import-untyped]
import numpy as np

from goalloc_cli.exporters.rows_write import CSV_COLUMNS, MOST_BYTES, write_csv, write_json, write_msgpack
from goalloc_cli.importers.rows.csv import TEXTS, guarded
from goalloc_cli.trace.event import BATCH, Batch
from goalloc_cli.trace.ranges import RangeCheck
from goalloc_cli.trace.trace import Header

Row = dict[str, Any]


@dataclass(frozen=True)
class Writer:
    """A form of rows."""

    begin: bytes
    row: Callable[[Row], bytes]
    """Packs a row that is no event."""
    events: Callable[..., int]
    """The kernel that packs events; it returns the number of bytes."""


def _json_row(row: Row) -> bytes:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False, default=str).encode() + b"\n"


def _csv_row(row: Row) -> bytes:
    if row["op"] == "header":
        rest = {key: value for key, value in row.items() if key != "op"}
        row = {"op": "header", "name": _json_row(rest).decode().strip()}
    else:
        row = {**row, **{name: guarded(row[name]) for name in TEXTS.get(row["op"], ())}}
    text = io.StringIO()
    csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
    return text.getvalue().encode()


def _msgpack_row(row: Row) -> bytes:
    packed: bytes = msgpack.packb(row, default=str)
    return packed


WRITERS = {
    "jsonl": Writer(b"", _json_row, write_json),
    "csv": Writer(",".join(CSV_COLUMNS).encode() + b"\n", _csv_row, write_csv),
    "rows": Writer(b"", _msgpack_row, write_msgpack),
}
"""The forms, by the name that `goalloc export --to` has for them."""


def write_rows(header: Header, batches: Iterable[Batch], stream: BinaryIO, form: str) -> int:
    """Write a trace as rows; return its number of events. Raise TraceError for what a reader would refuse."""
    writer = WRITERS[form]
    stream.write(writer.begin)
    stream.write(writer.row(_header_row(header)))
    ranges = RangeCheck(header.gomaxprocs)
    out = np.zeros(BATCH * MOST_BYTES, np.uint8)
    no_addr, no_stack = np.zeros(BATCH, np.int64), np.zeros(BATCH, np.uint32)
    for number, batch in enumerate(batches):
        ranges.check(batch, f"batch {number}")
        for entry in _entries(batch):
            stream.write(writer.row(entry))
        addr = no_addr[: len(batch)] if batch.addr is None else batch.addr
        stack = no_stack[: len(batch)] if batch.stack is None else batch.stack
        columns = (batch.kind, batch.p, batch.id, batch.size, batch.arg, addr, stack)
        length = writer.events(*(np.ascontiguousarray(column) for column in columns), out)
        stream.write(out[:length].data)
    return ranges.events


def _entries(batch: Batch) -> Iterator[Row]:
    """What the tables get, as rows: stacks after their functions, owners after both."""
    for new in batch.new_types:
        yield {"op": "type", "name": new.name, "size": new.size, "pointer_bytes": new.pointer_bytes}
    for name in batch.new_names:
        yield {"op": "name", "name": name}
    for function in batch.new_functions:
        yield {"op": "function", "name": function.name, "file": function.file}
    for call in batch.new_calls:
        yield {"op": "call", **call._asdict()}
    for owner in batch.new_owners:
        yield {"op": "owner", **owner._asdict()}


def _header_row(header: Header) -> Row:
    """The header as a row. Ids are the handles themselves, so that they stay the same."""
    known = {"go" if key == "go_version" else key: value for key, value in vars(header).items() if key != "extra"}
    if not header.owners:
        del known["owners"]
    return {"op": "header", **known, "ids": "handles", **header.extra}
