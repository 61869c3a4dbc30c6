"""The compiled model against its naive twin: after every event, every address, list and counter."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from goalloc_cli.design.releases import RELEASES
from goalloc_cli.trace.event import KIND_MASK, Kind
from tests.kit.kernels import Kernels
from tests.kit.strategies import MAX_PROCS, designs, long_traces, seeded, traces
from tests.twin import Naive

COUNTERS = (
    "heap_inuse",
    "heap_live",
    "heap_alloc",
    "heap_objects",
    "mallocs",
    "frees",
    "tiny_allocs",
    "stack_inuse",
    "workbufs",
    "heap_sys",
    "heap_released",
    "released_by",
    "retained_goal",
    "pages_in_use",
    "pages_swept",
    "growths",
    "next_gc",
    "trigger",
    "dead_unswept",
    "dead_unfound",
)


def counters(heap) -> dict[str, int]:
    """All of them; the kernels tell them at once."""
    if isinstance(heap, Kernels):
        return heap.counters(COUNTERS)
    return {name: getattr(heap, name) for name in COUNTERS}


def spans(naive: Naive) -> list[tuple[int, int, int, int, int, int]]:
    """The naive model's spans with the next free slot where the kernels show it too."""
    sweepgen = naive.heap.sweepgen
    out = []
    for s in naive.heap.spans:
        slot = s.next_free()
        slot = s.nelems if slot is None else slot
        out.append((s.addr, s.npages, s.spc, s.alloc_count, slot, s.sweepgen - sweepgen))
    return sorted(out)


def state(heap, all_spans) -> dict[str, object]:
    """All that there is to compare."""
    spcs = sorted({row[2] for row in all_spans})
    return {
        "spans": all_spans,
        "mcaches": [heap.mcache(p) for p in range(MAX_PROCS)],
        "tiny": [heap.tiny(p) for p in range(MAX_PROCS)],
        "page caches": [heap.page_cache(p) for p in range(MAX_PROCS)],
        "stack caches": [heap.stack_cache(p) for p in range(MAX_PROCS)],
        "central": {spc: heap.central(spc) for spc in spcs},
        "free pages": heap.free_pages(),
        "sweep stacks": heap.piles(),
    }


@given(long_traces(), designs)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_address_is_the_naive_one(events, design):
    naive, kernels = Naive(design, MAX_PROCS), Kernels(design, MAX_PROCS)
    for event in events:
        assert kernels.apply(*event) == naive.apply(*event)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("release", RELEASES)
def test_every_release_puts_every_object_where_the_naive_one_does(release, seed):
    design = RELEASES[release]
    naive, kernels = Naive(design, MAX_PROCS), Kernels(design, MAX_PROCS)
    for event in seeded(seed, 60):
        assert kernels.apply(*event) == naive.apply(*event)


@given(traces(), designs)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_counter_is_the_naive_one_after_every_event(events, design):
    naive, kernels = Naive(design, MAX_PROCS), Kernels(design, MAX_PROCS)
    for event in events:
        naive.apply(*event)
        kernels.apply(*event)
        assert counters(kernels) == counters(naive)


@given(long_traces(), designs)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_list_and_cache_is_the_naive_one_at_every_cycle(events, design):
    naive, kernels = Naive(design, MAX_PROCS), Kernels(design, MAX_PROCS)
    for event in events:
        naive.apply(*event)
        kernels.apply(*event)
        if event[0] & KIND_MASK in (Kind.GC_START, Kind.GC_END, Kind.FLUSH):
            assert state(kernels, kernels.spans()) == state(naive, spans(naive))
    assert state(kernels, kernels.spans()) == state(naive, spans(naive))
