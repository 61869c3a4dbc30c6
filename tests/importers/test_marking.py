"""How long marking ran, in small recordings written by hand: mark workers by their label, assists by their ends."""

from __future__ import annotations

import io

from fuzz.seeds import event
from goalloc_cli.importers.exectrace.read import read_exectrace
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.trace.event import Kind
from tests.importers.test_owners import MAIN, ORDER, recording

TICK_NS = 64
"""As `recording` says."""
BEGIN_CYCLE = b"".join(
    (event(Ev.STW_BEGIN, 1, MAIN), event(Ev.GC_BEGIN, 1, MAIN), event(Ev.PROCS_CHANGE, 2, MAIN), event(Ev.STW_END))
)
END_CYCLE = b"".join(
    (event(Ev.STW_BEGIN, 1, MAIN), event(Ev.GC_END, 2), event(Ev.PROCS_CHANGE, 2, MAIN), event(Ev.STW_END))
)
AWAY, BACK = event(Ev.GO_STOP, 1, MAIN), event(Ev.GO_START, 1, 2)


def marking(during: bytes) -> tuple[int, int]:
    """Microseconds of mark workers and of assists in a cycle in which that happens."""
    told = {0: 0, 1: 0}
    for rows in read_exectrace(io.BytesIO(recording(BEGIN_CYCLE + during + END_CYCLE)), "a.trace").batches:
        here = rows.kind == Kind.GC_CPU
        told |= dict(zip(rows.arg[here].tolist(), (rows.size[here] // 1000).tolist(), strict=True))
    return told[0], told[1]


def us(ticks: int) -> int:
    return ticks * TICK_NS // 1000


def test_a_goroutine_with_a_label_marks_until_it_stops() -> None:
    worker = event(Ev.GO_START, 9, 1) + event(Ev.GO_LABEL, ORDER, after=0) + event(Ev.GO_BLOCK, 1, MAIN, after=5000)
    assert marking(AWAY + worker + BACK) == (us(5000), 0)


def test_an_assist_lasts_from_its_begin_to_its_end() -> None:
    assert marking(event(Ev.GC_MARK_ASSIST_BEGIN, MAIN) + event(Ev.GC_MARK_ASSIST_END, after=3000)) == (0, us(3000))


def test_an_assist_that_is_stopped_goes_on_when_its_goroutine_does() -> None:
    first = event(Ev.GC_MARK_ASSIST_BEGIN, MAIN) + event(Ev.GO_STOP, 1, MAIN, after=1000)
    second = event(Ev.GO_START, 1, 2, after=7000) + event(Ev.GC_MARK_ASSIST_END, after=2000)
    assert marking(first + second) == (0, us(3000))


def test_what_runs_without_a_label_marks_nothing() -> None:
    assert marking(AWAY + event(Ev.GO_START, 9, 1) + event(Ev.GO_BLOCK, 1, MAIN, after=5000) + BACK) == (0, 0)
