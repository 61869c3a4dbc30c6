"""JSON Lines: one object a line, none inside it."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import json
from typing import Any

import numpy as np

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.rows.fields import (
    ADDR,
    FIELD_TEXT,
    FNV_START,
    FNV_STEP,
    IS_NUMBER,
    NO,
    NOTHING,
    NUMBER,
    SEEN,
    SIZE,
    SKIPPED,
    TEXT,
    YES,
    clear,
    field_named,
    look_up,
    put_event,
    set_field,
)  # fmt: skip

FULL, ODD = 1, 2
"""Why a scanner stopped: there is no more room for events, or the row at `at` is not for it."""

CUT = -1
MOST_DIGITS, MOST_HEX_DIGITS = 18, 15

NEWLINE, SPACE, QUOTE, COMMA, MINUS, COLON, OPEN, CLOSE, BACKSLASH = b'\n ",-:{}\\'
ZERO, NINE, LETTER_A, LETTER_T, LETTER_F, LETTER_N, LETTER_X, DOT = b"09atfnx."
LOWER_CASE = 32
"""The bit that small letters have and capitals lack."""


RUE, ALSE, ULL = (np.frombuffer(rest, np.uint8) for rest in (b"rue", b"alse", b"ull"))
"""What follows the first letter of true, false and null."""


@kernel
def starts(data, at, text):
    """Whether the text stands at `at`."""
    for i in range(len(text)):  # noqa: SIM110 (a kernel)
        if data[at + i] != text[i]:
            return False
    return True


@kernel
def skip_space(data, at):
    while data[at] == SPACE or data[at] == 9 or data[at] == 13:
        at += 1
    return at


@kernel
def number_at(data, at):
    """A whole number, and where it ends; CUT where there is none that is plain and short."""
    negative = data[at] == MINUS
    if negative:
        at += 1
    first = at
    value = 0
    while ZERO <= data[at] <= NINE:
        value = value * 10 + int(data[at]) - ZERO
        at += 1
        if at - first > MOST_DIGITS:
            return 0, CUT
    if at == first or (data[first] == ZERO and at - first > 1):
        return 0, CUT
    return -value if negative else value, at


@kernel
def hex_at(data, at):
    """A number such as 0x1f, and where it ends; CUT where there is none that is short."""
    if data[at] != ZERO or data[at + 1] | LOWER_CASE != LETTER_X:
        return 0, CUT
    at += 2
    first = at
    value = 0
    while True:
        digit = int(data[at]) - ZERO
        if not 0 <= digit <= 9:
            digit = (int(data[at]) | LOWER_CASE) - LETTER_A + 10
            if not 10 <= digit <= 15:
                break
        value = value << 4 | digit
        at += 1
        if at - first > MOST_HEX_DIGITS:
            return 0, CUT
    return value, at if at > first else CUT


@kernel
def set_hex(row, field, data, begin, end):
    """Give a size or address the number of a text such as 0x1f; return whether the scanner may go on."""
    value, after = hex_at(data, begin)
    if field not in (SIZE, ADDR) or after != end:
        return False
    row[field] = value
    row[SEEN] |= 1 << field
    return True


@kernel
def past_zeros(data, at, field):
    """Where the .0 ends that a whole number may have behind it; CUT where there is something else."""
    if field == SKIPPED or not IS_NUMBER[field]:
        return CUT
    if data[at] != DOT or not ZERO <= data[at - 1] <= NINE or data[at + 1] != ZERO:
        return CUT
    at += 1
    while data[at] == ZERO:
        at += 1
    return at


@kernel
def text_at(data, at):
    """The hash of the text behind a quote, its first eight bytes, and where its closing quote is; CUT if it is not plain."""
    hashed = FNV_START
    name = np.uint64(0)
    first = at
    while data[at] != QUOTE:
        byte = np.uint64(data[at])
        if byte < np.uint64(SPACE) or byte == np.uint64(BACKSLASH):
            return hashed, name, CUT
        hashed = (hashed ^ byte) * FNV_STEP
        if at - first < 8:
            name |= byte << np.uint64(8 * (at - first))
        else:
            name = np.uint64(0)
        at += 1
    return hashed, name, at


@kernel
def object_at(data, at, row, texts, numbers):
    """Set the fields of the object at an opening brace; return where its line ends, CUT if it is not plain."""
    at += 1
    while True:
        at = skip_space(data, at)
        if data[at] != QUOTE:
            return CUT
        hashed, name, at = text_at(data, at + 1)
        if at == CUT:
            return CUT
        at = skip_space(data, at + 1)
        if data[at] != COLON:
            return CUT
        at = skip_space(data, at + 1)
        field = field_named(name)
        if field == SKIPPED and look_up(texts, numbers, hashed ^ FIELD_TEXT) < 0:
            return CUT
        kind = NUMBER
        value = begin = 0
        first = data[at]
        if first == QUOTE:
            kind = TEXT
            begin = at + 1
            hashed, name, at = text_at(data, begin)
            if at == CUT:
                return CUT
            at += 1
        elif first == LETTER_T and starts(data, at + 1, RUE):
            kind = YES
            at += 4
        elif first == LETTER_F and starts(data, at + 1, ALSE):
            kind = NO
            at += 5
        elif first == LETTER_N and starts(data, at + 1, ULL):
            kind = NOTHING
            at += 4
        else:
            value, at = number_at(data, at)
            if at == CUT:
                return CUT
        took = field == SKIPPED or set_field(row, field, kind, value, hashed, texts, numbers)
        if not took and not (kind == TEXT and set_hex(row, field, data, begin, at - 1)):
            return CUT
        at = skip_space(data, at)
        if data[at] == CLOSE:
            break
        if data[at] != COMMA:
            at = past_zeros(data, at, field)
            if at == CUT:
                return CUT
            at = skip_space(data, at)
            if data[at] == CLOSE:
                break
            if data[at] != COMMA:
                return CUT
        at += 1
    at = skip_space(data, at + 1)
    return at if data[at] == NEWLINE else CUT


@kernel
def scan_json(data, at, out, n, line, texts, numbers, row):
    """Read plain rows from `at` on. Behind its end `data` has 16 bytes of zeros: no plain row goes beyond them.

    Returns:
        Where it stopped, the number of events, the number of lines so far, and why.
    """
    while n + 2 <= len(out):
        at = skip_space(data, at)
        if data[at] == NEWLINE:
            at += 1
            line += 1
            continue
        if data[at] != OPEN:
            return at, n, line, ODD
        clear(row)
        end = object_at(data, at, row, texts, numbers)
        if end == CUT:
            return at, n, line, ODD
        put = put_event(row, out, n, line + 1)
        if put < 0:
            return at, n, line, ODD
        n = put
        line += 1
        at = end + 1
    return at, n, line, FULL


def json_row(data: bytes) -> dict[str, Any]:
    """The row in a line; raise ValueError, which says what is wrong with it."""
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found
