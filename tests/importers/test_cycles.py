"""GC cycles that are put into traces without any: where Go's pacer would start them."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from goalloc_cli import cli
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.common.cycles import collecting
from goalloc_cli.importers.malloclab import read_malloclab
from goalloc_cli.importers.rows.read import read_jsonl
from goalloc_cli.trace.event import BATCH, Batch, Kind, TypeInfo
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch
from tests.kit.root import ROOT
from tests.kit.story import events

MIB = 1 << 20

Event = tuple[int, int, int, int, int]


def batches(rows: list[Event], length: int = 7) -> list[Batch]:
    return [batch([(*row, 0) for row in rows[i : i + length]]) for i in range(0, len(rows), length)]


def with_cycles(rows: list[Event], gogc: int = 100, length: int = 7) -> list[tuple[int, ...]]:
    trace = collecting(Trace("a", Header(), iter(batches(rows, length))), gogc)
    return told(trace.batches)


def told(found: Iterable[Batch]) -> list[tuple[int, ...]]:
    names = ("kind", "p", "id", "size", "arg")
    return [row for one in found for row in zip(*(getattr(one, name).tolist() for name in names), strict=True)]


def naively(rows: list[Event], gogc: int) -> list[Event]:
    """The same by Go's formula over a plain dict."""
    live: dict[int, int] = {}
    marked = allocated = 0
    out: list[Event] = []
    for row in rows:
        kind, p, handle, size, _ = row
        out.append(row)
        if kind == Kind.ALLOC:
            live[handle] = size
            allocated += size
            if gogc >= 0 and 100 * (marked + allocated) >= max(marked * (100 + gogc), 4 * MIB * gogc):
                marked, allocated = sum(live.values()), 0
                out += [(Kind.GC_START, p, 0, 0, 0), (Kind.GC_END, p, 0, 0, 0)]
        elif kind == Kind.FREE:
            del live[handle]
        elif kind == Kind.SET_GOGC:
            gogc = size
    return out


def program(seed: int) -> list[Event]:
    """A program that allocates and drops a megabyte here and there."""
    chance, live, rows = random.Random(seed), [], []
    for handle in range(400):
        rows.append((Kind.ALLOC, chance.randrange(3), handle, chance.randrange(1, 2 * MIB), 0))
        live.append(handle)
        while len(live) > 12 and chance.random() < 0.6:
            rows.append((Kind.FREE, 0, live.pop(chance.randrange(len(live))), 0, 0))
        if chance.random() < 0.01:
            rows.append((Kind.SET_GOGC, 0, 0, chance.randrange(20, 300), 0))
    return rows


@pytest.mark.parametrize("gogc", [10, 100, 400])
@pytest.mark.parametrize("seed", range(3))
def test_cycles_start_where_the_formula_of_the_pacer_says(gogc: int, seed: int) -> None:
    rows = program(seed)
    assert with_cycles(rows, gogc) == naively(rows, gogc)


def test_the_first_cycle_starts_at_four_mebibytes() -> None:
    found = with_cycles(events(f"alloc a {MIB} x 4; alloc b 8"))
    assert [row[0] for row in found] == [Kind.ALLOC] * 4 + [Kind.GC_START, Kind.GC_END, Kind.ALLOC]


def test_a_cycle_is_begun_by_the_p_whose_allocation_it_is() -> None:
    assert with_cycles(events(f"P3 alloc a {4 * MIB}"))[1][:2] == (Kind.GC_START, 3)


def test_a_gc_that_is_off_never_starts() -> None:
    off = [(Kind.SET_GOGC, 0, 0, 0, 1), *events(f"alloc a {MIB} x 50")]
    assert with_cycles(off) == off


def test_however_many_cycles_there_are_no_batch_gets_too_long() -> None:
    rows = [(Kind.ALLOC, 0, i, 8 * MIB, 0) for i in range(BATCH)]
    first = batch([(*row, 0) for row in rows])
    first.new_types.append(TypeInfo("main.T", 8, 8))
    trace = collecting(Trace("a", Header(), iter([first])), 1)
    found = list(trace.batches)
    assert max(map(len, found)) <= BATCH
    assert [len(one.new_types) for one in found] == [1] + [0] * (len(found) - 1)


def test_addresses_stay_with_their_events() -> None:
    rows = [(Kind.ALLOC, 0, i, 3 * MIB, 0, 0xC000000000 + i) for i in range(4)]
    found = list(collecting(Trace("a", Header(), iter([batch(rows)])), 100).batches)
    assert found[0].addr is not None
    assert [int(addr) & 0xFF for addr in found[0].addr[found[0].kind == Kind.ALLOC]] == [0, 1, 2, 3]


def test_a_trace_with_cycles_of_its_own_gets_no_others() -> None:
    with pytest.raises(TraceError, match="a: event 9: the trace has GC cycles of its own; leave out --gc"):
        with_cycles(events("alloc a 24 x 9; gc"))


def test_a_handle_beyond_all_objects_is_refused() -> None:
    with pytest.raises(TraceError, match="handle 4294967290: --gc takes handles below"):
        with_cycles([(Kind.ALLOC, 0, 4294967290, 8, 0)])


def test_rows_and_a_trace_of_the_malloc_lab_get_the_same_cycles() -> None:
    chance = random.Random(5)
    live: list[int] = []
    lab, rows = [], []
    for number in range(3000):
        size = chance.randrange(100, 20_000)
        lab.append(f"a {number} {size}")
        rows.append({"op": "alloc", "id": number, "size": size, "pointers": False})
        live.append(number)
        while len(live) > 40:
            number = live.pop(chance.randrange(len(live)))
            lab.append(f"f {number}")
            rows.append({"op": "free", "id": number})
    written = "".join(json.dumps(row) + "\n" for row in rows).encode()
    of_lab = read_malloclab(io.BytesIO(b"1\n1\n1\n1\n" + "\n".join(lab).encode()), "a")
    of_rows = collecting(read_jsonl(io.BytesIO(written), "a"))
    kinds = [row[0] for row in told(of_rows.batches)]
    assert kinds.count(Kind.GC_START) > 3
    assert kinds == [row[0] for row in told(of_lab.batches)]


# On the command line.


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "a.jsonl"
    lines = ({"op": op, "id": i, "size": 100_000, "pointers": False} for i in range(200) for op in ("alloc", "free"))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def replayed(capsys: pytest.CaptureFixture[str], *args: str) -> dict:
    assert cli.run(["replay", *args, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def figures(document: dict) -> dict[str, str]:
    return {row["name"]: row["figure"] for row in document["fragmentation"]["peak"]["ledger"]}


def test_what_hangs_on_collections_is_not_exact_where_the_trace_has_none(rows: str, capsys) -> None:
    found = replayed(capsys, rows)
    inexact = {name for name, figure in figures(found).items() if figure != "exact"}
    assert inexact == {
        "tail_waste", "span_metadata", "dead_unfound", "dead_unswept", "free_slots_cached", "free_slots"
    }  # fmt: skip


def test_a_note_says_that_nothing_is_used_again_and_what_helps(rows: str, capsys) -> None:
    [note] = replayed(capsys, rows)["notes"]
    assert note.startswith("The trace has no GC cycle: the memory of the 200 objects that die is never used again.")
    assert "--gc gogc=100" in note


def test_the_first_sentence_blames_no_gc_that_was_to_come(rows: str, capsys) -> None:
    assert cli.run(["replay", rows]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "for which the trace has no GC cycle (see the notes)" in said
    assert "% bounded The rows add up to HeapInuse." in said


def test_a_collecting_heap_is_smaller_and_its_figures_are_exact(rows: str, capsys) -> None:
    grown, found = replayed(capsys, rows), replayed(capsys, rows, "--gc", "gogc=100")
    assert found["summary"]["gc_cycles"] == 4
    assert found["summary"]["peak"]["memstats"]["HeapInuse"] < grown["summary"]["peak"]["memstats"]["HeapInuse"] / 3
    assert set(figures(found).values()) == {"exact"}


@pytest.mark.parametrize("args", [("--set", "gogc=-1"), ("--gc", "gogc=100")])
def test_who_says_what_is_meant_is_told_nothing(rows: str, capsys, args: tuple[str, str]) -> None:
    assert not any("no GC cycle" in note for note in replayed(capsys, rows, *args)["notes"])


def test_a_trace_in_which_nothing_dies_is_exact_without_gc(tmp_path: Path, capsys) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"op":"alloc","id":1,"size":48}\n')
    assert set(figures(replayed(capsys, str(path))).values()) == {"exact"}


def test_another_gogc_is_what_the_model_goes_by_too(rows: str, capsys) -> None:
    found = replayed(capsys, rows, "--gc", "gogc=400")
    assert (found["summary"]["gc_cycles"], found["design"]["knobs"]["gogc"]) == (1, 400)


def test_several_replays_collect_too(rows: str, capsys) -> None:
    assert cli.run(["replay", rows, "--gc", "gogc=100", "--go", "1.12,1.27", "--format", "json", "-q"]) == 0
    assert "no GC cycle" not in capsys.readouterr().out


@pytest.mark.parametrize("command", [["import"], ["export", "--to", "jsonl"]])
def test_imported_and_exported_traces_keep_the_cycles(rows: str, tmp_path: Path, capsys, command: list[str]) -> None:
    out = str(tmp_path / "out")
    assert cli.run([*command, rows, "--gc", "gogc=100", "-o", out, "-q"]) == 0
    assert replayed(capsys, out)["summary"]["gc_cycles"] == 4


def test_stats_count_the_cycles(rows: str, capsys) -> None:
    assert cli.run(["stats", rows, "--gc", "gogc=100", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["trace"]["events"]["gc_start"] == 4


@pytest.mark.parametrize("word", ["100", "gogc=0", "gogc=off", "gogc=-1", "GOGC=100x"])
def test_gc_takes_a_percentage(rows: str, word: str, capsys) -> None:
    assert (cli.run(["replay", rows, "--gc", word]), "--gc takes gogc=" in capsys.readouterr().err) == (2, True)


def test_a_recording_refuses_cycles(capsys) -> None:
    assert cli.run(["replay", str(ROOT / "traces" / "lru-go1.27.msgpack"), "--gc", "gogc=100"]) == 3
    assert "the trace has GC cycles of its own" in capsys.readouterr().err


def test_gc_goes_with_a_trace(rows: str, tmp_path: Path, capsys) -> None:
    saved = str(tmp_path / "a.replay")
    cli.run(["replay", rows, "--format", "msgpack", "-o", saved])
    assert (cli.run(["stats", saved, "--gc", "gogc=100"]), "--gc goes with a trace" in capsys.readouterr().err) == (2, True)
