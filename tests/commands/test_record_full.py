"""Recordings with the size and the call stack of every allocation, from a real Go: what the program counted itself."""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from goalloc_cli.analyses.describe import describe
from goalloc_cli.analyses.sites import SiteCounter
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.description import TraceStats
from goalloc_cli.trace.event import BOUND, KIND_MASK, Kind
from tests.commands.test_record import goalloc
from tests.conftest import Go
from tests.kit.root import DATA

SOURCE = DATA / "known"
MARKS = {
    line.rpartition("// ")[2]: number
    for number, line in enumerate((SOURCE / "main.go").read_text().splitlines(), 1)
    if line.startswith("\t") and " // " in line
}
"""The lines of the program that allocate."""

Sizes = Counter[tuple[int, int]]
"""How often a line allocated a size: by line and size."""


@dataclass(frozen=True)
class Known:
    """A full recording of the program of known sizes, and what the program counted itself."""

    trace: Path
    counted: Sizes


@pytest.fixture(scope="module")
def known(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("known")
    built = goalloc("record", "--full", "--", "go", "build", "-o", folder / "known", ".", cwd=SOURCE, **go.environ())
    assert built.returncode == 0, built.stderr
    environ = go.environ(GODEBUG="traceallocfree=1", GOMAXPROCS="1")
    run = subprocess.run([folder / "known", folder / "t.trace"], env=environ, capture_output=True, text=True, check=True)
    told = [line.split() for line in run.stdout.splitlines()]
    counted = Counter({(MARKS[mark], int(size)): int(times) for mark, size, times in told})
    return Known(folder / "t.trace", +counted)


@pytest.fixture(scope="module")
def recorded(known: Known) -> Sizes:
    """What the recording says of the program's own work."""
    counter, found = SiteCounter(), Counter[tuple[int, int]]()
    for batch in open_trace(known.trace).batches:
        counter.add(batch)
        assert batch.stack is not None
        for stack, size in zip(batch.stack.tolist(), batch.size.tolist(), strict=True):
            if stack and "main.work" in calls(counter, stack):
                found[counter.calls[counter.site_of(stack)].line, size] += 1
    return found


def calls(counter: SiteCounter, stack: int) -> set[str]:
    """All functions of a stack."""
    names = set()
    while stack:
        names.add(counter.name(stack))
        stack = counter.calls[stack].caller
    return names


@pytest.fixture(scope="module")
def stats(known: Known) -> TraceStats:
    return describe(open_trace(known.trace))


def test_every_size_is_the_one_that_the_line_asked_for(known: Known, recorded: Sizes) -> None:
    lines = {line for line, _size in known.counted}
    assert Counter({of: times for of, times in recorded.items() if of[0] in lines}) == known.counted


def test_every_stack_of_the_programs_work_ends_in_a_line_that_allocates(recorded: Sizes) -> None:
    assert {line for line, _size in recorded} == set(MARKS.values())


def test_the_report_adds_up_to_what_the_program_counted(known: Known, stats: TraceStats) -> None:
    sites = {site.line: site.alloc_bytes for site in stats.sites if site.function == "main.work"}
    counted = Counter[int]()
    for (line, size), times in known.counted.items():
        counted[line] += size * times
    assert {line: sites[line] for line in counted} == counted


def test_the_sites_add_up_to_all_that_was_allocated(known: Known, stats: TraceStats) -> None:
    kinds = np.concatenate([batch.kind & KIND_MASK for batch in open_trace(known.trace).batches])
    sizes = np.concatenate([batch.size for batch in open_trace(known.trace).batches])
    allocated = int(sizes[(kinds == Kind.ALLOC) | (kinds == Kind.TINY)].sum())
    assert sum(site.alloc_bytes for site in stats.sites) == allocated


def test_the_trace_says_how_it_was_recorded(stats: TraceStats) -> None:
    assert (stats.header.recorded, stats.header.sizes) == ("sizes and stacks", "requested")


def test_no_size_is_bounded_but_of_what_lived_before(known: Known) -> None:
    kinds = np.concatenate([batch.kind for batch in open_trace(known.trace).batches])
    assert set(kinds[kinds >= BOUND] & 0x3F) <= {int(Kind.SNAP_OBJECT)}


def test_stacks_survive_the_trace_format(known: Known, stats: TraceStats, tmp_path: Path) -> None:
    imported = goalloc("import", known.trace, "-o", tmp_path / "t.msgpack", cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
    assert describe(open_trace(tmp_path / "t.msgpack")).sites == stats.sites


def test_a_replay_has_every_slot_and_nearly_every_address(known: Known, tmp_path: Path) -> None:
    """The program has run before it is recorded: in which order its spans stood in the lists then, no recording tells."""
    found = goalloc("verify", known.trace, "--fail-on", "slot<100", "--fail-on", "free-running<98", cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_stats_name_the_lines(known: Known, tmp_path: Path) -> None:
    found = goalloc("stats", known.trace, "--report", "sites", cwd=tmp_path)
    assert f"main.go:{MARKS['bytes']}" in found.stdout, found.stdout


def test_a_replay_has_no_doubt_but_of_what_lived_before(known: Known, tmp_path: Path) -> None:
    found = goalloc("replay", known.trace, "--report", "fragmentation", cwd=tmp_path)
    assert "unknown" not in found.stdout
    assert "bounded: of what lived before the recording began the slot is known" in " ".join(found.stdout.split())


@pytest.mark.parametrize("form", ["jsonl", "csv", "rows"])
def test_rows_of_it_have_the_same_sites(known: Known, stats: TraceStats, tmp_path: Path, form: str) -> None:
    exported = goalloc("export", known.trace, "--to", form, "-o", tmp_path / "rows", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert describe(open_trace(tmp_path / "rows")).sites == stats.sites
