"""Inputs that lie: the container is whole and its checksums are right. What it tells cannot be, and indexes no table."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable

import numpy as np
import pytest

from fuzz.doors import TRY
from goalloc_cli.analyses.examine import examine
from goalloc_cli.analyses.replay import replay
from goalloc_cli.analyses.verify.verify import verify
from goalloc_cli.design.releases import GO_1_27, RELEASES, release
from goalloc_cli.errors import ReplayError, TraceError
from goalloc_cli.importers.rows.read import read_jsonl
from goalloc_cli.model.books.survey import spans
from goalloc_cli.results.outcome import Outcome
from goalloc_cli.results.verdict import Verdict
from goalloc_cli.trace.event import NO_P, Batch, Kind
from goalloc_cli.trace.ranges import MAX_NS
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch
from tests.kit.kernels import Kernels

BASE = 0xC000000000
PAGE = BASE >> 13
RECORDED = Header(gomaxprocs=2, heap_base=BASE, hints=True, witnesses=True)
NOWHERE = 0x10000
ARENA = (Kind.SNAP_RANGE, NO_P, 8192, PAGE, 0, 0)
END = (Kind.SNAP_END, NO_P, 0, 0, 0, 0)

Row = tuple[int, int, int, int, int, int]
"""kind, p, id, size, arg, addr."""


def trace(rows: Iterable[Row], header: Header = RECORDED) -> Trace:
    return Trace("a", header, iter([batch(rows)]))


def replayed(rows: Iterable[Row], header: Header = RECORDED, version: str = "1.27") -> Outcome:
    return replay(trace(rows, header), release(version), design_name="")


def verified(rows: Iterable[Row], header: Header = RECORDED) -> Verdict:
    return verify(trace(rows, header), release("1.27"), design_name="")


def refused(rows: list[Row]) -> str:
    """What `check` says of events none of which is bad by itself."""
    return examine(trace(rows)).refused


# Stacks.


def test_a_stack_span_without_stacks_is_given_back() -> None:
    rows = (
        b'{"op":"header","hints":true,"heap_base":%d,"ids":"handles","gomaxprocs":1}\n'
        b'{"op":"snap_range","id":1024,"size":%d}\n{"op":"snap_stack_span","id":0,"size":%d,"arg":4}\n'
        b'{"op":"snap_end"}\n{"op":"manual_free","id":0}\n' % (BASE, PAGE, PAGE)
    )
    outcome = replay(read_jsonl(io.BytesIO(rows), "a"), release("1.27"), design_name="")
    assert outcome.samples[-1]["stack_inuse"] == 0


def test_stacks_in_a_span_that_is_given_back_are_nowhere_and_no_others() -> None:
    rows = [
        (Kind.MANUAL_ALLOC, 0, 0, 4, 0, 0),
        (Kind.STACK_ALLOC, 0, 5, 2048, 0, 0),
        (Kind.MANUAL_FREE, 0, 0, 0, 0, 0),
        (Kind.STACK_FREE, 0, 5, 0, 0, 0),
    ]
    assert replayed(rows).samples[-1]["stack_inuse"] == 0


def test_a_pool_cuts_no_span_of_another_length() -> None:
    stack = BASE + 8191 * 8192
    rows = [
        ARENA, (Kind.SNAP_STACK_SPAN, 0, 0, PAGE + 8191, 1, 0), END, (Kind.STACK_ALLOC, 0, 5, 2048, 0, stack),
    ]  # fmt: skip
    assert verified(rows).rows["stack"].right == 0


# Handles, and what is on the wrong side of the snapshot's end.

SPAN = (Kind.SNAP_SPAN, NO_P, 1, PAGE, 7, 0)
UNSWEPT = (Kind.SNAP_UNSWEPT, 0, 0, 0, 0, 0)
OBJECT = (Kind.SNAP_OBJECT, 0, 9, 24, 0, 0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ARENA, SPAN, OBJECT, (Kind.SNAP_OBJECT, 1, 9, 24, 0, 0)], "handle of a live object"),
        ([ARENA, SPAN, OBJECT, UNSWEPT, (Kind.SNAP_DEAD, 1, 9, 24, 0, 0)], "handle of a live object"),
        (
            [ARENA, (Kind.SNAP_STACK_SPAN, 0, 0, PAGE, 4, 0), *[(Kind.SNAP_STACK, 0, 3, 2048, at, 0) for at in (0, 1)]],
            "allocation of one that is",
        ),
        ([ARENA, *[(Kind.SNAP_STACK_SPAN, 0, 0, page, 4, 0) for page in (PAGE, PAGE + 4)]], "allocated twice"),
        ([(Kind.MANUAL_ALLOC, 0, 0, 4, 0, 0), (Kind.MANUAL_ALLOC, 0, 0, 4, 0, 0)], "allocated twice"),
        ([(Kind.MANUAL_ALLOC, 0, 0, 0, 0, 0)], "no pages"),
    ],
)
def test_a_handle_stands_for_one_thing_at_a_time(rows: list[Row], said: str) -> None:
    with pytest.raises(TraceError, match=rf"^a: event {len(rows) - 1} .*{said}"):
        replayed(rows)
    assert examine(trace(rows)).total == 1


@pytest.mark.parametrize("done", [replayed, verified])
def test_the_program_begins_when_the_snapshot_is_complete(done: object) -> None:
    rows = [ARENA, SPAN, OBJECT, (Kind.ALLOC, 0, 1, 24, 0, 0)]
    with pytest.raises(ReplayError, match=r"event 3 .*before the snapshot of the heap is complete"):
        done(rows)  # type: ignore[operator]
    assert "event 3 " in refused(rows)


def test_ranges_of_the_snapshot_follow_each_other() -> None:
    rows = [ARENA, (Kind.SNAP_RANGE, NO_P, 8192, PAGE + 9000, 0, 0)]
    with pytest.raises(ReplayError, match=r"event 1 .*contradicts itself"):
        replayed(rows)
    assert "event 1 " in refused(rows)


def test_padding_is_refused_where_the_page_heap_has_none() -> None:
    with pytest.raises(ReplayError, match="contradicts itself"):
        replayed([ARENA, (Kind.SNAP_PADDING, NO_P, 4, PAGE, 0, 0)], version="1.12")


# Witnesses.


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ((Kind.ALLOC, 0, 1, 48, 0, NOWHERE), "below the heap"),
        ((Kind.ALLOC, 0, 1, 48, 0, BASE + (1 << 40)), "beyond the heap"),
        ((Kind.STACK_ALLOC, 0, 1, 2048, 0, NOWHERE), "below the heap"),
        ((Kind.MANUAL_ALLOC, 0, 1, 4, 0, NOWHERE), "below the heap"),
        ((Kind.SAW_SPAN_ALLOC, 0, 0, 1, 7, 0), "below the heap"),
        ((Kind.SAW_SPAN_FREE, 0, 0, 0, 0, NOWHERE), "below the heap"),
        ((Kind.SAW_SPAN_ALLOC, 0, 0, 1, 255, BASE), "class 255, which this release does not have"),
    ],
)
def test_what_was_seen_where_no_heap_is_is_refused_and_check_finds_it(event: Row, said: str) -> None:
    with pytest.raises(ReplayError, match=f"^a: event 0 .*{said}"):
        verified([event])
    assert said in refused([event])


def test_an_object_without_size_lies_outside_of_the_heap() -> None:
    assert verified([(Kind.ALLOC, 0, 1, 0, 0, NOWHERE)]).events == 1


def test_an_object_without_size_that_was_seen_somewhere_is_not_scored() -> None:
    """Found by fuzzing: its place, none, was an index."""
    assert verified([ARENA, END, (Kind.ALLOC, 0, 9, 0, 0, BASE)]).rows["free_running"].total == 0


def test_a_page_cache_of_no_p_is_refused() -> None:
    """Found by fuzzing: P 65535, which stands for none, was an index."""
    with pytest.raises(ReplayError, match=r"event 1 \(snap_page_cache"):
        replayed([ARENA, (Kind.SNAP_PAGE_CACHE, NO_P, 1, PAGE, 0, 0), END])


def test_two_objects_seen_in_one_slot_are_scored_and_only_one_is_kept() -> None:
    row = (Kind.ALLOC, 0, 1, 48, 0, BASE + 0x2000)
    frees = [(Kind.FREE, NO_P, 1, 0, 0, 0), (Kind.GC_START, 0, 0, 0, 0, 0), (Kind.GC_END, 0, 0, 0, 0, 0)]
    rows = [row, (Kind.ALLOC, 0, 2, 48, 0, BASE + 0x2000), *frees, *frees[1:], (Kind.FREE, NO_P, 2, 0, 0, 0)]
    assert verified(rows).rows["slot"].right < 2


def test_the_model_does_not_follow_a_span_beyond_its_pages() -> None:
    rows = [(Kind.ALLOC, 0, 1, 1 << 20, 0, BASE + (1 << 36) - 8192)]
    assert verified(rows).rows["page"].right == 0


def test_a_header_that_names_a_release_without_such_recordings_is_refused() -> None:
    with pytest.raises(TraceError, match="its header is wrong"):
        verify(trace([END]), release("1.12"), design_name="")


def test_a_header_that_promises_addresses_is_held_to_it() -> None:
    found = Trace("a", RECORDED, iter([batch([(Kind.ALLOC, 0, 1, 48, 0, 0)], addr=False)]))
    with pytest.raises(TraceError, match="from event 0 on there are none"):
        verify(found, release("1.27"), design_name="")


# Times.


@pytest.mark.parametrize("version", ["1.12", "1.15", "1.27"])
def test_the_latest_time_that_there_is_ends(version: str) -> None:
    rows = [(Kind.ALLOC, 0, 1, 1 << 20, 0, 0), (Kind.TIME, NO_P, 0, MAX_NS, 0, 0)]
    assert replayed(rows, Header(), version).samples[-1]["time_ns"] == MAX_NS


# All doors.


@pytest.mark.parametrize("kind", TRY)
def test_some_of_the_inputs_that_the_fuzzer_makes_end_in_an_answer_or_a_line(kind: str) -> None:
    for number in range(25):
        TRY[kind](random.Random(number))


def test_a_true_trace_is_good() -> None:
    rows = [ARENA, SPAN, OBJECT, END, (Kind.ALLOC, 0, 1, 24, 0, 0)]
    assert examine(trace(rows)).is_good


def test_the_releases_of_the_fuzzer_are_releases() -> None:
    from fuzz.lies import STATES

    assert set(STATES) <= set(RELEASES)


def test_columns_of_a_lie_are_those_of_events() -> None:
    from fuzz.lies import lying_trace
    from goalloc_cli.native.native import read_native

    found: list[Batch] = list(read_native(io.BytesIO(lying_trace(random.Random(3))), "a", lenient=True).batches)
    assert np.all(found[0].size >= 0)


def test_a_heap_that_counts_its_spans_wrong_is_surveyed_whole() -> None:
    """Found by fuzzing: two nodes of a saved state named one span, which was given back twice."""
    kernels = Kernels(GO_1_27, 1)
    for number, size in enumerate((24, 500, 40_000)):
        kernels.apply(Kind.ALLOC, 0, number, size, 0)
    kernels.heap.stats.spans = 1
    assert len(spans(kernels.heap)) == 3
