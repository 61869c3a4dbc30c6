"""The fields of a row: their names, what they may hold, and how a row becomes an event. Shared by all forms of rows.

A scanner (JSON, CSV, msgpack) walks the bytes of many rows and sets the fields of one after another; what it does not
take itself (escapes, texts that it meets for the first time, ids that are texts, mistakes) it leaves to `odd`.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.common.ids import REALLOC
from goalloc_cli.trace.event import BOUND as BOUND_FLAG
from goalloc_cli.trace.event import NOSCAN as NOSCAN_FLAG
from goalloc_cli.trace.event import Kind
from goalloc_cli.trace.ranges import FLAGS

EVENT = np.dtype(
    [
        ("key", "i8"), ("size", "i8"), ("addr", "i8"), ("where", "i8"), ("byte", "i8"),
        ("arg", "u4"), ("stack", "u4"), ("p", "u2"), ("kind", "u1"),
    ],
    align=True,
)  # fmt: skip
"""An event as its row says it: `key` is the id, `where` its line or row, `byte` (of msgpack rows) where that starts."""

# Fields, as numbered in a row that is being read.
OP, P, ID, SIZE, ARG, ADDR, POINTERS, BOUND, TYPE, NAME, EXPLICIT, NS, STACK = range(13)
SEEN = 13
ROW = 14
FIELDS = {
    "op": OP, "p": P, "id": ID, "size": SIZE, "arg": ARG, "addr": ADDR, "pointers": POINTERS, "bound": BOUND, "type": TYPE,
    "name": NAME, "explicit": EXPLICIT, "ns": NS, "stack": STACK,
}  # fmt: skip
"""Every field of an event. No name is longer than eight bytes, so that one comparison tells it."""
SKIPPED = -1
"""Number of a field that is not known."""

# What a value is.
NUMBER, TEXT, YES, NO, NOTHING = range(5)

GC = 63
"""The op `gc`: GC_START and GC_END in one row."""
NO_OP = 0
OPS = {kind.name.lower(): int(kind) for kind in Kind} | {"gc": GC, "realloc": REALLOC}

FREE = int(Kind.FREE)
GC_START, GC_END, TIME, CHECKPOINT = int(Kind.GC_START), int(Kind.GC_END), int(Kind.TIME), int(Kind.CHECKPOINT)

TYPED = np.zeros(64, np.bool_)
for _kind in (Kind.ALLOC, Kind.TINY, Kind.SNAP_OBJECT, Kind.SNAP_DEAD, REALLOC):
    TYPED[_kind] = True

STACKED = np.zeros(64, np.bool_)
"""Kinds that a call stack led to."""
for _kind in (Kind.ALLOC, Kind.TINY, REALLOC):
    STACKED[_kind] = True

NEEDED_FIELDS = {
    REALLOC: (ID, SIZE),
    Kind.ALLOC: (ID, SIZE), Kind.FREE: (ID,), Kind.TINY: (ID, SIZE), Kind.STACK_ALLOC: (ID, SIZE), Kind.STACK_FREE: (ID,),
    Kind.CHECKPOINT: (NAME,), Kind.TIME: (NS,), Kind.SNAP_OBJECT: (ID, SIZE), Kind.SNAP_DEAD: (ID, SIZE),
    Kind.SET_GOGC: (SIZE,), Kind.SNAP_STACK: (ID, SIZE), Kind.MANUAL_ALLOC: (ID, SIZE), Kind.MANUAL_FREE: (ID,),
    Kind.SWEEP_TO: (ID,), Kind.SWEEP_RECLAIM: (ID,), Kind.SWEPT_NEXT: (ID,), Kind.SNAP_RANGE: (ID, SIZE),
    Kind.SNAP_SPAN: (ID, SIZE, ARG), Kind.SNAP_STACK_SPAN: (ID, SIZE, ARG), Kind.SNAP_PAGE_CACHE: (ID, SIZE, ARG),
    Kind.SNAP_PADDING: (ID, SIZE), Kind.WORKS_FOR: (ARG,), Kind.GOROUTINES: (SIZE,),
    Kind.GC_CPU: (SIZE,),
}  # fmt: skip
"""What a row cannot do without."""
NEEDED = np.zeros(64, np.int64)
for _kind, _fields in NEEDED_FIELDS.items():
    NEEDED[_kind] = sum(1 << field for field in _fields)

ALLOWED = np.zeros(64, np.uint8)
"""Flags that a kind may carry."""
for _kind, _flags in FLAGS.items():
    ALLOWED[_kind] = _flags
ALLOWED[REALLOC] = ALLOWED[Kind.ALLOC]

IS_NUMBER = np.zeros(ROW, np.bool_)
"""Which fields are whole numbers; a type or name may be one too."""
IS_NUMBER[[P, ID, SIZE, ARG, ADDR, NS, STACK]] = True

MOST_KEY = 1 << 60
"""Numbers below this are their own keys. Other ids, texts and larger numbers, have 60 bits of their hash, above it."""
NO_P = 0xFFFF
MOST_ARG = (1 << 32) - 1

FNV_START, FNV_STEP = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
TYPE_TEXT, NAME_TEXT, FIELD_TEXT = np.uint64(1), np.uint64(2), np.uint64(3)
"""Types, names, and fields that are known to be skipped are looked up in one table; this keeps them apart."""
MOST_TEXTS = 1 << 20
"""Different types and names that are looked up by the scanners; any others are slow."""


def packed(name: str) -> np.uint64:
    """At most eight bytes as one number."""
    return np.uint64(int.from_bytes(name.encode(), "little"))


def fnv(text: bytes) -> int:
    """The hash by which scanners know a text (FNV-1a, 64 bits)."""
    value = int(FNV_START)
    for byte in text:
        value = (value ^ byte) * int(FNV_STEP) & (1 << 64) - 1
    return value


OP_HASH = np.array([fnv(name.encode()) for name in OPS], np.uint64)
OP_KIND = np.array(list(OPS.values()), np.int64)
FIELD_NAME = np.array([packed(name) for name in FIELDS], np.uint64)
FIELD_NUMBER = np.array(list(FIELDS.values()), np.int64)


@kernel
def field_named(name):
    """The field of this name, packed."""
    for i in range(len(FIELD_NAME)):
        if FIELD_NAME[i] == name:
            return FIELD_NUMBER[i]
    return SKIPPED


@kernel
def op_of(hashed):
    """The op whose name has this hash."""
    for i in range(len(OP_HASH)):
        if OP_HASH[i] == hashed:
            return OP_KIND[i]
    return NO_OP


@kernel
def look_up(texts, numbers, hashed):
    """The number (from 1 on) of a type or name that has been met before, -1 if it has not."""
    mask = len(texts) - 1
    slot = np.int64(hashed >> np.uint64(20)) & mask
    while numbers[slot]:
        if texts[slot] == hashed:
            return numbers[slot]
        slot = (slot + 1) & mask
    return -1


@kernel
def enter(texts, numbers, hashed, number):
    """Let `look_up` find a text from now on."""
    mask = len(texts) - 1
    slot = np.int64(hashed >> np.uint64(20)) & mask
    while numbers[slot] and texts[slot] != hashed:
        slot = (slot + 1) & mask
    texts[slot] = hashed
    numbers[slot] = number


@kernel
def key_of_text(hashed):
    """The key of an id that is a text."""
    return np.int64(hashed >> np.uint64(4)) | MOST_KEY


@kernel
def clear(row):
    """Forget the row before."""
    for field in range(ROW):
        row[field] = 0


@kernel
def set_field(row, field, kind, value, hashed, texts, numbers):
    """Give a field its value; return whether the scanner may go on."""
    if field == SKIPPED or kind == NOTHING:
        return True
    if kind == NUMBER:
        if field == OP or (field == ID and not -MOST_KEY < value < MOST_KEY):
            return False
        row[field] = value
    elif kind == TEXT:
        if field == OP:
            row[OP] = op_of(hashed)
            if row[OP] == NO_OP:
                return False
        elif field == TYPE:
            row[TYPE] = look_up(texts, numbers, hashed ^ TYPE_TEXT)
        elif field == NAME:
            row[NAME] = look_up(texts, numbers, hashed ^ NAME_TEXT)
        elif field == ID:
            row[ID] = key_of_text(hashed)
        else:
            return False
    elif field in (POINTERS, BOUND, EXPLICIT):
        row[field] = 1 if kind == YES else 0
    else:
        return False
    row[SEEN] |= 1 << field
    return True


@kernel
def arg_of(row, kind):
    """What goes into the column `arg`: the field that the kind has for it, or `arg` itself."""
    seen = row[SEEN]
    if TYPED[kind] and seen >> TYPE & 1:
        return row[TYPE]
    if kind == CHECKPOINT and seen >> NAME & 1:
        return row[NAME]
    if kind in (GC_START, GC_END, GC) and seen >> EXPLICIT & 1:
        return row[EXPLICIT]
    return row[ARG]


@kernel
def put_event(row, out, n, where):
    """Add the event of a row, or both of `gc` or `realloc`; return how many there are then, -1 if it is not all right."""
    kind = row[OP]
    seen = row[SEEN]
    if kind == NO_OP or seen & NEEDED[kind] != NEEDED[kind]:
        return -1
    arg = arg_of(row, kind)
    size = row[NS] if kind == TIME else row[SIZE]
    stack = row[STACK] if STACKED[kind] else 0
    if not (-1 <= row[P] <= NO_P and 0 <= arg <= MOST_ARG and size >= 0 and row[ADDR] >= 0 and 0 <= stack <= MOST_ARG):
        return -1
    if not -MOST_KEY < row[ID] < 2 * MOST_KEY or not 0 <= row[POINTERS] <= 1 or not 0 <= row[BOUND] <= 1:
        return -1
    flags = 0
    if seen >> POINTERS & 1 and not row[POINTERS]:
        flags |= NOSCAN_FLAG
    if row[BOUND]:
        flags |= BOUND_FLAG
    event = out[n]
    event.kind = GC_START if kind == GC else kind | (flags & ALLOWED[kind])
    event.p = NO_P if row[P] < 0 else row[P]
    event.key = row[ID]
    event.size = size
    event.arg = arg
    event.addr = row[ADDR]
    event.stack = stack
    event.where = where
    if kind < REALLOC:
        return n + 1
    out[n + 1] = out[n]
    if kind == GC:
        out[n + 1].kind = GC_END
        return n + 2
    death = out[n + 1]
    death.kind = FREE
    death.size = death.addr = death.arg = death.stack = 0
    return n + 2


@kernel
def put_row(row, out, n, where):
    """As `put_event`, for Python."""
    return put_event(row, out, n, where)
