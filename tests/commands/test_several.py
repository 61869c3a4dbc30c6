"""goalloc replay of several traces, and under several releases."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli import cli
from goalloc_cli.commands.several import Job, compiles
from goalloc_cli.report.documents.compared import compared_document
from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.forms.layout import Paper
from goalloc_cli.report.forms.render import to_text
from goalloc_cli.report.tables.compared import blocks
from tests.kit import report_samples
from tests.kit.root import ROOT
from tests.report.test_report_text import assert_golden

ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")
TREES = str(ROOT / "traces" / "trees-go1.27.msgpack")


def printed(capfd: pytest.CaptureFixture[str], *args: str) -> str:
    """What a command prints; it has to work."""
    assert cli.run(list(args)) == 0
    return capfd.readouterr().out


def one(capfd: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    """The document of a single replay."""
    found: dict[str, Any] = json.loads(printed(capfd, "replay", *args, "--format", "json", "-q"))
    return found


def test_several_traces_give_the_reports_that_each_gives_alone(capfd: pytest.CaptureFixture[str]) -> None:
    alone = [printed(capfd, "replay", trace, "--report", "classes") for trace in (TREES, ORDERS)]
    assert printed(capfd, "replay", TREES, ORDERS, "--report", "classes") == "\n".join(alone)


def test_json_of_several_traces_is_a_line_each(capfd: pytest.CaptureFixture[str]) -> None:
    lines = printed(capfd, "replay", TREES, ORDERS, "--format", "json").splitlines()
    found, alone = json.loads(lines[1]), one(capfd, ORDERS)
    assert len(lines) == 2
    assert found | {"run": 0} == alone | {"run": 0}


def test_csv_of_several_traces_names_each(capfd: pytest.CaptureFixture[str]) -> None:
    shown = printed(capfd, "replay", TREES, ORDERS, "--report", "locks", "--format", "csv", "-q")
    rows = list(csv.DictReader(shown.splitlines()))
    assert list(dict.fromkeys(row["trace"] for row in rows)) == [TREES, ORDERS]
    assert {row["table"] for row in rows} == {"locks", "sweepers"}


def test_each_release_has_the_figures_of_its_own_replay(capfd: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capfd, "replay", ORDERS, "--go", "1.12,1.27", "--format", "json"))
    assert [release["design"]["name"] for release in found["releases"]] == ["go1.27 own", "go1.12", "go1.27"]
    for release, version in zip(found["releases"][1:], ("1.12", "1.27"), strict=True):
        alone, figures = one(capfd, ORDERS, "--go", version), release["figures"]
        assert figures["end_HeapInuse"] == alone["memstats"]["HeapInuse"]
        assert figures["peak_HeapSys"] == alone["summary"]["peak"]["memstats"]["HeapSys"]
        assert figures["locks"] == sum(alone["locks"].values())
        assert figures["refills"] == sum(row["refills"] for row in alone["mcaches"])


def test_the_reports_of_each_release_follow_the_table(capfd: pytest.CaptureFixture[str]) -> None:
    shown = printed(capfd, "replay", TREES, "--go", "1.19,1.27", "--report", "locks", "-q")
    heads = [line for line in shown.splitlines() if line in ("go1.27 own", "go1.19", "go1.27")]
    assert heads == ["go1.27 own", "go1.19", "go1.27"]
    assert shown.count("Acquisitions of the heap lock") == 3
    assert shown.index("Release by release") < shown.index("\ngo1.19\n")


def test_csv_of_reports_of_several_releases_names_each(capfd: pytest.CaptureFixture[str]) -> None:
    shown = printed(capfd, "replay", TREES, "--go", "1.19,1.27", "--report", "locks", "--format", "csv", "-q")
    rows = list(csv.DictReader(shown.splitlines()))
    assert {row["release"] for row in rows if row["table"] == "locks"} == {"go1.27 own", "go1.19", "go1.27"}
    assert {row["release"] for row in rows if row["table"] == "releases"} == {""}


def test_a_report_of_a_release_is_that_of_its_own_replay(capfd: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capfd, "replay", TREES, "--go", "1.19,1.27", "--report", "locks", "--format", "json", "-q"))
    assert found["reports"][1]["locks"] == one(capfd, TREES, "--go", "1.19", "--report", "locks")["locks"]


def test_two_traces_under_two_releases_are_two_tables(capfd: pytest.CaptureFixture[str]) -> None:
    shown = printed(capfd, "replay", TREES, ORDERS, "--go", "1.19,1.27")
    assert shown.count("Release by release") == 2


def test_releases_side_by_side_read_as_they_did() -> None:
    replays = [document(report_samples.outcome(design_name=name)) for name in ("go1.12", "go1.27")]
    replays[0]["design"]["mode"] = "what-if"
    assert_golden("compared-80.txt", to_text(blocks(compared_document(replays)), Paper(80)))


def test_two_releases_that_give_back_differently_differ_in_what_the_os_keeps(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [f'{{"op":"alloc","id":{i},"size":1048576,"pointers":false}}' for i in range(32)]
    rows += [f'{{"op":"free","id":{i}}}' for i in range(32)] + ['{"op":"gc","explicit":true}', '{"op":"free_os_memory"}']
    trace = tmp_path / "burst.jsonl"
    trace.write_text("\n".join(rows))
    found = json.loads(printed(capfd, "replay", str(trace), "--go", "1.15,1.16", "--format", "json"))
    kept = [release["figures"]["end_rss_lazy"] for release in found["releases"]]
    assert kept[0] > 30 << 20 > kept[1] == 0


def test_all_releases_fit_a_narrow_terminal() -> None:
    replays = [document(report_samples.outcome(design_name=f"go1.{n}")) for n in range(10, 28)]
    text = to_text(blocks(compared_document(replays)), Paper(80))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "Not shown for want of width" in text


@pytest.mark.parametrize(
    ("traces", "code", "lines"), [([TREES, "BAD", ORDERS], 3, 1), (["BAD", TREES, "WORSE"], 3, 2)], ids=["one", "two"]
)
def test_a_trace_that_cannot_be_read_does_not_keep_the_others(
    traces: list[str], code: int, lines: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("BAD", "WORSE"):
        (tmp_path / name).write_text("this is nothing that anyone would know")
    paths = [trace if trace.startswith("/") else str(tmp_path / trace) for trace in traces]
    found = cli.run(["replay", *paths, "--report", "locks"])
    told = capfd.readouterr()
    assert (found, told.err.count("\n"), str(tmp_path / "BAD") in told.err) == (code, lines, True)
    assert told.out.count("Acquisitions of the heap lock") == len(traces) - lines


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["-", "--go", "1.12,1.27"], "only once"),
        ([ORDERS, "-"], "only once"),
        ([ORDERS, TREES, "--format", "msgpack"], "one replay"),
        ([ORDERS, "--go", "1.12,1.9"], "not modelled"),
        ([ORDERS, "--go", "1.12,"], "not modelled"),
        ([ORDERS, ORDERS], "named twice"),
        ([ORDERS, "nowhere"], "nowhere"),
    ],
)
def test_what_several_replays_cannot_do_is_one_line_and_exit_2(
    args: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(["replay", *args])
    told = capsys.readouterr().err
    assert (code, told.count("\n"), problem in told) == (2, 1, True)


def test_the_first_replay_goes_alone_where_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from goalloc_cli.compiled import keeping

    jobs = [Job(ORDERS)]
    assert not compiles(jobs)
    monkeypatch.setattr(keeping, "compiled_folder", lambda _: tmp_path)
    assert compiles(jobs)


def test_an_interrupt_of_several_replays_is_quiet_and_exit_130(tmp_path: Path) -> None:
    big = str(tmp_path / "big.msgpack")
    assert cli.run(["synth", "lru", "--events", "5M", "-o", big, "-q"]) == 0
    command = [sys.executable, "-m", "goalloc_cli", "replay", big, "--go", ",".join(f"1.{n}" for n in range(10, 28))]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        try:
            run.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGINT)
        told = run.communicate(timeout=60)
    assert (run.returncode, *told) == (130, "", "")
