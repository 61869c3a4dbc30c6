"""Bad events: each is found for what it is, a replay refuses the first, and goes on without them where it is asked to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goalloc_cli import cli
from goalloc_cli.analyses.badevents import SHOWN, BadEvents, leniently
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import GO_1_27
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.badevents import Wrong
from goalloc_cli.results.outcome import Outcome
from goalloc_cli.trace.event import NO_P, Batch, Kind
from goalloc_cli.trace.ranges import MAX_BYTES
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch, one_chunk, written
from tests.kit.root import ROOT
from tests.kit.story import events

TRACES = ROOT / "traces"

HINTED = Header(gomaxprocs=2, hints=True)

Event = tuple[int, int, int, int, int]


def batches(rows: Iterable[Event], length: int = 7) -> list[Batch]:
    """Events as batches of a few."""
    table = [(*row, 0) for row in rows]
    return [batch(table[i : i + length]) for i in range(0, len(table), length)]


def trace(rows: Iterable[Event], header: Header | None = None) -> Trace:
    return Trace("a", header or HINTED, iter(batches(rows)))


def checked(rows: Iterable[Event]) -> BadEvents:
    bad = BadEvents(HINTED)
    for one in batches(rows):
        bad.take(one)
    return bad


def replayed(found: Trace) -> Outcome:
    return replay(found, GO_1_27, design_name="go1.27", hints=False)


# What is found.


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([*events("alloc a 24; free a"), (Kind.FREE, 0, 0, 0, 0)], Wrong.DOUBLE_FREE),
        ([*events("alloc a 24"), (Kind.FREE, 0, 1, 0, 0)], Wrong.UNKNOWN_FREE),
        ([*events("alloc a 24"), (Kind.ALLOC, 0, 0, 8, 0)], Wrong.LIVE_HANDLE),
        ([*events("gc"), (Kind.GC_END, 0, 0, 0, 0)], Wrong.GC_END_ALONE),
        ([*events("mark"), (Kind.GC_START, 0, 0, 0, 0)], Wrong.GC_START_TWICE),
        ([(Kind.STACK_ALLOC, 0, 0, 3000, 0)], Wrong.STACK_SIZE),
        ([(Kind.STACK_ALLOC, 0, 0, 1024, 0)], Wrong.STACK_SIZE),
        ([*events("stack s 2048"), (Kind.STACK_ALLOC, 0, 0, 2048, 0)], Wrong.STACK_LIVE),
        ([*events("stack s 2048; unstack s"), (Kind.STACK_FREE, 0, 0, 0, 0)], Wrong.STACK_UNKNOWN),
        ([(Kind.TIME, NO_P, 0, 9, 0), (Kind.TIME, NO_P, 0, 8, 0)], Wrong.TIME_BACK),
        ([*events("alloc a 24"), (Kind.SNAP_RANGE, NO_P, 512, 0, 0)], Wrong.LATE_SNAPSHOT),
        ([(Kind.MANUAL_FREE, 0, 3, 0, 0)], Wrong.MANUAL_UNKNOWN),
        ([(63, 0, 0, 0, 0)], Wrong.UNKNOWN_KIND),
        ([(Kind.ALLOC, 0, 0, MAX_BYTES + 1, 0)], Wrong.SIZE),
        ([(Kind.ALLOC, 0, 0, -1, 0)], Wrong.SIZE),
        ([(Kind.ALLOC, 1024, 0, 8, 0)], Wrong.P),
        ([(Kind.ALLOC, 0, 0, 8, 9)], Wrong.ARG),
        ([(Kind.ALLOC, 0, 0xFFFFFFFF, 8, 0)], Wrong.HANDLE),
    ],
)
def test_a_bad_event_is_named_with_its_number(rows: list[Event], wrong: Wrong) -> None:
    assert [(found.event, found.wrong) for found in checked(rows).first] == [(len(rows) - 1, wrong)]


def test_a_good_trace_has_none() -> None:
    assert checked(events("alloc a 24 x 9; free a; gc; stack s 4096; unstack s; alloc b 0; flush; gc!")).total == 0


@pytest.mark.parametrize("path", sorted(TRACES.glob("*.msgpack")), ids=lambda path: path.stem)
def test_recordings_of_real_programs_have_none(path: Path) -> None:
    found = open_trace(path)
    bad = BadEvents(found.header)
    for one in found.batches:
        bad.take(one)
    assert bad.counts == {}


def test_a_call_stack_that_is_in_no_table_is_named() -> None:
    rows = batch([(Kind.ALLOC, 0, 0, 8, 0, 0), (Kind.ALLOC, 0, 1, 8, 0, 0), (Kind.FREE, 0, 0, 0, 0, 0)])
    bad = BadEvents(Header())
    bad.take(replace(rows, stack=np.array([0, 7, 1], np.uint32)))
    assert [(each.event, each.wrong) for each in bad.first] == [(1, Wrong.CALL_STACK), (2, Wrong.CALL_STACK)]


def test_the_first_twenty_are_kept_and_all_are_counted() -> None:
    bad = checked([(Kind.FREE, 0, i, 0, 0) for i in range(50)])
    assert (len(bad.first), bad.counts) == (SHOWN, {Wrong.UNKNOWN_FREE: 50})


# A second opinion: the same rules over plain dicts.


def naively(rows: list[Event]) -> list[int]:
    """Numbers of the bad events of kinds that `mixed` draws."""
    alive: dict[tuple[str, int], bool] = {}
    marking, last, bad = False, 0, []
    for number, (kind, _, handle, size, _) in enumerate(rows):
        thing = ("stack" if kind in (Kind.STACK_ALLOC, Kind.STACK_FREE) else "object", handle)
        match kind:
            case Kind.ALLOC | Kind.STACK_ALLOC:
                ok = not alive.get(thing, False) and (kind == Kind.ALLOC or size in (2048, 4096, 32768))
            case Kind.FREE | Kind.STACK_FREE:
                ok = alive.get(thing, False)
            case Kind.GC_START | Kind.GC_END:
                ok = marking == (kind == Kind.GC_END)
                marking = kind == Kind.GC_START
            case Kind.TIME:
                ok = size >= last
        if not ok:
            bad.append(number)
        elif kind in (Kind.ALLOC, Kind.STACK_ALLOC, Kind.FREE, Kind.STACK_FREE):
            alive[thing] = kind in (Kind.ALLOC, Kind.STACK_ALLOC)
        elif kind == Kind.TIME:
            last = size
    return bad


handles, ps = st.integers(0, 5), st.integers(0, 5)
mixed = st.lists(
    st.one_of(
        st.tuples(st.just(Kind.ALLOC), ps, handles, st.sampled_from([0, 8, 24, 40000]), st.just(0)),
        st.tuples(st.just(Kind.FREE), ps, handles, st.just(0), st.just(0)),
        st.tuples(st.just(Kind.STACK_ALLOC), ps, handles, st.sampled_from([0, 2048, 3000, 4096, 32768]), st.just(0)),
        st.tuples(st.just(Kind.STACK_FREE), ps, handles, st.just(0), st.just(0)),
        st.tuples(st.sampled_from([Kind.GC_START, Kind.GC_END]), ps, st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just(Kind.TIME), st.just(NO_P), st.just(0), st.integers(0, 9), st.just(0)),
    ),
    max_size=40,
)


@given(mixed)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_the_bad_ones_are_those_that_plain_dicts_find(rows: list[Event]) -> None:
    bad = BadEvents(Header(gomaxprocs=2))
    found = [i for one in batches(rows) for i in (bad.take(one) != 0).tolist()]
    assert [number for number, wrong in enumerate(found) if wrong] == naively(rows)


@given(mixed)
@settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
def test_a_replay_refuses_the_first_of_them_and_a_lenient_one_none(rows: list[Event]) -> None:
    bad = checked(rows)
    if bad.total:
        with pytest.raises(TraceError, match=rf"^a: event {bad.first[0].event} .*--lenient"):
            replayed(trace(rows))
    outcome = replayed(leniently(trace(rows)))
    skipped, deaths = sum(outcome.skipped.values()), outcome.lost.events
    assert (skipped + deaths, sum(outcome.events.values())) == (bad.total, len(rows) - skipped + deaths)


def test_an_event_of_the_snapshot_that_comes_late_is_refused() -> None:
    rows = [*events("alloc a 24; gc"), (Kind.SNAP_RANGE, NO_P, 512, 0, 0)]
    with pytest.raises(TraceError, match=r"event 3 \(snap_range, .*after the snapshot"):
        replayed(trace(rows))


# Two births at one place: a free was lost.


def placed(rows: Iterable[tuple[int, ...]]) -> Trace:
    """A trace of kind, p, id, size, arg, address."""
    return Trace("a", HINTED, iter([batch([row]) for row in rows]))


def goes_on(rows: list[tuple[int, ...]]) -> list[tuple[str, int, int]]:
    """What a lenient replay gets to see: names, handles, sizes."""
    found = list(leniently(placed(rows)).batches)
    return [
        (Kind(kind & 63).name, handle, size)
        for one in found
        for kind, handle, size in zip(one.kind.tolist(), one.id.tolist(), one.size.tolist(), strict=True)
    ]


HERE, THERE = 0xC000010000, 0xC000020000


def test_the_later_of_two_births_with_one_handle_stands() -> None:
    rows = [(Kind.ALLOC, 0, 7, 24, 0, 0), (Kind.ALLOC, 1, 7, 4000, 0, 0)]
    assert goes_on(rows) == [("ALLOC", 7, 24), ("FREE", 7, 0), ("ALLOC", 7, 4000)]


def test_the_later_of_two_births_at_one_address_stands() -> None:
    rows = [(Kind.ALLOC, 0, 7, 24, 0, HERE), (Kind.ALLOC, 0, 8, 48, 0, HERE), (Kind.FREE, 0, 8, 0, 0, 0)]
    assert goes_on(rows) == [("ALLOC", 7, 24), ("FREE", 7, 0), ("ALLOC", 8, 48), ("FREE", 8, 0)]


def test_a_free_that_comes_too_late_is_left_out() -> None:
    rows = [(Kind.ALLOC, 0, 7, 24, 0, HERE), (Kind.ALLOC, 0, 8, 48, 0, HERE), (Kind.FREE, 0, 7, 0, 0, 0)]
    assert goes_on(rows)[-1] == ("ALLOC", 8, 48)


def test_an_address_is_free_again_once_its_object_is_dead() -> None:
    rows = [(Kind.ALLOC, 0, 7, 24, 0, HERE), (Kind.FREE, 0, 7, 0, 0, 0), (Kind.ALLOC, 0, 8, 24, 0, HERE)]
    assert goes_on(rows) == [("ALLOC", 7, 24), ("FREE", 7, 0), ("ALLOC", 8, 24)]


def test_objects_of_no_size_share_an_address() -> None:
    assert len(goes_on([(Kind.ALLOC, 0, i, 0, 0, HERE) for i in range(3)])) == 3


def test_a_birth_ends_who_had_its_handle_and_who_had_its_address() -> None:
    rows = [(Kind.ALLOC, 0, 7, 24, 0, HERE), (Kind.ALLOC, 0, 8, 24, 0, THERE), (Kind.ALLOC, 0, 7, 24, 0, THERE)]
    assert [row[:2] for row in goes_on(rows)] == [("ALLOC", 7), ("ALLOC", 8), ("FREE", 7), ("FREE", 8), ("ALLOC", 7)]


def test_the_later_of_two_stacks_and_of_two_spans_stands() -> None:
    rows = [(Kind.STACK_ALLOC, 0, 3, 2048, 0, 0)] * 2 + [(Kind.MANUAL_ALLOC, 0, 3, 4, 0, 0)] * 2
    assert [row[:2] for row in goes_on(rows)] == [
        ("STACK_ALLOC", 3), ("STACK_FREE", 3), ("STACK_ALLOC", 3),
        ("MANUAL_ALLOC", 3), ("MANUAL_FREE", 3), ("MANUAL_ALLOC", 3),
    ]  # fmt: skip


def test_check_sees_two_births_at_one_address() -> None:
    bad = BadEvents(HINTED)
    for one in placed([(Kind.ALLOC, 0, 7, 24, 0, HERE), (Kind.ALLOC, 0, 8, 48, 0, HERE)]).batches:
        bad.take(one)
    assert [(each.event, each.handle, each.wrong) for each in bad.first] == [(1, 8, Wrong.ADDRESS)]


places = st.lists(
    st.tuples(st.sampled_from([Kind.ALLOC, Kind.FREE]), st.integers(0, 6), st.integers(0, 4)).map(
        lambda drawn: (drawn[0], 0, drawn[1], 24 if drawn[0] == Kind.ALLOC else 0, 0, HERE + 8 * drawn[2])
    ),
    max_size=40,
)


@given(places)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_what_goes_on_is_good_and_every_birth_is_in_it(rows: list[tuple[int, ...]]) -> None:
    kept = list(leniently(placed(rows)).batches)
    again = BadEvents(HINTED)
    for one in kept:
        again.take(one)
    born = sum(int((one.kind == Kind.ALLOC).sum()) for one in kept)
    assert (again.counts, born) == ({}, sum(row[0] == Kind.ALLOC for row in rows))


def test_more_addresses_than_the_table_begins_with_are_remembered() -> None:
    rows = [(Kind.ALLOC, 0, i, 24, 0, HERE + 32 * i) for i in range(9000)] + [(Kind.ALLOC, 0, 9000, 24, 0, HERE + 32)]
    bad = BadEvents(HINTED)
    for at in range(0, len(rows), 1000):
        bad.take(batch(rows[at : at + 1000]))
    assert bad.counts == {Wrong.ADDRESS: 1}


def test_where_deaths_were_lost_no_figure_is_exact() -> None:
    outcome = replayed(leniently(placed([(Kind.ALLOC, 0, 7, 24, 0, HERE), (Kind.ALLOC, 0, 8, 1 << 20, 0, HERE)])))
    assert (outcome.lost.deaths, outcome.lost.bytes, outcome.skipped) == (1, 24 + 6 + 16, {})


# What is no mistake.


def test_objects_of_no_size_take_no_memory() -> None:
    assert replayed(trace(events("alloc a 0 x 100; free a3"))).samples[-1]["heap_objects"] == 0


@pytest.mark.parametrize("text", ["", "alloc a 24", "alloc a 24 x 50"])
def test_a_trace_of_few_events_or_without_gc_is_replayed(text: str) -> None:
    assert replayed(trace(events(text))).samples[-1]["num_gc"] == 0


def test_a_p_beyond_gomaxprocs_makes_the_model_grow_and_is_told() -> None:
    outcome = replayed(trace(events("P5 alloc a 24")))
    assert "the model went on with 6 Ps" in outcome.notes[0]


def test_the_same_events_with_enough_ps_from_the_start_give_the_same_heap() -> None:
    rows = events("alloc a 24 x 90; gc; P5 alloc b 24 x 70; free a; gc; P3 alloc c 5000 x 3")
    late, early = replayed(trace(rows)), replayed(trace(rows, Header(gomaxprocs=6)))
    assert (late.spans.tolist(), late.mcaches.tolist()) == (early.spans.tolist(), early.mcaches.tolist())


# On the command line.

ROWS: list[dict[str, Any]] = [
    {"op": "alloc", "id": 7, "size": 48},
    {"op": "free", "id": 7},
    {"op": "free", "id": 7},
    {"op": "free", "id": 8},
    {"op": "alloc", "id": 7, "size": 24},
    {"op": "alloc", "id": 7, "size": 24},
    {"op": "gc_end"},
]


@pytest.fixture
def bad_rows(tmp_path: Path) -> str:
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(path)


def test_check_reports_all_of_them_as_json_and_ends_with_3(bad_rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.run(["check", bad_rows, "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    found = [(row["event"], row["kind"], row["handle"]) for row in document["first"]]
    assert (code, document["bad_events"], found) == (
        3, 4, [(2, "free", None), (3, "free", None), (5, "alloc", 0), (6, "gc_end", None)]
    )  # fmt: skip
    assert list(document["by_problem"]) == [
        "double free", "free of an unknown object", "allocation on a live handle", "GC end without a start"
    ]  # fmt: skip


def test_a_good_trace_ends_check_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.run(["check", str(TRACES / "lru-go1.27.msgpack")])
    assert (code, "none of them bad" in capsys.readouterr().out) == (0, True)


def test_what_check_says_stands_in_one_line_through_a_pipe_wherever_the_trace_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far = tmp_path / ("far " * 30) / "a.msgpack"
    far.parent.mkdir()
    far.write_bytes((TRACES / "lru-go1.27.msgpack").read_bytes())
    cli.run(["check", str(far)])
    assert capsys.readouterr().out.splitlines()[0].endswith("none of them bad")


def test_check_goes_on_behind_values_that_a_reader_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = written([batch([(Kind.ALLOC, 0, 0, 8, 0, 0)] + [(Kind.FREE, 0, 0, 0, 0, 0)] * 2)], replace(Header()))
    hostile = tmp_path / "a.msgpack"
    hostile.write_bytes(whole)
    assert cli.run(["check", str(hostile), "--format", "json"]) == 3
    assert json.loads(capsys.readouterr().out)["by_problem"] == {"double free": 1}


def test_check_tells_of_a_call_of_no_function(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = tmp_path / "a.msgpack"
    odd.write_bytes(one_chunk(head={"calls": [[1, 40, 0]]}))
    assert cli.run(["check", str(odd)]) == 3
    assert "stack 1 names a function or caller that has not come yet" in capsys.readouterr().err


def test_a_replay_of_bad_rows_is_refused_with_the_code_of_damaged_input(
    bad_rows: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (cli.run(["replay", bad_rows]), capsys.readouterr().err.count("\n")) == (3, 1)


def test_a_lenient_replay_counts_in_its_report_what_it_left_out(
    bad_rows: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(["replay", bad_rows, "--lenient", "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert (code, document["skipped"]["double free"], sum(document["skipped"].values())) == (0, 1, 3)
    assert any(note.startswith("Bad events were left out, 3 of them (double free: 1,") for note in document["notes"])
    assert any(note.startswith("Deaths that were lost, 1 of them: where an id") for note in document["notes"])
    assert document["lost"] == {"deaths": 1, "bytes": 24 + 6 + 16}


def test_a_handle_far_beyond_all_others_costs_check_no_memory() -> None:
    far = (1 << 32) - 9
    found = checked([(Kind.ALLOC, 0, far, 64, 0), (Kind.ALLOC, 0, far, 64, 0)])
    assert found.counts == {Wrong.LIVE_HANDLE: 1}
