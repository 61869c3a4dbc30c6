"""The forms of rows behind one door: a scanner for the plain rows, and how to take one that is not plain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.rows.csv import cell_ends, csv_columns, csv_row, field_numbers, scan_csv
from goalloc_cli.importers.rows.fields import ROW
from goalloc_cli.importers.rows.json import json_row, scan_json
from goalloc_cli.importers.rows.msgpack import msgpack_row, scan_msgpack
from goalloc_cli.importers.rows.odd import OddRows

Bytes = NDArray[np.uint8]
Scanned = tuple[int, int, int, int]
"""Where the scanner stopped, the number of events, of rows so far, and why it stopped."""

FIRST_LOOK = 1 << 12
"""Bytes that are handed to msgpack at first: a row is seldom longer."""


class Form(Protocol):
    """How rows are told apart and read."""

    unit: str
    """What `where` counts: "line" or "row"."""

    def scan(self, data: Bytes, end: int, at: int, base: int, out: Any, n: int, where: int, odd: OddRows) -> Scanned:
        """Read plain rows from `at` on; `data` starts at byte `base` of the input, and has zeros behind `end`."""

    def row(self, data: bytes, at: int, stop: int, place: str, final: bool) -> tuple[dict[str, Any] | None, int] | None:
        """One row of those before `stop` (None: a blank line) and where the next starts; None where more bytes are needed.

        Raises TraceError, with `place` in front, where there is no row.
        """


class _Lines(ABC):
    unit = "line"

    def __init__(self) -> None:
        self._row = np.zeros(ROW, np.int64)

    def row(self, data: bytes, at: int, stop: int, place: str, final: bool) -> tuple[dict[str, Any] | None, int] | None:
        end = self._line_end(data, at, stop)
        if end < 0 and not final:
            return None
        after = end + 1 if end >= 0 else stop
        line = data[at:after].strip(b"\r\n")
        try:
            return (self.fields(line) if line.strip() else None), after
        except (ValueError, RecursionError) as error:
            reason = str(error) or "it is nested too deeply"
            raise TraceError(f"{place}: this is no row: {reason}") from error

    def _line_end(self, data: bytes, at: int, stop: int) -> int:
        return data.find(b"\n", at, stop)

    @abstractmethod
    def fields(self, line: bytes) -> dict[str, Any]:
        """What one line says."""


class JsonLines(_Lines):
    """One JSON object a line."""

    def scan(self, data: Bytes, end: int, at: int, base: int, out: Any, n: int, where: int, odd: OddRows) -> Scanned:
        return scan_json(data, at, out, n, where, odd.texts, odd.numbers, self._row)  # type: ignore[no-any-return]

    def fields(self, line: bytes) -> dict[str, Any]:
        return json_row(line)


class Csv(_Lines):
    """A line of column names, then one event a line."""

    def __init__(self, first_line: bytes) -> None:
        super().__init__()
        self.names, self._delimiter = csv_columns(first_line)
        self._ends = cell_ends(self._delimiter)
        self._fields = field_numbers(self.names)

    def scan(self, data: Bytes, end: int, at: int, base: int, out: Any, n: int, where: int, odd: OddRows) -> Scanned:
        told = (self._fields, self._ends, out, n, where, odd.texts, odd.numbers, self._row)
        return scan_csv(data, at, *told)  # type: ignore[no-any-return]

    def fields(self, line: bytes) -> dict[str, Any]:
        return csv_row(line, self.names, self._delimiter)

    def _line_end(self, data: bytes, at: int, stop: int) -> int:
        """The end of the line, which is not within quotes."""
        end, quotes = at - 1, 0
        while True:
            begin, end = end + 1, data.find(b"\n", end + 1, stop)
            quotes += data.count(b'"', begin, end if end >= 0 else stop)
            if end < 0 or quotes % 2 == 0:
                return end


class MsgpackRows:
    """One msgpack map or array after another."""

    unit = "row"

    def __init__(self) -> None:
        self._row = np.zeros(ROW, np.int64)

    def scan(self, data: Bytes, end: int, at: int, base: int, out: Any, n: int, where: int, odd: OddRows) -> Scanned:
        texts, numbers = odd.texts, odd.numbers
        return scan_msgpack(data, at, end, base, out, n, where, texts, numbers, self._row)  # type: ignore[no-any-return]

    def row(self, data: bytes, at: int, stop: int, place: str, final: bool) -> tuple[dict[str, Any] | None, int] | None:
        try:
            found = msgpack_row(data[at : min(at + FIRST_LOOK, stop)]) or msgpack_row(data[at:stop])
        except ValueError as error:
            raise TraceError(f"{place}: this is no row: {error}") from error
        return (found[0], at + found[1]) if found else None
