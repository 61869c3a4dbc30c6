"""Tables by handle: they reach as far as the highest handle, and take the memory of those in use."""

from __future__ import annotations

import numpy as np
import pytest

from goalloc_cli.analyses.badevents import BadEvents
from goalloc_cli.analyses.describe import describe
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import release
from goalloc_cli.errors import TraceError
from goalloc_cli.trace.event import COLUMNS, Batch, Kind
from goalloc_cli.trace.longer import CHUNK, longer
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.memory import grown_bytes

FAR = (1 << 28) - 10
HANDLES = (5, 70_000, 20_000_000, 50_000_000, 1 << 27, FAR, 3, FAR + 1)
"""Each is in a batch of its own, and most are far beyond the one before."""


def batches(kind: Kind, size: int) -> list[Batch]:
    def one(handle: int) -> Batch:
        row = np.array([(kind, 0, handle, size, 0)], [(name, COLUMNS[name]) for name in ("kind", "p", "id", "size", "arg")])
        return Batch(**{name: row[name].copy() for name in row.dtype.names})

    return [one(handle) for handle in HANDLES]


@pytest.mark.parametrize(("kind", "size"), [(Kind.ALLOC, 64), (Kind.STACK_ALLOC, 4096)])
def test_handles_far_apart_take_no_memory_in_a_replay(kind: Kind, size: int) -> None:
    def work() -> None:
        replay(Trace("far", Header(), iter(batches(kind, size))), release("1.27"), design_name="")

    work()
    assert grown_bytes(work) < 64 << 20


def test_handles_far_apart_take_no_memory_in_a_check() -> None:
    def work() -> None:
        list(BadEvents(Header()).good(iter(batches(Kind.ALLOC, 64))))

    work()
    assert grown_bytes(work) < 64 << 20


@pytest.mark.parametrize(("kind", "size"), [(Kind.ALLOC, 64), (Kind.STACK_ALLOC, 4096)])
def test_handles_far_apart_take_no_memory_in_stats(kind: Kind, size: int) -> None:
    def work() -> None:
        describe(Trace("far", Header(), iter(batches(kind, size))))

    work()
    assert grown_bytes(work) < 64 << 20


def test_stats_refuse_a_handle_that_no_replay_follows() -> None:
    lone = batches(Kind.ALLOC, 64)[0]
    lone.id[0] = (1 << 32) - 60
    with pytest.raises(TraceError, match="handle 4294967236: handles above 268,435,455 are not followed"):
        describe(Trace("far", Header(), iter([lone])))


def test_a_longer_table_holds_what_the_shorter_one_did() -> None:
    table = np.zeros(3 * CHUNK + 7, np.int64)
    table[[1, 2 * CHUNK, 3 * CHUNK + 6]] = 1, 2, 3
    assert np.array_equal(longer(table, 4 * CHUNK)[: len(table)], table)
