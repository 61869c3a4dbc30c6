"""goalloc pace: what it takes, and what it shows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from goalloc_cli.cli import cli
from goalloc_cli.commands.pace import settings
from tests.kit.root import ROOT

LRU = str(ROOT / "traces" / "lru-go1.27.msgpack")
GCTRACE = str(ROOT / "tests" / "data" / "gctrace" / "lru-go1.27.txt")


def paced(*args: str) -> str:
    found = CliRunner().invoke(cli, ["pace", LRU, "-q", *args], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def told(*args: str) -> dict:
    return json.loads(paced(*args, "--format", "json"))


@pytest.mark.parametrize(
    ("gogc", "limits", "chosen"),
    [
        ("50,off", None, [(50, None), (-1, None)]),
        ("100", "64MiB,off", [(100, 64 << 20), (100, None)]),
        (None, "1GiB", [(100, 1 << 30), (-1, 1 << 30)]),
        ("100,100", None, [(100, None)]),
    ],
)
def test_settings_are_every_gogc_under_every_limit(gogc: str | None, limits: str | None, chosen: list) -> None:
    assert settings(gogc, limits) == chosen


def test_a_sweep_goes_by_equal_factors() -> None:
    assert [gogc for gogc, _ in settings("25:400", None)] == [25, 35, 50, 71, 100, 141, 200, 283, 400]
    limits = [limit >> 20 for _, limit in settings("off", "64MiB:512MiB") if limit]
    assert limits == [64, 90, 128, 181, 256, 362, 512]


@pytest.mark.parametrize(
    "args",
    [
        ("--gogc", "0"), ("--gogc", "x"), ("--gogc", "100:50"), ("--gogc", "50:"), ("--gogc", "1,2:3"), ("--gogc", "²"),
        ("--memory-limit", "1KiB"), ("--memory-limit", "5"), ("--memory-limit", "2GiB:1GiB"), ("--budget", "much"),
        ("--gogc", ",".join(map(str, range(1, 300)))), ("--recorded-gogc", "0"), ("--overhead", "-1"),
        ("--gctrace", "no.log"),
        ("--set", "gogc=-1"),
    ],
)  # fmt: skip
def test_what_is_no_setting_is_refused_in_one_line(args: tuple[str, ...]) -> None:
    found = CliRunner().invoke(cli, ["pace", LRU, *args])
    assert found.exit_code != 0
    assert not isinstance(found.exception, ValueError | TypeError | ZeroDivisionError)


def test_the_first_row_is_the_recorded_setting_predicted_beside_recorded() -> None:
    first, *others = told("--gogc", "100")["settings"]
    assert (first["gogc"], first["recorded"]["num_gc"], first["num_gc"]) == (100, 5, [5, 5])
    assert [row["recorded"] for row in others] == [None]


def test_every_row_goes_from_low_to_high() -> None:
    for row in told("--gogc", "50,200", "--memory-limit", "off,20MiB")["settings"]:
        for name in ("num_gc", "peak_heap_inuse", "heap_sys", "peak_mapped", "rss", "gc_work", "goals"):
            assert row[name] is None or row[name][0] <= row[name][1]
        assert row["rss"][0] <= row["rss"][1] <= row["peak_mapped"][1]


def test_what_thrashes_has_no_figures() -> None:
    row = told("--gogc", "off", "--memory-limit", "7MiB")["settings"][-1]
    assert row["zone"] == "thrashing"
    assert [row[name] for name in ("num_gc", "peak_heap_inuse", "gc_work", "cases")] == [None] * 4


def test_half_the_gogc_is_more_work_than_recorded() -> None:
    low, high = told("--gogc", "50")["settings"][-1]["gc_work"]
    assert 1 < low <= high < 4


def test_a_budget_is_answered_in_one_line() -> None:
    assert paced("--gogc", "100", "--budget", "24MiB").splitlines()[1].startswith("GOGC=")
    assert "No advice for 8.0 MiB" in paced("--gogc", "100", "--budget", "8MiB")


def test_a_gctrace_gives_cpu_time() -> None:
    row = told("--gogc", "50", "--gctrace", GCTRACE)["settings"][-1]
    assert row["gc_cpu_seconds"] is None or 0 < row["gc_cpu_seconds"][0] <= row["gc_cpu_seconds"][1]


@pytest.mark.parametrize("form", ["csv", "markdown", "table"])
def test_every_format_has_every_setting(form: str, tmp_path: Path) -> None:
    shown = paced("--gogc", "25:400", "--format", form, "-o", str(tmp_path / "out"))
    assert shown == ""
    text = (tmp_path / "out").read_text()
    for gogc in (25, 71, 141, 400):
        assert str(gogc) in text


def test_it_fits_80_columns(tmp_path: Path) -> None:
    text = paced("--gogc", "25:400", "--memory-limit", "16MiB,1000GiB")
    assert max(len(line) for line in text.splitlines()[1:]) <= 80


def test_from_a_budget_on_the_frontier_is_marked() -> None:
    rows = told("--gogc", "25:400")["settings"]
    assert sum(row["pareto"] for row in rows) >= 3
    assert not rows[0]["pareto"]


def test_another_release_paces_otherwise() -> None:
    """Go 1.17 has no trigger bounds, and counts no globals."""
    assert told("--gogc", "100", "--go", "1.17")["settings"][-1]["goals"] != told("--gogc", "100")["settings"][-1]["goals"]


def test_a_trace_without_collections_is_no_reason_to_fail(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"op":"alloc","id":{i},"size":4096,"pointers":false}}\n' for i in range(3000)))
    found = CliRunner().invoke(cli, ["pace", str(path), "-q", "--gogc", "100,off", "--format", "json"])
    rows = json.loads(found.stdout)["settings"]
    assert [row["num_gc"][0] for row in rows] == [2, 0]


def test_an_empty_trace_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"op":"alloc","id":1,"size":8,"pointers":false}\n')
    assert CliRunner().invoke(cli, ["pace", str(path), "-q"], catch_exceptions=False).exit_code == 0


def test_a_damaged_trace_is_told(tmp_path: Path) -> None:
    path = shutil.copy(LRU, tmp_path / "cut.msgpack")
    with open(path, "r+b") as file:  # noqa: PTH123
        file.truncate(100_000)
    assert CliRunner().invoke(cli, ["pace", str(path)]).exit_code != 0


@pytest.mark.parametrize("knob", ["gogc=400", "memory_limit=20000000"])
def test_a_replay_under_another_gogc_or_limit_points_to_pace(knob: str) -> None:
    found = CliRunner().invoke(cli, ["replay", LRU, "-q", "--set", knob], catch_exceptions=False)
    assert "goalloc pace predicts" in found.stdout.replace("\n", " ")
    assert "goalloc pace" not in CliRunner().invoke(cli, ["replay", LRU, "-q"], catch_exceptions=False).stdout
