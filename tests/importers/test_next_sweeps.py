"""What the sweep after the next one shows of spans in which nothing was dead. Places of events are those in the list."""

from __future__ import annotations

import numpy as np
import pytest

from goalloc_cli.importers.exectrace.infer import next as next_sweeps
from goalloc_cli.importers.exectrace.infer.cycles import Code
from goalloc_cli.importers.exectrace.infer.next import NextSweeps
from goalloc_cli.importers.exectrace.slots.window import COLUMNS
from goalloc_cli.importers.exectrace.wire.decode import Ev

LIVE = [(Ev.HEAP_OBJECT, 0, 0), (Ev.HEAP_OBJECT, 0, 1), (Ev.HEAP_OBJECT, 1, 2), (Ev.HEAP_OBJECT, 1, 3)]
"""(event, span, object): two objects in each of two spans."""
CALLED = [(Ev.GC_END, 0, -1), (Ev.GC_SWEEP_BEGIN, 0, -1), (Ev.GC_SWEEP_END, 0, -1)]
"""A cycle ends; the reclaimer is called, and frees nothing."""
NEXT = [(Ev.GC_END, 0, -1), (Ev.STW_END, 0, -1), (Ev.OBJECT_FREE, 1, 2), (Ev.OBJECT_FREE, 0, 0), (Ev.GC_END, 0, -1)]
"""The next cycle sweeps the second span before the first."""
CALL = len(LIVE) + 1


class Told:
    """A window of these events."""

    def __init__(self, events: list[tuple[Ev, int, int]], span_class: int = 10) -> None:
        self.carried = 0
        self.spans = np.array([(span_class, 48)] * 2, [("spc", "i8"), ("size", "i8")])
        for name, dtype in COLUMNS.items():
            setattr(self, name, np.zeros(len(events), dtype))
        self.kind = np.array([kind for kind, _, _ in events], np.uint8)
        self.row = np.array([row for _, row, _ in events], np.int32)
        self.owner = np.array([owner for _, _, owner in events], np.int32)
        self.code = np.where(self.kind == Ev.GC_SWEEP_BEGIN, Code.SWEEP_RECLAIM, 0).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.kind)


def read(window: Told, whole: bool = True) -> NextSweeps:
    sweeps = NextSweeps()
    sweeps.read(window, np.flatnonzero(window.kind == Ev.GC_END), whole)  # type: ignore[arg-type]
    return sweeps


def test_spans_are_told_in_the_order_of_the_next_sweep_by_what_lives_longest_in_them() -> None:
    assert read(Told(LIVE + CALLED + NEXT)).told.tolist() == [[CALL, 3], [CALL, 1]]


def test_a_span_in_which_this_cycle_frees_something_shows_by_itself() -> None:
    freed = [*CALLED, (Ev.OBJECT_FREE, 1, 2)]
    after = [(Ev.GC_END, 0, -1), (Ev.STW_END, 0, -1), (Ev.OBJECT_FREE, 1, 3), (Ev.OBJECT_FREE, 0, 0), (Ev.GC_END, 0, -1)]
    assert read(Told(LIVE + freed + after)).told.tolist() == [[CALL, 1]]


def test_spans_without_pointers_are_never_swept_unseen() -> None:
    assert read(Told(LIVE + CALLED + NEXT, span_class=11)).told.tolist() == []


@pytest.mark.parametrize("known", [0, 2, len(NEXT) - 1])
def test_until_the_next_sweep_is_known_its_cycle_waits(known: int) -> None:
    sweeps = read(Told(LIVE + CALLED + NEXT[:known]), whole=False)
    assert (sweeps.told.tolist(), sweeps.hold) == ([], len(LIVE))


def test_each_cycle_is_told_once() -> None:
    window = Told(LIVE + CALLED + NEXT)
    sweeps = read(window, whole=False)
    sweeps.read(window, np.flatnonzero(window.kind == Ev.GC_END), whole=True)  # type: ignore[arg-type]
    assert sweeps.told.tolist() == [[CALL, 3], [CALL, 1]]


def test_a_little_that_is_new_is_not_worth_a_walk_through_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps, walks = NextSweeps(), []
    monkeypatch.setattr(next_sweeps, "find_order", lambda kind, *_: (walks.append(len(kind)), (0, 0))[1])
    for length, whole in ((800, False), (850, False), (920, False), (930, False), (930, True)):
        sweeps.read(Told([(Ev.OBJECT_FREE, 0, -1)] * length), np.zeros(0, np.int64), whole)  # type: ignore[arg-type]
    assert walks == [800, 920, 930]
