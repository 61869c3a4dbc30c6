"""Allocs whose event came late: where they belong."""

from __future__ import annotations

import numpy as np

from goalloc_cli.importers.exectrace.infer.cycles import Code, Cycles
from goalloc_cli.importers.exectrace.infer.late import late_allocs, new_late
from goalloc_cli.importers.exectrace.slots.window import COLUMNS
from goalloc_cli.importers.exectrace.wire.decode import Ev

SPANS = np.array([(10, 170), (12, 128), (-1, 0)], [("spc", "i8"), ("nelems", "i8")])
STACKS = 2
"""The span that holds none."""


class Told:
    """A window in which goroutine 7 of M 0 does all of this on P 0; what it allocates comes from span 0, slot by slot."""

    carried = 0
    spans = SPANS

    def __init__(self, *events: Ev | tuple[Ev, Code], slots: tuple[int, ...] = ()) -> None:
        told = [event if isinstance(event, tuple) else (event, 0) for event in events]
        for name, dtype in COLUMNS.items():
            setattr(self, name, np.zeros(len(told), dtype))
        self.owner = np.full(len(told), -1, np.int32)
        self.kind = np.array([kind for kind, _ in told], np.uint8)
        self.code = np.array([code for _, code in told], np.uint8)
        self.a = np.where(self.kind == Ev.GO_START, 7, 0).astype(np.int64)
        allocs = np.flatnonzero(self.kind == Ev.OBJECT_ALLOC)
        self.owner[allocs], self.slot = allocs, np.zeros(len(told), np.int16)
        self.slot[allocs] = slots or np.arange(len(allocs))

    def __len__(self) -> int:
        return len(self.kind)


def late(window: Told, cycle_starts: int) -> list[list[int]]:
    """(event, place that it belongs before, P) of each that is late, where a cycle starts at a place."""
    cycles = Cycles(ps=1, starts=np.array([cycle_starts], np.int64))
    _, found = late_allocs(new_late(spans=len(SPANS), ms=1, ps=1), window, 0, 0, cycles)  # type: ignore[arg-type]
    return found.tolist()


def test_the_alloc_that_starts_a_cycle_was_made_at_its_refill_before_the_stack_grew() -> None:
    begin = (Ev.GC_BEGIN, Code.GC_MALLOC)
    told = Told(Ev.GO_START, Ev.HEAP_ALLOC, Ev.STACK_ALLOC, begin, Ev.STW_BEGIN, Ev.STW_END, Ev.OBJECT_ALLOC)
    assert late(told, cycle_starts=5) == [[6, 2, 0]]


def test_a_large_alloc_without_a_refill_that_starts_a_cycle_was_made_before_it() -> None:
    told = Told(Ev.GO_START, (Ev.GC_BEGIN, Code.GC_MALLOC), Ev.STW_BEGIN, Ev.STW_END, Ev.OBJECT_ALLOC)
    assert late(told, cycle_starts=3) == [[4, 1, 0]]


def test_the_alloc_of_a_goroutine_that_was_preempted_after_its_refill_belongs_there() -> None:
    told = Told(Ev.GO_START, Ev.HEAP_ALLOC, Ev.GO_STOP, Ev.GO_START, Ev.OBJECT_ALLOC)
    assert late(told, cycle_starts=9) == [[4, 2, 0]]


def test_an_alloc_whose_stack_grew_between_its_span_and_its_refill_was_made_with_the_span() -> None:
    told = Told(Ev.GO_START, Ev.SPAN_ALLOC, Ev.SPAN_ALLOC, Ev.STACK_ALLOC, Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC)
    told.row[2] = STACKS
    assert late(told, cycle_starts=9) == [[5, 2, 0]]


def test_an_alloc_in_a_new_span_is_not_late_where_no_stack_grew() -> None:
    told = Told(Ev.GO_START, Ev.SPAN_ALLOC, Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC)
    assert late(told, cycle_starts=9) == []


def test_an_alloc_right_after_its_refill_is_not_late() -> None:
    told = Told(Ev.GO_START, Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC)
    assert late(told, cycle_starts=9) == []


FLUSHES = [(Ev.STW_BEGIN, Code.STOP_MEMSTATS), Ev.STW_END]


def test_the_first_alloc_of_a_goroutine_preempted_before_a_flush_was_made_before_it_where_lower_slots_follow() -> None:
    others = [Ev.GO_START, Ev.GO_BLOCK, *FLUSHES, Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC]
    told = Told(Ev.GO_START, Ev.GO_STOP, *others, Ev.GO_START, Ev.OBJECT_ALLOC, Ev.OBJECT_ALLOC, slots=(0, 72, 1))
    told.a[2] = 8
    assert late(told, cycle_starts=99) == [[9, 1, 0]]


def test_the_first_alloc_of_a_goroutine_preempted_before_a_flush_is_not_late_where_higher_slots_follow() -> None:
    others = [Ev.GO_START, Ev.GO_BLOCK, *FLUSHES, Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC]
    told = Told(Ev.GO_START, Ev.GO_STOP, *others, Ev.GO_START, Ev.OBJECT_ALLOC, Ev.OBJECT_ALLOC, slots=(0, 1, 2))
    told.a[2] = 8
    assert late(told, cycle_starts=99) == []


def test_the_first_alloc_of_a_goroutine_preempted_before_a_flush_was_made_before_it_where_higher_slots_were_taken() -> None:
    others = [Ev.GO_START, Ev.GO_BLOCK, *FLUSHES, Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC, Ev.OBJECT_ALLOC]
    told = Told(Ev.GO_START, Ev.GO_STOP, *others, Ev.GO_START, Ev.OBJECT_ALLOC, slots=(0, 2, 1))
    told.a[2] = 8
    assert late(told, cycle_starts=99) == [[10, 1, 0]]


def test_a_goroutine_is_known_to_be_preempted_however_many_others_stop_meanwhile() -> None:
    others = [Ev.GO_START, Ev.GO_BLOCK] * 100
    told = Told(Ev.GO_START, Ev.GO_STOP, *others, *FLUSHES, Ev.GO_START, Ev.OBJECT_ALLOC)
    told.a[2:202] = 8
    assert late(told, cycle_starts=999) == [[205, 1, 0]]


def test_the_alloc_that_starts_a_cycle_was_made_at_its_refill_though_preempted_before_the_start() -> None:
    begin = (Ev.GC_BEGIN, Code.GC_MALLOC)
    told = Told(
        Ev.GO_START, Ev.HEAP_ALLOC, Ev.GO_STOP, Ev.GO_START, begin, Ev.STW_BEGIN, Ev.STW_END, Ev.OBJECT_ALLOC
    )  # fmt: skip
    assert late(told, cycle_starts=6) == [[7, 2, 0]]


def test_the_first_alloc_of_a_goroutine_preempted_before_a_flush_is_not_late_where_its_slot_was_swept_since() -> None:
    others = [Ev.GO_START, Ev.GO_BLOCK, *FLUSHES]
    told = Told(Ev.GO_START, Ev.GO_STOP, *others, Ev.OBJECT_FREE, Ev.GO_START, Ev.OBJECT_ALLOC)
    told.a[2] = 8
    assert late(told, cycle_starts=99) == []


def test_the_first_alloc_of_a_goroutine_preempted_before_a_flush_was_made_before_it_where_another_slot_was_swept() -> None:
    others = [Ev.GO_START, Ev.GO_BLOCK, *FLUSHES]
    told = Told(Ev.GO_START, Ev.GO_STOP, *others, Ev.OBJECT_FREE, Ev.GO_START, Ev.OBJECT_ALLOC, slots=(1,))
    told.a[2] = 8
    assert late(told, cycle_starts=99) == [[8, 1, 0]]


def test_the_first_alloc_of_a_goroutine_preempted_before_a_flush_is_not_late_where_its_span_was_made_since() -> None:
    others = [Ev.GO_START, Ev.GO_BLOCK, *FLUSHES]
    told = Told(Ev.GO_START, Ev.GO_STOP, *others, Ev.SPAN_ALLOC, Ev.GO_START, Ev.OBJECT_ALLOC)
    told.a[2] = 8
    assert late(told, cycle_starts=99) == []


def test_what_a_goroutine_allocates_on_the_way_to_a_cycle_that_another_starts_does_not_hide_its_refill() -> None:
    # gcStart waits for startSema: the sudog is allocated from a span that the P holds.
    waits = [Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC, Ev.GO_BLOCK]
    told = Told(Ev.GO_START, Ev.OBJECT_ALLOC, *waits, Ev.GO_START, Ev.OBJECT_ALLOC, slots=(0, 1, 0))
    told.row[6] = 1
    assert late(told, cycle_starts=99) == [[6, 3, 0]]


def test_what_a_goroutine_allocates_in_a_span_that_its_p_holds_is_not_what_it_was_about_to_report() -> None:
    waits = [Ev.HEAP_ALLOC, Ev.GO_STOP, Ev.GO_START, Ev.OBJECT_ALLOC, Ev.GO_STOP]
    told = Told(Ev.GO_START, Ev.OBJECT_ALLOC, *waits, Ev.GO_START, Ev.OBJECT_ALLOC, slots=(0, 1, 0))
    told.row[8] = 1
    assert late(told, cycle_starts=99) == [[8, 3, 0]]


def test_a_refill_is_kept_through_one_that_gcstart_needs_itself() -> None:
    told = Told(
        Ev.GO_START, Ev.HEAP_ALLOC, Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC, Ev.GO_BLOCK, Ev.GO_START, Ev.OBJECT_ALLOC,
        slots=(0, 0),
    )  # fmt: skip
    told.row[6] = 1
    assert late(told, cycle_starts=99) == [[6, 2, 0]]


def test_an_alloc_between_the_call_for_a_flush_and_the_flush_does_not_hide_what_its_p_refills_after_it() -> None:
    told = Told(
        Ev.GO_START, (Ev.STW_BEGIN, Code.STOP_MEMSTATS), Ev.OBJECT_ALLOC, Ev.PROCS_CHANGE, Ev.STW_END, Ev.HEAP_ALLOC,
        Ev.OBJECT_ALLOC, Ev.GO_BLOCK, Ev.GO_START, Ev.OBJECT_ALLOC, slots=(0, 1, 0),
    )  # fmt: skip
    told.row[9], told.a[3] = 1, 1
    assert late(told, cycle_starts=99) == []


def test_more_than_a_few_goroutines_can_wait_between_their_refill_and_its_alloc() -> None:
    stopped = [event for _ in range(200) for event in (Ev.GO_START, Ev.HEAP_ALLOC, Ev.GO_STOP)]
    told = Told(*stopped, Ev.GO_START, Ev.OBJECT_ALLOC)
    told.a[0:600:3] = range(100, 300)
    told.a[600] = 299
    assert late(told, cycle_starts=9999) == [[601, 599, 0]]
