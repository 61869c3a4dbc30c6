"""Names that a stranger made up to break what reads them: no export breaks, and what it says stays readable."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goalloc_cli import cli
from goalloc_cli.trace.event import Call, Function, Kind, Owner, TypeInfo
from goalloc_cli.trace.trace import Header
from tests.exports.test_perfetto import decoded as perfetto_of
from tests.exports.test_perfetto import unknown_fields
from tests.exports.test_pprof import decoded as profile_of
from tests.exports.test_pprof import pprof
from tests.kit.batches import batch, written
from tests.kit.consumers import consumer

NAMES = [
    '"',
    "a'b",
    "\0",
    "x\ny\r\n# EOF\n",
    "\u202edcba\u2066",
    "</script><script>alert(1)</script>",
    "\x1b[31m",
    '{"a": [',
    "\\",
    "%s%n",
    "=cmd()",
    "main.f[go.shape.int]",
    "x\nBenchmarkEvil 1 5 ns/op\nUnit x assume=exact",
    "'; drop table app; --",
    "日本",
    " ",
    "x" * 60_000,  # as long as a goalloc trace takes them, four times over
]
FORMS = ("pprof", "benchstat", "openmetrics", "perfetto", "parquet", "arrow")
HEADER = Header(gomaxprocs=1, recorded="sizes and stacks", owners=True)


def hostile(name: str, folder: Path, stacked: bool) -> str:
    """A trace in which types, a checkpoint, functions, files, a task and a region have this name."""
    rows = [(Kind.WORKS_FOR, 0, 0, 0, 1, 0), (Kind.ALLOC, 0, 0, 24, 1, 0), (Kind.CHECKPOINT, 0, 0, 0, 1, 0)]
    rows += [(Kind.GC_START, 0, 0, 0, 0, 0), (Kind.GC_END, 0, 0, 0, 0, 0)]
    made = batch(rows, [TypeInfo(name, 24, 8)], [name], addr=False)
    made = replace(made, new_owners=[Owner(0, 0, name, name, 0)])
    if stacked:
        stack = np.array([0, 1, 0, 0, 0], np.uint32)
        made = replace(made, stack=stack, new_functions=[Function(name, name)], new_calls=[Call(1, 7, 0)])
    path = folder / "trace.msgpack"
    path.write_bytes(written([made], HEADER))
    return str(path)


def exported(name: str, form: str, folder: Path, stacked: bool = False) -> bytes:
    if form in ("parquet", "arrow"):
        consumer("pyarrow")
    out = folder / "out"
    assert cli.run(["export", hostile(name, folder, stacked), "--to", form, "-o", str(out), "-q", "--force"]) == 0
    return out.read_bytes()


@pytest.fixture(params=NAMES, ids=[repr(name[:12]) for name in NAMES])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("stacked", [False, True], ids=["types", "stacks"])
def test_a_profile_is_whole_and_its_texts_can_be_printed(name, stacked, tmp_path):
    profile = profile_of(exported(name, "pprof", tmp_path, stacked))
    assert all(text.isprintable() and len(text) < 5000 for text in profile.string_table)
    assert name[:2000] in "\n".join(profile.string_table) or not name.isprintable()


@pytest.mark.parametrize("form", ["benchstat", "openmetrics"])
def test_a_text_has_no_character_that_does_something(name, form, tmp_path):
    text = exported(name, form, tmp_path).decode()
    assert all(line.isprintable() for line in text.splitlines())


def test_a_perfetto_trace_is_whole(name, tmp_path):
    trace = perfetto_of(exported(name, "perfetto", tmp_path))
    assert unknown_fields(trace) == 0
    (point,) = [p for p in trace.packet if p.track_event.type == 3]
    assert point.track_event.name.isprintable()


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_columns_have_the_name_as_it_is(name, form, tmp_path):
    data = exported(name, form, tmp_path, stacked=True)
    parquet = consumer("pyarrow.parquet") if form == "parquet" else None
    table: Any = parquet.read_table(io.BytesIO(data)) if parquet else consumer("pyarrow").ipc.open_stream(data).read_all()
    _, alloc, checkpoint = table.to_pylist()[:3]
    assert (alloc["type"], alloc["stack"], checkpoint["name"]) == (name, name, name)
    assert (alloc["task"], alloc["region"]) == (name, name)


def test_go_tool_pprof_prints_what_has_every_name(go, tmp_path):
    """All names in one profile, as functions and as types."""
    types = [TypeInfo(name, 24, 8) for name in NAMES]
    rows = [(Kind.ALLOC, 0, i, 24, i % len(NAMES) + 1, 0) for i in range(2 * len(NAMES))]
    stack = np.array([0] * len(NAMES) + [i + 1 for i in range(len(NAMES))], np.uint32)
    functions, calls = [Function(name, name) for name in NAMES], [Call(i + 1, 7, i) for i in range(len(NAMES))]
    made = replace(batch(rows, types, addr=False), stack=stack, new_functions=functions, new_calls=calls)
    (tmp_path / "t.msgpack").write_bytes(written([made], HEADER))
    out = tmp_path / "out.pb.gz"
    assert cli.run(["export", str(tmp_path / "t.msgpack"), "--to", "pprof", "--at", "end", "-o", str(out), "-q"]) == 0
    for way in ("-top", "-raw", "-traces", "-tags", "-tree"):
        assert "</script>" in pprof(go, way, "-nodefraction=0", out) or way == "-tree"


def test_half_a_surrogate_pair_breaks_nothing(tmp_path):
    """A name that UTF-8 cannot hold comes only from Python; a row in JSON may have it."""
    for form in FORMS:
        assert of_rows("a\\ud800", form, tmp_path) in (0, 3)


@pytest.mark.parametrize("form", FORMS)
def test_a_name_of_a_mebibyte_is_cut_or_kept(form, tmp_path):
    assert of_rows("x" * (1 << 20), form, tmp_path) == 0
    assert (tmp_path / form).stat().st_size < 1 << 20


def of_rows(name: str, form: str, folder: Path) -> int:
    """The exit code for a trace in JSON with a type of this name, which is said to be a checkpoint's too."""
    if form in ("parquet", "arrow"):
        consumer("pyarrow")
    rows = folder / "rows.jsonl"
    lines = ['{"op":"header","go":"1.27"}', f'{{"op":"type","name":"{name}","size":8}}', f'{{"op":"name","name":"{name}"}}']
    lines += ['{"op":"alloc","id":0,"size":8,"type":1}', '{"op":"checkpoint","name":1}', ""]
    rows.write_text("\n".join(lines))
    return cli.run(["export", str(rows), "--to", form, "-o", str(folder / form), "-q"])
