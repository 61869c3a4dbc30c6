"""Recordings with the size and the call stack of every allocation, from a real Go: what the program counted itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from goalloc_cli.trace.event import BOUND, Kind
from goalloc_cli.trace.sniff import open_trace
from goalloc_cli.trace.stats import TraceStats, describe
from tests.conftest import Go
from tests.test_record import goalloc

SOURCE = Path(__file__).parent / "data" / "known"


@pytest.fixture(scope="module")
def recording(go: Go, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, int]]:
    """A trace of the program of known sizes, and the bytes that it asked for, by line."""
    folder = tmp_path_factory.mktemp("known")
    built = goalloc("record", "--full", "--", "go", "build", "-o", folder / "known", ".", cwd=SOURCE, **go.environ())
    assert built.returncode == 0, built.stderr
    environ = go.environ(GODEBUG="traceallocfree=1", GOMAXPROCS="1")
    run = subprocess.run([folder / "known", folder / "t.trace"], env=environ, capture_output=True, text=True, check=True)
    lines = [line.split() for line in run.stdout.splitlines()]
    return folder / "t.trace", {int(place.partition(":")[2]): int(asked) for place, asked, _what in lines}


@pytest.fixture(scope="module")
def stats(recording: tuple[Path, dict[int, int]]) -> TraceStats:
    return describe(open_trace(recording[0]))


def test_every_line_asked_for_what_the_program_counted(
    recording: tuple[Path, dict[int, int]], stats: TraceStats
) -> None:
    sites = {site.line: site.alloc_bytes for site in stats.sites if site.function == "main.main"}
    assert {line: sites[line] for line in recording[1]} == recording[1]


def test_the_trace_says_how_it_was_recorded(stats: TraceStats) -> None:
    assert (stats.header.recorded, stats.header.sizes) == ("sizes and stacks", "requested")


def test_no_size_is_bounded_but_of_what_lived_before(recording: tuple[Path, dict[int, int]]) -> None:
    kinds = np.concatenate([batch.kind for batch in open_trace(recording[0]).batches])
    assert set(kinds[kinds >= BOUND] & 0x3F) <= {int(Kind.SNAP_OBJECT)}


def test_stacks_survive_the_trace_format(recording: tuple[Path, dict[int, int]], stats: TraceStats, tmp_path: Path) -> None:
    imported = goalloc("import", recording[0], "-o", tmp_path / "t.msgpack", cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
    assert describe(open_trace(tmp_path / "t.msgpack")).sites == stats.sites


def test_a_replay_has_every_address(recording: tuple[Path, dict[int, int]], tmp_path: Path) -> None:
    found = goalloc("verify", recording[0], "--fail-on", "free-running<100", cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_stats_name_the_lines(recording: tuple[Path, dict[int, int]], tmp_path: Path) -> None:
    found = goalloc("stats", recording[0], "--report", "sites", cwd=tmp_path)
    assert "main.go:40" in found.stdout, found.stdout
