"""Who allocates, in small recordings written by hand: goroutines and their makers, user tasks and regions."""

from __future__ import annotations

import io

import pytest

from fuzz.seeds import BASE, batch, event, strings, uvarint
from goalloc_cli.importers.exectrace.read import read_exectrace
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.importers.exectrace.wire.scan import NO_M
from goalloc_cli.results.who import goroutine, task
from goalloc_cli.trace.event import KIND_MASK, Call, Function, Kind, Owner
from tests.importers.test_exectrace_order import CLASS, NEW, begin, word

MAIN, WORKER, ORDER, PAY, SWEEP, SPAWN, MAIL, MEMSTATS = 2, 3, 4, 5, 6, 7, 8, 9
"""Texts; and stacks with one call of a function of that name, but for SPAWN, which main.main calls."""
TEXTS = ("start trace", "main.main", "main.worker", "order", "pay", "runtime.bgsweep", "main.spawn", "mail", "memstats")
CREATE = event(Ev.GO_CREATE, 9, WORKER, SPAWN)
START = event(Ev.GO_STOP, 1, MAIN) + event(Ev.GO_START, 9, 1)


def alloc(slot: int) -> bytes:
    return event(Ev.OBJECT_ALLOC, word(NEW, slot), 1)


def recording(told: bytes, idle: bytes = b"", other: bytes = b"") -> bytes:
    """A recording of a thread that runs the main goroutine, and of another, of which nothing is told but what it does.

    `idle`: states of goroutines, told by no thread.
    """
    calls = [(stack, ((0x1000 * stack, stack, 1, 10),)) for stack in (MAIN, WORKER, SWEEP)]
    calls.append((SPAWN, ((0x7000, SPAWN, 1, 40), (0x2000, MAIN, 1, 12))))
    stacks = b"".join(b"\x03" + uvarint(stack, len(frames), *sum(frames, ())) for stack, frames in calls)
    batches = [
        batch(b"\x32\x08" + uvarint(15_625_000) + b"\x33" + uvarint(1, 2, 3, 4), m=NO_M),
        batch(begin(last=event(Ev.SPAN, NEW, 1, CLASS, after=1)) + told, m=1, clock=100),
        batch(event(Ev.PROC_START, 1, 1) + other, m=2, clock=200),
        batch(idle, m=NO_M, clock=90),
        batch(strings(*TEXTS)),
        batch(b"\x02" + stacks),
        batch(b"\x00" + uvarint(1, 0x4000, 24, 0, 9) + b"main.Node", experiment=1),
        batch(b"\x01" + uvarint(BASE, 8192, 8, 2048), experiment=1),
        b"\x34",
    ]
    return b"go 1.26 trace\0\0\0" + b"".join(batches)


class Told:
    """What a trace tells of who allocates."""

    def __init__(self, told: bytes, idle: bytes = b"", other: bytes = b"") -> None:
        self.owners, self.functions, self.calls = [Owner(0, 0, "", "", 0)], [Function("", "")], [Call(0, 0, 0)]
        self.allocs: list[int] = []
        self.said: list[int] = []
        self.goroutines: list[int] = []
        works_for = 0
        for rows in read_exectrace(io.BytesIO(recording(told, idle, other)), "a.trace").batches:
            self.owners += rows.new_owners
            self.functions += rows.new_functions
            self.calls += rows.new_calls
            for kind, size, arg in zip((rows.kind & KIND_MASK).tolist(), rows.size.tolist(), rows.arg.tolist(), strict=True):
                if kind == Kind.WORKS_FOR:
                    works_for = arg
                    self.said.append(arg)
                elif kind == Kind.ALLOC:
                    self.allocs.append(works_for)
                elif kind == Kind.GOROUTINES:
                    self.goroutines.append(size)


def goroutines(told: bytes, idle: bytes = b"", other: bytes = b"") -> list[tuple[str, str, bool]]:
    """Where the goroutine of each allocation began, what made it, and whether it is the runtime's."""
    found = Told(told, idle, other)
    return [goroutine(found, owner) for owner in found.allocs]


def tasks(told: bytes) -> list[tuple[str, str]]:
    """The task and the region of each allocation."""
    found = Told(told)
    return [task(found, owner) for owner in found.allocs]


def test_a_goroutine_is_known_by_where_it_began_and_what_made_it() -> None:
    assert goroutines(CREATE + START + alloc(0)) == [("main.worker", "main.spawn:40", False)]


def test_of_a_goroutine_that_ran_before_the_first_stack_tells() -> None:
    assert goroutines(alloc(0) + event(Ev.GO_STOP, 1, WORKER)) == [("main.worker", "", False)]


def test_the_main_goroutine_is_known_without_a_stack() -> None:
    assert goroutines(alloc(0)) == [("main.main", "", False)]


def test_of_a_goroutine_that_waited_its_stack_tells() -> None:
    idle = event(Ev.GO_STATUS_STACK, 4, NO_M, 4, SWEEP)
    told = event(Ev.GO_STOP, 1, MAIN) + event(Ev.GO_START, 4, 1) + alloc(0)
    assert goroutines(told, idle) == [("runtime.bgsweep", "", True)]


def test_without_a_goroutine_the_runtime_works() -> None:
    assert goroutines(event(Ev.GO_BLOCK, 1, MAIN) + alloc(0)) == [("(runtime, no goroutine)", "", True)]


def test_a_thread_that_has_told_of_no_goroutine_has_none() -> None:
    """A thread that looks for work makes another thread: its first event would tell of the goroutine, were there one."""
    assert goroutines(b"", other=alloc(0)) == [("(runtime, no goroutine)", "", True)]


def test_a_goroutine_that_nothing_is_told_of_is_not_known() -> None:
    assert goroutines(event(Ev.GO_STOP, 1, MAIN) + event(Ev.GO_START, 77, 1) + alloc(0)) == [("(not known)", "", False)]


def test_it_is_said_only_where_it_is_another() -> None:
    there_and_back = START + event(Ev.GO_DESTROY) + event(Ev.GO_START, 1, 2)
    assert len(Told(CREATE + alloc(0) + alloc(1) + there_and_back + alloc(2)).said) == 1
    between = START + alloc(1) + event(Ev.GO_DESTROY) + event(Ev.GO_START, 1, 2)
    assert len(Told(CREATE + alloc(0) + between + alloc(2)).said) == 3


BEGIN_TASK, END_TASK = event(Ev.USER_TASK_BEGIN, 5, 0, ORDER, MAIN), event(Ev.USER_TASK_END, 5, MAIN)
INNER_TASK, END_INNER = event(Ev.USER_TASK_BEGIN, 6, 5, MAIL, MAIN), event(Ev.USER_TASK_END, 6, MAIN)
BEGIN_REGION, END_REGION = event(Ev.USER_REGION_BEGIN, 5, PAY, MAIN), event(Ev.USER_REGION_END, 5, PAY, MAIN)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (BEGIN_TASK + alloc(0), ("order", "")),
        (BEGIN_TASK + END_TASK + alloc(0), ("", "")),
        (BEGIN_TASK + BEGIN_REGION + alloc(0), ("order", "pay")),
        (BEGIN_TASK + BEGIN_REGION + END_REGION + alloc(0), ("order", "")),
        (event(Ev.USER_REGION_BEGIN, 0, PAY, MAIN) + alloc(0), ("", "pay")),
        (END_REGION + alloc(0), ("", "")),
        (BEGIN_TASK + BEGIN_REGION + CREATE + START + alloc(0), ("order", "")),
        (BEGIN_TASK + CREATE + END_TASK + START + alloc(0), ("", "")),
        (CREATE + BEGIN_TASK + BEGIN_REGION + START + alloc(0), ("", "")),
        (BEGIN_TASK + INNER_TASK + alloc(0), ("mail", "")),
        (BEGIN_TASK + INNER_TASK + END_INNER + alloc(0), ("order", "")),
        (BEGIN_TASK + INNER_TASK + END_TASK + alloc(0), ("mail", "")),
        (BEGIN_TASK + INNER_TASK + END_TASK + END_INNER + alloc(0), ("", "")),
        (BEGIN_TASK + CREATE + START + INNER_TASK + END_INNER + alloc(0), ("order", "")),
    ],
    ids=["task", "ended", "region", "region left", "region alone", "end alone", "made in it", "made, ended", "made before",
         "task in a task", "inner ended", "outer ended", "both ended", "maker's again"],
)
def test_the_task_and_the_region_that_a_goroutine_is_in(told: bytes, expected: tuple[str, str]) -> None:
    assert tasks(told) == [expected]


def test_a_goroutine_that_goes_on_is_in_its_region_still() -> None:
    away = CREATE + START + alloc(0) + event(Ev.GO_DESTROY) + event(Ev.GO_START, 1, 2)
    assert tasks(BEGIN_REGION + away + alloc(1))[-1] == ("", "pay")


def test_goroutines_are_counted_at_the_end_of_each_cycle() -> None:
    cycle = b"".join(
        (event(Ev.STW_BEGIN, 1, MAIN), event(Ev.GC_BEGIN, 1, MAIN), event(Ev.PROCS_CHANGE, 2, MAIN), event(Ev.STW_END),
         event(Ev.STW_BEGIN, 1, MAIN), event(Ev.GC_END, 2), event(Ev.PROCS_CHANGE, 2, MAIN), event(Ev.STW_END))
    )  # fmt: skip
    assert Told(CREATE + alloc(0) + cycle, event(Ev.GO_STATUS_STACK, 4, NO_M, 4, SWEEP)).goroutines == [3]
    assert Told(CREATE + START + event(Ev.GO_DESTROY) + event(Ev.GO_START, 1, 2) + alloc(0) + cycle).goroutines == [1]
