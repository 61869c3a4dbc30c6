"""Small batches and the bytes they become, for tests of trace files."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from goalloc_cli.native.native import TABLES, read_native, write_native
from goalloc_cli.native.records import pack_header, pack_record
from goalloc_cli.trace.event import ALL_COLUMNS, BOUND, COLUMNS, NO_P, NOSCAN, Batch, Call, Function, Kind, Owner, TypeInfo
from goalloc_cli.trace.trace import Header

Row = tuple[int, int, int, int, int, int]
"""kind, p, id, size, arg, addr."""

NODE = TypeInfo("main.Node", 24, 16)
TWO_PS = Header(gomaxprocs=2)


def batch(rows: Iterable[Row], types: Iterable[TypeInfo] = (), names: Iterable[str] = (), addr: bool = True) -> Batch:
    """A batch of rows; without its column `addr` if so asked."""
    table = list(rows)
    columns = {name: np.array([row[i] for row in table], dtype) for i, (name, dtype) in enumerate(COLUMNS.items())}
    if not addr:
        del columns["addr"]
    return Batch(**columns, new_types=list(types), new_names=list(names))


SMALL = [
    batch(
        [
            (Kind.ALLOC, 0, 0, 24, 1, 0xC000000000),
            (Kind.ALLOC | NOSCAN | BOUND, 1, 1, 100, 0, 0xC000002000),
            (Kind.TINY, 0, 1, 3, 1, 0xC000002003),
        ],
        types=[NODE],
    ),
    batch(
        [
            (Kind.FREE, NO_P, 1, 0, 0, 0),
            (Kind.SAW_HEAP_LIVE, 0, 0, 4096, 0, 0),
            (Kind.CHECKPOINT, 0, 0, 0, 1, 0),
            (Kind.TIME, NO_P, 0, 5_000_000_000, 0, 0),
        ],
        names=["done"],
    ),
]
"""A trace of two chunks with 3 and 4 events; fits `TWO_PS`."""

WITH_STACKS = Header(gomaxprocs=2, recorded="sizes and stacks", owners=True)
STACKED = [
    replace(
        SMALL[0],
        stack=np.array([1, 3, 2], np.uint32),
        new_functions=[Function("main.main", "/a/main.go"), Function("main.f", "7")],
        new_calls=[Call(1, 9, 0), Call(2, 40, 1), Call(1, 12, 0)],
    ),
    replace(SMALL[1], stack=np.zeros(4, np.uint32)),
    replace(
        batch([(Kind.ALLOC, 0, 1, 8, 0, 0)]),
        stack=np.array([4], np.uint32),
        new_functions=[Function('=a "b", c', "")],
        new_calls=[Call(3, 0, 2)],
    ),
    replace(
        batch(
            [
                (Kind.WORKS_FOR, 0, 0, 0, 2, 0),
                (Kind.GOROUTINES, NO_P, 0, 7, 0, 0),
                (Kind.GC_CPU, NO_P, 0, 7_000, 1, 0),
                (Kind.WORKS_FOR, NO_P, 0, 0, 0, 0),
            ]
        ),
        new_owners=[Owner(0, 0, "", "", 1), Owner(2, 3, '=a "task", b', "7", 0)],
    ),
]
"""The same with the stack of each allocation, a chunk that brings another, and one that says who allocates; fits
`WITH_STACKS`."""


def written(batches: Iterable[Batch], header: Header = TWO_PS, codec: str = "zstd", witnesses: bool = True) -> bytes:
    """The file that these batches become."""
    stream = io.BytesIO()
    write_native(header, batches, stream, codec, witnesses)
    return stream.getvalue()


def read(data: bytes) -> tuple[Header, list[Batch]]:
    """All that a file holds."""
    trace = read_native(io.BytesIO(data), "a.trace")
    return trace.header, list(trace.batches)


def equal(one: Batch, other: Batch) -> bool:
    """Whether two batches hold the same."""
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ALL_COLUMNS)
        and all(getattr(one, name) == getattr(other, name) for name in TABLES)
    )


def same(one: tuple[Header, list[Batch]], other: tuple[Header, list[Batch]]) -> bool:
    """Whether two traces hold the same."""
    return one[0] == other[0] and len(one[1]) == len(other[1]) and all(map(equal, one[1], other[1]))


def one_chunk(
    columns: dict[str, object] | None = None,
    data: bytes = b"",
    events: int = 1,
    head: dict[str, object] | None = None,
) -> bytes:
    """A file made by hand: one chunk, in which `kind` is ALLOC and the rest 0, but for what is given."""
    zeros = {name: {"value": 0} for name in ("p", "id", "size", "arg")}
    columns = {"kind": {"value": 1}} | zeros | (columns or {})
    chunk_head = {"events": events, "codec": "none", "columns": columns} | (head or {})
    return (
        pack_header({})
        + pack_record({"chunk": 0}, chunk_head, data)
        + pack_record({"footer": True}, {"events": events, "chunks": 1})
    )
