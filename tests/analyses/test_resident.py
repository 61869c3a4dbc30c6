"""The ranges of HeapReleased and of the resident memory, against what real programs had."""

from __future__ import annotations

import json
from functools import cache

import pytest

from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import GO_1_15, GO_1_16, GO_1_27, release
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.outcome import Outcome, Reason
from goalloc_cli.results.resident import heap_released, resident, total
from goalloc_cli.trace.event import BOUND, NOSCAN, Kind
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch
from tests.kit.root import ROOT
from tests.kit.story import events

MIB = 1 << 20
UNTOUCHED_RSS = {"start": 3_080_192, "ptr64": 3_276_800, "bytes64": 3_371_008, "end": 3_375_104}
"""Of a program that has 64 MiB of pointers and 64 MiB of bytes, and wrote none of them (golang/go#72991)."""


@cache
def recorded(path: str) -> Outcome:
    trace = open_trace(ROOT / path)
    return replay(trace, release(trace.header.go_version), design_name="x")


def told(text: str, design: Design) -> Outcome:
    """The replay of a story."""
    rows = [(*event, 0) for event in events(text)]
    return replay(Trace("story", Header(), iter([batch(rows, addr=False)])), design, design_name="x")


def rows_at_end(outcome: Outcome):
    return resident(outcome.samples[-1], outcome.design, 1, bool(outcome.hints))


def test_memory_that_was_never_touched_need_not_be_resident():
    outcome = recorded("tests/data/untouched-go1.27.trace")
    points = {
        outcome.names[int(row["name"])]: total(resident(row, outcome.design, 1, True))
        for row in outcome.samples
        if row["reason"] == Reason.CHECKPOINT
    }
    assert [name for name, rss in UNTOUCHED_RSS.items() if not points[name].low <= rss <= points[name].high] == []


def test_after_goroutines_have_ended_the_ranges_hold_what_the_program_had():
    """The stacks of 3,000 goroutines become free at once, and the scavenger gives some of that back (golang/go#75456)."""
    outcome = recorded("tests/data/calls-go1.27.trace.zst")
    had = {s["Point"]: s for s in json.loads((ROOT / "tests/data/calls-go1.27.json").read_text())["snaps"]}
    outside = []
    for row in outcome.samples[outcome.samples["reason"] == Reason.CHECKPOINT]:
        point = had[outcome.names[int(row["name"])]]
        released, rss = heap_released(row, outcome.design, 1, True), total(resident(row, outcome.design, 1, True))
        if not released.low <= point["M"]["HeapReleased"] <= released.high or not rss.low <= point["RSS"] <= rss.high:
            outside.append(point["Point"])
    assert (len(had), outside) == (7, [])


def test_a_large_object_in_memory_that_was_used_before_is_zeroed_and_so_touched():
    new, again = (
        rows_at_end(told(text, GO_1_27))["untouched"].low
        for text in ("alloc a 8388608 noscan", "alloc a 8388608 noscan; free a; gc!; alloc b 8388608 noscan")
    )
    assert new == -8 * MIB < again


def test_small_objects_are_taken_to_be_written():
    assert rows_at_end(told("alloc a 1024 noscan x 4096", GO_1_27))["untouched"].low > -64 * 1024


@pytest.mark.parametrize(("design", "kept"), [(GO_1_15, True), (GO_1_16, False)], ids=["1.15", "1.16"])
def test_memory_given_back_with_madv_free_may_be_resident_still(design, kept):
    outcome = told("alloc a 1048576 noscan x 32; free a; gc!; release", design)
    assert (total(rows_at_end(outcome)).high > 30 * MIB) == kept


def test_with_huge_pages_what_lies_beside_touched_memory_may_be_resident():
    plain, huge = (
        total(rows_at_end(told("alloc a 1024 noscan x 64", Design(huge_pages=on)))).high for on in (0, 1)
    )
    assert MIB < huge - plain <= 2 * MIB


def test_how_much_a_run_of_the_scavenger_brings_is_in_doubt():
    """One machine gave back 5 MiB in the millisecond in which another gives back 28 (tests of Go 1.27)."""
    outcome = told("alloc a 1048576 noscan x 64; alloc k 1048576 noscan; gc!; free a; gc!; time 1; gc!", GO_1_27)
    found = heap_released(outcome.samples[-1], outcome.design, 1, True)
    assert found.low < 5 * MIB < 28 * MIB < found.model < 60 * MIB < found.high


def test_after_free_os_memory_nothing_is_in_doubt_but_stray_pages():
    outcome = told("alloc a 1048576 noscan x 64; free a; gc!; time 1; gc!; release", GO_1_27)
    found = heap_released(outcome.samples[-1], outcome.design, 1, True)
    assert found.model - found.low == 64 * 8192


SNAPSHOT = [
    (Kind.SNAP_RANGE, 0, 512, 0xC000000000 >> 13, 0, 0),
    *(
        row
        for n, (npages, size, flags) in enumerate(
            [(128, MIB, NOSCAN), (17, 131_072, 0), (128, MIB, NOSCAN), (17, 131_072, 0)]
        )
        for row in (
            (Kind.SNAP_SPAN, 0xFFFF, npages, (0xC000000000 >> 13) + 130 * n, 1 if flags else 0, 0),
            (Kind.SNAP_OBJECT | BOUND | flags, 0, n, size, 0, 0),
        )
    ),
    (Kind.SNAP_END, 0, 0, 0, 0, 0),
]
"""A recording's start: the tracer's buffers, and nothing else."""


def test_what_the_tracer_holds_is_no_request_of_the_program():
    header = Header(hints=True, from_start=True, heap_base=0xC000000000)
    outcome = replay(Trace("x", header, iter([batch(SNAPSHOT, addr=False)])), GO_1_27, design_name="x")
    end = outcome.samples[-1]
    assert (int(end["tracer"]), int(end["requested"]), int(end["heap_inuse"])) == (2_375_680, 0, 2_375_680)


@pytest.mark.parametrize("sample", ["orders-go1.27", "orders-go1.25", "lru-go1.23", "trees-go1.24", "web-go1.27-p4"])
def test_every_sample_has_the_tracers_buffers(sample):
    outcome = recorded(f"traces/{sample}.msgpack")
    assert set(outcome.samples["tracer"].tolist()) == {2_359_296}
