"""Time passes for programs that sleep: in it the background sweeper works, and what was freed is given back."""

from __future__ import annotations

import pytest

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import GO_1_14, GO_1_27, RELEASES
from tests.kit.runners import IMPLEMENTATIONS

MIB = 1 << 20
ALL_DIE = "alloc a 1048576 noscan x 100; gc; free a; time 1; gc"


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda runner: runner.name)
def run(request):
    """The heap after `run(text, design)`, of each implementation."""
    return lambda text, design: request.param.run(text, design).heap


@pytest.mark.parametrize("release", RELEASES)
def test_a_program_that_sleeps_is_swept(run, release):
    assert run(f"{ALL_DIE}; time 2", RELEASES[release]).heap_inuse == 0


def test_what_is_told_between_two_times_takes_a_millisecond(run):
    swept, busy = (run(f"{ALL_DIE}; time {seconds}", GO_1_27).heap_inuse for seconds in (1.0016, 1.0009))
    assert swept == 0 < busy


def test_in_a_short_rest_only_some_spans_are_swept(run):
    slow = {"background_span_ns": 1_000_000, "background_turns": 1, "background_batch": 1}
    heap = run(f"{ALL_DIE}; time 1.011", Design(**slow))
    assert heap.heap_inuse == (100 - 1 - 10) * MIB


def test_what_a_rest_sweeps_goes_back_in_the_same_rest(run):
    """golang/go#33376: with Go 1.14 the memory of a burst is gone within the minute, not after the next collection."""
    heap = run("alloc k 1000 noscan x 100; alloc a 1048576 noscan x 60; gc!; free a; time 1; gc; time 61", GO_1_14)
    assert heap.heap_released > 58 * MIB


def test_marking_is_no_rest_for_the_sweeper(run):
    marked = "alloc a 1048576 noscan x 8; gc; free a; time 1; mark; time 2"
    assert run(marked, GO_1_27).heap_inuse == 8 * MIB


def test_a_design_without_a_background_sweeper_has_none_in_a_rest(run):
    assert run(f"{ALL_DIE}; time 2", Design(background_turns=0)).heap_inuse == 100 * MIB
