"""Follows the events of a trace, batch by batch: who allocated each object. Apart from the replay, which is not slowed."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.sizeclass import size_classes
from goalloc_cli.errors import TraceError
from goalloc_cli.results.who import BEFORE, ROW
from goalloc_cli.trace.event import BATCH, BOUND, KIND_MASK, NOSCAN, Batch, Call, Function, Kind, Owner
from goalloc_cli.trace.longer import longer
from goalloc_cli.trace.ranges import MAX_PROCS

ALLOC, FREE, TINY, GC_END = int(Kind.ALLOC), int(Kind.FREE), int(Kind.TINY), int(Kind.GC_END)
SNAP_OBJECT, WORKS_FOR, GOROUTINES = int(Kind.SNAP_OBJECT), int(Kind.WORKS_FOR), int(Kind.GOROUTINES)

TINY_SPC = 5
"""The span class of blocks of tiny objects."""
MOST = 1 << 28
"""Handles beyond this are not followed, as a replay follows none."""
MOST_ROWS = 1 << 20
"""Rows beyond these are counted as one, the first, which is of nobody known."""
MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))
"""Odd numbers whose bits are spread evenly."""

BIRTH = np.dtype((np.record, [("clock", "<i8"), ("number", "<i8"), ("size", "<i8"), ("row", "<i4"), ("cycle", "<i4")]))
"""The birth of the object of a handle: bytes allocated and objects born before it, its size, its row + 1 (0: none, below 0:
it has died), and GC cycles before it."""

ROWS, CYCLE, CLOCK, BORN, LIVE_BYTES, PEAK_BYTES, PEAK, COUNTED = range(8)


class Classes(NamedTuple):
    """How a design chooses the slot of a request."""

    class_of: NDArray[np.int64]
    """Size class by (bytes + 7) // 8."""
    slot: NDArray[np.int64]
    """Bytes of a slot, by size class."""
    limits: NDArray[np.int64]
    """Largest small request; largest without a header; least that is not tiny; bytes of a page."""


class Books(NamedTuple):
    """What the walk keeps."""

    works: NDArray[np.int64]
    """Per P, and for no P: the owner that it works for."""
    slots: NDArray[np.int64]
    """Hash table: the row + 1 of each (owner, type, span class, stack)."""
    rows: NDArray[np.void]
    epoch: NDArray[np.int64]
    """Per row: the number of the peak that its peak_live and peak_bytes are of."""
    births: NDArray[np.void]
    state: NDArray[np.int64]
    """ROWS, CYCLE, CLOCK, BORN, LIVE_BYTES, PEAK_BYTES, PEAK (the number of the peak), COUNTED (goroutines)."""


def classes_of(design: Design) -> Classes:
    """How a design chooses the slot of a request (Go: malloc.go, mallocgc)."""
    header = 8 if design.malloc_header else 0
    sizes = np.array([each.size for each in size_classes(design)], np.int64)
    # Class 0 is that of large objects.
    class_of = np.searchsorted(sizes[1:], np.arange(design.max_small_size // 8 + 1) * 8) + 1
    limits = [design.max_small_size - header, design.header_above if header else design.max_small_size]
    return Classes(class_of, sizes, np.array([*limits, design.tiny_size, design.page_size], np.int64))


@kernel
def slot_of(classes, size, noscan):
    """Span class and bytes of the slot of a request."""
    small, header_limit, tiny, page = classes.limits[0], classes.limits[1], classes.limits[2], classes.limits[3]
    if size > small:
        return np.int64(noscan), (size + page - 1) // page * page
    if size == 0:
        return np.int64(-1), np.int64(0)
    if noscan and size < tiny:
        return np.int64(TINY_SPC), np.int64(16)
    header = 8 if not noscan and size > header_limit else 0
    size_class = classes.class_of[(size + header + 7) >> 3]
    return 2 * size_class + noscan, classes.slot[size_class]


@kernel
def row_of(books, owner, kind_of, spc, stack):
    """The number of the row of an owner, a type, a span class and a stack, which is made at its first use."""
    state, slots, rows = books.state, books.slots, books.rows
    mixed = np.uint64(owner + 4) * MIX[0] ^ np.uint64(kind_of) * MIX[1] ^ np.uint64((stack << 9) + spc + 1) * MIX[2]
    at = np.int64((mixed ^ mixed >> np.uint64(29)) & np.uint64(len(slots) - 1))
    while slots[at]:
        row = rows[slots[at] - 1]
        if row.owner == owner and row.type == kind_of and row.spc == spc and row.stack == stack:
            return slots[at] - 1
        at = (at + 1) & (len(slots) - 1)
    if state[ROWS] >= MOST_ROWS:
        return np.int64(0)
    number = state[ROWS]
    state[ROWS] += 1
    slots[at] = number + 1
    made = rows[number]
    made.owner, made.type, made.spc, made.stack = owner, kind_of, spc, stack
    made.least = np.iinfo(np.int64).max
    return number


@kernel
def grow(books, number, objects, size):
    """A row has more live objects, or fewer; first, what it had at the last peak is kept."""
    row, state = books.rows[number], books.state
    if books.epoch[number] != state[PEAK]:
        books.epoch[number] = state[PEAK]
        row.peak_live, row.peak_bytes = row.live, row.live_bytes
    row.live += objects
    row.live_bytes += size
    state[LIVE_BYTES] += size
    if state[LIVE_BYTES] > state[PEAK_BYTES]:
        state[PEAK_BYTES] = state[LIVE_BYTES]
        state[PEAK] += 1


@kernel
def count(row, size, slot, bound):
    """Count one allocation."""
    row.allocs += 1
    row.alloc_bytes += size
    row.slot_bytes += slot
    row.bound += bound
    row.least = min(row.least, size)
    row.most = max(row.most, size)


@kernel
def follow(kind, p, handle, size, arg, stack, classes, books):
    """Count the events of a batch; `books.births` is longer than any handle of an object in it."""
    works, rows, births, state = books.works, books.rows, books.births, books.state
    for i in range(len(kind)):
        k = kind[i] & KIND_MASK
        if k in (ALLOC, SNAP_OBJECT):
            noscan = np.int64(kind[i] & NOSCAN != 0)
            spc, slot = slot_of(classes, size[i], noscan)
            owner = np.int64(BEFORE)
            if k == ALLOC:
                owner = works[min(np.int64(p[i]), len(works) - 1)]
            number = row_of(books, owner, np.int64(arg[i]), spc, np.int64(stack[i]))
            if k == ALLOC:
                count(rows[number], size[i], slot, kind[i] & BOUND != 0)
                state[CLOCK] += size[i]
            grow(books, number, 1, size[i])
            birth = births[handle[i]]
            birth.clock, birth.number, birth.size = state[CLOCK], state[BORN], size[i]
            birth.row, birth.cycle = number + 1, state[CYCLE]
            state[BORN] += 1
        elif k == FREE:
            birth = births[handle[i]]
            if birth.row <= 0:
                continue
            row = rows[birth.row - 1]
            grow(books, np.int64(birth.row) - 1, -1, -birth.size)
            row.deaths += 1
            row.death_bytes += birth.size
            if row.owner != BEFORE:
                row.age_cycles += state[CYCLE] - birth.cycle
                row.age_bytes += state[CLOCK] - birth.clock
            birth.row = -birth.row
        elif k == TINY:
            owner = works[min(np.int64(p[i]), len(works) - 1)]
            number = row_of(books, owner, np.int64(arg[i]), np.int64(TINY_SPC), np.int64(stack[i]))
            count(rows[number], size[i], 0, kind[i] & BOUND != 0)
            state[CLOCK] += size[i]
        elif k == WORKS_FOR:
            works[min(np.int64(p[i]), len(works) - 1)] = arg[i]
        elif k == GC_END:
            state[CYCLE] += 1
        elif k == GOROUTINES:
            state[COUNTED] = size[i]


@kernel
def move_rows(rows, count, slots):
    """Enter all rows into a larger hash table."""
    for number in range(count):
        row = rows[number]
        mixed = np.uint64(row.owner + 4) * MIX[0] ^ np.uint64(row.type) * MIX[1]
        mixed ^= np.uint64((row.stack << 9) + row.spc + 1) * MIX[2]
        at = np.int64((mixed ^ mixed >> np.uint64(29)) & np.uint64(len(slots) - 1))
        while slots[at]:
            at = (at + 1) & (len(slots) - 1)
        slots[at] = number + 1


class Followed:
    """All that is known of who allocated, of the events so far."""

    def __init__(self, design: Design) -> None:
        self.owners = [Owner(0, 0, "", "", 0)]
        self.functions = [Function("", "")]
        self.calls = [Call(0, 0, 0)]
        self.types = [""]
        self.classes = classes_of(design)
        state = np.zeros(8, np.int64)
        # Row 0 is of nobody known.
        state[ROWS], state[COUNTED] = 1, -1
        self.books = Books(
            works=np.zeros(MAX_PROCS + 1, np.int64), slots=np.zeros(4 * BATCH, np.int64), rows=np.zeros(2 * BATCH, ROW),
            epoch=np.zeros(2 * BATCH, np.int64), births=np.zeros(1 << 16, BIRTH), state=state,
        )  # fmt: skip
        self._no_stack = np.zeros(BATCH, np.uint32)

    def add(self, batch: Batch) -> None:
        """Follow one batch."""
        self.owners += batch.new_owners
        self.functions += batch.new_functions
        self.calls += batch.new_calls
        self.types += [new.name for new in batch.new_types]
        self._make_room(batch)
        columns = [np.ascontiguousarray(getattr(batch, name)) for name in ("kind", "p", "id", "size", "arg")]
        stack = self._no_stack[: len(batch)] if batch.stack is None else np.ascontiguousarray(batch.stack)
        follow(*columns, stack, self.classes, self.books)

    def _make_room(self, batch: Batch) -> None:
        books, used = self.books, int(self.books.state[ROWS])
        highest = int(batch.id[IS_OBJECT[batch.kind]].max(initial=0))
        if highest >= MOST:
            raise TraceError(f"handle {highest}: handles above {MOST - 1:,} are not followed; they are to be used again")
        if highest >= len(books.births):
            self.books = books = books._replace(births=longer(books.births, (highest + 1) * 3 // 2))
        if used + len(batch) <= len(books.rows) or used >= MOST_ROWS:
            return
        more = 2 * len(books.rows)
        slots = np.zeros(2 * len(books.slots), np.int64)
        move_rows(books.rows, used, slots)
        self.books = books._replace(slots=slots, rows=longer(books.rows, more), epoch=longer(books.epoch, more))

    def rows_of(self, handles: NDArray[np.intp]) -> NDArray[np.void]:
        """The rows that the last objects of some handles are counted in; the first row where nobody saw them begin."""
        numbers, known = np.zeros(len(handles), np.int64), handles < len(self.books.births)
        numbers[known] = np.abs(self.books.births["row"][handles[known]].astype(np.int64))
        return self.books.rows[np.maximum(numbers - 1, 0)]

    @property
    def rows(self) -> NDArray[np.void]:
        """A copy of all rows, those of the last peak filled in."""
        used = int(self.books.state[ROWS])
        rows = self.books.rows[:used].copy()
        late = self.books.epoch[:used] != self.books.state[PEAK]
        rows["peak_live"][late], rows["peak_bytes"][late] = rows["live"][late], rows["live_bytes"][late]
        rows["least"][rows["allocs"] == 0] = 0
        return rows


IS_OBJECT = np.isin(np.arange(256) & KIND_MASK, [Kind.ALLOC, Kind.FREE, Kind.SNAP_OBJECT])
