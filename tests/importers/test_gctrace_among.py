"""Lines of gctrace among whatever else a program prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from goalloc_cli import cli
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.gctrace.read import is_gctrace
from tests.kit.gctrace import GC, numbered, read


@pytest.mark.parametrize(
    "around",
    [
        "2026/11/23 starting\n{}\npanic: no\n",
        "loading... {}\n",
        "2026-11-23T08:00:00.123Z stderr F {}\n",
        '{{"level":"info"}}\n{}\n{{"level":"info"}}\n',
        "\xff\xfe\n\0\n{}\r\n",
        "{}",
    ],
)
def test_a_line_is_found_among_other_output(around: str) -> None:
    assert [c.number for c in read(around.format(GC).encode("latin-1")).collections] == [4]


def test_a_line_torn_by_other_output_is_counted_and_left_out() -> None:
    found = read(numbered(1) + GC[:40] + "hello\n" + GC[40:] + "\n" + numbered(5))
    assert ([c.number for c in found.collections], found.torn) == ([1, 5], 1)


def test_the_first_line_may_come_after_pages_of_other_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "stderr.txt"
    path.write_text("handled a request\n" * 3000 + numbered(1))
    cli.run(["stats", str(path)])
    assert f"{path}, 1 GC cycle (0 forced)" in " ".join(capsys.readouterr().out.split())


def test_programs_that_print_into_one_text_are_told_apart() -> None:
    found = read("".join(numbered(n) for n in (1, 1, 2, 2, 3, 1, 3, 4)))
    runs: dict[int, list[int]] = {}
    for c in found.collections:
        runs.setdefault(c.run, []).append(c.number)
    assert sorted(runs.values()) == [[1], [1, 2, 3], [1, 2, 3, 4]]


def test_a_gap_of_lost_lines_does_not_make_a_program_of_its_own() -> None:
    assert read("".join(numbered(n) for n in (3, 4, 9, 10))).runs == 1


def test_where_most_lines_are_torn_the_text_is_refused_with_the_first() -> None:
    with pytest.raises(TraceError, match=r"4 lines begin as those of gctrace do and cannot be read, 1 can; the first: gc 9"):
        read(numbered(1) + "gc 9 @0.9s then something else\n" * 4)


def test_a_text_of_one_line_that_was_cut_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    path.write_text("hello\ngc 1 @0.021s 0%: 0.23+0.19")
    assert cli.run(["stats", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "No GC cycle has ended in this text." in said
    assert "the first: gc 1 @0.021s 0%: 0.23+0.19" in said


def test_a_text_without_such_lines_is_none() -> None:
    assert not is_gctrace(b"gc 1 is the first collection\nscav everything\n")
    with pytest.raises(TraceError, match="no line of GODEBUG=gctrace=1 or scavtrace=1 is whole"):
        read("nothing\n")
