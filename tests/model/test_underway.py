"""Sweeps that overlap: with several Ps a span is to be had when its sweep ends, not when it begins."""

from __future__ import annotations

import pytest

from goalloc_cli.design.releases import release
from goalloc_cli.model.proof.check import check
from goalloc_cli.model.tables.heap import SWEPT_BACKGROUND
from goalloc_cli.trace.event import NO_P, NOSCAN, Kind
from tests.kit.hinted import BACKGROUND, BYTES, SLOTS, SPC, A, B, Recording
from tests.kit.kernels import Kernels


def test_a_span_is_not_handed_out_while_it_is_swept():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.SWEEP_TO, NO_P, A, 1, BACKGROUND)
    assert told.span_of_next(1) == "new"


def test_a_span_is_handed_out_once_its_sweep_has_ended():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.SWEEP_TO, NO_P, A, 1, BACKGROUND)
    told.apply(Kind.SWEEP_END, NO_P, 0, 1)
    assert told.span_of_next(1) == "a"


def test_a_sweep_without_a_number_ends_where_it_begins():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.SWEEP_TO, NO_P, A, 0, BACKGROUND)
    assert told.span_of_next(1) == "a"


@pytest.mark.parametrize(("dead_in_a", "dead_in_b", "first"), [(1, 6, "a"), (6, 1, "b")])
def test_of_two_sweeps_the_one_popped_first_ends_first_unless_it_is_longer(dead_in_a: int, dead_in_b: int, first: str):
    told = Recording(dead_in_a, dead_in_b)
    told.apply(Kind.SWEEP_TO, NO_P, B, 0, BACKGROUND)
    assert told.span_of_next(1) == first


def test_a_refill_that_sweeps_keeps_its_span_from_the_other_p():
    told = Recording(dead_in_a=SLOTS, dead_in_b=0)
    told.take_d()
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    assert told.span_of_next(1) == "new"


def test_a_refill_that_sweeps_takes_the_span_even_where_it_is_empty():
    told = Recording(dead_in_a=SLOTS, dead_in_b=0)
    told.take_d()
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    assert told.span_of_next(0) == "a"


def test_before_the_next_cycle_every_sweep_has_ended():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.SWEEP_TO, NO_P, A, 1, BACKGROUND)
    told.apply(Kind.GC_START, 1)
    for _ in range(SLOTS - 1):  # the room in P 0's last span, which was flushed
        told.span_of_next(1)
    assert told.span_of_next(1) == "a"


def test_a_refill_of_another_class_gives_back_what_was_reserved():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.take_d()
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    told.apply(Kind.ALLOC, 0, 90, 4 * BYTES)
    assert told.ready() == ["a"]


def test_what_was_given_back_is_reserved_no_more():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.take_d()
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    told.apply(Kind.ALLOC, 0, 90, 4 * BYTES)
    assert check(told.heap.heap, told.heap.objects) == ""


def test_what_a_refill_gave_back_is_what_the_next_one_sweeps():
    """No refill of Go sweeps while a swept span waits: the model had swept that one too early."""
    told = Recording(dead_in_a=1, dead_in_b=1)
    told.take_d()
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    assert told.span_of_next(0) == "a"


def test_a_refill_hands_the_full_span_back_before_it_sweeps():
    told = Recording(dead_in_a=0, dead_in_b=1)
    for handle in range(200, 200 + SLOTS - 1):  # they fill d
        told.alloc(0, handle)
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    assert told.full() == ["d", "a"]


def test_the_background_sweepers_batches_begin_anew_when_it_wakes():
    """One span swept, then nothing is left: the next cycle's batch of two takes both spans, though it told of one only."""
    heap = one_p_with_three_full_spans()
    heap.apply(Kind.SWEEP_TO, NO_P, 0, 0, BACKGROUND)
    heap.apply(Kind.SWEEP_DRAINED, NO_P, 0, 0, 0)
    next_cycle(heap)
    heap.apply(Kind.SWEEP_COUNT, NO_P, 0, 2, BACKGROUND)
    assert int(heap.heap.stats.swept[SWEPT_BACKGROUND]) == 1 + 2


def one_p_with_three_full_spans() -> Kernels:
    """Nothing is swept yet; object 0 of the first span is dead."""
    heap = Kernels(release("1.27"), 1)
    heap.heap.gc.hinted = 1
    for handle in range(3 * SLOTS + 1):
        heap.apply(Kind.ALLOC | NOSCAN, 0, handle, BYTES, 0)
    heap.apply(Kind.FREE, NO_P, 0, 0, 0)
    next_cycle(heap)
    return heap


def next_cycle(heap: Kernels) -> None:
    heap.apply(Kind.GC_START, 0, 0, 0, 0)
    heap.apply(Kind.GC_END, 0, 0, 0, 0)
