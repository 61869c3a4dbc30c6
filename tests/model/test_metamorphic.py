"""What must change nothing, and a machine that drives kernels and naive twin at random and finds no difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from goalloc_cli.analyses.replay import Run
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.model.proof.check import check
from goalloc_cli.trace.event import KIND_MASK, NO_P, Kind
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch
from tests.kit.kernels import Kernels
from tests.kit.strategies import (
    FEW_PER_SPAN,
    MAX_PROCS,
    STACK_SIZES,
    Event,
    Player,
    designs,
    long_traces,
    picks,
    procs,
    sizes,
)
from tests.model.test_kernels import counters, spans, state
from tests.twin import Naive

few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))

LONG_TABLES = ("chunks", "allocated_bits", "scavenged_bits", "page_span", "page_run", "stack_next", "nodes", "spans", "bits")


def run(events: Sequence[Event], design: Design, lengths: Iterable[int] = ()) -> Run:
    """A replay of the events, in batches of these lengths."""
    rows = [(*event, 0) for event in events]
    cut, at = [], 0
    for length in lengths:
        cut.append(batch(rows[at : at + length]))
        at += length
    found = Run(Trace("a", Header(gomaxprocs=MAX_PROCS), iter(())), design, False, "gc", False)
    for one in [*cut, batch(rows[at:])]:
        found.feed(one)
    return found


def tables(found: Run) -> dict[str, bytes]:
    """Every byte of the heap that was ever used, but for the number of the event under way."""
    heap = found.heap
    used = {"nodes": int(heap.node_rows), "spans": int(heap.span_rows), "bits": int(heap.slot_words)}
    pages = int(heap.end_page)
    short = [name for name in heap.dtype.names if name not in (*LONG_TABLES, "runs", "event", "event_in_batch")]
    told = {name: np.asarray(heap[name]).tobytes() for name in short}
    told |= {name: heap[name][: used.get(name, 4 * pages)].tobytes() for name in LONG_TABLES}
    return told | {"runs": heap.runs[: int(heap.run_rows)].tobytes()}


@few
@given(long_traces(40), designs, st.lists(st.integers(0, 90), max_size=30))
def test_where_a_trace_is_cut_into_batches_changes_nothing(events: list[Event], design: Design, lengths: list[int]) -> None:
    one, many = run(events, design), run(events, design, lengths)
    assert tables(one) == tables(many)
    # A sample counts the events before it, wherever batches begin.
    assert np.concatenate(one.samples or [np.zeros(0)]).tobytes() == np.concatenate(many.samples or [np.zeros(0)]).tobytes()


@few
@given(long_traces(40), designs)
def test_the_same_trace_twice_gives_the_same_bytes(events: list[Event], design: Design) -> None:
    assert tables(run(events, design)) == tables(run(events, design))


@few
@given(long_traces(40), designs, st.integers(0, 1 << 32))
def test_other_handles_change_nothing(events: list[Event], design: Design, seed: int) -> None:
    handles = list(range(1 + max((event[2] for event in events), default=0)))
    Random(seed).shuffle(handles)
    owned = (Kind.ALLOC, Kind.FREE, Kind.STACK_ALLOC, Kind.STACK_FREE)
    other = [(k, p, handles[id] if k & KIND_MASK in owned else id, s, a) for k, p, id, s, a in events]
    assert tables(run(events, design)) == tables(run(other, design))


@few
@given(st.integers(0, 1 << 32), st.sampled_from(list(RELEASES.values())), st.permutations(range(1, MAX_PROCS)))
def test_ps_by_other_numbers_change_only_the_rows_of_ps(seed: int, design: Design, order: list[int]) -> None:
    """Where all Ps are flushed in turn, addresses follow their numbers: so there is no GC here, and no flush."""
    rng = Random(seed)
    player = Player([(rng.choice(FEW_PER_SPAN), rng.random() < 0.5) for _ in range(2)])
    for _ in range(12):
        player.play(("burst", rng.randrange(MAX_PROCS), rng.randrange(9), 25))
        player.play(("stack", rng.randrange(MAX_PROCS), rng.choice(STACK_SIZES), 3))
        player.play(("unstack", rng.randrange(MAX_PROCS), rng.randrange(9), 2))
    named = dict(enumerate([0, *order])) | {NO_P: NO_P}
    one, other = run(player.events, design), run([(k, named[p], *rest) for k, p, *rest in player.events], design)
    numbers = [int(n) for n in other.heap.spans["owner"][: other.heap.span_rows]]
    renamed = [named.get(int(n), int(n)) for n in one.heap.spans["owner"][: one.heap.span_rows]]
    assert numbers == renamed
    for p in range(MAX_PROCS):
        assert one.heap.mcaches[p].tobytes() == other.heap.mcaches[named[p]].tobytes()
    for found in (one, other):
        found.heap.spans["owner"][: found.heap.span_rows] = 0
    mine, theirs = tables(one), tables(other)
    assert {name for name in mine if mine[name] != theirs[name]} <= {"mcaches"}


class Twins(RuleBasedStateMachine):
    """Kernels and naive twin, one event at a time, compared in everything after each."""

    design: ClassVar[Design]

    def __init__(self) -> None:
        super().__init__()
        self.player = Player([])
        self.done = 0

    @initialize(palette=st.lists(st.tuples(st.sampled_from(FEW_PER_SPAN), st.booleans()), min_size=2, max_size=4))
    def start(self, palette: list[tuple[int, bool]]) -> None:
        self.player = Player(palette)
        self.kernels, self.naive = Kernels(self.design, MAX_PROCS), Naive(self.design, MAX_PROCS)

    def play(self, *move: object) -> None:
        """Make a move; every event of it leads both to the same address."""
        self.player.play(move)
        for event in self.player.events[self.done :]:
            assert self.kernels.apply(*event) == self.naive.apply(*event)
        self.done = len(self.player.events)

    @rule(p=procs, which=picks, count=st.integers(10, 60))
    def burst(self, p: int, which: int, count: int) -> None:
        self.play("burst", p, which, count)

    @rule(p=procs, size=sizes, noscan=st.booleans(), count=st.integers(1, 12))
    def alloc(self, p: int, size: int, noscan: bool, count: int) -> None:
        self.play("alloc", p, size, noscan, count)

    @rule(start=picks, count=st.integers(1, 200))
    def clear(self, start: int, count: int) -> None:
        self.play("clear", start, count)

    @rule(one_in=st.integers(2, 5), offset=st.integers(0, 4))
    def thin(self, one_in: int, offset: int) -> None:
        self.play("thin", one_in, offset)

    @rule(p=procs | st.just(NO_P), explicit=st.booleans())
    def collect(self, p: int, explicit: bool) -> None:
        self.play("gc", p, explicit)

    @rule(p=procs, explicit=st.booleans())
    def mark_or_sweep(self, p: int, explicit: bool) -> None:
        self.play("mark or sweep", p, explicit)

    @rule(p=procs)
    def flush(self, p: int) -> None:
        self.play("flush", p)

    @rule(percent=st.sampled_from((-1, 1, 50, 100, 400)))
    def set_gogc(self, percent: int) -> None:
        self.play("gogc", percent)

    @rule(p=procs, size=st.sampled_from(STACK_SIZES), count=st.integers(1, 20))
    def take_stacks(self, p: int, size: int, count: int) -> None:
        self.play("stack", p, size, count)

    @rule(p=procs, which=picks, count=st.integers(1, 20))
    def free_stacks(self, p: int, which: int, count: int) -> None:
        self.play("unstack", p, which, count)

    @invariant()
    def they_are_alike(self) -> None:
        if self.done:
            assert counters(self.kernels) == counters(self.naive)
            assert state(self.kernels, self.kernels.spans()) == state(self.naive, spans(self.naive))
            used = max((event[2] for event in self.player.events), default=0) + 1
            assert check(self.kernels.heap, self.kernels.objects[:used]) == ""


@pytest.mark.parametrize("release", RELEASES)
def test_no_program_tells_the_kernels_from_the_naive_twin(release: str) -> None:
    machine = type("Twins", (Twins,), {"design": RELEASES[release]}).TestCase
    machine.settings = settings(
        max_examples=3, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine("runTest").runTest()
