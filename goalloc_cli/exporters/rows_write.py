"""Writes events as rows: the way back of `importers.rows`."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.rows.fields import CHECKPOINT, GC_END, GC_START, NEEDED, TIME, TYPED
from goalloc_cli.importers.rows.fields import ID as ID_FIELD
from goalloc_cli.importers.rows.fields import SIZE as SIZE_FIELD
from goalloc_cli.trace.event import BOUND, KIND_MASK, NO_P, NOSCAN, Kind
from goalloc_cli.trace.ranges import FLAGS

MOST_BYTES = 256
"""No event takes more in any of the forms."""

CSV_COLUMNS = (
    "op", "id", "size", "pointers", "p", "type", "ns", "name", "arg", "bound", "explicit", "addr", "stack",
    "pointer_bytes", "file", "function", "line", "caller", "entry", "creator", "task", "region", "runtime",
)  # fmt: skip

NAMES = np.zeros((64, 20), np.uint8)
NAME_LENGTH = np.zeros(64, np.int64)
"""The op of every kind."""
for _kind in Kind:
    _name = _kind.name.lower().encode()
    NAMES[_kind, : len(_name)] = list(_name)
    NAME_LENGTH[_kind] = len(_name)

HAS_POINTERS = np.zeros(64, np.bool_)
for _kind, _flags in FLAGS.items():
    HAS_POINTERS[_kind] = bool(_flags & NOSCAN)


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


J_OP, J_END = _bytes('{"op":"'), _bytes("}\n")
J_ID, J_SIZE, J_P, J_ARG, J_ADDR = (_bytes(f',"{name}":') for name in ("id", "size", "p", "arg", "addr"))
J_TYPE, J_NAME, J_NS, J_STACK = (_bytes(f',"{name}":') for name in ("type", "name", "ns", "stack"))
J_POINTERS, J_NO_POINTERS = _bytes(',"pointers":true'), _bytes(',"pointers":false')
J_BOUND, J_EXPLICIT = _bytes(',"bound":true'), _bytes(',"explicit":true')
TRUE, FALSE = _bytes("true"), _bytes("false")
QUOTE, COMMA, NEWLINE, MINUS, ZERO = b'",\n-0'


@kernel
def put_text(out, at, text):
    for byte in text:
        out[at] = byte
        at += 1
    return at


@kernel
def put_number(out, at, value):
    """The number in decimal digits."""
    if value < 0:
        out[at] = MINUS
        at += 1
        value = -value
    end = at + 1
    rest = value
    while rest >= 10:
        rest //= 10
        end += 1
    for to in range(end - 1, at - 1, -1):
        out[to] = ZERO + value % 10
        value //= 10
    return end


@kernel
def put_op(out, at, kind):
    for i in range(NAME_LENGTH[kind]):
        out[at + i] = NAMES[kind, i]
    return at + NAME_LENGTH[kind]


@kernel
def write_json(kinds, ps, ids, sizes, args, addrs, stacks, out):
    """Write events as JSON Lines; return the number of bytes."""
    at = 0
    for i in range(len(kinds)):
        kind = np.int64(kinds[i] & KIND_MASK)
        needed = NEEDED[kind]
        at = put_op(out, put_text(out, at, J_OP), kind)
        out[at] = QUOTE
        at += 1
        if ids[i] or needed >> ID_FIELD & 1:
            at = put_number(out, put_text(out, at, J_ID), np.int64(ids[i]))
        if kind == TIME:
            at = put_number(out, put_text(out, at, J_NS), sizes[i])
        elif sizes[i] or needed >> SIZE_FIELD & 1:
            at = put_number(out, put_text(out, at, J_SIZE), sizes[i])
        if HAS_POINTERS[kind]:
            at = put_text(out, at, J_NO_POINTERS) if kinds[i] & NOSCAN else put_text(out, at, J_POINTERS)
        if ps[i]:
            at = put_number(out, put_text(out, at, J_P), np.int64(-1) if ps[i] == NO_P else np.int64(ps[i]))
        arg = np.int64(args[i])
        if kind == CHECKPOINT:
            at = put_number(out, put_text(out, at, J_NAME), arg)
        elif arg and TYPED[kind]:
            at = put_number(out, put_text(out, at, J_TYPE), arg)
        elif arg == 1 and kind in (GC_START, GC_END):
            at = put_text(out, at, J_EXPLICIT)
        elif arg or needed >> 4 & 1:
            at = put_number(out, put_text(out, at, J_ARG), arg)
        if kinds[i] & BOUND:
            at = put_text(out, at, J_BOUND)
        if addrs[i]:
            at = put_number(out, put_text(out, at, J_ADDR), addrs[i])
        if stacks[i]:
            at = put_number(out, put_text(out, at, J_STACK), np.int64(stacks[i]))
        at = put_text(out, at, J_END)
    return at


@kernel
def put_cell(out, at, given, value):
    """A number, if it is given, and the comma behind its cell."""
    if given:
        at = put_number(out, at, value)
    out[at] = COMMA
    return at + 1


@kernel
def put_yes_no(out, at, given, value):
    if given:
        at = put_text(out, at, TRUE) if value else put_text(out, at, FALSE)
    out[at] = COMMA
    return at + 1


@kernel
def write_csv(kinds, ps, ids, sizes, args, addrs, stacks, out):
    """Write events as lines with a cell for each of `CSV_COLUMNS`; return the number of bytes."""
    at = 0
    for i in range(len(kinds)):
        kind = np.int64(kinds[i] & KIND_MASK)
        needed = NEEDED[kind]
        arg = np.int64(args[i])
        is_gc = kind in (GC_START, GC_END)
        at = put_op(out, at, kind)
        out[at] = COMMA
        at = put_cell(out, at + 1, ids[i] or needed >> ID_FIELD & 1, np.int64(ids[i]))
        at = put_cell(out, at, kind != TIME and (sizes[i] or needed >> SIZE_FIELD & 1), sizes[i])
        at = put_yes_no(out, at, HAS_POINTERS[kind], not kinds[i] & NOSCAN)
        at = put_cell(out, at, ps[i], np.int64(-1) if ps[i] == NO_P else np.int64(ps[i]))
        at = put_cell(out, at, arg and TYPED[kind], arg)
        at = put_cell(out, at, kind == TIME, sizes[i])
        at = put_cell(out, at, kind == CHECKPOINT, arg)
        own = TYPED[kind] or kind == CHECKPOINT or is_gc
        at = put_cell(out, at, not own and (arg or needed >> 4 & 1), arg)
        at = put_yes_no(out, at, kinds[i] & BOUND, True)
        at = put_yes_no(out, at, is_gc and arg, True)
        at = put_cell(out, at, addrs[i], addrs[i])
        if stacks[i]:
            at = put_cell(out, at, True, np.int64(stacks[i]))
        out[at - 1] = NEWLINE
    return at


@kernel
def put_packed(out, at, value):
    """The number as msgpack writes it, in as few bytes as can be."""
    if value < 0x80:
        out[at] = value
        return at + 1
    length = 1 if value < 1 << 8 else 2 if value < 1 << 16 else 4 if value < 1 << 32 else 8
    out[at] = 0xCC if length == 1 else 0xCD if length == 2 else 0xCE if length == 4 else 0xCF
    for i in range(length):
        out[at + length - i] = value >> (8 * i) & 0xFF
    return at + length + 1


@kernel
def write_msgpack(kinds, ps, ids, sizes, args, addrs, stacks, out):
    """Write events as arrays of their columns, those at the end left out that are 0; return the number of bytes."""
    at = 0
    for i in range(len(kinds)):
        length = 7 if stacks[i] else 6 if addrs[i] else 5 if args[i] else 4 if sizes[i] else 3
        out[at] = 0x90 | length
        at = put_packed(out, at + 1, np.int64(kinds[i]))
        at = put_packed(out, at, np.int64(ps[i]))
        at = put_packed(out, at, np.int64(ids[i]))
        if length > 3:
            at = put_packed(out, at, sizes[i])
        if length > 4:
            at = put_packed(out, at, np.int64(args[i]))
        if length > 5:
            at = put_packed(out, at, addrs[i])
        if length > 6:
            at = put_packed(out, at, np.int64(stacks[i]))
    return at
