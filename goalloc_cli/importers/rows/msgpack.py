"""msgpack rows: one map or array after another. An array holds the columns of an event, as many as are not 0."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.common.ids import REALLOC
from goalloc_cli.importers.rows.fields import (
    FIELD_TEXT,
    FNV_START,
    FNV_STEP,
    MOST_ARG,
    MOST_KEY,
    NO,
    NOTHING,
    NUMBER,
    SKIPPED,
    TEXT,
    YES,
    clear,
    field_named,
    look_up,
    put_event,
    set_field,
)  # fmt: skip
from goalloc_cli.importers.rows.json import CUT, FULL, ODD, set_hex
from goalloc_cli.trace.event import ALL_COLUMNS, BOUND, KIND_MASK, NOSCAN, Kind

NEED = 3
"""Why a scanner stopped: the row at `at` goes on beyond the bytes there are."""

SLACK = 16
"""Zeros behind the bytes, so that one value can be read without asking how many there are."""

MOST_BUFFER = 4 << 20
"""More than the bytes of one row."""
MOST_ENTRIES = 1 << 12
"""Entries of a list or map in a row. Lists are given room for as many entries as they claim."""

COLUMNS = tuple(ALL_COLUMNS)
KINDS = frozenset(map(int, Kind))
NO_P = 0xFFFF


@kernel
def big_endian(data, at, length):
    value = np.int64(0)
    for i in range(at, at + length):
        value = value << 8 | np.int64(data[i])
    return value


@kernel
def integer_at(data, at):
    """A whole number of any width, and where it ends; CUT where there is something else, or beyond 2^63."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, at + 1
    if first >= 0xE0:
        return first - 0x100, at + 1
    if first == 0xCC:
        return np.int64(data[at + 1]), at + 2
    if first == 0xCD:
        return np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]), at + 3
    if first == 0xCE:
        return big_endian(data, at + 1, 4), at + 5
    if first == 0xCF:
        value = big_endian(data, at + 1, 8)
        return value, at + 9 if value >= 0 else CUT
    if first == 0xD0:
        return (big_endian(data, at + 1, 1) ^ 0x80) - 0x80, at + 2
    if first == 0xD1:
        return (big_endian(data, at + 1, 2) ^ 0x8000) - 0x8000, at + 3
    if first == 0xD2:
        return (big_endian(data, at + 1, 4) ^ 0x80000000) - 0x80000000, at + 5
    if first == 0xD3:
        return big_endian(data, at + 1, 8), at + 9
    return np.int64(0), CUT


@kernel
def text_of(data, at):
    """Where the text at `at` begins, and how long it is; CUT where there is none of at most 64 KiB."""
    first = np.int64(data[at])
    if 0xA0 <= first < 0xC0:
        return at + 1, first - 0xA0
    if first == 0xD9:
        return at + 2, np.int64(data[at + 1])
    if first == 0xDA:
        return at + 3, big_endian(data, at + 1, 2)
    return CUT, np.int64(0)


@kernel
def hash_of(data, begin, end):
    """The hash of a text."""
    hashed = FNV_START
    for i in range(begin, end):
        hashed = (hashed ^ np.uint64(data[i])) * FNV_STEP
    return hashed


@kernel
def array_at(data, at, out, n, where):
    """Add the event of an array of numbers; return where it ends, CUT if it is not plain."""
    length = np.int64(data[at]) - 0x90
    at += 1
    event = out[n]
    kind, at = integer_at(data, at)
    if at == CUT or not 0 < kind < 256 or not 0 < kind & KIND_MASK < REALLOC:
        return CUT
    p = key = size = arg = addr = stack = np.int64(0)
    if length > 1:
        p, at = integer_at(data, at)
    if length > 2 and at != CUT:
        key, at = integer_at(data, at)
    if length > 3 and at != CUT:
        size, at = integer_at(data, at)
    if length > 4 and at != CUT:
        arg, at = integer_at(data, at)
    if length > 5 and at != CUT:
        addr, at = integer_at(data, at)
    if length > 6 and at != CUT:
        stack, at = integer_at(data, at)
    if at == CUT or not -1 <= p <= NO_P or not 0 <= arg <= MOST_ARG or size < 0 or addr < 0:
        return CUT
    if not 0 <= stack <= MOST_ARG or not -MOST_KEY < key < MOST_KEY:
        return CUT
    event.kind = kind
    event.p = NO_P if p < 0 else p
    event.key = key
    event.size = size
    event.arg = arg
    event.addr = addr
    event.stack = stack
    event.where = where
    return at


@kernel
def map_at(data, at, end, row, texts, numbers):
    """Set the fields of a small map; return where it ends, CUT if it is not plain or goes beyond `end`."""
    entries = np.int64(data[at]) - 0x80
    at += 1
    for _ in range(entries):
        begin, length = text_of(data, at)
        if begin == CUT or begin + length > end:
            return CUT
        name = np.uint64(0)
        if length <= 8:
            for i in range(length):
                name |= np.uint64(data[begin + i]) << np.uint64(8 * i)
        at = begin + length
        field = field_named(name)
        if field == SKIPPED and look_up(texts, numbers, hash_of(data, begin, at) ^ FIELD_TEXT) < 0:
            return CUT
        kind = NUMBER
        hashed = FNV_START
        value, after = integer_at(data, at)
        if after == CUT:
            first = data[at]
            after = at + 1
            if first == 0xC0:
                kind = NOTHING
            elif first == 0xC2:
                kind = NO
            elif first == 0xC3:
                kind = YES
            else:
                kind = TEXT
                begin, length = text_of(data, at)
                after = begin + length
                if begin == CUT or after > end:
                    return CUT
                hashed = hash_of(data, begin, after)
        if after > end:
            return CUT
        took = field == SKIPPED or set_field(row, field, kind, value, hashed, texts, numbers)
        if not took and not (kind == TEXT and set_hex(row, field, data, begin, after)):
            return CUT
        at = after
    return at


@kernel
def scan_msgpack(data, at, end, base, out, n, number, texts, numbers, row):
    """Read plain rows from `at` up to `end`; as `scan_json`, with rows for lines. `data` starts at byte `base`."""
    while n + 2 <= len(out):
        if at >= end:
            return at, n, number, NEED
        first = data[at]
        if 0x91 <= first <= 0x97 and at + 64 < end:
            after = array_at(data, at, out, n, number + 1)
            if after == CUT:
                return at, n, number, ODD
            out[n].byte = base + at
            n += 1
        elif 0x81 <= first <= 0x8F:
            clear(row)
            after = map_at(data, at, end, row, texts, numbers)
            if after == CUT:
                return at, n, number, ODD
            put = put_event(row, out, n, number + 1)
            if put < 0:
                return at, n, number, ODD
            for event in range(n, put):
                out[event].byte = base + at
            n = put
        else:
            return at, n, number, ODD
        number += 1
        at = after
    return at, n, number, FULL


def msgpack_row(data: bytes) -> tuple[dict[str, Any], int] | None:
    """The row that the bytes begin with, and its length; None where they end before it does; else ValueError."""
    unpacker = msgpack.Unpacker(
        max_buffer_size=MOST_BUFFER,
        max_array_len=MOST_ENTRIES,
        max_map_len=MOST_ENTRIES,
        max_ext_len=0,
        strict_map_key=False,
    )
    unpacker.feed(data)
    try:
        found = unpacker.unpack()
    except msgpack.OutOfData:
        return None
    except (ValueError, TypeError, msgpack.UnpackException) as error:  # TypeError: a map that is a key
        raise ValueError(f"it is no msgpack ({error or type(error).__name__})") from error
    if isinstance(found, list):
        found = _fields(found)
    if not isinstance(found, dict):
        raise ValueError("it is neither a map nor an array")
    return found, unpacker.tell()


def _fields(columns: list[Any]) -> dict[str, Any]:
    """The fields that an array stands for; its first value is a kind with its flags, or an op."""
    if not 0 < len(columns) <= len(COLUMNS):
        raise ValueError(f"it has {len(columns)} values; an array is {', '.join(COLUMNS)}")
    kind, *rest = columns
    rest += [0] * (len(COLUMNS) - len(columns))
    fields = dict(zip(COLUMNS[1:], rest, strict=True))
    if isinstance(kind, str):
        return {"op": kind, **_named(kind, fields)}
    if type(kind) is not int or not 0 <= kind < 256 or kind & KIND_MASK not in KINDS:
        raise ValueError(f"its kind is {kind!r}; docs/trace-format.md has all kinds")
    op = Kind(kind & KIND_MASK).name.lower()
    flags = {"pointers": not kind & NOSCAN, "bound": bool(kind & BOUND)}
    return {"op": op, **_named(op, fields), **flags}


def _named(op: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The same with the names that maps have for two columns."""
    if op == "time":
        fields["ns"] = fields.get("size")
    elif op == "checkpoint":
        fields["name"] = fields.get("arg", 0)
    elif op in ("alloc", "realloc", "tiny", "snap_object", "snap_dead"):
        fields["type"] = fields.get("arg")
    return fields
