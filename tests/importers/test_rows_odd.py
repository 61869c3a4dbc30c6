"""Rows as others write them, and fields that are not known."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import msgpack
import pytest

from goalloc_cli.exporters.rows import write_rows
from goalloc_cli.importers.rows import read as rows
from goalloc_cli.importers.rows.odd import OddRows
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.trace.event import FREED_ID, NOSCAN, UNKNOWN_ID, Kind
from goalloc_cli.trace.trace import Trace
from tests.kit.rows import FORMS, as_jsonl, as_msgpack, error, events, read

# As others write it.


@pytest.mark.parametrize("form", FORMS)
def test_a_realloc_is_a_new_object_and_the_death_of_the_old_one(form):
    write, reader = FORMS[form]
    table = [
        {"op": "alloc", "id": "a", "size": 48},
        {"op": "realloc", "id": "a", "size": 64, "pointers": False, "type": "main.T", "p": 1},
        {"op": "free", "id": "a"},
    ]
    assert events(read(write(table), reader)) == [
        (Kind.ALLOC, 0, 0, 48, 0),
        (Kind.ALLOC | NOSCAN, 1, 1, 64, 1),
        (Kind.FREE, 1, 0, 0, 0),
        (Kind.FREE, 0, 1, 0, 0),
    ]


def test_a_realloc_in_an_array_of_msgpack_is_one_too():
    data = b"".join(map(msgpack.packb, [[1, 0, 9, 100], ["realloc", 0, 9, 200], [2, 0, 9]]))
    assert [row[:4:3] for row in events(read(data, rows.read_rows))] == [
        (Kind.ALLOC, 100), (Kind.ALLOC, 200), (Kind.FREE, 0), (Kind.FREE, 0)
    ]  # fmt: skip


def test_the_number_of_a_realloc_means_nothing_outside():
    assert "its kind is 62" in error(b"".join(map(msgpack.packb, [[1, 0, 9, 100], [62, 0, 9, 200]])), rows.read_rows)


def test_many_reallocs_take_no_more_handles_than_live():
    lines = b'{"op":"alloc","id":1,"size":8}\n' + b'{"op":"realloc","id":1,"size":16}\n' * 100_000
    found = events(read(lines))
    assert ({row[2] for row in found}, len(found)) == ({0, 1}, 200_001)


def test_a_realloc_of_handles_is_refused():
    lines = b'{"op":"header","ids":"handles"}\n{"op":"alloc","id":1,"size":8}\n{"op":"realloc","id":1,"size":16}\n'
    assert "a: line 3: realloc, where the header says that ids are handles" in error(lines)


def test_a_lenient_reader_takes_a_realloc_of_nothing_for_an_alloc_and_a_bad_free():
    lines = b'{"op":"realloc","id":1,"size":16}\n{"op":"free","id":1}\n{"op":"realloc","id":1,"size":8}\n'
    found = events(rows.read_jsonl(io.BytesIO(lines), "a", lenient=True))
    assert [row[2] for row in found] == [0, UNKNOWN_ID, 0, 0, FREED_ID]


PLAIN_ROWS = b'op,id,size,addr\nalloc,7,48,4096\nfree,7,,\n'


@pytest.mark.parametrize(
    ("data", "reader"),
    [
        (b'{"op":"alloc","id":7,"size":"0x30","addr":"0x1000"}\n{"op":"free","id":7}\n', rows.read_jsonl),
        (b'{"op":"alloc","id":7,"size":"0X30","addr":"0x1000"}\n{"op":"free","id":7}\n', rows.read_jsonl),
        (b'{"op":"alloc","id":7.0,"size":48.0,"addr":4096.00 }\n{"op":"free","id":7}\n', rows.read_jsonl),
        (b'{"op":"alloc","id":7,"size":4.8e1,"addr":4096}\n{"op":"free","id":7e0}\n', rows.read_jsonl),
        (b'{"op":"all\\u006fc","id":7.0,"size":48.0,"addr":4096.0}\n{"op":"free","id":7}\n', rows.read_jsonl),
        (b'op,id,size,addr\nalloc,7,0x30,0x1000\nfree,7\n', rows.read_csv),
        (b'op,id,size,addr\nalloc,7.0,48.0,4096.0\nfree,7\n', rows.read_csv),
        (b'op,id,size,addr\n"alloc",7.0,48.0,4096.0\nfree,7\n', rows.read_csv),
        (b'op;id;size;addr\r\nalloc;7;48;4096\r\nfree;7;;\r\n', rows.read_csv),
        (b'op;id;size;addr\n"alloc";"7";48;4096\nfree;7\n', rows.read_csv),
        (b'op\tid\tsize\taddr\nalloc\t7\t48\t4096\nfree\t7\t\t\n', rows.read_csv),
        (as_msgpack([{"op": "alloc", "id": 7, "size": "0x30", "addr": "0x1000"}, {"op": "free", "id": 7}]), rows.read_rows),
        (as_msgpack([{"op": "alloc", "id": 7.0, "size": 48.0, "addr": 4096}, {"op": "free", "id": 7.0}]), rows.read_rows),
    ],
)  # fmt: skip
def test_numbers_and_cells_may_be_written_as_other_tools_do(data, reader):
    def told(trace: Trace) -> list[Any]:
        return [(b.kind.tolist(), b.id.tolist(), b.size.tolist(), b.addr.tolist()) for b in trace.batches]

    assert told(read(data, reader)) == told(read(PLAIN_ROWS, rows.read_csv))


@pytest.mark.parametrize("size", ["0x0", "0xff", "0xABCDEF", "0x0000000000000000000001", "0xfffffffffff"])
def test_hex_is_the_number_that_python_reads(size):
    if len(size) > 18:
        assert "must be a whole number" in error(as_jsonl([{"op": "alloc", "id": 1, "size": size}]))
    else:
        assert [row[3] for row in events(read(as_jsonl([{"op": "alloc", "id": 1, "size": size}])))] == [int(size, 16)]


@pytest.mark.parametrize("line", [b'"size":48.', b'"size":48.0x', b'"size":48 .0', b'"size":"0x30".0', b'"size":.0'])
def test_what_is_no_number_of_json_is_none(line):
    assert "this is no row" in error(b'{"op":"alloc","id":7,' + line + b"}\n")


def test_a_version_in_a_cell_stays_a_name():
    trace = read(b"op,name\ncheckpoint,1.0\ncheckpoint,1.00\n", rows.read_csv)
    assert [batch.new_names for batch in trace.batches] == [["1.0", "1.00"]]


@pytest.mark.parametrize(
    "data", [b'\xef\xbb\xbf{"op":"gc"}\n', b'\xef\xbb\xbf{"op":"header","gomaxprocs":1}\n{"op":"gc"}\n',
             b"\xef\xbb\xbfop;p\ngc;0\n", b'"size"\t"op"\n\tgc\n'],
)  # fmt: skip
def test_what_windows_writes_is_recognised(data, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(data)
    assert [row[0] for row in events(open_trace(path))] == [Kind.GC_START, Kind.GC_END]


# Fields that are not known.


def remarks(data: bytes, reader: Callable[..., Trace] = rows.read_jsonl) -> list[str]:
    trace = read(data, reader)
    events(trace)
    return trace.remarks


@pytest.mark.parametrize(
    ("data", "reader"),
    [
        (as_jsonl([{"op": "gc"}, {"op": "gc", "pointer": False}, {"op": "gc", "pointer": 1}]), rows.read_jsonl),
        (b"op,id,size,pointer\nalloc,1,8,false\n", rows.read_csv),
        (msgpack.packb({"op": "gc"}) + msgpack.packb({"op": "gc", "pointer": True}) * 3, rows.read_rows),
    ],
)
def test_a_field_that_is_not_known_is_told_once_with_what_was_meant(data, reader):
    where = {rows.read_csv: "line 1", rows.read_rows: "row 2"}.get(reader, "line 2")
    assert remarks(data, reader) == [
        f"The field 'pointer' (first in {where}) is not known, and was skipped; is 'pointers' meant?"
    ]


@pytest.mark.parametrize(("name", "near"), [("sise", "size"), ("Size", "size"), ("timestamp", "ns"), ("noscan", "pointers")])
def test_what_others_call_our_fields_is_known(name, near):
    assert remarks(as_jsonl([{"op": "gc", name: 1}]))[0].endswith(f"is {near!r} meant?")


def test_a_field_that_is_like_no_other_is_named_alone():
    assert remarks(b'{"op":"gc","mood":"good"}\n') == ["The field 'mood' (first in line 1) is not known, and was skipped."]


@pytest.mark.parametrize("form", FORMS)
def test_what_goalloc_exports_has_no_field_that_is_not_known(form):
    _, reader = FORMS[form]
    out = io.BytesIO()
    lines = b'{"op":"function","name":"f","file":"f.go"}\n{"op":"call","function":1,"line":3}\n'
    trace = read(lines + b'{"op":"type","name":"T","size":8,"pointer_bytes":8}\n{"op":"alloc","id":7,"size":8,"stack":1}\n')
    write_rows(trace.header, trace.batches, out, form)
    assert remarks(out.getvalue(), reader) == []


def test_a_thousand_fields_that_are_not_known_are_told_briefly():
    found = remarks(as_jsonl([{"op": "gc", f"x{i}": 1} for i in range(1000)]))
    assert (len(found), found[-1]) == (9, "More fields are not known, and were skipped.")


def test_a_row_with_a_field_that_was_met_is_plain_again(monkeypatch):
    taken = []
    monkeypatch.setattr(OddRows, "take", lambda self, *args, take=OddRows.take: taken.append(1) or take(self, *args))
    events(read(b'{"op":"gc","mood":"good"}\n' * 1000))
    assert len(taken) == 1
