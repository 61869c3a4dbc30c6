"""Sweeps that overlap: with several Ps a span is to be had when its sweep ends, not when it begins."""

from __future__ import annotations

import pytest

from goalloc_cli.design import release
from goalloc_cli.model.check import check
from goalloc_cli.trace.event import NO_P, NOSCAN, Kind
from tests.kernels import Kernels

BYTES = 1024
SLOTS = 8
"""In a span of objects of BYTES."""
SPC = 65
BACKGROUND = 0


class Recording:
    """A heap whose sweeps a recording tells; three full spans of P 0, a, b and c, and d, which it has begun."""

    def __init__(self, dead_in_a: int, dead_in_b: int, nprocs: int = 2) -> None:
        self.heap = Kernels(release("1.27"), nprocs)
        self.heap.heap.gc.hinted = 1
        self.handles = 100
        self.base = self.alloc(0, 0)
        for handle in range(1, 3 * SLOTS + 1):
            self.alloc(0, handle)
        for handle in [*range(dead_in_a), *range(SLOTS, SLOTS + dead_in_b)]:
            self.apply(Kind.FREE, NO_P, handle)
        self.apply(Kind.GC_START, nprocs - 1)
        self.apply(Kind.GC_END, nprocs - 1)

    def apply(self, kind: Kind, p: int, handle: int = 0, size: int = 0, arg: int = 0) -> int | None:
        return self.heap.apply(kind, p, handle, size, arg)

    def alloc(self, p: int, handle: int) -> int:
        address = self.heap.apply(Kind.ALLOC | NOSCAN, p, handle, BYTES, 0)
        assert address is not None
        return address

    def span_of_next(self, p: int) -> str:
        """Which of the two spans the next allocation of a P comes from, or "new"."""
        self.handles += 1
        page = (self.alloc(p, self.handles) - self.base) // 8192
        return {0: "a", 1: "b"}.get(page, "new")


    def ready(self) -> list[str]:
        """The swept spans with a free slot, in order."""
        return self.named(self.heap.central(SPC)[0])

    def full(self) -> list[str]:
        """The swept spans without one, in order."""
        return self.named(self.heap.central(SPC)[2])

    def waiting(self) -> list[str]:
        """The spans that wait to be swept, in order."""
        _, partial, _, full = self.heap.central(SPC)
        return self.named(full + partial)

    def named(self, starts: list[int]) -> list[str]:
        """The letters of spans by their addresses."""
        return ["abcd"[(start - self.base) // 8192] for start in starts]


A, B, C = 0, SLOTS, 2 * SLOTS
"""An object of each span; those of a and b are the first that die."""
OTHER = 2


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
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    assert told.span_of_next(1) == "new"


def test_a_refill_that_sweeps_takes_the_span_even_where_it_is_empty():
    told = Recording(dead_in_a=SLOTS, dead_in_b=0)
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
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    told.apply(Kind.ALLOC, 0, 90, 4 * BYTES)
    assert told.ready() == ["d", "a"]


def test_what_was_given_back_is_reserved_no_more():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    told.apply(Kind.ALLOC, 0, 90, 4 * BYTES)
    assert check(told.heap.heap, told.heap.objects) == ""


def test_a_second_refill_gives_back_what_the_first_has_reserved():
    told = Recording(dead_in_a=1, dead_in_b=1)
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    assert told.ready() == ["d", "a"]


def test_a_refill_hands_the_full_span_back_before_it_sweeps():
    told = Recording(dead_in_a=0, dead_in_b=1)
    for handle in range(200, 200 + SLOTS - 1):  # they fill d
        told.alloc(0, handle)
    told.apply(Kind.REFILL, 0, 0, 0, SPC)
    assert told.full() == ["d", "a"]


@pytest.mark.parametrize("nprocs", [1, 2])
def test_a_span_behind_as_many_with_dead_objects_as_there_are_ps_was_swept_out_of_order(nprocs: int):
    told = Recording(dead_in_a=1, dead_in_b=1, nprocs=nprocs)
    told.apply(Kind.SWEEP_TO, NO_P, C, 0, OTHER)
    assert told.waiting() == ["a", "b"]


@pytest.mark.parametrize("nprocs", [1, 2])
def test_a_span_behind_fewer_was_swept_after_them(nprocs: int):
    told = Recording(dead_in_a=0, dead_in_b=nprocs - 1, nprocs=nprocs)
    told.apply(Kind.SWEEP_TO, NO_P, C, 0, OTHER)
    assert told.waiting() == []


def test_a_debt_beyond_all_that_waits_is_paid_with_that():
    told = Recording(dead_in_a=1, dead_in_b=0)
    told.apply(Kind.SWEEP_PAID, 0, 0, 1 << 30)
    assert told.waiting() == []
