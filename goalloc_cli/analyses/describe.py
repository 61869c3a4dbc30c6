"""What a trace holds, without a replay: one pass, in memory bounded by its live objects and its types."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.births import (
    BEFORE_TRACE,
    CLOCK,
    CYCLE,
    CYCLES,
    SIZE,
    UNBORN,
    Births,
    Ints,
    bit_length,
    buckets,
)
from goalloc_cli.analyses.sites import SiteCounter
from goalloc_cli.results.description import Bucket, Cycle, Stacks, TraceStats, TypeRow
from goalloc_cli.trace.event import BOUND, KIND_MASK, NO_P, NOSCAN, Batch, Kind
from goalloc_cli.trace.trace import Trace

BUCKETS = 64
"""Powers of two: bucket b holds sizes in (2**(b-1), 2**b], and lifetimes in [2**(b-1), 2**b)."""
SMALL = 32768
"""Sizes up to this, the largest size class, are counted one by one."""


def describe(
    trace: Trace, progress: Callable[[int], None] | None = None, watch: Callable[[Batch], None] | None = None
) -> TraceStats:
    """Read the whole trace; tell what is in it. `progress` is told how many events have been read so far, `watch` gets each
    batch as well."""
    count = Counter()
    for batch in trace.batches:
        count.add(batch)
        if watch is not None:
            watch(batch)
        if progress is not None:
            progress(count.events)
    return count.result(trace)


def added(total: Ints, counts: NDArray[np.generic]) -> Ints:
    """`total` plus `counts`, made as long as the longer one."""
    if len(counts) > len(total):
        total = np.concatenate([total, np.zeros(len(counts) - len(total), np.int64)])
    total[: len(counts)] += counts.astype(np.int64)
    return total


class Counter:
    """Everything `describe` counts, batch by batch."""

    def __init__(self) -> None:
        self.events = 0
        self.kinds = np.zeros(KIND_MASK + 1, np.int64)
        self.procs = np.zeros(1, np.int64)
        self.time_ns = 0
        self.births = Births()
        self.stack_births = Births()
        self.clock = 0  # bytes allocated so far
        self.cycle = 0  # GC cycles so far
        self.clock_at_cycle = 0
        self.cycles: list[Cycle] = []
        self.live = self.live_bytes = 0
        self.peak_live = self.peak_live_bytes = self.peak_event = 0
        self.noscan = self.noscan_bytes = self.bound = self.bound_bytes = self.tiny_bytes = 0
        self.small = np.zeros(SMALL + 1, np.int64)
        self.large = np.zeros(BUCKETS, np.int64)
        self.large_bytes = np.zeros(BUCKETS, np.int64)
        self.size_max = 0
        self.by_cycles = np.zeros((2, CYCLES + 1), np.int64)
        self.by_bytes = np.zeros((2, BUCKETS), np.int64)
        self.unknown_age = 0
        self.type_names = [""]
        self.type_allocs = np.zeros(1, np.int64)
        self.type_bytes = np.zeros(1, np.int64)
        self.stacks = self.stack_bytes = self.peak_stacks = self.peak_stack_bytes = 0
        self.stack_sizes: dict[int, int] = {}
        self.sites = SiteCounter()

    def add(self, batch: Batch) -> None:
        kind = batch.kind & np.uint8(KIND_MASK)
        counts = np.bincount(kind, minlength=KIND_MASK + 1)
        self.kinds += counts
        self.type_names += [t.name for t in batch.new_types]
        self.sites.add(batch)
        size = batch.size
        is_alloc = kind == Kind.ALLOC
        allocs = np.flatnonzero(is_alloc)
        tiny = kind == Kind.TINY
        clock = np.cumsum(size * (is_alloc | tiny)) + self.clock
        cycle = self.cycle_column(kind, counts)

        self.add_sizes(batch, allocs)
        if counts[Kind.TINY]:
            self.tiny_bytes += int(size[tiny].sum())
        live, live_bytes = self.add_objects(batch, kind, counts, is_alloc, clock, cycle)
        self.add_procs(batch, kind)
        self.add_stacks(batch, kind, counts)
        self.add_cycles(batch, kind, counts, clock, live, live_bytes)
        if len(kind):
            self.clock, self.live, self.live_bytes = int(clock[-1]), int(live[-1]), int(live_bytes[-1])
            self.cycle += int(counts[Kind.GC_END])
        self.events += len(batch)

    def cycle_column(self, kind: NDArray[np.uint8], counts: NDArray[np.intp]) -> Ints:
        """The number of GC cycles before each event; BEFORE_TRACE for objects of the snapshot."""
        cycle = np.full(len(kind), self.cycle, np.int64)
        if counts[Kind.GC_END]:
            cycle += np.cumsum(kind == Kind.GC_END)
        if counts[Kind.SNAP_OBJECT]:
            cycle[kind == Kind.SNAP_OBJECT] = BEFORE_TRACE
        return cycle

    def add_sizes(self, batch: Batch, allocs: NDArray[np.intp]) -> None:
        flags, size, types = batch.kind[allocs], batch.size[allocs], batch.arg[allocs]
        if not len(allocs):
            return
        self.small += np.bincount(np.minimum(size, SMALL + 1), minlength=SMALL + 2)[: SMALL + 1]
        large = size[size > SMALL]
        if len(large):
            bucket = bit_length(large - 1)
            self.large += np.bincount(bucket, minlength=BUCKETS)
            np.add.at(self.large_bytes, bucket, large)
        self.size_max = max(self.size_max, int(size.max()))
        self.type_allocs = added(self.type_allocs, np.bincount(types))
        self.type_bytes = added(self.type_bytes, np.bincount(types, weights=size))
        noscan = (flags & NOSCAN) != 0
        self.noscan += int(np.count_nonzero(noscan))
        self.noscan_bytes += int(size @ noscan)
        bound = flags >= BOUND
        if bound.any():
            self.bound += int(np.count_nonzero(bound))
            self.bound_bytes += int(size @ bound)

    def add_objects(
        self,
        batch: Batch,
        kind: NDArray[np.uint8],
        counts: NDArray[np.intp],
        is_alloc: NDArray[np.bool_],
        clock: Ints,
        cycle: Ints,
    ) -> tuple[Ints, Ints]:
        """Count lifetimes; return the number and the bytes of live objects after each event."""
        is_death = kind == Kind.FREE
        is_birth = is_alloc
        if counts[Kind.SNAP_OBJECT]:
            is_birth = is_alloc | (kind == Kind.SNAP_OBJECT)
        at = np.flatnonzero(is_birth | is_death)
        birth = np.stack([batch.size, clock, cycle], axis=1)
        died, born = self.births.follow(at, batch.id[at].astype(np.int64), is_death[at], birth)
        live, live_bytes = running(is_birth, batch.size, died, born)
        live += self.live
        live_bytes += self.live_bytes
        self.note_peak(live, live_bytes)

        aged = np.flatnonzero(born[:, CYCLE] >= 0)
        if len(aged) < len(died):
            self.unknown_age += len(died) - len(aged)
            died, born = died.take(aged), born.take(aged, axis=0)
        dead_bytes = born[:, SIZE].astype(np.float64)
        cycles = np.minimum(cycle.take(died) - born[:, CYCLE], CYCLES)
        self.by_cycles[0] += np.bincount(cycles, minlength=CYCLES + 1)
        self.by_cycles[1] += np.bincount(cycles, weights=dead_bytes, minlength=CYCLES + 1).astype(np.int64)
        bucket = bit_length(clock.take(died) - born[:, CLOCK])
        self.by_bytes[0] += np.bincount(bucket, minlength=BUCKETS)
        self.by_bytes[1] += np.bincount(bucket, weights=dead_bytes, minlength=BUCKETS).astype(np.int64)
        return live, live_bytes

    def note_peak(self, live: Ints, live_bytes: Ints) -> None:
        if not len(live_bytes):
            return
        top = int(live_bytes.argmax())
        if live_bytes[top] > self.peak_live_bytes:
            self.peak_live_bytes, self.peak_live = int(live_bytes[top]), int(live[top])
            self.peak_event = self.events + top + 1

    def add_procs(self, batch: Batch, kind: NDArray[np.uint8]) -> None:
        did = kind <= Kind.STACK_FREE  # FREE has no P
        self.procs = added(self.procs, np.bincount(batch.p[did]))

    def add_stacks(self, batch: Batch, kind: NDArray[np.uint8], counts: NDArray[np.intp]) -> None:
        if not counts[Kind.STACK_ALLOC] + counts[Kind.STACK_FREE] + counts[Kind.SNAP_STACK]:
            return
        is_birth = (kind == Kind.STACK_ALLOC) | (kind == Kind.SNAP_STACK)
        is_death = kind == Kind.STACK_FREE
        for size in batch.size[kind == Kind.STACK_ALLOC].tolist():
            self.stack_sizes[size] = self.stack_sizes.get(size, 0) + 1
        at = np.flatnonzero(is_birth | is_death)
        none = np.zeros(len(batch), np.int64)
        birth = np.stack([batch.size, none, none], axis=1)
        died, born = self.stack_births.follow(at, batch.id[at].astype(np.int64), is_death[at], birth)
        stacks, stack_bytes = running(is_birth, batch.size, died, born)
        stacks += self.stacks
        stack_bytes += self.stack_bytes
        top = int(stack_bytes.argmax())
        if stack_bytes[top] > self.peak_stack_bytes:
            self.peak_stack_bytes, self.peak_stacks = int(stack_bytes[top]), int(stacks[top])
        self.stacks, self.stack_bytes = int(stacks[-1]), int(stack_bytes[-1])

    def add_cycles(
        self,
        batch: Batch,
        kind: NDArray[np.uint8],
        counts: NDArray[np.intp],
        clock: Ints,
        live: Ints,
        live_bytes: Ints,
    ) -> None:
        if not counts[Kind.TIME] and not counts[Kind.GC_END]:
            return
        times = np.flatnonzero(kind == Kind.TIME)
        for at in np.flatnonzero(kind == Kind.GC_END):
            before = int(np.searchsorted(times, at))
            time_ns = int(batch.size[times[before - 1]]) if before else self.time_ns
            self.cycles.append(
                Cycle(
                    event=self.events + int(at) + 1,
                    time_ns=time_ns,
                    explicit=bool(batch.arg[at] == 1),
                    alloc_bytes=int(clock[at]) - self.clock_at_cycle,
                    live_objects=int(live[at]),
                    live_bytes=int(live_bytes[at]),
                )
            )
            self.clock_at_cycle = int(clock[at])
        if len(times):
            self.time_ns = int(batch.size[times[-1]])

    def result(self, trace: Trace) -> TraceStats:
        kinds = self.kinds
        return TraceStats(
            name=trace.name,
            header=trace.header,
            size_bytes=trace.size_bytes,
            events={k.name.lower(): int(kinds[k]) for k in Kind if kinds[k]},
            duration_ns=self.time_ns,
            events_by_p={int(p): int(self.procs[p]) for p in np.flatnonzero(self.procs[:NO_P])},
            objects_at_start=int(kinds[Kind.SNAP_OBJECT]),
            allocs=int(kinds[Kind.ALLOC]),
            alloc_bytes=int(self.type_bytes.sum()),
            noscan_allocs=self.noscan,
            noscan_bytes=self.noscan_bytes,
            bound_allocs=self.bound,
            bound_bytes=self.bound_bytes,
            tiny_packed=int(kinds[Kind.TINY]),
            tiny_packed_bytes=self.tiny_bytes,
            frees=int(kinds[Kind.FREE]),
            live_objects=self.live,
            live_bytes=self.live_bytes,
            peak_live_bytes=self.peak_live_bytes,
            peak_live_objects=self.peak_live,
            peak_event=self.peak_event,
            size_median=self.size_below(0.5),
            size_p99=self.size_below(0.99),
            size_max=self.size_max,
            sizes=self.size_buckets(),
            lifetimes_cycles=buckets(np.arange(CYCLES + 1), self.by_cycles),
            lifetimes_bytes=buckets(2.0 ** np.arange(BUCKETS), self.by_bytes),
            dead_of_unknown_age=self.unknown_age,
            types=self.type_rows(),
            stacks=Stacks(
                int(kinds[Kind.SNAP_STACK]),
                int(kinds[Kind.STACK_ALLOC]),
                int(kinds[Kind.STACK_FREE]),
                self.peak_stacks,
                self.peak_stack_bytes,
                dict(sorted(self.stack_sizes.items())),
            ),
            sites=self.sites.sites(),
            cycles=self.cycles,
        )

    def size_below(self, part: float) -> int:
        """The size that `part` of all allocations do not exceed; of large ones, the next power of two."""
        total = int(self.small.sum() + self.large.sum())
        reached = np.cumsum(np.concatenate([self.small, self.large]))
        at = int(np.searchsorted(reached, part * total))
        return at if at <= SMALL else min(2 ** (at - SMALL - 1), self.size_max)

    def size_buckets(self) -> list[Bucket]:
        sizes = np.arange(SMALL + 1)
        bucket = bit_length(np.maximum(sizes - 1, 0))
        objects, object_bytes = self.large.copy(), self.large_bytes.copy()
        np.add.at(objects, bucket, self.small)
        np.add.at(object_bytes, bucket, self.small * sizes)
        return buckets(2.0 ** np.arange(BUCKETS), np.stack([objects, object_bytes]))

    def type_rows(self) -> list[TypeRow]:
        order = np.argsort(-self.type_bytes, kind="stable")
        return [
            TypeRow(self.type_names[t], int(self.type_allocs[t]), int(self.type_bytes[t]))
            for t in order.tolist()
            if self.type_allocs[t]
        ]


def running(is_birth: NDArray[np.bool_], size: Ints, died: Ints, born: Ints) -> tuple[Ints, Ints]:
    """How many more are alive after each event than before the batch, and how many more bytes."""
    known = born[:, CYCLE] != UNBORN
    one = is_birth.astype(np.int8)
    one[died] = -known.view(np.int8)
    change = size * is_birth
    change[died] = -born[:, SIZE] * known
    return np.cumsum(one, dtype=np.int64), np.cumsum(change)
