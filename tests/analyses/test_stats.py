"""`describe`: what a trace holds, against a plain loop over its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalloc_cli.analyses.describe import describe
from goalloc_cli.report.documents.trace import trace_document
from goalloc_cli.report.forms.layout import Paper
from goalloc_cli.report.forms.render import to_csv, to_text
from goalloc_cli.report.reports import blocks
from goalloc_cli.results.description import TraceStats
from goalloc_cli.trace.event import BOUND, COLUMNS, NO_P, NOSCAN, Batch, Kind, TypeInfo
from goalloc_cli.trace.trace import Header, Trace
from tests.report.test_report_text import assert_golden

Event = tuple[int, int, int, int, int]
"""kind, p, id, size, arg"""

TYPES = ["net/http.Request", "[]uint8", "main.node"]


def alloc(handle: int, size: int, type_id: int = 0, p: int = 0, flags: int = 0) -> Event:
    return (Kind.ALLOC | flags, p, handle, size, type_id)


def free(handle: int) -> Event:
    return (Kind.FREE, NO_P, handle, 0, 0)


GC = (int(Kind.GC_END), 0, 0, 0, 0)


def time(ns: int) -> Event:
    return (Kind.TIME, NO_P, 0, ns, 0)


def described(*events: Event, batch: int = 1000, **header: object) -> TraceStats:
    made = Header(**header)  # type: ignore[arg-type]
    return describe(Trace("made up", made, batches(list(events), batch), 1234, len(events)))


def batches(events: list[Event], length: int) -> Iterator[Batch]:
    types = [TypeInfo(name, 8, 0) for name in TYPES]
    for start in range(0, len(events), length):
        columns = np.array(events[start : start + length], np.int64).T
        named = {n: c.astype(d) for (n, d), c in zip(COLUMNS.items(), columns, strict=False)}
        yield Batch(**named, new_types=types if not start else [])  # type: ignore[arg-type]


def test_a_lifetime_is_counted_in_the_cycles_that_ended_during_it() -> None:
    stats = described(alloc(1, 10), GC, GC, free(1))
    assert [(b.upto, b.objects, b.object_bytes) for b in stats.lifetimes_cycles] == [(2, 1, 10)]


def test_a_lifetime_is_counted_in_the_bytes_allocated_during_it() -> None:
    stats = described(alloc(1, 10), alloc(2, 100), free(1))
    assert [(b.upto, b.objects) for b in stats.lifetimes_bytes] == [(128, 1)]


def test_a_handle_used_again_is_another_object() -> None:
    stats = described(alloc(1, 10), free(1), alloc(1, 500), GC, free(1))
    assert [(b.upto, b.object_bytes) for b in stats.lifetimes_cycles] == [(0, 10), (1, 500)]


def test_the_peak_is_the_moment_of_most_live_bytes() -> None:
    stats = described(alloc(1, 10), alloc(2, 90), free(1), alloc(3, 5), free(2))
    assert (stats.peak_live_bytes, stats.peak_live_objects, stats.peak_event) == (100, 2, 2)


def test_an_object_of_the_snapshot_has_no_known_age() -> None:
    stats = described((Kind.SNAP_OBJECT, 17, 1, 64, 0), GC, free(1))
    assert (stats.dead_of_unknown_age, stats.lifetimes_cycles, stats.live_bytes) == (1, [], 0)


def test_the_slot_of_a_snapshot_object_is_not_taken_for_a_processor() -> None:
    assert described((Kind.SNAP_OBJECT, 17, 1, 64, 0), alloc(2, 8, p=3)).events_by_p == {3: 1}


def test_types_come_with_most_bytes_first() -> None:
    stats = described(alloc(1, 10, 1), alloc(2, 90, 2), alloc(3, 10, 1))
    assert [(t.name, t.allocs, t.alloc_bytes) for t in stats.types] == [
        ("[]uint8", 1, 90),
        ("net/http.Request", 2, 20),
    ]


def test_a_packed_tiny_request_counts_as_bytes_but_not_as_an_allocation() -> None:
    stats = described(alloc(1, 16, flags=NOSCAN), (Kind.TINY, 0, 1, 5, 0), alloc(2, 8), free(1))
    assert (stats.allocs, stats.tiny_packed_bytes, stats.lifetimes_bytes[0].upto) == (2, 5, 16)


def test_sizes_that_are_only_bounds_are_told_apart() -> None:
    stats = described(alloc(1, 48, flags=BOUND), alloc(2, 8))
    assert (stats.bound_allocs, stats.bound_bytes, stats.noscan_allocs) == (1, 48, 0)


def test_percentiles_of_sizes_are_exact_up_to_the_largest_class() -> None:
    stats = described(*(alloc(i, 24) for i in range(99)), alloc(99, 30_000))
    assert (stats.size_median, stats.size_p99, stats.size_max) == (24, 24, 30_000)


def test_a_cycle_knows_when_it_ended_and_what_was_allocated_before() -> None:
    stats = described(alloc(1, 10), time(700), GC, alloc(2, 30), (Kind.GC_END, 0, 0, 0, 1), time(900))
    assert [(c.time_ns, c.explicit, c.alloc_bytes, c.live_bytes) for c in stats.cycles] == [
        (700, False, 10, 10),
        (700, True, 30, 40),
    ]


def test_stacks_are_counted_at_their_peak() -> None:
    stats = described((Kind.STACK_ALLOC, 0, 1, 2048, 0), (Kind.STACK_ALLOC, 0, 2, 8192, 0), (Kind.STACK_FREE, 0, 1, 0, 0))
    assert (stats.stacks.peak, stats.stacks.peak_bytes, stats.stacks.by_size) == (
        2,
        10_240,
        {2048: 1, 8192: 1},
    )


def test_a_trace_without_events_can_be_described_and_shown() -> None:
    shown = to_text(blocks(trace_document(described()), ("all",)), Paper())
    assert "nothing to show" in shown


@st.composite
def programs(draw: st.DrawFn) -> list[Event]:
    """Allocations, deaths and cycles of at most four handles, in an order that makes sense."""
    alive: set[int] = set()
    events = []
    for _ in range(draw(st.integers(0, 40))):
        handle = draw(st.integers(0, 3))
        if draw(st.integers(0, 4)) == 0:
            events.append(GC)
        elif handle in alive:
            alive.remove(handle)
            events.append(free(handle))
        else:
            alive.add(handle)
            events.append(alloc(handle, draw(st.integers(0, 100_000))))
    return events


def plainly(events: list[Event]) -> tuple[Counter[int], Counter[int], int, int]:
    """Deaths by cycles and by bytes allocated (both as bit lengths or numbers), live bytes, their peak."""
    born: dict[int, tuple[int, int, int]] = {}
    by_cycles: Counter[int] = Counter()
    by_bytes: Counter[int] = Counter()
    clock = cycle = live = peak = 0
    for kind, _, handle, size, _ in events:
        if kind == Kind.GC_END:
            cycle += 1
        elif kind == Kind.ALLOC:
            clock += size
            live += size
            born[handle] = (size, clock, cycle)
        else:
            size, then, at = born.pop(handle)
            live -= size
            by_cycles[cycle - at] += 1
            by_bytes[1 << (clock - then).bit_length()] += 1
        peak = max(peak, live)
    return by_cycles, by_bytes, live, peak


@settings(max_examples=150, deadline=None)
@given(programs(), st.sampled_from([1, 2, 3, 7, 1000]))
def test_batches_of_any_length_give_what_a_plain_loop_gives(events: list[Event], length: int) -> None:
    stats = described(*events, batch=length)
    found = (
        Counter({b.upto: b.objects for b in stats.lifetimes_cycles if b.objects}),
        Counter({b.upto: b.objects for b in stats.lifetimes_bytes if b.objects}),
        stats.live_bytes,
        stats.peak_live_bytes,
    )
    assert found == plainly(events)


def web() -> TraceStats:
    """A trace as of a web server: seeded, so that it stays the same."""
    random = np.random.default_rng(7)
    events: list[Event] = [time(0), *((Kind.STACK_ALLOC, p, p, 2048 << p % 3, 0) for p in range(9))]
    for i in range(6000):
        size = int(random.choice([8, 24, 48, 96, 512, 4096, 70_000], p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.04, 0.01]))
        flags = (NOSCAN if i % 3 == 0 else 0) | (BOUND if i % 5 == 0 else 0)
        events.append(alloc(i, size, i % 4, i % 2, flags))
        if i % 11 == 0:
            events.append((Kind.TINY, 0, i, 4, 2))
        if i % 1000 == 999:
            dead = [j for j in range(i - 999, i) if j % 10] + ([i - 1990] if i > 2000 else [])
            events += [time(i * 1000), GC, *(free(j) for j in dead)]
    return described(*events, gomaxprocs=2, source="execution trace", sizes="slot", notes=("One batch was lost.",))


def test_the_description_reads_as_it_did() -> None:
    assert_golden("stats-80.txt", to_text(blocks(trace_document(web()), ()), Paper()))


def test_all_reports_on_a_trace_read_as_they_did() -> None:
    assert_golden("stats-all-120.txt", to_text(blocks(trace_document(web()), ("all",)), Paper(120)))


def test_the_description_in_csv_has_a_row_for_each_table_row() -> None:
    lines = to_csv(blocks(trace_document(web()), ("types",))).splitlines()
    assert len(lines) == 1 + 2 * 4


def test_a_document_holds_every_field_of_the_description() -> None:
    known = set(asdict(web())) - {"name", "header", "size_bytes"}
    assert known - set(trace_document(web())) == set()


@pytest.mark.parametrize("length", [1, 1000])
def test_progress_is_told_how_many_events_were_read(length: int) -> None:
    told: list[int] = []
    describe(Trace("x", Header(), batches([alloc(1, 8), free(1)], length)), told.append)
    assert told[-1] == 2


def test_reading_needs_no_more_than_the_handles_in_use() -> None:
    events = [event for _ in range(500) for event in (alloc(3, 8), free(3))]
    stats = described(*events, batch=100)
    assert (stats.allocs, stats.live_objects) == (500, 0)
