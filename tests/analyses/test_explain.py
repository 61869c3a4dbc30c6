"""goalloc explain: what it says of a size, and of one event, is what the tables, the twin and real Go say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goalloc_cli import cli
from goalloc_cli.analyses.explain import rules
from goalloc_cli.analyses.explain.event import explain_event
from goalloc_cli.analyses.explain.size import Play, explain_size
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import GO_1_21, GO_1_27, RELEASES, release
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.report.documents.explained import event_document, sizes_document
from goalloc_cli.report.forms.layout import Paper
from goalloc_cli.report.forms.render import to_text
from goalloc_cli.report.tables.explained import blocks
from goalloc_cli.trace.event import KIND_MASK, NO_P, Batch, Kind
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch
from tests.kit.root import ROOT
from tests.kit.story import events
from tests.report.test_report_text import assert_golden
from tests.twin import Naive
from tests.twin.cache import header_bytes, small_limit
from tests.twin.sizeclasses import class_of, size_classes, slots_per_span

ORDERS = ROOT / "traces" / "orders-go1.27.msgpack"
WEB = ROOT / "traces" / "web-go1.27-p4.msgpack"
OLD = ROOT / "tests" / "data" / "oldgo" / "go1.12.9-mid-lazy-5.jsonl.zst"
SIZES = (1, 7, 8, 15, 16, 17, 33, 512, 513, 1016, 1017, 1024, 32760, 32761, 32768, 32769, 40000, 1 << 20)


@pytest.mark.parametrize("noscan", [True, False])
@pytest.mark.parametrize("version", RELEASES)
def test_every_size_gets_the_slot_that_the_twin_gives_it(version: str, noscan: bool) -> None:
    design = release(version)
    classes = size_classes(design)
    for size in SIZES:
        asked = rules.request(design, size, noscan)
        if size > small_limit(design):
            assert (asked.path, asked.npages) == ("large", -(-size // 8192))
            continue
        tiny = noscan and size < 16
        header = 0 if noscan else header_bytes(design, size)
        number = class_of(classes, 16 if tiny else size + header)
        slot, npages = classes[number]
        assert (asked.path, asked.size_class, asked.slot_bytes) == ("tiny" if tiny else "small", number, slot)
        assert (asked.npages, asked.nelems) == (npages, slots_per_span(design, slot, npages, noscan))


def test_a_span_is_its_slots_its_metadata_and_its_tail() -> None:
    asked = rules.request(GO_1_27, 33, noscan=False)
    assert (asked.nelems * 48 + asked.metadata_bytes + asked.tail_bytes, asked.span_bytes) == (8192, 8192)


@pytest.mark.parametrize(
    ("design", "slot", "header"), [(GO_1_27, 1152, 8), (GO_1_21, 1024, 0)], ids=["with a header", "before there was one"]
)
def test_a_header_costs_a_class_where_there_is_one(design: Design, slot: int, header: int) -> None:
    found = explain_size(design, 1024, pointers=True)
    assert (found["slot_bytes"], found["header_bytes"]) == (slot, header)


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("size", [5, 33, 9000, 40000])
def test_what_is_played_lies_where_the_twin_puts_it(version: str, size: int) -> None:
    play = Watched(release(version), rules.request(release(version), size, noscan=True))
    scenes = play.scenes()
    twin = Naive(play.design, 1)
    lies = [twin.apply(kind, 0, handle, size, 0) for kind, handle, size in play.told]
    made = {handle: at for (kind, handle, _), at in zip(play.told, lies, strict=True) if kind & KIND_MASK == Kind.ALLOC}
    assert [scene["address"] + scene.get("offset", 0) for scene in scenes] == [made[scene["object"]] for scene in scenes]


class Watched(Play):
    """A play that remembers its events."""

    def __init__(self, design: Design, asked: rules.Request) -> None:
        super().__init__(design, asked)
        self.told: list[tuple[int, int, int]] = []

    def feed(self, *rows: tuple[int, int, int]) -> None:
        self.told += rows
        super().feed(*rows)


def test_each_generation_names_its_own_structures() -> None:
    text = {v: " ".join(explain_size(release(v), 33, False)["search"]) for v in ("1.10", "1.12", "1.13", "1.14", "1.27")}
    assert ["page cache" in text[v] for v in text] == [False, False, False, True, True]
    assert ["`nonempty`" in text[v] for v in text] == [True, True, True, True, False]
    assert ["treap" in text[v] for v in text] == [True, True, True, False, False]


@pytest.mark.parametrize("version", RELEASES)
def test_growth_is_what_the_model_grew_by(version: str) -> None:
    found = explain_size(release(version), 40000, False)
    (told,) = re.findall(r"Grow the heap by ([\d,]+) page", found["search"][-1])
    (grew,) = re.findall(r"the heap grows by ([\d,]+) page", " ".join(found["played"][0]["steps"]))
    assert told == grew


@pytest.mark.parametrize("version", RELEASES)
def test_after_a_cycle_the_first_dead_slot_is_taken_again(version: str) -> None:
    first, *_, last = explain_size(release(version), 33, False)["played"]
    assert last["served_by"].startswith("mcentral")
    assert (last["span"]["base"], first["slot"], last["slot"]) == (first["span"]["base"], 0, 1)


def test_a_size_reads_as_it_did() -> None:
    document = sizes_document([explain_size(GO_1_27, 33, False)], "go1.27")
    assert_golden("explain-33.txt", to_text(blocks(document), Paper(80)))


def test_an_old_release_reads_as_it_did() -> None:
    document = sizes_document([explain_size(release("1.12"), 1024, True)], "go1.12")
    assert_golden("explain-1024-go1.12.txt", to_text(blocks(document), Paper(80)))


def test_several_sizes_stand_side_by_side() -> None:
    document = sizes_document([explain_size(GO_1_27, n, False) for n in (16, 33, 100, 8, 40000)], "go1.27")
    assert_golden("explain-sizes.txt", to_text(blocks(document), Paper(80)))


# One event.


def played(text: str, design: Design = GO_1_27, number: int = -1) -> tuple[dict[str, Any], Naive]:
    """What is told of an event of a story, the last if none is named; and the twin just before it."""
    rows = events(text)
    number = number % len(rows)
    nprocs = 1 + max(row[1] for row in rows)
    trace = Trace("story", Header(gomaxprocs=nprocs), iter([batch([(*row, 0) for row in rows], addr=False)]))
    twin = Naive(design, nprocs)
    for row in rows[:number]:
        twin.apply(*row)
    return explain_event(trace, design, number, hints=False), twin


def test_an_mcache_hit_takes_the_first_free_slot_after_freeindex() -> None:
    design = Design(background_turns=0)
    told, twin = played("alloc a 1024 x 14; free a2..a4; free a6; gc; alloc b 1024 x 2; alloc c 1024", design)
    (cached,) = twin.heap.mcaches[0].alloc.values()
    assert told["served_by"] == "mcache"
    assert told["free_index"] == cached.free_index
    assert told["slot"] == cached.next_free()


@pytest.mark.parametrize(
    ("text", "served", "pages"),
    [
        ("alloc a 8192 noscan", "new pages", "growth"),
        ("alloc a 8192 noscan; alloc b 8192 noscan", "new pages", "page cache"),
        ("alloc a 8192 noscan; alloc b 900000", "new pages", "page heap"),
        ("alloc a 4096; alloc b 4096", "mcache", None),
        ("alloc a 8 noscan; alloc b 8 noscan", "tiny block", None),
        ("alloc a 0", "nothing", None),
        ("alloc a 8192 noscan x 2; free a0; gc; alloc b 8192 noscan", "mcentral, full unswept", None),
        ("alloc a 4096 noscan x 3; free a0; gc!; alloc b 4096 noscan", "mcentral, partial swept", None),
    ],
)
def test_it_tells_who_served_an_allocation(text: str, served: str, pages: str | None) -> None:
    told, _ = played(text, Design(background_turns=0))
    assert (told["served_by"], told["pages_from"]) == (served, pages)


def test_a_list_serves_where_mcentrals_have_lists() -> None:
    told, _ = played("alloc a 4096 noscan x 3; free a0; gc!; alloc b 4096 noscan", release("1.12"))
    assert told["served_by"] == "mcentral, list nonempty, swept"


@pytest.mark.parametrize("path", [ORDERS, OLD, ROOT / "traces" / "trees-go1.24.msgpack"], ids=lambda path: path.name)
def test_real_allocations_lie_where_the_recording_has_them(path: Path) -> None:
    numbers = numbered(path, lambda batch: (batch.kind & KIND_MASK == Kind.ALLOC) & (batch.addr != 0))
    for number in np.linspace(0, len(numbers) - 1, 6, dtype=int):
        told = explained(path, int(numbers[number]))
        assert told["equal"], told


def numbered(path: Path, wanted: Callable[[Batch], Any]) -> np.ndarray:
    """The numbers of the events that are wanted."""
    numbers, events_before = [], 0
    for part in open_trace(path).batches:
        numbers.append(np.flatnonzero(wanted(part)) + events_before)
        events_before += len(part)
    return np.concatenate(numbers)


def explained(path: Path, number: int) -> dict[str, Any]:
    from dataclasses import replace

    found = open_trace(path)
    design = replace(release(found.header.go_version), **dict(found.header.knobs))
    return explain_event(found, design, number, hints=True)


def test_every_kind_of_event_has_something_to_say() -> None:
    last: dict[int, int] = {}
    events_before = 0
    for part in open_trace(WEB).batches:
        kinds = part.kind & KIND_MASK
        last |= {int(kind): events_before + int(np.flatnonzero(kinds == kind)[-1]) for kind in np.unique(kinds)}
        events_before += len(part)
    assert len(last) > 20
    for kind, number in last.items():
        told = explained(WEB, number)
        assert (told["kind"], bool(told["steps"])) == (Kind(kind).name.lower(), True)


def test_an_event_reads_as_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = open_trace(ORDERS.relative_to(ROOT))
    told = explain_event(found, GO_1_27, 125672, hints=True)
    text = to_text(blocks(event_document(told, found, "go1.27")), Paper(80))
    assert_golden("explain-event.txt", text)


def test_heap_inuse_moves_by_the_pages_of_a_new_span() -> None:
    told, _ = played("alloc a 40000")
    assert told["heap_inuse"]["after"] - told["heap_inuse"]["before"] == told["span"]["pages"] * 8192


def test_a_what_if_shows_the_recorded_address_beside_its_own() -> None:
    found = open_trace(ORDERS)
    told = explain_event(found, release("1.12"), 125672, hints=False)
    assert (told["equal"], told["recorded_address"] is None) == (False, False)


def test_an_event_of_no_p_is_told_as_such() -> None:
    trace = Trace("", Header(), iter([batch([(Kind.ALLOC, NO_P, 0, 64, 0, 0)])]))
    assert explain_event(trace, GO_1_27, 0, hints=False)["p"] is None


# The command.


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["33", "many"], "no size"),
        (["3.5"], "no size"),
        (["--", "-1"], "no size"),
        (["100GiB"], "at most 63GiB"),
        ([str(ORDERS)], "--event"),
        ([str(ORDERS), "--event", "125673"], "there are 125,673"),
        ([str(ORDERS), "33", "--event", "1"], "one TRACE"),
        (["33", "--go", "1.9"], "not modelled"),
        ([], "Missing"),
    ],
)
def test_what_cannot_be_explained_is_one_line_and_exit_2(
    args: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(["explain", *args])
    told = capsys.readouterr().err
    assert (code, told.count("\n"), problem in told) == (2, 1, True)


def test_a_size_may_have_a_unit(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    cli.run(["explain", "32KiB", "1.5KiB", "--format", "json"])
    found = json.loads(capfdbinary.readouterr().out)
    assert [size["request_bytes"] for size in found["sizes"]] == [32768, 1536]


@pytest.mark.parametrize("form", ["json", "csv", "markdown", "table"])
def test_an_event_can_be_told_in_every_form(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", str(ORDERS), "--event", "125672", "--format", form]) == 0
    assert "partial swept" in capfd.readouterr().out
