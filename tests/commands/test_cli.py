"""The command line: exit codes, where output goes, what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goalloc_cli import __version__, cli
from goalloc_cli.errors import ReplayError, TraceError
from goalloc_cli.results.outcome import Outcome
from goalloc_cli.trace.trace import Header, Trace
from tests.kit import report_samples
from tests.kit.commands import ROOT, goalloc, written


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A replay that answers with the made-up outcome; the list fills with what it was asked."""
    asked: list[dict[str, Any]] = []

    def replay(trace: Trace, design: object, **options: Any) -> Outcome:
        asked.append({"design": design, **options})
        return report_samples.outcome(trace_name=trace.name)

    install(monkeypatch, replay)
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # a what-if and its base are replayed here, not in other processes
    return asked


def install(monkeypatch: pytest.MonkeyPatch, replay: Callable[..., Outcome]) -> None:
    module = types.ModuleType("goalloc_cli.analyses.replay")
    module.replay = replay  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "goalloc_cli.analyses.replay", module)


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """A small trace of Go 1.27."""
    return written(tmp_path / "small.msgpack", Header(go_version="1.27", hints=True))


def failure(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    """Exit code and the standard error."""
    code = cli.run(list(args))
    return code, capsys.readouterr().err


# What a run says about itself.


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["--version"])
    assert capsys.readouterr().out == f"goalloc {__version__}\n"


def test_help_loads_neither_numpy_nor_rich_nor_numba() -> None:
    code = (
        "import sys, goalloc_cli.cli as c; c.run(['replay', '--help']); "
        "print({'numpy', 'rich', 'numba', 'msgpack'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "set()"


# Exit codes.


def test_no_command_shows_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = failure(capsys)
    assert (code, told.startswith("Usage: goalloc")) == (2, True)


@pytest.mark.parametrize(
    "args",
    [
        ["replay"],
        ["replay", "nowhere.msgpack"],
        ["replay", "TRACE", "--report", "nothing"],
        ["replay", "TRACE", "--every", "0"],
        ["replay", "TRACE", "--every", "often"],
        ["replay", "TRACE", "--go", "1.3"],
        ["replay", "TRACE", "--set", "page_cache"],
        ["replay", "TRACE", "--set", "pagecache=0"],
        ["replay", "TRACE", "--set", "page_cache=no"],
        ["replay", "TRACE", "-o", "TRACE"],
        ["stats", "TRACE", "--report", "ledger"],
        ["stats", "nowhere.msgpack"],
        ["import", "TRACE"],
        ["import", "TRACE", "-o", "TRACE"],
        ["export", "TRACE", "-o", "OUT"],
    ],
)
def test_a_mistake_in_the_arguments_is_one_line_and_exit_2(
    args: list[str], trace: str, replays: object, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = failure(capsys, *(trace if arg == "TRACE" else arg for arg in args))
    assert (code, told.count("\n")) == (2, 1)


def test_a_malformed_trace_is_one_line_and_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad").write_bytes(b"\x00\x01 nothing that anyone would know")
    code, told = failure(capsys, "stats", str(tmp_path / "bad"))
    assert (code, told.count("\n"), str(tmp_path / "bad") in told) == (3, 1, True)


def test_a_contradiction_of_model_and_recording_is_exit_4(
    trace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def contradict(*_: object, **__: object) -> Outcome:
        raise ReplayError("event 7: object 3 is in no span")

    install(monkeypatch, contradict)
    assert failure(capsys, "replay", trace) == (4, "goalloc: event 7: object 3 is in no span\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [(TraceError("byte 9"), 3), (RuntimeError("odd"), 1), (MemoryError(), 1), (OSError(28, "full"), 1)],
)
def test_an_error_in_the_middle_of_a_replay_is_one_line(
    error: Exception,
    code: int,
    trace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> Outcome:
        raise error

    install(monkeypatch, fail)
    found, told = failure(capsys, "replay", trace)
    assert (found, told.count("\n")) == (code, 1)


def test_an_interrupt_is_exit_130_and_leaves_no_file(trace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> Outcome:
        raise KeyboardInterrupt

    install(monkeypatch, interrupted)
    code = cli.run(["replay", trace, "-o", str(tmp_path / "out")])
    assert (code, sorted(p.name for p in tmp_path.iterdir())) == (130, ["small.msgpack"])


def test_a_reader_that_goes_away_ends_the_run_quietly(trace: str) -> None:
    code = "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); import goalloc_cli.cli as c; sys.exit(c.run())"
    found = subprocess.run(
        [sys.executable, "-c", code, "stats", trace, "--format", "json"],
        cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")


# Which replay is asked for.


def test_a_plain_replay_follows_the_hints_of_the_recording(trace: str, replays: list[dict[str, Any]]) -> None:
    cli.run(["replay", trace])
    assert (replays[0]["hints"], replays[0]["design_name"], replays[0]["every"]) == (True, "go1.27", "gc")


@pytest.mark.parametrize(
    ("args", "hints", "name"),
    [
        (["--go", "1.27"], True, "go1.27"),
        (["--go", "go1.27.3"], True, "go1.27"),
        (["--go", "1.24"], False, "go1.24"),
        (["--set", "page_cache=0"], False, "go1.27 + page_cache=0"),
        (
            ["--go", "1.24", "--set", "gogc=50", "--set", "page_cache=0"],
            False,
            "go1.24 + gogc=50 + page_cache=0",
        ),
    ],
)
def test_another_allocator_sets_the_hints_aside(
    args: list[str], hints: bool, name: str, trace: str, replays: list[dict[str, Any]]
) -> None:
    cli.run(["replay", trace, *args])
    assert (replays[0]["hints"], replays[0]["design_name"]) == (hints, name)


def test_a_knob_reaches_the_design(trace: str, replays: list[dict[str, Any]]) -> None:
    cli.run(["replay", trace, "--set", "page_cache_limit=0x8"])
    assert replays[0]["design"].page_cache_limit == 8


def test_a_trace_of_a_release_that_is_not_modelled_asks_for_one(
    tmp_path: Path, replays: object, capsys: pytest.CaptureFixture[str]
) -> None:
    old = written(tmp_path / "old.msgpack", Header(go_version="1.9"))
    code, told = failure(capsys, "replay", old)
    assert (code, "choose with --go" in told, cli.run(["replay", old, "--go", "1.27"])) == (2, True, 0)


def test_samples_can_be_taken_by_number_of_events(trace: str, replays: list[dict[str, Any]]) -> None:
    cli.run(["replay", trace, "--every", "500", "--check"])
    assert (replays[0]["every"], replays[0]["check"]) == (500, True)


# Where the output goes.


def test_json_goes_to_the_standard_output_whole(
    trace: str, replays: object, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    cli.run(["replay", trace, "--format", "json"])
    found = json.loads(capfdbinary.readouterr().out)
    assert (found["schema"], found["trace"]["name"]) == ("goalloc replay", trace)


def test_an_existing_file_is_replaced_only_by_force(trace: str, tmp_path: Path, replays: object) -> None:
    out = tmp_path / "out.csv"
    args = ["replay", trace, "--format", "csv", "-q", "-o", str(out)]
    codes = [cli.run(args), cli.run(args), cli.run([*args, "--force"])]
    assert codes == [0, 2, 0]


def test_a_file_that_would_be_refused_is_refused_before_the_replay(
    trace: str, replays: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    failure(capsys, "replay", trace, "-o", trace)
    assert replays == []


def test_a_saved_replay_shows_its_reports_in_stats(
    trace: str, tmp_path: Path, replays: object, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = str(tmp_path / "saved.msgpack")
    cli.run(["replay", trace, "--report", "classes"])
    then = capsys.readouterr().out
    cli.run(["replay", trace, "--format", "msgpack", "-o", saved])
    cli.run(["stats", saved, "--report", "classes"])
    assert capsys.readouterr().out == then


def test_a_saved_replay_holds_all_whatever_report_was_asked_for(trace: str, tmp_path: Path, replays: object) -> None:
    saved = str(tmp_path / "saved.msgpack")
    cli.run(["replay", trace, "--report", "tiny", "--format", "msgpack", "-o", saved])
    assert cli.run(["stats", saved, "--report", "all"]) == 0


def test_a_saved_replay_that_lacks_a_part_is_malformed(
    trace: str, tmp_path: Path, replays: object, capsys: pytest.CaptureFixture[str]
) -> None:
    import msgpack  # type: ignore[import-untyped]

    saved = tmp_path / "saved.msgpack"
    cli.run(["replay", trace, "--format", "msgpack", "-o", str(saved)])
    part = msgpack.unpackb(saved.read_bytes())
    del part["fragmentation"]["end"]["ledger"]
    saved.write_bytes(msgpack.packb(part))
    code, told = failure(capsys, "stats", str(saved))
    assert (code, told.count("\n")) == (3, 1)


def test_notes_of_csv_go_to_the_standard_error_unless_quiet(
    trace: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, lambda *_, **__: report_samples.bounded())
    cli.run(["replay", trace, "--format", "csv"])
    loud = capsys.readouterr().err
    cli.run(["replay", trace, "--format", "csv", "--quiet"])
    assert (loud, capsys.readouterr().err) == ("note: 2 duplicate batches were dropped.\n", "")


# goalloc stats and goalloc import.


def test_stats_describes_a_trace(trace: str) -> None:
    assert "1 GC cycle," in goalloc("stats", trace).stdout


def test_stats_reads_a_pipe_without_being_told(trace: str) -> None:
    with open(trace, "rb") as file:  # noqa: PTH123
        assert goalloc("stats", stdin=file).stdout.startswith("-, synthetic, Go 1.27")


def test_stats_reads_a_saved_replay_from_a_pipe(trace: str, tmp_path: Path, replays: object) -> None:
    saved = tmp_path / "saved.msgpack"
    cli.run(["replay", trace, "--format", "msgpack", "-o", str(saved)])
    with saved.open("rb") as file:
        assert "Where HeapInuse goes" in goalloc("stats", stdin=file).stdout


def test_stats_without_argument_or_pipe_says_what_it_wants() -> None:
    found = goalloc("stats")
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)


def test_import_writes_a_trace_that_stats_reads(trace: str, tmp_path: Path) -> None:
    out = str(tmp_path / "again.msgpack")
    found = goalloc("import", trace, "-o", out)
    assert (found.stdout, found.stderr, goalloc("stats", out).returncode) == ("", f"{out}: 10 events\n", 0)


def test_the_choices_of_an_option_that_is_missing_stand_on_the_same_line(
    trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = failure(capsys, "export", trace, "-o", "-")
    assert "'--to'. Choose from: jsonl, csv, rows, pprof, " in said
