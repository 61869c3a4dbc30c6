"""Knobs, releases and size classes: what they hold, what is refused, and the commands that print them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from goalloc_cli.cli import run
from goalloc_cli.design.allocator import KNOBS, Design
from goalloc_cli.design.parse import design_diff, with_knob
from goalloc_cli.design.releases import GO_1_12, GO_1_13, GO_1_15, GO_1_16, GO_1_27, RELEASES, release
from goalloc_cli.design.sizeclass import size_classes, slots
from goalloc_cli.errors import DesignError
from goalloc_cli.model.tables.newheap import new_heap

# allocator.md, Appendix A: size, pages, slots until 1.21, scan slots 1.22 to 1.25, noscan and scan slots since 1.26.
APPENDIX_A = """
8 1 1024 1008 1024 1008
16 1 512 504 504 496
24 1 341 336 336 330
32 1 256 252 252 248
48 1 170 168 168 165
64 1 128 126 126 124
80 1 102 100 100 99
96 1 85 84 84 82
112 1 73 72 72 70
128 1 64 63 63 62
144 1 56 56 56 55
160 1 51 50 50 49
176 1 46 45 45 45
192 1 42 42 42 41
208 1 39 38 38 38
224 1 36 36 36 35
240 1 34 33 33 33
256 1 32 31 31 31
288 1 28 28 28 27
320 1 25 25 25 24
352 1 23 22 22 22
384 1 21 21 21 20
416 1 19 19 19 19
448 1 18 18 18 17
480 1 17 16 16 16
512 1 16 15 15 15
576 1 14 14 14 14
640 1 12 12 12 12
704 1 11 11 11 11
768 1 10 10 10 10
896 1 9 9 9 9
1024 1 8 8 8 8
1152 1 7 7 7 7
1280 1 6 6 6 6
1408 2 11 11 11 11
1536 1 5 5 5 5
1792 2 9 9 9 9
2048 1 4 4 4 4
2304 2 7 7 7 7
2688 1 3 3 3 3
3072 3 8 8 8 8
3200 2 5 5 5 5
3456 3 7 7 7 7
4096 1 2 2 2 2
4864 3 5 5 5 5
5376 2 3 3 3 3
6144 3 4 4 4 4
6528 4 5 5 5 5
6784 5 6 6 6 6
6912 6 7 7 7 7
8192 1 1 1 1 1
9472 7 6 6 6 6
9728 6 5 5 5 5
10240 5 4 4 4 4
10880 4 3 3 3 3
12288 3 2 2 2 2
13568 5 3 3 3 3
14336 7 4 4 4 4
16384 2 1 1 1 1
18432 9 4 4 4 4
19072 7 3 3 3 3
20480 5 2 2 2 2
21760 8 3 3 3 3
24576 3 1 1 1 1
27264 10 3 3 3 3
28672 7 2 2 2 2
32768 4 1 1 1 1
"""


def published(until_1_15: bool) -> list[tuple[int, ...]]:
    """The published table; the class of 24 bytes came with Go 1.16."""
    rows = [tuple(map(int, line.split())) for line in APPENDIX_A.strip().splitlines()]
    return [row for row in rows if not until_1_15 or row[0] != 24]


@pytest.mark.parametrize("version", RELEASES)
def test_the_published_size_classes_are_generated(version: str) -> None:
    old = version in list(RELEASES)[: list(RELEASES).index("1.16")]
    generated = [(c.size, c.npages) for c in size_classes(RELEASES[version])[1:]]
    assert generated == [row[:2] for row in published(old)]
    assert len(generated) == (66 if old else 67)


@pytest.mark.parametrize("version", RELEASES)
def test_the_published_slots_per_span_follow(version: str) -> None:
    design = RELEASES[version]
    found = [tuple(slots(design, c, noscan)[0] for noscan in (True, False)) for c in size_classes(design)[1:]]
    minor = list(RELEASES).index(version) + 10
    columns = (4, 5) if minor >= 26 else (2, 3) if minor >= 22 else (2, 2)
    assert found == [tuple(row[i] for i in columns) for row in published(minor <= 15)]


@pytest.mark.parametrize("version", RELEASES)
def test_every_release_makes_a_heap(version: str) -> None:
    assert new_heap(release(f"go{version}.3"), 1).knobs.page_size == 8192


def test_a_release_that_is_not_modelled_lists_those_that_are() -> None:
    with pytest.raises(DesignError, match=r"1\.9 is not modelled; there are 1\.10, 1\.11, .*, 1\.27"):
        release("1.9")


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("nonsense=1", "there is no knob 'nonsense'; there are page_size, "),
        ("gogc=many", "'many' is not a whole number"),
        ("gogc=-2", "-2 is not within -1 to"),
        ("page_size=5000", "must be a power of two"),
        ("pages=heap", "there is no 'heap'; there are lists_and_treap, two_treaps, address_treap, bitmap"),
        ("pages=two_treaps", "page_cache needs pages=bitmap"),
        ("reclaim=busy_lists", "needs central=span_lists"),
        ("growth_pages=100", "must be a multiple of 512"),
    ],
)
def test_an_impossible_knob_is_refused_in_words(setting: str, problem: str) -> None:
    with pytest.raises(DesignError, match=re.escape(problem)):
        with_knob(GO_1_27, *setting.split("="))


def test_todays_go_takes_yesterdays_mcentral() -> None:
    assert new_heap(with_knob(GO_1_27, "central", "span_lists"), 1).knobs.central == 0


def test_releases_differ_in_the_knobs_that_they_name() -> None:
    assert design_diff(GO_1_15, GO_1_16) == ["align_16_from", "release_lazily"]
    assert "pages" in design_diff(GO_1_12, GO_1_13)


@pytest.mark.parametrize("knob", KNOBS, ids=lambda f: f.name)
def test_every_knob_has_its_reason_and_a_default_within_its_bounds(knob) -> None:
    assert knob.metadata["reason"].endswith(".")
    if "choices" not in knob.metadata:
        assert knob.metadata["least"] <= getattr(Design(), knob.name) <= knob.metadata["most"]


def test_design_prints_every_knob(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["design", "--go", "1.12", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["knobs"]
    assert [row["knob"] for row in rows] == [f.name for f in KNOBS]
    assert next(row["value"] for row in rows if row["knob"] == "pages") == "two_treaps"


def test_design_prints_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["design", "--go", "1.15", "--diff", "1.16", "--format", "csv"]) == 0
    assert "align_16_from,16,32" in capsys.readouterr().out


def test_classes_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classes", "--go", "1.21", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["size_classes"]
    assert (len(rows), rows[4]["size_bytes"], rows[4]["slots_scan"], rows[4]["tail_scan_bytes"]) == (67, 48, 170, 32)
    assert round(100 * rows[4]["worst_waste"], 2) == 31.52


@pytest.mark.parametrize(("page_size", "usable"), [(4096, 61), (16384, 70)])
def test_classes_of_other_page_sizes(capsys: pytest.CaptureFixture[str], page_size: int, usable: int) -> None:
    assert run(["classes", "--set", f"page_size={page_size}", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["size_classes"]) == usable


def test_classes_of_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_text("# bytes pages\n8 1\n16, 1\n512 1\n32768 4\n")
    assert run(["classes", "--size-classes", str(table), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["size_classes"]
    assert [row["size_bytes"] for row in rows] == [8, 16, 512, 32768]


@pytest.mark.parametrize("text", ["8 1\n8 1\n32768 4\n", "8 1\n16 1\n", "8 one\n", ""])
def test_a_table_that_no_allocator_can_use_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    table = tmp_path / "table"
    table.write_text(text)
    assert run(["classes", "--size-classes", str(table)]) == 2
