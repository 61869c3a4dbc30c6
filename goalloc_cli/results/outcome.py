"""What a replay yields: samples along the way, and the state of every system at the end.

Everything is a NumPy record array or a plain value, so that a report can be made without the model.
All sizes are bytes unless the name says otherwise; field names that a Go program knows are `runtime.MemStats` names in
lower case with underscores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.design.allocator import Design
from goalloc_cli.results.pictures import Pictures
from goalloc_cli.trace.lost import Lost
from goalloc_cli.trace.trace import Header


def table(*names: str) -> np.dtype[np.void]:
    """Rows of integers, which have their columns as attributes where kernels run uncompiled, too."""
    return np.dtype((np.record, [(name, "<i8") for name in names]))


SAMPLE = table(
    "event",  # number of events before the sample
    "time_ns",  # since the start of the trace; 0 where the trace has no times
    "reason",  # a Reason
    "name",  # of a checkpoint: index into Outcome.names
    "num_gc",
    "peak_gc",  # cycles that had ended when heap_inuse last rose to its highest so far
    # runtime.MemStats (allocator.md 10.2), as ReadMemStats would report after flushing every mcache
    "heap_alloc",
    "total_alloc",
    "heap_inuse",
    "heap_idle",
    "heap_released",
    "heap_sys",
    "heap_objects",
    "stack_inuse",
    "mallocs",
    "frees",
    "next_gc",
    "heap_live",
    "gc_workbufs",
    "page_cache_bytes",  # idle pages that sit in the Ps' page caches
    "spans",  # heap spans in use
    # memory given back
    "retained_goal",  # what the scavenger leaves the heap; 0 where it has no goal
    "releasable",  # what the scavenger may still give back: what is idle, backed, and above its goal
    "released_background",  # bytes ever given back, by cause: the background scavenger
    "released_growth",  # in exchange for a growth
    "released_limit",  # for the memory limit
    "released_forced",  # by debug.FreeOSMemory
    "released_idle",  # after five minutes
    "released_less",  # heap_released may be so much less: how much each run of the scavenger brought is not known
    "released_more",  # or so much more
    # residence
    "untouched",  # pages backed or in use that nothing is known to have touched
    "huge_room",  # what huge pages would make resident beside what is touched
    # records of the runtime
    "span_records",
    "mcache_records",
    "arena_records",
    # the ledger (allocator.md 10.4): these twelve rows sum to heap_inuse
    "requested",
    "headers",
    "class_rounding",
    "large_rounding",
    "tiny_waste",
    "tail_waste",
    "span_metadata",
    "dead_unswept",  # found by the last collection, their slots not swept yet
    "dead_unfound",  # not found yet: the next collection will
    "free_slots_cached",  # free slots in spans that an mcache holds
    "free_slots",  # free slots in all other spans
    "tracer",  # what the recording's own tracer holds; no sample has it before its replay ends
    # how far the ledger is exact: of live objects with a BOUND size, requested lies in [low, requested]
    "bound_slot_bytes",  # slot bytes of live objects whose requested size is not known
    "bound_rounding",  # the most that class_rounding could be higher, were each such object as small as it can
)
"""One sample of the heap."""

LEDGER = (
    "requested",
    "headers",
    "class_rounding",
    "large_rounding",
    "tiny_waste",
    "tail_waste",
    "span_metadata",
    "dead_unswept",
    "dead_unfound",
    "free_slots_cached",
    "free_slots",
    "tracer",
)
"""The fields of SAMPLE that sum to heap_inuse."""


class Reason(IntEnum):
    """Why a sample was taken."""

    START = 0
    EVERY = 1
    GC = 2
    CHECKPOINT = 3
    END = 4
    PEAK = 5
    GC_START = 6
    SWEPT = 7
    """Nothing was left to sweep."""


CLASS = table(
    "spc",  # span class: 2 * size class + noscan
    "elem_size",  # 0 for large objects (spc 0 and 1)
    "npages",
    "nelems",
    "spans",  # in use
    "span_bytes",
    "slots",
    "used_slots",  # allocated and not yet swept away: live or dead
    "live_objects",
    "requested_bytes",  # of live objects
    "bound_objects",  # live objects whose requested size is not known
    "mallocs",
    "frees",
    "span_allocs",
    "span_frees",
    "age_min",  # of spans in use, in GC cycles
    "age_median",
    "age_max",
    "age_sum",
    "tail_bytes",
    "metadata_bytes",
    "unused_bytes",  # free slots and dead, unswept ones
    "internal_bytes",  # class rounding and headers of live objects (of tiny blocks: the waste in them)
)
"""One row per span class that was ever used (golang/go#11890)."""


class Place(IntEnum):
    """Where a heap span is."""

    MCACHE = 0
    PARTIAL_SWEPT = 1
    FULL_SWEPT = 2
    PARTIAL_UNSWEPT = 3
    FULL_UNSWEPT = 4
    LARGE = 5


SPAN = table("start_addr", "npages", "spc", "elem_size", "nelems", "used", "live", "age", "place", "pin_type")
"""One row per heap span in use; `pin_type` is the type id of its first live object, by address (0 unknown, -1 none)."""

NEARLY_EMPTY = 0.1
"""A span of small objects is nearly empty if at most this share of its slots is live, and at least one."""


def nearly_empty(spans: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which SPAN rows are of nearly empty spans, shape (n,)."""
    live, slots = spans["live"], spans["nelems"]
    found: NDArray[np.bool_] = (spans["place"] != Place.LARGE) & (live > 0) & (live <= NEARLY_EMPTY * slots)
    return found


MCACHE = table(
    "p",
    "refills",
    "flushes",
    "tiny_allocs",
    "cached_spans",
    "cached_free_bytes",
    "page_cache_pages",
    "stack_cache_bytes",
)
"""One row per P."""

CENTRAL = table(
    "spc",
    "partial_swept",  # spans in each set now
    "full_swept",
    "partial_unswept",
    "full_unswept",
    "from_partial_swept",  # refills served, by source
    "from_partial_unswept",
    "from_full_unswept",
    "from_heap",
    "swept_for_refill",  # spans swept by refills of this class
)
"""One row per span class that was ever used."""

MARK = table(
    "spc",
    "elem_size",
    "objects",  # live when the last mark phase began
    "slot_bytes",
    "requested_bytes",
    "all_objects",  # and in all mark phases together
    "all_slot_bytes",
    "all_requested_bytes",
)
"""One row per span class in which a mark phase found anything."""

ARENA = table("start_addr", "pages", "inuse", "stacks", "free", "released")
"""One row per 64 MiB arena, in pages."""


@dataclass(frozen=True)
class External:
    """Free pages of the heap, page caches left out: how scattered they are."""

    free_pages: int = 0
    free_runs: int = 0
    largest_run: int = 0
    growths: int = 0
    blocked_growths: int = 0
    """Growths made although as many pages as were asked for were free, but not in one run."""
    run_histogram: tuple[int, ...] = ()
    """Number of free runs of length 1, 2..3, 4..7, ... pages."""


@dataclass(frozen=True)
class Large:
    """Objects that have a span of their own."""

    live_objects: int = 0
    live_bytes: int = 0
    rounding: int = 0
    allocs: int = 0
    frees: int = 0
    alloc_bytes: int = 0


@dataclass(frozen=True)
class Tiny:
    """The tiny allocator."""

    blocks: int = 0
    """Blocks ever opened by a request that is known to be tiny."""
    live_blocks: int = 0
    packed: int = 0
    """Requests that fitted in an open block: they took no slot."""
    live_waste: int = 0
    """Bytes of live blocks that no live or dead tiny object was given."""


@dataclass(frozen=True)
class Checkpoint:
    """runtime.MemStats at a named point: Go's own field names, BySize included."""

    name: str
    memstats: dict[str, object]


@dataclass(frozen=True)
class PinRow:
    """A type that holds nearly empty spans: the first live object of each is of it. All rows together are all such spans."""

    type_name: str
    spans: int
    span_bytes: int
    live_bytes: int
    """Of everything that lives in these spans."""


@dataclass(frozen=True)
class Outcome:
    """Everything that a replay found out."""

    trace_name: str
    header: Header
    design: Design
    design_name: str
    """"go1.27", or "go1.27 + page_cache=0" where knobs were set."""
    events: dict[str, int]
    """Number of events by kind, the kind's name in lower case."""
    hints: dict[str, int]
    """What was taken from the recording, and how often; empty where the model decided everything itself."""
    seconds: float
    """Time that the replay took, reading included."""
    names: list[str]
    samples: NDArray[np.void]
    """SAMPLE rows in order, the peak among them; the last is the end."""
    peak: NDArray[np.void]
    """One SAMPLE row: the last moment at which heap_inuse was at its highest."""
    memstats: dict[str, object]
    """runtime.MemStats at the end."""
    checkpoints: list[Checkpoint]
    classes: NDArray[np.void]
    spans: NDArray[np.void]
    pins: list[PinRow]
    """Most span bytes first."""
    mcaches: NDArray[np.void]
    central: NDArray[np.void]
    arenas: NDArray[np.void]
    external: External
    large: Large
    tiny: Tiny
    locks: dict[str, int]
    """Acquisitions of the heap lock by cause."""
    sweep: dict[str, int]
    """Spans swept, by who swept them."""
    marks: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, MARK))
    """MARK rows: objects with pointers are scanned, the others (odd span classes) are skipped."""
    notes: list[str] = field(default_factory=list)
    """What the reader must know about the figures, a sentence each."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Bad events that a lenient replay left out, by what is wrong with them."""
    lost: Lost = field(default_factory=Lost)
    """What is missing of the recording."""
    uncollected: bool = False
    """Objects died and no GC cycle found them, though nobody said that GC is off: the trace does not tell of GC."""
    pictures: Pictures | None = None
    """Samples and maps within caps, where they were asked for."""
