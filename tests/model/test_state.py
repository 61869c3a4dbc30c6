"""Saved states: a trace in two parts gives what it gives in one, and a damaged state is refused."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace as changed
from pathlib import Path
from random import Random

import msgpack
import numpy as np
import pytest
import zstandard

from goalloc_cli import cli
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.errors import TraceError
from goalloc_cli.model.saved import state as states
from goalloc_cli.native.native import read_native, write_native
from goalloc_cli.report.documents.replay import document
from goalloc_cli.results.outcome import Outcome
from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.trace import Header, Trace
from tests.importers.test_partial import parts
from tests.kit.batches import batch
from tests.kit.root import ROOT
from tests.kit.strategies import MAX_PROCS, OFTEN_GROWN, Event, seeded

DESIGNS = {**RELEASES, "often grown": OFTEN_GROWN[0]}


def trace(events: Iterable[Event], header: Header | None = None) -> Trace:
    rows = [(*event, 0) for event in events]
    cut = [batch(rows[i : i + 500]) for i in range(0, len(rows), 500)]
    return Trace("a", header or Header(gomaxprocs=MAX_PROCS), iter(cut))


def whole(found: Trace, design: Design, **more: object) -> Outcome:
    return replay(found, design, design_name="any", every=100, hints=bool(found.header.hints), **more)  # type: ignore[arg-type]


def split(events: Sequence[Event], at: int, design: Design) -> Outcome:
    """The outcome of a trace in two parts."""
    kept: list[bytes] = []
    whole(trace(events[:at]), design, save=kept.append)
    return whole(trace(events[at:]), design, begin_with=("state", kept[0]))


def told(outcome: Outcome) -> dict[str, object]:
    """All that an outcome says, but for how long it took."""
    return {**document(outcome), "run": None}


@pytest.mark.parametrize("release", DESIGNS)
def test_a_trace_in_two_parts_gives_what_it_gives_in_one(release: str) -> None:
    events = seeded(7, 60)
    at = Random(release).randrange(len(events))
    assert told(split(events, at, DESIGNS[release])) == told(whole(trace(events), DESIGNS[release]))


def test_so_does_a_recording_whose_types_and_names_come_again() -> None:
    first = read_native((ROOT / "traces" / "orders-go1.25.msgpack").open("rb"), "a")
    cut = [part for one in first.batches for part in parts(one, 1000)]
    head, tail = cut[: len(cut) // 2], cut[len(cut) // 2 :]
    types = [new for one in head for new in one.new_types]
    names = [name for one in head for name in one.new_names]
    start = changed(tail[0], new_types=types + tail[0].new_types, new_names=names + tail[0].new_names)
    kept: list[bytes] = []
    design = RELEASES["1.25"]
    whole(Trace("a", first.header, iter(head)), design, save=kept.append)
    second = whole(Trace("a", first.header, iter([start, *tail[1:]])), design, begin_with=("state", kept[0]))
    assert told(second) == told(whole(Trace("a", first.header, iter(cut)), design))


@pytest.fixture(scope="module")
def saved() -> bytes:
    kept: list[bytes] = []
    whole(trace(seeded(3, 40)), RELEASES["1.27"], save=kept.append)
    return kept[0]


def load(data: bytes, release: str = "1.27") -> Outcome:
    return whole(trace([]), RELEASES[release], begin_with=("a.state", data))


def with_part(data: bytes, name: str, part: bytes) -> bytes:
    """The file with another part, and a checksum that is right."""
    found = msgpack.unpackb(data)
    found["parts"][name] = zstandard.ZstdCompressor().compress(part)
    found["bytes"][name] = len(part)
    found["check"] = states.checksum(found["bytes"], found["parts"])
    return bytes(msgpack.packb(found))


def part_of(data: bytes, name: str) -> bytes:
    return zstandard.ZstdDecompressor().decompress(msgpack.unpackb(data)["parts"][name])


def test_a_state_is_loaded_as_it_was_saved(saved: bytes) -> None:
    kept: list[bytes] = []
    whole(trace([]), RELEASES["1.27"], begin_with=("a.state", saved), save=kept.append)
    assert part_of(kept[0], "spans") == part_of(saved, "spans")


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_state_that_was_cut_is_refused(saved: bytes, length: int) -> None:
    with pytest.raises(TraceError, match=r"^a\.state: this saved state cannot be used"):
        load(saved[:length])


def test_a_changed_byte_is_noticed_or_changes_nothing(saved: bytes) -> None:
    rng = Random(1)
    expected = told(load(saved))
    for _ in range(60):
        data = bytearray(saved)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            assert told(load(bytes(data))) == expected
        except TraceError as error:
            assert "this saved state cannot be used" in str(error)


def test_a_state_of_another_design_or_layout_is_refused(saved: bytes) -> None:
    with pytest.raises(TraceError, match="another design"):
        load(saved, "1.26" if RELEASES["1.26"] != RELEASES["1.27"] else "1.12")
    found = msgpack.unpackb(saved)
    found["layout"] = "0" * 64
    with pytest.raises(TraceError, match="another layout"):
        load(bytes(msgpack.packb(found)))


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("spans", "next", 1 << 30, "spans.next names a row that is not there"),
        ("spans", "bits", -5, "bitmaps"),
        ("spans", "start_addr", 0, "outside the heap"),
        ("spans", "nelems", 1 << 20, "other slots than its class"),
        ("spans", "owner", 900, "spans.owner"),
        ("nodes", "span", 1 << 20, "nodes.span"),
        ("nodes", "next", 0, "never ends"),
        ("objects", "loc", 1 << 60, "lies in no span"),
    ],
)
def test_a_hostile_state_with_a_right_checksum_does_not_reach_the_kernels(
    saved: bytes, table: str, column: str, value: int, said: str
) -> None:
    dtype = states.HEAP[table].base if table in states.HEAP.names else states.DTYPES[table]
    rows = np.frombuffer(bytearray(part_of(saved, table)), dtype)
    rows[column][1:] = value
    with pytest.raises(TraceError, match=said):
        load(with_part(saved, table, rows.tobytes()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("gc", "under_way_count"), 1000),
        (("gc", "under_way"), 1 << 20),
        (("gc", "named_sweeps"), 1 << 20),
        (("gc", "reclaimed_count"), 1000),
        (("gc", "reclaim_end"), 1 << 40),
        (("gc", "sweepgen"), 1 << 20),
        (("gc", "parity"), 0),
        (("gc", "workbufs"), -(1 << 40)),
        (("scavenge", "cursor"), 1 << 40),
        (("scavenge", "free_high"), 1 << 40),
        (("scavenge", "sleep_ratio"), float("nan")),
        (("scavenge", "next_ns"), -(1 << 62)),
        (("mcaches", "reserved"), 1 << 20),
        (("mcaches", "reserved"), 1),
        (("mcaches", "tiny_offset"), -(1 << 40)),
        (("mcaches", "page_cache_base"), 7),
        (("mcaches", "credit_span"), 1 << 20),
        (("mcaches", "page_cache_scav"), 1 << 63),
        (("central", "tail"), 0),
        (("central", "nonempty", "first"), 1),
        (("stacks", "pool"), 1),
        (("stacks", "announced"), 1),
        (("busy", "last"), 1),
        (("free_words",), 0),
        (("run_lists",), 1),
        (("free_spans",), 1),
        (("held", "offers"), 9),
        (("most_pages",), 1 << 40),
        (("time_ns",), 1 << 62),
        (("peak", "reason"), 64),
        (("swept", "reason"), -1),
        (("began", "name"), 77),
    ],
)
def test_no_number_of_the_short_tables_is_believed(saved: bytes, path: tuple[str, ...], value: float) -> None:
    rows = np.frombuffer(bytearray(part_of(saved, "small")), states.SMALL_TABLES)
    column = rows
    for name in path:
        column = column[name]
    column[...] = value
    with pytest.raises(TraceError, match="this saved state cannot be used"):
        load(with_part(saved, "small", rows.tobytes()))


@pytest.mark.parametrize(
    ("table", "column", "row", "value"),
    [
        ("spans", "alloc_cache", 1, (1 << 64) - 1),
        ("spans", "nwords", 1, 0),
        ("spans", "listed", 1, 2),
        ("bits", None, 0, (1 << 64) - 1),
        ("objects", "label", 0, 1 << 20),
        ("stacks", None, 1, 3000),
        ("manual_spans", None, 0, 1 << 20),
        ("cursor", None, 0, -1),
        ("samples", "reason", 0, 77),
        ("samples", "name", 0, 77),
        ("page_run", None, 3, 1),
        ("page_span", None, -1, 1 << 20),
    ],
)
def test_nor_is_any_of_the_long_ones(saved: bytes, table: str, column: str | None, row: int, value: int) -> None:
    dtypes = {**states.DTYPES, "samples": states.SAMPLE}
    rows = np.frombuffer(bytearray(part_of(saved, table)), dtypes.get(table) or states.HEAP[table].base)
    (rows if column is None else rows[column])[row] = value
    with pytest.raises(TraceError, match="this saved state cannot be used"):
        load(with_part(saved, table, rows.tobytes()))


def test_so_does_none_with_numbers_at_random(saved: bytes) -> None:
    rng = np.random.default_rng(5)
    names = [*states.used_rows(states.new_heap(RELEASES["1.27"], 1)), *states.STORED, "small", "samples"]
    for _ in range(40):
        name = names[rng.integers(len(names))]
        words = np.frombuffer(bytearray(part_of(saved, name)), np.uint8)
        if len(words):
            words[rng.integers(len(words), size=8)] = rng.integers(256, size=8, dtype=np.uint8)
        try:
            load(with_part(saved, name, words.tobytes()))
        except TraceError as error:
            assert "this saved state cannot be used" in str(error)


def test_the_lengths_of_parts_are_those_of_its_tables(saved: bytes) -> None:
    with pytest.raises(TraceError, match="not its rows"):
        load(with_part(saved, "spans", part_of(saved, "spans")[:-128]))


# On the command line.


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A recording in two files."""
    folder = tmp_path_factory.mktemp("halves")
    first = read_native((ROOT / "traces" / "lru-go1.27.msgpack").open("rb"), "a")
    cut = [part for one in first.batches for part in parts(one, 4000)]
    head, tail = cut[:10], cut[10:]
    types = [new for one in head for new in one.new_types]
    names = [name for one in head for name in one.new_names]
    again = changed(tail[0], new_types=types + tail[0].new_types, new_names=names + tail[0].new_names)
    for name, some in (("head", head), ("tail", [again, *tail[1:]])):
        write(folder / name, first.header, some)
    return str(folder / "head"), str(folder / "tail")


def write(path: Path, header: Header, batches: Sequence[Batch]) -> None:
    stream = io.BytesIO()
    write_native(header, batches, stream)
    path.write_bytes(stream.getvalue())


def test_save_state_and_load_state_join_two_files(
    halves: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = str(tmp_path / "a.state")
    assert cli.run(["replay", halves[0], "--save-state", kept, "-q"]) == 0
    capsys.readouterr()
    assert cli.run(["replay", halves[1], "--load-state", kept, "-q", "--report", "classes", "--format", "csv"]) == 0
    joined = capsys.readouterr().out
    cli.run(["replay", str(ROOT / "traces" / "lru-go1.27.msgpack"), "-q", "--report", "classes", "--format", "csv"])
    assert joined == capsys.readouterr().out


def test_a_state_is_kept_unless_forced_and_damage_is_exit_3(
    halves: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "a.state"
    kept.write_bytes(b"mine")
    assert cli.run(["replay", halves[0], "--save-state", str(kept), "-q"]) == 2
    assert kept.read_bytes() == b"mine"
    assert cli.run(["replay", halves[1], "--load-state", str(kept), "-q"]) == 3
    assert capsys.readouterr().err.count("\n") == 2
