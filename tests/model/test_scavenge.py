"""Memory given back: small stories of every generation of Go's scavenger (allocator.md 9), on both allocators."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import Pages, ScavengeIndex, Scavenger
from goalloc_cli.design.releases import (
    GO_1_10,
    GO_1_11,
    GO_1_12,
    GO_1_13,
    GO_1_14,
    GO_1_17,
    GO_1_18,
    GO_1_19,
    GO_1_20,
    GO_1_21,
    GO_1_22,
    GO_1_27,
    RELEASES,
)
from tests.kit.runners import IMPLEMENTATIONS

MIB = 1 << 20
PAGE = 8192
ALL = list(RELEASES.values())
BITMAPS = [d for d in ALL if d.pages == Pages.BITMAP]
PACED = [d for d in ALL if d.scavenger == Scavenger.PACED]

SHRINK = "alloc a 1048576 noscan x 64; alloc live 1048576 noscan x 8; gc!; free a; gc!"
"""72 MiB, of which a second cycle leaves 8."""
LATER = f"{SHRINK}; gc!; time 100"
"""A cycle after that, and time enough."""


def go(design: Design) -> str:
    """A design's release, for the name of a test."""
    return next(name for name, each in RELEASES.items() if each is design)


def for_releases(designs: list[Design]):
    return pytest.mark.parametrize("design", designs, ids=go)


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda runner: runner.name)
def run(request):
    """The heap after `run(text, design)`, of each implementation."""
    return lambda text, design: request.param.run(text, design).heap


def idle(heap) -> int:
    return heap.heap_sys - heap.heap_inuse


def retained(heap) -> int:
    return heap.heap_sys - heap.heap_released


# debug.FreeOSMemory.


@for_releases([d for d in ALL if not d.page_cache])
def test_free_os_memory_gives_every_idle_page_back(run, design):
    heap = run(f"{SHRINK}; release", design)
    assert heap.heap_released == idle(heap) > 60 * MIB


@for_releases(BITMAPS)
def test_it_leaves_what_sits_in_page_caches(run, design):
    heap = run("alloc b 8192 noscan; alloc a 8192 noscan x 70; free a; gc!; alloc c 8192 noscan; gc!; release", design)
    _first, free, released = heap.page_cache(0)
    assert idle(heap) - heap.heap_released == (free & ~released).bit_count() * PAGE


@for_releases([d for d in ALL if d.pages != Pages.LISTS_AND_TREAP])
def test_released_pages_that_are_used_again_are_backed_again(run, design):
    before = run(f"{SHRINK}; release", design)
    after = run(f"{SHRINK}; release; alloc b 1048576 noscan", design)
    assert before.heap_released - after.heap_released == MIB


def test_until_1_11_the_whole_run_is_backed_again(run):
    text = "alloc a 1048576 noscan x 4; alloc k 8192 noscan; free a; gc!; release"
    before, after = (run(each, GO_1_11).heap_released for each in (text, f"{text}; alloc b 1048576 noscan"))
    assert before - after == 4 * MIB


# Before Go 1.13: what was idle for five minutes.


@for_releases([GO_1_10, GO_1_11, GO_1_12])
@pytest.mark.parametrize(("seconds", "given_back"), [(100, False), (290, False), (460, True)])
def test_runs_idle_for_five_minutes_go_back_at_a_check_every_two_and_a_half(run, design, seconds, given_back):
    heap = run(f"time 10; {SHRINK}; time {seconds}", design)
    assert (heap.heap_released > 60 * MIB) == given_back


@for_releases([GO_1_10, GO_1_11, GO_1_12])
def test_without_times_nothing_goes_back_by_itself(run, design):
    growth_only = 8 * MIB
    assert run(SHRINK, design).heap_released <= growth_only


def test_a_run_that_a_page_was_freed_in_is_young_again(run):
    text = "alloc a 1048576 noscan x 4; alloc k 8192 noscan; free a0 a1 a2; gc!; time 200; free a3; gc!; time 310"
    assert run(text, GO_1_11).heap_released == run(f"{text}; time 440", GO_1_11).heap_released


# Growth.


def test_in_1_12_a_growth_releases_the_longest_runs_as_far_as_it_grows(run):
    text = "alloc a 10485760 noscan x 6; alloc b 1048576 noscan; free a1 a3; gc!; alloc c 20971520 noscan x 2"
    assert run(text, GO_1_12).released_by[1] >= 20 * MIB


HOLE = "alloc a 1048576 noscan x 12; gc!; free a0..a3; gc!; gc!"
"""A hole of 4 MiB, above the goal."""


@for_releases(PACED)
@pytest.mark.parametrize(("grown", "released"), [(5 * MIB, 4 * MIB), (4 * MIB, 0)])
def test_a_growth_above_the_goal_releases_what_it_could_not_use(run, design, grown, released):
    heap = run(f"{HOLE}; alloc b {grown} noscan", replace(design, scavenger=Scavenger.NONE))
    assert heap.released_by[1] == pytest.approx(released, abs=MIB // 2)


# The paced scavenger.


@for_releases(PACED)
def test_it_comes_down_to_the_goal(run, design):
    heap = run(LATER, design)
    assert heap.heap_inuse <= retained(heap) < heap.heap_inuse * 1.4 + MIB


@for_releases(PACED)
def test_the_goal_is_the_last_heap_in_use_scaled_and_a_tenth(run, design):
    heap = run(SHRINK, design)
    assert heap.retained_goal == pytest.approx(72 * MIB * 8 / 72 * 1.1, rel=0.15)


@for_releases(PACED)
def test_it_gives_nothing_back_before_a_cycle_has_ended(run, design):
    heap = run("alloc a 1048576 noscan x 8; time 100", design)
    assert heap.released_by[0] == 0


@for_releases(PACED)
def test_at_no_percent_of_the_cpu_it_never_wakes_by_itself(run, design):
    design = replace(design, scavenge_percent=0, scavenge_bytes_per_ms=MIB)
    assert run(f"{SHRINK}; time 1", design).released_by[0] == run(f"{SHRINK}; time 100", design).released_by[0]


def test_a_chunk_that_was_dense_is_left_alone_for_a_cycle(run):
    assert run(SHRINK, GO_1_27).released_by[0] == 0
    assert run(f"{SHRINK}; gc!", GO_1_27).released_by[0] > 0


@for_releases([GO_1_13, GO_1_14, GO_1_17, GO_1_18, GO_1_19, GO_1_20])
def test_before_1_21_it_was_not(run, design):
    assert run(f"{SHRINK}; time 1", design).released_by[0] > 0


@pytest.mark.parametrize(("cycles", "pages"), [("", 0), ("; gc!", 1), ("; gc!; gc!", 2)])
def test_in_1_13_each_cycle_above_the_goal_ends_with_a_page_released(run, cycles, pages):
    """Its pace is set before the sweep, when what died is not free yet."""
    assert run(f"{SHRINK}{cycles}", replace(GO_1_13, huge_page_bytes=0)).released_by[0] == pages * PAGE


def test_its_first_sleep_is_a_thousand_times_its_work(run):
    a_run = f"{SHRINK}; gc!"
    design = replace(GO_1_27, scavenge_bytes_per_ms=4 * MIB, huge_page_bytes=0)
    given = [run(f"{a_run}; time {seconds}", design).released_by[0] for seconds in (0, 0.9, 1.1)]
    assert (given[1] - given[0], given[2] - given[1]) == (0, 4 * MIB)


@for_releases([GO_1_14, GO_1_17])
def test_until_1_17_it_takes_one_percent_of_one_cpu(run, design):
    design = replace(design, scavenge_bytes_per_ms=MIB, huge_page_bytes=0)
    given = [run(f"{SHRINK}; time {seconds}", design).released_by[0] for seconds in (1, 2)]
    assert given[1] - given[0] == pytest.approx(10 * MIB, rel=0.01)


# Which pages.


@for_releases(BITMAPS)
def test_the_highest_pages_go_first(run, design):
    """The lowest free pages are backed still, so that what is used next costs nothing."""
    freed = "alloc a 1048576 noscan x 64; alloc live 1048576 noscan; free a; gc!; gc!"
    design = replace(design, retain_percent=1000, scavenge_controller=1)
    before, after = (run(text, design).heap_released for text in (freed, f"{freed}; alloc b 1048576 noscan"))
    assert before == after


@for_releases(BITMAPS)
def test_no_huge_page_is_broken(run, design):
    """The goal would be met in the middle of one."""
    heap = run(LATER, replace(design, huge_page_bytes=4 * MIB, scavenge_bytes_per_ms=64 * MIB))
    assert heap.released_by[0] % (4 * MIB) == 0 or retained(heap) < 12 * MIB


def test_a_cursor_that_was_raised_waits_for_something_to_be_found(run):
    """The heap grows once while nothing is free, and looks in vain; what is freed then, the next growth finds."""
    design = replace(GO_1_27, scavenger=Scavenger.NONE, retain_percent=0)
    full = "alloc a 1048576 noscan x 12; gc!; free a; gc!; gc!; stack s 1048576 x 12; alloc c 1048576 noscan x 4"
    heap = run(f"{full}; unstack s; alloc d 33554432 noscan", design)
    assert heap.released_by[1] == 12 * MIB


# The memory limit.


LIMITED = 12 * MIB


@for_releases([GO_1_19, GO_1_21, GO_1_22, GO_1_27])
def test_an_allocation_over_the_memory_limit_gives_back_first(run, design):
    text = "alloc a 1048576 noscan x 8; alloc k 8192 noscan; free a; gc!; alloc b 2097152 noscan x 3"
    heap = run(text, replace(design, memory_limit=design.other_bytes + design.arena_metadata_bytes + LIMITED, gogc=-1))
    assert retained(heap) <= LIMITED


def test_only_since_1_22_does_the_background_scavenger_keep_away_from_it(run):
    text = "alloc a 1048576 noscan x 8; alloc live 1048576 noscan; free a; gc!; gc!; gc!; time 9"

    def near_its_limit(design: Design) -> Design:
        limit = design.other_bytes + design.arena_metadata_bytes + 9 * MIB + MIB // 4
        return replace(design, memory_limit=limit, gogc=-1, retain_percent=1000)

    assert run(text, near_its_limit(GO_1_21)).released_by[0] == 0
    assert run(text, near_its_limit(GO_1_22)).released_by[0] > 0


@pytest.mark.parametrize(("design", "headroom"), [(GO_1_20, 100), (GO_1_21, 3)], ids=["1.20", "1.21"])
def test_the_heap_goal_keeps_away_from_the_limit(run, design, headroom):
    """1 MiB until Go 1.20, and 3 % since (allocator-corrections.md, 8.2)."""
    limited = replace(design, memory_limit=1000 * MIB, gogc=-1)
    goal = 1000 * MIB - design.other_bytes
    kept = goal - run("", limited).next_gc
    assert kept == pytest.approx(MIB if headroom == 100 else goal * 3 / 100, abs=64 << 10)


# What cannot be.


@pytest.mark.parametrize("index", ScavengeIndex)
def test_every_index_finds_every_page_when_all_is_to_go(run, index):
    heap = run(f"{SHRINK}; release", replace(GO_1_27, scavenge_index=index, page_cache=0))
    assert heap.heap_released == idle(heap)


@for_releases(ALL)
def test_what_is_released_whole_has_nothing_more_to_give(run, design):
    told = "alloc a 1000000 noscan; free a; gc!; release"
    assert run(f"{told}; release", design).released_by == run(told, design).released_by
