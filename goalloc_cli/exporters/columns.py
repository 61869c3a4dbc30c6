"""Writes the events of a trace, or the samples of its replay, as Parquet or Arrow: columns for DuckDB, polars and pandas.

Needs pyarrow, the extra "parquet": of all writers it alone lets each column have its own encoding, and that halves the file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.results.outcome import Outcome, Reason
from goalloc_cli.results.who import goroutine, task
from goalloc_cli.trace.event import KIND_MASK, NO_P, Batch, Call, Function, Kind, Owner
from goalloc_cli.trace.works import NOT_SAID, WorksFor

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 1 << 19
"""Rows that are packed together; it bounds the memory."""
DELTA, BYTE_PLANES, DICTIONARY = "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "dictionary"
MANY = (BYTE_PLANES, DICTIONARY, DELTA)
ENCODING = {"event": (DELTA,), "time_ns": (DELTA,), **dict.fromkeys(("id", "size", "arg", "p", "addr"), MANY)}
"""Columns of numbers: of several encodings the one is taken that makes least of the first rows. zstd finds again which bytes
of a place repeat; the bits of the other encodings are packed across bytes. Columns of texts are dictionaries."""
TRIED = 1 << 17
"""Rows that the encodings are tried on: the last of the first, for a recording begins with the heap as it was."""
LEVEL = 9
"""Of zstd. Level 6 takes 1 to 2 % more room, and four fifths of the time."""
MOST_FRAMES = 256

FLAG_SHIFT = 6
FLAG_NAMES = ["", "noscan", "bound", "noscan bound"]
"""The flags of an event, which stand above its kind: NOSCAN, then BOUND."""


def write_parquet(tables: Iterable[pa.Table], stream: BinaryIO) -> int:
    """Write tables of one schema as a Parquet file, a row group each; return the rows."""

    def writer(first: pa.Table) -> Any:
        found = {name: min(ways, key=lambda way: _packed_bytes(first, name, way)) for name, ways in ENCODING.items()}
        return _parquet_writer(stream, first.schema, found)

    return _written(tables, writer)


def _parquet_writer(stream: BinaryIO, schema: pa.Schema, encoding: dict[str, str]) -> Any:
    from pyarrow import parquet

    return parquet.ParquetWriter(
        stream,
        schema,
        compression="zstd",
        compression_level=LEVEL,
        use_dictionary=[name for name in schema.names if encoding.get(name, DICTIONARY) == DICTIONARY],
        column_encoding={name: way for name, way in encoding.items() if name in schema.names and way != DICTIONARY},
    )


def _packed_bytes(table: pa.Table, name: str, encoding: str) -> int:
    """What a column takes in an encoding."""
    if name not in table.schema.names:
        return 0
    column, packed = table.select([name]).slice(max(len(table) - TRIED, 0)), io.BytesIO()
    with _parquet_writer(packed, column.schema, {name: encoding}) as writer:
        writer.write_table(column)
    return packed.tell()


def write_arrow(tables: Iterable[pa.Table], stream: BinaryIO) -> int:
    """Write tables of one schema as a stream of Arrow IPC; return the rows."""
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="zstd")
    return _written(tables, lambda first: pa.ipc.new_stream(stream, first.schema, options=options))


def _written(tables: Iterable[pa.Table], writer: Callable[[pa.Table], Any]) -> int:
    rows, open_writer = 0, None
    for table in tables:
        open_writer = open_writer or writer(table)
        open_writer.write_table(table)
        rows += len(table)
    if open_writer is not None:
        open_writer.close()
    return rows


WRITERS = {"parquet": write_parquet, "arrow": write_arrow}


def event_tables(batches: Iterable[Batch]) -> Iterator[pa.Table]:
    """The events as tables of at most ROW_GROUP rows; there is at least one table."""
    names = Names()
    held: list[Batch] = []
    first = rows = 0
    for batch in batches:
        if rows + len(batch) > ROW_GROUP:
            yield names.table(held, first)
            held, first, rows = [], first + rows, 0
        names.learn(batch)
        held.append(batch)
        rows += len(batch)
    yield names.table(held, first)


WHO = ("goroutine", "task", "region")
"""Columns that say who allocated. What made the goroutine would take as much room again as the function it began in."""


class Names:
    """The texts that events name by number, as the batches bring them."""

    def __init__(self) -> None:
        self.types = [""]
        self.names = [""]
        self.functions = [Function("", "")]
        self.calls = [Call(0, 0, 0)]
        self.owners = [Owner(0, 0, "", "", 0)]
        self.works_for = WorksFor()
        self.time_ns = 0

    def learn(self, batch: Batch) -> None:
        self.types += [new.name for new in batch.new_types]
        self.names += batch.new_names
        self.functions += batch.new_functions
        self.calls += batch.new_calls
        self.owners += batch.new_owners

    def table(self, batches: list[Batch], first: int) -> pa.Table:
        """A table of these batches, the first event of which has this number."""
        import pyarrow as pa

        flagged = _joined(batches, "kind", np.uint8)
        kind = flagged & np.uint8(KIND_MASK)
        arg, size = _joined(batches, "arg", np.uint32), _joined(batches, "size", np.int64)
        p, stack = _joined(batches, "p", np.uint16), _joined(batches, "stack", np.uint32)
        addr = _joined(batches, "addr", np.int64)
        typed = TYPED[kind]
        columns = {
            "event": pa.array(np.arange(first, first + len(kind), dtype=np.int64)),
            "time_ns": pa.array(self._times(kind, size)),
            "kind": _dictionary(KIND_NAMES.__getitem__, len(KIND_NAMES), kind),
            "p": pa.array(p, mask=p == NO_P),
            "id": pa.array(_joined(batches, "id", np.uint32)),
            "size": pa.array(size),
            "arg": pa.array(arg, mask=typed | (kind == Kind.CHECKPOINT)),
            "flags": _dictionary(FLAG_NAMES.__getitem__, len(FLAG_NAMES), flagged >> FLAG_SHIFT),
            "type": _dictionary(self.types.__getitem__, len(self.types), arg, ~typed | (arg == 0)),
            "name": _dictionary(self.names.__getitem__, len(self.names), arg, kind != Kind.CHECKPOINT),
            "stack": self._stacks(stack),
            **self._owners(kind, p, arg),
            "addr": pa.array(addr, mask=addr == 0),
        }
        return pa.table(columns)

    def _times(self, kind: NDArray[np.uint8], size: NDArray[np.int64]) -> NDArray[np.int64]:
        """The time of each event: that of the last TIME at or before it."""
        times = np.where(kind == Kind.TIME, size, 0)
        if len(times):
            times[0] = max(int(times[0]), self.time_ns)
            times = np.maximum.accumulate(times)
            self.time_ns = int(times[-1])
        return times

    def _owners(self, kind: NDArray[np.uint8], p: NDArray[np.uint16], arg: NDArray[np.uint32]) -> dict[str, Any]:
        """Who made each allocation: where the goroutine began, its user task and region; null if not known."""
        at = np.flatnonzero(ALLOCATES[kind] | IS_WORKS_FOR[kind])
        says = IS_WORKS_FOR[kind[at]]
        owner = np.zeros(len(kind), np.int64)
        if len(self.owners) > 1:
            owner[at] = self.works_for.owners(p[at], np.where(says, arg[at].astype(np.int64), NOT_SAID))
            owner[at[says]] = 0
        told = [(goroutine(self, number)[0], *task(self, number)) for number in range(len(self.owners))]
        columns = zip(*told, strict=True)
        return {name: _named([*texts], owner) for name, texts in zip(WHO, columns, strict=True)}

    def _stacks(self, stack: NDArray[np.uint32]) -> Any:
        """main.main;main.f: the outermost call first, as flame graphs have it."""
        return _dictionary(self._folded, len(self.calls), stack, stack == 0)

    def _folded(self, stack: int) -> str:
        calls: list[str] = []
        while stack and len(calls) < MOST_FRAMES:
            call = self.calls[stack]
            calls.append(self.functions[call.function].name)
            stack = call.caller
        return ";".join(reversed(calls))


KIND_NAMES = [next((kind.name.lower() for kind in Kind if kind == number), "") for number in range(KIND_MASK + 1)]
TYPED, ALLOCATES, IS_WORKS_FOR = (
    np.isin(np.arange(KIND_MASK + 1), kinds)
    for kinds in ([Kind.ALLOC, Kind.TINY, Kind.SNAP_OBJECT, Kind.SNAP_DEAD], [Kind.ALLOC, Kind.TINY], [Kind.WORKS_FOR])
)
"""By kind: whether `arg` is a type, whether it has an owner, whether it says one."""


def _joined(batches: list[Batch], name: str, dtype: Any) -> NDArray[Any]:
    """A column of all batches; 0 where one has none."""
    parts = [getattr(batch, name) for batch in batches]
    filled = [np.zeros(len(b), dtype) if part is None else part for b, part in zip(batches, parts, strict=True)]
    return np.concatenate(filled).astype(dtype, copy=False) if filled else np.zeros(0, dtype)


def _dictionary(
    text_of: Callable[[int], str], texts: int, numbers: NDArray[Any], missing: NDArray[np.bool_] | None = None
) -> Any:
    """A column of texts, as numbers of those that occur; null where `missing`. All others are below `texts`."""
    import pyarrow as pa

    is_used = np.zeros(texts, np.bool_)
    is_used[numbers if missing is None else numbers[~missing]] = True
    place = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
    # Under a null, too, some readers want an index that there is.
    indices = np.maximum(place[numbers if missing is None else np.where(missing, 0, numbers)], 0)
    values = pa.array([whole(text_of(number)) for number in np.flatnonzero(is_used).tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=missing), values)


def _named(texts: list[str], owner: NDArray[np.int64]) -> Any:
    """A column of the text of each owner; null of who is not known, and where there is none."""
    named: dict[str, int] = {"": 0}
    number = np.array([named.setdefault(text if owner else "", len(named)) for owner, text in enumerate(texts)])
    return _dictionary([*named].__getitem__, len(named), number[owner], number[owner] == 0)


def sample_tables(outcome: Outcome) -> Iterator[pa.Table]:
    """The samples of a replay as one table; its columns are the fields of `outcome.SAMPLE`."""
    import pyarrow as pa

    samples = outcome.samples
    columns = {name: pa.array(samples[name]) for name in samples.dtype.names or ()}
    reasons = [Reason(int(reason)) for reason in samples["reason"]]
    columns["reason"] = pa.array([reason.name.lower() for reason in reasons])
    named = [reason is Reason.CHECKPOINT for reason in reasons]
    names = [outcome.names[int(number)] if there else None for number, there in zip(samples["name"], named, strict=True)]
    columns["name"] = pa.array([None if name is None else whole(name) for name in names], pa.string())
    yield pa.table(columns)


def whole(text: str) -> str:
    """The text, with an escape for what UTF-8 cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()
