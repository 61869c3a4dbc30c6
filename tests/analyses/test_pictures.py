"""Samples and maps that a replay takes along: within caps, true to the heap, and without a trace in the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from goalloc_cli.analyses.describe import describe
from goalloc_cli.analyses.pictures.album import Album, on_one_grid
from goalloc_cli.analyses.replay import replay
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.model.books.pagemap import Mapper
from goalloc_cli.model.books.series import new_series
from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.pictures.heapmap import unpacked
from goalloc_cli.results.description import Lifetimes
from goalloc_cli.results.outcome import LEDGER, SAMPLE, Outcome, Place, Reason
from goalloc_cli.results.pictures import CACHED, FREE, LARGE, PLANES, RELEASED, SMALL, STACK, WORKBUF, Frame, Pictures
from goalloc_cli.synth.make import synthesize
from goalloc_cli.trace.event import COLUMNS, Batch, Function, Kind, Owner
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.root import ROOT

OWN = ("series", "map", "lifetimes")
"""What a replay's document has with pictures alone."""
ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")


def taken(trace: Trace, **options: object) -> Outcome:
    design, name, hints = choose_design(trace.header, None, ())
    return replay(trace, design, design_name=name, hints=hints, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def orders() -> Outcome:
    return taken(open_trace(ORDERS), pictures=True)


def pictures(outcome: Outcome) -> Pictures:
    assert outcome.pictures is not None
    return outcome.pictures


def frame(event: int = 0, first: int = 0, shift: int = 0, cells: int = 4, kind: int = SMALL) -> Frame:
    planes = np.full((6, cells), 10, np.uint8)
    planes[0] = kind
    return Frame(event, 0, 0, "every", first, shift, planes, np.ones(cells, np.int32), np.zeros(0, np.int32), (0,) * 9)


# How many.


def quiet(events: int, at_once: int = 1 << 16) -> Iterator[Batch]:
    """An object, and then nothing that the heap would notice."""
    for start in range(0, events, at_once):
        n = min(at_once, events - start)
        kind, size = np.full(n, Kind.SAW_HEAP_LIVE, np.uint8), np.full(n, 48, np.int64)
        if not start:
            kind[0] = Kind.ALLOC
        yield Batch(kind, np.zeros(n, np.uint16), np.zeros(n, np.uint32), size, np.zeros(n, np.uint32))


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("events", [1, 100, 9_600, 9_620, 100_000, 3_000_000])
def test_there_are_few_samples_and_frames_however_long_a_trace_is(events: int, known: bool) -> None:
    found = pictures(taken(Trace("quiet", Header(), quiet(events), events=events if known else None), pictures=True))
    assert min(250, events // 16) <= len(found.series) <= 600
    assert found.pages is not None
    assert min(14, events // 160) <= len(found.pages.frames) <= 48
    assert [one.event for one in found.pages.frames] == sorted({one.event for one in found.pages.frames})
    assert found.pages.frames[-1].event == events


@pytest.mark.parametrize("at_once", [1000, 4096, 131_071])
def test_what_is_taken_does_not_depend_on_batches(orders: Outcome, at_once: int) -> None:
    """Of a recording with a snapshot, and of more frames than are kept."""
    trace = open_trace(ORDERS)
    parts = replace(trace, batches=in_parts(trace.batches, at_once), events=None)
    whole = replace(open_trace(ORDERS), events=None)
    ours, theirs = (document(replace(taken(one, pictures=True), seconds=0)) for one in (parts, whole))
    assert {name: ours[name] for name in OWN} == {name: theirs[name] for name in OWN}


def test_nor_does_it_depend_on_how_long_batches_made_the_table_of_objects() -> None:
    made = list(synthesize("steady", 260_000, 3, {"live": 90_000}).batches)
    ours, theirs = (
        document(replace(taken(Trace("steady", Header(), batches), pictures=True), seconds=0))["map"]
        for batches in (in_parts(iter(made), 1000), iter(made))
    )
    assert ours == theirs


def in_parts(batches: Iterator[Batch], at_once: int) -> Iterator[Batch]:
    for batch in batches:
        for start in range(0, len(batch), at_once):
            part = batch.part(start, start + at_once)
            yield part.without_news() if start else part


def test_a_replay_with_many_cycles_keeps_every_so_many() -> None:
    samples = np.zeros(3001, SAMPLE)
    samples["event"], samples["num_gc"], samples["reason"] = np.arange(3001), np.arange(3001) // 3, Reason.GC
    samples["reason"][-1] = Reason.END
    samples["heap_inuse"] = 1
    heap = np.rec.array([(0, (13,))], [("base_addr", "<i8"), ("knobs", [("page_shift", "<i8")])])[0]
    album = Album(new_series(), Mapper(), Trace("", Header(), iter(())))
    found = album.pictures(samples[:0], samples, samples[1500:1501], heap, [""])
    assert len(found.series) <= 600
    assert found.cycles_kept == 16
    assert found.series["event"].tolist() == sorted(found.series["event"].tolist())
    assert {1500, 3000} <= set(found.series["event"].tolist())


# What they are.


def test_in_every_sample_the_ledger_adds_up(orders: Outcome) -> None:
    series = pictures(orders).series
    assert (sum(series[name] for name in LEDGER) == series["heap_inuse"]).all()


def test_the_peak_and_the_end_are_among_the_samples(orders: Outcome) -> None:
    series = pictures(orders).series
    assert series["heap_inuse"].max() == orders.peak["heap_inuse"][0]
    assert series["event"][-1] == sum(orders.events.values())


def test_nothing_is_sampled_before_the_snapshot_is_complete(orders: Outcome) -> None:
    assert pictures(orders).series[0]["reason"] == Reason.START


def test_pictures_change_nothing_else(orders: Outcome) -> None:
    plain = taken(open_trace(ORDERS))
    ours, theirs = document(replace(orders, seconds=0)), document(replace(plain, seconds=0))
    assert {name: part for name, part in ours.items() if name not in OWN} == theirs


def test_a_map_counts_every_page_once(orders: Outcome) -> None:
    end, sample = pictures(orders).pages.frames[-1], orders.samples[-1]  # type: ignore[union-attr]
    size = [8192 * n for n in end.pages]
    assert size[SMALL] + size[LARGE] == sample["heap_inuse"]
    assert size[STACK] == sample["stack_inuse"]
    assert size[WORKBUF] == sample["gc_workbufs"]
    assert size[CACHED] == sample["page_cache_bytes"]
    assert size[FREE] + size[RELEASED] + size[CACHED] == sample["heap_idle"]


def test_each_cell_is_what_its_span_is(orders: Outcome) -> None:
    """At the end, against the table of spans."""
    found = document(orders)["map"]
    planes = dict(zip(PLANES, unpacked(found)[-1], strict=True))
    for span in orders.spans:
        cell = (int(span["start_addr"]) - found["first_addr"]) // 8192
        live, slots = int(span["live"]), int(span["nelems"])
        told = {name: int(planes[name][cell]) for name in PLANES}
        assert told["kind"] == (LARGE if span["place"] == Place.LARGE else SMALL)
        assert told["spanclass"] == span["spc"]
        assert told["live"] == min(live, 255)
        assert told["occupancy"] == (max(1, 100 * live // slots) if live else 0)
        assert told["dead"] == 100 * (int(span["used"]) - live) // slots
        assert told["age"] == min(int(span["age"]), 255)
        assert (told["type"] > 0) == (live > 0 and span["pin_type"] > 0) or live > 1


def test_thin_pages_are_those_of_spans_less_than_half_live(orders: Outcome) -> None:
    end = pictures(orders).pages.frames[-1]  # type: ignore[union-attr]
    small = orders.spans[orders.spans["place"] != Place.LARGE]
    thin = small[(100 * small["live"] // small["nelems"]) < 50]
    assert end.pages[-1] == thin["npages"].sum()


def test_a_cell_tells_who_allocated_what_lives_there() -> None:
    """Two goroutines, of which the second takes over the handles of what the first had; in one batch."""
    each = range(1, 9)
    rows = [
        (Kind.WORKS_FOR, 0, 0, 0, 1), *((Kind.ALLOC, 0, n, 65536, 0) for n in each),
        (Kind.WORKS_FOR, 0, 0, 0, 2), *((Kind.FREE, 0, n, 0, 0) for n in each[:2]),
        *((Kind.ALLOC, 0, n, 65536, 0) for n in each[:2]),
    ]  # fmt: skip
    columns = [np.array(column, dtype) for column, dtype in zip(zip(*rows, strict=True), COLUMNS.values(), strict=False)]
    one = Batch(*columns, new_functions=[Function("main.a", ""), Function("main.b", "")],
                new_owners=[Owner(1, 0, "", "", 0), Owner(2, 0, "a task", "", 0)])  # fmt: skip
    found = document(taken(Trace("two", Header(owners=True), iter([one])), pictures=True))["map"]
    assert found["who"] == ["", "main.a", "main.b, a task"]
    assert np.bincount(unpacked(found)[-1][-1])[1:].tolist() == [6 * 8, 2 * 8]


def test_a_trace_that_tells_no_owners_has_no_such_map(orders: Outcome) -> None:
    assert open_trace(ORDERS).header.owners is False
    found = document(orders)["map"]
    assert ("who" in found, len(found["planes"])) == (False, len(PLANES))


def test_no_type_is_told_where_nothing_lives() -> None:
    """Objects are looked at in turns: what was seen may be dead by now."""
    made = synthesize("steady", 60_000, 3, {"live": 3000})
    outcome = taken(Trace("steady", Header(), iter(list(made.batches))), pictures=True)
    pages = pictures(outcome).pages
    assert pages is not None
    assert len(pages.frames) > 10
    for one in pages.frames:
        assert set(one.types[one.planes[5] == 0].tolist()) <= {-1}


# Cells of other sizes.


def test_frames_of_a_heap_that_grew_lie_on_one_grid() -> None:
    found = on_one_grid([frame(1, first=8, cells=4), frame(2, first=0, shift=2, cells=8)], 0, 8192, [""], [])
    assert found is not None
    assert (found.shift, found.first_cell, found.cells) == (2, 0, 8)
    assert found.frames[0].planes[0].tolist() == [0, 0, SMALL, 0, 0, 0, 0, 0]
    assert found.frames[0].planes[5].tolist() == [0, 0, 40, 0, 0, 0, 0, 0]


def test_of_two_unlike_cells_the_one_in_use_is_told() -> None:
    mixed = frame(1, first=1, cells=2, kind=FREE)
    mixed.planes[0, 1] = SMALL
    found = on_one_grid([mixed, frame(2, first=0, shift=1, cells=2)], 0, 8192, [""], [])
    assert found is not None
    assert found.frames[0].planes[0].tolist() == [FREE, SMALL]


def test_a_heap_of_64_gib_has_as_few_cells_as_any() -> None:
    from goalloc_cli.results.pictures import MOST_CELLS, shift_for

    shift = shift_for(3, 64 << 17)
    assert (64 << 17) >> shift <= MOST_CELLS < (64 << 17) >> (shift - 1)


# The timeline.


def test_the_timeline_has_cycles_and_the_peak_however_it_is_sampled(orders: Outcome) -> None:
    every = taken(open_trace(ORDERS), every=20_000)
    wanted = {Reason.GC, Reason.GC_START, Reason.SWEPT, Reason.PEAK}
    assert wanted <= {Reason(int(reason)) for reason in every.samples["reason"]}
    of_cycles = [rows[np.isin(rows["reason"], list(wanted))] for rows in (every.samples, orders.samples)]
    assert of_cycles[0].tolist() == of_cycles[1].tolist()


def test_a_cycle_starts_ends_and_is_swept_in_this_order(orders: Outcome) -> None:
    for cycle in range(1, 6):
        rows = orders.samples[orders.samples["num_gc"] == cycle]
        of_cycle = [int(reason) for reason in rows["reason"] if reason in (Reason.GC_START, Reason.GC, Reason.SWEPT)]
        assert of_cycle == [Reason.GC_START, Reason.GC, Reason.SWEPT]


def test_once_sweeping_has_ended_no_garbage_that_was_found_is_left(orders: Outcome) -> None:
    swept = orders.samples[orders.samples["reason"] == Reason.SWEPT]
    assert len(swept) > 3
    assert not swept["dead_unswept"].any()


# Lifetimes.


@pytest.mark.parametrize("name", ["steady", "generational", "lru"])
def test_lifetimes_are_those_of_the_description(name: str) -> None:
    made = list(synthesize(name, 60_000, 3, {}).batches)
    ours = pictures(taken(Trace(name, Header(), iter(made)), pictures=True)).lifetimes
    theirs = describe(Trace(name, Header(), iter(made)))
    assert ours == Lifetimes(theirs.lifetimes_cycles, theirs.live_objects, theirs.live_bytes, theirs.dead_of_unknown_age)


def test_lifetimes_of_a_recording_are_those_of_the_description(orders: Outcome) -> None:
    """It has a snapshot: of its objects nobody knows the age."""
    theirs = describe(open_trace(ORDERS))
    assert theirs.dead_of_unknown_age > 0
    assert pictures(orders).lifetimes == Lifetimes(
        theirs.lifetimes_cycles, theirs.live_objects, theirs.live_bytes, theirs.dead_of_unknown_age
    )
