"""Traces of the malloc lab."""

from __future__ import annotations

import pytest

from goalloc_cli.importers.malloclab import read_malloclab
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.trace.event import KIND_MASK, Kind
from tests.kit.rows import error, events, read


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
