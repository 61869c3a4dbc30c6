"""Who holds what: to the byte the ledger, whatever a program does; and who allocated it, against a plain loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from goalloc_cli.analyses.replay import Run, replay
from goalloc_cli.analyses.who.follow import Followed
from goalloc_cli.analyses.who.moment import Watch, moments, who_at, who_now, whos_at, without_replay
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.outcome import LEDGER, Reason
from goalloc_cli.results.who import BEFORE, NO_OBJECT, OWN, Who, added, grouped, held
from goalloc_cli.trace.event import COLUMNS, KIND_MASK, NO_P, Batch, Call, Function, Kind, Owner, TypeInfo
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import STACKED, WITH_STACKS
from tests.kit.root import ROOT
from tests.kit.strategies import MAX_PROCS, seeded

OWNERS = [Owner(1, 0, "", "", 0), Owner(2, 1, "order", "", 0), Owner(0, 0, "", "", 1)]
TABLES = {
    "new_types": [TypeInfo("main.T", 0, 0), TypeInfo("main.U", 0, 0)],
    "new_functions": [Function("main.main", "a.go"), Function("main.work", "a.go")],
    "new_calls": [Call(1, 7, 0)],
    "new_owners": OWNERS,
}
Row = tuple[int, int, int, int, int]


def program(seed: int, moves: int) -> list[Row]:
    """A random program whose Ps work for others from time to time, and allocate objects of two types."""
    rng, rows = Random(seed), []
    for kind, p, handle, size, arg in seeded(seed, moves):
        if rng.random() < 0.1:
            rows.append((int(Kind.WORKS_FOR), rng.choice((*range(MAX_PROCS), NO_P)), 0, 0, rng.randrange(len(OWNERS) + 1)))
        rows.append((kind, p, handle, size, rng.randrange(3) if kind & KIND_MASK == Kind.ALLOC else arg))
    return rows


def trace(rows: list[Row], length: int = 997) -> Trace:
    """The rows, in batches of a length that nothing else has."""

    def batches() -> Iterator[Batch]:
        for first in range(0, max(len(rows), 1), length):
            table = np.array(rows[first : first + length], np.int64).reshape(-1, 5)
            columns = {name: table[:, i].astype(COLUMNS[name]) for i, name in enumerate(("kind", "p", "id", "size", "arg"))}
            yield Batch(**columns, **(TABLES if first == 0 else {}))

    return Trace("a trace", Header(gomaxprocs=MAX_PROCS), batches())


def told(rows: list[Row]) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]], Counter[tuple[int, int]]]:
    """(owner, type): bytes allocated, bytes that live, objects that live; by a plain loop."""
    works: dict[int, int] = {}
    allocated, live, objects, owner_of = Counter(), Counter(), Counter(), {}
    for flags, p, handle, size, arg in rows:
        kind = flags & KIND_MASK
        if kind == Kind.WORKS_FOR:
            works[p] = arg
        elif kind == Kind.ALLOC:
            key = works.get(p, 0), arg
            owner_of[handle] = key, size
            allocated[key] += size
            live[key] += size
            objects[key] += 1
        elif kind == Kind.FREE:
            key, size = owner_of[handle]
            live[key] -= size
            objects[key] -= 1
    return allocated, live, objects


def by_owner_and_type(who: Who, column: str) -> dict[tuple[int, int], int]:
    rows = grouped(who.rows, "owner", "type")
    return {(int(row["owner"]), int(row["type"])): int(row[column]) for row in rows if row[column]}


def without_zeros(counted: Counter[tuple[int, int]]) -> dict[tuple[int, int], int]:
    return {key: n for key, n in counted.items() if n}


@pytest.mark.parametrize("version", ["1.10", "1.19", "1.24", "1.27"])
@pytest.mark.parametrize("seed", range(3))
def test_at_every_moment_the_rows_are_the_ledger_to_the_byte(version: str, seed: int) -> None:
    rows = program(seed, 40)
    run, followed = Run(trace(rows), RELEASES[version], False, "gc", False), Followed(RELEASES[version])
    for batch in trace(rows, 150).batches:
        run.feed(batch)
        followed.add(batch)
        who = who_now(run, followed)
        assert {name: int(who.rows[name].sum()) for name in LEDGER} == {name: int(who.sample[0][name]) for name in LEDGER}
        assert int(held(who.rows).sum()) == int(who.sample[0]["heap_inuse"])


@pytest.mark.parametrize("seed", range(3))
def test_who_allocated_what_lives_is_what_a_plain_loop_finds(seed: int) -> None:
    rows = program(seed, 40)
    who = who_at(trace(rows), RELEASES["1.27"], len(rows), hints=False)
    allocated, live, objects = told(rows)
    assert by_owner_and_type(who, "alloc_bytes") == without_zeros(allocated)
    assert by_owner_and_type(who, "requested") == without_zeros(live)
    assert by_owner_and_type(who, "live") == without_zeros(objects) == by_owner_and_type(who, "objects")


def test_without_a_replay_the_moment_of_most_live_bytes_is_found() -> None:
    rows = program(5, 40)
    followed = Followed(RELEASES["1.27"])
    for batch in trace(rows).batches:
        followed.add(batch)
    lengths = range(len(rows) + 1)
    live = 0
    at = []
    sizes: dict[int, int] = {}
    for flags, _p, handle, size, _arg in rows:
        if flags & KIND_MASK == Kind.ALLOC:
            sizes[handle] = size
            live += size
        elif flags & KIND_MASK == Kind.FREE:
            live -= sizes[handle]
        at.append(live)
    peak = max(lengths, key=lambda n: (at[n - 1] if n else 0, -n))
    _end, found = without_replay(followed, len(rows), peak)
    assert by_owner_and_type(found, "live_bytes") == without_zeros(told(rows[:peak])[1])


def test_a_moment_in_the_middle_is_that_of_the_first_events_alone() -> None:
    rows = program(7, 30)
    half = len(rows) // 2
    middle = who_at(trace(rows), RELEASES["1.27"], half, hints=False)
    alone = Watch(trace(rows[:half], 100), RELEASES["1.27"])
    replay(alone.trace, RELEASES["1.27"], design_name="", at_end=alone.look)
    assert alone.found is not None
    assert np.array_equal(np.sort(middle.rows), np.sort(alone.found.rows))


def test_several_moments_in_one_replay_are_those_of_a_replay_each() -> None:
    rows = program(7, 30)
    events = [len(rows), len(rows) // 3, 0, len(rows) // 3, 2 * len(rows)]
    found = whos_at(trace(rows), RELEASES["1.27"], events, hints=False)
    for event, who in zip(events, found, strict=True):
        alone = who_at(trace(rows, 100), RELEASES["1.27"], event, hints=False)
        assert np.array_equal(np.sort(who.rows), np.sort(alone.rows))


def test_a_batch_that_is_looked_at_in_its_middle_brings_its_names_once() -> None:
    def stacked() -> Trace:
        return Trace("a trace", WITH_STACKS, iter(STACKED))

    events = sum(map(len, STACKED))
    found = whos_at(stacked(), RELEASES["1.27"], [1, 2, events], hints=False)[-1]
    alone = who_at(stacked(), RELEASES["1.27"], events, hints=False)
    assert (found.types, found.functions, found.calls) == (alone.types, alone.functions, alone.calls)
    assert found.owners == alone.owners


def test_the_gc_that_found_most_alive_is_one_that_was_swept_to_its_end() -> None:
    recording = str(ROOT / "tests" / "data" / "lru-go1.23.trace.zst")
    known = open_trace(recording)
    design = RELEASES["1.23"]
    outcome = replay(known, design, design_name="")
    event = moments(outcome)["marked"]
    (sample,) = outcome.samples[(outcome.samples["event"] == event) & (outcome.samples["reason"] == Reason.GC_START)]
    assert sample["num_gc"] < outcome.samples["num_gc"].max()
    who = who_at(open_trace(recording), design, event, hints=True)
    assert added(who.rows, OWN).sum() == added(sample.reshape(1), OWN)[0]


NODE = 1000
"""Bytes of an object that has eight slots in a span."""


def story(*rows: Row) -> Who:
    return who_at(trace([*rows]), RELEASES["1.27"], len(rows), hints=False)


def alloc(handle: int, owner_type: int = 1, size: int = NODE) -> Row:
    return int(Kind.ALLOC), 0, handle, size, owner_type


def test_the_last_survivor_of_a_span_pins_all_that_is_free_in_it() -> None:
    gc = (int(Kind.GC_START), 0, 0, 0, 1), (int(Kind.GC_END), 0, 0, 0, 1)
    deaths = [(int(Kind.FREE), NO_P, handle, 0, 0) for handle in range(1, 8)]
    who = story((int(Kind.WORKS_FOR), 0, 0, 0, 2), *(alloc(handle) for handle in range(8)), *deaths, *gc)
    row = grouped(who.rows, "owner")
    mine = row[row["owner"] == 2][0]
    assert (int(mine["objects"]), int(held(row).sum())) == (1, 8192)
    assert int(mine["free_slots"] + mine["free_slots_cached"]) == 7 * 1024


def test_what_is_dead_is_still_its_owners() -> None:
    who = story((int(Kind.WORKS_FOR), 0, 0, 0, 3), alloc(0), alloc(1), (int(Kind.FREE), NO_P, 1, 0, 0))
    row = grouped(who.rows, "owner")
    assert row[row["owner"] == 3]["dead_unfound"].tolist() == [1024]


def test_a_span_in_which_nothing_lives_is_nobodys() -> None:
    who = story(alloc(0), (int(Kind.FREE), NO_P, 0, 0, 0))
    nobody = who.rows[who.rows["owner"] == NO_OBJECT]
    assert int(nobody["free_slots_cached"].sum()) == 7 * 1024


def test_what_lived_before_the_recording_has_a_row() -> None:
    snapshot = [
        (int(Kind.SNAP_RANGE), NO_P, 512, 0xC000000000 >> 13, 0),
        (int(Kind.SNAP_SPAN), NO_P, 1, 0xC000000000 >> 13, 2 * 5),
        (int(Kind.SNAP_OBJECT), 3, 0, 48, 1),
        (int(Kind.SNAP_END), NO_P, 0, 0, 0),
    ]
    who = who_at(trace(snapshot), RELEASES["1.27"], 4, hints=False)
    assert by_owner_and_type(who, "live") == {(BEFORE, 1): 1}
