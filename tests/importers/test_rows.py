"""Rows that scripts write: JSON Lines, CSV, msgpack."""

from __future__ import annotations

import msgpack
import pytest

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.rows import read as rows
from goalloc_cli.importers.rows.fields import EVENT, OPS
from goalloc_cli.importers.sniff import _form, open_trace
from goalloc_cli.trace.event import BOUND, NO_P, NOSCAN, Kind
from tests.kit.rows import FORMS, STORY, as_jsonl, events, read


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_same_story(form):
    write, reader = FORMS[form]
    assert events(read(write(STORY), reader)) == [
        (Kind.ALLOC, 2, 0, 48, 1),
        (Kind.ALLOC | NOSCAN, 0, 1, 100, 1),
        (Kind.TINY, 0, 1, 3, 0),
        (Kind.FREE, 1, 0, 0, 0),
        (Kind.GC_START, 1, 0, 0, 0),
        (Kind.GC_END, 1, 0, 0, 0),
        (Kind.ALLOC | BOUND, 0, 0, 24, 2),
        (Kind.STACK_ALLOC, 0, 2, 2048, 0),
        (Kind.GC_START, NO_P, 0, 0, 1),
        (Kind.GC_END, 0, 0, 0, 1),
        (Kind.STACK_FREE, 0, 2, 0, 0),
        (Kind.FLUSH, 0, 0, 0, 0),
        (Kind.CHECKPOINT, 0, 0, 0, 1),
        (Kind.TIME, 0, 0, 5_000_000_000, 0),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_recognised_by_its_first_bytes(form, tmp_path):
    path = tmp_path / "trace"
    path.write_bytes(FORMS[form][0](STORY))
    assert len(events(open_trace(path))) == len(STORY) + 1


@pytest.mark.parametrize("form", FORMS)
def test_a_header_row_says_what_the_recording_was(form):
    write, reader = FORMS[form]
    header = read(write([{"op": "header", "go": "1.24", "gomaxprocs": 4}, *STORY]), reader).header
    assert (header.go_version, header.gomaxprocs, header.source) == ("1.24", 4, "rows")


def test_without_a_header_row_there_are_as_many_ps_as_the_rows_name():
    assert read(as_jsonl(STORY)).header.gomaxprocs == 3


def test_an_array_holds_the_columns_of_an_event():
    data = b"".join(map(msgpack.packb, [[1, 3, 9, 100], [65, -1, 10, 8, 0, 0xC000010000], ["free", 0, 9], [6], [7]]))
    trace = read(data, rows.read_rows)
    batch = next(trace.batches)
    assert batch.kind.tolist() == [1, 65, 2, 6, 7]
    assert (batch.p.tolist(), batch.id.tolist()) == ([3, NO_P, 0, 0, 0], [0, 1, 0, 0, 0])
    assert batch.addr.tolist() == [0, 0xC000010000, 0, 0, 0]


@pytest.mark.parametrize("size", [0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0xFFFFFFFF, 0x100000000, 1 << 47])
def test_a_number_of_any_width_is_read(size):
    many = [[1, 0, handle, size] for handle in range(50)]  # the last ones are read by another way
    assert {row[3] for row in events(read(b"".join(map(msgpack.packb, many)), rows.read_rows))} == {size}


def test_keys_that_are_not_known_are_skipped():
    line = b'{"op":"alloc","comment":"why, \\"so\\"","id":7,"nested":{"a":[1]},"size":48,"ratio":0.5,"longer than any":1}\n'
    assert events(read(line)) == [(Kind.ALLOC, 0, 0, 48, 0)]


def test_a_name_of_something_else_makes_no_name():
    trace = read(b'{"op":"alloc","id":7,"size":48,"name":"x"}\n' * 1)
    assert [batch.new_names for batch in trace.batches] == [[]]


def test_blank_lines_spaces_and_windows_line_ends_do_no_harm():
    assert len(events(read(b'\n  {"op" : "gc" , "p" : 1 }\r\n\r\n\t\n{"op":"gc"}'))) == 4


def test_an_address_may_be_written_as_in_go():
    batch = next(read(b'{"op":"alloc","id":1,"size":8,"addr":"0xc000012000"}\n').batches)
    assert batch.addr.tolist() == [0xC000012000]


def test_a_cell_of_csv_may_hold_a_comma_a_quote_and_a_line_end():
    data = b'op,id,size,type\nalloc,1,8,"map[string, ""x""]\nint"\nfree,1\n'
    trace = read(data, rows.read_csv)
    batch = next(trace.batches)
    assert (batch.new_types[0].name, len(batch)) == ('map[string, "x"]\nint', 2)


def test_columns_of_csv_come_in_any_order_and_unknown_ones_are_skipped():
    data = b"size,who,op,id\n48,me,alloc,1\n,you,free,1\n"
    assert [row[0] for row in events(read(data, rows.read_csv))] == [Kind.ALLOC, Kind.FREE]


@pytest.mark.parametrize("name", [-5, 1 << 59, 1 << 70, -(1 << 64), "x", "7", ""])
def test_an_id_may_be_any_whole_number_or_text(name):
    table = [{"op": "alloc", "id": name, "size": 8}, {"op": "free", "id": name}, {"op": "alloc", "id": name, "size": 16}]
    assert [row[2] for row in events(read(as_jsonl(table)))] == [0, 0, 0]


def test_objects_stacks_and_spans_each_have_their_own_ids():
    table = [{"op": op, "id": "a", "size": 4096} for op in ("alloc", "stack_alloc", "manual_alloc")]
    table += [{"op": op, "id": "a"} for op in ("free", "stack_free", "manual_free")]
    assert len(events(read(as_jsonl(table)))) == 6


def test_every_kind_has_an_op():
    assert {name.upper() for name in OPS} - {"GC", "REALLOC"} == {kind.name for kind in Kind}
    assert EVENT.itemsize == 56


def test_a_saved_go_trace_is_not_taken_for_rows():
    class Fake:
        name = "a"

        def peek(self, length: int) -> bytes:
            return b'{"op_count": 3}\n'

    with pytest.raises(TraceError, match="looks like JSON"):
        _form(Fake())  # type: ignore[arg-type]
