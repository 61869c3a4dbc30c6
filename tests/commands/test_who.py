"""--report who, live and sites: of a small trace that a script could have written."""

import json
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli import cli
from tests.kit.root import DATA

ROWS = [
    {"op": "function", "name": "main.main", "file": "main.go"},
    {"op": "function", "name": "main.load", "file": "load.go"},
    {"op": "function", "name": "main.worker", "file": "work.go"},
    {"op": "call", "function": 1, "line": 12},
    {"op": "call", "function": 2, "line": 40, "caller": 1},
    {"op": "call", "function": 3, "line": 9},
    {"op": "owner", "entry": 1},
    {"op": "owner", "entry": 3, "creator": 1, "task": "order", "region": "pay"},
    {"op": "works_for", "arg": 1},
    {"op": "alloc", "id": "a", "size": 1025, "type": "main.Page", "stack": 2},
    {"op": "alloc", "id": "b", "size": 1025, "type": "main.Page", "stack": 2},
    {"op": "works_for", "arg": 2},
    {"op": "alloc", "id": "c", "size": 48, "type": "main.Item", "stack": 3},
    {"op": "alloc", "id": "d", "size": 1 << 20, "pointers": False, "stack": 3},
    {"op": "gc"},
    {"op": "free", "id": "b"},
    {"op": "free", "id": "d"},
    {"op": "gc"},
    {"op": "goroutines", "size": 5},
    {"op": "gc"},
]


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "app.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(path)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.run([*arguments, "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def bytes_of(row: dict[str, Any], name: str) -> tuple[int, int, int]:
    """Allocated; and at the peak and at the end, what a column says."""
    return row["alloc_bytes"], row["peak"][name], row["end"][name]


def test_who_allocated_and_holds_what_at_the_peak_and_at_the_end(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "replay", trace, "--report", "who")["who"]
    rows = {row["entry"]: bytes_of(row, "requested") for row in found["goroutines"]}
    # HeapInuse stays at its peak until what is dead is swept.
    assert rows == {**rows, "main.main": (2050, 1025, 1025), "main.worker": (48 + (1 << 20), 48, 48)}
    dead = {row["entry"]: (row["peak"]["dead_bytes"], row["end"]["dead_bytes"]) for row in found["goroutines"]}
    assert dead["main.worker"] == (1 << 20, 0)
    assert all(moment["sum"] == moment["heap_inuse"] for moment in found["moments"].values())


def test_tasks_and_regions_have_rows(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = document(capsys, "replay", trace, "--report", "who")["who"]["tasks"]
    assert [row["alloc_bytes"] for row in tasks if (row["task"], row["region"]) == ("order", "pay")] == [48 + (1 << 20)]


def test_the_types_at_the_peak_are_one_command(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["replay", trace, "--report", "live"]) == 0
    said = capsys.readouterr().out
    assert "What lives at the peak" in said
    assert "main.Page" in said


def test_a_line_is_told_what_its_rounding_wastes(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    sites = document(capsys, "replay", trace, "--report", "sites")["sites"]["rows"]
    load = next(row for row in sites if row["function"] == "main.load")
    assert (load["line"], load["flat"]["alloc_bytes"], load["flat"]["slot_bytes"]) == (40, 2050, 2 * 1152)
    assert load["flat"]["rounding_share"] == pytest.approx(0.11, abs=0.001)


def test_a_caller_has_what_it_called(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    sites = document(capsys, "replay", trace, "--report", "sites", "--group-by", "func")["sites"]["rows"]
    main = next(row for row in sites if row["function"] == "main.main")
    assert (main["flat"]["alloc_bytes"], main["cumulative"]["alloc_bytes"]) == (0, 2050)


def test_a_focus_keeps_the_stacks_in_which_a_function_matches(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    sites = document(capsys, "replay", trace, "--report", "sites", "--focus", "load$")["sites"]["rows"]
    assert {row["function"] for row in sites} == {"main.load", "main.main"}


def test_packages_sum_up(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    sites = document(capsys, "replay", trace, "--report", "sites", "--group-by", "package")["sites"]["rows"]
    assert [(row["function"], row["flat"]["alloc_bytes"]) for row in sites] == [("main", 2050 + 48 + (1 << 20))]


def test_text_of_allocfreetrace_has_call_sites_too(capsys: pytest.CaptureFixture[str]) -> None:
    text = str(DATA / "allocfree" / "small-go1.19.txt.zst")
    sites = document(capsys, "replay", text, "--report", "sites")["sites"]["rows"]
    flat = {row["line"]: row["flat"] for row in sites if row["function"] == "main.main"}
    mine = {line: (row["allocs"], row["alloc_bytes"]) for line, row in flat.items()}
    # Line 15: six nodes, and the slice of them, which grew four times.
    assert (mine[15], mine[19]) == ((6 + 4, 6 * 16 + 8 + 16 + 32 + 64), (1, 80_000))


def test_one_replay_is_enough_for_all_reports(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It does not find the peak of who holds what: where that is shows at the end."""
    assert set(document(capsys, "replay", trace, "--report", "all")["who"]["moments"]) == {"end"}


def test_no_regular_expression_is_a_mistake(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["replay", trace, "--report", "sites", "--focus", "("]) == 2
    assert "--focus '(' is no regular expression" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "json"])
@pytest.mark.parametrize("report", ["who", "live", "sites"])
def test_every_form_shows_every_report(trace: str, report: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["replay", trace, "--report", report, "--format", form]) == 0
    assert "main." in capsys.readouterr().out


def test_stats_tells_it_without_a_replay(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "stats", trace, "--report", "who")["who"]
    rows = {row["entry"]: bytes_of(row, "live_bytes") for row in found["goroutines"]}
    assert rows == {"main.main": (2050, 2050, 1025), "main.worker": (48 + (1 << 20), 48 + (1 << 20), 48)}


def test_an_event_is_told_by_whom(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["explain", trace, "--event", "4"]) == 0
    assert "Allocated by a goroutine that began in main.worker, made by main.main:12, task order, region pay." in " ".join(
        capsys.readouterr().out.split()
    )
