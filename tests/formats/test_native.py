"""The native format: what is written comes back, and nothing that is damaged gets in."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalloc_cli.errors import TraceError, TruncatedTrace
from goalloc_cli.native.native import read_native, without_witnesses, write_native
from goalloc_cli.native.records import MAX_ENTRIES, MAX_HEAD, footer_head, pack_header, pack_record
from goalloc_cli.trace.event import BATCH, BOUND, COLUMNS, NO_P, NOSCAN, Kind, TypeInfo
from goalloc_cli.trace.trace import Header
from tests.kit.batches import NODE, SMALL, STACKED, TWO_PS, WITH_STACKS, Row, batch, equal, read, same, written

codecs = pytest.mark.parametrize("codec", ["zstd", "none"])

# What is written comes back


@codecs
def test_a_trace_comes_back_as_it_was_written(codec):
    assert same(read(written(SMALL, codec=codec)), (TWO_PS, SMALL))


@codecs
def test_stacks_come_back_with_their_functions(codec):
    assert same(read(written(STACKED, WITH_STACKS, codec)), (WITH_STACKS, STACKED))


def test_stacks_stay_where_witnesses_go():
    back = read(written(STACKED, WITH_STACKS, witnesses=False))[1]
    assert [part.stack.tolist() for part in back[:3]] == [[1, 3, 2], [0, 0, 0], [4]]


@st.composite
def rows(draw: st.DrawFn) -> Row:
    flags = {Kind.ALLOC: NOSCAN | BOUND, Kind.SNAP_OBJECT: NOSCAN, Kind.TINY: BOUND}
    kind = draw(st.sampled_from([*flags, Kind.FREE, Kind.TIME, Kind.SNAP_SPAN, Kind.SAW_SPAN_ALLOC]))
    return (
        kind | (flags.get(kind, 0) if draw(st.booleans()) else 0),
        draw(st.sampled_from([0, 1, NO_P])),
        draw(st.integers(0, 20) | st.integers(0, (1 << 32) - 1)),
        draw(st.integers(0, 300) | st.integers(0, (1 << 62) - 1 if kind == Kind.TIME else 1 << 35)),
        draw(st.integers(0, 1)),
        draw(st.sampled_from([0, 8, 0xC000000000, (1 << 63) - 1])),
    )


@given(st.lists(st.lists(rows(), max_size=30), max_size=4), st.booleans(), st.sampled_from(["zstd", "none"]))
def test_any_batches_come_back_as_they_were_written(tables, addr, codec):
    batches = [batch([], types=[NODE]), *(batch(table, addr=addr) for table in tables)]
    assert same(read(written(batches, codec=codec)), (TWO_PS, batches))


def test_a_full_batch_of_values_that_do_not_compress_comes_back():
    random = np.random.default_rng(1)
    full = batch([(Kind.FREE, 0, 0, 0, 0, 0)] * BATCH)
    ids, addrs = random.integers(0, 1 << 32, BATCH, np.uint32), random.integers(0, 1 << 62, BATCH)
    full = replace(full, id=ids, addr=addrs)
    assert same(read(written([full])), (TWO_PS, [full]))


@codecs
def test_every_column_that_is_read_is_an_array_of_its_own_which_a_kernel_may_write_to(codec):
    columns = [getattr(one, name) for one in read(written(SMALL, codec=codec))[1] for name in COLUMNS]
    assert all(column.flags.writeable and column.flags.owndata for column in columns)


def test_a_header_comes_back_with_the_keys_of_a_newer_version():
    header = Header("1.24", "arm64", 8, sizes="slot", heap_base=1, notes=("a", "b"), extra={"cpu": ["x", 1]})
    assert read(written([], header))[0] == header


def test_more_types_than_fit_into_one_chunk_come_before_their_events():
    types = [TypeInfo(f"main.T{i}" + "x" * (i % 200), i, 0) for i in range(3 * MAX_ENTRIES)]
    last = batch([(Kind.ALLOC, 0, 0, 8, len(types), 0)])
    *before, end = read(written([replace(last, new_types=types, new_names=["n"] * 5)]))[1]
    assert [new for one in [*before, end] for new in one.new_types] == types
    assert equal(replace(end, new_types=[], new_names=[]), last)


def test_a_trace_without_witnesses_has_no_addresses_and_no_events_that_only_verify_reads():
    header, batches = read(written(SMALL, replace(TWO_PS, witnesses=True), witnesses=False))
    assert not header.witnesses
    assert all(map(equal, batches, map(without_witnesses, SMALL)))
    assert [(len(one), one.addr) for one in batches] == [(3, None), (3, None)]


def test_a_trace_can_be_read_from_a_pipe_while_it_is_written():
    read_end, write_end = os.pipe()

    def write() -> None:
        with os.fdopen(write_end, "wb") as stream:
            write_native(TWO_PS, SMALL, stream)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(read_end, "rb") as stream:
        trace = read_native(stream, "-")
        assert same((trace.header, list(trace.batches)), (TWO_PS, SMALL))
    writer.join()


def test_the_memory_of_a_reader_does_not_grow_with_the_trace():
    full = batch([(Kind.FREE, 0, i, 0, 0, i) for i in range(BATCH)])

    def peak_bytes(chunks: int) -> int:
        stream = io.BytesIO(written([full] * chunks))
        tracemalloc.start()
        for _ in read_native(stream, "-").batches:
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(40) < 1.2 * peak_bytes(4)


# What cannot be read again is not written


def test_a_name_longer_than_a_head_is_not_written():
    with pytest.raises(TraceError, match="at most 262144 fit"):
        written([batch([], names=["n" * MAX_HEAD])])


def test_an_event_that_a_reader_would_refuse_is_not_written():
    with pytest.raises(TraceError, match=r"chunk 1: event 0 \(event 3 of the trace\): ALLOC with arg 2"):
        written([SMALL[0], batch([(Kind.ALLOC, 0, 0, 8, 2, 0)])])


def test_an_unknown_codec_is_not_written():
    with pytest.raises(ValueError, match="choose zstd or none"):
        written(SMALL, codec="lzma")


# What is damaged does not get in


@codecs
def test_a_trace_that_is_cut_anywhere_says_how_much_of_it_was_whole(codec):
    whole = written(SMALL, codec=codec)
    ends_of_chunks = whole.index(b"\xa5chunk\x01") - 1, whole.index(b"\xa6footer") - 1
    for length in range(len(whole)):
        with pytest.raises(TruncatedTrace) as caught:
            read(whole[:length])
        chunks = sum(end <= length for end in ends_of_chunks)
        assert (caught.value.chunks, caught.value.events) == (chunks, (0, 3, 7)[chunks])


@codecs
@pytest.mark.parametrize("flip", [1, 4, 0x20, 0x80, 0xFF])
def test_a_flipped_byte_is_noticed_or_changes_nothing(codec, flip):
    whole = bytearray(written(SMALL, codec=codec))
    unflipped = read(bytes(whole))
    for i in range(len(whole)):
        whole[i] ^= flip
        with contextlib.suppress(TraceError):
            assert same(read(bytes(whole)), unflipped), f"byte {i} was believed"
        whole[i] ^= flip


@given(st.binary(max_size=200))
def test_bytes_that_are_no_trace_are_refused(noise):
    with pytest.raises(TraceError):
        read(noise)


def test_a_wrong_checksum_names_the_chunk_and_its_byte():
    data = bytearray(written(SMALL))
    start = data.index(b"\xa5chunk\x01") - 1
    data[data.index(b"\xa6footer") - 2] ^= 1
    with pytest.raises(TraceError, match=f"a.trace: byte {start}: wrong checksum of chunk 1"):
        read(bytes(data))


def test_a_newer_major_version_is_refused_by_name():
    data = written(SMALL).replace(b"\xa7version\x92\x01", b"\xa7version\x92\x02")
    with pytest.raises(TraceError, match="this is goalloc trace version 2; this goalloc reads 1"):
        read(data)


def test_a_missing_chunk_is_noticed():
    data = written(SMALL)
    first, second = data.index(b"\xa5chunk\x00") - 1, data.index(b"\xa5chunk\x01") - 1
    with pytest.raises(TraceError, match="chunk 0 was expected, but this is chunk 1"):
        read(data[:first] + data[second:])


def test_a_footer_that_disagrees_is_noticed():
    data = pack_header({}) + pack_record({"footer": True}, {"events": 5, "chunks": 0})
    with pytest.raises(TraceError, match="says 5 events in 0 chunks, but there were 0 in 0"):
        read(data)


def test_what_follows_the_footer_is_noticed():
    with pytest.raises(TraceError, match="more follows the footer"):
        read(written(SMALL) * 2)


@pytest.mark.parametrize("tail", [b"", b"\x01\x02\x91\x03", b"\x91\xa6footer", b"\xa6footer", b"\x81\xa6footer\xc3"])
def test_the_last_bytes_of_something_else_are_no_footer(tail: bytes) -> None:
    assert footer_head(tail) is None
