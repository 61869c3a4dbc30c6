"""Rows: replay in memory, and the same operations performed by the real Go runtime."""

from __future__ import annotations

from benchmarks import realgo
from benchmarks.bench import LIVE, PROCS, Bench
from benchmarks.measure import Times, seconds
from benchmarks.result import Result, Target, skipped
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import release
from goalloc_cli.trace.trace import Trace

FAST_ENOUGH = Target(60, "M events/s", at_least=True)


def run(trace: Trace) -> None:
    replay(trace, release("1.27"), design_name="go1.27")


def in_memory(bench: Bench) -> list[Result]:
    """Events per second with every statistic that a report shows."""
    return [one_workload(bench, workload) for workload in ("steady", "generational")]


def one_workload(bench: Bench, workload: str) -> Result:
    count = bench.in_memory(workload).events or 0
    run(bench.in_memory(workload))  # compiles
    found = seconds(lambda: run(bench.in_memory(workload)), bench.runs)
    return Result(
        f"replay in memory, {workload}, {count // 10**6} M events",
        count / min(found.wall) / 1e6,
        "M events/s",
        FAST_ENOUGH,
        f"{found.told(count)}; {LIVE:,} live, {PROCS} Ps",
        {"seconds": found.wall, "cpu_seconds": found.cpu, "events": count},
    )


def against_go(bench: Bench) -> list[Result]:
    """How many times faster the replay is than Go, run by turns."""
    targets = {"100": Target(5, "x", at_least=True), "off": Target(2.5, "x", at_least=True)}
    program = realgo.build(bench)
    if isinstance(program, str):
        return [skipped(f"replay against real Go, GOGC={gogc}", program, target) for gogc, target in targets.items()]
    operations = realgo.export(bench)
    count = bench.in_memory().events or 0
    run(bench.in_memory())
    ours = Times()
    theirs: dict[str, list[float]] = {gogc: [] for gogc in targets}
    for _ in range(min(bench.runs, 3)):
        ours.of(lambda: run(bench.in_memory()))
        for gogc in targets:
            theirs[gogc].append(realgo.ns_per_operation(program, operations, gogc))
    ns = min(ours.wall) / count * 1e9
    version = realgo.version(program, operations)
    how = f"best of {len(ours.wall)}, by turns; GOMAXPROCS=1"
    return [
        Result(
            f"replay against real Go, GOGC={gogc}",
            min(theirs[gogc]) / ns,
            "x",
            target,
            f"{version} {min(theirs[gogc]):.1f} ns, replay {ns:.1f} ns each; {how}",
            {"replay_seconds": ours.wall, "go_ns": theirs[gogc]},
        )
        for gogc, target in targets.items()
    ]
