"""Inputs that were cut short: refused with the number of whole events, taken as far as they go where that is asked for."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import zstandard

from goalloc_cli import cli
from goalloc_cli.errors import TruncatedTrace
from goalloc_cli.exporters.rows import write_rows
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.native.native import read_native, write_native
from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.trace import Trace
from tests.conftest import Go
from tests.kit.root import ROOT

SAMPLE = ROOT / "traces" / "lru-go1.27.msgpack"

KILLED = """package main

import (
	"os"
	"runtime/trace"
	"time"
)

var kept [1000][]byte

func main() {
	file, _ := os.Create(os.Args[1])
	trace.Start(file)
	for i := 0; ; i++ {
		kept[i%1000] = make([]byte, 10+i%5000)
		if i%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}
"""
"""A program that never stops its trace."""


@pytest.fixture(scope="module")
def native() -> bytes:
    """The sample in chunks of 2,000 events."""
    with SAMPLE.open("rb") as file:
        trace = read_native(file, "a")
        batches = [part for batch in trace.batches for part in parts(batch, 2000)]
    stream = io.BytesIO()
    write_native(trace.header, batches, stream)
    return stream.getvalue()


def parts(batch: Batch, length: int) -> list[Batch]:
    """A batch as several, the first of which brings the types."""
    cut = []
    for at in range(0, len(batch), length):
        columns = {name: getattr(batch, name)[at : at + length] for name in ("kind", "p", "id", "size", "arg", "addr")}
        cut.append(Batch(**columns, new_types=[] if at else batch.new_types, new_names=[] if at else batch.new_names))
    return cut


def as_rows(native: bytes, form: str) -> bytes:
    trace = read_native(io.BytesIO(native), "a")
    stream = io.BytesIO()
    write_rows(trace.header, trace.batches, stream, form)
    return stream.getvalue()


def walked(trace: Trace) -> list[tuple[int, ...]]:
    """Every event."""
    rows = []
    for batch in trace.batches:
        rows += list(zip(*(getattr(batch, name).tolist() for name in ("kind", "p", "id", "size", "arg")), strict=True))
    return rows


def whole_events(path: Path) -> int:
    """How many whole events the refusal of a file counts."""
    with pytest.raises(TruncatedTrace) as caught:
        walked(open_trace(path))
    return caught.value.events


@pytest.mark.parametrize("seed", range(5))
def test_of_a_cut_trace_its_whole_chunks_are_taken(native: bytes, seed: int, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    path.write_bytes(native[: Random(seed).randrange(2000, len(native) - 1)])
    told = whole_events(path)
    found = open_trace(path, partial=True)
    rows = walked(found)
    assert (len(rows), rows) == (told, walked(read_native(io.BytesIO(native), "a"))[:told])
    assert found.remarks == [f"The input was cut short: these are the {told:,} events that are whole."]


@pytest.mark.parametrize("form", ["rows", "jsonl", "csv"])
def test_of_cut_rows_the_whole_ones_are_taken(native: bytes, form: str, tmp_path: Path) -> None:
    data = as_rows(native, form)
    path = tmp_path / "cut"
    path.write_bytes(data[: len(data) // 3])
    rows = walked(open_trace(path, partial=True))
    assert len(rows) > 10_000
    assert rows == walked(read_native(io.BytesIO(native), "a"))[: len(rows)]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
@pytest.mark.parametrize("form", ["native", "jsonl"])
def test_a_packed_trace_that_was_cut_is_taken_as_far_as_it_unpacks(native: bytes, pack, form: str, tmp_path: Path) -> None:
    data = pack(native if form == "native" else as_rows(native, form))
    path = tmp_path / "cut"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(TruncatedTrace):
        walked(open_trace(path))
    rows = walked(open_trace(path, partial=True))
    assert rows == walked(read_native(io.BytesIO(native), "a"))[: len(rows)]
    assert len(rows) > 10_000


def test_a_whole_trace_has_no_remark(native: bytes, tmp_path: Path) -> None:
    path = tmp_path / "whole"
    path.write_bytes(native)
    found = open_trace(path, partial=True)
    walked(found)
    assert found.remarks == []


@pytest.mark.parametrize("command", ["replay", "stats", "check", "verify"])
def test_every_report_of_a_cut_trace_says_so(native: bytes, command: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / "cut.msgpack"
    path.write_bytes(native[: len(native) // 2])
    assert (cli.run([command, str(path)]), "--partial" in capsys.readouterr().err) == (3, True)
    assert cli.run([command, str(path), "--partial", "--format", "json"]) == 0
    assert any("cut short" in note for note in json.loads(capsys.readouterr().out)["notes"])


def test_an_import_of_a_cut_trace_says_so_for_ever(native: bytes, tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(native[: len(native) // 2])
    assert cli.run(["import", "--partial", str(tmp_path / "cut"), "-o", str(tmp_path / "whole"), "-q"]) == 0
    assert any("--partial" in note for note in open_trace(tmp_path / "whole").header.notes)


def test_a_pipe_that_closes_early_is_noticed_and_taken_where_asked(native: bytes) -> None:
    def check(*options: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "goalloc_cli", "check", "-", *options]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, input=native[:100_000], capture_output=True, env=environ, timeout=100, check=False)

    refused, taken = check(), check("--partial")
    told = re.search(rb"with (\d+) events could be read; --partial takes those", refused.stderr)
    assert told is not None
    assert (refused.returncode, taken.returncode) == (3, 0)
    assert f"{int(told[1]):,} events, none of them bad".encode() in taken.stdout


def test_the_recording_of_a_program_that_was_killed_is_taken_as_far_as_it_goes(go: Go, tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(KILLED)
    (tmp_path / "go.mod").write_text("module killed\n\ngo 1.23\n")
    built = go.build(tmp_path, "killed")
    recording = tmp_path / "killed.trace"
    running = subprocess.Popen([str(built), str(recording)], env=go.environ(GODEBUG="traceallocfree=1", GOMAXPROCS="1"))
    try:
        running.wait(timeout=3.2)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
    with pytest.raises(TruncatedTrace, match=r"events of \d\.\d\d s before it can be read: --partial takes them") as caught:
        open_trace(recording)
    found = open_trace(recording, partial=True)
    events = sum(len(batch) for batch in found.batches)
    assert caught.value.events > 1000
    assert events > 1000
    assert any("breaks off" in note for note in found.header.notes)


def test_events_before_the_cut_are_handed_out_before_it_is_told(native: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.rows"
    data = as_rows(native, "rows")
    path.write_bytes(data[: len(data) // 2])
    seen = 0
    with pytest.raises(TruncatedTrace, match=r"the \d+ rows before it are whole"):
        for batch in open_trace(path).batches:
            seen += len(batch)
    assert seen == len(walked(open_trace(path, partial=True)))
