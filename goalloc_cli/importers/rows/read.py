"""Rows: traces that any script can write, as JSON Lines, CSV or msgpack rows. Every op and field: `docs/rows.md`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

import numpy as np

from goalloc_cli.errors import TraceError, TruncatedTrace
from goalloc_cli.importers.common.ids import ALIVE, RANGE, REALLOC, Ids
from goalloc_cli.importers.rows.fields import EVENT, MOST_KEY
from goalloc_cli.importers.rows.forms import Csv, Form, JsonLines, MsgpackRows
from goalloc_cli.importers.rows.json import FULL
from goalloc_cli.importers.rows.msgpack import NEED, SLACK
from goalloc_cli.importers.rows.odd import OddRows
from goalloc_cli.native.native import _read_header
from goalloc_cli.native.records import Record
from goalloc_cli.trace.event import BATCH, BOUND, KIND_MASK, NO_P, Batch
from goalloc_cli.trace.ranges import MAX_PROCS, RangeCheck
from goalloc_cli.trace.trace import RECORDED, Header, Trace

BLOCK = 1 << 20
"""Bytes read at once."""
MOST_ROW = 1 << 20
"""Most bytes of one row."""
MOST_NEW = 1 << 12
"""New entries of tables after which a batch ends."""


def read_jsonl(stream: BinaryIO, name: str, lenient: bool = False, partial: bool = False) -> Trace:
    """Read JSON Lines.

    With `lenient`, events that contradict others are handed on, for `badevents` to find. With `partial`, a last line without
    an end is taken for one that was cut short, even if it could be read.
    """
    return _trace(_Reader(stream, name, JsonLines(), partial), lenient)


def read_csv(stream: BinaryIO, name: str, lenient: bool = False, partial: bool = False) -> Trace:
    """Read CSV whose first line names the columns; `lenient` and `partial` as for JSON Lines."""
    first = stream.readline(MOST_ROW)
    try:
        form = Csv(first)
    except ValueError as error:
        raise TraceError(f"{name}: line 1: these are no names of columns: {error}") from error
    reader = _Reader(stream, name, form, partial, where=1, base=len(first))
    reader.odd.unknown.of_row(filter(None, form.names), where=1)
    return _trace(reader, lenient)


def read_rows(stream: BinaryIO, name: str, lenient: bool = False, partial: bool = False) -> Trace:
    """Read msgpack rows; `lenient` and `partial` as for JSON Lines."""
    return _trace(_Reader(stream, name, MsgpackRows(), partial), lenient)


def _trace(reader: _Reader, lenient: bool) -> Trace:
    """The trace; its first batch is read now, to know what the header does not say."""
    header = reader.header()
    batches = reader.batches()
    first = next(batches, None)
    if header is None:
        header = _guessed(first)
    checked = _Checked(reader, header, lenient)
    return Trace(reader.name, header, checked.batches(first, batches), remarks=reader.odd.unknown.remarks)


def _guessed(first: _Rows | None) -> Header:
    """The header of rows that bring none: as many Ps as the first batch has, addresses if it has some."""
    if first is None:
        return Header(source="rows")
    events = first.events
    ps = events["p"][events["p"] != NO_P]
    return Header(
        gomaxprocs=min(int(ps.max(initial=0)) + 1, MAX_PROCS),
        source="rows",
        sizes="slot" if (events["kind"] & BOUND).any() else "requested",
        witnesses=bool(events["addr"].any()),
        owners=bool(first.owners),
    )


class _Rows:
    """Events as their rows say them, and what they are the first to use."""

    def __init__(self, events: Any, odd: OddRows) -> None:
        self.events = events
        self.types, odd.new_types = odd.new_types, []
        self.names, odd.new_names = odd.new_names, []
        self.functions, odd.new_functions = odd.new_functions, []
        self.calls, odd.new_calls = odd.new_calls, []
        self.owners, odd.new_owners = odd.new_owners, []


class _Reader:
    """Reads a stream block by block, row by row."""

    def __init__(
        self, stream: BinaryIO, name: str, form: Form, partial: bool = False, where: int = 0, base: int = 0
    ) -> None:
        self.name = name
        self._partial = partial
        self._has_end = True
        self.form = form
        self.odd = OddRows(ids_are_handles=False, unit=form.unit)
        self._stream = stream
        self._rest = b""
        self._at = 0
        self._base = base
        self._final = False
        self._where = where
        self.cut: TruncatedTrace | None = None
        """Raised when all whole rows are out."""
        self._read()

    def header(self) -> Header | None:
        """The header, if the first row is one."""
        found = self._row()
        if found is None or (found[0] or {}).get("op") != "header":
            return None
        fields, after = found
        head = dict(fields or {})
        head.pop("op")
        place = self._place(self._where + 1, self._base + self._at)
        if isinstance(head.get("name"), str) and self.form.unit == "line" and set(head) == {"name"}:
            cell = head.pop("name").encode()  # of CSV, which holds all of it
            found = JsonLines().row(cell, 0, len(cell), place, True)
            head = dict((found[0] if found else None) or {})
        head = {"go_version" if key == "go" else key: value for key, value in head.items() if value is not None}
        if isinstance(head.get("go_version"), str):
            head["go_version"] = head["go_version"].removeprefix("go")
        ids = head.pop("ids", "keys")
        if ids not in ("keys", "handles"):
            raise TraceError(f"{place}: 'ids' is {ids!r}; it must be keys or handles")
        self.odd.ids_are_handles = ids == "handles"
        self._at, self._where = after, self._where + 1
        return _read_header(Record(place, {}, {"source": "rows", **head}, b""))

    def batches(self) -> Iterator[_Rows]:
        """The events of all rows, at most `BATCH` at a time. They are overwritten when the next ones are asked for."""
        out = np.zeros(BATCH, EVENT)
        n = 0
        while True:
            n, why = self._scan(out, n)
            if why == FULL or self.odd.new >= MOST_NEW:
                yield _Rows(out[:n], self.odd)
                n = 0
            elif why == NEED and not self._more():
                break
        if n or self.odd.new:
            yield _Rows(out[:n], self.odd)
        if self.cut is not None:
            raise self.cut

    def _more(self) -> bool:
        """Read on; return False at the end of the input. Rows that were cut short are told once the whole ones are out."""
        try:
            return self._read()
        except TruncatedTrace as error:
            self.cut = error
            return False

    def _scan(self, out: Any, n: int) -> tuple[int, int]:
        """Read rows up to the end of the block, of the room in `out`, or of one that the scanner does not take."""
        end = len(self._rest) - SLACK
        self._at, n, self._where, why = self.form.scan(
            self._data, end, self._at, self._base, out, n, self._where, self.odd
        )
        if why in (FULL, NEED):
            return n, why
        if self._at >= end:
            return n, NEED
        found = self._row()
        if found is None:
            return n, NEED
        byte = self._base + self._at
        fields, self._at = found
        self._where += 1
        if fields is not None:
            put = self.odd.take(fields, out, n, self._where, self._place(self._where, byte))
            out["byte"][n:put] = byte
            n = put
        return n, 0

    def _row(self) -> tuple[dict[str, Any] | None, int] | None:
        """The next row, whatever it is; None where the block ends before it does."""
        stop = len(self._rest) - SLACK
        if self._at >= stop:
            return None
        place = self._place(self._where + 1, self._base + self._at)
        try:
            return self.form.row(self._rest, self._at, stop, place, self._final)
        except TraceError as error:
            is_last = self._final and self._rest.find(b"\n", self._at, stop) in (-1, stop - 1)
            if is_last and not self._has_end:
                raise self._cut_short() from error
            raise

    def _read(self) -> bool:
        """Read on; return False at the end of the input."""
        rest = self._rest[self._at : len(self._rest) - SLACK]
        if self._final:
            if rest:
                raise self._cut_short()
            return False
        if len(rest) > MOST_ROW:
            place = self._place(self._where + 1, self._base + self._at)
            raise TraceError(f"{place}: it is longer than {MOST_ROW >> 20} MiB; one row is one event")
        self._base += self._at
        piece = self._stream.read(BLOCK)
        self._final = len(piece) < BLOCK
        if self._final and self.form.unit == "line" and (piece or rest) and not (piece or rest).endswith(b"\n"):
            # The line may be whole: hands leave out the last end of a line.
            self._has_end = False
            if self._partial:
                whole = (rest + piece).rfind(b"\n") + 1
                rest, piece, self.cut = (rest + piece)[:whole], b"", self._cut_short()
            else:
                piece += b"\n"
        self._rest = b"".join((rest, piece, bytes(SLACK)))
        self._data = np.frombuffer(self._rest, np.uint8)
        self._at = 0
        return True

    def _cut_short(self) -> TruncatedTrace:
        place = self._place(self._where + 1, self._base + self._at)
        whole = f"the {self._where} {self.form.unit}s before it are whole, and --partial takes those"
        return TruncatedTrace(f"{place}: it was cut short; {whole}")

    def _place(self, where: int, byte: int) -> str:
        at_byte = f" (byte {byte})" if self.form.unit == "row" else ""
        return f"{self.name}: {self.form.unit} {where}{at_byte}"

    def place_of(self, event: Any) -> str:
        """Where an event stands in the input."""
        return self._place(int(event["where"]), int(event["byte"]))


class _Checked(RangeCheck):
    """Makes batches of rows, whose ids become handles and whose values are within what their kinds allow."""

    def __init__(self, reader: _Reader, header: Header, lenient: bool) -> None:
        super().__init__(header.gomaxprocs, lenient)
        self._reader = reader
        self._witnesses = header.witnesses
        self._has_stacks = header.recorded == RECORDED[-1]
        self._ids = None if reader.odd.ids_are_handles else Ids(keep_dead=lenient)
        self._rows: Any = None

    def batches(self, first: _Rows | None, others: Iterator[_Rows]) -> Iterator[Batch]:
        if first is None:
            return
        yield self._batch(first)
        for rows in others:
            yield self._batch(rows)

    def _batch(self, rows: _Rows) -> Batch:
        events = self._rows = rows.events
        kind = np.ascontiguousarray(events["kind"])
        addr, stack = (np.ascontiguousarray(events[name]) for name in ("addr", "stack"))
        batch = Batch(
            kind,
            np.ascontiguousarray(events["p"]),
            self._handles(kind, events),
            np.ascontiguousarray(events["size"]),
            np.ascontiguousarray(events["arg"]),
            addr if self._witnesses or addr.any() else None,
            rows.types,
            rows.names,
            stack if stack.any() or self._has_stacks else None,
            rows.functions,
            rows.calls,
            rows.owners,
        )
        self.check(batch, self._reader.name)
        return batch

    def _handles(self, kind: Any, events: Any) -> Any:
        key = np.ascontiguousarray(events["key"])
        if self._ids is None:
            wide = key.view(np.uint64) > 0xFFFFFFFF
            if wide.any():
                self._wrong_id(int(wide.argmax()), RANGE)
            moves = kind & KIND_MASK == REALLOC
            if moves.any():
                place = self._reader.place_of(self._rows[int(moves.argmax())])
                raise TraceError(f"{place}: realloc, where the header says that ids are handles; write an alloc and a free")
            return key.astype(np.uint32)
        handle = np.zeros(len(kind), np.uint32)
        self._ids.make_room()
        done, problem = self._ids.name(kind, key, handle)
        if problem:
            self._wrong_id(done, problem)
        return handle

    def _wrong_id(self, index: int, problem: int) -> NoReturn:
        event = self._rows[index]
        says = {
            ALIVE: "is in use already; free its owner first",
            RANGE: "is no whole number from 0 to 4294967295",
        }.get(problem, "is not in use here; was it freed before?")
        known = f" {event['key']}" if event["key"] < MOST_KEY else ""  # of a text only the hash is
        raise TraceError(f"{self._reader.place_of(event)}: 'id'{known} {says}")

    def _refuse(self, where: str, index: int, problem: str) -> None:
        advice = "; start with a row such as {\"op\":\"header\",\"gomaxprocs\":8}" if "gomaxprocs" in problem else ""
        raise TraceError(f"{self._reader.place_of(self._rows[index])}: {problem}{advice}")
