"""The naive model keeps its invariants, whatever a program does."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import GO_1_22, GO_1_27
from tests.kit.story import events
from tests.kit.strategies import MAX_PROCS, Event, designs, long_traces, traces
from tests.twin import Naive
from tests.twin.invariants import Watch

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TRACES = traces(max_moves=20) | long_traces(max_moves=40)


def watched(trace: list[Event], design: Design, nprocs: int = MAX_PROCS) -> Naive:
    """The heap after `trace`, its invariants checked after every event."""
    watch = Watch(Naive(design, nprocs))
    for event in trace:
        watch.apply(*event)
    return watch.naive


@few
@given(TRACES, designs)
def test_every_invariant_holds_after_every_event(trace: list[Event], design: Design) -> None:
    watched(trace, design)


@few
@given(TRACES)
def test_they_hold_with_other_knobs(trace: list[Event]) -> None:
    odd = replace(
        GO_1_22,
        tiny_size=32,
        span_budget=2,
        page_cache_limit=8,
        growth_pages=64,
        arena_pages=1024,
        heap_padding_pages=37,
        background_turns=0,
        reclaim_chunk_pages=64,
        gogc=25,
        gc_workbuf_spans=3,
    )
    watched(trace, odd)


@few
@given(TRACES)
def test_they_hold_without_a_page_cache_and_without_tiny_blocks(trace: list[Event]) -> None:
    watched(trace, replace(GO_1_27, page_cache=0, tiny_size=0, malloc_header=0, gogc=-1))


@few
@given(TRACES)
def test_what_is_live_when_all_is_swept_is_all_there_is(trace: list[Event]) -> None:
    heap = watched(trace, GO_1_27)
    for _ in range(2):
        heap.apply(*events("mark")[0])
        heap.apply(*events("sweep!")[0])
        heap.apply(*events("flush")[0])
    slots = {place for place in heap.heap.objects.values() if place is not None}
    assert heap.heap_objects == len(slots)


@few
@given(TRACES, designs)
def test_the_same_trace_gives_the_same_heap(trace: list[Event], design: Design) -> None:
    first, second = watched(trace, design), watched(trace, design)
    assert first.spans() == second.spans()
    assert first.free_pages() == second.free_pages()
