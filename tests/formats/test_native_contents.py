"""The native format: files with the right checksums, and whatever a stranger may have put into them."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from functools import partial
from zlib import crc32

import msgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from goalloc_cli.errors import TraceError
from goalloc_cli.native.records import MAX_HEAD, pack_header, pack_record
from goalloc_cli.trace.event import BATCH, BOUND, NO_P, NOSCAN, Call, Function, Kind, Owner
from goalloc_cli.trace.ranges import MAX_BYTES, MAX_OWNERS, MAX_PAGE, MAX_STACKS, RangeCheck
from tests.kit.batches import NODE, SMALL, Row, batch, one_chunk, read
from tests.kit.memory import grown_bytes


def refused(data: bytes) -> str:
    with pytest.raises(TraceError) as caught:
        read(data)
    return str(caught.value)


# What a newer goalloc may have added


def test_what_a_newer_minor_version_adds_is_skipped():
    data = one_chunk({"colour": {"shade": 7}}, head={"mood": "good"}).replace(b"\x92\x01\x00", b"\x92\x01\x07")
    assert [len(one) for one in read(data)[1]] == [1]


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ({"columns": {"id": {"width": 1, "at": 0, "bytes": 0, "xor": True}}}, "unknown keys {'xor'}"),
        ({"head": {"codec": "lzma"}}, "codec 'lzma' is not known"),
        ({"columns": {"kind": {"value": 31}}}, r"chunk 0: event 0 \(event 0 of the trace\): unknown kind 31"),
        ({"columns": {"kind": {"value": Kind.FREE | NOSCAN}}}, "unknown kind 2 with NOSCAN"),
    ],
)
def test_what_cannot_be_skipped_is_refused(added, said):
    with pytest.raises(TraceError, match=f"{said}; a newer goalloc may know"):
        read(one_chunk(**added))


def test_a_record_that_is_neither_chunk_nor_footer_is_refused():
    assert "a newer goalloc may know it" in refused(pack_header({}) + pack_record({"index": 1}, {}))


# What is no column


@pytest.mark.parametrize(
    ("descriptor", "said"),
    [
        (None, "no map"),
        ({}, "'width' is None"),
        ({"value": -1}, "'value' is -1"),
        ({"value": 1 << 32}, "from 0 to 4294967295"),
        ({"width": 3, "at": 0, "bytes": 6}, "width is 3"),
        ({"width": 8, "at": 0, "bytes": 8}, "from 0 to 4"),
        ({"width": 1, "at": 3, "bytes": 2}, "'bytes' is 2"),
        ({"width": 1, "at": -1, "bytes": 2}, "'at' is -1"),
        ({"width": 1, "at": 0, "bytes": 3}, "3 bytes are stored, but 2 are needed"),
        ({"width": 1, "at": 0, "bytes": 2, "delta": 1}, "'delta' is 1"),
    ],
)
def test_a_descriptor_that_makes_no_sense_is_refused_with_its_column(descriptor, said):
    message = refused(one_chunk({"id": descriptor}, b"1234", events=2))
    assert "chunk 0: column 'id': " in message
    assert said in message


def test_a_value_that_is_negative_in_memory_is_refused():
    data = struct.pack("<Q", 1 << 63)
    assert "values end at" in refused(one_chunk({"addr": {"width": 8, "at": 0, "bytes": 8}}, data))


def test_a_missing_column_is_refused():
    head = {"events": 0, "codec": "none", "columns": {"kind": {"value": 1}}}
    assert "column 'p' is missing" in refused(pack_header({}) + pack_record({"chunk": 0}, head))


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
small_or_anything = st.integers(0, 9) | anything


@given(st.dictionaries(st.sampled_from(["codec", "types", "names", "functions", "calls", "events"]), anything, min_size=1))
def test_nothing_but_a_trace_error_comes_of_what_a_stranger_puts_into_a_chunk(head):
    with contextlib.suppress(TraceError):
        read(one_chunk(head=head))


@given(st.dictionaries(st.sampled_from(["value", "width", "at", "bytes", "delta"]), small_or_anything))
def test_nothing_but_a_trace_error_comes_of_what_a_stranger_puts_into_a_descriptor(descriptor):
    with contextlib.suppress(TraceError):
        read(one_chunk({"size": descriptor}, bytes(8)))


@given(st.dictionaries(st.sampled_from(["gomaxprocs", "page_size", "sizes", "notes", "new"]), anything))
def test_nothing_but_a_trace_error_comes_of_what_a_stranger_puts_into_a_header(head):
    with contextlib.suppress(TraceError):
        read(pack_header(head) + pack_record({"footer": True}, {"events": 0, "chunks": 0}))


# What would take memory


def test_a_zstd_frame_that_claims_more_than_its_column_needs_is_not_unpacked():
    bomb = zstandard.ZstdCompressor().compress(bytes(100 << 20))
    data = one_chunk({"kind": {"width": 1, "at": 0, "bytes": len(bomb)}}, bomb, head={"codec": "zstd"})
    assert "the zstd frame says 104857600 bytes, but 1 are needed" in refused(data)


def test_more_events_than_a_batch_holds_are_refused():
    assert f"from 0 to {BATCH}" in refused(one_chunk(events=BATCH + 1))


def test_a_record_that_claims_to_be_huge_is_refused_before_it_is_read():
    claim = b"\x81\xa4head\xc6" + struct.pack(">I", (1 << 32) - 1)
    assert "it claims to be longer than a record can be" in refused(pack_header({}) + claim + bytes(4 << 20))


def test_a_head_that_is_longer_than_it_may_be_is_refused():
    head = bytes(MAX_HEAD + 1)
    record = msgpack.packb({"chunk": 0, "check": crc32(head), "head": head})
    assert "at most 262144 are allowed" in refused(pack_header({}) + record)


def test_lists_in_lists_that_claim_to_be_long_take_little_memory():
    for claim in (b"\xdc\x0f\xff", b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff"):
        head = claim * 1000
        data = pack_header({}) + msgpack.packb({"chunk": 0, "check": crc32(head), "head": head})
        assert grown_bytes(partial(refused, data)) < 64 << 20


F = ["main.f", "f.go"]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"functions": [["main.f"]]}, r"its functions are no list of \[name, file\]"),
        ({"functions": [["main.f", 7]]}, r"its functions are no list of \[name, file\]"),
        ({"functions": [F], "calls": [[1, 2]]}, r"its calls are no list of \[function, line, caller\]"),
        ({"functions": [F], "calls": [[1, -1, 0]]}, "its 'line' is -1"),
        ({"calls": [[1, 40, 0]]}, "stack 1 names a function or caller that has not come yet"),
        ({"functions": [F], "calls": [[0, 40, 0]]}, "stack 1 names a function or caller"),
        ({"functions": [F], "calls": [[1, 40, 0], [1, 41, 2]]}, "stack 2 names a function or caller"),
        ({"columns": {"stack": {"value": 1}}}, "ALLOC with stack 1, but the trace has only 0 stacks so far"),
        ({"columns": {"kind": {"value": Kind.FREE}, "stack": {"value": 1}}}, "FREE with stack 1, but it has none"),
    ],
)
def test_stacks_that_name_what_is_not_there_are_refused(head, said):
    columns = head.pop("columns", None)
    with pytest.raises(TraceError, match=said):
        read(one_chunk(columns, head=head))


OWNER = [1, 1, "request", "decode", 0]


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        ([[1, 1, "request"]], r"its owners are no list of \[entry, creator, task, region, runtime\]"),
        ([[1, 1, 7, "decode", 0]], "has a task or region that is no text"),
        ([[1, 1, "request", "decode", 2]], "its 'runtime' is 2"),
        ([[-1, 1, "request", "decode", 0]], "its 'entry' is -1"),
        ([OWNER, [2, 1, "request", "decode", 0]], "owner 2 names a function or stack that has not come yet"),
        ([[1, 2, "request", "decode", 0]], "owner 1 names a function or stack that has not come yet"),
    ],
)
def test_owners_that_name_what_is_not_there_are_refused(owners, said):
    with pytest.raises(TraceError, match=said):
        read(one_chunk(head={"functions": [F], "calls": [[1, 40, 0]], "owners": owners}))


def test_an_owner_that_has_not_come_is_refused():
    head = {"functions": [F], "calls": [[1, 40, 0]], "owners": [OWNER]}
    assert read(one_chunk({"kind": {"value": Kind.WORKS_FOR}, "arg": {"value": 1}}, head=head))
    with pytest.raises(TraceError, match="WORKS_FOR with arg 2, but the trace has only 1 owners so far"):
        read(one_chunk({"kind": {"value": Kind.WORKS_FOR}, "arg": {"value": 2}}, head=head))


def test_owners_without_end_are_refused():
    check = RangeCheck(1)
    many = replace(batch([]), new_owners=[Owner(0, 0, "", "", 0)] * (MAX_OWNERS // 2))
    with pytest.raises(TraceError, match="more than 65536 owners so far"):
        for number in range(3):
            check.check(many, f"chunk {number}")


def test_stacks_without_end_are_refused():
    check = RangeCheck(1)
    many = replace(batch([]), new_functions=[Function(*F)], new_calls=[Call(1, 0, 0)] * (MAX_STACKS // 2))
    with pytest.raises(TraceError, match="more than 1048576 stacks so far"):
        for number in range(3):
            check.check(many, f"chunk {number}")


def test_types_without_end_are_refused():
    check = RangeCheck(gomaxprocs=1)
    with pytest.raises(TraceError, match="more than 64 MiB of types and names"):
        for number in range(100):
            check.check(batch([], types=[NODE], names=["n" * (1 << 20)]), f"chunk {number}")


# Events out of range


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((Kind.ALLOC, 0, 0, 8, 2, 0), "ALLOC with arg 2, but the trace has only 1 types so far"),
        ((Kind.SNAP_DEAD, 0, 0, 8, 2, 0), "SNAP_DEAD with arg 2, but the trace has only 1 types so far"),
        ((Kind.CHECKPOINT, 0, 0, 0, 1, 0), "CHECKPOINT with arg 1, but the trace has only 0 names so far"),
        ((Kind.ALLOC, 1024, 0, 8, 0, 0), "ALLOC with p 1024, but there are at most 1024 Ps"),
        ((Kind.SNAP_SPAN, 2, 1, 0, 5, 0), "SNAP_SPAN with p 2, but the header says gomaxprocs 2"),
        ((Kind.SET_GOGC, 0, 0, 1 << 31, 0, 0), "SET_GOGC with size 2147483648, but it can be 0 to 2147483647"),
        ((Kind.SNAP_STACK_SPAN, 2, 0, 8, 4, 0), "SNAP_STACK_SPAN with p 2, but it can be 0 to 1"),
        ((Kind.ALLOC | BOUND, 0, 0, MAX_BYTES + 1, 0, 0), f"ALLOC with size {MAX_BYTES + 1}, but it can be"),
        ((Kind.ALLOC, 0, 0, -1, 0, 0), "ALLOC with size -1"),
        ((Kind.SNAP_SPAN, 0, 1, MAX_PAGE + 1, 8, 0), f"SNAP_SPAN with size {MAX_PAGE + 1}"),
        ((Kind.SNAP_SPAN, 0, 1, 0, 256, 0), "SNAP_SPAN with arg 256, but it can be 0 to 255"),
        ((Kind.GC_START, 0, 0, 0, 2, 0), "GC_START with arg 2, but it can be 0 to 1"),
    ],
)
def test_an_event_out_of_range_is_refused_with_its_place(row: Row, said: str):
    check = RangeCheck(gomaxprocs=2)
    check.check(batch([(Kind.FREE, NO_P, 0, 0, 0, 0)] * 5, types=[NODE]), "chunk 0")
    with pytest.raises(TraceError) as caught:
        check.check(batch([(Kind.ALLOC, 1, 0, 8, 1, 0), row]), "chunk 1")
    assert str(caught.value).startswith(f"chunk 1: event 1 (event 6 of the trace): {said}")


def test_a_slot_may_be_higher_than_the_number_of_ps():
    RangeCheck(gomaxprocs=1).check(batch([(Kind.SNAP_OBJECT, 1023, 0, 8, 0, 0)]), "chunk 0")


def test_a_type_can_be_used_by_the_batch_that_brings_it_and_by_later_ones():
    check = RangeCheck(gomaxprocs=2)
    for one in [*SMALL, batch([(Kind.TINY, 0, 0, 1, 1, 0)])]:
        check.check(one, "chunk")
    assert check.events == 8
