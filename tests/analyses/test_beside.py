"""What a program printed of its collections, beside a replay of the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from goalloc_cli.analyses.beside import aligned
from goalloc_cli.importers.gctrace.cycles import MIB
from goalloc_cli.results.beside import Heap, Pair
from tests.kit.gctrace import DATA, TRACE, document, numbered


def test_the_models_heap_lies_in_the_mib_that_go_printed(capfdbinary) -> None:
    found = document(capfdbinary, DATA / "lru-go1.27.txt", "--beside", TRACE)["beside"]
    assert [row["off_bytes"] for row in found["collections"][1:]] == [0, 0, 0, 0]


def test_of_a_cut_text_the_times_tell_which_collections_belong_together(tmp_path: Path, capfdbinary) -> None:
    lines = (DATA / "lru-go1.27.txt").read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.txt"
    cut.write_text("".join(line for line in lines if not line.startswith(("gc 1 ", "gc 2 "))))
    found = document(capfdbinary, cut, "--beside", TRACE)
    assert [(row["number"], row["off_bytes"]) for row in found["beside"]["collections"]] == [(3, 0), (4, 0), (5, 0)]
    assert "The text has 3 collections, the trace 5: by their times, collections 3 to 5 are in both." in found["notes"]


def test_a_trace_of_another_run_is_doubted(tmp_path: Path, capfdbinary) -> None:
    other = tmp_path / "other.txt"
    other.write_text("".join(numbered(n, n * n / 5) for n in range(1, 6)))
    notes = document(capfdbinary, other, "--beside", TRACE)["notes"]
    assert "The collections do not happen at the same times: is the trace of the same run?" in notes


@pytest.mark.parametrize(
    ("printed", "replayed", "shift"),
    [
        ([10, 20, 50, 60], [10, 20, 50, 60], 0),
        ([10, 20, 50, 60], [1020, 1050, 1060], 1),
        ([50, 65], [10, 20, 50, 65], -2),
        ([10, 20, 50], [0, 0], 0),
        ([], [10], 0),
    ],
)
def test_collections_are_paired_by_the_times_between_them(printed: list[int], replayed: list[int], shift: int) -> None:
    assert aligned(printed, replayed)[0] == shift


@pytest.mark.parametrize(("live", "off"), [(3 * MIB, 0), (4 * MIB - 1, 0), (4 * MIB, 1), (3 * MIB - 5, 5)])
def test_off_is_the_distance_to_the_mib_that_go_printed(live: int, off: int) -> None:
    go = Heap(3 * MIB, 3 * MIB, 3 * MIB, 0)
    assert Pair(1, go, Heap(3 * MIB, 3 * MIB, live, 0)).off_bytes == off
