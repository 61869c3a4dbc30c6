"""What an event is: its kind, its columns, and what each column means for each kind.

A trace is a sequence of events, held and moved in batches. A batch is five parallel columns (and a sixth, the
witness, where the trace came from a real recording, and a seventh, the stack, where that has stacks), so that a kernel, a
codec and NumPy can each take a column whole.

| column | dtype | holds |
|--------|-------|-------|
| kind   | u1    | a `Kind`, with the flags `NOSCAN` and `BOUND` on allocations |
| p      | u2    | the P that did it, or `NO_P` |
| id     | u4    | the handle of the object, stack or span; a handle is used again once its owner is dead |
| size   | i8    | bytes, pages, nanoseconds or a page number: see the kind |
| arg    | u4    | type, name, span class, ...: see the kind |
| addr   | i8    | witness: the address that the real runtime chose; 0 where there is none |
| stack  | u4    | call stack of an allocation, a number of `Call`; 0 where it is not known |

Objects, goroutine stacks and manual spans each have their own handles. The handle of a freed object stays its own until
its slot has been swept, so that a hint can name it. Pages are numbered from address 0
(page = address // 8192). `docs/trace-format.md` holds the same table for the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_P = 0xFFFF
"""The column `p` of an event that no P did."""

FREED_ID, UNKNOWN_ID = 0xFFFFFFFE, 0xFFFFFFFF
"""What readers of rows, whose ids are not handles, put for an id that was freed before, and for one never seen."""

BATCH = 1 << 16
"""Most events in one batch."""

KIND_MASK = 0x3F
NOSCAN = 0x40
"""Flag of ALLOC and SNAP_OBJECT: the object holds no pointers."""
BOUND = 0x80
"""Flag of ALLOC, SNAP_OBJECT and TINY: the requested size is not known, `size` is the largest that takes this slot."""


class Kind(IntEnum):
    """The low six bits of the column `kind`."""

    # What the program did.
    ALLOC = 1
    """object `id` of `size` bytes and type `arg` is allocated by `p`"""
    FREE = 2
    """object `id` is dead from here on; its slot comes back when its span is swept in the next cycle"""
    TINY = 3
    """an allocation of `size` bytes and type `arg` was packed into the tiny block `id`: it took no slot"""
    STACK_ALLOC = 4
    """goroutine stack `id` of `size` bytes is allocated by `p`"""
    STACK_FREE = 5
    """goroutine stack `id` is freed by `p`"""
    GC_START = 6
    """marking starts (the world is stopped, sweeping is complete); `arg` is 1 for an explicit runtime.GC"""
    GC_END = 7
    """mark termination by `p`: what is dead is known, sweeping begins; `arg` as for GC_START"""
    FLUSH = 8
    """runtime.ReadMemStats by `p`: the world stops, every P's mcache is flushed"""
    CHECKPOINT = 9
    """the program named this point: name `arg`; the model takes a sample here"""
    TIME = 10
    """`size` nanoseconds since the start of the trace"""
    SET_GOGC = 11
    """the program set GOGC to `size` percent, or, where `arg` is 1, off"""
    FREE_OS_MEMORY = 12
    """debug.FreeOSMemory by `p`, after its runtime.GC: everything that is free goes back to the OS"""
    WORKS_FOR = 13
    """from here on `p` allocates for owner `arg` (0: not known), until it is said again"""
    GOROUTINES = 14
    """`size` goroutines exist now"""
    GC_CPU = 15
    """for the cycle that ends next, mark workers (`arg` 0) or assists (`arg` 1) ran `size` nanoseconds in all, on Ps"""

    # The heap as it was when the recording started. All SNAP events come before all others.
    SNAP_RANGE = 16
    """the heap has been given the address range of `id` pages from page `size`; free unless a span holds them"""
    SNAP_SPAN = 17
    """a heap span of span class `arg`, `id` pages long, at page `size`, cached by `p` or (NO_P) in its mcentral, whose
    order is the order of these events; the objects in it follow"""
    SNAP_UNSWEPT = 18
    """the span of the last SNAP_SPAN has not been swept yet in the current cycle"""
    SNAP_OBJECT = 19
    """object `id` of `size` bytes and type `arg` lives in slot `p` of the last SNAP_SPAN"""
    SNAP_STACK_SPAN = 20
    """a manual span `id` of `arg` pages at page `size`, holding stacks (`p` = 0) or GC work buffers (`p` = 1)"""
    SNAP_STACK = 21
    """goroutine stack `id` of `size` bytes, at piece number `arg` (address // 2048 - its span's first address // 2048) of
    the last SNAP_STACK_SPAN"""
    SNAP_PAGE_CACHE = 22
    """P `p` holds in its page cache, of the 64 pages from page `size`, those whose bits are set in `id` (low 32) and
    `arg` (high 32)"""
    SNAP_END = 23
    """the snapshot is complete"""
    SNAP_PADDING = 24
    """the `id` pages from page `size` are never used (the random start of the heap, Go 1.26+); they stay released"""
    SNAP_DEAD = 25
    """object `id` of `size` bytes sits in slot `p` of the last SNAP_SPAN, which is unswept: the sweep will free it"""

    # Hints: what only the recording can tell, and a replay of the same design obeys. None holds an address of an object.
    SWEEP_TO = 32
    """sweeper `arg` swept the span of object `id`: sweep in order up to it, or it alone when the order forbids. Where `size`
    is not 0, that sweep ends only at the SWEEP_END of the same number; where `arg` is 5, it is swept alone"""
    SWEEP_COUNT = 33
    """sweeper `arg` has swept `size` spans since its last SWEEP_COUNT: make up for the ones that left no trace"""
    SWEEP_DRAINED = 34
    """the background sweeper found nothing left to sweep"""
    SWEEP_CREDIT = 35
    """the next refill or large allocation of `p` sweeps until `size` bytes of spans are swept, then allocates"""
    SWEEP_RECLAIM = 36
    """the page reclaimer, called by `p`, swept the span of object `id` (its mark order decides, which is unknown);
    `size` as for SWEEP_TO. Where `arg` is 1 it does so here, else at its next call"""
    MCACHE_FLUSH = 37
    """the mcache of `p` was flushed, up to span class `arg` (0: all)"""
    PAGE_CACHE_FLUSH = 38
    """the page cache of `p` was given back"""
    MANUAL_ALLOC = 39
    """manual span `id` of `size` pages was allocated by `p`; `arg` is 0 for stacks, 1 for GC work buffers"""
    MANUAL_FREE = 40
    """manual span `id` was given back"""
    RECLAIM_BYTES = 41
    """the next call of the page reclaimer, by `p`, accounts for `size` bytes: the windows that it walks, less the pages
    that it frees, and the spans that it sweeps"""
    SWEEP_END = 42
    """the sweep of number `size` has ended: other Ps see what it freed from here on"""
    REFILL = 43
    """`p` has begun a refill of span class `arg`, found no swept span, and sweeps for one: it chooses here"""
    SWEEP_PAID = 44
    """`p` has paid its sweep debt: it swept `size` bytes of spans since it began to"""
    HEAP_GOAL = 45
    """the heap goal became `size` bytes; 0: there is none (GOGC is off)"""
    SCAVENGE = 46
    """the background scavenger ran; `arg` is 1 where it gave something back"""
    SWEPT_NEXT = 47
    """nothing is dead in the span of object `id`; among the spans of which this is said in a cycle, the next cycle sweeps it
    after those said before. The page reclaimer may have put it ahead of others (its mark order decides, which is unknown)"""

    # Witnesses: what only `verify` reads.
    SAW_SPAN_ALLOC = 48
    """a heap span of span class `arg` and `size` pages was allocated by `p` at address `addr`"""
    SAW_SPAN_FREE = 49
    """the span at `addr` was given back"""
    SAW_HEAP_LIVE = 50
    """heapLive became `size` bytes, at a refill, large allocation or flush by `p`"""


SNAP_KINDS = tuple(k for k in Kind if 16 <= k < 32)
HINT_KINDS = tuple(k for k in Kind if 32 <= k < 48)
WITNESS_KINDS = tuple(k for k in Kind if k >= 48)

COLUMNS: dict[str, str] = {"kind": "<u1", "p": "<u2", "id": "<u4", "size": "<i8", "arg": "<u4", "addr": "<i8"}
"""The columns and their dtypes; `addr` is optional."""
ALL_COLUMNS: dict[str, str] = {**COLUMNS, "stack": "<u4"}
"""With the one that only recordings with stacks have."""
OPTIONAL = ("addr", "stack")
"""Columns that a batch may be without."""


@dataclass(frozen=True)
class TypeInfo:
    """A Go type, as the recording names it. For a slice or array allocation it is the type of the element."""

    name: str
    size: int
    pointer_bytes: int


@dataclass(frozen=True)
class Function:
    """A function of the program, and the file that it stands in."""

    name: str
    file: str


class Call(NamedTuple):
    """The innermost call of a stack. Stacks are numbered from 1, as `new_calls` brings them; 0 is the empty one."""

    function: int
    """Its number, counted from 1 as `new_functions` brings them."""
    line: int
    caller: int
    """The number of the stack without this call, a lower one."""


class Owner(NamedTuple):
    """Who allocates: goroutines that begin in one function and were made at one place, within a user task and region.

    Owners are numbered from 1, as `new_owners` brings them; 0 is not known. (Go: runtime/trace, NewTask and StartRegion)
    """

    entry: int
    """The function that the goroutine began in; 0: not known, or no goroutine."""
    creator: int
    """The stack that made the goroutine; 0: not known, or it was there when the recording started."""
    task: str
    """The type of the user task, "" for none."""
    region: str
    """The type of the innermost user region, "" for none."""
    runtime: int
    """1: the runtime works for itself: its own goroutines, or none at all."""


@dataclass(frozen=True)
class Batch:
    """At most `BATCH` events, as columns of equal length; and the types, names, stacks and owners that they use first.

    A type or name id is an index into the table that all batches so far make up; entry 0 of both tables is empty and
    means "not known".
    """

    kind: NDArray[np.uint8]
    p: NDArray[np.uint16]
    id: NDArray[np.uint32]
    size: NDArray[np.int64]
    arg: NDArray[np.uint32]
    addr: NDArray[np.int64] | None = None
    new_types: list[TypeInfo] = field(default_factory=list)
    new_names: list[str] = field(default_factory=list)
    stack: NDArray[np.uint32] | None = None
    new_functions: list[Function] = field(default_factory=list)
    new_calls: list[Call] = field(default_factory=list)
    new_owners: list[Owner] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.kind)

    def part(self, start: int, end: int) -> Batch:
        """Events start .. end-1; it brings all that the batch brings to the tables."""
        columns: dict[str, Any] = {name: getattr(self, name) for name in ALL_COLUMNS}
        parts: dict[str, Any] = {n: None if values is None else values[start:end] for n, values in columns.items()}
        return replace(self, **parts)

    def without_news(self) -> Batch:
        """The same events, whose types, names, stacks and owners have been handed on already."""
        return replace(self, new_types=[], new_names=[], new_functions=[], new_calls=[], new_owners=[])
