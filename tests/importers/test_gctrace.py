"""Lines of GODEBUG=gctrace and scavtrace: every form of them, among whatever else a program prints, and beside a replay.

The texts in tests/data/gctrace begin with the command that printed them; the program is traces/programs/lru.
lru-go1.27.trace.zst is the recording of the run that printed lru-go1.27.txt.
"""

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
from goalloc_cli.analyses.beside import aligned
from goalloc_cli.analyses.pressure import pressure
from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import open_source
from goalloc_cli.importers.gctrace.cycles import MIB
from goalloc_cli.importers.gctrace.read import is_gctrace, read_gctrace
from goalloc_cli.results.beside import Heap, Pair
from goalloc_cli.results.gctrace import GCTrace, Release
from tests.kit.batches import SMALL, written
from tests.kit.root import DATA as TEST_DATA
from tests.kit.root import ROOT

DATA = TEST_DATA / "gctrace"
TRACE = DATA / "lru-go1.27.trace.zst"
GC = (
    "gc 4 @0.049s 4%: 2.1+4.4+0.008 ms clock, 4.3+0.1/0.44/2.1+0.017 ms cpu, "
    "9->10->5 MB, 11 MB goal, 0 MB stacks, 0 MB globals, 2 P"
)


def numbered(number: int, start: float = 0.0) -> str:
    return GC.replace("gc 4 @0.049s", f"gc {number} @{start:.3f}s") + "\n"


@pytest.fixture
def read(tmp_path: Path):
    def reading(text: str | bytes) -> GCTrace:
        path = tmp_path / "stderr.txt"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_gctrace(open_source(path))

    return reading


# Real texts.


@pytest.mark.parametrize("release", ["1.23", "1.24", "1.27"])
def test_every_line_of_a_real_run_is_read(release: str, read) -> None:
    text = (DATA / f"lru-go{release}.txt").read_text()
    found = read(text)
    numbers = [int(n) for n in re.findall(r"^gc (\d+) ", text, re.MULTILINE)]
    assert ([c.number for c in found.collections], len(found.releases), found.torn, found.runs) == (
        numbers, text.count("\nscav "), 0, 1,
    )  # fmt: skip


def test_what_gctrace_2_scanned_is_summed_by_class(read) -> None:
    text = (DATA / "lru-go1.27-gctrace2.txt").read_text()
    found = read(text)
    totals = [list(map(int, t)) for t in re.findall(r"scan: total (\d+)\+(\d+)\+(\d+)=", text)]
    sums = [(s.objects_alone, s.objects_in_spans, s.objects_dense) for s in found.scans.values()]
    assert [sum(column) for column in zip(*sums, strict=True)] == [sum(c) for c in zip(*totals, strict=True)]


# One line.


def test_a_line_is_taken_apart(read) -> None:
    [found] = read(GC + "\n").collections
    assert (
        *(found.number, found.start_ns, found.cpu_percent, found.procs, found.forced),
        *(found.sweep_termination_ns, found.mark_ns, found.mark_termination_ns, found.pause_ns),
        *(found.assist_cpu_ns, found.background_cpu_ns, found.idle_cpu_ns),
        *(found.start_bytes, found.end_bytes, found.live_bytes, found.goal_bytes),
        *(found.stack_bytes, found.globals_bytes),
    ) == (
        *(4, 49_000_000, 4, 2, False),
        *(2_100_000, 4_400_000, 8_000, 2_108_000),
        *(100_000, 440_000, 2_100_000),
        *(9 * MIB, 10 * MIB, 5 * MIB, 11 * MIB),
        *(0, 0),
    )


def test_go_1_17_and_older_print_no_stacks_and_globals(read) -> None:
    old = "gc 7 @2.104s 3%: 0.018+1.1+0.029 ms clock, 0.14+0.3/0.8/2.1+0.23 ms cpu, 4->5->2 MB, 6 MB goal, 8 P\n"
    [found] = read(old).collections
    assert (found.number, found.procs, found.stack_bytes, found.globals_bytes) == (7, 8, None, None)


@pytest.mark.parametrize(
    ("line", "forced"),
    [
        (f"{GC} (forced)\n", True),
        (GC.replace("4%", "4% (checking for goroutine leaks)") + "\n", False),
        (GC.replace("4%", "-1%") + "\n", False),
    ],
)
def test_a_remark_on_a_line_does_no_harm(line: str, forced: bool, read) -> None:
    assert [c.forced for c in read(line).collections] == [forced]


KIB = 1024


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "scav 2544 KiB work (bg), 8 KiB work (eager), 696 KiB now, 85% util",
            Release(0, 0, 2544 * KIB, 8 * KIB, 696 * KIB, 0.85, False),
        ),
        (
            "scav 0 KiB work (bg), 96 KiB work (eager), 696 KiB now, 5% util (forced)",
            Release(0, 0, 0, 96 * KIB, 696 * KIB, 0.05, True),
        ),
        (
            "scav 1 KiB work (bg), 0 KiB work (eager), 2 KiB now, 100% util [controller reset]",
            Release(0, 0, KIB, 0, 2 * KIB, 1.0, False),
        ),
        ("scav 512 KiB work, 8192 KiB total, 99% util", Release(0, 0, 512 * KIB, None, 8 * MIB, 0.99, False)),
        (
            "scvg3: inuse: 426, idle: 10, sys: 437, released: 9, consumed: 427 (MB)",
            Release(0, 0, None, None, 9 * MIB, None, False, 426 * MIB, 10 * MIB, 437 * MIB, 427 * MIB),
        ),
    ],
    ids=["since 1.21", "forced", "reset", "1.14 to 1.20", "until 1.13"],
)
def test_the_scavengers_lines_are_read(line: str, found: Release, read) -> None:
    assert read(f"{line}\n").releases == [found]


# Older forms, typed after public threads: golang/go#13552 and #12228 (1.5), #12228 (1.4), and the sources of 1.2.

GO_1_5 = "gc 20460 @8457.750s 0%: 0.23+0+0.1+2.4+0.64 ms clock, 1.6+0+0.5+0.67/8.0/0+4.5 ms cpu, 4->4->0 MB, 5 MB goal, 16 P"
GO_1_4 = (
    "gc{n}(5): 0+10+1000+200 us, {before} -> {now} MB, 6236 (13752-7516) objects, 34 goroutines, 208/167/0 sweeps, "
    "0(0) handoff, 10(58) steal, 66/2/0 yields\n"
)


def test_go_1_5_prints_five_phases(read) -> None:
    [c] = read(GO_1_5).collections
    assert (c.number, c.pause_ns, c.mark_ns, c.stopped_cpu_ns, c.gc_cpu_ns, c.goal_bytes) == (
        20460, 870_000, 2_500_000, 6_600_000, 15_270_000, 5 * MIB,
    )  # fmt: skip


def test_in_go_1_5_the_world_stood_still_when_the_program_asked(read) -> None:
    [c] = read(GO_1_5 + " (forced)").collections
    assert (c.pause_ns, c.mark_ns) == (3_370_000, 0)


def test_go_1_4_tells_the_live_heap_of_the_cycle_before(read) -> None:
    text = read("".join(GO_1_4.format(n=n, before=n + 1, now=2 * n + 2) for n in (1, 2, 3)))
    assert [(c.start_bytes, c.live_bytes, c.pause_ns, c.start_ns) for c in text.collections] == [
        (4 * MIB, 3 * MIB, 1_210_000, None), (6 * MIB, 4 * MIB, 1_210_000, None), (8 * MIB, None, 1_210_000, None),
    ]  # fmt: skip


def test_go_1_2_tells_the_heap_before_and_after(read) -> None:
    line = "gc7(2): 1+2+0 ms, 12 -> 5 MB 9000 -> 4000 (19000-15000) objects, 0(0) handoff, 7(52) steal, 38/2/0 yields\n"
    [c] = read(line).collections
    assert (c.start_bytes, c.live_bytes, c.pause_ns) == (12 * MIB, 5 * MIB, 3_000_000)


def test_scvg_lines_keep_what_is_idle(read) -> None:
    found = read("scvg59: inuse: 16, idle: 1018, sys: 1035, released: 0, consumed: 1035 (MB)\n")
    assert (found.releases[0].idle_bytes, found.torn) == (1018 * MIB, 0)


def test_scvg_work_goes_with_the_line_behind_it(read) -> None:
    found = read("scvg1: 5 MB released\nscvg1: inuse: 426, idle: 17, sys: 444, released: 5, consumed: 439 (MB)\n")
    assert [r.background_bytes for r in found.releases] == [5 * MIB]


def test_a_cycle_that_was_due_for_time_is_told_from_others(read) -> None:
    text = numbered(1) + "GC forced\n" + numbered(2) + numbered(3)
    assert [c.periodic for c in read(text).collections] == [False, True, False]


# The pacer.


@pytest.mark.parametrize("path", sorted(DATA.glob("sparse-go*.txt")), ids=lambda path: path.stem)
def test_the_pacers_lines_of_every_release_are_read(path: Path, read) -> None:
    """Each automatic cycle has one."""
    text = path.read_text()
    found = read(text)
    ends = [int(n) for n in re.findall(r"^pacer: .* B -> (\d+) B", text, re.MULTILINE)]
    goals = [int(n) for n in re.findall(r"goal (-?\d+), cons/mark", text)]
    assert [(p.end_bytes, p.end_bytes - p.goal_bytes) for p in found.paces] == list(zip(ends, goals, strict=True))
    assert {p.number for p in found.paces} <= {c.number for c in found.collections}


def test_the_pacer_spoke_in_terms_of_its_design_until_go_1_17(read) -> None:
    """After golang/go#14812 and the sources of 1.9."""
    text = (
        "pacer: assist ratio=+1.232155e+000 (scan 1 MB in 70->71 MB) workers=2+0\n"
        "pacer: H_m_prev=30488736 h_t=+2.334071e-001 H_T=37605024 h_a=+1.409842e+000 H_a=73473040 h_g=+1.000000e+000 "
        "H_g=60977472 u_a=+2.500000e-001 u_g=+3.000000e-001 W_a=308200 goal\u0394=+7.665929e-001\n"
    )
    [pace] = read(text).paces
    assert (
        *(pace.trigger_bytes, pace.end_bytes, pace.goal_bytes, pace.marked_before_bytes, pace.work_bytes),
        *(pace.utilisation, pace.wanted_utilisation, pace.assist_ratio, pace.workers),
    ) == (37605024, 73473040, 60977472, 30488736, 308200, 0.25, 0.3, 1.232155, 2)


# How much it took.


def test_the_share_is_what_the_lines_processor_times_say(read) -> None:
    """Two Ps; each cycle ends 100 ms after the one before, and took 20 ms of processor time."""
    line = "gc {n} @{at:.3f}s 3%: 1.0+8.0+1.0 ms clock, 2.0+6.0/10/30+2.0 ms cpu, 4->4->2 MB, 5 MB goal, 2 P\n"
    found = pressure(read("".join(line.format(n=n, at=n / 10 - 0.01) for n in range(1, 21))))
    assert ([share.share for share in found.shares], found.whole, found.last_ten) == ([0.1] * 20, 0.1, 0.1)


def test_where_thrashing_began_and_the_limit_are_found_in_a_real_log() -> None:
    """GOMEMLIMIT=64MiB; 4 s of quiet, then the live heap climbs above it: cases by hand from the text."""
    source = open_source(DATA / "spiral-go1.27.txt.zst")
    text = read_gctrace(source)
    found = pressure(text)
    numbers = [c.number for c in text.collections]
    assert ([numbers[p] for p in found.above], [numbers[p] for p in found.limited]) == ([390, 392, 393, 394],) * 2
    assert (numbers[found.began], numbers[found.ended]) == (389, 394)
    assert (round(found.whole, 3), round(found.last_ten, 2)) == (0.041, 0.3)
    assert {numbers[p] for p in found.worst} >= {389, 391, 394}


def test_a_heap_that_only_grows_is_under_no_limit(read) -> None:
    found = pressure(read((DATA / "sparse-go1.19.txt").read_text()))
    assert (len(found.above) > 0, found.limited) == (True, [])


# Among other output.


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
def test_a_line_is_found_among_other_output(around: str, read) -> None:
    assert [c.number for c in read(around.format(GC).encode("latin-1")).collections] == [4]


def test_a_line_torn_by_other_output_is_counted_and_left_out(read) -> None:
    found = read(numbered(1) + GC[:40] + "hello\n" + GC[40:] + "\n" + numbered(5))
    assert ([c.number for c in found.collections], found.torn) == ([1, 5], 1)


def test_the_first_line_may_come_after_pages_of_other_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "stderr.txt"
    path.write_text("handled a request\n" * 3000 + numbered(1))
    cli.run(["stats", str(path)])
    assert f"{path}, 1 GC cycle (0 forced)" in " ".join(capsys.readouterr().out.split())


def test_programs_that_print_into_one_text_are_told_apart(read) -> None:
    found = read("".join(numbered(n) for n in (1, 1, 2, 2, 3, 1, 3, 4)))
    runs: dict[int, list[int]] = {}
    for c in found.collections:
        runs.setdefault(c.run, []).append(c.number)
    assert sorted(runs.values()) == [[1], [1, 2, 3], [1, 2, 3, 4]]


def test_a_gap_of_lost_lines_does_not_make_a_program_of_its_own(read) -> None:
    assert read("".join(numbered(n) for n in (3, 4, 9, 10))).runs == 1


def test_where_most_lines_are_torn_the_text_is_refused_with_the_first(read) -> None:
    with pytest.raises(TraceError, match=r"4 lines begin as those of gctrace do and cannot be read, 1 can; the first: gc 9"):
        read(numbered(1) + "gc 9 @0.9s then something else\n" * 4)


def test_a_text_of_one_line_that_was_cut_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    path.write_text("hello\ngc 1 @0.021s 0%: 0.23+0.19")
    assert cli.run(["stats", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "No GC cycle has ended in this text." in said
    assert "the first: gc 1 @0.021s 0%: 0.23+0.19" in said


def test_a_text_without_such_lines_is_none(read) -> None:
    assert not is_gctrace(b"gc 1 is the first collection\nscav everything\n")
    with pytest.raises(TraceError, match="no line of GODEBUG=gctrace=1 or scavtrace=1 is whole"):
        read("nothing\n")


# goalloc stats.


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_stats_reads_it_packed_and_through_a_pipe(pack, tmp_path: Path) -> None:
    packed = pack((DATA / "lru-go1.24.txt").read_bytes())
    found = subprocess.run(
        [sys.executable, "-m", "goalloc_cli", "stats", "-", "--format", "json"], input=packed, capture_output=True,
        cwd=ROOT, check=True,
    )  # fmt: skip
    assert json.loads(found.stdout)["schema"] == "goalloc gctrace"


def said(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    assert cli.run(["stats", *map(str, args)]) == 0
    return capsys.readouterr().out


def document(capfdbinary, *args: object) -> dict:
    assert cli.run(["stats", *map(str, args), "--format", "json"]) == 0
    return json.loads(capfdbinary.readouterr().out)


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


# Beside a replay of the same run.


def test_the_models_heap_lies_in_the_mib_that_go_printed(capfdbinary) -> None:
    found = document(capfdbinary, DATA / "lru-go1.27.txt", "--beside", TRACE)["beside"]
    assert [row["off_bytes"] for row in found["collections"][1:]] == [0, 0, 0, 0]


def test_of_a_cut_text_the_times_tell_which_collections_belong_together(tmp_path: Path, capfdbinary) -> None:
    lines = (DATA / "lru-go1.27.txt").read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.txt"
    cut.write_text("".join(line for line in lines if not line.startswith(("gc 1 ", "gc 2 "))))
    found = document(capfdbinary, cut, "--beside", TRACE)
    assert [(row["number"], row["off_bytes"]) for row in found["beside"]["collections"]] == [(3, 0), (4, 0), (5, 0)]
    assert "The text has 3 collections, the trace 5: by their times, collections 3 to 5 are in both." in found["notes"]


def test_a_trace_of_another_run_is_doubted(tmp_path: Path, capfdbinary) -> None:
    other = tmp_path / "other.txt"
    other.write_text("".join(numbered(n, n * n / 5) for n in range(1, 6)))
    notes = document(capfdbinary, other, "--beside", TRACE)["notes"]
    assert "The collections do not happen at the same times: is the trace of the same run?" in notes


@pytest.mark.parametrize(
    ("printed", "replayed", "shift"),
    [
        ([10, 20, 50, 60], [10, 20, 50, 60], 0),
        ([10, 20, 50, 60], [1020, 1050, 1060], 1),
        ([50, 65], [10, 20, 50, 65], -2),
        ([10, 20, 50], [0, 0], 0),
        ([], [10], 0),
    ],
)
def test_collections_are_paired_by_the_times_between_them(printed: list[int], replayed: list[int], shift: int) -> None:
    assert aligned(printed, replayed)[0] == shift


@pytest.mark.parametrize(("live", "off"), [(3 * MIB, 0), (4 * MIB - 1, 0), (4 * MIB, 1), (3 * MIB - 5, 5)])
def test_off_is_the_distance_to_the_mib_that_go_printed(live: int, off: int) -> None:
    go = Heap(3 * MIB, 3 * MIB, 3 * MIB, 0)
    assert Pair(1, go, Heap(3 * MIB, 3 * MIB, live, 0)).off_bytes == off
