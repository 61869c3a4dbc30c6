"""The order of what several threads recorded, in small recordings written by hand.

A stamp is at least one tick after the one before it on its thread: `after=1` may stand for less.
"""

from __future__ import annotations

import io

import pytest

from fuzz.seeds import BASE, batch, event, strings, uvarint
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.read import read_exectrace
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.importers.exectrace.wire.scan import NO_M
from goalloc_cli.trace.event import KIND_MASK, Kind

WORDS = 3
"""Words of an object of the spans here: 24 bytes, without pointers."""
CLASS = 7 << 1
OLD, NEW = 1, 4
"""Pages of spans: one of the snapshot, full of objects, and another."""
OLD_OBJECTS = 300


def word(page: int, slot: int = 0) -> int:
    """What an event calls the object in a slot."""
    return page * 1024 + slot * WORDS


def addr(page: int, slot: int = 0) -> int:
    return BASE + word(page, slot) * 8


def begin(before: bytes = b"", last: bytes = b"") -> bytes:
    """The thread that starts the recording: what it does before, the snapshot and what is last in it, the end of the stop.

    It has P0, and starts at 100 ticks.
    """
    objects = b"".join(event(Ev.HEAP_OBJECT, word(OLD, slot), 1, after=1) for slot in range(OLD_OBJECTS))
    return b"".join(
        (
            event(Ev.PROC_STATUS, 0, 1),
            event(Ev.GO_STATUS, 1, 1, 2),
            event(Ev.PROCS_CHANGE, 2, 1),
            event(Ev.STW_BEGIN, 1, 1),
            before,
            event(Ev.SPAN, OLD, 1, CLASS),
            objects,
            last,
            event(Ev.HEAP_GOAL, 4 << 20, after=1),
            event(Ev.PROC_STATUS, 1, 2, after=1),
            event(Ev.PROCS_CHANGE, 2, 2, after=1),
            event(Ev.STW_END, after=1),
        )
    )


def frees(count: int) -> bytes:
    """So many frees of a sweep, which takes less than a tick for each: the first is stamped right, the last too late."""
    return b"".join(event(Ev.OBJECT_FREE, word(OLD, slot), after=50 if not slot else 1) for slot in range(count))


def allocated(first: bytes, second: bytes, second_from: int) -> list[int]:
    """Addresses of all allocations in a recording of two threads, of which the second begins at a time in ticks."""
    trace = read_exectrace(io.BytesIO(recorded(first, second, second_from)), "server.trace")
    return [
        at
        for rows in trace.batches
        for kind, at in zip((rows.kind & KIND_MASK).tolist(), rows.addr.tolist(), strict=True)
        if kind == Kind.ALLOC
    ]


def recorded(first: bytes, second: bytes, second_from: int) -> bytes:
    """A recording of two threads, of which the second begins at a time in ticks."""
    sync = b"\x32\x08" + uvarint(15_625_000) + b"\x33" + uvarint(1, 2, 3, 4)
    batches = [
        batch(sync, m=NO_M),
        batch(first, m=1, clock=100),
        batch(second, m=2, clock=second_from),
        batch(strings("start trace")),
        batch(b"\x02\x03" + uvarint(1, 1, 0x1000, 1, 1, 10)),
        batch(b"\x00" + uvarint(1, 0x4000, 24, 0, 9) + b"main.Node", experiment=1),
        batch(b"\x01" + uvarint(BASE, 8192, 8, 2048), experiment=1),
        b"\x34",
    ]
    return b"go 1.26 trace\0\0\0" + b"".join(batches)


P1 = event(Ev.PROC_START, 1, 1)
"""The second thread takes up P1."""
TURN = event(Ev.GO_STATUS, 5, 2, 1) + event(Ev.GO_START, 5, 1, after=1)
"""It runs a goroutine that was preempted when the recording began."""
SWEEP_LATER = event(Ev.OBJECT_FREE, word(OLD), after=9000) + event(Ev.OBJECT_ALLOC, word(OLD), 1, after=9)


def test_a_snapshot_comes_first_although_its_stamps_run_ahead_of_what_came_after_it() -> None:
    first = begin(last=event(Ev.SPAN, NEW, 1, CLASS, after=1))
    assert allocated(first, P1 + event(Ev.OBJECT_ALLOC, word(NEW), 1), second_from=200) == [addr(NEW)]


def test_a_span_made_before_the_snapshot_is_told_by_it() -> None:
    first = begin(event(Ev.SPAN_ALLOC, NEW, 1, CLASS), event(Ev.SPAN, NEW, 1, CLASS, after=1))
    assert allocated(first, P1 + event(Ev.OBJECT_ALLOC, word(NEW), 1), second_from=600) == [addr(NEW)]


def test_a_span_freed_before_the_snapshot_is_not_looked_for_in_it() -> None:
    assert allocated(begin(event(Ev.SPAN_FREE, NEW)), P1, second_from=600) == []


def test_an_object_in_the_snapshot_whose_goroutine_was_stopped_before_it_said_so_is_one_object() -> None:
    second = P1 + TURN + event(Ev.OBJECT_ALLOC, word(OLD), 1)
    assert allocated(begin() + SWEEP_LATER, second, second_from=600) == [addr(OLD)]


def test_such_an_object_that_is_never_freed_is_one_object() -> None:
    assert allocated(begin(), P1 + TURN + event(Ev.OBJECT_ALLOC, word(OLD), 1), second_from=600) == []


def test_an_alloc_in_a_slot_in_use_that_no_preempted_goroutine_makes_is_another_object() -> None:
    second = P1 + TURN + event(Ev.HEAP_ALLOC, 8192) + event(Ev.OBJECT_ALLOC, word(OLD), 1)
    assert allocated(begin() + SWEEP_LATER, second, second_from=600) == [addr(OLD), addr(OLD)]


def test_a_span_made_in_a_burst_comes_before_what_is_allocated_in_it() -> None:
    first = begin() + frees(200) + event(Ev.SPAN_ALLOC, NEW, 1, CLASS, after=1)
    # The first free is at 479 ticks; the span is stamped 679 and was there by 575.
    assert allocated(first, P1 + event(Ev.OBJECT_ALLOC, word(NEW), 1, after=70), second_from=500) == [addr(NEW)]


def test_an_alloc_in_a_burst_comes_before_its_free() -> None:
    first = begin(last=event(Ev.SPAN, NEW, 1, CLASS, after=1)) + frees(200) + event(Ev.OBJECT_ALLOC, word(NEW), 1, after=1)
    assert allocated(first, P1 + event(Ev.OBJECT_FREE, word(NEW), after=70), second_from=500) == [addr(NEW)]


def test_a_span_made_in_a_burst_comes_before_its_free() -> None:
    first = begin() + frees(200) + event(Ev.SPAN_ALLOC, NEW, 1, CLASS, after=1) + event(Ev.OBJECT_ALLOC, word(OLD), 1)
    assert allocated(first, P1 + event(Ev.SPAN_FREE, NEW, after=70), second_from=500) == [addr(OLD)]


def frees_of_spans_that_never_were(count: int) -> bytes:
    return begin() + b"".join(event(Ev.SPAN_FREE, 20 + page, after=1) for page in range(count))


def test_a_handful_of_missing_events_is_inferred_and_told() -> None:
    trace = read_exectrace(io.BytesIO(recorded(frees_of_spans_that_never_were(16), P1, 9000)), "server.trace")
    list(trace.batches)
    assert trace.lost.spanless == 16


def test_more_than_a_handful_are_refused() -> None:
    with pytest.raises(TraceError, match="17 frees of spans that do not exist"):
        read_exectrace(io.BytesIO(recorded(frees_of_spans_that_never_were(17), P1, 9000)), "server.trace")


def test_a_span_whose_birth_was_lost_is_known_by_the_objects_in_it() -> None:
    objects = b"".join(event(Ev.OBJECT_ALLOC, word(NEW, slot), 1, after=1) for slot in range(5))
    data = recorded(begin() + objects, P1, 9000)
    assert allocated(begin() + objects, P1, 9000) == [addr(NEW, slot) for slot in range(5)]
    trace = read_exectrace(io.BytesIO(data), "server.trace")
    list(trace.batches)
    assert (trace.lost.made, trace.lost.nowhere) == (1, 0)


def test_two_objects_in_no_span_are_left_out_and_counted() -> None:
    objects = b"".join(event(Ev.OBJECT_ALLOC, word(NEW, slot), 1, after=1) for slot in range(2))
    trace = read_exectrace(io.BytesIO(recorded(begin() + objects, P1, 9000)), "server.trace")
    list(trace.batches)
    assert (trace.lost.made, trace.lost.nowhere) == (0, 2)


def test_a_p_whose_status_was_told_by_the_frees_of_its_flush_starts_all_the_same() -> None:
    # acquirep sweeps what the P had cached, and only then says that the P starts: the status before that is "running".
    status = event(Ev.PROC_STATUS, 1, 1) + event(Ev.OBJECT_FREE, word(OLD, 99), after=1)
    second = status + event(Ev.PROC_START, 1, 1, after=1) + frees(40)
    first = begin() + b"".join(event(Ev.OBJECT_ALLOC, word(OLD, slot), 1, after=5000) for slot in range(40))
    assert allocated(first, second, second_from=600) == [addr(OLD, slot) for slot in range(40)]
