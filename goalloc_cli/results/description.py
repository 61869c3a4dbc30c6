"""What a trace holds, as `analyses.describe` found it."""

from __future__ import annotations

from dataclasses import dataclass

from goalloc_cli.trace.trace import Header


@dataclass(frozen=True)
class Site:
    """A line that allocates."""

    function: str
    file: str
    line: int
    allocs: int
    alloc_bytes: int


@dataclass(frozen=True)
class TypeRow:
    """What one type allocated."""

    name: str
    allocs: int
    alloc_bytes: int


@dataclass(frozen=True)
class Cycle:
    """The state at one mark termination."""

    event: int
    time_ns: int
    explicit: bool
    alloc_bytes: int
    """Allocated since the cycle before."""
    live_objects: int
    live_bytes: int


@dataclass(frozen=True)
class Bucket:
    """Objects with a value up to `upto` (a size) or below it (a lifetime)."""

    upto: int
    objects: int
    object_bytes: int


@dataclass(frozen=True)
class Lifetimes:
    """How long objects lived, as `analyses.pictures.born` counted it beside a replay."""

    cycles: list[Bucket]
    """By GC cycles that ended between birth and death; the last counts everything longer."""
    live_objects: int
    """At the end."""
    live_bytes: int
    dead_of_unknown_age: int
    """Objects that were there when the trace began and died in it."""


@dataclass(frozen=True)
class Stacks:
    """Goroutine stacks."""

    at_start: int
    allocs: int
    frees: int
    peak: int
    peak_bytes: int
    by_size: dict[int, int]
    """Allocations by size in bytes."""


@dataclass(frozen=True)
class TraceStats:
    """What `describe` found. Bytes are those of the trace's sizes: see `Header.sizes`."""

    name: str
    header: Header
    size_bytes: int | None
    events: dict[str, int]
    duration_ns: int
    events_by_p: dict[int, int]
    """Allocations and stack events by the P that did them."""
    objects_at_start: int
    allocs: int
    alloc_bytes: int
    noscan_allocs: int
    noscan_bytes: int
    bound_allocs: int
    """Allocations whose requested size is not known."""
    bound_bytes: int
    tiny_packed: int
    """Requests that were packed into an open tiny block: they are not in `allocs`."""
    tiny_packed_bytes: int
    frees: int
    live_objects: int
    """At the end."""
    live_bytes: int
    peak_live_bytes: int
    peak_live_objects: int
    """At the moment of `peak_live_bytes`."""
    peak_event: int
    size_median: int
    size_p99: int
    size_max: int
    sizes: list[Bucket]
    lifetimes_cycles: list[Bucket]
    """By GC cycles that ended between birth and death; the last counts everything longer."""
    lifetimes_bytes: list[Bucket]
    """By bytes allocated between birth and death."""
    dead_of_unknown_age: int
    """Objects that were there when the trace began and died in it."""
    types: list[TypeRow]
    """Every type that allocated, most bytes first; "" is the unknown type."""
    stacks: Stacks
    sites: list[Site]
    """Lines that allocated, most bytes first; empty where the trace has no stacks."""
    cycles: list[Cycle]
