"""What everyone types at first, and what a shell completes."""

from __future__ import annotations

import gzip
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from goalloc_cli import cli
from goalloc_cli.recording.server import request
from goalloc_cli.trace.trace import Header
from tests.kit.commands import ROOT, written

PROFILE = bytes.fromhex("0a0408011002 0a0408031004 1a0208 01".replace(" ", "")) + bytes(40)
"""How a profile of runtime/pprof begins: its types of samples."""


@pytest.fixture
def trace(tmp_path: Path) -> str:
    return written(tmp_path / "small.msgpack", Header(go_version="1.27", hints=True))


def failure(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    code = cli.run(list(args))
    return code, capsys.readouterr().err


def test_help_groups_the_commands_by_what_one_wants(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["--help"])
    out = capsys.readouterr().out
    words = ("goalloc record", "goalloc replay", "goalloc stats", "Record:", "Look:", "Learn:")
    places = [out.index(word) for word in words]
    assert places == sorted(places)
    assert {name for name in cli.NAMES if f"\n  {name} " not in out} == set()


def test_a_file_alone_is_replayed(trace: str) -> None:
    assert cli.cli.resolve_command(None, [trace, "--check"])[0::2] == ("replay", [trace, "--check"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["replya", "x"], "did you mean 'replay'?"),
        (["nowhere.trace"], "there is no command 'nowhere.trace', and no file of that name"),
        (["replay", "TRACE", "--report", "fragmentaton"], "did you mean 'fragmentation'?"),
        (["replay", "TRACE", "--set", "page_cach=0"], "did you mean 'page_cache'?"),
        (["stats", "TRACE", "--report", "lifetime"], "did you mean 'lifetimes'?"),
        (["verify", "TRACE", "--fail-on", "fre-running<99"], "did you mean 'free_running'?"),
        (["replay", "TRACE", "-o", ""], "an empty name"),
        (["design", "-o", ""], "an empty name"),
        (["import", "TRACE", "-o", ""], "an empty name"),
        (["export", "TRACE", "--to", "csv", "-o", ""], "an empty name"),
        (["record", "-o", "", "--", "true"], "an empty name"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(
    args: list[str], said: str, trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = failure(capsys, *(trace if arg == "TRACE" else arg for arg in args))
    assert (code, said in told, told.count("\n")) == (2, True, 1)


def test_stats_alone_says_what_it_reads(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("goalloc_cli.commands.stats.is_piped", lambda: False)
    code, told = failure(capsys, "stats")
    assert (code, all(word in told for word in ("a trace", "MemStats", "scrape", "gctrace"))) == (2, True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_profile_is_named_as_one(pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "heap.pb.gz"
    path.write_bytes(pack(PROFILE))
    code, told = failure(capsys, "replay", str(path))
    assert (code, "looks like a pprof profile" in told, "the call stacks of samples" in told) == (3, True, True)


@pytest.mark.parametrize(
    "url",
    ["http://h:6060", "http://h:6060/", "http://h:6060/debug", "http://h:6060/debug/pprof", "http://h:6060/debug/pprof/",
     "http://h:6060/debug/pprof/trace?seconds=9"],
)  # fmt: skip
def test_the_index_of_pprof_is_understood(url: str) -> None:
    assert request(url, 2, 1, 1).url == "http://h:6060/debug/pprof/trace?seconds=2"


def test_a_path_before_the_index_stays() -> None:
    assert request("http://h/app/debug/pprof/", 2, 1, 1).url == "http://h/app/debug/pprof/trace?seconds=2"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("goalloc replay --go 1.1", "plain,1.12"),
        ("goalloc replay --go 1.12,1.2", "plain,1.12,1.27"),
        ("goalloc replay --set page_c", "plain,page_cache="),
        ("goalloc replay --set scavenger=p", "plain,scavenger=paced"),
        ("goalloc replay --report fr", "plain,fragmentation"),
        ("goalloc stats --report led", "plain,ledger"),
        ("goalloc verify --fail-on fr", "plain,free-running<"),
        ("goalloc replay app", "file,app"),
        ("goalloc stats m --smaps s", "file,s"),
        ("goalloc import app", "file,app"),
    ],
)
def test_the_shell_completes(typed: str, offered: str) -> None:
    code = "import sys; sys.argv = ['goalloc']; from goalloc_cli.cli import cli; cli.main(prog_name='goalloc')"
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_GOALLOC_COMPLETE": "bash_complete"}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert offered in found.stdout.splitlines()


def test_quiet_is_quiet_while_it_compiles(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    """What is compiled in a command that was told to be quiet is told to nobody."""
    from goalloc_cli.compiled.compiling import compiling

    for quiet, told in ((["-q"], 0), ([], 1)):
        cli.run(["stats", trace, *quiet])
        capsys.readouterr()
        compiling.told = set()
        compiling.begin("goalloc_cli.model.loop")
        assert capsys.readouterr().err.count("compiling") == told


def test_on_a_terminal_the_answer_stands_at_the_end_as_well() -> None:
    """A report longer than the terminal scrolls its first lines away."""
    log = ROOT / "tests" / "data" / "gctrace" / "sparse-go1.27.txt"
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "goalloc_cli", "--color", "never", "stats", str(log)], stdout=follower, cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "dumb"},
    )  # fmt: skip
    os.close(follower)
    out = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    child.wait()
    lines = out.decode().splitlines()
    answer = next(n for n, line in enumerate(lines) if line.startswith("GC took"))
    assert answer < 24
    assert any(line.startswith("GC took") for line in lines[-6:])
