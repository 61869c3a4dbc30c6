"""Cycles that the model's own pacer starts and ends: against the twin, and as stories."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goalloc_cli.design.releases import RELEASES
from goalloc_cli.trace.event import NOSCAN, Kind
from tests.kit.kernels import Kernels
from tests.kit.strategies import MAX_PROCS, designs, long_traces, traces
from tests.twin import Naive

COUNTERS = ("heap_inuse", "heap_live", "heap_alloc", "frees", "heap_released", "pages_swept", "next_gc", "trigger")

SHARES = st.sampled_from([(1.0, 0.0, 0), (0.0, 0.0, 0), (0.0, 1.0, 0), (0.8, 0.9, 0), (0.0, 1.3, 0), (0.7, 0.0, 50_000)])
"""How far from what is marked to the goal a cycle starts and ends: as late and as short as can be, early, long; and the
bytes that marking takes."""


@given(long_traces(), designs, SHARES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_with_a_pacer_of_its_own_every_address_is_the_naive_one(events, design, shares):
    design = replace(design, heap_minimum=1 << 18)
    naive, kernels = Naive(design, MAX_PROCS, shares), Kernels(design, MAX_PROCS, shares)
    for event in events:
        assert kernels.apply(*event) == naive.apply(*event)


@given(traces(), designs, SHARES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_with_a_pacer_of_its_own_every_counter_is_the_naive_one(events, design, shares):
    naive, kernels = Naive(design, MAX_PROCS, shares), Kernels(design, MAX_PROCS, shares)
    for event in events:
        naive.apply(*event)
        kernels.apply(*event)
        assert kernels.counters(COUNTERS) == {name: getattr(naive, name) for name in COUNTERS}
