"""--fail-on in replay and stats: exit code 5, a summary for the log, a table for the step summary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goalloc_cli import cli
from tests.kit.root import ROOT

ORDERS = str(ROOT / "traces" / "orders-go1.27.msgpack")
OLDER = str(ROOT / "traces" / "orders-go1.25.msgpack")
TREES = str(ROOT / "traces" / "trees-go1.27.msgpack")
RECORDING = str(ROOT / "tests" / "data" / "orders-go1.25.trace.zst")
MEMSTATS = str(ROOT / "tests" / "data" / "inhand" / "live-go1.27.3-expvar.json.zst")
LOG = str(ROOT / "tests" / "data" / "gctrace" / "lru-go1.27.txt")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("gate") / "base.replay")
    assert cli.run(["replay", OLDER, "--format", "msgpack", "-o", path, "-q"]) == 0
    return path


def test_a_replay_within_its_limits_is_fine(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    limits = ("--fail-on", "HeapInuse>+5%", "--fail-on", "free_slots>+1MiB")
    code = cli.run(["replay", ORDERS, "--baseline", saved, *limits])
    told = capfd.readouterr().err.splitlines()
    assert (code, [line.split(": ")[1].split()[0] for line in told[:2]]) == (0, ["passed", "passed"])
    assert told[2].startswith("===== goalloc replay: 2 passed in ")


def test_a_limit_that_is_crossed_ends_with_5_and_says_by_how_much(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = cli.run(["replay", ORDERS, "--baseline", saved, "--fail-on", "HeapInuse>+1%", "--fail-on", "HeapSys>64MiB"])
    told = capfd.readouterr().err
    said = "FAILED HeapInuse>+1%: HeapInuse at the peak is 6.5 MiB, +168.0 KiB (+2.6%) on 6.3 MiB"
    assert (code, said in told) == (5, True)
    assert "1 failed, 1 passed in" in told


def test_quiet_tells_what_failed_alone(capfd: pytest.CaptureFixture[str]) -> None:
    code = cli.run(["replay", ORDERS, "-q", "--fail-on", "HeapInuse>1MiB", "--fail-on", "HeapSys>64MiB"])
    assert (code, capfd.readouterr().err.count("\n")) == (5, 1)


def test_a_trace_is_a_baseline_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["replay", ORDERS, "--baseline", ORDERS, "--fail-on", "HeapInuse>+0%", "-q"]) == 0


def test_markdown_for_the_step_summary_has_the_limits_first(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    cli.run(["replay", ORDERS, "--baseline", saved, "--fail-on", "HeapInuse>+1%", "--format", "markdown", "-q"])
    out = capfd.readouterr().out
    assert out.index("## 1 failed") < out.index("## Memory")
    row = "| HeapInuse&gt;+1% | HeapInuse at the peak | 6.3 MiB | 6.5 MiB | +168.0 KiB (+2.6%) | FAILED |"
    assert row in out.replace("\\", "")


def test_json_has_every_verdict(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    args = ("--fail-on", "HeapInuse>+1%", "--report", "locks", "--format", "json", "-q")
    cli.run(["replay", ORDERS, "--baseline", saved, *args])
    (verdict,) = json.loads(capfd.readouterr().out)["gate"]
    assert (verdict["rule"], verdict["crossed"], verdict["change"]) == ("HeapInuse>+1%", True, 172032)


def test_each_of_several_traces_is_held_to_the_limits(capfd: pytest.CaptureFixture[str]) -> None:
    code = cli.run(["replay", TREES, ORDERS, "--fail-on", "HeapInuse>5MiB"])
    told = capfd.readouterr().err
    assert (code, told.count("FAILED"), told.count("passed")) == (5, 1, 2)


def test_a_what_if_is_held_to_the_limits(saved: str) -> None:
    assert cli.run(["replay", ORDERS, "--set", "page_cache=0", "--baseline", saved, "--fail-on", "HeapInuse>+1%", "-q"]) == 5


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("live[main.main]>64MiB", 0), ("live[main.main]>64KiB", 5), ("peak_live[main.main]>1.5MiB", 5),
        ("marked_live[main.item]>1MiB", 0), ("held[main.main]>1MiB", 5),
    ],
)  # fmt: skip
def test_who_holds_the_memory_of_a_recording_is_held_to_a_limit(limit: str, code: int) -> None:
    """A recording that tells who allocates; that it is to be followed nobody has to say."""
    assert cli.run(["replay", RECORDING, "--fail-on", limit, "-q"]) == code


def test_a_name_that_no_recording_has_is_told_with_what_may_be_meant(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["stats", RECORDING, "--fail-on", "live[main.mian]>64MiB"]) == 0
    assert "is 0 B, for nothing here has that name; did you mean 'main.main'?" in capfd.readouterr().err


def test_a_change_of_who_holds_it_needs_a_baseline_that_tells(
    tmp_path: Path, saved: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rule = ("--fail-on", "live[main.main]>+1KiB", "-q")
    path = str(tmp_path / "who.replay")
    assert cli.run(["replay", RECORDING, "--report", "who", "--format", "msgpack", "-o", path, "-q"]) == 0
    assert cli.run(["replay", RECORDING, "--baseline", path, *rule]) == 0
    assert cli.run(["replay", RECORDING, "--baseline", RECORDING, *rule]) == 0
    assert cli.run(["replay", RECORDING, "--baseline", saved, *rule]) == 2
    assert "not told here; goalloc replay --report live tells it" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["SAVED", "--fail-on", "HeapInuse>1MiB"], 5),
        (["SAVED", "--baseline", "SAVED", "--fail-on", "HeapInuse>+0%"], 0),
        ([MEMSTATS, "--fail-on", "HeapInuse>1KiB"], 5),
        ([MEMSTATS, "--baseline", MEMSTATS, "--fail-on", "Sys>+1%"], 0),
        ([LOG, "--fail-on", "pause_max>1ns"], 5),
        ([LOG, "--baseline", LOG, "--fail-on", "peak_heap>+1MiB"], 0),
        ([ORDERS, "--fail-on", "allocated[main.Order]>1TiB"], 0),
        ([ORDERS, "--baseline", OLDER, "--fail-on", "TotalAlloc>+2%"], 5),
    ],
)
def test_stats_holds_whatever_it_reads_to_limits(args: list[str], code: int, saved: str) -> None:
    assert cli.run(["stats", *(saved if arg == "SAVED" else arg for arg in args), "-q"]) == code


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["replay", ORDERS, "--fail-on", "HeapInuse>+5%"], "--baseline"),
        (["replay", ORDERS, "--fail-on", "HeapInuse!"], "expected FIGURE"),
        (["replay", ORDERS, "--fail-on", "Beauty>5"], "no figure is called"),
        (["replay", ORDERS, "--baseline", "nowhere", "--fail-on", "HeapInuse>+5%"], "nowhere"),
        (["replay", ORDERS, "--baseline", ORDERS], "--fail-on"),
        (["replay", ORDERS, "--go", "1.12,1.27", "--fail-on", "HeapInuse>5MiB"], "one release"),
        (["replay", ORDERS, "--baseline", LOG, "--fail-on", "HeapInuse>+5%"], "goalloc gctrace"),
        (["stats", LOG, LOG, "--fail-on", "pause_max>1ns"], "--fail-on"),
    ],
)
def test_what_cannot_be_held_is_one_line_and_exit_2(args: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = cli.run(args)
    told = capfd.readouterr()
    assert (code, told.err.count("\n"), said in told.err) == (2, 1, True)


def test_a_baseline_that_is_damaged_is_told(saved: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.replay"
    bad.write_bytes(Path(saved).read_bytes()[:-9])
    code = cli.run(["replay", ORDERS, "--baseline", str(bad), "--fail-on", "HeapInuse>+5%", "-q"])
    assert (code, "damaged" in capfd.readouterr().err) == (3, True)
