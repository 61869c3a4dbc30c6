"""Lines of GODEBUG=gctrace, scavtrace and gcpacertrace: every form of them since Go 1.6."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goalloc_cli.importers.gctrace.cycles import MIB
from goalloc_cli.results.gctrace import Release
from tests.kit.gctrace import DATA, GC, read

# Real texts.


@pytest.mark.parametrize("release", ["1.23", "1.24", "1.27"])
def test_every_line_of_a_real_run_is_read(release: str) -> None:
    text = (DATA / f"lru-go{release}.txt").read_text()
    found = read(text)
    numbers = [int(n) for n in re.findall(r"^gc (\d+) ", text, re.MULTILINE)]
    assert ([c.number for c in found.collections], len(found.releases), found.torn, found.runs) == (
        numbers, text.count("\nscav "), 0, 1,
    )  # fmt: skip


def test_what_gctrace_2_scanned_is_summed_by_class() -> None:
    text = (DATA / "lru-go1.27-gctrace2.txt").read_text()
    found = read(text)
    totals = [list(map(int, t)) for t in re.findall(r"scan: total (\d+)\+(\d+)\+(\d+)=", text)]
    sums = [(s.objects_alone, s.objects_in_spans, s.objects_dense) for s in found.scans.values()]
    assert [sum(column) for column in zip(*sums, strict=True)] == [sum(c) for c in zip(*totals, strict=True)]


# One line.


def test_a_line_is_taken_apart() -> None:
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


def test_go_1_17_and_older_print_no_stacks_and_globals() -> None:
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
def test_a_remark_on_a_line_does_no_harm(line: str, forced: bool) -> None:
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
def test_the_scavengers_lines_are_read(line: str, found: Release) -> None:
    assert read(f"{line}\n").releases == [found]


# The pacer.


@pytest.mark.parametrize("path", sorted(DATA.glob("sparse-go*.txt")), ids=lambda path: path.stem)
def test_the_pacers_lines_of_every_release_are_read(path: Path) -> None:
    """Each automatic cycle has one."""
    text = path.read_text()
    found = read(text)
    ends = [int(n) for n in re.findall(r"^pacer: .* B -> (\d+) B", text, re.MULTILINE)]
    goals = [int(n) for n in re.findall(r"goal (-?\d+), cons/mark", text)]
    assert [(p.end_bytes, p.end_bytes - p.goal_bytes) for p in found.paces] == list(zip(ends, goals, strict=True))
    assert {p.number for p in found.paces} <= {c.number for c in found.collections}


def test_the_pacer_spoke_in_terms_of_its_design_until_go_1_17() -> None:
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
