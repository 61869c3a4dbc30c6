"""Rows that scripts write: JSON Lines, CSV, msgpack, and the malloc lab's traces."""

import contextlib
import csv
import io
import json
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalloc_cli.errors import TraceError, TruncatedTrace
from goalloc_cli.exporters.rows import write_rows
from goalloc_cli.importers.common.ids import BIRTH, DEATH, Ids
from goalloc_cli.importers.malloclab import read_malloclab
from goalloc_cli.importers.rows import read as rows
from goalloc_cli.importers.rows.fields import EVENT, OPS
from goalloc_cli.importers.rows.odd import OddRows
from goalloc_cli.importers.sniff import _form, open_trace
from goalloc_cli.trace.event import BOUND, FREED_ID, KIND_MASK, NO_P, NOSCAN, UNKNOWN_ID, Kind
from goalloc_cli.trace.trace import Trace

Row = dict[str, Any]

STORY: list[Row] = [
    {"op": "alloc", "id": 7, "size": 48, "pointers": True, "p": 2, "type": "main.T"},
    {"op": "alloc", "id": "buffer", "size": 100, "pointers": False, "type": "main.T"},
    {"op": "tiny", "id": "buffer", "size": 3},
    {"op": "free", "id": 7, "p": 1},
    {"op": "gc", "p": 1},
    {"op": "alloc", "id": 7, "size": 24, "bound": True, "type": "main.U"},
    {"op": "stack_alloc", "id": 7, "size": 2048},
    {"op": "gc_start", "explicit": True, "p": -1},
    {"op": "gc_end", "explicit": True},
    {"op": "stack_free", "id": 7},
    {"op": "flush"},
    {"op": "checkpoint", "name": "done"},
    {"op": "time", "ns": 5_000_000_000},
]
"""Every op that a program needs, once."""


def as_jsonl(table: list[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in table).encode()


def as_csv(table: list[Row]) -> bytes:
    columns = list(dict.fromkeys(key for row in table for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows([{k: str(v).lower() if isinstance(v, bool) else v for k, v in row.items()} for row in table])
    return text.getvalue().encode()


def as_msgpack(table: list[Row]) -> bytes:
    return b"".join(map(msgpack.packb, table))


FORMS = {"jsonl": (as_jsonl, rows.read_jsonl), "csv": (as_csv, rows.read_csv), "rows": (as_msgpack, rows.read_rows)}


def read(data: bytes, reader: Callable[..., Trace] = rows.read_jsonl) -> Trace:
    return reader(io.BytesIO(data), "a")


def events(trace: Trace) -> list[tuple[int, ...]]:
    columns = ("kind", "p", "id", "size", "arg")
    return [row for batch in trace.batches for row in zip(*(getattr(batch, name).tolist() for name in columns), strict=True)]


def error(data: bytes, reader: Callable[..., Trace] = rows.read_jsonl) -> str:
    with pytest.raises(TraceError) as caught:
        events(read(data, reader))
    return str(caught.value)


# What a row says.


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


# Mistakes.


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"op":"alloc","id":7}', "alloc without 'size'; a row of this op needs it"),
        (b'{"op":"alloc","id":7,"size":-1}', "'size' is -1; it must be a whole number from 0"),
        (b'{"op":"alloc","id":7,"size":48.5}', "'size' is 48.5; it must be a whole number"),
        (b'{"op":"alloc","id":7,"size":1e300}', "'size' is 1e+300; it must be a whole number"),
        (b'{"op":"alloc","id":7,"size":"0x"}', "'size' is '0x'; it must be a whole number"),
        (b'{"op":"alloc","id":7.5,"size":8}', "'id' is 7.5; it must be a whole number or a text"),
        (b'{"op":"realloc","id":7,"size":8}', "'id' 7 is not in use here; was it freed before?"),
        (b'{"op":"realloc","id":1}', "realloc without 'size'; a row of this op needs it"),
        (b'{"op":"alloc","id":7,"size":"8"}', "'size' is '8'; it must be a whole number"),
        (b'{"op":"alloc","id":7,"size":true}', "'size' is True; it must be a whole number"),
        (b'{"op":"alloc","id":7,"size":8,"pointers":"no"}', "'pointers' is 'no'; it must be true or false"),
        (b'{"op":"alloc","id":7,"size":8,"p":70000}', "'p' is 70000; it must be a whole number from -1 to 65535"),
        (b'{"op":"alloc","id":[7],"size":8}', "'id' is [7]; it must be a whole number or a text"),
        (b'{"op":"alloc","id":7,"size":8,"addr":"c"}' + b"x", "this is no row: Extra data"),
        (b'{"op":"alloc","id":7,"size":8,"addr":"here"}', "'addr' is 'here'; it must be a number, or a text such as"),
        (b'{"op":"alloc","id":7,"size":281474976710657}', "ALLOC with size 281474976710657, but it can be 0 to"),
        (b'{"op":"alloc","id":7,"size":8,"type":3}', "ALLOC with arg 3, but the trace has only 0 types so far"),
        (b'{"op":"alloc","id":7,"size":8,"type":"\\ud800"}', "it must be a text of whole characters"),
        (b'{"op":"alloc","id":7,"size":8,"stack":1}', "ALLOC with stack 1, but the trace has only 0 stacks so far"),
        (b'{"op":"alloc","id":7,"size":8,"stack":"main.f"}', "'stack' is 'main.f'; it must be a whole number"),
        (b'{"op":"function","name":"main.f"}', "'file' is missing; it must be a text"),
        (b'{"op":"call","function":1}', "'function' is 1; it must be the number of a function so far: there are 0"),
        (b'{"op":"call"}', "'function' is missing; it must be the number of a function so far"),
        (b'{"op":"aloc","id":7}', "'op' is 'aloc'; it must be one of alloc, free,"),
        (b'{"id":7}', "'op' is missing; it must be one of alloc,"),
        (b"[1]", "this is no row: it is no object"),
        (b'{"op":"gc"', "this is no row: Expecting"),
        (b"[" * 100_000, "this is no row"),
        (b'{"op":"free","id":8}', "'id' 8 is not in use here; was it freed before?"),
        (b'{"op":"free","id":"eight"}', "'id' is not in use here; was it freed before?"),
        (b'{"op":"tiny","id":8,"size":1}', "'id' 8 is not in use here"),
        (b'{"op":"alloc","id":1,"size":8}', "'id' 1 is in use already; free its owner first"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_field(line, told):
    good = b'{"op":"alloc","id":1,"size":8}\n\n'
    message = error(good + line + b"\n")
    assert message.startswith("a: line 3: ")
    assert told in message


def test_a_caller_has_to_come_before_its_call():
    lines = b'{"op":"function","name":"f","file":"f.go"}\n{"op":"call","function":1,"caller":1}\n'
    assert error(lines) == "a: line 2: 'caller' is 1; it must be the number of a call so far: there are 0"


def test_a_stack_of_what_has_none_is_left_out():
    [found] = read(b'{"op":"gc","stack":7}\n').batches
    assert found.stack is None


def test_a_mistake_in_csv_is_told_with_its_line():
    assert error(b"op,id,size\nalloc,1,many\n", rows.read_csv).startswith("a: line 2: 'size' is 'many'")


def test_a_mistake_in_msgpack_is_told_with_its_row_and_byte():
    data = msgpack.packb([1, 0, 1, 8]) + msgpack.packb({"op": "free", "id": 2}) + bytes(100)
    assert error(data, rows.read_rows).startswith("a: row 3 (byte 18): this is no row: it is neither")
    assert error(data[:18], rows.read_rows).startswith("a: row 2 (byte 5): 'id' 2 is not in use")


def test_a_p_beyond_the_header_says_how_to_give_one():
    data = as_jsonl([{"op": "header", "gomaxprocs": 1}, {"op": "snap_span", "id": 1, "size": 0, "arg": 5, "p": 3}])
    assert error(data).endswith('but the header says gomaxprocs 1; start with a row such as {"op":"header","gomaxprocs":8}')


def test_a_p_beyond_the_header_is_one_more_p():
    data = as_jsonl([{"op": "header", "gomaxprocs": 1}, {"op": "gc", "p": 3}])
    assert [p for _, p, *_ in events(read(data))] == [3, 3]


def test_there_are_no_more_ps_than_the_model_holds():
    assert error(as_jsonl([{"op": "gc", "p": 1024}])) == "a: line 1: GC_START with p 1024, but there are at most 1024 Ps"


def test_msgpack_that_was_cut_short_is_told_from_msgpack_that_is_wrong():
    data = msgpack.packb({"op": "alloc", "id": 1, "size": 8})
    with pytest.raises(TruncatedTrace, match=r"row 2 \(byte 20\): it was cut short"):
        events(read(data + data[:10], rows.read_rows))


def test_a_row_without_end_takes_no_memory():
    assert "line 1: it is longer than 1 MiB" in error(b'{"op":"' + b"x" * (3 << 20))


@pytest.mark.parametrize("claim", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"])
def test_a_claim_of_four_billion_entries_takes_no_memory(claim):
    assert "row 2" in error(msgpack.packb([6]) + claim + bytes(50), rows.read_rows)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(FORMS)), st.binary(max_size=60), st.integers(0, 400))
def test_no_bytes_do_anything_but_raise_a_trace_error(form, noise, at):
    write, reader = FORMS[form]
    data = write(STORY)
    with contextlib.suppress(TraceError):
        events(read(data[:at] + noise + data[at + len(noise) :], reader))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block", [1, 7, 64, 100])
def test_where_the_blocks_end_makes_no_difference(monkeypatch, form, block):
    write, reader = FORMS[form]
    monkeypatch.setattr(rows, "BLOCK", block)
    assert len(events(read(write(STORY), reader))) == len(STORY) + 1


def test_a_long_trace_keeps_its_handles_apart():
    live = np.arange(200_000)
    lines = "".join(f'{{"op":"alloc","id":{i * 977},"size":8}}\n' for i in live)
    lines += "".join(f'{{"op":"free","id":{i * 977}}}\n' for i in live[::-1])
    handles = [row[2] for row in events(read(lines.encode()))]
    assert handles[:200_000] == live.tolist()
    assert handles[200_000:] == live[::-1].tolist()


# Ids.


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([BIRTH, DEATH]), st.integers(0, 30)), max_size=200))
def test_ids_behave_like_a_dictionary_with_the_smallest_free_handle(moves):
    ids, owners, done, kinds, expected = Ids(), {}, [], [], []
    for role, key in moves:
        if (role == BIRTH) == (key in owners):
            continue
        if role == BIRTH:
            owners[key] = min(set(range(len(owners) + 1)) - set(owners.values()))
        expected.append(owners[key] if role == BIRTH else owners.pop(key))
        done.append(key)
        kinds.append(Kind.ALLOC if role == BIRTH else Kind.FREE)
    handles = np.zeros(len(done), np.uint32)
    assert ids.name(np.array(kinds, np.uint8), np.array(done, np.int64), handles)[1] == 0
    assert handles.tolist() == expected


def test_every_kind_has_an_op():
    assert {name.upper() for name in OPS} - {"GC", "REALLOC"} == {kind.name for kind in Kind}
    assert EVENT.itemsize == 56


# The malloc lab.


def test_a_malloc_lab_trace_is_read(tmp_path):
    path = tmp_path / "a.rep"
    path.write_bytes(b"20000\n2\n5\n1\na 0 512\na 1 128\nr 0 640\nf 1\nf 0\n")
    told = [(Kind(row[0] & KIND_MASK).name, *row[2:4]) for row in events(open_trace(path))]
    assert told == [("ALLOC", 0, 512), ("ALLOC", 1, 128), ("ALLOC", 2, 640), ("FREE", 0, 0), ("FREE", 1, 0), ("FREE", 2, 0)]


def test_the_malloc_lab_gets_collections_as_its_heap_grows():
    lines = "".join(f"a {i} 1000000\nf {i}\n" for i in range(50))
    kinds = [row[0] for row in events(read(b"1\n1\n1\n1\n" + lines.encode(), read_malloclab))]
    # Five megabytes make 4 MiB; from then on the last one is live, and four more do.
    assert kinds.count(Kind.GC_END) == 12


@pytest.mark.parametrize("line", ["x 1", "a 1", "f 1 2", "a b 3", "a 0 5", "f 9", "a -1 3"])
def test_a_wrong_line_of_the_malloc_lab_is_named(line):
    assert error(b"1\n1\n1\n1\na 0 512\n" + line.encode(), read_malloclab).startswith("a: line 6: ")


def test_a_saved_go_trace_is_not_taken_for_rows():
    class Fake:
        name = "a"

        def peek(self, length: int) -> bytes:
            return b'{"op_count": 3}\n'

    with pytest.raises(TraceError, match="looks like JSON"):
        _form(Fake())  # type: ignore[arg-type]


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
