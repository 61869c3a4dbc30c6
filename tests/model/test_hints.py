"""What a recording tells of sweeping: who swept, how far, in what order, for what debt."""

from __future__ import annotations

import numpy as np
import pytest

from goalloc_cli.importers.exectrace.infer.sweepers import is_for_refill, sweeper_of
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.trace.event import NO_P, Kind
from tests.kit.hinted import ALONE, BACKGROUND, OTHER, PAYER, SLOTS, A, C, Recording

SPAN = 8192


@pytest.mark.parametrize("nprocs", [1, 2])
def test_a_span_behind_as_many_with_dead_objects_as_there_are_ps_was_swept_out_of_order(nprocs: int):
    told = Recording(dead_in_a=1, dead_in_b=1, nprocs=nprocs)
    told.apply(Kind.SWEEP_TO, NO_P, C, 0, OTHER)
    assert told.waiting() == ["a", "b"]


@pytest.mark.parametrize("cycles", [1, 2])
@pytest.mark.parametrize("nprocs", [1, 2])
def test_a_span_behind_fewer_was_swept_after_them(nprocs: int, cycles: int):
    told = Recording(dead_in_a=0, dead_in_b=nprocs - 1, nprocs=nprocs, cycles=cycles)
    told.apply(Kind.SWEEP_TO, NO_P, C, 0, OTHER)
    assert told.waiting() == []


def test_a_debt_beyond_all_that_waits_is_paid_with_that():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.SWEEP_PAID, 0, 0, 1 << 30)
    assert told.waiting() == []


@pytest.mark.parametrize(("nprocs", "swept"), [(1, ["a", "b"]), (2, [])])
def test_the_background_sweeper_of_several_ps_is_behind_all_that_are_under_way(nprocs: int, swept: list[str]):
    told = Recording(dead_in_a=1, dead_in_b=1, nprocs=nprocs)
    told.apply(Kind.SWEEP_TO, NO_P, C, 0, BACKGROUND)
    assert told.waiting() == swept


def test_a_refill_sweeps_as_much_as_it_owes():
    told = Recording(dead_in_a=1, dead_in_b=1, nprocs=1)
    told.apply(Kind.SWEEP_CREDIT, 0, 0, 2 * SPAN)
    told.apply(Kind.ALLOC, 0, 90, 4096)
    assert told.waiting() == ["c"]


@pytest.mark.parametrize(("seen", "waiting"), [(A, ["b", "c"]), (SLOTS, ["c"])])
def test_a_debt_goes_on_to_the_last_span_that_was_seen_to_be_swept_for_it(seen: int, waiting: list[str]):
    told = Recording(dead_in_a=0, dead_in_b=1, nprocs=1)
    told.apply(Kind.SWEEP_CREDIT, 0, 0, SPAN)
    told.apply(Kind.SWEEP_TO, 0, seen, 0, PAYER)
    told.apply(Kind.ALLOC, 0, 90, 4096)
    assert told.waiting() == waiting


def test_a_debt_is_paid_once():
    told = Recording(dead_in_a=1, dead_in_b=1, nprocs=1)
    told.apply(Kind.SWEEP_CREDIT, 0, 0, SPAN)
    told.apply(Kind.ALLOC, 0, 90, 4096)
    told.apply(Kind.ALLOC, 0, 91, 6144)
    assert told.waiting() == ["b", "c"]


def test_each_payment_is_one_of_its_own():
    told = Recording(dead_in_a=1, dead_in_b=1)
    told.apply(Kind.SWEEP_PAID, 0, 0, SPAN)
    told.apply(Kind.SWEEP_PAID, 0, 0, SPAN)
    assert told.waiting() == ["c"]


@pytest.mark.parametrize(("sweeper", "waiting"), [(PAYER, ["b", "c"]), (BACKGROUND, ["c"])])
def test_what_a_payer_was_seen_to_sweep_counts_as_paid(sweeper: int, waiting: list[str]):
    told = Recording(dead_in_a=1, dead_in_b=1)
    told.apply(Kind.SWEEP_TO, 0, A, 0, sweeper)
    told.apply(Kind.SWEEP_PAID, 0, 0, SPAN)
    assert told.waiting() == waiting


def test_a_count_makes_up_for_what_left_no_trace():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.SWEEP_TO, NO_P, A, 0, BACKGROUND)
    told.apply(Kind.SWEEP_COUNT, NO_P, 0, 2, BACKGROUND)
    assert told.waiting() == ["c"]


def test_each_count_is_from_the_one_before():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.SWEEP_TO, NO_P, A, 0, BACKGROUND)
    told.apply(Kind.SWEEP_COUNT, NO_P, 0, 1, BACKGROUND)
    told.apply(Kind.SWEEP_COUNT, NO_P, 0, 1, BACKGROUND)
    assert told.waiting() == ["c"]


def test_a_count_counts_spans():
    told = Recording(dead_in_a=0, dead_in_b=0)
    told.apply(Kind.SWEEP_COUNT, NO_P, 0, 2, BACKGROUND)
    assert told.waiting() == ["c"]


def test_a_count_sweeps_no_span_that_would_have_left_a_trace():
    told = Recording(dead_in_a=0, dead_in_b=1)
    told.apply(Kind.SWEEP_COUNT, NO_P, 0, 3, BACKGROUND)
    assert told.waiting() == ["b", "c"]


@pytest.mark.parametrize("nprocs", [1, 2])
def test_a_span_that_was_needed_swept_leaves_those_before_it_waiting(nprocs: int):
    told = Recording(dead_in_a=0, dead_in_b=0, nprocs=nprocs)
    told.apply(Kind.SWEEP_TO, NO_P, C, 0, ALONE)
    assert told.waiting() == ["a", "b"]


SWEPT_BY_7 = [Ev.OBJECT_FREE, Ev.SPAN_FREE, Ev.OBJECT_FREE]


def sweeper(*following: Ev, several_ps: bool = False) -> int:
    """Who goroutine 7 is, which is not known as a sweeper, where this follows what it sweeps."""
    kind = np.array([*SWEPT_BY_7, *following], np.uint8)
    known, ms = np.array([[3, BACKGROUND]]), np.zeros(len(kind), np.int64)
    return int(sweeper_of(known, 7, kind, ms, 0, 0, several_ps))


@pytest.mark.parametrize(("row", "for_refill"), [(4, True), (5, False)])
def test_a_sweep_right_before_an_alloc_in_that_span_is_the_refills(row: int, for_refill: bool):
    kind = np.array([Ev.OBJECT_FREE, Ev.HEAP_ALLOC, Ev.OBJECT_ALLOC], np.uint8)
    ms, rows = np.zeros(3, np.int64), np.array([4, -1, row])
    assert is_for_refill(kind, ms, rows, 0, 0, 4) == for_refill


@pytest.mark.parametrize("following", [Ev.GC_BEGIN, Ev.STW_BEGIN, Ev.PROCS_CHANGE])
def test_who_sweeps_and_then_starts_a_cycle_sweeps_in_order(following: Ev):
    assert sweeper(following) == OTHER


@pytest.mark.parametrize("following", [Ev.OBJECT_ALLOC, Ev.GO_BLOCK])
def test_who_sweeps_and_goes_on_needed_just_that_span(following: Ev):
    assert sweeper(following) == ALONE
    assert sweeper(following, several_ps=True) == OTHER
