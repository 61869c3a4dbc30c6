"""Older forms of the lines of gctrace and of the scavenger."""

from __future__ import annotations

from goalloc_cli.importers.gctrace.cycles import MIB
from tests.kit.gctrace import numbered, read

# Older forms, typed after public threads: golang/go#13552 and #12228 (1.5), #12228 (1.4), and the sources of 1.2.

GO_1_5 = "gc 20460 @8457.750s 0%: 0.23+0+0.1+2.4+0.64 ms clock, 1.6+0+0.5+0.67/8.0/0+4.5 ms cpu, 4->4->0 MB, 5 MB goal, 16 P"
GO_1_4 = (
    "gc{n}(5): 0+10+1000+200 us, {before} -> {now} MB, 6236 (13752-7516) objects, 34 goroutines, 208/167/0 sweeps, "
    "0(0) handoff, 10(58) steal, 66/2/0 yields\n"
)


def test_go_1_5_prints_five_phases() -> None:
    [c] = read(GO_1_5).collections
    assert (c.number, c.pause_ns, c.mark_ns, c.stopped_cpu_ns, c.gc_cpu_ns, c.goal_bytes) == (
        20460, 870_000, 2_500_000, 6_600_000, 15_270_000, 5 * MIB,
    )  # fmt: skip


def test_in_go_1_5_the_world_stood_still_when_the_program_asked() -> None:
    [c] = read(GO_1_5 + " (forced)").collections
    assert (c.pause_ns, c.mark_ns) == (3_370_000, 0)


def test_go_1_4_tells_the_live_heap_of_the_cycle_before() -> None:
    text = read("".join(GO_1_4.format(n=n, before=n + 1, now=2 * n + 2) for n in (1, 2, 3)))
    assert [(c.start_bytes, c.live_bytes, c.pause_ns, c.start_ns) for c in text.collections] == [
        (4 * MIB, 3 * MIB, 1_210_000, None), (6 * MIB, 4 * MIB, 1_210_000, None), (8 * MIB, None, 1_210_000, None),
    ]  # fmt: skip


def test_go_1_2_tells_the_heap_before_and_after() -> None:
    line = "gc7(2): 1+2+0 ms, 12 -> 5 MB 9000 -> 4000 (19000-15000) objects, 0(0) handoff, 7(52) steal, 38/2/0 yields\n"
    [c] = read(line).collections
    assert (c.start_bytes, c.live_bytes, c.pause_ns) == (12 * MIB, 5 * MIB, 3_000_000)


def test_scvg_lines_keep_what_is_idle() -> None:
    found = read("scvg59: inuse: 16, idle: 1018, sys: 1035, released: 0, consumed: 1035 (MB)\n")
    assert (found.releases[0].idle_bytes, found.torn) == (1018 * MIB, 0)


def test_scvg_work_goes_with_the_line_behind_it() -> None:
    found = read("scvg1: 5 MB released\nscvg1: inuse: 426, idle: 17, sys: 444, released: 5, consumed: 439 (MB)\n")
    assert [r.background_bytes for r in found.releases] == [5 * MIB]


def test_a_cycle_that_was_due_for_time_is_told_from_others() -> None:
    text = numbered(1) + "GC forced\n" + numbered(2) + numbered(3)
    assert [c.periodic for c in read(text).collections] == [False, True, False]
