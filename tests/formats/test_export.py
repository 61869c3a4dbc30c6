"""Export and back: what a trace holds is what its rows hold, column for column."""

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalloc_cli import cli
from goalloc_cli.errors import TraceError
from goalloc_cli.exporters.rows import WRITERS, write_rows
from goalloc_cli.exporters.rows_write import MOST_BYTES
from goalloc_cli.importers.rows.read import read_csv, read_jsonl, read_rows
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.native.native import TABLES, read_native
from goalloc_cli.trace.event import ALL_COLUMNS, BATCH, KIND_MASK, Batch, Call, Function, Kind, Owner, TypeInfo
from goalloc_cli.trace.ranges import FLAGS, RangeCheck
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import SMALL, STACKED, TWO_PS, WITH_STACKS, batch, written
from tests.kit.root import ROOT

READERS = {"jsonl": read_jsonl, "csv": read_csv, "rows": read_rows}
LRU = ROOT / "traces" / "lru-go1.27.msgpack"


def exported(header: Header, batches: Iterable[Batch], form: str) -> bytes:
    stream = io.BytesIO()
    write_rows(header, batches, stream, form)
    return stream.getvalue()


def whole(batches: Iterable[Batch]) -> dict[str, Any]:
    """All that the batches hold, wherever they begin."""
    parts = list(batches)
    columns = {
        name: np.concatenate([np.zeros(len(b), dtype) if getattr(b, name) is None else getattr(b, name) for b in parts])
        for name, dtype in ALL_COLUMNS.items()
    }
    tables = {name: [new for b in parts for new in getattr(b, name)] for name in TABLES}
    return {name: values.tolist() for name, values in columns.items()} | tables


def read(data: bytes, form: str) -> Trace:
    return READERS[form](io.BytesIO(data), "a")


texts = st.text(st.characters(codec="utf-8"), max_size=12)
awkward = st.sampled_from(['"', "a,b", "x\ny", "\r\n", "\\", "\0", "", "7", "true", " ", "'", "日本"])
entries = texts | awkward


@st.composite
def events(draw: st.DrawFn, types: int, names: int, owners: int) -> tuple[int, ...]:
    """Any event that a reader allows, with anything in the columns that its kind does not use."""
    limits = RangeCheck(gomaxprocs=2)
    tables = batch([], [TypeInfo("", 0, 0)] * types, [""] * names)
    limits.check(replace(tables, new_owners=[Owner(0, 0, "", "", 0)] * owners), "")
    kind = draw(st.sampled_from(list(Kind)))
    most = {column: int(limits._most[column][kind]) for column in ("size", "arg", "p")}
    flags = draw(st.integers(0, 255)) & FLAGS.get(kind, 0)
    arg = draw(st.sampled_from([0, 1, most["arg"]]) | st.integers(0, most["arg"]))
    size = draw(st.sampled_from([0, 1, 24, most["size"]]) | st.integers(0, most["size"]))
    p = draw(st.sampled_from([0, most["p"] - 1, 0xFFFF] if kind != Kind.SNAP_STACK_SPAN else [0, 1]))
    arg = min(arg, most["arg"])
    addr = draw(st.sampled_from([0, 0xC000010000, (1 << 63) - 1]))
    return kind | flags, p, draw(st.sampled_from([0, 7, (1 << 32) - 1])), size, arg, addr


@st.composite
def traces(draw: st.DrawFn) -> tuple[Header, list[Batch]]:
    header = Header(
        go_version=draw(st.sampled_from(["1.27", "1.19"])),
        gomaxprocs=2,
        source=draw(st.sampled_from(["synthetic", "execution trace"])),
        from_start=draw(st.booleans()),
        heap_base=draw(st.sampled_from([0, 0xC000000000])),
        hints=draw(st.booleans()),
        witnesses=draw(st.booleans()),
        notes=tuple(draw(st.lists(entries, max_size=2))),
        extra={"from the future": draw(st.none() | st.integers(0, 9) | st.lists(entries, max_size=2))},
    )
    batches, types, names, functions, calls, owners = [], 0, 0, 0, 0, 0
    for _ in range(draw(st.integers(0, 3))):
        types_drawn = draw(st.lists(st.tuples(entries, st.integers(0, 9)), max_size=3))
        new_types = [TypeInfo(name, size, 8) for name, size in types_drawn]
        new_names = draw(st.lists(entries, max_size=3))
        types, names = types + len(new_types), names + len(new_names)
        owners_drawn = draw(st.integers(0, 2))
        owners += owners_drawn
        table = draw(st.lists(events(types, names, owners), max_size=8))
        drawn = batch(table, new_types, new_names, addr=draw(st.booleans()))
        new_functions = draw(st.lists(st.builds(Function, entries, entries), max_size=2))
        functions += len(new_functions)
        new_calls = []
        for _ in range(draw(st.integers(0, 3)) if functions else 0):
            function, line = draw(st.integers(1, functions)), draw(st.sampled_from([0, 40]))
            new_calls.append(Call(function, line, draw(st.integers(0, calls))))
            calls += 1
        about = st.integers(0, functions), st.integers(0, calls), entries, entries, st.integers(0, 1)
        new_owners = [Owner(*draw(st.tuples(*about))) for _ in range(owners_drawn)]
        stacks = [draw(st.integers(0, calls)) if row[0] & KIND_MASK in (Kind.ALLOC, Kind.TINY) else 0 for row in table]
        stack = np.array(stacks, np.uint32) if draw(st.booleans()) else None
        tables = {"new_functions": new_functions, "new_calls": new_calls, "new_owners": new_owners}
        batches.append(replace(drawn, stack=stack, **tables))
    return header, batches


@pytest.mark.parametrize("form", WRITERS)
@settings(max_examples=150, deadline=None)
@given(traces())
def test_any_trace_comes_back_column_for_column(form, trace):
    header, batches = trace
    back = read(exported(header, batches, form), form)
    assert back.header == Header(**{**vars(header), "extra": {k: v for k, v in header.extra.items() if v is not None}})
    empty = [batch([])]
    assert whole([*empty, *back.batches]) == whole([*empty, *batches])


@pytest.mark.parametrize("form", WRITERS)
def test_a_real_trace_comes_back_column_for_column(form):
    trace = open_trace(LRU)
    batches = list(trace.batches)
    back = read(exported(trace.header, batches, form), form)
    assert back.header == trace.header
    assert whole(back.batches) == whole(batches)


@pytest.mark.parametrize("form", WRITERS)
def test_call_stacks_come_back_with_their_functions(form):
    back = read(exported(WITH_STACKS, STACKED, form), form)
    assert (back.header, whole(back.batches)) == (WITH_STACKS, whole(STACKED))


def test_a_call_stack_is_what_a_person_would_write():
    lines = exported(WITH_STACKS, STACKED, "jsonl").decode().splitlines()
    assert lines[2:7] == [
        '{"op":"function","name":"main.main","file":"/a/main.go"}',
        '{"op":"function","name":"main.f","file":"7"}',
        '{"op":"call","function":1,"line":9,"caller":0}',
        '{"op":"call","function":2,"line":40,"caller":1}',
        '{"op":"call","function":1,"line":12,"caller":0}',
    ]
    assert lines[7].endswith('"addr":824633720832,"stack":1}')


def test_json_lines_are_what_a_person_would_write():
    lines = exported(TWO_PS, SMALL, "jsonl").decode().splitlines()
    assert lines[1:4] == [
        '{"op":"type","name":"main.Node","size":24,"pointer_bytes":16}',
        '{"op":"alloc","id":0,"size":24,"pointers":true,"type":1,"addr":824633720832}',
        '{"op":"alloc","id":1,"size":100,"pointers":false,"p":1,"bound":true,"addr":824633729024}',
    ]
    assert all(json.loads(line)["op"] for line in lines)


def test_no_event_is_longer_than_the_room_that_is_made_for_it():
    most = {Kind.SET_GOGC: (1 << 31) - 1}
    widest = [(kind | FLAGS.get(kind, 0), 1, (1 << 32) - 1, most.get(kind, 1 << 35), 1, (1 << 63) - 1) for kind in Kind]
    types, names = [TypeInfo("T", 0, 0)], ["n"]
    stacks = [70_000 * (row[0] & KIND_MASK in (Kind.ALLOC, Kind.TINY)) for row in widest]
    calls = [Call(1, 0, 0)] * 70_000
    for form in WRITERS:
        tables = {"new_functions": [Function("", "")], "new_calls": calls, "new_owners": [Owner(0, 0, "", "", 0)]}
        many = [replace(batch(widest * n, types, names), stack=np.array(stacks * n, np.uint32), **tables) for n in (3, 2)]
        more, one = (len(exported(TWO_PS, [each], form)) for each in many)
        assert more - one < len(widest) * MOST_BYTES / 2


def test_what_a_reader_would_refuse_is_not_written():
    with pytest.raises(TraceError, match="there are at most 1024 Ps"):
        exported(TWO_PS, [batch([(Kind.GC_START, 1024, 0, 0, 0, 0)])], "jsonl")


def test_a_full_batch_is_written():
    full = batch([(Kind.TIME, 0, 0, (1 << 62) - 1, 0, 0)] * BATCH)
    assert exported(TWO_PS, [full], "csv").count(b"\n") == BATCH + 2


# The command.


@pytest.mark.parametrize("form", WRITERS)
def test_stacks_go_out_and_in_again_by_command(form, tmp_path):
    (tmp_path / "t").write_bytes(written(STACKED, WITH_STACKS))
    rows, back = str(tmp_path / "rows"), str(tmp_path / "back.msgpack")
    assert cli.run(["export", str(tmp_path / "t"), "--to", form, "-o", rows]) == 0
    assert cli.run(["import", rows, "-o", back]) == 0
    found = read_native(io.BytesIO(Path(back).read_bytes()), "back")
    assert (found.header, whole(found.batches)) == (WITH_STACKS, whole(STACKED))


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "small.msgpack"
    path.write_bytes(written(SMALL))
    return str(path)


@pytest.mark.parametrize("form", WRITERS)
def test_export_then_import_gives_the_same_trace(form, trace, tmp_path):
    rows, back = str(tmp_path / "rows"), str(tmp_path / "back.msgpack")
    assert cli.run(["export", trace, "--to", form, "-o", rows]) == 0
    assert cli.run(["import", rows, "-o", back]) == 0
    found = read_native(io.BytesIO(Path(back).read_bytes()), "back")
    assert (found.header, whole(found.batches)) == (TWO_PS, whole(SMALL))


@pytest.mark.parametrize(
    ("form", "name", "helps"),
    [
        ("rows", "x.jsonl", "--to jsonl"),
        ("csv", "x.JSON", "--to jsonl"),
        ("jsonl", "x.msgpack", "--to rows"),
        ("csv", "x.tsv", "no such"),
    ],
)
def test_a_name_that_promises_another_form_is_refused(form, name, helps, trace, tmp_path, capfd):
    assert cli.run(["export", trace, "--to", form, "-o", str(tmp_path / name)]) == 2
    assert helps in capfd.readouterr().err
    assert not (tmp_path / name).exists()


def test_rows_go_to_the_standard_output(trace, capfdbinary):
    assert cli.run(["export", trace, "--to", "csv"]) == 0
    out, err = capfdbinary.readouterr()
    assert (out, err) == (exported(TWO_PS, SMALL, "csv"), b"")


def test_an_existing_file_is_kept_unless_forced(trace, tmp_path, capfd):
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    assert cli.run(["export", trace, "--to", "csv", "-o", str(kept)]) == 2
    assert kept.read_text() == "mine"
    assert cli.run(["export", trace, "--to", "csv", "-o", str(kept), "--force"]) == 0
    assert kept.read_text().startswith("op,id,size,")


def test_a_failure_leaves_no_half_a_file(tmp_path):
    cut = tmp_path / "cut.msgpack"
    cut.write_bytes(written(SMALL)[:-100])
    assert cli.run(["export", str(cut), "--to", "jsonl", "-o", str(tmp_path / "out.jsonl")]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["cut.msgpack"]
