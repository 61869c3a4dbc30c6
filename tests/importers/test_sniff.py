"""Opening a trace: what it is shows in its first bytes, wherever it comes from and however it is packed."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import struct
import sys
import threading
import tracemalloc
from pathlib import Path
from types import ModuleType, SimpleNamespace

import msgpack
import pytest
import zstandard

from goalloc_cli.errors import TraceError, TruncatedTrace
from goalloc_cli.host.source import Source, open_source
from goalloc_cli.importers.sniff import FORMS, NotATraceError, SavedReplayError, open_trace
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import SMALL, TWO_PS, same, written

NATIVE = written(SMALL)


def zstd_in_two_frames(data: bytes) -> bytes:
    compress = zstandard.ZstdCompressor(write_checksum=True).compress
    skipped = struct.pack("<II", 0x184D2A50, 3) + b"abc"
    return compress(data[:100]) + skipped + compress(data[100:])


packed = pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, zstd_in_two_frames])


@pytest.fixture
def file(tmp_path: Path):
    def make(data: bytes) -> Path:
        path = tmp_path / "some.file"
        path.write_bytes(data)
        return path

    return make


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch):
    """What the standard input gives, through a real pipe, in two pieces."""
    writers, streams = [], []

    def give(data: bytes) -> None:
        read_end, write_end = os.pipe()

        def write() -> None:
            with os.fdopen(write_end, "wb", buffering=0) as pipe:
                pipe.write(data[:1])
                pipe.write(data[1:])

        writers.append(threading.Thread(target=write))
        writers[-1].start()
        streams.append(os.fdopen(read_end, "rb"))
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=streams[-1]))

    yield give
    for writer, stream in zip(writers, streams, strict=True):
        writer.join()
        stream.close()


def content(trace: Trace) -> tuple[Header, list]:
    return trace.header, list(trace.batches)


# Where a trace comes from


def test_a_trace_is_recognised_whatever_its_name_is(file):
    assert same(content(open_trace(file(NATIVE))), (TWO_PS, SMALL))


def test_a_trace_is_read_from_a_pipe_on_the_standard_input(stdin):
    stdin(NATIVE)
    assert same(content(open_trace("-")), (TWO_PS, SMALL))


@packed
def test_a_packed_trace_is_seen_through(file, pack):
    assert same(content(open_trace(file(pack(NATIVE)))), (TWO_PS, SMALL))


@packed
def test_a_packed_trace_is_seen_through_on_the_standard_input(stdin, pack):
    stdin(pack(NATIVE))
    assert same(content(open_trace("-")), (TWO_PS, SMALL))


def test_a_file_tells_its_length_and_its_number_of_events_before_it_is_read(file):
    trace = open_trace(file(NATIVE))
    assert (trace.size_bytes, trace.events) == (len(NATIVE), 7)
    list(trace.batches)


def test_a_pipe_tells_neither(stdin):
    stdin(NATIVE)
    trace = open_trace("-")
    assert (trace.size_bytes, trace.events) == (None, None)
    list(trace.batches)


def test_a_cut_file_does_not_tell_its_number_of_events(file):
    trace = open_trace(file(NATIVE[:-1]))
    assert trace.events is None
    with pytest.raises(TruncatedTrace):
        list(trace.batches)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """What open_trace opens."""
    sources: list[Source] = []

    def remembering(path: Path, partial: bool = False) -> Source:
        sources.append(open_source(path, partial))
        return sources[-1]

    monkeypatch.setattr("goalloc_cli.importers.sniff.open_source", remembering)
    return sources


def test_the_file_is_closed_when_its_batches_have_been_read(file, opened):
    list(open_trace(file(NATIVE)).batches)
    assert opened[0].close.__self__.closed


def test_the_file_is_closed_when_it_is_no_trace(file, opened):
    with pytest.raises(NotATraceError):
        open_trace(file(b"noise"))
    assert opened[0].close.__self__.closed


def test_a_terminal_is_not_waited_for(monkeypatch):
    terminal = io.BytesIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=terminal))
    with pytest.raises(TraceError, match="-: is a terminal; name a file, or pipe a trace in"):
        open_trace("-")


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_trace(tmp_path / "missing")


# Damage to what it is packed in


@packed
def test_a_packed_trace_that_was_cut_is_noticed_anywhere(file, pack):
    whole = pack(NATIVE)
    for length in range(4, len(whole)):
        with pytest.raises(TruncatedTrace):
            content(open_trace(file(whole[:length])))


@packed
def test_a_packed_trace_with_a_flipped_byte_is_noticed_or_reads_the_same(file, pack):
    whole = bytearray(pack(NATIVE))
    for i in range(len(whole)):
        whole[i] ^= 0x10
        with contextlib.suppress(TraceError):
            assert same(content(open_trace(file(bytes(whole)))), (TWO_PS, SMALL))
        whole[i] ^= 0x10


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_small_file_that_unpacks_to_a_huge_one_takes_little_memory(file, pack):
    path = file(pack(bytes(200 << 20)))
    tracemalloc.start()
    with pytest.raises(NotATraceError, match="starts with"):
        open_trace(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


# What it is


def test_a_go_execution_trace_goes_to_its_reader_with_all_its_bytes(file, monkeypatch):
    reader = ModuleType("exectrace")
    reader.read_exectrace = lambda stream, name: Trace(name, Header(source=stream.read().hex()), iter(()))
    monkeypatch.setitem(sys.modules, "goalloc_cli.importers.exectrace.read", reader)
    data = b"go 1.26 trace\0\0\0" + b"\x01" * 100
    assert content(open_trace(file(data))) == (Header(source=data.hex()), [])


def test_rows_in_msgpack_may_begin_with_a_header_of_many_fields_or_a_stack(file):
    header = {"op": "header", "go": "1.24"} | dict.fromkeys("abcdefghijklmnopq")
    assert open_trace(file(msgpack.packb(header))).header.go_version == "1.24"
    assert open_trace(file(msgpack.packb([1, 0, 1, 16, 0, 0, 0]))).name.endswith("some.file")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.what)
def test_every_reader_is_named_as_module_and_function(form):
    assert form.read.split(":")[1].startswith("read_")


@pytest.mark.parametrize("result", ["goalloc replay", "goalloc stats"])
def test_a_saved_result_has_an_error_of_its_own(file, result):
    with pytest.raises(SavedReplayError, match="a result saved by goalloc"):
        open_trace(file(msgpack.packb({"format": result} | dict.fromkeys("abcdefghijklmnopq"))))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\x7fELF\x02\x01\x01", "looks like a program"),
        (b"go1.7 heap dump\n", "looks like a Go heap dump"),
        (gzip.compress(b"\n\x04\x08\x01\x10\x02\n\x04\x08\x03\x10\x04", mtime=0), "looks like a pprof profile"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "looks like something packed twice"),
        (b"PK\x03\x04", "looks like a packed file"),
        (b' {"a": 1}', "looks like JSON"),
        (b"goroutine 1 [running]:\n", "looks like text"),
        (b"\x00\x01\x02", r"starts with b'\\x00\\x01\\x02', which is nothing that goalloc knows; it reads"),
    ],
)
def test_anything_else_is_refused_by_what_it_looks_like(file, data, said):
    path = file(data)
    with pytest.raises(NotATraceError, match=f"^{path}: {said}"):
        open_trace(path)


def test_a_saved_state_is_named_with_what_it_is_for(tmp_path: Path) -> None:
    path = tmp_path / "app.state"
    path.write_bytes(b"\x86\xa6format\xadgoalloc state\xa7version\x01")
    with pytest.raises(TraceError, match=r"a saved state, .* goalloc replay --load-state"):
        open_trace(path)


LOGS = {
    "mtrace": b"= Start\n@ ./w:[0x11d3] + 0x55ebef2cf2a0 0x10\n@ ./w:[0x121f] - 0x55ebef2cf2a0\n",
    "mtrace without its start": b"@ /lib/libc.so.6:(qsort+0x1f)[0x11d3] + 0x55ebef2cf2a0 0x10\n",
    "ltrace": b"malloc(42)                                       = 0x55d0\nfree(0x55d0)  = <void>\n",
    "ltrace of a library": b"[pid 7] libc.so.6->realloc(0x55d0, 80)   = 0x55e0\n",
    "heaptrack": b"v 10400 2\nX /usr/bin/app\nI 1000 1000\nt 5583 0\n+ 2a 1 55ebef2cf2a0\n- 55ebef2cf2a0\n",
    "logalloc": b"1 1 malloc(42)=#1\n1 1 realloc(#1,80)=#1\n1 1 free(#2)\n",
    "valgrind": b"--812-- malloc(10) = 0x4A4D040\n--812-- free(0x4A4D040)\n",
}


@pytest.mark.parametrize("log", LOGS)
def test_a_log_of_malloc_is_answered_with_rows(file, log):
    with pytest.raises(NotATraceError, match=r"a log of malloc and free, .* a row for each call \(docs/rows.md\)"):
        open_trace(file(LOGS[log]))


@pytest.mark.parametrize("text", [b"int *p = malloc(42); // C\nfree(p);\n", b"go test ./...\nok  \tgithub.com/a/b\t0.3s\n"])
def test_a_text_that_is_no_log_of_malloc_is_a_text(file, text):
    with pytest.raises(NotATraceError, match="looks like text"):
        open_trace(file(text))
