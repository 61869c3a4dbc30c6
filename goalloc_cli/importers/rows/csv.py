"""CSV: a line of column names, then one event a line. An empty cell is a field that the row does not have."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import csv
import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.rows.fields import (
    ADDR,
    FIELDS,
    FNV_START,
    FNV_STEP,
    IS_NUMBER,
    NO,
    NOTHING,
    NUMBER,
    OP,
    SIZE,
    SKIPPED,
    TEXT,
    YES,
    clear,
    fnv,
    put_event,
    set_field,
)  # fmt: skip
from goalloc_cli.importers.rows.json import CUT, FULL, NEWLINE, ODD, QUOTE, hex_at, number_at, past_zeros

RETURN = 13
DELIMITERS = ",;\t"
"""What may stand between cells: the first line has it."""
WHOLE = re.compile(r"-?\d{1,15}\.0+", re.ASCII)
"""A whole number as those write it who hold all numbers as floats."""
TRUE_HASH, FALSE_HASH = np.uint64(fnv(b"true")), np.uint64(fnv(b"false"))
TABLE_OPS = ("type", "name", "function", "call", "owner")
"""Rows that bring an entry of a table, not an event."""
TEXTS = {
    "header": ("name",), "type": ("name",), "name": ("name",), "function": ("name", "file"), "owner": ("task", "region"),
}  # fmt: skip
"""Columns that are texts even if they are made of digits, or empty, by op."""


def cell_ends(delimiter: str) -> NDArray[np.bool_]:
    """Which bytes end a cell."""
    ends = np.zeros(256, np.bool_)
    ends[[ord(delimiter), NEWLINE, RETURN]] = True
    return ends


@kernel
def another_number(data, at, value, end, field):
    """A whole number that is written otherwise: 48.0, of a size or address 0x30; and where it ends, CUT where there is none.

    `value` and `end` are what `number_at` found.
    """
    if field in (SIZE, ADDR):
        hexadecimal, after = hex_at(data, at)
        if after != CUT:
            return hexadecimal, after
    if end == CUT:
        return value, CUT
    return value, past_zeros(data, end, field)


@kernel
def line_at(data, at, columns, ends, row, texts, numbers):
    """Set the fields of a line; return where it ends, CUT if it is not plain."""
    for column in range(len(columns)):
        field = columns[column]
        kind = NOTHING
        value = 0
        hashed = FNV_START
        if not ends[data[at]]:
            kind = TEXT
            value, end = number_at(data, at)
            if end != CUT and ends[data[end]]:
                kind = NUMBER
                at = end
            elif field != SKIPPED and IS_NUMBER[field]:
                value, end = another_number(data, at, value, end, field)
                if end != CUT and ends[data[end]]:
                    kind = NUMBER
                    at = end
            if kind == TEXT:
                while not ends[data[at]]:
                    if data[at] == QUOTE or data[at] == 0:
                        return CUT
                    hashed = (hashed ^ np.uint64(data[at])) * FNV_STEP
                    at += 1
                if hashed == TRUE_HASH:
                    kind = YES
                elif hashed == FALSE_HASH:
                    kind = NO
        if not set_field(row, field, kind, value, hashed, texts, numbers):
            return CUT
        if data[at] == NEWLINE or data[at] == RETURN:
            break
        at += 1
    if data[at] == RETURN:
        at += 1
    return at if data[at] == NEWLINE else CUT


@kernel
def scan_csv(data, at, columns, ends, out, n, line, texts, numbers, row):
    """Read plain rows from `at` on; as `scan_json`."""
    while n + 2 <= len(out):
        if data[at] == NEWLINE:
            at += 1
            line += 1
            continue
        clear(row)
        end = line_at(data, at, columns, ends, row, texts, numbers)
        if end == CUT:
            return at, n, line, ODD
        put = put_event(row, out, n, line + 1)
        if put < 0:
            return at, n, line, ODD
        n = put
        line += 1
        at = end + 1
    return at, n, line, FULL


def csv_columns(data: bytes) -> tuple[list[str], str]:
    """The names in the first line, and what stands between them; raise ValueError where there is no column `op`."""
    line = data.decode("utf-8-sig")
    delimiter = max(DELIMITERS, key=line.count)
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if "op" not in names:
        raise ValueError("there is no column 'op'")
    return names, delimiter


def field_numbers(names: list[str]) -> NDArray[np.int64]:
    """The field of every column."""
    return np.array([FIELDS.get(name, SKIPPED) for name in names], np.int64)


def csv_row(data: bytes, names: list[str], delimiter: str) -> dict[str, Any]:
    """The row in a line; raise ValueError, which says what is wrong with it."""
    try:
        cells = next(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if len(cells) > len(names):
        raise ValueError(f"it has {len(cells)} cells; the first line names {len(names)}")
    texts = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    row = {name: cell if name == "op" else _value(name, cell) for name, cell in texts.items()}
    return row | {name: unguarded(texts.get(name, "")) for name in TEXTS.get(texts.get("op", ""), ())}


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for the start of a formula."""


def guarded(name: str) -> str:
    """The name with a quote in front where a spreadsheet would take it for a formula, or it has such quotes already."""
    return f"'{name}" if name.lstrip("'").startswith(FORMULA) else name


def unguarded(cell: str) -> str:
    """The name that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def _value(name: str, cell: str) -> object:
    if IS_NUMBER[FIELDS.get(name, OP)] and WHOLE.fullmatch(cell):
        cell = cell.partition(".")[0]
    if cell.removeprefix("-").isdecimal() and cell.isascii():
        return int(cell) if len(cell) < 100 else cell
    return {"true": True, "false": False}.get(cell, cell)
