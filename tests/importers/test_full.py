"""Full recordings: the stack of an alloc stays with it."""

from __future__ import annotations

import io

import numpy as np
import pytest

from fuzz.seeds import event
from goalloc_cli.importers.exectrace.read import read_exectrace
from goalloc_cli.importers.exectrace.wire.asked import STACK_AT, Stacks
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.trace.event import KIND_MASK, Call, Function, Kind
from tests.importers.test_exectrace_order import CLASS, NEW, P1, begin, recorded, word


def give_every_alloc_a_stack(stacks: Stacks, kind: np.ndarray, b: np.ndarray, *_: object) -> None:
    if not stacks.calls:
        stacks.functions.append(Function("main.main", "main.go"))
        stacks.calls.append(Call(1, 1, 0))
    stacks.are_told = True
    b[kind == Ev.OBJECT_ALLOC] |= 1 << STACK_AT


def test_the_stack_is_the_allocs_though_it_flushes_the_mcache_of_its_p_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stacks, "translate", give_every_alloc_a_stack)
    first = begin(last=event(Ev.SPAN, NEW, 1, CLASS, after=1)) + event(Ev.GC_END, 1, after=400)
    second = P1 + event(Ev.OBJECT_ALLOC, word(NEW), 1, after=900)
    trace = read_exectrace(io.BytesIO(recorded(first, second, second_from=600)), "server.trace")
    stacks = {Kind(int(k)): int(s) for rows in trace.batches for k, s in zip(rows.kind & KIND_MASK, rows.stack, strict=True)}
    assert (stacks[Kind.MCACHE_FLUSH], stacks[Kind.ALLOC]) == (0, 1)
