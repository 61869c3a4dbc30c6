"""What a stop of the world does to the heap: heap dumps, changes of GOMAXPROCS, and sweeping in it."""

from __future__ import annotations

import io

import numpy as np
import pytest

from fuzz.seeds import event
from goalloc_cli.analyses.verify.verify import verify
from goalloc_cli.design.releases import GO_1_27
from goalloc_cli.importers.exectrace.infer.cycles import Act, Code, Cycles, find_cycles
from goalloc_cli.importers.exectrace.read import read_exectrace
from goalloc_cli.importers.exectrace.slots.window import COLUMNS
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.trace.event import KIND_MASK, Kind
from tests.importers.test_exectrace import raw
from tests.importers.test_owners import MAIL, MAIN, MEMSTATS, alloc, recording


class Told:
    """A window in which M 0 does all of this on P 0; ProcsChange tells of so many Ps."""

    def __init__(self, *events: Ev | tuple[Ev, Code], procs: int = 1) -> None:
        told = [event if isinstance(event, tuple) else (event, 0) for event in events]
        for name, dtype in COLUMNS.items():
            setattr(self, name, np.zeros(len(told), dtype))
        self.kind = np.array([kind for kind, _ in told], np.uint8)
        self.code = np.array([code for _, code in told], np.uint8)
        self.a = np.where(self.kind == Ev.PROCS_CHANGE, procs, 0).astype(np.int64)


def actions(window: Told, procs: int = 1) -> list[tuple[int, ...]]:
    """(place, action, value, P) of all that is found, where there were so many Ps before."""
    cycles = Cycles(ps=4, procs=procs)
    find_cycles(cycles, window, 0, 1, None)  # type: ignore[arg-type]
    return cycles.actions


DUMPS = (Ev.STW_BEGIN, Code.STOP_HEAP_DUMP)


def test_a_heap_dump_flushes_every_mcache_then_sweeps_all_that_is_left() -> None:
    told = Told(DUMPS, Ev.OBJECT_FREE, Ev.OBJECT_FREE, Ev.PROCS_CHANGE, Ev.STW_END)
    assert actions(told) == [(1, Act.FLUSH, 0, 0), (3, Act.SWEPT_ALL, 0, 0)]


def test_a_heap_dump_that_frees_nothing_flushes_all_the_same() -> None:
    assert actions(Told(DUMPS, Ev.PROCS_CHANGE, Ev.STW_END)) == [(1, Act.FLUSH, 0, 0), (1, Act.SWEPT_ALL, 0, 0)]


def test_ps_beyond_a_smaller_gomaxprocs_give_back_what_they_cached() -> None:
    told = Told(Ev.STW_BEGIN, Ev.PROCS_CHANGE, Ev.STW_END, procs=2)
    assert actions(told, procs=4) == [(1, Act.GONE, 2, 2), (1, Act.GONE, 3, 3)]


def test_a_larger_gomaxprocs_gives_nothing_back() -> None:
    assert actions(Told(Ev.STW_BEGIN, Ev.PROCS_CHANGE, Ev.STW_END, procs=4), procs=2) == []


@pytest.mark.parametrize("procs", [1 << 62, -1])
def test_a_gomaxprocs_that_cannot_be_gives_back_no_more_than_the_ps_that_do_anything(procs: int) -> None:
    told = Told(Ev.PROCS_CHANGE, Ev.PROCS_CHANGE, procs=procs)
    told.a[1] = 3
    assert [value for _, _, value, _ in actions(told, procs=0)] == ([3] if procs > 0 else [])


def test_a_cycle_that_sweeps_before_it_ends_keeps_every_address() -> None:
    """GODEBUG=gcstoptheworld=2: traces/programs/record.sh with that set, orders, one P."""
    verdict = verify(read_exectrace(io.BytesIO(raw("orders-stopped-go1.27")), "stopped"), GO_1_27, design_name="")
    judged = [verdict.rows[name] for name in ("free_running", "heap", "refill")]
    assert [row.right for row in judged] == [row.total for row in judged]


def test_a_name_that_no_read_of_memstats_follows_stands_where_it_was_given() -> None:
    """Between two objects, the second of which is the last thing in the recording."""
    told = recording(alloc(0) + event(Ev.USER_LOG, 0, MEMSTATS, MAIL, MAIN) + alloc(1))
    kinds, names = [], []
    for batch in read_exectrace(io.BytesIO(told), "a.trace").batches:
        kinds += (batch.kind & KIND_MASK).tolist()
        names += batch.new_names
    assert [kind for kind in kinds if kind in (Kind.ALLOC, Kind.CHECKPOINT)] == [Kind.ALLOC, Kind.CHECKPOINT, Kind.ALLOC]
    assert names == ["mail"]
