"""Rows with mistakes, without end, and in pieces."""

from __future__ import annotations

import contextlib

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalloc_cli.errors import TraceError, TruncatedTrace
from goalloc_cli.importers.rows import read as rows
from tests.kit.rows import FORMS, STORY, as_jsonl, error, events, read


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
