"""Takes the rows that a scanner leaves: the first of each type or name, ids that are texts, and mistakes, which it names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from reprlib import repr as brief
from typing import Any

import numpy as np

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.common.ids import PLAIN, ROLE
from goalloc_cli.importers.rows.csv import TABLE_OPS
from goalloc_cli.importers.rows.fields import (
    ADDR,
    ARG,
    BOUND,
    EXPLICIT,
    FIELD_TEXT,
    FIELDS,
    GC,
    ID,
    MOST_ARG,
    MOST_KEY,
    MOST_TEXTS,
    NAME,
    NAME_TEXT,
    NEEDED_FIELDS,
    NO_P,
    NS,
    OP,
    OPS,
    POINTERS,
    ROW,
    SEEN,
    SIZE,
    STACK,
    STACKED,
    TYPE,
    TYPE_TEXT,
    TYPED,
    P,
    enter,
    fnv,
    put_row,
)  # fmt: skip
from goalloc_cli.importers.rows.unknown import OTHER_FIELDS, UnknownFields
from goalloc_cli.native.codec import MAX_VALUE
from goalloc_cli.trace.event import Call, Function, Kind, Owner, TypeInfo
from goalloc_cli.trace.ranges import MAX_TABLE_BYTES

Row = Mapping[str, Any]

FIELD_NAMES = {number: name for name, number in FIELDS.items()}
HEX = re.compile("0[xX][0-9a-fA-F]{1,16}")
MOST_WHOLE = float(1 << 53)
"""Floats below it tell all whole numbers apart."""
TEXT_BYTES = 64
"""Roughly what remembering a text takes beside the text."""


class OddRows:
    """Takes one row at a time; remembers types and names."""

    def __init__(self, ids_are_handles: bool, unit: str = "line") -> None:
        self.ids_are_handles = ids_are_handles
        self.unknown = UnknownFields(unit)
        self.texts = np.zeros(2 * MOST_TEXTS, np.uint64)
        self.numbers = np.zeros(2 * MOST_TEXTS, np.int64)
        """What the scanners look types and names up in."""
        self.new_types: list[TypeInfo] = []
        self.new_names: list[str] = []
        self.new_functions: list[Function] = []
        self.new_calls: list[Call] = []
        self.new_owners: list[Owner] = []
        self._row = np.zeros(ROW, np.int64)
        self._known: dict[tuple[str, str], int] = {}
        self._count = {"type": 0, "name": 0, "function": 0, "call": 0, "owner": 0}
        self._known_bytes = 0
        for name in OTHER_FIELDS:
            self._skip(name)

    @property
    def new(self) -> int:
        """How many entries of tables have not been handed on."""
        stacked = len(self.new_functions) + len(self.new_calls) + len(self.new_owners)
        return len(self.new_types) + len(self.new_names) + stacked

    def take(self, fields: Row, out: Any, n: int, where: int, place: str) -> int:
        """Add the events of a row to `out`; return how many there are then. `place` is what an error begins with."""
        for name in self.unknown.of_row(fields, where):
            self._skip(name)
        op = fields.get("op")
        if op in TABLE_OPS:
            self._take_entry(str(op), fields, place)
            return n
        if not isinstance(op, str) or op not in OPS:
            raise _mistake(place, "op", op, f"one of {', '.join(list(OPS)[:10])}, gc, realloc, ... (docs/rows.md has all)")
        kind = OPS[op]
        self._row[:] = 0
        self._row[OP] = kind
        for field in _used_by(kind):
            value = fields.get(FIELD_NAMES[field])
            if value is not None:
                self._row[field] = self._value(field, value, kind, place)
                self._row[SEEN] |= 1 << field
        for field in NEEDED_FIELDS.get(kind, ()):
            if not self._row[SEEN] >> field & 1:
                raise TraceError(f"{place}: {op} without {FIELD_NAMES[field]!r}; a row of this op needs it")
        return int(put_row(self._row, out, n, where))

    def _skip(self, name: str) -> None:
        """Let scanners skip a field of this name from now on."""
        data = name.encode(errors="surrogatepass")
        enter(self.texts, self.numbers, np.uint64(fnv(data)) ^ FIELD_TEXT, 1)

    def _value(self, field: int, value: Any, kind: int, place: str) -> int:
        name = FIELD_NAMES[field]
        value = whole(value)
        if field == ID:
            return self._key(value, kind, place)
        if field in (TYPE, NAME) and isinstance(value, str):
            return self._number(name, value, place)
        if field in (POINTERS, BOUND, EXPLICIT):
            if value in (0, 1):
                return int(value)
            raise _mistake(place, name, value, "true or false")
        if field == ADDR and isinstance(value, str):
            try:
                value = int(value, 16)
            except ValueError:
                raise _mistake(place, name, value, 'a number, or a text such as "0xc000012000"') from None
        if field == SIZE and isinstance(value, str) and HEX.fullmatch(value):
            value = int(value, 16)
        low, high = {P: (-1, NO_P), SIZE: (0, MAX_VALUE), ADDR: (0, MAX_VALUE), NS: (0, MAX_VALUE)}.get(field, (0, MOST_ARG))
        if type(value) is not int or not low <= value <= high:
            raise _mistake(place, name, value, f"a whole number from {low} to {high}")
        return value

    def _key(self, value: Any, kind: int, place: str) -> int:
        """The number that stands for an id."""
        if self.ids_are_handles or ROLE[kind & 63] == PLAIN:
            if type(value) is not int or not 0 <= value <= MOST_ARG:
                raise _mistake(place, "id", value, f"a whole number from 0 to {MOST_ARG}")
            return value
        if type(value) is int and -MOST_KEY < value < MOST_KEY:
            return value
        if type(value) not in (int, str):
            raise _mistake(place, "id", value, "a whole number or a text")
        text = value if isinstance(value, str) else f"\0{value}"
        return fnv(text.encode(errors="surrogatepass")) >> 4 | MOST_KEY

    def _number(self, what: str, text: str, place: str) -> int:
        """The number of a type or name, which is entered into its table if it is new."""
        number = self._known.get((what, text))
        if number is None:
            number = self._enter(what, TypeInfo(text, 0, 0) if what == "type" else text, place)
        return number

    def _take_entry(self, op: str, fields: Row, place: str) -> None:
        if op == "call":
            self._enter_call(fields, place)
            return
        if op == "owner":
            self._enter_owner(fields, place)
            return
        name = _text(fields, "name", place)
        if op == "function":
            self._enter_function(Function(name, _text(fields, "file", place)), place)
            return
        if op == "name":
            self._enter("name", name, place)
            return
        sizes = {key: whole(fields.get(key) or 0) for key in ("size", "pointer_bytes")}
        for key, value in sizes.items():
            if type(value) is not int or not 0 <= value <= MAX_VALUE:
                raise _mistake(place, key, value, "a whole number of bytes")
        self._enter("type", TypeInfo(name, sizes["size"], sizes["pointer_bytes"]), place)

    def _enter(self, what: str, new: TypeInfo | str, place: str) -> int:
        """Add an entry to the table of types or names; return its number."""
        text = new if isinstance(new, str) else new.name
        data = self._remembered(what, text, place)
        self._count[what] += 1
        number = self._count[what]
        if isinstance(new, str):
            self.new_names.append(new)
        else:
            self.new_types.append(new)
        if (what, text) not in self._known:
            self._known[what, text] = number
            if len(self._known) < MOST_TEXTS:
                salt = TYPE_TEXT if what == "type" else NAME_TEXT
                enter(self.texts, self.numbers, np.uint64(fnv(data)) ^ salt, number)
        return number


    def _enter_function(self, new: Function, place: str) -> None:
        """Add an entry to the table of functions."""
        self._remembered("name", new.name + new.file, place)
        self._count["function"] += 1
        self.new_functions.append(new)

    def _enter_call(self, fields: Row, place: str) -> None:
        """Add an entry to the table of calls, which names a function and a stack that are there."""
        for name, what in (("function", "function"), ("caller", "call")):
            self._entry_number(fields, name, what, place, least=int(name == "function"))
        line = fields.get("line", 0)
        if type(line) is not int or not 0 <= line <= MOST_ARG:
            raise _mistake(place, "line", line, f"a whole number from 0 to {MOST_ARG}")
        self._count["call"] += 1
        self.new_calls.append(Call(fields["function"], line, fields.get("caller", 0)))

    def _enter_owner(self, fields: Row, place: str) -> None:
        """Add an entry to the table of owners, which names a function and a stack that are there."""
        entry = self._entry_number(fields, "entry", "function", place)
        creator = self._entry_number(fields, "creator", "call", place)
        task, region = (_text({name: "", **fields}, name, place) for name in ("task", "region"))
        runtime = fields.get("runtime", False)
        if runtime not in (0, 1):
            raise _mistake(place, "runtime", runtime, "true or false")
        self._remembered("name", task + region, place)
        self._count["owner"] += 1
        self.new_owners.append(Owner(entry, creator, task, region, int(runtime)))

    def _entry_number(self, fields: Row, name: str, what: str, place: str, least: int = 0) -> int:
        """A field that is the number of an entry of a table, from `least` on; 0 without it, where that may be."""
        value, most = fields.get(name, None if least else 0), self._count[what]
        if type(value) is not int or not least <= value <= most:
            raise _mistake(place, name, value, f"the number of a {what} so far: there are {most}")
        return value

    def _remembered(self, what: str, text: str, place: str) -> bytes:
        """The bytes of a text that is kept; they are counted."""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise _mistake(place, what, text, "a text of whole characters") from None
        self._known_bytes += len(data) + TEXT_BYTES
        if self._known_bytes > MAX_TABLE_BYTES:
            raise TraceError(f"{place}: more than {MAX_TABLE_BYTES >> 20} MiB of types and names so far")
        return data


def whole(value: Any) -> Any:
    """A whole number that is a float, such as 48.0, as one that is none; anything else as it is."""
    return int(value) if type(value) is float and value.is_integer() and abs(value) < MOST_WHOLE else value


def _text(fields: Row, name: str, place: str) -> str:
    """A field that is a text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise _mistake(place, name, value, "a text")
    return value


@cache
def _used_by(kind: int) -> list[int]:
    """The fields that mean something for a kind; any others are left out, whatever they hold."""
    used = [P, ID, NS if kind == Kind.TIME else SIZE, ADDR, POINTERS, BOUND, ARG]
    if kind != GC and TYPED[kind]:
        used.append(TYPE)
    if kind != GC and STACKED[kind]:
        used.append(STACK)
    if kind == Kind.CHECKPOINT:
        used.append(NAME)
    if kind in (Kind.GC_START, Kind.GC_END, GC):
        used.append(EXPLICIT)
    return used


def _mistake(place: str, field: str, value: object, wanted: str) -> TraceError:
    what = f"{field!r} is missing" if value is None else f"{field!r} is {brief(value)}"
    return TraceError(f"{place}: {what}; it must be {wanted}")
