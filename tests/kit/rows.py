"""Rows in every form that scripts write, and the events that they become."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import msgpack
import pytest

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.rows import read as rows
from goalloc_cli.trace.trace import Trace

Row = dict[str, Any]

STORY: list[Row] = [
    {"op": "alloc", "id": 7, "size": 48, "pointers": True, "p": 2, "type": "main.T"},
    {"op": "alloc", "id": "buffer", "size": 100, "pointers": False, "type": "main.T"},
    {"op": "tiny", "id": "buffer", "size": 3},
    {"op": "free", "id": 7, "p": 1},
    {"op": "gc", "p": 1},
    {"op": "alloc", "id": 7, "size": 24, "bound": True, "type": "main.U"},
    {"op": "stack_alloc", "id": 7, "size": 2048},
    {"op": "gc_start", "explicit": True, "p": -1},
    {"op": "gc_end", "explicit": True},
    {"op": "stack_free", "id": 7},
    {"op": "flush"},
    {"op": "checkpoint", "name": "done"},
    {"op": "time", "ns": 5_000_000_000},
]
"""Every op that a program needs, once."""


def as_jsonl(table: list[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in table).encode()


def as_csv(table: list[Row]) -> bytes:
    columns = list(dict.fromkeys(key for row in table for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows([{k: str(v).lower() if isinstance(v, bool) else v for k, v in row.items()} for row in table])
    return text.getvalue().encode()


def as_msgpack(table: list[Row]) -> bytes:
    return b"".join(map(msgpack.packb, table))


FORMS = {"jsonl": (as_jsonl, rows.read_jsonl), "csv": (as_csv, rows.read_csv), "rows": (as_msgpack, rows.read_rows)}


def read(data: bytes, reader: Callable[..., Trace] = rows.read_jsonl) -> Trace:
    return reader(io.BytesIO(data), "a")


def events(trace: Trace) -> list[tuple[int, ...]]:
    columns = ("kind", "p", "id", "size", "arg")
    return [row for batch in trace.batches for row in zip(*(getattr(batch, name).tolist() for name in columns), strict=True)]


def error(data: bytes, reader: Callable[..., Trace] = rows.read_jsonl) -> str:
    with pytest.raises(TraceError) as caught:
        events(read(data, reader))
    return str(caught.value)
