"""Cycles that the model's own pacer starts and ends: against the twin, and as stories."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goalloc_cli.design.memory import NO_LIMIT
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.results.pacing import BEST, EARLY, Case
from goalloc_cli.trace.event import NOSCAN, Kind
from tests.kit.kernels import Kernels
from tests.kit.pacing import OBJECT, Cycle, cycles, program
from tests.kit.strategies import MAX_PROCS, designs, long_traces, traces
from tests.twin import Naive

COUNTERS = ("heap_inuse", "heap_live", "heap_alloc", "frees", "heap_released", "pages_swept", "next_gc", "trigger")

SHARES = st.sampled_from(
    [
        (1.0, 0.0, 0, 0.0, 0), (0.0, 0.0, 0, 0.0, 0), (0.0, 1.0, 0, 0.0, 0), (0.8, 0.9, 0, 0.0, 0), (0.0, 1.3, 0, 0.0, 0),
        (0.7, 0.0, 50_000, 0.0, 0), (0.0, 0.0, 0, 1.1, 0), (0.0, 0.5, 0, 0.0, 1_000_000),
    ]
)  # fmt: skip
"""How far from what is marked to the goal a cycle starts and ends: as late and as short as can be, early, long; the bytes
that marking takes, how often the goal it reaches, and its nanoseconds."""


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


STEADY = [1500] * 12_000
"""6 MiB live, and 48 MiB allocated."""
PROGRAMS = {
    "steady": STEADY,
    "a step up": [1500] * 6_000 + [4000] * 14_000,
    "a step down": [4000] * 10_000 + [1200] * 10_000,
    "jitter": [1500 + (step * 7919) % 400 for step in range(14_000)],
    "waves": [1500 + abs(step % 4_000 - 2_000) // 2 for step in range(20_000)],
    "slow growth": [1000 + step // 5 for step in range(16_000)],
    "exponential growth": [int(500 * 1.0002**step) for step in range(14_000)],
    "one burst": [1500] * 6_000 + [3500] * 3_000 + [1500] * 8_000,
}
"""Objects of 4 KiB alive at each allocation. The scenarios by which Go's pacer was designed have the same names
(golang/proposal, 44167)."""
LATER = ("1.19", "1.21", "1.24", "1.27")


@cache
def told(name: str, release: str, gogc: int, case: Case, limit: int = NO_LIMIT) -> list[Cycle]:
    design = replace(RELEASES[release], gogc=gogc, memory_limit=limit)
    return cycles(program(PROGRAMS[name]), design, case)


@pytest.mark.parametrize("release", LATER)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_cycle_that_takes_nothing_never_passes_the_goal(name: str, release: str) -> None:
    span = 16 << 10  # a refill counts a whole span
    assert [c for c in told(name, release, 100, BEST) if c.ended > c.goal + span] == []


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("gogc", [50, 100, 200])
def test_the_goal_is_gogc_per_cent_above_the_marked_heap(name: str, gogc: int) -> None:
    """And what stacks and globals add."""
    least, beside = (4 << 20) * gogc // 100, 154_770
    for c in told(name, "1.27", gogc, BEST):
        by_gogc = max(c.marked + (c.marked + beside) * gogc // 100, least)
        assert c.goal in (by_gogc, c.marked + (1 << 20))


@pytest.mark.parametrize("release", LATER)
def test_a_steady_program_collects_as_often_as_gogc_says(release: str) -> None:
    """Between two cycles it allocates what lives, at GOGC=100, and starts at 61/64 of the way."""
    marked = 1500 * OBJECT
    found = told("steady", release, 100, BEST)
    assert len(found) == pytest.approx(len(STEADY) * OBJECT / (marked * 61 / 64), abs=2)


def test_twice_the_gogc_is_half_the_collections() -> None:
    one, two = (len(told("steady", "1.27", gogc, BEST)) for gogc in (50, 100))
    assert one == pytest.approx(2 * two, abs=2)


@pytest.mark.parametrize(("case", "share"), [(BEST, 61 / 64), (EARLY, 45 / 64), (Case("between", 0.8, 0.0), 0.8)])
def test_a_cycle_starts_where_its_case_says(case: Case, share: float) -> None:
    settled = told("steady", "1.27", 100, case)[3:]
    assert [c for c in settled if abs((c.began - c.marked) / (c.goal - c.marked) - share) > 0.02] == []


def test_marking_that_lasts_until_the_goal_keeps_what_died_meanwhile() -> None:
    """What is born while it marks survives: fewer collections, of a larger heap."""
    black, early = (told("steady", "1.27", 100, case) for case in (Case("until the goal", 0.0, 1.0), EARLY))
    assert len(black) < len(early)
    assert max(c.marked for c in black) > 1.2 * max(c.marked for c in early)


def test_marking_may_pass_the_goal_by_what_its_case_says() -> None:
    found = told("steady", "1.27", 100, Case("past", 0.0, 0.0, end_goals=1.1))
    assert [c for c in found if not 1.1 * c.goal <= c.ended <= 1.1 * c.goal + 2 * OBJECT * 8] == []


@pytest.mark.parametrize("name", ["a step up", "a step down", "one burst"])
def test_two_cycles_after_a_step_the_goal_is_what_it_will_be(name: str) -> None:
    found = told(name, "1.27", 100, BEST)
    last = [c.goal for c in found[-2:]]
    assert max(last) / min(last) < 1.05


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("release", LATER)
def test_under_a_limit_the_runtime_stays_below_it(name: str, release: str) -> None:
    """GOGC=off; the limit is half above what lives at most. Until Go 1.19 other records took more."""
    limit = 3 * max(PROGRAMS[name]) * OBJECT // 2 + RELEASES[release].other_bytes + RELEASES[release].arena_metadata_bytes
    found = told(name, release, -1, BEST, limit)
    assert found
    assert max(c.mapped for c in found) <= limit


def test_without_gogc_and_limit_nothing_is_collected() -> None:
    assert told("steady", "1.27", -1, BEST) == []


@pytest.mark.parametrize("release", ["1.14", "1.16", "1.17"])
def test_where_marking_ends_in_time_the_ratio_goes_to_its_bound(release: str) -> None:
    """Until Go 1.17 feedback moves the trigger, from 7/8 to 95 % of the way."""
    last = told("steady", release, 100, Case("until the goal", 0.0, 1.0))[-1]
    assert (last.began - last.marked) / (last.goal - last.marked) == pytest.approx(0.95, abs=0.01)


LATE_AND_SHORT = (1.0, 0.0, 0, 0.0, 0)


def story(*events: tuple[int, int, int, int, int], shares: tuple[float, float, int, float, int] = LATE_AND_SHORT) -> Kernels:
    """A heap with a pacer of its own, after these events."""
    kernels = Kernels(RELEASES["1.27"], 1, shares)
    for event in events:
        kernels.apply(*event)
    return kernels


def large(handle: int) -> tuple[int, int, int, int, int]:
    """P0 alloc of 1 MiB without pointers."""
    return (Kind.ALLOC | NOSCAN, 0, handle, 1 << 20, 0)


def test_the_first_cycle_starts_behind_the_allocation_that_reaches_the_trigger() -> None:
    """At 3,997,696 bytes: the fourth MiB."""
    assert int(story(*map(large, range(3))).heap.gc.cycle) == 0
    assert int(story(*map(large, range(4))).heap.gc.cycle) == 1


def test_what_triggers_a_cycle_survives_it() -> None:
    assert int(story(*map(large, range(4))).heap.gc.heap_marked) == 4 << 20


def test_the_program_may_ask_for_a_cycle_while_one_marks() -> None:
    """Then that one ends, and nobody but the program ends the new one."""
    marking = [*map(large, range(4)), (Kind.GC_START, 0, 0, 0, 1), *map(large, range(4, 20))]
    kernels = story(*marking, shares=(0.0, 1.0, 0, 0.0, 0))
    assert (int(kernels.heap.gc.cycle), int(kernels.heap.gc.marking)) == (2, 1)
    kernels.apply(Kind.GC_END, 0, 0, 0, 1)
    assert int(kernels.heap.gc.marking) == 0


@pytest.mark.parametrize(("gogc", "cycles_then"), [(100, 2), (-1, 1)])
def test_two_minutes_after_the_last_cycle_there_is_another_unless_gogc_is_off(gogc: int, cycles_then: int) -> None:
    kernels = story(*map(large, range(4)), (Kind.SET_GOGC, 0, 0, max(gogc, 0), int(gogc < 0)))
    kernels.apply(Kind.TIME, 0, 0, 121 * 10**9, 0)
    kernels.apply(Kind.ALLOC | NOSCAN, 0, 99, 64, 0)
    assert int(kernels.heap.gc.cycle) == cycles_then


def test_the_goal_is_64_kib_above_where_marking_began() -> None:
    """Here it began beyond its goal: one object took the heap there."""
    kernels = story((Kind.ALLOC | NOSCAN, 0, 0, 6 << 20, 0), shares=(0.0, 2.0, 0, 0.0, 0))
    assert int(kernels.heap.gc.goal) == (6 << 20) + (64 << 10)
