"""Finds the events in the text of GODEBUG=allocfreetrace=1, which may be mixed with whatever else a program prints.

Go: runtime/mprof.go, tracealloc, tracefree, tracegc; runtime/traceback.go, printcalls.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.importers.rows.fields import FNV_START, FNV_STEP, look_up
from goalloc_cli.importers.rows.json import starts

RECORD = np.dtype(
    [
        ("addr", "i8"), ("slot", "i8"), ("request", "i8"), ("entry", "i8"), ("stack", "i8"),
        ("op", "u1"), ("pointers", "u1"),
    ],
    align=True,
)  # fmt: skip
"""An event: `request` is 0 where it is not known, `entry` the number of its type and site, `stack` that of its stack."""

ALLOC, FREE, GC = 1, 2, 3
"""Ops of a RECORD."""

UNKNOWN, POINTERS, NO_POINTERS = 0, 1, 2
"""Whether an object holds pointers."""

NEED, FULL, NEW, NEW_STACK = 0, 1, 2, 3
"""Why the scanner stopped: the input goes on, there is no more room, a type and site are met for the first time, or a stack
is."""

MOST_RECORD = 1 << 18
"""Most bytes of one record; Go prints at most 100 frames of a stack."""
SLACK = 64
"""Zeros behind the bytes: a look ahead stays within them."""
MOST_ADDR = 1 << 48

PAGES = 1 << 16
"""Rows in the table of pages; a page that comes later takes the place of another."""
PAGE, CYCLE, SLOT, HOLDS = range(4)

TYPE, FUNCTION, PLACE, STACK = 0, 2, 4, 6
"""Where in `found` the bounds of these texts are."""
FOUND = 8


class Texts(NamedTuple):
    """Which texts are known: a hash table."""

    hashes: NDArray[np.uint64]
    numbers: NDArray[np.int64]
    """From 1 on; 0 where there is none."""


class Known(NamedTuple):
    """What the scanner has learned so far."""

    entries: Texts
    """A type and a site together."""
    types: Texts
    stacks: Texts
    """Their numbers are one more than those of the trace, where 0 is the empty stack."""
    full: NDArray[np.bool_]
    """Whether no more entries are taken, and no more stacks: what is new then has number 0."""
    learned: NDArray[np.uint8]
    """Whether the objects of each type hold pointers; scanning adds to it."""
    pages: NDArray[np.int64]
    cycle: NDArray[np.int64]
    """What is known of pages, and the number of cycles so far (one row); scanning adds to both."""
    found: NDArray[np.int64]
    """Bounds of the texts that are new."""


def _bytes(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, np.uint8)


AT_ALLOC, AT_FREE, AT_GC = _bytes(b"tracealloc(0x"), _bytes(b"tracefree(0x"), _bytes(b"tracegc()\n")
MALLOCGC, GROWSLICE = _bytes(b"runtime.mallocgc(0x"), _bytes(b"runtime.growslice(")
RUNTIME, INTERNAL, GOROUTINE = _bytes(b"runtime."), _bytes(b"runtime/internal/"), _bytes(b"goroutine ")
NEWLINE, TAB, SPACE, COMMA, COLON, DOT, OPEN, CLOSE, QUERY, X = b"\n\t ,:.()?x"
ZERO, NINE, A, F, T = b"09aft"


@kernel
def hex_at(data, at):
    """The number behind 0x, and where it ends; -1 if there is none."""
    value = np.int64(0)
    first = at
    while at - first < 15:
        digit = np.int64(data[at])
        if ZERO <= digit <= NINE:
            value = value * 16 + digit - ZERO
        elif A <= digit <= F:
            value = value * 16 + digit - A + 10
        else:
            break
        at += 1
    return (value, at) if first < at < first + 15 else (np.int64(-1), at)


@kernel
def addr_and_slot(data, at, record):
    """Fill in both from their first digit on; return where the second ends, -1 if they are not there."""
    addr, at = hex_at(data, at)
    if not 0 < addr < MOST_ADDR or data[at] != COMMA or data[at + 1] != SPACE or data[at + 2] != ZERO or data[at + 3] != X:
        return -1
    slot, at = hex_at(data, at + 4)
    if not 0 < slot < MOST_ADDR:
        return -1
    record.addr = addr
    record.slot = slot
    return at


@kernel
def line_end(data, at, end):
    while at < end and data[at] != NEWLINE:
        at += 1
    return at


@kernel
def is_event(data, at):
    return data[at] == T and (starts(data, at, AT_ALLOC) or starts(data, at, AT_FREE) or starts(data, at, AT_GC))


@kernel
def next_event(data, at, end):
    """The next place where an event starts; else the start of the last line, which may go on, or `end`."""
    line = at
    while at < end:
        byte = data[at]
        if byte == NEWLINE:
            line = at + 1
        # The program's own text may end without a newline; but runtime.tracealloc is a frame of a stack.
        elif byte == T and is_event(data, at) and (at == line or data[at - 1] != DOT):
            return at
        at += 1
    return max(line, end - SLACK)


@kernel
def fits(request, slot):
    """Whether a slot is one that this request may have been given (any release: rounding costs 15.6 % at most)."""
    waste = slot - request
    if request <= 0 or waste < 0:
        return False
    return waste < 16 or waste * 6 < slot or (request > 32 << 10 and waste < 8192)


@kernel
def place_at(data, at, end):
    """Where the file and line that a tab begins end; -1 if this is no such line."""
    colon = -1
    for i in range(at, end):
        if data[i] == COLON:
            colon = i
        elif colon >= 0 and not ZERO <= data[i] <= NINE:
            if data[i] == SPACE and i > colon + 1 and (data[i + 1] == 43 or data[i + 1] == F):  # " +0x" or " fp="
                return i
            colon = -1
    return end if 0 <= colon < end - 1 else -1


@kernel
def function_end(data, at, end):
    """Where the name of a function ends in a line of a stack: at its last parenthesis; -1 if this is no such line."""
    if data[end - 1] != CLOSE:
        return -1
    for i in range(end - 1, at, -1):
        if data[i] == OPEN:
            return i
    return -1


@kernel
def hash_of(data, at, end):
    hashed = FNV_START
    for i in range(at, end):
        hashed = (hashed ^ np.uint64(data[i])) * FNV_STEP
    return hashed


@kernel
def begin(data, after, stop, record, found):
    """An allocation: what its first line tells, behind the slot."""
    found[:] = 0
    record.op = ALLOC
    record.request = record.entry = record.stack = 0
    record.pointers = UNKNOWN
    if data[after] == COMMA:
        found[TYPE] = after + 2
        found[TYPE + 1] = stop - 1
    else:
        record.pointers = NO_POINTERS


@kernel
def read_stack(data, at, end, record, found):
    """Read the lines of a record up to a blank one, or another record; return where it ends, `end` if it does not, and the
    hash of its calls (0: it has none): what of a frame is the same at every visit, the function and the place."""
    function = function_stop = 0
    hashed = np.uint64(0)
    after_mallocgc = is_programs = False
    while at < end:
        stop = line_end(data, at, end)
        if stop in (at, end):
            return stop, hashed
        if is_event(data, at):
            return at, hashed
        if data[at] == TAB:
            place = place_at(data, at + 1, stop) if function_stop else -1
            if place > 0:
                hashed = (hashed * FNV_STEP ^ hash_of(data, function, function_stop)) * FNV_STEP
                hashed ^= hash_of(data, at + 1, place)
                if is_programs and not found[FUNCTION + 1]:
                    found[FUNCTION] = function
                    found[FUNCTION + 1] = function_stop
                    found[PLACE] = at + 1
                    found[PLACE + 1] = place
            function_stop = 0
        else:
            function = at
            function_stop = max(function_end(data, at, stop), 0)
            is_programs = False
            if found[FUNCTION + 1]:
                pass
            elif not record.request and starts(data, at, MALLOCGC):
                request, _ = hex_at(data, at + len(MALLOCGC))
                if fits(request, record.slot):
                    record.request = request
                after_mallocgc = True
            elif after_mallocgc and starts(data, at, GROWSLICE):
                if record.pointers == UNKNOWN:
                    record.pointers = POINTERS  # growslice names no type for elements without pointers
                after_mallocgc = False
            elif starts(data, at, RUNTIME) or starts(data, at, INTERNAL) or starts(data, at, GOROUTINE):
                after_mallocgc = False
            else:
                is_programs = True
        at = stop + 1
    return end, hashed


@kernel
def pointers_by_size(record):
    """Requests below 16 bytes: without pointers they share a block of 16, with pointers they get a slot of 8."""
    if record.request and record.request < 16:
        if record.slot == 8:
            return POINTERS
        if record.slot == 16 and record.request != 16:
            return NO_POINTERS
    return UNKNOWN


@kernel
def pointers_by_page(record, pages, cycle):
    """What an object of the same size on the same page has told since the last cycle.

    A span holds objects with pointers or objects without, and stays what it is as long as something lives in it that
    was allocated after the mark termination.
    """
    page = record.addr >> 13
    row = pages[page & (PAGES - 1)]
    same = row[PAGE] == page and row[CYCLE] == cycle and row[SLOT] == record.slot
    if record.pointers == UNKNOWN:
        return row[HOLDS] if same else UNKNOWN
    row[PAGE] = page
    row[CYCLE] = cycle
    row[SLOT] = record.slot
    row[HOLDS] = record.pointers
    return record.pointers


@kernel
def scan(data, at, end, final, out, n, known):
    """Find events from `at` on.

    Args:
        data: the text, and SLACK zeros behind its `end`.
        final: nothing follows.
        out: RECORD rows, `n` of which are filled.
        known: `Known`; where something is new, its `found` says where that stands.

    Returns:
        Where it stopped, the number of events, why, and the hashes of what is new: of a type and an entry, or of a stack.
    """
    nothing, found = np.uint64(0), known.found
    while n < len(out):
        at = next_event(data, at, end)
        if at >= end or not is_event(data, at):
            return at, n, NEED, nothing, nothing
        record = out[n]
        if starts(data, at, AT_GC):
            record.op = GC
            known.cycle[0] += 1
            n += 1
            at += len(AT_GC)
            continue
        is_alloc = starts(data, at, AT_ALLOC)
        stop = line_end(data, at, end)
        if stop == end and not final and end - at < MOST_RECORD:
            return at, n, NEED, nothing, nothing
        after = addr_and_slot(data, at + len(AT_ALLOC if is_alloc else AT_FREE), record)
        if after < 0 or after >= stop or data[stop - 1] != CLOSE:
            at += 1  # something else broke in
            continue
        if not is_alloc:
            record.op = FREE
            n += 1
            at = stop
            continue
        begin(data, after, stop, record, found)
        behind, stack_hash = read_stack(data, stop + 1, end, record, found)
        if behind == end and not final and end - at < MOST_RECORD:
            return at, n, NEED, nothing, nothing
        if stack_hash:
            record.stack = look_up(known.stacks.hashes, known.stacks.numbers, stack_hash) - 1
            if record.stack < 0:
                if not known.full[1]:
                    found[STACK] = stop + 1
                    found[STACK + 1] = behind
                    return at, n, NEW_STACK, nothing, stack_hash
                record.stack = 0
        type_hash = hash_of(data, found[TYPE], found[TYPE + 1])
        hashed = type_hash * FNV_STEP ^ hash_of(data, found[FUNCTION], found[FUNCTION + 1])
        hashed = hashed * FNV_STEP ^ hash_of(data, found[PLACE], found[PLACE + 1])
        record.entry = look_up(known.entries.hashes, known.entries.numbers, hashed)
        if record.entry < 0:
            if not known.full[0]:
                return at, n, NEW, type_hash, hashed
            record.entry = 0
        number = look_up(known.types.hashes, known.types.numbers, type_hash)
        if record.pointers == UNKNOWN:
            record.pointers = pointers_by_size(record)
        if record.pointers == UNKNOWN and number >= 0:
            record.pointers = known.learned[number]
        record.pointers = pointers_by_page(record, known.pages, known.cycle[0])
        if number >= 0 and found[TYPE + 1]:
            known.learned[number] = record.pointers
        n += 1
        at = behind
    return at, n, FULL, nothing, nothing
