"""goalloc stats of the lines of gctrace."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from goalloc_cli import cli
from tests.kit.batches import SMALL, written
from tests.kit.gctrace import DATA, document, said
from tests.kit.root import ROOT


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_stats_reads_it_packed_and_through_a_pipe(pack, tmp_path: Path) -> None:
    packed = pack((DATA / "lru-go1.24.txt").read_bytes())
    found = subprocess.run(
        [sys.executable, "-m", "goalloc_cli", "stats", "-", "--format", "json"], input=packed, capture_output=True,
        cwd=ROOT, check=True,
    )  # fmt: skip
    assert json.loads(found.stdout)["schema"] == "goalloc gctrace"


def test_the_summary_adds_up(capfdbinary) -> None:
    found = document(capfdbinary, DATA / "lru-go1.23.txt")
    cycles, summary = found["collections"], found["summary"]
    assert (
        *(summary["gc_cycles"], summary["forced_gc_cycles"], summary["pause_total_ns"], summary["peak_bytes"]),
        *(summary["released_work_bytes"], summary["released_bytes"]),
    ) == (
        *(len(cycles), sum(c["forced"] for c in cycles), sum(c["pause_ns"] for c in cycles)),
        *(max(c["end_bytes"] for c in cycles), sum(r["background_bytes"] for r in found["releases"])),
        found["releases"][-1]["released_bytes"],
    )


def test_people_read_the_heap_as_go_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "8->10->3 MB" in said(capsys, DATA / "lru-go1.23.txt", "--report", "cycles")


@pytest.mark.parametrize("report", ["cycles", "released", "scans", "pacer", "beside", "all"])
def test_every_report_can_be_shown_in_every_format(report: str, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "csv", "markdown", "json"):
        assert cli.run(["stats", str(DATA / "lru-go1.27-gctrace2.txt"), "--report", report, "--format", form]) == 0


def test_a_saved_text_is_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "saved.msgpack"
    then = said(capsys, DATA / "lru-go1.23.txt", "--report", "cycles")
    said(capsys, DATA / "lru-go1.23.txt", "--format", "msgpack", "-o", saved)
    assert said(capsys, saved, "--report", "cycles") == then


@pytest.mark.parametrize("args", [["lru-go1.23.txt", "--report", "types"], ["TRACE", "--beside", "TRACE"]])
def test_what_does_not_go_together_is_exit_2(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(DATA)
    trace = tmp_path / "trace"
    trace.write_bytes(written(SMALL))
    code = cli.run(["stats", *(str(trace) if arg == "TRACE" else arg for arg in args)])
    assert (code, capsys.readouterr().err.count("\n")) == (2, 1)


def test_replay_and_import_say_who_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["import", str(DATA / "lru-go1.23.txt"), "-o", str(tmp_path / "t")]) == 3
    assert "goalloc stats shows it" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "json"])
def test_two_logs_are_laid_side_by_side(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, *(DATA / f"sparse-go1.{minor}.txt" for minor in (24, 27)), "--format", form)
    assert "sparse-go1.24.txt" in out
    assert "sparse-go1.27.txt" in out


def test_what_changed_between_two_logs_is_a_part_of_the_first(capfdbinary) -> None:
    """The same log twice; the naive sum of the lines' own numbers is the judge."""
    texts = document(capfdbinary, *[DATA / "sparse-go1.27.txt"] * 2)["texts"]
    sums = re.findall(r"([\d.]+)\+([\d.]+)/([\d.]+)/[\d.]+\+([\d.]+) ms cpu", (DATA / "sparse-go1.27.txt").read_text())
    judged = round(sum(float(part) for line in sums for part in line) * 1e6)
    assert [text["figures"]["gc_cpu_ns"] for text in texts] == [judged] * 2
